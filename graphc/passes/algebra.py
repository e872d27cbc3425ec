"""Algebraic simplification: identities that hold for every value, NaN and infinity included.

Lives here: the rules. `x * 0 -> 0` and `x - x -> 0` are not rules: they lose NaN. Imports
passes.base and ops.define.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Node, Tensor
from graphc.ir.program import Program
from graphc.ops.define import F
from graphc.passes.base import RuleSet, apply_rules, uniform_value

RULES = RuleSet()
rule = RULES.rule


@dataclass(frozen=True)
class Algebra:
    """Applies the rules until none fires. Valid in, valid out."""

    name: str = "algebra"

    def run(self, program: Program) -> Program:
        return apply_rules(program, RULES)


def _like(value: Tensor, node: Node) -> Tensor | None:
    """`value` if it has the node's type, else None: broadcasting must not be lost."""
    out = node.outputs[0]
    return value if value.dtype is out.dtype and value.dims == out.dims else None


@rule("multiply")
def mul_one(node: Node, x: Tensor, y: Tensor) -> Any:
    """x * 1 -> x"""
    if uniform_value(y) == 1:
        return _like(x, node)
    return _like(y, node) if uniform_value(x) == 1 else None


@rule("add")
def add_zero(node: Node, x: Tensor, y: Tensor) -> Any:
    """x + 0 -> x for integers; floats keep it: -0.0 + 0 is 0.0"""
    if not node.outputs[0].dtype.is_integer:
        return None
    if uniform_value(y) == 0:
        return _like(x, node)
    return _like(y, node) if uniform_value(x) == 0 else None


@rule("subtract")
def sub_zero(node: Node, x: Tensor, y: Tensor) -> Any:
    """x - 0 -> x"""
    zero = uniform_value(y)
    # x - (-0.0) would turn -0.0 into 0.0
    return _like(x, node) if zero == 0 and str(zero) != "-0.0" else None


@rule("divide", "floordiv", "truncatediv")
def div_one(node: Node, x: Tensor, y: Tensor) -> Any:
    """x / 1 -> x"""
    if node.op.name != "divide" and not node.outputs[0].dtype.is_integer:
        return None
    return _like(x, node) if uniform_value(y) == 1 else None


@rule("pow")
def pow_small(node: Node, x: Tensor, y: Tensor) -> Any:
    """x ** 2 -> x * x, x ** 1 -> x, x ** 0.5 stays (it differs from sqrt at -0.0 and -inf)"""
    exponent = uniform_value(y)
    if exponent == 1:
        return _like(x, node)
    if exponent == 2 and x.dims == node.outputs[0].dims:
        return F.multiply(x, x)
    return None


@rule("negative")
def neg_neg(node: Node, x: Tensor) -> Any:
    """-(-x) -> x"""
    return x.node.inputs[0] if x.node.op.name == "negative" else None


@rule("add")
def add_neg(node: Node, x: Tensor, y: Tensor) -> Any:
    """x + (-y) -> x - y"""
    if y.node.op.name == "negative" and node.outputs[0].dtype.is_floating:
        return F.subtract(x, y.node.inputs[0])
    return None


@rule("subtract")
def sub_neg(node: Node, x: Tensor, y: Tensor) -> Any:
    """x - (-y) -> x + y"""
    if y.node.op.name == "negative" and node.outputs[0].dtype.is_floating:
        return F.add(x, y.node.inputs[0])
    return None


@rule("cast")
def cast_same(node: Node, x: Tensor) -> Any:
    """cast(x, dtype of x) -> x"""
    return x if x.dtype is node.outputs[0].dtype else None


@rule("identity", "stop_gradient", "placeholder_with_default", "prevent_gradient")
def no_copy(node: Node, x: Tensor) -> Any:
    """identity(x) -> x: values are immutable in a program"""
    return x if x.dims == node.outputs[0].dims else None


@rule("add_n")
def add_n_small(node: Node, *xs: Tensor) -> Any:
    """add_n(x) -> x, add_n(x, y) -> x + y"""
    if len(xs) == 1:
        return xs[0]
    return F.add(xs[0], xs[1]) if len(xs) == 2 else None


@rule("logical_not")
def not_not(node: Node, x: Tensor) -> Any:
    """not not x -> x"""
    return x.node.inputs[0] if x.node.op.name == "logical_not" else None


@rule("logical_not")
def not_compare(node: Node, x: Tensor) -> Any:
    """not (x == y) -> x != y; ordered comparisons stay: NaN"""
    if x.node.op.name == "equal":
        return F.not_equal(*x.node.inputs)
    return F.equal(*x.node.inputs) if x.node.op.name == "not_equal" else None


@rule("divide")
def div_const(node: Node, x: Tensor, y: Tensor) -> Any:
    """x / 2**k -> x * 2**-k: exact"""
    import math

    value = uniform_value(y)
    if not isinstance(value, float) or not math.isfinite(value) or value == 0:
        return None
    mantissa, exponent = math.frexp(value)
    # 2**14 has an exact inverse in every float type
    if abs(mantissa) != 0.5 or abs(exponent) > 14 or x.dims != node.outputs[0].dims:
        return None
    from graphc.ops.convert import constant_tensor

    inverse = constant_tensor(1.0 / value, as_dtype(x.dtype), graph=x.graph)
    return F.multiply(x, inverse)


@rule("select")
def select_const(node: Node, cond: Tensor, x: Tensor, y: Tensor) -> Any:
    """where(True, x, y) -> x; where(c, x, x) -> x"""
    if x is y:
        return _like(x, node)
    known = uniform_value(cond)
    if known is None:
        return None
    return _like(x if known else y, node)
