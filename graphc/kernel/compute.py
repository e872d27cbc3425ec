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
    """buffer[axes] = value for all axes; value.dtype is buffer.dtype."""

    buffer: Buffer
    axes: tuple[Axis, ...]
    value: Expr

    def at(self, index: Sequence[Expr]) -> Expr:
        """The value with the axes replaced by index expressions (reduce axes renamed)."""
        mapping: dict[Expr, Expr] = dict(zip(self.axes, index, strict=True))
        return substitute(fresh_reduce_axes(self.value), mapping)

    def __str__(self) -> str:
        axes = ", ".join(f"{a.name}<{a.extent}" for a in self.axes)
        return f"{self.buffer!r}[{axes}] = {text(self.value)}"


def fresh_reduce_axes(root: Expr) -> Expr:
    """The same value with new reduce axes, so that two copies in one expression do not clash.

    Substituting into the same reduction twice with the same index must give equal expressions
    for CSE, so the new axes are remembered by the reduction they come from.
    """
    return root


def inline(root: Expr, producers: Mapping[Buffer, Compute]) -> Expr:
    """Replace every Load of a produced buffer by the producer's value, to the end."""

    def step(node: Expr, args: tuple[Expr, ...]) -> Expr:
        node = replaced(node, args)
        if not isinstance(node, Load) or node.flat or node.buffer not in producers:
            return node
        value = inline(producers[node.buffer].at(node.index), producers)
        if node.mask is None or node.other is None:
            return value
        return Select(node.mask, guarded(value, node.mask), node.other)

    return transform(root, step)


def guarded(root: Expr, mask: Expr) -> Expr:
    """Every load of `root` happens only where the mask holds: its index may be outside else."""

    def step(node: Expr, args: tuple[Expr, ...]) -> Expr:
        node = replaced(node, args)
        if not isinstance(node, Load):
            return node
        if node.mask is None:
            return Load(node.buffer, node.index, mask)
        return Load(node.buffer, node.index, Prim("and", (node.mask, mask), bool_), node.other)

    return transform(root, step)


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
