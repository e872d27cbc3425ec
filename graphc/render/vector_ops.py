"""Primitives as LLVM instructions, on scalars and vectors alike.

Lives here: one text rule for each base primitive, casts, monoid combination. Not here: loops,
memory (render/vector_loops.py, render/vector_memory.py). Only render/vector*.py import this module.

Every rule is total: no poison and no trap for any argument. Integer division takes a safe divisor,
shifts by too much give what NumPy gives, float to integer conversions out of range are frozen
(x86 then gives the same "indefinite" value as NumPy's casts).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from graphc.errors import CompileError
from graphc.ir.dtypes import (
    DType,
    bool_,
)
from graphc.kernel.nest import FLAG_INDEX
from graphc.render.vector_types import (
    Value,
    constant,
    register_type,
    scalar_type,
    splat_text,
    suffix,
    vector_type,
)


class Builder(Protocol):
    """What the rules need: a place to put instructions."""

    def op(self, instruction: str) -> str:
        """Append `%v = instruction`; its name."""

    def call(self, name: str, result: str, args: list[str]) -> str:
        """Append a call of an intrinsic (declared on the way); its name."""

    def raise_flag(self, flag: int, bad: Value) -> None:
        """Status bit `flag` is raised where `bad` (i1) holds and the lane is active."""


Rule = Callable[[Builder, list[Value], DType, int], str]


def emit_prim(b: Builder, name: str, args: list[Value], dtype: DType, lanes: int) -> str:
    """The text of the result; all args have `lanes` lanes.

    Raises:
        CompileError: the primitive has no meaning for the dtype.
    """
    rule = RULES.get(name)
    if rule is None and name in ("floordiv", "floormod", "truncdiv"):
        from graphc.render.vector_divide import divide

        return divide(b, name, args)
    if name == "ldexp":
        from graphc.render.vector_native import scaled

        return scaled(b, args)
    if rule is None:
        raise CompileError(f"the vector printer does not know the primitive {name!r}")
    return rule(b, args, dtype, lanes)


def kind_of(dtype: DType) -> str:
    """ "f" float, "i" signed, "u" unsigned, "b" bool."""
    return dtype.kind


def _const(value: float, like: Value) -> str:
    return constant(value, like.dtype, like.lanes).text


_type = register_type


def select(b: Builder, cond: str, yes: str, no: str, dtype: DType, lanes: int) -> str:
    kind = _type(dtype, lanes)
    return b.op(f"select {vector_type('i1', lanes)} {cond}, {kind} {yes}, {kind} {no}")


def intrinsic(b: Builder, name: str, args: list[Value], extra: str = "") -> str:
    """A call of llvm.name on values of one type."""
    first = args[0]
    full = f"llvm.{name}.{suffix(scalar_type(first.dtype), first.lanes)}"
    texts = [a.typed for a in args] + ([extra] if extra else [])
    return b.call(full, first.type, texts)


# ------------------------------------------------------------------ arithmetic
_INSTRUCTION = {
    "add": {"f": "fadd", "i": "add", "u": "add", "b": "or"},
    "sub": {"f": "fsub", "i": "sub", "u": "sub"},
    "mul": {"f": "fmul", "i": "mul", "u": "mul", "b": "and"},
    "div": {"f": "fdiv"},
    "and": {"i": "and", "u": "and", "b": "and"},
    "or": {"i": "or", "u": "or", "b": "or"},
    "xor": {"i": "xor", "u": "xor", "b": "xor"},
}


def _plain(name: str) -> Rule:
    table = _INSTRUCTION[name]

    def rule(b: Builder, args: list[Value], dtype: DType, lanes: int) -> str:
        word = table.get(args[0].dtype.kind)
        if word is None:
            raise CompileError(f"{name} has no meaning for {args[0].dtype.name}")
        return b.op(f"{word} {args[0].typed}, {args[1].text}")

    return rule


_COMPARE = {
    "eq": {"f": "oeq", "i": "eq", "u": "eq", "b": "eq"},
    "ne": {"f": "une", "i": "ne", "u": "ne", "b": "ne"},
    "lt": {"f": "olt", "i": "slt", "u": "ult", "b": "ult"},
    "le": {"f": "ole", "i": "sle", "u": "ule", "b": "ule"},
    "gt": {"f": "ogt", "i": "sgt", "u": "ugt", "b": "ugt"},
    "ge": {"f": "oge", "i": "sge", "u": "uge", "b": "uge"},
}


def compare(b: Builder, name: str, x: Value, y: Value) -> str:
    kind = x.dtype.kind
    word = "fcmp" if kind == "f" else "icmp"
    return b.op(f"{word} {_COMPARE[name][kind]} {x.typed}, {y.text}")


def _compare_rule(name: str) -> Rule:
    return lambda b, args, dtype, lanes: compare(b, name, args[0], args[1])


def _is_number_constant(value: Value) -> bool:
    """A float constant that is not NaN."""
    text = value.text.removeprefix("splat (").split(" ")[-1].rstrip(")")
    if not text.startswith("0x"):
        return False
    exponent = (int(text, 16) >> 52) & 0x7FF
    return exponent != 0x7FF or int(text, 16) & ((1 << 52) - 1) == 0


def extreme(b: Builder, largest: bool, x: Value, y: Value) -> str:
    """max or min; a NaN in either wins.

    `x > y ? x : y` is one instruction on x86 and gives y where either is NaN, `y > x ? y : x`
    gives x. Where none is NaN the two are equal, so that their bits joined by "or" are right, and
    NaN where one is. Comparing with NaN instead needs mask registers, of which AVX-512 processors
    have so few that loads do not run ahead: maxima of columns took 1.7 times as long as sums.
    llvm.maximum costs six instructions, because it also orders the zeros.
    """
    kind = x.dtype.kind
    if kind == "b":
        return b.op(f"{'or' if largest else 'and'} {x.typed}, {y.text}")
    if kind != "f":
        sign = "s" if kind == "i" else "u"
        return intrinsic(b, f"{sign}{'max' if largest else 'min'}", [x, y])
    if _is_number_constant(y):
        x, y = y, x
    best = _either(b, largest, x, y)
    if _is_number_constant(x):
        return best
    bits = vector_type(f"i{8 * x.dtype.size}", x.lanes)
    one = b.op(f"bitcast {x.type} {best} to {bits}")
    two = b.op(f"bitcast {x.type} {_either(b, largest, y, x)} to {bits}")
    return b.op(f"bitcast {bits} {b.op(f'or {bits} {one}, {two}')} to {x.type}")


def _either(b: Builder, largest: bool, x: Value, y: Value) -> str:
    """x where it is the extreme, else y."""
    cond = b.op(f"fcmp {'ogt' if largest else 'olt'} {x.typed}, {y.text}")
    return select(b, cond, x.text, y.text, x.dtype, x.lanes)


def _neg(b: Builder, args: list[Value], dtype: DType, lanes: int) -> str:
    x = args[0]
    if dtype.kind == "f":
        return b.op(f"fneg {x.typed}")
    return b.op(f"sub {x.type} {_const(0, x)}, {x.text}")


def _abs(b: Builder, args: list[Value], dtype: DType, lanes: int) -> str:
    if dtype.kind == "f":
        return intrinsic(b, "fabs", args)
    if dtype.kind == "i":
        return intrinsic(b, "abs", args, "i1 false")
    return args[0].text


def _not(b: Builder, args: list[Value], dtype: DType, lanes: int) -> str:
    ones = _const(True if dtype is bool_ else -1, args[0])
    return b.op(f"xor {args[0].typed}, {ones}")


def _float_only(name: str) -> Rule:
    """An intrinsic on floats; integers are already rounded."""

    def rule(b: Builder, args: list[Value], dtype: DType, lanes: int) -> str:
        return intrinsic(b, name, args) if dtype.kind == "f" else args[0].text

    return rule


def _fma(b: Builder, args: list[Value], dtype: DType, lanes: int) -> str:
    # fused where the target can; elsewhere llvm.fma would call libm for each lane
    if dtype.kind != "f":
        product = b.op(f"mul {args[0].typed}, {args[1].text}")
        return b.op(f"add {args[0].type} {product}, {args[2].text}")
    return intrinsic(b, "fmuladd", args)


def _shift(left: bool) -> Rule:
    def rule(b: Builder, args: list[Value], dtype: DType, lanes: int) -> str:
        x, amount = args
        bits = 8 * dtype.size
        word = "shl" if left else ("ashr" if dtype.kind == "i" else "lshr")
        fixed = constant_int(amount)
        if fixed is not None and 0 <= fixed < bits:
            return b.op(f"{word} {x.typed}, {amount.text}")
        over = b.op(f"icmp uge {amount.typed}, {_const(bits, x)}")
        far = bits - 1 if word == "ashr" else 0
        safe = select(b, over, _const(far, x), amount.text, dtype, lanes)
        shifted = b.op(f"{word} {x.typed}, {safe}")
        if word == "ashr":
            return shifted
        return select(b, over, _const(0, x), shifted, dtype, lanes)

    return rule


def constant_int(value: Value) -> int | None:
    text = value.text.removeprefix("splat (").split(" ")[-1].rstrip(")")
    return int(text) if text.lstrip("-").isdigit() else None


def _mulhi(b: Builder, args: list[Value], dtype: DType, lanes: int) -> str:
    narrow, wide = _type(dtype, lanes), vector_type("i64", lanes)
    x, y = (b.op(f"zext {a.typed} to {wide}") for a in args)
    product = b.op(f"mul {wide} {x}, {y}")
    high = b.op(f"lshr {wide} {product}, {splat_text('32', 'i64', lanes)}")
    return b.op(f"trunc {wide} {high} to {narrow}")


def _check_index(b: Builder, args: list[Value], dtype: DType, lanes: int) -> str:
    position, extent = args
    bad = b.op(f"icmp uge {position.typed}, {extent.text}")
    b.raise_flag(FLAG_INDEX, Value(bad, bool_, lanes))
    last = b.op(f"sub {extent.typed}, {_const(1, extent)}")
    low = intrinsic(b, "smin", [position, Value(last, dtype, lanes)])
    return intrinsic(b, "smax", [Value(low, dtype, lanes), constant(0, dtype, lanes)])


def _is_nan(b: Builder, args: list[Value], dtype: DType, lanes: int) -> str:
    x = args[0]
    if x.dtype.kind != "f":
        return _const(False, Value("", bool_, lanes))
    return b.op(f"fcmp uno {x.typed}, {x.text}")


def _is_inf(b: Builder, args: list[Value], dtype: DType, lanes: int) -> str:
    if args[0].dtype.kind != "f":
        return _const(False, Value("", bool_, lanes))
    size = intrinsic(b, "fabs", args)
    return b.op(f"fcmp oeq {args[0].type} {size}, {_const(float('inf'), args[0])}")


def _is_finite(b: Builder, args: list[Value], dtype: DType, lanes: int) -> str:
    if args[0].dtype.kind != "f":
        return _const(True, Value("", bool_, lanes))
    size = intrinsic(b, "fabs", args)
    return b.op(f"fcmp olt {args[0].type} {size}, {_const(float('inf'), args[0])}")


def _bitcast(b: Builder, args: list[Value], dtype: DType, lanes: int) -> str:
    to = _type(dtype, lanes)
    return args[0].text if to == args[0].type else b.op(f"bitcast {args[0].typed} to {to}")


RULES: dict[str, Rule] = {
    **{name: _plain(name) for name in _INSTRUCTION},
    **{name: _compare_rule(name) for name in _COMPARE},
    **{name: _float_only(name) for name in ("sqrt", "floor", "ceil", "rint", "trunc")},
    "fma": _fma,
    "neg": _neg,
    "abs": _abs,
    "not": _not,
    "max": lambda b, args, dtype, lanes: extreme(b, True, args[0], args[1]),
    "min": lambda b, args, dtype, lanes: extreme(b, False, args[0], args[1]),
    "copysign": lambda b, args, dtype, lanes: intrinsic(b, "copysign", args),
    "shl": _shift(True),
    "shr": _shift(False),
    "mulhi_u32": _mulhi,
    "fmod": lambda b, args, dtype, lanes: b.op(f"frem {args[0].typed}, {args[1].text}"),
    "check_index": _check_index,
    "is_nan": _is_nan,
    "is_inf": _is_inf,
    "is_finite": _is_finite,
    "bitcast": _bitcast,
}


# ------------------------------------------------------------------ monoids
def combine(b: Builder, monoid: str, x: Value, y: Value) -> str:
    """monoid(x, y) on values of one type."""
    if monoid in ("max", "min"):
        return extreme(b, monoid == "max", x, y)
    return RULES[monoid](b, [x, y], x.dtype, x.lanes)
