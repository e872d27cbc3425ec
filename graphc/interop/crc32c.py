"""CRC-32C (Castagnoli), as TensorFlow's files use it, in NumPy.

Lives here: the checksum and its mask. Not here: file formats. Imports NumPy only.

Checksums are linear: zeros in front of the data change nothing once the initial state has been
added to the first four bytes, and each byte adds what its value adds at its distance from the end:
data of up to some thousand bytes is one look-up a byte. Long data is cut into lanes whose
checksums advance together, four look-ups for eight bytes; the lanes are then merged pairwise.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_POLY = 0x82F63B78
_MASK_DELTA = 0xA282EAD8
# below this a loop over bytes is faster than a few NumPy calls
_SMALL = 64
# bytes a piece: the tables of all distances are 1 MiB, for the second-level cache
_NEAR = 1024
# above this lanes are faster
_MEDIUM = 1 << 18
# bytes that are worked on at once: the lanes' words stay in the second-level cache
_CHUNK = 1 << 19


def _table() -> tuple[int, ...]:
    out = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (_POLY if crc & 1 else 0)
        out.append(crc)
    return tuple(out)


_BYTES = _table()


@cache
def _words() -> tuple[Array, Array, Array, Array]:
    """Tables of 2**16: what the four 16-bit parts of a word add to the state behind it."""
    byte = np.array(_BYTES, np.uint32)
    values = np.arange(1 << 16, dtype=np.uint32)
    state = byte[values & 255] ^ (values >> 8)
    state = byte[state & 255] ^ (state >> 8)
    tables = [state]
    for _ in range(3):
        for _ in range(2):
            state = byte[state & 255] ^ (state >> 8)
        tables.append(state)
    return tables[3], tables[2], tables[1], tables[0]


def _compose(f: Array, g: Array) -> Array:
    """The linear map g after f; a map is the images of the 32 bits."""
    return _apply(g, f)


def _apply(images: Array, states: Array) -> Array:
    """A linear map on many states, byte by byte through tables of 256."""
    out = np.zeros(states.shape, np.uint32)
    for k in range(4):
        part = np.zeros(256, np.uint32)
        for bit in range(8):
            part[1 << bit : 2 << bit] = part[: 1 << bit] ^ images[8 * k + bit]
        out ^= part[(states >> np.uint32(8 * k)) & 255]
    return out


@cache
def _zeros(log2: int) -> Array:
    """The map of a state over 2**log2 zero bytes."""
    if log2:
        half = _zeros(log2 - 1)
        return _compose(half, half)
    byte = np.array(_BYTES, np.uint32)
    bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
    return byte[bits & 255] ^ (bits >> 8)


def _raw(data: Array, lane_log2: int) -> int:
    """The state behind lanes of 2**lane_log2 bytes each, from state 0; a power of two of lanes."""
    lanes = data.view(np.uint16).reshape(-1, 1 << (lane_log2 - 1))
    words = np.ascontiguousarray(lanes.T)
    t0, t1, t2, t3 = _words()
    state = np.zeros(words.shape[1], np.uint32)
    for k in range(0, len(words), 4):
        low = words[k] ^ (state & 0xFFFF).astype(np.uint16)
        high = words[k + 1] ^ (state >> np.uint32(16)).astype(np.uint16)
        state = t0.take(low)
        state ^= t1.take(high)
        state ^= t2.take(words[k + 2])
        state ^= t3.take(words[k + 3])
    span = lane_log2
    while len(state) > 1:
        state = _apply(_zeros(span), state[0::2]) ^ state[1::2]
        span += 1
    return int(state[0])


@cache
def _distances() -> tuple[Array, Array]:
    """(what each byte adds at each distance from the end, farthest first; where rows begin)."""
    byte = np.array(_BYTES, np.uint32)
    rows = np.empty((_NEAR, 256), np.uint32)
    rows[-1] = byte
    for k in range(_NEAR - 2, -1, -1):
        rows[k] = byte[rows[k + 1] & 255] ^ (rows[k + 1] >> 8)
    return rows.reshape(-1), np.arange(0, _NEAR * 256, 256, dtype=np.int32)


def _medium(data: Array, crc: int) -> int:
    """Extends the state `crc` over data, by pieces of up to 1024 bytes."""
    table, starts = _distances()
    for at in range(0, len(data), _NEAR):
        piece = data[at : at + _NEAR]
        if len(piece) < 4:
            return _small(piece.tobytes(), crc)
        places = piece + starts[_NEAR - len(piece) :]
        for k in range(4):
            places[k] ^= crc >> 8 * k & 255
        crc = int(np.bitwise_xor.reduce(table.take(places)))
    return crc


def _large(data: Array, crc: int) -> int:
    """Extends the state `crc` over data of more than four bytes."""
    start = 0
    while start < len(data):
        piece = data[start : start + _CHUNK]
        start += len(piece)
        if len(piece) <= _MEDIUM:
            return _medium(piece, crc)
        log2 = max((len(piece) - 1).bit_length(), 6)
        padded = np.zeros(1 << log2, np.uint8)
        front = len(padded) - len(piece)
        padded[front:] = piece
        padded[front : front + 4] ^= np.frombuffer(crc.to_bytes(4, "little"), np.uint8)
        crc = _raw(padded, max(3, min(8, log2 // 2)))
    return crc


def _small(data: bytes, crc: int) -> int:
    table = _BYTES
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ (crc >> 8)
    return crc


def crc32c(data: Any, crc: int = 0) -> int:
    """The CRC-32C of bytes or an array's memory; `crc` continues an earlier checksum."""
    state = crc ^ 0xFFFFFFFF
    if isinstance(data, bytes | bytearray) and len(data) < _SMALL:
        return _small(bytes(data), state) ^ 0xFFFFFFFF
    if isinstance(data, np.ndarray):
        data = np.ascontiguousarray(data).reshape(-1).view(np.uint8)
    return _large(np.frombuffer(data, np.uint8), state) ^ 0xFFFFFFFF


def masked(crc: int) -> int:
    """The form that is stored next to data which may itself hold checksums."""
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def unmasked(value: int) -> int:
    """The inverse of masked."""
    rotated = (value - _MASK_DELTA) & 0xFFFFFFFF
    return ((rotated >> 17) | (rotated << 15)) & 0xFFFFFFFF


def masked_crc32c(data: Any) -> int:
    return masked(crc32c(data))
