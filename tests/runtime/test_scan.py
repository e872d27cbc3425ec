"""Running sums and products: compiled steps, the same to the bit as NumPy's."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from graphc.config import Config
from graphc.runtime.scan import scan_call


def scanned(fn, array, axis, static=True, exclusive=False, reverse=False, **settings):
    with tf.Graph().as_default():
        x = tf.placeholder(array.dtype, array.shape if static else [None] * array.ndim)
        y = fn(x, axis, exclusive=exclusive, reverse=reverse)
        with tf.Session(config=Config(cache_dir=None, **settings)) as session:
            return session.run(y, {x: array})


def numbers(shape, dtype=np.float32):
    values = np.random.default_rng(0).standard_normal(shape)
    return (values * 3).astype(dtype)


CASES = [
    ((1,), 0), ((1000,), 0), ((7, 33), 1), ((8, 64), 1), ((17, 5), -1), ((64, 37), 0),
    ((3, 9, 20), 1), ((2, 5, 3, 4100), 1), ((5, 1), 1), ((4, 3, 1, 1), 1), ((0, 5), 1), ((5, 0), 1),
    ((5, 0), 0), ((0, 5), 0), ((700, 130), 1), ((300, 5000), 0),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "axis"), CASES)
@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
def test_every_shape(shape, axis, exclusive, reverse):
    array = numbers(shape)
    how = {"exclusive": exclusive, "reverse": reverse}
    want = scanned(tf.cumsum, array, axis, backend="reference", **how)
    for settings in ({"threads": 1}, {"threads": 2}, {"static": False}):
        np.testing.assert_array_equal(scanned(tf.cumsum, array, axis, **how, **settings), want)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
@pytest.mark.parametrize("fn", [tf.cumsum, tf.cumprod])
@pytest.mark.parametrize("axis", [0, 1])
def test_types_and_products(dtype, fn, axis):
    array = numbers((19, 40), dtype)
    for how in ({}, {"exclusive": True}, {"reverse": True}, {"validate": True}):
        want = scanned(fn, array, axis, **{**how, "backend": "reference", "validate": False})
        np.testing.assert_array_equal(scanned(fn, array, axis, **how), want)


def test_nan_infinity_and_signed_zero():
    array = numbers((9, 30))
    array[2, 3], array[3, 4], array[4, :] = np.nan, np.inf, -0.0
    got = scanned(tf.cumsum, array, 1)
    np.testing.assert_array_equal(got, np.cumsum(array, 1))
    np.testing.assert_array_equal(np.signbit(got[4]), np.signbit(np.cumsum(array, 1)[4]))


def test_which_are_steps():
    with tf.Graph().as_default():
        for dtype, compiled in ((tf.float32, True), (tf.float16, False), (tf.int8, False)):
            y = tf.cumsum(tf.placeholder(dtype, [3, 4]), 1)
            assert (scan_call(y.node) is not None) is compiled


def test_gradients_and_neighbours():
    array = numbers((40, 50))
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 50])
        y = tf.cumsum(tf.tanh(x), 1) * 2
        loss = tf.reduce_sum(y * y)
        fetches = [y, *tf.gradients(loss, x)]
        got = tf.Session().run(fetches, {x: array})
        want = tf.Session(config=Config(backend="reference")).run(fetches, {x: array})
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-3)
