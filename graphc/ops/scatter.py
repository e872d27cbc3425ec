"""Writing by index into new tensors: scatter_nd, tensor_scatter_*, gather_grad, bincount.

Lives here: those records and `add_rows`, the sum of rows by number that they share. Not here:
writes to variables (ops/scatter_state.py), segments (ops/segment.py). Imports ops.define.

They run on the host: where equal indices meet, updates are applied in their order, so that results
do not depend on threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import (
    ALL,
    COMPLEX,
    FLOAT,
    NUMERIC,
    bool_,
    float32,
    float64,
    int32,
    int64,
)
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import Shape, bracket_text, dims_equal
from graphc.ops.define import F, InferContext, OpDef, composite, host
from graphc.ops.extents import INDEX, fixed_dim, input_dims, scalar_value
from graphc.ops.index import check_bounds, check_bounds_nd
from graphc.ops.samples import arg, fixed, sample


# ------------------------------------------------------------------ sums of rows
def add_rows(ids: Any, rows: Any, count: int) -> Any:
    """out[i] = sum of rows[n] over all n with ids[n] == i; ids (n,) in range, rows (n, ...)."""
    inner = rows.shape[1:]
    flat = rows.reshape(len(rows), int(np.prod(inner, dtype=np.int64)))
    wide = np.float32 if rows.dtype.itemsize == 2 and rows.dtype.kind not in "iu" else rows.dtype
    if flat.shape[1] == 1 and rows.dtype.kind == "f":
        # accumulates in float64
        sums = np.bincount(ids, flat[:, 0].astype(np.float64), minlength=count)
        return sums.astype(rows.dtype).reshape(count, *inner)
    out = np.zeros((count, flat.shape[1]), wide)
    if len(ids):
        order = np.argsort(ids, kind="stable")
        ordered = ids[order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        sums = np.add.reduceat(flat[order].astype(wide, copy=False), starts, axis=0, dtype=wide)
        out[ordered[starts]] = sums
    return out.astype(rows.dtype, copy=False).reshape(count, *inner)


def _flat_rows(indices: Any, updates: Any, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """(row numbers (n,), updates (n, ...)) of a scatter into `shape` by index vectors."""
    depth = indices.shape[-1]
    check_bounds_nd(indices, shape[:depth], f"shape {bracket_text(shape)}")
    table = indices.reshape(-1, depth).astype(np.int64)
    if depth == 0:
        ids = np.zeros(len(table), np.int64)
    else:
        ids = np.ravel_multi_index(tuple(table.T), shape[:depth]) if len(table) else table[:, 0]
    rows = np.broadcast_to(updates, indices.shape[:-1] + shape[depth:])
    return ids, rows.reshape(len(table), *shape[depth:])


def _row_count(shape: tuple[int, ...], depth: int) -> int:
    return int(np.prod(shape[:depth], dtype=np.int64))


# ------------------------------------------------------------------ scatter_nd
def _check_updates(ctx: InferContext, indices: Shape, updates: Shape, shape: Shape) -> None:
    """Raises ShapeError where updates do not fit indices and shape."""
    depth = fixed_dim(indices[-1]) if indices else None
    if indices is None or updates is None or shape is None or depth is None:
        return
    want = (*indices[:-1], *shape[depth:])
    bad = len(want) != len(updates) or any(
        dims_equal(a, b) is False for a, b in zip(want, updates, strict=True)
    )
    if depth > len(shape) or bad:
        raise ctx.fail(
            f"Dimensions [0,{len(indices) - 1}) of indices[shape={bracket_text(indices)}] must "
            f"match dimensions [0,{len(indices) - 1}) of updates[shape={bracket_text(updates)}]"
        )


def _scatter_nd_type(ctx: InferContext) -> TensorType:
    dims = input_dims(ctx, 2)
    _check_updates(ctx, ctx.shape(0), ctx.shape(1), None if dims is None else tuple(dims))
    return TensorType(ctx.dtype(1), None if dims is None else tuple(dims))


def _scatter_nd(indices: Any, updates: Any, shape: Any) -> Any:
    dims = tuple(np.asarray(shape).tolist())
    depth = indices.shape[-1]
    ids, rows = _flat_rows(indices, updates, dims)
    if updates.dtype.kind == "b":
        out = np.zeros((_row_count(dims, depth), *dims[depth:]), bool)
        np.logical_or.at(out, ids, rows)
        return out.reshape(dims)
    return add_rows(ids, rows, _row_count(dims, depth)).reshape(dims)


scatter_nd = host(
    "scatter_nd", tf="ScatterNd", infer=_scatter_nd_type, numpy=_scatter_nd,
    grad=lambda node, g: (None, F.gather_nd(g, node.inputs[0]), None),
    args=("indices", "updates", "shape"), groups=("Tindices", "T", "Tindices"),
    dtypes={"T": (*NUMERIC, *COMPLEX, bool_), "Tindices": INDEX}, shape_inputs=(2,),
    samples=(
        sample(fixed([[4], [1], [4]], int32), arg((3, 2)), fixed([5, 2], int32, const=True)),
        sample(fixed([[0, 1], [1, 1], [0, 1]], int64), arg((3,)), fixed([2, 3], int64, const=True)),
        sample(fixed(np.zeros((0, 1)), int32), arg((0, 2)), fixed([5, 2], int32, const=True),
               grad=False),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ tensor_scatter_*
def _tensor_scatter_type(ctx: InferContext) -> TensorType:
    _check_updates(ctx, ctx.shape(1), ctx.shape(2), ctx.shape(0))
    return ctx.inputs[0].type


def _writer(write: Callable[[Any, Any, Any], None]) -> Callable[..., Any]:
    """A reference that applies write(rows of a copy, row numbers, updates)."""

    def reference(tensor: Any, indices: Any, updates: Any) -> Any:
        depth = indices.shape[-1]
        ids, rows = _flat_rows(indices, updates, tensor.shape)
        out = np.array(tensor, order="C")  # its rows are views of it
        write(out.reshape(_row_count(tensor.shape, depth), *tensor.shape[depth:]), ids, rows)
        return out

    return reference


def _add_at(out: Any, ids: Any, rows: Any) -> None:
    touched, at = np.unique(ids, return_inverse=True)
    out[touched] += add_rows(at.reshape(-1), rows, len(touched))


def _sub_at(out: Any, ids: Any, rows: Any) -> None:
    touched, at = np.unique(ids, return_inverse=True)
    out[touched] -= add_rows(at.reshape(-1), rows, len(touched))


def _put_at(out: Any, ids: Any, rows: Any) -> None:
    out[ids] = rows


def _extreme_grad(node: Node, g: Tensor) -> tuple[Any, ...]:
    """The gradient is shared by all that attain the extreme."""
    x, indices, updates = node.inputs
    y = node.outputs[0]
    mine = F.cast(F.equal(x, y), dtype=g.dtype)
    theirs = F.cast(F.equal(updates, F.gather_nd(y, indices)), dtype=g.dtype)
    shape = F.shape(x, out_type=indices.dtype)
    share = F.divide(g, F.add(mine, F.scatter_nd(indices, theirs, shape)))
    return F.multiply(share, mine), None, F.multiply(theirs, F.gather_nd(share, indices))


def _update_grad(node: Node, g: Tensor) -> tuple[Any, ...]:
    _, indices, updates = node.inputs
    rest = F.tensor_scatter_update(g, indices, F.zeros_like(updates))
    return rest, None, F.gather_nd(g, indices)


def _tensor_scatter(
    name: str, tf: str, write: Callable[[Any, Any, Any], None], grad: Any,
    dtypes: Any = (*NUMERIC, *COMPLEX),
) -> OpDef:  # fmt: skip
    return host(
        name, tf=tf, infer=_tensor_scatter_type, numpy=_writer(write), grad=grad,
        nograd="" if grad else "it serves updates of variables",
        args=("tensor", "indices", "updates"), groups=("T", "Tindices", "T"),
        dtypes={"T": dtypes, "Tindices": INDEX},
        samples=(
            sample(arg((5, 2)), fixed([[4], [1]], int32), arg((2, 2)), grad=grad is not None,
                   dtypes=(float32, float64)),
            sample(arg((2, 3)), fixed([[0, 1], [1, 1]], int64), arg((2,)), grad=grad is not None,
                   dtypes=(float32, float64)),
        ),
    )  # fmt: skip


tensor_scatter_add = _tensor_scatter(
    "tensor_scatter_add", "TensorScatterAdd", _add_at,
    lambda node, g: (g, None, F.gather_nd(g, node.inputs[1])),
)  # fmt: skip
tensor_scatter_sub = _tensor_scatter(
    "tensor_scatter_sub", "TensorScatterSub", _sub_at,
    lambda node, g: (g, None, F.negative(F.gather_nd(g, node.inputs[1]))),
)  # fmt: skip
tensor_scatter_update = _tensor_scatter(
    "tensor_scatter_update", "TensorScatterUpdate", _put_at, _update_grad, ALL
)
tensor_scatter_max = _tensor_scatter(
    "tensor_scatter_max", "TensorScatterMax", np.maximum.at, _extreme_grad, NUMERIC
)
tensor_scatter_min = _tensor_scatter(
    "tensor_scatter_min", "TensorScatterMin", np.minimum.at, _extreme_grad, NUMERIC
)
tensor_scatter_mul = _tensor_scatter(
    "tensor_scatter_mul", "TensorScatterMul", np.multiply.at, None
)
tensor_scatter_div = _tensor_scatter(
    "tensor_scatter_div", "TensorScatterDiv", np.divide.at, None, FLOAT
)


# ------------------------------------------------------------------ the adjoint of gather
def _gather_grad_type(ctx: InferContext) -> TensorType:
    dims = input_dims(ctx, 2)
    return TensorType(ctx.dtype(0), None if dims is None else tuple(dims))


def _gather_grad_np(g: Any, indices: Any, shape: Any, axis: int, batch_dims: int) -> Any:
    dims = tuple(np.asarray(shape).tolist())
    at, lead = axis % len(dims), indices.ndim - batch_dims
    check_bounds(indices, dims[at])
    # the axes of the indices behind the batch, then what each index moved
    moved = np.moveaxis(g, range(at, at + lead), range(batch_dims, batch_dims + lead))
    batch = _row_count(dims, batch_dims)
    inner = moved.shape[batch_dims + lead :]
    offsets = np.arange(batch).reshape((*dims[:batch_dims], *[1] * lead)) * dims[at]
    ids = (np.broadcast_to(indices, moved.shape[: batch_dims + lead]) + offsets).reshape(-1)
    out = add_rows(ids, moved.reshape(len(ids), *inner), batch * dims[at])
    return np.moveaxis(out.reshape(*dims[:batch_dims], dims[at], *inner), batch_dims, at)


def _expand_gather_grad(node: Node) -> Tensor:
    g, indices, shape = node.inputs
    y, batch = node.outputs[0], node.attrs["batch_dims"]
    assert y.dims is not None and g.dims is not None and indices.dims is not None
    at, rank = node.attrs["axis"] % len(y.dims), len(g.dims)
    lead = len(indices.dims) - batch
    looked = list(range(at, at + lead))
    perm = [*range(batch), *looked, *(a for a in range(batch, rank) if a not in looked)]
    moved = F.transpose(g, perm=tuple(perm)) if perm != list(range(rank)) else g
    one = np.ones(1, np.int32)
    width = F.reshape(F.strided_slice(shape, one * at, one * at + 1, one), np.zeros(0, np.int32))
    count, ids = width, indices
    if batch:
        rows = F.reduce_prod(
            F.strided_slice(shape, one * 0, one * batch, one), axes=None, keepdims=False
        )
        count = F.multiply(rows, width)
        starts = F.multiply(F.range(0, rows, 1), width)
        column = F.concat(
            F.strided_slice(shape, one * 0, one * batch, one), np.ones(lead, np.int32), axis=0
        )
        ids = F.add(indices, F.cast(F.reshape(starts, column), dtype=indices.dtype))
    summed = F.unsorted_segment_sum(moved, ids, count)
    return _put_axis_back(summed, shape, len(y.dims), at, batch)


def _put_axis_back(summed: Tensor, shape: Tensor, rank: int, at: int, batch: int) -> Tensor:
    """(batch * n, ...) to the params' axes, the gathered one at its place."""
    order = [*range(batch), at, *(a for a in range(batch, rank) if a != at)]
    if batch:
        summed = F.reshape(summed, F.gather(shape, np.array(order, np.int32), axis=0, batch_dims=0))
    back = tuple(order.index(a) for a in range(rank))
    return F.transpose(summed, perm=back) if back != tuple(range(rank)) else summed


gather_grad = composite(
    "gather_grad", tf="GatherGrad", infer=_gather_grad_type, expand=_expand_gather_grad,
    numpy=_gather_grad_np,
    grad=lambda node, g: (F.gather(g, node.inputs[1], **node.attrs), None, None),
    args=("gradient", "indices", "shape"), groups=("T", "Tindices", int32),
    dtypes={"T": (*NUMERIC, *COMPLEX), "Tindices": INDEX}, shape_inputs=(2,),
    samples=(
        sample(arg((5, 2)), fixed([1, 1], int32), fixed([5, 3], int32, const=True), axis=1,
               batch_dims=0),
        sample(arg((2, 2, 3)), fixed([[0, 4], [1, 1]], int64), fixed([2, 5, 3], int32, const=True),
               axis=1, batch_dims=1),
        sample(arg((2, 4, 2)), fixed([[0, 2], [1, 1]], int32), fixed([2, 4, 3], int32, const=True),
               axis=2, batch_dims=1),
    ),
    doc="the adjoint of gather along any axis: rows added where they were read",
)  # fmt: skip


# ------------------------------------------------------------------ bincount
def _bincount_type(ctx: InferContext) -> TensorType:
    return TensorType(ctx.dtype(2), (scalar_value(ctx, 1),))


def _bincount(values: Any, size: Any, weights: Any) -> Any:
    count, flat = int(size), values.reshape(-1)
    if flat.size and flat.min() < 0:
        raise InvalidArgumentError("Input arr must be non-negative!")
    kept = flat < count
    each = weights.reshape(-1)[kept] if weights.size else np.ones(kept.sum(), weights.dtype)
    return add_rows(flat[kept].astype(np.int64), each, count)


bincount = host(
    "bincount", tf="Bincount", default_name="bincount", infer=_bincount_type, numpy=_bincount,
    nograd="counts do not depend smoothly on the values", args=("arr", "size", "weights"),
    groups=(int32, int32, "T"), dtypes={"T": (int32, int64, float32, float64)}, shape_inputs=(1,),
    samples=(
        sample(fixed([1, 1, 5, 0], int32), fixed(4, int32, const=True), arg((4,)), grad=False),
        sample(fixed([1, 1, 5], int32), fixed(6, int32, const=True), arg((0,)), grad=False),
    ),
)  # fmt: skip

