"""Reductions over rows of equal number: segment_* (sorted) and unsorted_segment_*.

Lives here: those records. Not here: single writes by index (ops/scatter.py). Imports ops.define.

A sorted segment op's number of rows is its last id plus one: it is known when the ids are
constants, else the data decide. Rows of no segment hold 0 (1 for products).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import COMPLEX, FLOAT, NUMERIC, DType, as_dtype, int32, int64
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import PartialDim, bracket_text, dims_equal
from graphc.ops.define import F, InferContext, OpDef, host
from graphc.ops.extents import INDEX, need_rank, need_rank_at_least, scalar_value
from graphc.ops.index import position_text
from graphc.ops.samples import arg, fixed, sample
from graphc.ops.scatter import add_rows


# ------------------------------------------------------------------ sorted segments
def _segment_type(ctx: InferContext) -> TensorType:
    need_rank(ctx, 1, 1)
    need_rank_at_least(ctx, 0, 1)
    data, ids = ctx.shape(0), ctx.shape(1)
    if data is not None and ids is not None and dims_equal(data[0], ids[0]) is False:
        raise ctx.fail("segment_ids should be the same size as dimension 0 of input")
    known = ctx.value(1)
    rows: PartialDim = None
    if known is not None and known.dtype != object:
        rows = int(known[-1]) + 1 if known.size else 0
    return TensorType(ctx.dtype(0), None if data is None else (rows, *data[1:]))


def _runs(data: Any, ids: Any) -> tuple[Any, Any, int]:
    """(first position of each segment, its number, the number of rows)."""
    if len(ids) != len(data):
        raise InvalidArgumentError("segment_ids should be the same size as dimension 0 of input.")
    if len(ids) and ((ids[1:] < ids[:-1]).any() or ids[0] < 0):
        raise InvalidArgumentError("segment ids are not increasing")
    starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]]) if len(ids) else np.zeros(0, int)
    return starts, ids[starts], int(ids[-1]) + 1 if len(ids) else 0


def _segments(ufunc: np.ufunc, empty: int, mean: bool = False) -> Callable[..., Any]:
    def reference(data: Any, ids: Any) -> Any:
        starts, numbers, rows = _runs(data, ids)
        wide = np.float32 if _is_half(data) else data.dtype
        out = np.full((rows, *data.shape[1:]), empty, wide)
        if len(starts):
            sums = ufunc.reduceat(data.astype(wide, copy=False), starts, axis=0, dtype=wide)
            if mean:
                counts = np.diff(np.r_[starts, len(ids)]).reshape(-1, *[1] * (data.ndim - 1))
                sums = sums // counts if data.dtype.kind in "iu" else sums / counts.astype(wide)
            out[numbers] = sums
        return out.astype(data.dtype)

    return reference


def _is_half(data: Any) -> bool:
    return data.dtype.itemsize == 2 and data.dtype.kind not in "iu"


def _gather_rows(x: Any, ids: Tensor) -> Tensor:
    return F.gather(x, ids, axis=0, batch_dims=0)


def column_shape(ids: Tensor, like: Tensor) -> Tensor:
    """The shape of ids followed by ones, as many axes as `like` has: it broadcasts with `like`."""
    rest = F.subtract(F.rank(like), F.rank(ids))
    ones = F.fill(F.reshape(rest, np.array([1], np.int32)), np.ones((), np.int32))
    return F.concat(F.shape(ids), ones, axis=0)


def _mean_grad(node: Node, g: Tensor) -> tuple[Any, ...]:
    data, ids = node.inputs
    ones = F.fill(column_shape(ids, data), np.ones((), data.dtype.np))
    return _gather_rows(F.divide(g, F.segment_sum(ones, ids)), ids), None


def _extreme_grad(node: Node, g: Tensor) -> tuple[Any, ...]:
    """The gradient of an extreme is shared evenly by those that attain it."""
    data, ids = node.inputs
    hit = F.equal(data, _gather_rows(node.outputs[0], ids))
    count = F.segment_sum(F.cast(hit, dtype=g.dtype), ids)
    share = _gather_rows(F.div_no_nan(g, count), ids)
    return F.select(hit, share, F.zeros_like(share)), None


def _prod_grad(node: Node, g: Tensor) -> tuple[Any, ...]:
    """Products of the others; a single zero in a segment has the product of the rest."""
    data, ids = node.inputs
    zero = F.equal(data, F.zeros_like(data))
    zeros = F.segment_sum(F.cast(zero, dtype=int32), ids)
    kept = F.select(F.greater(zeros, np.int32(1)), F.zeros_like(g), g)
    safe = F.select(zero, F.ones_like(data), data)
    rest = F.segment_prod(safe, ids)
    others = F.select(
        zero, _gather_rows(rest, ids), F.divide(_gather_rows(node.outputs[0], ids), safe)
    )
    return F.multiply(_gather_rows(kept, ids), others), None


_IDS = fixed([0, 0, 1, 3, 3], int32, const=True)


def _segment(
    name: str, tf: str, reference: Callable[..., Any], grad: Any, dtypes: Any = NUMERIC
) -> OpDef:
    return host(
        name, tf=tf, infer=_segment_type, numpy=reference, grad=grad,
        args=("data", "segment_ids"), groups=("T", "Tindices"),
        dtypes={"T": dtypes, "Tindices": INDEX}, data_dependent=True,
        samples=(sample(arg((5, 2)), _IDS), sample(arg((3,)), fixed([0, 1, 1], int64))),
    )  # fmt: skip


segment_sum = _segment(
    "segment_sum", "SegmentSum", _segments(np.add, 0),
    lambda node, g: (_gather_rows(g, node.inputs[1]), None),
)  # fmt: skip
segment_mean = _segment(
    "segment_mean", "SegmentMean", _segments(np.add, 0, mean=True), _mean_grad
)
segment_max = _segment("segment_max", "SegmentMax", _segments(np.maximum, 0), _extreme_grad)
segment_min = _segment("segment_min", "SegmentMin", _segments(np.minimum, 0), _extreme_grad)
segment_prod = _segment(
    "segment_prod", "SegmentProd", _segments(np.multiply, 1), _prod_grad, FLOAT
)


# ------------------------------------------------------------------ unsorted segments
def _unsorted_type(ctx: InferContext) -> TensorType:
    need_rank(ctx, 2, 0)
    data, ids, rows = ctx.shape(0), ctx.shape(1), scalar_value(ctx, 2)
    if isinstance(rows, int) and rows < 0:
        raise ctx.fail(
            f"Dimension size, given by scalar input 2, must be non-negative but is {rows}"
        )
    if data is None or ids is None:
        return TensorType(ctx.dtype(0), None)
    if len(ids) > len(data) or any(
        dims_equal(a, b) is False for a, b in zip(data, ids, strict=False)
    ):
        raise ctx.fail(
            f"data.shape = {bracket_text(data)} does not start with segment_ids.shape = "
            f"{bracket_text(ids)}"
        )
    return TensorType(ctx.dtype(0), (rows, *data[len(ids) :]))


def _flat(data: Any, ids: Any, rows: int) -> tuple[Any, Any]:
    """Row numbers and rows, without those of negative number."""
    if data.shape[: ids.ndim] != ids.shape:
        raise InvalidArgumentError(
            f"data.shape = {bracket_text(data.shape)} does not start with segment_ids.shape = "
            f"{bracket_text(ids.shape)}"
        )
    if ids.size and (ids >= rows).any():
        at = tuple(int(p) for p in np.argwhere(ids >= rows)[0])
        raise InvalidArgumentError(
            f"segment_ids{position_text(at)} = {ids[at]} is out of range [0, {rows})"
        )
    flat = ids.reshape(-1).astype(np.int64)
    table = data.reshape(ids.size, *data.shape[ids.ndim :])
    kept = flat >= 0
    return (flat, table) if kept.all() else (flat[kept], table[kept])


def _unsorted_sum(data: Any, ids: Any, num_segments: Any) -> Any:
    flat, table = _flat(data, ids, int(num_segments))
    return add_rows(flat, table, int(num_segments))


def _unsorted(ufunc: np.ufunc, empty: Callable[[DType], Any]) -> Callable[..., Any]:
    def reference(data: Any, ids: Any, num_segments: Any) -> Any:
        flat, table = _flat(data, ids, int(num_segments))
        start = empty(as_dtype(data.dtype))
        out = np.full((int(num_segments), *table.shape[1:]), start, data.dtype)
        if len(flat):
            order = np.argsort(flat, kind="stable")
            ordered = flat[order]
            starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
            out[ordered[starts]] = ufunc.reduceat(table[order], starts, axis=0, dtype=data.dtype)
        return out

    return reference


def _drop_negative(rows: Tensor, ids: Tensor) -> Tensor:
    """Each element's row, zeros where its number is negative."""
    got = _gather_rows(rows, F.maximum(ids, np.zeros((), ids.dtype.np)))
    known = F.greater_equal(ids, np.zeros((), ids.dtype.np))
    wide = F.broadcast_to(F.reshape(known, column_shape(ids, got)), F.shape(got))
    return F.select(wide, got, F.zeros_like(got))


def _unsorted_extreme_grad(node: Node, g: Tensor) -> tuple[Any, ...]:
    data, ids, rows = node.inputs
    hit = F.logical_and(
        F.equal(data, _drop_negative(node.outputs[0], ids)),
        F.broadcast_to(
            F.reshape(F.greater_equal(ids, np.zeros((), ids.dtype.np)), column_shape(ids, data)),
            F.shape(data),
        ),
    )
    count = F.unsorted_segment_sum(F.cast(hit, dtype=g.dtype), ids, rows)
    share = _drop_negative(F.div_no_nan(g, count), ids)
    return F.select(hit, share, F.zeros_like(share)), None, None


def _unsorted_prod_grad(node: Node, g: Tensor) -> tuple[Any, ...]:
    """Products of the others; a single zero in a segment has the product of the rest."""
    data, ids, rows = node.inputs
    zero = F.equal(data, F.zeros_like(data))
    zeros = F.unsorted_segment_sum(F.cast(zero, dtype=int32), ids, rows)
    kept = F.select(F.greater(zeros, np.int32(1)), F.zeros_like(g), g)
    safe = F.select(zero, F.ones_like(data), data)
    rest = F.unsorted_segment_prod(safe, ids, rows)
    others = F.select(
        zero, _drop_negative(rest, ids), F.divide(_drop_negative(node.outputs[0], ids), safe)
    )
    return F.multiply(_drop_negative(kept, ids), others), None, None


_ANY_IDS = fixed([2, 0, -1, 1, 0], int32)


def _unsorted_op(
    name: str, tf: str, reference: Callable[..., Any], grad: Any, dtypes: Any = NUMERIC
) -> OpDef:
    return host(
        name, tf=tf, infer=_unsorted_type, numpy=reference, grad=grad,
        args=("data", "segment_ids", "num_segments"), groups=("T", "Tindices", "Tnumsegments"),
        dtypes={"T": dtypes, "Tindices": INDEX, "Tnumsegments": INDEX}, shape_inputs=(2,),
        samples=(
            sample(arg((5, 2)), _ANY_IDS, fixed(3, int32, const=True)),
            sample(arg((2, 2)), fixed([[0, 1], [1, 1]], int64), fixed(2, int32, const=True)),
        ),
    )  # fmt: skip


def _lowest(dtype: DType) -> Any:
    return dtype.min


def _highest(dtype: DType) -> Any:
    return dtype.max


unsorted_segment_sum = _unsorted_op(
    "unsorted_segment_sum", "UnsortedSegmentSum", _unsorted_sum,
    lambda node, g: (_drop_negative(g, node.inputs[1]), None, None), (*NUMERIC, *COMPLEX),
)  # fmt: skip
unsorted_segment_max = _unsorted_op(
    "unsorted_segment_max", "UnsortedSegmentMax", _unsorted(np.maximum, _lowest),
    _unsorted_extreme_grad,
)  # fmt: skip
unsorted_segment_min = _unsorted_op(
    "unsorted_segment_min", "UnsortedSegmentMin", _unsorted(np.minimum, _highest),
    _unsorted_extreme_grad,
)  # fmt: skip
unsorted_segment_prod = _unsorted_op(
    "unsorted_segment_prod", "UnsortedSegmentProd", _unsorted(np.multiply, lambda d: 1),
    _unsorted_prod_grad, FLOAT,
)  # fmt: skip
