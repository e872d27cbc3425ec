"""The Numba printer: un-jitted it means what NumPy means, compiled it gives the same bits."""

from __future__ import annotations

import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from graphc.ir.dtypes import (
    DType,
    bool_,
    float32,
    float64,
    int8,
    int32,
    int64,
    uint8,
    uint32,
    uint64,
)
from graphc.ir.shape import evaluate
from graphc.kernel import interp
from graphc.kernel import prims as k
from graphc.kernel.compute import Compute
from graphc.kernel.expr import (
    Axis,
    Buffer,
    Cast,
    Const,
    Expr,
    Load,
    Local,
    Prim,
    Reduce,
    Select,
    index,
)
from graphc.kernel.lower import lower
from graphc.kernel.nest import Accum, For, Kernel, Let, Store, Update
from graphc.render import numba_cpu
from graphc.runtime import jit
from tests.render.nests import (
    BATCH,
    compiled,
    flat_kernel,
    outputs_for,
    run_compiled,
    run_plain,
    same_bits,
    samples,
    softmax_kernel,
)


# ------------------------------------------------------------------ index, masks, flags
def test_index_arithmetic_wraps_as_compiled() -> None:
    axis = Axis(9, "i")
    out = Buffer("y", uint32, (9,), "y")
    counter = Cast(axis * 4_000_000_000_000_000_000 + 5, uint32)
    body = (For(axis, index(0), index(9), (Store(out, axis, counter),), "parallel"),)
    kernel = Kernel("wrap", (), (out,), (), body, 9)
    (plain,), _ = run_plain(kernel, [], 9)
    (jitted,), _ = run_compiled(kernel, [], 9)
    np.testing.assert_array_equal(plain, jitted)


def test_masked_loads_touch_memory_only_under_the_mask() -> None:
    x = Buffer("x", float32, (4,), "x")
    y = Buffer("y", float32, (BATCH,), "y")
    axis = Axis(BATCH, "i")
    inside = k.and_(k.ge(axis, 3), k.lt(axis, 7))
    value = Load(x, (axis - 3,), inside, Const(-1.0, float32), flat=True)
    body = (For(axis, index(0), index(BATCH), (Store(y, axis, value),), "parallel"),)
    kernel = Kernel("padded", (x,), (y,), (BATCH,), body, BATCH)
    data = np.arange(4, dtype=np.float32)
    for run in (run_plain, run_compiled):
        (got,), _ = run(kernel, [data], 10)
        assert got.tolist() == [-1, -1, -1, 0, 1, 2, 3, -1, -1, -1]


def gather_kernel(flags: bool) -> Kernel:
    x = Buffer("x", float32, (5,), "x")
    at = Buffer("at", int32, (BATCH,), "at")
    y = Buffer("y", float32, (BATCH,), "y")
    axis = Axis(BATCH, "i")
    position = k.check_index(Cast(Load(at, (axis,), flat=True), int64), 5)
    body = (For(axis, index(0), index(BATCH), (
        Store(y, axis, Load(x, (position,), flat=True)),), "parallel"),)  # fmt: skip
    return Kernel("gather", (x, at), (y,), (BATCH,), body, BATCH, flags=flags)


@pytest.mark.parametrize("run", [run_plain, run_compiled])
def test_an_index_outside_is_clamped_and_raises_the_flag(run: Callable[..., Any]) -> None:
    x = np.arange(5, dtype=np.float32)
    inside, outside = np.array([0, 4, 2], np.int32), np.array([-1, 7, 2], np.int32)
    (got,), status = run(gather_kernel(True), [x, inside], 3)
    assert (got.tolist(), status) == ([0, 4, 2], 0)
    (got,), status = run(gather_kernel(True), [x, outside], 3)
    assert (got.tolist(), status) == ([0, 4, 2], 1)
    (got,), status = run(gather_kernel(False), [x, outside], 3)
    assert (got.tolist(), status) == ([0, 4, 2], 0)


@pytest.mark.parametrize("run", [run_plain, run_compiled])
def test_a_zero_divisor_gives_zero_and_raises_the_flag(run: Callable[..., Any]) -> None:
    kernel = flat_kernel(
        [int32, int32],
        lambda a, b: [k.floordiv(a, b), k.floormod(a, b), k.truncdiv(a, b)],
        flags=True,
    )
    a = np.array([7, -7, np.iinfo(np.int32).min], np.int32)
    got, status = run(kernel, [a, np.array([2, 2, -1], np.int32)], 3)
    assert status == 0
    assert got[0][:2].tolist() == [3, -4] and got[2][:2].tolist() == [3, -3]
    got, status = run(kernel, [a, np.array([2, 0, -1], np.int32)], 3)
    assert status == 2
    assert [o[1] for o in got] == [0, 0, 0]


# ------------------------------------------------------------------ nests
def test_a_nest_with_reductions_gives_softmax_in_parts_of_the_batch() -> None:
    kernel = softmax_kernel()
    x = np.random.default_rng(0).standard_normal((6, 37)).astype(np.float32)
    want = np.exp(x - x.max(1, keepdims=True))
    want /= want.sum(1, keepdims=True)
    for call in (numba_cpu.python_callable(kernel), compiled(kernel)):
        got = np.zeros_like(x)
        call([x, got], [6], 0, 2)
        assert (got[2:] == 0).all()
        call([x, got], [6], 2, 6)
        np.testing.assert_allclose(got, want, rtol=1e-5)


def test_the_text_of_a_kernel_reads_as_plain_python() -> None:
    lines = numba_cpu.source(softmax_kernel(), "softmax_1").split("\n\n\n")
    assert lines[0].splitlines()[:5] == [
        "# softmax_1: one part [lo, hi) of n0",
        "#   Softmax 'p' (model.py:12)",
        "# b0: x float32 (n0, 37)",
        "# o0: y float32 (n0, 37)",
        "# n0: batch",
    ]
    assert lines[1].startswith("def ldexp_f32(x, y):\n")
    assert lines[2].startswith("def exp_f32(x):\n    t1 = where(x < f32(")
    assert (
        lines[3]
        == """\
def softmax_1(b0, o0, n0, lo, hi):
    for i in range(lo, hi):
        m = f32(-inf)
        for j in range(37):
            m = maximum(m, b0[i * 37 + j])
        s = f32(0.0)
        for j_2 in range(37):
            e = exp_f32(b0[i * 37 + j_2] - m)
            o0[i * 37 + j_2] = e
            s = add_to(s, e)
        for j_3 in range(37):
            o0[i * 37 + j_3] = o0[i * 37 + j_3] / s
"""
    )


def test_reductions_are_vectorised_without_losing_nan_or_infinity() -> None:
    text = numba_cpu.llvm_ir(softmax_kernel(1000), "softmax")
    assert "fadd reassoc nsz <" in text
    assert " x float> @llvm.maximum" in text
    assert "nnan" not in text and "ninf" not in text and "fadd fast" not in text


@pytest.mark.parametrize("dtype", [bool_, int8, uint8, int32, uint64, float32, float64],
                         ids=lambda d: d.name)  # fmt: skip
def test_every_monoid(dtype: DType) -> None:
    monoids = ["and", "or", "max", "min"]
    if not dtype.is_bool:
        monoids = ["add", "mul", "max", "min", "argmax", "argmin"]
        monoids += ["and", "or"] * dtype.is_integer
    kernel = monoid_kernel(dtype, monoids)
    x = samples(dtype, 40)
    cases = [x, x[::-1].copy(), np.full(3, x[2]), x[:0]]
    if dtype.is_floating:
        cases += [np.array([-np.inf] * 3, dtype.np), np.array([1, np.nan, 5, np.nan], dtype.np)]
    call = compiled(kernel)
    for case in cases:
        plain, jitted = outputs_for(kernel, 1), outputs_for(kernel, 1)
        numba_cpu.python_callable(kernel)([case, *plain], [len(case)], 0, 1)
        call([case, *jitted], [len(case)], 0, 1)
        for monoid, got, again in zip(monoids, plain, jitted, strict=True):
            want = monoid_by_numpy(monoid, case)
            rtol = 1e-5 if dtype is float32 else 1e-12
            np.testing.assert_allclose(got[0], want, rtol=rtol, err_msg=f"{monoid} {case}")
            np.testing.assert_allclose(again[0], want, rtol=rtol, err_msg=f"{monoid} {case}")


def monoid_kernel(dtype: DType, monoids: Sequence[str]) -> Kernel:
    x = Buffer("x", dtype, (BATCH,), "x")
    axis = Axis(BATCH, "i")
    value = Load(x, (axis,), flat=True)
    before, inside, after, outs = [], [], [], []
    for monoid in monoids:
        arg = monoid.startswith("arg")
        total = Local(f"{monoid}_total", int64 if arg else dtype)
        best = Local(f"{monoid}_best", dtype) if arg else None
        out = Buffer(f"y_{monoid}", total.dtype, (), f"y_{monoid}")
        outs.append(out)
        before.append(Accum(total, monoid, total.dtype, best))
        inside.append(Update(total, value, axis if arg else None))
        after.append(Store(out, index(0), total))
    loop = For(axis, index(0), index(BATCH), tuple(inside), "vector", 8)
    return Kernel("monoids", (x,), tuple(outs), (BATCH,), (*before, loop, *after), 1)


def monoid_by_numpy(monoid: str, x: np.ndarray) -> Any:
    info = None if x.dtype.kind in "bf" else np.iinfo(x.dtype)
    low = -np.inf if x.dtype.kind == "f" else info.min if info else False
    high = np.inf if x.dtype.kind == "f" else info.max if info else True
    with np.errstate(all="ignore"):
        if monoid == "add":
            return x.sum(dtype=x.dtype)
        if monoid == "mul":
            return np.multiply.reduce(x, dtype=x.dtype)
        if monoid in ("max", "min"):
            return getattr(x, monoid)(initial=low if monoid == "max" else high)
        if monoid in ("argmax", "argmin"):
            return getattr(x, monoid)() if x.size else 0
        return (np.bitwise_and if monoid == "and" else np.bitwise_or).reduce(x)


def test_an_update_in_place_reads_and_writes_one_array() -> None:
    x, g = Buffer("x", float32, (BATCH,), "w"), Buffer("g", float32, (BATCH,), "g")
    axis = Axis(BATCH, "i")
    new = Load(x, (axis,), flat=True) - Load(g, (axis,), flat=True) * 0.5
    body = (For(axis, index(0), index(BATCH), (Store(x, axis, new),), "parallel", 16),)
    kernel = Kernel("update", (x, g), (x,), (BATCH,), body, BATCH)
    grad = np.arange(50, dtype=np.float32)
    for call in (numba_cpu.python_callable(kernel), compiled(kernel)):
        w = np.ones(50, np.float32)
        call([w, grad, w], [50], 0, 50)
        np.testing.assert_array_equal(w, 1 - grad * np.float32(0.5))
    assert "<16 x float>" in numba_cpu.llvm_ir(kernel, "k") or not jit.host_target().has("avx512f")


def test_shared_and_long_values_are_written_once() -> None:
    def results(x: Expr) -> list[Expr]:
        value = x
        for _ in range(40):
            value = value * value + value  # a tree of 2 ** 40 leaves
        return [value]

    text = numba_cpu.source(flat_kernel([float32], results))
    assert len(text) < 5000
    assert max(map(len, text.splitlines())) <= 100


def test_names_of_the_nest_never_hide_functions() -> None:
    axis = Axis(BATCH, "lo")
    x, y = Buffer("x", float32, (BATCH,)), Buffer("y", float32, (BATCH,))
    names = ("exp_f32", "where", "b0", "range", "lambda", "f32", "x y", "n0")
    value: Expr = Load(x, (axis,), flat=True)
    body: list[Any] = []
    for name in names:
        body.append(Let(Local(name, float32), k.exp(Select(k.lt(value, 0.0), value, -value))))
        value = Local(name, float32)
    body.append(Store(y, axis, value))
    loop = For(axis, index(0), index(BATCH), tuple(body), "parallel")
    kernel = Kernel("maximum", (x,), (y,), (BATCH,), (loop,), BATCH)
    data = np.array([0.1, 0.7], np.float32)
    (plain,), _ = run_plain(kernel, [data], 2)
    (jitted,), _ = run_compiled(kernel, [data], 2)
    assert same_bits(plain, jitted)
    assert "def maximum_(" in numba_cpu.source(kernel)


def test_constants_keep_their_type_and_bits() -> None:
    values = [0.1, -0.0, np.inf, -np.inf, np.nan, 1e-45, 3.4e38]
    kernel = flat_kernel([float32], lambda x: [
        *(k.copysign(Const(v, float32), x) for v in values),
        *(Select(k.lt(x, 0.0), Const(v, float32), x * 0) for v in values),
    ])  # fmt: skip
    data = np.array([1, -1], np.float32)
    plain, _ = run_plain(kernel, [data], 2)
    jitted, _ = run_compiled(kernel, [data], 2)
    for k_, value in enumerate(values):
        assert plain[k_].view("u4")[0] == np.abs(np.float32(value)).view("u4")
        assert same_bits(plain[k_], jitted[k_])
        assert same_bits(plain[k_ + len(values)][1:], np.array([value], np.float32))
        assert same_bits(plain[k_ + len(values)], jitted[k_ + len(values)])


# ------------------------------------------------------------------ where it is used
def test_a_kernel_runs_inside_a_users_njit_function() -> None:
    import numba

    kernel = numba_cpu.njit_callable(softmax_kernel(8))

    @numba.njit
    def users(x: Any, y: Any) -> Any:
        kernel(x.reshape(-1), y.reshape(-1), x.shape[0], 0, x.shape[0])
        return y.sum()

    x, y = np.zeros((3, 8), np.float32), np.empty((3, 8), np.float32)
    assert users(x, y) == pytest.approx(3)


def test_a_user_njit_function_sees_flags() -> None:
    kernel = numba_cpu.njit_callable(gather_kernel(True))
    x, at, y = np.arange(5, dtype="f4"), np.array([9, 1], "i4"), np.zeros(2, "f4")
    status = np.zeros(1, np.int64)
    kernel(x, at, y, 2, status, 0, 2)
    assert (y.tolist(), status[0]) == ([4, 1], 1)


def test_the_object_code_needs_nothing_of_python() -> None:
    text = numba_cpu.llvm_ir(softmax_kernel(), "softmax")
    outside = [line for line in text.splitlines() if line.startswith("declare")]
    assert all("@llvm." in line for line in outside), outside


def test_a_traceback_through_a_kernel_shows_its_source() -> None:
    call = numba_cpu.python_callable(flat_kernel([float32], lambda x: [x + 1.0]))
    try:
        call([np.zeros(2, np.float32), np.zeros(2, np.float32)], [2], 0, 3)
    except IndexError:
        assert "o0[i] = b0[i] + f32(1.0)" in traceback.format_exc()
    else:
        raise AssertionError("reading past the end went unseen")


def test_wrong_arrays_are_named() -> None:
    call = numba_cpu.python_callable(flat_kernel([float32], lambda x: [x + 1.0]))
    with pytest.raises(ValueError, match="x0 takes a contiguous float32 array, not float64"):
        call([np.zeros(2), np.zeros(2, np.float32)], [2], 0, 2)


def test_the_printer_and_the_oracle_need_no_numba() -> None:
    code = (
        "import sys, graphc.render.numba_cpu as n\n"
        "from graphc.kernel.nest import Kernel\n"
        "kernel = Kernel('k', (), (), (), (), 1)\n"
        "n.source(kernel); n.python_callable(kernel)([], [])\n"
        "print([m for m in ('numba', 'llvmlite', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_primitive_is_named() -> None:
    bad = flat_kernel([float32], lambda x: [Prim("zeta", (x,), float32)])
    with pytest.raises(NotImplementedError, match="'zeta' on float32"):
        numba_cpu.source(bad)


# ------------------------------------------------------------------ beside the other printers
def lowered_cases() -> dict[str, Any]:
    """Groups as lowering makes them: softmax, layer norm, column sums, argmax, a large sum."""
    x, w = Buffer("x", float32, (BATCH, 70), "x"), Buffer("w", float32, (70,), "w")
    y, t = Buffer("y", float32, (BATCH, 70), "y"), Buffer("t", float32, (), "t")
    z, c = Buffer("z", float32, (70, BATCH), "z"), Buffer("c", float32, (70,), "c")
    a = Buffer("a", int64, (BATCH,), "a")
    i, j, r, r2, row = (Axis(n, s) for n, s in (
        (BATCH, "i"), (70, "j"), (70, "r"), (70, "r"), (BATCH, "row")))  # fmt: skip

    def at(col: Axis) -> Load:
        return Load(x, (i, col))

    def total(value: Expr, *axes: Axis) -> Reduce:
        return Reduce("add", axes, value, float32)

    top = Reduce("max", (r,), at(r), float32)
    mean = total(at(r), r) / 70.0
    scale = k.rsqrt(total(k.square(at(r2) - mean), r2) / 70.0 + 1e-5)
    norm = k.exp(at(j) - top) / total(k.exp(at(r2) - top), r2)
    everything = total(Load(x, (row, r)), row, r)
    return {
        "softmax": Compute(y, (i, j), norm),
        "layer_norm": Compute(y, (i, j), (at(j) - mean) * scale * Load(w, (j,))),
        "columns": Compute(c, (j,), total(Load(x, (row, j)), row)),
        "argmax": Compute(a, (i,), Reduce("argmax", (r,), at(r), int64)),
        "sum": Compute(t, (), everything),
        "transposed": Compute(z, (j, i), k.tanh(at(j)) * 2.0),
    }


@pytest.mark.parametrize("name", lowered_cases())
def test_a_lowered_group_agrees_with_the_interpreter(name: str) -> None:
    compute = lowered_cases()[name]
    kernels, rows = lower(name, [compute]), 300 if name == "sum" else 9
    dims = {"batch": rows}
    rng = np.random.default_rng(1)
    given: dict[Buffer, np.ndarray] = {}
    for buffer in (b for kernel in kernels for b in kernel.buffers):
        shape = tuple(evaluate(d, dims) for d in buffer.shape)
        given[buffer] = np.array(rng.standard_normal(shape), dtype=buffer.dtype.np)
    results = []
    for way in ("interp", "plain", "compiled"):
        arrays = {buffer: array.copy() for buffer, array in given.items()}
        for kernel in kernels:
            if way == "interp":
                interp.run(kernel, arrays, dims)
                continue
            call = (numba_cpu.python_callable if way == "plain" else compiled)(kernel)
            values = [evaluate(d, dims) for d in kernel.dims]
            call([arrays[b] for b in kernel.buffers], values, 0, evaluate(kernel.extent, dims))
        results.append(arrays[compute.buffer])
    for got in results[1:]:
        np.testing.assert_allclose(got, results[0], rtol=2e-4, atol=1e-5)
