"""The vector printer: every primitive and every cast on every dtype means what NumPy means."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.ir import dtypes
from graphc.ir.dtypes import (
    DType,
    bfloat16,
    bool_,
    float16,
    float32,
    float64,
    int8,
    int32,
    int64,
    uint8,
    uint32,
)
from graphc.kernel import prims as k
from graphc.kernel.expr import Cast, Const, Prim, Select
from graphc.kernel.prims import TABLE
from graphc.runtime import jit
from tests.render.nests import samples
from tests.render.vector_nests import apply, flat, same_values

EXACT_FLOAT = [
    "add", "sub", "mul", "div", "neg", "abs", "sign", "max", "min", "sqrt", "rsqrt", "recip",
    "floor", "ceil", "rint", "trunc", "copysign", "eq", "ne", "lt", "le", "gt", "ge", "is_nan",
    "is_inf", "is_finite", "fmod",
]  # fmt: skip
INTEGER = [
    "add", "sub", "mul", "floordiv", "floormod", "truncdiv", "neg", "abs", "sign", "max", "min",
    "eq", "ne", "lt", "le", "gt", "ge", "and", "or", "xor", "not",
]  # fmt: skip
SMOOTH = [
    "exp", "expm1", "log", "log1p", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh",
    "tanh", "asinh", "acosh", "atanh", "sigmoid", "softplus", "erf", "erfc", "erfinv",
]  # fmt: skip
SIZE = 203


def arguments(name: str, dtype: DType) -> list[np.ndarray]:
    return [samples(dtype, SIZE, seed) for seed in range(TABLE[name].arity)]


def numpy_value(name: str, args: list[np.ndarray]) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.asarray(TABLE[name].numpy(*args))


@pytest.mark.parametrize("dtype", [float32, float64], ids=lambda d: d.name)
@pytest.mark.parametrize("name", EXACT_FLOAT)
def test_exact_primitive_on_floats(name: str, dtype: DType) -> None:
    args = arguments(name, dtype)
    kernel = flat([dtype] * len(args), lambda *x: k.prim(name, *x), SIZE)
    got = apply(kernel, *args)
    want = numpy_value(name, args)
    if name in ("max", "min"):  # which zero is larger is not fixed
        got, want = got + 0.0, want + 0.0
    same_values(got, want.astype(got.dtype))


@pytest.mark.parametrize("dtype", dtypes.INT, ids=lambda d: d.name)
@pytest.mark.parametrize("name", INTEGER)
def test_primitive_on_integers(name: str, dtype: DType) -> None:
    args = arguments(name, dtype)
    kernel = flat([dtype] * len(args), lambda *x: k.prim(name, *x), SIZE)
    want = numpy_value(name, args)
    same_values(apply(kernel, *args), want)


@pytest.mark.parametrize("divisor", [1, -1, 2, -3, 7, 64, -128])
@pytest.mark.parametrize("name", ["floordiv", "floormod", "truncdiv"])
def test_division_by_a_constant(name: str, divisor: int) -> None:
    for dtype in (int8, int32, int64):
        x = samples(dtype, SIZE)
        got = apply(flat([dtype], lambda v: k.prim(name, v, divisor), SIZE), x)
        same_values(got, numpy_value(name, [x, np.full(SIZE, divisor, dtype.np)]))


@pytest.mark.parametrize("name", ["and", "or", "xor", "not", "eq", "ne", "lt", "max", "min", "add"])
def test_primitive_on_bools(name: str) -> None:
    args = arguments(name, bool_)
    kernel = flat([bool_] * len(args), lambda *x: k.prim(name, *x), SIZE)
    same_values(apply(kernel, *args), numpy_value(name, args))


@pytest.mark.parametrize("dtype", [int8, int32, int64, uint8, uint32], ids=lambda d: d.name)
@pytest.mark.parametrize("name", ["shl", "shr"])
def test_shift_by_any_amount(name: str, dtype: DType) -> None:
    x = samples(dtype, SIZE)
    amount = np.resize(np.arange(0, 8 * dtype.size + 3), SIZE).astype(dtype.np)
    got = apply(flat([dtype, dtype], lambda a, b: k.prim(name, a, b), SIZE), x, amount)
    same_values(got, numpy_value(name, [x, amount]))


def test_high_half_of_a_product() -> None:
    args = arguments("mulhi_u32", uint32)
    got = apply(flat([uint32, uint32], k.mulhi_u32, SIZE), *args)
    same_values(got, numpy_value("mulhi_u32", args))


@pytest.mark.parametrize("dtype", [float32, float64], ids=lambda d: d.name)
@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_primitive(name: str, dtype: DType) -> None:
    x = samples(dtype, SIZE)
    if name in ("asin", "acos", "atanh", "erfinv"):
        x[12:] = x[12:] / 30
    want = numpy_value(name, [x.astype(np.float64)])
    got = apply(flat([dtype], lambda v: k.prim(name, v), SIZE), x)
    with np.errstate(all="ignore"):
        want = want.astype(dtype.np)
    np.testing.assert_allclose(got, want, rtol=1e-6 if dtype is float32 else 1e-14, atol=0)


@pytest.mark.parametrize("dtype", [float32, float64], ids=lambda d: d.name)
@pytest.mark.parametrize("name", ["lgamma", "digamma"])
def test_gamma_primitive(name: str, dtype: DType) -> None:
    x = samples(dtype, SIZE)
    want = numpy_value(name, [x.astype(np.float64)])
    got = apply(flat([dtype], lambda v: k.prim(name, v), SIZE), x)
    tolerance = 2e-5 if dtype is float32 else 1e-12
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(got, want.astype(dtype.np), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [float32, float64], ids=lambda d: d.name)
@pytest.mark.parametrize("name", ["pow", "atan2"])
def test_two_argument_function(name: str, dtype: DType) -> None:
    args = arguments(name, dtype)
    got = apply(flat([dtype] * 2, lambda a, b: k.prim(name, a, b), SIZE), *args)
    want = numpy_value(name, [a.astype(np.float64) for a in args])
    with np.errstate(all="ignore"):
        want = want.astype(dtype.np)
    np.testing.assert_allclose(got, want, rtol=1e-6 if dtype is float32 else 4e-15, atol=0)


def test_huge_arguments_of_sine_take_the_rare_branch() -> None:
    x = np.zeros(SIZE, np.float32)
    x[37], x[150], x[151] = 1e30, -3e38, np.inf
    got = apply(flat([float32], k.sin, SIZE), x)
    with np.errstate(invalid="ignore"):
        want = np.sin(x.astype(np.float64)).astype(np.float32)
    np.testing.assert_allclose(got, want, rtol=1e-6)


@pytest.mark.parametrize("dtype", [int8, int32, uint8], ids=lambda d: d.name)
def test_integer_power(dtype: DType) -> None:
    x = samples(dtype, SIZE)
    exponent = np.resize(np.arange(0, 13), SIZE).astype(dtype.np)
    got = apply(flat([dtype, dtype], k.ipow, SIZE), x, exponent)
    same_values(got, numpy_value("ipow", [x, exponent]))


@pytest.mark.parametrize("dtype", [float16, bfloat16], ids=lambda d: d.name)
def test_arithmetic_on_half_floats_rounds_once_an_operation(dtype: DType) -> None:
    pytest.importorskip("ml_dtypes")
    a, b = (samples(dtype, SIZE, seed) for seed in (0, 1))
    for name in ("add", "mul", "max", "div", "sqrt"):
        args = [a, b][: TABLE[name].arity]
        got = apply(flat([dtype] * len(args), lambda *x: k.prim(name, *x), SIZE), *args)
        want = numpy_value(name, [v.astype(np.float32) for v in args])
        with np.errstate(all="ignore"):
            same_values(got + dtype.np.type(0), want.astype(dtype.np) + dtype.np.type(0))


# ------------------------------------------------------------------ casts
REAL = dtypes.REAL_OR_BOOL


@pytest.mark.parametrize("to", REAL, ids=lambda d: d.name)
@pytest.mark.parametrize("source", REAL, ids=lambda d: d.name)
def test_cast_is_numpys_astype(source: DType, to: DType) -> None:
    pytest.importorskip("ml_dtypes")
    x = samples(source, SIZE)
    if source.is_floating and to.is_integer:
        # out of range C leaves the result open
        top = 100.0
        x = np.clip(np.nan_to_num(x.astype(np.float64)), 0 if to.is_unsigned else -top, top)
        x = x.astype(source.np)
    got = apply(flat([source], lambda v: Cast(v, to), SIZE), x)
    with np.errstate(all="ignore"):
        same_values(got, x.astype(to.np))


@pytest.mark.parametrize("to", [int8, int32, int64, uint8, uint32], ids=lambda d: d.name)
@pytest.mark.parametrize("source", [float32, float64], ids=lambda d: d.name)
def test_cast_of_floats_out_of_range_gives_what_numpy_gives_on_x86(
    source: DType, to: DType
) -> None:
    if not jit.host_target().triple.startswith("x86_64"):
        pytest.skip("the result is open on other processors")
    x = samples(source, SIZE)
    x[12:20] = [300, -1, 3e9, -3e9, 5e9, 1e18, -129, 2.0**31]
    got = apply(flat([source], lambda v: Cast(v, to), SIZE), x)
    with np.errstate(all="ignore"):
        same_values(got, x.astype(to.np))


@pytest.mark.parametrize("half", [float16, bfloat16], ids=lambda d: d.name)
def test_every_half_float_survives_a_round_trip(half: DType) -> None:
    pytest.importorskip("ml_dtypes")
    x = np.arange(65536, dtype=np.uint16).view(half.np)
    for target in targets():
        wide = apply(flat([half], lambda v: Cast(v, float32), 65536), x, target=target)
        same_values(wide, x.astype(np.float32))
        back = apply(flat([float32], lambda v: Cast(v, half), 65536), wide, target=target)
        same_values(back, x)


def targets() -> list[jit.Target]:
    """The host, and where it is an x86-64 the level without any half instructions."""
    host = jit.host_target()
    return [host, jit.level_target("sse2")] if host.triple.startswith("x86_64") else [host]


def test_float64_to_float16_rounds_once() -> None:
    rng = np.random.default_rng(0)
    halves = np.arange(0, 0x7C00, 7, dtype=np.uint16).view(np.float16).astype(np.float64)
    middle = (halves[1:] + halves[:-1]) / 2
    x = np.concatenate([middle, middle * (1 + 2.0**-40), -middle * (1 - 2.0**-45)])
    x = np.concatenate([x, rng.standard_normal(1000) * 1e-6, [1e300, -65520.0, 65519.99, np.nan]])
    for target in targets():
        got = apply(flat([float64], lambda v: Cast(v, float16), x.size), x, target=target)
        with np.errstate(over="ignore"):
            same_values(got, x.astype(np.float16))
        with np.errstate(over="ignore"):
            single = x.astype(np.float32)
        got = apply(flat([float32], lambda v: Cast(v, float16), x.size), single, target=target)
        with np.errstate(over="ignore"):
            same_values(got, single.astype(np.float16))


@pytest.mark.parametrize(("source", "to"), [(float32, int32), (int64, float64), (float32, uint32)])
def test_bitcast_keeps_the_bits(source: DType, to: DType) -> None:
    x = samples(source, SIZE)
    got = apply(flat([source], lambda v: Prim("bitcast", (v,), to), SIZE), x)
    assert got.tobytes() == x.tobytes()


def test_select_evaluates_both_sides_and_keeps_nan_out() -> None:
    x = samples(float32, SIZE)
    got = apply(
        flat([float32], lambda v: Select(k.gt(v, 0.0), k.log(v), Const(7, float32)), SIZE), x
    )
    with np.errstate(all="ignore"):
        want = np.where(x > 0, np.log(x), np.float32(7))
    np.testing.assert_allclose(got, want, rtol=1e-6)
