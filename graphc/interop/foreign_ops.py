"""Ops of TensorFlow's files that graphc says in other ops: old forms and gradients.

Lives here: FOREIGN, a function for each op type: (importer, node, inputs) -> outputs, or None where
the plain rule does. Not here: everything that maps one to one (interop/node_rules.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import NotFoundError
from graphc.interop import attributes
from graphc.interop.array_nodes import ARRAYS
from graphc.interop.data_nodes import READERS
from graphc.interop.foreign_images import IMAGES, SPARSE
from graphc.interop.import_control import CALLS
from graphc.interop.importer import ForeignRule, Importer, Wanted, constant_of
from graphc.interop.messages import NodeDef
from graphc.interop.node_rules import ConstInput
from graphc.ir.dtypes import int32
from graphc.ir.node import Node, Tensor
from graphc.ops.define import F


def _attr(nd: NodeDef, name: str, default: Any) -> Any:
    return attributes.value_of(nd.attr[name]) if name in nd.attr else default


def _fixed(nd: NodeDef, value: Any, name: str) -> int:
    return constant_of(nd, ConstInput(0, name, name), value)


# ------------------------------------------------------------------ sources
def _const(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    value = attributes.ConstValue(attributes.array_of(nd.attr["value"].tensor))
    node = imp.add(F.const, (), {"value": value}, nd.name)
    imp.finish(nd, node.outputs, node)
    return node.outputs[0]


def _stop(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    raise NotFoundError(
        f"Op type not registered '{nd.op}': graphc does not have TensorFlow's control flow of "
        f"switches and merges (node {nd.name!r})"
    )


_SWITCHED = "one side of a switch"


def _switch(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    """A switch on whether a variable is initialised; others are control flow."""
    value, predicate = inputs if len(inputs) == 2 else (None, None)
    asked = predicate.node if isinstance(predicate, Tensor) else None
    while asked is not None and asked.op.name == "identity":
        asked = asked.inputs[0].node
    if asked is None or asked.op.name != "is_variable_initialized":
        return _stop(imp, nd, inputs)
    return [Wanted(_SWITCHED, (value, asked.inputs[0], on)) for on in (False, True)]


def _identity(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    return None if isinstance(inputs[0], Tensor) else [inputs[0]]


def _merge(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    """Variable.initialized_value(): the variable if it is initialised, else its initial value."""
    sides = {
        i.values[2]: i.values for i in inputs if isinstance(i, Wanted) and i.kind == _SWITCHED
    }
    if len(sides) != 2 or sides[True][0] is not sides[True][1]:
        return _stop(imp, nd, inputs)
    return imp.add(F.initialized_value, (sides[True][0], sides[False][0]), {}, nd.name).outputs[0]


# ------------------------------------------------------------------ old and twin forms
def _matmul(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    batch = nd.op.startswith("Batch")
    a, b = ("adj_x", "adj_y") if batch else ("transpose_a", "transpose_b")
    turned = {"transpose_a": bool(_attr(nd, a, False)), "transpose_b": bool(_attr(nd, b, False))}
    return imp.add(F.matmul, inputs, turned, nd.name).outputs[0]


def _div(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    record = F.truncatediv if inputs[0].dtype.is_integer else F.divide
    return imp.add(record, inputs, {}, nd.name).outputs[0]


def _pad(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    from graphc.ops.convert import constant_of as constant

    fill = constant(np.zeros((), inputs[0].dtype.np), "constant_values")
    return imp.add(F.pad, (*inputs, fill), {}, nd.name).outputs[0]


def _gather(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    return imp.add(F.gather, inputs, {"axis": 0, "batch_dims": 0}, nd.name).outputs[0]


def _concat(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    axis = _fixed(nd, inputs[0], "concat_dim")
    return imp.add(F.concat, inputs[1:], {"axis": axis}, nd.name).outputs[0]


def _transpose(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    from graphc.ops.values import value_of

    perm = value_of(inputs[1])
    if perm is None or any(p is None for p in perm.reshape(-1).tolist()):
        return imp.add(F.transpose_v, inputs, {}, nd.name).outputs[0]
    order = tuple(int(p) for p in perm.reshape(-1).tolist())
    return imp.add(F.transpose, inputs[:1], {"perm": order}, nd.name).outputs[0]


def _dynamic_stitch(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    from graphc.tf1.api_index import dynamic_stitch

    half = len(inputs) // 2
    return dynamic_stitch(inputs[:half], inputs[half:])


def _lower_bound(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    side = "left" if nd.op == "LowerBound" else "right"
    attrs = {"side": side, "out_type": _attr(nd, "out_type", int32)}
    return imp.add(F.searchsorted, inputs, attrs, nd.name).outputs[0]


def _resize_grad(record: str) -> ForeignRule:
    def build(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
        if inputs[1].dtype is int32:
            return None
        # graphc's op takes the extents of the image, TensorFlow's the image
        extents = F.slice(F.shape(inputs[1]), np.array([1], np.int32), np.array([2], np.int32))
        attrs = {k: _attr(nd, k, False) for k in ("align_corners", "half_pixel_centers")}
        return imp.add(getattr(F, record), (inputs[0], extents), attrs, nd.name).outputs[0]

    return build


def _batch_norm(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    attrs = {
        "epsilon": _attr(nd, "epsilon", 1e-4),
        "data_format": _attr(nd, "data_format", "NHWC"),
        "is_training": _attr(nd, "is_training", True),
    }
    return imp.add(F.fused_batch_norm, inputs, attrs, nd.name).outputs


def _print(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    from graphc.ops.effects import Countdown

    first = _attr(nd, "first_n", -1)
    attrs = {
        "message": _attr(nd, "message", ""),
        "summarize": _attr(nd, "summarize", 3),
        "countdown": Countdown(None if first < 0 else first),
    }
    return imp.add(F.print_values, inputs, attrs, nd.name).outputs[0]


# ------------------------------------------------------------------ gradients
def _broadcast_axes(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    return [Wanted("the axes of a broadcast", (s,)) for s in inputs]


def _sum(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    if not isinstance(inputs[1], Wanted):
        return None
    # the sum over the axes along which an operand was broadcast, then a reshape to its shape
    return F.sum_to_shape(inputs[0], inputs[1].values[0])


def _concat_offset(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    axis = _fixed(nd, inputs[0], "concat_dim")
    shapes: list[Tensor] = inputs[1:]
    rank = shapes[0].dims[0] if shapes[0].dims else None
    if not isinstance(rank, int):
        raise NotFoundError(f"node {nd.name!r} (ConcatOffset): its shapes need a known rank")
    mask = np.zeros(rank, np.int32)
    mask[axis] = 1
    out = [F.multiply(shapes[0], np.zeros_like(mask))]
    for shape in shapes[:-1]:
        out.append(F.add(out[-1], F.multiply(shape, mask)))
    return out


def _bias_add_grad(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    rank = inputs[0].rank
    if rank is None:
        raise NotFoundError(f"node {nd.name!r} (BiasAddGrad): its input needs a known rank")
    channel = rank - 1 if _attr(nd, "data_format", "NHWC") == "NHWC" else 1
    axes = tuple(k for k in range(rank) if k != channel)
    return F.reduce_sum(inputs[0], axes=axes, keepdims=False)


def _unary_grad(rule: Any) -> ForeignRule:
    def build(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
        return rule(*inputs)

    return build


def _gradients(node: Node, g: Tensor) -> tuple[Any, ...]:
    """What the record's own gradient rule gives for each input."""
    assert node.op.grad is not None
    found: tuple[Any, ...] = node.op.grad(node, g)
    return found


def _max_pool_grad(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    image, pooled, g = inputs
    node = pooled.node
    if node.op.name != "max_pool" or node.inputs[0] is not image:
        attrs = {k: _attr(nd, k, None) for k in ("ksize", "strides", "padding")}
        node = F.max_pool.node(image, data_format=_attr(nd, "data_format", "NHWC"), **attrs)
    return _gradients(node, g)[0]


def _batch_norm_grad(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    g, x, scale, mean, variance = inputs[:5]
    node = F.fused_batch_norm.node(
        x, scale, F.zeros_like(scale), mean, variance,
        epsilon=_attr(nd, "epsilon", 1e-4),
        data_format=_attr(nd, "data_format", "NHWC"),
        is_training=_attr(nd, "is_training", True),
    )  # fmt: skip
    to_x, to_scale, to_offset = _gradients(node, g)[:3]
    return to_x, to_scale, to_offset, F.zeros_like(mean), F.zeros_like(variance)


def _leaky_relu_grad(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    g, x = inputs
    return F.select(x > 0, g, g * _attr(nd, "alpha", 0.2))


FOREIGN: dict[str, ForeignRule] = {
    "Const": _const,
    **dict.fromkeys(("RefMerge", "Enter", "RefEnter", "Exit", "NextIteration", "LoopCond"), _stop),
    "Switch": _switch,
    "RefSwitch": _switch,
    "Merge": _merge,
    "Identity": _identity,
    "MatMul": _matmul,
    "BatchMatMul": _matmul,
    "BatchMatMulV2": _matmul,
    "Div": _div,
    "Pad": _pad,
    "Gather": _gather,
    "ResourceGather": _gather,
    "Concat": _concat,
    "Transpose": _transpose,
    "DynamicStitch": _dynamic_stitch,
    "LowerBound": _lower_bound,
    "UpperBound": _lower_bound,
    "FusedBatchNorm": _batch_norm,
    "FusedBatchNormV2": _batch_norm,
    "FusedBatchNormV3": _batch_norm,
    "ResizeBilinearGrad": _resize_grad("resize_bilinear_grad"),
    "ResizeBicubicGrad": _resize_grad("resize_bicubic_grad"),
    "Print": _print,
    "Sum": _sum,
    "BroadcastGradientArgs": _broadcast_axes,
    "ConcatOffset": _concat_offset,
    "BiasAddGrad": _bias_add_grad,
    "MaxPoolGrad": _max_pool_grad,
    "FusedBatchNormGrad": _batch_norm_grad,
    "FusedBatchNormGradV2": _batch_norm_grad,
    "FusedBatchNormGradV3": _batch_norm_grad,
    "LeakyReluGrad": _leaky_relu_grad,
    "TanhGrad": _unary_grad(lambda y, g: g * (1.0 - y * y)),
    "SigmoidGrad": _unary_grad(lambda y, g: g * y * (1.0 - y)),
    "SqrtGrad": _unary_grad(lambda y, g: g * 0.5 / y),
    "RsqrtGrad": _unary_grad(lambda y, g: g * -0.5 * y * y * y),
    "ReciprocalGrad": _unary_grad(lambda y, g: -g * y * y),
    "InvGrad": _unary_grad(lambda y, g: -g * y * y),
    "SoftplusGrad": _unary_grad(lambda g, x: g * F.sigmoid(x)),
    "SoftsignGrad": _unary_grad(lambda g, x: g / F.square(1.0 + F.abs(x))),
    "EluGrad": _unary_grad(lambda g, y: F.select(y < 0, g * (y + 1.0), g)),
    "Relu6Grad": _unary_grad(
        lambda g, x: F.select(F.logical_and(x > 0, x < 6), g, F.zeros_like(g))
    ),
    **ARRAYS,
    **CALLS,
    **READERS,
    **IMAGES,
    **SPARSE,
}  # fmt: skip
