"""Reductions over outer axes that run row by row: which ones, and that their results are right."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from graphc.config import Config
from graphc.ir.dtypes import bool_, float32, float64, int32
from graphc.ir.shape import SymDim
from graphc.kernel import columns
from graphc.kernel.compute import Compute
from graphc.kernel.expr import Axis, Buffer, Load, Reduce
from graphc.kernel.lower import lower
from graphc.kernel.nest import For, nest_text, statements

N = SymDim.symbol("N")


@pytest.fixture
def small(monkeypatch):
    """Small matrices count as large ones, so that the interpreter can walk them."""
    monkeypatch.setattr(columns, "_ELEMENTS", 64)
    monkeypatch.setattr(columns, "_ROWS", 3)
    monkeypatch.setattr(columns, "_CHUNK", 256)


def reduce_over(shape, which, monoid="add", dtype=float32):
    x = Buffer("x", dtype, shape, "x")
    axes = [Axis(d) for d in shape]
    kept = tuple(a for n, a in enumerate(axes) if n not in which)
    out = Buffer("o", dtype, [a.extent for a in kept], "o")
    value = Reduce(monoid, [axes[n] for n in which], Load(x, axes), dtype)
    return x, Compute(out, kept, value)


def by_rows(kernels):
    return any("start" in nest_text(k) for k in kernels)


def rand(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


SHAPES = [
    ((7, 17), (0,)), ((8, 16), (0,)), ((33, 40), (0,)), ((3, 9, 20), (1,)), ((20, 9, 20), (1,)),
    ((5, 7, 16), (0, 1)), ((4, 3, 5, 18), (0, 2)),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "which"), SHAPES)
def test_rows_of_every_shape(check, small, shape, which):
    x, compute = reduce_over(shape, which)
    group = check([compute], {x: rand(*shape)})
    assert by_rows(group.kernels)


@pytest.mark.parametrize("rows", [0, 1, 2, 15, 16, 17, 50])
def test_symbolic_rows(check, small, rows):
    x, compute = reduce_over((N, 24), (0,))
    group = check([compute], {x: rand(rows, 24)}, {"N": rows})
    assert by_rows(group.kernels)


@pytest.mark.parametrize("monoid", ["add", "mul", "max", "min"])
@pytest.mark.parametrize("dtype", [float32, float64, int32])
def test_monoids(check, small, monoid, dtype):
    x, compute = reduce_over((19, 21), (0,), monoid, dtype)
    data = (rand(19, 21) * 2).astype(dtype.np)
    if monoid == "mul" and dtype is int32:
        data = data % 2 * 2 - 1
    assert by_rows(check([compute], {x: data}, rtol=1e-4).kernels)


@pytest.mark.parametrize("monoid", ["and", "or"])
def test_all_and_any(check, small, monoid):
    x, compute = reduce_over((19, 21), (0,), monoid, bool_)
    data = np.random.default_rng(1).random((19, 21)) < (0.97 if monoid == "and" else 0.03)
    assert by_rows(check([compute], {x: data}).kernels)


def test_two_rows_are_added_one_after_the_other(small):
    """The order of the additions is that of the rows, in pairs or not."""
    _, compute = reduce_over((64, 32), (0,))
    text = nest_text(lower("sums", [compute])[0])
    assert text.count("x[") == 2
    loops = [s.axis.name for s in statements(lower("sums", [compute])[0].body) if type(s) is For]
    assert loops == ["i", "start0", "r", "j"]


@pytest.mark.parametrize(
    ("shape", "which", "monoid"),
    [((64, 8), (0,), "add"), ((8, 64), (0,), "add"), ((1 << 16, 2), (0,), "add"),
     ((64, 64), (1,), "add"), ((1024, 1024), (0,), "argmax")],
)  # fmt: skip
def test_what_stays_in_registers(shape, which, monoid):
    x, compute = reduce_over(shape, which)
    if monoid == "argmax":
        rows, kept = Axis(shape[0]), Axis(shape[1])
        value = Reduce(monoid, [rows], Load(x, [rows, kept]), tf.int64)
        compute = Compute(Buffer("o", tf.int64, [kept.extent], "o"), (kept,), value)
    assert not by_rows(lower("sums", [compute]))


# ------------------------------------------------------------------ whole runs
def result(fn, array, **settings):
    with tf.Graph().as_default():
        x = tf.placeholder(array.dtype, [None, *array.shape[1:]])
        with tf.Session(config=Config(cache_dir=None, **settings)) as session:
            return np.asarray(session.run(fn(x), {x: array}))


FUNCTIONS = {
    "sum": lambda x: tf.reduce_sum(x, 0),
    "mean": lambda x: tf.reduce_mean(x, [0]),
    "largest": lambda x: tf.reduce_max(x, 0),
    "variance": lambda x: tf.nn.moments(x, [0])[1],
    "any": lambda x: tf.reduce_any(x > 3, 0),
    "fused": lambda x: tf.sqrt(tf.reduce_sum(tf.exp(-x * x) + tf.tanh(x), 0)) * 2,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_threads_and_printers_agree(name):
    array = rand(4097, 67)
    fn = FUNCTIONS[name]
    one = result(fn, array, threads=1)
    np.testing.assert_array_equal(one, result(fn, array, threads=2))
    want = result(fn, array, backend="reference")
    np.testing.assert_allclose(one, want, rtol=2e-5, atol=1e-4)
    np.testing.assert_allclose(one, result(fn, array, codegen="numba"), rtol=1e-5, atol=5e-4)
    np.testing.assert_allclose(one, result(fn, array, fuse=False), rtol=1e-5, atol=5e-4)
    np.testing.assert_allclose(one, result(fn, array, validate=True), rtol=1e-5, atol=5e-4)


def test_nan_and_infinity():
    array = rand(4096, 64)
    array[5, 3], array[7, 4], array[4000, 5], array[4001, 5] = np.nan, np.inf, np.inf, -np.inf
    for fn in (FUNCTIONS["sum"], FUNCTIONS["largest"]):
        np.testing.assert_allclose(
            result(fn, array), result(fn, array, backend="reference"), rtol=1e-4, atol=1e-4
        )


def test_one_plan_for_every_number_of_rows():
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 512])
        total = tf.reduce_sum(x, 0)
        session.run(total, {x: rand(128, 512)})
        before = tf.stats()["plans_built"]
        for rows in (64, 128, 777, 5000):
            array = rand(rows, 512)
            got = session.run(total, {x: array})
            np.testing.assert_allclose(got, array.astype(np.float64).sum(0), rtol=1e-4, atol=1e-3)
        assert tf.stats()["plans_built"] == before


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extremes_of_special_values(dtype):
    """NaN wins from either side, infinities and zeros count as numbers, in rows and columns."""
    special = [np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 1e-40, -1e-40]
    array = np.resize(np.array([(a, b) for a in special for b in special], dtype), (64, 50))
    for fn, want in ((tf.reduce_max, np.max), (tf.reduce_min, np.min)):
        for axis in (0, 1):
            got = result(lambda x, fn=fn, axis=axis: fn(x, axis), array)
            np.testing.assert_array_equal(got, want(array, axis))
    pairs = np.array([(a, b) for a in special for b in special], dtype)
    for fn, want in ((tf.maximum, np.maximum), (tf.minimum, np.minimum)):
        got = result(lambda x, fn=fn: fn(x[:, 0], x[:, 1]), pairs)
        np.testing.assert_array_equal(got, want(pairs[:, 0], pairs[:, 1]))
