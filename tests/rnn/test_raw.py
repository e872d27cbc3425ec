"""raw_rnn: inputs and ends that a function decides, what it emits, learning through it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf

rnn_cell = tf.nn.rnn_cell


def test_lengths_that_a_run_decides(sess: tf.Session) -> None:
    """raw_rnn as its documentation writes dynamic_rnn, with gradients."""
    cell = rnn_cell.LSTMCell(4)
    x, n = tf.placeholder(tf.float32, [6, None, 2]), tf.placeholder(tf.int32, [None])
    batch = tf.shape(x)[1]
    steps = tf.TensorArray(tf.float32, size=6).unstack(x)

    def loop(time: Any, output: Any, state: Any, loop_state: Any) -> Any:
        following = cell.zero_state(batch, tf.float32) if output is None else state
        over = time >= n
        given = tf.cond(tf.reduce_all(over), lambda: tf.zeros([batch, 2]), lambda: steps.read(time))
        given.set_shape([None, 2])
        return over, given, following, output, None

    arrays, state, nothing = tf.nn.raw_rnn(cell, loop)
    outputs = arrays.stack()
    wanted, last = tf.nn.dynamic_rnn(
        rnn_cell.LSTMCell(4, reuse=True), x, n, dtype=tf.float32, time_major=True, scope="rnn"
    )
    assert nothing is None and outputs.shape.as_list()[2] == 4
    sess.run(tf.global_variables_initializer())
    weights = [*tf.trainable_variables(), x]
    grads = [tf.gradients(tf.reduce_sum(tf.square(o)), weights) for o in (outputs, wanted)]
    feeds = {x: np.random.RandomState(0).randn(6, 3, 2), n: [2, 5, 1]}
    got, end, expected, final = sess.run([outputs, state, wanted, last], feeds)
    assert got.shape == (5, 3, 4)
    np.testing.assert_allclose(got, expected[:5], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(end.c, final.c, rtol=1e-5, atol=1e-6)
    for one, other in zip(*sess.run(grads, feeds)):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_what_is_emitted_and_the_loop_state(sess: tf.Session) -> None:
    cell = rnn_cell.BasicRNNCell(2, activation=lambda x: x * 0 + 1.0)

    def loop(time: Any, output: Any, state: Any, counts: Any) -> Any:
        if output is None:
            form = (tf.zeros([], tf.int32), tf.zeros([3]))
            return tf.zeros([2], tf.bool), tf.zeros([2, 1]), cell.zero_state(2, "float32"), form, (
                tf.constant(0), tf.constant([1.0, 1.0])
            )  # fmt: skip
        emitted = (tf.fill([2], time), tf.ones([2, 3]) * tf.cast(time, tf.float32))
        total, scale = counts
        over = tf.logical_or(tf.equal([0, 1], 0), time >= 3)
        return over, tf.zeros([2, 1]), state, emitted, (total + time, scale * 2)

    (numbers, rows), state, (total, scale) = tf.nn.raw_rnn(cell, loop)
    sess.run(tf.global_variables_initializer())
    got = sess.run([numbers.stack(), rows.stack(), state, total, scale])
    assert got[0].tolist() == [[1, 1], [0, 2], [0, 3]]
    assert got[1][2].tolist() == [[0, 0, 0], [3, 3, 3]]
    assert got[3] == 6 and got[4].tolist() == [8, 8] and (got[2] == 1).all()
    with pytest.raises((TypeError, ValueError), match=r"structure"):
        tf.nn.raw_rnn(cell, lambda t, o, s, c: (*loop(t, o, s, c)[:2], (1, 2), None, None))
