"""Reading by index: gather, gather_nd.

Lives here: the records and the texts of bounds errors. Not here: the inverse, writing by index
(ops/scatter.py), sorting and ranks (ops/ranking.py). Imports ops.define.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import ALL, float64, int32, int64
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import bracket_text, merge_dim
from graphc.kernel import prims as k
from graphc.kernel.expr import Expr, index
from graphc.ops.define import F, InferContext, KernelContext, movement
from graphc.ops.extents import INDEX, check_axis, fixed_dim
from graphc.ops.samples import arg, fixed, sample


def position_text(position: Sequence[int]) -> str:
    """As TF prints the position of a bad index: "[2,0]", nothing for a scalar."""
    return "[" + ",".join(map(str, position)) + "]" if len(position) else ""


def check_bounds(indices: Any, extent: int, what: str = "indices") -> None:
    """Raises InvalidArgumentError ("indices[0] = 7 is not in [0, 5)") for the first bad index."""
    bad = (indices < 0) | (indices >= extent)
    if not bad.any():
        return
    at = tuple(int(p) for p in np.argwhere(bad)[0])
    raise InvalidArgumentError(
        f"{what}{position_text(at)} = {indices[at]} is not in [0, {extent})"
    )


# ------------------------------------------------------------------ gather
def _gather_type(ctx: InferContext) -> TensorType:
    params, indices = ctx.shape(0), ctx.shape(1)
    batch = ctx.attrs["batch_dims"]
    axis = check_axis(ctx, ctx.attrs["axis"], ctx.rank(0))
    if params is None or indices is None or axis is None:
        return TensorType(ctx.dtype(0), None)
    if batch > axis or batch > len(indices):
        raise ctx.fail(f"batch_dims ({batch}) must be at most axis ({axis}) and rank(indices)")
    try:
        head = tuple(merge_dim(p, i) for p, i in zip(params[:batch], indices[:batch], strict=True))
    except ValueError as err:
        raise ctx.fail(str(err)) from None
    shape = (*head, *params[batch:axis], *indices[batch:], *params[axis + 1 :])
    return TensorType(ctx.dtype(0), shape)


def _gather(params: Any, indices: Any, axis: int, batch_dims: int) -> Any:
    at = axis % params.ndim
    check_bounds(indices, params.shape[at])
    if batch_dims == 0:
        return np.take(params, indices, axis=at)
    batch = params.shape[:batch_dims]
    rows = params.reshape(-1, *params.shape[batch_dims:])
    wanted = indices.reshape(-1, *indices.shape[batch_dims:])
    parts = [np.take(p, i, axis=at - batch_dims) for p, i in zip(rows, wanted, strict=True)]
    inner = (
        *params.shape[batch_dims:at], *indices.shape[batch_dims:], *params.shape[at + 1 :]
    )  # fmt: skip
    return np.array(parts, params.dtype).reshape(*batch, *inner)


def _gather_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    params, indices = ctx.shape(0), ctx.shape(1)
    axis, batch = ctx.attrs["axis"] % len(params), ctx.attrs["batch_dims"]
    behind = axis + len(indices) - batch
    found = ctx.load(1, (*idx[:batch], *idx[axis:behind]))
    row = k.check_index(k.cast(found, int64), index(params[axis]))
    return ctx.load(0, (*idx[:axis], row, *idx[behind:]))


def _gather_grad(node: Node, g: Tensor) -> tuple[Any, ...]:
    params, indices = node.inputs
    axis, batch = node.attrs["axis"], node.attrs["batch_dims"]
    if axis == 0 and batch == 0:
        return _rows_gradient(g, params, indices), None
    return F.gather_grad(g, indices, F.shape(params), axis=axis, batch_dims=batch), None


def _rows_gradient(g: Tensor, params: Tensor, indices: Tensor) -> Any:
    """IndexedSlices: only the rows that were read."""
    from graphc.autodiff.indexed_slices import IndexedSlices

    shape = F.shape(params, out_type=indices.dtype)
    one, none = np.array([1], np.int32), np.array([0], np.int32)
    tail = F.strided_slice(shape, one, none, one, end_mask=1)
    count = F.reshape(F.size(indices, out_type=indices.dtype), one)
    values = F.reshape(g, F.concat(count, tail, axis=0))
    return IndexedSlices(values, F.reshape(indices, np.array([-1], np.int32)), shape)


gather = movement(
    "gather", tf="GatherV2", infer=_gather_type, kernel=_gather_kernel, numpy=_gather,
    grad=_gather_grad, args=("params", "indices"), groups=("Tparams", "Tindices"),
    dtypes={"Tparams": ALL, "Tindices": INDEX},
    samples=(
        sample(arg((5, 3)), fixed([0, 4, 0], int32), axis=0, batch_dims=0),
        sample(arg((5, 3)), fixed([[2, 1], [0, 2]], int64), axis=1, batch_dims=0),
        sample(arg((5,)), fixed(3, int32), axis=0, batch_dims=0),
        sample(arg((2, 5, 3)), fixed([[0, 4], [1, 1]], int32), axis=1, batch_dims=1),
        sample(arg((2, 4, 3)), fixed([[0, 2], [1, 1]], int32), axis=2, batch_dims=1),
        sample(arg((2, 3)), fixed([0, 2], int32), axis=1, batch_dims=1),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ gather_nd
def _gather_nd_type(ctx: InferContext) -> TensorType:
    params, indices = ctx.shape(0), ctx.shape(1)
    if indices is not None and not indices:
        raise ctx.fail("Shape must be at least rank 1 but is rank 0")
    depth = None if indices is None else fixed_dim(indices[-1])
    if params is None or indices is None or depth is None:
        return TensorType(ctx.dtype(0), None)
    if depth > len(params):
        raise ctx.fail(
            "indices.shape[-1] must be <= params.rank, but saw indices shape: "
            f"{bracket_text(indices)} and params shape: {bracket_text(params)}"
        )
    return TensorType(ctx.dtype(0), (*indices[:-1], *params[depth:]))


def check_bounds_nd(indices: Any, shape: Sequence[int], what: str) -> None:
    """Raises InvalidArgumentError ("indices[0] = [7, 0] does not index into param shape ...")."""
    bad = ((indices < 0) | (indices >= np.array(shape, np.int64))).any(axis=-1)
    if not bad.any():
        return
    at = tuple(int(p) for p in np.argwhere(bad)[0])
    row = ", ".join(str(v) for v in indices[at].tolist())
    raise InvalidArgumentError(f"indices{position_text(at)} = [{row}] does not index into {what}")


def _gather_nd(params: Any, indices: Any) -> Any:
    depth = indices.shape[-1]
    check_bounds_nd(
        indices, params.shape[:depth], f"param shape {bracket_text(params.shape)}"
    )
    if depth == 0:
        return np.broadcast_to(params, indices.shape[:-1] + params.shape)
    return params[tuple(np.moveaxis(indices, -1, 0))]


def _gather_nd_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    params, indices = ctx.shape(0), ctx.shape(1)
    lead = len(indices) - 1
    depth = lead + len(params) - len(idx)
    at: list[Expr] = []
    for d in range(depth):
        found = k.cast(ctx.load(1, (*idx[:lead], index(d))), int64)
        at.append(k.check_index(found, index(params[d])))
    return ctx.load(0, (*at, *idx[lead:]))


gather_nd = movement(
    "gather_nd", tf="GatherNd", infer=_gather_nd_type, kernel=_gather_nd_kernel,
    numpy=_gather_nd,
    grad=lambda node, g: (
        F.scatter_nd(node.inputs[1], g, F.shape(node.inputs[0], out_type=node.inputs[1].dtype)),
        None,
    ),
    args=("params", "indices"), groups=("Tparams", "Tindices"),
    dtypes={"Tparams": ALL, "Tindices": INDEX},
    samples=(
        sample(arg((3, 4)), fixed([[0, 1], [2, 3], [0, 1]], int32)),
        sample(arg((3, 4)), fixed([[[2]], [[0]]], int64)),
        sample(arg((2, 3, 2)), fixed([[[0, 1], [1, 2]]], int32), dtypes=(float64,)),
    ),
)  # fmt: skip
