"""Sums over rows that go along with what a group computes of each row.

Lives here: Along. Not here: which sums do so (fusion/partition.py), statements (kernel/lower.py,
the only importer).

The gradient of a bias, or of a layer norm's scale, is a sum over the rows of something that the
group computes anyhow. Rows are walked in chunks of fixed size; each chunk adds its rows to sums of
its own, and a second kernel joins them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphc.ir.shape import Dim
from graphc.kernel.columns import Start, chunk_bounds
from graphc.kernel.compute import fresh_reduce_axes
from graphc.kernel.expr import (
    Axis,
    Buffer,
    Const,
    Expr,
    Load,
    Prim,
    Reduce,
    const,
    index,
    substitute,
)
from graphc.kernel.prims import identity
from graphc.kernel.space import Item, Space, guess, prepare, size_guess
from graphc.kernel.split import Context

_CHUNK = 1 << 14  # elements of one chunk of rows
_MOST = 64  # chunks, so that their sums are soon joined


@dataclass(frozen=True)
class _Sum:
    """A sum over rows: the reduction, its value over the axes of the rows, its item's axes."""

    reduce: Reduce
    value: Expr
    columns: tuple[Axis, ...]


class Along:
    """The space of a group's rows with the sums as stores, and the items that join them.

    Attributes:
        space: its outermost loop runs over chunks of rows. starts: what the sums start with.
        tails: items over the columns, of the joined sums.
    """

    def __init__(self, rest: Sequence[Item], sums: Sequence[Item], context: Context) -> None:
        self.context = context
        self.axes = _host_axes(rest, sums)
        found = {r: _Sum(r, self._along(r, i), i.axes) for i in sums for r in _tops(i.value)}
        self.sums = list(found.values())
        self.starts: list[Start] = []
        partial = self._rows(rest)
        self.tails = [self._tail(item, partial) for item in sums]

    def _along(self, reduce: Reduce, item: Item) -> Expr:
        """What is summed, over the axes of the rows."""
        places = iter(self.axes)
        mapping: dict[Expr, Expr] = {
            a: const(0, a.dtype) if a.extent == 1 else next(places) for a in reduce.axes
        }
        mapping.update(zip(item.axes, places, strict=True))
        return substitute(fresh_reduce_axes(reduce.args[0]), mapping)

    def _rows(self, rest: Sequence[Item]) -> dict[Reduce, Buffer]:
        """Sets `space`; where the sums of chunks are."""
        marks = [
            Buffer(("sum", self.context.name, n), s.reduce.dtype, [a.extent for a in s.columns])
            for n, s in enumerate(self.sums)
        ]
        space = prepare([*rest, *self._marked(marks)], {})
        rows = space.axes[0]
        inner = size_guess([a.extent for a in space.axes[1:]])
        size = _chunk_rows(rows.extent, inner)
        count: Dim = (rows.extent + (size - 1)) // size
        chunk = Axis(count, "c")
        out: dict[Reduce, Buffer] = {}
        items = []
        number = 0
        for item in space.items:
            if item.buffer not in marks:
                items.append(Item(item.buffer, (chunk, *item.axes), item.offset, item.value))
                continue
            found, number = self.sums[number], number + 1
            items.append(self._partial(found, item, chunk, space, out))
        spans = {**space.spans, rows: chunk_bounds(chunk, size, rows.extent)}
        self.space = Space(
            (chunk, *space.axes), tuple(items), spans, space.simplifier, space.unit + 1
        )
        return out

    def _marked(self, marks: Sequence[Buffer]) -> list[Item]:
        """The sums as items whose offsets depend on the columns alone."""
        out = []
        for mark, found in zip(marks, self.sums, strict=True):
            columns = self.axes[len(self.axes) - len(found.columns) :]
            offset: Expr = const(0, columns[0].dtype)
            for axis in columns:
                offset = offset * index(axis.extent) + axis
            out.append(Item(mark, self.axes, offset, found.value))
        return out

    def _partial(
        self, found: _Sum, item: Item, chunk: Axis, space: Space, out: dict[Reduce, Buffer]
    ) -> Item:
        """The row's values are added to the sums of its chunk."""
        reduce = found.reduce
        shape = [chunk.extent, *(a.extent for a in found.columns)]
        buffer = out[reduce] = self.context.buffer(reduce.dtype, shape)
        self.context.partial.add(buffer)
        width: Dim = 1
        for axis in found.columns:
            width = width * axis.extent
        base = chunk * index(width)
        neutral = Const(identity(reduce.monoid, reduce.dtype), reduce.dtype)
        self.starts.append(Start(buffer, base, width, neutral))
        offset = space.simplifier(base + item.offset)
        so_far = Load(buffer, (offset,), flat=True)
        value = Prim(reduce.monoid, (item.value, so_far), reduce.dtype)
        return Item(buffer, (chunk, *item.axes), offset, value)

    def _tail(self, item: Item, partial: dict[Reduce, Buffer]) -> Item:
        """The item of the joined sums."""
        mapping: dict[Expr, Expr] = {}
        for reduce in _tops(item.value):
            buffer = partial[reduce]
            chunk = Axis(buffer.shape[0], "c")
            part = Load(buffer, (chunk, *item.axes))
            mapping[reduce] = Reduce(reduce.monoid, (chunk,), part, reduce.dtype)
        return Item(item.buffer, item.axes, item.offset, substitute(item.value, mapping))


def _host_axes(rest: Sequence[Item], sums: Sequence[Item]) -> tuple[Axis, ...]:
    """The axes of the group's rows: those of its widest item, which may not be stored."""
    rows = _tops(sums[0].value)[0].axes
    rank = sum(a.extent != 1 for a in rows) + len(sums[0].axes)
    widest = max((item.axes for item in rest), key=len, default=())
    if len(widest) == rank:
        return widest
    return tuple(Axis(a.extent) for a in (*rows, *sums[0].axes) if a.extent != 1)


def _tops(root: Expr) -> list[Reduce]:
    """The outermost reductions of a value."""
    out: dict[int, Reduce] = {}
    stack, seen = [root], set()
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, Reduce):
            out[id(node)] = node
        else:
            stack.extend(node.args)
    return list(out.values())


def _chunk_rows(rows: Dim, inner: int) -> int:
    size = 1
    while size * inner < _CHUNK and size < guess(rows):
        size *= 2
    while isinstance(rows, int) and size * _MOST < rows:
        size *= 2
    return size
