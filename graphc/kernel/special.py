"""Reference implementations of special functions on NumPy arrays, without SciPy.

Lives here: sigmoid, softplus, erf, erfc, erfinv, lgamma, digamma and the fused multiply-add.
Not here: the same functions as kernel expressions (kernel/approx_special.py), which are written
apart so that each checks the other. kernel/prims.py and the ops' NumPy references import this.

All take arrays or scalars of a float dtype, compute in float64 and return the input's dtype. At the
edges they follow TensorFlow: lgamma is inf at 0, -1, -2, ... and at -inf; digamma is NaN there;
erfinv is +-inf at +-1 and NaN outside. Relative error in float64 is a few 1e-16, but near the zeros
of lgamma and digamma on the negative axis, where it is the absolute error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Fn = Callable[[Array], Array]

_ERF_SMALL = (
    -4.2309458242953378e-12, 8.7090451290531067e-11, -1.216456005728345e-9, 1.4792401209404813e-8,
    -1.6364642158167615e-7, 1.6462045441468419e-6, -1.4925647567519332e-5, 0.00012055332902888735,
    -0.00085483270219348296, 0.0052239776254232983, -0.026866170645129841, 0.1128379167095512,
    -0.37612638903183752, 1.1283791670955126,
)  # fmt: skip
_ERFCX = (
    -2.6490729369178821e-8, 8.9817615382627371e-8, 9.3787647131119282e-8, -8.1322134733089213e-7,
    2.7796102034748889e-7, 5.7061370583912759e-6, -1.1214940454085915e-5, -2.4398796129808549e-5,
    0.00015061976528402389, -0.00019925665577807421, -0.00075777296824441816,
    0.0050319699599559543, -0.016197734090861557, 0.03716751553970077, -0.066330365810225154,
    0.093732834998226393, -0.10103906603636663, 0.06809705425469556, 0.015379652102620517,
    -0.13962111684056253, 1.2329951186255525,
)  # fmt: skip
_LGAMMA_NEAR_2 = (
    2.7475390051909664e-7, -5.8112777689212462e-7, 9.2428522251622767e-7, -1.9743106888421067e-6,
    4.3828545383846668e-6, -9.4562885151017192e-6, 2.0506019701747619e-5, -4.4923727564247653e-5,
    9.9457616921571331e-5, -0.00022315497746292723, 0.00050966951965266728,
    -0.0011927539009983087, 0.0028905103308659009, -0.0073855510289355447, 0.02058080842778338,
    -0.067352301053195639, 0.32246703342411322, 0.42278433509846714,
)  # fmt: skip
_STIRLING = (
    -0.020855820837463115, 0.0062081367662297934, -0.001914965912162907, 0.00084173252680224047,
    -0.00059523802342912534, 0.00079365079351172821, -0.0027777777777776748,
    0.083333333333333333,
)  # fmt: skip
_DIGAMMA_FAR = (
    -0.29942537062673501, 0.080023374653977567, -0.021051060908047742, 0.0075754599203691761,
    -0.0041666655015167246, 0.0039682539659997006, -0.0083333333333316642, 0.083333333333333333,
)  # fmt: skip
_DIGAMMA_1_2 = (
    0.00011881232908510335, -0.00017821885488559232, 9.6536462614100617e-5,
    -0.00014480643368061613, 0.00032395945401345198, -0.00048595039220036256,
    0.00069092557612829864, -0.0010364584817312838, 0.0015633696313653505,
    -0.0023454947397380835, 0.0035181065638024723, -0.0052799372555327083, 0.007927021796868154,
    -0.011908220105959716, 0.017907248317313296, -0.026975796659787055, 0.040760833940846083,
    -0.061922133275488312, 0.094988724452890382, -0.14840492305388091, 0.24054248424078698,
    -0.4236274212814606, 0.95105587603183288,
)  # fmt: skip
# the zero of digamma, in two parts
_ROOT_HIGH, _ROOT_LOW = 1.4616321449683622, 9.549995429965697e-17

# Wichura, Algorithm AS 241 (1988), the normal quantile: numerator and denominator of its three
# ranges, highest degree first
QUANTILE_CENTRE = (
    (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
     13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608),
    (5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
     5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1.0),
)  # fmt: skip
QUANTILE_MIDDLE = (
    (7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177,
     1.27045825245236838258, 3.64784832476320460504, 5.7694972214606914055,
     4.6303378461565452959, 1.42343711074968357734),
    (1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966,
     0.14810397642748007459, 0.68976733498510000455, 1.6763848301838038494,
     2.05319162663775882187, 1.0),
)  # fmt: skip
QUANTILE_TAIL = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386,
     0.026532189526576123093, 0.29656057182850489123, 1.7848265399172913358,
     5.4637849111641143699, 6.6579046435011037772),
    (2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5,
     7.868691311456132591e-4, 0.0148753612908506148525, 0.13692988092273580531,
     0.59983220655588793769, 1.0),
)  # fmt: skip


def _poly(x: Array, coefs: tuple[float, ...]) -> Array:
    total = np.full_like(x, coefs[0])
    for coef in coefs[1:]:
        total = total * x + coef
    return total


def _apply(fn: Fn, x: Any) -> Any:
    """fn in float64 on a flat array; the result has x's dtype and shape, scalars stay scalars."""
    given = np.asarray(x)
    dtype = given.dtype if given.dtype.kind not in "iub" else np.dtype(np.float64)
    with np.errstate(all="ignore"):
        out = fn(given.astype(np.float64).reshape(-1)).astype(dtype).reshape(given.shape)
    return out[()] if given.ndim == 0 else out


# ------------------------------------------------------------------ fused multiply-add
def fma(a: Any, b: Any, c: Any) -> Any:
    """a * b + c, rounded once (float32 exactly but for rare ties, float64 to a few 1e-32)."""
    dtype = np.result_type(a, b, c)
    if dtype.kind != "f":
        return np.asarray(a) * b + c
    with np.errstate(all="ignore"):
        if dtype.itemsize < 8:
            wide = np.asarray(a, np.float64) * np.asarray(b, np.float64)
            return (wide + np.asarray(c, np.float64)).astype(dtype)
        return _fma64(*np.broadcast_arrays(a, b, c))


def _fma64(a: Array, b: Array, c: Array) -> Any:
    product = a * b
    low = _product_error(a, b, product)
    total = product + c
    # Knuth's two-sum: what rounding the sum lost
    part = total - product
    lost = (product - (total - part)) + (c - part)
    exact = total + (lost + low)
    safe = np.isfinite(exact) & (np.abs(a) < 1e290) & (np.abs(b) < 1e290)
    return np.where(safe, exact, total)[()]


def _product_error(a: Array, b: Array, product: Array) -> Array:
    """a * b - product, by Dekker's splitting."""
    ah, al = _split(a)
    bh, bl = _split(b)
    return ((ah * bh - product) + ah * bl + al * bh) + al * bl


def _split(a: Array) -> tuple[Array, Array]:
    scaled = a * 134217729.0
    high = scaled - (scaled - a)
    return high, a - high


# ------------------------------------------------------------------ logistic
def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)) without overflow. Floats of any shape."""
    return _apply(_sigmoid, x)


def _sigmoid(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1.0) / (1.0 + e)


def softplus(x: Any) -> Any:
    """log(1 + exp(x)) without overflow. Floats of any shape."""
    return _apply(lambda v: np.maximum(v, 0.0) + np.log1p(np.exp(-np.abs(v))), x)


# ------------------------------------------------------------------ error function
def _erf_small(x: Array) -> Array:
    """erf for |x| <= 1."""
    return x * _poly(x * x, _ERF_SMALL)


def _erfc_large(x: Array) -> Array:
    """erfc for x >= 1: exp(-x^2) times a polynomial in (x - 4) / (x + 4)."""
    x = np.minimum(x, 28.0)
    # exp(-x*x) = exp(-h*h) * exp((h - x) * (h + x)) with h*h exact
    high = np.asarray(x.astype(np.float32), np.float64)
    high = (high.view(np.int64) & ~np.int64((1 << 28) - 1)).view(np.float64)
    decay = np.exp(-high * high) * np.exp((high - x) * (high + x))
    return decay * (_poly((x - 4.0) / (x + 4.0), _ERFCX) / (1.0 + 2.0 * x))


def _erf(x: Array) -> Array:
    size = np.abs(x)
    far = 1.0 - _erfc_large(np.maximum(size, 1.0))
    out = np.where(size <= 1.0, _erf_small(np.clip(x, -1.0, 1.0)), np.copysign(far, x))
    return np.where(np.isnan(x), x, out)


def _erfc(x: Array) -> Array:
    size = np.abs(x)
    far = _erfc_large(np.maximum(size, 1.0))
    near = 1.0 - _erf_small(np.clip(x, -1.0, 1.0))
    # between 1/2 and 1 the subtraction would cancel
    out = np.where(x < 0.5, near, _erfc_half_to_one(np.clip(x, 0.5, 1.0)))
    out = np.where(size > 1.0, np.where(x < 0, 2.0 - far, far), out)
    return np.where(np.isnan(x), x, out)


def _erfc_half_to_one(x: Array) -> Array:
    """1/2 - (erf(x) - 1/2): the inner difference is small and exact there."""
    return 0.5 - (_erf_small(x) - 0.5)


def erf(x: Any) -> Any:
    """The error function. Floats of any shape."""
    return _apply(_erf, x)


def erfc(x: Any) -> Any:
    """1 - erf(x), with full relative precision for large x. Floats of any shape."""
    return _apply(_erfc, x)


def erfinv(x: Any) -> Any:
    """The inverse of erf; +-inf at +-1, NaN outside. Floats of any shape."""
    return _apply(_erfinv, x)


def _ratio(r: Array, parts: tuple[tuple[float, ...], tuple[float, ...]]) -> Array:
    return _poly(r, parts[0]) / _poly(r, parts[1])


def _erfinv(x: Array) -> Array:
    q = 0.5 * x
    centre = q * _ratio(0.180625 - q * q, QUANTILE_CENTRE)
    size = np.abs(x)
    r = np.sqrt(-np.log(np.where(size < 1.0, (1.0 - size) * 0.5, 0.25)))
    tail = np.where(r <= 5.0, _ratio(r - 1.6, QUANTILE_MIDDLE), _ratio(r - 5.0, QUANTILE_TAIL))
    out = np.where(np.abs(q) <= 0.425, centre, np.copysign(tail, x)) * math.sqrt(0.5)
    # half of the least number is 0
    out = np.where(size < 1e-30, x * (math.sqrt(math.pi) / 2), out)
    out = np.where(size == 1.0, np.copysign(np.inf, x), out)
    return np.where(size <= 1.0, out, np.nan)


# ------------------------------------------------------------------ gamma
def _lgamma_below_8(x: Array) -> Array:
    """lgamma on (0, 8): recurrence into [3/2, 5/2], a polynomial there."""
    product = np.ones_like(x)
    y = x.copy()
    for _ in range(6):
        above = y > 2.5
        y = np.where(above, y - 1.0, y)
        product = np.where(above, product * y, product)
    # below 3/2 the distance from 2 is taken from x itself: x + 1 would round it
    t = np.where(x < 0.5, x, np.where(x < 1.5, x - 1.0, y - 2.0))
    down = np.where(x < 0.5, x * (x + 1.0), np.where(x < 1.5, x, 1.0))
    return t * _poly(t, _LGAMMA_NEAR_2) + (np.log(product) - np.log(down))


def _lgamma_positive(x: Array) -> Array:
    big = np.maximum(x, 8.0)
    log = np.log(big)
    series = _poly(1.0 / (big * big), _STIRLING) / big
    far = (big - 0.5) * (log - 1.0) + (0.5 * math.log(2 * math.pi) - 0.5 + series)
    far = np.where(np.isinf(big), np.inf, far)
    return np.where(x < 8.0, _lgamma_below_8(np.clip(x, 1e-320, 8.0)), far)


def _lgamma(x: Array) -> Array:
    mirrored = x < 0.5
    main = _lgamma_positive(np.where(mirrored, 1.0 - x, x))
    tiny = np.abs(x) < 1e-20
    sine = np.abs(np.sin(math.pi * (x - np.rint(x))))
    reflected = np.where(tiny, -np.log(np.abs(x)), math.log(math.pi) - np.log(sine) - main)
    # on (0, 1/2) the recurrence is more precise than the reflection
    small = (x > 0) & ~tiny & mirrored
    out = np.where(mirrored, reflected, main)
    out = np.where(small, _lgamma_below_8(np.clip(x, 1e-300, 1.0)), out)
    out = np.where((x <= 0) & (x == np.floor(x)), np.inf, out)
    return np.where(np.isnan(x), x, out)


def lgamma(x: Any) -> Any:
    """log |gamma(x)|; inf at 0, -1, -2, ... and -inf. Floats of any shape."""
    return _apply(_lgamma, x)


def _digamma_positive(x: Array) -> Array:
    """digamma for x > 0."""
    big = np.maximum(x, 8.0)
    w = 1.0 / (big * big)
    far = np.log(big) - 0.5 / big - w * _poly(w, _DIGAMMA_FAR)
    far = np.where(np.isinf(big), np.inf, far)
    y = np.clip(x, 5e-324, 8.0)
    total = np.zeros_like(y)
    for _ in range(6):
        above = y > 2.0
        y = np.where(above, y - 1.0, y)
        total = np.where(above, total + 1.0 / y, total)
    below = y < 1.0
    total = np.where(below, -1.0 / y, total)
    y = np.where(below, y + 1.0, y)
    near = ((y - _ROOT_HIGH) - _ROOT_LOW) * _poly(y - 1.5, _DIGAMMA_1_2) + total
    return np.where(x < 8.0, near, far)


def _digamma(x: Array) -> Array:
    mirrored = x <= 0
    main = _digamma_positive(np.where(mirrored, 1.0 - x, x))
    r = x - np.rint(x)
    out = np.where(mirrored, main - math.pi / np.tan(math.pi * r), main)
    return np.where((mirrored & (r == 0)) | (x == -np.inf) | np.isnan(x), np.nan, out)


def digamma(x: Any) -> Any:
    """The derivative of lgamma; NaN at 0, -1, -2, ... and -inf. Floats of any shape."""
    return _apply(_digamma, x)
