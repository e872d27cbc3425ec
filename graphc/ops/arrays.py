"""TensorArrays as plain tensors: one row an element.

Lives here: tensor_array (an empty one), tensor_array_write, tensor_array_read. Not here: TF1's
class (tf1/tensor_array.py). Imports ops.define.

An array is its `flow`: a tensor of shape [size, *element]. Writing makes a new flow, whose row the
memory plan writes in place. An empty array's element shape may be unknown until the first write:
then its tensor has no shape, and whoever converts a graph to a Program finds it out. Where only a
run can (shapes that vary from step to step), it is an array of elements of shape [0].
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import ALL, DType, int32, int64
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import dims_equal, merge_shapes
from graphc.kernel import prims as k
from graphc.kernel.expr import Expr
from graphc.ops.define import F, InferContext, KernelContext, composite, movement
from graphc.ops.extents import scalar_value
from graphc.ops.function import FunctionGraph
from graphc.ops.samples import arg, fixed, sample

Array = np.ndarray[Any, Any]


def _empty_type(ctx: InferContext) -> TensorType:
    dtype, element = ctx.attrs["dtype"], ctx.attrs["element"]
    if element is None or None in element:
        return TensorType(dtype, None)
    return TensorType(dtype, (_rows(ctx, 0), *element))


def _rows(ctx: InferContext, i: int) -> Any:
    size = scalar_value(ctx, i)
    if isinstance(size, int) and size < 0:
        raise ctx.fail(f"Size should be >= 0, but got {size}")
    return size


def _zeros(size: Array, dtype: Any, element: Any) -> Array:
    if element is None or None in element:
        raise InvalidArgumentError(
            "TensorArray has no element shape: nothing was written to it before it is read"
        )
    if dtype.name == "string":
        return np.full((int(size), *element), b"", object)
    return np.zeros((int(size), *element), dtype.np)


def _filled(node: Node) -> Tensor:
    dtype, element = node.attrs["dtype"], node.attrs["element"]
    if element is None or None in element:
        raise InvalidArgumentError(
            f"TensorArray {node.name} has inconsistent shapes: nothing was written to it before "
            "it is read, and it has no element shape"
        )
    rows = F.reshape(node.inputs[0], [1])
    return F.fill(F.concat(rows, list(element), axis=0) if element else rows, zero(dtype))


def zero(dtype: DType) -> Tensor:
    from graphc.ops.convert import constant_tensor

    return constant_tensor(b"" if dtype.name == "string" else np.zeros((), dtype.np), dtype)


tensor_array = composite(
    "tensor_array", tf="TensorArrayV3", infer=_empty_type, expand=_filled, numpy=_zeros,
    args=("size",), groups=(int32,), dtypes={}, shape_inputs=(0,), nograd="it is made of zeros",
    default_name="TensorArray",
    samples=(sample(fixed(3, int32, const=True), dtype=int32, element=(2,), grad=False),),
)  # fmt: skip


def _written_type(ctx: InferContext) -> TensorType:
    """flow, index, value, size."""
    dims = ctx.shape(2)
    flow = _typed(ctx.shape(0), dims)
    if dims is not None and flow is not None:
        try:
            dims = merge_shapes(dims, flow[1:])
        except ValueError:
            raise ctx.fail("TensorArray elements must have the same shape") from None
    if dims is None:
        return TensorType(ctx.dtype(0), flow)
    return TensorType(ctx.dtype(0), (_rows(ctx, 3), *dims))


def _typed(flow: Any, element: Any) -> Any:
    """A flow's shape; None where it says nothing of its elements."""
    if flow is None or element is None or len(flow) != 2 or dims_equal(flow[1], 0) is not True:
        return flow
    return flow if len(element) == 1 and dims_equal(element[0], 0) is True else None


def _check_index(flow: Array, at: Array, what: str) -> int:
    number = int(at)
    if not 0 <= number < len(flow):
        raise InvalidArgumentError(
            f"Tried to {what} index {number} but array is not resizeable and size is: {len(flow)}"
        )
    return number


def _write(flow: Array, at: Array, value: Array, size: Array) -> Array:
    out = flow.copy()
    if _typed(flow.shape, value.shape) is None:
        out = np.zeros((len(flow), *value.shape), flow.dtype)
    out[_check_index(flow, at, "write to")] = value
    return out


def _expand_write(node: Node) -> Tensor:
    flow, at, value, size = node.inputs
    if _typed(flow.dims, value.dims) is None:
        flow = _all_zeros(size, value)
    return F.tensor_scatter_update(flow, F.reshape(at, [1, 1]), F.expand_dims(value, axis=0))


def _all_zeros(size: Tensor, element: Tensor) -> Tensor:
    dims = F.concat(F.reshape(size, [1]), F.shape(element), axis=0)
    filled: Tensor = F.fill(dims, zero(element.dtype))
    return filled


def _write_gradient(node: Node, g: Tensor) -> tuple[Any, ...]:
    _, at, value, size = node.inputs
    return (
        F.tensor_array_write(g, at, F.zeros_like(value), size),
        None,
        F.tensor_array_read(g, at),
        None,
    )


tensor_array_write = composite(
    "tensor_array_write", tf="TensorArrayWriteV3", infer=_written_type, expand=_expand_write,
    numpy=_write, grad=_write_gradient, args=("flow", "index", "value", "size"),
    groups=("T", int32, "T", int32), dtypes={"T": ALL}, shape_inputs=(3,),
    samples=(
        sample(arg((3, 2)), fixed(1, int32), arg((2,)), fixed(3, int32, const=True)),
    ),
)  # fmt: skip


def _grown_type(ctx: InferContext) -> TensorType:
    """flow, size, a value of the elements' shape."""
    element = ctx.shape(2)
    flow = _typed(ctx.shape(0), element)
    inner = flow[1:] if flow is not None else element
    return TensorType(ctx.dtype(0), None if inner is None else (_rows(ctx, 1), *inner))


def _grown(flow: Array, size: Array, like: Array) -> Array:
    out = np.zeros((int(size), *like.shape), flow.dtype)
    if _typed(flow.shape, like.shape) is not None:
        out[: len(flow)] = flow
    return out


def _expand_grown(node: Node) -> Tensor:
    flow, size, like = node.inputs
    if _typed(flow.dims, like.dims) is None:
        return _all_zeros(size, like)
    rows = F.reshape(F.subtract(size, F.gather(F.shape(flow), 0, axis=0, batch_dims=0)), [1])
    zeros = F.zeros_like(F.shape(flow))
    ahead = F.concat(rows, F.slice(zeros, [1], [-1]), axis=0)
    return F.pad(flow, F.stack(zeros, ahead, axis=1), zero(flow.dtype))


def _grown_gradient(node: Node, g: Tensor) -> tuple[Any, ...]:
    shape = F.shape(node.inputs[0])
    return F.slice(g, F.zeros_like(shape), shape), None, None


tensor_array_grow = composite(
    "tensor_array_grow", tf="TensorArrayGrow", infer=_grown_type, expand=_expand_grown,
    numpy=_grown, grad=_grown_gradient, args=("flow", "size", "like"), groups=("T", int32, "T"),
    dtypes={"T": ALL}, shape_inputs=(1,),
    samples=(sample(arg((3, 2)), fixed(5, int32, const=True), arg((2,))),),
)  # fmt: skip


def _read_type(ctx: InferContext) -> TensorType:
    flow = ctx.shape(0)
    return TensorType(ctx.dtype(0), None if flow is None else flow[1:])


def _read(flow: Array, at: Array) -> Array:
    # with the ellipsis a string stays in an array
    row: Array = flow[_check_index(flow, at, "read from"), ...]
    return row


def _read_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    at = k.check_index(k.cast(ctx.load(1, ()), int64), ctx.dim(ctx.shape(0)[0]))
    return ctx.load(0, (at, *idx))


def _read_gradient(node: Node, g: Tensor) -> tuple[Any, ...]:
    from graphc.autodiff.indexed_slices import IndexedSlices

    flow, at = node.inputs
    if not isinstance(node.graph, FunctionGraph):  # once, not once a step
        size = F.gather(F.shape(flow), 0, axis=0, batch_dims=0)
        return F.tensor_array_write(F.zeros_like(flow), at, g, size), None
    rows = F.expand_dims(g, axis=0)
    return IndexedSlices(rows, F.reshape(at, [1]), F.shape(flow)), None


tensor_array_read = movement(
    "tensor_array_read", tf="TensorArrayReadV3", infer=_read_type, kernel=_read_kernel,
    numpy=_read, grad=_read_gradient, args=("flow", "index"), groups=("T", int32),
    dtypes={"T": ALL}, samples=(sample(arg((3, 2)), fixed(1, int32)),),
)  # fmt: skip
