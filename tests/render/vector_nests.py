"""Shared by the tests of the vector printer: compile a kernel, run it, compare with the oracle."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType, int64
from graphc.ir.shape import evaluate
from graphc.kernel import interp
from graphc.kernel.expr import Axis, Buffer, Const, Expr, Load, index
from graphc.kernel.nest import For, Kernel, Store
from graphc.render import vector
from graphc.runtime import jit

Array = np.ndarray[Any, Any]
_SIGNATURE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
CANARY = 16  # elements behind every output that must not change


def compiled(kernel: Kernel, target: jit.Target | None = None, opt: str = "none") -> Any:
    """The kernel's address as a ctypes function."""
    text = vector.module([(kernel, "kernel")])
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
