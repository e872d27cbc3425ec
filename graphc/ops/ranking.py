"""Ranks and searches: top_k, in_top_k, searchsorted.

Lives here: those records. Not here: argmax (ops/reduce.py), uniqueness (ops/sets.py). Imports
ops.define.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import FLOAT, NUMERIC, bool_, float32, int32, int64
from graphc.ir.node import Node, TensorType
from graphc.ir.shape import merge_dim
from graphc.kernel import prims as k
from graphc.kernel.expr import Const, Expr, Reduce, index
from graphc.ops.define import F, InferContext, KernelContext, OpDef, host
from graphc.ops.extents import INDEX, need_rank, need_rank_at_least, or_zeros, scalar_value
from graphc.ops.joining import axis_extent
from graphc.ops.samples import Domain, arg, fixed, sample


def _permuted(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Any:
    count = int(np.prod(shape, dtype=np.int64))
    return rng.permutation(count).reshape(shape).astype(dtype.np)


# values that differ by at least one, so that ranks do not depend on rounding
DISTINCT = Domain(_permuted, text="distinct")


# ------------------------------------------------------------------ top_k
def _top_k_type(ctx: InferContext) -> list[TensorType]:
    need_rank_at_least(ctx, 0, 1)
    need_rank(ctx, 1, 0)
    shape, count = ctx.shape(0), scalar_value(ctx, 1)
    if isinstance(count, int) and count < 0:
        raise ctx.fail(f"Need k >= 0, got {count}")
    if shape is not None and isinstance(shape[-1], int) and isinstance(count, int):
        if count > shape[-1]:
            raise ctx.fail(f"input must have last dimension >= k = {count} but is {shape[-1]}")
    out = None if shape is None else (*shape[:-1], count)
    return [TensorType(ctx.dtype(0), out), TensorType(int32, out)]


def _top_k(x: Any, count: Any, sorted: bool = True) -> tuple[Any, Any]:
    n, wanted = x.shape[-1], int(count)
    if wanted > n:
        raise InvalidArgumentError(
            f"input must have at least k columns. Had {n}, needed {wanted}"
        )
    if wanted == 1:
        at = np.argmax(x, axis=-1)[..., None]
    else:
        # stable on the reversed row: among equals the lower index comes first
        at = (n - 1 - np.argsort(x[..., ::-1], axis=-1, kind="stable"))[..., ::-1][..., :wanted]
    return np.take_along_axis(x, at, axis=-1), at.astype(np.int32)


def _top_k_grad(node: Node, g: Any, _: Any = None) -> tuple[Any, ...]:
    """Each value's gradient goes to its position along the last axis."""
    x, values, at = node.inputs[0], node.outputs[0], node.outputs[1]
    g = or_zeros(g, values)
    width, count = axis_extent(x, -1), axis_extent(at, -1)
    rows = F.floordiv(F.size(x), F.maximum(width, 1))
    starts = F.expand_dims(F.multiply(F.range(0, rows, 1), width), axis=1)
    flat = F.add(F.reshape(at, F.stack(rows, count, axis=0)), starts)
    line = np.array([-1], np.int32)
    spread = F.unsorted_segment_sum(F.reshape(g, line), F.reshape(flat, line), F.size(x))
    return F.reshape(spread, F.shape(x)), None


top_k = host(
    "top_k", tf="TopKV2", infer=_top_k_type, numpy=_top_k, grad=_top_k_grad, args=("input", "k"),
    groups=("T", int32), dtypes={"T": NUMERIC}, shape_inputs=(1,),
    samples=(
        sample(arg((7,), DISTINCT), fixed(3, int32, const=True), sorted=True),
        sample(arg((2, 3, 5), DISTINCT), fixed(2, int32, const=True), sorted=True),
        sample(arg((4, 5), DISTINCT), fixed(1, int32, const=True), sorted=True),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ in_top_k
def _in_top_k_type(ctx: InferContext) -> TensorType:
    need_rank(ctx, 0, 2)
    need_rank(ctx, 1, 1)
    rows, targets = ctx.shape(0), ctx.shape(1)
    if rows is None or targets is None:
        return TensorType(bool_, (targets or (None,)) if rows is None else rows[:1])
    try:
        return TensorType(bool_, (merge_dim(rows[0], targets[0]),))
    except ValueError:
        raise ctx.fail(f"Dimensions must be equal, but are {rows[0]} and {targets[0]}") from None


def _in_top_k(predictions: Any, targets: Any, count: Any) -> Any:
    width = predictions.shape[1]
    known = (targets >= 0) & (targets < width)
    safe = np.where(known, targets, 0).astype(np.int64)
    if width == 0:
        return np.zeros(len(predictions), bool)
    mine = predictions[np.arange(len(predictions)), safe][:, None]
    better = (predictions > mine).sum(axis=1)
    return known & np.isfinite(predictions).all(axis=1) & (better < int(count))


def _in_top_k_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    width = index(ctx.shape(0)[1])
    target = k.cast(ctx.load(1, idx), int64)
    known = k.and_(k.ge(target, 0), k.lt(target, width))
    mine = ctx.load(0, (idx[0], target), known, 0)
    axis = ctx.axis(ctx.shape(0)[1], "c")
    each = ctx.load(0, (idx[0], axis))
    better = k.select(k.gt(each, mine), Const(1, int64), Const(0, int64))
    # a prediction that is not finite makes the answer false: it counts as infinitely many
    lost = k.select(k.is_finite(each), better, Const(1 << 40, int64))
    total = Reduce("add", (axis,), lost, int64)
    return k.and_(known, k.lt(total, k.cast(ctx.load(2, ()), int64)))


in_top_k = OpDef(
    name="in_top_k", tf="InTopKV2", default_name="in_top_k", family="reduction",
    infer=_in_top_k_type, numpy=_in_top_k, kernel=_in_top_k_kernel,
    args=("predictions", "targets", "k"), groups=(float32, "T", "T"), dtypes={"T": INDEX},
    nograd="it answers true or false",
    samples=(
        sample(arg((5, 4), DISTINCT, float32), fixed([0, 1, 2, 3, 9], int32), fixed(2, int32),
               grad=False, dtypes=(float32,)),
        sample(fixed([[1.0, 1.0, 0.5], [np.inf, 1.0, 2.0]], float32), fixed([1, 2], int64),
               fixed(1, int64), grad=False, dtypes=(float32,)),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ searchsorted
def _searchsorted_type(ctx: InferContext) -> TensorType:
    need_rank_at_least(ctx, 0, 1)
    return TensorType(ctx.attrs["out_type"], ctx.shape(1))


def _searchsorted(sequence: Any, values: Any, side: Any, out_type: Any) -> Any:
    rows = sequence.reshape(-1, sequence.shape[-1])
    wanted = values.reshape(len(rows), -1)
    out = [np.searchsorted(r, v, side) for r, v in zip(rows, wanted, strict=True)]
    return np.array(out, out_type.np).reshape(values.shape)


searchsorted = host(
    "searchsorted", tf="UpperBound", default_name="searchsorted", infer=_searchsorted_type,
    numpy=_searchsorted, nograd="positions are integers", args=("sorted_sequence", "values"),
    dtypes={"T": (*FLOAT, int32, int64)},
    samples=(
        sample(fixed([1, 3, 3, 5]), fixed([0, 3, 9]), side="left", out_type=int32, grad=False),
        sample(fixed([[1, 3, 5], [2, 4, 6]]), fixed([[3, 4], [3, 4]]), side="right",
               out_type=int64, grad=False),
    ),
)  # fmt: skip

