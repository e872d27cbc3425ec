"""Where int64 arithmetic of a nest must wrap, and where it is an index and cannot overflow.

Lives here: that analysis, for render/numba_values.py and numba_source.py. Imports only the
kernel IR.

Numba tells LLVM that + - * on int64 never overflow. That is true of offsets into memory and of
sums and products of loop variables, and lets loops be vectorised. For the user's own integers,
which wrap, it would be wrong: LLVM proves divisors non-zero by it, and the division traps.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from graphc.kernel.expr import Axis, Const, DimValue, Expr, Load, Local, Prim
from graphc.kernel.nest import For, Kernel, Let, Stmt, Store, Update

RING = ("add", "sub", "mul", "neg")
_SMALL = 1 << 31


def is_ring(node: Expr) -> bool:
    """Whether the node is one of + - * and negation on int64."""
    return isinstance(node, Prim) and node.name in RING and node.dtype.name == "int64"


def exact_nodes(root: Expr, exact: bool) -> set[Expr]:
    """The nodes under `root` whose value counts as a number, not only as an offset.

    Args:
        exact: whether the root itself does.
    """
    seen: set[tuple[int, bool]] = set()
    out: set[Expr] = set()
    stack = [(root, exact)]
    while stack:
        node, counts = stack.pop()
        if (id(node), counts) in seen:
            continue
        seen.add((id(node), counts))
        if counts:
            out.add(node)
        if isinstance(node, Load):
            stack.extend((a, False) for a in node.index)
            stack.extend((a, True) for a in node.args[len(node.index) :])
        else:
            stack.extend((a, counts or not is_ring(node)) for a in node.args)
    return out


def small(node: Expr, locals_: Container[Expr], done: Container[Expr]) -> bool:
    """Whether an index expression over loop variables cannot overflow.

    Args:
        locals_: the locals that hold such expressions. done: the ring nodes known to be such.
    """
    if isinstance(node, Const):
        return node.dtype.name == "int64" and abs(node.value) < _SMALL
    if isinstance(node, Axis | DimValue):
        return True
    if isinstance(node, Local):
        return node in locals_
    return node in done


def value_locals(kernel: Kernel) -> set[Expr]:
    """The locals that are read as numbers; the others serve offsets and bounds only."""
    found: set[Expr] = set()

    def read(root: Expr, exact: bool) -> None:
        found.update(n for n in exact_nodes(root, exact) if isinstance(n, Local))

    def block(body: Sequence[Stmt]) -> None:
        # backwards: what reads a local stands behind its definition
        for stmt in reversed(body):
            if isinstance(stmt, For):
                block(stmt.body)
                read(stmt.lo, False)
                read(stmt.hi, False)
            elif isinstance(stmt, Let):
                read(stmt.value, stmt.local in found)
            elif isinstance(stmt, Store):
                read(stmt.offset, False)
                read(stmt.value, True)
            elif isinstance(stmt, Update):
                read(stmt.value, True)
                if stmt.position is not None:
                    read(stmt.position, True)

    block(kernel.body)
    return found
