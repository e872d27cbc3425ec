"""Fields of messages to and from bytes: protocol buffers' wire format.

Lives here: write_field, read_into. Not here: messages (interop/wire.py), which alone import this.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from graphc.interop.wire_fields import DecodeError, Field, Scalar, read_varint, write_varint


# ------------------------------------------------------------------ writing
def _write_scalar(scalar: Scalar, value: Any, out: bytearray) -> None:
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


def write_field(field: Field, value: Any, out: bytearray) -> None:
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
        read_into(made, raw)
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


def read_into(message: Any, data: memoryview) -> None:
    at = 0
    while at < len(data):
        start = at
        tag, at = read_varint(data, at)
        field = message.BY_NUMBER.get(tag >> 3)
        raw, at = _take(data, at, tag & 7)
        # a known number with another wire type is as good as unknown
        if field is None or not _may_be(field, tag & 7):
            object.__setattr__(message, "_unknown", message._unknown + bytes(data[start:at]))
            continue
        _store(message, field, raw, tag & 7)


def _may_be(field: Field, wire: int) -> bool:
    if field.kind == "message" or field.label == "map":
        return wire == 2
    return wire == field.scalar.wire or (field.packed and wire == 2)


def _store(message: Any, field: Field, raw: Any, wire: int) -> None:
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
        read_into(values[field.name], raw)
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
