"""What Numba compiles for the functions of render/numba_support.py: one LLVM snippet each.

Lives here: typing and code of those functions. Not here: their meaning (numba_support, in plain
Python). Imports Numba: only render/numba_cpu.py imports it, inside functions, when something is
compiled.

Everything is branch free where it can be, so that LLVM's vectoriser takes the loops.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numba
import numba.extending
from llvmlite import ir

from graphc.render import numba_support as support

# Numba's own annotations do not cover what is used here
types: Any = numba.types
typed_signature: Any = numba.core.typing.templates.signature
lower_builtin: Any = numba.extending.lower_builtin
type_callable: Any = numba.extending.type_callable

Code = Callable[..., Any]  # (builder, signature, *values) -> value
FREE_ORDER = ("reassoc", "nsz")  # never nnan or ninf
NUMBA_TYPES = {
    "f32": types.float32, "f64": types.float64,
    "i8": types.int8, "i16": types.int16, "i32": types.int32, "i64": types.int64,
    "u8": types.uint8, "u16": types.uint16, "u32": types.uint32, "u64": types.uint64,
}  # fmt: skip


# (target, function): what it becomes there; Numba has one table for all targets
_codes: dict[tuple[str, Callable[..., Any]], Code] = {}


def by_target(target: str, function: Callable[..., Any], lower: Code) -> Code:
    """Code for "cpu" or "cuda", as a function that also knows the other one's.

    Numba takes what was registered last, for whichever target.
    """
    _codes[target, function] = lower

    def chosen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        cuda = type(context).__module__.startswith("numba.cuda")
        return _codes["cuda" if cuda else "cpu", function](context, builder, sig, args)

    return chosen


def _register(function: Callable[..., Any], signature: Callable[..., Any], code: Code) -> None:
    """Give one support function its Numba signature (from argument types) and its code."""

    def resolve(*args: Any) -> Any:
        return signature(*(types.unliteral(a) for a in args))

    # Numba reads the number of arguments off the typer's own parameters
    by_arity = {
        1: lambda a: resolve(a),
        2: lambda a, b: resolve(a, b),
        3: lambda a, b, c: resolve(a, b, c),
    }
    arity = len(inspect.signature(function).parameters)
    type_callable(function)(lambda context: by_arity[arity])

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return code(builder, sig, *args)

    lower_builtin(function, types.VarArg(types.Any))(by_target("cpu", function, lower))


def typed(result: Callable[..., Any] | Any, *params: Any) -> Callable[..., Any]:
    """A signature whose parameters are all of the first argument's type, or as given."""

    def signature(*args: Any) -> Any:
        kinds = params or (args[0],) * len(args)
        out = args[0] if result is None else result
        return typed_signature(out, *kinds)

    return signature


def _is_float(sig: Any) -> bool:
    return isinstance(sig.args[0], types.Float)


def _is_signed(sig: Any) -> bool:
    return isinstance(sig.args[0], types.Integer) and bool(sig.args[0].signed)


def _intrinsic(builder: Any, name: str, *values: Any) -> Any:
    kind = values[0].type
    suffix = "f32" if kind == ir.FloatType() else "f64"
    signature = ir.FunctionType(kind, [kind] * len(values))
    full = f"llvm.{name}.{suffix}"
    function = builder.module.globals.get(full)
    if function is None:
        function = ir.Function(builder.module, signature, full)
    return builder.call(function, values)


def _unary(name: str) -> Code:
    return lambda builder, sig, *values: _intrinsic(builder, name, *values)


def compared(builder: Any, sig: Any, op: str, a: Any, b: Any) -> Any:
    if _is_float(sig):
        return builder.fcmp_ordered(op, a, b)
    return (builder.icmp_signed if _is_signed(sig) else builder.icmp_unsigned)(op, a, b)


def _extreme(name: str, op: str) -> Code:
    def code(builder: Any, sig: Any, a: Any, b: Any) -> Any:
        if _is_float(sig):
            return _intrinsic(builder, name, a, b)
        return builder.select(compared(builder, sig, op, a, b), a, b)

    return code


def _add_to(builder: Any, sig: Any, a: Any, b: Any) -> Any:
    return builder.fadd(a, b, flags=FREE_ORDER) if _is_float(sig) else builder.add(a, b)


def _mul_to(builder: Any, sig: Any, a: Any, b: Any) -> Any:
    return builder.fmul(a, b, flags=FREE_ORDER) if _is_float(sig) else builder.mul(a, b)


def where_signature(condition: Any, yes: Any, no: Any) -> Any:
    return typed_signature(yes, types.boolean, yes, yes)


# ------------------------------------------------------------------ integers
def _quotient(builder: Any, sig: Any, a: Any, b: Any) -> tuple[Any, Any, Any]:
    """(a / b, a % b towards zero, b is 0); never traps: a divisor of 0 or -1 is replaced by 1."""
    kind = a.type
    zero = builder.icmp_unsigned("==", b, ir.Constant(kind, 0))
    if not _is_signed(sig):
        safe = builder.select(zero, ir.Constant(kind, 1), b)
        return builder.udiv(a, safe), builder.urem(a, safe), zero
    minus = builder.icmp_signed("==", b, ir.Constant(kind, -1))
    safe = builder.select(builder.or_(zero, minus), ir.Constant(kind, 1), b)
    quotient = builder.sdiv(a, safe)
    # the smallest integer over -1 wraps, as in NumPy; the processor would trap
    quotient = builder.select(minus, builder.neg(a), quotient)
    return quotient, builder.srem(a, safe), zero


def _truncdiv(builder: Any, sig: Any, a: Any, b: Any) -> Any:
    quotient, _, zero = _quotient(builder, sig, a, b)
    return builder.select(zero, ir.Constant(a.type, 0), quotient)


def _rounds_down(builder: Any, rest: Any, b: Any) -> Any:
    """Whether the remainder is not 0 and of the other sign than the divisor."""
    zero = ir.Constant(rest.type, 0)
    opposite = builder.icmp_signed("<", builder.xor(rest, b), zero)
    return builder.and_(builder.icmp_signed("!=", rest, zero), opposite)


def _floordiv(builder: Any, sig: Any, a: Any, b: Any) -> Any:
    quotient, rest, zero = _quotient(builder, sig, a, b)
    if _is_signed(sig):
        down = builder.sub(quotient, ir.Constant(a.type, 1))
        quotient = builder.select(_rounds_down(builder, rest, b), down, quotient)
    return builder.select(zero, ir.Constant(a.type, 0), quotient)


def _floormod(builder: Any, sig: Any, a: Any, b: Any) -> Any:
    _, rest, zero = _quotient(builder, sig, a, b)
    if _is_signed(sig):
        rest = builder.select(_rounds_down(builder, rest, b), builder.add(rest, b), rest)
    return builder.select(zero, ir.Constant(a.type, 0), rest)


def _shift(name: str) -> Code:
    def code(builder: Any, sig: Any, a: Any, b: Any) -> Any:
        kind = a.type
        last = ir.Constant(kind, kind.width - 1)
        inside = builder.icmp_unsigned("<=", b, last)
        if name == "right" and _is_signed(sig):
            return builder.ashr(a, builder.select(inside, b, last))
        amount = builder.select(inside, b, ir.Constant(kind, 0))
        shifted = (builder.shl if name == "left" else builder.lshr)(a, amount)
        return builder.select(inside, shifted, ir.Constant(kind, 0))

    return code


def _ipow(builder: Any, sig: Any, base: Any, exponent: Any) -> Any:
    kind = base.type
    before, one, zero = builder.block, ir.Constant(kind, 1), ir.Constant(kind, 0)
    loop = builder.append_basic_block("ipow")
    done = builder.append_basic_block("ipow.done")
    if _is_signed(sig):
        negative = builder.icmp_signed("<", exponent, zero)
        exponent = builder.select(negative, zero, exponent)
    builder.branch(loop)
    builder.position_at_end(loop)
    result, square, rest = (builder.phi(kind) for _ in range(3))
    odd = builder.icmp_unsigned("!=", builder.and_(rest, one), zero)
    product = builder.select(odd, builder.mul(result, square), result)
    halved = builder.lshr(rest, one)
    for phi, start, step in (
        (result, one, product),
        (square, base, builder.mul(square, square)),
        (rest, exponent, halved),
    ):
        phi.add_incoming(start, before)
        phi.add_incoming(step, loop)
    builder.cbranch(builder.icmp_unsigned("!=", halved, zero), loop, done)
    builder.position_at_end(done)
    return product


# ------------------------------------------------------------------ flags
# field 4 of an array's structure is its data pointer
def _raise_flag(builder: Any, status_type: Any, status: Any, wrong: Any, flag: int) -> None:
    word = ir.IntType(64)
    if isinstance(status_type, types.Array):
        status = builder.extract_value(status, 4)
    with builder.if_then(wrong, likely=False):
        target = builder.bitcast(status, word.as_pointer())
        # parts of one kernel run on several threads
        builder.atomic_rmw("or", target, ir.Constant(word, flag), "monotonic")


def clamp_index(builder: Any, sig: Any, index: Any, extent: Any) -> Any:
    zero = ir.Constant(index.type, 0)
    last = builder.sub(extent, ir.Constant(index.type, 1))
    low = builder.select(builder.icmp_signed("<", index, last), index, last)
    return builder.select(builder.icmp_signed(">", low, zero), low, zero)


def check_index(builder: Any, sig: Any, index: Any, extent: Any, status: Any) -> Any:
    # one unsigned comparison: a negative index is a huge one
    wrong = builder.icmp_unsigned(">=", index, extent)
    _raise_flag(builder, sig.args[2], status, wrong, support.FLAG_INDEX)
    return clamp_index(builder, sig, index, extent)


def check_divisor(builder: Any, sig: Any, divisor: Any, status: Any) -> Any:
    wrong = builder.icmp_unsigned("==", divisor, ir.Constant(divisor.type, 0))
    _raise_flag(builder, sig.args[1], status, wrong, support.FLAG_DIV)
    return divisor


def checked(params: int) -> Callable[..., Any]:
    def signature(*args: Any) -> Any:
        kind = types.int64 if params == 2 else args[0]
        return typed_signature(kind, *((kind,) * params), args[-1])

    return signature


# ------------------------------------------------------------------ conversions
def _signed(builder: Any, x: Any, bits: int, call: Code) -> Any:
    """Truncation to a signed integer; what does not fit (a NaN too) is the smallest one."""
    kind, limit = ir.IntType(bits), 2.0 ** (bits - 1)
    whole = call(builder, "trunc", x)
    inside = builder.and_(
        builder.fcmp_ordered(">=", whole, ir.Constant(x.type, -limit)),
        builder.fcmp_ordered("<", whole, ir.Constant(x.type, limit)),
    )
    # the conversion sees 0 instead of what does not fit, where its result would be undefined
    safe = builder.select(inside, whole, ir.Constant(x.type, 0.0))
    smallest = ir.Constant(kind, -(1 << (bits - 1)))
    return builder.select(inside, builder.fptosi(safe, kind), smallest)


def to_integer(name: str, call: Code = _intrinsic) -> Code:
    """The conversion to an integer type; `call(builder, name, *values)` has the machine's trunc."""
    bits, unsigned = int(name[1:]), name[0] == "u"

    def code(builder: Any, sig: Any, x: Any) -> Any:
        wide = 64 if bits == 64 or (unsigned and bits == 32) else 32
        value = _signed(builder, x, wide, call)
        if bits < wide:
            return builder.trunc(value, ir.IntType(bits))
        if not unsigned:
            return value
        high = builder.and_(
            builder.fcmp_ordered(">=", x, ir.Constant(x.type, 2.0**63)),
            builder.fcmp_ordered("<", x, ir.Constant(x.type, 2.0**64)),
        )
        safe = builder.select(high, x, ir.Constant(x.type, 0.0))
        return builder.select(high, builder.fptoui(safe, ir.IntType(64)), value)

    return code


def to_bits(name: str) -> Code:
    llvm = {"f32": ir.FloatType(), "f64": ir.DoubleType()}.get(name)
    kind = llvm or ir.IntType(int(name[1:]))
    return lambda builder, sig, x: x if x.type == kind else builder.bitcast(x, kind)


def load_f16(builder: Any, sig: Any, bits: Any) -> Any:
    return builder.fpext(builder.bitcast(bits, ir.HalfType()), ir.FloatType())


def store_f16(builder: Any, sig: Any, x: Any) -> Any:
    return builder.bitcast(builder.fptrunc(x, ir.HalfType()), ir.IntType(16))


def load_bf16(builder: Any, sig: Any, bits: Any) -> Any:
    word = ir.IntType(32)
    wide = builder.shl(builder.zext(bits, word), ir.Constant(word, 16))
    return builder.bitcast(wide, ir.FloatType())


def store_bf16(builder: Any, sig: Any, x: Any) -> Any:
    word = ir.IntType(32)

    def const(value: int) -> Any:
        return ir.Constant(word, value)

    bits = builder.bitcast(x, word)
    high = builder.lshr(bits, const(16))
    odd = builder.and_(high, const(1))
    rounded = builder.lshr(builder.add(bits, builder.add(odd, const(0x7FFF))), const(16))
    quiet = builder.or_(builder.and_(high, const(0x8000)), const(0x7FC0))
    is_nan = builder.fcmp_unordered("uno", x, x)
    return builder.trunc(builder.select(is_nan, quiet, rounded), ir.IntType(16))


def to_odd_f32(call: Code = _intrinsic) -> Code:
    """The conversion that rounds to odd; `call(builder, name, *values)` has the machine's fabs."""

    def code(builder: Any, sig: Any, x: Any) -> Any:
        word = ir.IntType(32)
        near = builder.fptrunc(x, ir.FloatType())
        back = builder.fpext(near, ir.DoubleType())
        bits = builder.bitcast(near, word)
        larger = builder.fcmp_ordered(">", call(builder, "fabs", back), call(builder, "fabs", x))
        lower = builder.select(larger, builder.sub(bits, ir.Constant(word, 1)), bits)
        odd = builder.bitcast(builder.or_(lower, ir.Constant(word, 1)), ir.FloatType())
        infinite = builder.fcmp_ordered(
            "==", call(builder, "fabs", near), ir.Constant(ir.FloatType(), float("inf"))
        )
        exact = builder.fcmp_unordered("==", back, x)  # a NaN as well
        return builder.select(builder.or_(exact, infinite), near, odd)

    return code


# ------------------------------------------------------------------ argument slots
_slots: dict[str, Any] = {}


def slot(kind: str) -> Any:
    """slot_<kind>(args, k): the pointer in slot k of a kernel's arguments; "dim": the int64."""
    if kind in _slots:
        return _slots[kind]

    def unpack(args: Any, k: Any) -> Any:
        raise NotImplementedError("slots exist in compiled kernels only")

    result = types.int64 if kind == "dim" else types.CPointer(NUMBA_TYPES[kind])
    given = types.CPointer(types.int64)

    @type_callable(unpack)
    def typer(context: Any) -> Any:
        return lambda args, k: typed_signature(result, given, types.int64)

    @lower_builtin(unpack, given, types.int64)
    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        word = builder.load(builder.gep(args[0], [args[1]]))
        if kind == "dim":
            return word
        return builder.inttoptr(word, context.get_value_type(result))

    _slots[kind] = unpack
    return unpack


def pointer(array: Any) -> Any:
    """The data pointer of a flat array."""
    raise NotImplementedError("pointers exist in compiled kernels only")


def _pointer_signature(array: Any) -> Any:
    """Of a flat contiguous array, or of what is a pointer already."""
    if not isinstance(array, types.Array):
        return typed(None)(array)
    if array.ndim != 1 or array.layout != "C":
        return None  # Numba then names the argument's type
    stored = types.uint8 if array.dtype == types.boolean else array.dtype
    return typed(types.CPointer(stored))(array)


def _pointer(builder: Any, sig: Any, array: Any) -> Any:
    return builder.extract_value(array, 4) if isinstance(sig.args[0], types.Array) else array


# ------------------------------------------------------------------ the table
SAME: dict[str, Code] = {
    "fma": _unary("fma"),
    "maximum": _extreme("maximum", ">"),
    "minimum": _extreme("minimum", "<"),
    "add_to": _add_to,
    "mul_to": _mul_to,
    "wrap_add": lambda builder, sig, a, b: builder.add(a, b),
    "wrap_sub": lambda builder, sig, a, b: builder.sub(a, b),
    "wrap_mul": lambda builder, sig, a, b: builder.mul(a, b),
    "sqrt": _unary("sqrt"),
    "floor": _unary("floor"),
    "ceil": _unary("ceil"),
    "rint": _unary("rint"),
    "trunc": _unary("trunc"),
    "copysign": _unary("copysign"),
    "fmod": lambda builder, sig, a, b: builder.frem(a, b),
    "ipow": _ipow,
    "floordiv": _floordiv,
    "floormod": _floormod,
    "truncdiv": _truncdiv,
    "shift_left": _shift("left"),
    "shift_right": _shift("right"),
}
_installed = False


def install() -> None:
    """Register every support function with Numba, once a process."""
    global _installed
    if _installed:
        return
    _installed = True
    for name, code in SAME.items():
        _register(getattr(support, name), typed(None), code)
    _register(
        support.where, where_signature, lambda builder, sig, c, yes, no: builder.select(c, yes, no)
    )
    for name, kind in NUMBA_TYPES.items():
        if isinstance(kind, types.Integer):
            _register(getattr(support, f"to_{name}"), typed(kind), to_integer(name))
        if hasattr(support, f"bits_{name}"):
            _register(getattr(support, f"bits_{name}"), typed(kind), to_bits(name))
    _register(pointer, _pointer_signature, _pointer)
    _register(support.clamp_index, typed(types.int64, types.int64, types.int64), clamp_index)
    _register(support.check_index, checked(2), check_index)
    _register(support.check_divisor, checked(1), check_divisor)
    _register(support.load_f16, typed(types.float32, types.uint16), load_f16)
    _register(support.load_bf16, typed(types.float32, types.uint16), load_bf16)
    _register(support.store_f16, typed(types.uint16, types.float32), store_f16)
    _register(support.store_bf16, typed(types.uint16, types.float32), store_bf16)
    _register(support.to_odd_f32, typed(types.float32, types.float64), to_odd_f32())
