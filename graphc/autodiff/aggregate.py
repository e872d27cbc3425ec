"""Sums of gradients: of one tensor's uses, and over axes that an operand was broadcast along.

Lives here: aggregate, unbroadcast. Not here: the walk (autodiff/gradients.py). Imports ops.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.autodiff.indexed_slices import IndexedSlices, as_dense
from graphc.ir.node import Node, Tensor
from graphc.ops.define import F
from graphc.ops.gradient import broadcast_axes, sum_axes

Gradient = Tensor | IndexedSlices


def aggregate(parts: Sequence[Gradient]) -> Gradient:
    """The sum of gradients, by one n-ary addition; sparse ones are kept sparse by joining them."""
    if len(parts) == 1:
        return parts[0]
    slices = [p for p in parts if isinstance(p, IndexedSlices)]
    if len(slices) == len(parts):
        return _join(slices)
    return F.add_n(*(as_dense(p) for p in parts))


def _join(parts: list[IndexedSlices]) -> IndexedSlices:
    from graphc.ir.dtypes import int64

    indices = [p.indices for p in parts]
    if len({t.dtype for t in indices}) > 1:
        indices = [t if t.dtype is int64 else F.cast(t, dtype=int64) for t in indices]
    shape = next((p.dense_shape for p in parts if p.dense_shape is not None), None)
    return IndexedSlices(
        F.concat(*(p.values for p in parts), axis=0), F.concat(*indices, axis=0), shape
    )


def unbroadcast(node: Node, number: int, g: Gradient) -> Gradient:
    """An elementwise node's gradient at the broadcast shape, summed to its operand's shape."""
    # add_n takes equal shapes only
    if isinstance(g, IndexedSlices) or len(node.inputs) == 1 or node.op.name == "add_n":
        return g
    operand = node.inputs[number]
    if operand.dims == ():
        return g if g.dims == () else F.reduce_sum(g, axes=None, keepdims=False)
    if all(t is operand for t in node.inputs):
        return g
    others = [t.dims for t in node.inputs if t is not operand]
    axes = broadcast_axes(g.dims, operand.dims, others)
    if axes is None:
        return F.sum_to_shape(g, F.shape(operand))
    return sum_axes(g, axes, operand.dims, lambda: F.shape(operand))
