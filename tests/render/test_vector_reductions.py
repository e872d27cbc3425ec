"""The vector printer: reductions of every monoid, and nests of several loops over a row."""

from __future__ import annotations

import numpy as np
import pytest

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
from graphc.kernel.expr import Axis, Cast, DimValue, Local, index
from graphc.kernel.nest import Accum, For, Kernel, Store, Update
from tests.render.nests import samples
from tests.render.vector_nests import (
    at,
    buffer,
    check,
    kernel_of,
    parallel,
    run_kernel,
    softmax,
    vector_loop,
)

RNG = np.random.default_rng(0)


# ------------------------------------------------------------------ reductions
@pytest.mark.parametrize("size", [0, 1, 7, 8, 19, 64])
@pytest.mark.parametrize("dtype", [float32, float64, int32, uint8], ids=lambda d: d.name)
@pytest.mark.parametrize("monoid", ["add", "mul", "max", "min"])
def test_reduction_has_the_interpreters_bits(monoid: str, dtype: DType, size: int) -> None:
    axis = Axis(size, "i")
    x, y = buffer("x", dtype, size), buffer("y", dtype, 1)
    total = Local("s", dtype)
    kernel = kernel_of(
        (x,),
        (y,),
        Accum(total, monoid, dtype),
        vector_loop(axis, Update(total, at(x, axis)), reduces=(total,)),
        Store(y, index(0), total),
    )
    data = RNG.integers(1, 9, size).astype(dtype.np)
    if dtype.is_floating:
        data = RNG.standard_normal(size).astype(dtype.np)
    check(kernel, {x: data, y: np.zeros(1, dtype.np)})


@pytest.mark.parametrize("monoid", ["and", "or", "max", "min", "add", "mul"])
def test_reduction_of_bools(monoid: str) -> None:
    axis = Axis(21, "i")
    x, y = buffer("x", bool_, 21), buffer("y", bool_, 1)
    total = Local("s", bool_)
    kernel = kernel_of(
        (x,),
        (y,),
        Accum(total, monoid, bool_),
        vector_loop(axis, Update(total, at(x, axis)), reduces=(total,)),
        Store(y, index(0), total),
    )
    for data in (np.zeros(21, bool), np.ones(21, bool), np.arange(21) == 20):
        check(kernel, {x: data, y: np.zeros(1, bool)})


@pytest.mark.parametrize("where", [0, 5, 20])
@pytest.mark.parametrize("monoid", ["max", "min", "add"])
def test_a_nan_reaches_the_result(monoid: str, where: int) -> None:
    axis = Axis(21, "i")
    x, y = buffer("x", float32, 21), buffer("y", float32, 1)
    total = Local("s", float32)
    kernel = kernel_of(
        (x,),
        (y,),
        Accum(total, monoid, float32),
        vector_loop(axis, Update(total, at(x, axis)), reduces=(total,)),
        Store(y, index(0), total),
    )
    data = RNG.standard_normal(21).astype(np.float32)
    data[where] = np.nan
    got, _ = run_kernel(kernel, {x: data, y: np.zeros(1, np.float32)})
    assert np.isnan(got[y][0])


def extreme_kernel(monoid: str, dtype: DType, size: int, lanes: int) -> Kernel:
    axis = Axis(size, "i")
    x, y, z = buffer("x", dtype, size), buffer("y", int64, 1), buffer("z", dtype, 1)
    place, best = Local("p", int64), Local("b", dtype)
    loop = vector_loop(axis, Update(place, at(x, axis), axis), lanes=lanes, reduces=(place,))
    return kernel_of(
        (x,),
        (y, z),
        Accum(place, monoid, int64, best),
        loop,
        Store(y, index(0), place),
        Store(z, index(0), best),
    )


@pytest.mark.parametrize("lanes", [1, 8])
@pytest.mark.parametrize("monoid", ["argmax", "argmin"])
def test_position_of_the_extreme_is_numpys(monoid: str, lanes: int) -> None:
    cases = [
        [3, 1, 3, 1, 2] * 4,
        [0.0] * 19,
        [-np.inf] * 19,
        [np.inf] * 19,
        [1, np.nan, 5, np.nan] * 5,
        [5] * 8 + [np.nan] * 3,
        list(RNG.standard_normal(33)),
    ]
    for case in cases:
        data = np.array(case, np.float32)
        kernel = extreme_kernel(monoid, float32, len(data), lanes)
        y, z = kernel.outputs
        got, _ = run_kernel(
            kernel, {kernel.inputs[0]: data, y: np.zeros(1, int), z: np.zeros(1, np.float32)}
        )
        want = getattr(np, monoid)(data)
        assert got[y][0] == want
        np.testing.assert_array_equal(got[z][0], data[want])


def test_position_of_the_extreme_of_integers() -> None:
    data = RNG.integers(-3, 4, 50).astype(np.int8)
    for monoid in ("argmax", "argmin"):
        kernel = extreme_kernel(monoid, int8, 50, 8)
        y, z = kernel.outputs
        arrays = {kernel.inputs[0]: data, y: np.zeros(1, int), z: np.zeros(1, np.int8)}
        assert run_kernel(kernel, arrays)[0][y][0] == getattr(np, monoid)(data)


# ------------------------------------------------------------------ nests
@pytest.mark.parametrize("lanes", [1, 8, 16])
@pytest.mark.parametrize("columns", [1, 5, 16, 37])
def test_softmax_in_one_pass_a_row(columns: int, lanes: int) -> None:
    kernel = softmax(columns, lanes)
    data = (RNG.standard_normal((6, columns)) * 5).astype(np.float32)
    arrays = {kernel.inputs[0]: data, kernel.outputs[0]: np.zeros_like(data)}
    check(kernel, arrays, rtol=1e-6)
    check(kernel, arrays, lo=2, hi=4, rtol=1e-6)


@pytest.mark.parametrize("columns", [3, 8, 21])
def test_column_sums_keep_a_vector_of_accumulators(columns: int) -> None:
    """A serial loop inside a vector loop; the vector loop is the parallel one, then an inner."""
    col, row = Axis(columns, "c"), Axis(7, "r")
    x, y = buffer("x", float32, 7, columns), buffer("y", float32, columns)
    total = Local("s", float32)
    body = (
        Accum(total, "add", float32),
        For(row, index(0), index(7), (Update(total, at(x, row * columns + col)),)),
        Store(y, col, total * 2.0),
    )
    data = RNG.standard_normal((7, columns)).astype(np.float32)
    arrays = {x: data, y: np.zeros(columns, np.float32)}
    check(kernel_of((x,), (y,), parallel(col, *body, lanes=8)), arrays)
    check(kernel_of((x,), (y,), vector_loop(col, *body)), arrays)


def test_rows_by_columns_with_an_outer_accumulator() -> None:
    """A vector loop inside a serial loop: its lanes are combined once a row."""
    row, col = Axis(5, "r"), Axis(19, "c")
    x, y = buffer("x", float32, 5, 19), buffer("y", float32, 1)
    total = Local("s", float32)
    inner = vector_loop(col, Update(total, at(x, row * 19 + col)), reduces=(total,))
    kernel = kernel_of(
        (x,),
        (y,),
        Accum(total, "add", float32),
        For(row, index(0), index(5), (inner,)),
        Store(y, index(0), total),
    )
    data = RNG.standard_normal((5, 19)).astype(np.float32)
    check(kernel, {x: data, y: np.zeros(1, np.float32)})


def test_loop_that_may_run_zero_times_keeps_the_accumulator() -> None:
    dim = SymDim.symbol("n")
    axis = Axis(dim, "i")
    x, y = buffer("x", float32, dim), buffer("y", float32, 1)
    total = Local("s", float32)
    for kind, lanes in (("serial", 1), ("vector", 8)):
        reduces = (total,) if lanes > 1 else ()
        body = (Update(total, at(x, axis)),)
        loop = For(axis, index(0), DimValue(dim), body, kind, lanes, reduces)
        kernel = kernel_of(
            (x,),
            (y,),
            Accum(total, "add", float32),
            loop,
            Store(y, index(0), total),
            dims=(dim,),
        )
        for size in (0, 3, 17):
            data = RNG.standard_normal(size).astype(np.float32)
            check(kernel, {x: data, y: np.zeros(1, np.float32)}, {"n": size})


def test_half_accumulator_is_kept_in_float32() -> None:
    axis = Axis(40, "i")
    x, y = buffer("x", float16, 40), buffer("y", float16, 1)
    total = Local("s", float32)
    kernel = kernel_of(
        (x,),
        (y,),
        Accum(total, "add", float32),
        vector_loop(axis, Update(total, Cast(at(x, axis), float32)), reduces=(total,)),
        Store(y, index(0), Cast(total, float16)),
    )
    check(kernel, {x: samples(float16, 52)[12:], y: np.zeros(1, np.float16)})


def test_dimensions_are_polynomials_of_parameters() -> None:
    n = SymDim.symbol("n")
    twice = n * 2 + 3
    axis = Axis(n, "i")
    x, y = buffer("x", int64, n), buffer("y", int64, n)
    body = Store(y, axis, at(x, axis) * DimValue(twice))  # type: ignore[arg-type]
    kernel = kernel_of((x,), (y,), parallel(axis, body, lanes=8), dims=(n,))
    check(kernel, {x: np.arange(13), y: np.zeros(13, int)}, {"n": 13})
