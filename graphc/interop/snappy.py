"""Decoding of Snappy blocks, as compressed tables hold them.

Lives here: decompress. Imports interop.wire for varints.
"""

from __future__ import annotations

from graphc.errors import DataLossError
from graphc.interop.wire import DecodeError, read_varint


def decompress(data: bytes) -> bytes:
    """The data of a Snappy block (raw format, without framing).

    Raises:
        DataLossError: not a Snappy block.
    """
    try:
        size, at = read_varint(data, 0)
        out = bytearray()
        while at < len(data):
            at = _element(data, at, out)
    except (DecodeError, IndexError):
        raise DataLossError("corrupted compressed block contents") from None
    if len(out) != size:
        raise DataLossError("corrupted compressed block contents: wrong length")
    return bytes(out)


def _element(data: bytes, at: int, out: bytearray) -> int:
    """Decodes a literal or a copy; returns the next position."""
    tag = data[at]
    at += 1
    kind = tag & 3
    if kind == 0:
        length = (tag >> 2) + 1
        if length > 60:
            width = length - 60
            length = int.from_bytes(data[at : at + width], "little") + 1
            at += width
        if at + length > len(data):
            raise IndexError
        out += data[at : at + length]
        return at + length
    if kind == 1:
        length = (tag >> 2 & 7) + 4
        offset = (tag >> 5) << 8 | data[at]
        at += 1
    else:
        width = 2 if kind == 2 else 4
        length = (tag >> 2) + 1
        offset = int.from_bytes(data[at : at + width], "little")
        at += width
    _copy(out, offset, length)
    return at


def _copy(out: bytearray, offset: int, length: int) -> None:
    if offset == 0 or offset > len(out):
        raise IndexError
    if offset >= length:
        start = len(out) - offset
        out += out[start : start + length]
        return
    # the copy overlaps what it writes: the last `offset` bytes repeat
    piece = bytes(out[-offset:])
    out += (piece * (length // offset + 1))[:length]
