"""What a hook is: tf.train.SessionRunHook and the objects that its methods are given.

Lives here: SessionRunHook, SessionRunArgs, SessionRunContext, SessionRunValues. Not here: the
hooks that tf.train has (session_hooks_basic.py, session_hooks_save.py), the sessions that call
them (monitored_session.py). Imports nothing of graphc.
"""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["SessionRunArgs", "SessionRunContext", "SessionRunHook", "SessionRunValues"]


class SessionRunArgs(NamedTuple):
    """What a hook adds to a run (tf.train.SessionRunArgs).

    Attributes:
        fetches: a tensor, op, name or nested structure of them. feed_dict: values to feed.
        options: a RunOptions, merged with those of the run.
    """

    fetches: Any
    feed_dict: Any = None
    options: Any = None


class SessionRunValues(NamedTuple):
    """What a run gave to one hook (tf.train.SessionRunValues).

    Attributes:
        results: the values of the hook's fetches, in their structure; None where it had none.
        options: the RunOptions of the run. run_metadata: its RunMetadata.
    """

    results: Any
    options: Any
    run_metadata: Any


class SessionRunContext:
    """The run that a hook is called for (tf.train.SessionRunContext)."""

    def __init__(self, original_args: SessionRunArgs, session: Any) -> None:
        self._original_args = original_args
        self._session = session
        self._stop_requested = False

    @property
    def original_args(self) -> SessionRunArgs:
        """The arguments of the user's own call of run."""
        return self._original_args

    @property
    def session(self) -> Any:
        """The session below: runs of it call no hooks."""
        return self._session

    @property
    def stop_requested(self) -> bool:
        return self._stop_requested

    def request_stop(self) -> None:
        """The session's should_stop() is True from here on."""
        self._stop_requested = True


class SessionRunHook:
    """Called around the runs of a MonitoredSession (tf.train.SessionRunHook).

    The order: begin (the graph may still grow), after_create_session, then for each run
    before_run and after_run, and end where no error came before it.
    """

    def begin(self) -> None:
        """Before the session is made: ops may be added to the default graph."""

    def after_create_session(self, session: Any, coord: Any) -> None:
        """After a session has been made, also after a failure; the graph is finalized."""

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs | None:
        """Before each run: what to add to it, or None."""
        return None

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        """After each run that raised no error."""

    def end(self, session: Any) -> None:
        """When the session closes without an error other than the end of the input."""
