"""Gradients of convolutions' filters as LLVM IR: sums over positions in registers.

Lives here: filter_module. Not here: the choice of blocks (kernel/tiles/conv.py). Only
runtime/conv_tiles.py and tests import this module.

A task is one tap, some channels of the source and some vectors of output channels. Blocks of
positions are the outer loop: their operands stay in the cache while the tasks of a chunk pass by,
each of which takes up its sums where it left them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from graphc.kernel.tiles.conv import FilterTile
from graphc.kernel.tiles.sweep import Sweep
from graphc.render.tile_module import tile_module
from graphc.render.tile_writer import Carried, Index, TileWriter

Range = tuple[Index, Index]


@dataclass(frozen=True)
class _Task:
    """One task in one block.

    Attributes:
        source, grad: addresses of tap and channels at position 0 of image 0. out: of its sums.
        images, outs: the positions of the block, an axis. masks: of the vectors.
    """

    source: str
    grad: str
    out: str
    images: Range
    outs: tuple[Range, ...]
    masks: tuple[str | None, ...]


class FilterPrinter:
    """Prints one gradient's function: slots source, gradient, output, number of images."""

    def __init__(self, spec: FilterTile, fma: bool) -> None:
        self.spec = spec
        self.w = TileWriter(spec.dtype, spec.lanes, fma)
        sizes, counts = [s.size for s in spec.axes], [s.count for s in spec.axes]
        rank = len(sizes)
        self.image = prod(sizes) * spec.pixel
        self.grad_image = prod(counts) * spec.channels
        self.strides = [prod(sizes[a + 1 :]) * spec.pixel for a in range(rank)]
        self.grad_strides = [prod(counts[a + 1 :]) * spec.channels for a in range(rank)]

    def module(self, symbol: str) -> str:
        """A complete module with `void symbol(ptr args, i64 lo, i64 hi)`."""
        spec, w = self.spec, self.w
        # a block even where there is no image: its sums are the zeros to store
        blocks = w.largest(w.mul(w.ceil_div("%n", spec.images), spec.spans), 1)
        w.loop(0, blocks, 1, self.block)
        slots = [("ptr", "%x"), ("ptr", "%g"), ("ptr", "%y"), ("i64", "%n")]
        return tile_module(w, symbol, slots)

    # -------------------------------------------------------------- blocks and tasks
    def block(self, number: str, _: Carried) -> None:
        """All tasks, over the positions of one block."""
        spec, w = self.spec, self.w
        group = w.div(number, spec.spans)
        first = w.mul(group, spec.images)
        images = first, w.least(w.add(first, spec.images), "%n")
        start = w.mul(w.sub(number, w.mul(group, spec.spans)), spec.span)
        span = start, w.least(w.add(start, spec.span), spec.axes[0].count)
        w.loop("%lo", "%hi", 1, lambda task, _: self.task(task, number, images, span))

    def task(self, task: str, block: str, images: Range, span: Range) -> None:
        spec, w = self.spec, self.w
        rest: Index = task
        places: list[Index] = []
        for count in reversed((*spec.taps, spec.row_blocks)):
            before = w.div(rest, count)
            places.insert(0, w.sub(rest, w.mul(before, count)))
            rest = before
        column = w.mul(rest, spec.vectors * spec.lanes)
        *taps, row_block = places
        row = w.mul(row_block, spec.rows)
        source, flat = w.at("%x", column if spec.depthwise else row), row
        outs: list[Range] = []
        matrix = spec.depth * spec.joint
        for a in reversed(range(len(taps))):
            sweep = spec.axes[a]
            offset = w.add(w.mul(taps[a], sweep.spread), sweep.offset)
            every = a + 1 == len(taps) and spec.joint > 1
            outs.insert(0, (0, sweep.count) if every else self.hits(sweep, offset, a, span))
            source = w.at(source, w.mul(offset, self.strides[a]))
            flat = w.add(flat, w.mul(taps[a], matrix))
            matrix *= spec.taps[a]
        out = w.at("%y", w.add(w.mul(flat, spec.channels), column))
        found = _Task(
            source, w.at("%g", column), out, images, tuple(outs), self.masks(column)
        )
        self.rows_of(found, row_block, block)

    def masks(self, column: Index) -> tuple[str | None, ...]:
        spec, w = self.spec, self.w
        if spec.channels % (spec.vectors * spec.lanes) == 0:
            return (None,) * spec.vectors
        left = w.sub(spec.channels, column)
        return tuple(w.mask(w.sub(left, v * spec.lanes)) for v in range(spec.vectors))

    def hits(self, sweep: Sweep, offset: Index, axis: int, span: Range) -> Range:
        """(first, end) of the outputs that hit through a tap; `offset`: what output 0 reads.

        Of the outermost axis only those of the block's span.
        """
        w = self.w
        first: Index = 0
        end: Index = sweep.count
        if not sweep.whole:
            first = w.ceil_div(w.largest(w.sub(0, offset), 0), sweep.step)
            reach = w.largest(w.sub(sweep.size, offset), 0)
            end = w.least(w.ceil_div(reach, sweep.step), sweep.count)
        if axis:
            return first, end
        return w.largest(first, span[0]), w.least(end, span[1])

    def rows_of(self, task: _Task, row_block: Index, block: str) -> None:
        """The sums of a full block of rows, or of what is left."""
        spec, w = self.spec, self.w
        rest = spec.depth % spec.rows
        last = spec.row_blocks - 1
        if not rest:
            self.sums(task, spec.rows, block)
            return
        if last:
            w.when("slt", row_block, last, lambda: self.sums(task, spec.rows, block))
        w.when("eq", row_block, last, lambda: self.sums(task, rest, block))

    # -------------------------------------------------------------- sums
    def sums(self, task: _Task, rows: int, block: str) -> None:
        """Take up the sums, add the block's positions, put them back."""
        spec, w = self.spec, self.w
        places = [
            (w.at(task.out, (m * spec.depth + r) * spec.channels + v * spec.lanes), mask)
            for m in range(spec.joint)
            for r in range(rows)
            for v, mask in enumerate(task.masks)
        ]
        begun = w.op(f"icmp ne i64 {block}, 0")
        later = self.every(begun)
        start = []
        for pointer, mask in places:
            both = later
            if mask is not None:
                both = w.op(f"and {w.mask_type} {later}, {mask}")
            start.append(w.load(pointer, both))

        def image(n: str, sums: Carried) -> Carried:
            source = w.at(task.source, w.mul(n, self.image))
            grad = w.at(task.grad, w.mul(n, self.grad_image))
            return self.positions(task, 0, source, grad, rows, sums)

        found = w.loop(*task.images, 1, image, start)
        for (pointer, mask), value in zip(places, found, strict=True):
            w.store(value, pointer, mask)

    def every(self, bit: str) -> str:
        """A bit in all lanes of a mask."""
        w = self.w
        one = w.op(f"insertelement {w.mask_type} poison, i1 {bit}, i64 0")
        return w.op(
            f"shufflevector {w.mask_type} {one}, {w.mask_type} poison,"
            f" <{w.lanes} x i32> zeroinitializer"
        )

    def positions(
        self, task: _Task, axis: int, source: str, grad: str, rows: int, sums: Carried
    ) -> Carried:
        """The sums with the positions of an image, from this axis on."""
        w, spec = self.w, self.spec
        if axis == len(task.outs):
            return self.products(task, source, grad, rows, range(spec.joint), sums)
        sweep = spec.axes[axis]
        step = sweep.step * self.strides[axis]

        def position(t: str, sums: Carried) -> Carried:
            x = w.at(source, w.mul(w.opaque(t), step))
            g = w.at(grad, w.mul(w.opaque(t), self.grad_strides[axis]))
            return self.positions(task, axis + 1, x, g, rows, sums)

        if spec.joint == 1 or axis + 1 < len(task.outs):
            return w.loop(*task.outs[axis], 1, position, sums)
        first, end = sweep.interior()
        for t in range(sweep.count):
            if t == first:
                sums = w.loop(first, end, 1, position, sums)
            if not first <= t < end:
                hit = [m for m in range(spec.joint) if sweep.hits(t, m)]
                x, g = w.at(source, t * step), w.at(grad, t * self.grad_strides[axis])
                sums = self.products(task, x, g, rows, hit, sums)
        return sums

    def products(
        self, task: _Task, source: str, grad: str, rows: int, hit: Sequence[int], sums: Carried
    ) -> Carried:
        """One position: channels of the source, through the taps that hit, times vectors of the
        gradient."""
        spec, w = self.spec, self.w
        vectors = [w.load(w.at(grad, v * spec.lanes), m) for v, m in enumerate(task.masks)]
        out = list(sums)
        tap = spec.axes[-1].spread * spec.pixel
        for m in hit:
            for r in range(rows):
                value = "" if spec.depthwise else w.broadcast(w.at(source, m * tap + r))
                for v, vector in enumerate(vectors):
                    if spec.depthwise:
                        value = w.load(w.at(source, m * tap + v * spec.lanes), task.masks[v])
                    i = (m * rows + r) * len(vectors) + v
                    out[i] = w.fma(value, vector, out[i])
        return out


def filter_module(spec: FilterTile, symbol: str, fma: bool = True) -> str:
    """LLVM IR of a filter's gradient: void symbol(ptr args, i64 lo, i64 hi), over tasks."""
    return FilterPrinter(spec, fma).module(symbol)
