"""Sparse tensors in batches: they go through queues as strings.

Lives here: SparseColumns, for tf1/input_batches.py. Imports api_sparse_serial.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.tf1.api_sparse_serial import (
    deserialize_many_sparse,
    serialize_many_sparse,
    serialize_sparse,
)
from graphc.tf1.sparse_tensor import SparseTensor


class SparseColumns:
    """Lists of tensors of which some are sparse, and batches of them.

    Attributes:
        dense: the lists, with strings for the sparse tensors.

    Raises:
        TypeError: tensors of one place are sparse in some lists only.
    """

    def __init__(self, lists: Sequence[Sequence[Any]], many: bool) -> None:
        self._kinds = [_kind(column, many) for column in zip(*lists, strict=True)]
        pack = serialize_many_sparse if many else serialize_sparse
        self.dense = [
            [t if kind is None else pack(t) for t, kind in zip(tensors, self._kinds, strict=True)]
            for tensors in lists
        ]

    def restored(self, taken: Sequence[Any]) -> list[Any]:
        """A batch with sparse tensors where the lists have them."""
        return [
            t if kind is None else deserialize_many_sparse(t, kind[0], kind[1])
            for t, kind in zip(taken, self._kinds, strict=True)
        ]


def _kind(column: Sequence[Any], many: bool) -> tuple[Any, int | None] | None:
    """(dtype, rank of an element) of a column of sparse tensors; None for dense ones."""
    sparse = [isinstance(t, SparseTensor) for t in column]
    if not any(sparse):
        return None
    if not all(sparse):
        raise TypeError("Mixture of sparse and dense tensors in one place of tensors_list")
    rank = column[0].rank
    return column[0].values.dtype, None if rank is None else rank - many
