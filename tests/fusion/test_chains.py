"""Chains that take a tensor's parts and put them together again, as colour conversions do."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

import graphc as tf

PIXELS = np.random.default_rng(0).random((7, 5, 3)).astype(np.float32)


def mixed(x: Any) -> Any:
    r, g, b = tf.unstack(x, num=3, axis=-1)
    high, low = tf.maximum(tf.maximum(r, g), b), tf.minimum(tf.minimum(r, g), b)
    return tf.stack([high - r, low + g, high * b], axis=-1)


def by_numpy(x: Any) -> Any:
    r, g, b = np.moveaxis(x, -1, 0)
    return np.stack([x.max(-1) - r, x.min(-1) + g, x.max(-1) * b], axis=-1)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("stages", [1, 3, 6])
def test_parts_of_stacks_do_not_multiply(stages: int, known: bool) -> None:
    with tf.Graph().as_default(), tf.Session(options=tf.Config(cache_dir=None)) as sess:
        x = tf.placeholder(tf.float32, PIXELS.shape if known else [None, None, 3])
        y, want = x, PIXELS
        for _ in range(stages):
            y, want = mixed(y), by_numpy(want)
        start = time.perf_counter()
        np.testing.assert_allclose(sess.run(y, {x: PIXELS}), want, rtol=1e-5)
        # each stage once multiplied the expressions of the one before it by twelve
        assert time.perf_counter() - start < 20


def test_a_part_is_read_transposed_and_as_it_is() -> None:
    """Members at their own indices and at others, of one kernel's shape."""
    square = np.random.default_rng(1).random((6, 6)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session(options=tf.Config(cache_dir=None)) as sess:
        x = tf.placeholder(tf.float32, [None, None])
        y = x * 2.0 + 1.0
        z = tf.transpose(y) - y + tf.reverse(y, [0]) * tf.transpose(tf.reverse(y, [1]))
        got = sess.run(z, {x: square})
    a = square * 2 + 1
    np.testing.assert_allclose(got, a.T - a + a[::-1] * a[:, ::-1].T, rtol=1e-5)
