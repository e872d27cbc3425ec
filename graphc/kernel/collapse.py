"""Two loops as one: the parallel loop and the one right inside of it.

Lives here: collapsed, mapped. Not here: who needs finer tasks (runtime/chains.py), threads of a GPU
(kernel/spread.py). Imports kernel only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphc.kernel import prims as k
from graphc.kernel.expr import Axis, Expr, index
from graphc.kernel.linear import as_dim
from graphc.kernel.nest import For, Kernel, Let, Stmt, Store, Update
from graphc.kernel.optimize import grain
from graphc.kernel.simplify import Simplifier


def collapsed(kernel: Kernel) -> Kernel | None:
    """The kernel with one parallel loop for its two outermost loops; None where it has not two.

    Every iteration divides once to know where it is; offsets that the two loops made together are
    offsets of the one again.
    """
    outer = kernel.body[0] if len(kernel.body) == 1 else None
    if not isinstance(outer, For) or outer.kind != "parallel" or len(outer.body) != 1:
        return None
    inner = outer.body[0]
    if not isinstance(inner, For) or inner.kind != "serial" or as_dim(inner.lo) != 0:
        return None
    extent = inner.axis.extent
    if as_dim(inner.hi) != extent:
        return None
    both = Axis(outer.axis.extent * extent, outer.axis.name)
    simplifier = Simplifier(
        {
            outer.axis: k.floordiv(both, index(extent)),
            inner.axis: k.floormod(both, index(extent)),
        }
    )
    loop = replace(
        outer, axis=both, hi=index(both.extent), body=mapped(inner.body, simplifier)
    )
    return replace(kernel, body=(loop,), extent=both.extent, grain=grain(loop))


def mapped(body: Sequence[Stmt], simplifier: Simplifier) -> tuple[Stmt, ...]:
    """Statements with their expressions rewritten."""
    out: list[Stmt] = []
    for stmt in body:
        if isinstance(stmt, Let):
            stmt = replace(stmt, value=simplifier(stmt.value))
        elif isinstance(stmt, Update):
            position: Expr | None = stmt.position
            position = None if position is None else simplifier(position)
            stmt = replace(stmt, value=simplifier(stmt.value), position=position)
        elif isinstance(stmt, Store):
            stmt = replace(stmt, offset=simplifier(stmt.offset), value=simplifier(stmt.value))
        elif isinstance(stmt, For):
            lo, hi = simplifier(stmt.lo), simplifier(stmt.hi)
            stmt = replace(stmt, lo=lo, hi=hi, body=mapped(stmt.body, simplifier))
        out.append(stmt)
    return tuple(out)
