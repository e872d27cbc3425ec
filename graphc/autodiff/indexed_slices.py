"""IndexedSlices: the sparse gradient of a gather, as rows and their numbers.

Lives here: the class, its value form for fetches, its conversion to a dense tensor. Not here: who
makes them (ops/index.py), how they add up (autodiff/aggregate.py). Imports ir and ops.
"""

from __future__ import annotations

import warnings
from collections import namedtuple
from typing import Any

from graphc.ir.dtypes import DType
from graphc.ir.node import Node, Tensor
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import register_tensor_conversion_function
from graphc.ops.define import F
from graphc.ops.function import FunctionGraph

# a dense gradient from this many elements on is worth a warning, as in TF1
LARGE_ELEMENTS = 100_000_000

IndexedSlicesValue = namedtuple("IndexedSlicesValue", ["values", "indices", "dense_shape"])


class IndexedSlices:
    """A sparse view of a tensor: row indices[i] is values[i]; equal indices add up.

    Attributes:
        values: float tensor (n, ...). indices: int tensor (n,). dense_shape: int vector or None.
    """

    def __init__(self, values: Tensor, indices: Tensor, dense_shape: Tensor | None = None) -> None:
        self._values = values
        self._indices = indices
        self._dense_shape = dense_shape

    @property
    def values(self) -> Tensor:
        return self._values

    @property
    def indices(self) -> Tensor:
        return self._indices

    @property
    def dense_shape(self) -> Tensor | None:
        return self._dense_shape

    @property
    def shape(self) -> TensorShape:
        """The static shape of the dense tensor."""
        return TensorShape(self.dims)

    @property
    def dims(self) -> Any:
        from graphc.ops.values import value_of

        if self._dense_shape is None:
            return None
        value = value_of(self._dense_shape)
        if value is None:
            inner = self._values.dims
            return None if inner is None else (None, *inner[1:])
        return tuple(value.reshape(-1).tolist())

    def get_shape(self) -> TensorShape:
        return self.shape

    @property
    def name(self) -> str:
        return self._values.name

    @property
    def dtype(self) -> DType:
        return self._values.dtype

    @property
    def op(self) -> Node:
        return self._values.node

    @property
    def device(self) -> str:
        return self._values.device

    @property
    def graph(self) -> Any:
        return self._values.graph

    def __neg__(self) -> IndexedSlices:
        return IndexedSlices(F.negative(self._values), self._indices, self._dense_shape)

    def __str__(self) -> str:
        dense = f", dense_shape={self._dense_shape}" if self._dense_shape is not None else ""
        return f"IndexedSlices(indices={self._indices}, values={self._values}{dense})"


def as_dense(value: Any, name: str | None = None) -> Tensor:
    """A Tensor from a Tensor or IndexedSlices; the latter by summing the rows of each index.

    Raises:
        ValueError: "Tensor conversion requested for IndexedSlices without dense_shape: ...".
    """
    if not isinstance(value, IndexedSlices):
        return value
    shape = value.dense_shape
    if shape is None:
        raise ValueError(
            f"Tensor conversion requested for IndexedSlices without dense_shape: {value}"
        )
    _warn_if_large(value)
    rows = F.gather(shape, 0, axis=0, batch_dims=0)
    return F.unsorted_segment_sum(value.values, value.indices, rows, name=name)


def _warn_if_large(value: IndexedSlices) -> None:
    if isinstance(value.values.graph, FunctionGraph) or value.values.dims is None:
        return  # a row of what a loop carries is no surprise
    total = 1
    for dim in value.dims or (None,):
        if not isinstance(dim, int):
            warnings.warn(
                "Converting sparse IndexedSlices to a dense Tensor of unknown shape. This may "
                "consume a large amount of memory.",
                stacklevel=4,
            )
            return
        total *= dim
    if total >= LARGE_ELEMENTS:
        warnings.warn(
            f"Converting sparse IndexedSlices to a dense Tensor with {total} elements. This may "
            "consume a large amount of memory.",
            stacklevel=4,
        )


def _convert(value: IndexedSlices, dtype: DType | None) -> Tensor:
    if dtype is not None and dtype is not value.dtype:
        raise ValueError(
            f"Tensor conversion requested dtype {dtype.name} for IndexedSlices with dtype "
            f"{value.dtype.name}"
        )
    return as_dense(value)


register_tensor_conversion_function(IndexedSlices, _convert)
