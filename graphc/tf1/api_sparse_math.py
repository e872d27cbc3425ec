"""Reductions and elementwise functions of sparse tensors.

Lives here: tf.sparse_reduce_*, tf.sparse_softmax, tf.sparse_maximum and minimum, `sp * dense` and
`sp / dense`, maps of the values. Not here: sums of two tensors (api_sparse.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ir.dtypes import int64
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F, OpDef
from graphc.ops.operators import truediv
from graphc.ops.sparse import row_strides
from graphc.tf1.api_sparse import (
    agreed_shape,
    as_sparse,
    need_known_rank,
    scope_of,
    take,
    union,
    unit_of,
    values_at,
    with_entries,
)
from graphc.tf1.arguments import renamed, static_ints
from graphc.tf1.sparse_tensor import SparseTensor

__all__ = [
    "map_values", "sparse_maximum", "sparse_minimum", "sparse_reduce_max",
    "sparse_reduce_max_sparse", "sparse_reduce_sum", "sparse_reduce_sum_sparse", "sparse_softmax",
]  # fmt: skip

_ONE = np.array([1], np.int32)


# ------------------------------------------------------------------ reductions
def _kept_axes(x: SparseTensor, given: tuple[int, ...]) -> list[int] | None:
    """The axes that stay; None: all go.

    Raises:
        ValueError: an axis that the tensor does not have, or an unknown rank.
    """
    rank = need_known_rank(x, "a reduction over axes")
    for number in given:
        if not -rank <= number < rank:
            raise ValueError(
                f"Invalid reduction dimension {number}, for input with {rank} dimensions."
            )
    gone = {number % rank for number in given}
    kept = [d for d in range(rank) if d not in gone]
    return kept or None


def _total(record: OpDef, values: Tensor, at: Tensor, count: Any) -> Tensor:
    """The reduction of the values of each group; 0 of a group without entries."""
    found = record(values, at, count)
    if record is F.unsorted_segment_sum:
        return found
    ones = F.fill(F.shape(at), np.int32(1))
    some = F.greater(F.unsorted_segment_sum(ones, at, count), np.int32(0))
    return F.select(some, found, F.zeros_like(found))


def _reduce(record: OpDef, x: SparseTensor, kept: list[int] | None, keepdims: bool) -> Tensor:
    if kept is None:
        at = F.fill(F.shape(x.values), np.int64(0))
        out = _total(record, x.values, at, np.int64(1))
        if keepdims:
            return F.reshape(out, F.fill(F.shape(x.dense_shape), np.int64(1)))
        return F.reshape(out, np.zeros(0, np.int32))
    extents = take(x.dense_shape, np.array(kept, np.int32))
    columns = take(x.indices, np.array(kept, np.int32), axis=1)
    at = F.sparse_positions(columns, extents, row_strides(extents), ordered=False)
    out = _total(record, x.values, at, F.reduce_prod(extents, axes=None, keepdims=False))
    return F.reshape(out, _with_ones(x, kept) if keepdims else extents)


def _reduce_of_any_rank(
    record: OpDef, x: SparseTensor, given: tuple[int, ...], keepdims: bool
) -> Tensor:
    """As _reduce where the graph does not know the rank: of some axes extents count as one."""
    gone = unit_of(x, given[0])
    for axis in given[1:]:
        gone = F.maximum(gone, unit_of(x, axis))
    extents = F.maximum(x.dense_shape * (1 - gone), gone)
    at = F.sparse_positions(
        x.indices * (1 - gone), extents, row_strides(extents), ordered=False
    )
    out = _total(record, x.values, at, F.reduce_prod(extents, axes=None, keepdims=False))
    if keepdims:
        return F.reshape(out, extents)
    left = F.reshape(F.where(F.equal(gone, np.int64(0))), _ONE * -1)
    return F.reshape(out, take(x.dense_shape, left))


def _with_ones(x: SparseTensor, kept: list[int] | None) -> Tensor:
    """The dense shape with ones where an axis was reduced."""
    if kept is None:
        return F.fill(F.shape(x.dense_shape), np.int64(1))
    rank = need_known_rank(x, "keepdims")
    one = convert_to_tensor(np.int64(1))
    return F.stack(
        *(take(x.dense_shape, np.int32(d)) if d in kept else one for d in range(rank)), axis=0
    )


def _reduce_sparse(
    record: OpDef, x: SparseTensor, kept: list[int] | None, keepdims: bool
) -> SparseTensor:
    """As _reduce, with an entry for each group that has one."""
    columns = take(x.indices, np.array(kept or [], np.int32), axis=1)
    rows, at = F.sparse_unique(columns)
    out = _total(record, x.values, at, take(F.shape(rows), np.int32(0)))
    if not keepdims:
        return SparseTensor(rows, out, take(x.dense_shape, np.array(kept or [], np.int32)))
    if kept is None:
        count = F.reshape(F.size(out), _ONE)
        blank = F.concat(count, F.shape(x.dense_shape), axis=0)
        return SparseTensor(F.fill(blank, np.int64(0)), out, _with_ones(x, None))
    blank_column = F.fill(F.shape(out), np.int64(0))
    places = [
        take(rows, np.int32(kept.index(d)), axis=1) if d in kept else blank_column
        for d in range(need_known_rank(x, "keepdims"))
    ]
    return SparseTensor(F.stack(*places, axis=1), out, _with_ones(x, kept))


def _reduction(record: str, build: Callable[..., Any], doc: str) -> Callable[..., Any]:
    def reduce(
        sp_input: Any,
        axis: Any = None,
        keepdims: bool | None = None,
        reduction_axes: Any = None,
        keep_dims: bool | None = None,
    ) -> Any:
        x = as_sparse(sp_input)
        wanted = renamed("reduction_axes", reduction_axes, "axis", axis)
        wide = renamed("keep_dims", keep_dims, "keepdims", keepdims)
        with scope_of(x, None, "SparseReduce"):
            if wanted is None:
                return build(getattr(F, record), x, None, bool(wide))
            given = static_ints(wanted, "axis")
            if x.rank is None and build is _reduce and given:
                return _reduce_of_any_rank(getattr(F, record), x, given, bool(wide))
            return build(getattr(F, record), x, _kept_axes(x, given), bool(wide))

    reduce.__doc__ = doc
    return reduce


_DENSE_DOC = """The {} over axes (default all) of a sparse tensor, as a dense one.

    Only entries count: a group without any has 0.

    Raises:
        ValueError: an axis that the tensor does not have.
    """
_SPARSE_DOC = """The {} over axes (default all) of a sparse tensor, as a sparse one."""

sparse_reduce_sum = _reduction("unsorted_segment_sum", _reduce, _DENSE_DOC.format("sum"))
sparse_reduce_max = _reduction("unsorted_segment_max", _reduce, _DENSE_DOC.format("maximum"))
sparse_reduce_sum_sparse = _reduction(
    "unsorted_segment_sum", _reduce_sparse, _SPARSE_DOC.format("sum")
)
sparse_reduce_max_sparse = _reduction(
    "unsorted_segment_max", _reduce_sparse, _SPARSE_DOC.format("maximum")
)
for _name in ("sum", "max", "sum_sparse", "max_sparse"):
    globals()[f"sparse_reduce_{_name}"].__name__ = f"sparse_reduce_{_name}"


# ------------------------------------------------------------------ softmax, extremes
def sparse_softmax(sp_input: Any, name: str | None = None) -> SparseTensor:
    """The softmax along the last axis of the entries that are there (tf.sparse.softmax).

    The entries must be in row-major order.
    """
    x = as_sparse(sp_input)
    with scope_of(x, name, "SparseSoftmax"):
        rows = _row_numbers(x)
        count = F.size(x.values)
        largest = F.stop_gradient(F.unsorted_segment_max(x.values, rows, count))
        powers = F.exp(x.values - values_at(largest, rows))
        sums = F.unsorted_segment_sum(powers, rows, count)
        return with_entries(x, x.indices, powers / values_at(sums, rows))


def _row_numbers(x: SparseTensor) -> Tensor:
    """A number for the row of each entry: one more wherever the row changes."""
    leading = F.strided_slice(
        x.indices, np.array([0, 0], np.int32), np.array([0, -1], np.int32),
        np.array([1, 1], np.int32), begin_mask=3, end_mask=1,
    )  # fmt: skip
    behind = F.strided_slice(leading, _ONE, _ONE * 0, _ONE, end_mask=1)
    before = F.slice(
        leading, np.zeros(2, np.int32), F.shape(behind)
    )
    changes = F.reduce_any(F.not_equal(behind, before), axes=(1,), keepdims=False)
    steps = F.cast(changes, dtype=int64)
    first = F.fill(F.reshape(F.minimum(F.size(x.values), np.int32(1)), _ONE), np.int64(0))
    return F.cumsum(F.concat(first, steps, axis=0), axis=0, exclusive=False, reverse=False)


def _extreme(record: str, doc: str) -> Callable[..., SparseTensor]:
    def extreme(sp_a: Any, sp_b: Any, name: str | None = None) -> SparseTensor:
        a, b = as_sparse(sp_a), as_sparse(sp_b)
        with scope_of(a, name, "SparseSparse" + record.capitalize()):
            shape = agreed_shape(a, b)
            rows, count, first, second = union(a, b)
            mine = F.unsorted_segment_sum(a.values, first, count)
            other = F.unsorted_segment_sum(b.values, second, count)
            made = SparseTensor(rows, getattr(F, record)(mine, other), shape)
            made._static = a._static
            return made

    extreme.__name__ = f"sparse_{record}"
    extreme.__doc__ = doc
    return extreme


_EXTREME_DOC = """The {} of two sparse tensors where either has an entry; a missing one is 0.

    Raises:
        ValueError or, when run, InvalidArgumentError: the shapes differ.
    """
sparse_maximum = _extreme("maximum", _EXTREME_DOC.format("maximum"))
sparse_minimum = _extreme("minimum", _EXTREME_DOC.format("minimum"))


# ------------------------------------------------------------------ with dense tensors
def dense_at(x: SparseTensor, dense: Tensor) -> Tensor:
    """The elements of a dense tensor, broadcast to x, at the places of x's entries.

    Raises:
        ValueError or, when run, InvalidArgumentError: it does not broadcast to x's shape.
    """
    rank = dense.rank
    if rank is None:
        raise ValueError("a dense operand of a sparse tensor must have a known rank")
    if rank == 0:
        return dense
    if x.rank is not None and rank > x.rank:
        raise ValueError(
            "SparseDenseBinaryOpShared broadcasts dense to sparse only; got incompatible shapes: "
            f"{x.get_shape()} vs. {dense.get_shape()}"
        )
    tail = F.strided_slice(x.dense_shape, _ONE * -rank, _ONE * 0, _ONE, end_mask=1)
    extents = F.sparse_same(tail, F.shape(dense, out_type=int64), broadcast=True)
    columns = F.strided_slice(
        x.indices, np.array([0, -rank], np.int32), np.array([0, 0], np.int32),
        np.array([1, 1], np.int32), begin_mask=1, end_mask=3,
    )  # fmt: skip
    at = F.reshape(F.minimum(columns, extents - np.int64(1)), np.array([-1, rank], np.int32))
    return F.gather_nd(dense, at)


def times(x: SparseTensor, dense: Any) -> SparseTensor:
    """x * dense, broadcast to x: an entry for each of x."""
    with scope_of(x, None, "mul"):
        other = dense_at(x, convert_to_tensor(dense, x.dtype))
        return with_entries(x, x.indices, x.values * other)


def over(x: SparseTensor, dense: Any) -> SparseTensor:
    """x / dense, broadcast to x: an entry for each of x."""
    with scope_of(x, None, "truediv"):
        other = dense_at(x, convert_to_tensor(dense, x.dtype))
        return with_entries(x, x.indices, truediv(x.values, other))


def map_values(op: Callable[[Tensor], Tensor], x: SparseTensor) -> SparseTensor:
    """A function of each entry that leaves zero at zero."""
    return with_entries(x, x.indices, op(x.values))
