"""Vector math as expressions: within the stated ulps, right at edges, base primitives only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special as scipy_special

from graphc.ir.dtypes import DType, float16, float32, float64, int8, int32, int64, uint8
from graphc.kernel import prims as k
from graphc.kernel import special
from graphc.kernel.approx import BASE_PRIMS, Rarely, expand, expand_all
from graphc.kernel.compute import Compute
from graphc.kernel.expr import Axis, Buffer, Cast, Const, Expr, Load, Local, Prim, postorder
from graphc.kernel.interp import evaluate
from graphc.kernel.prims import TABLE

Array = np.ndarray[Any, Any]
EXTENDED = np.finfo(np.longdouble).nmant > 60
COUNT = 20000
RNG = np.random.default_rng(0)

# name: greatest error in ulp for float32 and float64, and the oracle in extended precision
LONG: dict[str, tuple[float, float, Callable[[Array], Array]]] = {
    "exp": (1.0, 1.0, np.exp),
    "decay": (1.0, 1.0, np.exp),
    "expm1": (1.6, 1.9, np.expm1),
    "log": (1.0, 1.0, np.log),
    "log1p": (1.6, 1.6, np.log1p),
    "tanh": (4.4, 2.7, np.tanh),
    "sinh": (2.1, 2.5, np.sinh),
    "cosh": (1.5, 1.5, np.cosh),
    "asinh": (2.1, 2.1, np.arcsinh),
    "acosh": (2.6, 2.6, np.arccosh),
    "atanh": (2.2, 2.2, np.arctanh),
    "asin": (2.5, 2.4, np.arcsin),
    "acos": (1.3, 1.3, np.arccos),
    "atan": (2.2, 1.9, np.arctan),
    "sin": (1.6, 1.8, np.sin),
    "cos": (1.6, 1.6, np.cos),
    "tan": (3.1, 3.1, np.tan),
    "sigmoid": (2.4, 2.4, lambda x: 1 / (1 + np.exp(-x))),
    "softplus": (2.0, 2.0, lambda x: np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))),
}
SPECIAL: dict[str, tuple[float, Callable[[Array], Array]]] = {
    "erf": (4.7, scipy_special.erf),
    "erfc": (3.5, scipy_special.erfc),
    "erfinv": (6.5, scipy_special.erfinv),
    "lgamma": (6.0, scipy_special.gammaln),
    "digamma": (5.0, scipy_special.psi),
}
EDGES = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, 2.0, -2.0]


def applied(name: str, *args: Array) -> Array:
    """The expansion of a primitive, evaluated by the interpreter."""
    dtype = {np.dtype(np.float32): float32, np.dtype(np.float64): float64}[args[0].dtype]
    return evaluated(lambda *x: k.prim(name, *x), dtype, *args)


def evaluated(fn: Callable[..., Expr], dtype: DType, *args: Array) -> Array:
    axis = Axis(args[0].size)
    buffers = [Buffer(n, dtype, (args[0].size,)) for n in range(len(args))]
    value = expand_all(fn(*(Load(b, (axis,)) for b in buffers)))
    compute = Compute(Buffer("y", value.dtype, (args[0].size,)), (axis,), value)
    with np.errstate(all="ignore"):
        return evaluate(compute, dict(zip(buffers, args, strict=True)), {})


def signed_geometric(low: float, high: float, count: int) -> Array:
    return np.exp(RNG.uniform(np.log(low), np.log(high), count)) * RNG.choice([-1, 1], count)


def domain(name: str, dtype: DType) -> Array:
    """Samples of the function's domain: evenly, and in every binade."""
    single = dtype is float32
    low, high = (1e-44, 3e38) if single else (1e-320, 1e308)
    top = 104.0 if single else 746.0
    uniform = RNG.uniform
    n = COUNT // 2
    pieces = {
        "log": [np.abs(signed_geometric(low, high, n)), uniform(0.5, 2, n)],
        "log1p": [signed_geometric(low, 0.99, n), uniform(-0.99, 9, n)],
        "acosh": [1 + np.abs(signed_geometric(1e-6, 1, n)), np.abs(signed_geometric(1, high, n))],
        "lgamma": [uniform(0, 10, n), np.abs(signed_geometric(1e-30, 1e30, n))],
        "digamma": [uniform(0, 10, n), np.abs(signed_geometric(1e-30, 1e30, n))],
        "erfc": [uniform(-6, 9 if single else 26, n), signed_geometric(low, 5, n)],
    }
    for inside in ("asin", "acos", "atanh", "erfinv"):
        pieces[inside] = [uniform(-0.999, 0.999, n), signed_geometric(low, 0.999, n)]
    for wave in ("sin", "cos", "tan"):
        pieces[wave] = [uniform(-100, 100, n), signed_geometric(low, 1e5, n)]
    for growing in ("exp", "expm1", "sinh", "cosh", "sigmoid", "softplus"):
        pieces[growing] = [uniform(-top, top, n), signed_geometric(low, top, n)]
    pieces["decay"] = [-np.abs(x) for x in pieces["exp"]]
    if name == "acosh":
        pieces[name][0] = np.maximum(pieces[name][0], 1)
    return np.concatenate(pieces.get(name, [uniform(-12, 12, n), signed_geometric(low, high, n)]))


def ulps(got: Array, want: Array) -> float:
    """The greatest error in units in the last place; overflow must be exact."""
    with np.errstate(all="ignore"):
        rounded = want.astype(got.dtype)
        finite = np.isfinite(rounded) & np.isfinite(got)
        np.testing.assert_array_equal(got[~finite], rounded[~finite])
        unit = np.spacing(np.abs(rounded[finite])).astype(want.dtype)
        return float(np.max(np.abs(got[finite].astype(want.dtype) - want[finite]) / unit))


@pytest.mark.parametrize("dtype", [float32, float64], ids=lambda d: d.name)
@pytest.mark.parametrize("name", LONG)
def test_elementary_function_is_within_its_ulps(name: str, dtype: DType) -> None:
    if not EXTENDED and dtype is float64:
        pytest.skip("needs an extended long double as oracle")
    x = domain(name, dtype).astype(dtype.np)
    single, double, oracle = LONG[name]
    with np.errstate(all="ignore"):
        want = oracle(x.astype(np.longdouble))
    assert ulps(applied(name, x), want) <= (single if dtype is float32 else double)


@pytest.mark.parametrize("name", SPECIAL)
def test_special_function_is_within_its_ulps_in_float32(name: str) -> None:
    x = domain(name, float32).astype(np.float32)
    limit, oracle = SPECIAL[name]
    assert ulps(applied(name, x), oracle(x.astype(np.float64))) <= limit


@pytest.mark.parametrize("name", SPECIAL)
def test_special_function_in_float64(name: str) -> None:
    x = domain(name, float64)
    with np.errstate(all="ignore"):
        want = SPECIAL[name][1](x)
        keep = (np.abs(want) > 1e-300) & np.isfinite(want)
    np.testing.assert_allclose(applied(name, x)[keep], want[keep], rtol=2e-13, atol=2e-15)


@pytest.mark.parametrize("dtype", [float32, float64], ids=lambda d: d.name)
@pytest.mark.parametrize("name", [*LONG, *SPECIAL])
def test_edges_follow_the_reference(name: str, dtype: DType) -> None:
    info = np.finfo(dtype.np)
    tiny = [info.smallest_subnormal, -info.smallest_subnormal, info.tiny, info.max, -info.max]
    x = np.array([*EDGES, *tiny], dtype.np)
    if name in ("sin", "cos", "tan"):
        x = x[np.abs(np.nan_to_num(x)) < 1e30]  # elsewhere
    if name == "decay":
        x = x[~(x > 0)]
    with np.errstate(all="ignore"):
        want = np.asarray(TABLE[name].numpy(x.astype(np.float64))).astype(dtype.np)
    got = applied(name, x)
    np.testing.assert_allclose(got, want, rtol=1e-6 if dtype is float32 else 1e-14, atol=0)
    zero = (want == 0) & (x == 0)
    np.testing.assert_array_equal(np.signbit(got[zero]), np.signbit(want[zero]))


@pytest.mark.parametrize("dtype", [float32, float64], ids=lambda d: d.name)
@pytest.mark.parametrize("name", [*LONG, *SPECIAL])
def test_every_nan_stays_one(name: str, dtype: DType) -> None:
    bits = np.array([0, 1, 2, 3, 77, -1], f"i{dtype.size}")
    nan = bits & ((1 << (22 if dtype is float32 else 51)) - 1) | np.array(np.nan, dtype.np).view(
        bits.dtype
    )
    assert np.isnan(applied(name, np.concatenate([nan, -nan]).view(dtype.np)[:6])).all()


# exact values by 400-digit arithmetic; the long products are next to odd multiples of pi/2
HUGE_SINES = [
    (float32, 3.4e38, -0.244084874408382986),
    (float32, 1e10, -0.487506025087510692),
    (float32, 16367173 * 2.0**72, 1.0),
    (float64, 1e22, -0.8522008497671888),
    (float64, 6381956970095103 * 2.0**797, 1.0),
    (float64, 1.7e308, -0.595256084863207665),
    (float64, 1e5 * np.pi, -3.39606539963021935e-11),
]


@pytest.mark.parametrize(("dtype", "x", "want"), HUGE_SINES)
def test_sine_of_huge_arguments(dtype: DType, x: float, want: float) -> None:
    data = np.array([x, -x], dtype.np)
    exact = np.array([want, -want])
    got = applied("sin", data)
    np.testing.assert_allclose(got, exact, rtol=2e-7 if dtype is float32 else 5e-16)
    identity = applied("sin", data) ** 2 + applied("cos", data) ** 2
    np.testing.assert_allclose(identity, 1, rtol=1e-6 if dtype is float32 else 1e-15)


@pytest.mark.parametrize("dtype", [float32, float64], ids=lambda d: d.name)
def test_sine_of_arguments_of_every_size(dtype: DType) -> None:
    x = signed_geometric(1e5, 3e38 if dtype is float32 else 1e300, 2000).astype(dtype.np)
    want = np.sin(x.astype(np.float64))
    assert ulps(applied("sin", x), want.astype(np.longdouble)) <= 2.5


@pytest.mark.parametrize("dtype", [float32, float64], ids=lambda d: d.name)
def test_power_is_within_an_ulp_and_follows_c99(dtype: DType) -> None:
    if not EXTENDED and dtype is float64:
        pytest.skip("needs an extended long double as oracle")
    top = 80 if dtype is float32 else 700
    x = np.exp(RNG.uniform(-5, 5, COUNT)).astype(dtype.np)
    y = (RNG.uniform(-1, 1, COUNT) * top / (np.abs(np.log(x)) + 1e-3)).astype(dtype.np)
    want = np.power(x.astype(np.longdouble), y.astype(np.longdouble))
    assert ulps(applied("pow", x, y), want) <= 1.1
    edges = np.array([*EDGES, -0.5, 3.0, 1e30, -1e30, 2.5, -7.0, 1e-44], dtype.np)
    a, b = (v.reshape(-1) for v in np.meshgrid(edges, edges))
    with np.errstate(all="ignore"):
        same(applied("pow", a, b), np.power(a, b), 1e-6)
        same(applied("atan2", a, b), np.arctan2(a, b), 1e-6)


def same(got: Array, want: Array, rtol: float) -> None:
    np.testing.assert_allclose(got, want, rtol=rtol, atol=0)
    number = ~np.isnan(want)
    np.testing.assert_array_equal(np.signbit(got[number]), np.signbit(want[number]))


@pytest.mark.parametrize("exponent", [-1.0, 0.0, 1.0, 2.0, 3.0])
def test_constant_power_is_a_product(exponent: float) -> None:
    root = expand_all(k.pow_(Local("x", float32), exponent))
    names = {n.name for n in postorder(root) if isinstance(n, Prim)}
    assert names <= {"mul", "div"}


@pytest.mark.parametrize("dtype", [int8, uint8, int32, int64], ids=lambda d: d.name)
def test_integer_power(dtype: DType) -> None:
    x = RNG.integers(0, 100, 200).astype(dtype.np)
    y = RNG.integers(0, 100, 200).astype(dtype.np)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(evaluated(k.ipow, dtype, x, y), np.power(x, y))
        for n in (0, 1, 2, 5, 13):
            got = evaluated(lambda v: k.ipow(v, n), dtype, x)
            np.testing.assert_array_equal(got, np.power(x, dtype.np.type(n)))


@pytest.mark.parametrize("dtype", [float32, int32, uint8], ids=lambda d: d.name)
def test_sign(dtype: DType) -> None:
    x = np.array([-3, -0.0, 0, 5, np.nan]) if dtype.is_floating else np.arange(-2, 3)
    with np.errstate(invalid="ignore"):
        x = x.astype(dtype.np)
    np.testing.assert_array_equal(evaluated(k.sign, dtype, x), np.sign(x))


# ------------------------------------------------------------------ form
@pytest.mark.parametrize("name", TABLE)
def test_expansion_holds_base_primitives_only(name: str) -> None:
    integer = name in ("ipow", "floordiv", "floormod", "truncdiv", "mulhi_u32", "check_index")
    integer = integer or name in ("and", "or", "xor", "not", "shl", "shr")
    for dtype in (int64,) if integer else (float32, float64):
        args = [Local(f"x{n}", dtype) for n in range(TABLE[name].arity)]
        node = Prim(name, args, dtype)
        root = expand_all(node)
        found = {n.name for n in postorder(root) if isinstance(n, Prim)}
        assert found <= BASE_PRIMS
        assert root.dtype is dtype
        if name in BASE_PRIMS:
            assert expand(node) is node


def test_equal_parts_are_one_object() -> None:
    x = Local("x", float32)
    root = expand_all(k.exp(x) + k.exp(Local("x", float32)) * k.sin(x) + k.cos(x))
    nodes = postorder(root)
    assert len(set(nodes)) == len(nodes)


def test_half_floats_are_computed_in_float32() -> None:
    x = Local("x", float16)
    root = expand_all(k.tanh(x) * x)
    assert root.dtype is float16
    for node in postorder(root):
        if isinstance(node, Prim):
            assert all(not a.dtype.is_half for a in node.args)
    assert any(isinstance(n, Cast) for n in postorder(root))


def test_rare_parts_are_marked_and_stay_selects() -> None:
    root = expand_all(k.sin(Local("x", float32)))
    rare = [n for n in postorder(root) if isinstance(n, Rarely)]
    assert len(rare) == 2
    assert len({n.args[0] for n in rare}) == 1


def test_unknown_primitive_is_an_error() -> None:
    with pytest.raises(KeyError):
        expand(Prim("nothing", [Const(1, float32)], float32))


# ------------------------------------------------------------------ references
@pytest.mark.parametrize("name", ["sigmoid", "softplus", *SPECIAL])
def test_reference_keeps_dtype_and_shape(name: str) -> None:
    fn = getattr(special, name)
    for dtype in (np.float16, np.float32, np.float64):
        assert fn(np.full((2, 3), 0.5, dtype)).dtype == dtype
        assert fn(np.full((2, 3), 0.5, dtype)).shape == (2, 3)
        scalar = fn(dtype(0.5))
        assert isinstance(scalar, dtype)
        assert fn(np.zeros((0, 4), dtype)).shape == (0, 4)


@pytest.mark.parametrize("name", SPECIAL)
def test_reference_agrees_with_scipy(name: str) -> None:
    x = domain(name, float64)
    with np.errstate(all="ignore"):
        want = SPECIAL[name][1](x)
        keep = (np.abs(want) > 1e-300) & np.isfinite(want)
    np.testing.assert_allclose(getattr(special, name)(x)[keep], want[keep], rtol=5e-15, atol=1e-15)


def test_reference_edges_follow_tensorflow() -> None:
    x = np.array([0.0, -0.0, -1.0, np.inf, -np.inf, np.nan])
    np.testing.assert_array_equal(special.lgamma(x), [np.inf] * 5 + [np.nan])
    np.testing.assert_array_equal(special.digamma(x), [np.nan] * 3 + [np.inf] + [np.nan] * 2)
    edges = special.erfinv(np.array([-1.0, 1.0, 2.0, np.nan]))
    np.testing.assert_array_equal(edges, [-np.inf, np.inf, np.nan, np.nan])


def test_fused_multiply_add_rounds_once() -> None:
    a = np.float64(1 + 2.0**-30)
    assert special.fma(a, a, np.float64(-1 - 2.0**-29)) == 2.0**-60
    b = np.float32(1 + 2.0**-15)
    assert special.fma(b, b, np.float32(-1 - 2.0**-14)) == np.float32(2.0**-30)
    assert special.fma(np.float64(np.inf), np.float64(0), np.float64(1)) != 0  # NaN
    assert special.fma(np.float64(1e300), np.float64(1), np.float64(-np.inf)) == -np.inf
