"""Integer division as LLVM instructions.

Lives here: floordiv, floormod, truncdiv on scalars and vectors, and the fast form for indices. Not
here: other primitives (render/vector_ops.py). Only render/vector*.py import this module.

Processors divide integers one lane at a time, floats in vectors. A quotient of numbers below 2**b
in a float of more than b mantissa bits is exact after rounding towards minus infinity: the nearest
wrong quotient is 1 / divisor away, more than half a unit in the last place.
"""

from __future__ import annotations

from graphc.ir.dtypes import DType, bool_, float32, float64, int64
from graphc.kernel.nest import FLAG_DIV
from graphc.render.vector_casts import cast
from graphc.render.vector_ops import Builder, constant_int, intrinsic, select
from graphc.render.vector_types import Value, constant, register_type, vector_type

# adding 1.5 * 2**52 puts an integer below 2**51 in the low bits of a float64
_MAGIC = 6755399441055744.0
_MAGIC_BITS = 0x4338000000000000


def divide(b: Builder, which: str, args: list[Value]) -> str:
    """floordiv, floormod or truncdiv of any integers: 0 and a flag where the divisor is 0."""
    x, y = args
    dtype, lanes = x.dtype, x.lanes
    fixed = constant_int(y)
    if fixed is not None and fixed not in (0, -1):
        return _quotient(b, which, x, y)
    zero = b.op(f"icmp eq {y.typed}, {_number(0, y)}")
    if fixed != -1:
        b.raise_flag(FLAG_DIV, Value(zero, bool_, lanes))
    bad = zero
    if dtype.kind == "i":
        # the least number divided by -1 traps
        minus = b.op(f"icmp eq {y.typed}, {_number(-1, y)}")
        bad = b.op(f"or {vector_type('i1', lanes)} {zero}, {minus}")
    safe = Value(select(b, bad, _number(1, y), y.text, dtype, lanes), dtype, lanes)
    if lanes > 1 and dtype.size <= 4:
        result = _in_floats(b, which, x, safe)
    else:
        result = _quotient(b, which, x, safe)
    if dtype.kind == "i":
        other = _number(0, x)
        if which != "floormod":
            other = b.op(f"sub {x.type} {_number(0, x)}, {x.text}")
        result = select(b, minus, other, result, dtype, lanes)
    return select(b, zero, _number(0, x), result, dtype, lanes)


def _number(value: int, like: Value) -> str:
    return constant(value, like.dtype, like.lanes).text


def _quotient(b: Builder, which: str, x: Value, y: Value) -> str:
    """In integers; the divisor is neither 0 nor -1."""
    kind, lanes, dtype = x.type, x.lanes, x.dtype
    if dtype.kind == "u":
        return b.op(f"{'urem' if which == 'floormod' else 'udiv'} {x.typed}, {y.text}")
    quotient = b.op(f"sdiv {x.typed}, {y.text}")
    if which == "truncdiv":
        return quotient
    product = b.op(f"mul {kind} {quotient}, {y.text}")
    rest = b.op(f"sub {kind} {x.text}, {product}")
    inexact = b.op(f"icmp ne {kind} {rest}, {_number(0, x)}")
    signs = b.op(f"xor {kind} {rest}, {y.text}")
    differ = b.op(f"icmp slt {kind} {signs}, {_number(0, x)}")
    adjust = b.op(f"and {vector_type('i1', lanes)} {inexact}, {differ}")
    if which == "floordiv":
        less = b.op(f"sub {kind} {quotient}, {_number(1, x)}")
        return select(b, adjust, less, quotient, dtype, lanes)
    more = b.op(f"add {kind} {rest}, {y.text}")
    return select(b, adjust, more, rest, dtype, lanes)


def _in_floats(b: Builder, which: str, x: Value, y: Value) -> str:
    """Of integers of at most 32 bits; the divisor is neither 0 nor -1."""
    dtype, lanes = x.dtype, x.lanes
    wide: DType = float32 if dtype.size <= 2 else float64
    top, bottom = (Value(cast(b, v, wide), wide, lanes) for v in (x, y))
    ratio = Value(b.op(f"fdiv {top.typed}, {bottom.text}"), wide, lanes)
    if which != "truncdiv" and dtype.kind == "i":
        ratio = Value(intrinsic(b, "floor", [ratio]), wide, lanes)
    quotient = cast(b, ratio, dtype)
    if which != "floormod":
        return quotient
    product = b.op(f"mul {x.type} {quotient}, {y.text}")
    return b.op(f"sub {x.type} {x.text}, {product}")


def divide_indices(b: Builder, which: str, args: list[Value]) -> str:
    """floordiv or floormod of int64 vectors below 2**51, as positions in memory are."""
    x, y = args
    lanes = x.lanes
    fixed = constant_int(y)
    zero = None
    if fixed is None or fixed == 0:
        zero = b.op(f"icmp eq {y.typed}, {_number(0, y)}")
        b.raise_flag(FLAG_DIV, Value(zero, bool_, lanes))
    top, bottom = _to_float(b, x), _to_float(b, y)
    kind = register_type(float64, lanes)
    ratio = b.op(f"fdiv {kind} {top}, {bottom}")
    magic = constant(_MAGIC, float64, lanes).text
    shifted = b.op(f"fadd {kind} {ratio}, {magic}")
    near = b.op(f"fsub {kind} {shifted}, {magic}")
    above = b.op(f"fcmp ogt {kind} {near}, {ratio}")
    if which == "floordiv":
        step = b.op(f"sext {vector_type('i1', lanes)} {above} to {x.type}")
        result = b.op(f"add {x.type} {_from_shifted(b, shifted, lanes)}, {step}")
    else:
        one, nothing = (constant(v, float64, lanes).text for v in (1.0, 0.0))
        less = select(b, above, one, nothing, float64, lanes)
        floor = b.op(f"fsub {kind} {near}, {less}")
        product = b.op(f"fmul {kind} {floor}, {bottom}")
        rest = b.op(f"fsub {kind} {top}, {product}")
        result = _from_shifted(b, b.op(f"fadd {kind} {rest}, {magic}"), lanes)
    return result if zero is None else select(b, zero, _number(0, x), result, int64, lanes)


def _to_float(b: Builder, x: Value) -> str:
    kind = register_type(float64, x.lanes)
    fixed = constant_int(x)
    if fixed is not None:
        return constant(float(fixed), float64, x.lanes).text
    shifted = b.op(f"add {x.typed}, {_number(_MAGIC_BITS, x)}")
    bits = b.op(f"bitcast {x.type} {shifted} to {kind}")
    return b.op(f"fsub {kind} {bits}, {constant(_MAGIC, float64, x.lanes).text}")


def _from_shifted(b: Builder, shifted: str, lanes: int) -> str:
    kind = register_type(int64, lanes)
    bits = b.op(f"bitcast {register_type(float64, lanes)} {shifted} to {kind}")
    return b.op(f"sub {kind} {bits}, {constant(_MAGIC_BITS, int64, lanes).text}")
