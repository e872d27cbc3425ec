"""tf.contrib.cudnn_rnn: the layers against the cells of tf.nn.rnn_cell."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from tests.rnn.conftest import names

cudnn = tf.contrib.cudnn_rnn
X = np.random.RandomState(0).randn(5, 3, 2).astype(np.float32)


def test_lstm_layers(sess: tf.Session) -> None:
    layer = cudnn.CudnnLSTM(2, 4)
    x = tf.constant(X)
    outputs, (h, c) = layer(x)
    prefix = "cudnn_lstm/rnn/multi_rnn_cell/cell_"
    assert names(layer.trainable_variables) == names(tf.global_variables()) == [
        f"{prefix}{n}/cudnn_compatible_lstm_cell/{kind}" for n in (0, 1)
        for kind in ("kernel", "bias")
    ]  # fmt: skip
    assert outputs.shape.as_list() == [5, 3, 4] and layer.state_shape(3)[0] == [2, 3, 4]
    cells = [tf.nn.rnn_cell.BasicLSTMCell(4, forget_bias=0.0) for _ in range(2)]
    many = tf.nn.rnn_cell.MultiRNNCell(cells)
    wanted, state = tf.nn.dynamic_rnn(many, x, dtype=tf.float32, time_major=True)
    sess.run(tf.global_variables_initializer())
    sess.run([a.assign(b) for a, b in zip(many.variables, layer.trainable_variables)])
    got, gh, gc, expected, last = sess.run([outputs, h, c, wanted, state])
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gh[1], last[1].h, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gc[0], last[0].c, rtol=1e-5, atol=1e-6)
    # a second call shares the weights and takes the state of the first
    again, _ = layer(tf.constant(X.transpose(1, 0, 2)), (h, c), time_major=False, training=False)
    assert again.shape.as_list() == [3, 5, 4] and len(tf.global_variables()) == 8
    assert not np.allclose(sess.run(again)[:, 0], got[0])


def test_both_directions_and_dropout(sess: tf.Session) -> None:
    layer = cudnn.CudnnGRU(
        2, 3, direction="bidirectional", dropout=0.5, bias_initializer=tf.ones_initializer()
    )
    x = tf.constant(X)
    trained, (h,) = layer(x, sequence_lengths=[5, 2, 1])
    used, _ = layer(x, sequence_lengths=[5, 2, 1], training=False)
    assert names(layer.trainable_weights)[6] == (
        "cudnn_gru/stack_bidirectional_rnn/cell_0/bidirectional_rnn/bw/cudnn_compatible_gru_cell/"
        "gates/kernel"
    )
    assert trained.shape.as_list() == [5, 3, 6] and len(layer.trainable_weights) == 24
    sess.run(tf.global_variables_initializer())
    one, two, last = sess.run([used, trained, h])
    np.testing.assert_array_equal(one, sess.run(used))
    assert not np.allclose(two, sess.run(trained)) and not two[2:, 1].any()
    assert last.shape == (4, 3, 3)
    assert (sess.run(layer.trainable_weights[1]) == 1).all()
    np.testing.assert_allclose(one[4, 0, :3], sess.run(layer(x, training=False)[1][0])[2, 0], 1e-5)


def test_gru_by_hand_and_plain_layers(sess: tf.Session) -> None:
    cell = cudnn.CudnnCompatibleGRUCell(3)
    h = np.random.RandomState(1).randn(3, 3).astype(np.float32)
    output, _ = cell(tf.constant(X[0]), tf.constant(h))
    tanh, _ = cudnn.CudnnRNNTanh(1, 4)(tf.constant(X))
    relu, _ = cudnn.CudnnRNNRelu(1, 4)(tf.constant(X))
    sess.run(tf.global_variables_initializer())
    gw, gb, xw, xb, hw, hb = sess.run(cell.variables)
    both = 1 / (1 + np.exp(-(np.concatenate([X[0], h], 1) @ gw + gb)))
    r, u = np.split(both, 2, 1)
    wanted = (1 - u) * np.tanh(X[0] @ xw + xb + r * (h @ hw + hb)) + u * h
    np.testing.assert_allclose(sess.run(output), wanted, rtol=1e-5, atol=1e-6)
    assert names(cell.variables)[2:4] == [
        "cudnn_compatible_gru_cell/candidate/input_projection/kernel",
        "cudnn_compatible_gru_cell/candidate/input_projection/bias",
    ]
    a, b = sess.run([tanh, relu])
    assert np.abs(a).max() < 1 and b.min() == 0
    with pytest.raises(ValueError, match=r"input_mode 'skip_input' is not supported"):
        cudnn.CudnnLSTM(1, 2, input_mode="skip_input")
    with pytest.raises(ValueError, match=r"direction must be 'unidirectional' or"):
        cudnn.CudnnLSTM(1, 2, direction="up")
    with pytest.raises(ValueError, match=r"initial_state must be a tuple of 2 tensors"):
        cudnn.CudnnLSTM(1, 2)(tf.constant(X), (tf.zeros([1, 3, 2]),))
