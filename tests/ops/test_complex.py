"""Complex numbers: values against NumPy; gradients against differences, in TF's convention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as tf

RNG = np.random.default_rng(3)
Z = RNG.normal(size=(2, 3)) + 1j * RNG.normal(size=(2, 3))
W = RNG.normal(size=3) + 1j * RNG.normal(size=3)

CASES: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "add": (lambda z: z + W, lambda z: z + W),
    "subtract": (lambda z: W - z, lambda z: W - z),
    "multiply": (lambda z: z * W, lambda z: z * W),
    "divide": (lambda z: W / z, lambda z: W / z),
    "negative": (lambda z: -z, lambda z: -z),
    "square": (tf.square, np.square),
    "pow": (lambda z: z**2, lambda z: z**2),
    "pow_complex": (lambda z: tf.pow(z, W), lambda z: z**W),
    "reciprocal": (tf.reciprocal, np.reciprocal),
    "abs": (lambda z: tf.cast(abs(z), tf.complex128), np.abs),
    "exp": (tf.exp, np.exp),
    "log": (tf.log, np.log),
    "sin": (tf.sin, np.sin),
    "cos": (tf.cos, np.cos),
    "tanh": (tf.tanh, np.tanh),
    "sqrt": (tf.sqrt, np.sqrt),
    "rsqrt": (tf.rsqrt, lambda z: 1 / np.sqrt(z)),
    "sum": (lambda z: tf.reduce_sum(z, 1), lambda z: z.sum(1)),
    "mean": (tf.reduce_mean, np.mean),
    "add_n": (lambda z: tf.add_n([z, z * z]), lambda z: z + z * z),
    "conj": (tf.conj, np.conj),
    "parts": (lambda z: tf.complex(tf.imag(z), tf.real(z)), lambda z: z.imag + 1j * z.real),
    "matmul": (lambda z: tf.matmul(z, z, adjoint_b=True), lambda z: z @ z.conj().T),
    "gather": (lambda z: tf.gather(z * 1, [1, 1, 0]), lambda z: z[[1, 1, 0]]),
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(name: str) -> None:
    tf.reset_default_graph()
    build, numpy = CASES[name]
    z = tf.placeholder(tf.complex128, [None, 3])
    y = build(z)
    (grad,) = tf.gradients(tf.reduce_sum(tf.square(abs(y))), z)
    with tf.Session() as sess:
        got, slope = sess.run([y, grad], {z: Z})
    assert got.dtype == np.complex128
    np.testing.assert_allclose(got, numpy(Z), rtol=1e-12)

    def loss(value: Any) -> float:
        return float((np.abs(numpy(value)) ** 2).sum())

    direction, h = W * (1 - 0.3j) + np.zeros_like(Z), 1e-6
    difference = (loss(Z + h * direction) - loss(Z - h * direction)) / (2 * h)
    assert difference == pytest.approx((slope.conj() * direction).real.sum(), rel=1e-6)


def test_casts() -> None:
    tf.reset_default_graph()
    real = tf.placeholder(tf.float32, [2])
    up = tf.cast(real, tf.complex64)
    down = tf.cast(up * 2.0, tf.float64)
    (grad,) = tf.gradients(tf.reduce_sum(down), real)
    with tf.Session() as sess:
        a, b, g = sess.run([up, down, grad], {real: [1.0, -2.0]})
    assert (a.dtype, b.dtype) == (np.complex64, np.float64)
    assert b.tolist() == [2.0, -4.0] and g.tolist() == [2.0, 2.0]


def test_comparisons_and_variables() -> None:
    tf.reset_default_graph()
    v = tf.Variable(tf.complex(1.0, 2.0))
    changed = v.assign_add(tf.constant(1j, tf.complex64))
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert sess.run(tf.equal(v, tf.constant(1 + 2j, tf.complex64)))
        assert sess.run(changed) == 1 + 3j
        with pytest.raises(TypeError):
            tf.maximum(v, v)
