"""Hand-made kernels, sample values and ways to run them, for the tests of printers."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import (
    DType,
    float32,
    int64,
)
from graphc.ir.shape import Dim, SymDim
from graphc.kernel import prims as k
from graphc.kernel.expr import Axis, Buffer, Const, Expr, Load, Local, index
from graphc.kernel.nest import Accum, For, Kernel, Let, Store, Update
from graphc.render import numba_cpu
from graphc.runtime import jit

BATCH = SymDim.symbol("batch")


def flat_kernel(
    inputs: Sequence[DType],
    results: Callable[..., Sequence[Expr]],
    extent: Dim = BATCH,
    flags: bool = False,
    name: str = "flat",
) -> Kernel:
    """One parallel loop; output k holds results(loads...)[k]."""
    axis = Axis(extent, "i")
    buffers = tuple(Buffer(f"x{n}", d, (extent,), f"x{n}") for n, d in enumerate(inputs))
    values = results(*(Load(b, (axis,), flat=True) for b in buffers))
    outs = tuple(Buffer(f"y{n}", v.dtype, (extent,), f"y{n}") for n, v in enumerate(values))
    body = tuple(Store(b, axis, v) for b, v in zip(outs, values, strict=True))
    loop = For(axis, Const(0, int64), index(extent), body, "parallel", 16)
    dims = (extent,) if isinstance(extent, SymDim) else ()
    return Kernel(name, buffers, outs, dims, (loop,), extent, flags=flags, origins=("Op 'a'",))


def outputs_for(kernel: Kernel, size: int) -> list[np.ndarray]:
    return [np.zeros(size, b.dtype.np) for b in kernel.outputs]


def run_plain(kernel: Kernel, arrays: Sequence[np.ndarray], size: int) -> tuple[list[Any], int]:
    outs = outputs_for(kernel, size)
    status = numba_cpu.python_callable(kernel)([*arrays, *outs], [size] * len(kernel.dims), 0, size)
    return outs, status


def compiled(kernel: Kernel) -> Callable[..., int]:
    """call(arrays, dims, lo, hi) -> status: the kernel's object code behind its ABI."""
    data = jit.compile_ir(numba_cpu.llvm_ir(kernel, "kernel"), ["kernel"], opt="none")
    address = jit.load_object(data, ["kernel"])["kernel"]
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(address)

    def call(arrays: Sequence[np.ndarray], dims: Sequence[int], lo: int, hi: int) -> int:
        status = np.zeros(1, np.int64)
        words = [a.ctypes.data for a in arrays] + list(dims) + [status.ctypes.data] * kernel.flags
        slots = np.array(words, np.int64)
        function(slots.ctypes.data, lo, hi)
        return int(status[0])

    return call


def run_compiled(kernel: Kernel, arrays: Sequence[np.ndarray], size: int) -> tuple[list[Any], int]:
    outs = outputs_for(kernel, size)
    status = compiled(kernel)([*arrays, *outs], [size] * len(kernel.dims), 0, size)
    return outs, status


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal bit by bit, but for the payload of a NaN."""
    if a.dtype.kind not in "biu":
        nan = np.isnan(a.astype(np.float64)) & np.isnan(b.astype(np.float64))
        word = f"u{a.itemsize}"
        return bool(np.all((a.view(word) == b.view(word)) | nan))
    return bool(np.all(a == b))


def samples(dtype: DType, size: int = 203, seed: int = 0) -> np.ndarray:
    """Random values with the edges of the type in front."""
    rng = np.random.default_rng(seed)
    if dtype.is_bool:
        return rng.integers(0, 2, size).astype(bool)
    if dtype.is_integer:
        info = np.iinfo(dtype.np)
        values = rng.integers(info.min, info.max, size, dtype.np, endpoint=True)
        values[:6] = [0, 1, info.max, info.min, info.max - 1, info.min + 1]
        values[6:40] = rng.integers(0, 7, 34)
        return rng.permutation(values) if seed else values
    edges = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, -2.5, 2.5, 1e-40, -1e30]
    values = np.concatenate([edges, rng.standard_normal(size - len(edges)) * 5])
    with np.errstate(over="ignore"):
        values = values.astype(dtype.np)
    return rng.permutation(values) if seed else values


def softmax_kernel(columns: int = 37) -> Kernel:
    x = Buffer("x", float32, (BATCH, columns), "x")
    y = Buffer("y", float32, (BATCH, columns), "y")
    row = Axis(BATCH, "i")
    cols = [Axis(columns, "j") for _ in range(3)]
    top, total, e = (Local(n, float32) for n in ("m", "s", "e"))

    def at(buffer: Buffer, col: Axis) -> Load:
        return Load(buffer, (row * columns + col,), flat=True)

    def loop(col: Axis, *body: Any) -> For:
        return For(col, index(0), index(columns), body, "vector", 16)

    body = (
        Accum(top, "max", float32),
        loop(cols[0], Update(top, at(x, cols[0]))),
        Accum(total, "add", float32),
        loop(
            cols[1],
            Let(e, k.exp(at(x, cols[1]) - top)),
            Store(y, row * columns + cols[1], e),
            Update(total, e),
        ),
        loop(cols[2], Store(y, row * columns + cols[2], at(y, cols[2]) / total)),
    )
    nest = (For(row, index(0), index(BATCH), body, "parallel"),)
    return Kernel(
        "softmax", (x,), (y,), (BATCH,), nest, BATCH, origins=("Softmax 'p' (model.py:12)",)
    )
