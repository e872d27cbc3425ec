"""Shared by the tests of the vector printer: compile a kernel, run it, compare with the oracle."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType, float32, int64
from graphc.ir.shape import SymDim, evaluate
from graphc.kernel import interp
from graphc.kernel import prims as k
from graphc.kernel.expr import Axis, Buffer, Const, Expr, Load, Local, index
from graphc.kernel.nest import Accum, For, Kernel, Let, Stmt, Store, Update
from graphc.runtime import codegen, jit

Array = np.ndarray[Any, Any]
_SIGNATURE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
CANARY = 16  # elements behind every output that must not change


def compiled(kernel: Kernel, target: jit.Target | None = None, opt: str = "none") -> Any:
    """The kernel's address as a ctypes function."""
    text = codegen.vector_text([(kernel, "kernel")], target)
    data = jit.compile_ir(text, ["kernel"], opt=opt, target=target)
    return _SIGNATURE(jit.load_object(data, ["kernel"])["kernel"])


def run_kernel(
    kernel: Kernel,
    arrays: Mapping[Buffer, Array],
    dims: Mapping[str, int] | None = None,
    lo: int = 0,
    hi: int | None = None,
    **options: Any,
) -> tuple[dict[Buffer, Array], int]:
    """(all buffers afterwards, status word); nothing behind an output may be written."""
    memory: dict[Buffer, Array] = {}
    padded: dict[Buffer, Array] = {}
    for buffer in dict.fromkeys(kernel.buffers):
        given = np.ascontiguousarray(arrays[buffer])
        whole = np.full(given.size + CANARY, 77).astype(given.dtype)
        whole[: given.size] = given.reshape(-1)
        padded[buffer] = whole
        memory[buffer] = whole[: given.size].reshape(given.shape)
    status = np.zeros(1, np.int64)
    words = [padded[b].ctypes.data for b in kernel.buffers]
    words += [evaluate(d, dims or {}) for d in kernel.dims]
    slots = np.array(words + [status.ctypes.data] * kernel.flags, np.int64)
    end = evaluate(kernel.extent, dims or {}) if hi is None else hi
    compiled(kernel, **options)(slots.ctypes.data, lo, end)
    for whole in padded.values():
        edge = whole[-CANARY:]
        assert np.all(edge == np.full(CANARY, 77).astype(edge.dtype)), "written behind the end"
    return memory, int(status[0])


def check(
    kernel: Kernel,
    arrays: Mapping[Buffer, Array],
    dims: Mapping[str, int] | None = None,
    rtol: float = 0.0,
    atol: float = 0.0,
    **options: Any,
) -> dict[Buffer, Array]:
    """Run and compare outputs and status with the interpreter: bit by bit, unless rtol is given."""
    got, status = run_kernel(kernel, arrays, dims, **options)
    want = {b: np.array(a) for b, a in arrays.items()}
    part = {name: options[name] for name in ("lo", "hi") if name in options}
    expected = interp.run(kernel, want, dims or {}, **part)
    for buffer in kernel.outputs:
        same_values(got[buffer], want[buffer], rtol, atol)
    if kernel.flags:
        assert status == expected
    return got


def same_values(got: Array, want: Array, rtol: float = 0.0, atol: float = 0.0) -> None:
    if got.dtype.kind in "biu":
        np.testing.assert_array_equal(got, want)
        return
    with np.errstate(invalid="ignore"):
        wide, exact = got.astype(np.float64), want.astype(np.float64)
    if rtol:
        np.testing.assert_allclose(wide, exact, rtol=rtol, atol=atol or rtol * 1e-6)
        return
    nan = np.isnan(wide) & np.isnan(exact)
    same = (wide == exact) & (np.signbit(wide) == np.signbit(exact))
    bad = ~(nan | same)
    assert not bad.any(), (np.flatnonzero(bad)[:5], got[bad][:5], want[bad][:5])


def flat(
    inputs: Sequence[DType],
    result: Callable[..., Expr],
    size: int,
    lanes: int = 16,
    flags: bool = False,
) -> Kernel:
    """y[i] = result(x0[i], x1[i], ...) over one parallel loop."""
    axis = Axis(size, "i")
    buffers = tuple(Buffer(f"x{n}", d, (size,), f"x{n}") for n, d in enumerate(inputs))
    value = result(*(Load(b, (axis,), flat=True) for b in buffers))
    out = Buffer("y", value.dtype, (size,), "y")
    loop = For(axis, Const(0, int64), index(size), (Store(out, axis, value),), "parallel", lanes)
    return Kernel("flat", buffers, (out,), (), (loop,), size, flags=flags)


def apply(kernel: Kernel, *values: Array, **options: Any) -> Array:
    """The single output of a kernel on arrays for its inputs in order."""
    out = kernel.outputs[0]
    size = int(evaluate(kernel.extent, {}))
    arrays = dict(zip(kernel.inputs, values, strict=True))
    arrays[out] = np.zeros(size, out.dtype.np)
    return run_kernel(kernel, arrays, **options)[0][out]


# ------------------------------------------------------------------ nests by hand
def buffer(name: str, dtype: DType, *shape: Any) -> Buffer:
    return Buffer(name, dtype, shape, name)


def at(source: Buffer, offset: Expr, mask: Expr | None = None, other: Expr | None = None) -> Load:
    return Load(source, (offset,), mask, other, flat=True)


def vector_loop(axis: Axis, *body: Stmt, lanes: int = 8, reduces: tuple[Local, ...] = ()) -> For:
    return For(axis, index(0), index(axis.extent), body, "vector", lanes, reduces)


def parallel(axis: Axis, *body: Stmt, lanes: int = 1) -> For:
    return For(axis, index(0), index(axis.extent), body, "parallel", lanes)


def kernel_of(
    inputs: tuple[Buffer, ...],
    outputs: tuple[Buffer, ...],
    *body: Stmt,
    flags: bool = False,
    dims: tuple[SymDim, ...] = (),
) -> Kernel:
    loop = body[0] if len(body) == 1 else None
    runs = isinstance(loop, For) and loop.kind == "parallel"
    extent = loop.axis.extent if runs else 1  # type: ignore[union-attr]
    return Kernel("test", inputs, outputs, dims, body, extent, flags=flags)


def softmax(columns: int, lanes: int) -> Kernel:
    row = Axis(6, "r")
    cols = [Axis(columns, "c") for _ in range(3)]
    x, y = buffer("x", float32, 6, columns), buffer("y", float32, 6, columns)
    top, total, e = (Local(n, float32) for n in ("m", "s", "e"))
    base = Local("base", int64)
    return kernel_of(
        (x,),
        (y,),
        parallel(
            row,
            Let(base, row * columns),
            Accum(top, "max", float32),
            vector_loop(cols[0], Update(top, at(x, base + cols[0])), lanes=lanes, reduces=(top,)),
            Accum(total, "add", float32),
            vector_loop(
                cols[1],
                Let(e, k.exp(at(x, base + cols[1]) - top)),
                Store(y, base + cols[1], e),
                Update(total, e),
                lanes=lanes,
                reduces=(total,),
            ),
            vector_loop(
                cols[2],
                Store(y, base + cols[2], at(y, base + cols[2]) * k.recip(total)),
                lanes=lanes,
            ),
        ),
    )
