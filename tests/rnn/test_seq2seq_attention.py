"""tf.contrib.seq2seq: attention mechanisms and the cell that attends, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from tests.rnn.cases import values
from tests.rnn.conftest import names

seq2seq, rnn = tf.contrib.seq2seq, tf.contrib.rnn
BATCH, TIME, DEPTH, UNITS = 3, 4, 2, 5
LENGTHS = np.array([2, 4, 3], np.int32)
MEMORY = values("memory", [BATCH, TIME, DEPTH], 1.0)
QUERY = values("query", [BATCH, UNITS], 1.0)
MASK = np.arange(TIME) < LENGTHS[:, None]


def fill(sess: tf.Session) -> dict[str, np.ndarray]:
    variables = tf.global_variables()
    sess.run([v.assign(values(v.name, v.shape.as_list(), 1.0)) for v in variables])
    return dict(zip(names(variables), sess.run(variables)))


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def close(a: Any, b: Any) -> None:
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


# ------------------------------------------------------------------ mechanisms
@pytest.mark.parametrize("scale", [False, True])
def test_luong(sess: tf.Session, scale: bool) -> None:
    mechanism = seq2seq.LuongAttention(UNITS, MEMORY, LENGTHS, scale=scale)
    last = mechanism.initial_alignments(BATCH, tf.float32)
    alignments, state = mechanism(tf.constant(QUERY), last)
    v = fill(sess)
    scaled = ["luong_attention/attention_g"] if scale else []
    assert list(v) == ["memory_layer/kernel", *scaled]
    masked = MEMORY * MASK[..., None]
    score = ((masked @ v["memory_layer/kernel"]) * QUERY[:, None]).sum(-1)
    score = score * v["luong_attention/attention_g"] if scale else score
    wanted = softmax(np.where(MASK, score, -np.inf))
    got, following, zeros = sess.run([alignments, state, last])
    close(got, wanted)
    close(following, wanted)
    assert zeros.shape == (BATCH, TIME) and not zeros.any()
    assert mechanism.alignments_size == TIME and mechanism.values.shape.as_list()[1:] == [4, 2]
    with pytest.raises(ValueError, match=r"Incompatible or unknown inner dimensions between"):
        mechanism(tf.zeros([BATCH, 3]), last)


@pytest.mark.parametrize("normalize", [False, True])
def test_bahdanau(sess: tf.Session, normalize: bool) -> None:
    mechanism = seq2seq.BahdanauAttention(6, MEMORY, LENGTHS, normalize=normalize)
    alignments, _ = mechanism(tf.constant(QUERY), None)
    grads = tf.gradients(tf.reduce_sum(tf.square(alignments)), tf.trainable_variables())
    v = fill(sess)
    prefix = "bahdanau_attention/"
    extra = [f"{prefix}attention_g", f"{prefix}attention_b"] if normalize else []
    assert list(v) == [
        "memory_layer/kernel", f"{prefix}query_layer/kernel", f"{prefix}attention_v", *extra,
    ]  # fmt: skip
    keys = (MEMORY * MASK[..., None]) @ v["memory_layer/kernel"]
    asked = (QUERY @ v[f"{prefix}query_layer/kernel"])[:, None]
    weights, b = v[f"{prefix}attention_v"], 0.0
    if normalize:
        weights = weights * v[extra[0]] / np.sqrt((weights**2).sum())
        b = v[extra[1]]
    score = (weights * np.tanh(keys + asked + b)).sum(-1)
    close(sess.run(alignments), softmax(np.where(MASK, score, -np.inf)))
    assert all(np.isfinite(g).all() for g in sess.run(grads))
    if normalize:
        sess.run(tf.global_variables_initializer())
        close(sess.run(tf.global_variables()[-2]), 6**-0.5)


def test_what_mechanisms_check(sess: tf.Session) -> None:
    with pytest.raises(ValueError, match=r"to have fully defined inner dims"):
        seq2seq.LuongAttention(3, tf.placeholder(tf.float32, [None, None, None]))
    lengths = tf.placeholder(tf.int32, [None])
    mechanism = seq2seq.LuongAttention(UNITS, MEMORY, lengths)
    alignments, _ = mechanism(tf.constant(QUERY), None)
    fill(sess)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"must greater than zero"):
        sess.run(alignments, {lengths: [0, 1, 1]})
    hard = seq2seq.LuongAttention(
        UNITS, MEMORY, probability_fn=seq2seq.hardmax, score_mask_value=-1.0, name="h"
    )
    picked, _ = hard(tf.constant(QUERY), None)
    fill(sess)
    got = sess.run(picked)
    assert set(np.unique(got)) == {0.0, 1.0} and (got.sum(1) == 1).all()


# ------------------------------------------------------------------ monotonic attention
def monotonic(p: np.ndarray, previous: np.ndarray) -> np.ndarray:
    out = np.zeros_like(p)
    for row in range(len(p)):
        q = 0.0
        for i in range(p.shape[1]):
            q = (1 - p[row, i - 1] if i else 1.0) * q + previous[row, i]
            out[row, i] = p[row, i] * q
    return out


def test_monotonic_attention(sess: tf.Session) -> None:
    rng = np.random.RandomState(0)
    p = rng.uniform(0.1, 0.9, [BATCH, TIME]).astype(np.float32)
    previous = softmax(rng.randn(BATCH, TIME)).astype(np.float32)
    for mode in ("recursive", "parallel"):
        close(sess.run(seq2seq.monotonic_attention(p, previous, mode)), monotonic(p, previous))
    hard = (p > 0.5).astype(np.float32)
    first = np.eye(TIME, dtype=np.float32)[[0, 1, 2]]
    close(sess.run(seq2seq.monotonic_attention(hard, first, "hard")), monotonic(hard, first))
    close(sess.run(seq2seq.safe_cumprod(p, axis=1)), np.cumprod(p, 1))
    with pytest.raises(ValueError, match=r"mode must be 'recursive', 'parallel', or 'hard'"):
        seq2seq.monotonic_attention(p, previous, "soft")


@pytest.mark.parametrize("kind", ["Bahdanau", "Luong"])
def test_monotonic_mechanisms(sess: tf.Session, kind: str) -> None:
    make = getattr(seq2seq, f"{kind}MonotonicAttention")
    mechanism = make(UNITS, MEMORY, LENGTHS, score_bias_init=-1.0, mode="parallel")
    plain = getattr(seq2seq, f"{kind}Attention")(UNITS, MEMORY, LENGTHS, probability_fn=tf.identity)
    first = mechanism.initial_alignments(BATCH, tf.float32)
    alignments, _ = mechanism(tf.constant(QUERY), first)
    scores, _ = plain(tf.constant(QUERY), None)
    noisy = make(UNITS, MEMORY, LENGTHS, sigmoid_noise=1.0, mode="hard", name="n")
    drawn, _ = noisy(tf.constant(QUERY), first)
    bias = f"{kind.lower()}_monotonic_attention/attention_score_bias"
    assert bias in names(tf.global_variables())
    sess.run(tf.global_variables_initializer())
    shared = {v.op.name: v for v in tf.global_variables()}
    sess.run([
        shared[n.replace(f"{kind.lower()}_attention", f"{kind.lower()}_monotonic_attention")
               .replace("memory_layer_1", "memory_layer")].assign(shared[n])
        for n in shared if n.startswith((f"{kind.lower()}_attention", "memory_layer_1"))
    ])  # fmt: skip
    got, start, raw, picked = sess.run([alignments, first, scores, drawn])
    assert (start == np.eye(TIME)[0]).all()
    p = 1 / (1 + np.exp(-np.where(MASK, raw - 1.0, -np.inf)))
    close(got, monotonic(p, start))
    assert set(np.unique(picked)) <= {0.0, 1.0}


# ------------------------------------------------------------------ the cell
def test_a_cell_that_attends(sess: tf.Session) -> None:
    mechanism = seq2seq.LuongAttention(UNITS, MEMORY, LENGTHS)
    cell = seq2seq.AttentionWrapper(
        rnn.BasicRNNCell(UNITS), mechanism, attention_layer_size=3, alignment_history=True,
        output_attention=False,
    )  # fmt: skip
    assert cell.output_size == UNITS and cell.state_size.attention == 3
    start = cell.zero_state(BATCH, tf.float32)
    first = values("first", [BATCH, UNITS])
    start = start.clone(cell_state=tf.constant(first))
    x = values("x", [BATCH, 2])
    with tf.variable_scope("d"):
        output, state = cell(tf.constant(x), start)
        _, state = cell(tf.constant(x), state)
    v = fill(sess)
    prefix = "d/attention_wrapper/"
    assert list(v) == [
        "memory_layer/kernel", f"{prefix}basic_rnn_cell/kernel", f"{prefix}basic_rnn_cell/bias",
        f"{prefix}attention_layer/kernel",
    ]  # fmt: skip
    memory = MEMORY * MASK[..., None]
    h, attention, history = first, np.zeros((BATCH, 3)), []
    for _ in range(2):
        joined = np.concatenate([x, attention, h], 1)
        h = np.tanh(
            joined @ v[f"{prefix}basic_rnn_cell/kernel"] + v[f"{prefix}basic_rnn_cell/bias"]
        )
        score = ((memory @ v["memory_layer/kernel"]) * h[:, None]).sum(-1)
        history.append(softmax(np.where(MASK, score, -np.inf)))
        context = (history[-1][..., None] * memory).sum(1)
        attention = np.concatenate([h, context], 1) @ v[f"{prefix}attention_layer/kernel"]
    got, last, kept = sess.run(
        [output, [state.cell_state, state.attention, state.time], state.alignment_history.stack()]
    )
    assert got.shape == (BATCH, UNITS)
    close(last[0], h)
    close(last[1], attention)
    assert last[2] == 2
    close(kept, np.stack(history))


def test_many_mechanisms(sess: tf.Session) -> None:
    two = [seq2seq.LuongAttention(UNITS, MEMORY), seq2seq.BahdanauAttention(4, MEMORY[:, :3])]
    cell = seq2seq.AttentionWrapper(rnn.GRUCell(UNITS), two, attention_layer_size=[3, 2])
    plain = seq2seq.AttentionWrapper(
        rnn.GRUCell(UNITS), two[1], cell_input_fn=lambda x, attention: x, name="plain"
    )
    assert cell.output_size == 5 and plain.output_size == DEPTH
    x = tf.constant(values("x", [BATCH, 6, 2]))
    outputs, state = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)
    own, _ = tf.nn.dynamic_rnn(plain, x, dtype=tf.float32, scope="p")
    assert outputs.shape.as_list() == [BATCH, 6, 5] and len(state.alignments) == 2
    loss = tf.reduce_sum(tf.square(outputs)) + tf.reduce_sum(own)
    grads = tf.gradients(loss, tf.trainable_variables())
    assert all(g is not None for g in grads)
    sess.run(tf.global_variables_initializer())
    a, b = sess.run([state.alignments[0], state.alignments[1]])
    close(a.sum(1), np.ones(BATCH))
    close(b.sum(1), np.ones(BATCH))
    assert b.shape == (BATCH, 3)
    assert all(np.isfinite(g).all() for g in sess.run(grads))


def test_what_the_wrapper_checks(sess: tf.Session) -> None:
    mechanism, inner = seq2seq.LuongAttention(UNITS, MEMORY), rnn.GRUCell(UNITS)
    wrapper = seq2seq.AttentionWrapper
    with pytest.raises(TypeError, match=r"attention_mechanism must be an AttentionMechanism or"):
        wrapper(inner, None)
    with pytest.raises(TypeError, match=r"must contain only instances of AttentionMechanism"):
        wrapper(inner, [mechanism, None])
    with pytest.raises(ValueError, match=r"exactly one integer per attention_mechanism, saw: 2 vs"):
        wrapper(inner, mechanism, attention_layer_size=[1, 2])
    with pytest.raises(TypeError, match=r"cell_input_fn must be callable"):
        wrapper(inner, mechanism, cell_input_fn=3)
    with pytest.raises(ValueError, match=r"Only one of attention_layer_size and attention_layer"):
        wrapper(inner, mechanism, 3, attention_layer=tf.layers.Dense(2))
    cell = wrapper(inner, mechanism)
    with pytest.raises(TypeError, match=r"Expected state to be instance of AttentionWrapperState"):
        cell(tf.zeros([BATCH, 2]), tf.zeros([BATCH, UNITS]))
    state = cell.zero_state(BATCH, tf.float32)
    with pytest.raises(ValueError, match=r"not compatible|are incompatible"):
        state.clone(cell_state=tf.zeros([BATCH, UNITS + 1]))
    rows = tf.placeholder(tf.int32, [])
    wrong = cell.zero_state(rows, tf.float32)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Non-matching batch sizes between"):
        sess.run(wrong.cell_state, {rows: BATCH + 1})
    given = wrapper(inner, mechanism, initial_cell_state=tf.ones([BATCH, UNITS]), name="g")
    np.testing.assert_array_equal(
        sess.run(given.zero_state(BATCH, tf.float32).cell_state), np.ones((BATCH, UNITS))
    )
    layered = wrapper(inner, mechanism, attention_layer=tf.layers.Dense(4, name="l"))
    assert layered.output_size == 4


def test_mechanisms_that_users_write(sess: tf.Session) -> None:
    """As location-sensitive attention does: a subclass with a score and a state of its own."""
    from graphc.contrib.seq2seq import _bahdanau_score, _BaseAttentionMechanism

    assert issubclass(seq2seq.LuongAttention, _BaseAttentionMechanism)

    class Cumulative(seq2seq.BahdanauAttention):
        def __call__(self, query: Any, state: Any) -> Any:
            with tf.variable_scope(None, "Location_Sensitive_Attention", [query]):
                asked = self.query_layer(query) if self.query_layer else query
                where = tf.layers.dense(state[:, :, None], self._num_units, use_bias=False)
                score = _bahdanau_score(asked, self._keys + where, False)
            alignments = self._probability_fn(score, state)
            return alignments, alignments + state

    mechanism = Cumulative(4, MEMORY, LENGTHS)
    cell = seq2seq.AttentionWrapper(rnn.GRUCell(UNITS), mechanism)
    helper = seq2seq.TrainingHelper(values("in", [BATCH, 6, 2]), [6, 3, 4])
    decoder = seq2seq.BasicDecoder(cell, helper, cell.zero_state(BATCH, tf.float32))
    outputs, state, _ = seq2seq.dynamic_decode(decoder)
    sess.run(tf.global_variables_initializer())
    got, sums = sess.run([outputs.rnn_output, state.attention_state])
    assert got.shape == (BATCH, 6, DEPTH)
    close(sums.sum(1), np.full(BATCH, 6.0))
    assert not sums[0, 2:].any()
