"""Nodes of one program in another, and control-flow nodes over other programs.

Lives here: inline, copied, with_held. Not here: what is moved and why (control.py, hoist.py).
Imports ir and ops.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.ir.node import Node, Tensor
from graphc.ir.program import Program
from graphc.ops.control import ProgramLoop


def with_held(node: Node, held: Any, inputs: Sequence[Tensor]) -> Node:
    """The loop or branch over other programs and operands."""
    name = "loop" if isinstance(held, ProgramLoop) else "branches"
    builder = node.graph
    builder.at(node.origins, node.name)
    made: Node = builder.create_node(node.op, inputs, {name: held})
    return made


def inline(program: Program, builder: Any, feeds: Sequence[Tensor]) -> list[Tensor]:
    """The program's outputs as tensors of another builder, over what its feeds stand for."""
    new: dict[Tensor, Tensor] = {}
    for node in program.nodes:
        if node.op.name == "feed":
            new[node.outputs[0]] = feeds[node.attrs["position"]]
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
