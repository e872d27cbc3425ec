"""Sorted tables of keys and values in LevelDB's format: the `.index` file of a checkpoint.

Lives here: read_table, write_table. Not here: what the values mean (interop/checkpoint.py).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from graphc.errors import DataLossError, UnimplementedError
from graphc.interop.crc32c import masked_crc32c
from graphc.interop.snappy import decompress
from graphc.interop.wire import DecodeError, read_varint, write_varint

_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48
_RESTARTS = 16
_BLOCK_BYTES = 1 << 18  # as TensorFlow's tables


# ------------------------------------------------------------------ reading
def read_table(data: bytes) -> dict[bytes, bytes]:
    """All keys and values in the order of the keys.

    Raises:
        DataLossError: not a table, or a wrong checksum. UnimplementedError: a compression other
        than none and Snappy.
    """
    footer = data[-_FOOTER:]
    if len(footer) < _FOOTER or struct.unpack("<Q", footer[-8:])[0] != _MAGIC:
        raise DataLossError("not an sstable (bad magic number)")
    try:
        _, at = read_varint(footer, 0)
        _, at = read_varint(footer, at)
        offset, at = read_varint(footer, at)
        size, _ = read_varint(footer, at)
        out: dict[bytes, bytes] = {}
        for _, handle in _entries(_block(data, offset, size)):
            offset, at = read_varint(handle, 0)
            size, _ = read_varint(handle, at)
            out.update(_entries(_block(data, offset, size)))
    except (DecodeError, struct.error):
        raise DataLossError("corrupted table: a block ends too early") from None
    return out


def _block(data: bytes, offset: int, size: int) -> bytes:
    end = offset + size
    if end + 5 > len(data):
        raise DataLossError("corrupted table: a block lies past the end of the file")
    if masked_crc32c(data[offset : end + 1]) != struct.unpack("<I", data[end + 1 : end + 5])[0]:
        raise DataLossError("block checksum mismatch")
    kind = data[end]
    if kind == 0:
        return data[offset:end]
    if kind == 1:
        return decompress(data[offset:end])
    raise UnimplementedError(f"a table block is compressed with method {kind}")


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    (restarts,) = struct.unpack("<I", block[-4:])
    end = len(block) - 4 - 4 * restarts
    at, key = 0, b""
    while at < end:
        shared, at = read_varint(block, at)
        fresh, at = read_varint(block, at)
        size, at = read_varint(block, at)
        key = key[:shared] + block[at : at + fresh]
        at += fresh
        yield key, block[at : at + size]
        at += size


# ------------------------------------------------------------------ writing
class _Block:
    def __init__(self, interval: int) -> None:
        self.interval = interval
        self.data = bytearray()
        self.restarts = [0]
        self.count = 0
        self.last = b""

    def add(self, key: bytes, value: bytes) -> None:
        shared = 0
        if self.count and self.count % self.interval == 0:
            self.restarts.append(len(self.data))
        elif self.count:
            limit = min(len(key), len(self.last))
            while shared < limit and key[shared] == self.last[shared]:
                shared += 1
        write_varint(shared, self.data)
        write_varint(len(key) - shared, self.data)
        write_varint(len(value), self.data)
        self.data += key[shared:] + value
        self.last = key
        self.count += 1

    def finish(self, out: bytearray) -> bytes:
        """Appends the block with its trailer; returns its handle."""
        tail = struct.pack(f"<{len(self.restarts) + 1}I", *self.restarts, len(self.restarts))
        body = bytes(self.data) + tail
        handle = bytearray()
        write_varint(len(out), handle)
        write_varint(len(body), handle)
        out += body + b"\0" + struct.pack("<I", masked_crc32c(body + b"\0"))
        return bytes(handle)


def write_table(items: Mapping[bytes, bytes]) -> bytes:
    """The bytes of a table that holds these items."""
    out = bytearray()
    index = _Block(1)
    block = _Block(_RESTARTS)
    for key in sorted(items):
        block.add(key, items[key])
        if len(block.data) >= _BLOCK_BYTES:
            index.add(block.last, block.finish(out))
            block = _Block(_RESTARTS)
    if block.count:
        index.add(block.last, block.finish(out))
    meta = _Block(_RESTARTS).finish(out)
    handles = meta + index.finish(out)
    out += handles.ljust(_FOOTER - 8, b"\0") + struct.pack("<Q", _MAGIC)
    return bytes(out)
