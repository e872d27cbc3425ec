"""Copies of a part of the graph with some tensors replaced by others.

Lives here: replay. It serves two ends: training and evaluation plans, in which the learning phase
is a constant and the unused side of every choice is not even built, and raw ops inside models
that are applied to new inputs. Imports ir and ops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphc.ir.node import Node, Tensor
from graphc.ops.convert import constant_tensor
from graphc.passes.functionalize import needed_nodes

__all__ = ["replay"]


class _Replay:
    """One copying: `known` are the tensors that are replaced, `phases` those with a truth value."""

    def __init__(self, known: Mapping[Tensor, Tensor], phases: Mapping[Tensor, bool]) -> None:
        self.known: dict[Tensor, Tensor] = dict(known)
        self.phases = phases
        self.nodes: dict[Node, Node] = {}
        self.dependent: set[Node] = set()

    def choice(self, node: Node) -> Tensor | None:
        """The operand that a select of a phase takes, or None for any other node."""
        if node.op.name not in ("select", "select_v2") or node.inputs[0] not in self.phases:
            return None
        return node.inputs[1 if self.phases[node.inputs[0]] else 2]

    def mark(self, roots: Sequence[Node]) -> None:
        """Finds the nodes that depend on what is replaced."""
        for node in needed_nodes([], roots, self.known):
            replaced = any(
                t in self.known or t in self.phases or t.node in self.dependent
                for t in node.inputs
            )
            if replaced or any(c in self.dependent for c in node.control_inputs):
                self.dependent.add(node)

    def live(self, roots: Sequence[Node]) -> list[Node]:
        """The dependent nodes that the roots need once choices are made, in order."""
        seen: set[Node] = set()
        stack = list(roots)
        while stack:
            node = stack.pop()
            if node in seen or node not in self.dependent:
                continue
            seen.add(node)
            taken = self.choice(node)
            inputs = node.inputs if taken is None else (taken,)
            stack.extend(t.node for t in inputs if t not in self.known)
            stack.extend(node.control_inputs)
        return sorted(seen, key=lambda n: n.id)

    def tensor(self, tensor: Tensor) -> Tensor:
        found = self.known.get(tensor)
        if found is not None:
            return found
        if tensor in self.phases:
            value = constant_tensor(self.phases[tensor], tensor.dtype, graph=tensor.graph)
            self.known[tensor] = value
            return value
        return tensor

    def copy(self, node: Node) -> None:
        taken = self.choice(node)
        if taken is not None and taken.dims == node.outputs[0].dims:
            self.known[node.outputs[0]] = self.tensor(taken)
            self.nodes[node] = self.known[node.outputs[0]].node
            return
        graph = node.graph
        control = [self.nodes.get(c, c) for c in node.control_inputs]
        inputs = [self.tensor(t) for t in node.inputs]
        base = node.name.rsplit("/", 1)[-1]
        with graph.control_dependencies(control):
            made = graph.create_node(node.op, inputs, node.attrs, base)
        self.nodes[node] = made
        for mine, theirs in zip(node.outputs, made.outputs, strict=True):
            if theirs.dims is None or None in theirs.dims:
                self._refine(theirs, mine)
            self.known[mine] = theirs

    def _refine(self, made: Tensor, like: Tensor) -> None:
        """Takes over what set_shape told of the original, where only phases are replaced."""
        if self.phases:
            made.set_shape(like.shape)


def replay(
    targets: Sequence[Any],
    known: Mapping[Tensor, Tensor] | None = None,
    phases: Mapping[Tensor, bool] | None = None,
    name: str = "replay",
) -> list[Any]:
    """The targets (tensors and nodes) computed from other tensors.

    Args:
        known: tensor -> what takes its place. phases: bool scalars whose value is decided now:
            of a choice by them only one side is copied.

    Returns:
        one for each target: itself where it depends on nothing that is replaced.
    """
    work = _Replay(known or {}, phases or {})
    roots = [t.node if isinstance(t, Tensor) else t for t in targets]
    if not roots:
        return []
    graph = roots[0].graph
    with graph.as_default(), graph.control_dependencies(None), graph.name_scope(name):
        work.mark(roots)
        for node in work.live(roots):
            if not all(t in work.known for t in node.outputs) or not node.outputs:
                work.copy(node)
    out: list[Any] = []
    for target in targets:
        if isinstance(target, Tensor):
            out.append(work.tensor(target))
        else:
            out.append(work.nodes.get(target, target))
    return out
