"""Ops of feature columns: categories as numbers, and their rows of a table combined.

Lives here: host ops from values to ids (vocabularies, hashing, crossing), and the weighted sums of
rows. Not here: columns. A missing category is -1; ids have the shape [batch, how many at most].
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import bool_, float32, int32, int64, string
from graphc.ir.node import Tensor, TensorType
from graphc.ir.shape import dims_product
from graphc.ops.convert import constant_tensor
from graphc.ops.define import F, InferContext, OpDef
from graphc.ops.hashing import fingerprint64
from graphc.ops.samples import Sample, fixed, sample

Array = np.ndarray[Any, Any]

_MULTIPLIER = np.uint64(0xC6A4A7935BD1E995)
_NO_PATH = "ids are integers"
KEYS = (string, int32, int64)


class Ids(NamedTuple):
    """Categories of each example.

    Attributes:
        ids: int64 [batch, k], -1 where there is none. weights: float32 of that shape, or None.
        sparse: whether missing entries do not take part in a crossing.
    """

    ids: Tensor
    weights: Tensor | None = None
    sparse: bool = True


# ------------------------------------------------------------------ values to ids
def _same_shape(ctx: InferContext) -> TensorType:
    return TensorType(int64, ctx.shape(0))


def _missing(values: Array, ignore: bool) -> Array:
    """Where dense features say that there is no value: "" and -1."""
    if not ignore:
        return np.zeros(values.shape, np.bool_)
    return values == (b"" if values.dtype == object else -1)


@functools.lru_cache(maxsize=64)
def _table(words: tuple[Any, ...]) -> dict[Any, int]:
    # words that come out of a GraphDef are text
    return {w.encode() if isinstance(w, str) else w: place for place, w in enumerate(words)}


def _text(value: Any) -> bytes:
    return value if isinstance(value, bytes) else b"%d" % int(value)


def _found(
    values: Array, words: tuple[Any, ...], default: int, buckets: int, ignore: bool
) -> Array:
    places, count = _table(words), len(words)
    missing = _missing(values, ignore)
    out = np.full(values.shape, -1, np.int64)
    for at, value in np.ndenumerate(values):
        if missing[at]:
            continue
        place = places.get(value if isinstance(value, bytes) else int(value))
        if place is not None:
            out[at] = place
        elif buckets:
            out[at] = count + _fingerprint(_text(value)) % buckets
        else:
            out[at] = default
    return out


@functools.lru_cache(maxsize=1 << 16)
def _fingerprint(word: bytes) -> int:
    """As fingerprint64: features say the same words again and again."""
    return fingerprint64(word)


def _fingerprints(values: Array) -> Array:
    """uint64 of the values' shape; numbers are hashed as text."""
    found = (_fingerprint(_text(v)) for v in values.flat)
    return np.fromiter(found, np.uint64, values.size).reshape(values.shape)


def _hashed(values: Array, num_buckets: int, ignore: bool) -> Array:
    ids = (_fingerprints(values) % np.uint64(num_buckets)).astype(np.int64)
    ids[_missing(values, ignore)] = -1
    return ids


def _identity(values: Array, num_buckets: int, default: int | None, ignore: bool) -> Array:
    ids = values.astype(np.int64)
    missing = _missing(values, ignore)
    wrong = ((ids < 0) | (ids >= num_buckets)) & ~missing
    if default is not None:
        ids[wrong] = default
    elif wrong.any():
        raise InvalidArgumentError(
            f"assertion failed: category {int(ids[wrong][0])} is not in [0, {num_buckets}), and "
            "the column has no default_value"
        )
    ids[missing] = -1
    return ids


# ------------------------------------------------------------------ crossing
def _cross_types(ctx: InferContext) -> TensorType:
    given = [ctx.shape(i) for i in range(0, len(ctx.inputs), 2)]
    shapes = [s for s in given if s is not None]
    if len(shapes) < len(given):
        return TensorType(int64, (None, None))
    return TensorType(int64, (shapes[0][0], dims_product([s[1] for s in shapes])))


def _shift_mix(values: Array) -> Array:
    mixed: Array = values ^ (values >> np.uint64(47))
    return mixed


def _joined(first: Array, second: Array) -> Array:
    """TensorFlow's FingerprintCat64, of arrays that are broadcast."""
    result = first ^ _MULTIPLIER
    result = result ^ _shift_mix(second * _MULTIPLIER) * _MULTIPLIER
    result = result * _MULTIPLIER
    result = _shift_mix(result) * _MULTIPLIER
    return _shift_mix(result)


def _crossed(*columns: Array, num_buckets: int, hash_key: int) -> Array:
    """The hash of each combination, the last column's values in the innermost order."""
    count = len(columns) // 2
    mixed, whole = np.array(hash_key, np.uint64), np.array(True)
    for n in range(count):
        values, present = columns[2 * n : 2 * n + 2]
        words = _fingerprints(values) if values.dtype == object else values.astype(np.uint64)
        # an axis for each column: [batch, 1, ..., k, ..., 1]
        shape = (len(values), *(values.shape[1] if m == n else 1 for m in range(count)))
        mixed = _joined(mixed, words.reshape(shape))
        whole = whole & present.reshape(shape)
    ids = (mixed % np.uint64(num_buckets)).astype(np.int64)
    width = int(np.prod([v.shape[1] for v in columns[::2]], dtype=np.int64))
    return np.where(whole, ids, -1).reshape(len(columns[0]), width)


# ------------------------------------------------------------------ sparse tensors
def _padded_types(ctx: InferContext) -> tuple[TensorType, ...]:
    return TensorType(ctx.dtype(1), (None, None)), TensorType(bool_, (None, None))


def _padded(indices: Array, values: Array, dense_shape: Array) -> tuple[Array, Array]:
    """The entries in their rows, and where there are any."""
    batch, width = int(dense_shape[0]), int(np.prod(dense_shape[1:], dtype=np.int64))
    out = np.zeros((batch, width), values.dtype)
    if values.dtype == object:
        out.fill(b"")
    present = np.zeros((batch, width), np.bool_)
    rows = indices[:, 0]
    places = np.zeros(len(indices), np.int64)
    for axis in range(1, indices.shape[1]):
        places = places * dense_shape[axis] + indices[:, axis]
    out[rows, places], present[rows, places] = values, True
    return out, present


_WORDS = fixed([[b"", b"b"], [b"a", b"c"]], string)

category_ids = OpDef(
    name="category_ids", tf="CategoryIds", family="host", args=("values",), infer=_same_shape,
    numpy=_found, nograd=_NO_PATH, dtypes={"T": KEYS},
    samples=(
        sample(_WORDS, grad=False, words=(b"a", b"b"), default=-1, buckets=3, ignore=True),
    ),
)  # fmt: skip
hashed_ids = OpDef(
    name="hashed_ids", tf="HashedIds", family="host", args=("values",), infer=_same_shape,
    numpy=_hashed, nograd=_NO_PATH, dtypes={"T": KEYS},
    samples=(sample(_WORDS, grad=False, num_buckets=7, ignore=True),),
)  # fmt: skip
identity_ids = OpDef(
    name="identity_ids", tf="IdentityIds", family="host", args=("values",), infer=_same_shape,
    numpy=_identity, nograd=_NO_PATH, dtypes={"T": (int32, int64)},
    samples=(
        sample(fixed([[1, -1], [5, 0]], int64), grad=False, num_buckets=3, default=2, ignore=True),
    ),
)  # fmt: skip
crossed_ids = OpDef(
    name="crossed_ids", tf="CrossedIds", family="host", args=("*columns",), groups=("*",),
    infer=_cross_types, numpy=_crossed, nograd=_NO_PATH,
    samples=(
        Sample((_WORDS, fixed([[True, True], [False, True]], bool_)),
               {"num_buckets": 5, "hash_key": 7}, False),
    ),
)  # fmt: skip
padded_entries = OpDef(
    name="padded_entries", tf="PaddedEntries", family="host",
    args=("indices", "values", "dense_shape"), groups=(int64, "*", int64), infer=_padded_types,
    numpy=_padded, nograd=_NO_PATH, data_dependent=True,
    samples=(
        Sample((fixed([[0, 1], [1, 0]], int64), fixed([4, 5], int64), fixed([2, 3], int64)), {},
               False),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ rows of tables
def combined_rows(
    table: Any, found: Ids, combiner: str, max_norm: float | None = None
) -> Tensor:
    """[batch, width]: the rows of each example's ids, combined; zeros where it has none.

    Args:
        table: [categories, width]. combiner: "sum", "mean" (by weights) or "sqrtn".
    """
    from graphc.tf1.api_array import expand_dims, gather

    ids, weights = found.ids, found.weights
    zero = constant_tensor(0, int64, graph=ids.graph)
    present = F.greater_equal(ids, zero)
    if weights is not None and combiner != "sum":
        none = constant_tensor(0, weights.dtype, graph=ids.graph)
        present = F.logical_and(present, F.greater(weights, none))
    share = F.cast(present, dtype=float32)
    if weights is not None:
        share = F.multiply(share, weights)
    rows = gather(table, F.maximum(ids, zero))
    if max_norm is not None:
        from graphc.tf1.api_clip import clip_by_norm

        rows = clip_by_norm(rows, max_norm, axes=[-1])
    total = F.reduce_sum(
        F.multiply(rows, expand_dims(share, -1)), axes=(1,), keepdims=False
    )
    if combiner == "sum":
        return total
    if combiner == "mean":
        size = F.reduce_sum(share, axes=(1,), keepdims=True)
    else:
        size = F.sqrt(F.reduce_sum(F.square(share), axes=(1,), keepdims=True))
    return F.div_no_nan(total, size)
