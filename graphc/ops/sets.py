"""Ops whose output shapes the data decide: where, unique, dynamic_partition and their kin.

Lives here: those records, dynamic_stitch and invert_permutation. Not here: where with three
arguments (`select`, ops/logic.py), boolean_mask (tf1/api_index.py). Imports ops.define.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import ALL, int32, int64
from graphc.ir.node import Node, TensorType
from graphc.ir.shape import bracket_text, dims_equal
from graphc.ops.define import F, InferContext, host
from graphc.ops.extents import INDEX, need_rank, or_zeros
from graphc.ops.index import position_text
from graphc.ops.samples import arg, fixed, sample

HASHABLE = tuple(d for d in ALL if not d.is_complex)


# ------------------------------------------------------------------ where
def _nonzero(condition: Any) -> Any:
    if condition.ndim == 0:
        return np.zeros((int(bool(condition)), 0), np.int64)
    return np.argwhere(condition)


where = host(
    "where", tf="Where", infer=lambda ctx: TensorType(int64, (None, ctx.rank(0))),
    numpy=_nonzero, nograd="positions are integers", args=("condition",),
    dtypes={"T": HASHABLE}, data_dependent=True,
    samples=(
        sample(fixed([[1, 0], [0, 1], [1, 1]]), grad=False), sample(fixed([0, 0]), grad=False),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ unique, setdiff1d
def first_occurrences(x: Any) -> tuple[Any, Any, Any]:
    """(values in the order of their first occurrence, position of each element's value, counts)."""
    values, first, at, counts = np.unique(
        x, return_index=True, return_inverse=True, return_counts=True, equal_nan=False
    )
    order = np.argsort(first, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return values[order], place[at.reshape(-1)], counts[order]


def _unique_types(ctx: InferContext) -> list[TensorType]:
    need_rank(ctx, 0, 1)
    out_idx = ctx.attrs["out_idx"]
    shape = ctx.shape(0)
    return [
        TensorType(ctx.dtype(0), (None,)),
        TensorType(out_idx, (None,) if shape is None else shape),
        TensorType(out_idx, (None,)),
    ]


unique = host(
    "unique", tf="Unique", infer=lambda ctx: _unique_types(ctx)[:2],
    numpy=lambda x, out_idx: first_occurrences(x)[:2], nograd="TF1 has no gradient for it",
    args=("x",), dtypes={"T": HASHABLE}, data_dependent=True,
    samples=(sample(fixed([3, 1, 3, 2, 1]), out_idx=int32, grad=False),),
)  # fmt: skip

unique_with_counts = host(
    "unique_with_counts", tf="UniqueWithCounts", infer=_unique_types,
    numpy=lambda x, out_idx: first_occurrences(x), nograd="TF1 has no gradient for it",
    args=("x",), dtypes={"T": HASHABLE}, data_dependent=True,
    samples=(sample(fixed([3, 1, 3, 2, 1]), out_idx=int64, grad=False),),
)  # fmt: skip


def _setdiff_types(ctx: InferContext) -> list[TensorType]:
    need_rank(ctx, 0, 1)
    need_rank(ctx, 1, 1)
    return [TensorType(ctx.dtype(0), (None,)), TensorType(ctx.attrs["out_idx"], (None,))]


def _setdiff(x: Any, y: Any, out_idx: Any) -> tuple[Any, Any]:
    at = np.flatnonzero(~np.isin(x, y))
    return x[at], at


setdiff1d = host(
    "setdiff1d", tf="ListDiff", infer=_setdiff_types, numpy=_setdiff,
    nograd="TF1 has no gradient for it", args=("x", "y"), dtypes={"T": HASHABLE},
    data_dependent=True,
    samples=(sample(fixed([1, 2, 3, 2, 5]), fixed([2, 4]), out_idx=int32, grad=False),),
)  # fmt: skip


# ------------------------------------------------------------------ partition and stitch
def _partition_types(ctx: InferContext) -> list[TensorType]:
    data, parts = ctx.shape(0), ctx.shape(1)
    if data is not None and parts is not None:
        fits = len(parts) <= len(data) and not any(
            dims_equal(a, b) is False for a, b in zip(data, parts, strict=False)
        )
        if not fits:
            raise ctx.fail(
                f"data.shape must start with partitions.shape, got data.shape = "
                f"{bracket_text(data)}, partitions.shape = {bracket_text(parts)}"
            )
    known = data is not None and parts is not None
    shape = (None, *data[len(parts) :]) if known else None  # type: ignore[index, arg-type]
    return [TensorType(ctx.dtype(0), shape)] * ctx.attrs["num"]


def _partition(data: Any, partitions: Any, num: int) -> tuple[Any, ...]:
    if data.shape[: partitions.ndim] != partitions.shape:
        raise InvalidArgumentError(
            "data.shape must start with partitions.shape, got data.shape = "
            f"{bracket_text(data.shape)}, partitions.shape = {bracket_text(partitions.shape)}"
        )
    bad = (partitions < 0) | (partitions >= num)
    if bad.any():
        at = tuple(int(p) for p in np.argwhere(bad)[0])
        raise InvalidArgumentError(
            f"partitions{position_text(at)} = {partitions[at]} is not in [0, {num})"
        )
    flat = partitions.reshape(-1)
    rows = data.reshape(flat.size, *data.shape[partitions.ndim :])
    return tuple(rows[flat == p] for p in range(num))


def _partition_grad(node: Node, *gs: Any) -> tuple[Any, ...]:
    data, parts = node.inputs
    num = node.attrs["num"]
    line = np.array([-1], np.int32)
    numbers = F.reshape(F.range(0, F.size(parts), 1), F.shape(parts))
    places = F.dynamic_partition(numbers, parts, num=num)
    places = places if isinstance(places, tuple) else (places,)
    rows = [or_zeros(g, out) for g, out in zip(gs, node.outputs, strict=True)]
    joined = rows[0] if num == 1 else F.concat(*rows, axis=0)
    where_to = F.reshape(places[0] if num == 1 else F.concat(*places, axis=0), line)
    flat = F.unsorted_segment_sum(joined, where_to, F.size(parts))
    return F.reshape(flat, F.shape(data)), None


dynamic_partition = host(
    "dynamic_partition", tf="DynamicPartition", infer=_partition_types, numpy=_partition,
    grad=_partition_grad, args=("data", "partitions"), groups=("T", int32), dtypes={"T": ALL},
    data_dependent=True,
    samples=(
        sample(arg((5, 2)), fixed([1, 0, 1, 2, 0], int32), num=3),
        sample(arg((2, 2)), fixed([[0, 1], [1, 1]], int32), num=2),
    ),
)  # fmt: skip


def _stitch_type(ctx: InferContext) -> TensorType:
    need_rank(ctx, 0, 1)
    known, data = ctx.value(0), ctx.shape(1)
    rows = None
    if known is not None and known.dtype != object:
        rows = int(known.max()) + 1 if known.size else 0
    return TensorType(ctx.dtype(1), None if data is None else (rows, *data[1:]))


def _stitch(indices: Any, data: Any) -> Any:
    if indices.size and indices.min() < 0:
        at = int(np.argmin(indices))
        raise InvalidArgumentError(f"indices[{at}] = {indices[at]} is out of range")
    rows = int(indices.max()) + 1 if indices.size else 0
    blank = b"" if data.dtype == object else 0
    out = np.full((rows, *data.shape[1:]), blank, data.dtype)
    out[indices] = data
    return out


dynamic_stitch = host(
    "dynamic_stitch", tf="DynamicStitch", infer=_stitch_type, numpy=_stitch,
    grad=lambda node, g: (None, F.gather(g, node.inputs[0], axis=0, batch_dims=0)),
    args=("indices", "data"), groups=(int32, "T"), dtypes={"T": ALL}, data_dependent=True,
    samples=(
        sample(fixed([2, 0, 1], int32), arg((3, 2))),
        sample(fixed([0, 2], int32, const=True), arg((2,))),
    ),
    doc="rows put at their indices; of rows with one index the last wins",
)  # fmt: skip


# ------------------------------------------------------------------ invert_permutation
def _invert_type(ctx: InferContext) -> TensorType:
    need_rank(ctx, 0, 1)
    return ctx.inputs[0].type


def _invert(x: Any) -> Any:
    out = np.full(len(x), -1, x.dtype)
    for at, value in enumerate(x.tolist()):
        if not 0 <= value < len(x):
            raise InvalidArgumentError(f"{value} is not between 0 and {len(x)}")
        if out[value] != -1:
            raise InvalidArgumentError(f"{value} is duplicated in the input.")
        out[value] = at
    return out


invert_permutation = host(
    "invert_permutation", tf="InvertPermutation", infer=_invert_type, numpy=_invert,
    nograd="positions are integers", args=("x",), dtypes={"T": INDEX},
    samples=(sample(fixed([2, 0, 1]), grad=False),),
)  # fmt: skip

