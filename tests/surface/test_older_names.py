"""Names that older scripts use: what they do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf


@pytest.fixture(autouse=True)
def sess() -> Iterator[Any]:
    with tf.Graph().as_default(), tf.Session() as session:
        yield session


def test_logic(sess: Any) -> None:
    a, b = tf.constant([True, True, False]), tf.constant([True, False, False])
    assert sess.run(tf.logical_or(a, b)).tolist() == [True, True, False]
    assert sess.run(tf.logical_xor(a, b)).tolist() == [False, True, False]


def test_integers(sess: Any) -> None:
    assert sess.run(tf.to_int32([1.9, -1.9])).tolist() == [1, -1]
    assert sess.run(tf.floor_div([7, -7], [2, 2])).tolist() == [3, -4]
    assert sess.run(tf.arg_max([[1, 5, 2], [9, 0, 1]], 1)).tolist() == [1, 0]


def test_global_norm(sess: Any) -> None:
    assert sess.run(tf.global_norm([tf.constant([3.0]), None, tf.constant([[4.0]])])) == 5.0
    with pytest.raises(TypeError):
        tf.global_norm(tf.constant(1.0))


def test_lists_of_variables(sess: Any) -> None:
    v = tf.Variable(1.0)
    local = tf.get_local_variable("seen", [], initializer=tf.zeros_initializer())
    assert tf.all_variables() == [v]
    sess.run(tf.initialize_local_variables())
    assert sess.run(local) == 0.0
    with pytest.raises(tf.errors.FailedPreconditionError):
        sess.run(v)


def test_pooling_of_series(sess: Any) -> None:
    x = np.arange(12.0, dtype=np.float32).reshape(1, 6, 2)
    got = sess.run(tf.layers.max_pooling1d(x, 3, 2))
    np.testing.assert_array_equal(got, [[[4, 5], [8, 9]]])
    same = sess.run(tf.layers.max_pooling1d(x, 4, 4, padding="same"))
    np.testing.assert_array_equal(same, [[[4, 5], [10, 11]]])


def test_local_response_normalization(sess: Any) -> None:
    x = np.random.RandomState(0).rand(1, 2, 2, 5).astype(np.float32)
    got = sess.run(tf.nn.local_response_normalization(x, 1, bias=2.0, alpha=0.5, beta=0.75))
    want = np.empty_like(x)
    for k in range(5):
        near = x[..., max(0, k - 1) : k + 2]
        want[..., k] = x[..., k] / (2.0 + 0.5 * (near**2).sum(-1)) ** 0.75
    np.testing.assert_allclose(got, want, rtol=1e-5)


def test_batch_norm_with_global_normalization(sess: Any) -> None:
    x = np.random.RandomState(0).randn(2, 3, 3, 4).astype(np.float32)
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    beta, gamma = np.arange(4, dtype=np.float32), np.full(4, 2, np.float32)
    y = tf.nn.batch_norm_with_global_normalization(x, mean, variance, beta, gamma, 1e-3, True)
    want = (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta
    np.testing.assert_allclose(sess.run(y), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("module", ["layers", "slim"])
def test_convolution2d(sess: Any, module: str) -> None:
    convolution2d = getattr(tf.contrib, module).convolution2d
    x = np.random.RandomState(0).randn(2, 5, 5, 3).astype(np.float32)
    y = convolution2d(x, 4, [3, 3], activation_fn=None, biases_initializer=None, scope="c")
    (w,) = tf.trainable_variables()
    assert w.name == "c/weights:0"
    sess.run(tf.global_variables_initializer())
    plain = tf.nn.conv2d(x, w, [1, 1, 1, 1], "SAME")
    got, want = sess.run([y, plain])
    np.testing.assert_array_equal(got, want)


def test_resize_bicubic(sess: Any) -> None:
    x = np.random.RandomState(0).rand(1, 4, 6, 2).astype(np.float32)
    np.testing.assert_allclose(sess.run(tf.image.resize_bicubic(x, [4, 6])), x, atol=1e-6)
    flat = sess.run(tf.image.resize_bicubic(np.full((1, 3, 3, 1), 7.0, np.float32), [8, 5]))
    np.testing.assert_allclose(flat, np.full((1, 8, 5, 1), 7.0), rtol=1e-5)


def test_add_queue_runner(sess: Any) -> None:
    queue = tf.FIFOQueue(10, [tf.int32], [[]])
    tf.train.add_queue_runner(tf.train.QueueRunner(queue, [queue.enqueue(3)]))
    assert len(tf.get_collection(tf.GraphKeys.QUEUE_RUNNERS)) == 1
    coord = tf.train.Coordinator()
    threads = tf.train.start_queue_runners(sess, coord)
    assert sess.run(queue.dequeue_many(5)).tolist() == [3] * 5
    coord.request_stop()
    coord.join(threads)
