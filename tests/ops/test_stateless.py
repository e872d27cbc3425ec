"""tf.random.stateless_*: functions of their seeds, with TensorFlow's numbers."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf

R = tf.random


@pytest.fixture(autouse=True)
def sess():
    tf.reset_default_graph()
    with tf.Session() as session:
        yield session


def test_tensorflows_numbers(sess) -> None:
    """What tensorflow-cpu 2.21 gives for these seeds."""
    got = sess.run([
        R.stateless_uniform([3], [3, 5]), R.stateless_uniform([2], [123456789012, -7]),
        R.stateless_uniform([2], [3, 5], dtype=tf.float64),
        R.stateless_uniform([4], [3, 5], 0, 1000, tf.int64),
    ])  # fmt: skip
    assert got[0].tolist() == [0.30866754055023193, 0.0959700345993042, 0.37037038803100586]
    assert got[1].tolist() == [0.739901065826416, 0.3802443742752075]
    assert got[2].tolist() == [0.469340566724483, 0.9629636265219441]
    assert got[3].tolist() == [707, 812, 662, 637]
    normal = sess.run(R.stateless_normal([3], [3, 5]))
    want = [0.8695505261421204, 1.2628787755966187, 0.873173177242279]
    np.testing.assert_allclose(normal, want, rtol=1e-6)


def test_the_same_in_every_run(sess) -> None:
    seed = tf.placeholder(tf.int32, [2])
    drawn = [
        R.stateless_uniform([5], seed, -1.0, 3.0), R.stateless_normal([5], seed, 2.0, 0.1),
        R.stateless_truncated_normal([500], seed), R.stateless_uniform([5], seed, 3, 9, tf.int32),
        R.stateless_categorical(np.log([[0.5, 0.5], [1e-30, 1.0]]), 6, seed),
    ]  # fmt: skip
    one, again, other = (sess.run(drawn, {seed: s}) for s in ([1, 2], [1, 2], [1, 3]))
    for a, b, c in zip(one, again, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, c)
    assert np.all((one[0] >= -1) & (one[0] < 3)) and np.all(np.abs(one[2]) <= 2)
    assert np.all((one[3] >= 3) & (one[3] < 9)) and np.all(one[4][1] == 1)
    assert tf.contrib.stateless.stateless_random_uniform is R.stateless_uniform


def test_errors() -> None:
    with pytest.raises(ValueError, match="Must specify maxval"):
        R.stateless_uniform([2], [1, 2], dtype=tf.int32)
    with pytest.raises(ValueError, match=r"seed must have shape \[2\]"):
        R.stateless_uniform([2], [1, 2, 3])
