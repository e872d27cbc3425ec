"""What the printers of loop nests share: expansion to base primitives, strides, loop contents.

Lives here: the prepared form of a kernel, the stride of an offset along an axis, what a loop
stores, updates and flags. Not here: any target's text. Printers import this module.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from graphc.ir.dtypes import int64
from graphc.kernel.approx import Expander
from graphc.kernel.expr import Axis, Buffer, Const, Expr, Local, Prim, postorder
from graphc.kernel.nest import (
    FLAG_DIV,
    FLAG_INDEX,
    Accum,
    For,
    Kernel,
    Let,
    Stmt,
    Store,
    Update,
    statements,
    stmt_exprs,
)
from graphc.kernel.prims import TABLE

FLAG_OF_EFFECT = {"index": FLAG_INDEX, "div": FLAG_DIV}


@dataclass(frozen=True)
class LoopInfo:
    """What happens in a loop's body, inner loops included.

    Attributes:
        stores: buffers that are written. updates: accumulators declared outside that are updated,
        in the order of their first update. flags: the status bits that its expressions may raise.
    """

    stores: frozenset[Buffer]
    updates: tuple[Local, ...]
    flags: int


class Prepared:
    """A kernel ready to be printed: base primitives only, equal expressions are one object.

    Attributes:
        kernel: as described. Its statements keep their expressions alive, so ids name them.
    """

    def __init__(self, kernel: Kernel, native: Collection[str] = ()) -> None:
        # native: primitives beyond the base ones that the printer's target has
        self.kernel = replace(kernel, body=_map_exprs(kernel.body, Expander(native).run))
        self._nodes: dict[int, list[Expr]] = {}
        self._flags: dict[int, int] = {}

    def nodes(self, stmt: Stmt) -> list[Expr]:
        """The distinct expressions that the statement itself evaluates, arguments first."""
        found = self._nodes.get(id(stmt))
        if found is None:
            found = self._nodes[id(stmt)] = postorder(*stmt_exprs(stmt))
        return found

    def flags(self, stmt: Stmt) -> int:
        """The status bits that the statement itself may raise."""
        found = self._flags.get(id(stmt))
        if found is None:
            found = 0
            for node in self.nodes(stmt):
                found |= effect_flag(node)
            self._flags[id(stmt)] = found
        return found

    def all_nodes(self) -> Iterator[Expr]:
        """The expressions of all statements; shared ones once for each statement."""
        for stmt in statements(self.kernel.body):
            yield from self.nodes(stmt)

    def loop(self, loop: For) -> LoopInfo:
        """What the loop's body does."""
        stores: set[Buffer] = set()
        declared: set[Local] = set()
        updated: dict[Local, None] = {}
        flags = 0
        for stmt in statements(loop.body):
            if isinstance(stmt, Store):
                stores.add(stmt.buffer)
            elif isinstance(stmt, Accum):
                declared.add(stmt.local)
            elif isinstance(stmt, Update):
                updated[stmt.local] = None
            flags |= self.flags(stmt)
        outer = tuple(local for local in updated if local not in declared)
        return LoopInfo(frozenset(stores), outer, flags)


def _map_exprs(body: Sequence[Stmt], fn: Callable[[Expr], Expr]) -> tuple[Stmt, ...]:
    return tuple(_map_stmt(stmt, fn) for stmt in body)


def _map_stmt(stmt: Stmt, fn: Callable[[Expr], Expr]) -> Stmt:
    if isinstance(stmt, Let):
        return Let(stmt.local, fn(stmt.value))
    if isinstance(stmt, Update):
        position = None if stmt.position is None else fn(stmt.position)
        return Update(stmt.local, fn(stmt.value), position)
    if isinstance(stmt, Store):
        return Store(stmt.buffer, fn(stmt.offset), fn(stmt.value), stmt.streamed)
    if isinstance(stmt, For):
        return replace(stmt, lo=fn(stmt.lo), hi=fn(stmt.hi), body=_map_exprs(stmt.body, fn))
    return stmt


def effect_flag(node: Expr) -> int:
    """The status bit that evaluating the node itself may raise, 0 for none."""
    if not isinstance(node, Prim):
        return 0
    flag = FLAG_OF_EFFECT.get(TABLE[node.name].effect, 0)
    if flag == FLAG_DIV and isinstance(node.args[1], Const) and node.args[1].value != 0:
        return 0
    return flag


# ------------------------------------------------------------------ strides
Varies = Callable[[Expr], bool]


def stride(offset: Expr, axis: Axis, varies: Varies, lets: Mapping[Local, Expr]) -> int | None:
    """The constant d with offset(axis + 1) = offset(axis) + d; None where there is none.

    Args:
        varies: whether an expression may change along the axis.
        lets: definitions of the locals that were bound inside the loop over the axis.
    """
    known: dict[int, int | None] = {}
    stack = [offset]
    while stack:
        node = stack[-1]
        if id(node) in known:
            stack.pop()
            continue
        missing = [a for a in _stride_args(node, axis, varies, lets) if id(a) not in known]
        if missing:
            stack.extend(missing)
            continue
        stack.pop()
        known[id(node)] = _node_stride(node, axis, varies, lets, known)
    return known[id(offset)]


def _stride_args(
    node: Expr, axis: Axis, varies: Varies, lets: Mapping[Local, Expr]
) -> tuple[Expr, ...]:
    if not varies(node) or node == axis:
        return ()
    if isinstance(node, Local):
        return (lets[node],) if node in lets else ()
    if isinstance(node, Prim) and node.dtype is int64 and node.name in ("add", "sub", "mul", "neg"):
        return node.args
    return ()


def _node_stride(
    node: Expr,
    axis: Axis,
    varies: Varies,
    lets: Mapping[Local, Expr],
    known: Mapping[int, int | None],
) -> int | None:
    if not varies(node):
        return 0
    if node == axis:
        return 1
    args = _stride_args(node, axis, varies, lets)
    steps = [known[id(a)] for a in args]
    if not args or any(s is None for s in steps):
        return None
    if isinstance(node, Local):
        return steps[0]
    assert isinstance(node, Prim)
    if node.name == "neg":
        return -steps[0]  # type: ignore[operator]
    if node.name == "add":
        return steps[0] + steps[1]  # type: ignore[operator]
    if node.name == "sub":
        return steps[0] - steps[1]  # type: ignore[operator]
    return _product_stride(args, steps)


def _product_stride(args: Sequence[Expr], steps: Sequence[int | None]) -> int | None:
    """The stride of a product: one factor must be a constant."""
    for this, other in ((0, 1), (1, 0)):
        factor, step = args[this], steps[other]
        if isinstance(factor, Const) and step is not None:
            return int(factor.value) * step
    return 0 if steps[0] == 0 and steps[1] == 0 else None
