"""Primitives that some processors have an instruction for.

Lives here: natives (which they are), scaled (AVX-512's multiplication by a power of two). Not here:
primitives of every target (render/vector_ops.py). Only the printer's other files and the runtime,
which knows the target, import this module.
"""

from __future__ import annotations

from collections.abc import Callable

from graphc.render.vector_ops import Builder
from graphc.render.vector_types import Value, scalar_type, vector_type

NATIVE = frozenset({"ldexp"})
_SMALLEST, _LARGEST = 16, 64  # bytes of a register


def natives(has: Callable[[str], bool]) -> frozenset[str]:
    """The primitives that a target with these features need not compute from others."""
    return NATIVE if has("avx512f") and has("avx512vl") else frozenset()


def scaled(b: Builder, args: list[Value]) -> str:
    """ldexp: the instruction on whole registers; what a short vector leaves free is not read."""
    x = args[0]
    most = _LARGEST // x.dtype.size
    lanes = max(_SMALLEST // x.dtype.size, 1 << (x.lanes - 1).bit_length())
    wide = [_resized(b, a.text, scalar_type(a.dtype), a.lanes, lanes) for a in args]
    kind = scalar_type(x.dtype)
    parts = []
    for start in range(0, lanes, most):
        count = min(most, lanes)
        pieces = [_resized(b, text, kind, lanes, count, start) for text in wide]
        parts.append(_instruction(b, pieces, kind, count))
    while len(parts) > 1:
        count = lanes // len(parts)
        parts = [
            _joined(b, low, high, kind, count)
            for low, high in zip(parts[::2], parts[1::2], strict=True)
        ]
    return _resized(b, parts[0], kind, lanes, x.lanes)


def _instruction(b: Builder, pieces: list[str], kind: str, lanes: int) -> str:
    short = {"float": "ps", "double": "pd"}[kind]
    bits = lanes * (32 if kind == "float" else 64)
    vector = vector_type(kind, lanes)
    mask = f"i{max(lanes, 8)} -1"
    args = [*(f"{vector} {p}" for p in pieces), f"{vector} poison", mask]
    if bits == 8 * _LARGEST:
        args.append("i32 4")  # rounding as set
    return b.call(f"llvm.x86.avx512.mask.scalef.{short}.{bits}", vector, args)


def _joined(b: Builder, low: str, high: str, kind: str, lanes: int) -> str:
    vector = vector_type(kind, lanes)
    order = ", ".join(f"i32 {i}" for i in range(2 * lanes))
    return b.op(f"shufflevector {vector} {low}, {vector} {high}, <{2 * lanes} x i32> <{order}>")


def _resized(b: Builder, text: str, kind: str, lanes: int, count: int, start: int = 0) -> str:
    """`count` lanes from `start` on; those that are not there hold anything."""
    if lanes == count:
        return text
    if lanes == 1:
        return b.op(f"insertelement {vector_type(kind, count)} poison, {kind} {text}, i64 0")
    vector = vector_type(kind, lanes)
    if count == 1:
        return b.op(f"extractelement {vector} {text}, i64 {start}")
    at = [f"{i}" if i < lanes else "poison" for i in range(start, start + count)]
    order = ", ".join(f"i32 {i}" for i in at)
    return b.op(f"shufflevector {vector} {text}, {vector} poison, <{count} x i32> <{order}>")
