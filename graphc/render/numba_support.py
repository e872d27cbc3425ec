"""The small functions that generated Numba source calls: their meaning in plain Python.

Lives here: typed scalar names (f32, i64, ...) and, for what Python and Numba do not say alike,
one function each on NumPy scalars: exact, slow, the oracle of tests. Not here: what Numba compiles
instead (render/numba_lowering.py, one LLVM snippet a function). Generated source imports this
module; it imports only NumPy.

Half-width floats stay in memory as their 16 bits (uint16) and are computed with as f32.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

f32, f64 = np.float32, np.float64
i8, i16, i32, i64 = np.int8, np.int16, np.int32, np.int64
u8, u16, u32, u64 = np.uint8, np.uint16, np.uint32, np.uint64
inf, nan = np.inf, np.nan

FLAG_INDEX = 1
FLAG_DIV = 2


# ------------------------------------------------------------------ arithmetic
def fma(a: Any, b: Any, c: Any) -> Any:
    """a * b + c, rounded once."""
    if isinstance(a, np.float32):
        return _fma_float32(a, b, c)
    x, y, z = float(a), float(b), float(c)
    if not (math.isfinite(x) and math.isfinite(y) and math.isfinite(z)):
        return f64(a) * f64(b) + f64(c)
    exact = Fraction(x) * Fraction(y) + Fraction(z)
    if exact == 0:
        return f64(a) * f64(b) + f64(c)  # the sign of a zero
    try:
        return f64(float(exact))
    except OverflowError:
        return f64(inf if exact > 0 else -inf)


def _fma_float32(a: Any, b: Any, c: Any) -> Any:
    """The product is exact in f64; the sum is rounded to odd there, so that f32 rounds it right."""
    product, addend = f64(a) * f64(b), f64(c)
    total = product + addend
    if not np.isfinite(total):
        return f32(total)
    part = total - product
    error = (product - (total - part)) + (addend - part)
    if error != 0 and not total.view(i64) & 1:
        total = np.nextafter(total, f64(inf if error > 0 else -inf))
    return f32(total)


def maximum(a: Any, b: Any) -> Any:
    """The larger one; a NaN wins; +0 is above -0."""
    if a != a or a > b:
        return a
    return a + b if a == b == 0 and isinstance(a, np.floating) else b


def minimum(a: Any, b: Any) -> Any:
    """The smaller one; a NaN wins; -0 is below +0."""
    if a != a or a < b:
        return a
    if a == b == 0 and isinstance(a, np.floating):
        return -(-a + -b)
    return b


def where(condition: Any, yes: Any, no: Any) -> Any:
    """yes or no; both were evaluated."""
    return yes if condition else no


def add_to(total: Any, value: Any) -> Any:
    """total + value, where the order of the additions is free."""
    return total + value


def mul_to(total: Any, value: Any) -> Any:
    """total * value, where the order of the multiplications is free."""
    return total * value


def wrap_add(a: Any, b: Any) -> Any:
    """a + b on int64, modulo 2**64."""
    return a + b


def wrap_sub(a: Any, b: Any) -> Any:
    """a - b on int64, modulo 2**64."""
    return a - b


def wrap_mul(a: Any, b: Any) -> Any:
    """a * b on int64, modulo 2**64."""
    return a * b


def sqrt(x: Any) -> Any:
    return np.sqrt(x)


def floor(x: Any) -> Any:
    return np.floor(x)


def ceil(x: Any) -> Any:
    return np.ceil(x)


def rint(x: Any) -> Any:
    """To the nearest integer, half to even."""
    return np.rint(x)


def trunc(x: Any) -> Any:
    return np.trunc(x)


def copysign(x: Any, sign: Any) -> Any:
    return np.copysign(x, sign)


def fmod(a: Any, b: Any) -> Any:
    """The remainder with the dividend's sign."""
    return np.fmod(a, b)


def ipow(base: Any, exponent: Any) -> Any:
    """base ** exponent on integers by squaring; an exponent below 0 counts as 0."""
    kind = type(base)
    result, square, rest = kind(1), base, int(exponent)
    while rest > 0:
        if rest & 1:
            result = kind(result * square)
        square = kind(square * square)
        rest >>= 1
    return result


def floordiv(a: Any, b: Any) -> Any:
    """a // b on integers, rounded down; 0 where b is 0."""
    return type(a)(0) if b == 0 else np.floor_divide(a, b)


def floormod(a: Any, b: Any) -> Any:
    """a % b on integers with the divisor's sign; 0 where b is 0."""
    return type(a)(0) if b == 0 else np.mod(a, b)


def truncdiv(a: Any, b: Any) -> Any:
    """a / b on integers, rounded towards zero; 0 where b is 0."""
    if b == 0:
        return type(a)(0)
    quotient = abs(int(a)) // abs(int(b))
    signed = quotient if (a < 0) == (b < 0) else -quotient
    return u64(signed % (1 << 64)).astype(a.dtype)


def shift_left(a: Any, b: Any) -> Any:
    """a << b; 0 where b is not a position of a bit."""
    return np.left_shift(a, b)


def shift_right(a: Any, b: Any) -> Any:
    """a >> b, arithmetic for signed; all sign bits where b is not a position of a bit."""
    return np.right_shift(a, b)


# ------------------------------------------------------------------ checks that raise a flag
def check_index(index: Any, extent: Any, status: Any) -> Any:
    """The index clamped into [0, extent); raises the index flag where it was outside."""
    if not 0 <= index < extent:
        status[0] |= FLAG_INDEX
    return clamp_index(index, extent)


def clamp_index(index: Any, extent: Any) -> Any:
    return i64(max(0, min(index, extent - 1)))


def check_divisor(divisor: Any, status: Any) -> Any:
    """The divisor; raises the division flag where it is 0."""
    if divisor == 0:
        status[0] |= FLAG_DIV
    return divisor


# ------------------------------------------------------------------ conversions
def _to_signed(x: Any, bits: int) -> int:
    """As the processor does it: what does not fit (a NaN as well) is the smallest integer."""
    limit = 1 << (bits - 1)
    return int(x) if -limit <= np.trunc(x) < limit else -limit


def to_i8(x: Any) -> Any:
    return i32(_to_signed(x, 32)).astype(i8)


def to_i16(x: Any) -> Any:
    return i32(_to_signed(x, 32)).astype(i16)


def to_i32(x: Any) -> Any:
    return i32(_to_signed(x, 32))


def to_i64(x: Any) -> Any:
    return i64(_to_signed(x, 64))


def to_u8(x: Any) -> Any:
    return i32(_to_signed(x, 32)).astype(u8)


def to_u16(x: Any) -> Any:
    return i32(_to_signed(x, 32)).astype(u16)


def to_u32(x: Any) -> Any:
    return i64(_to_signed(x, 64)).astype(u32)


def to_u64(x: Any) -> Any:
    high = 2.0**63 <= x < 2.0**64
    return u64(int(x)) if high else i64(_to_signed(x, 64)).astype(u64)


def bits_i32(x: Any) -> Any:
    return x.view(i32)


def bits_i64(x: Any) -> Any:
    return x.view(i64)


def bits_u16(x: Any) -> Any:
    return x.view(u16)


def bits_i16(x: Any) -> Any:
    return x.view(i16)


def bits_u32(x: Any) -> Any:
    return x.view(u32)


def bits_u64(x: Any) -> Any:
    return x.view(u64)


def bits_f32(x: Any) -> Any:
    return x.view(f32)


def bits_f64(x: Any) -> Any:
    return x.view(f64)


# ------------------------------------------------------------------ half-width floats
def load_f16(bits: Any) -> Any:
    """The value of float16 bits."""
    return f32(u16(bits).view(np.float16))


def store_f16(x: Any) -> Any:
    """The float16 bits of a value, rounded to nearest even."""
    return np.float16(x).view(u16)


def load_bf16(bits: Any) -> Any:
    """The value of bfloat16 bits."""
    return u32(u32(bits) << u32(16)).view(f32)


def store_bf16(x: Any) -> Any:
    """The bfloat16 bits of a value, rounded to nearest even."""
    bits = x.view(u32)
    if x != x:
        return u16((bits >> u32(16)) & u32(0x8000) | u32(0x7FC0))
    return u16((int(bits) + 0x7FFF + ((int(bits) >> 16) & 1)) >> 16)


def to_odd_f32(x: Any) -> Any:
    """A float64 as float32 rounded to odd: a later rounding to half width is then the right one."""
    near = f32(x)
    if f64(near) == x or not np.isfinite(near):
        # an overflow stays one in half width
        return near
    bits = int(near.view(u32))
    if abs(f64(near)) > abs(x):
        bits -= 1
    return u32(bits | 1).view(f32)
