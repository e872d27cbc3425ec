"""tf.losses and tf.metrics: what they refuse, unknown shapes, collections, training."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from tests.layers.conftest import names


def test_losses_refuse() -> None:
    a, b = tf.zeros([2, 3]), tf.zeros([2])
    with pytest.raises(ValueError, match=r"Shapes \(2,\) and \(2, 3\) are incompatible"):
        tf.losses.mean_squared_error(a, b)
    with pytest.raises(ValueError, match=r"weights can not be broadcast to values. values.rank=2"):
        tf.losses.mean_squared_error(a, a, weights=tf.zeros([2]))
    with pytest.raises(ValueError, match="Invalid Reduction Key sum"):
        tf.losses.mean_squared_error(a, a, reduction="sum")
    with pytest.raises(ValueError, match="labels must not be None"):
        tf.losses.mean_squared_error(None, a)
    with pytest.raises(ValueError, match="You must specify 'axis'"):
        tf.losses.cosine_distance(a, a)
    with pytest.raises(ValueError, match="`weights` cannot be None"):
        tf.losses.log_loss(a, a, weights=None)


def test_unknown_batch_and_int_labels(sess) -> None:
    y, p = tf.placeholder(tf.int32, [None]), tf.placeholder(tf.float32, [None])
    w = tf.placeholder(tf.float32, [None])
    loss = tf.losses.mean_squared_error(y, p, w)
    assert loss.shape.as_list() == []
    for n in (4, 7):
        labels, preds = np.arange(n), np.linspace(0, 1, n).astype(np.float32)
        weights = (np.arange(n) % 2).astype(np.float32)
        got = sess.run(loss, {y: labels, p: preds, w: weights})
        wanted = ((preds - labels) ** 2 * weights).sum() / weights.sum()
        assert got == pytest.approx(wanted, rel=1e-5)


def test_collections_of_losses(sess) -> None:
    a = tf.constant([1.0, 2.0])
    with tf.name_scope("s"):
        first = tf.losses.mean_squared_error(a, a * 2.0)
    tf.losses.absolute_difference(a, a, loss_collection=None)
    tf.losses.add_loss(tf.constant(4.0))
    assert tf.losses.get_losses("s") == [first]
    assert len(tf.losses.get_losses()) == 2
    assert sess.run(tf.losses.get_total_loss()) == 6.5
    assert sess.run(tf.losses.get_regularization_loss()) == 0.0


def test_no_losses() -> None:
    with pytest.raises(ValueError, match="no losses"):
        tf.losses.get_total_loss()


def test_metrics_keep_local_variables(sess) -> None:
    y, p = tf.placeholder(tf.int64, [None]), tf.placeholder(tf.int64, [None])
    value, update = tf.metrics.accuracy(y, p, metrics_collections=["A"], updates_collections="B")
    again = tf.metrics.accuracy(y, p)
    assert names(tf.local_variables()) == [
        "accuracy/total:0", "accuracy/count:0", "accuracy_1/total:0", "accuracy_1/count:0",
    ]  # fmt: skip
    assert tf.global_variables() == []
    assert (tf.get_collection("A"), tf.get_collection("B")) == ([value], [update])
    assert (value.name, again[1].name) == ("accuracy/value:0", "accuracy_1/update_op:0")
    sess.run(tf.local_variables_initializer())
    assert sess.run(value) == 0.0
    sess.run(update, {y: [1, 2, 3], p: [1, 0, 0]})
    sess.run(update, {y: [5], p: [5]})
    assert sess.run(value) == 0.5
    # starting again
    sess.run(tf.variables_initializer(tf.local_variables("accuracy/")))
    assert sess.run(value) == 0.0


def test_metrics_need_initialised_variables(sess) -> None:
    _, update = tf.metrics.mean(tf.constant([1.0]))
    with pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized value mean/"):
        sess.run(update)


def test_metrics_refuse() -> None:
    a = tf.zeros([2, 3])
    with pytest.raises(ValueError, match="curve must be either ROC or PR"):
        tf.metrics.auc(a, a, curve="X")
    with pytest.raises(ValueError, match="Invalid summation_method"):
        tf.metrics.auc(a, a, summation_method="X")
    with pytest.raises(ValueError, match=r"must be in the range \[0, 1\]"):
        tf.metrics.sensitivity_at_specificity(a, a, 2)
    with pytest.raises(ValueError, match="are incompatible"):
        tf.metrics.accuracy(tf.zeros([3]), a)
    with pytest.raises(ValueError, match="Invalid k=0"):
        tf.metrics.average_precision_at_k(tf.zeros([2, 1], tf.int64), a, 0)


def test_thresholds_take_probabilities(sess) -> None:
    p = tf.placeholder(tf.float32, [None])
    _, update = tf.metrics.auc(tf.constant([True, False]), p)
    sess.run(tf.local_variables_initializer())
    assert sess.run(update, {p: [1.0, 0.0]}) == pytest.approx(1.0, abs=1e-5)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"predictions must be in \[0, 1\]"):
        sess.run(update, {p: [1.5, 0.0]})


def test_a_classifier_in_the_usual_style(sess) -> None:
    rng = np.random.RandomState(0)
    a = rng.randn(90, 6).astype(np.float32)
    b = a[:, :3].argmax(1)
    x, y = tf.placeholder(tf.float32, [None, 6]), tf.placeholder(tf.int64, [None])
    hidden = tf.layers.dense(x, 32, tf.nn.relu, kernel_regularizer=tf.nn.l2_loss)
    logits = tf.layers.dense(tf.layers.dropout(hidden, 0.1, training=True), 3)
    loss = tf.losses.sparse_softmax_cross_entropy(y, logits)
    total = loss + 1e-4 * tf.losses.get_regularization_loss()
    step = tf.train.AdamOptimizer(0.02).minimize(total)
    value, update = tf.metrics.accuracy(y, tf.argmax(logits, 1))
    sess.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
    for _ in range(80):
        sess.run(step, {x: a, y: b})
    sess.run(update, {x: a, y: b})
    assert sess.run(value) > 0.95
