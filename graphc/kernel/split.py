"""Reductions that need a kernel of their own: large ones in chunks, and those that all rows need.

Lives here: divided (which reductions go out and what stays), Context. Not here: statements
(kernel/lower.py). Only kernel/lower.py imports this module.

Chunks depend on the shapes alone, never on the number of threads, so the bits are always the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.ir.dtypes import DType, int64
from graphc.ir.shape import Dim, SymDim
from graphc.kernel import columns
from graphc.kernel.expr import (
    Axis,
    Buffer,
    Expr,
    Load,
    Reduce,
    postorder,
    replaced,
    substitute,
)
from graphc.kernel.nest import Kernel
from graphc.kernel.space import Free, Item, Space, guess, load_forms, reduces, size_guess

CHUNK = 16384  # elements of one partial sum
LARGE = 32768  # a full reduction of more elements is split
_LONG = 8192  # a reduction to few outputs is split from here
_FEW_ROWS, _FEW_COLUMNS = 16, 1024  # fewer outputs than these cannot keep the threads busy
# the same for a GPU, where a team does a row and a thread a column
_GPU_ROWS, _GPU_COLUMNS = 512, 1 << 16
_GPU_LONG = 4096  # a row of fewer elements is one team's
_GPU_PARTS = 1 << 17  # partial sums of columns that keep all threads busy
_GPU_LEAST = 32  # rows of one partial sum

_VECTOR = 64  # elements of the widest vector

Spans = Mapping[Axis, tuple[Expr, Expr]]
Part = tuple[list[Item], Spans]


class Context:
    """What the kernels of one group share.

    Attributes:
        name, origins: of the group. kernels: those made so far, in order.
        many: for a machine of many threads: sums stay in registers, chunks are many.
        partial: scratch buffers that hold one result for each chunk.
        columns: those of them that are summed up row by row (kernel/columns.py).
    """

    def __init__(self, name: str, origins: tuple[str, ...], many: bool = False) -> None:
        self.name = name
        self.many = many
        self.origins = origins
        self.kernels: list[Kernel] = []
        self.partial: set[Buffer] = set()
        self.columns: set[Buffer] = set()
        self._count = 0

    def buffer(self, dtype: DType, shape: Sequence[Dim]) -> Buffer:
        """A new buffer from one kernel of the group to the next."""
        number = self._count
        self._count += 1
        key = ("scratch", self.name, number)
        return Buffer(key, dtype, shape, f"{self.name}_scratch{number}")


def divided(space: Space, context: Context) -> list[Part] | None:
    """The parts of a space that must be separate kernels, in order; None where one will do."""
    found = reduces(space.values())
    if not found:
        return None
    free = Free(space)
    whole: set[int] = set()
    chunked: set[int] = set()
    by_rows: set[int] = set()
    done = {id(i.value) for i in space.items if i.buffer in context.columns}
    for node in found:
        mask = free.of[id(node)]
        if mask & ~free.main:
            continue  # inside another reduction's loop
        prefix = mask & (mask + 1) == 0
        if not prefix or (mask == 0 and space.axes):
            whole.add(id(node))
        elif id(node) in done or _is_partial(node, context):
            continue
        elif not context.many and columns.is_columns(node, mask, space):
            by_rows.add(id(node))
        elif _is_long(node, mask, space, context.many):
            chunked.add(id(node))
    if not whole and not chunked and not by_rows:
        return None
    return _Division(space, context, free, whole, chunked, by_rows).run()


def _is_partial(node: Reduce, context: Context) -> bool:
    """Whether it combines partial results."""
    return any(load.buffer in context.partial for load in _own_loads(node))


def _is_long(node: Reduce, mask: int, space: Space, many: bool) -> bool:
    if any(axis in space.spans for axis in node.axes):
        return False
    extents = [a.extent for a in node.axes]
    if mask == 0:
        inner = [a.extent for r in reduces(node.args) for a in r.axes]
        if any(isinstance(e, SymDim) for e in extents):
            return True
        return size_guess(extents) * max(1, size_guess(inner)) > LARGE
    kept = [a.extent for n, a in enumerate(space.axes) if mask >> n & 1]
    rows = _along_memory(node, space)
    if many:
        few, least = (_GPU_ROWS, _GPU_LONG) if rows else (_GPU_COLUMNS, 4 * _GPU_LEAST)
        return size_guess(kept) < few and size_guess(extents) >= least
    few = _FEW_ROWS if rows else _FEW_COLUMNS
    return size_guess(kept) < few and size_guess(extents) >= _LONG


def _along_memory(node: Reduce, space: Space) -> bool:
    """Whether the elements of one sum lie side by side."""
    forms = load_forms(node.args, space.simplifier)
    return any(f.terms.get(a) == 1 for f in forms for a in node.axes)


def _own_loads(node: Reduce) -> list[Load]:
    """Loads of a reduction's body outside the reductions inside."""
    out: list[Load] = []
    stack = list(node.args)
    seen: set[int] = set()
    while stack:
        expr = stack.pop()
        if id(expr) in seen or isinstance(expr, Reduce):
            continue
        seen.add(id(expr))
        if isinstance(expr, Load):
            out.append(expr)
        stack.extend(expr.args)
    return out


class _Division:
    """Rewrites the values of a space: reductions become loads of scratch buffers."""

    def __init__(
        self,
        space: Space,
        context: Context,
        free: Free,
        whole: set[int],
        chunked: set[int],
        by_rows: set[int],
    ) -> None:
        self.space = space
        self.context = context
        self.free = free
        self.whole = whole
        self.chunked = chunked
        self.by_rows = by_rows
        self.stages: list[Part] = []
        self.new: dict[int, Expr] = {}
        self.stage: dict[int, int] = {}

    def run(self) -> list[Part]:
        values = self.space.values()
        order = postorder(*values)
        scalars = self._with_reduction(order)
        edge = self._edges(order, values, scalars)
        for node in order:
            args = tuple(self.new[id(a)] for a in node.args)
            stage = max((self.stage[id(a)] for a in node.args), default=0)
            new = replaced(node, args)
            if id(node) in self.chunked:
                assert isinstance(new, Reduce)
                new = self._chunks(node, new, stage)
                stage += 1
            if id(node) in self.by_rows:
                assert isinstance(new, Reduce)
                new = self._columns(node, new, stage)
                stage += 1
            if id(node) in edge:
                new = self._stored(node, new, stage)
                stage += 1
            self.new[id(node)], self.stage[id(node)] = new, stage
        items = [Item(i.buffer, i.axes, i.offset, self.new[id(i.value)]) for i in self.space.items]
        return [*self.stages, (items, self.space.spans)]

    def _with_reduction(self, order: Sequence[Expr]) -> set[int]:
        """Nodes that hold a reduction to be stored and depend on the same axes as it does."""
        of = self.free.of
        out: set[int] = set()
        for node in order:
            below = () if isinstance(node, Reduce) else node.args
            same = any(id(a) in out and of[id(a)] == of[id(node)] for a in below)
            if same or id(node) in self.whole:
                out.add(id(node))
        return out

    def _edges(self, order: Sequence[Expr], values: Sequence[Expr], inside: set[int]) -> set[int]:
        """The largest of these: what uses them is not one of them."""
        edge = {id(v) for v in values if id(v) in inside}
        # what rows are summed with is there before, not computed for each of them
        for reduce in reduces(values):
            if id(reduce) in self.by_rows:
                edge.update(id(r) for r in reduces(reduce.args) if id(r) in self.by_rows)
        for node in order:
            for arg in node.args:
                if id(arg) in inside and not (
                    id(node) in inside and self.free.of[id(arg)] == self.free.of[id(node)]
                ):
                    edge.add(id(arg))
        return edge

    def _kept(self, node: Expr) -> tuple[Axis, ...]:
        mask = self.free.of[id(node)]
        return tuple(a for n, a in enumerate(self.space.axes) if mask >> n & 1)

    def _put(self, stage: int, item: Item, spans: Spans) -> None:
        while len(self.stages) <= stage:
            self.stages.append(([], {}))
        items, known = self.stages[stage]
        self.stages[stage] = ([*items, item], {**known, **spans})

    def _stored(self, node: Expr, value: Expr, stage: int) -> Expr:
        """The value goes to a scratch buffer over the axes that it depends on."""
        axes = self._kept(node)
        buffer = self.context.buffer(value.dtype, [a.extent for a in axes])
        offset = self.space.simplifier.offset(buffer.shape, axes)
        self._put(stage, Item(buffer, axes, offset, value), {})
        return Load(buffer, axes)

    def _chunks(self, node: Expr, value: Reduce, stage: int) -> Expr:
        """Partial results over chunks of the first axis, and the reduction that joins them."""
        kept = self._kept(node)
        axis = value.axes[0]
        size = self._chunk_size(value, kept)
        count: Dim = (axis.extent + (size - 1)) // size
        chunk, joined = Axis(count, "c"), Axis(count, "c")
        shape = [count, *(a.extent for a in kept)]
        buffer = self.context.buffer(value.dtype, shape)
        self.context.partial.add(buffer)
        offset = self.space.simplifier.offset(shape, [chunk, *kept])
        spans = {axis: columns.chunk_bounds(chunk, size, axis.extent)}
        self._put(stage, Item(buffer, (chunk, *kept), offset, value), spans)
        part = Load(buffer, (joined, *kept))
        if value.monoid not in ("argmax", "argmin"):
            return Reduce(value.monoid, (joined,), part, value.dtype)
        best = Reduce(value.monoid, (joined,), substitute(value.args[0], {axis: part}), int64)
        return Load(buffer, (best, *kept))

    def _columns(self, node: Expr, value: Reduce, stage: int) -> Expr:
        """Sums over chunks of rows, and the reduction that joins them."""
        kept = self._kept(node)
        axis, size = value.axes[0], columns.chunk_rows(value, kept)
        outer: tuple[Axis, ...] = ()
        joined: tuple[Axis, ...] = ()
        spans: Spans = {}
        if size:
            count: Dim = (axis.extent + (size - 1)) // size
            outer, joined = (Axis(count, "c"),), (Axis(count, "c"),)
            spans = {axis: columns.chunk_bounds(outer[0], size, axis.extent)}
        shape = [a.extent for a in (*outer, *kept)]
        buffer = self.context.buffer(value.dtype, shape)
        self.context.partial.add(buffer)
        self.context.columns.add(buffer)
        offset = self.space.simplifier.offset(shape, [*outer, *kept])
        self._put(stage, Item(buffer, (*outer, *kept), offset, value), spans)
        part = Load(buffer, (*joined, *kept))
        return Reduce(value.monoid, joined, part, value.dtype) if joined else part

    def _many_rows(self, value: Reduce, kept: Sequence[Axis]) -> int:
        """Rows of a partial sum of columns, a power of two: enough sums for all threads."""
        outputs = size_guess([a.extent for a in kept])
        rows, inner = guess(value.axes[0].extent), size_guess([a.extent for a in value.axes[1:]])
        wanted = max(rows * outputs // _GPU_PARTS, _GPU_LEAST // max(inner, 1), 1)
        size = 1
        while size < wanted:
            size *= 2
        return size

    def _chunk_size(self, value: Reduce, kept: Sequence[Axis]) -> int:
        if self.context.many and kept and not _along_memory(value, self.space):
            return self._many_rows(value, kept)
        inner = size_guess([a.extent for a in (*value.axes[1:], *kept)])
        if self.context.many:
            inner = size_guess([a.extent for a in value.axes[1:]])  # a team does one output's part
        nested = size_guess([a.extent for r in reduces(value.args) for a in r.axes])
        size = CHUNK
        while size > 1 and size * inner * max(1, nested) > CHUNK:
            size //= 2
        return _even(value.axes[0].extent) if size == CHUNK and not self.context.many else size


def _even(extent: Dim) -> int:
    """The largest chunk of whole vectors of which there are a multiple of four, or of two.

    Such chunks can be summed together (kernel/jam.py). CHUNK where there is none.
    """
    if isinstance(extent, int):
        for together in (4, 2):
            for size in range(CHUNK, CHUNK // 4, -_VECTOR):
                if extent % (together * size) == 0:
                    return size
    return CHUNK
