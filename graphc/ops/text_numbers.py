"""Numbers from text, and arrays of strings element by element.

Lives here: parse_number, each. Not here: the ops that use them. Imports ir.dtypes and NumPy.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType

Array = np.ndarray[Any, Any]

_WHOLE = re.compile(rb"\s*[+-]?[0-9]+\s*\Z")
_REAL = re.compile(
    rb"\s*[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf|infinity|nan)\s*\Z",
    re.IGNORECASE,
)


def parse_number(text: bytes, dtype: DType) -> Any:
    """The number that the text says, or None where it says none of this dtype."""
    if dtype.is_floating:
        if _REAL.match(text) is None:
            return None
        with np.errstate(over="ignore"):
            return dtype.np.type(float(text))
    if _WHOLE.match(text) is None:
        return None
    value = int(text)
    return value if int(dtype.min) <= value <= int(dtype.max) else None


def each(fn: Callable[[Any], Any], x: Array, dtype: Any = object) -> Array:
    """fn of each element, in an array of the same shape."""
    out = np.empty(x.shape, dtype)
    # item by item: NumPy must not look into the strings
    flat = out.reshape(-1)
    for k, item in enumerate(x.reshape(-1).tolist()):
        flat[k] = fn(item)
    return out
