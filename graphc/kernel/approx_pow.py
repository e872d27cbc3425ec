"""Vector math: powers of floats and of integers as expressions of cheap primitives.

Lives here: the rules of pow and ipow for kernel/approx.py. Not here: exp and log
(kernel/approx.py).

pow(x, y) = exp(y log x) loses |y log x| ulps if the logarithm has one rounding. float32 therefore
works in float64; float64 carries the logarithm as a sum of two numbers (no step needs a fused
multiply-add, so targets without one are as precise).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from graphc.ir.dtypes import float32, float64, int64
from graphc.kernel import prims as k
from graphc.kernel.approx import exp_core, horner, log_core, log_split
from graphc.kernel.approx_data import LOG64_PAIR, SPEC
from graphc.kernel.expr import Const, Expr

Pair = tuple[Expr, Expr]  # the unevaluated sum of two numbers, the second small


def _pow(x: Expr, y: Expr) -> Expr:
    simple = _simple_power(x, y)
    if simple is not None:
        return simple
    size = k.abs_(x)
    value = _magnitude_32(size, y) if x.dtype is float32 else _magnitude_64(size, y)
    return _edges(x, y, size, value)


def _simple_power(x: Expr, y: Expr) -> Expr | None:
    """Small constant exponents, exact to half an ulp a product."""
    if not isinstance(y, Const):
        return None
    one = Const(1.0, x.dtype)
    return {0.0: one, 1.0: x, 2.0: x * x, 3.0: x * x * x, -1.0: one / x}.get(y.value)


def _magnitude_32(size: Expr, y: Expr) -> Expr:
    wide = k.cast(size, float64)
    return k.cast(exp_core(k.cast(y, float64) * log_core(wide)), float32)


# ------------------------------------------------------------------ float64 in two parts
def _high(x: Expr) -> Expr:
    """x with the low 27 bits of its mantissa cleared: products of two such are exact."""
    return k.bitcast(k.prim("and", k.bitcast(x, int64), ~((1 << 27) - 1)), float64)


def _product(a: Expr, b: Expr) -> Pair:
    """a * b exactly."""
    main = a * b
    ah, bh = _high(a), _high(b)
    al, bl = a - ah, b - bh
    return main, ((ah * bh - main) + ah * bl + al * bh) + al * bl


def _sum(a: Expr, b: Expr) -> Pair:
    """a + b exactly, for |a| >= |b| or a = 0."""
    main = a + b
    return main, b - (main - a)


def _log_pair(size: Expr) -> Pair:
    """log(size) to about 2**-66, for finite size > 0."""
    spec = SPEC[float64]
    small = k.lt(size, spec.min_normal)
    f, e = log_split(k.select(small, size * 2.0**54, size))
    e = e - k.select(small, Const(54.0, float64), 0.0)
    d = f + 2.0
    d_low = f - (d - 2.0)
    s = f / d
    sd, sd_low = _product(s, d)
    s_low = (((f - sd) - sd_low) - s * d_low) / d
    z, z_low = _product(s, s)
    z_low = z_low + (s + s) * s_low
    # log(1 + f) = 2 s + s^3 (2/3 + w)
    w = z * horner(z, LOG64_PAIR)
    u, u_low = _sum(Const(2 / 3, float64), w)
    u_low = u_low + 3.7007434154171883e-17
    cube, cube_low = _product(s, z)
    cube_low = cube_low + (s * z_low + s_low * z)
    v, v_low = _product(cube, u)
    v_low = v_low + (cube * u_low + cube_low * u)
    twice = s + s
    total, lost = _sum(e * spec.ln2_hi, twice)
    total, lost_too = _sum(total, v)
    low = ((lost + lost_too) + (s_low + s_low)) + (v_low + e * spec.ln2_lo)
    return _sum(total, low)


def _magnitude_64(size: Expr, y: Expr) -> Expr:
    log, log_low = _log_pair(size)
    main, lost = _product(y, log)
    low = k.fma(y, log_low, lost)
    # beyond the range of exp the small part is noise, or NaN
    low = k.select(k.lt(k.abs_(main), 800.0), low, Const(0.0, float64))
    return exp_core(main, low)


# ------------------------------------------------------------------ edges
def _edges(x: Expr, y: Expr, size: Expr, value: Expr) -> Expr:
    """C99's special cases around |x|**y."""
    dtype = x.dtype
    one, nan = Const(1.0, dtype), Const(math.nan, dtype)
    infinite, zero = Const(math.inf, dtype), Const(0.0, dtype)
    grows = k.prim("xor", k.gt(size, 1.0), k.lt(y, 0.0))
    extreme = k.or_(k.eq(size, 0.0), k.or_(k.eq(size, math.inf), k.eq(k.abs_(y), math.inf)))
    value = k.select(extreme, k.select(grows, infinite, zero), value)
    whole = k.eq(k.floor(y), y)
    half = y * 0.5
    odd = k.and_(k.and_(whole, k.ne(k.floor(half), half)), k.lt(k.abs_(y), math.inf))
    negative = k.lt(k.copysign(one, x), 0.0)
    value = k.select(k.and_(negative, odd), -value, value)
    # a negative number to a fraction; -0 and -inf have one
    fraction = k.and_(k.lt(x, 0.0), k.not_(whole))
    value = k.select(k.and_(fraction, k.ne(size, math.inf)), nan, value)
    value = k.select(k.is_nan(y), nan, k.select(k.is_nan(x), nan, value))
    turning = k.and_(k.eq(x, -1.0), k.eq(k.abs_(y), math.inf))
    always = k.or_(k.or_(k.eq(y, 0.0), k.eq(x, 1.0)), turning)
    return k.select(always, one, value)


# ------------------------------------------------------------------ integers
def _ipow(x: Expr, y: Expr) -> Expr:
    """x**y by squaring, modulo 2**bits; an exponent below 0 counts as 0."""
    if isinstance(y, Const):
        return _constant_ipow(x, int(y.value))
    if not y.dtype.is_unsigned:
        y = k.maximum(y, 0)
    result: Expr = Const(1, x.dtype)
    power = x
    bits = 8 * x.dtype.size - (0 if x.dtype.is_unsigned else 1)
    for bit in range(bits):
        on = k.ne(k.prim("and", y, 1 << bit), 0)
        result = k.select(on, result * power, result)
        if bit + 1 < bits:
            power = power * power
    return result


def _constant_ipow(x: Expr, exponent: int) -> Expr:
    result: Expr | None = None
    power = x
    while exponent > 0:
        if exponent & 1:
            result = power if result is None else result * power
        exponent >>= 1
        if exponent:
            power = power * power
    return Const(1, x.dtype) if result is None else result


RULES: dict[str, Callable[..., Expr]] = {"pow": _pow, "ipow": _ipow}
