"""Recurrent programs as TensorFlow 1's users write them: they learn."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import graphc as tf
from tests.rnn.conftest import names


def test_digits_as_sequences(sess: tf.Session) -> None:
    """The rows of an image, one a step: the recurrent MNIST example."""
    sklearn = pytest.importorskip("sklearn.datasets")
    tf.set_random_seed(1)
    data = sklearn.load_digits()
    images = (data.data / 16).reshape(-1, 8, 8).astype(np.float32)
    labels = np.eye(10)[data.target]
    x = tf.placeholder("float", [None, 8, 8])
    y = tf.placeholder("float", [None, 10])
    weights = {"out": tf.Variable(tf.random_normal([64, 10], seed=1))}
    biases = {"out": tf.Variable(tf.random_normal([10], seed=2))}
    lstm_cell = tf.contrib.rnn.BasicLSTMCell(64, forget_bias=1.0)
    outputs, _ = tf.contrib.rnn.static_rnn(lstm_cell, tf.unstack(x, 8, 1), dtype=tf.float32)
    logits = tf.matmul(outputs[-1], weights["out"]) + biases["out"]
    loss_op = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(logits=logits, labels=y))
    train_op = tf.train.AdamOptimizer(0.01).minimize(loss_op)
    correct = tf.equal(tf.argmax(logits, 1), tf.argmax(y, 1))
    accuracy = tf.reduce_mean(tf.cast(correct, tf.float32))
    sess.run(tf.global_variables_initializer())
    rng = np.random.RandomState(0)
    for _ in range(200):
        at = rng.randint(0, 1500, 128)
        sess.run(train_op, feed_dict={x: images[at], y: labels[at]})
    assert sess.run(accuracy, {x: images[1500:], y: labels[1500:]}) > 0.85


def test_a_language_model_with_dropout_and_a_carried_state(sess: tf.Session) -> None:
    """In the manner of the PTB tutorial: two layers, clipped gradients, a decaying rate."""
    text = (b"the cat sat on the mat. the dog sat on the log. " * 30).decode()
    alphabet = sorted(set(text))
    codes = np.array([alphabet.index(c) for c in text])
    batch_size, num_steps, size, vocab = 8, 10, 32, len(alphabet)
    data = codes[: len(codes) // batch_size * batch_size].reshape(batch_size, -1)

    class Model:
        def __init__(self, is_training: bool) -> None:
            self.x = tf.placeholder(tf.int32, [batch_size, num_steps])
            self.y = tf.placeholder(tf.int32, [batch_size, num_steps])

            def lstm_cell():
                cell = tf.contrib.rnn.BasicLSTMCell(
                    size, forget_bias=0.0, state_is_tuple=True,
                    reuse=tf.get_variable_scope().reuse,
                )  # fmt: skip
                if is_training:
                    cell = tf.contrib.rnn.DropoutWrapper(cell, output_keep_prob=0.9)
                return cell

            cell = tf.contrib.rnn.MultiRNNCell([lstm_cell() for _ in range(2)])
            self.initial_state = cell.zero_state(batch_size, tf.float32)
            embedding = tf.get_variable("embedding", [vocab, size])
            inputs = tf.nn.embedding_lookup(embedding, self.x)
            outputs = []
            state = self.initial_state
            with tf.variable_scope("RNN"):
                for time_step in range(num_steps):
                    if time_step > 0:
                        tf.get_variable_scope().reuse_variables()
                    cell_output, state = cell(inputs[:, time_step, :], state)
                    outputs.append(cell_output)
            output = tf.reshape(tf.concat(outputs, 1), [-1, size])
            softmax_w = tf.get_variable("softmax_w", [size, vocab])
            softmax_b = tf.get_variable("softmax_b", [vocab])
            logits = tf.reshape(
                tf.matmul(output, softmax_w) + softmax_b, [batch_size, num_steps, vocab]
            )
            loss = tf.contrib.seq2seq.sequence_loss(
                logits, self.y, tf.ones([batch_size, num_steps]),
                average_across_timesteps=False, average_across_batch=True,
            )  # fmt: skip
            self.cost = tf.reduce_sum(loss) / num_steps
            self.final_state = state
            if not is_training:
                return
            self.lr = tf.Variable(0.0, trainable=False)
            tvars = tf.trainable_variables()
            grads, _ = tf.clip_by_global_norm(tf.gradients(self.cost, tvars), 5)
            self.train_op = tf.train.AdamOptimizer(self.lr).apply_gradients(zip(grads, tvars))

    with tf.variable_scope(
        "model", reuse=None, initializer=tf.random_uniform_initializer(-0.1, 0.1)
    ):
        m = Model(True)
    with tf.variable_scope("model", reuse=True):
        test = Model(False)
    assert names(tf.trainable_variables()) == [
        "model/embedding", "model/RNN/multi_rnn_cell/cell_0/basic_lstm_cell/kernel",
        "model/RNN/multi_rnn_cell/cell_0/basic_lstm_cell/bias",
        "model/RNN/multi_rnn_cell/cell_1/basic_lstm_cell/kernel",
        "model/RNN/multi_rnn_cell/cell_1/basic_lstm_cell/bias",
        "model/softmax_w", "model/softmax_b",
    ]  # fmt: skip
    sess.run(tf.global_variables_initializer())
    sess.run(tf.assign(m.lr, 0.01))

    def epoch(model: Model, op: tf.Operation | None) -> float:
        state, costs = sess.run(model.initial_state), []
        for start in range(0, data.shape[1] - num_steps - 1, num_steps):
            feed = {model.x: data[:, start : start + num_steps],
                    model.y: data[:, start + 1 : start + num_steps + 1]}  # fmt: skip
            for i, (c, h) in enumerate(model.initial_state):
                feed[c] = state[i].c
                feed[h] = state[i].h
            fetches = {"cost": model.cost, "final_state": model.final_state}
            if op is not None:
                fetches["op"] = op
            vals = sess.run(fetches, feed)
            state = vals["final_state"]
            costs.append(vals["cost"])
        return float(np.exp(np.mean(costs)))

    first = epoch(m, m.train_op)
    for _ in range(14):
        epoch(m, m.train_op)
    assert first > 8 and epoch(test, None) < 1.6


def test_which_way_round(sess: tf.Session) -> None:
    """Only both directions together tell whether the first step equals the last one."""
    rng = np.random.RandomState(1)
    x = tf.placeholder(tf.float32, [None, None, 4])
    y = tf.placeholder(tf.int64, [None])
    n = tf.placeholder(tf.int32, [None])
    cells = [tf.nn.rnn_cell.GRUCell(16) for _ in range(2)]
    (out_fw, out_bw), states = tf.nn.bidirectional_dynamic_rnn(
        cells[0], cells[1], x, sequence_length=n, dtype=tf.float32
    )
    assert out_bw.shape.as_list() == out_fw.shape.as_list() == [None, None, 16]
    hidden = tf.layers.dense(tf.concat(states, 1), 32, tf.nn.relu)
    logits = tf.layers.dense(hidden, 2)
    loss = tf.losses.sparse_softmax_cross_entropy(y, logits)
    train = tf.train.AdamOptimizer(0.01).minimize(loss)
    right = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), y), tf.float32))
    sess.run(tf.global_variables_initializer())

    def batch(rows: int) -> dict:
        lengths = rng.randint(2, 6, rows)
        ids = rng.randint(0, 4, (rows, 6))
        last = ids[np.arange(rows), lengths - 1]
        ids[:, 0] = np.where(rng.rand(rows) < 0.5, last, ids[:, 0])
        return {x: np.eye(4)[ids], n: lengths, y: (ids[:, 0] == last).astype(int)}

    for _ in range(250):
        sess.run(train, batch(64))
    assert sess.run(right, batch(400)) > 0.93


def test_saved_models_go_on(sess: tf.Session, tmp_path: Path) -> None:
    x = tf.placeholder(tf.float32, [None, 3, 2])
    outputs, _ = tf.nn.dynamic_rnn(tf.nn.rnn_cell.LSTMCell(3), x, dtype=tf.float32)
    sess.run(tf.global_variables_initializer())
    saver = tf.train.Saver()
    path = saver.save(sess, str(tmp_path / "model"))
    wanted = sess.run(outputs, {x: np.ones((1, 3, 2))})
    assert dict(tf.train.list_variables(path)) == {
        "rnn/lstm_cell/kernel": [5, 12], "rnn/lstm_cell/bias": [12],
    }  # fmt: skip
    with tf.Session() as other:
        saver.restore(other, path)
        np.testing.assert_array_equal(other.run(outputs, {x: np.ones((1, 3, 2))}), wanted)


def test_tensorflows_own_paths() -> None:
    program = """
        import graphc
        graphc.install_as_tensorflow()
        import tensorflow as tf
        from tensorflow.contrib import rnn, seq2seq, legacy_seq2seq
        from tensorflow.contrib.rnn import BasicLSTMCell, LSTMStateTuple
        from tensorflow.python.ops import rnn_cell, rnn_cell_impl
        from tensorflow.python.ops.rnn_cell import GRUCell
        from tensorflow.python.ops import rnn as rnn_ops
        from tensorflow.python.ops.rnn import dynamic_rnn
        from tensorflow.contrib.rnn.python.ops import core_rnn_cell
        from tensorflow.contrib.rnn.python.ops.core_rnn_cell import _linear
        from tensorflow.contrib.seq2seq.python.ops import attention_wrapper
        from tensorflow.contrib.legacy_seq2seq.python.ops import seq2seq as old
        assert rnn.BasicLSTMCell is tf.nn.rnn_cell.BasicLSTMCell is core_rnn_cell.BasicLSTMCell
        assert rnn_cell_impl.LSTMStateTuple is LSTMStateTuple and GRUCell is rnn.GRUCell
        assert dynamic_rnn is tf.nn.dynamic_rnn is rnn_ops.dynamic_rnn
        assert attention_wrapper.AttentionWrapper is seq2seq.AttentionWrapper
        assert old.rnn_decoder is legacy_seq2seq.rnn_decoder
        print("ok")
    """
    root = str(Path(tf.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, cwd=root
    )
    assert done.stdout == "ok\n", done.stderr


def test_states_of_every_form_are_fed(sess: tf.Session) -> None:
    """Steps by tf.split, joined states, a placeholder that holds the states of all layers."""
    rnn, n_hidden = tf.contrib.rnn, 6
    x0 = tf.placeholder("float", [None, 4, 3])
    x = tf.transpose(x0, [1, 0, 2])
    x = tf.split(tf.reshape(x, [-1, 3]), 4, 0)
    plain, _ = rnn.static_rnn(rnn.BasicLSTMCell(n_hidden), x, dtype=tf.float32)
    joined = tf.placeholder("float", [None, 2 * n_hidden])
    with tf.variable_scope("joined"):
        cell = rnn.BasicLSTMCell(n_hidden, state_is_tuple=False)
        outputs, _ = rnn.static_rnn(cell, x, initial_state=joined)
    stacked = tf.placeholder(tf.float32, [2, 2, None, n_hidden])
    layers = tf.unstack(stacked, axis=0)
    states = tuple(rnn.LSTMStateTuple(s[0], s[1]) for s in layers)
    many = rnn.MultiRNNCell([rnn.LSTMCell(n_hidden) for _ in range(2)], state_is_tuple=True)
    with tf.variable_scope("many"):
        looped, last = tf.nn.dynamic_rnn(many, x0, initial_state=states)
    total = tf.add_n([tf.reduce_sum(t) for t in (plain[-1], outputs[-1], looped)])
    train = tf.train.GradientDescentOptimizer(0.01).minimize(total)
    sess.run(tf.global_variables_initializer())
    before = tf.stats()["plans_built"]
    for rows in (3, 5):
        kept = np.zeros((2, 2, rows, n_hidden))
        for _ in range(2):
            feed = {x0: np.ones((rows, 4, 3)), joined: np.zeros((rows, 12)), stacked: kept}
            kept, got, _ = sess.run([last, looped, train], feed)
        assert np.shape(kept) == (2, 2, rows, n_hidden) and got.shape == (rows, 4, n_hidden)
        np.testing.assert_array_equal(got[:, -1], kept[1].h)
    assert tf.stats()["plans_built"] - before == 1
