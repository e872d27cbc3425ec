"""tf.contrib.seq2seq: losses, helpers, decoders and the loop that runs them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from tests.rnn.cases import values
from tests.rnn.conftest import names

seq2seq, rnn = tf.contrib.seq2seq, tf.contrib.rnn
BATCH, TIME, DEPTH, UNITS, SYMBOLS = 3, 4, 2, 5, 7
LENGTHS = np.array([2, 4, 3], np.int32)
X = values("sx", [BATCH, TIME, DEPTH], 1.0)


def fill(sess: tf.Session) -> dict[str, np.ndarray]:
    variables = tf.global_variables()
    sess.run([v.assign(values(v.name, v.shape.as_list(), 1.0)) for v in variables])
    return dict(zip(names(variables), sess.run(variables)))


def softmax_loss(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(-1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return -np.take_along_axis(logs, targets[..., None], -1)[..., 0]


# ------------------------------------------------------------------ loss
def test_sequence_loss(sess: tf.Session) -> None:
    logits = values("logits", [BATCH, TIME, SYMBOLS])
    targets = np.arange(BATCH * TIME).reshape(BATCH, TIME).astype(np.int32) % SYMBOLS
    weights = (np.arange(TIME) < LENGTHS[:, None]).astype(np.float32)
    each = softmax_loss(logits, targets) * weights
    given = [tf.constant(v) for v in (logits, targets, weights)]
    loss = seq2seq.sequence_loss
    np.testing.assert_allclose(sess.run(loss(*given)), each.sum() / weights.sum(), rtol=1e-5)
    for along, batch, wanted in (
        (False, False, each),
        (True, False, each.sum(1) / weights.sum(1)),
        (False, True, each.sum(0) / weights.sum(0)),
    ):
        np.testing.assert_allclose(sess.run(loss(*given, along, batch)), wanted, rtol=1e-5)
    summed = loss(*given, False, False, sum_over_timesteps=True, sum_over_batch=True)
    np.testing.assert_allclose(sess.run(summed), each.sum() / 9, rtol=1e-5)
    own = loss(*given, softmax_loss_function=lambda labels, logits: tf.reduce_sum(logits, 1))
    np.testing.assert_allclose(
        sess.run(own), (logits.sum(-1) * weights).sum() / weights.sum(), rtol=1e-4
    )
    with pytest.raises(ValueError, match=r"Logits must be a \[batch_size x sequence_length"):
        loss(given[1], given[1], given[2])
    with pytest.raises(ValueError, match=r"Targets must be a"):
        loss(given[0], given[0], given[2])
    with pytest.raises(ValueError, match=r"cannot be set to True at the same time"):
        loss(*given, sum_over_batch=True)


# ------------------------------------------------------------------ teacher forcing
def test_a_taught_decoder_is_dynamic_rnn(sess: tf.Session) -> None:
    cell = rnn.LSTMCell(UNITS)
    x, lengths = tf.placeholder(tf.float32, [None, None, DEPTH]), tf.placeholder(tf.int32, [None])
    start = cell.zero_state(tf.shape(x)[0], tf.float32)
    helper = seq2seq.TrainingHelper(x, lengths)
    decoder = seq2seq.BasicDecoder(cell, helper, start)
    outputs, state, done = seq2seq.dynamic_decode(decoder, impute_finished=True)
    major, _, _ = seq2seq.dynamic_decode(decoder, output_time_major=True, scope="again")
    with tf.variable_scope("decoder", reuse=True) as scope:
        wanted = tf.nn.dynamic_rnn(rnn.LSTMCell(UNITS), x, lengths, dtype=tf.float32, scope=scope)
    assert names(tf.global_variables()) == ["decoder/lstm_cell/kernel", "decoder/lstm_cell/bias"]
    assert outputs.rnn_output.shape.as_list() == [None, None, UNITS]
    assert outputs.sample_id.dtype is tf.int32
    grads = tf.gradients(tf.reduce_sum(tf.square(outputs.rnn_output)), tf.trainable_variables())
    same = tf.gradients(tf.reduce_sum(tf.square(wanted[0])), tf.trainable_variables())
    fill(sess)
    feeds = {x: np.concatenate([X, X[:, :1]], 1), lengths: LENGTHS}
    got, end, steps, expected, back, forth, by_time = sess.run(
        [outputs, state, done, wanted, grads, same, major], feeds
    )
    # as many steps as the longest row has
    np.testing.assert_allclose(got.rnn_output, expected[0][:, :4], rtol=1e-6)
    np.testing.assert_array_equal(got.sample_id[1], expected[0][1, :4].argmax(-1))
    np.testing.assert_allclose(end, expected[1], rtol=1e-6)
    np.testing.assert_array_equal(steps, LENGTHS)
    assert by_time.rnn_output.shape == (4, BATCH, UNITS)
    for one, other in zip(back, forth):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_limits_of_decoding(sess: tf.Session) -> None:
    cell = rnn.BasicRNNCell(UNITS)
    start = cell.zero_state(BATCH, tf.float32)
    limit = tf.placeholder(tf.int32, [])

    def decoded(lengths: Any, **options: Any) -> Any:
        helper = seq2seq.TrainingHelper(tf.constant(X), lengths)
        decoder = seq2seq.BasicDecoder(cell, helper, start, tf.layers.Dense(SYMBOLS, name="out"))
        with tf.variable_scope("", reuse=tf.AUTO_REUSE):
            return seq2seq.dynamic_decode(decoder, scope="d", **options)

    short = decoded(LENGTHS, maximum_iterations=limit)
    none = decoded(np.zeros(BATCH, np.int32))
    sess.run(tf.global_variables_initializer())
    for count in (3, 1, 0):
        outputs, _, steps = sess.run(short, {limit: count})
        assert outputs.rnn_output.shape == (BATCH, count, SYMBOLS)
        np.testing.assert_array_equal(steps, np.minimum(LENGTHS, count))
    outputs, state, steps = sess.run(none)
    assert outputs.rnn_output.shape == (BATCH, 0, SYMBOLS) and not steps.any()
    np.testing.assert_array_equal(state, np.zeros((BATCH, UNITS)))
    with pytest.raises(ValueError, match=r"maximum_iterations must be a scalar"):
        decoded(LENGTHS, maximum_iterations=[3])
    with pytest.raises(TypeError, match=r"Expected decoder to be type Decoder"):
        seq2seq.dynamic_decode(cell)
    with pytest.raises(ValueError, match=r"Expected sequence_length to be a vector"):
        seq2seq.TrainingHelper(tf.constant(X), 3)
    with pytest.raises(TypeError, match=r"helper must be a Helper"):
        seq2seq.BasicDecoder(cell, None, start)
    with pytest.raises(TypeError, match=r"output_layer must be a Layer"):
        seq2seq.BasicDecoder(cell, seq2seq.TrainingHelper(X, LENGTHS), start, tf.nn.relu)


def test_inputs_of_no_steps(sess: tf.Session) -> None:
    x = tf.placeholder(tf.float32, [None, None, DEPTH])
    helper = seq2seq.TrainingHelper(x, tf.zeros([tf.shape(x)[0]], tf.int32))
    finished, first = helper.initialize()
    got = sess.run([finished, first], {x: np.zeros((2, 0, DEPTH))})
    assert got[0].all() and got[1].tolist() == [[0, 0], [0, 0]]


# ------------------------------------------------------------------ feeding back
def by_hand(v: dict[str, np.ndarray], table: np.ndarray, steps: int) -> np.ndarray:
    """The most likely classes of an RNN that reads what it wrote."""
    h = np.zeros((BATCH, UNITS), np.float32)
    ids, out = np.full(BATCH, 1), []
    for _ in range(steps):
        joined = np.concatenate([table[ids], h], 1)
        h = np.tanh(joined @ v["d/basic_rnn_cell/kernel"] + v["d/basic_rnn_cell/bias"])
        ids = (h @ v["d/out/kernel"]).argmax(1)
        out.append(ids)
    return np.stack(out, 1)


def feeding(helper: Any, state: Any = None, **options: Any) -> Any:
    cell = rnn.BasicRNNCell(UNITS)
    start = cell.zero_state(BATCH, tf.float32) if state is None else state
    decoder = seq2seq.BasicDecoder(
        cell, helper, start, tf.layers.Dense(SYMBOLS, use_bias=False, name="out")
    )
    with tf.variable_scope("", reuse=tf.AUTO_REUSE):
        return seq2seq.dynamic_decode(decoder, scope="d", **options)


def test_greedy_decoding(sess: tf.Session) -> None:
    table = tf.constant(values("table", [SYMBOLS, DEPTH], 1.0))
    start = tf.fill([BATCH], 1)
    outputs, _, steps = feeding(
        seq2seq.GreedyEmbeddingHelper(table, start, 0), maximum_iterations=6
    )
    function = seq2seq.GreedyEmbeddingHelper(lambda i: tf.nn.embedding_lookup(table, i), start, 0)
    again, _, _ = feeding(function, maximum_iterations=6)
    v = fill(sess)
    got, lengths, other = sess.run([outputs, steps, again])
    wanted = by_hand(v, sess.run(table), got.sample_id.shape[1])
    np.testing.assert_array_equal(got.sample_id, wanted)
    np.testing.assert_array_equal(other.sample_id, wanted)
    ended = [np.flatnonzero(row == 0) for row in wanted]
    assert [e[0] + 1 if len(e) else 6 for e in ended] == lengths.tolist()
    with pytest.raises(ValueError, match=r"start_tokens must be a vector"):
        seq2seq.GreedyEmbeddingHelper(table, 1, 0)
    with pytest.raises(ValueError, match=r"end_token must be a scalar"):
        seq2seq.GreedyEmbeddingHelper(table, [1], [0])


def test_an_end_without_a_limit(sess: tf.Session) -> None:
    """The arrays of the outputs grow with the loop."""
    table = tf.constant(np.eye(SYMBOLS, dtype=np.float32))

    class Counts(rnn.RNNCell):
        state_size = 1
        output_size = SYMBOLS

        def call(self, inputs, state):
            return tf.one_hot(tf.cast(state[:, 0], tf.int32), SYMBOLS), state - 1

    state = tf.constant([[3.0], [1.0], [4.0]])
    helper = seq2seq.GreedyEmbeddingHelper(table, tf.fill([BATCH], 5), 0)
    decoder = seq2seq.BasicDecoder(Counts(), helper, state)
    outputs, _, steps = seq2seq.dynamic_decode(decoder, impute_finished=True)
    got, lengths = sess.run([outputs.sample_id, steps])
    assert got.tolist() == [[3, 2, 1, 0, 0], [1, 0, 0, 0, 0], [4, 3, 2, 1, 0]]
    assert lengths.tolist() == [4, 2, 5]


def test_sampling(sess: tf.Session) -> None:
    table = tf.constant(values("table", [SYMBOLS, DEPTH], 1.0))
    start = tf.fill([BATCH], 1)
    cold = seq2seq.SampleEmbeddingHelper(table, start, 0, softmax_temperature=1e-4, seed=1)
    warm = seq2seq.SampleEmbeddingHelper(table, start, 0, softmax_temperature=5.0, seed=1)
    greedy, _, _ = feeding(seq2seq.GreedyEmbeddingHelper(table, start, 0), maximum_iterations=5)
    frozen, _, _ = feeding(cold, maximum_iterations=5)
    lively, _, _ = feeding(warm, maximum_iterations=5)
    fill(sess)
    wanted, same, drawn = sess.run([greedy.sample_id, frozen.sample_id, lively.sample_id])
    np.testing.assert_array_equal(wanted, same)
    assert drawn.shape[0] == BATCH and len(np.unique(drawn)) > 2
    assert not np.array_equal(drawn, sess.run(lively.sample_id))


def test_helpers_made_of_functions(sess: tf.Session) -> None:
    first = tf.constant(values("first", [BATCH, SYMBOLS]))
    inference = seq2seq.InferenceHelper(
        sample_fn=lambda outputs: tf.nn.relu(outputs), sample_shape=[SYMBOLS],
        sample_dtype=tf.float32, start_inputs=first,
        end_fn=lambda samples: tf.reduce_sum(samples, 1) < 0,
    )  # fmt: skip
    custom = seq2seq.CustomHelper(
        initialize_fn=lambda: (tf.fill([BATCH], False), first),
        sample_fn=lambda time, outputs, state: tf.nn.relu(outputs),
        next_inputs_fn=lambda time, outputs, state, sample_ids: (
            tf.fill([BATCH], time >= 2), sample_ids, state
        ),
        sample_ids_shape=[SYMBOLS], sample_ids_dtype=tf.float32,
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"batch_size accessed before initialize was called"):
        custom.batch_size
    one, _, _ = feeding(inference, maximum_iterations=3)
    two, _, steps = feeding(custom)
    fill(sess)
    a, b, lengths = sess.run([one, two, steps])
    np.testing.assert_allclose(a.sample_id, np.maximum(a.rnn_output, 0))
    np.testing.assert_allclose(a.sample_id, b.sample_id, rtol=1e-6)
    assert lengths.tolist() == [3] * BATCH


# ------------------------------------------------------------------ scheduled sampling
def test_scheduled_sampling_of_classes(sess: tf.Session) -> None:
    table = tf.constant(values("table", [SYMBOLS, DEPTH], 1.0))
    share = tf.placeholder(tf.float32, [])
    mixed, _, _ = feeding(
        seq2seq.ScheduledEmbeddingTrainingHelper(X, LENGTHS, table, share, seed=3)
    )
    plain, _, _ = feeding(seq2seq.TrainingHelper(X, LENGTHS))
    fill(sess)
    taught, wanted = sess.run([mixed, plain], {share: 0.0})
    np.testing.assert_allclose(taught.rnn_output, wanted.rnn_output, rtol=1e-6)
    assert (taught.sample_id == -1).all()
    own = sess.run(mixed, {share: 1.0})
    assert (own.sample_id >= 0).all() and (own.sample_id < SYMBOLS).all()
    np.testing.assert_allclose(own.rnn_output[:, 0], wanted.rnn_output[:, 0], rtol=1e-6)
    assert not np.allclose(own.rnn_output[:, 1], wanted.rnn_output[:, 1])
    with pytest.raises(ValueError, match=r"sampling_probability must be either a scalar"):
        seq2seq.ScheduledEmbeddingTrainingHelper(X, LENGTHS, table, [[0.5]])


def test_scheduled_sampling_of_outputs(sess: tf.Session) -> None:
    share = tf.placeholder(tf.float32, [])
    layer = tf.layers.Dense(DEPTH, name="back")
    aux = values("aux", [BATCH, TIME, 3])
    helper = seq2seq.ScheduledOutputTrainingHelper(
        X, LENGTHS, share, next_input_layer=layer, auxiliary_inputs=aux
    )
    mixed, _, _ = feeding(helper)
    plain, _, _ = feeding(seq2seq.TrainingHelper(np.concatenate([X, aux], -1), LENGTHS))
    v = fill(sess)
    taught, wanted = sess.run([mixed, plain], {share: 0.0})
    np.testing.assert_allclose(taught.rnn_output, wanted.rnn_output, rtol=1e-6)
    assert not taught.sample_id.any() and taught.sample_id.dtype == bool
    own = sess.run(mixed, {share: 1.0})
    assert own.sample_id.all()
    h = np.zeros((BATCH, UNITS), np.float32)
    x = np.concatenate([X[:, 0], aux[:, 0]], 1)
    for time in range(3):
        joined = np.concatenate([x, h], 1) @ v["d/basic_rnn_cell/kernel"]
        h = np.tanh(joined + v["d/basic_rnn_cell/bias"])
        out = h @ v["d/out/kernel"]
        np.testing.assert_allclose(own.rnn_output[:, time], out, rtol=1e-4, atol=1e-5)
        back = out @ v["d/back/kernel"] + v["d/back/bias"]
        x = np.concatenate([back, aux[:, time + 1]], 1)
    with pytest.raises(TypeError, match=r"next_input_layer must be a Layer"):
        seq2seq.ScheduledOutputTrainingHelper(X, LENGTHS, 0.5, next_input_layer=tf.nn.relu)


def test_gradients_of_a_whole_model(sess: tf.Session) -> None:
    """Encoder, attention and decoder in float64, against differences."""
    x, n = tf.placeholder(tf.float64, [None, None, 3]), tf.placeholder(tf.int32, [None])
    memory, _ = tf.nn.dynamic_rnn(rnn.GRUCell(4), x, n, dtype=tf.float64, scope="encoder")
    attention = seq2seq.BahdanauAttention(4, memory, n, dtype=tf.float64, normalize=True)
    cell = seq2seq.AttentionWrapper(rnn.LSTMCell(4), attention, attention_layer_size=3)
    decoder = seq2seq.BasicDecoder(
        cell, seq2seq.TrainingHelper(x, n), cell.zero_state(tf.shape(x)[0], tf.float64),
        tf.layers.Dense(5),
    )  # fmt: skip
    outputs, state, _ = seq2seq.dynamic_decode(decoder, impute_finished=True)
    loss = tf.reduce_sum(tf.square(outputs.rnn_output)) + tf.reduce_sum(state.cell_state.c)
    variables = tf.trainable_variables()
    grads = tf.gradients(loss, variables)
    sess.run(tf.global_variables_initializer())
    rng, step = np.random.RandomState(1), 1e-6
    feeds = {x: rng.randn(3, 5, 3), n: [5, 2, 3]}
    for variable, grad in zip(variables, sess.run(grads, feeds)):
        value, along = sess.run(variable), rng.randn(*variable.shape.as_list())
        found = []
        for side in (step, -step):
            variable.load(value + side * along, sess)
            found.append(sess.run(loss, feeds))
        variable.load(value, sess)
        slope = (found[0] - found[1]) / (2 * step)
        np.testing.assert_allclose(
            (grad * along).sum(), slope, rtol=1e-5, atol=1e-8, err_msg=variable.name
        )


def test_a_limit_that_depends_on_the_inputs(sess: tf.Session) -> None:
    """Twice the longest source, as translators set it."""
    lengths = tf.placeholder(tf.int32, [None])
    table = tf.constant(values("table", [SYMBOLS, DEPTH], 1.0))
    cell = rnn.GRUCell(UNITS)
    count = tf.size(lengths)
    decoder = seq2seq.BasicDecoder(
        cell, seq2seq.GreedyEmbeddingHelper(table, tf.fill([count], 1), -1),
        cell.zero_state(count, tf.float32), tf.layers.Dense(SYMBOLS),
    )  # fmt: skip
    limit = tf.cast(tf.round(tf.cast(tf.reduce_max(lengths), tf.float32) * 2), tf.int32)
    outputs, _, steps = seq2seq.dynamic_decode(decoder, maximum_iterations=limit)
    sess.run(tf.global_variables_initializer())
    for given in ([1, 3, 2], [2, 2], [4, 1, 1, 1]):
        ids, done = sess.run([outputs.sample_id, steps], {lengths: given})
        assert ids.shape == (len(given), 2 * max(given))
        assert done.tolist() == [2 * max(given)] * len(given)
