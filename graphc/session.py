"""Session: runs fetches of a graph and keeps its variables (tf.Session).

Lives here: Session, InteractiveSession, the stack of default sessions, Tensor.eval and
Operation.run. Not here: what is kept of known fetches and feeds (handles.py), conversion of feeds
(feeds.py), fetch structures (fetches.py), plans (runtime/executor.py). Imports runtime lazily.
"""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from graphc.config import Config
from graphc.errors import InvalidArgumentError
from graphc.feeds import check_shape, feed_items, key_tensor, to_array
from graphc.fetches import FetchPlan
from graphc.handles import LIST, MAX_HANDLES, Handle, PartialRun, handle_key
from graphc.ir.faults import called_at
from graphc.ir.graph import Graph, enter_default_graph, exit_default_graph, get_default_graph
from graphc.ir.node import Node, Tensor
from graphc.protos import ConfigProto, config_of

_GROWTH_LIMIT = 100
CLOSED = "Attempted to use a closed Session."


class DeviceAttributes(NamedTuple):
    """One device, as list_devices names it."""

    name: str
    device_type: str
    memory_limit_bytes: int
    incarnation: int = 0


class BaseSession:
    """Runs parts of one graph; holds the values of its variables.

    Args:
        target: "" (execution is local). graph: default the graph that is default now.
        config: a ConfigProto. options: a graphc.Config, default the process's.

    Raises:
        TypeError: arguments of another type.
    """

    def __init__(
        self,
        target: str | None = "",
        graph: Graph | None = None,
        config: Any = None,
        options: Config | None = None,
    ) -> None:
        if isinstance(config, Config) and options is None:
            config, options = None, config
        _check_arguments(target, graph, config)
        self._graph = get_default_graph() if graph is None else graph
        self._target = target or ""
        self._proto = config
        self._config = config_of(config, options)
        self._closed = False
        self._executor: Any = None
        self._lock = threading.RLock()
        # by fetches, and by (fetches, feed keys)
        self._unfed: dict[Any, Handle] = {}
        self._fed: dict[Any, Handle] = {}
        self._partial: dict[str, PartialRun] = {}
        self._version = -1
        self._growths = 0

    # ------------------------------------------------------------ what it is
    @property
    def graph(self) -> Graph:
        return self._graph

    @property
    def graph_def(self) -> Any:
        """The graph as a GraphDef."""
        return self._graph.as_graph_def()  # type: ignore[attr-defined]

    @property
    def sess_str(self) -> str:
        return self._target

    @property
    def executor(self) -> Any:
        """What runs the plans and keeps the variables (runtime/executor.py)."""
        if self._executor is None:
            with self._lock:
                if self._closed:
                    raise RuntimeError(CLOSED + called_at())
                if self._executor is None:
                    from graphc.runtime.executor import Executor

                    self._executor = Executor(self._graph, self._config)
                    limit = getattr(self._proto, "operation_timeout_in_ms", 0)
                    if limit and limit > 0:
                        self._executor.variables.patience = limit / 1000
        return self._executor

    def list_devices(self) -> list[DeviceAttributes]:
        """The devices that a run may use."""
        return [DeviceAttributes("/job:localhost/replica:0/task:0/device:CPU:0", "CPU", 1 << 28)]

    # ------------------------------------------------------------ running
    def run(
        self,
        fetches: Any,
        feed_dict: Mapping[Any, Any] | None = None,
        options: Any = None,
        run_metadata: Any = None,
    ) -> Any:
        """Runs what the fetches need and returns their values in the fetches' structure.

        Args:
            fetches: a tensor, op, variable, name, or nested lists, tuples and dicts of them.
            feed_dict: values for tensors (placeholders and others); a fed tensor's producers do
                not run. options, run_metadata: a RunOptions that asks for a trace, and the
                RunMetadata that gets it.

        Returns:
            NumPy arrays that the caller owns, NumPy scalars for tensors without dimensions, bytes
            for strings, None for ops.

        Raises:
            RuntimeError: the session is closed, or the graph empty.
            TypeError, ValueError: fetches or feeds that cannot be.
            InvalidArgumentError: a placeholder is not fed, shapes do not fit while running.
            FailedPreconditionError: an uninitialised variable is read.
            DeadlineExceededError: it has waited longer than options.timeout_in_ms for a queue.
        """
        if run_metadata is not None and getattr(options, "trace_level", False):
            return self._run_traced(fetches, feed_dict, options, run_metadata)
        if options is not None and getattr(options, "timeout_in_ms", 0) > 0:
            from graphc.runtime.queues import time_limit

            with time_limit(options.timeout_in_ms / 1000):
                return self.run(fetches, feed_dict)
        try:
            fetch = (LIST, *fetches) if type(fetches) is list else fetches
            handle = self._fed[(fetch, *feed_dict)] if feed_dict else self._unfed[fetch]
        except (KeyError, TypeError):
            handle = self._handle(fetches, feed_dict)
        if self._graph.version != self._version:
            self._grown()
        if not feed_dict:
            return handle.run(())
        if handle.nested:
            return handle.run([v for _, v, _ in feed_items(self._graph, feed_dict)])
        return handle.run(feed_dict.values())

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError(CLOSED + called_at())
        if self._graph.version == 0:
            raise RuntimeError(
                "The Session graph is empty.  Add operations to the graph before calling run()."
            )

    def _handle(self, fetches: Any, feed_dict: Mapping[Any, Any] | None) -> Handle:
        """The handle for these fetches and feed keys; made where there is none."""
        self._check_open()
        items = feed_items(self._graph, feed_dict) if feed_dict else []
        for tensor, value, key in items:
            check_shape(tensor, to_array(tensor, value, key).shape)
        # looked up again by structure: nested lists are not hashable as they are
        key = handle_key(fetches, feed_dict)
        table = self._fed if feed_dict else self._unfed
        found = table.get(key)
        if found is not None:
            return found
        handle = self._make_handle(fetches, tuple(t for t, _, _ in items))
        handle.nested = len(items) != len(feed_dict or ()) or any(
            isinstance(k, tuple) for k in feed_dict or ()
        )
        if len(table) >= MAX_HANDLES:
            table.clear()
        table[key] = handle
        return handle

    def _run_traced(
        self, fetches: Any, feed_dict: Mapping[Any, Any] | None, options: Any, metadata: Any
    ) -> Any:
        """As run, on plans that time their steps; `metadata` gets the times."""
        from graphc.runtime.trace import Trace
        from graphc.tf1.run_metadata import fill_run_metadata

        self._check_open()
        items = feed_items(self._graph, feed_dict) if feed_dict else []
        handle = self._make_handle(fetches, tuple(t for t, _, _ in items), self.executor.traced())
        arrays = handle.arrays([v for _, v, _ in items])
        trace = Trace()
        results = handle.runner.run_any(arrays, trace)
        fill_run_metadata(metadata, trace, options, self._graph)
        return handle.finish(arrays, results)

    def _make_handle(
        self, fetches: Any, feeds: tuple[Tensor, ...], executor: Any = None
    ) -> Handle:
        from graphc.runtime.collecting import uncollected

        plan = FetchPlan(self._graph, fetches)
        fed = set(feeds)
        wanted = tuple(t for t in plan.tensors if t not in fed)
        # a fetched op whose output is fed has been cut off
        targets = tuple(n for n in plan.nodes if not (n.outputs and fed.issuperset(n.outputs)))
        with uncollected():
            runner = (executor or self.executor).prepare(wanted, targets, feeds)
        return Handle(runner, plan, feeds, False)

    def _grown(self) -> None:
        """Warns once where a program adds ops to the graph between runs again and again."""
        if self._version >= 0:
            self._growths += 1
        self._version = self._graph.version
        if self._growths == _GROWTH_LIMIT:
            last = self._graph.nodes[-1]
            warnings.warn(
                f"the graph has grown between {_GROWTH_LIMIT} runs of one session: each new op is "
                f"compiled again. The last one is {last.name!r}, made at "
                f"{last.origin.location()}; make ops once, before the loop",
                stacklevel=3,
            )

    def make_callable(
        self, fetches: Any, feed_list: Sequence[Any] | None = None, accept_options: bool = False
    ) -> Callable[..., Any]:
        """A function that takes the values of `feed_list` and returns what run would.

        Raises:
            TypeError: feed_list is not a list or tuple.
        """
        if feed_list is not None and not isinstance(feed_list, list | tuple):
            raise TypeError("`feed_list` must be a list or tuple.")
        self._check_open()
        keys = tuple(key_tensor(self._graph, k) for k in feed_list or ())
        handle = self._make_handle(fetches, keys)
        run, count = handle.run, len(keys)

        def call(*values: Any, **options: Any) -> Any:
            if self._closed:
                raise RuntimeError(CLOSED + called_at())
            if len(values) != count:
                raise TypeError(f"Expected {count} values to feed, got {len(values)}")
            return run(values)

        return call

    # ------------------------------------------------------------ partial runs
    def partial_run_setup(self, fetches: Any, feeds: Sequence[Any] | None = None) -> str:
        """Declares the fetches and feeds of a run that is done in parts; returns its handle."""
        self._check_open()
        plan = FetchPlan(self._graph, fetches)
        keys = [key_tensor(self._graph, k) for k in feeds or ()]
        handle = f"partial_run_{len(self._partial)}"
        self._partial[handle] = PartialRun(set(plan.tensors), set(plan.nodes), set(keys))
        return handle

    def partial_run(
        self, handle: str, fetches: Any, feed_dict: Mapping[Any, Any] | None = None
    ) -> Any:
        """The next part: values fetched before are kept, so that each op runs once.

        Raises:
            InvalidArgumentError: an unknown handle, or tensors that were not declared.
        """
        self._check_open()
        part = self._partial.get(handle)
        if part is None:
            raise InvalidArgumentError(
                f"Must run 'setup' before performing partial runs! (handle {handle!r})"
            )
        for tensor, value, key in feed_items(self._graph, feed_dict or {}):
            part.feed(tensor, to_array(tensor, value, key))
        plan = FetchPlan(self._graph, fetches)
        part.check(plan)
        wanted = [t for t in plan.tensors if t not in part.known]
        targets = [n for n in plan.nodes if n not in part.done]
        got = self.run([wanted, targets], part.known)[0] if wanted or targets else []
        part.known.update(zip(wanted, got, strict=True))
        part.done.update(targets)
        return plan.build([part.known[t] for t in plan.tensors])

    # ------------------------------------------------------------ default session
    def as_default(self) -> contextlib.AbstractContextManager[Any]:
        """Makes this the default session of the thread, without closing it at the end."""
        return _as_default(self)

    def close(self) -> None:
        """Frees the variables; the session cannot run any more."""
        with self._lock:
            self._closed = True
            executor, self._executor = self._executor, None
            self._unfed.clear()
            self._fed.clear()
        if executor is not None:
            executor.close()

    def explain(self, fetches: Any, feed_dict: Mapping[Any, Any] | None = None) -> Any:
        """How these fetches are computed: groups, kernels, memory, cost."""
        handle = self._handle(fetches, feed_dict)
        items = feed_items(self._graph, feed_dict or {})
        return self.executor.explain(handle.runner, handle.arrays([v for _, v, _ in items]))


def _check_arguments(target: Any, graph: Any, config: Any) -> None:
    if target is not None and not isinstance(target, str):
        hint = ""
        if isinstance(target, ConfigProto):
            hint = '. Did you do "Session(config)" instead of "Session(config=config)"?'
        raise TypeError(f"target must be a string, but got {type(target)}{hint}")
    if graph is not None and not isinstance(graph, Graph):
        raise TypeError(f"graph must be a tf.Graph, but got {type(graph)}")
    if config is not None and not isinstance(config, ConfigProto):
        raise TypeError(f"config must be a tf.ConfigProto, but got {type(config)}")


class Session(BaseSession):
    """tf.Session: as a context manager it is the default session, with its graph, and closes."""

    _contexts: contextlib.ExitStack | None = None

    def __enter__(self) -> Session:
        if self._contexts is not None:
            raise RuntimeError(
                "Session context managers are not re-entrant. Use `Session.as_default()` if you "
                "want to enter a session multiple times."
            )
        with contextlib.ExitStack() as stack:
            enter_default_graph(self._graph)
            stack.callback(exit_default_graph, self._graph)
            stack.enter_context(self.as_default())
            self._contexts = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        contexts, self._contexts = self._contexts, None
        try:
            if contexts is not None:
                contexts.__exit__(*error)
        finally:
            self.close()

    @staticmethod
    def reset(target: str, containers: Any = None, config: Any = None) -> None:
        """Accepted: sessions own their variables, there are no containers to clear."""


class InteractiveSession(BaseSession):
    """tf.InteractiveSession: the default session (and graph) from construction until close."""

    def __init__(
        self,
        target: str | None = "",
        graph: Graph | None = None,
        config: Any = None,
        options: Config | None = None,
    ) -> None:
        super().__init__(target, graph, config, options)
        _DEFAULT.stack.append(self)
        self._explicit = graph is not None
        if self._explicit:
            enter_default_graph(self._graph)

    def close(self) -> None:
        super().close()
        if self in _DEFAULT.stack:
            _DEFAULT.stack.remove(self)
        if self._explicit:
            self._explicit = False
            exit_default_graph(self._graph)


# ------------------------------------------------------------------ the default session
class _Defaults(threading.local):
    def __init__(self) -> None:
        self.stack: list[Any] = []


_DEFAULT = _Defaults()


@contextlib.contextmanager
def _as_default(session: Any) -> Iterator[Any]:
    stack = _DEFAULT.stack
    stack.append(session)
    try:
        yield session
    finally:
        if not stack or stack[-1] is not session:
            if session in stack:
                stack.remove(session)
            raise AssertionError(
                f"Nesting violated for default stack of {type(session)} objects"
            )
        stack.pop()


def get_default_session() -> Any:
    """The innermost default session of this thread, or None."""
    stack = _DEFAULT.stack
    return stack[-1] if stack else None


def default_session(session: Any) -> contextlib.AbstractContextManager[Any]:
    """Makes a session, or a wrapper of one, the default inside a `with`."""
    return _as_default(session)


def _session_for(element: Any, session: Any, word: str, call: str, noun: str) -> Any:
    if session is None:
        session = get_default_session()
        if session is None:
            colon = ":" if noun == "operation" else ""
            raise ValueError(
                f"Cannot {word} using `{call}()`: No default session is registered. Use `with "
                f"sess.as_default(){colon}` or pass an explicit session to `{call}(session=sess)`"
            )
        if session.graph is not element.graph:
            explicit = "run(session=sess)" if noun == "operation" else "`eval(session=sess)`"
            raise ValueError(
                f"Cannot use the default session to {word}: the {noun}'s graph is different from "
                f"the session's graph. Pass an explicit session to {explicit}."
            )
    elif session.graph is not element.graph:
        raise ValueError(
            f"Cannot use the given session to {word}: the {noun}'s graph is different from the "
            "session's graph."
        )
    return session


def _eval(self: Tensor, feed_dict: Any = None, session: Any = None) -> Any:
    """The value in `session` or the default session (Tensor.eval)."""
    found = _session_for(self, session, "evaluate tensor", "eval", "tensor")
    return found.run(self, feed_dict)


def _run(self: Node, feed_dict: Any = None, session: Any = None) -> None:
    """Runs the op in `session` or the default session (Operation.run)."""
    found = _session_for(self, session, "execute operation", "run", "operation")
    found.run(self, feed_dict)


Tensor.eval = _eval
Node.run = _run
