"""What numba-cuda compiles for the functions that generated tiles call.

Lives here: typing and code of the functions of render/cuda_tiles_support.py, and mma_tf32. Not
here: their meaning (that module, numba_cuda_support.py). Imports Numba and numba-cuda: only
render/cuda_products.py imports it, inside a function, when something is compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir

from graphc.render import cuda_tiles_support as support
from graphc.render import numba_cuda_lowering as lowering
from graphc.render import numba_cuda_support as team

types: Any = numba.types
_WORD = ir.IntType(32)
# all threads of the warp take part: the call stays where it is
_MMA = (
    "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
    "{$0, $1, $2, $3}, {$4, $5, $6, $7}, {$8, $9}, {$0, $1, $2, $3};"
)


def _pointer(context: Any, builder: Any, kind: Any, value: Any, at: Any) -> Any:
    """The address of an element of a pointer's memory, or of an array's."""
    if not isinstance(kind, types.CPointer):
        value = context.make_array(kind)(context, builder, value).data
    return builder.gep(value, [at])


def _at(builder: Any, first: Any, n: int) -> Any:
    return builder.add(first, ir.Constant(first.type, n))


def _load(width: int) -> Callable[..., Any]:
    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        to, i, source, at = args
        start = _pointer(context, builder, sig.args[2], source, at)
        element = start.type.pointee
        kind = ir.VectorType(element, width)
        size = width * sig.args[2].dtype.bitwidth // 8
        value = builder.load(builder.bitcast(start, kind.as_pointer()), align=size)
        for n in range(width):
            one = builder.extract_element(value, ir.Constant(_WORD, n))
            target = _pointer(context, builder, sig.args[0], to, _at(builder, i, n))
            builder.store(one, target)
        return context.get_dummy_value()

    return code


def _store(width: int) -> Callable[..., Any]:
    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        to, at, source, i = args
        start = _pointer(context, builder, sig.args[0], to, at)
        kind = ir.VectorType(start.type.pointee, width)
        size = width * sig.args[0].dtype.bitwidth // 8
        value: Any = ir.Constant(kind, ir.Undefined)
        for n in range(width):
            one = _pointer(context, builder, sig.args[2], source, _at(builder, i, n))
            value = builder.insert_element(value, builder.load(one), ir.Constant(_WORD, n))
        builder.store(value, builder.bitcast(start, kind.as_pointer()), align=size)
        return context.get_dummy_value()

    return code


def _multiply(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    acc, a, b, *extents = args
    rows, columns = (extent.constant for extent in extents)
    kind = sig.args[0].dtype

    def place(n: int, value: Any, at: int) -> Any:
        return _pointer(context, builder, sig.args[n], value, ir.Constant(ir.IntType(64), at))

    left = [builder.load(place(1, a, i)) for i in range(rows)]
    right = [builder.load(place(2, b, j)) for j in range(columns)]
    for i, x in enumerate(left):
        for j, y in enumerate(right):
            target = place(0, acc, i * columns + j)
            total = builder.load(target)
            if isinstance(kind, types.Float):
                name = "__nv_fmaf" if kind.bitwidth == 32 else "__nv_fma"
                total = lowering.called(builder, name, x.type, (x, y, total))
            else:
                total = builder.add(total, builder.mul(x, y))
            builder.store(total, target)
    return context.get_dummy_value()


def _natural(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    (value,) = args
    word = value if value.type == _WORD else builder.trunc(value, _WORD)
    return builder.zext(word, ir.IntType(64))


def _quotient(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    a, b = (builder.trunc(value, _WORD) for value in args)
    return builder.zext(builder.udiv(a, b), ir.IntType(64))


def _to_tf32(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    # this compiler knows no intrinsics for tensor cores
    kind = ir.FunctionType(_WORD, [ir.FloatType()])
    rounded = builder.asm(kind, "cvt.rna.tf32.f32 $0, $1;", "=r,f", args, False)
    return builder.bitcast(rounded, ir.FloatType())


def _mma(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    acc, i, a, ia, b, ib = args
    places = [(0, acc, i, 4), (2, a, ia, 4), (4, b, ib, 2)]
    sums, left, right = (
        [_pointer(context, builder, sig.args[n], x, _at(builder, first, q)) for q in range(count)]
        for n, x, first, count in places
    )
    words = [builder.bitcast(builder.load(p), _WORD) for p in (*left, *right)]
    values = [*words, *map(builder.load, sums)]
    result = ir.LiteralStructType([ir.FloatType()] * 4)
    kind = ir.FunctionType(result, [v.type for v in values])
    made = builder.asm(kind, _MMA, "=f,=f,=f,=f,r,r,r,r,r,r,0,1,2,3", values, True)
    for q, place in enumerate(sums):
        builder.store(builder.extract_value(made, q), place)
    return context.get_dummy_value()


_installed = False


def install() -> None:
    """Register every function with numba-cuda, once a process."""
    global _installed
    if _installed:
        return
    _installed = True
    word, none = types.int64, types.none

    def moved(first: Any, i: Any, second: Any, at: Any) -> Any:
        return lowering.typed_signature(none, first, word, second, word)

    for width in (2, 4):
        lowering.register(getattr(support, f"load{width}"), moved, _load(width))
        lowering.register(getattr(support, f"store{width}"), moved, _store(width))
    lowering.register(
        support.multiply,
        lambda acc, a, b, i, j: lowering.typed_signature(none, acc, a, b, i, j),
        _multiply,
    )
    lowering.register(support.natural, lambda a: lowering.typed_signature(word, a), _natural)
    single = types.float32
    lowering.register(
        support.to_tf32, lambda x: lowering.typed_signature(single, single), _to_tf32
    )
    lowering.register(
        team.mma_tf32,
        lambda acc, i, a, ia, b, ib: lowering.typed_signature(none, acc, word, a, word, b, word),
        _mma,
    )
    lowering.register(
        support.quotient, lambda a, b: lowering.typed_signature(word, word, word), _quotient
    )
