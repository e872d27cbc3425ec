"""Functions on sparse tensors: to dense and back, products, sums, parts and other orders.

Lives here: tf.sparse_tensor_to_dense to tf.sparse_transpose, and the helpers that the other sparse
modules share. Not here: reductions and elementwise functions (api_sparse_math.py), rows and ids
(api_sparse_rows.py), the records (ops/sparse.py). Imports ops and sparse_tensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import bool_, float32, int32, int64
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.ops.extents import zero_of
from graphc.ops.sparse import row_strides
from graphc.ops.values import value_of
from graphc.tf1.arguments import index_tensor, renamed, static_int
from graphc.tf1.sparse_tensor import SparseTensor, SparseTensorValue

__all__ = [
    "from_dense", "sparse_add", "sparse_concat", "sparse_matmul", "sparse_reorder",
    "sparse_reshape", "sparse_retain", "sparse_slice", "sparse_split",
    "sparse_tensor_dense_matmul", "sparse_tensor_to_dense", "sparse_to_dense", "sparse_transpose",
]  # fmt: skip

_LINE = np.array([-1], np.int32)


# ------------------------------------------------------------------ shared helpers
def as_sparse(value: Any) -> SparseTensor:
    """A SparseTensor, also from its value.

    Raises:
        TypeError: "Input must be a SparseTensor."
    """
    if isinstance(value, SparseTensorValue):
        return SparseTensor.from_value(value)
    if not isinstance(value, SparseTensor):
        raise TypeError("Input must be a SparseTensor.")
    return value


def scope_of(x: SparseTensor, name: str | None, default: str) -> Any:
    return x.graph.name_scope(name or default)


def with_entries(x: SparseTensor, indices: Any, values: Any) -> SparseTensor:
    """Other entries of a tensor of the same shape."""
    made = SparseTensor(indices, values, x.dense_shape)
    made._static = x._static
    return made


def take(x: Tensor, at: Any, axis: int = 0) -> Tensor:
    return F.gather(x, at, axis=axis, batch_dims=0)


def values_at(values: Tensor, at: Tensor) -> Tensor:
    """Elements of a vector; its gradient is dense, not IndexedSlices."""
    return F.gather_nd(values, F.expand_dims(at, axis=1))


def entries_at(x: SparseTensor, at: Tensor) -> tuple[Tensor, Tensor]:
    """Indices and values of some entries, by their numbers."""
    return take(x.indices, at), values_at(x.values, at)


def known_shape(x: SparseTensor) -> np.ndarray[Any, Any] | None:
    """The dense shape as numbers, where the graph knows all of them."""
    known = value_of(x.dense_shape)
    if known is None or known.dtype == object:
        return None
    return known


def agreed_shape(a: SparseTensor, b: SparseTensor) -> Tensor:
    """The dense shape of two tensors, which must be the same.

    Raises:
        ValueError: known shapes differ. InvalidArgumentError when run: "Operands' shapes do not
        match ...".
    """
    a.get_shape().assert_is_compatible_with(b.get_shape())
    if known_shape(a) is not None and known_shape(b) is not None:
        return a.dense_shape
    return F.sparse_same(a.dense_shape, b.dense_shape, broadcast=False)


def need_known_rank(x: SparseTensor, what: str) -> int:
    if x.rank is None:
        raise ValueError(f"{what} needs a SparseTensor of known rank, got {x}")
    return x.rank


def unit_of(x: SparseTensor, axis: int) -> Any:
    """A vector over the axes of x: one at `axis`, zeros elsewhere.

    Raises:
        ValueError: an axis that x does not have.
    """
    if x.rank is not None:
        if not -x.rank <= axis < x.rank:
            raise ValueError(f"axis {axis} is not in [{-x.rank}, {x.rank})")
        return np.eye(x.rank, dtype=np.int64)[axis]
    rank = F.size(x.dense_shape)
    at = np.int32(axis) if axis >= 0 else rank + np.int32(axis)
    return F.cast(F.equal(F.range(np.int32(0), rank, np.int32(1)), at), dtype=int64)


def entry_numbers(kept: Tensor) -> Tensor:
    """The numbers of the entries for which a bool vector is true."""
    return F.reshape(F.where(kept), _LINE)


# ------------------------------------------------------------------ dense and sparse
def sparse_to_dense(
    sparse_indices: Any,
    output_shape: Any,
    sparse_values: Any,
    default_value: Any = 0,
    validate_indices: bool = True,
    name: str | None = None,
) -> Tensor:
    """A dense tensor of `default_value` with `sparse_values` at `sparse_indices`.

    Args:
        sparse_indices: (n, rank), or (n,) or a scalar for vectors. sparse_values: (n,) or one
            value for all. validate_indices: they must be in order without repetition.

    Raises:
        InvalidArgumentError when run: "indices[1] = [0,1] is out of order. ..." and its kin.
    """
    at, shape = index_tensor(sparse_indices), index_tensor(output_shape)
    if at.dtype is not shape.dtype:
        at, shape = F.cast(at, dtype=int64), F.cast(shape, dtype=int64)
    values = convert_to_tensor(sparse_values)
    default = convert_to_tensor(default_value, values.dtype)
    return F.sparse_to_dense(
        at, shape, values, default, validate_indices=validate_indices, name=name
    )


def sparse_tensor_to_dense(
    sp_input: Any,
    default_value: Any = None,
    validate_indices: bool = True,
    name: str | None = None,
) -> Tensor:
    """The whole tensor, `default_value` (zero) where no entry is (tf.sparse.to_dense).

    Raises:
        TypeError: not a SparseTensor. InvalidArgumentError when run: entries that are out of
        order, repeated or out of bounds.
    """
    x = as_sparse(sp_input)
    default = zero_of(x.dtype) if default_value is None else default_value
    dense = sparse_to_dense(
        x.indices, x.dense_shape, x.values, default, validate_indices, name or "SparseToDense"
    )
    if x.dims is not None:
        dense.set_shape(x.dims)
    return dense


def from_dense(tensor: Any, name: str | None = None) -> SparseTensor:
    """The entries of a dense tensor that are not zero (tf.sparse.from_dense)."""
    x = convert_to_tensor(tensor)
    with x.graph.name_scope(name or "dense_to_sparse"):
        at = F.where(x if x.dtype is bool_ else F.not_equal(x, zero_of(x.dtype)))
        made = SparseTensor(at, F.gather_nd(x, at), F.shape(x, out_type=int64))
        made._static = x.dims
        return made


def sparse_tensor_dense_matmul(
    sp_a: Any,
    b: Any,
    adjoint_a: bool = False,
    adjoint_b: bool = False,
    name: str | None = None,
) -> Tensor:
    """The product of a sparse matrix and a dense one (tf.sparse.matmul).

    Either of the two may be the sparse one. The gradient reaches the values and the dense matrix.

    Raises:
        ShapeError: the inner dimensions differ.
        InvalidArgumentError when run: the same, or an entry out of bounds.
    """
    if isinstance(b, SparseTensor | SparseTensorValue):
        turned = sparse_tensor_dense_matmul(b, sp_a, not adjoint_b, not adjoint_a)
        return F.transpose(turned, perm=(1, 0), name=name)
    x = as_sparse(sp_a)
    dense = convert_to_tensor(b, x.dtype)
    return F.sparse_dense_matmul(
        x.indices, x.values, x.dense_shape, dense, adjoint_a=adjoint_a, adjoint_b=adjoint_b,
        name=name,
    )  # fmt: skip


def sparse_matmul(
    a: Any,
    b: Any,
    transpose_a: bool = False,
    transpose_b: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
    name: str | None = None,
) -> Tensor:
    """The product of two dense matrices that hold many zeros, in float32 (tf.sparse_matmul).

    Raises:
        ShapeError: the inner dimensions differ.
    """
    left, right = (F.cast(convert_to_tensor(t), dtype=float32) for t in (a, b))
    return F.matmul(left, right, transpose_a=transpose_a, transpose_b=transpose_b, name=name)


# ------------------------------------------------------------------ sums
def sparse_add(a: Any, b: Any, threshold: Any = None, thresh: Any = None) -> Any:
    """a + b: sparse if both are, else dense (tf.sparse.add).

    Args:
        threshold: of entries that both have, those whose sum is smaller are left out.

    Raises:
        TypeError: neither is sparse. ValueError or, when run, InvalidArgumentError: the shapes
        differ.
    """
    limit = renamed("thresh", thresh, "threshold", threshold)
    kinds = (SparseTensor, SparseTensorValue)
    if not isinstance(a, kinds) and not isinstance(b, kinds):
        raise TypeError("At least one input should be SparseTensor; do you mean to use tf.add()?")
    if isinstance(a, kinds) and isinstance(b, kinds):
        return _sparse_sum(as_sparse(a), as_sparse(b), 0 if limit is None else limit)
    sparse, dense = (as_sparse(a), b) if isinstance(a, kinds) else (as_sparse(b), a)
    return _sum_with_dense(sparse, convert_to_tensor(dense, sparse.dtype))


def union(a: SparseTensor, b: SparseTensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(indices of both, how many, number in them of each entry of a, of b)."""
    rows, at = F.sparse_unique(F.concat(a.indices, b.indices, axis=0))
    mine = F.reshape(F.size(a.values), np.array([1], np.int32))
    begin = np.zeros(1, np.int32)
    first = F.slice(at, begin, mine)
    second = F.slice(at, mine, F.reshape(F.size(b.values), np.array([1], np.int32)))
    count = take(F.shape(rows), np.int32(0))
    return rows, count, first, second


def _sparse_sum(a: SparseTensor, b: SparseTensor, limit: Any) -> SparseTensor:
    if a.dtype is not b.dtype:
        raise TypeError(f"dtypes of a and b differ: {a.dtype.name} and {b.dtype.name}")
    with scope_of(a, None, "SparseAdd"):
        shape = agreed_shape(a, b)
        rows, count, first, second = union(a, b)
        at = F.concat(first, second, axis=0)
        sums = F.unsorted_segment_sum(F.concat(a.values, b.values, axis=0), at, count)
        total = SparseTensor(rows, sums, shape)
        total._static = a._static
        if isinstance(limit, int | float) and limit == 0:
            return total
        size = F.abs(sums)
        met = F.unsorted_segment_sum(F.fill(F.shape(at), np.int32(1)), at, count)
        large = F.greater_equal(size, convert_to_tensor(limit, size.dtype))
        return sparse_retain(total, F.logical_or(large, F.equal(met, np.int32(1))))


def _sum_with_dense(x: SparseTensor, dense: Tensor) -> Tensor:
    with scope_of(x, None, "SparseTensorDenseAdd"):
        x.get_shape().assert_is_compatible_with(dense.get_shape())
        shape = F.shape(dense, out_type=int64)
        extents = F.sparse_same(shape, x.dense_shape, broadcast=False)
        at = F.sparse_positions(x.indices, shape, row_strides(extents), ordered=False)
        flat = F.tensor_scatter_add(
            F.reshape(dense, _LINE), F.reshape(at, np.array([-1, 1], np.int32)), x.values
        )
        return F.reshape(flat, F.shape(dense))


# ------------------------------------------------------------------ parts
def sparse_retain(sp_input: Any, to_retain: Any) -> SparseTensor:
    """The entries for which the bool vector `to_retain` is true (tf.sparse.retain).

    Raises:
        ValueError: another number of bools than of entries.
    """
    x = as_sparse(sp_input)
    kept = convert_to_tensor(to_retain, bool_)
    kept.get_shape().with_rank(1)[0].merge_with(x.values.get_shape()[0])
    return with_entries(x, *entries_at(x, entry_numbers(kept)))


def sparse_slice(sp_input: Any, start: Any, size: Any, name: str | None = None) -> SparseTensor:
    """The entries of a block, as a tensor of its shape (tf.sparse.slice).

    Args:
        start, size: vectors of the input's rank; a block that leaves the tensor is cut off.
    """
    x = as_sparse(sp_input)
    with scope_of(x, name, "SparseSlice"):
        begin = F.cast(index_tensor(start), dtype=int64)
        extent = F.cast(index_tensor(size), dtype=int64)
        shifted = x.indices - begin
        inside = F.logical_and(F.greater_equal(shifted, np.int64(0)), F.less(shifted, extent))
        at = entry_numbers(F.reduce_all(inside, axes=(1,), keepdims=False))
        left = F.maximum(x.dense_shape - begin, np.int64(0))
        return SparseTensor(take(shifted, at), values_at(x.values, at), F.minimum(extent, left))


def sparse_concat(
    axis: Any,
    sp_inputs: Sequence[Any],
    name: str | None = None,
    expand_nonconcat_dim: bool = False,
    concat_dim: Any = None,
    expand_nonconcat_dims: bool | None = None,
) -> SparseTensor:
    """Sparse tensors side by side along an axis (tf.sparse.concat).

    Args:
        expand_nonconcat_dim: the other dimensions become the largest of all, else they must agree.

    Raises:
        ValueError or, when run, InvalidArgumentError: other dimensions differ.
    """
    wide = expand_nonconcat_dim or bool(expand_nonconcat_dims)
    parts = [as_sparse(p) for p in sp_inputs]
    if not parts:
        raise ValueError("sparse_concat needs at least one input")
    at = static_int(renamed("concat_dim", concat_dim, "axis", axis), "axis")
    with scope_of(parts[0], name, "SparseConcat"):
        one = unit_of(parts[0], at)
        offset: Any = F.zeros_like(parts[0].dense_shape)
        largest = parts[0].dense_shape * (1 - one)
        moved = []
        for part in parts:
            others = part.dense_shape * (1 - one)
            if wide:
                largest = F.maximum(largest, others)
            else:
                largest = _checked(largest, others)
            moved.append(part.indices + offset)
            offset = offset + part.dense_shape * one
        indices = F.concat(*moved, axis=0)
        values = F.concat(*(p.values for p in parts), axis=0)
        joined = SparseTensor(indices, values, largest + offset)
        in_order = at == 0 or -at == parts[0].rank
        return joined if in_order else sparse_reorder(joined)


def _checked(mine: Tensor, other: Tensor) -> Tensor:
    first, second = value_of(mine), value_of(other)
    if first is None or second is None or object in (first.dtype, second.dtype):
        return F.sparse_same(mine, other, broadcast=False)
    if not np.array_equal(first, second):
        raise ValueError(f"Input shapes must match: got {first} and {second}")
    return mine


def sparse_split(
    keyword_required: Any = None,
    sp_input: Any = None,
    num_split: int | None = None,
    axis: Any = None,
    name: str | None = None,
    split_dim: Any = None,
) -> list[SparseTensor]:
    """`num_split` parts along an axis; the first ones are longer by one where it is not even.

    Raises:
        ValueError: an argument is missing, or not given by keyword.
    """
    where = renamed("split_dim", split_dim, "axis", axis)
    if keyword_required is not None:
        raise ValueError("Keyword arguments are required for this function.")
    if sp_input is None:
        raise ValueError("sp_input is required")
    if num_split is None:
        raise ValueError("num_split is required")
    if where is None:
        raise ValueError("axis is required")
    x = as_sparse(sp_input)
    with scope_of(x, name, "SparseSplit"):
        one = unit_of(x, static_int(where, "axis"))
        extent = F.reduce_sum(x.dense_shape * one, axes=None, keepdims=False)
        each, left = F.floordiv(extent, num_split), F.floormod(extent, num_split)
        begin: Any = convert_to_tensor(np.int64(0))
        out = []
        for number in range(num_split):
            length = each + F.cast(F.greater(left, np.int64(number)), dtype=int64)
            out.append(sparse_slice(x, begin * one, x.dense_shape * (1 - one) + length * one))
            begin = begin + length
        return out


# ------------------------------------------------------------------ other orders
def sparse_reorder(sp_input: Any, name: str | None = None) -> SparseTensor:
    """The entries in row-major order (tf.sparse.reorder)."""
    x = as_sparse(sp_input)
    with scope_of(x, name, "SparseReorder"):
        return with_entries(x, *entries_at(x, F.sparse_order(x.indices)))


def sparse_reshape(sp_input: Any, shape: Any, name: str | None = None) -> SparseTensor:
    """The same entries in another shape, of which one dimension may be -1 (tf.sparse.reshape).

    Raises:
        ValueError or, when run, InvalidArgumentError: another number of elements, or two -1.
    """
    x = as_sparse(sp_input)
    with scope_of(x, name, "SparseReshape"):
        wanted = F.cast(index_tensor(shape), dtype=int64)
        static = _known_new_shape(x, wanted)
        if static is None:
            extents = F.sparse_new_shape(x.dense_shape, wanted)
        else:
            extents = convert_to_tensor(static, int64)
        at = F.sparse_positions(x.indices, x.dense_shape, row_strides(x.dense_shape), ordered=False)
        column = F.expand_dims(at, axis=1)
        indices = F.floormod(F.floordiv(column, row_strides(extents)), extents)
        made = SparseTensor(indices, x.values, extents)
        if static is None:
            made._static = _partly_known(wanted)
        return made


def _known_new_shape(x: SparseTensor, wanted: Tensor) -> np.ndarray[Any, Any] | None:
    """The new shape where the graph knows both.

    Raises:
        ValueError: they do not fit together.
    """
    from graphc.errors import InvalidArgumentError
    from graphc.ops.sparse import new_shape

    old, new = known_shape(x), value_of(wanted)
    if old is None or new is None or new.dtype == object:
        return None
    try:
        return new_shape(old, new)
    except InvalidArgumentError as err:
        raise ValueError(err.message) from None


def _partly_known(wanted: Tensor) -> tuple[Any, ...] | None:
    known = value_of(wanted)
    if known is None:
        return None
    return tuple(d if isinstance(d, int) and d >= 0 else None for d in known.tolist())


def sparse_transpose(
    sp_input: Any, perm: Any = None, name: str | None = None
) -> SparseTensor:
    """The tensor with its axes in another order, by default reversed (tf.sparse.transpose)."""
    x = as_sparse(sp_input)
    with scope_of(x, name, "SparseTranspose"):
        if perm is None:
            order = F.range(F.size(x.dense_shape) - 1, np.int32(-1), np.int32(-1))
        else:
            order = F.cast(index_tensor(perm), dtype=int32)
        turned = SparseTensor(
            take(x.indices, order, axis=1), x.values, take(x.dense_shape, order)
        )
        known = value_of(order)
        if x._static is not None and known is not None:
            turned._static = tuple(x._static[int(d)] for d in known)
        return sparse_reorder(turned)
