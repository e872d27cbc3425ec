"""Ops that group and order others: tf.group, tf.tuple, and deprecated helpers.

Lives here: what only adds control dependencies. Not here: conditionals and loops. Imports ops.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from graphc.ir.graph import get_default_graph
from graphc.ir.node import Node, Tensor
from graphc.ops.convert import is_tensor_like
from graphc.ops.define import F

__all__ = ["group", "tuple"]


def _leaves(inputs: Any) -> Iterator[Any]:
    stack = [inputs]
    while stack:
        item = stack.pop()
        if isinstance(item, list | _tuple | set):
            stack.extend(reversed(list(item)))
        elif isinstance(item, Mapping):
            stack.extend(item[k] for k in sorted(item, reverse=True))
        else:
            yield item


_tuple = tuple


def group(*inputs: Any, **kwargs: Any) -> Node:
    """An op that finishes when all inputs have run (tf.group).

    Args:
        inputs: tensors, ops, or nested lists of them. name: of the op.

    Raises:
        TypeError: an input that is neither, or another keyword.
    """
    name = kwargs.pop("name", None)
    if kwargs:
        raise ValueError(f"Unknown keyword arguments: {', '.join(kwargs)}")
    items = list(_leaves(inputs))
    for item in items:
        if not (isinstance(item, Node) or is_tensor_like(item) or hasattr(item, "op")):
            raise TypeError(
                f"Expected tf.group() expected Tensor objects not '{item}' with type "
                f"'{type(item)}'"
            )
    graph = _graph(items)
    with graph.control_dependencies(items):
        return graph.create_node(F.no_op, (), {}, name or "group_deps")


def _graph(items: list[Any]) -> Any:
    return items[0].graph if items else get_default_graph()


def tuple(tensors: Any, name: str | None = None, control_inputs: Any = None) -> list[Any]:
    """The tensors, each ready only when all are and all control inputs have run (tf.tuple).

    None entries stay None.

    Raises:
        ValueError: nothing but None. TypeError: a control input that is no op or tensor.
    """
    given = [t for t in tensors if t is not None]
    if not given:
        raise ValueError(f"Must have at least one Tensor: {tensors}")
    gates = list(given)
    for item in control_inputs or ():
        if not isinstance(item, Node | Tensor) and not is_tensor_like(item):
            raise TypeError(f"Control input must be Operation or Tensor: {item}")
        gates.append(item)
    graph = given[0].graph
    with graph.name_scope(name or "tuple"):
        gate = group(*gates)
        with graph.control_dependencies([gate]):
            return [None if t is None else _passed(t) for t in tensors]


def _passed(value: Any) -> Any:
    if hasattr(value, "indices") and hasattr(value, "values"):
        shape = value.dense_shape
        return type(value)(F.identity(value.values), F.identity(value.indices), shape)
    return F.identity(value, name="control_dependency")
