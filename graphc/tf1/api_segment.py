"""TF1's segment reductions, counts and histograms.

Lives here: tf.segment_*, tf.unsorted_segment_*, tf.sparse_segment_*, tf.bincount,
tf.histogram_fixed_width, tf.confusion_matrix. Not here: records (ops/segment.py). Imports ops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ir.dtypes import as_dtype, float32, int32
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.ops.segment import column_shape
from graphc.tf1.arguments import index_tensor

__all__ = [
    "bincount", "confusion_matrix", "histogram_fixed_width", "segment_max", "segment_mean",
    "segment_min", "segment_prod", "segment_sum", "sparse_segment_mean", "sparse_segment_sqrt_n",
    "sparse_segment_sum", "unsorted_segment_max", "unsorted_segment_mean", "unsorted_segment_min",
    "unsorted_segment_prod", "unsorted_segment_sqrt_n", "unsorted_segment_sum",
]  # fmt: skip


def _sorted(record: str, what: str) -> Callable[..., Tensor]:
    def segment(data: Any, segment_ids: Any, name: str | None = None) -> Tensor:
        return getattr(F, record)(convert_to_tensor(data), index_tensor(segment_ids), name=name)

    segment.__name__ = segment.__qualname__ = record
    segment.__doc__ = (
        f"The {what} of the rows of `data` with equal ids; the ids must not decrease.\n\n"
        "    Raises:\n        InvalidArgumentError when run: \"segment ids are not increasing\".\n"
    )
    return segment


def _unsorted(record: str, what: str) -> Callable[..., Tensor]:
    def segment(
        data: Any, segment_ids: Any, num_segments: Any, name: str | None = None
    ) -> Tensor:
        return getattr(F, record)(
            convert_to_tensor(data), index_tensor(segment_ids), index_tensor(num_segments),
            name=name,
        )  # fmt: skip

    segment.__name__ = segment.__qualname__ = record
    segment.__doc__ = (
        f"The {what} of the elements of `data` with equal ids; negative ids are dropped.\n\n"
        "    Raises:\n        InvalidArgumentError when run: \"segment_ids[4] = 7 is out of range "
        "[0, 5)\".\n"
    )
    return segment


segment_sum = _sorted("segment_sum", "sum")
segment_mean = _sorted("segment_mean", "mean")
segment_max = _sorted("segment_max", "maximum")
segment_min = _sorted("segment_min", "minimum")
segment_prod = _sorted("segment_prod", "product")
unsorted_segment_sum = _unsorted("unsorted_segment_sum", "sum")
unsorted_segment_max = _unsorted("unsorted_segment_max", "maximum")
unsorted_segment_min = _unsorted("unsorted_segment_min", "minimum")
unsorted_segment_prod = _unsorted("unsorted_segment_prod", "product")


def _counts(data: Tensor, ids: Tensor, rows: Tensor) -> Tensor:
    """How many elements each segment has (at least one), in a shape that divides its sums."""
    ones = F.fill(column_shape(ids, data), np.ones((), data.dtype.np))
    counted = F.unsorted_segment_sum(ones, ids, rows)
    return F.maximum(counted, np.ones((), data.dtype.np))


def unsorted_segment_mean(
    data: Any, segment_ids: Any, num_segments: Any, name: str | None = None
) -> Tensor:
    """The mean of the elements with equal ids; zero for an empty segment."""
    x, ids, rows = convert_to_tensor(data), index_tensor(segment_ids), index_tensor(num_segments)
    return F.divide(F.unsorted_segment_sum(x, ids, rows), _counts(x, ids, rows), name=name)


def unsorted_segment_sqrt_n(
    data: Any, segment_ids: Any, num_segments: Any, name: str | None = None
) -> Tensor:
    """The sum of the elements with equal ids over the root of their number."""
    x, ids, rows = convert_to_tensor(data), index_tensor(segment_ids), index_tensor(num_segments)
    root = F.sqrt(_counts(x, ids, rows))
    return F.divide(F.unsorted_segment_sum(x, ids, rows), root, name=name)


def _sparse(
    data: Any, indices: Any, segment_ids: Any, num_segments: Any
) -> tuple[Tensor, Tensor, Any]:
    rows = F.gather(convert_to_tensor(data), index_tensor(indices), axis=0, batch_dims=0)
    count = None if num_segments is None else index_tensor(num_segments)
    return rows, index_tensor(segment_ids), count


def sparse_segment_sum(
    data: Any, indices: Any, segment_ids: Any, name: str | None = None, num_segments: Any = None
) -> Tensor:
    """segment_sum of the rows of `data` that `indices` names."""
    rows, ids, count = _sparse(data, indices, segment_ids, num_segments)
    if count is not None:
        return F.unsorted_segment_sum(rows, ids, count, name=name)
    return F.segment_sum(rows, ids, name=name)


def sparse_segment_mean(
    data: Any, indices: Any, segment_ids: Any, name: str | None = None, num_segments: Any = None
) -> Tensor:
    """segment_mean of the rows of `data` that `indices` names."""
    rows, ids, count = _sparse(data, indices, segment_ids, num_segments)
    if count is not None:
        return unsorted_segment_mean(rows, ids, count, name)
    return F.segment_mean(rows, ids, name=name)


def sparse_segment_sqrt_n(
    data: Any, indices: Any, segment_ids: Any, name: str | None = None, num_segments: Any = None
) -> Tensor:
    """The sum of the rows that `indices` names over the root of their number, by segment."""
    rows, ids, count = _sparse(data, indices, segment_ids, num_segments)
    if count is not None:
        return unsorted_segment_sqrt_n(rows, ids, count, name)
    ones = F.fill(column_shape(ids, rows), np.ones((), rows.dtype.np))
    counted = F.maximum(F.segment_sum(ones, ids), np.ones((), rows.dtype.np))
    return F.divide(F.segment_sum(rows, ids), F.sqrt(counted), name=name)


# ------------------------------------------------------------------ counting
def _largest(values: Tensor) -> Tensor:
    """max(values) + 1, or 0 of nothing."""
    line = F.concat(F.reshape(values, np.array([-1], np.int32)), np.array([-1], np.int32), axis=0)
    return F.add(F.reduce_max(line, axes=None, keepdims=False), 1)


def bincount(
    arr: Any,
    weights: Any = None,
    minlength: Any = None,
    maxlength: Any = None,
    dtype: Any = int32,
    name: str | None = None,
) -> Tensor:
    """How often (with what total weight) each integer occurs, from 0 to the largest.

    Raises:
        InvalidArgumentError when run: negative values.
    """
    values = convert_to_tensor(arr, int32)
    size = _largest(values)
    if minlength is not None:
        size = F.maximum(size, convert_to_tensor(minlength, int32))
    if maxlength is not None:
        size = F.minimum(size, convert_to_tensor(maxlength, int32))
    none = np.zeros(0, as_dtype(dtype).np)
    each = convert_to_tensor(none if weights is None else weights)
    return F.bincount(values, size, each, name=name)


def histogram_fixed_width(
    values: Any, value_range: Any, nbins: Any = 100, dtype: Any = int32, name: str | None = None
) -> Tensor:
    """How many values fall into each of `nbins` equal bins; those outside count at the ends."""
    x = F.reshape(convert_to_tensor(values), np.array([-1], np.int32))
    bounds = convert_to_tensor(value_range, x.dtype)
    low, high = F.unstack(bounds, num=2, axis=0)
    count = index_tensor(nbins)
    wide = x if x.dtype.is_floating else F.cast(x, dtype=float32)
    low, high = (F.cast(b, dtype=wide.dtype) for b in (low, high))
    share = F.divide(F.subtract(wide, low), F.subtract(high, low))
    number = F.floor(F.multiply(share, F.cast(count, dtype=wide.dtype)))
    top = F.cast(F.subtract(count, 1), dtype=wide.dtype)
    bins = F.minimum(F.maximum(number, F.zeros_like(number)), top)
    ones = F.ones_like(F.cast(bins, dtype=as_dtype(dtype)))
    return F.unsorted_segment_sum(ones, F.cast(bins, dtype=int32), count, name=name)


def confusion_matrix(
    labels: Any,
    predictions: Any,
    num_classes: Any = None,
    dtype: Any = int32,
    name: str | None = None,
    weights: Any = None,
) -> Tensor:
    """matrix[i, j]: how often (with what weight) label i was predicted as j."""
    with convert_to_tensor(labels).graph.name_scope(name or "confusion_matrix"):
        truth, guess = (_vector(index_tensor(t)) for t in (labels, predictions))
        if truth.dtype is not guess.dtype:
            truth, guess = (F.cast(t, dtype=int32) for t in (truth, guess))
        if num_classes is None:
            classes = F.maximum(
                _largest(F.cast(truth, dtype=int32)), _largest(F.cast(guess, dtype=int32))
            )
        else:
            classes = F.cast(index_tensor(num_classes), dtype=int32)
        kind = as_dtype(dtype)
        shape = F.cast(F.stack(classes, classes, axis=0), dtype=truth.dtype)
        each = (
            F.fill(F.shape(truth), np.ones((), kind.np)) if weights is None
            else F.cast(convert_to_tensor(weights), dtype=kind)
        )  # fmt: skip
        return F.scatter_nd(F.stack(truth, guess, axis=1), each, shape)


def _vector(x: Tensor) -> Tensor:
    """Labels as a vector: a last axis of extent one is dropped."""
    return F.squeeze(x, axes=(-1,)) if x.rank == 2 else x
