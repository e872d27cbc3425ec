"""Vector math: sin, cos, tan as expressions of cheap primitives.

Lives here: argument reduction and the rules of sin, cos, tan for kernel/approx.py. Not here:
the inverse functions (kernel/approx.py), coefficients (kernel/approx_data.py).

x = n pi/2 + r with |r| <= pi/4. Moderate arguments subtract n pi/2 in parts (Cody and Waite);
huge ones multiply the mantissa by the right window of the bits of 2/pi (Payne and Hanek), in
integers, behind a Rarely. Both keep r to full relative precision, next to multiples of pi/2 too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from graphc.ir.dtypes import float32, float64, int32, int64, uint64
from graphc.kernel import prims as k
from graphc.kernel.approx import Rarely, horner, round_magic
from graphc.kernel.approx_data import SPEC, TWO_OVER_PI_32, TWO_OVER_PI_54
from graphc.kernel.expr import Const, Expr

# beyond these, n times the first part of pi/2 is no longer exact
_MODERATE = {float32: 2.0**22, float64: 2.0**20}


def _reduced(x: Expr) -> tuple[Expr, Expr, Expr]:
    """(n as an integer of x's width, r, what rounding r lost)."""
    huge = k.gt(k.abs_(x), _MODERATE[x.dtype])
    n, r, low = _reduced_32(x) if x.dtype is float32 else _reduced_64(x)
    far_n, far_r = _far_32(x) if x.dtype is float32 else _far_64(x)
    # x - x makes a NaN of infinity
    far_r = far_r + (x - x)
    return (
        Rarely(huge, far_n, n),
        Rarely(huge, far_r, r),
        k.select(huge, Const(0.0, x.dtype), low),
    )


def _reduced_32(x: Expr) -> tuple[Expr, Expr, Expr]:
    """In float64: float32 has too few bits to keep r precise near multiples of pi/2."""
    n, n_int = round_magic(x, 2 / math.pi)
    wide = k.cast(n, float64)
    # the first part has 30 bits: n times it is exact, with or without fused multiply-add
    r = k.fma(wide, -1.570796325802803, k.cast(x, float64))
    r = k.fma(wide, -9.920935796805404e-10, r)
    return n_int, k.cast(r, float32), Const(0.0, float32)


def _reduced_64(x: Expr) -> tuple[Expr, Expr, Expr]:
    """Three parts of pi/2 of 33 bits each; r as a sum of two numbers."""
    n, n_int = round_magic(x, 2 / math.pi)
    first = k.fma(n, -1.57079632673412561417, x)
    second = n * 6.07710050630396597660e-11
    near = first - second
    lost = (first - near) - second
    lost = k.fma(n, -2.02226624879595063154e-21, lost)
    r = near + lost
    return n_int, r, (near - r) + lost


# ------------------------------------------------------------------ huge arguments
def _u64(value: int) -> Const:
    return Const(value, uint64)


def _chosen(table: Sequence[Expr], index: Expr, count: int, bits: int) -> list[Expr]:
    """table[index : index + count], by one select a bit of the index."""
    words = list(table)
    for bit in reversed(range(bits)):
        step = 1 << bit
        wanted = step - 1 + count
        on = k.ne(k.prim("and", index, step), 0)
        words = [
            k.select(on, words[min(i + step, len(words) - 1)], words[i])
            for i in range(min(wanted, len(words)))
        ]
    return words[:count]


def _signed_quarter(top: Expr, x: Expr) -> tuple[Expr, Expr]:
    """From |x| 2/pi mod 4 in 2.62 bits: (n, signed fraction * 2**62) of x, both int64."""
    n = k.shr(top + (1 << 61), 62)
    rest = k.cast(top - k.shl(n, 62), int64)
    signed = k.cast(n, int64)
    negative = k.lt(x, 0.0)
    return k.select(negative, -signed, signed), k.select(negative, -rest, rest)


def _far_32(x: Expr) -> tuple[Expr, Expr]:
    """(n, r) for 2**22 <= |x| < inf."""
    bits = k.cast(k.bitcast(x, int32), uint64)
    mantissa = k.prim("or", k.prim("and", bits, 0x7FFFFF), 0x800000)
    # x = mantissa * 2**e; bits of 2/pi before e - 1 give multiples of 4. One word of zeros in
    # front keeps the offset e - 2 + 32 positive.
    exponent = k.prim("and", k.shr(bits, 23), 0xFF)
    offset = exponent - (150 + 2 - 32)
    index, shift = k.shr(offset, 5), k.prim("and", offset, 31)
    table = [_u64(0), *(_u64(word) for word in TWO_OVER_PI_32)]
    words = _chosen(table, index, 4, 3)
    high, middle, low = (
        k.shr(k.shl(k.prim("or", k.shl(words[i], 32), words[i + 1]), shift), 32) for i in range(3)
    )
    carry = k.shr(mantissa * low, 32) + mantissa * middle
    top = carry + k.shl(mantissa * high, 32)
    n, rest = _signed_quarter(top, x)
    r = k.cast(rest, float64) * (math.pi / 2 * 2.0**-62)
    return k.cast(n, int32), k.cast(r, float32)


def _far_64(x: Expr) -> tuple[Expr, Expr]:
    """(n, r) for 2**20 <= |x| < inf: 53 bits times a window of 216 bits, in digits of 27 bits."""
    bits = k.bitcast(x, uint64)
    mantissa = k.prim("or", k.prim("and", bits, (1 << 52) - 1), 1 << 52)
    exponent = k.prim("and", k.shr(bits, 52), 0x7FF)
    # as in _far_32, with one word of 54 zeros in front
    offset = exponent - (1075 + 2 - 54)
    # offset // 54 for offsets below 2048
    index = k.shr(offset * 1214, 16)
    shift = offset - index * 54
    table = [_u64(0), *(_u64(word) for word in TWO_OVER_PI_54)]
    words = _chosen(table, index, 4, 5)
    window = [digit for word in reversed(words) for digit in _digits(word, 2)]
    low = k.prim("and", mantissa, (1 << 27) - 1)
    factor = _shifted_digits(low, k.shr(mantissa, 27), shift)
    digits = _product_digits(window, factor)
    return _quarter_64(digits, x)


def _digits(word: Expr, count: int) -> list[Expr]:
    """27-bit digits, lowest first."""
    return [k.prim("and", k.shr(word, 27 * i), (1 << 27) - 1) for i in range(count)]


def _shifted_digits(low: Expr, high: Expr, shift: Expr) -> list[Expr]:
    """(high * 2**27 + low) << shift as four digits, shift < 54."""
    far = k.ge(shift, 27)
    inner = k.select(far, shift - 27, shift)
    first = k.shl(low, inner)
    second = k.shl(high, inner) + k.shr(first, 27)
    mask = (1 << 27) - 1
    digits = [k.prim("and", first, mask), k.prim("and", second, mask), k.shr(second, 27)]
    zero = _u64(0)
    return [
        k.select(far, zero, digits[0]),
        k.select(far, digits[0], digits[1]),
        k.select(far, digits[1], digits[2]),
        k.select(far, digits[2], zero),
    ]


def _product_digits(a: Sequence[Expr], b: Sequence[Expr]) -> list[Expr]:
    """The low len(a) digits of a * b, lowest first."""
    carry: Expr | None = None
    out = []
    for column in range(len(a)):
        total = carry
        for j, digit in enumerate(b[: column + 1]):
            term = a[column - j] * digit
            total = term if total is None else total + term
        assert total is not None
        out.append(k.prim("and", total, (1 << 27) - 1))
        carry = k.shr(total, 27)
    return out


def _quarter_64(digits: Sequence[Expr], x: Expr) -> tuple[Expr, Expr]:
    """(n, r) from the digits of |x| 2/pi mod 4, two bits before the point."""
    top = k.shl(digits[7], 37) + k.shl(digits[6], 10) + k.shr(digits[5], 17)
    below = k.shl(k.prim("and", digits[5], (1 << 17) - 1), 27) + digits[4]
    n = k.shr(top + (1 << 61), 62)
    rest = k.cast(top - k.shl(n, 62), int64)
    tail = k.fma(_float(digits[3]), 2.0**-71, _float(below) * 2.0**-44)
    r = (_float(rest) + tail) * (math.pi / 2 * 2.0**-62)
    signed = k.cast(n, int64)
    negative = k.lt(x, 0.0)
    return k.select(negative, -signed, signed), k.select(negative, -r, r)


def _float(value: Expr) -> Expr:
    return k.cast(k.cast(value, int64), float64)


# ------------------------------------------------------------------ the functions
def _sine(r: Expr, low: Expr) -> Expr:
    z = r * r
    return r + k.fma(z * r, horner(z, SPEC[r.dtype].sin), low)


def _cosine(r: Expr, low: Expr) -> Expr:
    z = r * r
    half = z * 0.5
    main = Const(1.0, r.dtype) - half
    lost = (Const(1.0, r.dtype) - main) - half
    return main + k.fma(z * z, horner(z, SPEC[r.dtype].cos), lost - r * low)


def _wave(x: Expr, quarters: int) -> Expr:
    """sin(x + quarters * pi/2)."""
    spec = SPEC[x.dtype]
    n, r, low = _reduced(x)
    if quarters:
        n = n + quarters
    odd = k.ne(k.prim("and", n, 1), 0)
    value = k.select(odd, _cosine(r, low), _sine(r, low))
    sign = k.shl(k.prim("and", n, 2), 8 * x.dtype.size - 2)
    return k.bitcast(k.prim("xor", k.bitcast(value, spec.int_type), sign), x.dtype)


def _sin(x: Expr) -> Expr:
    return k.select(k.lt(k.abs_(x), SPEC[x.dtype].tiny), x, _wave(x, 0))


def _cos(x: Expr) -> Expr:
    return _wave(x, 1)


def _tan(x: Expr) -> Expr:
    n, r, low = _reduced(x)
    odd = k.ne(k.prim("and", n, 1), 0)
    sine, cosine = _sine(r, low), _cosine(r, low)
    value = k.select(odd, -cosine, sine) / k.select(odd, sine, cosine)
    return k.select(k.lt(k.abs_(x), SPEC[x.dtype].tiny), x, value)


RULES: dict[str, Callable[..., Expr]] = {"sin": _sin, "cos": _cos, "tan": _tan}
