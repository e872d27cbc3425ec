"""Dense columns: numbers, buckets, indicators, embeddings.

Lives here: the classes and the functions that make them. Not here: categories
(feature_column_categorical.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType, as_dtype, float32, int64
from graphc.ir.graph import get_default_graph
from graphc.ir.node import Tensor
from graphc.ops.convert import constant_tensor, convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.feature_column_base import (
    CategoricalColumn,
    DenseColumn,
    Features,
    ParseSpec,
)
from graphc.tf1.feature_column_ops import Ids, combined_rows
from graphc.tf1.parsing import FixedLenFeature
from graphc.tf1.sparse_tensor import SparseTensor
from graphc.tf1.variable_scope import get_variable

__all__ = [
    "bucketized_column", "embedding_column", "indicator_column", "numeric_column",
    "shared_embedding_columns",
]  # fmt: skip


# ------------------------------------------------------------------ numbers
@dataclass(frozen=True)
class NumericColumn(DenseColumn):
    """Numbers as they are."""

    key: str
    shape: tuple[int, ...]
    default_value: Any
    dtype: DType
    normalizer_fn: Callable[[Tensor], Tensor] | None

    @property
    def name(self) -> str:
        return self.key

    @property
    def parse_example_spec(self) -> ParseSpec:
        return {self.key: FixedLenFeature(self.shape, self.dtype, self.default_value)}

    @property
    def variable_shape(self) -> tuple[int, ...]:
        return self.shape

    def transform(self, features: Features) -> Tensor:
        value = features.raw(self.key)
        if isinstance(value, SparseTensor):
            raise ValueError(
                "The corresponding Tensor of numerical column must be a Tensor. SparseTensor is "
                f"not supported. key: {self.key}"
            )
        if self.normalizer_fn is not None:
            value = self.normalizer_fn(value)
        tensor = convert_to_tensor(value)
        return tensor if tensor.dtype is float32 else F.cast(tensor, dtype=float32)

    def dense(
        self, features: Features, weight_collections: Any = None, trainable: bool = True
    ) -> Tensor:
        value: Tensor = features.of(self)
        return value


def numeric_column(
    key: str,
    shape: Any = (1,),
    default_value: Any = None,
    dtype: Any = float32,
    normalizer_fn: Callable[[Any], Any] | None = None,
) -> NumericColumn:
    """Numbers as they are (tf.feature_column.numeric_column).

    Args:
        shape: of one example. default_value: of examples without the feature, when parsed.
        normalizer_fn: applied to the tensor, such as lambda x: (x - 3.0) / 4.2.

    Raises:
        TypeError, ValueError: a shape, dtype or default that cannot be.
    """
    dims = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
    for dim in dims:
        if not isinstance(dim, int | np.integer):
            raise TypeError(f"shape dimensions must be integer. shape: {shape}, key: {key}")
        if dim < 1:
            raise ValueError(
                f"shape dimensions must be greater than 0. shape: {shape}, key: {key}"
            )
    kind = as_dtype(dtype)
    if not (kind.is_integer or kind.is_floating):
        raise ValueError(f"dtype must be convertible to float. dtype: {dtype}, key: {key}")
    if normalizer_fn is not None and not callable(normalizer_fn):
        raise TypeError(f"normalizer_fn must be a callable. Given: {normalizer_fn}")
    dims = tuple(int(d) for d in dims)
    return NumericColumn(key, dims, _default(key, default_value, dims), kind, normalizer_fn)


def _default(key: str, value: Any, shape: tuple[int, ...]) -> Any:
    """A default of the column's shape, as nested tuples."""
    if value is None:
        return None
    array = np.asarray(value)
    if array.ndim and array.shape != shape:
        raise ValueError(
            f"The shape of default_value must be equal to given shape. default_value: {value}, "
            f"shape: {shape}, key: {key}"
        )

    def nested(part: Any) -> Any:
        return tuple(nested(p) for p in part) if isinstance(part, list) else part

    return nested(np.broadcast_to(array, shape).tolist())


# ------------------------------------------------------------------ buckets
@dataclass(frozen=True)
class BucketizedColumn(DenseColumn, CategoricalColumn):
    """Numbers as the interval that they lie in: one-hot, or as a category."""

    source_column: NumericColumn
    boundaries: tuple[float, ...]

    @property
    def name(self) -> str:
        return f"{self.source_column.name}_bucketized"

    @property
    def parse_example_spec(self) -> ParseSpec:
        return self.source_column.parse_example_spec

    @property
    def variable_shape(self) -> tuple[int, ...]:
        return (*self.source_column.shape, len(self.boundaries) + 1)

    @property
    def num_buckets(self) -> int:
        return (len(self.boundaries) + 1) * self.source_column.shape[0]

    def transform(self, features: Features) -> Tensor:
        """int64 [batch, n]: how many boundaries are at most the number; NaN is in the last."""
        from graphc.tf1.api_array import expand_dims

        source: Tensor = features.of(self.source_column)
        bounds = constant_tensor(np.asarray(self.boundaries, np.float32), float32,
                                 graph=source.graph)  # fmt: skip
        below = F.cast(F.less(expand_dims(source, -1), bounds), dtype=int64)
        count = constant_tensor(len(self.boundaries), int64, graph=source.graph)
        return F.subtract(count, F.reduce_sum(below, axes=(-1,), keepdims=False))

    def dense(
        self, features: Features, weight_collections: Any = None, trainable: bool = True
    ) -> Tensor:
        from graphc.tf1.api_array import one_hot

        return one_hot(features.of(self), len(self.boundaries) + 1)

    def ids(self, features: Features) -> Ids:
        buckets: Tensor = features.of(self)
        # each place of the source has categories of its own
        width = len(self.boundaries) + 1
        offsets = np.arange(self.source_column.shape[0], dtype=np.int64) * width
        return Ids(F.add(buckets, constant_tensor(offsets, int64, graph=buckets.graph)))


def bucketized_column(source_column: Any, boundaries: Sequence[float]) -> BucketizedColumn:
    """Intervals (-inf, b0), [b0, b1), ... [bn, inf) of a number (tf.feature_column).

    Raises:
        ValueError: no numeric column of one dimension, or boundaries that are not sorted.
    """
    if not isinstance(source_column, NumericColumn):
        raise ValueError(
            "source_column must be a column generated with numeric_column(). Given: "
            f"{source_column}"
        )
    if len(source_column.shape) > 1:
        raise ValueError(
            f"source_column must be one-dimensional column. Given: {source_column}"
        )
    values = list(boundaries) if isinstance(boundaries, Iterable) else []
    if not values or any(a >= b for a, b in zip(values, values[1:], strict=False)):
        raise ValueError("boundaries must be a sorted list.")
    return BucketizedColumn(source_column, tuple(values))


# ------------------------------------------------------------------ indicators
@dataclass(frozen=True)
class IndicatorColumn(DenseColumn):
    """How often each category occurs, or its weight."""

    categorical_column: CategoricalColumn

    @property
    def name(self) -> str:
        return f"{self.categorical_column.name}_indicator"

    @property
    def parse_example_spec(self) -> ParseSpec:
        return self.categorical_column.parse_example_spec

    @property
    def variable_shape(self) -> tuple[int, ...]:
        return (1, self.categorical_column.num_buckets)

    def transform(self, features: Features) -> Tensor:
        from graphc.tf1.api_array import expand_dims, one_hot

        found = self.categorical_column.ids(features)
        marks = one_hot(found.ids, self.categorical_column.num_buckets, dtype=float32)
        if found.weights is not None:
            marks = F.multiply(marks, expand_dims(found.weights, -1))
        return F.reduce_sum(marks, axes=(1,), keepdims=False)

    def dense(
        self, features: Features, weight_collections: Any = None, trainable: bool = True
    ) -> Tensor:
        value: Tensor = features.of(self)
        return value


def indicator_column(categorical_column: CategoricalColumn) -> IndicatorColumn:
    """One-hot, or many-hot, rows of a categorical column (tf.feature_column)."""
    return IndicatorColumn(categorical_column)


# ------------------------------------------------------------------ embeddings
@dataclass(frozen=True)
class EmbeddingColumn(DenseColumn):
    """Rows of a trained table, combined; `shared` is the collection of a shared table."""

    categorical_column: CategoricalColumn
    dimension: int
    combiner: str
    initializer: Any
    ckpt_to_load_from: Any
    tensor_name_in_ckpt: str | None
    max_norm: float | None
    trainable: bool
    shared: str | None = None

    @property
    def name(self) -> str:
        kind = "embedding" if self.shared is None else "shared_embedding"
        return f"{self.categorical_column.name}_{kind}"

    @property
    def scope(self) -> str:
        return self.name if self.shared is None else self.shared

    @property
    def parse_example_spec(self) -> ParseSpec:
        return self.categorical_column.parse_example_spec

    @property
    def variable_shape(self) -> tuple[int, ...]:
        return (self.dimension,)

    def transform(self, features: Features) -> Ids:
        return self.categorical_column.ids(features)

    def dense(
        self, features: Features, weight_collections: Any = None, trainable: bool = True
    ) -> Tensor:
        table = self._table(weight_collections, trainable)
        return combined_rows(table, features.of(self), self.combiner, self.max_norm)

    def _table(self, weight_collections: Any, trainable: bool) -> Any:
        shape = [self.categorical_column.num_buckets, self.dimension]
        graph = get_default_graph()
        held = [] if self.shared is None else graph.get_collection(self.shared)
        if len(held) > 1:
            raise ValueError(
                f"Collection {self.shared} can only contain one variable. Suggested fix A: Choose "
                "a unique name for this collection. Suggested fix B: Do not add any variables to "
                "this collection. The feature_column library already adds a variable under the "
                "hood."
            )
        if held:
            return held[0]
        table = get_variable(
            "embedding_weights", shape, float32, self.initializer,
            trainable=self.trainable and trainable, collections=weight_collections,
        )  # fmt: skip
        if self.shared is not None:
            graph.add_to_collection(self.shared, table)
        if self.ckpt_to_load_from is not None:
            from graphc.tf1.checkpoint_init import init_from_checkpoint

            init_from_checkpoint(self.ckpt_to_load_from, {self.tensor_name_in_ckpt: table})
        return table


def _initializer(
    dimension: int, initializer: Any, checkpoint: Any, tensor_name: Any, column: str
) -> Any:
    if dimension is None or dimension < 1:
        raise ValueError(f"Invalid dimension {dimension}.")
    if (checkpoint is None) != (tensor_name is None):
        raise ValueError(
            "Must specify both `ckpt_to_load_from` and `tensor_name_in_ckpt` or none of them."
        )
    if initializer is not None and not callable(initializer):
        raise ValueError(
            f"initializer must be callable if specified. Embedding of column_name: {column}"
        )
    if initializer is not None:
        return initializer
    from graphc.tf1.initializers import truncated_normal_initializer

    return truncated_normal_initializer(mean=0.0, stddev=1 / math.sqrt(dimension))


def embedding_column(
    categorical_column: CategoricalColumn,
    dimension: int,
    combiner: str = "mean",
    initializer: Any = None,
    ckpt_to_load_from: Any = None,
    tensor_name_in_ckpt: str | None = None,
    max_norm: float | None = None,
    trainable: bool = True,
) -> EmbeddingColumn:
    """A trained vector for each category (tf.feature_column.embedding_column).

    Args:
        combiner: of an example's vectors: "mean", "sum" or "sqrtn". initializer: default a
            truncated normal of deviation 1 / sqrt(dimension). ckpt_to_load_from,
            tensor_name_in_ckpt: initial values from a checkpoint. max_norm: longer vectors are
            shortened.

    Raises:
        ValueError: a dimension < 1, half a checkpoint, an initializer that is not callable.
    """
    name = getattr(categorical_column, "name", str(categorical_column))
    made = _initializer(dimension, initializer, ckpt_to_load_from, tensor_name_in_ckpt, name)
    return EmbeddingColumn(
        categorical_column, dimension, combiner, made, ckpt_to_load_from, tensor_name_in_ckpt,
        max_norm, trainable,
    )  # fmt: skip


def shared_embedding_columns(
    categorical_columns: Sequence[CategoricalColumn],
    dimension: int,
    combiner: str = "mean",
    initializer: Any = None,
    shared_embedding_collection_name: str | None = None,
    ckpt_to_load_from: Any = None,
    tensor_name_in_ckpt: str | None = None,
    max_norm: float | None = None,
    trainable: bool = True,
) -> list[EmbeddingColumn]:
    """Columns with one table of vectors for all of them (tf.feature_column).

    Raises:
        ValueError: columns of different numbers of categories; see embedding_column.
    """
    ordered = sorted(categorical_columns, key=lambda c: c.name)
    first = ordered[0]
    for column in ordered[1:]:
        if column.num_buckets != first.num_buckets:
            raise ValueError(
                "To use shared_embedding_column, all categorical_columns must have the same number "
                f"of buckets. Given column: {first} with buckets: {first.num_buckets} does  not "
                f"match column: {column} with buckets: {column.num_buckets}"
            )
    name = shared_embedding_collection_name
    if not name:
        name = "_".join(c.name for c in ordered) + "_shared_embedding"
    made = _initializer(dimension, initializer, ckpt_to_load_from, tensor_name_in_ckpt, name)
    return [
        EmbeddingColumn(
            column, dimension, combiner, made, ckpt_to_load_from, tensor_name_in_ckpt, max_norm,
            trainable, name,
        )  # fmt: skip
        for column in categorical_columns
    ]
