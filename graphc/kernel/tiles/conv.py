"""What a convolution computes as tiles, and how it is cut into blocks.

Lives here: ConvTile (a convolution or the gradient of its input), FilterTile (the gradient of its
filter), their blocking. Not here: their text (render/tile_conv*.py), their step
(runtime/conv_tiles.py). Imports kernel.tiles, ir.dtypes.

Channels lie last. A tile of a ConvTile is some neighbouring outputs of the last spatial axis times
some vectors of output channels; where that axis is short, of several images. Every output is one
sum over taps and channels in order, and every element of a filter's gradient one sum over positions
in order, whatever the tile: blocks and threads do not change the bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from graphc.ir.dtypes import DType
from graphc.kernel.tiles.machine import Machine
from graphc.kernel.tiles.sweep import Segment, Sweep, segments

Phase = tuple[Sweep, ...]
CHAINS = 8  # accumulators that keep two multiply-adders of latency 4 busy
L1_BYTES = 32 << 10  # of a filter that stays there beside what else passes by
L2_BYTES = 256 << 10
MAX_BORDERS = 24  # loops over channels that tiles at the edge may be made of
FEWEST_SUMS = 12  # accumulators that every processor has registers for
DEPTHWISE_SUMS = 12  # of a tile: each has a load of its own, so that more save none
MIN_BLOCKS = 4  # tasks that threads share evenly enough
FAR_ROW = 1024  # bytes from which on the rows of a filter collide in caches
CODE_SIZE = 4000.0  # multiply-adds in the code that double the price of a tile
MAX_EDGE = 8  # outputs at the edge of a row that have code of their own
MIN_POSITIONS = 128  # that a block sums before it stores its sums


@dataclass(frozen=True)
class ConvTile:
    """A convolution, or the gradient of its input.

    Attributes:
        axes: the sweeps of each spatial axis; more than one where a gradient's strides need it.
        depth: channels of the source, 1 if depthwise. channels: of the output.
        taps: of the filter, which is stored (*taps, depth, channels), or `packed`: in panels of
            the tile's columns, (*taps, panels, depth, columns).
        packing: the tiles pack their panels themselves, before they use them.
        by_columns: tasks are blocks of output channels, not rows: a large filter is read once.
        depthwise: output channel c reads channel c of the source only.
        lanes, vectors, width, images: the tile.
    """

    dtype: DType
    axes: tuple[tuple[Sweep, ...], ...]
    depth: int
    channels: int
    taps: tuple[int, ...]
    depthwise: bool
    packed: bool
    packing: bool
    by_columns: bool
    lanes: int
    vectors: int
    width: int
    images: int

    @property
    def blocks(self) -> int:
        """Of output channels."""
        return -(-self.channels // self.columns)

    @property
    def columns(self) -> int:
        """Of a tile."""
        return self.lanes * self.vectors

    @property
    def matrix(self) -> int:
        """Elements of the filter from tap to tap."""
        channels = self.channels
        if self.packed:
            channels = self.blocks * self.columns
        return self.depth * channels

    @property
    def pixel(self) -> int:
        """Elements of the source from pixel to pixel."""
        return self.channels if self.depthwise else self.depth

    @property
    def sizes(self) -> tuple[int, ...]:
        """The source's spatial extents."""
        return tuple(sweeps[0].size for sweeps in self.axes)

    @property
    def outs(self) -> tuple[int, ...]:
        return tuple(sum(s.count for s in sweeps) for sweeps in self.axes)

    @property
    def rows(self) -> tuple[int, ...]:
        """Rows of tasks an image: the outer axes' longest sweeps."""
        return tuple(max(s.count for s in sweeps) for sweeps in self.axes[:-1])

    def phases(self) -> Iterator[Phase]:
        return product(*self.axes)

    def segments(self, sweep: Sweep) -> tuple[Segment, ...]:
        return segments(sweep, self.width)

    def tasks(self, images: int) -> int:
        """How many tasks there are: what a step's extent counts."""
        return self.blocks if self.by_columns else -(-images // self.images) * prod(self.rows)

    def multiplies(self, images: int) -> int:
        """Multiply-adds, those of padding left out."""
        reads = prod(sum(s.reads for s in sweeps) for sweeps in self.axes)
        return images * reads * self.depth * self.channels

    @property
    def key(self) -> str:
        taps, sizes = ("x".join(map(str, d)) for d in (self.taps, self.sizes))
        return f"{self.dtype.name}_{taps}_{sizes}x{self.pixel}_{self.channels}"


def conv_tile(
    machine: Machine,
    dtype: DType,
    axes: Sequence[tuple[Sweep, ...]],
    depth: int,
    channels: int,
    taps: Sequence[int],
    depthwise: bool = False,
    packed: bool = False,
    images: int = 32,
) -> ConvTile:
    """The blocking of a `servable` convolution. images: to expect."""
    lanes = machine.lanes(dtype.size)
    best: tuple[float, tuple[int, int, int]] | None = None
    for vectors, width, several in _shapes(machine, channels, lanes, axes[-1]):
        if several > max(images, 1) or (depthwise and vectors * width > DEPTHWISE_SUMS):
            continue
        cost = sum(
            _row_cost(s, width, several, vectors, prod(taps) * depth * lanes * dtype.size)
            for s in axes[-1]
        )
        blocks = -(-channels // (lanes * vectors))
        cost *= blocks / several
        if _rows(axes, images, several) < MIN_BLOCKS and blocks == 1:
            cost *= 2  # nothing for a second thread
        size = sum(_code_size(s, width) for s in axes[-1]) * vectors * several
        cost *= 1 + size / CODE_SIZE
        if best is None or cost < best[0] * 0.999:
            best = cost, (vectors, width, several)
    assert best is not None, "the convolution is not servable"
    blocks = -(-channels // (lanes * best[1][0]))
    nbytes = prod(taps) * depth * channels * dtype.size
    around = prod(axis[0].size for axis in axes) * depth
    around += prod(sum(s.count for s in axis) for axis in axes) * channels
    by_columns = blocks >= MIN_BLOCKS and nbytes > images * around * dtype.size
    few = _rows(axes, images, best[1][2]) < MIN_BLOCKS
    by_columns = by_columns or (few and blocks > 1)
    row = channels * dtype.size
    far = row >= FAR_ROW and nbytes > L1_BYTES and not depthwise
    packing = by_columns and not packed and far
    return ConvTile(
        dtype, tuple(axes), depth, channels, tuple(taps), depthwise, packed or far, packing,
        by_columns, lanes, *best[1],
    )  # fmt: skip


def _rows(axes: Sequence[tuple[Sweep, ...]], images: int, several: int) -> int:
    """Rows of tiles of so many images, `several` in a tile."""
    return prod(max(s.count for s in axis) for axis in axes[:-1]) * -(-images // several)


def servable(sweeps: Sequence[Sweep]) -> bool:
    """Whether the last axis can be cut into tiles, on any processor, without much code."""
    longest = max(s.count for s in sweeps)
    return any(
        sum(_borders(s, width) for s in sweeps) <= MAX_BORDERS
        for width in range(1, min(FEWEST_SUMS, longest) + 1)
    )


def _shapes(
    machine: Machine, channels: int, lanes: int, sweeps: Sequence[Sweep]
) -> Iterator[tuple[int, int, int]]:
    """(vectors, width, images) that fit into the registers."""
    longest = max(s.count for s in sweeps)
    for vectors in range(1, min(6, -(-channels // lanes)) + 1):
        most = _room(machine) // vectors
        for width in range(1, min(most, longest) + 1):
            if sum(_borders(s, width) for s in sweeps) > MAX_BORDERS:
                continue
            yield vectors, width, 1
            if width == longest:
                yield from ((vectors, width, b) for b in (2, 4, 8) if b * width <= most)


def _code_size(sweep: Sweep, width: int) -> int:
    """Multiply-adds that are written out, a vector."""
    return sum(
        s.width * (1 if s.inner else max(sweep.taps, 1)) for s in segments(sweep, width)
    )


def _room(machine: Machine) -> int:
    """Registers for sums, beside the vectors and elements that are multiplied."""
    return machine.registers - 6 if machine.registers > 16 else FEWEST_SUMS


def _borders(sweep: Sweep, width: int) -> int:
    """Loops over channels in the tiles at the edge: one for each of their taps."""
    return sum(sweep.taps for s in segments(sweep, width) if not s.inner)


def _row_cost(sweep: Sweep, width: int, images: int, vectors: int, vector_bytes: int) -> float:
    """Cycles of a row of tiles for each element of the sums; vector_bytes: the filter's, a vector.

    Two multiply-adds and two loads a cycle; 32 bytes a cycle from the second-level cache.
    """
    total = 0.0
    for s in segments(sweep, width):
        taps = sweep.taps or 1
        if not s.inner:
            hits = sum(sweep.hits(s.at + j, m) for j in range(s.width) for m in range(taps))
            wide = max(1.0, hits / taps) * images
        else:
            wide = float(s.width * images)
        cycles = max(wide * vectors / 2, (wide + vectors) / 2, min(wide * vectors, CHAINS) / 2)
        cycles = max(cycles, 4.0 if wide * vectors < CHAINS else 0.0)
        if vector_bytes * vectors > L1_BYTES:
            cycles = max(cycles, vectors * 2.0)
        total += s.tiles * taps * (cycles + 0.5)
    return total


# ------------------------------------------------------------------ gradient of the filter
@dataclass(frozen=True)
class FilterTile:
    """The gradient of a convolution's filter.

    A task is one tap, `rows` channels of the source and `vectors` vectors of output channels; its
    sums run over the positions of a block of images, or of a block of an image's outermost axis.

    Attributes:
        axes: one sweep a spatial axis, as of the convolution.
        taps: loops over taps, an axis; 1 for the last one where its taps are neighbours in memory,
            so that they count as channels, or where a task has all of them: `joint`, else 1.
        pixel: elements of the source from pixel to pixel. depth: rows of the result that lie
            one behind the other in the source; 1 if depthwise. images, span: the block.
    """

    dtype: DType
    axes: tuple[Sweep, ...]
    taps: tuple[int, ...]
    pixel: int
    depth: int
    channels: int
    depthwise: bool
    lanes: int
    vectors: int
    rows: int
    joint: int
    images: int
    span: int

    @property
    def row_blocks(self) -> int:
        return -(-self.depth // self.rows)

    @property
    def column_blocks(self) -> int:
        return -(-self.channels // (self.vectors * self.lanes))

    @property
    def tasks(self) -> int:
        return self.column_blocks * prod(self.taps) * self.row_blocks

    @property
    def spans(self) -> int:
        """Blocks of an image's outermost axis."""
        return -(-self.axes[0].count // self.span)

    def multiplies(self, images: int) -> int:
        """Multiply-adds, those of padding left out."""
        depth = 1 if self.depthwise else self.pixel
        return images * prod(s.reads for s in self.axes) * depth * self.channels

    @property
    def key(self) -> str:
        taps = "x".join(str(s.taps) for s in self.axes)
        sizes = "x".join(str(s.size) for s in self.axes)
        return f"{self.dtype.name}_{taps}_{sizes}x{self.pixel}_{self.channels}"


def filter_tile(
    machine: Machine,
    dtype: DType,
    axes: Sequence[Sweep],
    depth: int,
    channels: int,
    depthwise: bool = False,
) -> FilterTile:
    """The blocking of a filter's gradient. depth: channels of the source, 1 if depthwise."""
    lanes = machine.lanes(dtype.size)
    last, pixel = axes[-1], channels if depthwise else depth
    taps = [s.taps for s in axes]
    if last.whole and last.spread == 1 and not depthwise:
        taps[-1], depth = 1, depth * last.taps
    best: tuple[float, int, int, int] | None = None
    # blocks of an only axis would cut through its edges
    together = taps[-1] if len(taps) > 1 else 1
    for joint, vectors, rows in _filter_shapes(machine, last, together, depth, channels, lanes):
        cost = _filter_cost(
            rows, vectors, joint, depth, prod(taps) // joint, -(-channels // lanes)
        )
        if best is None or cost < best[0] * 0.98:
            best = cost, joint, vectors, rows
    assert best is not None
    _, joint, vectors, rows = best
    if joint > 1:
        taps[-1] = 1
    images, span = _block(axes, pixel, channels, dtype.size)
    return FilterTile(
        dtype, tuple(axes), tuple(taps), pixel, depth, channels, depthwise, lanes, vectors, rows,
        joint, images, span,
    )  # fmt: skip


def _filter_shapes(
    machine: Machine, last: Sweep, taps: int, depth: int, channels: int, lanes: int
) -> Iterator[tuple[int, int, int]]:
    """(joint taps, vectors, rows) that fit into the registers."""
    first, end = last.interior()
    together = [1]
    if taps > 1 and last.count - (end - first) <= MAX_EDGE:
        together.append(taps)
    for joint in together:
        for vectors in range(1, min(6, -(-channels // lanes)) + 1):
            for rows in range(1, min(depth, _room(machine) // (vectors * joint)) + 1):
                yield joint, vectors, rows


def _filter_cost(
    rows: int, vectors: int, joint: int, depth: int, taps: int, all_vectors: int
) -> float:
    """Cycles a position of the busier of two threads."""
    rest = depth % rows
    blocks = depth // rows
    columns = -(-all_vectors // vectors)
    tasks = columns * taps * (blocks + (1 if rest else 0))
    last = _step_cost(rest * joint, vectors) if rest else 0.0
    total = columns * taps * (blocks * _step_cost(rows * joint, vectors) + last)
    return total * -(-tasks // 2) / tasks


def _step_cost(rows: int, vectors: int) -> float:
    chains = rows * vectors
    return max(chains / 2, (rows + vectors) / 2, 4.0 if chains < CHAINS else 0.0) + 0.5


def _block(axes: Sequence[Sweep], pixel: int, channels: int, itemsize: int) -> tuple[int, int]:
    """(images, outputs of the outermost axis) of a block whose operands stay in the cache."""
    outer = axes[0]
    inside = prod(s.count for s in axes[1:])
    row = itemsize * (inside * channels + outer.step * prod(s.size for s in axes[1:]) * pixel)
    span = max(1, min(outer.count, L2_BYTES // max(row, 1)))
    while span < outer.count and span * inside < MIN_POSITIONS:
        span += 1
    if span < outer.count:
        return 1, -(-outer.count // -(-outer.count // span))
    return max(1, -(-MIN_POSITIONS // (outer.count * inside))), outer.count
