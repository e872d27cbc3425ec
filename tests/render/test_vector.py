"""The vector printer: loops, accumulators, accesses and flags do what the interpreter does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc.errors import CompileError
from graphc.ir.dtypes import (
    DType,
    bool_,
    float16,
    float32,
    float64,
    int8,
    int32,
    int64,
    uint8,
)
from graphc.ir.shape import SymDim
from graphc.kernel import prims as k
from graphc.kernel.expr import Axis, Cast, Const, DimValue, Expr, Local, index
from graphc.kernel.nest import FLAG_DIV, FLAG_INDEX, Let, Store
from graphc.render import vector
from graphc.runtime import jit
from tests.render.nests import samples
from tests.render.vector_nests import (
    apply,
    at,
    buffer,
    check,
    compiled,
    flat,
    kernel_of,
    parallel,
    run_kernel,
    softmax,
    vector_loop,
)

RNG = np.random.default_rng(0)


def light(x: Expr) -> Expr:
    return x * 2.0 + 1.0


def heavy(x: Expr) -> Expr:
    return (k.tanh(x) + 2.0) * k.exp(x) + k.sigmoid(x)


# ------------------------------------------------------------------ tails
@pytest.mark.parametrize("lanes", [1, 4, 16])
@pytest.mark.parametrize("fn", [light, heavy])
def test_tail_of_every_length(fn: Any, lanes: int) -> None:
    dim = SymDim.symbol("n")
    axis = Axis(dim, "i")
    x, y = buffer("x", float32, dim), buffer("y", float32, dim)
    kernel = kernel_of(
        (x,), (y,), parallel(axis, Store(y, axis, fn(at(x, axis))), lanes=lanes), dims=(dim,)
    )
    for size in range(2 * lanes + 2):
        data = RNG.standard_normal(size).astype(np.float32)
        check(kernel, {x: data, y: np.zeros(size, np.float32)}, {"n": size}, rtol=1e-6)


@pytest.mark.parametrize("fn", [light, heavy])
def test_part_of_the_parallel_range_leaves_the_rest_alone(fn: Any) -> None:
    kernel = flat([float32], fn, 100)
    x, y = kernel.inputs[0], kernel.outputs[0]
    data = RNG.standard_normal(100).astype(np.float32)
    arrays = {x: data, y: np.full(100, 5, np.float32)}
    for lo, hi in ((0, 100), (3, 50), (17, 18), (99, 100), (5, 5), (40, 77)):
        check(kernel, arrays, lo=lo, hi=hi, rtol=1e-6)


@pytest.mark.parametrize("size", [1, 7, 8, 9, 31, 32, 40])
@pytest.mark.parametrize("dtype", [bool_, int8, float16, float64, int64], ids=lambda d: d.name)
def test_copy_of_every_width(dtype: DType, size: int) -> None:
    x = samples(dtype, 64)[:size]
    assert apply(flat([dtype], lambda v: v, size, lanes=8), x).tobytes() == x.tobytes()


# ------------------------------------------------------------------ accesses
@pytest.mark.parametrize("size", [5, 8, 21])
@pytest.mark.parametrize("step", [1, -1, 2, -3, 0])
def test_load_with_any_stride(step: int, size: int) -> None:
    axis = Axis(size, "i")
    x, y = buffer("x", float32, 100), buffer("y", float32, size)
    offset = axis * step + (70 if step < 0 else 2)
    kernel = kernel_of((x,), (y,), parallel(axis, Store(y, axis, at(x, offset)), lanes=8))
    arrays = {x: np.arange(100, dtype=np.float32), y: np.zeros(size, np.float32)}
    check(kernel, arrays)


@pytest.mark.parametrize("size", [5, 8, 21])
@pytest.mark.parametrize("step", [1, -1, 2])
def test_store_with_any_stride(step: int, size: int) -> None:
    axis = Axis(size, "i")
    x, y = buffer("x", float32, size), buffer("y", float32, 100)
    offset = axis * step + (70 if step < 0 else 2)
    kernel = kernel_of((x,), (y,), parallel(axis, Store(y, offset, at(x, axis)), lanes=8))
    arrays = {x: np.arange(size, dtype=np.float32), y: np.full(100, -1, np.float32)}
    check(kernel, arrays)


def test_lanes_that_store_to_one_place_leave_the_last_value() -> None:
    axis = Axis(21, "i")
    x, y = buffer("x", float32, 21), buffer("y", float32, 4)
    body = Store(y, k.floormod(axis, 4), at(x, axis))
    kernel = kernel_of((x,), (y,), parallel(axis, body, lanes=8))
    got, _ = run_kernel(kernel, {x: np.arange(21, dtype=np.float32), y: np.zeros(4, np.float32)})
    np.testing.assert_array_equal(got[y], [20, 17, 18, 19])


@pytest.mark.parametrize("dtype", [float32, bool_, int8], ids=lambda d: d.name)
@pytest.mark.parametrize("size", [3, 16, 19])
def test_gather_by_loaded_indices(dtype: DType, size: int) -> None:
    axis = Axis(size, "i")
    rows = buffer("rows", int64, size)
    x, y = buffer("x", dtype, 40), buffer("y", dtype, size)
    kernel = kernel_of(
        (rows, x), (y,), parallel(axis, Store(y, axis, at(x, at(rows, axis))), lanes=8)
    )
    values = samples(dtype, 40)
    arrays = {rows: RNG.integers(0, 40, size), x: values, y: np.zeros(size, dtype.np)}
    check(kernel, arrays)


@pytest.mark.parametrize("lanes", [1, 8])
@pytest.mark.parametrize("step", [1, -1, 2])
def test_masked_load_touches_memory_only_where_it_may(step: int, lanes: int) -> None:
    """A padded read: the masked positions lie far outside of any mapped memory."""
    size = 37
    axis = Axis(size, "i")
    x, y = buffer("x", float32, 20), buffer("y", float32, size)
    inside = k.and_(k.ge(axis, 9), k.lt(axis, 19))
    far = k.select(inside, index(0), index(1 << 45))
    source = axis * step + (19 if step < 0 else -9)
    if step == 2:
        source = axis * 2 - 18
    for offset in (source, source + far):
        body = Store(y, axis, at(x, offset, inside, Const(-3, float32)))
        kernel = kernel_of((x,), (y,), parallel(axis, body, lanes=lanes))
        arrays = {x: np.arange(20, dtype=np.float32), y: np.zeros(size, np.float32)}
        check(kernel, arrays)


def test_masked_load_of_one_element_for_all_lanes() -> None:
    axis = Axis(21, "i")
    x, y = buffer("x", float32, 1), buffer("y", float32, 21)
    body = Store(y, axis, at(x, index(0), k.lt(axis, 5), Const(9, float32)))
    kernel = kernel_of((x,), (y,), parallel(axis, body, lanes=8))
    check(kernel, {x: np.ones(1, np.float32), y: np.zeros(21, np.float32)})
    never = Store(y, axis, at(x, index(1 << 45), k.lt(axis, 0), Const(9, float32)))
    kernel = kernel_of((x,), (y,), parallel(axis, never, lanes=8))
    check(kernel, {x: np.ones(1, np.float32), y: np.zeros(21, np.float32)})


def test_scalar_operand_is_loaded_once_and_broadcast() -> None:
    axis = Axis(37, "i")
    x, b, y = buffer("x", float32, 37), buffer("b", float32, 1), buffer("y", float32, 37)
    body = Store(y, axis, at(x, axis) * at(b, index(0)))
    kernel = kernel_of((x, b), (y,), parallel(axis, body, lanes=8))
    arrays = {x: samples(float32, 37), b: np.full(1, 3, np.float32), y: np.zeros(37, np.float32)}
    check(kernel, arrays)
    text = vector.print_kernel(kernel, "f")
    assert text.index("getelementptr float, ptr %b1") < text.index("phi i64")


@pytest.mark.parametrize("fn", [light, heavy])
def test_update_in_place_is_one_pointer(fn: Any) -> None:
    axis = Axis(37, "i")
    x, g = buffer("x", float32, 37), buffer("g", float32, 37)
    loop = parallel(axis, Store(x, axis, at(x, axis) - fn(at(g, axis))), lanes=8)
    kernel = kernel_of((x, g), (x,), loop)
    check(kernel, {x: samples(float32, 37, 1), g: samples(float32, 37)}, rtol=1e-5)


def test_load_after_a_store_sees_the_new_value() -> None:
    axis = Axis(20, "i")
    x, y = buffer("x", float32, 20), buffer("y", float32, 20)
    old = Local("old", float32)
    loop = parallel(
        axis,
        Let(old, at(x, axis)),
        Store(x, axis, at(x, axis) * 2.0),
        Store(y, axis, at(x, axis) + old),
        lanes=8,
    )
    check(
        kernel_of((x,), (x, y), loop),
        {x: np.arange(20, dtype=np.float32), y: np.zeros(20, np.float32)},
    )


@pytest.mark.parametrize("lanes", [1, 8])
@pytest.mark.parametrize("name", ["floordiv", "floormod"])
def test_division_of_positions(name: str, lanes: int) -> None:
    n = SymDim.symbol("n")
    axis = Axis(100, "i")
    late = Local("late", int64)
    for divisor in (index(7), index(-3), DimValue(n)):
        y, z = buffer("y", int64, 100), buffer("z", int64, 100)
        loop = parallel(
            axis,
            Let(late, axis * 3 - 150),
            Store(y, axis, k.prim(name, late, divisor)),
            Store(z, axis, k.prim(name, axis * 1000003 * 1000003, divisor)),
            lanes=lanes,
        )
        kernel = kernel_of((), (y, z), loop, dims=(n,), flags=True)
        for size in (7, 1, 0) if isinstance(divisor, DimValue) else (1,):
            arrays = {y: np.zeros(100, int), z: np.zeros(100, int)}
            check(kernel, arrays, {"n": size})


def test_index_arithmetic_is_vector_only_where_it_must_be() -> None:
    """A Let of an affine index keeps its stride: the load is contiguous."""
    row, col = Axis(3, "r"), Axis(37, "c")
    x, y = buffer("x", float32, 3, 40), buffer("y", float32, 3, 37)
    where = Local("where", int64)
    inner = vector_loop(
        col, Let(where, row * 40 + col + 3), Store(y, row * 37 + col, light(at(x, where)))
    )
    kernel = kernel_of((x,), (y,), parallel(row, inner))
    arrays = {x: samples(float32, 120).reshape(3, 40), y: np.zeros((3, 37), np.float32)}
    check(kernel, arrays)
    text = vector.print_kernel(kernel, "f")
    assert "gather" not in text
    assert "x i64>" not in text


# ------------------------------------------------------------------ flags
@pytest.mark.parametrize("lanes", [1, 8])
@pytest.mark.parametrize("bad", [None, 0, 13, 20])
def test_index_out_of_range_is_clamped_and_flagged(bad: int | None, lanes: int) -> None:
    axis = Axis(21, "i")
    rows, x, y = buffer("rows", int64, 21), buffer("x", float32, 9), buffer("y", float32, 21)
    row = k.check_index(at(rows, axis), index(9))
    kernel = kernel_of(
        (rows, x), (y,), parallel(axis, Store(y, axis, at(x, row)), lanes=lanes), flags=True
    )
    chosen = RNG.integers(0, 9, 21)
    if bad is not None:
        chosen[bad] = -5 if bad else 9
    arrays = {rows: chosen, x: np.arange(9, dtype=np.float32), y: np.zeros(21, np.float32)}
    check(kernel, arrays)
    _, status = run_kernel(kernel, arrays)
    assert status == (FLAG_INDEX if bad is not None else 0)


@pytest.mark.parametrize("lanes", [1, 8])
def test_division_by_zero_gives_zero_and_is_flagged(lanes: int) -> None:
    kernel = flat([int32, int32], lambda a, b: k.floordiv(a, b), 21, lanes, flags=True)
    x, y = kernel.inputs
    out = kernel.outputs[0]
    top = samples(int32, 64)[:21]
    arrays = {x: top, y: np.full(21, -1, np.int32), out: np.zeros(21, np.int32)}
    assert run_kernel(kernel, arrays)[1] == 0
    arrays[y] = np.full(21, -1, np.int32)
    arrays[y][20] = 0
    got, status = run_kernel(kernel, arrays)
    assert status == FLAG_DIV
    assert got[out][20] == 0


def test_lanes_behind_the_end_raise_no_flag() -> None:
    """A tail's idle lanes hold zeros: they must not count as divisions by zero."""
    kernel = flat([int32, int32], lambda a, b: k.floormod(a, b), 5, 16, flags=True)
    arrays = dict(zip(kernel.inputs, (np.full(5, 7, np.int32),) * 2, strict=True))
    arrays[kernel.outputs[0]] = np.zeros(5, np.int32)
    assert run_kernel(kernel, arrays)[1] == 0


def test_both_flags_of_nested_loops_are_joined() -> None:
    row, col = Axis(3, "r"), Axis(10, "c")
    a, y = buffer("a", int64, 30), buffer("y", int64, 30)
    here = row * 10 + col
    checked = k.check_index(at(a, here), index(30))
    inner = vector_loop(col, Store(y, here, checked + k.floordiv(index(7), at(a, here))))
    kernel = kernel_of((a,), (y,), parallel(row, inner), flags=True)
    data = np.arange(30) + 1
    data[3], data[27] = 0, -1
    _, status = run_kernel(kernel, {a: data, y: np.zeros(30, int)})
    assert status == FLAG_INDEX | FLAG_DIV


# ------------------------------------------------------------------ targets, text, errors
@pytest.mark.parametrize("level", ["sse2", "avx2", "avx512"])
def test_narrower_targets_compute_the_same(level: str) -> None:
    host = jit.host_target()
    feature = {"sse2": "sse2", "avx2": "avx2", "avx512": "avx512f"}[level]
    if not host.triple.startswith("x86_64") or not host.has(feature):
        pytest.skip(f"the host has no {level}")
    target = jit.level_target(level)
    kernel = softmax(37, 16)
    data = (RNG.standard_normal((6, 37)) * 5).astype(np.float32)
    arrays = {kernel.inputs[0]: data, kernel.outputs[0]: np.zeros_like(data)}
    check(kernel, arrays, rtol=1e-6, target=target)
    names = ("sin", "log", "pow", "erf", "rint", "lgamma")
    for dtype in (float32, float64):
        x = np.abs(samples(dtype, 37)) + dtype.np.type(0.5)
        x[np.isinf(x)] = 2
        for name in names:
            args = 2 if name == "pow" else 1
            flat_kernel = flat([dtype] * args, lambda *v: k.prim(name, *v), 37)
            wide = apply(flat_kernel, *[x] * args)
            narrow = apply(flat_kernel, *[x] * args, target=target)
            np.testing.assert_allclose(narrow, wide, rtol=1e-6 if dtype is float32 else 1e-14)


def test_masked_accesses_on_the_narrowest_target() -> None:
    if not jit.host_target().triple.startswith("x86_64"):
        pytest.skip("levels are of x86-64")
    axis = Axis(21, "i")
    x, y = buffer("x", uint8, 30), buffer("y", uint8, 21)
    body = Store(y, axis, at(x, axis * 3 - 20, k.ge(axis, 7), Const(9, uint8)))
    kernel = kernel_of((x,), (y,), parallel(axis, body, lanes=16))
    arrays = {x: np.arange(45, dtype=np.uint8)[:45], y: np.zeros(21, np.uint8)}
    check(kernel, arrays, target=jit.level_target("sse2"))


def test_many_kernels_in_one_module() -> None:
    kernels = [(flat([float32], fn, 10), f"k{n}") for n, fn in enumerate((light, heavy, k.sin))]
    text = vector.module(kernels)
    data = jit.compile_ir(text, ["k0", "k1", "k2"], opt="none")
    assert len(jit.load_object(data, ["k0", "k1", "k2"])) == 3


@pytest.mark.parametrize("opt", ["none", "light", "gvn", "full"])
def test_passes_change_no_result(opt: str) -> None:
    kernel = softmax(37, 16)
    data = RNG.standard_normal((6, 37)).astype(np.float32)
    arrays = {kernel.inputs[0]: data, kernel.outputs[0]: np.zeros_like(data)}
    plain, _ = run_kernel(kernel, arrays)
    other, _ = run_kernel(kernel, arrays, opt=opt)
    np.testing.assert_array_equal(plain[kernel.outputs[0]], other[kernel.outputs[0]])


def test_text_names_the_kernel_and_is_stable() -> None:
    kernel = softmax(37, 16)
    text = vector.print_kernel(kernel, "softmax_0")
    assert "; test" in text
    assert "define void @softmax_0(ptr %args, i64 %lo, i64 %hi)" in text
    assert text == vector.print_kernel(kernel, "softmax_0")


def test_invalid_nests_are_refused() -> None:
    x, y = buffer("x", float32, 8), buffer("y", float32, 8)
    axis, other = Axis(8, "i"), Axis(8, "j")
    wrong_axis = kernel_of((x,), (y,), parallel(axis, Store(y, axis, at(x, other)), lanes=8))
    wrong_type = kernel_of(
        (x,), (y,), parallel(axis, Store(y, axis, Cast(at(x, axis), float64)), lanes=8)
    )
    unset = kernel_of((x,), (y,), parallel(axis, Store(y, axis, Local("t", float32)), lanes=8))
    stranger = buffer("z", float32, 8)
    unknown = kernel_of((x,), (y,), parallel(axis, Store(y, axis, at(stranger, axis)), lanes=8))
    for kernel in (wrong_axis, wrong_type, unset, unknown):
        with pytest.raises(CompileError):
            vector.print_kernel(kernel, "f")


def test_compiled_kernel_can_be_called_from_many_threads() -> None:
    from concurrent.futures import ThreadPoolExecutor

    kernel = flat([float32], heavy, 1000)
    call = compiled(kernel)
    x = samples(float32, 1000)
    y = np.zeros(1000, np.float32)
    slots = np.array([x.ctypes.data, y.ctypes.data], np.int64)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda n: call(slots.ctypes.data, n * 100, n * 100 + 100), range(10)))
    np.testing.assert_array_equal(y, apply(kernel, x))
