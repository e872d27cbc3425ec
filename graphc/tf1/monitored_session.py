"""MonitoredSession: a session that prepares itself, calls hooks and recovers.

Lives here: MonitoredTrainingSession, MonitoredSession, SingularMonitoredSession. Not here: the
layers of which they are made (session_layers.py), hooks (session_hooks*.py), how the innermost
session is made (session_scaffold.py, session_manager.py).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from graphc.errors import OutOfRangeError
from graphc.ir.graph import GraphKeys, get_default_graph
from graphc.tf1.session_hooks_save import CheckpointSaverHook, StepCounterHook, SummarySaverHook
from graphc.tf1.session_layers import (
    CoordinatedSession,
    HookedSession,
    Hooks,
    RecoverableSession,
    StepContext,
)
from graphc.tf1.session_scaffold import (
    ChiefSessionCreator,
    Scaffold,
    SessionCreator,
    WorkerSessionCreator,
)

__all__ = ["MonitoredSession", "MonitoredTrainingSession", "SingularMonitoredSession"]

USE_DEFAULT: Any = object()


def MonitoredTrainingSession(
    master: str = "",
    is_chief: bool = True,
    checkpoint_dir: Any = None,
    scaffold: Scaffold | None = None,
    hooks: Hooks | None = None,
    chief_only_hooks: Hooks | None = None,
    save_checkpoint_secs: Any = USE_DEFAULT,
    save_summaries_steps: Any = USE_DEFAULT,
    save_summaries_secs: Any = USE_DEFAULT,
    config: Any = None,
    stop_grace_period_secs: float = 120,
    log_step_count_steps: int | None = 100,
    max_wait_secs: float = 7200,
    save_checkpoint_steps: Any = USE_DEFAULT,
    summary_dir: Any = None,
    save_graph_def: bool = True,
) -> MonitoredSession:
    """A MonitoredSession with the usual hooks of training (tf.train.MonitoredTrainingSession).

    Args:
        checkpoint_dir: restored from, saved to, and where summaries go unless summary_dir is
            given. save_checkpoint_secs, save_checkpoint_steps: default 600 seconds; None or 0
            for none. save_summaries_steps, save_summaries_secs: default 100 steps.
        scaffold: what prepares the session. hooks: called in it; chief_only_hooks: before those.
        log_step_count_steps: how often to log steps a second.
        is_chief: False waits for variables instead of initialising them.

    Raises:
        RuntimeError: checkpoint_dir without a global step in the graph.
    """
    summaries = _interval(save_summaries_steps, save_summaries_secs, (100, None))
    checkpoints = _interval(save_checkpoint_steps, save_checkpoint_secs, (None, 600))
    scaffold = scaffold or Scaffold()
    if not is_chief:
        worker = WorkerSessionCreator(scaffold, master, config, max_wait_secs)
        return MonitoredSession(worker, hooks or [], stop_grace_period_secs)
    creator = ChiefSessionCreator(scaffold, master, config, checkpoint_dir)
    all_hooks = list(chief_only_hooks or ())
    folder = summary_dir or checkpoint_dir
    if folder:
        all_hooks += _summary_hooks(folder, scaffold, log_step_count_steps, summaries)
    if checkpoint_dir and _wanted(checkpoints):
        steps, seconds = checkpoints
        all_hooks.append(
            CheckpointSaverHook(
                checkpoint_dir, save_steps=steps, save_secs=seconds, scaffold=scaffold,
                save_graph_def=save_graph_def,
            )  # fmt: skip
        )
    all_hooks.extend(hooks or ())
    return MonitoredSession(creator, all_hooks, stop_grace_period_secs)


def _summary_hooks(
    folder: Any, scaffold: Scaffold, log_steps: int | None, interval: tuple[Any, Any]
) -> list[Any]:
    """What writes steps a second, and the scaffold's summaries."""
    hooks: list[Any] = []
    if log_steps and log_steps > 0:
        hooks.append(StepCounterHook(log_steps, output_dir=folder))
    if _wanted(interval):
        hooks.append(SummarySaverHook(*interval, output_dir=folder, scaffold=scaffold))
    return hooks


def _interval(steps: Any, seconds: Any, default: tuple[Any, Any]) -> tuple[Any, Any]:
    """(steps, seconds): the default where neither is given, else None for the other."""
    if steps is USE_DEFAULT and seconds is USE_DEFAULT:
        return default
    return (
        None if steps is USE_DEFAULT else steps,
        None if seconds is USE_DEFAULT else seconds,
    )


def _wanted(interval: tuple[Any, Any]) -> bool:
    return any(value is not None and value > 0 for value in interval)


# ------------------------------------------------------------------ what users make
class _CoordinatedSessionCreator(SessionCreator):
    """Makes the session, starts its queues and tells the hooks."""

    def __init__(
        self, session_creator: Any, hooks: Hooks, stop_grace_period_secs: float
    ) -> None:
        self._session_creator = session_creator
        self._hooks = hooks
        self._stop_grace_period_secs = stop_grace_period_secs
        self.coord: Any = None
        self.tf_sess: Any = None

    def create_session(self) -> Any:
        from graphc.tf1.coordinator import Coordinator

        self.tf_sess = self._session_creator.create_session()
        # no exception is a clean stop here: each is raised by the next run
        self.coord = Coordinator(clean_stop_exception_types=[])
        if get_default_graph().get_collection(GraphKeys.QUEUE_RUNNERS):
            from graphc.tf1.queue_runner import start_queue_runners

            start_queue_runners(sess=self.tf_sess, coord=self.coord)
        for hook in self._hooks:
            hook.after_create_session(self.tf_sess, self.coord)
        hooked = HookedSession(self.tf_sess, self._hooks)
        return CoordinatedSession(hooked, self.coord, self._stop_grace_period_secs)


class _MonitoredSession:
    """What MonitoredSession and SingularMonitoredSession share."""

    StepContext = StepContext

    def __init__(
        self,
        session_creator: Any,
        hooks: Hooks | None,
        should_recover: bool,
        stop_grace_period_secs: float = 120,
    ) -> None:
        self._graph_was_finalized = get_default_graph().finalized
        self._hooks = list(hooks or ())
        for hook in self._hooks:
            hook.begin()
        self._coordinated_creator = _CoordinatedSessionCreator(
            session_creator or ChiefSessionCreator(), self._hooks, stop_grace_period_secs
        )
        self._sess: Any = (
            RecoverableSession(self._coordinated_creator)
            if should_recover
            else self._coordinated_creator.create_session()
        )

    @property
    def graph(self) -> Any:
        """The session's graph, or None when it is closed."""
        session = self._tf_sess()
        return None if session is None else session.graph

    def run(
        self,
        fetches: Any,
        feed_dict: Mapping[Any, Any] | None = None,
        options: Any = None,
        run_metadata: Any = None,
    ) -> Any:
        """As Session.run, with the hooks around it.

        Raises:
            RuntimeError: should_stop() is True already.
        """
        return self._sess.run(
            fetches, feed_dict=feed_dict, options=options, run_metadata=run_metadata
        )

    def run_step_fn(self, step_fn: Callable[..., Any]) -> Any:
        """What `step_fn(step_context)` returns: it runs the raw session or one with hooks.

        Raises:
            StopIteration: step_fn has requested a stop; the `with` block ends with it.
            ValueError: step_fn has other arguments.
        """
        names = tuple(inspect.signature(step_fn).parameters)
        if names not in (("step_context",), ("self", "step_context")):
            raise ValueError(
                "`step_fn` may either have one `step_context` argument, or `self` and "
                f"`step_context` arguments if it's an instance method. Got {names} instead."
            )
        return self._sess.run_step_fn(step_fn, self._tf_sess(), run_with_hooks=None)

    def should_stop(self) -> bool:
        """Whether the loop should end: a hook or a thread asked for it, or it is closed."""
        return self._sess is None or bool(self._sess.should_stop())

    def close(self) -> None:
        """Calls the hooks' end and closes the session.

        Raises:
            RuntimeError: "Session is already closed."
        """
        self._close_internal()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> bool:
        # the end of the input is how a training ends
        clean = kind is None or kind in (OutOfRangeError, StopIteration)
        self._close_internal(None if clean else kind)
        return clean

    def _close_internal(self, kind: Any = None) -> None:
        try:
            if kind is None:
                for hook in self._hooks:
                    hook.end(self._coordinated_creator.tf_sess)
        finally:
            try:
                if self._sess is None:
                    raise RuntimeError("Session is already closed.")
                self._sess.close()
            finally:
                self._sess = None
                self._coordinated_creator.tf_sess = None
                self._coordinated_creator.coord = None
                if not self._graph_was_finalized:
                    get_default_graph()._unsafe_unfinalize()

    def _is_closed(self) -> bool:
        return self._coordinated_creator.tf_sess is None

    def _tf_sess(self) -> Any:
        """The tf.Session inside."""
        return self._coordinated_creator.tf_sess


class MonitoredSession(_MonitoredSession):
    """Prepares itself, calls hooks, and goes on in a new session after an abortion.

    As a context manager it closes at the end and keeps the end of the input (OutOfRangeError,
    StopIteration) to itself. The default graph is finalized while it is open.

    Args:
        session_creator: default ChiefSessionCreator(). hooks: SessionRunHooks.
    """

    def __init__(
        self,
        session_creator: Any = None,
        hooks: Hooks | None = None,
        stop_grace_period_secs: float = 120,
    ) -> None:
        super().__init__(session_creator, hooks, True, stop_grace_period_secs)


class SingularMonitoredSession(_MonitoredSession):
    """A MonitoredSession that does not recover (tf.train.SingularMonitoredSession).

    Args:
        hooks, scaffold, master, config, checkpoint_dir, checkpoint_filename_with_path: of the
        hooks and the ChiefSessionCreator.
    """

    def __init__(
        self,
        hooks: Hooks | None = None,
        scaffold: Scaffold | None = None,
        master: str = "",
        config: Any = None,
        checkpoint_dir: Any = None,
        stop_grace_period_secs: float = 120,
        checkpoint_filename_with_path: Any = None,
    ) -> None:
        creator = ChiefSessionCreator(
            scaffold, master, config, checkpoint_dir, checkpoint_filename_with_path
        )
        super().__init__(creator, hooks, False, stop_grace_period_secs)

    def raw_session(self) -> Any:
        """The tf.Session inside."""
        return self._tf_sess()
