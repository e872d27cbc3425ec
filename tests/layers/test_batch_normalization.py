"""Batch normalisation of tf.layers and tf.contrib.layers against formulas in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from tests.layers.conftest import names

X4 = np.random.RandomState(0).randn(4, 5, 6, 3).astype(np.float32) * 2 + 1
X2 = X4.reshape(-1, 3)


def expected(x: np.ndarray, axis: int, epsilon: float = 1e-3) -> np.ndarray:
    over = tuple(a for a in range(x.ndim) if a != axis % x.ndim)
    mean, var = x.mean(over, keepdims=True), x.var(over, keepdims=True)
    return (x - mean) / np.sqrt(var + epsilon)


def update_ops() -> list:
    return tf.get_collection(tf.GraphKeys.UPDATE_OPS)


def test_names_and_collections() -> None:
    tf.layers.batch_normalization(tf.constant(X4), training=True)
    tf.layers.batch_normalization(tf.constant(X4), training=False, name="bn", scale=False)
    own = ["gamma", "beta", "moving_mean", "moving_variance"]
    assert names(tf.global_variables()) == [
        *(f"batch_normalization/{v}:0" for v in own), *(f"bn/{v}:0" for v in own[1:]),
    ]  # fmt: skip
    assert names(tf.trainable_variables()) == [
        "batch_normalization/gamma:0", "batch_normalization/beta:0", "bn/beta:0",
    ]  # fmt: skip
    assert len(update_ops()) == 2


@pytest.mark.parametrize("axis", [-1, 1])
@pytest.mark.parametrize("fused", [None, False])
@pytest.mark.parametrize("fed", [True, False])
def test_training(sess, axis: int, fused: bool | None, fed: bool) -> None:
    x = tf.placeholder(tf.float32, [None, 5, 6, 3])
    mode = tf.placeholder(tf.bool, [])
    y = tf.layers.batch_normalization(
        x, axis, momentum=0.9, training=mode if fed else True, fused=fused
    )
    sess.run(tf.global_variables_initializer())
    feed = {x: X4, mode: True}
    np.testing.assert_allclose(sess.run(y, feed), expected(X4, axis), rtol=1e-3, atol=1e-4)
    mean, variance = tf.global_variables()[2:]
    # nothing moves but through UPDATE_OPS
    assert (sess.run(mean) == 0).all()
    sess.run(update_ops(), feed)
    over = tuple(a for a in range(4) if a != axis % 4)
    count = X4.size // X4.shape[axis]
    bessel = count / (count - 1) if fused is None else 1.0
    np.testing.assert_allclose(sess.run(mean), 0.1 * X4.mean(over), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(
        sess.run(variance), 0.9 + 0.1 * X4.var(over) * bessel, rtol=1e-4
    )
    if fed:
        held = sess.run([mean, variance])
        sess.run(update_ops(), {x: X4, mode: False})
        for a, b in zip(held, sess.run([mean, variance])):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("fed", [True, False])
def test_inference_uses_the_averages(sess, fed: bool) -> None:
    mode = tf.placeholder(tf.bool, [])
    y = tf.layers.batch_normalization(
        tf.constant(X4), training=mode if fed else False,
        moving_mean_initializer=tf.constant_initializer(2.0),
        moving_variance_initializer=tf.constant_initializer(4.0),
        gamma_initializer=tf.constant_initializer(3.0),
    )  # fmt: skip
    sess.run(tf.global_variables_initializer())
    wanted = (X4 - 2) / np.sqrt(4.001) * 3
    np.testing.assert_allclose(sess.run(y, {mode: False}), wanted, rtol=1e-4, atol=1e-5)


def test_gradients_agree_however_it_is_computed(sess) -> None:
    x = tf.placeholder(tf.float32, [None, 5, 6, 3])
    mode = tf.placeholder(tf.bool, [])
    weights = tf.constant(np.random.RandomState(1).randn(*X4.shape).astype(np.float32))
    slopes = []
    for given, fused in ((True, None), (True, False), (mode, None), (mode, False)):
        y = tf.layers.batch_normalization(x, training=given, fused=fused)
        slopes.append(tf.gradients(y * weights, x)[0])
    sess.run(tf.global_variables_initializer())
    first, *others = sess.run(slopes, {x: X4, mode: True})
    for other in others:
        np.testing.assert_allclose(other, first, rtol=1e-3, atol=1e-4)
    # in training the gradient is orthogonal to a shift of the inputs
    np.testing.assert_allclose(first.sum((0, 1, 2)), 0, atol=1e-3)


def test_several_axes_and_half(sess) -> None:
    y = tf.layers.batch_normalization(tf.constant(X4), axis=[1, 3], training=True)
    half = tf.layers.batch_normalization(tf.constant(X4.astype(np.float16)), training=True)
    assert tf.global_variables()[0].shape.as_list() == [1, 5, 1, 3]
    sess.run(tf.global_variables_initializer())
    mean, var = X4.mean((0, 2), keepdims=True), X4.var((0, 2), keepdims=True)
    np.testing.assert_allclose(
        sess.run(y), (X4 - mean) / np.sqrt(var + 1e-3), rtol=1e-3, atol=1e-4
    )
    assert half.dtype == tf.float16
    np.testing.assert_allclose(sess.run(half), expected(X4, -1), atol=0.02)


def test_reuse_shares_and_adds_updates() -> None:
    x = tf.constant(X2)
    tf.layers.batch_normalization(x, name="bn", training=True)
    tf.layers.batch_normalization(x * 2.0, name="bn", training=True, reuse=True)
    assert len(tf.global_variables()) == 4
    assert len(update_ops()) == 4


def test_what_is_refused() -> None:
    x = tf.constant(X4)
    with pytest.raises(ValueError, match="renorm is not supported by graphc"):
        tf.layers.batch_normalization(x, renorm=True)
    with pytest.raises(ValueError, match="Invalid axis: 4"):
        tf.layers.batch_normalization(x, axis=4)
    with pytest.raises(ValueError, match="undefined `axis` dimension"):
        tf.layers.batch_normalization(tf.placeholder(tf.float32, [2, None]))
    with pytest.raises(ValueError, match="fused=True needs inputs of rank 4"):
        tf.layers.batch_normalization(tf.constant(X2), fused=True)


# ------------------------------------------------------------------ contrib
def test_contrib_moves_in_place(sess) -> None:
    mode = tf.placeholder(tf.bool, [])
    y = tf.contrib.layers.batch_norm(
        tf.constant(X2), decay=0.5, is_training=mode, updates_collections=None, scale=True
    )
    assert update_ops() == []
    beta_first = names(tf.global_variables())
    assert beta_first == [
        f"BatchNorm/{v}:0" for v in ("gamma", "beta", "moving_mean", "moving_variance")
    ]
    mean = tf.global_variables()[2]
    sess.run(tf.global_variables_initializer())
    np.testing.assert_allclose(
        sess.run(y, {mode: True}), expected(X2, 1), rtol=1e-3, atol=1e-4
    )
    np.testing.assert_allclose(sess.run(mean), 0.5 * X2.mean(0), rtol=1e-3)
    held = sess.run(mean)
    sess.run(y, {mode: False})
    np.testing.assert_array_equal(sess.run(mean), held)


def test_a_network_learns_with_it(sess) -> None:
    rng = np.random.RandomState(0)
    a = rng.randn(64, 10).astype(np.float32) * 5 + 3
    b = (a[:, :1] > 3).astype(np.float32)
    x, y = tf.placeholder(tf.float32, [None, 10]), tf.placeholder(tf.float32, [None, 1])
    mode = tf.placeholder(tf.bool, [])
    h = tf.layers.dense(x, 16)
    h = tf.nn.relu(tf.layers.batch_normalization(h, training=mode, momentum=0.5))
    loss = tf.losses.sigmoid_cross_entropy(y, tf.layers.dense(h, 1))
    with tf.control_dependencies(update_ops()):
        step = tf.train.AdamOptimizer(0.02).minimize(loss)
    sess.run(tf.global_variables_initializer())
    for _ in range(60):
        sess.run(step, {x: a, y: b, mode: True})
    assert sess.run(loss, {x: a, y: b, mode: False}) < 0.1
