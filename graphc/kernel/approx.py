"""Vector math: the transcendental primitives as expressions of cheap ones.

Lives here: `expand` (one primitive), `expand_all` (a whole expression), BASE_PRIMS (what a printer
must print natively), exponentials, logarithms, hyperbolic functions and the inverses of the
trigonometric ones. Not here: coefficients (kernel/approx_data.py), the other families
(kernel/approx_trig.py, approx_pow.py, approx_special.py), what a primitive means
(kernel/prims.py). Printers import this module.

Every function is right at every NaN, at infinities, denormals and signed zeros, and overflows where
the exact value does. No step relies on a fused multiply-add being fused. Greatest errors found
against extended precision on millions of samples (2025-11-21; exp 2026-11-21), in units in the last
place:

              float32 float64             float32 float64             float32 float64
    exp         0.9     0.9     sin         1.5     1.7     sigmoid     2.3     2.3
    expm1       1.5     1.8     cos         1.5     1.5     softplus    1.8     1.7
    log         0.8     0.8     tan         2.9     3.0     erf         4.6     1.7
    log1p       1.5     1.5     asin        2.4     2.2     erfc        3.2     3.0
    pow         0.5     1.0     acos        1.2     1.2     erfinv      5.6     6.0
    tanh        4.3     2.6     atan        2.1     1.7     lgamma      4.8     4.0
    sinh        2.0     2.4     atan2       2.1     1.8     digamma     2.7     4.1
    cosh        1.4     1.4     asinh       2.0     2.0     rsqrt       1.0     1.0
    atanh       2.1     2.0     acosh       2.4     2.5     recip       0.5     0.5

Without fused multiply-adds exp has 1.2. float32 erf and tanh are single rational functions: two ulp
less would cost twice the time. The gamma functions' figures are for x > 0; for x < 0, where they
have zeros between the poles, the error is 5e-7 (1e-15) of 1 + |value|.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

from graphc.ir.dtypes import DType, bool_, float32, float64
from graphc.kernel import prims as k
from graphc.kernel.approx_data import (
    LOG32,
    LOG64,
    SPEC,
    TANH32_MAX,
    TANH32_P,
    TANH32_Q,
    Coefs,
)
from graphc.kernel.expr import Cast, Const, Expr, Prim, Select, replaced, transform

BASE_PRIMS = frozenset(
    {
        "add", "sub", "mul", "div", "fma", "neg", "abs", "max", "min", "sqrt", "floor", "ceil",
        "rint", "trunc", "copysign", "eq", "ne", "lt", "le", "gt", "ge", "and", "or", "xor", "not",
        "shl", "shr", "mulhi_u32", "is_nan", "is_inf", "is_finite", "bitcast", "floordiv",
        "floormod", "truncdiv", "check_index", "fmod",
    }
)  # fmt: skip


def expand(node: Prim) -> Expr:
    """The primitive as an expression of BASE_PRIMS over the same arguments.

    Raises:
        KeyError: the primitive is not known; TypeError: not defined for its dtype.
    """
    if node.name in BASE_PRIMS:
        return node
    return _rule(node.name)(*node.args)


def _rule(name: str) -> Callable[..., Expr]:
    """The rule of a primitive; the rarer families are loaded when one occurs."""
    if name in RULES:
        return RULES[name]
    from graphc.kernel import approx_pow, approx_special, approx_trig

    for family in (approx_trig, approx_pow, approx_special):
        if name in family.RULES:
            return family.RULES[name]
    raise KeyError(name)


def expand_all(root: Expr) -> Expr:
    """The whole expression in BASE_PRIMS; half floats are computed in float32.

    Equal parts of the result are one object.
    """
    return Expander().run(root)


class Expander:
    """Rewrites bottom-up; remembers expansions, and shares equal nodes."""

    def __init__(self, native: Collection[str] = ()) -> None:
        # native: primitives beyond BASE_PRIMS that the target has an instruction for
        self.native = frozenset(native)
        self.table: dict[Expr, Expr] = {}
        self.done: dict[Expr, Expr] = {}

    def run(self, root: Expr) -> Expr:
        return transform(root, self.step)

    def step(self, node: Expr, args: tuple[Expr, ...]) -> Expr:
        node = self.share(replaced(node, args))
        found = self.done.get(node)
        if found is None:
            found = self.done[node] = self.rewrite(node)
        return found

    def share(self, node: Expr) -> Expr:
        return self.table.setdefault(node, node)

    def rewrite(self, node: Expr) -> Expr:
        if not isinstance(node, Prim):
            return node
        if any(a.dtype.is_half for a in node.args) and node.name != "bitcast":
            return self.run(_widened(node))
        if node.name in BASE_PRIMS or node.name in self.native:
            return node
        return self.run(expand(node))


def _widened(node: Prim) -> Expr:
    """A primitive on half floats: in float32, rounded back."""
    args = tuple(k.cast(a, float32) for a in node.args)
    if node.dtype is bool_:
        return Prim(node.name, args, bool_)
    return Cast(Prim(node.name, args, float32), node.dtype)


class Rarely(Select):
    """A Select whose first value is long and rarely wanted: a printer may branch around it.

    All Rarelys of one condition share their branch.
    """

    __slots__ = ()

    def rebuild(self, args: tuple[Expr, ...]) -> Expr:
        return Rarely(*args)


# ------------------------------------------------------------------ pieces
def horner(x: Expr, coefs: Coefs) -> Expr:
    """The polynomial with these coefficients, highest degree first."""
    total: Expr = Const(coefs[0], x.dtype)
    for coef in coefs[1:]:
        total = k.fma(total, x, coef)
    return total


def at_least(x: Expr, low: float) -> Expr:
    """max(x, low) where a NaN passes: one instruction on x86."""
    return k.select(k.lt(x, low), low, x)


def at_most(x: Expr, high: float) -> Expr:
    return k.select(k.gt(x, high), high, x)


def round_magic(x: Expr, factor: float) -> tuple[Expr, Expr]:
    """(n, n as an integer) for n = rint(x * factor), |n| < 2**21.

    The magic number puts n in the low mantissa bits: no conversion, no poison for NaN.
    """
    spec = SPEC[x.dtype]
    shifted = k.fma(x, factor, spec.magic)
    bits = k.bitcast(shifted, spec.int_type)
    return shifted - spec.magic, bits - float_bits(spec.magic, x.dtype)


def float_bits(value: float, dtype: DType) -> int:
    """The bits of a float constant as a signed integer."""
    kind = "i4" if dtype is float32 else "i8"
    return int(dtype.np.type(value).view(kind))


def small_int_to_float(n: Expr, dtype: DType) -> Expr:
    """An integer of the float's width as a float; |n| < 2**51 for float64.

    float64 by the magic number: vectors of int64 have no conversion before AVX-512.
    """
    if dtype is float32:
        return k.cast(n, float32)
    magic = SPEC[float64].magic
    return k.bitcast(n + float_bits(magic, float64), float64) - magic


def _ldexp(p: Expr, n: Expr) -> Expr:
    """In two steps, of which the second rounds: so denormals and overflow come out right."""
    spec = SPEC[p.dtype]
    whole = k.bitcast(n + spec.magic, spec.int_type) - float_bits(spec.magic, p.dtype)
    half = k.shr(whole, 1)
    return p * power_of_two(half, p.dtype) * power_of_two(whole - half, p.dtype)


def power_of_two(n: Expr, dtype: DType) -> Expr:
    """2**n for n in the range of normal numbers."""
    return k.bitcast(k.shl(n, SPEC[dtype].bits) + float_bits(1.0, dtype), dtype)


def exp_reduced(x: Expr) -> tuple[Expr, Expr, Expr]:
    """(r, n, n as an integer) with x = r + n * ln 2."""
    spec = SPEC[x.dtype]
    n, n_int = round_magic(x, 1 / math.log(2))
    return k.fma(n, -spec.ln2_lo, k.fma(n, -spec.ln2_hi, x)), n, n_int


def exp_core(x: Expr, low: Expr | None = None, power: int = 0, falls: bool = False) -> Expr:
    """exp(x + low) * 2**power, for |low| small against 1; falls: x is not above 0."""
    spec = SPEC[x.dtype]
    clamped = at_least(x, spec.exp_lo)
    r, n, _ = exp_reduced(clamped if falls else at_most(clamped, spec.exp_hi))
    if low is not None:
        r = r + low
    return k.prim("ldexp", horner(r, (*spec.exp, 1.0, 1.0)), n + float(power) if power else n)


def log_split(x: Expr) -> tuple[Expr, Expr]:
    """(f, e): x = (1 + f) * 2**e with 1 + f in [sqrt(1/2), sqrt(2)), e a float; normal x > 0."""
    spec = SPEC[x.dtype]
    root = float_bits(math.sqrt(0.5), x.dtype)
    i = k.bitcast(x, spec.int_type) - root
    e = k.shr(i, spec.bits)
    m = k.bitcast(k.prim("and", i, (1 << spec.bits) - 1) + root, x.dtype)
    return m - 1.0, small_int_to_float(e, x.dtype)


def log_poly(f: Expr, e: Expr) -> Expr:
    """log(1 + f) + e * ln 2."""
    spec = SPEC[f.dtype]
    half_square = f * f * 0.5
    if f.dtype is float32:
        z = f * f
        p = k.fma(e, spec.ln2_lo, horner(f, LOG32) * f * z)
        return k.fma(e, spec.ln2_hi, f + k.fma(z, -0.5, p))
    s = f / (f + 2.0)
    z = s * s
    tail = k.fma(s, half_square + z * horner(z, LOG64), e * spec.ln2_lo)
    return k.fma(e, spec.ln2_hi, f - (half_square - tail))


def log_core(x: Expr) -> Expr:
    """log(x) for finite x > 0, denormals included."""
    spec = SPEC[x.dtype]
    small = k.lt(x, spec.min_normal)
    up = float(spec.bits + 2)
    f, e = log_split(k.select(small, x * 2.0**up, x))
    return log_poly(f, e - k.select(small, Const(up, x.dtype), 0.0))


def log_domain(x: Expr, value: Expr, pole: float) -> Expr:
    """`value` for pole < x < inf; -inf at the pole, NaN below it, inf and NaN kept."""
    inside = k.and_(k.gt(x, pole), k.lt(x, math.inf))
    below = k.select(k.lt(x, pole), math.nan, x)
    return k.select(inside, value, k.select(k.eq(x, pole), Const(-math.inf, x.dtype), below))


def odd(x: Expr, magnitude: Expr, small: float) -> Expr:
    """copysign(magnitude, x), and x itself where |x| < small (denormals, signed zero)."""
    return k.select(k.lt(k.abs_(x), small), x, k.copysign(magnitude, x))


# ------------------------------------------------------------------ exponentials, logarithms
def _decay(x: Expr) -> Expr:
    return exp_core(x, falls=True)


def expm1_core(x: Expr) -> Expr:
    """expm1(x), but for |x| below the tiny bound."""
    spec = SPEC[x.dtype]
    clamped = at_most(at_least(x, spec.expm1_lo), spec.exp_hi - 1.0)
    r, _, n = exp_reduced(clamped)
    p = k.fma(r * r, horner(r, spec.exp), r)
    # half the power: 2**n overflows one binade before the result does
    half = power_of_two(n - 1, x.dtype)
    return k.fma(half, p, half - 0.5) * 2.0


def _expm1(x: Expr) -> Expr:
    return k.select(k.lt(k.abs_(x), SPEC[x.dtype].tiny ** 2), x, expm1_core(x))


def _log(x: Expr) -> Expr:
    return log_domain(x, log_core(x), 0.0)


def log1p_core(x: Expr) -> Expr:
    """log1p(x) for -1 < x < inf."""
    u = x + 1.0
    # what rounding 1 + x lost, to first order
    f, e = log_split(u)
    value = log_poly(f, e) + (x - (u - 1.0)) / u
    return k.select(k.eq(u, 1.0), x, value)


def _log1p(x: Expr) -> Expr:
    return log_domain(x, log1p_core(x), -1.0)


def _sigmoid(x: Expr) -> Expr:
    """From exp(-|x|), so that neither tail overflows or cancels."""
    e = _decay(-k.abs_(x))
    return k.select(k.lt(x, 0.0), e, 1.0) / (e + 1.0)


def _softplus(x: Expr) -> Expr:
    """From log(1 + u), u = exp(-|x|): at most one halving brings 1 + u next to 1."""
    u = _decay(-k.abs_(x))
    halved = k.gt(u, math.sqrt(2) - 1.0)
    f = k.select(halved, k.fma(u, 0.5, -0.5), u)
    return at_least(x, 0.0) + log_poly(f, k.select(halved, Const(1.0, x.dtype), 0.0))


# ------------------------------------------------------------------ hyperbolic
def _tanh(x: Expr) -> Expr:
    if x.dtype is float32:
        y = at_most(at_least(x, -TANH32_MAX), TANH32_MAX)
        z = y * y
        return y * horner(z, TANH32_P) / horner(z, TANH32_Q)
    t = expm1_core(at_most(k.abs_(x), 22.0) * 2.0)
    return odd(x, t / (t + 2.0), SPEC[x.dtype].tiny)


def _sinh(x: Expr) -> Expr:
    a = k.abs_(x)
    t = expm1_core(at_most(a, 40.0))
    small = (t + t / (t + 1.0)) * 0.5
    return odd(x, k.select(k.gt(a, 20.0), exp_core(a, power=-1), small), SPEC[x.dtype].tiny)


def _cosh(x: Expr) -> Expr:
    e = exp_core(k.abs_(x), power=-1)
    return e + Const(0.25, x.dtype) / e


def _asinh(x: Expr) -> Expr:
    a = k.abs_(x)
    big = 2.0 ** (SPEC[x.dtype].bits // 2 + 2)
    b = at_most(a, big)
    t = b + b * b / (k.sqrt(k.fma(b, b, 1.0)) + 1.0)
    large = log_core(at_least(a, 1.0)) + math.log(2)
    value = k.select(k.gt(a, big), large, log1p_core(t))
    return odd(x, k.select(k.eq(a, math.inf), a, value), SPEC[x.dtype].tiny)


def _acosh(x: Expr) -> Expr:
    big = 2.0 ** (SPEC[x.dtype].bits // 2 + 2)
    t = at_most(x, big) - 1.0
    near = log1p_core(t + k.sqrt(k.fma(t, t, t + t)))
    value = k.select(k.gt(x, big), log_core(x) + math.log(2), near)
    inside = k.and_(k.ge(x, 1.0), k.lt(x, math.inf))
    return k.select(inside, value, k.select(k.lt(x, 1.0), Const(math.nan, x.dtype), x))


def _atanh(x: Expr) -> Expr:
    a = k.abs_(x)
    value = _log1p((a + a) / (Const(1.0, x.dtype) - a)) * 0.5
    return odd(x, k.select(k.gt(a, 1.0), Const(math.nan, x.dtype), value), SPEC[x.dtype].tiny)


# ------------------------------------------------------------------ inverse trigonometric
def _asin_half(x: Expr) -> Expr:
    """asin(x) for 0 <= x <= 1/2."""
    z = x * x
    return k.fma(x * z, horner(z, SPEC[x.dtype].asin), x)


def _asin_parts(x: Expr) -> tuple[Expr, Expr, Expr]:
    """(|x| > 1/2, asin of |x| or of sqrt((1 - |x|) / 2), |x|); NaN outside [-1, 1]."""
    a = k.abs_(x)
    large = k.gt(a, 0.5)
    reduced = k.sqrt((Const(1.0, x.dtype) - a) * 0.5)
    return large, _asin_half(k.select(large, reduced, a)), a


def _asin(x: Expr) -> Expr:
    large, inner, _ = _asin_parts(x)
    value = k.select(large, Const(math.pi / 2, x.dtype) - (inner + inner), inner)
    return odd(x, value, SPEC[x.dtype].tiny)


def _acos(x: Expr) -> Expr:
    large, inner, _ = _asin_parts(x)
    twice = inner + inner
    pi_low = 1.2246467991473532e-16 if x.dtype is float64 else -8.742277657347586e-08
    far = k.select(k.lt(x, 0.0), Const(math.pi, x.dtype) - (twice - pi_low), twice)
    half_low = pi_low / 2
    near = Const(math.pi / 2, x.dtype) - (k.copysign(inner, x) - half_low)
    return k.select(large, far, near)


def _atan_parts(num: Expr, den: Expr) -> Expr:
    """atan(num / den) for num, den >= 0, not both 0 or infinite."""
    dtype = num.dtype
    big = k.gt(num, den * math.tan(3 * math.pi / 8))
    mid = k.gt(num, den * math.tan(math.pi / 8))
    top = k.select(big, -den, k.select(mid, num - den, num))
    bottom = k.select(big, num, k.select(mid, num + den, den))
    t = top / bottom
    z = t * t
    low = 6.123233995736766e-17 if dtype is float64 else -4.371139000186243e-08
    base = k.select(big, Const(math.pi / 2, dtype), k.select(mid, math.pi / 4, Const(0.0, dtype)))
    base_low = k.select(big, Const(low, dtype), k.select(mid, low / 2, Const(0.0, dtype)))
    return base + (k.fma(t * z, horner(z, SPEC[dtype].atan), t) + base_low)


def _atan(x: Expr) -> Expr:
    a = k.abs_(x)
    return odd(x, _atan_parts(a, Const(1.0, x.dtype)), SPEC[x.dtype].tiny)


# ------------------------------------------------------------------ algebra
def _recip(x: Expr) -> Expr:
    return Const(1, x.dtype) / x


def _rsqrt(x: Expr) -> Expr:
    return Const(1, x.dtype) / k.sqrt(x)


def _sign(x: Expr) -> Expr:
    """-1, 0, 1; a NaN stays, -0 becomes 0."""
    if x.dtype.is_unsigned:
        return k.select(k.eq(x, 0), x, 1)
    zero_or_nan = k.select(k.eq(x, 0), Const(0, x.dtype), x) if x.dtype.is_floating else x
    return k.select(k.gt(x, 0), Const(1, x.dtype), k.select(k.lt(x, 0), -1, zero_or_nan))


def _atan2(y: Expr, x: Expr) -> Expr:
    dtype = x.dtype
    up, across = k.abs_(y), k.abs_(x)
    # the sum of two huge numbers would overflow
    huge = k.or_(k.gt(up, 2.0**100), k.gt(across, 2.0**100))
    scale = k.select(huge, 0.25, Const(1.0, dtype))
    angle = _atan_parts(up * scale, across * scale)
    same = k.select(k.eq(up, 0.0), Const(0.0, dtype), math.pi / 4)
    angle = k.select(k.eq(up, across), same, angle)
    pi_low = 1.2246467991473532e-16 if dtype is float64 else -8.742277657347586e-08
    left = k.lt(k.copysign(Const(1.0, dtype), x), 0.0)
    turned = Const(math.pi, dtype) - (angle - pi_low)
    return k.copysign(k.select(left, turned, angle), y)


RULES: dict[str, Callable[..., Expr]] = {
    "recip": _recip,
    "rsqrt": _rsqrt,
    "sign": _sign,
    "ldexp": _ldexp,
    "exp": exp_core,
    "decay": _decay,
    "expm1": _expm1,
    "log": _log,
    "log1p": _log1p,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "tanh": _tanh,
    "sinh": _sinh,
    "cosh": _cosh,
    "asinh": _asinh,
    "acosh": _acosh,
    "atanh": _atanh,
    "asin": _asin,
    "acos": _acos,
    "atan": _atan,
    "atan2": _atan2,
}
