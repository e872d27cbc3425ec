"""What examples hold, and parsing them: tf.FixedLenFeature, tf.parse_example and their kin.

Lives here: specifications of features, parse_example, parse_single_example,
parse_sequence_example, parse_single_sequence_example. Not here: the ops (ops/parsing.py,
ops/parsing_sequence.py), decoding of values (tf1/decoding.py). Imports ops and ir.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, NamedTuple

from graphc.ir.dtypes import DType, as_dtype, float32, int32, int64, string
from graphc.ir.graph import get_default_graph
from graphc.ir.node import Tensor
from graphc.ir.tensor_shape import as_shape
from graphc.ops.convert import constant_tensor, convert_to_tensor
from graphc.ops.define import F

__all__ = [
    "FixedLenFeature", "FixedLenSequenceFeature", "SparseFeature", "VarLenFeature",
    "parse_example", "parse_sequence_example", "parse_single_example",
    "parse_single_sequence_example",
]  # fmt: skip


# ------------------------------------------------------------------ specifications
class VarLenFeature(NamedTuple):
    """A feature of any number of values: a SparseTensor (tf.VarLenFeature)."""

    dtype: Any


class FixedLenFeature(NamedTuple):
    """A feature of known shape (tf.FixedLenFeature).

    Without a default_value it must be in each example.
    """

    shape: Any
    dtype: Any
    default_value: Any = None


class FixedLenSequenceFeature(NamedTuple):
    """Any number of rows of known shape (tf.FixedLenSequenceFeature), padded in batches."""

    shape: Any
    dtype: Any
    allow_missing: bool = False
    default_value: Any = None


class SparseFeature(NamedTuple):
    """A SparseTensor whose indices and values are features of their own (tf.SparseFeature)."""

    index_key: Any
    value_key: Any
    dtype: Any
    size: Any
    already_sorted: bool = False


class _Raw:
    """The attributes and defaults of a parse, gathered from specifications."""

    def __init__(self, features: Mapping[Any, Any], allowed: tuple[type, ...]) -> None:
        self.sparse: dict[str, DType] = {}
        self.dense: dict[str, DType] = {}
        self.shapes: dict[str, tuple[Any, ...]] = {}
        self.defaults: dict[str, Any] = {}
        self.optional: list[str] = []
        for key in sorted(features):
            feature = features[key]
            if not isinstance(feature, allowed):
                kind = type(feature).__name__
                raise ValueError(f"Unsupported {kind} {feature} for key {key!r}")
            _TAKERS[type(feature)](self, key, feature)

    def _sparse(self, key: str, dtype: Any) -> None:
        if not dtype:
            raise ValueError(f"Missing type for feature {key}.")
        known = self.sparse.setdefault(key, _allowed(dtype, "sparse_types"))
        if known is not as_dtype(dtype):
            raise ValueError(
                f"Conflicting type {known.name} vs {as_dtype(dtype).name} for feature {key}."
            )

    def take_var_len(self, key: str, feature: VarLenFeature) -> None:
        self._sparse(key, feature.dtype)

    def take_sparse(self, key: str, feature: SparseFeature) -> None:
        names = _index_keys(feature)
        if not names:
            raise ValueError(f"Missing index_key for SparseFeature {feature}.")
        if not feature.value_key:
            raise ValueError(f"Missing value_key for SparseFeature {feature}.")
        for name in names:
            self._sparse(name, int64)
        self._sparse(feature.value_key, feature.dtype)

    def take_fixed(self, key: str, feature: FixedLenFeature) -> None:
        if not feature.dtype:
            raise ValueError(f"Missing type for feature {key}.")
        if feature.shape is None:
            raise ValueError(f"Missing shape for feature {key}.")
        dims = as_shape(feature.shape).dims_tuple
        if dims is None or any(d is None for d in dims):
            raise ValueError(
                f"First dimension of shape for feature {key} unknown. Consider using "
                f"FixedLenSequenceFeature. Received feature={feature}."
            )
        self.dense[key] = _allowed(feature.dtype, "dense_defaults")
        self.shapes[key] = dims
        self.defaults[key] = feature.default_value

    def take_rows(self, key: str, feature: FixedLenSequenceFeature) -> None:
        if not feature.dtype:
            raise ValueError(f"Missing type for feature {key}.")
        if feature.shape is None:
            raise ValueError(f"Missing shape for feature {key}.")
        self.dense[key] = _allowed(feature.dtype, "dense_defaults")
        self.shapes[key] = tuple(as_shape(feature.shape).dims_tuple or ())
        self.defaults[key] = feature.default_value
        if feature.allow_missing:
            self.optional.append(key)

    def any_rows(self, features: Mapping[Any, Any]) -> None:
        """Features of any number of rows have that number as a further dimension.

        Raises:
            ValueError: one that must not be missing.
        """
        for key, feature in features.items():
            if isinstance(feature, FixedLenSequenceFeature):
                if key not in self.optional:
                    raise ValueError(
                        "Unsupported: FixedLenSequenceFeature requires allow_missing to be True."
                    )
                self.shapes[key] = (None, *self.shapes[key])

    def attrs(self, prefix: str = "") -> dict[str, Any]:
        return {
            f"{prefix}sparse_keys": tuple(self.sparse),
            f"{prefix}sparse_types": tuple(self.sparse.values()),
            f"{prefix}dense_keys": tuple(self.dense),
            f"{prefix}dense_types": tuple(self.dense.values()),
            f"{prefix}dense_shapes": tuple(self.shapes.values()),
        }

    def default_tensors(self) -> list[Tensor]:
        """A tensor for each dense feature; without elements where the feature is required."""
        return [self._default(key) for key in self.dense]

    def _default(self, key: str) -> Tensor:
        value, dtype, shape = self.defaults[key], self.dense[key], self.shapes[key]
        rows = bool(shape) and shape[0] is None
        if value is None:
            # rows are padded with it
            nothing = "" if dtype is string else 0
            return constant_tensor(nothing if rows else [], dtype, "Const")
        name = "key_" + "".join(c if c.isalnum() or c in "_.-/" else "_" for c in key)
        tensor = convert_to_tensor(value, dtype, name)
        if rows:
            return tensor
        made: Tensor = F.reshape(tensor, constant_tensor(list(shape), int32))
        return made


_TAKERS: dict[type, Any] = {
    VarLenFeature: _Raw.take_var_len,
    SparseFeature: _Raw.take_sparse,
    FixedLenFeature: _Raw.take_fixed,
    FixedLenSequenceFeature: _Raw.take_rows,
}


def _allowed(dtype: Any, parameter: str) -> DType:
    known = as_dtype(dtype)
    if known not in (float32, int64, string):
        raise TypeError(
            f"Value passed to parameter '{parameter}' has DataType {known.name} not in list of "
            "allowed values: float32, int64, string"
        )
    return known


def _index_keys(feature: SparseFeature) -> list[str]:
    keys = feature.index_key
    return list(keys) if isinstance(keys, list | tuple) else [keys] if keys else []


# ------------------------------------------------------------------ results
def _collect(raw: _Raw, flat: list[Tensor], features: Mapping[Any, Any]) -> dict[str, Any]:
    """The tensors of a parse by feature; takes them from the front of `flat`."""
    from graphc.tf1.sparse_tensor import SparseTensor

    n = len(raw.sparse)
    parts = [flat[k * n : (k + 1) * n] for k in range(3)]
    del flat[: 3 * n]
    triples = dict(zip(raw.sparse, zip(*parts, strict=True), strict=True))
    dense = dict(zip(raw.dense, flat, strict=False))
    del flat[: len(raw.dense)]
    out: dict[str, Any] = {}
    for key in sorted(features):
        feature = features[key]
        if isinstance(feature, VarLenFeature):
            out[key] = SparseTensor(*triples[key])
        elif isinstance(feature, SparseFeature):
            out[key] = SparseTensor(*_merged(feature, triples))
        else:
            out[key] = dense[key]
    return out


def _merged(feature: SparseFeature, triples: Mapping[str, Any]) -> Any:
    sizes = feature.size if isinstance(feature.size, list | tuple) else [feature.size]
    places, values, shape = triples[feature.value_key]
    ids = [triples[name][1] for name in _index_keys(feature)]
    return F.merge_sparse_feature(
        places,
        values,
        shape,
        *ids,
        size=tuple(int(s) for s in sizes),
        in_order=bool(feature.already_sorted),
    )


# ------------------------------------------------------------------ examples
_PLAIN = (VarLenFeature, SparseFeature, FixedLenFeature, FixedLenSequenceFeature)


def parse_example(
    serialized: Any, features: Any, name: str | None = None, example_names: Any = None
) -> dict[str, Any]:
    """A batch of serialized Examples as tensors by name (tf.parse_example).

    Args:
        serialized: string (batch,). features: name -> FixedLenFeature, VarLenFeature,
            SparseFeature or FixedLenSequenceFeature (with allow_missing).
        example_names: string (batch,), what the examples are called in errors.

    Returns:
        name -> tensor (batch, *shape) or SparseTensor. Of dtype float32, int64 or string.

    Raises:
        ValueError: no features, a shape that is not known, an unknown kind of feature.
        TypeError: a dtype that features cannot have.
        InvalidArgumentError (when run): "Name: <unknown>, Feature: x (data type: float) is
            required but could not be found.", a wrong type or number of values.
    """
    if not features:
        raise ValueError("Invalid argument: features cannot be empty.")
    with get_default_graph().name_scope(name or "ParseExample"):
        data = convert_to_tensor(serialized, string, "serialized")
        if data.rank == 0:
            return _single(data, features)
        names = constant_tensor([], string) if example_names is None else example_names
        raw = _Raw(features, _PLAIN)
        raw.any_rows(features)
        node = F.parse_example.node(
            data, names, *raw.default_tensors(), **raw.attrs(), name="ParseExample"
        )
        return _collect(raw, list(node.outputs), features)


def parse_single_example(
    serialized: Any, features: Any, name: str | None = None, example_names: Any = None
) -> dict[str, Any]:
    """One serialized Example as tensors by name (tf.parse_single_example).

    Args and errors as of parse_example; serialized is a scalar, and there is no batch dimension.

    Raises:
        ValueError: "Input serialized must be a scalar"
    """
    if not features:
        raise ValueError("Invalid argument: features cannot be empty.")
    with get_default_graph().name_scope(name or "ParseSingleExample"):
        data = convert_to_tensor(serialized, string, "serialized")
        if data.rank not in (None, 0):
            raise ValueError("Input serialized must be a scalar")
        return _single(data, features)


def _single(data: Tensor, features: Mapping[Any, Any]) -> dict[str, Any]:
    raw = _Raw(features, _PLAIN)
    raw.any_rows(features)
    node = F.parse_single_example.node(
        data, *raw.default_tensors(), **raw.attrs(), name="ParseSingleExample"
    )
    return _collect(raw, list(node.outputs), features)


# ------------------------------------------------------------------ sequences
class _Lists:
    """What a sequence's context and feature lists ask for."""

    def __init__(self, context: Any, lists: Any) -> None:
        if not context and not lists:
            raise ValueError(
                "Both context_features and sequence_features are None, but at least one should "
                "have values."
            )
        self.context_features: Mapping[Any, Any] = context or types.MappingProxyType({})
        self.list_features: Mapping[Any, Any] = lists or types.MappingProxyType({})
        self.context = _Raw(self.context_features, (VarLenFeature, FixedLenFeature))
        self.lists = _Raw(self.list_features, (VarLenFeature, FixedLenSequenceFeature))
        for key, value in self.lists.defaults.items():
            if value is not None:
                raise ValueError(f"Value feature_list_dense_defaults[{key}] must be None")

    def attrs(self) -> dict[str, Any]:
        return {
            **self.context.attrs("context_"),
            **self.lists.attrs("list_"),
            "list_optional": tuple(self.lists.optional),
        }

    def collect(self, flat: list[Tensor]) -> tuple[dict[str, Any], dict[str, Any]]:
        context = _collect(self.context, flat, self.context_features)
        return context, _collect(self.lists, flat, self.list_features)


def parse_single_sequence_example(
    serialized: Any,
    context_features: Any = None,
    sequence_features: Any = None,
    example_name: Any = None,
    name: str | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """One serialized SequenceExample (tf.parse_single_sequence_example).

    Args:
        context_features: name -> FixedLenFeature or VarLenFeature.
        sequence_features: name -> FixedLenSequenceFeature or VarLenFeature.

    Returns:
        (context by name, feature lists by name): of shape (steps, *shape), or a SparseTensor.

    Raises:
        ValueError: nothing asked for, an unknown kind of feature.
        InvalidArgumentError (when run): "Name: <unknown>, Feature list 'x' is required but ...",
            a wrong type or number of values.
    """
    wanted = _Lists(context_features, sequence_features)
    with get_default_graph().name_scope(name or "ParseSingleSequenceExample"):
        node = F.parse_single_sequence_example.node(
            convert_to_tensor(serialized, string, "serialized"),
            "" if example_name is None else example_name,
            *wanted.context.default_tensors(),
            **wanted.attrs(),
            name="ParseSingleSequenceExample",
        )
        return wanted.collect(list(node.outputs))


def parse_sequence_example(
    serialized: Any,
    context_features: Any = None,
    sequence_features: Any = None,
    example_names: Any = None,
    name: str | None = None,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """A batch of serialized SequenceExamples (tf.io.parse_sequence_example).

    Args and errors as of parse_single_sequence_example.

    Returns:
        (context by name, feature lists by name, lengths by name): lists are padded with zeros or
        empty strings to the longest; lengths are int64 (batch,), of the dense lists.
    """
    wanted = _Lists(context_features, sequence_features)
    with get_default_graph().name_scope(name or "ParseSequenceExample"):
        node = F.parse_sequence_example.node(
            convert_to_tensor(serialized, string, "serialized"),
            constant_tensor([], string) if example_names is None else example_names,
            *wanted.context.default_tensors(),
            **wanted.attrs(),
            name="ParseSequenceExample",
        )
        flat = list(node.outputs)
        context, lists = wanted.collect(flat)
        return context, lists, dict(zip(wanted.lists.dense, flat, strict=True))
