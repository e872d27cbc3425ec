"""tf.contrib.layers' feature columns: older names of tf.feature_column's.

Lives here: the functions, which make the columns of tf.feature_column. Not here: those columns.
Users find these names in graphc.contrib.layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from graphc.ir.dtypes import float32, int64, string
from graphc.tf1 import feature_column_categorical as categories
from graphc.tf1 import feature_column_dense as dense
from graphc.tf1 import feature_column_model as models

__all__ = [
    "bucketized_column", "create_feature_spec_for_parsing", "crossed_column", "embedding_column",
    "input_from_feature_columns", "one_hot_column", "parse_feature_columns_from_examples",
    "real_valued_column", "sparse_column_with_hash_bucket",
    "sparse_column_with_integerized_feature", "sparse_column_with_keys",
    "sparse_column_with_vocabulary_file", "weighted_sparse_column",
    "weighted_sum_from_feature_columns",
]  # fmt: skip


def real_valued_column(
    column_name: str,
    dimension: int = 1,
    default_value: Any = None,
    dtype: Any = float32,
    normalizer: Callable[[Any], Any] | None = None,
) -> Any:
    """Numbers; the name "" stands for features that are one tensor, not a dict."""
    return dense.numeric_column(column_name, (dimension,), default_value, dtype, normalizer)


def bucketized_column(source_column: Any, boundaries: Sequence[float]) -> Any:
    return dense.bucketized_column(source_column, boundaries)


def sparse_column_with_keys(
    column_name: str,
    keys: Sequence[Any],
    default_value: int = -1,
    combiner: str = "sum",
    dtype: Any = string,
) -> Any:
    """Categories by their places in a list."""
    return categories.categorical_column_with_vocabulary_list(
        column_name, keys, dtype, default_value
    )


def sparse_column_with_vocabulary_file(
    column_name: str,
    vocabulary_file: Any,
    num_oov_buckets: int = 0,
    vocab_size: int | None = None,
    default_value: int = -1,
    combiner: str = "sum",
    dtype: Any = string,
) -> Any:
    """Categories by their lines in a file."""
    return categories.categorical_column_with_vocabulary_file(
        column_name, vocabulary_file, vocab_size, num_oov_buckets, default_value, dtype
    )


def sparse_column_with_hash_bucket(
    column_name: str,
    hash_bucket_size: int,
    combiner: str = "sum",
    dtype: Any = string,
    hash_keys: Any = None,
) -> Any:
    """Categories by hashing."""
    return categories.categorical_column_with_hash_bucket(column_name, hash_bucket_size, dtype)


def sparse_column_with_integerized_feature(
    column_name: str, bucket_size: int, combiner: str = "sum", dtype: Any = int64
) -> Any:
    """Categories that are numbers already."""
    return categories.categorical_column_with_identity(column_name, bucket_size)


def weighted_sparse_column(
    sparse_id_column: Any, weight_column_name: str, dtype: Any = float32
) -> Any:
    return categories.weighted_categorical_column(sparse_id_column, weight_column_name, dtype)


def crossed_column(
    columns: Iterable[Any],
    hash_bucket_size: int,
    combiner: str = "sum",
    ckpt_to_load_from: Any = None,
    tensor_name_in_ckpt: Any = None,
    hash_key: int | None = None,
) -> Any:
    """Combinations; hashed columns are crossed by their values."""
    keys = [c.key if isinstance(c, categories.HashedColumn) else c for c in columns]
    return categories.crossed_column(keys, hash_bucket_size, hash_key)


def one_hot_column(sparse_id_column: Any) -> Any:
    return dense.indicator_column(sparse_id_column)


def embedding_column(
    sparse_id_column: Any,
    dimension: int,
    combiner: str = "mean",
    initializer: Any = None,
    ckpt_to_load_from: Any = None,
    tensor_name_in_ckpt: Any = None,
    max_norm: float | None = None,
    trainable: bool = True,
) -> Any:
    """Trained vectors; their first values have the deviation 1 / sqrt(dimension)."""
    if initializer is None and dimension > 0:
        from graphc.tf1.initializers import truncated_normal_initializer

        initializer = truncated_normal_initializer(0.0, 1 / math.sqrt(dimension))
    return dense.embedding_column(
        sparse_id_column, dimension, combiner, initializer, ckpt_to_load_from,
        tensor_name_in_ckpt, max_norm, trainable,
    )  # fmt: skip


def input_from_feature_columns(
    columns_to_tensors: Mapping[str, Any],
    feature_columns: Any,
    weight_collections: Any = None,
    trainable: bool = True,
    scope: str | None = None,
) -> Any:
    """[batch, width]: the columns side by side."""
    from graphc.tf1.variable_scope import variable_scope

    with variable_scope(scope, default_name="input_from_feature_columns"):
        return models.input_layer(
            columns_to_tensors, feature_columns, weight_collections, trainable
        )


def weighted_sum_from_feature_columns(
    columns_to_tensors: Mapping[str, Any],
    feature_columns: Any,
    num_outputs: int,
    weight_collections: Any = None,
    trainable: bool = True,
    scope: str | None = None,
) -> tuple[Any, dict[Any, Any], Any]:
    """(a linear model of the columns, its variables by column, its bias)."""
    from graphc.tf1.variable_scope import variable_scope

    variables: dict[Any, Any] = {}
    with variable_scope(scope, default_name="weighted_sum_from_feature_columns"):
        logits = models.linear_model(
            columns_to_tensors, feature_columns, num_outputs, "sum", weight_collections,
            trainable, variables,
        )  # fmt: skip
    (bias,) = variables.pop("bias")
    return logits, variables, bias


def create_feature_spec_for_parsing(feature_columns: Any) -> dict[str, Any]:
    return models.make_parse_example_spec(feature_columns)


def parse_feature_columns_from_examples(
    serialized: Any, feature_columns: Any, name: str | None = None, example_names: Any = None
) -> dict[str, Any]:
    """Features of serialized tf.train.Examples, as the columns need them."""
    from graphc.tf1.parsing import parse_example

    spec = models.make_parse_example_spec(feature_columns)
    found: dict[str, Any] = parse_example(serialized, spec, name=name)
    return found
