"""Session.explain: steps, times under Config(profile=True), stages."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf


@pytest.fixture(autouse=True)
def fresh_graph() -> None:
    tf.reset_default_graph()


def test_profiled_runs_show_in_the_explanation() -> None:
    x = tf.placeholder(tf.float32, [None, 8])
    y = tf.nn.softmax(tf.matmul(x, tf.ones([8, 8])))
    feed = {x: np.ones((4, 8), np.float32)}
    with tf.Session(options=tf.Config(profile=True)) as sess:
        for _ in range(3):
            sess.run(y, feed)
        report = sess.explain(y, feed)
    assert all(step.calls == 3 for step in report.kernels)
    assert sum(step.seconds for step in report.kernels) > 0
    assert " us]" in str(report)


def test_runs_without_profile_have_no_times() -> None:
    x = tf.placeholder(tf.float32, [None])
    with tf.Session() as sess:
        sess.run(x + 1, {x: [1]})
        report = sess.explain(x * 2, {x: [1]})
    assert [step.calls for step in report.steps] == [0]


def test_an_explanation_covers_every_stage() -> None:
    x = tf.placeholder(tf.float32, [None])
    total = tf.reduce_sum(tf.boolean_mask(x, x > 0) * 2)
    with tf.Session() as sess:
        report = sess.explain(total, {x: [-1, 2, 3]})
    kinds = [step.kind for step in report.steps]
    assert "host" in kinds  # where: its output's shape depends on data
    assert kinds.index("host") < len(kinds) - 1


def test_the_reference_backend_has_nothing_to_explain() -> None:
    with (
        tf.Session(options=tf.Config(backend="reference")) as sess,
        pytest.raises(ValueError, match="needs the cpu backend"),
    ):
        sess.explain(tf.constant(1.0) + 1.0)


def test_checked_plans_have_nothing_to_explain() -> None:
    with (
        tf.Session(options=tf.Config(check_numerics=True)) as sess,
        pytest.raises(ValueError, match="check_numerics=False"),
    ):
        sess.explain(tf.constant(1.0) + 1.0)
