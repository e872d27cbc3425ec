"""Layout: transposes that GEMM takes as flags.

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


@dataclass(frozen=True)
class Layout:
    """Applies the rules until none fires. Valid in, valid out."""

    name: str = "layout"

    def run(self, program: Program) -> Program:
        return apply_rules(program, RULES)


def _last_two_swapped(tensor: Tensor) -> bool:
    if tensor.node.op.name != "transpose":
        return False
    perm = tensor.node.attrs.get("perm")
    if perm is None:
        return tensor.rank == 2
    rank = len(perm)
    return rank >= 2 and tuple(perm) == (*range(rank - 2), rank - 1, rank - 2)


@rule("matmul")
def transpose_into_matmul(node: Node, a: Tensor, b: Tensor) -> Any:
    """matmul(transpose(a), b) -> matmul(a, b, transpose_a=True), and so for b"""
    swap_a, swap_b = _last_two_swapped(a), _last_two_swapped(b)
    if not swap_a and not swap_b:
        return None
    attrs = dict(node.attrs)
    if swap_a:
        attrs["transpose_a"] = not attrs["transpose_a"]
    if swap_b:
        attrs["transpose_b"] = not attrs["transpose_b"]
    left = a.node.inputs[0] if swap_a else a
    right = b.node.inputs[0] if swap_b else b
    return F.matmul(left, right, **attrs)
