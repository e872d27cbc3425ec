"""Nodes of one program in another, and control-flow nodes over other programs.

Lives here: inline, copied, replacing, with_held. Not here: what is moved and why (control.py,
hoist.py). Imports passes.base.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.ir.node import Node, Tensor
from graphc.ir.program import Program
from graphc.ops.control import ProgramLoop
from graphc.passes.base import finish


def with_held(node: Node, held: Any, inputs: Sequence[Tensor] | None = None) -> Node:
    name = "loop" if isinstance(held, ProgramLoop) else "branches"
    builder = node.graph
    builder.at(node.origins, node.name)
    return builder.create_node(node.op, node.inputs if inputs is None else inputs, {name: held})


def replacing(program: Program, visit: Callable[[Node], Any]) -> Program:
    """As rewrite; nodes with effects may be replaced by nodes, too."""
    new: dict[Tensor, Tensor] = {}
    moved: dict[Node, Node] = {}
    builder = program.builder
    with builder.building():
        for node in program.nodes:
            builder.at(node.origins, node.name)
            inputs = tuple(new[t] for t in node.inputs)
            copy = node
            if inputs != node.inputs:
                types = [t.type for t in node.outputs]
                copy = (
                    builder.add(node.op, inputs, node.attrs, types)
                    if node.op.stateful
                    else builder.create_node(node.op, inputs, node.attrs)
                )
            outs = visit(copy)
            moved[node] = copy if outs is None else outs[0].node if outs else copy
            new.update(zip(node.outputs, copy.outputs if outs is None else outs, strict=True))
    return finish(program, new, moved)


def inline(
    program: Program, builder: Any, feeds: Sequence[Tensor], reads: dict[Any, Tensor]
) -> list[Tensor]:
    """The program's outputs as tensors of another builder.

    Args:
        feeds: what its feeds stand for. reads: the same for variables.
    """
    new: dict[Tensor, Tensor] = {}
    for node in program.nodes:
        if node.op.name == "feed":
            new[node.outputs[0]] = feeds[node.attrs["position"]]
        elif node.op.name == "read" and node.attrs["variable"] in reads:
            new[node.outputs[0]] = reads[node.attrs["variable"]]
        else:
            new.update(zip(node.outputs, copied(node, builder, new).outputs, strict=True))
    return [new[t] for t in program.outputs]


def copied(node: Node, builder: Any, new: dict[Tensor, Tensor]) -> Node:
    """The node in another builder, over the tensors that stand for its inputs there."""
    builder.at(node.origins, node.name)
    inputs = [new[t] for t in node.inputs]
    if node.op.stateful:
        return builder.add(node.op, inputs, node.attrs, [t.type for t in node.outputs])
    return builder.create_node(node.op, inputs, node.attrs)
