"""The session that Keras runs in, the learning phase, variables' values, names of layers.

Lives here: get_session, clear_session, learning_phase, function, get_value and their kin. Not
here: mathematics (core/math.py). Imports session, ir, tf1.
"""

from __future__ import annotations

import contextlib
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import as_dtype
from graphc.ir.graph import Graph, get_default_graph
from graphc.ir.graph import reset_default_graph as _reset_graph
from graphc.ir.node import Node, Tensor
from graphc.session import Session, get_default_session
from graphc.tf1.framework import placeholder_with_default
from graphc.tf1.variables import Variable

__all__ = [
    "Function", "batch_get_value", "batch_set_value", "clear_session", "eval", "function",
    "get_session", "get_uid", "get_value", "is_variable_of_keras", "learning_phase",
    "learning_phase_scope", "manual_variable_initialization", "phase_tensor", "reset_uids",
    "set_learning_phase", "set_session", "set_value", "track_variable",
]  # fmt: skip

_LOCK = threading.RLock()
_STATE: dict[str, Any] = {"session": None, "manual": False}


# ------------------------------------------------------------------ sessions
def root_graph(graph: Graph | None = None) -> Graph:
    """The user's graph: what is made in the body of a loop belongs to it."""
    found: Any = graph or get_default_graph()
    while hasattr(found, "outer"):
        found = found.outer
    return found


def _keras_variables(graph: Graph) -> dict[Any, None]:
    return root_graph(graph).__dict__.setdefault("_keras_variables", {})


def track_variable(variable: Any) -> Any:
    """Notes a variable that get_session initialises where its session has no value of it."""
    _keras_variables(variable.graph)[variable] = None
    return variable


def is_variable_of_keras(variable: Any) -> bool:
    return variable in _keras_variables(variable.graph)


def get_session(op_input_list: Any = (), graph: Graph | None = None) -> Any:
    """The session of Keras for a graph (default: the default graph).

    That is the default session, else what set_session was given, else one that the graph keeps;
    each where it belongs to the graph. Variables of layers that it holds no value of are
    initialised.
    """
    with _LOCK:
        wanted = root_graph(graph)
        session = get_default_session()
        if session is None or (graph is not None and session.graph is not wanted):
            session = _STATE["session"]
        if session is None or session.graph is not wanted or session._closed:
            default = get_default_session()
            session = default if graph is None and default is not None else _own(wanted)
    if not _STATE["manual"]:
        initialize(session)
    return session


def _own(graph: Graph) -> Any:
    """The session that the graph keeps: several graphs can be used in turn."""
    session = graph.__dict__.get("_keras_session")
    if session is None or session._closed:
        session = graph.__dict__["_keras_session"] = Session(graph=graph)
    return session


def initialize(session: Any) -> None:
    """Runs the initialisers of Keras' variables that the session holds no value of."""
    variables = _keras_variables(session.graph)
    store = session.executor.variables
    # the count says whether anything can have been added since the last look
    seen = store.resources.get("keras")
    if seen == (len(variables), store.epoch):
        return
    missing = [v for v in variables if not store.initialized(v.op)]
    if missing:
        session.run([v.initializer for v in missing])
    store.resources["keras"] = (len(variables), store.epoch)


def set_session(session: Any) -> None:
    """Makes this the session of Keras."""
    with _LOCK:
        _STATE["session"] = session


def clear_session() -> None:
    """Drops the default graph, its session and the counters of names."""
    with _LOCK:
        old = [_STATE["session"], root_graph().__dict__.get("_keras_session")]
        _STATE["session"] = None
    _reset_graph()
    for session in old:
        if session is not None:
            session.close()


def manual_variable_initialization(value: bool) -> None:
    """Whether the user initialises all variables."""
    _STATE["manual"] = bool(value)


# ------------------------------------------------------------------ names
def _uids() -> defaultdict[str, int]:
    return root_graph().__dict__.setdefault("_keras_uids", defaultdict(int))


def get_uid(prefix: str = "") -> int:
    """1 the first time the default graph is asked for this prefix, then 2, 3, ..."""
    table = _uids()
    table[prefix] += 1
    return table[prefix]


def reset_uids() -> None:
    _uids().clear()


# ------------------------------------------------------------------ the learning phase
def phase_tensor(graph: Graph | None = None) -> Tensor:
    """The bool scalar of the graph that tells training (True) from evaluation; default False."""
    graph = root_graph(graph)
    found = graph.__dict__.get("_keras_phase")
    if found is None:
        with graph.as_default(), graph.control_dependencies(None), graph.name_scope(""):
            found = placeholder_with_default(
                np.array(False), shape=(), name="keras_learning_phase"
            )
        graph.__dict__["_keras_phase"] = found
    return found


def learning_phase() -> Any:
    """The learning phase: 0 or 1 where it is set, else a bool tensor that a run may be fed."""
    graph = root_graph()
    fixed = graph.__dict__.get("_keras_fixed_phase")
    return phase_tensor(graph) if fixed is None else fixed


def set_learning_phase(value: int) -> None:
    """Fixes the phase for what is built in the default graph from now on: 0 test, 1 train.

    Raises:
        ValueError: another value.
    """
    if value not in (0, 1):
        raise ValueError("Expected learning phase to be 0 or 1.")
    root_graph().__dict__["_keras_fixed_phase"] = int(value)


@contextlib.contextmanager
def learning_phase_scope(value: Any) -> Iterator[None]:
    """The phase is `value` inside; None changes nothing."""
    state = root_graph().__dict__
    before = state.get("_keras_fixed_phase")
    if value is not None:
        state["_keras_fixed_phase"] = value
    try:
        yield
    finally:
        state["_keras_fixed_phase"] = before


# ------------------------------------------------------------------ values
def _element(x: Any) -> Any:
    return x._as_graph_element() if hasattr(x, "_as_graph_element") else x


def get_value(x: Any) -> Any:
    """The value of a variable or tensor as a NumPy array."""
    if not isinstance(x, Variable | Tensor) and not hasattr(x, "_as_graph_element"):
        return x
    return batch_get_value([x])[0]


def batch_get_value(tensors: Sequence[Any]) -> list[Any]:
    """The values of variables or tensors, read at once."""
    if not tensors:
        return []
    session = get_session(graph=getattr(tensors[0], "graph", None))
    if all(isinstance(t, Variable) for t in tensors):
        store = session.executor.variables
        values = [store.get(t.op) for t in tensors]
        if all(v is not None for v in values):
            return values
    return session.run(list(tensors))


def set_value(x: Any, value: Any) -> None:
    batch_set_value([(x, value)])


def batch_set_value(tuples: Sequence[tuple[Any, Any]]) -> None:
    """Writes NumPy values into variables of Keras' session.

    Raises:
        ValueError: a value of another shape.
    """
    if not tuples:
        return
    session = get_session(graph=tuples[0][0].graph)
    store = session.executor.variables
    for variable, value in tuples:
        array = np.asarray(value, dtype=as_dtype(variable.dtype).np)
        dims = variable._as_graph_element().dims
        fits = dims is None or (
            len(dims) == array.ndim
            and all(d is None or d == s for d, s in zip(dims, array.shape))
        )
        if not fits:
            raise ValueError(
                f"Cannot set {variable.name}, which has shape {variable.shape}, to a value of "
                f"shape {array.shape}"
            )
        with session._lock:
            store.set(variable.op, array)


def eval(x: Any) -> Any:
    """The value of a tensor or variable."""
    return get_value(x)


class Function:
    """A compiled function from the values of tensors to those of others (K.function).

    Args:
        inputs: tensors that are given a value in each call. outputs: tensors, or one.
        updates: ops to run, or (variable, new value) pairs.
    """

    def __init__(
        self, inputs: Any, outputs: Any, updates: Any = None, name: str | None = None,
        **session_kwargs: Any,
    ) -> None:
        if not isinstance(inputs, list | tuple):
            raise TypeError("`inputs` to a Keras backend function should be a list or tuple.")
        self.inputs = list(inputs)
        self._single = not isinstance(outputs, list | tuple)
        self.outputs = [outputs] if self._single else list(outputs)
        self.updates = [_update_op(u) for u in updates or ()]
        self.name = name
        self.fetches = list(session_kwargs.pop("fetches", None) or ())
        self._feeds = dict(session_kwargs.pop("feed_dict", None) or {})
        self._calls: dict[Any, Any] = {}

    def __call__(self, inputs: Any = ()) -> Any:
        """Raises TypeError: the inputs are no list."""
        if not isinstance(inputs, list | tuple):
            if len(self.inputs) != 1:
                raise TypeError("`inputs` should be a list or tuple.")
            inputs = [inputs]
        given = list(zip(self.inputs, inputs))
        feeds = [_element(k) for k, v in given if v is not None]
        values = [v for _, v in given if v is not None]
        for key, value in self._feeds.items():
            feeds.append(_element(key))
            values.append(value)
        ends = [*feeds, *map(_element, self.outputs)]
        session = get_session(graph=next((t.graph for t in ends if hasattr(t, "graph")), None))
        # a session that is gone frees its number for another
        key = (id(session), session.executor, *feeds)
        run = self._calls.get(key)
        if run is None:
            wanted = [_element(o) for o in self.outputs]
            run = session.make_callable([wanted, [*self.updates, *self.fetches]], feeds)
            self._calls[key] = run
        results = run(*values)[0]
        return results[0] if self._single else results


def function(
    inputs: Any, outputs: Any, updates: Any = None, name: str | None = None, **kwargs: Any
) -> Function:
    """A function from lists of NumPy values to lists of NumPy values; see Function."""
    return Function(inputs, outputs, updates=updates, name=name, **kwargs)


def _update_op(update: Any) -> Any:
    if isinstance(update, tuple):
        variable, value = update
        return variable.assign(value).op
    return update if isinstance(update, Node) else getattr(update, "op", update)


