"""Groups that are alike: the same ops on other tensors, as the layers and steps of a network are.

Lives here: signature, what a group's kernels depend on. Not here: who remembers kernels by it
(runtime/schedule.py) or footprints (fusion/partition.py). Imports ir and ops.values.

Two groups of one signature have the same kernels but for names: their tensors correspond by
position. Everything that a kernel definition may look at is in the signature: ops, attributes,
types, which operand is which, and the values of operands that a definition may read.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from graphc.ir.node import Node, Tensor
from graphc.ops.values import value_of
from graphc.passes.base import const_array

LARGEST = 64  # elements of a value that is compared by content


def signature(nodes: Sequence[Node]) -> tuple[Hashable, list[Tensor]]:
    """(key, tensors) of nodes in topological order: tensors of equal keys correspond in order.

    The tensors are those that the nodes read from outside, then all that they compute.
    """
    number: dict[Tensor, int] = {}
    inside = set(nodes)
    facts: list[Hashable] = []
    for node in nodes:
        for tensor in node.inputs:
            if tensor.node not in inside and tensor not in number:
                number[tensor] = len(number)
                facts.append(_operand(tensor))
    for node in nodes:
        for tensor in node.outputs:
            number[tensor] = len(number)
        facts.append(
            (
                node.op.name,
                tuple(sorted(node.attrs.items())),
                tuple(number[t] for t in node.inputs),
                tuple((t.dtype.name, t.dims) for t in node.outputs),
            )
        )
    return tuple(facts), list(number)


def _operand(tensor: Tensor) -> Hashable:
    """What is known of an operand: its type, and its value where a definition may read it."""
    return tensor.dtype.name, tensor.dims, _value(tensor)


def _value(tensor: Tensor) -> Hashable:
    array = const_array(tensor)
    if array is None and tensor.dtype.kind in "iu":
        array = value_of(tensor)  # shapes and indices; elements are ints or symbols
    if array is None:
        return None
    if array.size > LARGEST:
        return tensor.node.id if tensor.dtype.kind in "iu" else None
    if array.dtype == object:
        return array.shape, tuple(array.reshape(-1).tolist())
    return array.shape, array.dtype.str, array.tobytes()
