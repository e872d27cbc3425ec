"""Scopes of names, devices and order: tf.name_scope, tf.control_dependencies, tf.device.

Lives here: the context managers over the default graph's stacks. Not here: the stacks
(ir/graph.py), variable scopes (tf1/variable_scope.py).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from graphc.ir.graph import enter_default_graph, exit_default_graph, get_default_graph
from graphc.ops.convert import is_tensor_like

__all__ = ["colocate_with", "container", "control_dependencies", "device", "name_scope", "op_scope"]


def graph_of_values(values: Iterable[Any] | None) -> Any:
    """The graph of the first tensor among `values`, else the default graph.

    Raises:
        ValueError: the tensors belong to different graphs.
    """
    default = get_default_graph()
    if hasattr(default, "capture"):
        return default  # a body: tensors of the graphs around it become its inputs
    first: Any = None
    for value in values or ():
        if not is_tensor_like(value):
            continue
        if first is None:
            first = value
        elif value.graph is not first.graph:
            raise ValueError(f"{value} must be from the same graph as {first}.")
    return default if first is None else first.graph


class name_scope(contextlib.AbstractContextManager[str]):
    """Prefixes the names of ops made inside (tf.name_scope).

    Args:
        name: the scope; made unique. "a/" re-enters exactly that scope; "" leaves all scopes.
        default_name: used where name is None. values: tensors whose graph is used.

    Raises:
        ValueError: tensors of different graphs, or a name that is not valid.
        TypeError: neither name nor default_name is a string.
    """

    def __init__(
        self, name: str | None, default_name: str | None = None, values: Any = None
    ) -> None:
        if name is not None and not isinstance(name, str):
            raise TypeError("name for name_scope must be a string.")
        self._name = default_name if name is None else name
        self._values = list(values) if values is not None else []
        self._stack: list[contextlib.ExitStack] = []
        if self._name is None and values is not None:
            raise ValueError(
                f"At least one of name ({name}) and default_name ({default_name}) must be provided."
            )

    @property
    def name(self) -> str | None:
        return self._name

    def __enter__(self) -> str:
        graph = graph_of_values(self._values)
        with contextlib.ExitStack() as stack:
            enter_default_graph(graph)
            stack.callback(exit_default_graph, graph)
            scope: str = stack.enter_context(graph.name_scope(self._name))
            self._stack.append(stack.pop_all())
        return scope

    def __exit__(self, *error: Any) -> None:
        self._stack.pop().__exit__(*error)


def op_scope(
    values: Any, name: str | None, default_name: str | None = None
) -> contextlib.AbstractContextManager[str]:
    """Deprecated order of name_scope's arguments (tf.op_scope)."""
    return name_scope(name, default_name, values)


def control_dependencies(control_inputs: Any) -> contextlib.AbstractContextManager[None]:
    """Ops made inside run after `control_inputs`; None clears what is in force."""
    return get_default_graph().control_dependencies(control_inputs)


def device(device_name_or_function: Any) -> contextlib.AbstractContextManager[None]:
    """Records the device of ops made inside ("/gpu:0", a function of the op, or None)."""
    return get_default_graph().device(device_name_or_function)


def colocate_with(
    op: Any, ignore_existing: bool = False
) -> contextlib.AbstractContextManager[None]:
    """Ops made inside are on the device of `op`."""
    return get_default_graph().colocate_with(op, ignore_existing)


def container(container_name: str) -> contextlib.AbstractContextManager[str]:
    """Accepted: variables belong to sessions, not to containers."""
    return contextlib.nullcontext(container_name)
