"""Protocol buffer messages from declarative tables: our own wire format, no protobuf package.

Lives here: Message, its fields, encoding and decoding. Not here: which messages there are
(interop/messages.py), their text form (interop/text_format.py). Imports NumPy only.

A message class names its fields in one table, a line for each: `number name type`. A type is a
scalar, `enum:Name` or another message's name; `*type` repeats, `map:string:type` is a map, and
`type@group` belongs to a oneof. Unknown fields are kept and written back.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, TypeVar

import numpy as np

M = TypeVar("M", bound="Message")


class DecodeError(ValueError):
    """The bytes are not a message of this kind."""


# ------------------------------------------------------------------ scalars
def write_varint(value: int, out: bytearray) -> None:
    """Appends a varint; negative numbers as 64-bit two's complement."""
    value &= 0xFFFFFFFFFFFFFFFF
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def read_varint(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """(value, next position).

    Raises:
        DecodeError: the data ends within the number.
    """
    result = shift = 0
    try:
        while True:
            byte = data[at]
            at += 1
            result |= (byte & 0x7F) << shift
            if byte < 0x80:
                return result, at
            shift += 7
            if shift > 63:
                raise DecodeError("a varint has more than ten bytes")
    except IndexError:
        raise DecodeError("the data ends within a number") from None


def _signed(value: int) -> int:
    value &= 0xFFFFFFFFFFFFFFFF
    return value - (1 << 64) if value >> 63 else value


def _signed32(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


@dataclass(frozen=True)
class _Scalar:
    wire: int  # 0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes
    default: Any
    check: Callable[[Any], Any]
    fixed: str = ""  # the struct format of fixed-size kinds
    decode: Callable[[int], Any] = int  # from a varint


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if not isinstance(value, str):
        raise TypeError(f"{value!r} has type {type(value).__name__}, but expected str")
    return value


def _bytes(value: Any) -> bytes:
    if isinstance(value, str | int) or value is None:
        raise TypeError(f"{value!r} has type {type(value).__name__}, but expected bytes")
    return bytes(value)


def _real(value: Any) -> float:
    if isinstance(value, str | bytes) or value is None:
        raise TypeError(f"{value!r} has type {type(value).__name__}, but expected a number")
    return float(value)


def _single(value: Any) -> float:
    return float(np.float32(_real(value)))


def _whole(value: Any) -> int:
    number = getattr(value, "as_datatype_enum", value)
    if isinstance(number, float | str | bytes) or number is None:
        raise TypeError(f"{value!r} has type {type(value).__name__}, but expected int")
    return int(number)


_SCALARS: dict[str, _Scalar] = {
    "double": _Scalar(1, 0.0, _real, "<d"),
    "float": _Scalar(5, 0.0, _single, "<f"),
    "int64": _Scalar(0, 0, _whole, decode=_signed),
    "int32": _Scalar(0, 0, _whole, decode=_signed32),
    "uint64": _Scalar(0, 0, _whole),
    "uint32": _Scalar(0, 0, _whole),
    "enum": _Scalar(0, 0, _whole, decode=_signed32),
    "bool": _Scalar(0, False, bool, decode=bool),
    "fixed32": _Scalar(5, 0, _whole, "<I"),
    "fixed64": _Scalar(1, 0, _whole, "<Q"),
    "string": _Scalar(2, "", _text),
    "bytes": _Scalar(2, b"", _bytes),
}

ENUMS: dict[str, dict[str, int]] = {}
_MESSAGES: dict[str, type[Message]] = {}


# ------------------------------------------------------------------ fields
@dataclass(frozen=True)
class Field:
    """One field. label: "one", "many" or "map"; kind: a scalar's name or "message"."""

    number: int
    name: str
    label: str
    kind: str
    type_name: str = ""
    oneof: str = ""
    key: str = ""

    @cached_property
    def message(self) -> type[Message]:
        return _MESSAGES[self.type_name]

    @property
    def scalar(self) -> _Scalar:
        return _SCALARS[self.kind]

    @property
    def packed(self) -> bool:
        return self.label == "many" and self.kind != "message" and self.scalar.wire != 2


def _field(line: str) -> Field:
    number, name, text = line.split()
    text, _, oneof = text.partition("@")
    label, key = "one", ""
    if text.startswith("*"):
        label, text = "many", text[1:]
    elif text.startswith("map:"):
        _, key, text = text.split(":", 2)
        label = "map"
    kind, _, enum = text.partition(":")
    if kind in _SCALARS:
        return Field(int(number), name, label, kind, enum, oneof, key)
    return Field(int(number), name, label, "message", text, oneof, key)


class Repeated(list[Any]):
    """A repeated field: a list; `add` appends a new message and gives it back."""

    def __init__(self, field: Field) -> None:
        super().__init__()
        self._field = field

    def add(self, **values: Any) -> Any:
        made = self._field.message(**values)
        super().append(made)
        return made

    def append(self, value: Any) -> None:
        super().append(_checked(self._field, value))

    def extend(self, values: Iterable[Any]) -> None:
        field = self._field
        super().extend([_checked(field, v) for v in values])

    MergeFrom = extend


class Map(dict[Any, Any]):
    """A map field; reading a missing message makes it."""

    def __init__(self, field: Field) -> None:
        super().__init__()
        self._field = field

    def __missing__(self, key: Any) -> Any:
        field = self._field
        if field.kind != "message":
            return field.scalar.default
        made = self[key] = field.message()
        return made

    get_or_create = dict.__getitem__

    def MergeFrom(self, other: Any) -> None:
        for key, value in other.items():
            self[key] = _copied(value)


def _checked(field: Field, value: Any) -> Any:
    if field.kind != "message":
        return field.scalar.check(value)
    if not isinstance(value, field.message):
        raise TypeError(
            f"{field.name}: expected {field.type_name}, got {type(value).__name__}"
        )
    return _copied(value)


def _copied(value: Any) -> Any:
    if not isinstance(value, Message):
        return value
    made = type(value)()
    made.CopyFrom(value)
    return made


# ------------------------------------------------------------------ messages
class Message:
    """Base of all messages: fields as attributes, and protobuf's methods.

    Raises:
        AttributeError: an unknown field, or an assignment to a message or repeated field.
        TypeError: a value that the field cannot hold.
    """

    TABLE: ClassVar[str] = ""
    FIELDS: ClassVar[dict[str, Field]] = {}
    BY_NUMBER: ClassVar[dict[int, Field]] = {}

    def __init_subclass__(cls) -> None:
        lines = [line.strip() for line in cls.TABLE.strip().splitlines()]
        fields = [_field(line) for line in lines if line]
        cls.FIELDS = {f.name: f for f in fields}
        cls.BY_NUMBER = {f.number: f for f in fields}
        _MESSAGES[cls.__qualname__] = cls

    def __init__(self, **values: Any) -> None:
        object.__setattr__(self, "_values", {})
        object.__setattr__(self, "_present", False)
        object.__setattr__(self, "_unknown", b"")
        for name, value in values.items():
            if value is not None:
                self._init_field(name, value)

    _values: dict[str, Any]
    _present: bool
    _unknown: bytes

    def _init_field(self, name: str, value: Any) -> None:
        field = self.FIELDS.get(name)
        if field is None:
            raise ValueError(f'Protocol message {type(self).__name__} has no "{name}" field.')
        if field.label == "many":
            getattr(self, name).extend(value)
        elif field.label == "map":
            getattr(self, name).MergeFrom(value)
        elif field.kind == "message":
            getattr(self, name).CopyFrom(_checked(field, value))
            getattr(self, name).SetInParent()
        else:
            setattr(self, name, value)

    # ------------------------------------------------------------ fields
    def __getattr__(self, name: str) -> Any:
        field = self.FIELDS.get(name)
        if field is None:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        found = self._values.get(name)
        if found is not None:
            return found
        if field.label == "one" and field.kind != "message":
            return field.scalar.default
        made: Any
        if field.label == "one":
            made = field.message()
        else:
            made = (Repeated if field.label == "many" else Map)(field)
        self._values[name] = made
        return made

    def __setattr__(self, name: str, value: Any) -> None:
        field = self.FIELDS.get(name)
        if field is None:
            raise AttributeError(
                f'Assignment not allowed (no field "{name}" in protocol message object).'
            )
        if field.label != "one" or field.kind == "message":
            what = "repeated" if field.label != "one" else "composite"
            raise AttributeError(
                f'Assignment not allowed to {what} field "{name}" in protocol message object.'
            )
        checked = field.scalar.check(value)
        if field.oneof:
            self._leave_oneof(field)
        self._values[name] = checked

    def _leave_oneof(self, field: Field) -> None:
        for other in self.FIELDS.values():
            if other.oneof == field.oneof and other is not field:
                self._values.pop(other.name, None)

    def _set_fields(self) -> list[tuple[Field, Any]]:
        """The fields that hold something, by number."""
        out = []
        for name, value in self._values.items():
            field = self.FIELDS[name]
            if field.label != "one":
                if value:
                    out.append((field, value))
            elif field.kind == "message":
                if value._holds():
                    out.append((field, value))
            elif field.oneof or value != field.scalar.default:
                out.append((field, value))
        out.sort(key=lambda item: item[0].number)
        return out

    def _holds(self) -> bool:
        return self._present or bool(self._unknown) or any(
            v._holds() if isinstance(v, Message) else not isinstance(v, list | dict) or v
            for v in self._values.values()
        )

    def ListFields(self) -> list[tuple[Field, Any]]:
        return self._set_fields()

    def HasField(self, name: str) -> bool:
        """Whether a singular field (or a oneof) is set."""
        if name not in self.FIELDS:
            if any(f.oneof == name for f in self.FIELDS.values()):
                return self.WhichOneof(name) is not None
            raise ValueError(
                f'Protocol message {type(self).__name__} has no field {name}.'
            )
        value = self._values.get(name)
        return value._holds() if isinstance(value, Message) else value is not None

    def WhichOneof(self, oneof: str) -> str | None:
        """The name of the field of this oneof that is set, or None."""
        for name, field in self.FIELDS.items():
            if field.oneof == oneof and name in self._values and self.HasField(name):
                return name
        return None

    def ClearField(self, name: str) -> None:
        self._values.pop(name, None)

    def Clear(self) -> None:
        self._values.clear()
        object.__setattr__(self, "_present", False)
        object.__setattr__(self, "_unknown", b"")

    def SetInParent(self) -> None:
        """Marks an empty message as set."""
        object.__setattr__(self, "_present", True)

    # ------------------------------------------------------------ copies
    def CopyFrom(self, other: Message) -> None:
        if other is self:
            return
        self.Clear()
        self.MergeFrom(other)

    def MergeFrom(self, other: Message) -> None:
        if type(other) is not type(self):
            raise TypeError(
                f"expected {type(self).__name__} object, but got {type(other).__name__}"
            )
        if other._present:
            self.SetInParent()
        object.__setattr__(self, "_unknown", self._unknown + other._unknown)
        for name, value in other._values.items():
            field = self.FIELDS[name]
            if field.label == "one" and field.kind != "message":
                setattr(self, name, value)
            elif field.label == "one":
                if value._holds():
                    getattr(self, name).MergeFrom(value)
            elif field.label == "many" and field.kind != "message":
                list.extend(getattr(self, name), value)
            else:
                getattr(self, name).MergeFrom(value)

    def __deepcopy__(self, memo: Any) -> Message:
        return _copied(self)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        assert isinstance(other, Message)
        mine = {f.name: v for f, v in self._set_fields()}
        theirs = {f.name: v for f, v in other._set_fields()}
        return mine == theirs and self._unknown == other._unknown

    __hash__ = None  # type: ignore[assignment]  # messages change

    # ------------------------------------------------------------ bytes
    def SerializeToString(self, deterministic: bool = True) -> bytes:
        """The message in wire format, fields by number and maps by key."""
        out = bytearray()
        for field, value in self._set_fields():
            _write_field(field, value, out)
        out += self._unknown
        return bytes(out)

    def ByteSize(self) -> int:
        return len(self.SerializeToString())

    def ParseFromString(self, data: bytes) -> int:
        """Reads the message from its wire format, in place of what it held.

        Raises:
            DecodeError: not a message of this kind.
        """
        self.Clear()
        return self.MergeFromString(data)

    def MergeFromString(self, data: bytes) -> int:
        view = memoryview(data) if not isinstance(data, memoryview) else data
        try:
            _read_into(self, view)
        except (struct.error, UnicodeDecodeError) as err:
            raise DecodeError(f"Error parsing message: {err}") from None
        return len(view)

    @classmethod
    def FromString(cls: type[M], data: bytes) -> M:
        made = cls()
        made.ParseFromString(data)
        return made

    def __repr__(self) -> str:
        from graphc.interop.text_format import MessageToString

        return MessageToString(self)


# ------------------------------------------------------------------ writing
def _write_scalar(scalar: _Scalar, value: Any, out: bytearray) -> None:
    if scalar.fixed:
        out += struct.pack(scalar.fixed, value)
    elif scalar.wire == 0:
        write_varint(int(value), out)
    else:
        raw = value.encode("utf-8") if isinstance(value, str) else value
        write_varint(len(raw), out)
        out += raw


def _write_one(field: Field, number: int, value: Any, out: bytearray) -> None:
    if field.kind == "message":
        raw = value.SerializeToString()
        write_varint(number << 3 | 2, out)
        write_varint(len(raw), out)
        out += raw
        return
    write_varint(number << 3 | field.scalar.wire, out)
    _write_scalar(field.scalar, value, out)


def _write_field(field: Field, value: Any, out: bytearray) -> None:
    if field.label == "one":
        _write_one(field, field.number, value, out)
    elif field.label == "map":
        for key in sorted(value):
            entry = bytearray()
            _write_one(Field(1, "key", "one", field.key), 1, key, entry)
            _write_one(field, 2, value[key], entry)
            write_varint(field.number << 3 | 2, out)
            write_varint(len(entry), out)
            out += entry
    elif not field.packed:
        for item in value:
            _write_one(field, field.number, item, out)
    else:
        raw = bytearray()
        if field.scalar.fixed:
            raw += np.asarray(value, np.dtype(_NUMPY[field.kind])).tobytes()
        else:
            for item in value:
                write_varint(int(item), raw)
        write_varint(field.number << 3 | 2, out)
        write_varint(len(raw), out)
        out += raw


_NUMPY = {"double": "<f8", "float": "<f4", "fixed32": "<u4", "fixed64": "<u8"}


# ------------------------------------------------------------------ reading
def _take(data: memoryview, at: int, wire: int) -> tuple[Any, int]:
    """(the number, or the bytes, of a field; next position)."""
    if wire == 0:
        return read_varint(data, at)
    if wire == 2:
        size, at = read_varint(data, at)
    elif wire in (1, 5):
        size = 8 if wire == 1 else 4
    else:
        raise DecodeError(f"wire type {wire} is not supported")
    end = at + size
    if end > len(data):
        raise DecodeError("the data ends within a field")
    return data[at:end], end


def _value(field: Field, raw: Any) -> Any:
    if field.kind == "message":
        made = field.message()
        _read_into(made, raw)
        made.SetInParent()
        return made
    scalar = field.scalar
    if scalar.fixed:
        return struct.unpack(scalar.fixed, raw)[0]
    if scalar.wire == 0:
        return scalar.decode(raw)
    return str(raw, "utf-8") if field.kind == "string" else bytes(raw)


def _unpack(field: Field, raw: memoryview, out: list[Any]) -> None:
    if field.scalar.fixed:
        out += np.frombuffer(raw, _NUMPY[field.kind]).tolist()
        return
    at = 0
    while at < len(raw):
        number, at = read_varint(raw, at)
        out.append(field.scalar.decode(number))


def _read_into(message: Message, data: memoryview) -> None:
    at = 0
    while at < len(data):
        start = at
        tag, at = read_varint(data, at)
        field = message.BY_NUMBER.get(tag >> 3)
        raw, at = _take(data, at, tag & 7)
        if field is None:
            object.__setattr__(message, "_unknown", message._unknown + bytes(data[start:at]))
            continue
        _store(message, field, raw, tag & 7)


def _store(message: Message, field: Field, raw: Any, wire: int) -> None:
    values = message._values
    if field.label == "many":
        items = getattr(message, field.name)
        if wire == 2 and field.packed:
            _unpack(field, raw, items)
        else:
            list.append(items, _value(field, raw))
    elif field.label == "map":
        key, value = _entry(field, raw)
        getattr(message, field.name)[key] = value
    elif field.kind == "message" and field.name in values:
        _read_into(values[field.name], raw)
        values[field.name].SetInParent()
    else:
        if field.oneof:
            message._leave_oneof(field)
        values[field.name] = _value(field, raw)


def _entry(field: Field, data: memoryview) -> tuple[Any, Any]:
    key_field = Field(1, "key", "one", field.key)
    key = key_field.scalar.default
    value: Any = field.message() if field.kind == "message" else field.scalar.default
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        raw, at = _take(data, at, tag & 7)
        if tag >> 3 == 1:
            key = _value(key_field, raw)
        elif tag >> 3 == 2:
            value = _value(field, raw)
    return key, value
