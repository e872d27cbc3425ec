"""Constant folding: nodes whose inputs are all constants are computed when the plan is built.

Imports passes.base, the NumPy references of the ops.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.ir.dtypes import as_array
from graphc.ir.node import ConstValue, Node, Tensor
from graphc.ir.program import Program
from graphc.ir.shape import is_static
from graphc.ops.convert import constant_tensor
from graphc.ops.source import bound
from graphc.ops.values import FLOWS, value_of
from graphc.passes.base import const_array, rewrite

MAX_BOUND = 64  # elements of a shape value
_SHAPES = ("shape", "shape_n", "size", "rank")


@dataclass(frozen=True)
class Fold:
    """Evaluates nodes of constants with their NumPy reference. Valid in, valid out.

    Results larger than `max_elements` stay unevaluated: a fill is cheaper to run than to keep.
    """

    name: str = "fold"
    max_elements: int = 65536

    def run(self, program: Program) -> Program:
        return rewrite(program, self._fold)

    def _fold(self, node: Node) -> Any:
        if node.op.name == "const" or node.op.stateful or node.op.family in ("host", "source"):
            return self._known(node)
        if node.op.numpy is None or not node.inputs or not self._fits(node):
            return self._known(node)
        arrays = [const_array(t) for t in node.inputs]
        if any(a is None for a in arrays):
            return self._known(node)
        try:
            with np.errstate(all="ignore"):
                out = node.op.numpy(*arrays, **node.attrs)
        except (ValueError, IndexError, ZeroDivisionError, ArithmeticError):
            return None  # the run raises it, located
        outs = out if isinstance(out, tuple) else (out,)
        return tuple(
            _constant(as_array(o).astype(t.dtype.np), t)
            for o, t in zip(outs, node.outputs, strict=True)
        )

    def _known(self, node: Node) -> Any:
        """shape(x), size(x) and arithmetic on them: constants, or values bound with the plan."""
        if node.op.name not in _SHAPES and node.op.name not in FLOWS:
            return None
        values = [value_of(t) for t in node.outputs]
        if not values or any(v is None or v.size > MAX_BOUND for v in values):
            return None
        found = [_settled(v, t) for v, t in zip(values, node.outputs, strict=True)]  # type: ignore[arg-type]
        return None if any(f is None for f in found) else tuple(found)

    def _fits(self, node: Node) -> bool:
        total = 0
        for tensor in node.outputs:
            if not is_static(tensor.dims):
                return False
            total += math.prod(d for d in tensor.known_dims if isinstance(d, int))
        return total <= self.max_elements


def _settled(value: np.ndarray[Any, Any], tensor: Tensor) -> Tensor | None:
    """The value as a const, or as a bound node where it holds symbols; None where unknown."""
    if value.dtype != object:
        return _constant(value, tensor)
    dims = tuple(value.reshape(-1).tolist())
    if any(d is None for d in dims):
        return None
    attrs = {"dims": dims, "shape": value.shape, "dtype": tensor.dtype}
    return tensor.graph.create_node(bound, (), attrs).outputs[0]


def _constant(array: np.ndarray[Any, Any], like: Tensor) -> Tensor:
    graph = like.graph
    if array.dtype == object:
        return graph.create_node(
            _const_record(), (), {"value": ConstValue(array)}
        ).outputs[0]
    return constant_tensor(array, like.dtype, graph=graph)


def _const_record() -> Any:
    from graphc.ops.source import const

    return const
