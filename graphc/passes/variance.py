"""Variances of large tensors read them once: by rows, then of the rows.

Lives here: the pass. Imports passes.base, ops.

var(x) = mean(var of each row) + var(mean of each row) where all rows are of one length (the law of
total variance). A row stays in the cache between its mean and its variance; the whole does not, so
that mean((x - mean(x))**2) reads it from memory twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphc.ir.node import Node, Tensor
from graphc.ir.program import Program, ProgramBuilder
from graphc.ir.shape import dims_product, evaluate
from graphc.ops.define import REGISTRY
from graphc.passes.base import rewrite

LEAST_BYTES = 1 << 22  # of the tensor: less stays in the second cache or close to it
ROW_BYTES = (1 << 10, 1 << 18)  # of a row: long enough for vectors, short enough for the cache
MEAN, VARIANCE = "mean", "variance"


@dataclass(frozen=True)
class Variance:
    """Splits means and variances over several axes, the last one among them.

    Valid in, valid out.
    """

    name: str = "variance"

    def run(self, program: Program) -> Program:
        roles = _roles(program)
        if not roles:
            return program
        nodes = iter(program.nodes)

        def visit(node: Node) -> Tensor | None:
            # nodes come in the program's order
            role = roles.get(next(nodes))
            if role is None:
                return None
            return _mean(node) if role == MEAN else _variance(node, program.builder)

        return rewrite(program, visit)


def _roles(program: Program) -> dict[Node, str]:
    """The variances, and the means that they need."""
    out: dict[Node, str] = {}
    for node in program.nodes:
        found = _difference(node)
        if found is None or not _pays(node, found[0], program.env.hints):
            continue
        out[node] = VARIANCE
        out[found[1].node] = MEAN
    return out


def _difference(node: Node) -> tuple[Tensor, Tensor] | None:
    """(x, its mean over the same axes) where the node is the mean of (x - mean)**2."""
    if node.op.name != "reduce_mean":
        return None
    inner = node.inputs[0].node
    if inner.op.name == "square":
        inner = inner.inputs[0].node
        if inner.op.name != "subtract":
            return None
    elif inner.op.name != "squared_difference":
        return None
    x, mean = inner.inputs
    same = mean.node.op.name == "reduce_mean" and mean.node.inputs[0] is x
    if not same or mean.node.attrs["axes"] != node.attrs["axes"]:
        return None
    return (x, mean) if mean.node.attrs["keepdims"] else None


def _pays(node: Node, x: Tensor, hints: Mapping[str, int]) -> bool:
    dims = x.dims
    if not dims or any(d is None for d in dims) or x.dtype.kind != "f":
        return False
    axes = range(len(dims)) if node.attrs["axes"] is None else node.attrs["axes"]
    row = dims[-1]
    if len(axes) < 2 or len(dims) - 1 not in axes or not isinstance(row, int):
        return False
    total = dims_product(dims)
    assert total is not None
    least, most = ROW_BYTES
    large = evaluate(total, hints) * x.dtype.size >= LEAST_BYTES
    return large and least <= row * x.dtype.size <= most


def _rows(x: Tensor) -> Tensor:
    """The mean of each row."""
    assert x.dims is not None
    mean: Tensor = REGISTRY["reduce_mean"](x, axes=(len(x.dims) - 1,), keepdims=True)
    return mean


def _mean(node: Node) -> Tensor:
    mean: Tensor = REGISTRY["reduce_mean"](_rows(node.inputs[0]), **node.attrs)
    return mean


def _variance(node: Node, builder: ProgramBuilder) -> Tensor:
    difference = node.inputs[0].node
    if difference.op.name == "square":
        difference = difference.inputs[0].node
    x, mean = difference.inputs
    rows = _rows(x)
    builder.at(difference.origins, difference.name)
    within = _rows(REGISTRY["squared_difference"](x, rows))
    between = REGISTRY["squared_difference"](rows, mean)
    builder.at(node.origins, node.name)
    out: Tensor = REGISTRY["reduce_mean"](REGISTRY["add"](within, between), **node.attrs)
    return out
