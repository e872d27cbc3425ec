"""Wrappers of NumPy references: half-width floats, and arrays of symbolic dimensions.

Lives here: wide, on_dims, shared value domains of samples. Not here: any reference itself (beside
its op). Only op modules import it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ops.samples import special, uniform

PLAIN = uniform(-3.0, 3.0)
EDGES = special(0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-30, -1e30, 0.5)


def is_half(array: np.ndarray[Any, Any]) -> bool:
    """float16 or bfloat16 (an extension type of kind V)."""
    return array.dtype.itemsize == 2 and array.dtype.kind in "fV"


def widened(array: Any) -> np.ndarray[Any, Any]:
    """Half-width floats as float32; other arrays as they are."""
    array = np.asarray(array)
    return array.astype(np.float32) if is_half(array) else array


def wide(fn: Callable[..., Any]) -> Callable[..., Any]:
    """fn with half-width floats widened first: one rounding at the end, as kernels have it."""

    @functools.wraps(fn)
    def call(*arrays: Any, **attrs: Any) -> Any:
        return fn(*(widened(a) for a in arrays), **attrs)

    return call


def on_dims(ufunc: Callable[..., Any], fn: Callable[..., Any], arity: int = 2) -> Any:
    """ufunc, or fn element by element where an array holds symbols or None (unknown)."""

    def known(*values: Any) -> Any:
        return None if any(v is None for v in values) else fn(*values)

    each = np.frompyfunc(known, arity, 1)

    def call(*arrays: Any) -> Any:
        if any(np.asarray(a).dtype == object for a in arrays):
            return np.asarray(each(*arrays), dtype=object)
        return ufunc(*arrays)

    return call
