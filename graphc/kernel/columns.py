"""Reductions over outer axes, walked row by row: sums of columns that wait in memory.

Lives here: which reductions run so, how rows are divided, the space and the start of their nest.
Not here: statements (kernel/lower.py), what else needs a kernel of its own (kernel/split.py). Only
those two import this module.

With the columns as lanes and the rows as the inner loop, each step of a large matrix touches
another page. Here rows are read in the order of memory and added to partial sums of a chunk of
rows, which stay in the first-level cache.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from graphc.ir.dtypes import bool_, int64
from graphc.ir.shape import Dim
from graphc.kernel import optimize
from graphc.kernel.expr import (
    Axis,
    Buffer,
    Const,
    Expr,
    Load,
    Local,
    Prim,
    Reduce,
    Select,
    const,
    index,
    substitute,
)
from graphc.kernel.nest import For, Kernel, Let, Stmt, Store
from graphc.kernel.prims import identity
from graphc.kernel.simplify import Simplifier
from graphc.kernel.space import Item, Space, guess, load_forms, reduces, size_guess

MONOIDS = ("add", "mul", "max", "min", "and", "or")
_ELEMENTS = 1 << 15  # fewer are faster with sums in registers
_ROWS, _COLUMNS = 32, 16  # at least
_CHUNK = 1 << 17  # elements of one chunk of rows
_MOST = 32  # chunks, so that their sums are soon added up
_BUSY = 16  # outputs of outer axes that keep the threads busy without chunks
_LIGHT = 12.0  # cost up to which two rows are done at a time


def is_columns(node: Reduce, mask: int, space: Space) -> bool:
    """Whether a reduction runs by rows: the lanes are its contiguous outputs, and it is large."""
    axes = space.axes
    if node.monoid not in MONOIDS or node.dtype.is_half or mask != (1 << len(axes)) - 1:
        return False
    if not axes or space.unit != len(axes) - 1 or any(a in space.spans for a in node.axes):
        return False
    columns, rows = guess(axes[-1].extent), size_guess([a.extent for a in node.axes])
    if columns < _COLUMNS or rows < _ROWS or reduces(node.args):
        return False
    if rows * size_guess([a.extent for a in axes]) < _ELEMENTS:
        return False
    forms = load_forms(node.args, space.simplifier)
    steps = [f.terms.get(axes[-1], 0) for f in forms]
    return any(s == 1 for s in steps) and all(s in (0, 1) for s in steps)


def chunk_rows(node: Reduce, kept: Sequence[Axis]) -> int:
    """Rows of one partial sum along the first reduced axis; 0: all of them."""
    if len(kept) > 1 and size_guess([a.extent for a in kept[:-1]]) >= _BUSY:
        return 0
    inner = size_guess([a.extent for a in (*node.axes[1:], *kept)])
    rows = guess(node.axes[0].extent)
    size = 16
    while size * inner < _CHUNK or (isinstance(node.axes[0].extent, int) and size * _MOST < rows):
        size *= 2
    return size


def chunk_bounds(number: Axis, size: int, extent: Dim) -> tuple[Expr, Expr]:
    """The first row of a chunk, and the row behind its last one."""
    low = number * size
    high: Expr = low + size
    if not isinstance(extent, int) or extent % size:
        high = Prim("min", (high, index(extent)), int64)
    return low, high


@dataclass(frozen=True)
class Start:
    """What sums start with: buffer[base ... base + width) = neutral, in front of the rows."""

    buffer: Buffer
    base: Expr
    width: Dim
    neutral: Const


@dataclass(frozen=True)
class Walk:
    """A space whose items are partial sums, as stores of each row into them.

    Attributes:
        space: the reduced axes stand among the main ones, in front of the columns.
        depth: how many loops are around those over rows. starts: of the sums.
    """

    space: Space
    depth: int
    starts: tuple[Start, ...]


def walk(space: Space, sums: Collection[Buffer]) -> Walk | None:
    """The space by rows, where all its items are partial sums of one kind."""
    if not all(item.buffer in sums for item in space.items) or len(space.axes) < 2:
        return None
    found = [item.value for item in space.items if isinstance(item.value, Reduce)]
    same = len({r.axes for r in found}) == 1 and all(i.axes == space.axes for i in space.items)
    if len(found) < len(space.items) or not same or reduces(r.args[0] for r in found):
        return None
    rows = _Rows(space, found)
    items = [
        Item(item.buffer, rows.axes, item.offset, rows.value(item, reduce))
        for item, reduce in zip(space.items, found, strict=True)
    ]
    done = Space(rows.axes, tuple(items), rows.spans, space.simplifier, len(rows.axes) - 1)
    starts = tuple(_start(i, r, space) for i, r in zip(space.items, found, strict=True))
    return Walk(done, len(space.axes) - 1, starts)


def _start(item: Item, reduce: Reduce, space: Space) -> Start:
    column = item.axes[-1]
    base = Simplifier({column: const(0, int64)})(item.offset)
    neutral = Const(identity(reduce.monoid, reduce.dtype), reduce.dtype)
    return Start(item.buffer, base, column.extent, neutral)


class _Rows:
    """The loops over rows: two rows at a time where that is little code."""

    def __init__(self, space: Space, found: Sequence[Reduce]) -> None:
        self.simplifier = space.simplifier
        reduced = found[0].axes
        lets = [Let(Local("value", r.args[0].dtype), r.args[0]) for r in found]
        cost = optimize.body_cost(lets)
        self.row = reduced[0]
        self.pair = len(reduced) == 1 and cost <= _LIGHT
        self.spans = dict(space.spans)
        if not self.pair:
            self.axes = (*space.axes[:-1], *reduced, space.axes[-1])
            return
        low, high = space.spans.get(self.row, (const(0, int64), index(self.row.extent)))
        self.last = high - 1
        extent = self.row.extent
        self.even = isinstance(extent, int) and extent % 2 == 0
        half = Axis(extent - extent // 2, "r")
        self.first: Expr = half * 2
        self.spans.pop(self.row, None)
        two = const(2, int64)
        ends = [Prim("floordiv", (e, two), int64) for e in (low, high + 1)]
        self.spans[half] = (self.simplifier(ends[0]), self.simplifier(ends[1]))
        self.axes = (*space.axes[:-1], half, space.axes[-1])

    def value(self, item: Item, reduce: Reduce) -> Expr:
        """The sum so far with the rows of one step; the value first, which is tested for NaN."""
        so_far: Expr = Load(item.buffer, (item.offset,), flat=True)
        monoid, body, dtype = reduce.monoid, reduce.args[0], reduce.dtype
        if not self.pair:
            return Prim(monoid, (body, so_far), dtype)
        one = self._at(body, self.first)
        so_far = Prim(monoid, (one, so_far), dtype)
        second: Expr = self.first + 1
        if self.even:
            return Prim(monoid, (self._at(body, second), so_far), dtype)
        # an odd number of rows: the last one is read again, for nothing
        inside = Prim("le", (second, self.last), bool_)
        again = self._at(body, Prim("min", (second, self.last), int64))
        neutral = Const(identity(monoid, dtype), dtype)
        return Prim(monoid, (Select(inside, again, neutral), so_far), dtype)

    def _at(self, body: Expr, row: Expr) -> Expr:
        return self.simplifier(substitute(body, {self.row: row}))


def started(kernel: Kernel, found: Walk) -> Kernel:
    """The kernel with the sums set to their start in front of the loops over rows."""

    def visit(body: Sequence[Stmt], depth: int, axes: dict[Axis, Expr]) -> tuple[Stmt, ...]:
        out = list(body)
        at = max(n for n, stmt in enumerate(out) if isinstance(stmt, For))
        loop = out[at]
        assert isinstance(loop, For)
        if depth == found.depth:
            out[at:at] = [_start_loop(n, s, axes) for n, s in enumerate(found.starts)]
        else:
            axes = {**axes, found.space.axes[depth]: loop.axis}
            out[at] = replace(loop, body=visit(loop.body, depth + 1, axes))
        return tuple(out)

    return replace(kernel, body=visit(kernel.body, 0, {}))


def _start_loop(number: int, start: Start, axes: dict[Axis, Expr]) -> For:
    column = Axis(start.width, f"start{number}")
    offset = Simplifier(axes)(start.base + column)
    body = (Store(start.buffer, offset, start.neutral),)
    lanes = optimize.lanes(body, start.width)
    return For(column, const(0, int64), index(start.width), body, "vector", lanes)
