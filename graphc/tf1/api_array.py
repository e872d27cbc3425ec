"""TF1's array functions: tf.reshape, tf.concat, tf.pad, ... as thin wrappers of op records.

Lives here: functions on shape and layout. It also gathers the other array modules (api_create,
api_slicing, api_index, api_scatter), so that one module exports them all. Not here: records
(ops/*), linear algebra (api_linalg.py). Imports ops.
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType, as_dtype, int32
from graphc.ir.node import Tensor
from graphc.ir.shape import broadcast_shapes
from graphc.ir.tensor_shape import TensorShape, as_shape
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.ops.define import F
from graphc.ops.extents import zero_of
from graphc.ops.values import value_of
from graphc.tf1 import api_create, api_index, api_scatter, api_segment, api_slicing
from graphc.tf1.api_create import *  # noqa: F403
from graphc.tf1.api_index import *  # noqa: F403
from graphc.tf1.api_scatter import *  # noqa: F403
from graphc.tf1.api_segment import *  # noqa: F403
from graphc.tf1.api_slicing import *  # noqa: F403
from graphc.tf1.api_slicing import getitem as getitem
from graphc.tf1.arguments import index_tensor, renamed, static_int, static_ints
from graphc.tf1.sparse_tensor import SparseTensor

_OWN = (
    "broadcast_dynamic_shape", "broadcast_static_shape", "broadcast_to", "concat", "expand_dims",
    "matrix_transpose", "pack", "pad", "parallel_stack", "rank", "reshape", "reverse",
    "reverse_sequence", "reverse_v2", "shape", "shape_n", "size", "split", "squeeze", "stack",
    "tile", "transpose", "unpack", "unravel_index", "unstack",
)  # fmt: skip
__all__ = [
    *_OWN, *api_create.__all__, *api_index.__all__, *api_scatter.__all__, *api_segment.__all__,
    *api_slicing.__all__,
]  # fmt: skip


# ------------------------------------------------------------------ reading shapes
def shape(input: Any, name: str | None = None, out_type: Any = int32) -> Tensor:
    """The shape as an int vector; its static part stays known to ops that take shapes."""
    if isinstance(input, SparseTensor):
        return F.cast(input.dense_shape, dtype=as_dtype(out_type), name=name)
    return F.shape(convert_to_tensor(input), name=name, **_out_type(out_type))


def shape_n(
    input: Sequence[Any],
    out_type: Any = int32,
    name: str | None = None,
) -> list[Tensor]:
    """The shapes of several tensors."""
    tensors = [convert_to_tensor(t) for t in input]
    got = F.shape_n(*tensors, name=name, **_out_type(out_type))
    return list(got) if isinstance(got, tuple) else [got]


def size(input: Any, name: str | None = None, out_type: Any = int32) -> Tensor:
    """The number of elements, a scalar; of a SparseTensor those that are not there count too."""
    if isinstance(input, SparseTensor):
        total = F.reduce_prod(input.dense_shape, axes=None, keepdims=False)
        return F.cast(total, dtype=as_dtype(out_type), name=name)
    return F.size(convert_to_tensor(input), name=name, **_out_type(out_type))


def rank(input: Any, name: str | None = None) -> Tensor:
    """The number of axes, an int32 scalar."""
    if isinstance(input, SparseTensor):
        return F.size(input.dense_shape, name=name)
    return F.rank(convert_to_tensor(input), name=name)


def _out_type(dtype: Any) -> dict[str, DType]:
    """No attribute for the default, so that equal shapes are equal nodes."""
    wanted = as_dtype(dtype)
    return {} if wanted is int32 else {"out_type": wanted}


def broadcast_static_shape(shape_x: Any, shape_y: Any) -> TensorShape:
    """The static shape of two tensors broadcast together.

    Raises:
        ValueError: "Incompatible shapes: [2] vs. [3]".
    """
    return TensorShape(
        broadcast_shapes(as_shape(shape_x).dims_tuple, as_shape(shape_y).dims_tuple)
    )


def broadcast_dynamic_shape(shape_x: Any, shape_y: Any) -> Tensor:
    """The shape of two tensors broadcast together, as an int vector."""
    return F.broadcast_args(index_tensor(shape_x), index_tensor(shape_y))


# ------------------------------------------------------------------ layout
def reshape(tensor: Any, shape: Any, name: str | None = None) -> Tensor:
    """The same elements in another shape; one dimension may be -1.

    Raises:
        ShapeError: "Cannot reshape a tensor with 6 elements to shape [4] (4 elements)".
    """
    return F.reshape(convert_to_tensor(tensor), index_tensor(shape), name=name)


def transpose(
    a: Any, perm: Any = None, name: str | None = "transpose", conjugate: bool = False
) -> Tensor:
    """Axis i of the result is axis perm[i] of `a`; without perm the axes are reversed.

    Raises:
        ShapeError: perm is no permutation of the axes.
    """
    x = convert_to_tensor(a)
    if conjugate and x.dtype.is_complex:
        x = F.conj(x)
    if perm is None:
        order = None if x.rank is None else tuple(builtins.range(x.rank))[::-1]
        return F.transpose(x, perm=order, name=name)
    order_tensor = perm if not is_tensor_like(perm) else convert_to_tensor(perm)
    known = value_of(order_tensor) if isinstance(order_tensor, Tensor) else perm
    if known is None:
        return F.transpose_v(x, order_tensor, name=name)
    order = static_ints(known, "perm")
    if x.rank is not None and len(order) == x.rank:
        order = tuple(p + x.rank if -x.rank <= p < 0 else p for p in order)
    return F.transpose(x, perm=order, name=name)


def matrix_transpose(
    a: Any, name: str | None = "matrix_transpose", conjugate: bool = False
) -> Tensor:
    """Swaps the last two axes.

    Raises:
        ValueError: fewer than two axes.
    """
    x = convert_to_tensor(a)
    if x.rank is None:
        last = F.rank(x)
        head = F.range(0, F.subtract(last, 2), 1)
        tail = F.stack(F.subtract(last, 1), F.subtract(last, 2), axis=0)
        return transpose(x, F.concat(head, tail, axis=0), name, conjugate)
    if x.rank < 2:
        raise ValueError(
            f"Argument 'a' should be a (batch) matrix, with rank >= 2.  Found: {x.shape}"
        )
    axes = tuple(builtins.range(x.rank))
    return transpose(x, (*axes[:-2], axes[-1], axes[-2]), name, conjugate)


def expand_dims(
    input: Any,
    axis: Any = None,
    name: str | None = None,
    dim: Any = None,
) -> Tensor:
    """A new axis of extent one before `axis`.

    Raises:
        ShapeError: "dim 4 not in the interval [-3, 2]."
    """
    at = renamed("dim", dim, "axis", axis)
    if at is None:
        raise ValueError("Must specify an axis argument to tf.expand_dims()")
    return F.expand_dims(convert_to_tensor(input), axis=static_int(at, "axis"), name=name)


def squeeze(
    input: Any,
    axis: Any = None,
    name: str | None = None,
    squeeze_dims: Any = None,
) -> Tensor:
    """Without the axes of extent one: all of them, or those named.

    Raises:
        ShapeError: "Can not squeeze dim[0], expected a dimension of 1, got 2".
    """
    axes = renamed("squeeze_dims", squeeze_dims, "axis", axis)
    wanted = None if axes is None else static_ints(axes, "axis") or None
    return F.squeeze(convert_to_tensor(input), axes=wanted, name=name)


def broadcast_to(input: Any, shape: Any, name: str | None = None) -> Tensor:
    """The tensor repeated to a shape by NumPy's broadcasting."""
    return F.broadcast_to(convert_to_tensor(input), index_tensor(shape), name=name)


def tile(input: Any, multiples: Any, name: str | None = None) -> Tensor:
    """The tensor repeated multiples[i] times along axis i."""
    return F.tile(convert_to_tensor(input), index_tensor(multiples), name=name)


def pad(
    tensor: Any,
    paddings: Any,
    mode: str = "CONSTANT",
    name: str | None = None,
    constant_values: Any = 0,
) -> Tensor:
    """Adds paddings[i] = (before, after) elements along axis i.

    Args:
        mode: CONSTANT (constant_values), REFLECT (without the edge), SYMMETRIC (with it).

    Raises:
        ValueError: unknown mode; negative or too wide paddings.
    """
    x, amount, kind = convert_to_tensor(tensor), index_tensor(paddings), mode.upper()
    if kind == "CONSTANT":
        if not is_tensor_like(constant_values):
            zero = isinstance(constant_values, int | float) and constant_values == 0
            constant_values = zero_of(x.dtype) if zero else constant_values
        plain = not is_tensor_like(constant_values) and not np.any(constant_values)
        fill = convert_to_tensor(constant_values, x.dtype, graph=x.graph)
        return F.pad(x, amount, fill, name=name or ("Pad" if plain else "PadV2"))
    if kind not in ("REFLECT", "SYMMETRIC"):
        raise ValueError(f"Unknown padding mode: {mode}")
    return F.mirror_pad(x, amount, mode=kind, name=name)


def reverse(tensor: Any, axis: Any, name: str | None = None) -> Tensor:
    """The order of elements along the axes turned round."""
    return F.reverse(convert_to_tensor(tensor), axes=static_ints(axis, "axis"), name=name)


reverse_v2 = reverse


def reverse_sequence(
    input: Any,
    seq_lengths: Any,
    seq_axis: Any = None,
    batch_axis: Any = None,
    name: str | None = None,
    seq_dim: Any = None,
    batch_dim: Any = None,
) -> Tensor:
    """For each row b of `batch_axis`: the first seq_lengths[b] steps of `seq_axis` turned round."""
    seq = renamed("seq_dim", seq_dim, "seq_axis", seq_axis)
    batch = renamed("batch_dim", batch_dim, "batch_axis", batch_axis)
    return F.reverse_sequence(
        convert_to_tensor(input), index_tensor(seq_lengths),
        seq_axis=0 if seq is None else int(seq), batch_axis=0 if batch is None else int(batch),
        name=name,
    )  # fmt: skip


# ------------------------------------------------------------------ joining and parting
def _tensors(values: Any) -> list[Tensor]:
    """A list whose members share a dtype: that of the first tensor in it, else of the first."""
    items = list(values) if isinstance(values, list | tuple) else [values]
    like = next((convert_to_tensor(v).dtype for v in items if is_tensor_like(v)), None)
    out: list[Tensor] = []
    for item in items:
        out.append(convert_to_tensor(item, like))
        like = like or out[0].dtype
    return out


def concat(values: Any, axis: Any, name: str = "concat") -> Tensor:
    """Tensors joined along an axis.

    Raises:
        ShapeError: ranks or other dimensions differ.
    """
    at = static_int(axis, "axis")
    if is_tensor_like(values) or len(values) == 1:
        single = convert_to_tensor(values if is_tensor_like(values) else values[0])
        return F.identity(single, name=name)
    if not values:
        raise ValueError("concat needs at least one tensor")
    return F.concat(*_tensors(values), axis=at, name=name)


def stack(values: Any, axis: int = 0, name: str = "stack") -> Tensor:
    """Tensors of one shape along a new axis.

    Raises:
        ShapeError: "Shapes must be equal rank, but are 2 and 1"; ValueError: axis out of range.
    """
    if is_tensor_like(values):
        values = unstack(values)
    if isinstance(values, np.ndarray):
        values = list(values)
    return F.stack(*_tensors(values), axis=static_int(axis, "axis"), name=name)


pack = stack


def parallel_stack(values: Any, name: str = "parallel_stack") -> Tensor:
    """stack along axis 0."""
    return stack(values, 0, name)


def unstack(value: Any, num: int | None = None, axis: int = 0, name: str = "unstack") -> list[Any]:
    """The parts along an axis, without it.

    Raises:
        ValueError: "Cannot infer num from shape (?, 3)".
    """
    x = convert_to_tensor(value)
    if num is None and x.dims is not None:
        if not -len(x.dims) <= axis < len(x.dims):
            raise ValueError(f"axis = {axis} not in [{-len(x.dims)}, {len(x.dims)})")
        dim = x.dims[axis]
        num = dim if isinstance(dim, int) else None
    if num is None:
        raise ValueError(f"Cannot infer num from shape {x.shape}")
    if num == 0:
        return []
    out = F.unstack(x, num=int(num), axis=axis, name=name)
    return list(out) if isinstance(out, tuple) else [out]


unpack = unstack


def split(
    value: Any,
    num_or_size_splits: Any,
    axis: Any = 0,
    num: int | None = None,
    name: str = "split",
) -> list[Tensor]:
    """Parts along an axis: a number of equal ones, or of the given sizes (one may be -1).

    Raises:
        ShapeError: "Dimension size must be evenly divisible by 2 but is 5"; ValueError: the number
        of parts is not known.
    """
    x, at = convert_to_tensor(value), static_int(axis, "axis")
    if not is_tensor_like(num_or_size_splits) and np.ndim(num_or_size_splits) == 0:
        out = F.split(x, axis=at, num=int(num_or_size_splits), name=name)
        return list(out) if isinstance(out, tuple) else [out]
    sizes = index_tensor(num_or_size_splits)
    if sizes.rank == 0:
        out = F.split(x, axis=at, num=static_int(sizes, "num_or_size_splits"), name=name)
        return list(out) if isinstance(out, tuple) else [out]
    if num is None:
        length = sizes.dims[0] if sizes.dims else None
        if not isinstance(length, int):
            raise ValueError(f"Cannot infer num from shape {num_or_size_splits}")
        num = length
    out = F.split_v(x, sizes, axis=at, num=num, name=name)
    return list(out) if isinstance(out, tuple) else [out]


def unravel_index(indices: Any, dims: Any, name: str | None = None) -> Tensor:
    """Flat positions as coordinates: one row for each axis of `dims`."""
    flat, extents = index_tensor(indices), index_tensor(dims)
    if flat.dtype is not extents.dtype:
        extents = F.cast(extents, dtype=flat.dtype)
    rows: list[Tensor] = []
    for extent in reversed(unstack(extents)):
        rows.insert(0, F.floormod(flat, extent))
        flat = F.floordiv(flat, extent)
    return F.stack(*rows, axis=0, name=name)
