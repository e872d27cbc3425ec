"""Arguments as TF1 functions take them: shapes, axes, deprecated aliases.

Lives here: conversion of user arguments that several api modules share. Not here: conversion of
data operands (ops/convert.py). Imports ops and ir.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType, int32, int64
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.ops.values import value_of


def index_tensor(value: Any, name: str | None = None) -> Tensor:
    """A shape, a list of ints, tensors or dimensions, an array or a tensor as an int tensor.

    int32, or int64 where the values need it or arrive in it.

    Raises:
        TypeError: values that are no integers.
    """
    if is_tensor_like(value):
        return convert_to_tensor(value)
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "iu":
        wide = int64 if value.dtype.itemsize == 8 else int32
        return convert_to_tensor(np.asarray(value), wide, name)
    if isinstance(value, np.ndarray) and value.size == 0:
        return convert_to_tensor(value.astype(np.int32), int32, name)
    return convert_to_tensor(value, _index_dtype(value), name)


def _index_dtype(value: Any) -> DType:
    """int64 where a list holds an int64 tensor or a number beyond int32."""
    if isinstance(value, list | tuple):
        kinds = [_index_dtype(v) for v in value]
        return int64 if int64 in kinds else int32
    if is_tensor_like(value):
        return value.dtype if value.dtype is int64 else int32
    wide = isinstance(value, int | np.integer) and not -(2**31) <= value < 2**31
    return int64 if wide else int32


def static_int(value: Any, what: str) -> int:
    """An axis or count that the graph must know.

    Raises:
        ValueError: a tensor whose value is not known while the graph is built.
    """
    if is_tensor_like(value):
        known = value_of(convert_to_tensor(value))
        if known is None or known.dtype == object:
            raise ValueError(f"{what} must be known when the graph is built, got {value}")
        value = known.item()
    if isinstance(value, float) or (isinstance(value, np.ndarray) and value.ndim > 0):
        raise TypeError(f"Expected int32 for argument '{what}', got {value!r} instead.")
    return int(value)


def static_ints(value: Any, what: str) -> tuple[int, ...]:
    """A list of axes that the graph must know; a single one stands for a list of one."""
    if is_tensor_like(value):
        known = value_of(convert_to_tensor(value))
        if known is None or known.dtype == object:
            raise ValueError(f"{what} must be known when the graph is built, got {value}")
        value = known
    if isinstance(value, np.ndarray):
        value = value.reshape(-1).tolist()
    if isinstance(value, Sequence):
        return tuple(static_int(v, what) for v in value)
    return (static_int(value, what),)


def renamed(old_name: str, old: Any, new_name: str, new: Any) -> Any:
    """The value of an argument that has a deprecated alias.

    Raises:
        ValueError: both are given ("Cannot specify both 'dim' and 'axis'").
    """
    if old is None:
        return new
    if new is not None:
        raise ValueError(f"Cannot specify both '{old_name}' and '{new_name}'")
    return old
