"""tf.train.Supervisor: prepares a session and keeps services running beside it.

Lives here: Supervisor and its threads for summaries, steps a second and checkpoints. Not here: how
a session is prepared (session_manager.py), Coordinator. MonitoredTrainingSession is newer.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from graphc.errors import AbortedError
from graphc.interop.messages import SessionLog, Summary
from graphc.ir.graph import Graph, GraphKeys, get_default_graph
from graphc.tf1 import api_state, summary
from graphc.tf1 import session_manager as managers
from graphc.tf1.coordinator import Coordinator, LooperThread
from graphc.tf1.file_writer import FileWriter
from graphc.tf1.saver import Saver
from graphc.tf1.session_hooks_save import write_graph_text

__all__ = ["Supervisor", "basic_train_loop"]

_log = logging.getLogger("tensorflow")
USE_DEFAULT: Any = 0


class Supervisor:
    """Restores or initialises a session, writes summaries and checkpoints beside it.

    The graph is finalized when the Supervisor is made.

    Args:
        graph: default the default graph. logdir: where summaries and checkpoints go; None writes
            nothing.
        init_op, local_init_op, ready_op, ready_for_local_init_op, summary_op, saver, global_step,
            summary_writer: None for none; by default what the graph's collections hold, else the
            usual ones. init_fn: called with the session after init_op.
        save_summaries_secs, save_model_secs: 0 starts no such thread.
        is_chief: False waits for variables instead of initialising them, and writes nothing.
    """

    USE_DEFAULT = USE_DEFAULT

    def __init__(
        self,
        graph: Graph | None = None,
        ready_op: Any = USE_DEFAULT,
        ready_for_local_init_op: Any = USE_DEFAULT,
        is_chief: bool = True,
        init_op: Any = USE_DEFAULT,
        init_feed_dict: Mapping[Any, Any] | None = None,
        local_init_op: Any = USE_DEFAULT,
        logdir: Any = None,
        summary_op: Any = USE_DEFAULT,
        saver: Any = USE_DEFAULT,
        global_step: Any = USE_DEFAULT,
        save_summaries_secs: float | None = 120,
        save_model_secs: float | None = 600,
        recovery_wait_secs: float = 30,
        stop_grace_secs: float = 120,
        checkpoint_basename: str = "model.ckpt",
        session_manager: Any = None,
        summary_writer: Any = USE_DEFAULT,
        init_fn: Callable[[Any], Any] | None = None,
        local_init_run_options: Any = None,
    ) -> None:
        self._graph = graph or get_default_graph()
        self._is_chief = is_chief
        self._init_feed_dict = init_feed_dict
        self._init_fn = init_fn
        with self._graph.as_default():
            self._find_ops(
                init_op, local_init_op, ready_op, ready_for_local_init_op, summary_op, saver,
                global_step,
            )  # fmt: skip
        self._coord = Coordinator()
        self._recovery_wait_secs = recovery_wait_secs
        self._stop_grace_secs = stop_grace_secs
        self._local_init_run_options = local_init_run_options
        self._logdir: str | None = None
        self._save_path: str | None = None
        self._save_model_secs = save_model_secs if is_chief else None
        self._save_summaries_secs = save_summaries_secs if is_chief else None
        self._summary_writer: Any = None
        if is_chief:
            self._init_directory(logdir, checkpoint_basename, summary_writer)
        self._graph_added_to_summary = False
        self._writer_open = self._summary_writer is not None
        self._session_manager = session_manager or self._default_manager()
        self._graph.finalize()

    # ------------------------------------------------------------ what it needs
    def _find_ops(
        self, init: Any, local_init: Any, ready: Any, ready_local: Any, merged: Any, saver: Any,
        step: Any,
    ) -> None:  # fmt: skip
        """Each op as given, or that of its collection, or the usual one."""
        keys, usual = GraphKeys, managers
        self._ready_op = self._one(ready, keys.READY_OP, usual.default_ready_op)
        self._ready_for_local_init_op = (
            self._first(keys.READY_FOR_LOCAL_INIT_OP)
            if ready_local is USE_DEFAULT
            else ready_local
        )
        self._init_op = self._one(init, keys.INIT_OP, usual.default_init_op)
        self._local_init_op = self._one(
            local_init, keys.LOCAL_INIT_OP, usual.default_local_init_op
        )
        if self._local_init_op is None:
            self._ready_for_local_init_op = None
        self._saver = self._one(saver, keys.SAVERS, _saver_of_all)
        self._summary_op = self._one(merged, keys.SUMMARY_OP, summary.merge_all)
        self._global_step = self._one(step, keys.GLOBAL_STEP, api_state.get_global_step)

    def _one(self, given: Any, key: str, make: Callable[[], Any]) -> Any:
        if given is not USE_DEFAULT:
            return given
        found = self._first(key)
        if found is None:
            found = make()
            if found is not None:
                self._graph.add_to_collection(key, found)
        return found

    def _first(self, key: str) -> Any:
        found = self._graph.get_collection(key)
        if len(found) > 1:
            _log.info("Found %d %s operations. Returning the first one.", len(found), key)
        return found[0] if found else None

    def _init_directory(self, logdir: Any, basename: str, writer: Any) -> None:
        """Where checkpoints and summaries go."""
        self._logdir = None if logdir is None else os.fspath(logdir)
        if self._logdir:
            # as text: "./" in front stays in the state file
            self._save_path = os.path.join(self._logdir, basename)  # noqa: PTH118
        self._summary_writer = writer
        if writer is USE_DEFAULT:
            self._summary_writer = FileWriter(self._logdir) if self._logdir else None

    def _default_manager(self) -> managers.SessionManager:
        return managers.SessionManager(
            local_init_op=self._local_init_op,
            ready_op=self._ready_op,
            ready_for_local_init_op=self._ready_for_local_init_op,
            graph=self._graph,
            recovery_wait_secs=self._recovery_wait_secs,
            local_init_run_options=self._local_init_run_options,
        )

    is_chief = property(lambda self: self._is_chief)
    session_manager = property(lambda self: self._session_manager)
    coord = property(lambda self: self._coord)
    init_op = property(lambda self: self._init_op)
    init_feed_dict = property(lambda self: self._init_feed_dict)
    ready_op = property(lambda self: self._ready_op)
    ready_for_local_init_op = property(lambda self: self._ready_for_local_init_op)
    summary_writer = property(lambda self: self._summary_writer)
    summary_op = property(lambda self: self._summary_op)
    save_summaries_secs = property(lambda self: self._save_summaries_secs)
    global_step = property(lambda self: self._global_step)
    saver = property(lambda self: self._saver)
    save_model_secs = property(lambda self: self._save_model_secs)
    save_path = property(lambda self: self._save_path)

    # ------------------------------------------------------------ sessions
    def prepare_or_wait_for_session(
        self,
        master: str = "",
        config: Any = None,
        wait_for_checkpoint: bool = False,
        max_wait_secs: float = 7200,
        start_standard_services: bool = True,
    ) -> Any:
        """A session that is ready; its services and queues are running.

        Raises:
            RuntimeError: variables that nothing initialises.
        """
        # a Supervisor may be used again after stop
        self._coord.clear_stop()
        if self._summary_writer is not None:
            self._summary_writer.reopen()
            self._writer_open = True
        if not self._is_chief:
            session = self._session_manager.wait_for_session(
                master, config=config, max_wait_secs=max_wait_secs
            )
        else:
            session = self._session_manager.prepare_session(
                master, init_op=self._init_op, saver=self._saver, checkpoint_dir=self._logdir,
                wait_for_checkpoint=wait_for_checkpoint, max_wait_secs=max_wait_secs,
                config=config, init_feed_dict=self._init_feed_dict, init_fn=self._init_fn,
            )  # fmt: skip
            self._write_graph()
            if start_standard_services:
                _log.info("Starting standard services.")
                self.start_standard_services(session)
        if start_standard_services:
            _log.info("Starting queue runners.")
            self.start_queue_runners(session)
        return session

    def _write_graph(self) -> None:
        if self._logdir:
            write_graph_text(self._graph, self._logdir)
        if self._summary_writer is not None and not self._graph_added_to_summary:
            self._summary_writer.add_graph(self._graph)
            self._graph_added_to_summary = True

    @contextlib.contextmanager
    def managed_session(
        self,
        master: str = "",
        config: Any = None,
        start_standard_services: bool = True,
        close_summary_writer: bool = True,
    ) -> Iterator[Any]:
        """A session that is prepared at the start and stopped and closed at the end.

        An exception of the block or of a thread is raised at the end; the end of the input
        (OutOfRangeError) is none.
        """
        session: Any = None
        try:
            session = self.prepare_or_wait_for_session(
                master, config, start_standard_services=start_standard_services
            )
            yield session
        except Exception as err:
            self.request_stop(err)
        finally:
            try:
                self.stop(close_summary_writer=close_summary_writer)
            finally:
                if session is not None:
                    session.close()

    # ------------------------------------------------------------ services
    def start_standard_services(self, sess: Any) -> list[LooperThread] | None:
        """Starts the threads that write summaries, steps a second and checkpoints.

        Raises:
            RuntimeError: this is not the chief.
        """
        if not self._is_chief:
            raise RuntimeError(
                "Only chief supervisor can start standard services. Because only chief "
                "supervisors can write events."
            )
        if not self._logdir:
            _log.warning("Standard services need a 'logdir' passed to the SessionManager")
            return None
        threads: list[LooperThread] = []
        if self._global_step is not None and self._summary_writer is not None:
            # readers drop what an earlier run wrote for later steps
            step = api_state.global_step(sess, self._global_step)
            self._summary_writer.add_session_log(SessionLog(status=SessionLog.START), step)
        if self._save_summaries_secs and self._summary_writer is not None:
            if self._summary_op is not None:
                threads.append(SVSummaryThread(self, sess))
            if self._global_step is not None:
                threads.append(SVStepCounterThread(self, sess))
        if self._saver is not None and self._save_model_secs:
            threads.append(SVTimerCheckpointThread(self, sess))
        for thread in threads:
            thread.start()
        return threads

    def start_queue_runners(
        self, sess: Any, queue_runners: Sequence[Any] | None = None
    ) -> list[Any]:
        """Starts the threads that fill queues: default those of QUEUE_RUNNERS."""
        if queue_runners is None:
            queue_runners = self._graph.get_collection(GraphKeys.QUEUE_RUNNERS)
        threads: list[Any] = []
        for runner in queue_runners:
            threads.extend(
                runner.create_threads(sess, coord=self._coord, daemon=True, start=True)
            )
        return threads

    def loop(
        self,
        timer_interval_secs: float | None,
        target: Callable[..., Any],
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> LooperThread:
        """A started thread that calls `target` every so many seconds until it is stopped."""
        looper = LooperThread(
            self._coord, timer_interval_secs, target=target, args=args, kwargs=kwargs
        )
        looper.start()
        return looper

    def stop(
        self,
        threads: Any = None,
        close_summary_writer: bool = True,
        ignore_live_threads: bool = False,
    ) -> None:
        """Stops the threads and waits for them; the session stays open.

        Raises:
            the exception that made a thread stop. RuntimeError: threads that do not end.
        """
        self._coord.request_stop()
        try:
            self._coord.join(
                threads,
                stop_grace_period_secs=self._stop_grace_secs,
                ignore_live_threads=ignore_live_threads,
            )
        finally:
            if close_summary_writer and self._writer_open:
                self._summary_writer.add_session_log(SessionLog(status=SessionLog.STOP))
                self._summary_writer.close()
                self._writer_open = self._graph_added_to_summary = False

    def request_stop(self, ex: Any = None) -> None:
        """Asks the threads to stop; `ex` is raised by stop()."""
        self._coord.request_stop(ex=ex)

    def should_stop(self) -> bool:
        return self._coord.should_stop()

    def stop_on_exception(self) -> Any:
        """A context manager that turns an exception into a request to stop."""
        return self._coord.stop_on_exception()

    def wait_for_stop(self) -> None:
        """Waits until a stop is requested."""
        self._coord.wait_for_stop()

    def summary_computed(self, sess: Any, summary: Any, global_step: Any = None) -> None:
        """Writes a summary, at the step of `sess` unless one is given.

        Raises:
            RuntimeError: there is no summary writer.
        """
        if self._summary_writer is None:
            raise RuntimeError("Writing a summary requires a summary writer.")
        if global_step is None and self._global_step is not None:
            global_step = api_state.global_step(sess, self._global_step)
        self._summary_writer.add_summary(summary, global_step)

    # older names
    PrepareSession = prepare_or_wait_for_session
    StartQueueRunners = start_queue_runners
    StartStandardServices = start_standard_services
    Stop = stop
    RequestStop = request_stop
    Loop = loop
    ShouldStop = should_stop
    StopOnException = stop_on_exception
    WaitForStop = wait_for_stop
    SummaryComputed = summary_computed


def _saver_of_all() -> Saver | None:
    return Saver() if api_state.global_variables() else None


def basic_train_loop(
    supervisor: Supervisor,
    train_step_fn: Callable[..., Any],
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    master: str = "",
) -> None:
    """Calls train_step_fn(session, *args, **kwargs) until the supervisor should stop.

    A session that is aborted is made again, from the last checkpoint.
    """
    while True:
        try:
            with supervisor.managed_session(master) as session:
                while not supervisor.should_stop():
                    train_step_fn(session, *(args or ()), **(kwargs or {}))
            return
        except AbortedError:
            _log.info("Session was aborted: a new one goes on from the last checkpoint.")


# ------------------------------------------------------------------ threads
class SVSummaryThread(LooperThread):
    """Writes the summaries every save_summaries_secs."""

    def __init__(self, sv: Supervisor, sess: Any) -> None:
        super().__init__(sv.coord, sv.save_summaries_secs)
        self._sv = sv
        self._sess = sess

    def run_loop(self) -> None:
        fetches = {"summary": self._sv.summary_op}
        if self._sv.global_step is not None:
            fetches["step"] = self._sv.global_step
        got = self._sess.run(fetches)
        if self._sv.summary_writer is not None:
            _log.info("Recording summary at step %s.", got.get("step"))
            self._sv.summary_writer.add_summary(got["summary"], got.get("step"))


class SVStepCounterThread(LooperThread):
    """Writes how many steps a second the training makes."""

    def __init__(self, sv: Supervisor, sess: Any, step_counter: Any = None) -> None:
        super().__init__(sv.coord, sv.save_summaries_secs)
        self._sv = sv
        self._sess = sess
        self._step_counter = sv.global_step if step_counter is None else step_counter
        self._summary_tag = f"{self._step_counter.op.name}/sec"
        self._last_time, self._last_step = 0.0, 0

    def start_loop(self) -> None:
        self._last_time = time.time()
        self._last_step = api_state.global_step(self._sess, self._step_counter)

    def run_loop(self) -> None:
        now, step = time.time(), api_state.global_step(self._sess, self._step_counter)
        elapsed = now - self._last_time
        rate = (step - self._last_step) / elapsed if elapsed > 0 else float("inf")
        self._last_time, self._last_step = now, step
        if self._sv.summary_writer is not None:
            value = Summary.Value(tag=self._summary_tag, simple_value=rate)
            self._sv.summary_writer.add_summary(Summary(value=[value]), step)
        _log.info("%s: %g", self._summary_tag, rate)


class SVTimerCheckpointThread(LooperThread):
    """Saves a checkpoint every save_model_secs."""

    def __init__(self, sv: Supervisor, sess: Any) -> None:
        super().__init__(sv.coord, sv.save_model_secs)
        self._sv = sv
        self._sess = sess

    def run_loop(self) -> None:
        _log.info("Saving checkpoint to path %s", self._sv.save_path)
        self._sv.saver.save(
            self._sess, self._sv.save_path, global_step=self._sv.global_step
        )
        if self._sv.summary_writer is not None and self._sv.global_step is not None:
            step = api_state.global_step(self._sess, self._sv.global_step)
            log = SessionLog(
                status=SessionLog.CHECKPOINT, checkpoint_path=self._sv.save_path
            )
            self._sv.summary_writer.add_session_log(log, step)
