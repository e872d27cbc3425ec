"""Example messages to tensors, of one example or of a batch.

Lives here: parse_example, parse_single_example, merge_sparse_feature. Not here: sequences
(ops/parsing_sequence.py), the reading of bytes (ops/example_bytes.py), feature specifications
(tf1/parsing.py). Imports ops.define.

The attributes of a parse: `sparse_keys` with `sparse_types`; `dense_keys` with `dense_types` and
`dense_shapes`, whose first dimension is None where an example may hold any number of rows. The
default of a dense feature is an input; one without elements says that the feature must be there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import DType, float32, int64, string
from graphc.ir.node import TensorType
from graphc.ops.define import InferContext, OpDef
from graphc.ops.example_bytes import Malformed, Span, example_features, feature_values
from graphc.ops.samples import Sample, fixed

Array = np.ndarray[Any, Any]
Shape = tuple[int | None, ...]


# ------------------------------------------------------------------ what is wrong
def bracket(shape: Sequence[int | None]) -> str:
    """[?,2] as TF writes partial shapes in these errors."""
    return "[" + ",".join("?" if d is None else str(d) for d in shape) + "]"


def unreadable(data: bytes, what: str = "example input") -> InvalidArgumentError:
    """The error of bytes that are no message."""
    shown = data[:200].decode("utf-8", "backslashreplace")
    return InvalidArgumentError(f"Could not parse {what}, value: '{shown}'")


class Row:
    """One example of a batch: its bytes and features, its name and place for errors."""

    def __init__(self, data: bytes, features: dict[str, Span], name: str, index: int) -> None:
        self.data = data
        self.features = features
        self.name = name
        self.index = index

    def values(self, key: str, dtype: DType) -> Any:
        """The feature's values, or None where it is not there.

        Raises:
            InvalidArgumentError: values of another type.
        """
        span = self.features.get(key)
        if span is None:
            return None
        try:
            kind, values = feature_values(self.data, span)
        except Malformed:
            raise unreadable(self.data) from None
        if kind and kind != dtype.name:
            raise self.mismatch(key, "float" if kind == "float32" else kind, dtype)
        return values

    def mismatch(self, key: str, got: str, dtype: DType) -> InvalidArgumentError:
        return self.fail(
            key, f"Data types don't match. Data type: {got} but expected type: {dtype.tf_name}"
        )

    def fail(self, key: str, text: str) -> InvalidArgumentError:
        return InvalidArgumentError(
            f"Name: {self.name}, Key: {key}, Index: {self.index}.  {text}"
        )

    def missing(self, key: str, dtype: DType) -> InvalidArgumentError:
        return InvalidArgumentError(
            f"Name: {self.name}, Feature: {key} (data type: {dtype.tf_name}) is required but "
            "could not be found."
        )


def names_of(names: Array, count: int) -> list[str]:
    """What the examples of a batch are called in errors."""
    named = [n.decode("utf-8", "replace") for n in names.reshape(-1).tolist()]
    return named or ["<unknown>"] * count


def rows_of(serialized: Array, names: Array, keys: frozenset[str]) -> list[Row]:
    """The examples of a batch."""
    rows = []
    for k, name in enumerate(names_of(names, serialized.size)):
        data = serialized[k]
        try:
            rows.append(Row(data, example_features(data, keys), name, k))
        except Malformed:
            raise unreadable(data) from None
    return rows


# ------------------------------------------------------------------ features
def filled(shape: Sequence[int], dtype: DType) -> Array:
    """Zeros, or empty strings."""
    out = np.zeros(tuple(shape), dtype.np)
    if dtype is string:
        out[...] = b""
    return out


def as_array(values: Any, dtype: DType) -> Array:
    """The values of a feature as a vector."""
    if dtype is not string:
        return np.asarray(values)
    out = np.empty(len(values), object)
    out[:] = values
    return out


def sparse_batch(rows: Sequence[Row], key: str, dtype: DType) -> tuple[Array, Array, Array]:
    """(indices, values, shape) of a feature whose number of values differs."""
    found = [row.values(key, dtype) for row in rows]
    lists = [as_array(v if v is not None else (), dtype) for v in found]
    return ragged(lists, dtype)


def ragged(lists: Sequence[Array], dtype: DType) -> tuple[Array, Array, Array]:
    """(indices, values, shape) of vectors of several lengths, one below the other."""
    sizes = [len(v) for v in lists]
    values = np.concatenate(lists) if lists else np.empty(0, dtype.np)
    places = np.empty((len(values), 2), np.int64)
    places[:, 0] = np.repeat(np.arange(len(lists)), sizes)
    places[:, 1] = np.concatenate([np.arange(n) for n in sizes]) if lists else 0
    shape = np.array([len(lists), max(sizes, default=0)], np.int64)
    return places, values.astype(dtype.np, copy=False), shape


def dense_batch(
    rows: Sequence[Row], key: str, dtype: DType, shape: Shape, default: Array
) -> Array:
    """The features of fixed shape, one below the other."""
    if shape and shape[0] is None:
        return _padded(rows, key, dtype, shape[1:], default)
    dims = tuple(d for d in shape if d is not None)
    out = filled((len(rows), *dims), dtype)
    count = int(np.prod(dims, dtype=np.int64))
    for k, row in enumerate(rows):
        values = row.values(key, dtype)
        if values is None:
            if not default.size and count:
                raise row.missing(key, dtype)
            if count:
                out[k] = default.reshape(dims)[()]
            continue
        if len(values) != count:
            raise row.fail(
                key,
                f"Number of {dtype.tf_name} values != expected.  Values size: {len(values)} but "
                f"output shape: {bracket(shape)}",
            )
        out[k] = as_array(values, dtype).reshape(dims)[()]
    return out


def _padded(
    rows: Sequence[Row], key: str, dtype: DType, inner: Shape, default: Array
) -> Array:
    """Features of any number of rows, padded to the most."""
    dims = tuple(d for d in inner if d is not None)
    stride = int(np.prod(dims, dtype=np.int64))
    parts = []
    for row in rows:
        values = row.values(key, dtype)
        values = () if values is None else values
        if stride and len(values) % stride:
            raise row.fail(
                key,
                f"Number of {dtype.tf_name} values is not a multiple of stride length. Saw "
                f"{len(values)} values but output shape: {bracket((None, *inner))}",
            )
        parts.append(as_array(values, dtype).reshape(-1, *dims))
    out = filled((len(parts), max((len(p) for p in parts), default=0), *dims), dtype)
    if default.size:
        out[...] = default.reshape(-1)[0]
    for k, part in enumerate(parts):
        out[k, : len(part)] = part
    return out


# ------------------------------------------------------------------ the ops
def _parse_example(
    serialized: Array,
    names: Array,
    *defaults: Array,
    sparse_keys: tuple[str, ...],
    sparse_types: tuple[DType, ...],
    dense_keys: tuple[str, ...],
    dense_types: tuple[DType, ...],
    dense_shapes: tuple[Shape, ...],
) -> tuple[Array, ...]:
    rows = rows_of(serialized, names, frozenset(sparse_keys + dense_keys))
    sparse = [
        sparse_batch(rows, key, dtype)
        for key, dtype in zip(sparse_keys, sparse_types, strict=True)
    ]
    dense = [
        dense_batch(rows, key, dtype, shape, default)
        for key, dtype, shape, default in zip(
            dense_keys, dense_types, dense_shapes, defaults, strict=True
        )
    ]
    return (*(part for k in range(3) for part in (s[k] for s in sparse)), *dense)


def _parse_single_example(serialized: Array, *defaults: Array, **attrs: Any) -> tuple[Array, ...]:
    batch = np.empty(1, object)
    batch[0] = serialized.item()
    out = _parse_example(batch, np.empty(0, object), *defaults, **attrs)
    n = len(attrs["sparse_keys"])
    places, values, shapes = out[:n], out[n : 2 * n], out[2 * n : 3 * n]
    dense = [d.reshape(d.shape[1:]) for d in out[3 * n :]]
    return (*(p[:, 1:] for p in places), *values, *(s[1:] for s in shapes), *dense)


def sparse_types_of(dtypes: Sequence[DType], rank: int) -> list[TensorType]:
    """The types of sparse features: all indices, all values, all shapes."""
    return [
        *(TensorType(int64, (None, rank)) for _ in dtypes),
        *(TensorType(d, (None,)) for d in dtypes),
        *(TensorType(int64, (rank,)) for _ in dtypes),
    ]


def _types(ctx: InferContext, lead: tuple[Any, ...]) -> list[TensorType]:
    dense = [
        TensorType(dtype, (*lead, *shape))
        for dtype, shape in zip(ctx.attrs["dense_types"], ctx.attrs["dense_shapes"], strict=True)
    ]
    return [*sparse_types_of(ctx.attrs["sparse_types"], 1 + len(lead)), *dense]


def _batch_types(ctx: InferContext) -> list[TensorType]:
    shape = ctx.shape(0)
    if shape is not None and len(shape) != 1:
        raise ctx.fail(f"Shape must be rank 1 but is rank {len(shape)}")
    return _types(ctx, (None,) if shape is None else shape)


def _single_types(ctx: InferContext) -> list[TensorType]:
    if ctx.rank(0) not in (None, 0):
        raise ctx.fail(f"Shape must be rank 0 but is rank {ctx.rank(0)}")
    return _types(ctx, ())


# an Example {"a": int64 [1, 2], "s": bytes ["x"]}
_BYTES = (
    b"\n\x19\n\x0b\n\x01a\x12\x06\x1a\x04\n\x02\x01\x02\n\n\n\x01s\x12\x05\n\x03\n\x01x"
)
_ATTRS = {
    "sparse_keys": ("s",), "sparse_types": (string,), "dense_keys": ("a", "w"),
    "dense_types": (int64, float32), "dense_shapes": ((2,), ()),
}  # fmt: skip
_DEFAULTS = (fixed(np.empty(0), int64), fixed(0.5, float32))

parse_example = OpDef(
    name="parse_example",
    tf="ParseExample",
    family="host",
    args=("serialized", "names", "*dense_defaults"),
    groups=(string, string, "*"),
    infer=_batch_types,
    numpy=_parse_example,
    nograd="messages are strings",
    data_dependent=True,
    samples=(
        Sample(
            (fixed([_BYTES, _BYTES], string), fixed([], string), *_DEFAULTS), _ATTRS, grad=False
        ),
    ),
)

parse_single_example = OpDef(
    name="parse_single_example",
    tf="ParseSingleExample",
    family="host",
    args=("serialized", "*dense_defaults"),
    groups=(string, "*"),
    infer=_single_types,
    numpy=_parse_single_example,
    nograd="messages are strings",
    data_dependent=True,
    samples=(Sample((fixed(_BYTES, string), *_DEFAULTS), _ATTRS, grad=False),),
)


# ------------------------------------------------------------------ SparseFeature
def _merge(
    places: Array, values: Array, shape: Array, *ids: Array, size: tuple[int, ...], in_order: bool
) -> tuple[Array, Array, Array]:
    """One sparse tensor of values and of the positions that other features hold."""
    for column in ids:
        if len(column) != len(values):
            raise InvalidArgumentError(
                f"Number of elements in indices ({len(column)}) and values ({len(values)}) do "
                "not match"
            )
    columns = [*places[:, :-1].T, *ids]
    out = np.stack(columns, axis=1).astype(np.int64)
    if not in_order and len(out):
        order = np.lexsort(tuple(reversed(columns)))
        out, values = out[order], values[order]
    return out, values, np.array([*shape[:-1].tolist(), *size], np.int64)


def _merge_types(ctx: InferContext) -> list[TensorType]:
    places = ctx.shape(0)
    lead = places[1] if places is not None and len(places) == 2 else None
    rank = lead - 1 + len(ctx.attrs["size"]) if isinstance(lead, int) else None
    return [
        TensorType(int64, (None, rank)),
        TensorType(ctx.dtype(1), (None,)),
        TensorType(int64, (rank,)),
    ]


merge_sparse_feature = OpDef(
    name="merge_sparse_feature",
    tf="MergeSparseFeature",
    family="host",
    args=("indices", "values", "shape", "*ids"),
    groups=(int64, "T", int64, int64),
    dtypes={"T": (float32, int64, string)},
    infer=_merge_types,
    numpy=_merge,
    nograd="TF1 has no gradient for parsing",
    data_dependent=True,
    samples=(
        Sample(
            (
                fixed([[0, 0], [0, 1], [1, 0]], int64), fixed([1, 2, 3], float32),
                fixed([2, 2], int64), fixed([4, 1, 0], int64),
            ),
            {"size": (5,), "in_order": False},
            grad=False,
        ),
    ),
)  # fmt: skip
