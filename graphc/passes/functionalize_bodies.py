"""Bodies of control-flow nodes on their way into Programs: what they need, how they begin.

Lives here: nodes_of, shape_operands, written_variables, and the steps that branches and loops
share. Not here: the nodes themselves (functionalize_control.py, functionalize_loops.py), other
nodes (functionalize.py). Imports ir, ops.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from graphc.ir.dtypes import int32
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.program import Program, Update, live_nodes
from graphc.ir.shape import dims_equal
from graphc.ops.control import CONTROL, bodies_of, is_kept, operands_of
from graphc.ops.define import F
from graphc.ops.function import Body
from graphc.ops.source import bound
from graphc.ops.values import FLOWS, value_of

if TYPE_CHECKING:
    from graphc.passes.functionalize import Functionalizer


class Varying(Exception):
    """A carried value, or a branch's result, changes its shape."""


def forward_of(node: Node) -> Node:
    """The control node that this is a forward pass of: itself, or what gradients keep of it."""
    found: Node = node.attrs.get("of", node)
    return found


def companions(nodes: Sequence[Node]) -> dict[Node, list[Node]]:
    """By the control node that they are forward passes of: the nodes to convert in one go."""
    found: dict[Node, list[Node]] = {}
    for node in nodes:
        if node.op.name in CONTROL:
            found.setdefault(forward_of(node), []).append(node)
    return found


def nodes_of(body: Body, more: Iterable[Tensor] = ()) -> list[Node]:
    """The nodes that the body's results, targets and `more` need, in order."""
    from graphc.passes.functionalize import needed_nodes

    return needed_nodes((*body.results, *more), body.targets, {})


def shape_operands(node: Node) -> list[Tensor]:
    """The node's operands whose values decide shapes inside its bodies."""
    from graphc.passes.functionalize import shape_operands as of_any

    found: dict[Tensor, None] = {}
    operands = operands_of(node)
    first = node.attrs["loop"].carried if "loop" in node.attrs else 0
    for body in bodies_of(node):
        place = {p: k for k, p in enumerate(body.params)}
        stack = [t for n in nodes_of(body, extra_of(node)) for t in of_any(n)]
        seen: set[Tensor] = set()
        while stack:
            tensor = stack.pop()
            if tensor in seen:
                continue
            seen.add(tensor)
            at = place.get(tensor)
            if at is None:
                if tensor.node.op.name in FLOWS:
                    stack.extend(tensor.node.inputs)
            elif at >= first:
                found[operands[at]] = None
    return [t for t in found if not is_kept(t)]


def extra_of(node: Node) -> tuple[Tensor, ...]:
    """Tensors of bodies that the node gives besides its results."""
    loop = node.attrs.get("loop")
    return (*(loop.pushes if loop is not None else ()), *_saved(node, "tensors"),
            *_saved(node, "then"), *_saved(node, "orelse"))  # fmt: skip


def _saved(node: Node, name: str) -> tuple[Tensor, ...]:
    found: tuple[Tensor, ...] = node.attrs.get(name, ())
    return found


def written_variables(
    work: Functionalizer, node: Node, parts: Iterable[tuple[Body, Sequence[Node]]]
) -> list[Node]:
    """The variables that these nodes of the node's bodies assign to, in order."""
    found: dict[Node, None] = {}
    for body, nodes in parts:
        for tensor in _written_refs(node, body, nodes):
            variable = work.variable_of.get(tensor)
            if variable is not None:
                found[variable] = None
    return list(found)


def _written_refs(node: Node, body: Body, nodes: Sequence[Node]) -> list[Tensor]:
    """The node's operands that these nodes of its body write."""
    found: list[Tensor] = []
    operands = operands_of(node)
    place = {p: k for k, p in enumerate(body.params)}
    for inner in nodes:
        refs = [inner.inputs[i] for i in inner.op.refs]
        if inner.op.name in CONTROL:
            for held in bodies_of(inner):
                own = [t for t in extra_of(inner) if t.graph is held.graph]
                refs.extend(_written_refs(inner, held, nodes_of(held, own)))
        for ref in refs:
            while ref not in place and ref.node.op.refs:
                ref = ref.node.inputs[ref.node.op.refs[0]]
            if ref in place:
                found.append(operands[place[ref]])
    return found


# ------------------------------------------------------------------ how it begins and ends
def zeros(work: Functionalizer, type_: TensorType) -> Tensor:
    """A tensor of zeros (empty strings) of a known shape."""
    from graphc.ops.arrays import zero
    from graphc.ops.convert import constant_tensor

    dims = type_.shape
    assert dims is not None
    if all(isinstance(d, int) for d in dims):
        shape = constant_tensor(list(dims), int32, graph=work.builder)
    else:
        attrs = {"dims": tuple(dims), "shape": (len(dims),), "dtype": int32}
        shape = work.builder.create_node(bound, (), attrs).outputs[0]
    filled: Tensor = F.fill(shape, zero(type_.dtype))
    return filled


def inner_of(work: Functionalizer) -> Functionalizer:
    """A functionalizer for a body: another program over the same symbols."""
    from graphc.passes.functionalize import BodyFunctionalizer

    return BodyFunctionalizer(work)


def operand(work: Functionalizer, tensor: Tensor, mask: int) -> Tensor:
    return work._input(tensor, mask)


def feed_like(inner: Functionalizer, like: Tensor, position: int, name: str) -> Tensor:
    from graphc.passes.functionalize import feed

    inner.builder.at(like.node.origins, name)
    node = inner.builder.add(feed, (), {"position": position}, (like.type,))
    out = node.outputs[0]
    out._value = value_of(like)
    if like.node.op.name == "const":  # a number in the code, not an operand
        made = inner.builder.create_node(like.node.op, (), like.node.attrs)
        inner.constants[out] = made.outputs[0]
    return out


def run_body(inner: Functionalizer, nodes: Sequence[Node], results: Sequence[Tensor]) -> None:
    """Converts a body's nodes."""
    inner.expect(nodes, results)
    with inner.builder.building():
        for node in nodes:
            inner._convert(node, {})


def program_of(
    inner: Functionalizer, feeds: Sequence[Tensor], outputs: Sequence[Tensor],
    updates: Sequence[Update] = (),
) -> Program:  # fmt: skip
    roots = (*outputs, *(u.value for u in updates))
    effects = tuple(inner.effects)
    nodes = live_nodes(roots, tuple(feeds), effects)
    return Program(nodes, tuple(feeds), tuple(outputs), tuple(updates), inner.builder, effects)


def same_type(a: TensorType, b: TensorType) -> bool:
    if a.shape is None or b.shape is None:
        return a.shape is b.shape
    return len(a.shape) == len(b.shape) and all(
        dims_equal(x, y) is True for x, y in zip(a.shape, b.shape, strict=True)
    )


def enter(
    work: Functionalizer, inner: Functionalizer, param: Tensor, user: Tensor, own: Tensor
) -> None:
    """Gives a body's parameter its value: a variable's reference stays one."""
    variable = work.variable_of.get(user)
    if variable is not None and user not in work.values:
        inner.variable_of[param] = variable
        inner.start(variable, own)
    else:
        inner.values[param] = inner.constants.get(own, own)


def assign(mine: Sequence[Tensor], theirs: Sequence[Tensor], work: Functionalizer) -> None:
    """Says what stands for a user's tensors, where no feed does."""
    for user, value in zip(mine, theirs, strict=True):
        work.values.setdefault(user, value)


def write_back(
    work: Functionalizer, readers: Sequence[Node], written: Sequence[Node], values: Sequence[Tensor]
) -> None:
    for variable, value in zip(written, values, strict=True):
        bit = 1 << work.next_bit()
        work.versions[variable].written.append((bit, value))
        for node in readers:
            work.masks[node] = work.masks.get(node, 0) | bit
