"""Candidate samplers: what they draw and expect; word vectors trained with sampled losses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf

TRUE = np.array([[0, 3], [6, 2]])


@pytest.fixture(autouse=True)
def _fresh_graph() -> Any:
    with tf.Graph().as_default():
        yield


def _log_uniform(k: Any, n: int) -> Any:
    return np.log((k + 2.0) / (k + 1.0)) / np.log(n + 1.0)


def test_drawn_classes_follow_the_distribution() -> None:
    n, draws = 20, 40_000
    weights = np.arange(1.0, n + 1)
    many = {
        "log": tf.nn.log_uniform_candidate_sampler(TRUE, 2, draws, False, n, seed=1),
        "flat": tf.nn.uniform_candidate_sampler(TRUE, 2, draws, False, n, seed=2),
        "given": tf.nn.fixed_unigram_candidate_sampler(
            TRUE, 2, draws, False, n, unigrams=weights.tolist(), distortion=0.5, seed=3
        ),
    }
    want = {
        "log": _log_uniform(np.arange(n), n), "flat": np.full(n, 1 / n),
        "given": weights**0.5 / (weights**0.5).sum(),
    }  # fmt: skip
    with tf.Session() as sess:
        for name, got in sess.run(many).items():
            shares = np.bincount(got.sampled_candidates, minlength=n) / draws
            np.testing.assert_allclose(shares, want[name], atol=0.01)
            np.testing.assert_allclose(
                got.sampled_expected_count, want[name][got.sampled_candidates] * draws, rtol=1e-5
            )
            np.testing.assert_allclose(
                got.true_expected_count, want[name][TRUE] * draws, rtol=1e-5
            )


def test_unique_classes_differ_and_expect_what_the_tries_make_likely() -> None:
    drawn, true, sampled = tf.nn.log_uniform_candidate_sampler(TRUE, 2, 8, True, 12, seed=5)
    assert drawn.get_shape().as_list() == [8] and true.get_shape().as_list() == [2, 2]
    with tf.Session() as sess:
        counts = np.zeros(12)
        expected = np.zeros(12)
        for _ in range(300):
            classes, e_true, e_sampled = sess.run([drawn, true, sampled])
            assert len(set(classes)) == 8
            counts[classes] += 1
            p = _log_uniform(np.arange(12), 12)
            if np.allclose(e_sampled, 8 * p[classes], rtol=1e-4):
                expected += 8 * p  # all differed at once: TF's rule is that of repeated draws
                continue
            assert (e_true > 0).all() and (e_true <= 1).all()
            # 1 - (1 - p)^tries: one number of tries explains all of them
            tries = np.log1p(-e_sampled[0]) / np.log1p(-_log_uniform(classes[0], 12))
            want = 1 - (1 - _log_uniform(classes, 12)) ** tries
            np.testing.assert_allclose(e_sampled, want, rtol=1e-4)
            expected += 1 - (1 - p) ** tries
        np.testing.assert_allclose(counts / 300, expected / 300, atol=0.12)


def test_seeds_repeat_in_new_sessions_and_move_on_in_one() -> None:
    drawn = tf.nn.uniform_candidate_sampler(TRUE, 2, 6, True, 1000, seed=7).sampled_candidates
    runs = []
    for _ in range(2):
        with tf.Session() as sess:
            runs.append([sess.run(drawn).tolist() for _ in range(2)])
    assert runs[0] == runs[1] and runs[0][0] != runs[0][1]


def test_a_learned_sampler_learns_in_each_session_for_itself() -> None:
    true = tf.placeholder(tf.int64, [None, 1])
    got = tf.nn.learned_unigram_candidate_sampler(true, 1, 5, False, 4)
    for _ in range(2):
        with tf.Session() as sess:
            first = sess.run(got, {true: [[2]] * 12})
            np.testing.assert_allclose(first.true_expected_count, 5 / 4, rtol=1e-6)
            second = sess.run(got, {true: [[2], [0]]})
            np.testing.assert_allclose(
                second.true_expected_count, [[5 * 13 / 16], [5 / 16]], rtol=1e-6
            )


def test_weights_come_from_a_file_and_in_shards(tmp_path: Any) -> None:
    path = tmp_path / "vocabulary.csv"
    path.write_text("the,4\nof,3\nand,2\nto,1\n")
    whole = tf.nn.fixed_unigram_candidate_sampler([[1]], 1, 10, False, 5, vocab_file=str(path),
                                                  num_reserved_ids=1)  # fmt: skip
    odd = tf.nn.fixed_unigram_candidate_sampler(
        [[1]], 1, 10, False, 2, unigrams=[4.0, 3.0, 2.0, 1.0], num_shards=2, shard=1
    )
    with tf.Session() as sess:
        assert sess.run(whole.true_expected_count)[0, 0] == pytest.approx(4.0)
        assert sess.run(odd.true_expected_count)[0, 0] == pytest.approx(10 / 4)
        assert 0 not in sess.run(whole.sampled_candidates)
    with pytest.raises(tf.errors.InvalidArgumentError, match="range_max is 9"):
        tf.nn.fixed_unigram_candidate_sampler([[1]], 1, 2, False, 9, unigrams=[1.0, 2.0])
    with pytest.raises(tf.errors.InvalidArgumentError, match="exactly one of"):
        tf.nn.fixed_unigram_candidate_sampler([[1]], 1, 2, False, 9)


def test_too_few_classes_are_an_error() -> None:
    got = tf.nn.log_uniform_candidate_sampler([[1]], 1, 9, True, 5)
    with (
        tf.Session() as sess,
        pytest.raises(tf.errors.InvalidArgumentError, match="Sampler's range is too small"),
    ):
        sess.run(got)


@pytest.mark.parametrize("kind", ["nce", "softmax"])
def test_word_vectors_train_with_sampled_losses(kind: str) -> None:
    """Words of one topic end up near each other."""
    rng = np.random.default_rng(0)
    words, topics, size, batch = 40, 4, 16, 64
    inputs, labels = tf.placeholder(tf.int32, [batch]), tf.placeholder(tf.int32, [batch, 1])
    with tf.device("/cpu:0"):
        table = tf.Variable(tf.random_uniform([words, size], -1.0, 1.0, seed=1))
        embed = tf.nn.embedding_lookup(table, inputs)
        weights = tf.Variable(
            tf.truncated_normal([words, size], stddev=1.0 / np.sqrt(size), seed=2)
        )
        biases = tf.Variable(tf.zeros([words]))
    loss_of = {"nce": tf.nn.nce_loss, "softmax": tf.nn.sampled_softmax_loss}[kind]
    loss = tf.reduce_mean(
        loss_of(weights=weights, biases=biases, labels=labels, inputs=embed, num_sampled=8,
                num_classes=words)
    )  # fmt: skip
    train = tf.train.GradientDescentOptimizer(1.0).minimize(loss)
    norm = tf.sqrt(tf.reduce_sum(tf.square(table), 1, keep_dims=True))
    normalized = table / norm
    similar = tf.matmul(normalized, normalized, transpose_b=True)
    with tf.Session() as sess:
        tf.global_variables_initializer().run()
        losses = []
        for _ in range(300):
            centre = rng.integers(words, size=batch)
            context = centre % topics + topics * rng.integers(words // topics, size=batch)
            _, value = sess.run([train, loss], {inputs: centre, labels: context[:, None]})
            losses.append(value)
        got = sess.run(similar)
    assert np.mean(losses[-30:]) < np.mean(losses[:30])
    same = np.arange(words)[:, None] % topics == np.arange(words)[None] % topics
    off = ~np.eye(words, dtype=bool)
    assert got[same & off].mean() > got[~same].mean() + 0.3


def test_sparse_labels_give_the_same_loss() -> None:
    rng = np.random.default_rng(0)
    weights = tf.constant(rng.random((7, 3)).astype(np.float32))
    biases = tf.constant(rng.random(7).astype(np.float32))
    inputs = tf.constant(rng.random((4, 3)).astype(np.float32))
    labels = tf.constant([1, 0, 6, 2], tf.int64)
    drawn = tf.nn.uniform_candidate_sampler(labels[:, None], 1, 5, True, 7, seed=1)
    dense = tf.nn.sampled_softmax_loss(
        weights, biases, labels[:, None], inputs, 5, 7, sampled_values=drawn
    )
    sparse = tf.contrib.nn.sampled_sparse_softmax_loss(
        weights, biases, labels, inputs, 5, 7, sampled_values=drawn
    )
    with tf.Session() as sess:
        a, b = sess.run([dense, sparse])
    np.testing.assert_allclose(a, b, rtol=1e-5)
