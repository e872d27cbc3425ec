"""Data movement: movements that cancel, compose or do nothing.

Imports passes.base and ops.define.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphc.ir.node import Node, Tensor
from graphc.ir.program import Program
from graphc.ops.define import F
from graphc.passes.base import RuleSet, apply_rules

RULES = RuleSet()
rule = RULES.rule
VIEWS = ("reshape", "expand_dims", "squeeze")


@dataclass(frozen=True)
class Movement:
    """Applies the rules until none fires. Valid in, valid out."""

    name: str = "movement"

    def run(self, program: Program) -> Program:
        return apply_rules(program, RULES)


@rule(*VIEWS, "broadcast_to", "tile", "slice", "strided_slice", "pad")
def moves_nothing(node: Node, x: Tensor, *rest: Tensor) -> Any:
    """a movement to the same shape that keeps every element -> x"""
    if x.dims != node.outputs[0].dims:
        return None
    if node.op.name in (*VIEWS, "broadcast_to", "tile"):
        return x
    if node.op.name == "slice":
        return x  # same extents: begins must be zero
    return None


@rule("reshape")
def reshape_of_view(node: Node, x: Tensor, shape: Tensor) -> Any:
    """reshape(reshape(x)) -> reshape(x); likewise behind expand_dims and squeeze"""
    if x.node.op.name not in VIEWS:
        return None
    source = x.node.inputs[0]
    return F.reshape(source, shape)


@rule("transpose")
def transpose_identity(node: Node, x: Tensor, *rest: Tensor) -> Any:
    """transpose(x, (0, 1, ..)) -> x; transpose(transpose(x)) -> one transpose or none"""
    perm = node.attrs.get("perm")
    if perm is None:
        return None
    if tuple(perm) == tuple(range(len(perm))):
        return x
    if x.node.op.name == "transpose" and x.node.attrs.get("perm") is not None:
        inner = x.node.attrs["perm"]
        joined = tuple(inner[p] for p in perm)
        source = x.node.inputs[0]
        return source if joined == tuple(range(len(perm))) else F.transpose(source, perm=joined)
    return None
