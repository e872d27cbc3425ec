"""Connectionist temporal classification: against all alignments, and TensorFlow's values."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import graphc as tf

INVALID = tf.errors.InvalidArgumentError
SCORES = np.random.RandomState(0).randn(5, 3, 4).astype(np.float32)
LENGTHS = [5, 4, 5]


@pytest.fixture(autouse=True)
def fresh():
    tf.reset_default_graph()


def run(fetches, feed_dict=None):
    with tf.Session() as sess:
        return sess.run(fetches, feed_dict)


def labels():
    places = [[0, 0], [0, 1], [1, 0], [2, 0], [2, 1]]
    return tf.SparseTensor(places, [0, 1, 2, 1, 1], [3, 2])


def collapsed(path, blank):
    merged = [c for k, c in enumerate(path) if not k or path[k - 1] != c]
    return tuple(c for c in merged if c != blank)


def by_alignment(scores, frames):
    """labels -> probability, over all alignments of one example."""
    odds = np.exp(scores[:frames].astype(np.float64))
    odds /= odds.sum(axis=1, keepdims=True)
    out = {}
    for path in itertools.product(range(scores.shape[1]), repeat=frames):
        key = collapsed(path, scores.shape[1] - 1)
        out[key] = out.get(key, 0.0) + np.prod([odds[t, c] for t, c in enumerate(path)])
    return out


# ------------------------------------------------------------------ loss
def test_the_loss_is_the_sum_over_all_alignments():
    loss = tf.nn.ctc_loss(labels(), tf.constant(SCORES), LENGTHS)
    assert loss.shape.as_list() == [3] and loss.op.type == "CTCLoss"
    want = [
        -np.log(by_alignment(SCORES[:, b], LENGTHS[b])[key])
        for b, key in enumerate([(0, 1), (2,), (1, 1)])
    ]
    np.testing.assert_allclose(run(loss), want, rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "want"),
    [
        ({}, [1.8537613, 4.1625576, 2.9591143]),
        ({"preprocess_collapse_repeated": True}, [1.8537613, 4.1625576, 3.5377715]),
        ({"ctc_merge_repeated": False}, [3.652215, 5.5168943, 3.3107512]),
    ],
)
def test_tensorflows_values(options, want):
    loss = tf.nn.ctc_loss(labels(), tf.constant(SCORES), LENGTHS, **options)
    np.testing.assert_allclose(run(loss), want, rtol=1e-5)
    turned = tf.constant(SCORES.transpose(1, 0, 2))
    same = tf.nn.ctc_loss(labels(), turned, LENGTHS, time_major=False, **options)
    np.testing.assert_allclose(run(same), want, rtol=1e-5)


@pytest.mark.parametrize("merge", [True, False])
def test_the_gradient_is_the_slope(merge):
    scores = tf.placeholder(tf.float64, SCORES.shape)
    loss = tf.nn.ctc_loss(labels(), scores, LENGTHS, ctc_merge_repeated=merge)
    total = tf.reduce_sum(loss * [1.0, 2.0, 3.0])
    (gradient,) = tf.gradients(total, scores)
    rng = np.random.default_rng(1)
    with tf.Session() as sess:
        point = SCORES.astype(np.float64)
        slope = sess.run(gradient, {scores: point})
        assert not slope[4, 1].any()  # behind the end of a sequence
        for _ in range(3):
            way = rng.standard_normal(SCORES.shape)
            ends = [sess.run(total, {scores: point + h * way}) for h in (1e-5, -1e-5)]
            np.testing.assert_allclose((ends[0] - ends[1]) / 2e-5, (slope * way).sum(), rtol=1e-6)
    with pytest.raises(LookupError, match="second derivative of ctc_loss"):
        tf.gradients(gradient, scores)


def test_labels_that_do_not_fit_into_the_frames():
    scores = tf.constant(SCORES)
    with pytest.raises(INVALID, match=r"required: 2, available: 1"):
        run(tf.nn.ctc_loss(labels(), scores, [1, 4, 5]))
    loss = tf.nn.ctc_loss(
        labels(), scores, [1, 4, 5], ignore_longer_outputs_than_inputs=True
    )
    (gradient,) = tf.gradients(loss, scores)
    got, slope = run([loss, gradient])
    np.testing.assert_allclose(got, [0, 4.1625576, 2.9591143], rtol=1e-5)
    assert not slope[:, 0].any() and slope[:, 1].any()
    # a repetition needs a blank between: impossible, not refused
    got, slope = run([tf.nn.ctc_loss(labels(), scores, [5, 4, 2]), gradient])
    assert got[2] == np.inf and np.isfinite(slope).all()


@pytest.mark.parametrize(
    ("made", "lengths", "text"),
    [
        (([[0, 0], [1, 0]], [0, 1], [3, 1]), LENGTHS, "Labels length is zero in batch 2"),
        (([[0, 0], [1, 0], [2, 0]], [0, -1, 1], [3, 1]), LENGTHS, "must be nonnegative integers"),
        (
            ([[0, 0], [1, 0], [1, 1], [2, 0]], [0, 3, 1, 1], [3, 2]), LENGTHS,
            "following a null label, batch: 1 num_classes: 4 labels: 3,1",
        ),
        (([[2, 0], [0, 0], [1, 0]], [0, 1, 2], [3, 1]), LENGTHS, "out of order"),
        (([[0, 0], [1, 0], [2, 0]], [0, 1, 2], [3, 1]), [6, 4, 5], r"sequence_length\(0\) <= 5"),
    ],
)  # fmt: skip
def test_labels_that_are_refused(made, lengths, text):
    with pytest.raises(INVALID, match=text):
        run(tf.nn.ctc_loss(tf.SparseTensor(*made), tf.constant(SCORES), lengths))


def test_types_of_labels():
    with pytest.raises(TypeError, match="Expected argument `labels` to be a SparseTensor"):
        tf.nn.ctc_loss(tf.constant([[1]]), tf.constant(SCORES), LENGTHS)
    wide = tf.SparseTensor([[0, 0]], np.array([1], np.int64), [3, 1])
    with pytest.raises(TypeError, match="Input 'labels_values' of 'CTCLoss' Op has type int64"):
        tf.nn.ctc_loss(wide, tf.constant(SCORES), LENGTHS)
    with pytest.raises(ValueError, match="Dimensions must be equal, but are 3 and 2"):
        tf.nn.ctc_loss(labels(), tf.constant(SCORES), [5, 4])


# ------------------------------------------------------------------ decoders
def rows(sparse):
    out = [[] for _ in range(sparse.dense_shape[0])]
    for (row, _), value in zip(sparse.indices, sparse.values, strict=True):
        out[row].append(int(value))
    return out


def test_the_best_class_of_each_frame():
    decoded, sums = tf.nn.ctc_greedy_decoder(tf.constant(SCORES), LENGTHS)
    (found,), got = run([decoded, sums])
    assert rows(found) == [[0], [0], [2, 1]] and found.dense_shape.tolist() == [3, 2]
    np.testing.assert_allclose(got, [[-6.8888783], [-6.845192], [-3.5550208]], rtol=1e-6)
    (plain,), _ = tf.nn.ctc_greedy_decoder(tf.constant(SCORES), LENGTHS, merge_repeated=False)
    assert rows(run(plain)) == [[0, 0, 0], [0, 0, 0], [2, 1]]


def test_wide_beams_find_the_most_probable_labels():
    decoded, logs = tf.nn.ctc_beam_search_decoder(
        tf.constant(SCORES), LENGTHS, beam_width=1000, top_paths=3, merge_repeated=False
    )
    assert logs.shape.as_list() == [3, 3]
    found, got = run([decoded, logs])
    for b in range(3):
        odds = by_alignment(SCORES[:, b], LENGTHS[b])
        best = sorted(odds, key=odds.__getitem__, reverse=True)[:3]
        assert [tuple(rows(f)[b]) for f in found] == best
        np.testing.assert_allclose(got[b], np.log([odds[k] for k in best]), rtol=1e-5)


def test_narrow_beams_as_tensorflows():
    decoded, logs = tf.nn.ctc_beam_search_decoder(
        tf.constant(SCORES), LENGTHS, beam_width=5, top_paths=3, merge_repeated=False
    )
    found, got = run([decoded, logs])
    assert [rows(f)[0] for f in found] == [[0, 1], [0], [2, 0, 1]]
    np.testing.assert_allclose(
        got,
        [
            [-1.8791963, -2.3981292, -2.6434283],
            [-1.4926742, -1.5558939, -2.226227],
            [-2.5128453, -2.7898197, -2.9441986],
        ],
        rtol=1e-5,
    )
    with pytest.raises(ValueError, match="requested more paths than the beam width"):
        tf.nn.ctc_beam_search_decoder(tf.constant(SCORES), LENGTHS, beam_width=1, top_paths=2)


def test_equal_labels_side_by_side():
    scores = np.zeros((4, 1, 3), np.float32)
    scores[:, 0, 1] = 3
    scores[2, 0, 2] = 6
    scores[3, 0, 0] = 2
    for merge, want in ((True, [1]), (False, [1, 1])):
        (decoded,), log = tf.nn.ctc_beam_search_decoder(scores, [4], merge_repeated=merge)
        found, got = run([decoded, log])
        assert rows(found) == [want]
        np.testing.assert_allclose(got, [[-0.4925172]], rtol=1e-5)
    (empty,), log = tf.nn.ctc_beam_search_decoder(scores, [0])
    found, got = run([empty, log])
    assert rows(found) == [[]] and got.tolist() == [[0.0]]


def test_a_model_learns_to_say_its_labels():
    frames = np.random.default_rng(0).standard_normal((8, 2, 6)).astype(np.float32)
    x = tf.placeholder(tf.float32, [8, None, 6])
    w = tf.get_variable("w", [6, 5], initializer=tf.random_normal_initializer(seed=1))
    logits = tf.reshape(tf.matmul(tf.reshape(x, [-1, 6]), w), [8, -1, 5])
    wanted = tf.sparse_placeholder(tf.int32)
    loss = tf.reduce_mean(tf.nn.ctc_loss(wanted, logits, [8, 8]))
    step = tf.train.AdamOptimizer(0.1).minimize(loss)
    (decoded,), _ = tf.nn.ctc_beam_search_decoder(logits, [8, 8], merge_repeated=False)
    rate = tf.reduce_mean(tf.edit_distance(tf.cast(decoded, tf.int32), wanted))
    feeds = {x: frames, wanted: ([[0, 0], [0, 1], [1, 0]], [1, 2, 3], [2, 2])}
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        before = sess.run(loss, feeds)
        for _ in range(80):
            sess.run(step, feeds)
        assert sess.run(loss, feeds) < before / 5
        assert sess.run(rate, feeds) == 0.0
