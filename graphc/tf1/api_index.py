"""TF1's functions that read and select by index: tf.gather, tf.where, tf.unique, embeddings, ...

Lives here: wrappers of ops/index.py, ops/ranking.py and ops/sets.py. Not here: writes
(api_scatter.py), segments (api_segment.py). Imports ops.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import as_dtype, int32, int64
from graphc.ir.node import Tensor
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.ops.define import F
from graphc.tf1.arguments import index_tensor, static_int

__all__ = [
    "batch_gather", "boolean_mask", "dynamic_partition", "dynamic_stitch", "embedding_lookup",
    "gather", "gather_nd", "in_top_k", "invert_permutation", "listdiff", "searchsorted",
    "setdiff1d", "top_k", "unique", "unique_with_counts", "where", "where_v2",
]  # fmt: skip

TopKV2 = namedtuple("TopKV2", ["values", "indices"])
Unique = namedtuple("Unique", ["y", "idx"])
UniqueWithCounts = namedtuple("UniqueWithCounts", ["y", "idx", "count"])
ListDiff = namedtuple("ListDiff", ["out", "idx"])
_LINE = np.array([-1], np.int32)


# ------------------------------------------------------------------ gather
def gather(
    params: Any,
    indices: Any,
    validate_indices: bool | None = None,
    name: str | None = None,
    axis: Any = None,
    batch_dims: int = 0,
) -> Tensor:
    """The slices of `params` along `axis` that `indices` names.

    Raises:
        InvalidArgumentError when run: "indices[0] = 7 is not in [0, 5)".
    """
    x, at = convert_to_tensor(params), index_tensor(indices)
    batch = batch_dims
    if batch < 0:
        if at.rank is None:
            raise ValueError("batch_dims may only be negative if the rank of indices is known")
        batch += at.rank
    where_ = batch if axis is None else static_int(axis, "axis")
    return F.gather(x, at, axis=where_, batch_dims=batch, name=name)


def batch_gather(params: Any, indices: Any, name: str | None = None) -> Tensor:
    """gather along the last axis of `indices`, row by row of all axes before it.

    Raises:
        ValueError: the rank of indices is not known.
    """
    at = index_tensor(indices)
    if at.rank is None:
        raise ValueError("batch_gather does not allow indices with unknown shape.")
    return gather(params, at, name=name, axis=at.rank - 1, batch_dims=at.rank - 1)


def gather_nd(
    params: Any, indices: Any, name: str | None = None, batch_dims: int = 0
) -> Tensor:
    """The slices of `params` at the index vectors along the last axis of `indices`.

    Raises:
        InvalidArgumentError when run: "indices[0] = [7, 0] does not index into param shape [5,3]".
        NotImplementedError: batch_dims other than 0 with an unknown rank.
    """
    x, at = convert_to_tensor(params), index_tensor(indices)
    if batch_dims:
        at = _with_batch_numbers(at, batch_dims)
    return F.gather_nd(x, at, name=name)


def _with_batch_numbers(at: Tensor, batch_dims: int) -> Tensor:
    """Index vectors that begin with the numbers of the batch axes."""
    if at.rank is None:
        raise NotImplementedError("gather_nd with batch_dims needs indices of known rank")
    shape = F.shape(at, out_type=at.dtype) if at.dtype is int64 else F.shape(at)
    one = np.array([1], np.int32)
    head = F.strided_slice(shape, one * 0, one * -1, one)
    columns = []
    for d in range(batch_dims):
        extent = F.reshape(F.strided_slice(shape, one * d, one * d + 1, one), np.zeros(0, np.int32))
        zero, step = np.zeros((), at.dtype.np), np.ones((), at.dtype.np)
        line = np.ones(at.rank, np.int32)
        line[d] = -1
        numbers = F.reshape(F.range(convert_to_tensor(zero), extent, step), line)
        columns.append(F.broadcast_to(numbers, F.concat(head, F.cast(one, dtype=at.dtype), axis=0)))
    return F.concat(*columns, at, axis=-1)


def embedding_lookup(
    params: Any,
    ids: Any,
    partition_strategy: str = "mod",
    name: str | None = None,
    validate_indices: bool = True,
    max_norm: float | None = None,
) -> Tensor:
    """The rows of a table (or of a list of tables that share the rows) that `ids` names.

    Args:
        partition_strategy: how a list shares the rows: "mod" (row i is in table i % n) or "div"
            (contiguous runs). max_norm: longer rows are scaled down to this l2 norm.

    Raises:
        ValueError: no tables, or an unknown strategy.
    """
    tables = list(params) if isinstance(params, list | tuple) else [params]
    if not tables:
        raise ValueError("Need at least one param")
    at = index_tensor(ids)
    with at.graph.name_scope(name or "embedding_lookup") as scope:
        if len(tables) == 1:
            rows = F.gather(convert_to_tensor(tables[0]), at, axis=0, batch_dims=0, name=scope)
            # TF1.15's name of the result: "embedding_lookup/Identity:0"
            return F.identity(rows if max_norm is None else _clipped(rows, at, max_norm))
        rows = _sharded([convert_to_tensor(t) for t in tables], at, partition_strategy)
        return rows if max_norm is None else _clipped(rows, at, max_norm)


def _sharded(tables: Sequence[Tensor], ids: Tensor, strategy: str) -> Tensor:
    count = len(tables)
    flat = F.reshape(ids, _LINE)
    if strategy == "mod":
        owner, row = F.floormod(flat, count), F.floordiv(flat, count)
    elif strategy == "div":
        owner, row = _contiguous(tables, flat)
    else:
        raise ValueError("Unrecognized partition strategy: " + strategy)
    owner = F.cast(owner, dtype=int32)
    places = F.dynamic_partition(F.range(0, F.size(flat), 1), owner, num=count)
    asked = F.dynamic_partition(row, owner, num=count)
    found = [F.gather(t, a, axis=0, batch_dims=0) for t, a in zip(tables, asked, strict=True)]
    rows = F.dynamic_stitch(F.concat(*places, axis=0), F.concat(*found, axis=0))
    tail = F.strided_slice(
        F.shape(tables[0]), np.array([1], np.int32), np.array([0], np.int32),
        np.array([1], np.int32), end_mask=1,
    )  # fmt: skip
    return F.reshape(rows, F.concat(F.shape(ids), tail, axis=0))


def _contiguous(tables: Sequence[Tensor], flat: Tensor) -> tuple[Tensor, Tensor]:
    """Owners and rows where the first `extra` tables hold one row more than the others."""
    count = len(tables)
    sizes = [F.reduce_sum(F.stack(*(_rows_of(t) for t in tables), axis=0), axes=None,
                          keepdims=False)]  # fmt: skip
    total = F.cast(sizes[0], dtype=flat.dtype)
    each, extra = F.floordiv(total, count), F.floormod(total, count)
    wide = F.add(each, 1)
    edge = F.multiply(extra, wide)
    owner = F.maximum(
        F.floordiv(flat, wide), F.floordiv(F.subtract(flat, extra), F.maximum(each, 1))
    )
    early = F.less(flat, F.broadcast_to(edge, F.shape(flat)))
    row = F.select(
        early, F.floormod(flat, wide), F.floormod(F.subtract(flat, extra), F.maximum(each, 1))
    )
    return owner, row


def _rows_of(table: Tensor) -> Tensor:
    one = np.array([1], np.int32)
    return F.strided_slice(F.shape(table), one * 0, one, one, shrink_axis_mask=1)


def _clipped(rows: Tensor, ids: Tensor, max_norm: float) -> Tensor:
    if ids.rank is None or rows.rank is None:
        raise ValueError("embedding_lookup with max_norm needs ids and params of known rank")
    axes = tuple(range(ids.rank, rows.rank))
    total = F.reduce_sum(F.square(rows), axes=axes, keepdims=True)
    # the root of zero has no gradient: it is taken of one instead and not used
    positive = F.greater(total, F.zeros_like(total))
    length = F.select(
        positive, F.sqrt(F.select(positive, total, F.ones_like(total))), total
    )
    bound = np.asarray(max_norm, rows.dtype.np)
    return F.divide(F.multiply(rows, bound), F.maximum(length, bound))


# ------------------------------------------------------------------ choosing by condition
def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Tensor:
    """x where the condition holds, else y; with one argument the positions where it holds.

    With x and y the condition has their shape, or is a vector that chooses whole rows.

    Raises:
        ValueError: "x and y must both be non-None or both be None."
    """
    if x is None and y is None:
        return F.where(convert_to_tensor(condition), name=name)
    if x is None or y is None:
        raise ValueError("x and y must both be non-None or both be None.")
    like = next((v for v in (x, y) if is_tensor_like(v)), None)
    kind = None if like is None else convert_to_tensor(like).dtype
    yes = convert_to_tensor(x, kind)
    return F.select(convert_to_tensor(condition), yes, convert_to_tensor(y, yes.dtype), name=name)


def where_v2(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Tensor:
    """where with NumPy's broadcasting of all three arguments."""
    if x is None or y is None:
        return where(condition, x, y, name)
    cond = convert_to_tensor(condition)
    like = next((v for v in (x, y) if is_tensor_like(v)), None)
    kind = None if like is None else convert_to_tensor(like).dtype
    yes = convert_to_tensor(x, kind)
    no = convert_to_tensor(y, yes.dtype)
    shape = F.broadcast_args(F.shape(cond), F.broadcast_args(F.shape(yes), F.shape(no)))
    parts = [F.broadcast_to(t, shape) for t in (cond, yes, no)]
    return F.select(*parts, name=name)


def boolean_mask(
    tensor: Any, mask: Any, name: str = "boolean_mask", axis: Any = None
) -> Tensor:
    """The elements (rows) of `tensor` where `mask` holds, along `axis` and those behind it.

    Raises:
        ValueError: a scalar mask, a mask of unknown rank, shapes that are incompatible.
    """
    x, keep = convert_to_tensor(tensor), convert_to_tensor(mask)
    with x.graph.name_scope(name):
        if keep.rank == 0:
            raise ValueError("mask cannot be scalar.")
        if keep.rank is None:
            raise ValueError(
                "Number of mask dimensions must be specified, even if some dimensions are None.  "
                "E.g. shape=[None] is ok, but shape=None is not."
            )
        at = 0 if axis is None else static_int(axis, "axis")
        if at < 0 and x.rank is not None:
            at += x.rank
        behind = at + keep.rank
        if x.dims is not None:
            part = TensorShape(x.dims[at:behind])
            if not part.is_compatible_with(keep.shape):
                raise ValueError(f"Shapes {part} and {keep.shape} are incompatible")
        # also of one axis: the gradient of a reshape is dense, and so is TF's here
        flat = F.reshape(x, F.shape(x)) if keep.rank == 1 else _merged_axes(x, at, behind)
        found = F.where(F.reshape(keep, _LINE))
        return F.gather(flat, F.squeeze(found, axes=(1,)), axis=at, batch_dims=0)


def _merged_axes(x: Tensor, first: int, behind: int) -> Tensor:
    """The axes [first, behind) as one."""
    shape = F.shape(x)
    one = np.array([1], np.int32)
    head = F.strided_slice(shape, one * 0, one * first, one)
    tail = F.strided_slice(shape, one * behind, one * 0, one, end_mask=1)
    middle = F.reduce_prod(
        F.strided_slice(shape, one * first, one * behind, one), axes=(0,), keepdims=True
    )
    return F.reshape(x, F.concat(head, middle, tail, axis=0))


# ------------------------------------------------------------------ sets and orders
def top_k(
    input: Any,
    k: Any = 1,
    sorted: bool = True,
    name: str | None = None,
) -> TopKV2:
    """The k largest entries along the last axis and their positions, largest first.

    Raises:
        ShapeError: "input must have last dimension >= k = 5 but is 3".
    """
    count = index_tensor(k)
    count = count if count.dtype is int32 else F.cast(count, dtype=int32)
    return TopKV2(*F.top_k(convert_to_tensor(input), count, sorted=sorted, name=name))


def in_top_k(predictions: Any, targets: Any, k: Any, name: str | None = None) -> Tensor:
    """Whether each target is among the k largest predictions of its row."""
    wanted = index_tensor(targets)
    count = convert_to_tensor(k, wanted.dtype if not is_tensor_like(k) else None)
    if count.dtype is not wanted.dtype:
        count = F.cast(count, dtype=wanted.dtype)
    return F.in_top_k(convert_to_tensor(predictions), wanted, count, name=name)


def searchsorted(
    sorted_sequence: Any,
    values: Any,
    side: str = "left",
    out_type: Any = int32,
    name: str | None = None,
) -> Tensor:
    """Where each value would be inserted into its sorted row.

    Raises:
        ValueError: side is neither "left" nor "right".
    """
    if side not in ("left", "right"):
        raise ValueError(f"side must be either 'right' or 'left'.  Saw: {side}.")
    rows = convert_to_tensor(sorted_sequence)
    return F.searchsorted(
        rows, convert_to_tensor(values, None if is_tensor_like(values) else rows.dtype),
        side=side, out_type=as_dtype(out_type), name=name,
    )  # fmt: skip


def unique(x: Any, out_idx: Any = int32, name: str | None = None) -> Unique:
    """The values of a vector in the order of their first occurrence; each element's position."""
    return Unique(*F.unique(convert_to_tensor(x), out_idx=as_dtype(out_idx), name=name))


def unique_with_counts(x: Any, out_idx: Any = int32, name: str | None = None) -> UniqueWithCounts:
    """unique, and how often each value occurs."""
    got = F.unique_with_counts(convert_to_tensor(x), out_idx=as_dtype(out_idx), name=name)
    return UniqueWithCounts(*got)


def setdiff1d(x: Any, y: Any, index_dtype: Any = int32, name: str | None = None) -> ListDiff:
    """The values of x that are not in y, and their positions in x."""
    return ListDiff(*F.setdiff1d(convert_to_tensor(x), y, out_idx=as_dtype(index_dtype), name=name))


listdiff = setdiff1d


def invert_permutation(x: Any, name: str | None = None) -> Tensor:
    """y with y[x[i]] = i.

    Raises:
        InvalidArgumentError when run: "7 is not between 0 and 2".
    """
    return F.invert_permutation(index_tensor(x), name=name)


def dynamic_partition(
    data: Any, partitions: Any, num_partitions: int, name: str | None = None
) -> list[Tensor]:
    """The rows of `data` by the number that `partitions` gives each."""
    parts = index_tensor(partitions)
    parts = parts if parts.dtype is int32 else F.cast(parts, dtype=int32)
    out = F.dynamic_partition(convert_to_tensor(data), parts, num=int(num_partitions), name=name)
    return list(out) if isinstance(out, tuple) else [out]


def dynamic_stitch(indices: Any, data: Any, name: str | None = None) -> Tensor:
    """Rows merged by index: result[indices[m][i]] = data[m][i]; the last of equals wins.

    Raises:
        ValueError: lists of different lengths.
    """
    if len(indices) != len(data):
        raise ValueError(f"Expected as many indices as data, got {len(indices)} and {len(data)}")
    wheres, rows = [], []
    for at, part in zip(indices, data, strict=True):
        place, value = index_tensor(at), convert_to_tensor(part)
        place = place if place.dtype is int32 else F.cast(place, dtype=int32)
        if place.rank is None:
            raise ValueError("dynamic_stitch needs indices of known rank")
        one = np.array([1], np.int32)
        tail = F.strided_slice(F.shape(value), one * place.rank, one * 0, one, end_mask=1)
        count = F.reshape(F.size(place), one)
        wheres.append(F.reshape(place, _LINE))
        rows.append(F.reshape(value, F.concat(count, tail, axis=0)))
    if len(rows) == 1:
        return F.dynamic_stitch(wheres[0], rows[0], name=name)
    return F.dynamic_stitch(F.concat(*wheres, axis=0), F.concat(*rows, axis=0), name=name)
