"""Loops on their way into Programs: what they carry, its shapes, what gradients keep of them.

Lives here: LoopConversion. Not here: branches and the entry (functionalize_control.py), what bodies
share (functionalize_bodies.py). Imports ir, ops.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.program import Update
from graphc.ops.control import Loop, ProgramLoop
from graphc.ops.define import F
from graphc.ops.function import Body
from graphc.ops.values import value_of
from graphc.passes.functionalize_bodies import (
    Varying,
    assign,
    enter,
    feed_like,
    inner_of,
    operand,
    program_of,
    run_body,
    same_type,
    write_back,
    written_variables,
    zeros,
)

if TYPE_CHECKING:
    from graphc.passes.functionalize import Functionalizer

MAX_ROUNDS = 4  # to find the shapes of arrays that enter a loop empty


class LoopConversion:
    """One loop, with the forward passes that gradients need of it."""

    def __init__(self, work: Functionalizer, node: Node, mask: int) -> None:
        self.work = work
        self.node = node
        self.mask = mask
        self.loop: Loop = node.attrs["loop"]
        self.alive: list[int] = []  # what is carried and needed
        self.nodes: dict[Body, list[Node]] = {}

    def _look(self, plain: Sequence[Node], pushes: Sequence[Tensor]) -> None:
        """Finds out what is needed of the loop: carried values and nodes of its bodies."""
        from graphc.passes.functionalize import needed_nodes

        loop = self.loop
        params = {p.node: k for b in (loop.cond, loop.body)
                  for k, p in enumerate(b.params[: loop.carried])}  # fmt: skip
        used = self.work.used
        alive = {k for n in plain for k, t in enumerate(n.outputs[: loop.carried]) if t in used}
        before = -1
        while len(alive) != before:
            before = len(alive)
            results = (*(loop.body.results[k] for k in sorted(alive)), *pushes)
            self.nodes = {
                loop.cond: needed_nodes(loop.cond.results, loop.cond.targets, {}),
                loop.body: needed_nodes(results, loop.body.targets, {}),
            }
            alive.update(params[n] for ns in self.nodes.values() for n in ns if n in params)
        self.alive = sorted(alive)

    def convert(self, group: Sequence[Node]) -> None:
        work, loop = self.work, self.loop
        plain = [n for n in group if n.op.name == "while_loop"]
        saved = [n for n in group if n.op.name == "while_saved"]
        # two gradients of one loop may keep the same
        pushes = list(dict.fromkeys(
            [*loop.pushes, *(t for n in saved for t in n.attrs["tensors"])]
        ))  # fmt: skip
        self._look(plain, pushes)
        written = written_variables(work, self.node, self.nodes.items())
        users = self.node.inputs
        inits = [operand(work, users[k], self.mask) for k in self.alive]
        rest = [operand(work, t, self.mask) for t in users[loop.carried :]]
        inits += [work._version(v, self.mask) for v in written]
        made, inits = self._settled(inits, rest, written, pushes)
        carried, alive = len(inits), len(self.alive)
        body = made.body
        types = [t.type for t in inits] + [t.type for t in body.outputs]
        work.builder.at(self.node.origins, self.node.name)
        node = work.builder.add(F.loop, (*inits, *rest), {"loop": made}, types)
        outs = node.outputs
        stacks = dict(zip(pushes, outs[carried:], strict=True))
        for user in plain:
            assign([user.outputs[k] for k in self.alive], outs[:alive], work)
            assign(user.outputs[loop.carried :], [stacks[t] for t in loop.pushes], work)
        write_back(work, plain, written, outs[alive:carried])
        for user in saved:
            assign(user.outputs, [stacks[t] for t in user.attrs["tensors"]], work)
        if made.body.effects or made.cond.effects:
            work.effects.append(node)

    def _settled(
        self, inits: list[Tensor], rest: Sequence[Tensor], written: Sequence[Node],
        pushes: Sequence[Tensor],
    ) -> tuple[ProgramLoop, list[Tensor]]:  # fmt: skip
        """The loop's programs once every carried value has a shape, and the initial values."""
        types = [t.type for t in inits]
        for _ in range(MAX_ROUNDS):
            unknown = [k for k, t in enumerate(types) if t.shape is None]
            made = self._programs(types, inits, rest, written, pushes, lenient=bool(unknown))
            if not unknown:
                break
            after = [u.value.type for u in made.body.updates]
            learnt = [k for k in unknown if after[k].shape is not None
                      and None not in after[k].shape]  # type: ignore[operator]
            for k in learnt:
                types[k] = after[k]
            if not learnt:
                if self.work.lenient:
                    return made, inits
                self._give_up(types, inits, unknown)
        for type_, update in zip(types, made.body.updates, strict=True):
            if not self.work.lenient and not same_type(type_, update.value.type):
                raise Varying
        with self.work.builder.building():
            inits = [
                t if t.dims is not None else zeros(self.work, type_)
                for t, type_ in zip(inits, types, strict=True)
            ]
        return made, inits

    def _give_up(
        self, types: list[TensorType], inits: Sequence[Tensor], unknown: Sequence[int]
    ) -> None:
        """Arrays that nobody writes hold scalars."""
        for k in unknown:
            source = inits[k].node
            size = value_of(source.inputs[0]) if source.op.name == "tensor_array" else None
            if size is None:
                raise Varying
            types[k] = TensorType(types[k].dtype, (size.item(),))

    def _programs(
        self, types: Sequence[TensorType], inits: Sequence[Tensor], rest: Sequence[Tensor],
        written: Sequence[Node], pushes: Sequence[Tensor], lenient: bool,
    ) -> ProgramLoop:  # fmt: skip
        variables = tuple(self._variable(t, i) for t, i in zip(types, inits, strict=True))
        loop = self.loop
        cond, feeds = self._body(loop.cond, variables, rest, written, (), lenient)
        with cond.builder.building():
            test = cond._read_fetch(loop.cond.results[0])
        tested = program_of(cond, feeds, [test])
        body, feeds = self._body(loop.body, variables, rest, written, pushes, lenient)
        with body.builder.building():
            after = [body._read_fetch(loop.body.results[k]) for k in self.alive]
            after += [body._version(v, None) for v in written]
            pushed = [body._read_fetch(t) for t in pushes]
        updates = [Update(v, t) for v, t in zip(variables, after, strict=True)]
        stepped = program_of(body, feeds, pushed, updates)
        return ProgramLoop(tested, stepped, variables, loop.pops)

    def _variable(self, type_: TensorType, init: Tensor) -> Node:
        """What a carried value is called inside the loop's programs."""
        attrs = {"dtype": type_.dtype, "shape": type_.shape}
        self.work.builder.at(init.node.origins, init.node.name)
        return self.work.builder.add(F.variable, (), attrs, (type_,))

    def _body(
        self, body: Body, variables: Sequence[Node], rest: Sequence[Tensor],
        written: Sequence[Node], pushes: Sequence[Tensor], lenient: bool,
    ) -> tuple[Functionalizer, list[Tensor]]:  # fmt: skip
        from graphc.passes.functionalize import read

        work, loop = self.work, self.loop
        inner = inner_of(work)
        inner.lenient = lenient or work.lenient
        reads = [
            inner.builder.add(read, (), {"variable": v}, (v.outputs[0].type,)).outputs[0]
            for v in variables
        ]
        feeds = [feed_like(inner, t, k, t.node.name) for k, t in enumerate(rest)]
        params = body.params
        for k, own in zip(self.alive, reads, strict=False):
            inner.values[params[k]] = own
        users = self.node.inputs[loop.carried :]
        for param, user, own in zip(params[loop.carried :], users, feeds, strict=True):
            enter(work, inner, param, user, own)
        for variable, own in zip(written, reads[len(self.alive) :], strict=True):
            inner.start(variable, own)
        run_body(inner, self.nodes[body], (*body.results, *pushes))
        return inner, feeds
