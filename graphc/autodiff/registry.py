"""The user's own gradient rules: tf.RegisterGradient, Graph.gradient_override_map.

Lives here: the table of names and which nodes of a graph it replaces rules of. Not here: the
built-in rules, which stand in the ops' records. Imports ir and ops.define.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ops.define import BY_TF_TYPE, OpDef
from graphc.ops.function import BodyGraph

Rule = Callable[..., Any]
_RULES: dict[str, Rule | None] = {}
_WHERE: dict[str, str] = {}


class RegisterGradient:
    """Decorator: a gradient rule under a name, for gradient_override_map (tf.RegisterGradient).

    The rule is called as fn(op, *output_gradients) and gives one gradient an input.

    Raises:
        KeyError: the name is taken. TypeError: the name is not a string.
    """

    def __init__(self, op_type: str) -> None:
        if not isinstance(op_type, str):
            raise TypeError("op_type must be a string")
        self._op_type = op_type

    def __call__(self, fn: Rule) -> Rule:
        register(self._op_type, fn)
        return fn


def register(op_type: str, fn: Rule | None) -> None:
    known = BY_TF_TYPE.get(op_type)
    if op_type in _RULES or (known is not None and known.grad is not None):
        where = _WHERE.get(op_type, "graphc")
        raise KeyError(
            f"Registering two gradient with name '{op_type}'! (Previous registration was in "
            f"{where})"
        )
    _RULES[op_type] = fn
    code = getattr(fn, "__code__", None)
    _WHERE[op_type] = f"{code.co_name} {code.co_filename}:{code.co_firstlineno}" if code else ""


def no_gradient(op_type: str) -> None:
    """Declares that ops of this type have no gradient (tf.NotDifferentiable, tf.NoGradient)."""
    if not isinstance(op_type, str):
        raise TypeError("op_type must be a string")
    register(op_type, None)


@dataclass
class _Span:
    """The nodes made between two moments: [start, stop) of node ids; stop None: still open."""

    start: int
    stop: int | None
    types: Mapping[str, str]


def _table(graph: Any, name: str, kind: type) -> Any:
    """A table that lives and dies with the graph: its values refer to nodes."""
    return graph.__dict__.setdefault(name, kind())


@contextlib.contextmanager
def override_map(graph: Any, types: Mapping[str, str]) -> Iterator[None]:
    """Nodes made inside take the named rules (Graph.gradient_override_map).

    Args:
        types: TF1 op type -> name given to RegisterGradient.

    Raises:
        TypeError: not a dictionary of strings.
    """
    if not isinstance(types, Mapping):
        raise TypeError("op_type_map must be a dictionary")
    for key, value in types.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError("op_type_map must be a dictionary mapping strings to strings")
    span = _Span(len(graph.nodes), None, dict(types))
    _table(graph, "_gradient_spans", list).append(span)
    try:
        yield
    finally:
        span.stop = len(graph.nodes)


# as in TF1, a method of the graph; installed here because ir knows no gradients
Graph.gradient_override_map = override_map  # type: ignore[attr-defined]


# how the `nograd` of an op begins that could have a gradient but has none
NO_RULE = ("TF1 has no gradient", "no rule")


def attach_rule(node: Node, rule: Rule) -> None:
    """This one node's gradient is `rule`, called as rule(node, *output_gradients)."""
    _table(node.graph, "_gradient_rules", dict)[node] = rule


def _overridden(graph: Any, at: int, op_type: str) -> str | None:
    """The rule's name for a node of this type that is the at-th of its graph."""
    # the innermost span was entered last
    for span in reversed(_table(graph, "_gradient_spans", list)):
        inside = span.start <= at and (span.stop is None or at < span.stop)
        if inside and op_type in span.types:
            return span.types[op_type]
    if isinstance(graph, BodyGraph):  # what holds where the body was traced
        return _overridden(graph.outer, graph.begin, op_type)
    return None


def rule_of(node: Node) -> tuple[Rule | None, bool]:
    """(rule, whether one is declared): the user's override, else the record's.

    Raises:
        LookupError: an override names a rule that was never registered.
    """
    own = _table(node.graph, "_gradient_rules", dict).get(node)
    if own is not None:
        return own, True
    name = _overridden(node.graph, node.id, node.type)
    if name is not None:
        if name not in _RULES:
            known = BY_TF_TYPE.get(name)
            if known is not None:
                return known.grad, True
            raise LookupError(f"gradient registry has no entry for: {name}")
        return _RULES[name], True
    op: OpDef = node.op
    if op.grad is not None:
        return op.grad, True
    if op.tf in _RULES:
        return _RULES[op.tf], True
    # as in TF1: the one kind stops gradients silently, the other is an error
    return None, not op.nograd.startswith(NO_RULE)
