"""Protocol buffer messages from declarative tables: our own wire format, no protobuf package.

Lives here: Message, repeated and map fields. Not here: kinds of fields (interop/wire_fields.py),
bytes (interop/wire_codec.py), which messages there are (interop/messages.py), their text form
(interop/text_format.py).

A message class names its fields in one table, a line for each: `number name type`. A type is a
scalar, `enum:Name` or another message's name; `*type` repeats, `map:string:type` is a map, and
`type@group` belongs to a oneof. Unknown fields are kept and written back.
"""

from __future__ import annotations

import struct
import weakref
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from graphc.interop.wire_codec import read_into, write_field
from graphc.interop.wire_fields import (
    ENUMS,
    MESSAGES,
    DecodeError,
    Field,
    field_of_line,
    read_varint,
    write_varint,
)

__all__ = ["ENUMS", "DecodeError", "Field", "Message", "read_varint", "write_varint"]

M = TypeVar("M", bound="Message")


class Repeated(list[Any]):
    """A repeated field: a list; `add` appends a new message and gives it back."""

    def __init__(self, field: Field, touched: Callable[[], None] | None = None) -> None:
        super().__init__()
        self._field = field
        self._touched = touched

    def add(self, **values: Any) -> Any:
        made = self._field.message(**values)
        self._changed()
        super().append(made)
        return made

    def append(self, value: Any) -> None:
        self._changed()
        super().append(_checked(self._field, value))

    def extend(self, values: Iterable[Any]) -> None:
        self._changed()
        super().extend(_all_checked(self._field, values))

    def insert(self, at: Any, value: Any) -> None:
        self._changed()
        super().insert(at, _checked(self._field, value))

    def __setitem__(self, at: Any, value: Any) -> None:
        self._changed()
        many = isinstance(at, slice)
        found = _all_checked(self._field, value) if many else _checked(self._field, value)
        super().__setitem__(at, found)

    def __iadd__(self, values: Iterable[Any]) -> Self:  # type: ignore[misc]
        self.extend(values)
        return self

    def _changed(self) -> None:
        if self._touched is not None:
            self._touched()

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
            self[self._field.key_of(key)] = _checked(self._field, value)


def _checked(field: Field, value: Any) -> Any:
    if field.kind != "message":
        return field.scalar.check(value)
    if not isinstance(value, field.message):
        raise TypeError(
            f"{field.name}: expected {field.type_name}, got {type(value).__name__}"
        )
    return _copied(value)


def _all_checked(field: Field, values: Iterable[Any]) -> list[Any]:
    """Many values at once: numbers in bulk, where they are plain numbers of the right kind."""
    bulk = _BULK.get(field.kind)
    if bulk is None or not isinstance(values, list | tuple | np.ndarray):
        return [_checked(field, v) for v in values]
    try:
        array = np.asarray(values)
    except (ValueError, OverflowError):
        return [_checked(field, v) for v in values]
    kinds, dtype = bulk
    if array.ndim != 1 or array.dtype.kind not in kinds:
        return [_checked(field, v) for v in values]
    return list(array.astype(dtype).tolist())


# kind -> (kinds of arrays that are taken as they are, the type that values are rounded to)
_BULK = {"float": ("fiu", "f4"), "double": ("fiu", "f8"), "int64": ("i", "i8")}


def _copied(value: Any) -> Any:
    if not isinstance(value, Message):
        return value
    return value._clone()


def _leaver(parent: Message, field: Field) -> Callable[[], None]:
    """What takes the other fields of a oneof out of `parent`, as long as it lives."""
    known = weakref.ref(parent)

    def leave() -> None:
        there = known()
        if there is not None and there._values.get(field.name) is not None:
            there._leave_oneof(field)

    return leave


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
        fields = [field_of_line(line) for line in lines if line]
        cls.FIELDS = {f.name: f for f in fields}
        cls.BY_NUMBER = {f.number: f for f in fields}
        MESSAGES[cls.__qualname__] = cls

    # what a new message begins with
    _present: bool = False
    _unknown: bytes = b""
    # what a change of a member of a oneof calls: the others of the oneof go
    _touched: Callable[[], None] | None = None
    _values: dict[str, Any]

    def __init__(self, **values: Any) -> None:
        self.__dict__["_values"] = {}
        for name, value in values.items():
            if value is not None:
                self._init_field(name, value)

    def _init_field(self, name: str, value: Any) -> None:
        field = self.FIELDS.get(name)
        if field is None:
            raise ValueError(f'Protocol message {type(self).__name__} has no "{name}" field.')
        if field.label == "many":
            getattr(self, name).extend(value)
        elif field.label == "map":
            getattr(self, name).MergeFrom(value)
        elif field.kind == "message":
            if field.oneof:
                self._leave_oneof(field)
            made = self._values[name] = _checked(field, value)
            made.SetInParent()
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
            if field.oneof:
                object.__setattr__(made, "_touched", _leaver(self, field))
        elif field.label == "many":
            made = Repeated(field, self._touched)
        else:
            made = Map(field)
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
        if self._touched is not None:
            self._touched()
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
        if self._touched is not None:
            self._touched()
        object.__setattr__(self, "_present", True)

    # ------------------------------------------------------------ copies
    def _clone(self) -> Self:
        """A message of its own with the same contents."""
        made = type(self)()
        values = made._values
        for name, value in self._values.items():
            if isinstance(value, list):
                copy: Any = Repeated(self.FIELDS[name])
                list.extend(copy, map(_copied, value))
                values[name] = copy
            elif isinstance(value, dict):
                values[name] = Map(self.FIELDS[name])
                dict.update(values[name], {k: _copied(v) for k, v in value.items()})
            else:
                values[name] = _copied(value)
        if self._present:
            made.__dict__["_present"] = True
        if self._unknown:
            made.__dict__["_unknown"] = self._unknown
        return made

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
                    if field.oneof:
                        self._leave_oneof(field)
                    getattr(self, name).MergeFrom(value)
            elif field.label == "many" and field.kind != "message":
                mine = getattr(self, name)
                mine._changed()
                list.extend(mine, value)
            else:
                getattr(self, name).MergeFrom(value)

    def __reduce__(self) -> Any:
        return (type(self).FromString, (self.SerializeToString(),))

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
            write_field(field, value, out)
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
            read_into(self, view)
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
