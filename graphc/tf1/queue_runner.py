"""Threads that fill queues: tf.train.QueueRunner, add_queue_runner, start_queue_runners.

Lives here: the runners. Not here: queues (queues.py), Coordinator (coordinator.py), input
pipelines that add runners by themselves (input_producers.py).
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Sequence
from typing import Any

from graphc.errors import UNKNOWN, CancelledError, OpError, OutOfRangeError
from graphc.interop.messages import QueueRunnerDef
from graphc.ir.graph import get_default_graph
from graphc.ir.graph_keys import GraphKeys
from graphc.runtime.queues import ends_with_interpreter, leaving
from graphc.session import BaseSession, get_default_session
from graphc.tf1.coordinator import Coordinator

__all__ = ["QueueRunner", "add_queue_runner", "start_queue_runners"]

_LOG = logging.getLogger("tensorflow")


class QueueRunner:
    """tf.train.QueueRunner: enqueue ops, each run in a loop by a thread of its own.

    Args:
        queue: the queue. enqueue_ops: as many as there shall be threads; one op may repeat.
        close_op: run when the last thread has met the end of its input; default queue.close().
        cancel_op: run when the coordinator stops; default queue.close(True).
        queue_closed_exception_types: errors that tell the end of the input; default
            OutOfRangeError.

        queue_runner_def: all of these from a QueueRunnerDef instead, whose names lie below
            import_scope.

    Raises:
        ValueError: no queue or no ops, or both they and a QueueRunnerDef. TypeError: types that
        are no errors. KeyError: the graph has no op of a name.
    """

    def __init__(
        self,
        queue: Any = None,
        enqueue_ops: Sequence[Any] | None = None,
        close_op: Any = None,
        cancel_op: Any = None,
        queue_closed_exception_types: Sequence[type[BaseException]] | None = None,
        queue_runner_def: QueueRunnerDef | None = None,
        import_scope: str | None = None,
    ) -> None:
        if queue_runner_def is not None:
            if queue or enqueue_ops:
                raise ValueError(
                    "queue_runner_def and queue are mutually exclusive."
                )
            queue, enqueue_ops, close_op, cancel_op, queue_closed_exception_types = _parts_of(
                queue_runner_def, import_scope
            )
        if not queue or not enqueue_ops:
            raise ValueError("Must provide queue and enqueue_ops.")
        ends = (OutOfRangeError,) if queue_closed_exception_types is None else (
            queue_closed_exception_types
        )
        if not isinstance(ends, tuple) or not ends or not all(map(_is_error, ends)):
            raise TypeError(
                "queue_closed_exception_types, when provided, must be a tuple of tf.error types, "
                f"but saw: {ends}"
            )
        self._queue = queue
        self._enqueue_ops = list(enqueue_ops)
        self._close_op = queue.close() if close_op is None else close_op
        self._cancel_op = (
            queue.close(cancel_pending_enqueues=True) if cancel_op is None else cancel_op
        )
        self._ends = ends
        self._lock = threading.Lock()
        # how many threads fill the queue in each session
        self._running: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        self._exceptions_raised: list[BaseException] = []

    # ------------------------------------------------------------ what it is
    @property
    def queue(self) -> Any:
        return self._queue

    @property
    def enqueue_ops(self) -> list[Any]:
        return self._enqueue_ops

    @property
    def close_op(self) -> Any:
        return self._close_op

    @property
    def cancel_op(self) -> Any:
        return self._cancel_op

    @property
    def queue_closed_exception_types(self) -> tuple[type[BaseException], ...]:
        return self._ends

    @property
    def exceptions_raised(self) -> list[BaseException]:
        """Errors of threads without a coordinator; with one they are raised by its join."""
        return self._exceptions_raised

    @property
    def name(self) -> str:
        """The name of the queue."""
        return str(self._queue.name)

    def to_proto(self, export_scope: str | None = None) -> QueueRunnerDef | None:
        """The names of the ops as a QueueRunnerDef; None where the queue is outside the scope."""
        prefix = f"{export_scope}/" if export_scope else ""
        if not self.name.startswith(prefix):
            return None
        codes = [getattr(kind, "code_number", UNKNOWN) for kind in self._ends]
        return QueueRunnerDef(
            queue_name=self.name[len(prefix) :],
            enqueue_op_name=[op.name[len(prefix) :] for op in self._enqueue_ops],
            close_op_name=self._close_op.name[len(prefix) :],
            cancel_op_name=self._cancel_op.name[len(prefix) :],
            queue_closed_exception_types=codes,
        )

    @staticmethod
    def from_proto(
        queue_runner_def: QueueRunnerDef, import_scope: str | None = None
    ) -> QueueRunner:
        """The runner that `to_proto` wrote, of the default graph's ops."""
        return QueueRunner(queue_runner_def=queue_runner_def, import_scope=import_scope)

    # ------------------------------------------------------------ threads
    def create_threads(
        self, sess: Any, coord: Any = None, daemon: bool = False, start: bool = False
    ) -> list[threading.Thread]:
        """Threads that run the enqueue ops in `sess`, and one that stops them with `coord`.

        Returns:
            The threads; none where this session's threads are still running.
        """
        with self._lock:
            if self._running.get(sess, 0) > 0:
                return []
            self._running[sess] = len(self._enqueue_ops)
            self._exceptions_raised = []
        prefix = f"QueueRunnerThread-{self.name}"
        threads = [
            threading.Thread(target=self._fill, args=(sess, op, coord), name=f"{prefix}-{op.name}")
            for op in self._enqueue_ops
        ]
        if coord is not None:
            closer = threading.Thread(
                target=self._cancel_on_stop, args=(sess, coord), name=f"{prefix}-close_on_stop"
            )
            threads.append(closer)
        for thread in threads:
            thread.daemon = daemon
            if daemon:
                ends_with_interpreter(thread)
            if coord is not None:
                coord.register_thread(thread)
            if start:
                thread.start()
        return threads

    def _fill(self, sess: Any, enqueue_op: Any, coord: Any) -> None:
        """One thread: runs the op until the input ends, the coordinator stops or it fails."""
        counted = True
        try:
            run = sess.make_callable(enqueue_op)
            while coord is None or not coord.should_stop():
                try:
                    run()
                except self._ends:
                    counted = False
                    self._ended(sess)
                    return
        except Exception as error:
            self._failed(error, coord)
        finally:
            if counted:
                with self._lock:
                    self._running[sess] -= 1

    def _ended(self, sess: Any) -> None:
        """The input of one thread has ended: the last one closes the queue."""
        with self._lock:
            self._running[sess] -= 1
            last = self._running[sess] == 0
        if not last:
            return
        try:
            sess.run(self._close_op)
        except Exception as error:  # the session may have been closed meanwhile
            _LOG.debug("Ignored exception: %s", error)

    def _failed(self, error: Exception, coord: Any) -> None:
        if coord is not None:
            coord.request_stop(error)
            return
        if leaving() and isinstance(error, CancelledError):
            return  # the interpreter ends
        _LOG.error("Exception in QueueRunner: %s", error)
        with self._lock:
            self._exceptions_raised.append(error)
        raise error

    def _cancel_on_stop(self, sess: Any, coord: Any) -> None:
        coord.wait_for_stop()
        try:
            sess.run(self._cancel_op)
        except Exception as error:  # the session may have been closed meanwhile
            _LOG.debug("Ignored exception: %s", error)


def _parts_of(proto: QueueRunnerDef, scope: str | None) -> tuple[Any, ...]:
    """(queue, enqueue ops, close op, cancel op, errors that tell the end) of the default graph."""
    graph, prefix = get_default_graph(), f"{scope}/" if scope else ""

    def find(name: str) -> Any:
        return graph.as_graph_element(prefix + name)

    by_code = {c.code_number: c for c in OpError.__subclasses__()}
    ends = tuple(by_code[c] for c in proto.queue_closed_exception_types if c in by_code)
    puts = [find(name) for name in proto.enqueue_op_name]
    return (
        find(proto.queue_name), puts, find(proto.close_op_name), find(proto.cancel_op_name),
        ends or None,
    )  # fmt: skip


def _is_error(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseException)


def add_queue_runner(qr: QueueRunner, collection: str = GraphKeys.QUEUE_RUNNERS) -> None:
    """Adds a runner to the graph's collection that start_queue_runners looks at."""
    get_default_graph().add_to_collection(collection, qr)


def start_queue_runners(
    sess: Any = None,
    coord: Coordinator | None = None,
    daemon: bool = True,
    start: bool = True,
    collection: str = GraphKeys.QUEUE_RUNNERS,
) -> list[threading.Thread]:
    """Starts the threads of all queue runners of the graph and returns them.

    Args:
        sess: default: the default session. coord: stops the threads, and hears of their errors.

    Raises:
        ValueError: there is no session. TypeError: `sess` is none.
    """
    if sess is None:
        sess = get_default_session()
        if sess is None:
            raise ValueError(
                "Cannot start queue runners: No default session is registered. Use `with "
                "sess.as_default()` or pass an explicit session to "
                "tf.start_queue_runners(sess=sess)"
            )
    if type(sess).__name__ in ("MonitoredSession", "SingularMonitoredSession"):
        return []  # they start the runners themselves
    if not isinstance(sess, BaseSession) and not hasattr(sess, "make_callable"):
        raise TypeError(f"sess must be a `tf.Session` object. Given class: {type(sess)}")
    runners = sess.graph.get_collection(collection)
    if not runners:
        _LOG.warning(
            "`tf.train.start_queue_runners()` was called when no queue runners were defined. You "
            "can safely remove the call to this deprecated function."
        )
    with sess.graph.as_default():
        return [
            thread
            for runner in runners
            for thread in runner.create_threads(sess, coord, daemon, start)
        ]
