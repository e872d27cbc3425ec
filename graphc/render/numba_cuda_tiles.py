"""What numba-cuda compiles for the functions that generated tiles call.

Lives here: typing and code of the functions of render/cuda_tiles_support.py. Not here: their
meaning (that module). Imports Numba and numba-cuda: only render/cuda_tiles.py imports it, inside a
function, when something is compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir

from graphc.render import cuda_tiles_support as support
from graphc.render import numba_cuda_lowering as lowering

types: Any = numba.types
_WORD = ir.IntType(32)


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


def _natural(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    (value,) = args
    word = value if value.type == _WORD else builder.trunc(value, _WORD)
    positive = builder.and_(word, ir.Constant(_WORD, 2**31 - 1))
    return builder.zext(positive, ir.IntType(64))


def _quotient(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    a, b = (builder.trunc(value, _WORD) for value in args)
    return builder.zext(builder.udiv(a, b), ir.IntType(64))


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
    lowering.register(support.natural, lambda a: lowering.typed_signature(word, a), _natural)
    lowering.register(
        support.quotient, lambda a, b: lowering.typed_signature(word, word, word), _quotient
    )
