"""tf.contrib.legacy_seq2seq: names, values, feeding back, buckets."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from tests.rnn.cases import values
from tests.rnn.conftest import names

legacy = tf.contrib.legacy_seq2seq
rnn = tf.contrib.rnn
BATCH, STEPS, UNITS, SYMBOLS, SIZE = 2, 3, 4, 6, 5


def ids(name: str, steps: int = STEPS) -> list[tf.Tensor]:
    rng = np.random.RandomState(len(name))
    return [tf.constant(rng.randint(0, SYMBOLS, BATCH), tf.int32) for _ in range(steps)]


def fill(sess: tf.Session) -> dict[str, np.ndarray]:
    """Gives every variable values made of its name; they, by name."""
    variables = tf.global_variables()
    sess.run([v.assign(values(v.name, v.shape.as_list())) for v in variables])
    return dict(zip(names(variables), sess.run(variables)))


def test_basic_and_tied_models(sess: tf.Session) -> None:
    xs = [tf.constant(values(f"x{n}", [BATCH, 3])) for n in range(STEPS)]
    outputs, state = legacy.basic_rnn_seq2seq(xs, xs[:2], rnn.GRUCell(UNITS))
    tied, _ = legacy.tied_rnn_seq2seq(xs, xs[:2], rnn.GRUCell(UNITS))
    kinds = ["gates/kernel", "gates/bias", "candidate/kernel", "candidate/bias"]
    assert names(tf.global_variables()) == [
        f"{scope}/gru_cell/{kind}"
        for scope in (
            "basic_rnn_seq2seq/rnn", "basic_rnn_seq2seq/rnn_decoder",
            "combined_tied_rnn_seq2seq/tied_rnn_seq2seq",
        )
        for kind in kinds
    ]  # fmt: skip
    v = fill(sess)
    got, last, tied_got = sess.run([outputs, state, tied])
    np.testing.assert_array_equal(got[-1], last)
    # the tied model is one recurrence over both lists
    h = np.zeros((BATCH, UNITS), np.float32)
    w = [v[f"combined_tied_rnn_seq2seq/tied_rnn_seq2seq/gru_cell/{k}"] for k in kinds]
    for x in [sess.run(x) for x in xs + xs[:2]]:
        r, u = np.split(1 / (1 + np.exp(-(np.concatenate([x, h], 1) @ w[0] + w[1]))), 2, 1)
        h = u * h + (1 - u) * np.tanh(np.concatenate([x, r * h], 1) @ w[2] + w[3])
    np.testing.assert_allclose(tied_got[-1], h, rtol=1e-4, atol=1e-5)


def test_embedding_model_and_what_it_feeds_back(sess: tf.Session) -> None:
    source, target = ids("encoder"), ids("decoder")

    def model(previous, target=target):
        return legacy.embedding_rnn_seq2seq(
            source, target, rnn.BasicLSTMCell(UNITS), SYMBOLS, SYMBOLS, SIZE,
            feed_previous=previous,
        )  # fmt: skip

    outputs, state = model(False)
    with tf.variable_scope("", reuse=True):
        greedy, _ = model(True)
    prefix = "embedding_rnn_seq2seq/"
    decoder = f"{prefix}embedding_rnn_decoder/"
    assert names(tf.global_variables()) == [
        f"{prefix}rnn/embedding_wrapper/embedding",
        f"{prefix}rnn/embedding_wrapper/basic_lstm_cell/kernel",
        f"{prefix}rnn/embedding_wrapper/basic_lstm_cell/bias",
        f"{decoder}embedding",
        f"{decoder}rnn_decoder/output_projection_wrapper/basic_lstm_cell/kernel",
        f"{decoder}rnn_decoder/output_projection_wrapper/basic_lstm_cell/bias",
        f"{decoder}rnn_decoder/output_projection_wrapper/kernel",
        f"{decoder}rnn_decoder/output_projection_wrapper/bias",
    ]  # fmt: skip
    assert outputs[0].shape.as_list() == [BATCH, SYMBOLS] and len(state) == 2
    fill(sess)
    first, chosen = sess.run([outputs, greedy])
    np.testing.assert_array_equal(first[0], chosen[0])
    # fed back by hand: the most likely classes as targets give the same outputs
    fed = [target[0], *[tf.constant(c.argmax(1), tf.int32) for c in chosen[:-1]]]
    with tf.variable_scope("", reuse=True):
        again, _ = model(False, fed)
    np.testing.assert_allclose(sess.run(again), chosen, rtol=1e-5)


def test_a_run_decides_what_is_fed_back(sess: tf.Session) -> None:
    source, target = ids("encoder"), ids("decoder")
    previous = tf.placeholder(tf.bool, [])
    for kind, cell in (
        (legacy.embedding_rnn_seq2seq, rnn.BasicLSTMCell),
        (legacy.embedding_attention_seq2seq, rnn.GRUCell),
    ):
        sizes = (SYMBOLS, SYMBOLS, SIZE)
        outputs, state = kind(source, target, cell(UNITS), *sizes, feed_previous=previous)
        with tf.variable_scope("", reuse=True):
            plain, plain_state = kind(source, target, cell(UNITS), *sizes)
            greedy, _ = kind(source, target, cell(UNITS), *sizes, feed_previous=True)
        fill(sess)
        fixed, expected, wanted = sess.run([plain, plain_state, greedy])
        np.testing.assert_allclose(sess.run(outputs, {previous: False}), fixed, rtol=1e-6)
        np.testing.assert_allclose(sess.run(outputs, {previous: True}), wanted, rtol=1e-6)
        np.testing.assert_allclose(sess.run(state, {previous: False}), expected, rtol=1e-6)


def test_tied_embeddings_and_projections(sess: tf.Session) -> None:
    outputs, _ = legacy.embedding_tied_rnn_seq2seq(
        ids("e"), ids("d"), rnn.BasicRNNCell(UNITS), SYMBOLS, SIZE, feed_previous=True
    )
    assert names(tf.global_variables())[0] == "embedding_tied_rnn_seq2seq/embedding"
    assert len(tf.global_variables()) == 5
    w, b = tf.get_variable("w", [UNITS, SYMBOLS]), tf.get_variable("b", [SYMBOLS])
    hidden, _ = legacy.embedding_rnn_decoder(
        ids("d"), tf.zeros([BATCH, UNITS]), rnn.GRUCell(UNITS), SYMBOLS, SIZE, (w, b), True, False
    )
    fill(sess)
    assert sess.run(outputs)[2].shape == (BATCH, SYMBOLS)
    assert sess.run(hidden)[2].shape == (BATCH, UNITS)
    table = tf.global_variables()[-5]
    assert table.op.name == "embedding_rnn_decoder/embedding"
    grads = tf.gradients(tf.add_n([tf.reduce_sum(h) for h in hidden]), [table, w])
    # what is fed back does not reach the table: only the first step's rows do
    assert grads[1] is None
    assert set(sess.run(grads[0]).indices) <= set(sess.run(ids("d")[0]))
    with pytest.raises(ValueError, match=r"not compatible|are incompatible"):
        legacy.embedding_rnn_decoder(
            ids("d"), tf.zeros([BATCH, UNITS]), rnn.GRUCell(UNITS), SYMBOLS, SIZE, (b, b), True
        )


def test_attention_decoder(sess: tf.Session) -> None:
    memory = tf.constant(values("memory", [BATCH, 5, 3]))
    xs = [tf.constant(values(f"x{n}", [BATCH, 2])) for n in range(2)]
    start = tf.constant(values("start", [BATCH, UNITS]))
    outputs, state = legacy.attention_decoder(
        xs, start, memory, rnn.BasicRNNCell(UNITS), output_size=2, num_heads=1,
        initial_state_attention=True,
    )  # fmt: skip
    prefix = "attention_decoder/"
    v = {k.removeprefix(prefix): x for k, x in fill(sess).items()}
    assert sorted(v) == [
        "Attention_0/bias", "Attention_0/kernel", "AttnOutputProjection/bias",
        "AttnOutputProjection/kernel", "AttnV_0", "AttnW_0", "basic_rnn_cell/bias",
        "basic_rnn_cell/kernel", "bias", "kernel",
    ]  # fmt: skip
    mem = sess.run(memory)

    def attend(h: np.ndarray) -> np.ndarray:
        asked = h @ v["Attention_0/kernel"] + v["Attention_0/bias"]
        score = (v["AttnV_0"] * np.tanh(mem @ v["AttnW_0"][0, 0] + asked[:, None])).sum(-1)
        weight = np.exp(score) / np.exp(score).sum(1, keepdims=True)
        return (weight[..., None] * mem).sum(1)

    h = sess.run(start)
    seen = attend(h)
    for x, got in zip(sess.run(xs), sess.run(outputs)):
        mixed = np.concatenate([x, seen], 1) @ v["kernel"] + v["bias"]
        joined = np.concatenate([mixed, h], 1) @ v["basic_rnn_cell/kernel"]
        h = np.tanh(joined + v["basic_rnn_cell/bias"])
        seen = attend(h)
        out = np.concatenate([h, seen], 1) @ v["AttnOutputProjection/kernel"]
        np.testing.assert_allclose(got, out + v["AttnOutputProjection/bias"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(sess.run(state), h, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="Must provide at least 1 input to attention decoder"):
        legacy.attention_decoder([], start, memory, rnn.BasicRNNCell(UNITS))
    with pytest.raises(ValueError, match="With less than 1 heads, use a non-attention decoder"):
        legacy.attention_decoder(xs, start, memory, rnn.BasicRNNCell(UNITS), num_heads=0)


def test_one_to_many(sess: tf.Session) -> None:
    outputs, states = legacy.one2many_rnn_seq2seq(
        ids("e"), {"a": ids("a"), "b": ids("bb", 2)}, rnn.GRUCell(UNITS),
        {"a": rnn.GRUCell(UNITS), "b": rnn.GRUCell(UNITS)}, SYMBOLS, {"a": SYMBOLS, "b": 7}, SIZE,
    )  # fmt: skip
    assert len(outputs["a"]) == 3 and outputs["b"][1].shape.as_list() == [BATCH, 7]
    sess.run(tf.global_variables_initializer())
    got = sess.run(states)
    assert got["a"].shape == got["b"].shape == (BATCH, UNITS)


def test_losses(sess: tf.Session) -> None:
    logits = [values(f"l{n}", [BATCH, SYMBOLS]) for n in range(STEPS)]
    targets = [np.array([1, 2], np.int32), np.array([0, 5], np.int32), np.array([3, 3], np.int32)]
    weights = [np.array([1, 1], np.float32), np.array([1, 0.5], np.float32), np.zeros(2, "f")]
    given = [[tf.constant(x) for x in xs] for xs in (logits, targets, weights)]
    each = np.stack([
        np.log(np.exp(x).sum(1)) - x[np.arange(BATCH), t] for x, t in zip(logits, targets)
    ])  # fmt: skip
    w = np.stack(weights)
    by_row = legacy.sequence_loss_by_example(*given)
    total = legacy.sequence_loss_by_example(*given, average_across_timesteps=False)
    mean = legacy.sequence_loss(*given)
    whole = legacy.sequence_loss(
        *given, average_across_batch=False,
        softmax_loss_function=lambda labels, logits: tf.reduce_sum(logits, 1),
    )  # fmt: skip
    got = sess.run([by_row, total, mean, whole])
    np.testing.assert_allclose(got[0], (each * w).sum(0) / w.sum(0), rtol=1e-5)
    np.testing.assert_allclose(got[1], (each * w).sum(0), rtol=1e-5)
    np.testing.assert_allclose(got[2], ((each * w).sum(0) / w.sum(0)).mean(), rtol=1e-5)
    sums = np.stack([x.sum(1) for x in logits])
    np.testing.assert_allclose(got[3], ((sums * w).sum(0) / w.sum(0)).sum(), rtol=1e-4)
    with pytest.raises(ValueError, match="Lengths of logits, weights, and targets"):
        legacy.sequence_loss(given[0][:2], *given[1:])


def test_buckets_share_their_weights(sess: tf.Session) -> None:
    source, target = ids("e", 4), ids("d", 4)
    weights = [tf.ones([BATCH]) for _ in target]
    outputs, losses = legacy.model_with_buckets(
        source, target, target, weights, [(2, 2), (4, 3)],
        lambda x, y: legacy.embedding_attention_seq2seq(
            x, y, rnn.GRUCell(UNITS), SYMBOLS, SYMBOLS, SIZE
        ),
    )  # fmt: skip
    assert [len(o) for o in outputs] == [2, 3] and len(losses) == 2
    count = len(tf.global_variables())
    sess.run(tf.global_variables_initializer())
    assert all(np.isfinite(sess.run(losses)))
    assert count == len({v.name for v in tf.global_variables()}) == 20
    with pytest.raises(ValueError, match=r"Length of targets \(4\) must be at least that of last"):
        legacy.model_with_buckets(source, target, target, weights, [(2, 9)], None)
