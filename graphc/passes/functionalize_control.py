"""From a user's control-flow nodes to a Program's: bodies become Programs of their own.

Lives here: convert (while_loop, cond and what gradients save of them), shaped. Not here: loops
(functionalize_loops.py), what bodies need (functionalize_bodies.py). Imported by
passes/functionalize.py, which converts everything else. Imports ir, ops.

State. A body is pure: variables that it only reads are operands, variables that it writes are
carried from step to step (or are further outputs of a branch) and written behind the node. Within
a step a read sees what functionalize.py says of a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphc.errors import InvalidArgumentError
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.program import Program, UnresolvedShape
from graphc.ops.control import Branches, ProgramBranches
from graphc.ops.define import F
from graphc.ops.function import Body
from graphc.ops.values import value_of
from graphc.passes.functionalize_bodies import (
    Varying,
    assign,
    enter,
    feed_like,
    forward_of,
    inner_of,
    nodes_of,
    operand,
    program_of,
    run_body,
    same_type,
    write_back,
    written_variables,
    zeros,
)
from graphc.passes.functionalize_loops import LoopConversion

if TYPE_CHECKING:
    from graphc.passes.functionalize import Functionalizer

_FIRST_WRITES = ("tensor_array_write", "tensor_array_grow")


# ------------------------------------------------------------------ entry
def convert(work: Functionalizer, node: Node, mask: int) -> None:
    """Adds what the node means to the program of `work`.

    Raises:
        UnresolvedShape: shapes inside depend on data.
    """
    if node in work.dynamic:
        _on_host(work, node, mask)
        return
    group = [node, *work.companions.get(forward_of(node), ())]
    if node in work.converted:
        return  # with the node that it belongs to
    group = list(dict.fromkeys(group))
    work.converted.update(group)
    try:
        if "loop" in node.attrs:
            LoopConversion(work, node, mask).convert(group)
        else:
            _Branches(work, node, mask).convert(group)
    except (UnresolvedShape, Varying):
        raise UnresolvedShape(node) from None


def shaped(work: Functionalizer, node: Node, inputs: list[Tensor]) -> list[Tensor]:
    """The inputs, empty TensorArrays among them as zeros of the shape that is now known."""
    if node.op.name not in _FIRST_WRITES or inputs[0].dims is not None:
        return inputs
    write = node.op.name == "tensor_array_write"
    element, size = (inputs[2], inputs[3]) if write else (inputs[2], inputs[1])
    rows = value_of(size)
    if rows is None or element.dims is None or inputs[0].node.op.name != "tensor_array":
        return inputs
    empty = zeros(work, TensorType(inputs[0].dtype, (rows.item(), *element.dims)))
    return [empty, *inputs[1:]]


# ------------------------------------------------------------------ branches
class _Branches:
    """One cond, with the forward passes that gradients need of it."""

    def __init__(self, work: Functionalizer, node: Node, mask: int) -> None:
        self.work = work
        self.node = node
        self.mask = mask
        self.held: Branches = node.attrs["branches"]
        self.pred = operand(work, node.inputs[0], mask)

    def convert(self, group: Sequence[Node]) -> None:
        plain = [n for n in group if n.op.name == "cond"]
        saved = [n for n in group if n.op.name == "cond_saved"]
        then = [t for n in saved for t in n.attrs["then"]]
        orelse = [t for n in saved for t in n.attrs["orelse"]]
        known = value_of(self.pred)
        if known is not None and known.dtype != object:
            self._inline(bool(known), plain, saved)
            return
        parts = [(self.held.then, nodes_of(self.held.then, then)),
                 (self.held.orelse, nodes_of(self.held.orelse, orelse))]  # fmt: skip
        written = written_variables(self.work, self.node, parts) if plain else []
        operands = [self._capture(t) for t in self.node.inputs[1:]]
        operands += [self.work._version(v, self.mask) for v in written]
        first = self._branch(self.held.then, operands, written, then)
        second = self._branch(self.held.orelse, operands, written, orelse)
        shared = len(self.held.then.results) + len(written)
        types = [t.type for t in first.outputs[:shared]]
        if not all(map(same_type, types, (t.type for t in second.outputs[:shared]))):
            raise Varying
        types += [t.type for t in (*first.outputs[shared:], *second.outputs[shared:])]
        self.work.builder.at(self.node.origins, self.node.name)
        made = self.work.builder.add(
            F.branch, (self.pred, *operands),
            {"branches": ProgramBranches(first, second, shared)}, types,
        )  # fmt: skip
        self._hand_out(made.outputs, plain, saved, written, len(then))
        if first.effects or second.effects:
            self.work.effects.append(made)

    def _capture(self, tensor: Tensor) -> Tensor:
        return operand(self.work, tensor, self.mask)

    def _branch(
        self, body: Body, operands: Sequence[Tensor], written: Sequence[Node],
        saved: Sequence[Tensor],
    ) -> Program:  # fmt: skip
        inner = inner_of(self.work)
        feeds = [feed_like(inner, t, k, t.node.name) for k, t in enumerate(operands)]
        for param, user, own in zip(body.params, self.node.inputs[1:], feeds, strict=False):
            enter(self.work, inner, param, user, own)
        for variable, own in zip(written, feeds[len(body.params) :], strict=True):
            inner.start(variable, own)
        run_body(inner, nodes_of(body, saved), (*body.results, *saved))
        with inner.builder.building():
            outs = [inner._read_fetch(t) for t in body.results]
            outs += [inner._version(v, None) for v in written]
            outs += [inner._read_fetch(t) for t in saved]
        return program_of(inner, feeds, outs)

    def _hand_out(
        self, outs: Sequence[Tensor], plain: Sequence[Node], saved: Sequence[Node],
        written: Sequence[Node], thens: int,
    ) -> None:  # fmt: skip
        count = len(self.held.then.results)
        for node in plain:
            assign(node.outputs, outs[:count], self.work)
        write_back(self.work, plain, written, outs[count : count + len(written)])
        first = list(outs[count + len(written) :])
        second = first[thens:]
        for node in saved:
            mine = [first.pop(0) for _ in node.attrs["then"]]
            mine += [second.pop(0) for _ in node.attrs["orelse"]]
            assign(node.outputs, mine, self.work)

    def _inline(self, taken: bool, plain: Sequence[Node], saved: Sequence[Node]) -> None:
        """The predicate is known: the taken branch's nodes stand in the program itself."""
        work = self.work
        body = self.held.then if taken else self.held.orelse
        for param, user in zip(body.params, self.node.inputs[1:], strict=True):
            work.masks[param.node] = self.mask
            variable = work.variable_of.get(user)
            if variable is not None and user not in work.values:
                work.variable_of[param] = variable
            else:
                work.values[param] = work._input(user, self.mask)
        name = "then" if taken else "orelse"
        wanted = [t for n in saved for t in n.attrs[name]]
        nodes = nodes_of(body, wanted)
        work.expect(nodes, (*body.results, *wanted))
        for node in nodes:
            if node.op.name != "placeholder":
                work._convert(node, {})
                work.masks[node] |= self.mask
        written = 0
        for node in nodes:
            written |= work.masks[node]
        for node in plain:
            work.masks[node] = work.masks.get(node, 0) | written
            assign(node.outputs, [work._input(t, written) for t in body.results], work)
        for node in saved:
            self._inline_saved(node, name)

    def _inline_saved(self, node: Node, name: str) -> None:
        """Of the branch that is not taken: tensors that nobody will look at."""
        outs = iter(node.outputs)
        for part in ("then", "orelse"):
            for tensor in node.attrs[part]:
                out = next(outs)
                if part == name:
                    self.work.values[out] = self.work._read_fetch(tensor)
                else:
                    self.work.values[out] = zeros(self.work, TensorType(tensor.dtype, ()))


# ------------------------------------------------------------------ shapes that vary
def _on_host(work: Functionalizer, node: Node, mask: int) -> None:
    """The whole node as one step of the host, which runs its bodies as plans of their own."""
    loop = node.attrs.get("loop")
    if "of" in node.attrs or (loop is not None and (loop.pops or loop.pushes)):
        raise InvalidArgumentError(
            node.node_def, node,
            f"the gradient of {forward_of(node).name!r} needs shapes that stay the same from step "
            "to step, or that do not depend on data",
        )  # fmt: skip
    inputs = [_typed(work, operand(work, t, mask)) for t in node.inputs]
    made = work.builder.add(F.host_control, inputs, {"node": node}, [t.type for t in node.outputs])
    work.effects.append(made)
    assign(node.outputs, made.outputs, work)


def _typed(work: Functionalizer, tensor: Tensor) -> Tensor:
    """An empty TensorArray whose elements' shape only the run will tell."""
    if tensor.dims is not None or tensor.node.op.name != "tensor_array":
        return tensor
    rows = value_of(tensor.node.inputs[0])
    if rows is None:
        raise UnresolvedShape(tensor.node)
    return zeros(work, TensorType(tensor.dtype, (rows.item(), 0)))
