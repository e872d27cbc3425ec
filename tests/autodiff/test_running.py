"""Gradients in sessions: extents that only the feeds decide, many batch sizes, half widths."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from graphc.ops.define import F


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as g:
        yield g


def total(x):
    return F.reduce_sum(x, axes=None, keepdims=False)


def test_broadcasts_are_undone_for_every_pair_of_extents():
    x, y = tf.placeholder(tf.float32, [None, None]), tf.placeholder(tf.float32, [None, None])
    grads = tf.gradients(F.multiply(x, y), [x, y])
    rng = np.random.default_rng(0)
    with tf.Session() as sess:
        for a, b in (((3, 1), (3, 4)), ((1, 4), (3, 4)), ((3, 4), (1, 1)), ((2, 5), (2, 5)),
                     ((1, 4), (3, 1)), ((1, 1), (1, 1)), ((3, 4), (3, 4))):  # fmt: skip
            u = rng.normal(size=a).astype(np.float32)
            v = rng.normal(size=b).astype(np.float32)
            gx, gy = sess.run(grads, {x: u, y: v})
            full = np.broadcast_shapes(a, b)
            assert gx.shape == a
            assert gy.shape == b
            np.testing.assert_allclose(gx, _undo(np.broadcast_to(v, full), a), rtol=1e-5)
            np.testing.assert_allclose(gy, _undo(np.broadcast_to(u, full), b), rtol=1e-5)


def _undo(wide, shape):
    axes = tuple(k for k, d in enumerate(shape) if d == 1 and wide.shape[k] != 1)
    return wide.sum(axis=axes, keepdims=True)


def test_a_network_with_any_batch_size_learns():
    rng = np.random.default_rng(1)
    data = rng.normal(size=(64, 5)).astype(np.float32)
    goal = np.tanh(data @ rng.normal(size=(5, 2))).astype(np.float32)
    x, y = tf.placeholder(tf.float32, [None, 5]), tf.placeholder(tf.float32, [None, 2])
    w = tf.Variable(np.zeros((5, 2), np.float32))
    b = tf.Variable(np.zeros(2, np.float32))
    out = F.tanh(F.matmul(x, w, transpose_a=False, transpose_b=False) + b)
    loss = total(F.square(out - y))
    train = tf.train.AdamOptimizer(0.05).minimize(loss)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        first = sess.run(loss, {x: data, y: goal})
        for size in [64, 1, 7, 64, 32] * 20:
            sess.run(train, {x: data[:size], y: goal[:size]})
        assert sess.run(loss, {x: data, y: goal}) < first / 10


def test_a_gradient_penalty_is_differentiated_again():
    x = tf.placeholder(tf.float32, [None, 3])
    w = tf.Variable(np.array([[1.0], [2.0], [-2.0]], np.float32))
    score = F.matmul(x, w, transpose_a=False, transpose_b=False)
    (g,) = tf.gradients(score, x)
    norm = F.sqrt(F.reduce_sum(F.square(g), axes=(1,), keepdims=False))
    penalty = F.reduce_mean(F.square(norm - 1.0), axes=None, keepdims=False)
    (gw,) = tf.gradients(penalty, w)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        value, got = sess.run([penalty, gw], {x: np.ones((4, 3))})
    assert value == pytest.approx(4.0)
    np.testing.assert_allclose(got.ravel(), np.array([1, 2, -2]) * 4 / 3, rtol=1e-5)


def test_gradients_keep_half_widths():
    x = tf.placeholder(tf.float16, [4])
    (g,) = tf.gradients(F.square(x), x)
    with tf.Session() as sess:
        got = sess.run(g, {x: [1.0, 2.0, 3.0, 4.0]})
    assert got.dtype == np.float16
    np.testing.assert_array_equal(got, [2, 4, 6, 8])
