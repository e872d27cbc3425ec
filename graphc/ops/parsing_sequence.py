"""SequenceExample messages to tensors, of one or of a batch.

Lives here: parse_sequence_example, parse_single_sequence_example. Not here: plain examples
(ops/parsing.py). Imports ops.parsing.

Attributes as of parse_example, those of the context with the prefix context_, those of feature
lists with list_; `list_optional` are dense lists that may be missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import DType, float32, int64, string
from graphc.ir.node import TensorType
from graphc.ops.define import InferContext, OpDef
from graphc.ops.example_bytes import Malformed, Span, feature_values, sequence_features
from graphc.ops.parsing import (
    Row,
    as_array,
    bracket,
    dense_batch,
    filled,
    names_of,
    ragged,
    sparse_batch,
    sparse_types_of,
    unreadable,
)
from graphc.ops.samples import Sample, fixed

Array = np.ndarray[Any, Any]
Shape = tuple[int | None, ...]


class _Sequence(Row):
    """One sequence: its context as a Row, and its feature lists."""

    def __init__(
        self, data: bytes, context: frozenset[str], lists: frozenset[str], name: str, index: int
    ) -> None:
        try:
            features, self.lists = sequence_features(data, context, lists)
        except Malformed:
            raise unreadable(data, "sequence example") from None
        super().__init__(data, features, name, index)

    def mismatch(self, key: str, got: str, dtype: DType) -> InvalidArgumentError:
        return self.fail(key, f"Data types don't match. Expected type: {dtype.tf_name}")

    def fail(self, key: str, text: str) -> InvalidArgumentError:
        return InvalidArgumentError(f"Name: {self.name}, Context feature: {key}.  {text}")

    def missing(self, key: str, dtype: DType) -> InvalidArgumentError:
        return InvalidArgumentError(
            f"Name: {self.name}, Context feature '{key}' is required but could not be found."
        )

    def steps(self, key: str, dtype: DType) -> list[Array] | None:
        """The values of each step of a feature list; None where it is not there."""
        spans = self.lists.get(key)
        if spans is None:
            return None
        return [self._step(key, k, span, dtype) for k, span in enumerate(spans)]

    def _step(self, key: str, k: int, span: Span, dtype: DType) -> Array:
        try:
            kind, values = feature_values(self.data, span)
        except Malformed:
            raise unreadable(self.data, "sequence example") from None
        if kind and kind != dtype.name:
            raise InvalidArgumentError(
                f"Name: {self.name}, Feature list: {key}, Index: {k}.  Data types don't match. "
                f"Expected type: {dtype.tf_name}"
            )
        return as_array(values if values is not None else (), dtype)

    def dense_steps(self, key: str, dtype: DType, shape: Shape, optional: bool) -> Array:
        """The steps of a list of fixed shape, one below the other."""
        steps = self.steps(key, dtype)
        if steps is None:
            if not optional:
                raise InvalidArgumentError(
                    f"Name: {self.name}, Feature list '{key}' is required but could not be "
                    "found.  Did you mean to include it in "
                    "feature_list_dense_missing_assumed_empty or feature_list_dense_defaults?"
                )
            steps = []
        dims = tuple(d for d in shape if d is not None)
        out = filled((len(steps), *dims), dtype)
        count = int(np.prod(dims, dtype=np.int64))
        for k, values in enumerate(steps):
            if len(values) != count:
                raise InvalidArgumentError(
                    f"Name: {self.name}, Key: {key}, Index: {k}.  Number of values != expected.  "
                    f"values size: {len(values)} but output shape: {bracket(shape)}"
                )
            out[k] = values.reshape(dims)[()]
        return out


# ------------------------------------------------------------------ lists
def _sparse_lists(
    rows: Sequence[_Sequence], key: str, dtype: DType
) -> tuple[Array, Array, Array]:
    """(indices, values, shape) of steps whose number of values differs."""
    parts = [ragged(row.steps(key, dtype) or [], dtype) for row in rows]
    places = [
        np.column_stack([np.full(len(p), k, np.int64), p]) for k, (p, _, _) in enumerate(parts)
    ]
    none = np.empty((0, 3), np.int64)
    largest = np.max([s for _, _, s in parts], axis=0) if parts else np.zeros(2, np.int64)
    return (
        np.concatenate([none, *places]),
        np.concatenate([np.empty(0, dtype.np), *(v for _, v, _ in parts)]),
        np.array([len(rows), *largest.tolist()], np.int64),
    )


def _dense_lists(parts: Sequence[Array], shape: Shape, dtype: DType) -> Array:
    """Sequences padded to the longest."""
    dims = tuple(d for d in shape if d is not None)
    longest = max((len(p) for p in parts), default=0)
    out = filled((len(parts), longest, *dims), dtype)
    for k, part in enumerate(parts):
        out[k, : len(part)] = part
    return out


def _by_part(sparse: Sequence[tuple[Array, Array, Array]]) -> list[Array]:
    """All indices, all values, all shapes."""
    return [found[k] for k in range(3) for found in sparse]


# ------------------------------------------------------------------ the ops
def _parse(serialized: Array, names: Array, *defaults: Array, **attrs: Any) -> tuple[Array, ...]:
    context = frozenset(attrs["context_sparse_keys"] + attrs["context_dense_keys"])
    lists = frozenset(attrs["list_sparse_keys"] + attrs["list_dense_keys"])
    rows = [
        _Sequence(serialized[k], context, lists, name, k)
        for k, name in enumerate(names_of(names, serialized.size))
    ]
    context_sparse = [
        sparse_batch(rows, key, dtype)
        for key, dtype in zip(
            attrs["context_sparse_keys"], attrs["context_sparse_types"], strict=True
        )
    ]
    context_dense = [
        dense_batch(rows, key, dtype, shape, default)
        for key, dtype, shape, default in zip(
            attrs["context_dense_keys"], attrs["context_dense_types"],
            attrs["context_dense_shapes"], defaults, strict=True,
        )
    ]  # fmt: skip
    list_sparse = [
        _sparse_lists(rows, key, dtype)
        for key, dtype in zip(attrs["list_sparse_keys"], attrs["list_sparse_types"], strict=True)
    ]
    list_dense, lengths = [], []
    for key, dtype, shape in zip(
        attrs["list_dense_keys"], attrs["list_dense_types"], attrs["list_dense_shapes"],
        strict=True,
    ):  # fmt: skip
        optional = key in attrs["list_optional"]
        parts = [row.dense_steps(key, dtype, shape, optional) for row in rows]
        list_dense.append(_dense_lists(parts, shape, dtype))
        lengths.append(np.array([len(p) for p in parts], np.int64))
    return (
        *_by_part(context_sparse), *context_dense, *_by_part(list_sparse), *list_dense, *lengths,
    )  # fmt: skip


def _parse_single(
    serialized: Array, name: Array, *defaults: Array, **attrs: Any
) -> tuple[Array, ...]:
    batch, names = np.empty(1, object), np.empty(1, object)
    batch[0], names[0] = serialized.item(), name.item()
    out = iter(_parse(batch, names if names[0] else names[:0], *defaults, **attrs))
    found: list[Array] = []
    for kind in ("context", "list"):
        sparse = attrs[f"{kind}_sparse_keys"]
        found += [next(out)[:, 1:] for _ in sparse]
        found += [next(out) for _ in sparse]
        found += [next(out)[1:] for _ in sparse]
        dense = [next(out) for _ in attrs[f"{kind}_dense_keys"]]
        found += [d.reshape(d.shape[1:]) for d in dense]
    return tuple(found)


def _types(ctx: InferContext, lead: tuple[Any, ...]) -> list[TensorType]:
    attrs = ctx.attrs
    context = zip(attrs["context_dense_types"], attrs["context_dense_shapes"], strict=True)
    lists = zip(attrs["list_dense_types"], attrs["list_dense_shapes"], strict=True)
    return [
        *sparse_types_of(attrs["context_sparse_types"], 1 + len(lead)),
        *(TensorType(dtype, (*lead, *shape)) for dtype, shape in context),
        *sparse_types_of(attrs["list_sparse_types"], 2 + len(lead)),
        *(TensorType(dtype, (*lead, None, *shape)) for dtype, shape in lists),
    ]


def _batch_types(ctx: InferContext) -> list[TensorType]:
    shape = ctx.shape(0)
    if shape is not None and len(shape) != 1:
        raise ctx.fail(f"Shape must be rank 1 but is rank {len(shape)}")
    lead = (None,) if shape is None else shape
    return [
        *_types(ctx, lead),
        *(TensorType(int64, lead) for _ in ctx.attrs["list_dense_keys"]),
    ]


def _single_types(ctx: InferContext) -> list[TensorType]:
    if ctx.rank(0) not in (None, 0):
        raise ctx.fail(f"Shape must be rank 0 but is rank {ctx.rank(0)}")
    return _types(ctx, ())


# a SequenceExample: context {"a": int64 [1, 2]}, lists {"x": two steps [1.5], [2.0]}
_BYTES = (
    b"\n\r\n\x0b\n\x01a\x12\x06\x1a\x04\n\x02\x01\x02\x12\x1b\n\x19\n\x01x\x12\x14"
    b"\n\x08\x12\x06\n\x04\x00\x00\xc0?\n\x08\x12\x06\n\x04\x00\x00\x00@"
)
_ATTRS: dict[str, Any] = {
    "context_sparse_keys": ("a",), "context_sparse_types": (int64,),
    "context_dense_keys": ("b",), "context_dense_types": (string,),
    "context_dense_shapes": ((),),
    "list_sparse_keys": ("y",), "list_sparse_types": (int64,),
    "list_dense_keys": ("x",), "list_dense_types": (float32,), "list_dense_shapes": ((1,),),
    "list_optional": (),
}  # fmt: skip

parse_sequence_example = OpDef(
    name="parse_sequence_example",
    tf="ParseSequenceExample",
    family="host",
    args=("serialized", "names", "*context_dense_defaults"),
    groups=(string, string, "*"),
    infer=_batch_types,
    numpy=_parse,
    nograd="messages are strings",
    data_dependent=True,
    samples=(
        Sample(
            (fixed([_BYTES, _BYTES], string), fixed([], string), fixed(b"-", string)), _ATTRS,
            grad=False,
        ),
    ),
)  # fmt: skip

parse_single_sequence_example = OpDef(
    name="parse_single_sequence_example",
    tf="ParseSingleSequenceExample",
    family="host",
    args=("serialized", "name", "*context_dense_defaults"),
    groups=(string, string, "*"),
    infer=_single_types,
    numpy=_parse_single,
    nograd="messages are strings",
    data_dependent=True,
    samples=(
        Sample(
            (fixed(_BYTES, string), fixed(b"", string), fixed(b"-", string)), _ATTRS, grad=False
        ),
    ),
)
