"""tf.contrib.summary: ops that write summaries, and when they do."""

from __future__ import annotations

import os

import numpy as np
import pytest

import graphc as tf

S = tf.contrib.summary


@pytest.fixture(autouse=True)
def fresh():
    tf.reset_default_graph()


def events(folder):
    files = sorted(os.listdir(folder))
    return [e for f in files for e in tf.train.summary_iterator(str(folder / f))]


def scalars(folder):
    return [(e.step, v.tag, v.simple_value) for e in events(folder) for v in e.summary.value
            if v.WhichOneof("value") == "simple_value"]  # fmt: skip


def test_a_host_call_as_scripts_write_it(tmp_path) -> None:
    gs = tf.train.get_or_create_global_step()
    loss = tf.cast(gs, tf.float32) * 2.0
    with S.create_file_writer(str(tmp_path), max_queue=5).as_default():
        with S.always_record_summaries():
            S.scalar("loss", loss, step=gs)
            S.scalar("learning_rate", 0.5, step=gs)
            S.histogram("weights", tf.ones([4]), step=gs)
            S.image("picture", tf.zeros([1, 2, 2, 1]), step=gs)
        ops = S.all_summary_ops()
    assert len(ops) == 4
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(S.summary_writer_initializer_op())
        for _ in range(3):
            sess.run(ops)
            sess.run(gs.assign_add(1))
        sess.run(S.flush())
    found = scalars(tmp_path)
    assert found[::2] == [(0, "loss", 0.0), (1, "loss", 2.0), (2, "loss", 4.0)]
    assert {v.tag for e in events(tmp_path) for v in e.summary.value} == {
        "loss", "learning_rate", "weights", "picture/image/0",
    }  # fmt: skip


def test_every_n_steps_and_never(tmp_path) -> None:
    gs = tf.train.get_or_create_global_step()
    writer = S.create_file_writer(tmp_path)
    with writer.as_default():
        with S.record_summaries_every_n_global_steps(2):
            S.scalar("even", tf.cast(gs, tf.float32))
        with S.never_record_summaries():
            S.scalar("never", 1.0)
        S.scalar("nobody asked", 1.0)
        close = writer.close()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        with writer.as_default():
            S.initialize(graph=tf.get_default_graph(), session=sess)
        for _ in range(5):
            sess.run([S.all_summary_ops()])
            sess.run(gs.assign_add(1))
        sess.run(close)
    assert [(s, t) for s, t, _ in scalars(tmp_path)] == [(0, "even"), (2, "even"), (4, "even")]
    assert any(e.WhichOneof("what") == "graph_def" for e in events(tmp_path))


def test_without_a_writer() -> None:
    with S.always_record_summaries():
        op = S.scalar("loss", 1.0)
        assert not S.all_summary_ops()
        with S.create_file_writer(None).as_default():
            nothing = S.scalar("loss", 1.0, step=0)
        value = S.should_record_summaries()
    with tf.Session() as sess:
        sess.run([op, nothing])
        assert sess.run(value)
    with pytest.raises(ValueError, match="no default session exists"):
        S.initialize()


def test_py_func_without_results_is_an_op() -> None:
    seen = []
    x = tf.placeholder(tf.float32, [2])
    op = tf.py_func(lambda v: seen.append(v.tolist()), [x], [])
    assert isinstance(op, tf.Operation)
    with tf.control_dependencies([op]):
        y = x + 1.0
    with tf.Session() as sess:
        np.testing.assert_array_equal(sess.run(y, {x: [1.0, 2.0]}), [2, 3])
    assert seen == [[1.0, 2.0]]
