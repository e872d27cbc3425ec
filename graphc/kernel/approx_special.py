"""Vector math: error functions and gamma functions as expressions of cheap primitives.

Lives here: the rules of erf, erfc, erfinv, lgamma, digamma for kernel/approx.py, which loads this
module when one of them occurs. Not here: elementary functions, coefficients
(kernel/approx_data.py; the normal quantile's are those of kernel/special.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from graphc.ir.dtypes import float32
from graphc.kernel import prims as k
from graphc.kernel.approx import (
    Rarely,
    at_least,
    at_most,
    exp_core,
    horner,
    log_core,
)
from graphc.kernel.approx_data import (
    DIGAMMA_FAR,
    DIGAMMA_NEAR,
    DIGAMMA_ROOT,
    ERF32_MAX,
    ERF32_P,
    ERF32_Q,
    ERF_SMALL,
    ERFCX,
    ERFCX_CENTRE,
    ERFCX_MAX,
    LGAMMA,
    SPEC,
    STIRLING,
)
from graphc.kernel.expr import Const, Expr
from graphc.kernel.special import QUANTILE_CENTRE, QUANTILE_MIDDLE, QUANTILE_TAIL


# ------------------------------------------------------------------ error functions
def _erf(x: Expr) -> Expr:
    if x.dtype is float32:
        y = at_most(at_least(x, -ERF32_MAX), ERF32_MAX)
        z = y * y
        return at_most(at_least(y * horner(z, ERF32_P) / horner(z, ERF32_Q), -1.0), 1.0)
    size = k.abs_(x)
    far = k.copysign(Const(1.0, x.dtype) - _erfc_far(size), x)
    return k.select(k.lt(size, 0.5), _erf_near(x), far)


def _erf_near(x: Expr) -> Expr:
    """erf for |x| <= 1/2."""
    return x * horner(x * x, ERF_SMALL[x.dtype])


def _erfc_far(size: Expr) -> Expr:
    """erfc for size >= 1/2."""
    dtype = size.dtype
    x = at_most(size, ERFCX_MAX[dtype])
    # -x*x in two parts: the square of a number with half the bits is exact
    spec = SPEC[dtype]
    mask = ~((1 << (spec.bits // 2 + 1)) - 1)
    high = k.bitcast(k.prim("and", k.bitcast(x, spec.int_type), mask), dtype)
    decay = exp_core(-(high * high), (high - x) * (high + x), falls=True)
    centre = ERFCX_CENTRE[dtype]
    t = (x - centre) / (x + centre)
    return decay * horner(t, ERFCX[dtype]) / k.fma(x, 2.0, 1.0)


def _erfc(x: Expr) -> Expr:
    size = k.abs_(x)
    far = _erfc_far(size)
    far = k.select(k.lt(x, 0.0), Const(2.0, x.dtype) - far, far)
    return k.select(k.lt(size, 0.5), Const(1.0, x.dtype) - _erf_near(x), far)


def _ratio(x: Expr, parts: tuple[tuple[float, ...], tuple[float, ...]]) -> Expr:
    return horner(x, parts[0]) / horner(x, parts[1])


def _erfinv(x: Expr) -> Expr:
    """The normal quantile at (x + 1) / 2, over sqrt 2."""
    dtype = x.dtype
    size = k.abs_(x)
    q = x * 0.5
    centre = q * _ratio(Const(0.180625, dtype) - q * q, QUANTILE_CENTRE)
    # of 1 - size only the tails are used; the clamp keeps the logarithm's argument positive
    rest = at_least((Const(1.0, dtype) - size) * 0.5, SPEC[dtype].min_normal)
    r = k.sqrt(-log_core(rest))
    far = k.gt(r, 5.0)
    tail = Rarely(far, _ratio(r - 5.0, QUANTILE_TAIL), _ratio(r - 1.6, QUANTILE_MIDDLE))
    near = k.le(size, 0.85)
    value = k.select(near, centre, k.copysign(tail, x)) * math.sqrt(0.5)
    value = k.select(k.lt(size, SPEC[dtype].tiny), x * (math.sqrt(math.pi) / 2), value)
    edge = k.copysign(Const(math.inf, dtype), x)
    value = k.select(k.eq(size, 1.0), edge, value)
    return k.select(k.le(size, 1.0), value, Const(math.nan, dtype))


# ------------------------------------------------------------------ gamma functions
def _sine_pi(r: Expr) -> Expr:
    """|sin(pi r)| for |r| <= 1/2."""
    spec = SPEC[r.dtype]
    size = k.abs_(r)
    outer = k.gt(size, 0.25)
    a = k.select(outer, Const(0.5, r.dtype) - size, size) * math.pi
    z = a * a
    sine = k.fma(z * a, horner(z, spec.sin), a)
    cosine = k.fma(z * z, horner(z, spec.cos), k.fma(z, -0.5, 1.0))
    return k.select(outer, cosine, sine)


def _lgamma_positive(x: Expr) -> Expr:
    """lgamma for 0 < x < inf."""
    dtype = x.dtype
    one = Const(1.0, dtype)
    y = at_most(x, 8.0)
    product: Expr = one
    for _ in range(6):
        above = k.gt(y, 2.5)
        y = k.select(above, y - 1.0, y)
        product = k.select(above, product * y, product)
    # below 3/2 the distance from 2 is taken from x itself: x + 1 would round it
    low, lower = k.lt(x, 1.5), k.lt(x, 0.5)
    t = k.select(lower, x, k.select(low, x - 1.0, y - 2.0))
    # lgamma(t + 2) = lgamma(x) + log of a product; x (x + 1) below 1/2, x below 3/2
    down = k.select(lower, k.fma(x, x, x), x)
    big = k.ge(x, 8.0)
    log = log_core(k.select(big, x, k.select(low, down, product)))
    near = t * horner(t, LGAMMA[dtype]) + k.select(low, -log, log)
    inverse = one / at_least(x, 8.0)
    series = horner(inverse * inverse, STIRLING[dtype]) * inverse
    constant = 0.5 * math.log(2 * math.pi) - 0.5
    far = k.fma(x - 0.5, log - 1.0, series + constant)
    return k.select(big, far, near)


def _lgamma(x: Expr) -> Expr:
    dtype = x.dtype
    infinite = Const(math.inf, dtype)
    mirrored = k.le(x, 0.0)
    main = _lgamma_positive(k.select(mirrored, Const(1.0, dtype) - x, x))
    sine = _sine_pi(x - k.rint(x))
    # for tiny x, gamma(x) is 1 / x
    tiny = k.gt(x, -(SPEC[dtype].tiny ** 2))
    mirror = -log_core(k.select(tiny, -x, sine))
    mirror = k.select(tiny, mirror, (mirror + math.log(math.pi)) - main)
    value: Expr = Rarely(mirrored, mirror, main)
    pole = k.and_(mirrored, k.eq(k.floor(x), x))
    value = k.select(k.or_(pole, k.eq(k.abs_(x), math.inf)), infinite, value)
    return k.select(k.is_nan(x), x, value)


def _digamma_positive(x: Expr) -> Expr:
    """digamma for 0 < x < inf."""
    dtype = x.dtype
    one = Const(1.0, dtype)
    y = at_most(x, 8.0)
    # the sum of 1 / y as one fraction
    num, den = Const(0.0, dtype), one
    top: Expr = num
    bottom: Expr = den
    for _ in range(6):
        above = k.gt(y, 2.0)
        y = k.select(above, y - 1.0, y)
        top = k.select(above, k.fma(top, y, bottom), top)
        bottom = k.select(above, bottom * y, bottom)
    below = k.lt(x, 1.0)
    top = k.select(below, Const(-1.0, dtype), top)
    bottom = k.select(below, x, bottom)
    y = k.select(below, y + 1.0, y)
    root, root_low = DIGAMMA_ROOT[dtype]
    near = ((y - root) - root_low) * horner(y - 1.5, DIGAMMA_NEAR[dtype]) + top / bottom
    big = at_least(x, 8.0)
    inverse = one / big
    w = inverse * inverse
    far = (log_core(big) - inverse * 0.5) - w * horner(w, DIGAMMA_FAR[dtype])
    return k.select(k.ge(x, 8.0), far, near)


def _digamma(x: Expr) -> Expr:
    dtype = x.dtype
    nan = Const(math.nan, dtype)
    mirrored = k.le(x, 0.0)
    main = _digamma_positive(k.select(mirrored, Const(1.0, dtype) - x, x))
    r = x - k.rint(x)
    # cot(pi r) from sin(pi r) and sin(pi (1/2 - |r|))
    cosine = _sine_pi(Const(0.5, dtype) - k.abs_(r))
    cotangent = k.copysign(cosine / _sine_pi(r), r)
    value: Expr = Rarely(mirrored, k.fma(cotangent, -math.pi, main), main)
    value = k.select(k.eq(x, math.inf), x, value)
    pole = k.and_(mirrored, k.eq(k.floor(x), x))
    return k.select(k.or_(pole, k.is_nan(x)), nan, value)


RULES: dict[str, Callable[..., Expr]] = {
    "erf": _erf,
    "erfc": _erfc,
    "erfinv": _erfinv,
    "lgamma": _lgamma,
    "digamma": _digamma,
}
