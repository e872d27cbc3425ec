"""Hooks of tf.train: when they log, stop, feed and write."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf


@pytest.fixture(autouse=True)
def own_graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield
    tf.summary.FileWriterCache.clear()


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    logger = logging.getLogger("tensorflow")
    before = logger.propagate, logger.level
    logger.propagate = True
    logger.setLevel(logging.INFO)
    yield caplog
    logger.propagate, logger.level = before


def texts(log: pytest.LogCaptureFixture, part: str) -> list[str]:
    return [r.getMessage() for r in log.records if part in r.getMessage()]


def counter() -> tuple[Any, Any]:
    """(global step, op that adds one)."""
    step = tf.train.get_or_create_global_step()
    return step, tf.assign_add(step, 1)


def run_all(add: Any, hooks: list[Any], **options: Any) -> int:
    runs = 0
    with tf.train.MonitoredSession(hooks=hooks, **options) as session:
        while not session.should_stop():
            session.run(add)
            runs += 1
    return runs


def summaries_of(folder: Path) -> list[tuple[int, str, float]]:
    found = []
    for path in sorted(folder.glob("events*")):
        for event in tf.train.summary_iterator(str(path)):
            found += [(event.step, v.tag, v.simple_value) for v in event.summary.value]
    return found


# ------------------------------------------------------------------ the timer
def test_timer_counts_steps_from_the_first_trigger() -> None:
    timer = tf.train.SecondOrStepTimer(every_steps=3)
    hit = []
    for step in range(1, 10):
        if timer.should_trigger_for_step(step):
            hit.append(step)
            timer.update_last_triggered_step(step)
    assert hit == [1, 4, 7]
    assert timer.last_triggered_step() == 7


def test_timer_says_how_much_time_has_gone() -> None:
    timer = tf.train.SecondOrStepTimer(every_secs=0.0)
    assert timer.update_last_triggered_step(1) == (None, None)
    assert not timer.should_trigger_for_step(1)
    assert timer.should_trigger_for_step(2)
    seconds, steps = timer.update_last_triggered_step(6)
    assert steps == 5
    assert seconds >= 0


def test_timer_takes_exactly_one_interval() -> None:
    with pytest.raises(ValueError, match="Either every_secs or every_steps should be provided"):
        tf.train.SecondOrStepTimer()
    with pytest.raises(ValueError, match="Can not provide both every_secs and every_steps"):
        tf.train.SecondOrStepTimer(1.0, 2)


# ------------------------------------------------------------------ stopping
@pytest.mark.parametrize("given", [{"num_steps": 4}, {"last_step": 4}])
def test_stop_at_step(given: dict[str, int]) -> None:
    _, add = counter()
    assert run_all(add, [tf.train.StopAtStepHook(**given)]) == 4


def test_stop_at_step_needs_a_global_step() -> None:
    tf.constant(1.0)
    with pytest.raises(RuntimeError, match="Global step should be created to use StopAtStepHook"):
        tf.train.MonitoredSession(hooks=[tf.train.StopAtStepHook(last_step=4)])
    with pytest.raises(ValueError, match="One of num_steps or last_step must be specified"):
        tf.train.StopAtStepHook()
    with pytest.raises(ValueError, match="Only one of num_steps or last_step can be specified"):
        tf.train.StopAtStepHook(1, 2)


def test_nan_raises_or_stops() -> None:
    step, _ = counter()
    loss = tf.log(tf.cast(2 - step, tf.float32))
    with tf.control_dependencies([loss]):
        add = tf.assign_add(step, 1)
    with pytest.raises(tf.train.NanLossDuringTrainingError, match="NaN loss during training"):
        run_all(add, [tf.train.NanTensorHook(loss)])
    quiet = tf.train.NanTensorHook(loss, fail_on_nan_loss=False)
    assert run_all(add, [quiet]) == 4


def test_global_step_waiter_lets_runs_go_when_the_step_is_there() -> None:
    _, add = counter()
    hooks = [tf.train.GlobalStepWaiterHook(0), tf.train.StopAtStepHook(last_step=2)]
    assert run_all(add, hooks) == 2


# ------------------------------------------------------------------ logging
def test_logging_every_n_iter(log: pytest.LogCaptureFixture) -> None:
    step, add = counter()
    tf.identity(tf.cast(step, tf.float32) / 2, name="half")
    hooks = [
        tf.train.LoggingTensorHook({"step": step, "h": "half"}, every_n_iter=2),
        tf.train.StopAtStepHook(last_step=5),
    ]
    run_all(add, hooks)
    lines = texts(log, "step = ")
    assert [line.split(" (")[0] for line in lines] == [
        "h = 0.0, step = 0", "h = 1.0, step = 2", "h = 2.0, step = 4",
    ]  # fmt: skip
    assert "sec)" not in lines[0]
    assert lines[1].endswith(" sec)")


def test_logging_at_the_end_alone(log: pytest.LogCaptureFixture) -> None:
    _, add = counter()
    hook = tf.train.LoggingTensorHook(["global_step:0"], at_end=True)
    run_all(add, [hook, tf.train.StopAtStepHook(last_step=3)])
    assert texts(log, "global_step:0") == ["global_step:0 = 3"]


def test_logging_with_a_formatter(log: pytest.LogCaptureFixture) -> None:
    step, add = counter()
    hook = tf.train.LoggingTensorHook(
        {"s": step}, every_n_secs=1000, formatter=lambda values: f"at {values['s']}!"
    )
    run_all(add, [hook, tf.train.StopAtStepHook(last_step=3)])
    assert texts(log, "at ") == ["at 0!"]


def test_logging_checks_its_intervals() -> None:
    for given in ({}, {"every_n_iter": 1, "every_n_secs": 1}):
        with pytest.raises(ValueError, match="exactly one of every_n_iter and every_n_secs"):
            tf.train.LoggingTensorHook(["x"], **given)
    with pytest.raises(ValueError, match="invalid every_n_iter=0"):
        tf.train.LoggingTensorHook(["x"], every_n_iter=0)


# ------------------------------------------------------------------ feeding, final values
def test_feed_fn_and_final_ops() -> None:
    x = tf.placeholder(tf.float32, [])
    total = tf.get_local_variable("total", [], initializer=tf.zeros_initializer())
    add = tf.assign_add(total, x)
    values = iter([1.0, 2.0, 4.0])
    final = tf.train.FinalOpsHook({"total": total})
    with tf.train.SingularMonitoredSession(
        hooks=[tf.train.FeedFnHook(lambda: {x: next(values)}), final]
    ) as session:
        for _ in range(3):
            session.run(add)
    assert final.final_ops_values == {"total": 7.0}


def test_feeds_of_hook_and_user_may_not_meet() -> None:
    x = tf.placeholder(tf.float32, [])
    twice = x * 2
    hook = tf.train.FeedFnHook(lambda: {x: 1.0})
    session = tf.train.MonitoredSession(hooks=[hook])
    with pytest.raises(RuntimeError, match="Same tensor is fed by a SessionRunHook and user"):
        session.run(twice, {x: 3.0})
    session.close()
    session = tf.train.MonitoredSession(hooks=[hook, tf.train.FeedFnHook(lambda: {x: 2.0})])
    with pytest.raises(RuntimeError, match="Same tensor is fed by two hooks"):
        session.run(twice)
    session.close()


# ------------------------------------------------------------------ files
class Listener(tf.train.CheckpointSaverListener):
    """Notes what it is told; stops after `stop_at`."""

    def __init__(self, stop_at: int = 1000) -> None:
        self.calls: list[Any] = []
        self.stop_at = stop_at

    def begin(self) -> None:
        self.calls.append("begin")

    def before_save(self, session: Any, global_step_value: int) -> None:
        self.calls.append(("before", int(global_step_value)))

    def after_save(self, session: Any, global_step_value: int) -> bool:
        self.calls.append(("after", int(global_step_value)))
        return global_step_value >= self.stop_at

    def end(self, session: Any, global_step_value: int) -> None:
        self.calls.append(("end", int(global_step_value)))


def test_checkpoints_every_n_steps_at_first_and_at_the_end(tmp_path: Path) -> None:
    _, add = counter()
    listener = Listener()
    saver = tf.train.CheckpointSaverHook(
        str(tmp_path), save_steps=2, saver=tf.train.Saver(), listeners=[listener]
    )
    run_all(add, [saver, tf.train.StopAtStepHook(last_step=5)])
    saved = [c[1] for c in listener.calls if c[0] == "after"]
    assert saved == [0, 2, 4, 5]
    assert listener.calls[0] == "begin"
    assert listener.calls[-1] == ("end", 5)
    assert tf.train.latest_checkpoint(str(tmp_path)) == str(tmp_path / "model.ckpt-5")
    assert (tmp_path / "graph.pbtxt").exists()
    metas = {p.name: p.read_bytes() for p in tmp_path.glob("*.meta")}
    assert sorted(metas) == [f"model.ckpt-{n}.meta" for n in (0, 2, 4, 5)]
    assert len(set(metas.values())) == 1
    with tf.Graph().as_default(), tf.Session() as session:
        again = tf.train.import_meta_graph(str(tmp_path / "model.ckpt-5.meta"))
        again.restore(session, str(tmp_path / "model.ckpt-5"))
        assert session.run("global_step:0") == 5


def test_a_listener_stops_the_training(tmp_path: Path) -> None:
    _, add = counter()
    saver = tf.train.CheckpointSaverHook(
        str(tmp_path), save_steps=2, scaffold=tf.train.Scaffold(saver=tf.train.Saver()),
        listeners=[Listener(stop_at=4)],
    )  # fmt: skip
    assert run_all(add, [saver]) == 4


def test_checkpoint_saver_needs_one_saver(tmp_path: Path) -> None:
    counter()
    with pytest.raises(ValueError, match="You cannot provide both saver and scaffold"):
        tf.train.CheckpointSaverHook(
            str(tmp_path), 1, saver=tf.train.Saver(), scaffold=tf.train.Scaffold()
        )
    with pytest.raises(ValueError, match="Either every_secs or every_steps"):
        tf.train.CheckpointSaverHook(str(tmp_path))


def test_step_counter_writes_and_logs(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    _, add = counter()
    hook = tf.train.StepCounterHook(every_n_steps=2, output_dir=str(tmp_path))
    run_all(add, [hook, tf.train.StopAtStepHook(last_step=6)])
    tf.summary.FileWriterCache.clear()
    assert len(texts(log, "global_step/sec: ")) == 2
    found = summaries_of(tmp_path)
    assert [(s, t) for s, t, _ in found] == [(3, "global_step/sec"), (5, "global_step/sec")]
    assert all(rate > 0 for _, _, rate in found)


def test_step_counter_warns_where_nothing_counts(log: pytest.LogCaptureFixture) -> None:
    counter()
    still = tf.constant(1.0)
    with tf.train.MonitoredSession(hooks=[tf.train.StepCounterHook()]) as session:
        for _ in range(3):
            session.run(still)
    assert len(texts(log, "It seems that global step")) == 1


def test_summaries_every_n_steps(tmp_path: Path) -> None:
    step, add = counter()
    merged = tf.summary.scalar("twice", tf.cast(step, tf.float32) * 2)
    hook = tf.train.SummarySaverHook(save_steps=3, output_dir=str(tmp_path), summary_op=merged)
    run_all(add, [hook, tf.train.StopAtStepHook(last_step=8)])
    tf.summary.FileWriterCache.clear()
    assert summaries_of(tmp_path) == [(1, "twice", 0.0), (4, "twice", 6.0), (7, "twice", 12.0)]


def test_summaries_of_a_scaffold_or_an_op() -> None:
    with pytest.raises(ValueError, match="Exactly one of scaffold or summary_op"):
        tf.train.SummarySaverHook(save_steps=1)


def test_values_come_back_in_the_hooks_structure() -> None:
    seen: list[Any] = []

    class Watch(tf.train.SessionRunHook):
        def before_run(self, run_context: Any) -> Any:
            assert run_context.original_args.fetches is product
            return tf.train.SessionRunArgs({"a": a, "pair": [a, product]})

        def after_run(self, run_context: Any, run_values: Any) -> None:
            seen.append(run_values.results)

    a = tf.constant(np.float32(3.0))
    product = a * 2
    with tf.train.MonitoredSession(hooks=[Watch()]) as session:
        assert session.run(product) == 6.0
    assert seen == [{"a": 3.0, "pair": [3.0, 6.0]}]


def test_profiles_are_timelines(tmp_path: Path) -> None:
    _, add = counter()
    hook = tf.train.ProfilerHook(save_steps=2, output_dir=str(tmp_path))
    run_all(add, [hook, tf.train.StopAtStepHook(last_step=5)])
    found = sorted(p.name for p in tmp_path.glob("timeline-*.json"))
    assert found == ["timeline-2.json", "timeline-4.json"]
    trace = json.loads((tmp_path / "timeline-4.json").read_text())
    assert trace["traceEvents"]
