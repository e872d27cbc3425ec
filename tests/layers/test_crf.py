"""tf.contrib.crf against sums and maxima over all tag sequences."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import graphc as tf

crf = tf.contrib.crf
RNG = np.random.RandomState(0)
X = RNG.randn(3, 4, 3).astype(np.float32)
TABLE = RNG.randn(3, 3).astype(np.float32)
TAGS = np.array([[0, 1, 2, 1], [2, 2, 0, 0], [1, 0, 0, 0]], np.int32)
LENGTHS = np.array([4, 3, 1], np.int64)


@pytest.fixture(autouse=True)
def sess():
    tf.reset_default_graph()
    with tf.Session() as session:
        yield session


def score(row, tags) -> float:
    single = sum(X[row, t, tag] for t, tag in enumerate(tags))
    return single + sum(TABLE[a, b] for a, b in itertools.pairwise(tags))


def paths(row):
    return list(itertools.product(range(3), repeat=int(LENGTHS[row])))


def test_scores_and_norms(sess) -> None:
    got = sess.run(crf.crf_sequence_score(X, TAGS, LENGTHS, TABLE))
    want = [score(k, TAGS[k, : LENGTHS[k]]) for k in range(3)]
    np.testing.assert_allclose(got, want, rtol=1e-5)
    got = sess.run(crf.crf_log_norm(X, LENGTHS, TABLE))
    want = [np.logaddexp.reduce([score(k, p) for p in paths(k)]) for k in range(3)]
    np.testing.assert_allclose(got, want, rtol=1e-5)
    assert sess.run(crf.crf_log_norm(X, [0, 4, 4], TABLE))[0] == 0


def test_decoding(sess) -> None:
    tags, best = sess.run(crf.crf_decode(X, TABLE, LENGTHS))
    for k in range(3):
        want = max(paths(k), key=lambda p, k=k: score(k, p))
        assert tuple(tags[k, : LENGTHS[k]]) == want
        np.testing.assert_allclose(best[k], score(k, want), rtol=1e-5)
        assert np.all(tags[k, LENGTHS[k] :] == 0)
        path, value = crf.viterbi_decode(X[k, : LENGTHS[k]], TABLE)
        assert tuple(path) == want
        np.testing.assert_allclose(value, best[k], rtol=1e-6)


def test_a_tagger_learns(sess) -> None:
    x = tf.placeholder(tf.float32, [None, None, 3])
    y = tf.placeholder(tf.int32, [None, None])
    lengths = tf.placeholder(tf.int32, [None])
    unary = tf.layers.dense(x, 3)
    likelihood, transitions = crf.crf_log_likelihood(unary, y, lengths)
    assert transitions.op.name == "transitions"
    loss = tf.reduce_mean(-likelihood)
    train = tf.train.AdamOptimizer(0.1).minimize(loss)
    decoded, _ = crf.crf_decode(unary, transitions, lengths)
    sess.run(tf.global_variables_initializer())
    feed = {x: X, y: TAGS, lengths: LENGTHS}
    first = sess.run(loss, feed)
    for _ in range(60):
        sess.run(train, feed)
    assert sess.run(loss, feed) < first / 4
    assert sess.run(decoded, feed).tolist() == [[0, 1, 2, 1], [2, 2, 0, 0], [1, 0, 0, 0]]
    # other lengths of batches and sequences
    one = {x: X[:1, :2], y: TAGS[:1, :2], lengths: [2]}
    assert sess.run(decoded, one).shape == (1, 2)


def test_gradients(sess) -> None:
    table = tf.placeholder_with_default(TABLE, [3, 3])
    loss = tf.reduce_sum(crf.crf_log_norm(X, LENGTHS, table))
    got = sess.run(tf.gradients(loss, table)[0])
    # the expected number of each transition
    want = np.zeros((3, 3))
    for k in range(3):
        weights = np.exp([score(k, p) for p in paths(k)])
        for p, w in zip(paths(k), weights / weights.sum(), strict=True):
            for a, b in itertools.pairwise(p):
                want[a, b] += w
    np.testing.assert_allclose(got, want, rtol=1e-4)
