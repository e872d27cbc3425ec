"""The vector printer: instructions of one processor give the bits that others compute."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.ir.dtypes import DType, float32, float64
from graphc.kernel import prims as k
from graphc.runtime import codegen, jit
from tests.render.vector_nests import apply, flat, run_kernel, same_values, softmax

DTYPES = pytest.mark.parametrize("dtype", [float32, float64], ids=lambda d: d.name)
LEVELS = ("sse2", "avx2", "avx512")


def runs_here(level: str) -> bool:
    here, wanted = jit.host_target(), jit.level_target(level)
    features = wanted.features.replace("+", "").split(",")
    return all(here.has(feature) for feature in features)


def level(name: str) -> jit.Target:
    if not jit.host_target().triple.startswith("x86_64") or not runs_here(name):
        pytest.skip(f"needs a processor with {name}")
    return jit.level_target(name)


def every_exponent(dtype: DType) -> np.ndarray:
    """Numbers of all exponents and signs, with mantissas of all kinds; NaN and infinities."""
    rng = np.random.default_rng(3)
    high = np.arange(1 << 12 if dtype is float64 else 1 << 9, dtype=np.uint64)
    size, bits = (64, 52) if dtype is float64 else (32, 23)
    mantissas = rng.integers(0, 1 << bits, (len(high), 61), dtype=np.uint64)
    mantissas[:, :4] = np.array([0, 1, (1 << bits) - 1, 1 << (bits - 1)], np.uint64)
    words = (high[:, None] << np.uint64(bits)) | mantissas
    return words.astype(f"u{size // 8}").view(dtype.np).reshape(-1)


@DTYPES
@pytest.mark.parametrize("name", ["exp", "decay", "sigmoid", "softplus", "expm1", "cosh", "erfc"])
def test_every_target_with_fused_products_gives_the_same_bits(name: str, dtype: DType) -> None:
    x = every_exponent(dtype)
    if name == "decay":
        x = -np.abs(x)
    x = np.concatenate([x, np.linspace(-120, 120, 20001, dtype=dtype.np)])
    if name == "decay":
        x = np.minimum(x, 0)
    kernel = flat([dtype], lambda v: k.prim(name, v), x.size, lanes=32)
    wide = apply(kernel, x, target=level("avx512"))
    narrow = apply(kernel, x, target=level("avx2"))
    same_values(wide, narrow)
    assert np.isnan(wide[np.isnan(x)]).all()


@DTYPES
@pytest.mark.parametrize("where", LEVELS)
def test_exponential_over_all_exponents(where: str, dtype: DType) -> None:
    x = every_exponent(dtype)
    top = 89.0 if dtype is float32 else 710.0
    x = np.concatenate([x, np.linspace(-1.2 * top, top, 100001, dtype=dtype.np)])
    got = apply(flat([dtype], k.exp, x.size), x, target=level(where))
    with np.errstate(all="ignore"):
        exact = np.exp(x.astype(np.longdouble))
        want = exact.astype(dtype.np)
    finite = np.isfinite(want) & np.isfinite(got)
    np.testing.assert_array_equal(got[~finite], want[~finite])
    unit = np.spacing(want[finite]).astype(np.longdouble)
    error = np.max(np.abs(got[finite].astype(np.longdouble) - exact[finite]) / unit)
    # products that are not fused round once more
    assert error <= (1.2 if where == "sse2" else 0.95)


@DTYPES
@pytest.mark.parametrize("lanes", [1, 2, 3, 4, 8, 16, 32, 64])
def test_any_number_of_lanes(lanes: int, dtype: DType) -> None:
    target = level("avx512")
    rng = np.random.default_rng(lanes)
    top = 120 if dtype is float32 else 1000
    x = rng.uniform(0.5, 2, 203).astype(dtype.np)
    n = np.rint(rng.uniform(-1.5 * top, top, 203)).astype(dtype.np)
    x[5], n[7] = np.nan, np.nan
    kernel = flat([dtype] * 2, lambda a, b: k.prim("ldexp", a, b), x.size, lanes)
    with np.errstate(all="ignore"):
        want = np.where(np.isnan(n), n, np.ldexp(x, np.nan_to_num(n).astype(np.int32)))
    same_values(apply(kernel, x, n, target=target), want)


def test_one_instruction_scales_where_there_is_one() -> None:
    items = [(softmax(1024, 32), "f")]
    for name, found in (("avx512", True), ("avx2", False), ("sse2", False)):
        target = level(name)
        text = jit.assembly(codegen.vector_text(items, target), target=target)
        assert ("vscalefps" in text) is found
        assert ("pslld" in text) is not found


@pytest.mark.parametrize("where", LEVELS)
def test_softmax_of_special_rows(where: str) -> None:
    x = np.random.default_rng(0).normal(size=(6, 70)).astype(np.float32)
    x[1] = -np.inf
    x[2, 3] = np.inf
    x[3, 69] = np.nan
    x[4, :50] = -np.inf
    x[5] *= 1e30
    kernel = softmax(70, 32)
    arrays = {kernel.inputs[0]: x, kernel.outputs[0]: np.zeros_like(x)}
    got = run_kernel(kernel, arrays, target=level(where))[0][kernel.outputs[0]]
    with np.errstate(all="ignore"):
        e = np.exp(x.astype(np.float64) - x.max(1, keepdims=True))
        want = e / e.sum(1, keepdims=True)
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-38)
