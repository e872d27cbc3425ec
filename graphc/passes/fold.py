"""Constant folding: nodes whose inputs are all constants are computed when the plan is built.

Imports passes.base, the NumPy references of the ops.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.ir.node import ConstValue, Node, Tensor
from graphc.ir.program import Program
from graphc.ir.shape import is_static
from graphc.ops.convert import constant_tensor
from graphc.ops.values import value_of
from graphc.passes.base import const_array, rewrite


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
            _constant(np.asarray(o).astype(t.dtype.np), t)
            for o, t in zip(outs, node.outputs, strict=True)
        )

    def _known(self, node: Node) -> Any:
        """shape(x), size(x) and arithmetic on them, where the result is a plain array."""
        if node.op.name not in ("shape", "size", "rank") or not node.outputs:
            return None
        value = value_of(node.outputs[0])
        if value is None or value.dtype == object:
            return None
        return _constant(value, node.outputs[0])

    def _fits(self, node: Node) -> bool:
        total = 0
        for tensor in node.outputs:
            if not is_static(tensor.dims):
                return False
            total += math.prod(d for d in tensor.known_dims if isinstance(d, int))
        return total <= self.max_elements


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
