"""Slots: the variables that an optimizer keeps beside each variable it trains.

Lives here: creating them under TF1's names ("W/Adam", "W/Adam_1"). Not here: which slots an
optimizer has (tf1/optimizers.py). Imports tf1.variable_scope.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dtypes import as_dtype
from graphc.ir.shape import is_static
from graphc.ops.define import F


def create_slot(primary: Any, value: Any, name: str, dtype: Any = None) -> Any:
    """A variable named "<primary>/<name>" that starts as `value`, a tensor or array."""
    return _make(primary, name, initial=value, dtype=dtype)


def create_slot_with_initializer(
    primary: Any, initializer: Any, shape: Any, dtype: Any, name: str
) -> Any:
    """A variable named "<primary>/<name>"; initializer(shape, dtype) gives its first value."""
    return _make(primary, name, initial=initializer, shape=shape, dtype=dtype)


def create_filled_slot(primary: Any, value: float, name: str, dtype: Any = None) -> Any:
    """A slot with the shape of `primary`, all elements `value`; the shape may be unknown."""
    kind = as_dtype(dtype) if dtype is not None else primary.dtype
    dims = primary.get_shape().dims_tuple
    if is_static(dims):

        def fill(shape: Any = None, dtype: Any = None, partition_info: Any = None) -> Any:
            name = _initializer_name(value)
            return F.fill(np.asarray(dims, np.int32), np.asarray(value, kind.np), name=name)

        return _make(primary, name, initial=fill, shape=dims, dtype=kind)
    start = primary.initialized_value()
    return _make(primary, name, initial=F.fill(F.shape(start), np.asarray(value, kind.np)))


def _initializer_name(value: float) -> str:
    return {0.0: "zeros", 1.0: "ones"}.get(value, "Const")


def _make(primary: Any, name: str, initial: Any, shape: Any = None, dtype: Any = None) -> Any:
    from graphc.tf1.variable_scope import get_variable, variable_scope

    known = callable(initial) or is_static(getattr(initial, "dims", ()))
    with variable_scope(None, f"{primary.op.name}/{name}") as scope:
        scope.set_partitioner(None)
        return get_variable(
            "",
            shape=shape if callable(initial) else None,
            dtype=dtype if callable(initial) else None,
            initializer=initial,
            trainable=False,
            validate_shape=known,
        )
