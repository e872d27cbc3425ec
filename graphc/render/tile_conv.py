"""Convolutions, and gradients of their inputs, as LLVM IR: outputs in registers, taps from memory.

Lives here: ConvPrinter. Not here: the choice of blocks (kernel/tiles/conv.py), gradients of filters
(render/tile_conv_filter.py), what happens with a finished tile (render/tile_finish.py). Only
runtime/conv_tiles.py and tests import this module.

A task is a row of outputs of one image, or of several. Inside of a chunk of tasks the blocks of
output channels are the outer loop, so that a block of the filter stays in the cache while rows
pass by. Taps of the outer axes that fall off the edge shorten loops; tiles at the ends of
a row have code of their own, with those taps left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod

from graphc.kernel.tiles.conv import ConvTile, Phase
from graphc.kernel.tiles.sweep import Segment, Sweep
from graphc.render.tile_finish import Finish
from graphc.render.tile_module import tile_module
from graphc.render.tile_writer import Carried, Index, TileWriter

Slot = tuple[str, str]


@dataclass(frozen=True)
class _Row:
    """Where a row of tiles is.

    Attributes:
        phase: its sweeps. images: of a tile. source, filter: addresses, of the last axis' first
            element and of the block of channels. taps: (first, end) of each outer axis.
        masks: of the filter's vectors, None where all lanes are used.
        finish: stores the vectors of a tile whose first output has this number in the row.
    """

    phase: Phase
    images: int
    source: str
    filter: str
    taps: tuple[tuple[Index, Index], ...]
    masks: tuple[str | None, ...]
    finish: Callable[[Index, int, Carried], None]

    @property
    def sweep(self) -> Sweep:
        return self.phase[-1]


class ConvPrinter:
    """Prints one convolution's function, with what happens with its tiles."""

    def __init__(self, spec: ConvTile, fma: bool = True, behind: Finish | None = None) -> None:
        self.spec = spec
        self.behind = behind
        self.w = TileWriter(spec.dtype, spec.lanes, fma)
        self.image = prod(spec.sizes) * spec.pixel
        self.out_row = spec.outs[-1] * spec.channels
        self.out_rows = prod(spec.outs[:-1])
        self.spare = ""
        rank = len(spec.axes)
        # elements from one to the next along each axis
        self.strides = [prod(spec.sizes[a + 1 :]) * spec.pixel for a in range(rank)]
        self.tap_strides = [prod(spec.taps[a + 1 :]) * spec.matrix for a in range(rank)]
        # elements of the filter from one source channel to the next
        self.filter_row = spec.columns if spec.packed else spec.channels

    def slots(self) -> list[Slot]:
        """(type, name) of the arguments: source, filter, output, number of images.

        With a finish its buffers stand for the output, and its dimensions behind the number.
        """
        outs = [("ptr", "%y")] if self.behind is None else self.behind.pointers()
        own = [("ptr", "%p")] if self.spec.packing else []
        dims = [] if self.behind is None else self.behind.dims()
        return [("ptr", "%x"), ("ptr", "%f"), *outs, *own, ("i64", "%n"), *dims]

    def module(self, symbol: str) -> str:
        """A complete module with `void symbol(ptr args, i64 lo, i64 hi)`, over tasks."""
        spec, w = self.spec, self.w
        if self.behind is not None:
            self.spare = w.scratch(spec.width * spec.columns)
        if spec.by_columns:
            rows = w.mul(w.ceil_div("%n", spec.images), prod(spec.rows))
            w.loop("%lo", "%hi", 1, lambda block, _: self.column(block, 0, rows))
        else:
            w.loop(0, spec.blocks, 1, lambda block, _: self.column(block, "%lo", "%hi"))
        return tile_module(w, symbol, self.slots(), self.behind)

    # -------------------------------------------------------------- tasks
    def column(self, block: str, lo: Index, hi: Index) -> None:
        """Rows lo to hi for one block of output channels."""
        column = self.w.mul(block, self.spec.columns)
        masks = self.masks(column)
        if self.spec.packing:
            self.pack(column, masks)
        self.w.loop(lo, hi, 1, lambda row, _: self.task(row, column, masks))

    def pack(self, column: Index, masks: Sequence[str | None]) -> None:
        """Write the block's panels."""
        spec, w = self.spec, self.w
        panel = w.at("%p", w.mul(column, spec.depth))

        def channel(k: str, source: str, target: str) -> None:
            f = w.at(source, w.mul(w.opaque(k), spec.channels))
            p = w.at(target, w.mul(w.opaque(k), spec.columns))
            for v, mask in enumerate(masks):
                w.store(w.load(w.at(f, v * spec.lanes), mask), w.at(p, v * spec.lanes))

        def tap(m: str, _: Carried) -> None:
            source = w.at("%f", w.add(w.mul(m, spec.depth * spec.channels), column))
            target = w.at(panel, w.mul(m, spec.matrix))
            w.loop(0, spec.depth, 1, lambda k, _: channel(k, source, target))

        w.loop(0, prod(spec.taps), 1, tap)

    def masks(self, column: Index) -> tuple[str | None, ...]:
        spec, w = self.spec, self.w
        vectors, lanes = spec.vectors, spec.lanes
        if spec.channels % spec.columns == 0:
            return (None,) * vectors
        if spec.channels < spec.columns:
            full = spec.channels // lanes
            last = () if full == vectors else (w.mask(spec.channels - full * lanes),)
            return (None,) * full + last
        left = w.sub(spec.channels, column)
        return tuple(w.mask(w.sub(left, v * lanes)) for v in range(vectors))

    def task(self, task: str, column: Index, masks: Sequence[str | None]) -> None:
        spec, w = self.spec, self.w
        at: list[Index] = []
        rest: Index = task
        for rows in reversed(spec.rows):
            before = w.div(rest, rows)
            at.insert(0, w.sub(rest, w.mul(before, rows)))
            rest = before
        rows_of = partial(self.image_rows, tuple(at), column, tuple(masks))
        if spec.images == 1:
            rows_of(rest, 1)
            return
        first = w.mul(rest, spec.images)
        left = w.sub("%n", first)

        def one_by_one() -> None:
            w.loop(first, "%n", 1, lambda image, _: rows_of(image, 1))

        w.when("sle", spec.images, left, lambda: rows_of(first, spec.images))
        w.when("slt", left, spec.images, one_by_one)

    def image_rows(
        self, at: tuple[Index, ...], column: Index, masks: tuple[str | None, ...], image: Index,
        images: int,
    ) -> None:  # fmt: skip
        """The rows number `at` of some images, of every phase that has them."""
        w = self.w
        source = w.at("%x", w.mul(image, self.image))
        if self.spec.depthwise:
            source = w.at(source, column)
        for phase in self.spec.phases():
            body = partial(self.row, phase, at, source, image, column, masks, images)
            self.guarded(list(zip(at, phase[:-1], self.spec.rows, strict=True)), body)

    def guarded(
        self, bounds: list[tuple[Index, Sweep, int]], body: Callable[[], None]
    ) -> None:
        """body() where the row is one of each sweep's."""
        if not bounds:
            body()
            return
        (row, sweep, rows), *rest = bounds
        if sweep.count == rows:
            self.guarded(rest, body)
        else:
            self.w.when("slt", row, sweep.count, lambda: self.guarded(rest, body))

    # -------------------------------------------------------------- rows
    def row(
        self, phase: Phase, at: tuple[Index, ...], source: str, number: Index, column: Index,
        masks: tuple[str | None, ...], images: int,
    ) -> None:  # fmt: skip
        w, last = self.w, len(phase) - 1
        taps = []
        # panels lie behind each other, each as deep as there are source channels
        filters = w.at("%f", column)
        if self.spec.packed:
            base = "%p" if self.spec.packing else "%f"
            filters = w.at(base, w.mul(column, self.spec.depth))
        for a, sweep in enumerate(phase):
            filters = w.at(filters, sweep.tap * self.tap_strides[a])
            if a == last:
                continue
            place = w.add(w.mul(at[a], sweep.step), sweep.offset)
            taps.append(self.hits(sweep, place))
            source = w.at(source, w.mul(place, self.strides[a]))
            here = w.add(w.mul(at[a], sweep.stride), sweep.first)
            number = w.add(w.mul(number, self.spec.outs[a]), here)
        sweep = phase[last]
        finish = partial(self.store, number, column, sweep, images, masks)
        if self.behind is not None:
            finish = partial(self.finish, self.behind, number, column, sweep, images)
        row = _Row(phase, images, source, filters, tuple(taps), masks, finish)
        for segment in self.spec.segments(sweep):
            self.segment(row, segment)

    def hits(self, sweep: Sweep, place: Index) -> tuple[Index, Index]:
        """(first, end) of the taps inside of the source, for an output whose tap 0 is at place."""
        w = self.w
        if sweep.whole:
            return 0, sweep.taps
        first = w.ceil_div(w.largest(w.sub(0, place), 0), sweep.spread)
        reach = w.largest(w.sub(sweep.size, place), 0)
        return first, w.least(w.ceil_div(reach, sweep.spread), sweep.taps)

    def segment(self, row: _Row, segment: Segment) -> None:
        w, sweep = self.w, row.sweep

        def tile(number: Index, _: Carried) -> None:
            first = w.add(w.mul(number, segment.width), segment.at)
            place = w.add(w.mul(first, sweep.step), sweep.offset)
            source = w.at(row.source, w.mul(place, self.spec.pixel))
            zeros = w.zeros(row.images * segment.width * self.spec.vectors)
            sums = self.outer_taps(row, segment, 0, source, row.filter, zeros)
            row.finish(first, segment.width, sums)

        if segment.tiles == 1:
            tile(0, [])
        else:
            w.loop(0, segment.tiles, 1, tile)

    # -------------------------------------------------------------- taps
    def outer_taps(
        self, row: _Row, segment: Segment, axis: int, source: str, filters: str, sums: Carried
    ) -> Carried:
        """The sums over all taps, from this axis on."""
        w = self.w
        if axis == len(row.phase) - 1:
            return self.inner_taps(row, segment, source, filters, sums)
        sweep = row.phase[axis]

        def tap(m: str, sums: Carried) -> Carried:
            x = w.at(source, w.mul(m, sweep.spread * self.strides[axis]))
            f = w.at(filters, w.mul(m, sweep.tap_step * self.tap_strides[axis]))
            return self.outer_taps(row, segment, axis + 1, x, f, sums)

        return w.loop(*row.taps[axis], 1, tap, sums)

    def inner_taps(
        self, row: _Row, segment: Segment, source: str, filters: str, sums: Carried
    ) -> Carried:
        """The sums over the taps of the last axis; at the edge, only over those that hit."""
        spec, w, sweep = self.spec, self.w, row.sweep
        tap_x, tap_f = sweep.spread * spec.pixel, sweep.tap_step * self.tap_strides[-1]
        every = [(b, j) for b in range(row.images) for j in range(segment.width)]
        if not segment.inner:
            for m in range(sweep.taps):
                hit = [(b, j) for b, j in every if sweep.hits(segment.at + j, m)]
                if hit:
                    x, f = w.at(source, m * tap_x), w.at(filters, m * tap_f)
                    sums = self.channels(row, segment, hit, (x, f), spec.depth, sums)
            return sums
        near = spec.depth * self.filter_row == tap_f
        if sweep.spread == 1 and near and not spec.depthwise:
            # neighbouring taps are neighbours in memory: one loop over both
            depth = sweep.taps * spec.depth
            return self.channels(row, segment, every, (source, filters), depth, sums)

        def tap(m: str, sums: Carried) -> Carried:
            at = w.at(source, w.mul(m, tap_x)), w.at(filters, w.mul(m, tap_f))
            return self.channels(row, segment, every, at, spec.depth, sums)

        return w.loop(0, sweep.taps, 1, tap, sums)

    def channels(
        self, row: _Row, segment: Segment, hit: Sequence[tuple[int, int]], at: tuple[str, str],
        depth: int, sums: Carried,
    ) -> Carried:  # fmt: skip
        """The sums over source channels for the outputs (image, number in the tile) that hit."""
        spec, w = self.spec, self.w
        vectors, source, filters = spec.vectors, *at
        # only what changes is carried
        which = [
            (b * segment.width + j) * vectors + v for b, j in hit for v in range(vectors)
        ]
        places = [b * self.image + j * row.sweep.step * spec.pixel for b, j in hit]

        def channel(k: Index, some: Carried) -> Carried:
            f = w.at(filters, w.mul(w.opaque(k), self.filter_row))
            x = w.at(source, w.opaque(k))
            masks = (None,) * vectors if spec.packed else row.masks
            row_of = [w.load(w.at(f, v * spec.lanes), mask) for v, mask in enumerate(masks)]
            out = []
            for n, place in enumerate(places):
                for v in range(vectors):
                    if v == 0 or spec.depthwise:
                        value = self.element(w.at(x, place), v, row.masks[v])
                    out.append(w.fma(value, row_of[v], some[n * vectors + v]))
            return out

        some = [sums[i] for i in which]
        some = channel(0, some) if depth == 1 else w.loop(0, depth, 1, channel, some)
        result = list(sums)
        for i, value in zip(which, some, strict=True):
            result[i] = value
        return result

    def element(self, pointer: str, vector: int, mask: str | None) -> str:
        """A source element in all lanes; depthwise: the channels of one vector."""
        if self.spec.depthwise:
            return self.w.load(self.w.at(pointer, vector * self.spec.lanes), mask)
        return self.w.broadcast(pointer)

    # -------------------------------------------------------------- results
    def store(
        self, number: Index, column: Index, sweep: Sweep, images: int,
        masks: Sequence[str | None], first: Index, width: int, sums: Carried,
    ) -> None:  # fmt: skip
        """Store a tile of the row `number` of all images' rows."""
        spec, w = self.spec, self.w
        out = w.at("%y", w.add(w.mul(number, self.out_row), column))
        here = w.add(w.mul(first, sweep.stride), sweep.first)
        base = w.at(out, w.mul(here, spec.channels))
        values = iter(sums)
        for b in range(images):
            for j in range(width):
                place = b * self.out_rows * self.out_row + j * sweep.stride * spec.channels
                for v, mask in enumerate(masks):
                    w.store(next(values), w.at(base, place + v * spec.lanes), mask)

    def finish(
        self, behind: Finish, number: Index, column: Index, sweep: Sweep, images: int,
        first: Index, width: int, sums: Carried,
    ) -> None:  # fmt: skip
        """Hand a tile to the finish: each image's outputs, or one after the other where they lie
        apart."""
        spec, w = self.spec, self.w
        end: Index = w.add(column, spec.columns)
        if spec.channels % spec.columns:
            end = w.least(spec.channels, end)
        here = w.add(w.mul(first, sweep.stride), sweep.first)
        together = width if sweep.stride == 1 else 1
        for b in range(images):
            mine = sums[b * width * spec.vectors : (b + 1) * width * spec.vectors]
            for n, value in enumerate(mine):
                j, v = divmod(n, spec.vectors)
                w.store(value, w.at(self.spare, j * spec.columns + v * spec.lanes))
            batch = w.add(number, b * self.out_rows)
            for j in range(0, width, together):
                row = w.add(here, j * sweep.stride)
                box = {
                    "batch": (batch, w.add(batch, 1)), "row": (row, w.add(row, together)),
                    "column": (column, end),
                }  # fmt: skip
                behind.call(w, w.at(self.spare, j * spec.columns), box)


def conv_module(
    spec: ConvTile, symbol: str, fma: bool = True, behind: Finish | None = None
) -> str:
    """LLVM IR of a convolution: void symbol(ptr args, i64 lo, i64 hi), over tasks."""
    return ConvPrinter(spec, fma, behind).module(symbol)
