"""Which fed tensors a loss or an update depends on. Imports ir."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphc.ir.node import Node, Tensor

__all__ = ["depends_on", "reachable", "unconditional"]


def _node(item: Any) -> Node:
    element = item._as_graph_element() if hasattr(item, "_as_graph_element") else item
    return element.node if isinstance(element, Tensor) else element


def _walk(item: Any, stops: frozenset[Tensor]) -> tuple[set[Tensor], bool]:
    """(tensors of `stops` that are met, whether some other placeholder is)."""
    met: set[Tensor] = set()
    others = False
    seen: set[Node] = set()
    stack = [_node(item)]
    if isinstance(item, Tensor) and item in stops:
        return {item}, False
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.op.name == "placeholder" and not met.issuperset(node.outputs):
            others = True
        for tensor in node.inputs:
            if tensor in stops:
                met.add(tensor)
            else:
                stack.append(tensor.node)
        stack.extend(node.control_inputs)
    return met, others


def unconditional(item: Any) -> bool:
    """Whether it depends on nothing that is fed."""
    return not _walk(item, frozenset())[1]


def depends_on(item: Any, tensors: Iterable[Tensor]) -> bool:
    """Whether it needs one of the tensors."""
    return bool(_walk(item, frozenset(tensors))[0])


def reachable(item: Any, tensors: Iterable[Tensor]) -> bool:
    """Whether these tensors are all that must be fed for it."""
    return not _walk(item, frozenset(tensors))[1]
