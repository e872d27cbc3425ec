"""Small tools beside the distributions: percentiles and matrices of vectors.

Lives here: percentile, fill_triangular, fill_triangular_inverse, matrix_diag_transform. Not here:
distributions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ir.dtypes import float64
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_array as arrays
from graphc.tf1 import api_math as math
from graphc.tf1.api_sort import sort
from graphc.tf1.arguments import static_ints
from graphc.tf1.scopes import name_scope

__all__ = [
    "fill_triangular", "fill_triangular_inverse", "matrix_diag_transform", "percentile",
]  # fmt: skip


def percentile(
    x: Any, q: Any, axis: Any = None, interpolation: str | None = None, keep_dims: bool = False,
    validate_args: bool = False, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The element of x below which q percent are (tf.contrib.distributions.percentile).

    Args:
        q: a number from 0 to 100. axis: over which axes, default all. interpolation: which
            element where q falls between two: "lower", "higher" or "nearest" (default).

    Raises:
        ValueError: another interpolation; an unknown rank.
    """
    chosen = interpolation or "nearest"
    if chosen not in ("lower", "higher", "nearest"):
        raise ValueError(
            "Argument 'interpolation' must be in ['lower', 'higher', 'nearest'].  Found "
            f"{interpolation}"
        )
    with name_scope(name or "percentile"):
        values = convert_to_tensor(x)
        if values.rank is None:
            raise ValueError("the rank of x must be known when the graph is built")
        axes = range(values.rank) if axis is None else static_ints(axis, "axis")
        over = sorted(a % values.rank for a in axes)
        kept = [a for a in range(values.rank) if a not in over]
        front = F.transpose(values, perm=(*kept, *over))
        extents = F.shape(front)[: len(kept)]
        rows = F.reshape(front, F.concat(extents, np.array([-1], np.int32), axis=0))
        ordered = sort(rows, direction="DESCENDING")
        last = F.subtract(F.shape(ordered)[-1], np.int32(1))
        share = 1.0 - F.cast(convert_to_tensor(q), dtype=float64) / 100.0
        place = F.cast(last, dtype=float64) * share
        whole = {"lower": math.ceil, "higher": math.floor, "nearest": math.round}[chosen](place)
        at = F.minimum(F.maximum(F.cast(whole, dtype=last.dtype), np.int32(0)), last)
        found = arrays.gather(ordered, at, axis=-1)
        if not keep_dims:
            return found
        for a in over:
            found = F.expand_dims(found, axis=a)
        return found


def _side(length: int) -> int:
    """The n with n (n + 1) / 2 = length.

    Raises:
        ValueError: there is none.
    """
    n = int(np.sqrt(0.25 + 2 * length) - 0.5 + 1e-9)
    if n * (n + 1) // 2 != length:
        raise ValueError(
            f"Input right-most shape ({length}) does not correspond to a triangular matrix."
        )
    return n


def _places(n: int, upper: bool) -> np.ndarray[Any, Any]:
    """Of each element of an n x n matrix: its number in the vector, or -1."""
    length = n * (n + 1) // 2
    numbers = np.arange(length)
    # the vector winds around the matrix: its end in the first rows, or the last ones reversed
    rest = numbers[n:]
    wound = np.concatenate([numbers, rest[::-1]] if upper else [rest, numbers[::-1]])
    table = wound.reshape(n, n)
    mask = np.triu(np.ones((n, n), bool)) if upper else np.tril(np.ones((n, n), bool))
    return np.where(mask, table, -1)


def fill_triangular(x: Any, upper: bool = False, name: str | None = None) -> Tensor:
    """Vectors [..., n (n + 1) / 2] as triangular matrices [..., n, n].

    Raises:
        ValueError: a length that no triangle has, or an unknown one.
    """
    with name_scope(name or "fill_triangular") as scope:
        values = convert_to_tensor(x)
        length = values.dims[-1] if values.dims else None
        if not isinstance(length, int):
            raise ValueError("the length of the vectors must be known when the graph is built")
        n = _side(length)
        places = _places(n, upper)
        found = arrays.gather(values, np.maximum(places, 0).astype(np.int32), axis=-1)
        zero = convert_to_tensor(0, values.dtype)
        return F.select_v2(convert_to_tensor(places >= 0), found, zero, name=scope)


def fill_triangular_inverse(x: Any, upper: bool = False, name: str | None = None) -> Tensor:
    """What undoes fill_triangular: [..., n, n] to [..., n (n + 1) / 2]."""
    with name_scope(name or "fill_triangular_inverse") as scope:
        values = convert_to_tensor(x)
        n = values.dims[-1] if values.dims else None
        if not isinstance(n, int):
            raise ValueError("the size of the matrices must be known when the graph is built")
        places = _places(n, upper).reshape(-1)
        where = np.zeros(n * (n + 1) // 2, np.int32)
        where[places[places >= 0]] = np.flatnonzero(places >= 0)
        head = F.shape(values)[:-2]
        flat = F.reshape(values, F.concat(head, np.array([n * n], np.int32), axis=0))
        return arrays.gather(flat, where, axis=-1, name=scope)


def matrix_diag_transform(
    matrix: Any, transform: Callable[[Tensor], Any] | None = None, name: str | None = None
) -> Tensor:
    """The matrices with their diagonals put through a function, such as tf.nn.softplus."""
    with name_scope(name or "matrix_diag_transform"):
        values = convert_to_tensor(matrix, name="matrix")
        if transform is None:
            return values
        diagonal = convert_to_tensor(transform(arrays.matrix_diag_part(values)))
        return arrays.matrix_set_diag(values, diagonal)
