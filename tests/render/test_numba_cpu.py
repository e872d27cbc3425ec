"""The Numba printer: un-jitted it means what NumPy means, compiled it gives the same bits."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from graphc.ir.dtypes import (
    DType,
    bfloat16,
    bool_,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)
from graphc.ir.shape import Dim, SymDim
from graphc.kernel import prims as k
from graphc.kernel.expr import Axis, Buffer, Cast, Const, Expr, Load, Local, Prim, Select, index
from graphc.kernel.nest import Accum, For, Kernel, Let, Store, Update
from graphc.render import numba_cpu
from graphc.runtime import jit

BATCH = SymDim.symbol("batch")
INTEGERS = (int8, int16, int32, int64, uint8, uint16, uint32, uint64)
FLOATS = (float32, float64)


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


# ------------------------------------------------------------------ primitives
def prims_for(dtype: DType) -> list[str]:
    both = ["add", "sub", "mul", "neg", "abs", "sign", "max", "min"]
    compare = ["eq", "ne", "lt", "le", "gt", "ge"]
    bits = ["and", "or", "xor", "not"]
    if dtype.is_bool:
        return ["eq", "ne", *bits]
    if dtype.is_integer:
        divide = ["floordiv", "floormod", "truncdiv", "ipow", "shl", "shr"]
        return [*both, *compare, *bits, *divide] + ["mulhi_u32"] * (dtype is uint32)
    return [
        *both, *compare, "div", "fma", "sqrt", "rsqrt", "recip", "floor", "ceil", "rint", "trunc",
        "copysign", "is_nan", "is_inf", "is_finite",
    ]  # fmt: skip


def arguments(dtype: DType, name: str) -> list[np.ndarray]:
    """Samples that the NumPy meaning of the primitive defines."""
    args = [samples(dtype, seed=n) for n in range(k.TABLE[name].arity)]
    if name == "ipow":
        args[1] = (args[1] % 9).astype(dtype.np)
    return args


@pytest.mark.parametrize("dtype", [bool_, *INTEGERS, *FLOATS], ids=lambda d: d.name)
def test_primitives_mean_numpy_and_compile_to_the_same_bits(dtype: DType) -> None:
    names = prims_for(dtype)

    def results(x: Expr, y: Expr, z: Expr, power: Expr) -> list[Expr]:
        out = []
        for name in names:
            pool = (x, power) if name == "ipow" else (x, y, z)
            out.append(k.prim(name, *pool[: k.TABLE[name].arity]))
        return out

    kernel = flat_kernel([dtype] * 4, results)
    x, y, z = (samples(dtype, seed=n) for n in range(3))
    power = y if dtype.is_bool else (np.abs(samples(dtype, seed=1)) % dtype.np.type(9))
    power = np.where(power < 0, 0, power).astype(dtype.np)
    plain, _ = run_plain(kernel, [x, y, z, power], len(x))
    jitted, _ = run_compiled(kernel, [x, y, z, power], len(x))
    for name, got, again in zip(names, plain, jitted, strict=True):
        assert same_bits(got, again), name
        pool = (x, power) if name == "ipow" else (x, y, z)
        with np.errstate(all="ignore"):
            want = k.TABLE[name].numpy(*pool[: k.TABLE[name].arity])
        if name == "fma":
            np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)
        else:
            np.testing.assert_array_equal(got, want.astype(got.dtype), err_msg=name)


MATH = [
    "exp", "expm1", "log", "log1p", "pow", "sin", "cos", "tan", "asin", "acos", "atan", "atan2",
    "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "sigmoid", "softplus", "erf", "erfc",
    "fmod",
]  # fmt: skip


@pytest.mark.parametrize("dtype", FLOATS, ids=lambda d: d.name)
@pytest.mark.parametrize("part", range(4))
def test_math_is_near_numpy_and_compiles_to_the_same_bits(dtype: DType, part: int) -> None:
    names = MATH[part::4]

    def results(x: Expr, y: Expr) -> list[Expr]:
        return [k.prim(n, *(x, y)[: k.TABLE[n].arity]) for n in names]

    kernel = flat_kernel([dtype] * 2, results)
    x, y = samples(dtype, 60), samples(dtype, 60, seed=1)
    plain, _ = run_plain(kernel, [x, y], len(x))
    jitted, _ = run_compiled(kernel, [x, y], len(x))
    tolerance = 2e-5 if dtype is float32 else 1e-12
    for name, got, again in zip(names, plain, jitted, strict=True):
        assert same_bits(got, again), name
        with np.errstate(all="ignore"):
            want = k.TABLE[name].numpy(*(x, y)[: k.TABLE[name].arity])
        np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance, err_msg=name)


def test_shifts_beyond_the_width_are_numpys() -> None:
    kernel = flat_kernel([int32, uint64], lambda x, u: [
        k.shl(x, 31), k.shr(x, 31), k.shl(x, 32), k.shr(x, 40), k.shr(u, 63), k.shl(u, 64),
    ])  # fmt: skip
    x, u = samples(int32), samples(uint64)
    for run in (run_plain, run_compiled):
        got, _ = run(kernel, [x, u], len(x))
        want = [x << 31, x >> 31, x << 32, x >> 40, u >> np.uint64(63), u << np.uint64(64)]
        for have, need in zip(got, want, strict=True):
            np.testing.assert_array_equal(have, need.astype(have.dtype))


# ------------------------------------------------------------------ conversions
@pytest.mark.parametrize("source", [bool_, *INTEGERS, float32, float64], ids=lambda d: d.name)
def test_casts_are_numpys_astype(source: DType) -> None:
    targets = [bool_, *INTEGERS, float16, bfloat16, float32, float64]
    kernel = flat_kernel([source], lambda x: [Cast(x, t) for t in targets])
    x = samples(source)
    if source.is_floating:
        x = x[np.isfinite(x) & (np.abs(x) < 1e20)]
    plain, _ = run_plain(kernel, [x], len(x))
    jitted, _ = run_compiled(kernel, [x], len(x))
    for target, got, again in zip(targets, plain, jitted, strict=True):
        assert same_bits(got, again), target
        if source.is_floating and target.is_unsigned and target.size >= 4:
            keep = x > -1  # NumPy's own result depends on its loop
            np.testing.assert_array_equal(got[keep], x[keep].astype(target.np))
            continue
        if target is bfloat16 and source.size == 8:
            continue  # ml_dtypes rounds twice
        with np.errstate(all="ignore"):
            want = x.astype(target.np)
        np.testing.assert_array_equal(got, want, err_msg=target.name)


def test_values_that_no_integer_holds_become_the_smallest_one() -> None:
    kernel = flat_kernel([float64], lambda x: [Cast(x, t) for t in (int32, int64)])
    x = np.array([np.nan, np.inf, -np.inf, 1e300, -1e300, 2147483648.0, -2147483648.9])
    for run in (run_plain, run_compiled):
        (small, wide), _ = run(kernel, [x], len(x))
        assert (small == np.iinfo(np.int32).min).all()
        assert (wide[:5] == np.iinfo(np.int64).min).all()


@pytest.mark.parametrize("dtype", [float16, bfloat16], ids=lambda d: d.name)
def test_half_width_floats_round_after_every_operation(dtype: DType) -> None:
    kernel = flat_kernel([dtype] * 2, lambda x, y: [x + y, x * y, k.maximum(x, y), x / y, x * 0.1])
    x, y = samples(dtype), samples(dtype, seed=1)
    plain, _ = run_plain(kernel, [x, y], len(x))
    jitted, _ = run_compiled(kernel, [x, y], len(x))
    with np.errstate(all="ignore"):
        want = [x + y, x * y, np.maximum(x, y), x / y, x * dtype.np.type(0.1)]
    for got, again, need in zip(plain, jitted, want, strict=True):
        assert same_bits(got, again)
        np.testing.assert_array_equal(got.astype("f4"), need.astype("f4"))


def test_float64_rounds_to_float16_once() -> None:
    kernel = flat_kernel([float64], lambda x: [Cast(x, float16)])
    # just above half way between two float16: by way of float32 it would be a tie, rounded down
    x = np.array([1 + 2.0**-11 + 2.0**-40, -1 - 2.0**-11 - 2.0**-40, 1 + 2.0**-11, 65519.9, 1e9])
    for run in (run_plain, run_compiled):
        (got,), _ = run(kernel, [x], len(x))
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(got, x.astype(np.float16))


def test_bitcasts_keep_bits() -> None:
    kernel = flat_kernel([float32, float64, uint32, float16], lambda x, y, u, h: [
        k.bitcast(x, int32), k.bitcast(x, uint32), k.bitcast(y, int64), k.bitcast(u, float32),
        k.bitcast(u, int32), k.bitcast(h, uint16),
    ])  # fmt: skip
    args = [samples(d) for d in (float32, float64, uint32, float16)]
    args[2] &= np.uint32(0x7F7FFFFF)  # quiet NaNs may change on their way
    for run in (run_plain, run_compiled):
        got, _ = run(kernel, args, len(args[0]))
        sources = [args[0], args[0], args[1], args[2], args[2], args[3]]
        for have, given in zip(got[:-1], sources, strict=False):
            np.testing.assert_array_equal(have, given.view(have.dtype))
        finite = np.isfinite(args[3])
        np.testing.assert_array_equal(got[-1][finite], args[3].view(np.uint16)[finite])


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
    assert lines[1].startswith("def exp_f32(x):\n    t1 = where(x < f32(")
    assert lines[2] == """\
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
    kernel = flat_kernel([float32], lambda x: [k.copysign(Const(v, float32), x) for v in values]
                         + [Select(k.lt(x, 0.0), Const(v, float32), x * 0) for v in values])  # fmt: skip
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
