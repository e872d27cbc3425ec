"""Tiles of matrix products and convolutions on a GPU: their sizes, and where operands lie.

Lives here: GpuTile, gpu_tile (the choice), sum_parts, Digit, Operand, GpuProduct. Not here: how a
tile is printed (render/cuda_tiles.py), which nodes are products (runtime/gpu/products.py). Only
kernel/ and ir/ are imported.

A product sums, for each row i of A and column j of B, over k in order: one chain of fused
multiply-adds, or a fixed number of them by the shape alone. Neither the tile nor the device nor
the grid changes a bit of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from graphc.ir.dtypes import DType
from graphc.kernel.launch import WARP, Gpu

Size = int | str  # a number, or an expression over the kernel's arguments
VECTOR = 16  # bytes of the widest load
SLAB = 16 * 1024  # bytes of shared memory that finished elements pass through at a time
PAD = 4  # elements behind a row of shared memory that is written transposed

# a sum is cut where its tiles leave most multiprocessors of any device without work
_PART_ELEMENTS, _PART_THREADS, _FEW_BLOCKS, _WANTED_BLOCKS = 4096, 128, 128, 256
_PART_LEAST, _PART_MOST, _PART_STEP = 256, 64, 32
_MOST_LOADS = 8  # each has its own place to remember
_BUSY_THREADS = 256  # of a multiprocessor, from which on it always has something to add


@dataclass(frozen=True)
class GpuTile:
    """Elements that a block computes, and each of its threads.

    Attributes:
        rows, columns, depth: of a block at a time. row_each, column_each: of a thread.
        rate: of a multiprocessor's peak, about.
        tensor: a warp's part is a product on tensor cores, row_each x column_each for the warp.
    """

    rows: int
    columns: int
    depth: int
    row_each: int
    column_each: int
    rate: float
    tensor: bool = False

    @property
    def threads(self) -> int:
        shares = (self.rows // self.row_each) * (self.columns // self.column_each)
        return shares * WARP if self.tensor else shares

    @property
    def key(self) -> str:
        return f"{self.rows}x{self.columns}x{self.depth}"

    def blocks(self, m: int, n: int) -> int:
        """Of one product."""
        return -(-m // self.rows) * -(-n // self.columns)

    def loads(self, vectors: tuple[int, int]) -> int:
        """Of a thread for a piece, for the side that has more."""
        sides = zip((self.rows, self.columns), vectors, strict=True)
        return max(extent * self.depth // v for extent, v in sides) // self.threads

    def slabs(self, itemsize: int) -> int:
        """In how many parts finished elements pass through shared memory."""
        parts = 1
        most = SLAB // 2 if self.tensor else SLAB  # whose stages are larger
        while self.rows * self.columns * itemsize > most * parts:
            parts *= 2
        return parts


_NARROW = (
    GpuTile(128, 128, 8, 8, 8, 0.75),
    GpuTile(64, 128, 8, 8, 8, 0.72),
    GpuTile(128, 64, 8, 8, 4, 0.66),
    GpuTile(64, 64, 16, 8, 4, 0.62),
    GpuTile(32, 64, 16, 4, 8, 0.5),
    GpuTile(64, 32, 16, 8, 4, 0.5),
    GpuTile(32, 32, 16, 4, 4, 0.4),
    GpuTile(8, 128, 16, 8, 1, 0.2),
    GpuTile(128, 8, 16, 1, 8, 0.2),
    GpuTile(16, 16, 16, 2, 2, 0.15),
    GpuTile(16, 16, 8, 4, 4, 0.1),
)
_WIDE = (
    GpuTile(64, 64, 8, 4, 4, 0.7),
    GpuTile(32, 64, 8, 4, 4, 0.6),
    GpuTile(64, 32, 8, 4, 4, 0.6),
    GpuTile(32, 32, 16, 4, 2, 0.5),
    GpuTile(8, 128, 8, 8, 1, 0.3),
    GpuTile(128, 8, 8, 1, 8, 0.3),
    GpuTile(16, 16, 16, 2, 2, 0.25),
    GpuTile(16, 16, 8, 4, 4, 0.1),
)
_TENSOR = (
    GpuTile(128, 128, 16, 64, 32, 0.75, True),
    GpuTile(64, 128, 16, 32, 32, 0.6, True),
    GpuTile(128, 64, 16, 32, 32, 0.6, True),
    GpuTile(64, 64, 16, 32, 32, 0.5, True),
    GpuTile(32, 32, 16, 16, 16, 0.3, True),
    GpuTile(16, 16, 16, 16, 16, 0.1, True),
)
MOST_THREADS = 1024
TENSOR_TYPES = frozenset({"float32", "float16", "bfloat16"})
_TENSOR_FROM = (8, 0)  # compute capability


def gpu_tiles(itemsize: int, tensor: bool = False) -> tuple[GpuTile, ...]:
    """What there is for elements that are summed in so many bytes."""
    if tensor:
        return _TENSOR
    return _WIDE if itemsize > 4 else _NARROW


def gpu_tile(
    batch: int, m: int, n: int, itemsize: int, gpu: Gpu, most: int = MOST_THREADS,
    tensor: bool = False, vectors: tuple[int, int] = (1, 1),
) -> GpuTile:  # fmt: skip
    """The tile that finishes first: by the multiprocessor with the most blocks.

    Args:
        batch: products, each in all its parts. itemsize: of what sums are kept in.
        most: threads of a block. tensor: on tensor cores, where the device has those.
        vectors: elements of a load, of both sides.
    """
    tiles = [
        tile
        for tile in gpu_tiles(itemsize, tensor and gpu.cc >= _TENSOR_FROM)
        if tile.threads <= most and tile.loads(vectors) <= _MOST_LOADS
    ]

    def time(tile: GpuTile) -> float:
        blocks = batch * tile.blocks(m, n)
        turns = -(-blocks // gpu.sms)
        busy = min(1.0, turns * tile.threads / _BUSY_THREADS)
        return turns * tile.rows * tile.columns / (tile.rate * busy)

    return min(tiles, key=time)


def tiles_of(m: int, n: int) -> int:
    """About how many blocks a product of this shape is."""
    return -(-m * n // _PART_ELEMENTS)


def thread_blocks(elements: int) -> int:
    """About how many blocks so many elements are, of a thread each."""
    return -(-elements // _PART_THREADS)


def sum_parts(blocks: int, k: int) -> tuple[int, int]:
    """(parts of a sum over k, elements of k in each), for so many blocks without parts."""
    if not 0 < blocks < _FEW_BLOCKS or k < 2 * _PART_LEAST:
        return 1, k
    wanted = min(-(-_WANTED_BLOCKS // blocks), k // _PART_LEAST, _PART_MOST)
    each = -(-k // wanted)
    each = -(-each // _PART_STEP) * _PART_STEP
    return -(-k // each), each


def by_rows(m: int, n: int, along: bool) -> bool:
    """Whether a warp an element is better than tiles: both sides lie along the sum, one is thin."""
    return along and min(m, n) <= 2


# ------------------------------------------------------------------ operands
@dataclass(frozen=True)
class Digit:
    """A part of an index: of what extent, and what one more of it is.

    Attributes:
        extent: the outermost digit's is not looked at.
        stride: elements of memory. axis: the guarded coordinate it moves along, or -1.
        step: along that coordinate.
    """

    extent: Size
    stride: Size
    axis: int = -1
    step: int = 0


@dataclass(frozen=True)
class Operand:
    """Where the elements of one side of a product lie.

    Attributes:
        outer: the index of a row of A or a column of B, outermost digit first; inner: of k.
        batch: the number of a product.
        start: the element of all zeros. guards: (start, size) of each coordinate: elements
            outside are zero and are not read.
        along: neighbours in memory are neighbours in k. vector: elements of one load.
    """

    dtype: DType
    outer: tuple[Digit, ...]
    inner: tuple[Digit, ...]
    batch: tuple[Digit, ...] = ()
    start: int = 0
    guards: tuple[tuple[int, int], ...] = ()
    along: bool = False
    vector: int = 1


def vector_of(dtype: DType, *multiples: int) -> int:
    """Elements of the widest load where a row, and whatever is added to it, is such a multiple."""
    widest = VECTOR // max(dtype.compute.size, 4)
    common = math.gcd(widest, *multiples)
    return common if common in (2, 4) else 1


def joined(digits: Sequence[Digit]) -> tuple[Digit, ...]:
    """The digits with neighbours as one where they walk through memory as one."""
    out: list[Digit] = []
    for digit in digits:
        before = out[-1] if out else None
        free = before is not None and before.axis < 0 and digit.axis < 0
        if before is not None and free and before.stride == _times(digit.extent, digit.stride):
            out[-1] = Digit(_times(before.extent, digit.extent), digit.stride)
        else:
            out.append(digit)
    return tuple(out)


def _times(a: Size, b: Size) -> Size:
    return a * b if isinstance(a, int) and isinstance(b, int) else f"({a}) * ({b})"


@dataclass(frozen=True)
class GpuProduct:
    """One kernel of tiles.

    Attributes:
        sizes: names of the int64 arguments behind m, n and k.
        partial: sums of a part of k go to memory of their own, (batch, parts, m, n).
        place: where a row lies among the output's rows; empty: at its own number.
    """

    dtype: DType
    a: Operand
    b: Operand
    tile: GpuTile
    sizes: tuple[str, ...] = ()
    partial: bool = False
    place: tuple[Digit, ...] = ()
    place_start: int = 0

    @property
    def kept(self) -> DType:
        """What sums are kept in."""
        return self.dtype.compute


__all__ = [
    "Digit", "GpuProduct", "GpuTile", "Operand", "by_rows", "gpu_tile", "gpu_tiles", "joined",
    "sum_parts", "thread_blocks", "tiles_of", "vector_of",
]  # fmt: skip
