"""What numba-cuda compiles for the functions that generated GPU source calls.

Lives here: typing and code of the functions of render/numba_support.py and numba_cuda_support.py,
and of a module's own helpers, for the GPU. Not here: their meaning (those modules), the CPU's code
(render/numba_lowering.py, whose snippets serve here where they are the same). Imports Numba and
numba-cuda: only render/numba_cuda.py imports it, inside functions, when something is compiled.

Rounding is IEEE's everywhere: square roots and quotients are right to the last bit, subnormals
stay, and products are not fused into sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numba
import numba.cuda.extending
import numba.cuda.typing.templates
from llvmlite import ir

from graphc.render import numba_cuda_support
from graphc.render import numba_lowering as cpu
from graphc.render import numba_support as support

types: Any = numba.types
extending: Any = numba.cuda.extending
templates: Any = numba.cuda.typing.templates
typed_signature: Any = cpu.typed_signature

Code = Callable[..., Any]  # (builder, signature, *values) -> value
_WARP_MASK = 0xFFFFFFFF
_WORD = ir.IntType(32)


def _register(function: Callable[..., Any], signature: Callable[..., Any], code: Code) -> None:
    """Give a function its signature (from argument types) and its code on the GPU."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return code(builder, sig, *args)

    register(function, signature, lower)


def register(function: Callable[..., Any], signature: Callable[..., Any], lower: Code) -> None:
    """The same with code that takes (context, builder, signature, values)."""

    class Template(templates.AbstractTemplate):  # type: ignore[misc, name-defined]
        key = function

        def generic(self, args: Any, kws: Any) -> Any:
            return signature(*(types.unliteral(a) for a in args))

    templates.infer_global(function, types.Function(Template))
    known = cpu.by_target("cuda", function, lower)
    extending.lower_builtin(function, types.VarArg(types.Any))(known)


# ------------------------------------------------------------------ the device's own functions
def _libdevice(builder: Any, name: str, *values: Any) -> Any:
    """A call of `__nv_<name>f` or `__nv_<name>`."""
    kind = values[0].type
    full = f"__nv_{name}f" if kind == ir.FloatType() else f"__nv_{name}"
    return called(builder, full, kind, values)


def called(builder: Any, name: str, result: Any, values: Sequence[Any]) -> Any:
    """A call of a function that NVIDIA's compiler brings along."""
    function = builder.module.globals.get(name)
    if function is None:
        signature = ir.FunctionType(result, [v.type for v in values])
        function = ir.Function(builder.module, signature, name)
    return builder.call(function, values)


def _device(name: str) -> Code:
    return lambda builder, sig, *values: _libdevice(builder, name, *values)


def _sqrt(builder: Any, sig: Any, x: Any) -> Any:
    name = "fsqrt_rn" if x.type == ir.FloatType() else "dsqrt_rn"
    return called(builder, f"__nv_{name}", x.type, [x])


def _extreme(larger: bool) -> Code:
    """The larger or smaller one; a NaN wins; +0 is above -0."""
    op = ">" if larger else "<"

    def code(builder: Any, sig: Any, a: Any, b: Any) -> Any:
        if not isinstance(sig.args[0], types.Float):
            return builder.select(cpu.compared(builder, sig, op, a, b), a, b)
        bits = ir.IntType(32 if a.type == ir.FloatType() else 64)
        first, second = builder.bitcast(a, bits), builder.bitcast(b, bits)
        # equal numbers differ in the sign of zero only
        joined = (builder.and_ if larger else builder.or_)(first, second)
        same = builder.select(
            builder.fcmp_ordered("==", a, b), builder.bitcast(joined, a.type), b
        )
        takes_a = builder.or_(builder.fcmp_ordered(op, a, b), builder.fcmp_unordered("uno", a, a))
        return builder.select(takes_a, a, same)

    return code


def _sum(builder: Any, sig: Any, a: Any, b: Any) -> Any:
    return builder.fadd(a, b) if isinstance(sig.args[0], types.Float) else builder.add(a, b)


def _product(builder: Any, sig: Any, a: Any, b: Any) -> Any:
    return builder.fmul(a, b) if isinstance(sig.args[0], types.Float) else builder.mul(a, b)


# ------------------------------------------------------------------ threads of a warp
def _exchange(builder: Any, word: Any, step: Any) -> Any:
    """One shuffle of 32 bits; mode 3 is the butterfly."""
    result = ir.LiteralStructType((_WORD, ir.IntType(1)))
    mask, mode, last = (ir.Constant(_WORD, value) for value in (_WARP_MASK, 3, 31))
    call = called(builder, "llvm.nvvm.shfl.sync.i32", result, [mask, mode, word, step, last])
    return builder.extract_value(call, 0)


def _shuffle_xor(builder: Any, sig: Any, value: Any, step: Any) -> Any:
    """The value goes as one or two words of 32 bits."""
    kind = value.type
    wide = isinstance(sig.args[0], types.Number) and sig.args[0].bitwidth == 64
    bits = ir.IntType(64 if wide else 32)
    floating = isinstance(sig.args[0], types.Float)
    narrow = isinstance(kind, ir.IntType) and kind.width < 32
    if floating:
        value = builder.bitcast(value, bits)
    elif narrow:
        value = builder.zext(value, bits)
    if wide:
        low = _exchange(builder, builder.trunc(value, _WORD), step)
        shift = ir.Constant(bits, 32)
        high = _exchange(builder, builder.trunc(builder.lshr(value, shift), _WORD), step)
        value = builder.or_(
            builder.shl(builder.zext(high, bits), shift), builder.zext(low, bits)
        )
    else:
        value = _exchange(builder, value, step)
    if floating:
        return builder.bitcast(value, kind)
    return builder.trunc(value, kind) if narrow else value


def _sync_warp(builder: Any, sig: Any) -> Any:
    mask = ir.Constant(_WORD, _WARP_MASK)
    called(builder, "llvm.nvvm.bar.warp.sync", ir.VoidType(), [mask])
    return ir.Constant(ir.IntType(8).as_pointer(), None)


# ------------------------------------------------------------------ half floats
# as assembly: libnvvm joins conversions side by side into vectors, and then refuses these
def _load_f16(builder: Any, sig: Any, bits: Any) -> Any:
    kind = ir.FunctionType(ir.FloatType(), [ir.IntType(16)])
    made = builder.asm(kind, "cvt.f32.f16 $0, $1;", "=f,h", [bits], False)
    made.attributes.add("readnone")  # loads may move across it
    return made


def _store_f16(builder: Any, sig: Any, x: Any) -> Any:
    kind = ir.FunctionType(ir.IntType(16), [ir.FloatType()])
    made = builder.asm(kind, "cvt.rn.f16.f32 $0, $1;", "=h,f", [x], False)
    made.attributes.add("readnone")
    return made


# ------------------------------------------------------------------ the table
_installed = False


def _float_codes() -> dict[str, Code]:
    return {
        "fma": _device("fma"),
        "sqrt": _sqrt,
        "floor": _device("floor"),
        "ceil": _device("ceil"),
        "rint": _device("rint"),
        "trunc": _device("trunc"),
        "copysign": _device("copysign"),
        "fmod": _device("fmod"),
        "maximum": _extreme(True),
        "minimum": _extreme(False),
        "add_to": _sum,
        "mul_to": _product,
    }


def install() -> None:
    """Register every support function with numba-cuda, once a process."""
    global _installed
    if _installed:
        return
    _installed = True
    for name, code in {**cpu.SAME, **_float_codes()}.items():
        _register(getattr(support, name), cpu.typed(None), code)
    _register(
        support.where,
        cpu.where_signature,
        lambda builder, sig, c, yes, no: builder.select(c, yes, no),
    )
    for name, kind in cpu.NUMBA_TYPES.items():
        if isinstance(kind, types.Integer):
            code = cpu.to_integer(name, _libdevice)
            _register(getattr(support, f"to_{name}"), cpu.typed(kind), code)
        if hasattr(support, f"bits_{name}"):
            _register(getattr(support, f"bits_{name}"), cpu.typed(kind), cpu.to_bits(name))
    int64, word = types.int64, types.int32
    _register(support.clamp_index, cpu.typed(int64, int64, int64), cpu.clamp_index)
    _register(support.check_index, cpu.checked(2), cpu.check_index)
    _register(support.check_divisor, cpu.checked(1), cpu.check_divisor)
    for short, load, store in (
        ("f16", _load_f16, _store_f16),
        ("bf16", cpu.load_bf16, cpu.store_bf16),
    ):
        loads = cpu.typed(types.float32, types.uint16)
        _register(getattr(support, f"load_{short}"), loads, load)
        stores = cpu.typed(types.uint16, types.float32)
        _register(getattr(support, f"store_{short}"), stores, store)
    odd = cpu.typed(types.float32, types.float64)
    _register(support.to_odd_f32, odd, cpu.to_odd_f32(_libdevice))
    _register(
        numba_cuda_support.shuffle_xor,
        lambda value, step: typed_signature(value, value, word),
        _shuffle_xor,
    )
    _register(numba_cuda_support.sync_warp, lambda: typed_signature(types.none), _sync_warp)


def install_helper(function: Callable[..., Any], result: str) -> None:
    """Make a function of generated source callable from the rest of it.

    Args:
        result: "same" as its first argument, "bool", or "pair" (its first two arguments).
    """

    def signature(*args: Any) -> Any:
        kinds = {"same": args[0], "bool": types.boolean}
        out = types.Tuple(args[:2]) if result == "pair" else kinds[result]
        return typed_signature(out, *args)

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return context.compile_internal(builder, function, sig, args)

    register(function, signature, lower)
