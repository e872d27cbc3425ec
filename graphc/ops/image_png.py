"""PNG files to arrays and back.

Lives here: decode, encode. Not here: other formats (ops/image_codecs.py), the records
(ops/image_files.py). Imports only NumPy, the standard library and graphc.errors; Pillow, where it
is there, unpacks the common kinds faster.

ISO/IEC 15948: Portable Network Graphics (PNG), second edition (2003).
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError

Array = np.ndarray[Any, Any]
MAGIC = b"\x89PNG\r\n\x1a\n"
GRAY, COLOUR, PALETTE, GRAY_ALPHA, COLOUR_ALPHA = 0, 2, 3, 4, 6
_SAMPLES = {GRAY: 1, COLOUR: 3, PALETTE: 1, GRAY_ALPHA: 2, COLOUR_ALPHA: 4}
# the seven passes of an interlaced file: first row, first column, row step, column step
_PASSES = (
    (0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
    (1, 0, 2, 1),
)  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """An image as a file holds it.

    Attributes:
        colour: [h, w, 1] or [h, w, 3] of uint8 or uint16. alpha: [h, w] or None.
        declared: whether the file has an alpha channel, not just one transparent colour.
    """

    colour: Array
    alpha: Array | None = None
    declared: bool = False


@dataclass
class _File:
    width: int
    height: int
    depth: int
    kind: int
    interlaced: bool
    palette: bytes = b""
    transparent: bytes | None = None
    data: bytes = b""

    @property
    def bits(self) -> int:
        """Of a pixel."""
        return self.depth * _SAMPLES[self.kind]


def _invalid(contents: bytes) -> InvalidArgumentError:
    return InvalidArgumentError(f"Invalid PNG data, size {len(contents)}")


# ------------------------------------------------------------------ reading
def _chunks(contents: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(MAGIC)
    while at + 12 <= len(contents):
        size = int.from_bytes(contents[at : at + 4], "big")
        name, body = contents[at + 4 : at + 8], contents[at + 8 : at + 8 + size]
        check = contents[at + 8 + size : at + 12 + size]
        if len(check) < 4 or zlib.crc32(name + body) != int.from_bytes(check, "big"):
            raise _invalid(contents)
        yield name, body
        if name == b"IEND":
            return
        at += 12 + size
    raise _invalid(contents)


def _parse(contents: bytes) -> _File:
    found: _File | None = None
    parts: list[bytes] = []
    for name, body in _chunks(contents):
        if name == b"IHDR" and len(body) == 13:
            width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", body)
            if kind not in _SAMPLES or depth not in (1, 2, 4, 8, 16) or not width or not height:
                raise _invalid(contents)
            found = _File(width, height, depth, kind, bool(interlaced))
        elif found is None:
            raise _invalid(contents)
        elif name == b"PLTE":
            found.palette = body
        elif name == b"tRNS":
            found.transparent = body
        elif name == b"IDAT":
            parts.append(body)
    if found is None:
        raise _invalid(contents)
    found.data = b"".join(parts)
    return found


def decode(contents: bytes) -> Picture:
    """The picture of a file.

    Raises:
        InvalidArgumentError: "Invalid PNG data, size ...".
    """
    file = _parse(contents)
    plain = file.depth <= 8 and (file.transparent is None or file.kind == PALETTE)
    quick = _by_pillow(contents) if plain else None
    if quick is not None:
        return quick
    try:
        data = zlib.decompress(file.data)
    except zlib.error:
        raise _invalid(contents) from None
    try:
        samples = _interlaced(file, data) if file.interlaced else _rows(
            file, data, 0, file.height, file.width
        )[0]  # fmt: skip
    except (IndexError, ValueError):
        raise _invalid(contents) from None
    return _picture(file, samples)


def _by_pillow(contents: bytes) -> Picture | None:
    """The same by Pillow; None where it is not there."""
    try:
        from PIL import Image
    except ImportError:
        return None
    try:
        with Image.open(io.BytesIO(contents), formats=["PNG"]) as image:
            kept = image.mode in ("L", "LA", "RGB", "RGBA")
            palette = "RGBA" if "transparency" in image.info else "RGB"
            whole = image if kept else image.convert("L" if image.mode == "1" else palette)
            array = np.asarray(whole)
    except (OSError, SyntaxError, ValueError):
        raise _invalid(contents) from None
    array = array[:, :, None] if array.ndim == 2 else array
    if array.shape[2] in (2, 4):
        return Picture(array[:, :, :-1], array[:, :, -1], True)
    return Picture(array)


def _rows(file: _File, data: bytes, at: int, height: int, width: int) -> tuple[Array, int]:
    """(samples [height, width, samples] of the rows that begin at a byte, the byte behind)."""
    size = -(-width * file.bits // 8)
    step = max(file.bits // 8, 1)
    before = bytearray(size)
    lines = np.empty((height, size), np.uint8)
    for number in range(height):
        line = bytearray(data[at + 1 : at + 1 + size])
        if len(line) != size:
            raise IndexError
        _unfilter(data[at], line, before, step)
        lines[number] = np.frombuffer(line, np.uint8)
        before = line
        at += 1 + size
    return _unpacked(file, lines, width), at


def _unfilter(kind: int, line: bytearray, above: bytearray, step: int) -> None:
    """Undoes a row's filter in place."""
    if kind == 1:
        table = np.frombuffer(line, np.uint8).copy()
        table.resize((-(-len(line) // step), step), refcheck=False)
        line[:] = np.cumsum(table, axis=0, dtype=np.uint8).tobytes()[: len(line)]
    elif kind == 2:
        line[:] = (np.frombuffer(line, np.uint8) + np.frombuffer(above, np.uint8)).tobytes()
    elif kind == 3:
        for i in range(len(line)):
            left = line[i - step] if i >= step else 0
            line[i] = (line[i] + (left + above[i]) // 2) & 255
    elif kind == 4:
        for i in range(len(line)):
            left, corner = (line[i - step], above[i - step]) if i >= step else (0, 0)
            line[i] = (line[i] + _paeth(left, above[i], corner)) & 255
    elif kind:
        raise ValueError(kind)


def _paeth(left: int, above: int, corner: int) -> int:
    """The neighbour nearest to left + above - corner."""
    to_left, to_above = abs(above - corner), abs(left - corner)
    to_corner = abs(left + above - 2 * corner)
    if to_left <= to_above and to_left <= to_corner:
        return left
    return above if to_above <= to_corner else corner


def _unpacked(file: _File, lines: Array, width: int) -> Array:
    samples = _SAMPLES[file.kind]
    if file.depth == 16:
        return lines.view(">u2").astype(np.uint16).reshape(len(lines), width, samples)
    if file.depth == 8:
        return lines.reshape(len(lines), width, samples)
    bits = np.unpackbits(lines, axis=1)[:, : width * file.depth]
    weights = 1 << np.arange(file.depth)[::-1]
    return (bits.reshape(len(lines), width, file.depth) @ weights).astype(np.uint8)[:, :, None]


def _interlaced(file: _File, data: bytes) -> Array:
    kind = np.uint16 if file.depth == 16 else np.uint8
    out = np.zeros((file.height, file.width, _SAMPLES[file.kind]), kind)
    at = 0
    for row, column, down, right in _PASSES:
        height, width = len(range(row, file.height, down)), len(range(column, file.width, right))
        if height and width:
            part, at = _rows(file, data, at, height, width)
            out[row::down, column::right] = part
    return out


def _picture(file: _File, samples: Array) -> Picture:
    if file.kind == PALETTE:
        colours = np.frombuffer(file.palette, np.uint8).reshape(-1, 3)
        alphas = np.full(len(colours), 255, np.uint8)
        known = np.frombuffer(file.transparent or b"", np.uint8)[: len(colours)]
        alphas[: len(known)] = known
        at = np.minimum(samples[:, :, 0], len(colours) - 1)
        declared = file.transparent is not None
        return Picture(colours[at], alphas[at] if declared else None, declared)
    if file.kind in (GRAY_ALPHA, COLOUR_ALPHA):
        return Picture(samples[:, :, :-1], samples[:, :, -1], True)
    alpha = None
    if file.transparent is not None:
        key = np.frombuffer(file.transparent, ">u2")[: samples.shape[2]]
        top = np.uint16(65535) if file.depth == 16 else np.uint8(255)
        alpha = np.where((samples == key).all(axis=2), top * 0, top).astype(top.dtype)
    if file.depth < 8:
        samples = samples * np.uint8(255 // ((1 << file.depth) - 1))
    return Picture(samples, alpha)


# ------------------------------------------------------------------ writing
def encode(image: Array, compression: int = -1) -> bytes:
    """A file of an uint8 or uint16 image [h, w, channels], channels from 1 to 4."""
    height, width, channels = image.shape
    kind = {1: GRAY, 2: GRAY_ALPHA, 3: COLOUR, 4: COLOUR_ALPHA}[channels]
    depth = 8 * image.dtype.itemsize
    wide = np.ascontiguousarray(image.astype(image.dtype.newbyteorder(">")))
    lines = wide.reshape(height, -1).view(np.uint8)
    step = channels * image.dtype.itemsize
    # each row starts with its filter: 1, the difference to the pixel on the left
    rows = np.empty((height, 1 + lines.shape[1]), np.uint8)
    rows[:, 0] = 1
    rows[:, 1:] = lines
    rows[:, 1 + step :] -= lines[:, :-step]
    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    body = zlib.compress(rows.tobytes(), compression)
    return MAGIC + _chunk(b"IHDR", head) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
