"""Values of a row that are kept in an output's row instead of being computed twice."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from graphc.config import Config
from graphc.ir.dtypes import float32
from graphc.kernel import keep
from graphc.kernel import prims as k
from graphc.kernel.compute import Compute
from graphc.kernel.expr import Axis, Buffer, Load, Reduce
from graphc.kernel.lower import lower
from graphc.kernel.nest import nest_text


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(keep, "_SHORT", 4)


def softmax(rows, columns, twice=False):
    x = Buffer("x", float32, (rows, columns), "x")
    i, j, r, s = Axis(rows), Axis(columns), Axis(columns), Axis(columns)
    most = Reduce("max", [r], Load(x, [i, r]), float32)
    total = Reduce("add", [s], k.exp(Load(x, [i, s]) - most), float32)
    out = Buffer("out", float32, (rows, columns), "out")
    value = k.exp(Load(x, [i, j]) - most) / total
    if twice:
        t = Axis(columns)
        again = k.exp(Load(x, [i, t]) - most) / total
        value = value - value * Reduce("add", [t], again * again, float32)
    return x, Compute(out, (i, j), value)


def rand(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(3, 7), (5, 16), (4, 33), (2, 100)])
@pytest.mark.parametrize("twice", [False, True])
def test_exp_is_computed_once(check, short, shape, twice):
    x, compute = softmax(*shape, twice=twice)
    group = check([compute], {x: rand(*shape)})
    assert nest_text(group.kernel).count("exp(") == 1


def test_not_in_place_of_what_is_read_again(check, short):
    """x - softmax(x) reads x after its row was overwritten by kept values."""
    x, compute = softmax(4, 20)
    value = Load(x, list(compute.axes)) - compute.value
    again = Compute(compute.buffer, compute.axes, value)
    with pytest.raises(ValueError, match="written in the memory"):
        lower("group", [again], {compute.buffer: x})
    check([again], {x: rand(4, 20)})


def test_kept_values_are_loaded_before_anything_is_stored(check, short):
    """The output that keeps them is stored in front of another one that needs them as well."""
    x, compute = softmax(4, 20)
    shifted = compute.value.args[0]
    other = Compute(Buffer("other", float32, (4, 20), "other"), compute.axes, shifted * 2.0)
    assert nest_text(check([compute, other], {x: rand(4, 20)}).kernel).count("exp(") == 1
    check([other, compute], {x: rand(4, 20)})


def test_in_place(check, short):
    x, compute = softmax(4, 20)
    group = check([compute], {x: rand(4, 20)}, inplace={compute.buffer: x})
    assert nest_text(group.kernel).count("exp(") == 1
    assert group.kernel.inputs == group.kernel.outputs == (x,)


def test_short_rows_stay_in_registers():
    _, compute = softmax(100, 10)
    assert nest_text(lower("group", [compute])[0]).count("exp(") == 2


def run(build, arrays, **settings):
    with tf.Graph().as_default():
        feeds = [tf.placeholder(a.dtype, [None, *a.shape[1:]]) for a in arrays]
        with tf.Session(config=Config(cache_dir=None, **settings)) as session:
            return session.run(build(*feeds), dict(zip(feeds, arrays, strict=True)))


def losses(x, y):
    dense = tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=x)
    chosen = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.argmax(y, 1), logits=x)
    probabilities = tf.nn.softmax(x)
    return [
        dense, chosen, probabilities, tf.nn.log_softmax(x), *tf.gradients(dense, x),
        *tf.gradients(chosen, x), *tf.gradients(probabilities, x, y),
        *tf.gradients(tf.nn.log_softmax(x), x, y),
    ]  # fmt: skip


@pytest.mark.parametrize("shape", [(3, 65), (17, 1000), (130, 128), (0, 70)])
def test_softmax_family(shape):
    arrays = [rand(*shape) * 3, np.abs(rand(*shape))]
    got = run(losses, arrays, threads=2)
    for a, b in zip(got, run(losses, arrays, threads=1), strict=True):
        np.testing.assert_array_equal(a, b)
    for settings in ({"backend": "reference"}, {"codegen": "numba"}, {"fuse": False}):
        for a, b in zip(got, run(losses, arrays, **settings), strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-5)


def test_nan_and_infinity_in_a_row():
    x = rand(5, 96)
    x[1, 3], x[2, 4], x[3] = np.nan, np.inf, -np.inf
    with np.errstate(all="ignore"):
        want = run(tf.nn.softmax, [x], backend="reference")
    np.testing.assert_allclose(run(tf.nn.softmax, [x]), want, rtol=1e-5, atol=1e-7)
