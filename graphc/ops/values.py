"""Known values of tensors while a graph is built: constants and shape arithmetic.

Lives here: value_of, the lazy partial evaluator behind reshape(x, [tf.shape(x)[0], 784]) and its
kin. Not here: constant folding of programs (passes/fold.py). Imports ir and ops.define.

A value is an array; elements of an object array are ints, SymDims or None (unknown).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dtypes import as_array
from graphc.ir.node import _UNSET, Node, Tensor
from graphc.ir.shape import Shape, dims_product

MAX_ELEMENTS = 1 << 14

# ops through which a shape value flows, by NumPy reference on object arrays
FLOWS = frozenset(
    {
        "add", "subtract", "multiply", "floordiv", "floormod", "negative", "maximum", "minimum",
        "cast", "identity", "stop_gradient", "concat", "stack", "unstack", "split", "strided_slice",
        "slice", "reshape", "expand_dims", "squeeze", "gather", "reduce_prod", "reduce_sum",
        "transpose", "tile", "reverse", "fill", "range", "zeros_like", "ones_like", "broadcast_to",
        "pad", "truncatediv", "reduce_max", "reduce_min", "abs", "split_v", "transpose_v",
        "invert_permutation", "broadcast_args",
    }
)  # fmt: skip


# ops that take unknown inputs: their elements become None, the others stay known
JOINS = frozenset({"concat", "stack"})
# ops whose values follow from the shape of their input alone
LIKE = {"zeros_like": 0, "ones_like": 1}


def value_of(tensor: Tensor) -> np.ndarray[Any, Any] | None:
    """The tensor's value where it follows from constants and shapes, else None."""
    if tensor._value is not _UNSET:
        return tensor._value
    stack = [tensor]
    while stack:
        top = stack[-1]
        if top._value is not _UNSET:
            stack.pop()
            continue
        waiting = [t for t in _needs(top) if t._value is _UNSET]
        if waiting:
            stack.extend(waiting)
            continue
        _settle(top.node)
        stack.pop()
    value: Any = tensor._value
    return value


def _needs(tensor: Tensor) -> tuple[Tensor, ...]:
    node = tensor.node
    if node.op.name not in FLOWS or not _small(tensor):
        return ()
    return node.inputs


def _small(tensor: Tensor) -> bool:
    if tensor.dtype.kind not in "iu":
        return False
    total = 1
    for dim in tensor.dims or ():
        total *= dim if isinstance(dim, int) else MAX_ELEMENTS + 1
    return tensor.dims is None or total <= MAX_ELEMENTS


def _settle(node: Node) -> None:
    results = _evaluate(node)
    for i, out in enumerate(node.outputs):
        if out._value is _UNSET:
            out._value = None if results is None else results[i]


def _evaluate(node: Node) -> tuple[Any, ...] | None:
    op = node.op.name
    if op == "const":
        return (node.attrs["value"].array,)
    if op == "bound":
        dims = np.empty(len(node.attrs["dims"]), dtype=object)
        dims[:] = node.attrs["dims"]
        return (dims.reshape(node.attrs["shape"]),)
    if op in ("shape", "size", "rank"):
        return _of_shape(node)
    if op == "shape_n":
        return tuple(_dims_value(t.dims, o) for t, o in zip(node.inputs, node.outputs, strict=True))
    if op not in FLOWS or not all(_small(t) for t in node.outputs):
        return None
    if op in LIKE and isinstance(known := dims_product(node.inputs[0].dims or (None,)), int):
        array = np.full(known, LIKE[op], node.outputs[0].dtype.np)
        return (array.reshape(node.inputs[0].dims),)  # type: ignore[arg-type]  # static
    values = [t._value for t in node.inputs]
    if op in JOINS:
        values = [_unknowns(t) if t._value is None else t._value for t in node.inputs]
    if any(v is None for v in values) or node.op.numpy is None:
        return None
    try:
        with np.errstate(all="ignore"):
            out = node.op.numpy(*values, **node.attrs)
    except (TypeError, ValueError, AttributeError, IndexError, ZeroDivisionError):
        return None
    outs = out if isinstance(out, tuple) else (out,)
    return tuple(_as_value(o, t) for o, t in zip(outs, node.outputs, strict=True))


def _as_value(value: Any, tensor: Tensor) -> np.ndarray[Any, Any]:
    array = as_array(value)
    if array.dtype != object:
        return array.astype(tensor.dtype.np, copy=False)
    flat = array.reshape(-1).tolist()
    if all(isinstance(v, int | np.integer) for v in flat):
        return array.astype(tensor.dtype.np)
    return array


def _unknowns(tensor: Tensor) -> np.ndarray[Any, Any] | None:
    """An array of None in the tensor's shape, where that is static."""
    if tensor.dims is None or not all(isinstance(d, int) for d in tensor.dims):
        return None
    return np.full(tensor.dims, None, dtype=object)  # type: ignore[arg-type]


def _dims_value(shape: Shape, out: Tensor) -> np.ndarray[Any, Any] | None:
    """The dimensions as a vector."""
    if shape is None:
        return None
    values = np.empty(len(shape), dtype=object)
    values[:] = shape
    return _as_value(values, out)


def _of_shape(node: Node) -> tuple[Any, ...] | None:
    shape = node.inputs[0].dims
    if shape is None:
        return None
    if node.op.name == "rank":
        return (np.asarray(len(shape), node.outputs[0].dtype.np),)
    if node.op.name == "shape":
        return (_dims_value(shape, node.outputs[0]),)
    total = dims_product(shape)
    if total is None:
        return None
    boxed = np.empty((), dtype=object)
    boxed[()] = total
    return (_as_value(boxed, node.outputs[0]),)
