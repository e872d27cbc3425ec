"""dynamic_rnn and its relatives: shapes that vary, states, dropout, errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from tests.rnn.conftest import names

rnn_cell, contrib = tf.nn.rnn_cell, tf.contrib.rnn
X = np.random.RandomState(0).randn(3, 5, 2).astype(np.float32)


def test_other_batches_and_times_need_no_other_plan(sess: tf.Session) -> None:
    x, n = tf.placeholder(tf.float32, [None, None, 2]), tf.placeholder(tf.int32, [None])
    outputs, state = tf.nn.dynamic_rnn(rnn_cell.LSTMCell(4), x, sequence_length=n, dtype=tf.float32)
    loss = tf.reduce_sum(tf.square(outputs)) + tf.reduce_sum(state.c)
    train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    assert outputs.shape.as_list() == [None, None, 4] and state.h.shape.as_list() == [None, 4]
    sess.run(tf.global_variables_initializer())
    sess.run([train, outputs], {x: X, n: [5, 3, 1]})
    before = tf.stats()["plans_built"]
    for rows, time in ((3, 4), (7, 5), (2, 9), (1, 2)):
        _, got = sess.run([train, outputs], {x: np.ones((rows, time, 2)), n: [time] * rows})
        assert got.shape == (rows, time, 4)
    assert tf.stats()["plans_built"] - before <= 1


def test_sequences_in_parts_go_on_from_the_state(sess: tf.Session) -> None:
    cell = rnn_cell.MultiRNNCell([rnn_cell.LSTMCell(3), rnn_cell.GRUCell(2)])
    x = tf.placeholder(tf.float32, [None, None, 2])
    first = cell.zero_state(tf.shape(x)[0], tf.float32)
    outputs, last = tf.nn.dynamic_rnn(cell, x, initial_state=first)
    sess.run(tf.global_variables_initializer())
    whole, end = sess.run([outputs, last], {x: X})
    part, state = sess.run([outputs, last], {x: X[:, :2]})
    assert isinstance(state[0], rnn_cell.LSTMStateTuple)
    rest, done = sess.run([outputs, last], {x: X[:, 2:], first: state})
    np.testing.assert_allclose(np.concatenate([part, rest], 1), whole, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(done[0].c, end[0].c, rtol=1e-5, atol=1e-6)


def test_static_and_dynamic_agree(sess: tf.Session) -> None:
    x = tf.constant(X)
    with tf.variable_scope("m", initializer=tf.random_uniform_initializer(-0.5, 0.5, seed=1)):
        one, _ = tf.nn.dynamic_rnn(
            rnn_cell.BasicLSTMCell(4), x, dtype=tf.float32, sequence_length=[5, 2, 0]
        )
        tf.get_variable_scope().reuse_variables()
        steps, _ = tf.nn.static_rnn(
            rnn_cell.BasicLSTMCell(4), tf.unstack(x, axis=1), dtype=tf.float32,
            sequence_length=[5, 2, 0],
        )  # fmt: skip
    other = tf.stack(steps, 1)
    weights = tf.trainable_variables()
    assert names(weights) == ["m/rnn/basic_lstm_cell/kernel", "m/rnn/basic_lstm_cell/bias"]
    sess.run(tf.global_variables_initializer())
    a, b = sess.run([one, other])
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    for g, h in zip(*sess.run([tf.gradients(t * t, weights) for t in (one, other)])):
        np.testing.assert_allclose(g, h, rtol=1e-4, atol=1e-6)


def test_every_step_drops_other_units(sess: tf.Session) -> None:
    inner = rnn_cell.BasicRNNCell(40, activation=tf.ones_like)
    keep = tf.placeholder_with_default(1.0, [])
    cell = rnn_cell.DropoutWrapper(inner, output_keep_prob=keep)
    fixed = rnn_cell.DropoutWrapper(
        inner, output_keep_prob=0.5, variational_recurrent=True, dtype=tf.float32
    )
    x = tf.constant(X)
    outputs, _ = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)
    same, _ = tf.nn.dynamic_rnn(fixed, x, dtype=tf.float32)
    sess.run(tf.global_variables_initializer())
    assert (sess.run(outputs) == 1).all()
    values = sess.run(outputs, {keep: 0.5})
    assert set(np.unique(values)) == {0.0, 2.0}
    for time in range(4):
        assert (values[:, time] != values[:, time + 1]).any()
    assert (values != sess.run(outputs, {keep: 0.5})).any()
    one_mask = sess.run(same)
    assert (one_mask == one_mask[:1, :1]).all()


def test_nested_inputs_and_states(sess: tf.Session) -> None:
    class Both(rnn_cell.RNNCell):
        state_size = (2, tf.TensorShape([2, 2]))
        output_size = (2, tf.TensorShape([2, 2]))

        def call(self, inputs: Any, state: Any) -> Any:
            new = (state[0] + inputs[0], state[1] + inputs[1]["m"])
            return new, new

    x = tf.placeholder(tf.float32, [None, None, 2])
    wide = tf.tile(x[:, :, :, None], [1, 1, 1, 2])
    outputs, state = tf.nn.dynamic_rnn(
        Both(), (x, {"m": wide}), dtype=tf.float32, sequence_length=[5, 1, 0]
    )
    assert outputs[1].shape.as_list() == [None, None, 2, 2]
    got, (flat, square) = sess.run([outputs, state], {x: X})
    np.testing.assert_allclose(flat[0], X[0].sum(0), rtol=1e-5)
    np.testing.assert_allclose(square[1], np.repeat(X[1, 0][:, None], 2, 1), rtol=1e-5)
    assert not got[1][2].any() and not flat[2].any()


def test_float64_and_no_steps(sess: tf.Session) -> None:
    x = tf.placeholder(tf.float64, [2, None, 2])
    outputs, state = tf.nn.dynamic_rnn(rnn_cell.GRUCell(3), x, dtype=tf.float64)
    sess.run(tf.global_variables_initializer())
    got, last = sess.run([outputs, state], {x: np.zeros((2, 0, 2))})
    assert got.shape == (2, 0, 3) and got.dtype == np.float64 and not last.any()


def test_gradients_of_gradients(sess: tf.Session) -> None:
    x = tf.placeholder(tf.float32, [1, 3, 2])
    outputs, _ = tf.nn.dynamic_rnn(rnn_cell.BasicRNNCell(2), x, dtype=tf.float32)
    slope = tf.gradients(tf.reduce_sum(outputs), x)[0]
    curve = tf.gradients(tf.reduce_sum(tf.square(slope)), x)[0]
    sess.run(tf.global_variables_initializer())
    at, step = X[:1, :3].astype(np.float64), 1e-2
    got = sess.run(curve, {x: at})
    ahead = at.copy()
    ahead[0, 1, 0] += step
    behind = at.copy()
    behind[0, 1, 0] -= step
    values = [np.square(sess.run(slope, {x: v})).sum() for v in (ahead, behind)]
    np.testing.assert_allclose(got[0, 1, 0], (values[0] - values[1]) / (2 * step), rtol=2e-2)


def test_layers_of_both_directions(sess: tf.Session) -> None:
    def cells() -> list[Any]:
        return [rnn_cell.GRUCell(3), rnn_cell.GRUCell(2)]

    x = tf.constant(X)
    outputs, fw, bw = contrib.stack_bidirectional_dynamic_rnn(
        cells(), cells(), x, dtype=tf.float32, sequence_length=[5, 3, 1]
    )
    with tf.variable_scope("", reuse=True):
        steps, fw2, _ = contrib.stack_bidirectional_rnn(
            cells(), cells(), tf.unstack(x, axis=1), dtype=tf.float32, sequence_length=[5, 3, 1]
        )
    assert names(tf.global_variables())[8] == (
        "stack_bidirectional_rnn/cell_1/bidirectional_rnn/fw/gru_cell/gates/kernel"
    )
    assert outputs.shape.as_list() == [3, 5, 4] and len(fw) == len(bw) == 2
    sess.run(tf.global_variables_initializer())
    one, other, last, again = sess.run([outputs, tf.stack(steps, 1), fw, fw2])
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(last[1], again[1], rtol=1e-5, atol=1e-6)
    stack = contrib.stack_bidirectional_rnn
    with pytest.raises(ValueError, match=r"Must specify at least one fw cell"):
        stack([], cells(), [x])
    with pytest.raises(ValueError, match=r"cells_bw must be a list of RNNCells"):
        stack(cells(), tuple(cells()), [x])
    with pytest.raises(ValueError, match=r"Forward and Backward cells must have the same depth"):
        stack(cells(), cells()[:1], [x])
    with pytest.raises(ValueError, match=r"initial_states_fw must be a list of state tensors"):
        stack(cells(), cells(), [x], initial_states_fw=x)


def test_fused_cells(sess: tf.Session) -> None:
    fixture = np.load(Path(__file__).parents[1] / "fixtures" / "rnn.npz")
    from tests.rnn.cases import values

    xs = tf.constant(values("bxs", [5, 4, 2], 1.0))
    start = tuple(tf.constant(values(n, [4, 3])) for n in ("bc", "bh"))
    cell = contrib.LSTMBlockFusedCell(3, forget_bias=0.8, cell_clip=0.4, use_peephole=True)
    outputs, state = cell(xs, start, sequence_length=[3, 3, 2, 3])
    assert names(tf.global_variables()) == [
        f"lstm_fused_cell/{n}" for n in ("kernel", "bias", "w_i_diag", "w_f_diag", "w_o_diag")
    ]
    sess.run([
        v.assign(values(n, v.shape.as_list()))
        for v, n in zip(tf.global_variables(), ["bw", "bb", "bpi", "bpf", "bpo"])
    ])  # fmt: skip
    memory, wanted = fixture["block/lstm_loop_True"]
    got, last = sess.run([outputs, state])
    np.testing.assert_allclose(got[:2], wanted[:2], rtol=1e-5, atol=1e-6)
    assert not got[3:].any() and not got[2, 2].any()
    np.testing.assert_allclose(last.c[0], memory[2, 0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(last.h[2], wanted[1, 2], rtol=1e-5, atol=1e-6)
    steps, _ = cell(tf.unstack(xs), start)
    np.testing.assert_allclose(sess.run(steps)[1], wanted[1], rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=r"Either initial_state or dtype needs to be specified"):
        cell(xs)


def test_adapted_and_reversed_cells(sess: tf.Session) -> None:
    x = tf.constant(X.transpose(1, 0, 2))
    lengths = [5, 3, 1]
    made = []
    for dynamic in (False, True):
        with tf.variable_scope("f", reuse=dynamic or None):
            cell = contrib.FusedRNNCellAdaptor(rnn_cell.GRUCell(2), use_dynamic_rnn=dynamic)
            forth = cell(x, dtype=tf.float32, sequence_length=lengths, scope="s")
        with tf.variable_scope("f", reuse=True):
            turned = contrib.TimeReversedFusedRNN(
                contrib.FusedRNNCellAdaptor(rnn_cell.GRUCell(2), use_dynamic_rnn=dynamic)
            )
            back = turned(x, dtype=tf.float32, sequence_length=lengths, scope="s")
            parts = cell(tf.unstack(x), dtype=tf.float32, scope="s") if dynamic else forth
        made.append((forth, back, parts))
    sess.run(tf.global_variables_initializer())
    one, other = sess.run(made)
    for a, b in zip(one[:2], other[:2]):
        np.testing.assert_allclose(a[0], b[0], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(a[1], b[1], rtol=1e-5, atol=1e-6)
    assert len(other[2][0]) == 5
    # what comes first in reverse is the row's last input
    assert not np.allclose(one[1][0][0], one[0][0][0])


def test_errors() -> None:
    cell = rnn_cell.GRUCell(2)
    x = tf.constant(X)
    with pytest.raises(TypeError, match=r"The argument 'cell' .* is not an RNNCell"):
        tf.nn.dynamic_rnn(tf.nn.relu, x, dtype=tf.float32)
    with pytest.raises(ValueError, match=r"If there is no initial_state, you must give a dtype"):
        tf.nn.dynamic_rnn(cell, x)
    with pytest.raises(ValueError, match=r"sequence_length must be a vector of length batch_size"):
        tf.nn.dynamic_rnn(cell, x, sequence_length=3, dtype=tf.float32)
    with pytest.raises(ValueError, match=r"Input size \(depth of inputs\) must be accessible"):
        tf.nn.dynamic_rnn(cell, tf.placeholder(tf.float32, [2, 3, None]), dtype=tf.float32)
    with pytest.raises(ValueError, match=r"Shape .* must have rank at least 3"):
        tf.nn.dynamic_rnn(cell, tf.zeros([2, 3]), dtype=tf.float32)
    with pytest.raises(ValueError, match=r"Time steps is not the same for all the elements"):
        tf.nn.dynamic_rnn(cell, (x, tf.zeros([3, 4, 2])), dtype=tf.float32)
    with pytest.raises(ValueError, match=r"Batch_size is not the same for all the elements"):
        tf.nn.dynamic_rnn(cell, (x, tf.zeros([2, 5, 2])), dtype=tf.float32)
    with pytest.raises(TypeError, match=r"loop_fn must be a callable"):
        tf.nn.raw_rnn(cell, None)


def test_lengths_of_another_batch(sess: tf.Session) -> None:
    n = tf.placeholder(tf.int32, [None])
    outputs, _ = tf.nn.dynamic_rnn(
        rnn_cell.GRUCell(2), tf.placeholder_with_default(X, [None, 5, 2]), n, dtype=tf.float32
    )
    sess.run(tf.global_variables_initializer())
    with pytest.raises(tf.errors.InvalidArgumentError):
        sess.run(outputs, {n: [1, 2]})


def test_layers_and_cells_in_loops_of_users(sess: tf.Session) -> None:
    x = tf.placeholder(tf.float32, [None, 2])
    cell, dense = rnn_cell.LSTMCell(3), tf.layers.Dense(2)

    def body(i: Any, state: Any, total: Any) -> Any:
        _, state = cell(x, state)
        return i + 1, state, total + dense(x)

    _, state, total = tf.while_loop(
        lambda i, *_: i < 3, body,
        [tf.constant(0), cell.zero_state(tf.shape(x)[0], tf.float32), tf.zeros_like(x)],
    )  # fmt: skip
    steps, last = tf.nn.static_rnn(cell, [x] * 3, dtype=tf.float32, scope="again")
    assert len(tf.global_variables()) == 4 and len(steps) == 3
    sess.run(tf.global_variables_initializer())
    got, wanted, sums, once = sess.run([state, last, total, dense(x)], {x: X[0]})
    np.testing.assert_allclose(got.h, wanted.h, rtol=1e-5)
    np.testing.assert_allclose(sums, 3 * once, rtol=1e-5)


def test_other_lengths_need_no_other_plan(sess: tf.Session) -> None:
    """The longest of a batch decides an extent, whichever row it is."""
    x, n = tf.placeholder(tf.float32, [None, None, 2]), tf.placeholder(tf.int32, [None])
    outputs, _ = tf.nn.dynamic_rnn(rnn_cell.GRUCell(3), x, sequence_length=n, dtype=tf.float32)
    mask = tf.sequence_mask(n, dtype=tf.float32)
    loss = tf.reduce_sum(outputs[:, : tf.reduce_max(n)] * mask[:, :, None])
    train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    sess.run(tf.global_variables_initializer())
    rng = np.random.RandomState(0)
    feeds = {x: rng.randn(20, 6, 2), n: rng.randint(1, 7, 20)}
    sess.run([loss, train], feeds)
    before = tf.stats()["plans_built"]
    for longest in (6, 6, 4, 5):
        lengths = rng.randint(1, longest + 1, 20)
        sess.run([loss, train], {x: feeds[x], n: lengths})
        full = sess.run(outputs, {x: feeds[x], n: lengths})
        np.testing.assert_allclose(sess.run(loss, {x: feeds[x], n: lengths}), full.sum(), rtol=1e-4)
    assert tf.stats()["plans_built"] - before <= 4
