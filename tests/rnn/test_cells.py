"""Cells of tf.nn.rnn_cell: names, sharing, states, wrappers, errors."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import graphc as tf
from tests.rnn.conftest import names

rnn_cell = tf.nn.rnn_cell
X = np.random.RandomState(0).randn(4, 3).astype(np.float32)


def test_names_of_layers_and_scopes() -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    lstm = rnn_cell.LSTMCell(2, use_peepholes=True, num_proj=5, num_unit_shards=2)
    assert lstm.state_size == (2, 5) and lstm.output_size == 5
    with tf.variable_scope("a"):
        lstm(x, lstm.zero_state(tf.shape(x)[0], tf.float32))
    assert names(lstm.trainable_weights) == [
        "a/lstm_cell/kernel/part_0", "a/lstm_cell/kernel/part_1", "a/lstm_cell/bias",
        "a/lstm_cell/w_f_diag", "a/lstm_cell/w_i_diag", "a/lstm_cell/w_o_diag",
        "a/lstm_cell/projection/kernel",
    ]  # fmt: skip
    gru = rnn_cell.GRUCell(2, name="mine")
    gru(x, gru.zero_state(4, tf.float32))
    gru(x, gru.zero_state(4, tf.float32))
    assert names(gru.variables) == [
        "mine/gates/kernel", "mine/gates/bias", "mine/candidate/kernel", "mine/candidate/bias",
    ]  # fmt: skip
    shared = rnn_cell.GRUCell(2, name="mine", reuse=True)
    shared(x, gru.zero_state(4, tf.float32))
    assert shared.variables == gru.variables


def test_two_recurrences_in_one_scope_clash_as_in_tensorflow() -> None:
    steps = tf.unstack(tf.placeholder(tf.float32, [4, 2, 3]), axis=1)
    tf.nn.static_rnn(rnn_cell.BasicLSTMCell(2), steps, dtype=tf.float32)
    with pytest.raises(ValueError, match="rnn/basic_lstm_cell/kernel already exists, disallowed"):
        tf.nn.static_rnn(rnn_cell.BasicLSTMCell(2), steps, dtype=tf.float32)
    with tf.variable_scope("other"):
        tf.nn.static_rnn(rnn_cell.BasicLSTMCell(2), steps, dtype=tf.float32)
    with tf.variable_scope("", reuse=True):
        tf.nn.static_rnn(rnn_cell.BasicLSTMCell(2), steps, dtype=tf.float32)
    assert names(tf.global_variables()) == [
        "rnn/basic_lstm_cell/kernel", "rnn/basic_lstm_cell/bias",
        "other/rnn/basic_lstm_cell/kernel", "other/rnn/basic_lstm_cell/bias",
    ]  # fmt: skip


def test_a_list_of_one_cell_shares_its_weights() -> None:
    cell = rnn_cell.BasicRNNCell(3)
    many = rnn_cell.MultiRNNCell([cell] * 3)
    x = tf.placeholder(tf.float32, [4, 3])
    many(x, many.zero_state(4, tf.float32))
    assert names(tf.global_variables()) == [
        "multi_rnn_cell/cell_0/basic_rnn_cell/kernel", "multi_rnn_cell/cell_0/basic_rnn_cell/bias",
    ]  # fmt: skip
    copies = rnn_cell.MultiRNNCell([copy.deepcopy(rnn_cell.BasicRNNCell(3)) for _ in range(2)])
    with tf.variable_scope("apart"):
        copies(x, copies.zero_state(4, tf.float32))
    assert len(copies.trainable_weights) == 4 and len(many.trainable_variables) == 6


def test_states_go_in_and_out_of_runs(sess: tf.Session) -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    cell = rnn_cell.MultiRNNCell([rnn_cell.LSTMCell(2), rnn_cell.GRUCell(3)])
    start = cell.zero_state(tf.shape(x)[0], tf.float32)
    output, last = cell(x, start)
    sess.run(tf.global_variables_initializer())
    first, state = sess.run([output, last], {x: X})
    assert type(state[0]) is rnn_cell.LSTMStateTuple and state[0].c.shape == (4, 2)
    second, _ = sess.run([output, last], {x: X, start: state})
    third = sess.run(output, {x: X, start[0]: state[0], start[1]: state[1]})
    assert not np.allclose(first, second)
    np.testing.assert_array_equal(second, third)
    assert start[0].dtype is tf.float32 and start[0].c.shape.as_list() == [None, 2]


def test_a_cell_that_users_write(sess: tf.Session) -> None:
    class Leaky(rnn_cell.RNNCell):
        def __init__(self, units: int) -> None:
            super().__init__()
            self._units = units

        state_size = property(lambda self: self._units)
        output_size = property(lambda self: self._units)

        def call(self, inputs, state):
            w = tf.get_variable("w", [inputs.shape[1].value, self._units])
            new = 0.5 * state + tf.matmul(inputs, w)
            return tf.nn.relu(new), new

    class Old(rnn_cell.RNNCell):
        """Of the time before layers: no __init__ of the base, a scope of its own."""

        def __init__(self) -> None:
            self._n = 2

        state_size = property(lambda self: tf.TensorShape([self._n]))
        output_size = property(lambda self: self._n)

        def __call__(self, inputs, state, scope=None):
            with tf.variable_scope(scope or type(self).__name__):
                return state, state + tf.get_variable("b", initializer=np.ones(2))

    cell = Leaky(2)
    steps = tf.unstack(tf.constant(X.reshape(2, 2, 3)), axis=1)
    outputs, _ = tf.nn.static_rnn(cell, steps, dtype=tf.float32)
    assert names(cell.trainable_weights) == ["rnn/leaky/w"]
    old = tf.nn.static_rnn(Old(), [tf.cast(s, tf.float64) for s in steps] * 2, dtype=tf.float64)[1]
    assert names(tf.global_variables()) == ["rnn/leaky/w", "rnn/Old/b"]
    sess.run(tf.global_variables_initializer())
    assert sess.run(outputs[1]).shape == (2, 2)
    np.testing.assert_array_equal(sess.run(old), np.full((2, 2), 4.0))


def test_dropout_of_inputs_outputs_and_states(sess: tf.Session) -> None:
    keep = tf.placeholder_with_default(1.0, [])
    ones = tf.ones([50, 40])
    inner = rnn_cell.BasicRNNCell(40, activation=lambda x: tf.ones_like(x))
    cell = rnn_cell.DropoutWrapper(inner, output_keep_prob=keep, state_keep_prob=0.5, seed=3)
    output, state = cell(ones, cell.zero_state(50, tf.float32))
    sess.run(tf.global_variables_initializer())
    values, left = sess.run([output, state], {keep: 0.25})
    assert set(np.unique(values)) == {0.0, 4.0} and 0.2 < (values > 0).mean() < 0.3
    assert set(np.unique(left)) == {0.0, 2.0}
    np.testing.assert_array_equal(sess.run(output), np.ones((50, 40)))
    assert cell.output_size == 40 and cell.trainable_weights == inner.trainable_weights
    with pytest.raises(ValueError, match="Parameter input_keep_prob must be between 0 and 1"):
        rnn_cell.DropoutWrapper(inner, input_keep_prob=1.5)


def test_the_memory_of_an_lstm_is_not_dropped(sess: tf.Session) -> None:
    inner = rnn_cell.LSTMCell(60)
    cell = rnn_cell.DropoutWrapper(inner, state_keep_prob=0.5)
    x = tf.ones([5, 3])
    _, state = cell(x, cell.zero_state(5, tf.float32))
    everything = rnn_cell.DropoutWrapper(
        inner, state_keep_prob=0.5, dropout_state_filter_visitor=lambda s: True
    )
    _, dropped = everything(x, cell.zero_state(5, tf.float32))
    sess.run(tf.global_variables_initializer())
    kept, all_dropped = sess.run([state, dropped])
    assert (kept.c != 0).all() and (kept.h == 0).any()
    assert (all_dropped.c == 0).any() and (all_dropped.h == 0).any()


def test_variational_dropout_uses_one_mask(sess: tf.Session) -> None:
    inner = rnn_cell.BasicRNNCell(30, activation=lambda x: tf.ones_like(x))
    cell = rnn_cell.DropoutWrapper(
        inner, 0.5, 0.5, 0.5, variational_recurrent=True, input_size=tf.TensorShape([3]),
        dtype=tf.float32, seed=1,
    )  # fmt: skip
    outputs, _ = tf.nn.static_rnn(cell, [tf.ones([4, 3])] * 3, dtype=tf.float32)
    sess.run(tf.global_variables_initializer())
    first, second, third = sess.run(outputs)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, third)
    assert (first == first[0]).all() and set(np.unique(first)) == {0.0, 2.0}
    with pytest.raises(ValueError, match="dtype must be provided"):
        rnn_cell.DropoutWrapper(inner, variational_recurrent=True)
    with pytest.raises(ValueError, match="input_size must be provided"):
        rnn_cell.DropoutWrapper(inner, 0.5, variational_recurrent=True, dtype=tf.float32)


def test_residuals_and_devices(sess: tf.Session) -> None:
    inner = rnn_cell.BasicRNNCell(3, activation=tf.zeros_like)
    x = tf.constant(X)
    plain, _ = rnn_cell.ResidualWrapper(inner)(x, tf.zeros([4, 3]))
    own = rnn_cell.ResidualWrapper(inner, residual_fn=lambda i, o: i * 2 + o)
    double, _ = own(x, tf.zeros([4, 3]))
    placed = rnn_cell.DeviceWrapper(rnn_cell.GRUCell(3), "/cpu:0")
    output, _ = placed(x, placed.zero_state(4, tf.float32))
    sess.run(tf.global_variables_initializer())
    np.testing.assert_allclose(sess.run(plain), X)
    np.testing.assert_allclose(sess.run(double), 2 * X)
    assert output.op.device == "/device:CPU:0" and sess.run(output).shape == (4, 3)
    with pytest.raises(ValueError, match="are incompatible"):
        rnn_cell.ResidualWrapper(rnn_cell.GRUCell(2))(x, tf.zeros([4, 2]))


def test_errors_of_cells() -> None:
    with pytest.raises(ValueError, match="Must specify at least one cell for MultiRNNCell"):
        rnn_cell.MultiRNNCell([])
    with pytest.raises(TypeError, match="cells must be a list or tuple, but saw"):
        rnn_cell.MultiRNNCell(rnn_cell.GRUCell(2))
    with pytest.raises(ValueError, match="Some cells return tuples of states"):
        rnn_cell.MultiRNNCell([rnn_cell.LSTMCell(2)], state_is_tuple=False)
    with pytest.raises(ValueError, match="RNN cell only supports floating point inputs"):
        rnn_cell.GRUCell(2, dtype=tf.int32)
    with pytest.raises(ValueError, match=r"Expected inputs.shape\[-1\] to be known"):
        rnn_cell.GRUCell(2)(tf.placeholder(tf.float32, [2, None]), tf.zeros([2, 2]))
    with pytest.raises(ValueError, match="expected ndim=2, found ndim=3"):
        rnn_cell.GRUCell(2)(tf.zeros([2, 2, 2]), tf.zeros([2, 2]))
    with pytest.raises(TypeError, match="is not an RNNCell: 'output_size' property is missing"):
        tf.nn.static_rnn(lambda i, s: (i, s), [tf.zeros([2, 2])])
    with pytest.raises(ValueError, match="Expected state to be a tuple of length 1"):
        rnn_cell.MultiRNNCell([rnn_cell.GRUCell(2)])(tf.zeros([2, 2]), tf.zeros([2, 2]))
    with pytest.raises(ValueError, match="Unknown activation function:nope"):
        rnn_cell.GRUCell(2, activation="nope")


def test_initial_states() -> None:
    cell = rnn_cell.GRUCell(2)
    x = tf.placeholder(tf.float64, [None, 3])
    assert cell.get_initial_state(x).dtype is tf.float64
    assert cell.get_initial_state(batch_size=3, dtype=tf.float32).shape.as_list() == [3, 2]
    with pytest.raises(ValueError, match="batch_size and dtype cannot be None"):
        cell.get_initial_state()
    with pytest.raises(ValueError, match="dtype from input tensor is different"):
        cell.get_initial_state(x, dtype=tf.float32)
    state = rnn_cell.LSTMStateTuple(tf.zeros([1], tf.float32), tf.zeros([1], tf.float64))
    with pytest.raises(TypeError, match="Inconsistent internal state"):
        state.dtype
