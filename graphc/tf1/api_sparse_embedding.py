"""Embeddings of sparse ids, one vector a row.

Lives here: tf.nn.embedding_lookup_sparse, tf.nn.safe_embedding_lookup_sparse. Not here:
tf.nn.embedding_lookup (api_index.py).
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from graphc.ir.dtypes import int32, int64
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.ops.segment import column_shape
from graphc.tf1.api_index import embedding_lookup
from graphc.tf1.api_sparse import as_sparse, scope_of, sparse_reshape, sparse_retain, take
from graphc.tf1.api_sparse_rows import sparse_fill_empty_rows
from graphc.tf1.sparse_tensor import SparseTensor

__all__ = ["embedding_lookup_sparse", "safe_embedding_lookup_sparse"]

COMBINERS = ("mean", "sqrtn", "sum")
_ONE = np.array([1], np.int32)


def _combiner(given: str | None) -> str:
    if given is None:
        warnings.warn(
            'The default value of combiner will change from "mean" to "sqrtn" after 2016/11/01.',
            stacklevel=3,
        )
        return "mean"
    if given not in COMBINERS:
        raise ValueError(f"combiner must be one of {', '.join(map(repr, COMBINERS))}")
    return given


def embedding_lookup_sparse(
    params: Any,
    sp_ids: Any,
    sp_weights: Any,
    partition_strategy: str = "mod",
    name: str | None = None,
    combiner: str | None = None,
    max_norm: float | None = None,
) -> Tensor:
    """The combined embeddings of the ids of each row.

    Args:
        params: a table, or a list of tables that share the rows. sp_ids: ids in row-major order;
            each row up to the last one must have some. sp_weights: a weight for each, or None.
        combiner: "sum", "mean" (by the weights' sum), "sqrtn" (by the root of their squares' sum).

    Raises:
        TypeError: sp_ids or sp_weights is not sparse. ValueError: an unknown combiner.
    """
    how = _combiner(combiner)
    tables = list(params) if isinstance(params, list | tuple) else [params]
    ids = _sparse(sp_ids, "sp_ids")
    weights = None if sp_weights is None else _sparse(sp_weights, "sp_weights")
    if weights is not None:
        ids.values.get_shape().assert_is_compatible_with(weights.values.get_shape())
    with scope_of(ids, name, "embedding_lookup_sparse"):
        rows = F.cast(take(ids.indices, np.int32(0), axis=1), dtype=int32)
        found = embedding_lookup(tables, ids.values, partition_strategy, max_norm=max_norm)
        if weights is None:
            factors = F.fill(F.shape(rows), np.ones((), found.dtype.np))
        else:
            factors = weights.values
            if factors.dtype is not found.dtype:
                factors = F.cast(factors, dtype=found.dtype)
        column = F.reshape(factors, column_shape(rows, found))
        summed = F.segment_sum(found if weights is None else found * column, rows)
        if how == "sum":
            return summed
        if how == "mean":
            return F.divide(summed, F.segment_sum(column, rows))
        return F.divide(summed, F.sqrt(F.segment_sum(F.square(column), rows)))


def _sparse(value: Any, what: str) -> SparseTensor:
    if not isinstance(value, SparseTensor):
        raise TypeError(f"{what} must be SparseTensor")
    return value


def safe_embedding_lookup_sparse(
    embedding_weights: Any,
    sparse_ids: Any,
    sparse_weights: Any = None,
    combiner: str | None = "mean",
    default_id: Any = None,
    name: str | None = None,
    partition_strategy: str = "div",
    max_norm: float | None = None,
) -> Tensor:
    """embedding_lookup_sparse that takes rows without ids, negative ids and weights up to zero.

    Args:
        sparse_ids: of any rank from 2 on; the last axis is combined. default_id: what a row
            without ids stands for; None gives zeros.

    Returns:
        The leading dimensions of sparse_ids, then those of an embedding.

    Raises:
        ValueError: no tables, or an unknown combiner.
    """
    if embedding_weights is None:
        raise ValueError(f"Missing embedding_weights {embedding_weights}.")
    many = isinstance(embedding_weights, list | tuple)
    tables = list(embedding_weights) if many else [embedding_weights]
    if not tables:
        raise ValueError(f"Missing embedding_weights {embedding_weights}.")
    tables = [convert_to_tensor(t) for t in tables]
    ids = as_sparse(sparse_ids)
    weights = None if sparse_weights is None else as_sparse(sparse_weights)
    with scope_of(ids, name, "embedding_lookup"):
        leading = F.strided_slice(ids.dense_shape, _ONE * 0, _ONE * -1, _ONE, begin_mask=1)
        last = F.strided_slice(ids.dense_shape, _ONE * -1, _ONE * 0, _ONE, end_mask=1)
        count = F.reduce_prod(leading, axes=(0,), keepdims=True)
        matrix = F.concat(count, last, axis=0)
        flat = sparse_reshape(ids, matrix)
        if weights is not None:
            weights = SparseTensor(flat.indices, weights.values, flat.dense_shape)
        flat, weights = _pruned(flat, weights, combiner)
        flat, empty = sparse_fill_empty_rows(flat, default_id or 0)
        if weights is not None:
            weights, _ = sparse_fill_empty_rows(weights, 1.0)
        rows = embedding_lookup_sparse(
            tables, flat, weights, partition_strategy, combiner=combiner, max_norm=max_norm
        )
        if default_id is None:
            rows = F.select(empty, F.zeros_like(rows), rows)
        tail = F.strided_slice(F.shape(rows), _ONE, _ONE * 0, _ONE, end_mask=1)
        out = F.reshape(rows, F.concat(F.cast(leading, dtype=int32), tail, axis=0))
        if ids.dims is not None and tables[0].dims is not None:
            out.set_shape((*ids.dims[:-1], *tables[0].dims[1:]))
        return out


def _pruned(
    ids: SparseTensor, weights: SparseTensor | None, combiner: str | None
) -> tuple[SparseTensor, SparseTensor | None]:
    """Without negative ids and, unless weights are summed, those that weigh nothing."""
    valid = F.greater_equal(F.cast(ids.values, dtype=int64), np.int64(0))
    if weights is not None and combiner != "sum":
        valid = F.logical_and(valid, F.greater(weights.values, np.zeros((), weights.dtype.np)))
    kept = None if weights is None else sparse_retain(weights, valid)
    return sparse_retain(ids, valid), kept
