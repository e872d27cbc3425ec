"""tf.train.Coordinator: several threads stop together; LooperThread is one that does.

Lives here: Coordinator, LooperThread. Not here: the threads that fill queues (queue_runner.py).
Imports only errors and the standard library.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from graphc.errors import OutOfRangeError

__all__ = ["Coordinator", "LooperThread"]

_LOG = logging.getLogger("tensorflow")
_SLICE = 0.05  # how long join waits before it looks at its threads again
_FIRST_WAIT = 0.001
_LONGEST_WAIT = 0.1

# what sys.exc_info() returns
ExcInfo = tuple[Any, Any, Any]


class Coordinator:
    """tf.train.Coordinator: any thread asks all to stop; `join` waits and passes on the error.

    Args:
        clean_stop_exception_types: errors that end the work without being errors: request_stop
            of one of them is a plain request. Default: OutOfRangeError, the end of the input.
    """

    def __init__(
        self, clean_stop_exception_types: Sequence[type[BaseException]] | None = None
    ) -> None:
        clean = (OutOfRangeError,) if clean_stop_exception_types is None else (
            clean_stop_exception_types
        )
        self._clean = tuple(clean)
        self._lock = threading.Lock()
        self._stop_event = threading.Event()
        self._error: BaseException | None = None
        self._joined = False
        self._registered: set[threading.Thread] = set()

    # ------------------------------------------------------------ stopping
    def request_stop(self, ex: Any = None) -> None:
        """Asks the threads to stop; should_stop is True from here on.

        Args:
            ex: an exception, or what sys.exc_info() returned: `join` raises the first one given.

        Raises:
            ex itself: the threads have been joined already; nobody else would see it.
            ValueError (from join): `ex` holds no exception.
        """
        error = self._unclean(ex)
        with self._lock:
            if self._joined:
                if error is not None:
                    raise error
                return
            if self._stop_event.is_set():
                return
            if error is not None:
                _LOG.info("Error reported to Coordinator: %s, %s", type(error), error)
                self._error = error
            self._stop_event.set()

    def _unclean(self, ex: Any) -> BaseException | None:
        """The exception that was given, unless it is a clean way to stop."""
        if ex is None:
            return None
        found = ex[1] if isinstance(ex, tuple) and len(ex) == 3 else ex
        if isinstance(found, type) and issubclass(found, BaseException):
            found = found()
        if not isinstance(found, BaseException):
            return ValueError(
                f"ex must be a tuple or sys.exc_info must return the current exception: {ex}"
            )
        return None if isinstance(found, self._clean) else found

    def clear_stop(self) -> None:
        """Forgets the request, its error and that threads were joined: as a new Coordinator."""
        with self._lock:
            self._joined = False
            self._error = None
            self._stop_event.clear()

    def should_stop(self) -> bool:
        """Whether a stop was requested."""
        return self._stop_event.is_set()

    @contextlib.contextmanager
    def stop_on_exception(self) -> Iterator[None]:
        """Turns an exception of the block into request_stop: it is raised by `join`, not here."""
        try:
            yield
        except BaseException:
            self.request_stop(ex=sys.exc_info())

    def wait_for_stop(self, timeout: float | None = None) -> bool:
        """Waits for a request; False after `timeout` seconds without one."""
        return self._stop_event.wait(timeout)

    # ------------------------------------------------------------ threads
    def register_thread(self, thread: threading.Thread) -> None:
        """Makes `join` wait for this thread too."""
        with self._lock:
            self._registered.add(thread)

    def join(
        self,
        threads: Iterable[threading.Thread] | None = None,
        stop_grace_period_secs: float = 120,
        ignore_live_threads: bool = False,
    ) -> None:
        """Waits until all threads, given and registered, have ended.

        Args:
            stop_grace_period_secs: how long threads may take to end once a stop was requested.
            ignore_live_threads: say nothing of those that have not.

        Raises:
            what was given to request_stop. RuntimeError: "Coordinator stopped with threads still
            running: ...".
        """
        with self._lock:
            waited = [*self._registered.union(threads or ())]
        while _alive(waited) and not self.wait_for_stop(_SLICE):
            pass
        deadline = time.monotonic() + stop_grace_period_secs
        wait = _FIRST_WAIT
        while _alive(waited) and (left := deadline - time.monotonic()) > 0:
            _alive(waited)[0].join(min(wait, left))
            wait = min(2 * wait, _LONGEST_WAIT)
        self._finish(_alive(waited), ignore_live_threads)

    def _finish(self, stragglers: list[threading.Thread], ignore_live_threads: bool) -> None:
        names = " ".join(t.name for t in stragglers)
        with self._lock:
            self._joined = True
            self._registered = set()
            if self._error is not None:
                raise self._error
        if not stragglers:
            return
        text = f"Coordinator stopped with threads still running: {names}"
        if not ignore_live_threads:
            raise RuntimeError(text)
        _LOG.info(text)

    @property
    def joined(self) -> bool:
        """Whether `join` has returned or raised."""
        return self._joined

    def raise_requested_exception(self) -> None:
        """Raises the exception given to request_stop, where there is one."""
        with self._lock:
            if self._error is not None:
                raise self._error


def _alive(threads: Iterable[threading.Thread]) -> list[threading.Thread]:
    return [t for t in threads if t.is_alive()]


class LooperThread(threading.Thread):
    """tf.train.LooperThread: calls `target` (or run_loop) again and again until asked to stop.

    Args:
        timer_interval_secs: seconds between the starts of calls; None: without a pause.
        target, args, kwargs: what to call; None: the method run_loop of a subclass.

    Raises:
        ValueError: coord is no Coordinator, or there are args or kwargs without a target.
    """

    def __init__(
        self,
        coord: Coordinator,
        timer_interval_secs: float | None,
        target: Callable[..., Any] | None = None,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(coord, Coordinator):
            raise ValueError(f"'coord' argument must be a Coordinator: {coord}")
        super().__init__(daemon=True)
        if target is None and (args or kwargs):
            raise ValueError("'args' and 'kwargs' argument require that you also pass 'target'")
        self._coord = coord
        self._timer_interval_secs = timer_interval_secs
        self._call = target
        self._call_args = tuple(args or ())
        self._call_kwargs = dict(kwargs or {})
        coord.register_thread(self)

    @staticmethod
    def loop(
        coord: Coordinator,
        timer_interval_secs: float | None,
        target: Callable[..., Any],
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> LooperThread:
        """A started LooperThread."""
        thread = LooperThread(coord, timer_interval_secs, target, args, kwargs)
        thread.start()
        return thread

    def run(self) -> None:
        """The thread: start_loop, run_loop until a stop is requested, stop_loop."""
        with self._coord.stop_on_exception():
            self.start_loop()
            pause, next_time = self._timer_interval_secs, time.monotonic()
            while not self._coord.wait_for_stop(
                0 if pause is None else max(next_time - time.monotonic(), 0)
            ):
                next_time += pause or 0
                self.run_loop()
            self.stop_loop()

    def start_loop(self) -> None:
        """Called when the thread starts."""

    def stop_loop(self) -> None:
        """Called when the thread stops."""

    def run_loop(self) -> None:
        """Called at every turn."""
        if self._call is not None:
            self._call(*self._call_args, **self._call_kwargs)
