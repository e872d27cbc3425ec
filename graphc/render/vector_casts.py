"""Conversions between element types as LLVM instructions.

Lives here: the meaning of Cast (NumPy's astype), the two half formats. Not here: other
primitives (render/vector_ops.py). Only render/vector*.py import this module.
"""

from __future__ import annotations

from graphc.ir.dtypes import (
    DType,
    bool_,
    float16,
    float32,
    float64,
    int32,
    int64,
    uint32,
    uint64,
)
from graphc.render.vector_ops import Builder, intrinsic, select
from graphc.render.vector_types import Value, constant, register_type, vector_type


def cast(b: Builder, x: Value, to: DType) -> str:
    """x converted to `to`, with as many lanes."""
    if x.dtype is to:
        return x.text
    if x.dtype.is_half:
        return cast(b, Value(half_to_float(b, x), float32, x.lanes), to)
    if to is bool_:
        return _to_bool(b, x)
    if to.is_half:
        return _to_half(b, x, to)
    if x.dtype.kind == "f":
        return _from_float(b, x, to)
    return _from_integer(b, x, to)


_type = register_type


def _to_bool(b: Builder, x: Value) -> str:
    zero = constant(0, x.dtype, x.lanes).text
    return b.op(f"{'fcmp une' if x.dtype.kind == 'f' else 'icmp ne'} {x.typed}, {zero}")


def _from_integer(b: Builder, x: Value, to: DType) -> str:
    kind = _type(to, x.lanes)
    signed = x.dtype.kind == "i"
    if to.kind == "f":
        return b.op(f"{'sitofp' if signed else 'uitofp'} {x.typed} to {kind}")
    if x.dtype is not bool_ and x.dtype.size == to.size:
        return x.text
    if x.dtype is not bool_ and x.dtype.size > to.size:
        return b.op(f"trunc {x.typed} to {kind}")
    return b.op(f"{'sext' if signed else 'zext'} {x.typed} to {kind}")


def _from_float(b: Builder, x: Value, to: DType) -> str:
    if to.kind == "f":
        word = "fpext" if to.size > x.dtype.size else "fptrunc"
        return b.op(f"{word} {x.typed} to {_type(to, x.lanes)}")
    if to in (uint32, uint64):
        return _float_to_unsigned(b, x, to)
    # small types: what compilers for x86 do, convert to int32 and keep the low bits
    wide = to if to in (int32, int64) else int32
    number = b.op(f"fptosi {x.typed} to {_type(wide, x.lanes)}")
    # out of range it is poison; frozen it is what the instruction gives
    frozen = Value(b.op(f"freeze {_type(wide, x.lanes)} {number}"), wide, x.lanes)
    return frozen.text if wide.size == to.size else _from_integer(b, frozen, to)


def _float_to_unsigned(b: Builder, x: Value, to: DType) -> str:
    """In two halves of the range, each by the signed conversion; negative numbers wrap."""
    bits = 8 * to.size
    limit = constant(2.0 ** (bits - 1), x.dtype, x.lanes).text
    big = b.op(f"fcmp oge {x.typed}, {limit}")
    less = b.op(f"fsub {x.typed}, {limit}")
    inside = select(b, big, less, x.text, x.dtype, x.lanes)
    kind = _type(to, x.lanes)
    number = b.op(f"fptosi {x.type} {inside} to {kind}")
    frozen = b.op(f"freeze {kind} {number}")
    flipped = b.op(f"xor {kind} {frozen}, {constant(1 << (bits - 1), to, x.lanes).text}")
    return select(b, big, flipped, frozen, to, x.lanes)


# ------------------------------------------------------------------ half formats
def half_to_float(b: Builder, x: Value) -> str:
    """float16 or bfloat16 to float32, exactly."""
    if x.dtype is float16:
        return b.op(f"fpext {x.typed} to {_type(float32, x.lanes)}")
    wide = vector_type("i32", x.lanes)
    bits = b.op(f"zext {x.typed} to {wide}")
    high = b.op(f"shl {wide} {bits}, {constant(16, int32, x.lanes).text}")
    return b.op(f"bitcast {wide} {high} to {_type(float32, x.lanes)}")


def _to_half(b: Builder, x: Value, to: DType) -> str:
    """Round to nearest even."""
    if x.dtype is float64:
        single = _round_to_odd(b, x) if to is float16 else _from_float(b, x, float32)
    else:
        single = x.text if x.dtype is float32 else _from_integer(b, x, float32)
    value = Value(single, float32, x.lanes)
    if to is float16:
        return b.op(f"fptrunc {value.typed} to {vector_type('half', x.lanes)}")
    return _float_to_bfloat16(b, value)


def _float_to_bfloat16(b: Builder, x: Value) -> str:
    lanes = x.lanes
    wide, narrow = vector_type("i32", lanes), vector_type("i16", lanes)

    def number(value: int) -> str:
        return constant(value, int32, lanes).text

    bits = b.op(f"bitcast {x.typed} to {wide}")
    high = b.op(f"lshr {wide} {bits}, {number(16)}")
    even = b.op(f"and {wide} {high}, {number(1)}")
    half = b.op(f"add {wide} {even}, {number(0x7FFF)}")
    rounded = b.op(f"add {wide} {bits}, {half}")
    top = b.op(f"lshr {wide} {rounded}, {number(16)}")
    # rounding could carry a NaN into infinity: keep its sign, make it quiet
    sign = b.op(f"and {wide} {high}, {number(0x8000)}")
    nan = b.op(f"or {wide} {sign}, {number(0x7FC0)}")
    unordered = b.op(f"fcmp uno {x.typed}, {x.text}")
    chosen = select(b, unordered, nan, top, int32, lanes)
    return b.op(f"trunc {wide} {chosen} to {narrow}")


def _round_to_odd(b: Builder, x: Value) -> str:
    """float64 to a float32 that rounds to float16 as the float64 would.

    Where the conversion is inexact, the neighbour towards zero with its last bit set.
    """
    lanes = x.lanes
    single, wide = _type(float32, lanes), vector_type("i32", lanes)
    near = b.op(f"fptrunc {x.typed} to {single}")
    back = Value(b.op(f"fpext {single} {near} to {x.type}"), float64, lanes)
    bits = b.op(f"bitcast {single} {near} to {wide}")
    beyond = b.op(f"fcmp ogt {x.type} {intrinsic(b, 'fabs', [back])}, {intrinsic(b, 'fabs', [x])}")
    inexact = b.op(f"fcmp one {x.typed}, {back.text}")
    step = b.op(f"sext {vector_type('i1', lanes)} {beyond} to {wide}")
    down = b.op(f"add {wide} {bits}, {step}")
    sticky = b.op(f"zext {vector_type('i1', lanes)} {inexact} to {wide}")
    odd = b.op(f"or {wide} {down}, {sticky}")
    return b.op(f"bitcast {wide} {odd} to {single}")
