"""Neighbouring elements for one thread: iterations of a loop done together, loads first.

Lives here: grouped. Not here: which loops are parallel (kernel/spread.py), who does an iteration
(kernel/launch.py). Printers of GPU code import it; only kernel/ is imported.

A GPU moves 16 bytes a thread as one instruction, and hides the time that memory takes behind loads
that are under way. So a thread takes as many neighbours as fit into 16 bytes: the statements stand
once for each of them, what they load in front of all. A compiler makes one load of those side by
side. Bits are those of the iterations one by one, but for sums over a loop that is grouped: each
thread adds other elements then.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

from graphc.ir.dtypes import bool_, int64
from graphc.ir.shape import Dim
from graphc.kernel.copies import Copies
from graphc.kernel.expr import (
    Axis,
    Buffer,
    Const,
    DimValue,
    Expr,
    Load,
    Local,
    Prim,
    Select,
    index,
    postorder,
    replaced,
)
from graphc.kernel.linear import quick_linear
from graphc.kernel.nest import (
    Accum,
    For,
    Kernel,
    Let,
    Stmt,
    Store,
    statements,
    stmt_exprs,
)

BYTES = 16  # of one load
WIDTHS = (8, 4, 2)
LARGEST = 640  # expressions of a body, times neighbours: more need too many registers
ZERO, ONE = Const(0, int64), Const(1, int64)
Names = Iterator[int]  # numbers of what is loaded in front


def grouped(kernel: Kernel) -> Kernel:
    """The kernel with neighbours done together; itself where nothing is side by side.

    Give it a spread kernel: where a thread does an iteration of the parallel loop, iterations of
    that loop are grouped; where a team shares the vector loops, these.
    """
    first = kernel.body[0] if len(kernel.body) == 1 else None
    names = itertools.count(1)
    if not isinstance(first, For) or first.kind != "parallel":
        body = _in_rows(kernel.body, names)
        return kernel if body == kernel.body else replace(kernel, body=body)
    if any(isinstance(s, For) and s.kind == "vector" for s in statements(first.body)):
        body = _in_rows(first.body, names)
        if body == first.body:
            return kernel
        return replace(kernel, body=(replace(first, body=body),))
    width = _width(first.axis, first.body)
    try:
        return kernel if width == 1 else _flat(kernel, first, width, names)
    except _Uneven:
        return kernel


# ------------------------------------------------------------------ what may be grouped
def _width(axis: Axis, body: Sequence[Stmt]) -> int:
    """How many neighbours along the axis are done together; 1 where that is of no use."""
    work = len(postorder(*(e for s in statements(body) for e in stmt_exprs(s))))
    for width in WIDTHS if _hoistable(body) else ():
        sizes = [b.dtype.size for b in _side_by_side(axis, body, width)]
        if sizes and width * max(sizes) <= BYTES and width * work <= LARGEST:
            return width
    return 1


def _side_by_side(axis: Axis, body: Sequence[Stmt], width: int) -> list[Buffer]:
    """The buffers whose elements neighbours touch side by side; none if a store is not so."""
    found: list[Buffer] = []
    for stmt in statements(body):
        for node in postorder(*stmt_exprs(stmt)):
            if isinstance(node, Load) and not node.masked and _steps(node.index[0], axis, width):
                found.append(node.buffer)
        if isinstance(stmt, Store):
            if not _steps(stmt.offset, axis, width):
                return []
            found.append(stmt.buffer)
    return found


def _steps(offset: Expr, axis: Axis, width: int) -> bool:
    """Whether the offset goes one element on where the axis does, inside of a group."""
    form = quick_linear(_plain(offset, axis, width))
    if form is None or form.terms.get(axis, 0) != 1:
        return False
    return not any(t is not axis and axis in postorder(t) for t in form.terms)


def _plain(offset: Expr, axis: Axis, width: int) -> Expr:
    """The offset with quotients that are the same for all neighbours as numbers of their own."""
    new: dict[int, Expr] = {}
    for node in postorder(offset):
        made: Expr = replaced(node, tuple(new[id(a)] for a in node.args))
        if _constant_for_all(node, axis, width):
            assert isinstance(node, Prim) and isinstance(node.args[1], Const)
            quotient = Local(f"quotient{node.args[1].value}", int64)
            made = quotient if node.name == "floordiv" else axis - quotient * node.args[1]
        new[id(node)] = made
    return new[id(offset)]


def _constant_for_all(node: Expr, axis: Axis, width: int) -> bool:
    """Whether this is a quotient of the axis, or what it leaves, by a multiple of the width."""
    if not isinstance(node, Prim) or node.name not in ("floordiv", "floormod"):
        return False
    value, divisor = node.args
    fits = isinstance(divisor, Const) and divisor.value > 0 and divisor.value % width == 0
    return value is axis and fits


def _hoistable(body: Sequence[Stmt]) -> bool:
    """Whether loads may stand in front: nothing is loaded that a statement before has stored."""
    written: set[Buffer] = set()
    for stmt in statements(body):
        if any(isinstance(n, Load) and n.buffer in written for n in postorder(*stmt_exprs(stmt))):
            return False
        if isinstance(stmt, Store):
            written.add(stmt.buffer)
    loops = [s for s in statements(body) if isinstance(s, For)]
    return not any(isinstance(s, Store) for loop in loops for s in statements(loop.body))


# ------------------------------------------------------------------ the parallel loop
def _flat(kernel: Kernel, loop: For, width: int, names: Names) -> Kernel:
    """Groups of the parallel loop's iterations; the last one may be smaller."""
    extent = kernel.extent
    count: Dim = (extent + (width - 1)) // width
    group = Axis(count, "g")
    base = group * width
    if isinstance(extent, int) and extent % width == 0:
        body = _copies(loop.body, loop.axis, base, width, names)
    else:
        full = Prim("le", (base + width, index(extent)), bool_)
        whole = Select(full, ONE, ZERO)
        last = Prim("min", (base + width, index(extent)), int64)
        rest = Select(full, last, base)
        once, single = Axis(1, "once"), Axis(width, "e")
        alone = _renamed(loop.body, loop.axis, single, "_e")
        body = (
            For(once, ZERO, whole, _copies(loop.body, loop.axis, base, width, names)),
            For(single, rest, last, alone),
        )
    outer = For(group, ZERO, index(count), body, "parallel")
    dims = tuple(dict.fromkeys((*kernel.dims, *_dims(body))))
    return replace(kernel, body=(outer,), extent=count, grain=1, dims=dims)


def _dims(body: Sequence[Stmt]) -> Iterator[Dim]:
    for stmt in statements(body):
        for node in postorder(*stmt_exprs(stmt)):
            if isinstance(node, DimValue):
                yield node.dim


# ------------------------------------------------------------------ loops over rows
def _in_rows(body: Sequence[Stmt], names: Names) -> tuple[Stmt, ...]:
    """Vector loops whose number of elements is known and fits, in groups."""
    out: list[Stmt] = []
    for stmt in body:
        if not isinstance(stmt, For):
            out.append(stmt)
        elif stmt.kind != "vector":
            out.append(replace(stmt, body=_in_rows(stmt.body, names)))
        else:
            out.append(_row(stmt, names))
    return tuple(out)


def _row(loop: For, names: Names) -> For:
    width = _width(loop.axis, loop.body)
    while width > 1 and not (_over(loop.lo, width) and _over(loop.hi, width)):
        width //= 2
    starts = all(_aligned(o, loop.axis, width) for o in _offsets(loop.axis, loop.body))
    lo, hi = _over(loop.lo, width), _over(loop.hi, width)
    inner = any(isinstance(s, For) for s in loop.body)
    if width == 1 or not starts or inner or lo is None or hi is None:
        return loop
    group = Axis((loop.axis.extent + (width - 1)) // width, loop.axis.name)
    body = _copies(loop.body, loop.axis, group * width, width, names)
    return replace(loop, axis=group, lo=lo, hi=hi, body=body)


def _over(bound: Expr, width: int) -> Expr | None:
    """The bound of a loop over groups, None where a group would not end there."""
    if isinstance(bound, Prim) and bound.name == "min":
        ends = [_over(a, width) for a in bound.args]
        return None if None in ends else Prim("min", [e for e in ends if e is not None], int64)
    form = quick_linear(bound)
    if form is None or not isinstance(form.const, int):
        return None
    steps = list(form.terms.items())
    if form.const % width or not all(isinstance(s, int) and s % width == 0 for _, s in steps):
        return None
    total: Expr = Const(form.const // width, int64)
    for term, step in steps:
        total = term * (step // width) + total
    return total


def _offsets(axis: Axis, body: Sequence[Stmt]) -> Iterator[Expr]:
    for stmt in statements(body):
        for node in postorder(*stmt_exprs(stmt)):
            if isinstance(node, Load) and _steps(node.index[0], axis, 1):
                yield node.index[0]
        if isinstance(stmt, Store):
            yield stmt.offset


def _aligned(offset: Expr, axis: Axis, width: int) -> bool:
    """Whether a row begins where a group may: at a multiple of the width."""
    form = quick_linear(offset)
    if form is None:
        return False
    others = [step for term, step in form.terms.items() if term is not axis]
    const = form.const
    return all(isinstance(s, int) and s % width == 0 for s in (*others, const))


# ------------------------------------------------------------------ copies
def _copies(
    body: Sequence[Stmt], axis: Axis, base: Expr, width: int, names: Names
) -> tuple[Stmt, ...]:
    """The statements once for each neighbour, joined loop by loop; loads stand in front."""
    return tuple(_Copies(axis, base, width, names).block(body))


class _Uneven(Exception):
    """Neighbours go round a loop differently often."""


class _Copies(Copies):
    """One body `width` times over, the axis at base, base + 1, ..."""

    def __init__(
        self, axis: Axis, base: Expr, width: int, names: Names, mark: str = "_"
    ) -> None:
        super().__init__([{axis: base + n if n else base} for n in range(width)], mark)
        self.axis = axis
        self.base = base
        self.width = width
        self.names = names

    def block(self, body: Sequence[Stmt]) -> list[Stmt]:
        out: list[Stmt] = []
        loads = self._loads(body)
        for load in loads:
            name = f"v{next(self.names)}"
            for n in range(self.width):
                local = Local(f"{name}_{n}", load.dtype)
                out.append(Let(local, self.at(load, n)))
                self.maps[n][load] = local
        for stmt in body:
            out += self._statement(stmt)
        for load in loads:
            for n in range(self.width):
                del self.maps[n][load]
        return [s for s in out if not isinstance(s, Store)] + [
            s for s in out if isinstance(s, Store)
        ]

    def _loads(self, body: Sequence[Stmt]) -> list[Load]:
        """What these statements load themselves side by side, in order, each once."""
        names: set[Expr] = {s.local for s in body if isinstance(s, Let | Accum)}
        names.update(s.best for s in body if isinstance(s, Accum) and s.best is not None)
        found: dict[Load, None] = {}
        for stmt in body:
            if isinstance(stmt, For):
                continue
            for node in postorder(*stmt_exprs(stmt)):
                if not isinstance(node, Load) or node.masked:
                    continue
                needs = {e for e in postorder(*node.args) if isinstance(e, Local)}
                if _steps(node.index[0], self.axis, self.width) and not needs & names:
                    found[node] = None
        return list(found)

    def _statement(self, stmt: Stmt) -> list[Stmt]:
        if isinstance(stmt, For):
            return [self._loop(stmt)]
        if isinstance(stmt, Let) and stmt.value in self.maps[0]:
            for names in self.maps:
                names[stmt.local] = names[stmt.value]  # it is there already
            return []
        if isinstance(stmt, Let) and not self._varies(stmt.value):
            # the same for all neighbours
            value = self.at(stmt.value, 0)
            for names in self.maps:
                names[stmt.local] = stmt.local
            return [Let(stmt.local, value)]
        return [self.copy(stmt, n) for n in range(self.width)]

    def _varies(self, value: Expr) -> bool:
        """Whether the copies of an expression differ."""
        return self.at(value, 0) != self.at(value, self.width - 1)

    def _loop(self, loop: For) -> For:
        if self._varies(loop.lo) or self._varies(loop.hi):
            raise _Uneven
        lo, hi = self.at(loop.lo, 0), self.at(loop.hi, 0)
        for names in self.maps:
            names[loop.axis] = loop.axis
        return replace(loop, lo=lo, hi=hi, body=tuple(self.block(loop.body)))

    def at(self, root: Expr, n: int) -> Expr:
        """The expression of one neighbour."""
        names = self.maps[n]
        new: dict[int, Expr] = {}
        for node in postorder(root):
            found = names.get(node)
            if found is None:
                found = _divided(node, self.axis, self.base, self.width, n)
            new[id(node)] = found or replaced(node, tuple(new[id(a)] for a in node.args))
        return new[id(root)]


def _divided(node: Expr, axis: Axis, base: Expr, width: int, n: int) -> Expr | None:
    """A quotient that is the same for all neighbours, or what it leaves, by the first one's."""
    if width == 1 or not _constant_for_all(node, axis, width):
        return None
    assert isinstance(node, Prim)
    divisor = node.args[1]
    assert isinstance(divisor, Const)
    # of the group's number: what is left is a multiple of the width, as compilers see then
    group = base.args[0]
    first = Prim(node.name, (group, Const(divisor.value // width, int64)), int64)
    return first if node.name == "floordiv" else first * width + n


def _renamed(body: Sequence[Stmt], axis: Axis, new: Axis, suffix: str) -> tuple[Stmt, ...]:
    """The body on another axis, its loops and locals with names of their own."""
    made = _Copies(axis, new, 1, itertools.count(1), suffix)
    names = made.maps[0]

    def visit(stmts: Sequence[Stmt]) -> list[Stmt]:
        out: list[Stmt] = []
        for stmt in stmts:
            if isinstance(stmt, For):
                own = Axis(stmt.axis.extent, stmt.axis.name + suffix)
                lo, hi = made.at(stmt.lo, 0), made.at(stmt.hi, 0)
                names[stmt.axis] = own
                out.append(replace(stmt, axis=own, lo=lo, hi=hi, body=tuple(visit(stmt.body))))
            else:
                out.append(made.copy(stmt, 0))
        return out

    return tuple(visit(body))
