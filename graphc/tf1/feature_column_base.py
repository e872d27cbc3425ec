"""What feature columns share: their base classes and the features that they read.

Lives here: FeatureColumn, DenseColumn, CategoricalColumn, Features. Not here: the columns
(feature_column_dense.py, feature_column_categorical.py), what is made of them
(feature_column_model.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphc.ir.dtypes import DType, string
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.tf1.feature_column_ops import Ids, padded_entries
from graphc.tf1.sparse_tensor import SparseTensor

ParseSpec = dict[str, Any]


class FeatureColumn:
    """A way from raw features to numbers. Columns are equal when their settings are."""

    @property
    def name(self) -> str:
        raise NotImplementedError

    @property
    def parse_example_spec(self) -> ParseSpec:
        """How tf.parse_example gets the raw features."""
        raise NotImplementedError

    def transform(self, features: Features) -> Any:
        """What the column computes once, whoever uses it."""
        raise NotImplementedError

    @property
    def scope(self) -> str:
        """The variable scope of the column's variables."""
        return self.name

    # TensorFlow's names, which scripts read
    _parse_example_spec = property(lambda self: self.parse_example_spec)
    _var_scope_name = property(lambda self: self.scope)


class DenseColumn(FeatureColumn):
    """A column that gives a float tensor [batch, ...]."""

    @property
    def variable_shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        raise NotImplementedError

    def dense(
        self, features: Features, weight_collections: Any = None, trainable: bool = True
    ) -> Tensor:
        """The tensor; variables are made in the current variable scope."""
        raise NotImplementedError

    _variable_shape = property(lambda self: self.variable_shape)


class CategoricalColumn(FeatureColumn):
    """A column that gives categories [batch, any number]."""

    @property
    def num_buckets(self) -> int:
        """How many categories there are."""
        raise NotImplementedError

    def ids(self, features: Features) -> Ids:
        """The categories of each example."""
        found: Ids = features.of(self)
        return found

    _num_buckets = property(lambda self: self.num_buckets)


@dataclass(frozen=True)
class Raw:
    """A feature as a matrix of values.

    Attributes:
        values: [batch, k]. present: bool of that shape, where a SparseTensor holds a value; None
        for a dense feature.
    """

    values: Tensor
    present: Tensor | None


class Features:
    """The features of a batch, and what columns have made of them."""

    def __init__(self, features: Mapping[Any, Any]) -> None:
        self._features = dict(features)
        self._made: dict[Any, Any] = {}

    def of(self, column: FeatureColumn) -> Any:
        """column.transform, done once.

        Raises:
            ValueError: a feature that is not there.
        """
        # a script may give a column's own values under the column itself
        if column not in self._made:
            self._made[column] = column.transform(self)
        return self._made[column]

    def raw(self, key: str) -> Any:
        """The feature: a SparseTensor, or a tensor of at least two dimensions.

        Raises:
            ValueError: there is no such feature, or it is a scalar.
        """
        if key not in self._features:
            raise ValueError(f"Feature {key} is not in features dictionary.")
        value = self._features[key]
        if isinstance(value, SparseTensor):
            return value
        from graphc.tf1.api_array import expand_dims, reshape, shape

        tensor = convert_to_tensor(value)
        rank = tensor.get_shape().ndims
        if rank == 0:
            raise ValueError(f"Feature (key: {key}) cannot have rank 0. Given: {tensor}")
        if rank is None:
            return reshape(tensor, [shape(tensor)[0], -1])
        return expand_dims(tensor, -1) if rank == 1 else tensor

    def matrix(self, key: str) -> Raw:
        """The feature as [batch, k], also where it is a SparseTensor."""
        value = self.raw(key)
        if isinstance(value, SparseTensor):
            values, present = padded_entries(value.indices, value.values, value.dense_shape)
            return Raw(values, present)
        if value.get_shape().ndims != 2:
            from graphc.tf1.api_array import reshape, shape

            value = reshape(value, [shape(value)[0], -1])
        return Raw(value, None)


def check_string_or_int(dtype: DType, prefix: str) -> None:
    if dtype is not string and not dtype.is_integer:
        raise ValueError(f"{prefix} dtype must be string or integer. dtype: {dtype}.")


def check_key_dtype(key: str, wanted: DType, values: Tensor) -> None:
    """Raises ValueError where a feature is a string and should be a number, or the reverse."""
    if wanted.is_integer != values.dtype.is_integer:
        raise ValueError(
            f"Column dtype and SparseTensors dtype must be compatible. key: {key}, column dtype: "
            f"{wanted}, tensor dtype: {values.dtype}"
        )
    check_string_or_int(values.dtype, f"column_name: {key} input_tensor")
