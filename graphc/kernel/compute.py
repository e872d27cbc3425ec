"""Level A of the kernel IR: Compute, a tensor as an index expression, and inlining.

Lives here: Compute, substitution of one Compute into another, work counts. Not here: how an op
becomes a Compute (ops/define.py), loops (kernel/lower.py).

Fusion is substitution: a Load of a buffer that another Compute defines is replaced by that
Compute's value with its axes set to the load's index.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphc.ir.dtypes import bool_
from graphc.kernel.expr import (
    Axis,
    Buffer,
    Const,
    DimValue,
    Expr,
    Load,
    Prim,
    Reduce,
    Select,
    postorder,
    replaced,
    substitute,
    text,
    transform,
)
from graphc.kernel.prims import TABLE


@dataclass(frozen=True)
class Compute:
    """buffer[axes] = value for all axes; value.dtype is buffer.dtype.

    sums: its reductions go over the leading axes of the group's other Computes, along with them.
    """

    buffer: Buffer
    axes: tuple[Axis, ...]
    value: Expr
    sums: bool = False

    def at(self, index: Sequence[Expr]) -> Expr:
        """The value with the axes replaced by index expressions, its reduce axes new."""
        mapping: dict[Expr, Expr] = dict(zip(self.axes, index, strict=True))
        return substitute(fresh_reduce_axes(self.value), mapping)

    def __str__(self) -> str:
        axes = ", ".join(f"{a.name}<{a.extent}" for a in self.axes)
        return f"{self.buffer!r}[{axes}] = {text(self.value)}"


def fresh_reduce_axes(root: Expr, made: dict[Axis, Axis] | None = None) -> Expr:
    """The same value with new reduce axes, so that no index put into it can be captured.

    A reduction that occurs twice in `root` stays one shared expression. Copies made by different
    calls differ in their axes; kernel/lower.py gives equal reductions equal axes again.
    `made` receives the old axis of each new one.
    """
    if not has_reduce(root):
        return root
    new: dict[int, Expr] = {}
    for node in postorder(root):
        done = replaced(node, tuple(new[id(a)] for a in node.args))
        if isinstance(done, Reduce):
            axes = tuple(Axis(a.extent, a.name) for a in done.axes)
            mapping: dict[Expr, Expr] = dict(zip(done.axes, axes, strict=True))
            if made is not None:
                made.update(zip(axes, done.axes, strict=True))
            body = substitute(done.args[0], mapping)
            done = Reduce(done.monoid, axes, body, done.dtype)
        new[id(node)] = done
    return new[id(root)]


def inline(root: Expr, producers: Mapping[Buffer, Compute]) -> Expr:
    """Replace every Load of a produced buffer by the producer's value, to the end.

    Loads with equal indices become one shared expression, so that it is computed once.
    """
    solved: dict[Expr, Expr] = {}
    pending: list[tuple[Load | None, Expr]] = [(None, root)]
    while pending:
        load, value = pending[-1]
        if load in solved:
            pending.pop()
            continue
        missing: dict[Load, None] = {}

        def step(node: Expr, args: tuple[Expr, ...]) -> Expr:
            node = replaced(node, args)
            if not isinstance(node, Load) or node.flat or node.buffer not in producers:
                return node
            found = solved.get(node)
            if found is None:
                missing[node] = None  # noqa: B023 - called in this round only
                return node
            return found

        value = transform(value, step)
        if missing:
            # producers first: a chain of them must not be a chain of Python calls
            pending[-1] = (load, value)
            pending.extend((m, producers[m.buffer].at(m.index)) for m in missing)
            continue
        pending.pop()
        if load is None:
            return value
        if load.mask is not None and load.other is not None:
            value = Select(load.mask, guarded(value, load.mask), load.other)
        solved[load] = value
    raise AssertionError("inline: the root was not reached")


def guarded(root: Expr, mask: Expr) -> Expr:
    """Every load of `root` happens, and every index or divisor counts, only where mask holds."""

    def step(node: Expr, args: tuple[Expr, ...]) -> Expr:
        node = replaced(node, args)
        if isinstance(node, Prim) and TABLE[node.name].effect:
            first, second = node.args
            if TABLE[node.name].effect == "index":
                first = Select(mask, first, Const(0, first.dtype))
            if not isinstance(second, DimValue | Const) or const_zero(second):
                second = Select(mask, second, Const(1, second.dtype))
            return node.rebuild((first, second))
        if not isinstance(node, Load):
            return node
        if node.mask is None:
            return Load(node.buffer, node.index, mask, flat=node.flat)
        both = Prim("and", (node.mask, mask), bool_)
        return Load(node.buffer, node.index, both, node.other, node.flat)

    return transform(root, step)


def const_zero(expr: Expr) -> bool:
    return isinstance(expr, Const) and not expr.value


def scalar_ops(root: Expr) -> int:
    """How many scalar operations one element takes, reductions counted once."""
    return sum(isinstance(n, Prim | Select) for n in postorder(root))


def scalar_cost(root: Expr) -> float:
    """Cost of one element by the primitives' table, reductions counted once."""
    total = 0.0
    for node in postorder(root):
        if isinstance(node, Prim):
            total += TABLE[node.name].cost
        elif isinstance(node, Select):
            total += 1.0
    return total


def has_reduce(root: Expr) -> bool:
    return any(isinstance(n, Reduce) for n in postorder(root))
