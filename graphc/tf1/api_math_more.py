"""More of tf.math: polynomials, Bessel functions, inverse error functions, cumulative sums of exps.

Lives here: functions made of those in tf1/api_math.py. Not here: records.
"""

from __future__ import annotations

import math as numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import complex64, complex128
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_math as math
from graphc.tf1.arguments import static_int
from graphc.tf1.distributions import special
from graphc.tf1.scopes import name_scope

__all__ = [
    "bessel_i0",
    "bessel_i0e",
    "bessel_i1",
    "bessel_i1e",
    "cumulative_logsumexp",
    "erfcinv",
    "ndtri",
    "polyval",
    "reciprocal_no_nan",
    "to_complex64",
    "to_complex128",
    "xlog1py",
]  # fmt: skip

Array = np.ndarray[Any, Any]


def polyval(coeffs: Sequence[Any], x: Any, name: str | None = None) -> Tensor:
    """The polynomial of these coefficients, highest power first, at x (tf.math.polyval).

    Raises:
        ValueError: coeffs is no list.
    """
    if not isinstance(coeffs, list | tuple):
        raise ValueError(
            f"Argument coeffs must be list type found {type(coeffs)}."
        )
    with name_scope(name or "polyval") as scope:
        at = convert_to_tensor(x)
        if not coeffs:
            return F.zeros_like(at, name=scope)
        total = convert_to_tensor(coeffs[0], at.dtype)
        for c in coeffs[1:]:
            total = total * at + c
        return F.identity(total, name=scope)


def xlog1py(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x log(1 + y), and 0 where x is 0 (tf.math.xlog1py)."""
    with name_scope(name or "xlog1py") as scope:
        left = convert_to_tensor(x)
        right = convert_to_tensor(y, left.dtype)
        zero = F.equal(left, F.zeros_like(left))
        # no NaN reaches the product where it does not count
        safe = F.select_v2(zero, F.zeros_like(right), right)
        return F.multiply(left, math.log1p(safe), name=scope)


def reciprocal_no_nan(x: Any, name: str | None = None) -> Tensor:
    """1 / x, and 0 where x is 0."""
    with name_scope(name or "reciprocal_no_nan") as scope:
        value = convert_to_tensor(x)
        return F.div_no_nan(F.ones_like(value), value, name=scope)


def ndtri(x: Any, name: str | None = None) -> Tensor:
    """The standard normal's quantile function (tf.math.ndtri)."""
    with name_scope(name or "ndtri") as scope:
        return F.identity(special.ndtri(x), name=scope)


def erfcinv(x: Any, name: str | None = None) -> Tensor:
    """The y with erfc(y) = x (tf.math.erfcinv)."""
    with name_scope(name or "erfcinv") as scope:
        value = convert_to_tensor(x)
        return F.multiply(special.ndtri(value * 0.5), -numbers.sqrt(0.5), name=scope)


def cumulative_logsumexp(
    x: Any, axis: int = 0, exclusive: bool = False, reverse: bool = False,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """log(cumsum(exp(x))) along an axis, without overflow.

    Raises:
        ValueError: an unknown rank.
    """
    with name_scope(name or "CumulativeLogsumexp") as scope:
        value = convert_to_tensor(x)
        if value.rank is None:
            raise ValueError("the rank of x must be known")
        at = static_int(axis, "axis") % value.rank
        # a table of all pairs: what an element adds is measured against its own largest
        rows = F.expand_dims(_last(value, at), axis=-2)
        size = F.shape(rows)[-1]
        place = F.range(0, size, 1)
        i, j = F.expand_dims(place, axis=1), F.expand_dims(place, axis=0)
        if reverse:
            i, j = j, i
        seen = F.greater(i, j) if exclusive else F.greater_equal(i, j)
        low = convert_to_tensor(-np.inf, value.dtype)
        table = rows + F.zeros_like(F.cast(seen, dtype=value.dtype))
        found = math.reduce_logsumexp(F.select_v2(seen, table, low), -1)
        if exclusive:
            # TensorFlow gives the least number there is for an empty sum
            least = convert_to_tensor(np.finfo(value.dtype.np).min, value.dtype)
            found = F.select_v2(F.equal(found, low), least, found)
        return F.identity(_last(found, at, back=True), name=scope)


def _last(x: Tensor, axis: int, back: bool = False) -> Tensor:
    """x with an axis moved to the end, or from there."""
    rank = x.rank or 0
    if axis == rank - 1:
        return x
    order = [*range(axis), *range(axis + 1, rank), axis]
    if back:
        order = [order.index(k) for k in range(rank)]
    return F.transpose(x, perm=tuple(order))


# ------------------------------------------------------------------ Bessel functions
def _series(order: int, count: int = 30) -> tuple[Array, Array]:
    """Chebyshev coefficients of exp(-x) I(x) / x^order over [0, 8], and of exp(-x) I(x) sqrt(x)
    over 8 / x in (0, 1]; by interpolation of the integral."""
    nodes = np.polynomial.chebyshev.chebpts1(count)
    near = np.array([_scaled(order, 4 * (t + 1)) / (4 * (t + 1)) ** order for t in nodes])
    far = np.array([_scaled(order, 16 / (t + 1)) * numbers.sqrt(16 / (t + 1)) for t in nodes])
    fit = np.polynomial.chebyshev.chebfit
    return fit(nodes, near, count - 1), fit(nodes, far, count - 1)


def _scaled(order: int, x: float) -> float:
    """exp(-x) I_order(x): the mean of exp(x (cos t - 1)) cos(order t), by trapezoids."""
    points = 64 + int(8 * numbers.sqrt(x))
    t = (np.arange(points) + 0.5) * (np.pi / points)
    return float(np.mean(np.exp(x * (np.cos(t) - 1)) * np.cos(order * t)))


def _chebyshev(t: Tensor, coefficients: Array) -> Tensor:
    """Clenshaw's sum."""
    one = F.zeros_like(t)
    two = one
    for c in coefficients[:0:-1]:
        one, two = 2.0 * t * one - two + float(c), one
    return t * one - two + float(coefficients[0])


_TABLES: dict[int, tuple[Array, Array]] = {}


def _bessel(x: Any, order: int, scaled: bool, name: str) -> Tensor:
    with name_scope(name) as scope:
        value = convert_to_tensor(x)
        if order not in _TABLES:
            _TABLES[order] = _series(order)
        near, far = _TABLES[order]
        size = math.abs(value)
        inner = math.minimum(size, 8.0)
        small = _chebyshev(inner / 4.0 - 1.0, near) * (inner if order else 1.0)
        outer = math.maximum(size, 8.0)
        large = _chebyshev(16.0 / outer - 1.0, far) * math.rsqrt(outer)
        found = F.select_v2(size <= 8.0, small, large)
        if order:
            found = found * math.sign(value)
        if not scaled:
            found = found * math.exp(size)
        return F.identity(found, name=scope)


def bessel_i0e(x: Any, name: str | None = None) -> Tensor:
    """exp(-|x|) I0(x), the modified Bessel function of order 0 (tf.math.bessel_i0e)."""
    return _bessel(x, 0, True, name or "bessel_i0e")


def bessel_i0(x: Any, name: str | None = None) -> Tensor:
    """The modified Bessel function of order 0 (tf.math.bessel_i0)."""
    return _bessel(x, 0, False, name or "bessel_i0")


def bessel_i1e(x: Any, name: str | None = None) -> Tensor:
    """exp(-|x|) I1(x), the modified Bessel function of order 1 (tf.math.bessel_i1e)."""
    return _bessel(x, 1, True, name or "bessel_i1e")


def bessel_i1(x: Any, name: str | None = None) -> Tensor:
    """The modified Bessel function of order 1 (tf.math.bessel_i1)."""
    return _bessel(x, 1, False, name or "bessel_i1")


# ------------------------------------------------------------------ casts
def to_complex64(x: Any, name: str = "ToComplex64") -> Tensor:
    """tf.cast to complex64 under its old name."""
    return math.cast(x, complex64, name)


def to_complex128(x: Any, name: str = "ToComplex128") -> Tensor:
    """tf.cast to complex128 under its old name."""
    return math.cast(x, complex128, name)
