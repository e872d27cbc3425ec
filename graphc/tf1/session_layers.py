"""The layers of a MonitoredSession: hooks, a coordinator, recovery.

Lives here: sessions around a session, from the inside: HookedSession, CoordinatedSession,
RecoverableSession. Not here: MonitoredSession itself, which imports them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphc.errors import AbortedError, UnavailableError
from graphc.interop.trace_messages import RunMetadata
from graphc.protos import RunOptions
from graphc.tf1.session_hooks import (
    SessionRunArgs,
    SessionRunContext,
    SessionRunHook,
    SessionRunValues,
)

_log = logging.getLogger("tensorflow")
# errors after which a new session may go on from the last checkpoint
_PREEMPTION_ERRORS = (AbortedError, UnavailableError)
Hooks = Sequence[SessionRunHook]


class WrappedSession:
    """A session around another one; closing it twice is no error."""

    def __init__(self, sess: Any) -> None:
        self._sess = sess

    @property
    def graph(self) -> Any:
        return self._sess.graph

    @property
    def sess_str(self) -> str:
        text: str = self._sess.sess_str
        return text

    def should_stop(self) -> bool:
        """Whether this session should not be used any more; True once it is closed."""
        if self._check_stop() or self._sess is None:
            return True
        return isinstance(self._sess, WrappedSession) and self._sess.should_stop()

    def _check_stop(self) -> bool:
        """The layer's own reason to stop."""
        return False

    def close(self) -> None:
        if self._sess is None:
            return
        try:
            self._sess.close()
        except _PREEMPTION_ERRORS as err:
            _log.error("An error occurred when attempting to close the session: %s", err)
        finally:
            self._sess = None

    def run(self, *args: Any, **kwargs: Any) -> Any:
        return self._sess.run(*args, **kwargs)

    def run_step_fn(
        self, step_fn: Callable[[Any], Any], raw_session: Any, run_with_hooks: Any
    ) -> Any:
        return step_fn(StepContext(raw_session, run_with_hooks or self.run))


class RecoverableSession(WrappedSession):
    """Makes a new session where a run says that the old one was aborted."""

    def __init__(self, sess_creator: Any) -> None:
        self._sess_creator = sess_creator
        super().__init__(self._create_session())

    def _create_session(self) -> Any:
        while True:
            try:
                return self._sess_creator.create_session()
            except _PREEMPTION_ERRORS as err:
                _log.info(
                    "An error was raised while a session was being created. A new session will "
                    "be created. Error: %s",
                    err,
                )

    def _check_stop(self) -> bool:
        if self._sess is None:
            return True
        try:
            return bool(self._sess._check_stop())
        except _PREEMPTION_ERRORS as err:
            _log.info(
                "An error was raised while considering whether the session is complete. The "
                "current session will be closed and a new session will be created. Error: %s",
                err,
            )
            self.close()
            self._sess = self._create_session()
            return False
        except Exception:
            # should_stop answers, it does not raise: the next run does
            return True

    def _again(self, call: Callable[[], Any]) -> Any:
        """The result of `call`, tried with new sessions as often as it is aborted."""
        while True:
            try:
                if self._sess is None:
                    self._sess = self._create_session()
                return call()
            except _PREEMPTION_ERRORS as err:
                _log.info(
                    "An error was raised. The current session will be closed and a new session "
                    "will be created. Error: %s",
                    err,
                )
                self.close()

    def run(self, *args: Any, **kwargs: Any) -> Any:
        return self._again(lambda: self._sess.run(*args, **kwargs))

    def run_step_fn(
        self, step_fn: Callable[[Any], Any], raw_session: Any, run_with_hooks: Any
    ) -> Any:
        def call() -> Any:
            raw = self._sess_creator.tf_sess
            return self._sess.run_step_fn(step_fn, raw, self._sess.run)

        return self._again(call)


class CoordinatedSession(WrappedSession):
    """Stops with a coordinator, and raises what made its threads stop."""

    def __init__(self, sess: Any, coord: Any, stop_grace_period_secs: float = 120) -> None:
        super().__init__(sess)
        self._coord = coord
        self._stop_grace_period_secs = stop_grace_period_secs

    def _check_stop(self) -> bool:
        self._coord.raise_requested_exception()
        return bool(self._coord.should_stop())

    def close(self) -> None:
        self._coord.request_stop()
        try:
            self._coord.join(
                stop_grace_period_secs=self._stop_grace_period_secs, ignore_live_threads=True
            )
        finally:
            super().close()

    def run(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return self._sess.run(*args, **kwargs)
        except _PREEMPTION_ERRORS:
            raise
        except Exception as original:
            # the cause may be that a thread of the coordinator was aborted: then recover
            try:
                self._coord.raise_requested_exception()
            except _PREEMPTION_ERRORS:
                raise
            except Exception:
                raise original from None
            raise


class HookedSession(WrappedSession):
    """Calls hooks before and after each run and adds their fetches and feeds to it."""

    def __init__(self, sess: Any, hooks: Hooks) -> None:
        super().__init__(sess)
        self._hooks = hooks
        self._should_stop = False

    def _check_stop(self) -> bool:
        return self._should_stop

    def run(
        self,
        fetches: Any,
        feed_dict: Mapping[Any, Any] | None = None,
        options: Any = None,
        run_metadata: Any = None,
    ) -> Any:
        if self.should_stop():
            raise RuntimeError("Run called even after should_stop requested.")
        actual: dict[Any, Any] = {"caller": fetches}
        context = SessionRunContext(SessionRunArgs(fetches, feed_dict), self._sess)
        options = options or RunOptions()
        feeds = self._ask_hooks(context, actual, feed_dict, options)
        metadata = run_metadata or RunMetadata()
        outputs = self._sess.run(
            actual, feed_dict=feeds, options=options, run_metadata=metadata
        )
        for hook in self._hooks:
            hook.after_run(context, SessionRunValues(outputs.get(hook), options, metadata))
        self._should_stop = self._should_stop or context.stop_requested
        return outputs["caller"]

    def _ask_hooks(
        self, context: SessionRunContext, actual: dict[Any, Any], user_feeds: Any, options: Any
    ) -> Any:
        """Adds the hooks' fetches to `actual`; the feeds of user and hooks."""
        feeds: dict[Any, Any] = {}
        for hook in self._hooks:
            request = hook.before_run(context)
            if request is None:
                continue
            if request.fetches is not None:
                actual[hook] = request.fetches
            if request.feed_dict:
                _check_apart(feeds, request.feed_dict, "Same tensor is fed by two hooks.")
                feeds.update(request.feed_dict)
            if request.options:
                _merge_options(options, request.options)
        if not feeds or not user_feeds:
            return feeds or user_feeds
        _check_apart(
            user_feeds, feeds, "Same tensor is fed by a SessionRunHook and user."
        )
        return {**feeds, **user_feeds}


def _check_apart(first: Mapping[Any, Any], second: Mapping[Any, Any], text: str) -> None:
    both = [key for key in first if key in second]
    if both:
        raise RuntimeError(f"{text} Conflict(s): {both}")


def _merge_options(options: Any, more: Any) -> None:
    """The greater number and the logical or of the fields of two RunOptions."""
    for name in ("trace_level", "timeout_in_ms", "inter_op_thread_pool"):
        setattr(options, name, max(getattr(options, name), getattr(more, name)))
    for name in ("output_partition_graphs", "report_tensor_allocations_upon_oom"):
        setattr(options, name, getattr(options, name) or getattr(more, name))


class StepContext:
    """What a function given to run_step_fn gets: the raw session, and runs with hooks."""

    def __init__(self, session: Any, run_with_hooks_fn: Callable[..., Any]) -> None:
        self._session = session
        self._run_with_hooks_fn = run_with_hooks_fn

    @property
    def session(self) -> Any:
        """The session itself: runs of it call no hooks."""
        return self._session

    def run_with_hooks(self, *args: Any, **kwargs: Any) -> Any:
        return self._run_with_hooks_fn(*args, **kwargs)

    def request_stop(self) -> None:
        """Leaves the step function and ends the loop. Raises StopIteration."""
        raise StopIteration("step_fn has requested the iterations to stop.")
