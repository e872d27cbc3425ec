"""LLVM's types, constants and values for the vector printer.

Lives here: how dtypes are held in registers and memory, constant texts, Value. Not here:
instructions (render/vector_ops.py). Only render/vector*.py import this module.

Registers: bool is i1, bfloat16 its bits in an i16, the rest as LLVM names it; signed and unsigned
integers share a type. Memory: bool is one byte.
"""

from __future__ import annotations

import functools
import struct
from typing import Any

import numpy as np

from graphc.errors import CompileError
from graphc.ir.dtypes import DType, bfloat16, bool_, float16, float32, float64, int64

_REGISTER = {float16: "half", bfloat16: "i16", float32: "float", float64: "double", bool_: "i1"}


_NOTHING: frozenset[Any] = frozenset()


class Value:
    """An LLVM value; never changed once made.

    Attributes:
        text: "%v3" or a constant. dtype: element type. lanes: 1 for a scalar.
        depth: index of the scope where it is defined (0: the function's entry).
        reads: accumulators and buffers that it was computed from and that may still change.
        type: its LLVM type.
    """

    __slots__ = ("depth", "dtype", "lanes", "reads", "text", "type")

    def __init__(
        self,
        text: str,
        dtype: DType,
        lanes: int = 1,
        depth: int = 0,
        reads: frozenset[Any] = _NOTHING,
    ) -> None:
        self.text = text
        self.dtype = dtype
        self.lanes = lanes
        self.depth = depth
        self.reads = reads
        self.type = register_type(dtype, lanes)

    @property
    def typed(self) -> str:
        return f"{self.type} {self.text}"

    @property
    def is_constant(self) -> bool:
        return not self.text.startswith("%")


@functools.cache
def register_type(dtype: DType, lanes: int) -> str:
    """The type of `lanes` elements in registers."""
    return vector_type(scalar_type(dtype), lanes)


def scalar_type(dtype: DType) -> str:
    """The register type of one element. Raises CompileError for strings and complex numbers."""
    found = _REGISTER.get(dtype)
    if found is not None:
        return found
    if not dtype.is_integer:
        raise CompileError(f"kernels do not take elements of type {dtype.name}")
    return f"i{8 * dtype.size}"


def memory_type(dtype: DType) -> str:
    return "i8" if dtype is bool_ else scalar_type(dtype)


def vector_type(scalar: str, lanes: int) -> str:
    return scalar if lanes == 1 else f"<{lanes} x {scalar}>"


def suffix(scalar: str, lanes: int) -> str:
    """The part of an intrinsic's name that names its type: v16f32, i64."""
    short = {"float": "f32", "double": "f64", "half": "f16", "ptr": "p0"}.get(scalar, scalar)
    return short if lanes == 1 else f"v{lanes}{short}"


def constant_text(value: Any, dtype: DType) -> str:
    """A scalar constant."""
    if dtype is bool_:
        return "true" if value else "false"
    if dtype is bfloat16:
        return str(_bfloat16_bits(float(value)))
    if dtype is float16:
        bits = struct.unpack("<H", np.float16(value).tobytes())[0]
        return f"0xH{bits:04X}"
    if dtype.is_floating:
        # LLVM writes float constants with the bits of the equal double
        number = float(np.float32(value)) if dtype is float32 else float(value)
        return f"0x{struct.unpack('<Q', struct.pack('<d', number))[0]:016X}"
    bits = 8 * dtype.size
    wrapped = int(value) & ((1 << bits) - 1)
    # the signed form is the canonical text
    return str(wrapped - (1 << bits) if wrapped >> (bits - 1) else wrapped)


def _bfloat16_bits(value: float) -> int:
    bits = int(np.float32(value).view(np.uint32))
    if value != value:
        return 0x7FC0
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16) & 0xFFFF


def splat_text(constant: str, scalar: str, lanes: int) -> str:
    """A constant in all lanes."""
    return constant if lanes == 1 else f"splat ({scalar} {constant})"


def iota_text(lanes: int) -> str:
    return "<" + ", ".join(f"i64 {i}" for i in range(lanes)) + ">"


def constant(value: Any, dtype: DType, lanes: int = 1) -> Value:
    """A constant in all lanes."""
    return _constant(repr(value), value, dtype, lanes)


@functools.lru_cache(maxsize=4096)
def _constant(_: str, value: Any, dtype: DType, lanes: int) -> Value:
    # the text in the key tells -0.0 from 0.0 and True from 1
    text = splat_text(constant_text(value, dtype), scalar_type(dtype), lanes)
    return Value(text, dtype, lanes)


def index_constant(value: int) -> Value:
    return Value(str(value), int64)
