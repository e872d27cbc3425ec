"""MonitoredSession, its layers, Scaffold and SessionManager."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import graphc as tf

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def own_graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield
    tf.summary.FileWriterCache.clear()


class Trace(tf.train.SessionRunHook):
    """The names of the methods in the order in which they are called."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def begin(self) -> None:
        self.calls.append("begin")
        # the graph may still grow
        tf.constant(1.0)

    def after_create_session(self, session: Any, coord: Any) -> None:
        assert not coord.should_stop()
        assert session.graph.finalized
        self.calls.append("create")

    def before_run(self, run_context: Any) -> None:
        self.calls.append("before")

    def after_run(self, run_context: Any, run_values: Any) -> None:
        assert run_values.results is None
        self.calls.append("after")

    def end(self, session: Any) -> None:
        self.calls.append("end")


def test_hooks_are_called_in_order() -> None:
    x = tf.constant(2.0)
    trace = Trace()
    with tf.train.MonitoredSession(hooks=[trace]) as session:
        session.run(x)
        session.run(x)
    assert trace.calls == ["begin", "create", "before", "after", "before", "after", "end"]


def test_an_error_skips_the_end() -> None:
    trace = Trace()
    y = tf.placeholder(tf.float32) * 2
    with (
        pytest.raises(tf.errors.InvalidArgumentError, match="You must feed a value"),
        tf.train.MonitoredSession(hooks=[trace]) as session,
    ):
        session.run(y)
    assert trace.calls == ["begin", "create", "before"]


def test_the_graph_is_final_while_the_session_is_open() -> None:
    x = tf.constant(2.0)
    with tf.train.MonitoredSession() as session:
        assert session.graph is tf.get_default_graph()
        with pytest.raises(RuntimeError, match="Graph is finalized and cannot be modified"):
            _ = x * 3
    assert session.graph is None
    assert session.should_stop()
    _ = x * 3
    with pytest.raises(RuntimeError, match="Session is already closed"):
        session.close()


def test_the_end_of_the_input_ends_the_block() -> None:
    item = tf.data.Dataset.range(3).make_one_shot_iterator().get_next()
    got = []
    with tf.train.MonitoredSession() as session:
        while not session.should_stop():
            got.append(int(session.run(item)))
    assert got == [0, 1, 2]


def test_a_stop_that_a_hook_requests() -> None:
    class Stop(tf.train.SessionRunHook):
        def after_run(self, run_context: Any, run_values: Any) -> None:
            run_context.request_stop()

    x = tf.constant(2.0)
    session = tf.train.MonitoredSession(hooks=[Stop()])
    assert not session.should_stop()
    session.run(x)
    assert session.should_stop()
    with pytest.raises(RuntimeError, match="Run called even after should_stop requested"):
        session.run(x)
    session.close()


def test_variables_tables_and_init_fn_are_prepared() -> None:
    v = tf.get_variable("v", initializer=3.0)
    local = tf.get_local_variable("l", initializer=5.0)
    x = tf.placeholder(tf.float32, [])
    set_v = tf.assign(v, x)
    scaffold = tf.train.Scaffold(init_fn=lambda scaffold, sess: sess.run(set_v, {x: 7.0}))
    with tf.train.SingularMonitoredSession(scaffold=scaffold) as session:
        assert session.run([v, local]) == [7.0, 5.0]
        assert isinstance(session.raw_session(), tf.Session)
    assert scaffold.init_op is tf.get_collection(tf.GraphKeys.INIT_OP)[0]
    assert scaffold.saver is tf.get_collection(tf.GraphKeys.SAVERS)[0]


def test_a_scaffold_is_copied_except_for_what_is_given() -> None:
    tf.get_variable("v", initializer=3.0)
    first = tf.train.Scaffold(saver=tf.train.Saver(), init_feed_dict={})
    other = tf.train.Saver(max_to_keep=1)
    second = tf.train.Scaffold(saver=other, copy_from_scaffold=first)
    assert second.saver is other
    assert second.init_feed_dict == {}
    with pytest.raises(TypeError, match="copy_from_scaffold is not a Scaffold instance"):
        tf.train.Scaffold(copy_from_scaffold="x")


def test_variables_that_nothing_initialises_are_named() -> None:
    tf.get_variable("v", initializer=3.0)
    scaffold = tf.train.Scaffold(init_op=tf.no_op())
    with pytest.raises(RuntimeError, match="Variables not initialized: v"):
        tf.train.MonitoredSession(tf.train.ChiefSessionCreator(scaffold))


def test_an_aborted_session_is_made_again_from_the_checkpoint(tmp_path: Path) -> None:
    step = tf.train.get_or_create_global_step()
    add = tf.assign_add(step, 1)

    class Abort(tf.train.SessionRunHook):
        made = 0
        failed = False

        def after_create_session(self, session: Any, coord: Any) -> None:
            self.made += 1

        def before_run(self, run_context: Any) -> Any:
            return tf.train.SessionRunArgs(step)

        def after_run(self, run_context: Any, run_values: Any) -> None:
            if run_values.results == 5 and not self.failed:
                self.failed = True
                raise tf.errors.AbortedError(None, None, "lost")

    abort = Abort()
    with tf.train.MonitoredTrainingSession(
        checkpoint_dir=str(tmp_path),
        save_checkpoint_steps=2,
        hooks=[abort, tf.train.StopAtStepHook(last_step=8)],
    ) as session:
        steps = []
        while not session.should_stop():
            steps.append(int(session.run(add)))
    assert abort.made == 2
    # the sixth run is lost after its checkpoint was written: the new session goes on from it
    assert steps == [1, 2, 3, 4, 5, 7, 8]


def test_run_step_fn() -> None:
    x = tf.placeholder(tf.float32, [])
    y = x + 1
    trace = Trace()

    def step_fn(step_context: Any) -> Any:
        raw = step_context.session.run(y, {x: 1.0})
        if raw > 2:
            step_context.request_stop()
        return step_context.run_with_hooks(y, feed_dict={x: float(raw)})

    def stopping(step_context: Any) -> None:
        step_context.request_stop()

    with tf.train.MonitoredSession(hooks=[trace]) as session:
        assert session.run_step_fn(step_fn) == 3.0
        assert trace.calls.count("before") == 1
        with pytest.raises(ValueError, match="may either have one `step_context` argument"):
            session.run_step_fn(lambda: None)
        session.run_step_fn(stopping)
    assert session.should_stop()


def test_queue_runners_are_started() -> None:
    queue = tf.train.input_producer(tf.constant([1, 2, 3]), num_epochs=2, shuffle=False)
    item = queue.dequeue()
    got = []
    with tf.train.MonitoredSession() as session:
        while not session.should_stop():
            got.append(int(session.run(item)))
    assert got == [1, 2, 3, 1, 2, 3]


def test_session_manager_recovers_or_says_that_it_did_not(tmp_path: Path) -> None:
    v = tf.get_variable("v", initializer=1.0)
    saver = tf.train.Saver()
    manager = tf.train.SessionManager(ready_op=tf.report_uninitialized_variables())
    session, restored = manager.recover_session("", saver, checkpoint_dir=str(tmp_path))
    assert not restored
    session.run(v.initializer)
    session.run(v.assign(4.0))
    saver.save(session, str(tmp_path / "m"))
    session, restored = manager.recover_session("", saver, checkpoint_dir=str(tmp_path))
    assert restored
    assert session.run(v) == 4.0
    path = str(tmp_path / "m")
    session = manager.prepare_session("", saver=saver, checkpoint_filename_with_path=path)
    assert session.run(v) == 4.0
    with pytest.raises(ValueError, match="Can not provide both checkpoint_dir and"):
        manager.prepare_session("", None, saver, str(tmp_path), path)
    with pytest.raises(RuntimeError, match="no init_op or init_fn or local_init_op was given"):
        manager.prepare_session("")
    with pytest.raises(ValueError, match="must also pass a local_init_op"):
        tf.train.SessionManager(ready_for_local_init_op=tf.constant("x"))


def test_waiting_for_another_process_ends(tmp_path: Path) -> None:
    tf.get_variable("v", initializer=1.0)
    manager = tf.train.SessionManager(
        ready_op=tf.report_uninitialized_variables(), recovery_wait_secs=0.01
    )
    with pytest.raises(tf.errors.DeadlineExceededError, match="Session was not ready after"):
        manager.wait_for_session("", max_wait_secs=0.05)


_SCRIPT = """
import sys
import graphc as tf

tf.logging.set_verbosity(tf.logging.INFO)
x = tf.random_normal([32, 3], seed=1)
w = tf.get_variable("w", [3, 1])
loss = tf.reduce_mean(tf.square(tf.matmul(x, w) - tf.reduce_sum(x, 1, keepdims=True)))
step = tf.train.get_or_create_global_step()
train = tf.train.GradientDescentOptimizer(0.1).minimize(loss, global_step=step)
with tf.train.MonitoredTrainingSession(
    checkpoint_dir=sys.argv[1], save_checkpoint_steps=5,
    hooks=[tf.train.StopAtStepHook(last_step=int(sys.argv[2]))],
) as sess:
    first = sess.run(step)
    print("start", first, flush=True)
    while not sess.should_stop():
        value = sess.run([loss, train])[0]
print("loss", value)
"""


def test_a_killed_training_goes_on_where_it_was(tmp_path: Path) -> None:
    def start(last: int) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", _SCRIPT, str(tmp_path), str(last)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "GRAPHC_BACKEND": "reference"},
        )  # fmt: skip

    process = start(10**9)
    try:
        while tf.train.latest_checkpoint(str(tmp_path)) in (None, str(tmp_path / "model.ckpt-0")):
            assert process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    saved = tf.train.latest_checkpoint(str(tmp_path))
    assert saved is not None
    at = int(saved.rpartition("-")[2])
    assert at >= 5
    again = start(at + 7)
    out, _ = again.communicate(timeout=120)
    assert again.returncode == 0
    assert f"start {at}\n" in out
    assert tf.train.latest_checkpoint(str(tmp_path)) == str(tmp_path / f"model.ckpt-{at + 7}")
