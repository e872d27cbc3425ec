"""static_rnn and its relatives: lengths, states that are saved, errors."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf

rnn_cell = tf.nn.rnn_cell
X = np.random.RandomState(0).randn(3, 4, 2).astype(np.float32)


def steps_of(x: tf.Tensor) -> list[tf.Tensor]:
    return tf.unstack(x, axis=1)


def test_rows_end_at_their_lengths(sess: tf.Session) -> None:
    x, n = tf.placeholder(tf.float32, [None, 4, 2]), tf.placeholder(tf.int64, [None])
    outputs, state = tf.nn.static_rnn(
        rnn_cell.BasicRNNCell(2), steps_of(x), dtype=tf.float32, sequence_length=n
    )
    full, last = tf.nn.static_rnn(
        rnn_cell.BasicRNNCell(2, reuse=True), steps_of(x), dtype=tf.float32
    )
    sess.run(tf.global_variables_initializer())
    got, end, want = sess.run([outputs, state, full], {x: X, n: [0, 2, 4]})
    assert last.shape.as_list() == [None, 2]
    for time in range(4):
        for row, length in enumerate([0, 2, 4]):
            expected = want[time][row] if time < length else np.zeros(2)
            np.testing.assert_array_equal(got[time][row], expected)
    np.testing.assert_array_equal(end, [np.zeros(2), want[1][1], want[3][2]])


def test_a_state_saver(sess: tf.Session) -> None:
    class Saver:
        def __init__(self) -> None:
            self.kept = {
                n: tf.get_variable(n, [3, 2], trainable=False, initializer=tf.zeros_initializer())
                for n in ("c", "h")
            }

        def state(self, name: str) -> tf.Tensor:
            return self.kept[name].read_value()

        def save_state(self, name: str, value: tf.Tensor) -> tf.Tensor:
            return tf.assign(self.kept[name], value)

    saver = Saver()
    cell = rnn_cell.BasicLSTMCell(2)
    x = tf.placeholder(tf.float32, [3, 4, 2])
    halves = [
        tf.nn.static_state_saving_rnn(cell, steps_of(x)[a : a + 2], saver, ("c", "h"), scope="s")[0]
        for a in (0,)
    ]
    sess.run(tf.global_variables_initializer())
    sess.run(halves[0], {x: X})
    sess.run(halves[0], {x: X[:, [2, 3, 0, 1]]})
    with tf.variable_scope("s", reuse=True):
        _, whole = tf.nn.static_rnn(
            cell, steps_of(x), dtype=tf.float32, scope=tf.get_variable_scope()
        )
    wanted, kept = sess.run([whole, saver.kept], {x: X})
    np.testing.assert_allclose(kept["c"], wanted.c, rtol=1e-6)
    np.testing.assert_allclose(kept["h"], wanted.h, rtol=1e-6)
    with pytest.raises(ValueError, match="state_name should be the same type as"):
        tf.nn.static_state_saving_rnn(cell, steps_of(x), saver, "c")


def test_nested_inputs(sess: tf.Session) -> None:
    class Both(rnn_cell.RNNCell):
        state_size = output_size = (2, 2)

        def call(self, inputs, state):
            new = (state[0] + inputs[0], state[1] - inputs[1])
            return new, new

    steps = [(t, 2 * t) for t in steps_of(tf.constant(X))]
    outputs, state = tf.nn.static_rnn(Both(), steps, dtype=tf.float32, sequence_length=[4, 4, 1])
    got, (up, down) = sess.run([outputs, state])
    np.testing.assert_allclose(up[:2], X[:2].sum(1), rtol=1e-5)
    np.testing.assert_allclose(down[2], -2 * X[2, 0], rtol=1e-5)
    np.testing.assert_array_equal(got[1][0][2], np.zeros(2))


def test_errors() -> None:
    cell = rnn_cell.GRUCell(2)
    x = tf.zeros([3, 2])
    with pytest.raises(TypeError, match="inputs must be a sequence"):
        tf.nn.static_rnn(cell, x, dtype=tf.float32)
    with pytest.raises(ValueError, match="inputs must not be empty"):
        tf.nn.static_rnn(cell, [], dtype=tf.float32)
    with pytest.raises(ValueError, match="If there is no initial_state, you must give a dtype"):
        tf.nn.static_rnn(cell, [x])
    with pytest.raises(ValueError, match="sequence_length must be a vector of length 3"):
        tf.nn.static_rnn(cell, [x], dtype=tf.float32, sequence_length=3)
    with pytest.raises(ValueError, match="must be accessible via shape inference"):
        tf.nn.static_rnn(cell, [tf.placeholder(tf.float32, [3, None])], dtype=tf.float32)
    with pytest.raises(ValueError, match=r"not compatible|are incompatible"):
        tf.nn.static_rnn(cell, [x, tf.zeros([4, 2])], dtype=tf.float32)
