"""What is made of feature columns: an input layer, a linear model, a specification for parsing.

Lives here: input_layer, linear_model, make_parse_example_spec. Not here: the columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from graphc.ir.dtypes import float32
from graphc.ir.graph import GraphKeys
from graphc.ir.node import Tensor
from graphc.ops.define import F
from graphc.tf1.feature_column_base import (
    CategoricalColumn,
    DenseColumn,
    FeatureColumn,
    Features,
)
from graphc.tf1.feature_column_ops import combined_rows
from graphc.tf1.initializers import zeros_initializer
from graphc.tf1.variable_scope import get_variable, variable_scope

__all__ = ["input_layer", "linear_model", "make_parse_example_spec"]


def checked_columns(feature_columns: Any) -> list[FeatureColumn]:
    """The columns as a list.

    Raises:
        ValueError: none, a dict, something else among them, two of one name.
    """
    if isinstance(feature_columns, FeatureColumn):
        return [feature_columns]
    if isinstance(feature_columns, Mapping):
        raise ValueError("Expected feature_columns to be iterable, found dict.")
    columns = list(feature_columns or ())
    for column in columns:
        if not isinstance(column, FeatureColumn):
            raise ValueError(
                "Items of feature_columns must be a _FeatureColumn. Given (type "
                f"{type(column)}): {column}."
            )
    if not columns:
        raise ValueError("feature_columns must not be empty.")
    seen: dict[str, FeatureColumn] = {}
    for column in columns:
        if column.name in seen:
            raise ValueError(
                f"Duplicate feature column name found for columns: {column} and "
                f"{seen[column.name]}. This usually means that these columns refer to same base "
                "feature. Either one must be discarded or a duplicated but renamed item must be "
                "inserted in features dict."
            )
        seen[column.name] = column
    return columns


def _collections(weight_collections: Iterable[str] | None) -> list[str]:
    found = list(weight_collections or [])
    for key in (GraphKeys.GLOBAL_VARIABLES, GraphKeys.MODEL_VARIABLES):
        if key not in found:
            found.append(key)
    return found


def _flat(tensor: Tensor, width: int) -> Tensor:
    from graphc.tf1.api_array import reshape

    if tensor.get_shape().ndims == 2 and tensor.get_shape()[1].value == width:
        return tensor
    return reshape(tensor, [-1, width])


def input_layer(
    features: Mapping[str, Any],
    feature_columns: Any,
    weight_collections: Iterable[str] | None = None,
    trainable: bool = True,
    cols_to_vars: dict[Any, Any] | None = None,
    cols_to_output_tensors: dict[Any, Any] | None = None,
) -> Tensor:
    """[batch, width]: the dense columns side by side, by their names (tf.feature_column).

    Args:
        features: tensors by name. cols_to_vars: filled with each column's variables.
        cols_to_output_tensors: filled with each column's part of the result.

    Raises:
        ValueError: a column that is not dense, features that are missing.
    """
    columns = checked_columns(feature_columns)
    for column in columns:
        if not isinstance(column, DenseColumn):
            raise ValueError(
                "Items of feature_columns must be a _DenseColumn. You can wrap a categorical "
                f"column with an embedding_column or indicator_column. Given: {column}"
            )
    collections = _collections(weight_collections)
    parts: list[Tensor] = []
    with variable_scope(None, default_name="input_layer", values=list(features.values())):
        source = Features(features)
        for column in sorted(columns, key=lambda c: c.name):
            assert isinstance(column, DenseColumn)
            with variable_scope(None, default_name=_scope_name(column.scope)) as scope:
                value = column.dense(source, collections, trainable)
                part = _flat(value, int(np.prod(column.variable_shape)))
                if cols_to_vars is not None:
                    cols_to_vars[column] = scope.global_variables()
            if cols_to_output_tensors is not None:
                cols_to_output_tensors[column] = part
            parts.append(part)
        _check_batches(columns, parts)
        from graphc.tf1.api_array import concat

        return concat(parts, axis=1)


def _scope_name(name: str) -> str:
    """A column's name as that of a scope."""
    clean = "".join(c if c.isalnum() or c in "_-./" else "_" for c in name)
    if not clean:
        # features that are one tensor have no name
        return "column"
    return clean if clean[:1].isalnum() or clean[:1] == "." else f".{clean}"


def _check_batches(columns: list[FeatureColumn], parts: list[Tensor]) -> None:
    """Raises ValueError where static batch sizes differ."""
    named = list(zip(sorted(c.name for c in columns), parts, strict=True))
    known = [(name, p.get_shape()[0].value) for name, p in named]
    known = [(name, size) for name, size in known if size is not None]
    for name, size in known[1:]:
        if size != known[0][1]:
            raise ValueError(
                "Batch size (first dimension) of each feature must be same. Batch size of columns "
                f"({known[0][0]}, {name}): ({known[0][1]}, {size})"
            )


def linear_model(
    features: Mapping[str, Any],
    feature_columns: Any,
    units: int = 1,
    sparse_combiner: str = "sum",
    weight_collections: Iterable[str] | None = None,
    trainable: bool = True,
    cols_to_vars: dict[Any, Any] | None = None,
) -> Tensor:
    """[batch, units]: a linear function of the columns (tf.feature_column.linear_model).

    Categorical columns have a weight for each category. All weights start at zero; the bias is
    "bias_weights".

    Args:
        sparse_combiner: of an example's categories: "sum", "mean" or "sqrtn".
        cols_to_vars: filled with each column's variables, and those of "bias".

    Raises:
        ValueError: columns of another kind, features that are missing.
    """
    columns = checked_columns(feature_columns)
    for column in columns:
        if not isinstance(column, DenseColumn | CategoricalColumn):
            raise ValueError(
                "Items of feature_columns must be either a _DenseColumn or _CategoricalColumn. "
                f"Given: {column}"
            )
    collections = _collections(weight_collections)
    with variable_scope(None, default_name="linear_model", values=list(features.values())):
        source = Features(features)
        sums: list[Tensor] = []
        for column in sorted(columns, key=lambda c: c.name):
            with variable_scope(None, default_name=_scope_name(column.scope)) as scope:
                sums.append(
                    _weighted(column, source, units, sparse_combiner, collections, trainable)
                )
                if cols_to_vars is not None:
                    cols_to_vars[column] = scope.global_variables()
        total = sums[0] if len(sums) == 1 else F.add_n(*sums, name="weighted_sum_no_bias")
        bias = get_variable(
            "bias_weights", [units], float32, zeros_initializer(), trainable=trainable,
            collections=collections,
        )  # fmt: skip
        if cols_to_vars is not None:
            cols_to_vars["bias"] = [bias]
        return F.bias_add(total, bias, data_format="NHWC", name="weighted_sum")


def _weighted(
    column: FeatureColumn,
    source: Features,
    units: int,
    combiner: str,
    collections: list[str],
    trainable: bool,
) -> Tensor:
    """[batch, units] of one column: a row for each category, or a product of matrices."""

    def weights(rows: int) -> Any:
        return get_variable(
            "weights", [rows, units], float32, zeros_initializer(), trainable=trainable,
            collections=collections,
        )  # fmt: skip

    if isinstance(column, CategoricalColumn):
        found = column.ids(source)
        return combined_rows(weights(column.num_buckets), found, combiner)
    assert isinstance(column, DenseColumn)
    width = int(np.prod(column.variable_shape))
    value = _flat(column.dense(source, collections, trainable), width)
    from graphc.tf1.api_linalg import matmul

    return matmul(value, weights(width), name="weighted_sum")


def make_parse_example_spec(feature_columns: Iterable[Any]) -> dict[str, Any]:
    """What tf.parse_example needs to know for these columns (tf.feature_column).

    Raises:
        ValueError: something that is no column, columns that parse one feature differently.
    """
    spec: dict[str, Any] = {}
    for column in feature_columns:
        if not isinstance(column, FeatureColumn):
            raise ValueError(
                f"All feature_columns must be _FeatureColumn instances. Given: {column}"
            )
        for key, value in column.parse_example_spec.items():
            if key in spec and spec[key] != value:
                raise ValueError(
                    f"feature_columns contain different parse_spec for key {key}. Given {value} "
                    f"and {spec[key]}"
                )
            spec[key] = value
    return spec
