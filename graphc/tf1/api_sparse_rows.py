"""Sparse tensors as rows of ids: empty rows, merged ids, indicators, shapes.

Lives here: tf.sparse_fill_empty_rows, sparse_merge, sparse_to_indicator, sparse_reset_shape,
sparse_mask, tf.sparse.expand_dims and eye. Not here: embeddings of ids (api_sparse_embedding.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.autodiff.indexed_slices import IndexedSlices
from graphc.ir.dtypes import as_dtype, bool_, float32, int32, int64
from graphc.ir.graph import get_default_graph
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.ops.values import value_of
from graphc.tf1.api_sparse import (
    as_sparse,
    entries_at,
    need_known_rank,
    scope_of,
    sparse_reorder,
    sparse_tensor_to_dense,
    take,
    with_entries,
)
from graphc.tf1.arguments import index_tensor, static_int
from graphc.tf1.sparse_tensor import SparseTensor

__all__ = [
    "expand_dims", "eye", "sparse_fill_empty_rows", "sparse_mask", "sparse_merge",
    "sparse_reset_shape", "sparse_to_indicator",
]  # fmt: skip

_ONE = np.array([1], np.int32)
_LINE = np.array([-1], np.int32)


def _head(x: Tensor) -> Tensor:
    """A vector without its last element."""
    return F.strided_slice(x, _ONE * 0, _ONE * -1, _ONE, begin_mask=1)


def _columns_but_last(indices: Tensor) -> Tensor:
    begin, end = np.array([0, 0], np.int32), np.array([0, -1], np.int32)
    return F.strided_slice(
        indices, begin, end, np.array([1, 1], np.int32), begin_mask=3, end_mask=1
    )


# ------------------------------------------------------------------ rows
def sparse_mask(a: IndexedSlices, mask_indices: Any, name: str | None = None) -> IndexedSlices:
    """IndexedSlices without the rows that `mask_indices` names (tf.sparse.mask)."""
    with a.values.graph.name_scope(name or "sparse_mask"):
        left_out = convert_to_tensor(mask_indices, a.indices.dtype)
        kept, at = F.setdiff1d(a.indices, left_out, out_idx=int32)
        return IndexedSlices(take(a.values, at), kept, a.dense_shape)


def sparse_fill_empty_rows(
    sp_input: Any, default_value: Any, name: str | None = None
) -> tuple[SparseTensor, Tensor]:
    """The tensor with an entry [row, 0, ...] of `default_value` in each empty row.

    Returns:
        (the tensor, in the order of its rows; a bool vector that is true for the empty rows).
    """
    x = as_sparse(sp_input)
    with scope_of(x, name, "SparseFillEmptyRows"):
        default = convert_to_tensor(default_value, x.dtype)
        rows = take(x.indices, np.int32(0), axis=1)
        count = take(x.dense_shape, np.int32(0))
        ones = F.fill(F.shape(rows), np.int32(1))
        empty = F.equal(F.unsorted_segment_sum(ones, rows, count), np.int32(0))
        missing = F.where(empty)
        rank = F.reshape(F.size(x.dense_shape), _ONE)
        zeros = F.concat(F.strided_slice(F.shape(missing), _ONE * 0, _ONE, _ONE),
                         rank - np.int32(1), axis=0)  # fmt: skip
        blank = F.concat(missing, F.fill(zeros, np.int64(0)), axis=1)
        width = x.indices.dims
        if width is not None:
            blank.set_shape((None, width[1]))
        indices = F.concat(x.indices, blank, axis=0)
        added = F.fill(F.strided_slice(zeros, _ONE * 0, _ONE, _ONE), default)
        values = F.concat(x.values, added, axis=0)
        filled = with_entries(x, indices, values)
        # within a row the entries keep their order
        first = F.expand_dims(take(indices, np.int32(0), axis=1), axis=1)
        return with_entries(x, *entries_at(filled, F.sparse_order(first))), empty


# ------------------------------------------------------------------ shapes
def sparse_reset_shape(sp_input: Any, new_shape: Any = None) -> SparseTensor:
    """The same entries in a larger box, or in the least one that holds them.

    Raises:
        ValueError or, when run, InvalidArgumentError: `new_shape` has another rank, or is smaller
        along an axis.
    """
    x = as_sparse(sp_input)
    with scope_of(x, None, "SparseResetShape"):
        if new_shape is None:
            floor = F.expand_dims(x.dense_shape * np.int64(0) - np.int64(1), axis=0)
            last = F.reduce_max(F.concat(x.indices, floor, axis=0), axes=(0,), keepdims=False)
            return SparseTensor(x.indices, x.values, last + np.int64(1))
        wanted = F.cast(index_tensor(new_shape), dtype=int64)
        wanted.get_shape().with_rank(1)[0].merge_with(x.dense_shape.get_shape()[0])
        old, new = value_of(x.dense_shape), value_of(wanted)
        if old is not None and new is not None and object not in (old.dtype, new.dtype):
            if (new < old).any():
                raise ValueError(
                    f"New shape should have dimension sizes >= sp_input.shape: {new} and {old}"
                )
            return SparseTensor(x.indices, x.values, wanted)
        fits = F.reduce_all(F.less_equal(x.dense_shape, wanted), axes=None, keepdims=False)
        check = F.assert_true.node(
            fits, "new_shape is smaller than that of sp_input:", wanted, x.dense_shape,
            summarize=None,
        )  # fmt: skip
        with x.graph.control_dependencies([check]):
            return SparseTensor(x.indices, x.values, F.identity(wanted))


def expand_dims(sp_input: Any, axis: Any = None, name: str | None = None) -> SparseTensor:
    """The tensor with a new axis of extent one, by default the last (tf.sparse.expand_dims)."""
    x = as_sparse(sp_input)
    rank = need_known_rank(x, "expand_dims")
    at = -1 if axis is None else static_int(axis, "axis")
    if not -rank - 1 <= at <= rank:
        raise ValueError(f"axis must be in [{-rank - 1}, {rank}], got {at}")
    at %= rank + 1
    with scope_of(x, name, "expand_dims"):
        coordinates = list(F.unstack(x.indices, num=rank, axis=1)) if rank > 1 else [
            F.reshape(x.indices, _LINE)
        ]  # fmt: skip
        coordinates.insert(at, F.fill(F.shape(x.values), np.int64(0)))
        extents = [take(x.dense_shape, np.int32(d)) for d in range(rank)]
        extents.insert(at, convert_to_tensor(np.int64(1)))
        made = SparseTensor(F.stack(*coordinates, axis=1), x.values, F.stack(*extents, axis=0))
        if x._static is not None:
            made._static = (*x._static[:at], 1, *x._static[at:])
        return made


def eye(
    num_rows: Any, num_columns: Any = None, dtype: Any = float32, name: str | None = None
) -> SparseTensor:
    """Ones on the diagonal (tf.sparse.eye)."""
    with get_default_graph().name_scope(name or "eye"):
        rows = F.cast(index_tensor(num_rows), dtype=int64)
        columns = rows if num_columns is None else F.cast(index_tensor(num_columns), dtype=int64)
        count = F.minimum(rows, columns)
        line = F.range(np.int64(0), count, np.int64(1))
        ones = F.fill(F.shape(line), np.ones((), as_dtype(dtype).np))
        return SparseTensor(F.stack(line, line, axis=1), ones, F.stack(rows, columns, axis=0))


# ------------------------------------------------------------------ ids
def sparse_merge(
    sp_ids: Any,
    sp_values: Any,
    vocab_size: Any,
    name: str | None = None,
    already_sorted: bool = False,
) -> SparseTensor:
    """Values at the places that ids name: [row..., id] = value (tf.sparse_merge).

    Args:
        sp_ids: int32 or int64 sparse tensors with the entries of sp_values, or a list of them; the
            last axis is replaced by the ids. vocab_size: the extent of each new axis.

    Raises:
        TypeError: ids or vocab_size of another kind. ValueError: lists of different lengths.
    """
    many = isinstance(sp_ids, Sequence) and not isinstance(sp_ids, tuple)
    if many and not isinstance(vocab_size, list | tuple):
        raise TypeError(
            "vocab_size has to be a list of Tensors or Python ints. Found "
            f"{type(vocab_size)}"
        )
    ids = [as_sparse(i) for i in (sp_ids if many else [sp_ids])]
    sizes = list(vocab_size) if many else [vocab_size]
    if len(ids) != len(sizes):
        raise ValueError("sp_ids and vocab_size have to have equal lengths.")
    values = as_sparse(sp_values)
    with scope_of(values, name, "SparseMerge"):
        columns = [F.expand_dims(F.cast(i.values, dtype=int64), axis=1) for i in ids]
        extents = [F.reshape(F.cast(index_tensor(s), dtype=int64), _ONE) for s in sizes]
        merged = SparseTensor(
            F.concat(_columns_but_last(ids[0].indices), *columns, axis=1),
            values.values,
            F.concat(_head(ids[0].dense_shape), *extents, axis=0),
        )
        return merged if already_sorted else sparse_reorder(merged)


def sparse_to_indicator(sp_input: Any, vocab_size: Any, name: str | None = None) -> Tensor:
    """out[row..., id] is true for each id of the row (tf.sparse.to_indicator)."""
    x = as_sparse(sp_input)
    with scope_of(x, name, "SparseToIndicator") as scope:
        true = F.fill(F.shape(x.values), convert_to_tensor(True, bool_))
        there = with_entries(x, x.indices, true)
        return sparse_tensor_to_dense(
            sparse_merge(x, there, vocab_size), False, validate_indices=False, name=scope
        )
