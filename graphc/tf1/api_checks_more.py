"""Questions about tensors, and checks of their dtypes and shapes.

Lives here: tf.ensure_shape, tf.is_strictly_increasing and its kin, assert_same_float_dtype,
assert_shapes. Not here: comparisons of values (tf1/api_checks.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType, as_dtype, float32
from graphc.ir.node import Node, Tensor
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.ops.define import F
from graphc.tf1.api_checks import Assert
from graphc.tf1.framework import control_dependencies, identity
from graphc.tf1.ops_misc import group
from graphc.tf1.scopes import name_scope

__all__ = [
    "assert_same_float_dtype", "assert_shapes", "ensure_shape", "is_non_decreasing",
    "is_numeric_tensor", "is_strictly_increasing",
]  # fmt: skip


# ------------------------------------------------------------------ order
def _steps(x: Any) -> Tensor:
    """The differences of neighbours in row-major order."""
    flat = F.reshape(convert_to_tensor(x), np.array([-1], np.int32))
    return F.subtract(flat[1:], flat[:-1])


def is_non_decreasing(x: Any, name: str | None = None) -> Tensor:
    """Whether no element is less than the one before it (tf.debugging)."""
    with name_scope(name or "is_non_decreasing") as scope:
        steps = _steps(x)
        rising = F.greater_equal(steps, np.zeros((), steps.dtype.np))
        return F.reduce_all(rising, axes=None, keepdims=False, name=scope)


def is_strictly_increasing(x: Any, name: str | None = None) -> Tensor:
    """Whether each element is greater than the one before it (tf.debugging)."""
    with name_scope(name or "is_strictly_increasing") as scope:
        steps = _steps(x)
        rising = F.greater(steps, np.zeros((), steps.dtype.np))
        return F.reduce_all(rising, axes=None, keepdims=False, name=scope)


# ------------------------------------------------------------------ dtypes
def is_numeric_tensor(tensor: Any) -> bool:
    """Whether this is a tensor of numbers: no strings, no bools."""
    if not is_tensor_like(tensor):
        return False
    dtype: DType = tensor.dtype
    return dtype.is_integer or dtype.is_floating or dtype.is_complex


def assert_same_float_dtype(
    tensors: Iterable[Any] | None = None, dtype: Any = None
) -> DType:
    """The one float dtype of all tensors (and `dtype`); float32 where there are none.

    Raises:
        ValueError: different dtypes, or one that is no float.
    """
    found = None if dtype is None else as_dtype(dtype)
    first: Any = None
    for tensor in tensors or ():
        if tensor is None:
            continue
        own = as_dtype(tensor.dtype)
        if found is not None and own is not found:
            other = "" if first is None else f" as {first}"
            raise ValueError(
                f"Tensor type mismatch: expected {found.name}, got {own.name} for tensor "
                f"{tensor}{other}."
            )
        found, first = own, tensor if first is None else first
    found = found or float32
    if not found.is_floating:
        raise ValueError(f"Expected floating point type, got {found}.")
    return found


# ------------------------------------------------------------------ shapes
def ensure_shape(x: Any, shape: Any, name: str | None = None) -> Tensor:
    """x with this static shape; other values are an error when run (tf.ensure_shape).

    Raises:
        ValueError: the static shape of x cannot be that.
    """
    with name_scope(name or "EnsureShape") as scope:
        tensor = convert_to_tensor(x)
        wanted = TensorShape(shape)
        known = TensorShape(tensor.dims)
        merged = known.merge_with(wanted)
        if known.is_fully_defined() or wanted.dims is None:
            return identity(tensor, name=scope)
        with control_dependencies([_shape_check(tensor, wanted)]):
            out = identity(tensor, name=scope)
        out.set_shape(merged)
        return out


def _shape_check(tensor: Tensor, wanted: TensorShape) -> Node:
    text = f"Shape of tensor {tensor.op.name} is not compatible with expected shape {wanted}: "
    got = F.shape(tensor)
    rank = Assert(F.equal(F.size(got), np.int32(wanted.ndims or 0)), [text, got])
    places = [k for k, d in enumerate(wanted.as_list()) if d is not None]
    if not places:
        return rank
    sizes = np.array([wanted.as_list()[k] for k in places], np.int32)
    with control_dependencies([rank]):
        chosen = F.gather(identity(got), np.array(places, np.int32), axis=0, batch_dims=0)
    same = F.reduce_all(F.equal(chosen, sizes), axes=None, keepdims=False)
    return Assert(same, [text, got])


def assert_shapes(
    shapes: Mapping[Any, Sequence[Any]] | Iterable[tuple[Any, Sequence[Any]]],
    data: Any = None, summarize: Any = None, message: Any = None, name: str | None = None,
) -> Node:  # fmt: skip
    """An op that fails unless tensors have these shapes (tf.debugging.assert_shapes).

    Args:
        shapes: tensors and their shapes: numbers, None for any extent, or names: equal names are
            equal extents.

    Raises:
        ValueError: static shapes that cannot be.
    """
    pairs = list(shapes.items() if isinstance(shapes, Mapping) else shapes)
    seen: dict[str, tuple[Tensor, Tensor]] = {}
    checks: list[Any] = []
    with name_scope(name or "assert_shapes") as scope:
        for value, wanted in pairs:
            tensor = convert_to_tensor(value)
            numbers = [d if isinstance(d, int) else None for d in wanted]
            checked = ensure_shape(tensor, numbers)
            checks.append(checked)
            for axis, word in enumerate(wanted):
                if not isinstance(word, str):
                    continue
                extent = F.shape(checked)[axis]
                if word in seen:
                    checks.append(_equal_extents(word, seen[word], (tensor, extent), message))
                seen.setdefault(word, (tensor, extent))
        return group(*checks, name=scope.rstrip("/"))


def _equal_extents(
    word: str, first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor], message: Any
) -> Node:
    text = (
        f"{message or ''}Specified by tensor {first[0].name} dimension {word}, tensor "
        f"{second[0].name} must have the same extent: "
    )
    return Assert(F.equal(first[1], second[1]), [text, first[1], second[1]])
