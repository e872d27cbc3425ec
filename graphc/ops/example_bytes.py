"""Example and SequenceExample messages from their bytes, without making messages of them.

Lives here: the features of a message by name, and the values of a feature as arrays. Not here:
the ops (ops/parsing.py), the messages that users build (interop/example.py). Imports NumPy only.
"""

from __future__ import annotations

import struct
from collections.abc import Container, Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
# a part of a message: where it begins and ends
Span = tuple[int, int]

# field numbers of the kinds of a Feature -> names of the dtypes
KINDS = {1: "string", 2: "float32", 3: "int64"}


class Malformed(ValueError):
    """The bytes are no such message."""


# ------------------------------------------------------------------ fields
def _varint(data: bytes, at: int) -> tuple[int, int]:
    """(the number, the next position)."""
    result = shift = 0
    while True:
        byte = data[at]
        at += 1
        result |= (byte & 127) << shift
        if byte < 128:
            return result, at
        shift += 7
        if shift > 63:
            raise Malformed("a number has more than ten bytes")


def _fields(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """(number, wire type, begin, end) of each field."""
    while at < end:
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == 2:
            size, at = _varint(data, at)
            stop = at + size
        elif wire == 0:
            stop = _varint(data, at)[1]
        elif wire in (1, 5):
            stop = at + (8 if wire == 1 else 4)
        else:
            raise Malformed(f"wire type {wire}")
        if stop > end:
            raise Malformed("a field ends behind its message")
        yield tag >> 3, wire, at, stop
        at = stop


def _entries(
    data: bytes, at: int, end: int, wanted: Container[str], found: dict[str, Span]
) -> None:
    """Adds the wanted entries of a map of messages; of entries with one key the last counts."""
    for number, wire, begin, stop in _fields(data, at, end):
        if number != 1 or wire != 2:
            continue
        key, value = "", (begin, begin)
        for part, kind, first, last in _fields(data, begin, stop):
            if kind == 2 and part == 1:
                key = data[first:last].decode("utf-8")
            elif kind == 2 and part == 2:
                value = (first, last)
        if key in wanted:
            found[key] = value


def example_features(data: bytes, wanted: Container[str]) -> dict[str, Span]:
    """name -> where its Feature lies, of an Example.

    Raises:
        Malformed: the bytes are no Example.
    """
    return _maps(data, {1: wanted})[1]


def sequence_features(
    data: bytes, context: Container[str], lists: Container[str]
) -> tuple[dict[str, Span], dict[str, list[Span]]]:
    """The Features of the context, and those of each step of feature lists, of a SequenceExample.

    Raises:
        Malformed: the bytes are no SequenceExample.
    """
    found = _maps(data, {1: context, 2: lists})
    try:
        steps = {
            name: [(b, e) for n, w, b, e in _fields(data, *span) if n == 1 and w == 2]
            for name, span in found[2].items()
        }
    except IndexError:
        raise Malformed("the data ends within a number") from None
    return found[1], steps


def _maps(data: bytes, wanted: dict[int, Container[str]]) -> dict[int, dict[str, Span]]:
    found: dict[int, dict[str, Span]] = {number: {} for number in wanted}
    try:
        for number, wire, begin, stop in _fields(data, 0, len(data)):
            if number in wanted and wire == 2:
                _entries(data, begin, stop, wanted[number], found[number])
    except IndexError:
        raise Malformed("the data ends within a number") from None
    except UnicodeDecodeError:
        raise Malformed("a name is no text") from None
    return found


# ------------------------------------------------------------------ values
def feature_values(data: bytes, span: Span) -> tuple[str, Any]:
    """(name of the dtype, values) of a Feature; ("", None) where it is of no kind.

    Values are an array of float32 or int64, or a list of bytes.

    Raises:
        Malformed: the bytes are no Feature.
    """
    kind = 0
    parts: list[Span] = []
    try:
        for number, wire, begin, stop in _fields(data, *span):
            if number not in KINDS or wire != 2:
                continue
            if number != kind:
                kind, parts = number, []
            parts.append((begin, stop))
        if not kind:
            return "", None
        return KINDS[kind], _READERS[kind](data, parts)
    except (IndexError, struct.error):
        raise Malformed("the data ends within a value") from None


def _byte_strings(data: bytes, parts: list[Span]) -> list[bytes]:
    return [
        data[begin:stop]
        for part in parts
        for number, wire, begin, stop in _fields(data, *part)
        if number == 1 and wire == 2
    ]


def _floats(data: bytes, parts: list[Span]) -> Array:
    found = []
    for part in parts:
        for number, wire, begin, stop in _fields(data, *part):
            if number != 1 or wire not in (2, 5):
                continue
            if (stop - begin) % 4:
                raise Malformed("floats of four bytes each")
            found.append(np.frombuffer(data, "<f4", (stop - begin) // 4, begin))
    return _joined(found, np.float32)


def _integers(data: bytes, parts: list[Span]) -> Array:
    found = []
    for part in parts:
        for number, wire, begin, stop in _fields(data, *part):
            if number == 1 and wire in (0, 2):
                found.append(_varints(data, begin, stop))
    return _joined(found, np.int64)


def _joined(found: list[Array], dtype: Any) -> Array:
    if len(found) == 1:
        return found[0]
    return np.concatenate(found) if found else np.empty(0, dtype)


def _varints(data: bytes, at: int, end: int) -> Array:
    """All numbers that lie one behind the other, as int64."""
    raw = np.frombuffer(data, np.uint8, end - at, at)
    ends = np.flatnonzero(raw < 128)
    if len(ends) == len(raw):
        return raw.astype(np.int64)
    if raw[-1] > 127:
        raise Malformed("the data ends within a number")
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    longest = int(lengths.max())
    if longest > 10:
        raise Malformed("a number has more than ten bytes")
    out = np.zeros(len(ends), np.uint64)
    for k in range(longest):
        here = lengths > k
        bits = (raw[starts[here] + k] & 127).astype(np.uint64)
        out[here] |= bits << np.uint64(7 * k)
    return out.view(np.int64)


_READERS = {1: _byte_strings, 2: _floats, 3: _integers}
