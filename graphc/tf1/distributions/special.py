"""Functions of the normal and the Laplace distribution that stay exact in the tails.

Lives here: ndtr, log_ndtr, ndtri, log_cdf_laplace. Imports ops.
"""

from __future__ import annotations

import math as numbers
from collections.abc import Sequence
from typing import Any

from graphc.ir.dtypes import float64
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.tf1 import api_math as math
from graphc.tf1.distributions.parameters import select

__all__ = ["log_cdf_laplace", "log_ndtr", "ndtr", "ndtri"]

_ROOT_HALF = numbers.sqrt(0.5)
HALF_LOG_TWO_PI = 0.5 * numbers.log(2 * numbers.pi)
# numerators and denominators of Wichura's rational approximations (AS 241), constants first:
# the middle, the tails, the far tails
_MIDDLE = (
    (3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
     1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
     3.3430575583588128105e4, 2.5090809287301226727e3),
    (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
     2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4,
     5.2264952788528545610e3),
)  # fmt: skip
_TAIL = (
    (1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
     3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
     2.27238449892691845833e-2, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
     1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
     1.05075007164441684324e-9),
)  # fmt: skip
_FAR = (
    (6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
     2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
     2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
     2.04426310338993978564e-15),
)  # fmt: skip


def ndtr(x: Any) -> Tensor:
    """The standard normal's distribution function."""
    return 0.5 * math.erfc(-convert_to_tensor(x) * _ROOT_HALF)


def log_ndtr(x: Any) -> Tensor:
    """The logarithm of ndtr: a series far to the left, where ndtr underflows."""
    value = convert_to_tensor(x)
    low, high = (-20.0, 8.0) if value.dtype is float64 else (-10.0, 5.0)
    far = math.minimum(value, low)
    step = -1 / math.square(far)
    term = total = math.cast(math.abs(far) > 0, value.dtype)
    for odd in (1, 3, 5, 7, 9, 11):
        term = term * odd * step
        total = total + term
    series = -0.5 * math.square(far) - math.log(-far) - HALF_LOG_TWO_PI + math.log(total)
    near = math.log(ndtr(math.maximum(value, low)))
    return select(value > high, -ndtr(-value), select(value > low, near, series))


def _ratio(x: Tensor, parts: tuple[Sequence[float], Sequence[float]]) -> Tensor:
    top, bottom = (_polynomial(x, p) for p in parts)
    return top / bottom


def _polynomial(x: Tensor, coefficients: Sequence[float]) -> Tensor:
    out = x * 0.0 + coefficients[-1]
    for c in reversed(coefficients[:-1]):
        out = out * x + c
    return out


def ndtri(p: Any) -> Tensor:
    """The standard normal's quantile function: infinite at 0 and 1, NaN outside."""
    given = convert_to_tensor(p)
    inside = (given > 0) & (given < 1)
    p = select(inside, given, 0.5)
    q = p - 0.5
    middle = math.abs(q) <= 0.425
    near = select(middle, q, 0.0)
    centre = near * _ratio(0.180625 - near * near, _MIDDLE)
    tail = select(middle, 0.01, math.minimum(p, 1 - p))
    r = math.sqrt(-math.log(tail))
    # each fraction only sees the arguments that it is for
    side = select(
        r <= 5, _ratio(math.minimum(r, 5.0) - 1.6, _TAIL), _ratio(math.maximum(r, 5.0) - 5, _FAR)
    )
    found = select(middle, centre, select(q < 0, -side, side))
    ends = select(given < 0.5, -numbers.inf, convert_to_tensor(numbers.inf, given.dtype))
    outside = select((given >= 0) & (given <= 1), ends, numbers.nan)
    return select(inside, found, outside)


def log_cdf_laplace(x: Any) -> Tensor:
    """The logarithm of the standard Laplace distribution's function."""
    value = convert_to_tensor(x)
    left = -numbers.log(2.0) + math.minimum(value, 0.0)
    right = math.log1p(-0.5 * math.exp(-math.abs(value)))
    return select(value < 0, left, right)
