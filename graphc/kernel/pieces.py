"""Vector loops in pieces, so that conditions and divisions of their index are settled outside.

Lives here: in_pieces, all_in_pieces. Not here: how nests are made (kernel/lower.py). Plans call
them on the kernels of their schedule; only kernel/ is imported.

Where a value hangs on `j < c`, as in concat, pad and the gradients of slices, the loop over j is
cut at c: each piece knows the answer, and reads no more than it needs. Where an index is made of
`j // d` and `j % d`, as behind a reshape or a transpose of heads, the loop becomes two, and a
gather a plain load. Only loops that store and do not accumulate are changed, so that all results
keep their bits.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import count, pairwise

from graphc.ir.dtypes import bool_, int64
from graphc.kernel import linear as L
from graphc.kernel.compute import scalar_ops
from graphc.kernel.expr import (
    Axis,
    Const,
    DimValue,
    Expr,
    Local,
    Prim,
    const,
    postorder,
    replaced,
    substitute,
    transform,
)
from graphc.kernel.nest import (
    For,
    Kernel,
    Let,
    Stmt,
    Store,
    renamed,
    statements,
    stmt_exprs,
)
from graphc.kernel.optimize import BASE_LANES
from graphc.kernel.simplify import Simplifier

MAX_PIECES = 8
MAX_OPS = 400  # scalar operations of all pieces together: code takes time to compile
SHORTEST = 8  # an inner loop of fewer iterations would not fill a vector
# what the comparison of j + k with 0 tells changes at -k, or one further
_CUTS = {"lt": 0, "ge": 0, "le": 1, "gt": 1}
_DIVISIONS = frozenset({"floordiv", "floormod"})
_MIRRORED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}


def in_pieces(kernel: Kernel) -> Kernel:
    """The same kernel, bit for bit, with simpler loops; itself where there is nothing to gain."""
    if not _worth_a_look(kernel):
        return kernel
    body = _Cutter(kernel).block(kernel.body)
    if body == kernel.body:
        return kernel
    # sums with a symbol may have become symbols of their own
    roots = [e for s in statements(body) for e in stmt_exprs(s)]
    dims = dict.fromkeys(kernel.dims)
    dims.update((n.dim, None) for n in postorder(*roots) if isinstance(n, DimValue))
    return dataclasses.replace(kernel, dims=tuple(dims), body=body)


def all_in_pieces(kernels: Iterable[Kernel]) -> list[Kernel]:
    """`in_pieces` of each; kernels that differ in names alone are cut once."""
    done: dict[Hashable, tuple[Kernel, Kernel]] = {}
    out: list[Kernel] = []
    for kernel in kernels:
        if not _worth_a_look(kernel):
            out.append(kernel)
            continue
        key = (kernel.key(), kernel.dims, kernel.extent)
        known = done.get(key)
        if known is None:
            cut = in_pieces(kernel)
            done[key] = (kernel, cut)
        else:
            first, cut = known
            to = dict(zip(first.buffers, kernel.buffers, strict=True))
            cut = renamed(cut, kernel.name, kernel.origins, to)
        out.append(cut)
    return out


def _worth_a_look(kernel: Kernel) -> bool:
    return any(_is_open(s) and _may_gain(s) for s in statements(kernel.body))


def _is_open(stmt: Stmt) -> bool:
    """Whether the statement is a loop that may be cut: over all of a fixed extent, only storing."""
    return (
        isinstance(stmt, For)
        and stmt.kind == "vector"
        and isinstance(stmt.lo, Const)
        and isinstance(stmt.hi, Const)
        and stmt.lo.value == 0
        and all(isinstance(s, Let | Store) for s in stmt.body)
    )


def _may_gain(loop: Stmt) -> bool:
    """Whether anything in the loop hangs on a comparison or division of indices: most do not."""
    assert isinstance(loop, For)
    return any(
        (n.name in _CUTS and n.args[0].dtype is int64)
        or (n.name in _DIVISIONS and n.dtype is int64)
        for n in _prims(loop.body)
    )


class _Cutter:
    """The loops of one kernel; new names are made here."""

    def __init__(self, kernel: Kernel) -> None:
        self.names = {s.local.name for s in statements(kernel.body) if isinstance(s, Let)}
        self.names |= {s.axis.name for s in statements(kernel.body) if isinstance(s, For)}

    def fresh(self, name: str) -> str:
        """A name that nothing in the kernel has."""
        found = next(n for n in (f"{name}_{k}" for k in count(1)) if n not in self.names)
        self.names.add(found)
        return found

    def block(self, body: Sequence[Stmt]) -> tuple[Stmt, ...]:
        out: list[Stmt] = []
        for stmt in body:
            if not isinstance(stmt, For):
                out.append(stmt)
            elif _is_open(stmt):
                out.extend(self.loop(stmt) if _may_gain(stmt) else [stmt])
            else:
                out.append(dataclasses.replace(stmt, body=self.block(stmt.body)))
        return tuple(out)

    def loop(self, loop: For) -> list[Stmt]:
        """The loops that stand for one."""
        body = _with_indices_inside(loop.body)
        length = _length(loop)
        edges = [0, *_edges(loop.axis, body, length), length]
        work = sum(scalar_ops(e) for s in body for e in stmt_exprs(s))
        if len(edges) - 1 > min(MAX_PIECES, max(1, MAX_OPS // max(work, 1))):
            edges = [0, length]
        if len(edges) == 2 and not _divides(_divisor(loop.axis, body), length):
            return [loop]
        out: list[Stmt] = []
        for low, high in pairwise(edges):
            out.extend(self.nested(self.piece(loop, body, low, high)))
        return out

    def piece(self, loop: For, body: Sequence[Stmt], low: int, high: int) -> For:
        """The loop over [low, high), counted from 0."""
        axis = Axis(high - low, self.fresh(loop.axis.name))
        return self.rewritten(loop, body, {loop.axis: _plus(axis, low)}, axis)

    def rewritten(
        self, loop: For, body: Sequence[Stmt], mapping: dict[Axis, Expr], axis: Axis
    ) -> For:
        """A loop over `axis` with the body's expressions in terms of it."""
        simplifier = Simplifier(mapping)
        locals_: dict[Expr, Expr] = {}
        stmts: list[Stmt] = []
        for stmt in body:
            if isinstance(stmt, Let):
                name = Local(self.fresh(stmt.local.name), stmt.local.dtype)
                stmts.append(Let(name, simplifier(substitute(stmt.value, locals_))))
                locals_[stmt.local] = name
            else:
                assert isinstance(stmt, Store)
                offset = simplifier(substitute(stmt.offset, locals_))
                stmts.append(
                    Store(stmt.buffer, offset, simplifier(substitute(stmt.value, locals_)))
                )
        assert isinstance(axis.extent, int)
        lanes = min(loop.lanes, max(BASE_LANES, 1 << (axis.extent - 1).bit_length()))
        return For(axis, const(0, int64), const(axis.extent, int64), _used(stmts), "vector", lanes)

    def nested(self, loop: For) -> list[Stmt]:
        """The loop as two, where its index is divided by a number that divides its extent."""
        divisor, length = _divisor(loop.axis, loop.body), _length(loop)
        if not _divides(divisor, length):
            return [loop]
        outer = Axis(length // divisor, self.fresh(loop.axis.name))
        inner = Axis(divisor, self.fresh(loop.axis.name))
        whole = Prim("add", (Prim("mul", (outer, const(divisor, int64)), int64), inner), int64)
        made = self.rewritten(loop, loop.body, {loop.axis: whole}, inner)
        rest = tuple(self.loop(made))
        return [For(outer, const(0, int64), const(length // divisor, int64), rest)]


def _length(loop: For) -> int:
    assert isinstance(loop.hi, Const)
    return int(loop.hi.value)


def _plus(axis: Axis, low: int) -> Expr:
    return Prim("add", (axis, const(low, int64)), int64) if low else axis


# ------------------------------------------------------------------ bodies
def _with_indices_inside(body: Sequence[Stmt]) -> list[Stmt]:
    """The body with indices and conditions where they are used, not in locals."""
    inside: dict[Expr, Expr] = {}
    out: list[Stmt] = []
    for stmt in body:
        if isinstance(stmt, Let):
            value = _replaced_locals(stmt.value, inside)
            if value.dtype in (int64, bool_):
                inside[stmt.local] = value
            else:
                out.append(Let(stmt.local, value))
        else:
            assert isinstance(stmt, Store)
            offset, value = (_replaced_locals(e, inside) for e in (stmt.offset, stmt.value))
            out.append(Store(stmt.buffer, offset, value))
    return out


def _replaced_locals(root: Expr, known: dict[Expr, Expr]) -> Expr:
    def step(node: Expr, args: tuple[Expr, ...]) -> Expr:
        return known.get(node, node) if isinstance(node, Local) else replaced(node, args)

    return transform(root, step) if known else root


def _used(body: Sequence[Stmt]) -> tuple[Stmt, ...]:
    """Without locals that nothing reads any more."""
    out: list[Stmt] = []
    read: set[Expr] = set()
    for stmt in reversed(body):
        if isinstance(stmt, Let) and stmt.local not in read:
            continue
        read.update(n for n in postorder(*stmt_exprs(stmt)) if isinstance(n, Local))
        out.append(stmt)
    return tuple(reversed(out))


def _prims(body: Sequence[Stmt]) -> Iterator[Prim]:
    roots = [e for stmt in body for e in stmt_exprs(stmt)]
    return (n for n in postorder(*roots) if isinstance(n, Prim))


# ------------------------------------------------------------------ where to cut
def _edges(axis: Axis, body: Sequence[Stmt], length: int) -> list[int]:
    """Where what a comparison of the index with a number tells changes."""
    simplifier = Simplifier()
    found: set[int] = set()
    for node in _prims(body):
        if node.name in _CUTS and node.args[0].dtype is int64:
            edge = _edge(axis, node.name, *(simplifier.form(simplifier(a)) for a in node.args))
            if edge is not None and 0 < edge < length:
                found.add(edge)
    return sorted(found)


def _edge(axis: Axis, name: str, a: L.Linear, b: L.Linear) -> int | None:
    gap = L.add(a, b, -1)
    factor = gap.terms.get(axis)
    if len(gap.terms) != 1 or factor not in (1, -1) or not isinstance(gap.const, int):
        return None
    if factor == -1:
        name, gap = _MIRRORED[name], L.scale(gap, -1)
    assert isinstance(gap.const, int)
    return _CUTS[name] - gap.const


def _divides(divisor: int, length: int) -> bool:
    """Whether loops of `divisor` iterations make up one of `length`, and are long enough."""
    return SHORTEST <= divisor < length and length % divisor == 0


def _divisor(axis: Axis, body: Sequence[Stmt]) -> int:
    """The smallest number that the index is divided by, if it divides all the others; else 0."""
    found: set[int] = set()
    for node in _prims(body):
        if node.name not in _DIVISIONS or node.dtype is not int64:
            continue
        by = node.args[1]
        if not any(n is axis or n == axis for n in postorder(node.args[0])):
            continue
        if not isinstance(by, Const):
            return 0
        found.add(int(by.value))
    smallest = min(found, default=0)
    return smallest if smallest > 0 and all(d % smallest == 0 for d in found) else 0
