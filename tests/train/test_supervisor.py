"""tf.train.Supervisor: sessions, services, the loop of its scripts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import graphc as tf


@pytest.fixture(autouse=True)
def own_graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


def model() -> tuple[Any, Any, Any]:
    """(loss, training step, global step) of a line through three points."""
    x = tf.constant([[1.0], [2.0], [3.0]])
    w = tf.get_variable("w", initializer=[[0.0]])
    loss = tf.reduce_mean(tf.square(tf.matmul(x, w) - 2 * x))
    step = tf.train.get_or_create_global_step()
    tf.summary.scalar("loss", loss)
    train = tf.train.GradientDescentOptimizer(0.05).minimize(loss, global_step=step)
    return loss, train, step


def test_the_loop_of_supervised_scripts(tmp_path: Path) -> None:
    loss, train, _ = model()
    sv = tf.train.Supervisor(logdir=str(tmp_path), save_summaries_secs=0.01, save_model_secs=60)
    assert tf.get_default_graph().finalized
    with sv.managed_session() as session:
        for _ in range(30):
            if sv.should_stop():
                break
            session.run(train)
        time.sleep(0.05)
        sv.saver.save(session, sv.save_path, global_step=sv.global_step)
        assert session.run(loss) < 1e-3
    assert sv.should_stop()
    assert tf.train.latest_checkpoint(str(tmp_path)) == str(tmp_path / "model.ckpt-30")
    tags = [
        value.tag
        for path in tmp_path.glob("events*")
        for event in tf.train.summary_iterator(str(path))
        for value in event.summary.value
    ]
    assert "loss" in tags
    assert "global_step/sec" in tags


def test_a_second_supervisor_restores(tmp_path: Path) -> None:
    for last in (3, 5):
        with tf.Graph().as_default():
            _, train, step = model()
            sv = tf.train.Supervisor(logdir=str(tmp_path), summary_op=None)
            with sv.managed_session() as session:
                before = session.run(step)
                while session.run(step) < last:
                    session.run(train)
                sv.saver.save(session, sv.save_path, global_step=step)
    assert before == 3


def test_an_error_in_the_block_is_raised_at_its_end(tmp_path: Path) -> None:
    model()
    sv = tf.train.Supervisor(logdir=str(tmp_path))
    with pytest.raises(KeyError, match="mine"), sv.managed_session():
        raise KeyError("mine")


def test_the_end_of_the_input_is_no_error() -> None:
    item = tf.data.Dataset.range(2).make_one_shot_iterator().get_next()
    sv = tf.train.Supervisor()
    with sv.managed_session() as session:
        while True:
            session.run(item)
    assert sv.should_stop()


def test_loops_and_summaries_of_the_users_own(tmp_path: Path) -> None:
    _, train, _ = model()
    merged = tf.summary.merge_all()
    sv = tf.train.Supervisor(logdir=str(tmp_path), summary_op=None)
    session = sv.prepare_or_wait_for_session()
    calls: list[int] = []
    sv.loop(0.001, lambda: calls.append(1))
    session.run(train)
    sv.summary_computed(session, session.run(merged))
    while not calls:
        time.sleep(0.001)
    sv.request_stop()
    sv.stop()
    session.close()
    steps = [
        event.step
        for path in tmp_path.glob("events*")
        for event in tf.train.summary_iterator(str(path))
        for value in event.summary.value
        if value.tag == "loss"
    ]
    assert steps == [1]


def test_without_a_directory_nothing_is_written(tmp_path: Path) -> None:
    _, train, _ = model()
    sv = tf.train.Supervisor()
    with sv.managed_session() as session:
        session.run(train)
        with pytest.raises(RuntimeError, match="Writing a summary requires a summary writer"):
            sv.summary_computed(session, b"")
    assert sv.save_path is None


def test_queues_run_beside_the_session() -> None:
    queue = tf.train.input_producer(tf.constant([1, 2, 3]), num_epochs=1, shuffle=False)
    item = queue.dequeue()
    sv = tf.train.Supervisor()
    got = []
    with sv.managed_session() as session:
        while not sv.should_stop():
            got.append(int(session.run(item)))
    assert got == [1, 2, 3]


def test_basic_train_loop() -> None:
    _, train, step = model()
    sv = tf.train.Supervisor()
    done: list[int] = []

    def one(session: Any, limit: int) -> None:
        session.run(train)
        done.append(int(session.run(step)))
        if done[-1] == limit:
            sv.request_stop()

    tf.train.basic_train_loop(sv, one, args=[4])
    assert done == [1, 2, 3, 4]


def test_only_a_chief_starts_services() -> None:
    model()
    sv = tf.train.Supervisor(is_chief=False)
    with pytest.raises(RuntimeError, match="Only chief supervisor can start standard services"):
        sv.start_standard_services(None)
