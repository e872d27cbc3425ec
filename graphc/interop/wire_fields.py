"""The kinds of fields that protocol buffer messages have, and varints.

Lives here: scalars, Field, the registry of messages. Not here: messages (interop/wire.py), their
bytes (interop/wire_codec.py). Imports NumPy only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np


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
class Scalar:
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
    if not isinstance(value, bytes | bytearray | memoryview):
        raise TypeError(f"{value!r} has type {type(value).__name__}, but expected one of: bytes")
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


def _whole64(value: Any) -> int:
    number = _whole(value)
    if not -(1 << 63) <= number < 1 << 63:
        raise ValueError(f"Value out of range: {number}")
    return number


_SCALARS: dict[str, Scalar] = {
    "double": Scalar(1, 0.0, _real, "<d"),
    "float": Scalar(5, 0.0, _single, "<f"),
    "int64": Scalar(0, 0, _whole64, decode=_signed),
    "int32": Scalar(0, 0, _whole, decode=_signed32),
    "uint64": Scalar(0, 0, _whole),
    "uint32": Scalar(0, 0, _whole),
    "enum": Scalar(0, 0, _whole, decode=_signed32),
    "bool": Scalar(0, False, bool, decode=bool),
    "fixed32": Scalar(5, 0, _whole, "<I"),
    "fixed64": Scalar(1, 0, _whole, "<Q"),
    "string": Scalar(2, "", _text),
    "bytes": Scalar(2, b"", _bytes),
}

ENUMS: dict[str, dict[str, int]] = {}
# message classes by name ("Summary.Value")
MESSAGES: dict[str, Any] = {}


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
    def message(self) -> Any:
        return MESSAGES[self.type_name]

    @property
    def scalar(self) -> Scalar:
        return _SCALARS[self.kind]

    def key_of(self, value: Any) -> Any:
        """A key of a map, checked."""
        return _SCALARS[self.key].check(value)

    @property
    def packed(self) -> bool:
        return self.label == "many" and self.kind != "message" and self.scalar.wire != 2


def field_of_line(line: str) -> Field:
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
