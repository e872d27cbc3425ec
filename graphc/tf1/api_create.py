"""TF1's functions that make tensors: tf.zeros, tf.range, tf.one_hot, tf.diag, ...

Lives here: wrappers of ops/creation.py and ops/diagonal.py. Not here: random tensors
(api_random.py), constants (framework.py). Imports ops.
"""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType, as_dtype, bool_, float32, float64, int32, int64, of_python
from graphc.ir.node import Tensor
from graphc.ops.convert import constant_tensor, convert_to_tensor, is_tensor_like
from graphc.ops.define import F
from graphc.ops.extents import zero_of
from graphc.ops.values import value_of
from graphc.tf1.arguments import index_tensor

__all__ = [
    "diag", "diag_part", "eye", "fill", "lin_space", "linspace", "matrix_band_part", "matrix_diag",
    "matrix_diag_part", "matrix_set_diag", "meshgrid", "one_hot", "ones", "ones_like", "range",
    "sequence_mask", "zeros", "zeros_like",
]  # fmt: skip

# below this a tensor of zeros is a constant, as in TF1; above it is a fill
_SMALL = 1000


def _uniform(shape: Any, value: Any, dtype: DType, name: str | None) -> Tensor:
    dims = index_tensor(shape)
    if not is_tensor_like(shape):
        known = value_of(dims)
        if known is not None and known.dtype != object and (known >= 0).all():
            if int(np.prod(known, dtype=np.int64)) < _SMALL:
                full = np.full(tuple(known.tolist()), value, dtype.np)
                return constant_tensor(full, dtype, name)
    return F.fill(dims, convert_to_tensor(value, dtype), name=name)


def zeros(shape: Any, dtype: Any = float32, name: str | None = "zeros") -> Tensor:
    """Zeros (False, empty strings) in a shape of ints, dimensions and tensors."""
    kind = as_dtype(dtype)
    return _uniform(shape, zero_of(kind), kind, name)


def ones(shape: Any, dtype: Any = float32, name: str | None = "ones") -> Tensor:
    """Ones (True) in a shape of ints, dimensions and tensors."""
    kind = as_dtype(dtype)
    return _uniform(shape, np.ones((), kind.np), kind, name)


def zeros_like(
    tensor: Any, dtype: Any = None, name: str | None = "zeros_like", optimize: bool = True
) -> Tensor:
    """Zeros in the shape of a tensor, in its dtype or another."""
    x = convert_to_tensor(tensor)
    if dtype is None or as_dtype(dtype) is x.dtype:
        return F.zeros_like(x, name=name)
    kind = as_dtype(dtype)
    return F.fill(F.shape(x), convert_to_tensor(zero_of(kind), kind, graph=x.graph), name=name)


def ones_like(
    tensor: Any, dtype: Any = None, name: str | None = "ones_like", optimize: bool = True
) -> Tensor:
    """Ones in the shape of a tensor, in its dtype or another."""
    x = convert_to_tensor(tensor)
    if dtype is None or as_dtype(dtype) is x.dtype:
        return F.ones_like(x, name=name)
    kind = as_dtype(dtype)
    one = convert_to_tensor(np.ones((), kind.np), kind, graph=x.graph)
    return F.fill(F.shape(x), one, name=name)


def fill(dims: Any, value: Any, name: str | None = None) -> Tensor:
    """A tensor of shape `dims` that holds one value."""
    return F.fill(index_tensor(dims), convert_to_tensor(value), name=name)


def range(  # tf.range
    start: Any,
    limit: Any = None,
    delta: Any = 1,
    dtype: Any = None,
    name: str = "range",
) -> Tensor:
    """start, start + delta, ... below limit; with one argument it is the limit.

    Raises:
        ShapeError: "Requires start <= limit when delta > 0: 5/3".
    """
    if limit is None:
        start, limit = 0, start
    values = (start, limit, delta)
    order = [int32, int64, float32, float64]
    kinds = [convert_to_tensor(v).dtype for v in values if is_tensor_like(v)]
    kinds += [as_dtype(of_python(v)) for v in values if not is_tensor_like(v)]
    wide = as_dtype(dtype) if dtype is not None else max(kinds, key=order.index)
    parts = [_in_dtype(v, wide) for v in values]
    if wide.is_floating and any(p.op.op.name != "const" for p in parts):
        return _float_range(parts[0], parts[1], parts[2], name)
    return F.range(*parts, name=name)


def _in_dtype(value: Any, dtype: DType) -> Tensor:
    if not is_tensor_like(value):
        return convert_to_tensor(value, dtype)
    tensor = convert_to_tensor(value)
    return tensor if tensor.dtype is dtype else F.cast(tensor, dtype=dtype)


def _float_range(start: Tensor, limit: Tensor, delta: Tensor, name: str) -> Tensor:
    """A range of computed floats: its length is an integer, on which shapes can depend."""
    steps = F.ceil(F.divide(F.subtract(limit, start), delta))
    at = F.range(0, F.cast(steps, dtype=int32), 1)
    return F.add(start, F.multiply(F.cast(at, dtype=start.dtype), delta), name=name)


def linspace(start: Any, stop: Any, num: Any, name: str | None = None) -> Tensor:
    """`num` values evenly from start to stop, both included."""
    return F.linspace(convert_to_tensor(start), stop, index_tensor(num), name=name)


lin_space = linspace


def one_hot(
    indices: Any,
    depth: Any,
    on_value: Any = None,
    off_value: Any = None,
    axis: int | None = None,
    dtype: Any = None,
    name: str | None = None,
) -> Tensor:
    """on_value where the new axis's position equals the index, off_value elsewhere.

    Raises:
        TypeError: the dtypes of on_value, off_value and dtype differ.
    """
    kind = as_dtype(dtype) if dtype is not None else None
    for value in (on_value, off_value):
        if value is None:
            continue
        got = convert_to_tensor(value, kind if not is_tensor_like(value) else None).dtype
        if kind is not None and got is not kind:
            raise TypeError(
                f"dtypes of on_value, off_value and dtype must match: {got.name} vs {kind.name}"
            )
        kind = kind or got
    kind = kind or float32
    on = convert_to_tensor(np.ones((), kind.np) if on_value is None else on_value, kind)
    off = convert_to_tensor(zero_of(kind) if off_value is None else off_value, kind)
    where = -1 if axis is None else int(axis)
    classes = convert_to_tensor(indices)
    count = F.cast(index_tensor(depth), dtype=int32) if _is_wide(depth) else index_tensor(depth)
    return F.one_hot(classes, count, on, off, axis=where, name=name)


def _is_wide(value: Any) -> bool:
    if is_tensor_like(value):
        return convert_to_tensor(value).dtype is not int32
    return isinstance(value, np.generic | np.ndarray) and value.dtype != np.int32


def _int32(value: Any) -> Tensor:
    got = index_tensor(value)
    return got if got.dtype is int32 else F.cast(got, dtype=int32)


def eye(
    num_rows: Any,
    num_columns: Any = None,
    batch_shape: Any = None,
    dtype: Any = float32,
    name: str | None = None,
) -> Tensor:
    """The identity matrix, (num_rows, num_columns), repeated over batch_shape."""
    rows = _int32(num_rows)
    columns = rows if num_columns is None else _int32(num_columns)
    matrix = F.eye(rows, columns, dtype=as_dtype(dtype), name=name)
    if batch_shape is None:
        return matrix
    return F.broadcast_to(matrix, F.concat(_int32(batch_shape), F.shape(matrix), axis=0))


def sequence_mask(
    lengths: Any, maxlen: Any = None, dtype: Any = bool_, name: str | None = None
) -> Tensor:
    """mask[..., j] = j < lengths[...]; maxlen defaults to the largest length.

    Raises:
        ValueError: "maxlen must be scalar for sequence_mask".
    """
    count = convert_to_tensor(lengths)
    if maxlen is None:
        longest = F.cast(F.reduce_max(count, axes=None, keepdims=False), dtype=int32)
        extent = F.maximum(longest, 0)
    else:
        extent = _int32(maxlen)
    if extent.rank not in (0, None):
        raise ValueError("maxlen must be scalar for sequence_mask")
    return F.sequence_mask(count, extent, dtype=as_dtype(dtype), name=name)


def meshgrid(*args: Any, **kwargs: Any) -> list[Tensor]:
    """Coordinate grids of vectors; keyword `indexing`: "xy" (default) or "ij".

    Raises:
        ValueError: another indexing. TypeError: another keyword.
    """
    indexing, name = kwargs.pop("indexing", "xy"), kwargs.pop("name", "meshgrid")
    if kwargs:
        raise TypeError(f"'{next(iter(kwargs))}' is an invalid keyword argument for this function")
    if indexing not in ("xy", "ij"):
        raise ValueError("indexing parameter must be either 'xy' or 'ij'")
    vectors = [convert_to_tensor(a) for a in args]
    count = len(vectors)
    if count == 0:
        return []
    with vectors[0].graph.name_scope(name):
        slots = list(builtins.range(count))
        if indexing == "xy" and count > 1:
            slots[0], slots[1] = 1, 0
        sizes: list[Any] = [None] * count
        for vector, slot in zip(vectors, slots, strict=True):
            sizes[slot] = F.size(vector)
        shape = F.stack(*sizes, axis=0)
        out = []
        for vector, slot in zip(vectors, slots, strict=True):
            column = [1] * count
            column[slot] = -1
            spread = F.reshape(vector, np.array(column, np.int32))
            out.append(F.broadcast_to(spread, shape))
    return out


# ------------------------------------------------------------------ diagonals
def diag(diagonal: Any, name: str | None = None) -> Tensor:
    """A tensor of twice the rank with the input on its diagonal, zeros elsewhere."""
    return F.diag(convert_to_tensor(diagonal), name=name)


def diag_part(input: Any, name: str | None = None) -> Tensor:
    """The diagonal of a tensor whose two halves of axes are equal."""
    return F.diag_part(convert_to_tensor(input), name=name)


def matrix_diag(diagonal: Any, name: str | None = "diag") -> Tensor:
    """Matrices with the input's last axis on their diagonals."""
    return F.matrix_diag(convert_to_tensor(diagonal), name=name)


def matrix_diag_part(input: Any, name: str | None = "diag_part") -> Tensor:
    """The diagonals of matrices."""
    return F.matrix_diag_part(convert_to_tensor(input), name=name)


def matrix_set_diag(
    input: Any,
    diagonal: Any,
    name: str | None = "set_diag",
) -> Tensor:
    """Matrices with their diagonals replaced."""
    return F.matrix_set_diag(convert_to_tensor(input), diagonal, name=name)


def matrix_band_part(
    input: Any,
    num_lower: Any,
    num_upper: Any,
    name: str | None = None,
) -> Tensor:
    """Matrices with zeros outside a band around the diagonal; -1 keeps that whole triangle."""
    low, high = index_tensor(num_lower), index_tensor(num_upper)
    if low.dtype is not high.dtype:
        low, high = (F.cast(t, dtype=int64) for t in (low, high))
    return F.matrix_band_part(convert_to_tensor(input), low, high, name=name)
