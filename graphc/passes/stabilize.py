"""Numerically stable forms of patterns that users write out by hand.

Each rule agrees with the plain form wherever that one is finite, and stays finite longer.
Imports passes.base and ops.define.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphc.ir.node import Node, Tensor
from graphc.ir.program import Program
from graphc.ops.define import F
from graphc.passes.base import RuleSet, apply_rules, uniform_value

RULES = RuleSet()
rule = RULES.rule


@dataclass(frozen=True)
class Stabilize:
    """Applies the rules until none fires. Valid in, valid out."""

    name: str = "stabilize"

    def run(self, program: Program) -> Program:
        return apply_rules(program, RULES)


@rule("log")
def log_softmax(node: Node, x: Tensor) -> Any:
    """log(softmax(x)) -> log_softmax(x)"""
    if x.node.op.name != "softmax":
        return None
    return F.log_softmax(*x.node.inputs, **x.node.attrs)


@rule("log")
def log_one_plus(node: Node, x: Tensor) -> Any:
    """log(1 + x) -> log1p(x)"""
    if x.node.op.name != "add":
        return None
    a, b = x.node.inputs
    if uniform_value(a) == 1 and b.dims == x.dims:
        return F.log1p(b)
    return F.log1p(a) if uniform_value(b) == 1 and a.dims == x.dims else None


@rule("log")
def log_sigmoid(node: Node, x: Tensor) -> Any:
    """log(sigmoid(x)) -> -softplus(-x)"""
    if x.node.op.name != "sigmoid":
        return None
    return F.negative(F.softplus(F.negative(x.node.inputs[0])))


@rule("subtract")
def exp_minus_one(node: Node, x: Tensor, y: Tensor) -> Any:
    """exp(x) - 1 -> expm1(x)"""
    if x.node.op.name == "exp" and uniform_value(y) == 1 and x.dims == node.outputs[0].dims:
        return F.expm1(x.node.inputs[0])
    return None
