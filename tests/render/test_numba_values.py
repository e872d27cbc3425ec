"""Primitives and casts of readable kernels: NumPy's meaning, and the same bits compiled."""

from __future__ import annotations

import random
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
from graphc.kernel import interp
from graphc.kernel import prims as k
from graphc.kernel.expr import Cast, Expr, Select
from graphc.render import numba_cpu
from tests.render.nests import (
    flat_kernel,
    outputs_for,
    run_compiled,
    run_plain,
    same_bits,
    samples,
    softmax_kernel,
)

INTEGERS = (int8, int16, int32, int64, uint8, uint16, uint32, uint64)
FLOATS = (float32, float64)


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


@pytest.mark.parametrize("run", [run_plain, run_compiled])
def test_int64_arithmetic_wraps_and_a_wrapped_zero_divisor_is_seen(run: Any) -> None:
    # 2**32 squared is 0 modulo 2**64: a compiler that rules overflow out would divide by it
    kernel = flat_kernel(
        [int64],
        lambda x: [x * x, x + x, -x, k.truncdiv(x, x * x), k.floormod(x, x * x)],
        flags=True,
    )
    x = np.array([1 << 32, np.iinfo(np.int64).min, np.iinfo(np.int64).max, 3], np.int64)
    got, status = run(kernel, [x], len(x))
    for have, want in zip(got, [x * x, x + x, -x, [0, 0, x[2], 0], [0, 0, 0, 3]], strict=True):
        np.testing.assert_array_equal(have, want)
    assert status == 2


def test_index_arithmetic_stays_plain() -> None:
    source = numba_cpu.source(softmax_kernel())
    assert "wrap_" not in source


ALL_TYPES = [bool_, *INTEGERS, *FLOATS, float16, bfloat16]
OF_FLOATS = ["add", "sub", "mul", "div", "max", "min", "neg", "abs", "sqrt", "floor", "rint",
             "copysign", "is_nan", "recip"]  # fmt: skip
OF_INTEGERS = ["add", "sub", "mul", "max", "min", "neg", "abs", "sign", "and", "xor", "not",
               "floordiv", "floormod", "truncdiv", "shl", "shr"]  # fmt: skip
COMPARISONS = ["lt", "le", "gt", "ge", "eq", "ne"]


def random_values(rng: random.Random, pool: list[Expr], count: int) -> list[Expr]:
    """Expressions that build on each other."""
    start = len(pool)
    while len(pool) < start + count:
        x = rng.choice(pool)
        y = rng.choice([p for p in pool if p.dtype is x.dtype])
        pick = rng.random()
        target = rng.choice(ALL_TYPES)
        if pick < 0.2:
            # a float that no integer holds has no result that NumPy promises
            pool.append(x if x.dtype.is_floating and target.is_integer else Cast(x, target))
        elif pick < 0.3:
            flag = rng.choice([p for p in pool if p.dtype is bool_])
            pool.append(Select(flag, x, y))
        elif pick < 0.45:
            pool.append(k.prim(rng.choice(COMPARISONS), x, y))
        else:
            names = OF_FLOATS if x.dtype.is_floating else OF_INTEGERS
            name = rng.choice(["and", "or", "xor", "not"] if x.dtype.is_bool else names)
            pool.append(k.prim(name, *(x, y)[: k.TABLE[name].arity]))
    return pool


@pytest.mark.parametrize("seed", range(8))
def test_random_expressions_agree_with_the_interpreter(seed: int) -> None:
    rng = random.Random(seed)
    kernel = flat_kernel(
        ALL_TYPES, lambda *given: random_values(rng, list(given), 40)[-12:], flags=True
    )
    args = [samples(dtype, 67, seed + 1) for dtype in ALL_TYPES]
    plain, status = run_plain(kernel, args, 67)
    jitted, again = run_compiled(kernel, args, 67)
    outs = outputs_for(kernel, 67)
    arrays = dict(zip(kernel.buffers, [*args, *outs], strict=True))
    assert interp.run(kernel, arrays, {"batch": 67}) == status == again
    for got, compiled_, want in zip(plain, jitted, outs, strict=True):
        assert same_bits(got, compiled_)
        np.testing.assert_array_equal(got.astype("f8"), want.astype("f8"))
