"""tf.train.Coordinator, LooperThread and QueueRunner: threads that stop together."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

import pytest

import graphc as tf


def wait_until_stopped(coord: tf.train.Coordinator, turns: list[int]) -> None:
    while not coord.should_stop():
        turns.append(1)
        time.sleep(0.001)


def started(*args: Any, target: Any, **kwargs: Any) -> threading.Thread:
    thread = threading.Thread(target=target, args=args, kwargs=kwargs, daemon=True)
    thread.start()
    return thread


def test_threads_stop_when_one_asks_for_it() -> None:
    coord = tf.train.Coordinator()
    turns: list[int] = []
    threads = [started(coord, turns, target=wait_until_stopped) for _ in range(3)]
    assert not coord.should_stop() and not coord.wait_for_stop(0.01)
    coord.request_stop()
    assert coord.should_stop() and coord.wait_for_stop(0)
    coord.join(threads)
    assert coord.joined and not any(t.is_alive() for t in threads)


def test_join_raises_the_first_error() -> None:
    coord = tf.train.Coordinator()

    def fails(text: str) -> None:
        try:
            raise tf.errors.InvalidArgumentError(None, None, text)
        except tf.errors.InvalidArgumentError as error:
            coord.request_stop(error)

    coord.register_thread(started("first", target=fails))
    coord.wait_for_stop()
    fails("second")
    with pytest.raises(tf.errors.InvalidArgumentError, match="first"):
        coord.raise_requested_exception()
    with pytest.raises(tf.errors.InvalidArgumentError, match="first"):
        coord.join()


def test_the_end_of_the_input_is_no_error() -> None:
    coord = tf.train.Coordinator()
    coord.request_stop(tf.errors.OutOfRangeError(None, None, "end"))
    coord.join()
    coord.raise_requested_exception()
    strict = tf.train.Coordinator(clean_stop_exception_types=())
    strict.request_stop(tf.errors.OutOfRangeError(None, None, "end"))
    with pytest.raises(tf.errors.OutOfRangeError):
        strict.join()
    lenient = tf.train.Coordinator(clean_stop_exception_types=(ValueError,))
    lenient.request_stop(ValueError("no matter"))
    lenient.join()


def test_stop_on_exception_keeps_the_error_for_join() -> None:
    coord = tf.train.Coordinator()
    with coord.stop_on_exception():
        raise RuntimeError("First")
    assert coord.should_stop()
    with pytest.raises(RuntimeError, match="First"):
        coord.join()


def test_exc_info_can_be_given() -> None:
    coord = tf.train.Coordinator()
    try:
        raise KeyError("lost")
    except KeyError:
        coord.request_stop(sys.exc_info())
    with pytest.raises(KeyError, match="lost"):
        coord.join()
    other = tf.train.Coordinator()
    other.request_stop("no exception")
    with pytest.raises(ValueError, match=r"ex must be a tuple or sys[.]exc_info must"):
        other.join()


def test_errors_after_join_are_raised_at_once() -> None:
    coord = tf.train.Coordinator()
    coord.request_stop()
    coord.join()
    coord.request_stop()  # without an error: nothing to say
    with pytest.raises(RuntimeError, match="late"):
        coord.request_stop(RuntimeError("late"))
    coord.clear_stop()
    assert not coord.should_stop() and not coord.joined


def test_threads_that_do_not_end() -> None:
    coord = tf.train.Coordinator()
    release = threading.Event()
    thread = threading.Thread(target=release.wait, name="stubborn", daemon=True)
    thread.start()
    coord.request_stop()
    text = "Coordinator stopped with threads still running: stubborn"
    with pytest.raises(RuntimeError, match=text):
        coord.join([thread], stop_grace_period_secs=0.05)
    coord.clear_stop()
    coord.request_stop()
    coord.join([thread], stop_grace_period_secs=0.05, ignore_live_threads=True)
    release.set()
    thread.join()


def test_looper_thread_calls_its_target_until_stopped() -> None:
    coord = tf.train.Coordinator()
    calls: list[Any] = []

    def call(word: str, number: int = 0) -> None:
        calls.append((word, number))
        if len(calls) == 3:
            coord.request_stop()

    looper = tf.train.LooperThread.loop(coord, 0.01, call, args=("a",), kwargs={"number": 2})
    coord.join()
    assert not looper.is_alive()
    assert calls == [("a", 2)] * 3


class Counting(tf.train.LooperThread):
    seen: list[str]

    def start_loop(self) -> None:
        self.seen = ["start"]

    def run_loop(self) -> None:
        self.seen.append("run")
        raise RuntimeError("enough")

    def stop_loop(self) -> None:
        self.seen.append("stop")


def test_looper_thread_reports_errors() -> None:
    coord = tf.train.Coordinator()
    looper = Counting(coord, None)
    looper.start()
    with pytest.raises(RuntimeError, match="enough"):
        coord.join([looper])
    assert looper.seen == ["start", "run"]
    with pytest.raises(ValueError, match="'coord' argument must be a Coordinator"):
        tf.train.LooperThread(None, 1)
    with pytest.raises(ValueError, match="also pass 'target'"):
        tf.train.LooperThread(coord, 1, args=(1,))


def test_start_queue_runners_needs_a_session() -> None:
    tf.reset_default_graph()
    with pytest.raises(ValueError, match=r"queue runners: No default session"):
        tf.train.start_queue_runners()
    with pytest.raises(TypeError, match=r"sess must be a `tf[.]Session` object"):
        tf.train.start_queue_runners("session")


def test_the_module_of_queue_runners_is_part_of_train() -> None:
    assert tf.train.queue_runner.QueueRunner is tf.train.QueueRunner
    with tf.Graph().as_default() as graph:
        queue = tf.FIFOQueue(3, tf.int32)
        runner = tf.train.queue_runner.QueueRunner(queue, [queue.enqueue(1)])
        tf.train.queue_runner.add_queue_runner(runner, collection="mine")
        assert graph.get_collection("mine") == [runner]


def test_start_queue_runners_without_runners_warns(caplog: Any) -> None:
    with tf.Session(graph=tf.Graph()), caplog.at_level("WARNING", "tensorflow"):
        assert tf.train.start_queue_runners() == []
    assert "when no queue runners were defined" in caplog.text
