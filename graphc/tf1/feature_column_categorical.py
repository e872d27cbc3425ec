"""Categorical columns: vocabularies, numbers, hashes, crossings, weights.

Lives here: the classes and the functions that make them. Not here: bucketized_column, which is
dense as well (feature_column_dense.py).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType, as_dtype, bool_, float32, int64, string
from graphc.ir.node import Tensor
from graphc.ops.convert import constant_tensor
from graphc.ops.define import F
from graphc.tf1.feature_column_base import (
    CategoricalColumn,
    FeatureColumn,
    Features,
    ParseSpec,
    check_key_dtype,
    check_string_or_int,
)
from graphc.tf1.feature_column_ops import (
    Ids,
    category_ids,
    crossed_ids,
    hashed_ids,
    identity_ids,
)
from graphc.tf1.parsing import VarLenFeature

__all__ = [
    "categorical_column_with_hash_bucket", "categorical_column_with_identity",
    "categorical_column_with_vocabulary_file", "categorical_column_with_vocabulary_list",
    "crossed_column", "weighted_categorical_column",
]  # fmt: skip

_DEFAULT_HASH_KEY = 0xDECAFCAFFE


def _present_only(ids: Tensor, present: Tensor | None) -> Ids:
    if present is None:
        return Ids(ids)
    return Ids(F.select_v2(present, ids, constant_tensor(-1, int64, graph=ids.graph)))


@dataclass(frozen=True)
class KeyColumn(CategoricalColumn):
    """A column of one feature."""

    key: str

    @property
    def name(self) -> str:
        return self.key

    @property
    def dtype(self) -> DType:
        return int64

    @property
    def parse_example_spec(self) -> ParseSpec:
        return {self.key: VarLenFeature(self.dtype)}

    def transform(self, features: Features) -> Ids:
        raw = features.matrix(self.key)
        check_key_dtype(self.key, self.dtype, raw.values)
        return _present_only(self._to_ids(raw.values, raw.present is None), raw.present)

    def _to_ids(self, values: Tensor, ignore: bool) -> Tensor:
        """int64 of the values' shape; with `ignore` "" and -1 mean that there is no value."""
        raise NotImplementedError


# ------------------------------------------------------------------ vocabularies
@dataclass(frozen=True)
class VocabularyColumn(KeyColumn):
    """Categories are the places of words in a list."""

    words: tuple[Any, ...]
    value_dtype: DType
    default_value: int
    num_oov_buckets: int

    @property
    def dtype(self) -> DType:
        return self.value_dtype

    @property
    def num_buckets(self) -> int:
        return len(self.words) + self.num_oov_buckets

    def _to_ids(self, values: Tensor, ignore: bool) -> Tensor:
        return category_ids(
            values, words=self.words, default=self.default_value, buckets=self.num_oov_buckets,
            ignore=ignore, name=f"{_op_name(self.key)}_lookup",
        )  # fmt: skip


def _op_name(key: str) -> str:
    """A feature's name as part of an op's name."""
    clean = "".join(c if c.isalnum() or c in "_-." else "_" for c in key)
    return clean if clean[:1].isalnum() else f"x{clean}"


def _check_oov(key: str, default_value: int | None, num_oov_buckets: int) -> int:
    if num_oov_buckets:
        if default_value not in (None, -1):
            raise ValueError(
                f"Can't specify both num_oov_buckets and default_value in {key}."
            )
        if num_oov_buckets < 0:
            raise ValueError(f"Invalid num_oov_buckets {num_oov_buckets} in {key}.")
    return -1 if default_value is None else default_value


def categorical_column_with_vocabulary_list(
    key: str,
    vocabulary_list: Sequence[Any],
    dtype: Any = None,
    default_value: int = -1,
    num_oov_buckets: int = 0,
) -> VocabularyColumn:
    """Categories by their places in a list (tf.feature_column).

    Args:
        default_value: the category of others; -1 leaves them out. num_oov_buckets: others are
            hashed into so many categories after the list's.

    Raises:
        ValueError: an empty list, duplicates, another dtype, both ways for other values.
    """
    if vocabulary_list is None or len(vocabulary_list) < 1:
        raise ValueError(
            f"vocabulary_list {vocabulary_list} must be non-empty, column_name: {key}"
        )
    if len(set(vocabulary_list)) != len(vocabulary_list):
        raise ValueError(
            f"Duplicate keys in vocabulary_list {vocabulary_list}, column_name: {key}"
        )
    kind = np.asarray(vocabulary_list).dtype
    own = string if kind.kind in "USO" else as_dtype(kind)
    check_string_or_int(own, f"column_name: {key} vocabulary")
    wanted = own if dtype is None else as_dtype(dtype)
    if wanted.is_integer != own.is_integer:
        raise ValueError(
            f"dtype {wanted} and vocabulary dtype {own} do not match, column_name: {key}"
        )
    check_string_or_int(wanted, f"column_name: {key}")
    default = _check_oov(key, default_value, num_oov_buckets)
    words = tuple(_word(w, wanted) for w in vocabulary_list)
    return VocabularyColumn(key, words, wanted, default, num_oov_buckets)


def _word(value: Any, dtype: DType) -> Any:
    if dtype is not string:
        return int(value)
    return value if isinstance(value, bytes) else str(value).encode()


def categorical_column_with_vocabulary_file(
    key: str,
    vocabulary_file: Any,
    vocabulary_size: int | None = None,
    num_oov_buckets: int = 0,
    default_value: int | None = None,
    dtype: Any = string,
) -> VocabularyColumn:
    """Categories by their lines in a file (tf.feature_column); read when the column is made.

    Args:
        vocabulary_size: how many lines count, default all. Others: see
            categorical_column_with_vocabulary_list.

    Raises:
        ValueError: no such file, fewer lines than vocabulary_size, both ways for other values.
    """
    if not vocabulary_file:
        raise ValueError(f"Missing vocabulary_file in {key}.")
    path = Path(os.fspath(vocabulary_file))
    if not path.is_file():
        raise ValueError(f"vocabulary_file in {key} does not exist.")
    if vocabulary_size is not None and vocabulary_size < 1:
        raise ValueError(f"Invalid vocabulary_size in {key}.")
    lines = path.read_bytes().split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    if vocabulary_size is not None and len(lines) < vocabulary_size:
        raise ValueError(
            f"Invalid vocab_size in {path}: has {len(lines)} lines, fewer than {vocabulary_size}"
        )
    wanted = as_dtype(dtype)
    check_string_or_int(wanted, f"column_name: {key}")
    default = _check_oov(key, default_value, num_oov_buckets)
    words = tuple(_word(w, wanted) for w in lines[:vocabulary_size])
    return VocabularyColumn(key, words, wanted, default, num_oov_buckets)


# ------------------------------------------------------------------ numbers and hashes
@dataclass(frozen=True)
class IdentityColumn(KeyColumn):
    """Categories are the values themselves."""

    count: int
    default_value: int | None

    @property
    def num_buckets(self) -> int:
        return self.count

    def transform(self, features: Features) -> Ids:
        raw = features.matrix(self.key)
        if not raw.values.dtype.is_integer:
            raise ValueError(
                f"Invalid input, not integer. key: {self.key} dtype: {raw.values.dtype}"
            )
        return super().transform(features)

    def _to_ids(self, values: Tensor, ignore: bool) -> Tensor:
        return identity_ids(
            values, num_buckets=self.count, default=self.default_value, ignore=ignore
        )


def categorical_column_with_identity(
    key: str, num_buckets: int, default_value: int | None = None
) -> IdentityColumn:
    """Integers in [0, num_buckets) as they are (tf.feature_column).

    Args:
        default_value: the category of others; without it they are an error when run.

    Raises:
        ValueError: num_buckets < 1, or a default outside of the range.
    """
    if num_buckets < 1:
        raise ValueError(f"num_buckets {num_buckets} < 1, column_name {key}")
    if default_value is not None and not 0 <= default_value < num_buckets:
        raise ValueError(
            f"default_value {default_value} not in range [0, {num_buckets}), column_name {key}"
        )
    return IdentityColumn(key, num_buckets, default_value)


@dataclass(frozen=True)
class HashedColumn(KeyColumn):
    """Categories are hashes of the values."""

    hash_bucket_size: int
    value_dtype: DType

    @property
    def dtype(self) -> DType:
        return self.value_dtype

    @property
    def num_buckets(self) -> int:
        return self.hash_bucket_size

    def _to_ids(self, values: Tensor, ignore: bool) -> Tensor:
        return hashed_ids(values, num_buckets=self.hash_bucket_size, ignore=ignore)


def categorical_column_with_hash_bucket(
    key: str, hash_bucket_size: int, dtype: Any = string
) -> HashedColumn:
    """Values hashed into so many categories, as TensorFlow does (tf.feature_column).

    Raises:
        ValueError: no size, or one < 1; a dtype that is neither string nor integer.
    """
    if hash_bucket_size is None:
        raise ValueError(f"hash_bucket_size must be set. key: {key}")
    if hash_bucket_size < 1:
        raise ValueError(
            "hash_bucket_size must be at least 1. hash_bucket_size: "
            f"{hash_bucket_size}, key: {key}"
        )
    wanted = as_dtype(dtype)
    check_string_or_int(wanted, f"column_name: {key}")
    return HashedColumn(key, hash_bucket_size, wanted)


# ------------------------------------------------------------------ crossings
@dataclass(frozen=True)
class CrossedColumn(CategoricalColumn):
    """Categories are hashes of combinations."""

    keys: tuple[Any, ...]
    hash_bucket_size: int
    hash_key: int | None

    def _leaves(self) -> list[Any]:
        """Features and columns, those of crossings inside them in their place."""
        found: list[Any] = []
        for key in self.keys:
            found += key._leaves() if isinstance(key, CrossedColumn) else [key]
        return found

    @property
    def name(self) -> str:
        names = [k.name if isinstance(k, FeatureColumn) else k for k in self._leaves()]
        return "_X_".join(sorted(names))

    @property
    def parse_example_spec(self) -> ParseSpec:
        spec: ParseSpec = {}
        for key in self.keys:
            if isinstance(key, FeatureColumn):
                spec.update(key.parse_example_spec)
            else:
                spec[key] = VarLenFeature(string)
        return spec

    @property
    def num_buckets(self) -> int:
        return self.hash_bucket_size

    def transform(self, features: Features) -> Ids:
        # TensorFlow crosses sparse inputs before dense ones, whatever their order here
        sparse: list[Tensor] = []
        dense: list[Tensor] = []
        for key in self._leaves():
            values, present, is_sparse = _crossing_input(key, features)
            (sparse if is_sparse else dense).extend([values, present])
        key = _DEFAULT_HASH_KEY if self.hash_key is None else self.hash_key
        return Ids(
            crossed_ids(*sparse, *dense, num_buckets=self.hash_bucket_size, hash_key=key)
        )


def _crossing_input(key: Any, features: Features) -> tuple[Tensor, Tensor, bool]:
    """(values, where there is one, whether TensorFlow has a SparseTensor here)."""
    if isinstance(key, CategoricalColumn):
        found = key.ids(features)
        if found.weights is not None:
            raise ValueError(
                "crossed_column does not support weight_tensor, but the given column populates "
                f"weight_tensor. Given column: {key.name}"
            )
        zero = constant_tensor(0, int64, graph=found.ids.graph)
        return found.ids, F.greater_equal(found.ids, zero), True
    raw = features.matrix(key)
    values = raw.values
    if values.dtype is not string and values.dtype is not int64:
        values = F.cast(values, dtype=int64)
    if raw.present is not None:
        return values, raw.present, True
    return values, F.fill(F.shape(values), constant_tensor(True, bool_)), False


def crossed_column(
    keys: Sequence[Any], hash_bucket_size: int, hash_key: int | None = None
) -> CrossedColumn:
    """Combinations of features, hashed as TensorFlow does (tf.feature_column).

    Args:
        keys: names of features, or categorical columns that hash nothing.

    Raises:
        ValueError: fewer than two keys, no size > 1, other keys.
    """
    if not hash_bucket_size or hash_bucket_size < 1:
        raise ValueError(f"hash_bucket_size must be > 1. hash_bucket_size: {hash_bucket_size}")
    if not keys or len(keys) < 2:
        raise ValueError(f"keys must be a list with length > 1. Given: {keys}")
    for key in keys:
        if not isinstance(key, str | CategoricalColumn):
            raise ValueError(
                "Unsupported key type. All keys must be either string, or categorical column "
                f"except _HashedCategoricalColumn. Given: {key}"
            )
        if isinstance(key, HashedColumn):
            raise ValueError(
                "categorical_column_with_hash_bucket is not supported for crossing. Hashing before "
                "crossing will increase probability of collision. Instead, use the feature name "
                f"as a string. Given: {key}"
            )
    return CrossedColumn(tuple(keys), hash_bucket_size, hash_key)


# ------------------------------------------------------------------ weights
@dataclass(frozen=True)
class WeightedColumn(CategoricalColumn):
    """Categories with a weight each."""

    categorical_column: CategoricalColumn
    weight_feature_key: str
    dtype: DType

    @property
    def name(self) -> str:
        return f"{self.categorical_column.name}_weighted_by_{self.weight_feature_key}"

    @property
    def parse_example_spec(self) -> ParseSpec:
        spec = dict(self.categorical_column.parse_example_spec)
        if self.weight_feature_key in spec:
            raise ValueError(
                f"Parse config {spec[self.weight_feature_key]} already exists for "
                f"{self.weight_feature_key}."
            )
        return {**spec, self.weight_feature_key: VarLenFeature(self.dtype)}

    @property
    def num_buckets(self) -> int:
        return self.categorical_column.num_buckets

    def transform(self, features: Features) -> Ids:
        found = self.categorical_column.ids(features)
        weights = features.matrix(self.weight_feature_key).values
        if weights.dtype.is_integer is not self.dtype.is_integer:
            raise ValueError(f"Bad dtype, expected {self.dtype}, but got {weights.dtype}.")
        return Ids(found.ids, F.cast(weights, dtype=float32), found.sparse)


def weighted_categorical_column(
    categorical_column: CategoricalColumn, weight_feature_key: str, dtype: Any = float32
) -> WeightedColumn:
    """A categorical column with a weight for each of its values (tf.feature_column).

    Args:
        weight_feature_key: the feature that holds the weights, of the values' shape.

    Raises:
        ValueError: a dtype that is no number.
    """
    wanted = None if dtype is None else as_dtype(dtype)
    if wanted is None or not (wanted.is_integer or wanted.is_floating):
        raise ValueError(f"dtype {dtype} is not convertible to float.")
    return WeightedColumn(categorical_column, weight_feature_key, wanted)
