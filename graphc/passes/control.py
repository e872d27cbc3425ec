"""Loops and branches of a program: their bodies go through the pipeline, and shrink.

Lives here: Control. Not here: how user's control flow becomes these nodes
(passes/functionalize_control.py), what moves out of loops (passes/hoist.py). Imports passes.base.

What goes: carried values, rows of stacks and operands that nobody needs, from the last node to the
first, so that what a backward pass does not read its forward pass does not keep.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.ir.node import Node, Tensor
from graphc.ir.program import Program, Update, live_nodes
from graphc.ops.control import HOLDERS, ProgramBranches, ProgramLoop
from graphc.ops.define import F
from graphc.passes.base import const_array, finish, rewrite
from graphc.passes.hoist import hoist
from graphc.passes.inline import copied, inline, with_held
from graphc.passes.sink import sink

Optimize = Callable[[Program], Program]


@dataclass(frozen=True)
class Control:
    """Optimises bodies and drops what is dead in them. Valid in, valid out."""

    name: str = "control"

    def run(self, program: Program) -> Program:
        """Without a pipeline for the bodies: only what is dead goes."""
        return self.run_with(program, lambda body: body)

    def run_with(self, program: Program, optimize: Optimize) -> Program:
        if not any(n.op.name in HOLDERS for n in program.nodes):
            return program
        program = rewrite(program, _taken)
        program = rewrite(program, lambda node: _optimized(node, optimize))
        program = hoist(prune(sink(prune(program), optimize)), optimize)
        return prune(program)


# ------------------------------------------------------------------ bodies
def _optimized(node: Node, optimize: Optimize) -> Any:
    """A control-flow node over optimised programs."""
    if node.op.name not in HOLDERS:
        return None
    loop: ProgramLoop | None = node.attrs.get("loop")
    held: Any
    if loop is not None:
        held = dataclasses.replace(loop, cond=optimize(loop.cond), body=optimize(loop.body))
    else:
        both: ProgramBranches = node.attrs["branches"]
        held = dataclasses.replace(both, then=optimize(both.then), orelse=optimize(both.orelse))
    return with_held(node, held, node.inputs).outputs


def _taken(node: Node) -> Any:
    """A branch whose predicate is a constant: its program's nodes stand in its place."""
    if node.op.name != "branch":
        return None
    known = const_array(node.inputs[0])
    held: ProgramBranches = node.attrs["branches"]
    if known is None or held.then.effects or held.orelse.effects:
        return None
    outs = inline(held.then if bool(known) else held.orelse, node.graph, node.inputs[1:])
    first, second = held.then.outputs[held.shared :], held.orelse.outputs[held.shared :]
    if bool(known):
        return (*outs, *(_nothing(t) for t in second))
    return (*outs[: held.shared], *(_nothing(t) for t in first), *outs[held.shared :])


def _nothing(tensor: Tensor) -> Tensor:
    """A tensor that nobody looks at."""
    from graphc.ops.arrays import zero

    filled: Tensor = F.broadcast_to(zero(tensor.dtype), [1] * len(tensor.known_dims))
    return filled


# ------------------------------------------------------------------ what is dead
def prune(program: Program) -> Program:
    """Without the carried values, pushed rows, results and operands that nobody needs."""
    used: set[Tensor] = set(program.roots)
    slim: dict[Node, tuple[Any, list[int]]] = {}
    for node in reversed(program.nodes):
        if node.op.name in HOLDERS:
            slim[node] = _slim(node, {k for k, t in enumerate(node.outputs) if t in used})
            used.update(node.inputs[k] for k in slim[node][1])
        elif node in program.effects or any(t in used for t in node.outputs):
            used.update(node.inputs)
    return _apply(program, slim)


def _apply(program: Program, slim: dict[Node, tuple[Any, list[int]]]) -> Program:
    builder = program.builder
    new: dict[Tensor, Tensor] = {}
    moved: dict[Node, Node] = {}
    with builder.building():
        for node in program.nodes:
            if node not in slim:
                if all(t in new for t in node.inputs):
                    copy = moved[node] = _same(builder, node, new)
                    new.update(zip(node.outputs, copy.outputs, strict=True))
                continue
            held, kept = slim[node]
            inputs = [new[node.inputs[k]] for k in kept]
            copy = moved[node] = with_held(node, held.made, inputs)
            for old, at in held.outputs.items():
                new[node.outputs[old]] = copy.outputs[at]
    return finish(program, new, moved)


def _same(builder: Any, node: Node, new: dict[Tensor, Tensor]) -> Node:
    if all(new[t] is t for t in node.inputs):
        return node
    return copied(node, builder, new)


@dataclass(frozen=True)
class _Slim:
    """What is left of a held program, and where its outputs have gone."""

    made: Any
    outputs: dict[int, int]


def _slim(node: Node, keep: set[int]) -> tuple[_Slim, list[int]]:
    loop: ProgramLoop | None = node.attrs.get("loop")
    return _slim_branches(node, keep) if loop is None else _slim_loop(node, loop, keep)


def _slim_branches(node: Node, keep: set[int]) -> tuple[_Slim, list[int]]:
    held: ProgramBranches = node.attrs["branches"]
    own = len(held.then.outputs)
    shared = [k for k in range(held.shared) if k in keep]
    then = [*shared, *(k for k in range(held.shared, own) if k in keep)]
    ahead = own - held.shared
    later = [k for k in range(held.shared, len(held.orelse.outputs)) if k + ahead in keep]
    orelse = [*shared, *later]
    first = _cut(prune(_outputs(held.then, then)))
    second = _cut(prune(_outputs(held.orelse, orelse)))
    used = sorted(_used_feeds(first) | _used_feeds(second))
    made = ProgramBranches(_refed(first, used), _refed(second, used), len(shared))
    order = [*then, *(k + ahead for k in later)]
    return _Slim(made, {old: at for at, old in enumerate(order)}), [0, *(k + 1 for k in used)]


def _slim_loop(node: Node, loop: ProgramLoop, keep: set[int]) -> tuple[_Slim, list[int]]:
    n = loop.carried
    pushes = [k for k in range(len(loop.body.outputs)) if n + k in keep]
    alive = _alive(loop, {k for k in keep if k < n}, pushes)
    variables = [loop.variables[k] for k in alive]
    updates = tuple(loop.body.updates[k] for k in alive)
    body = dataclasses.replace(
        loop.body, outputs=tuple(loop.body.outputs[k] for k in pushes), updates=updates
    )
    body, cond = _cut(prune(_cut(body))), _cut(prune(_cut(loop.cond)))
    used = sorted(_used_feeds(cond) | _used_feeds(body))
    pops = sum(k < loop.pops for k in used)
    made = ProgramLoop(_refed(cond, used), _refed(body, used), tuple(variables), pops)
    outputs = {old: at for at, old in enumerate([*alive, *(n + k for k in pushes)])}
    return _Slim(made, outputs), [*alive, *(n + k for k in used)]


def _alive(loop: ProgramLoop, wanted: set[int], pushes: Sequence[int]) -> list[int]:
    """The carried values that decide how often it runs, what it gives, or what it does."""
    number = {v: k for k, v in enumerate(loop.variables)}
    reads = {n.outputs[0]: number[n.attrs["variable"]]
             for _, p in loop.programs for n in p.nodes if n.op.name == "read"}  # fmt: skip
    alive = set(wanted)
    stack = list(loop.cond.outputs) + [loop.body.outputs[k] for k in pushes]
    stack += [t for _, p in loop.programs for n in p.effects for t in n.inputs]
    stack += [loop.body.updates[k].value for k in wanted]
    seen: set[Tensor] = set()
    while stack:
        tensor = stack.pop()
        if tensor in seen:
            continue
        seen.add(tensor)
        at = reads.get(tensor)
        if at is not None and at not in alive:
            alive.add(at)
            stack.append(loop.body.updates[at].value)
        stack.extend(tensor.node.inputs)
    return sorted(alive)


def _outputs(program: Program, keep: Sequence[int]) -> Program:
    return dataclasses.replace(program, outputs=tuple(program.outputs[k] for k in keep))


def _cut(program: Program) -> Program:
    """Only the nodes that the roots need; feeds that nobody reads stay."""
    nodes = live_nodes(program.roots, program.feeds, program.effects)
    return dataclasses.replace(program, nodes=nodes)


def _used_feeds(program: Program) -> set[int]:
    read = {t for n in program.nodes for t in n.inputs} | set(program.roots)
    return {k for k, t in enumerate(program.feeds) if t in read}


def _refed(program: Program, used: Sequence[int]) -> Program:
    """The program over fewer feeds."""
    from graphc.passes.functionalize import feed

    builder = program.builder
    new: dict[Tensor, Tensor] = {}
    moved: dict[Node, Node] = {}
    with builder.building():
        for at, k in enumerate(used):
            old = program.feeds[k]
            if old.node.attrs["position"] == at:
                new[old] = old
                continue
            builder.at(old.node.origins, old.node.name)
            made = builder.add(feed, (), {"position": at}, (old.type,))
            made.outputs[0]._value = old._value
            new[old] = made.outputs[0]
        for node in program.nodes:
            if node.op.name == "feed":
                continue
            copy = moved[node] = _same(builder, node, new)
            new.update(zip(node.outputs, copy.outputs, strict=True))
    feeds = tuple(new[program.feeds[k]] for k in used)
    outputs = tuple(new[t] for t in program.outputs)
    updates = tuple(Update(u.variable, new[u.value]) for u in program.updates)
    roots = outputs + tuple(u.value for u in updates)
    effects = tuple(moved[n] for n in program.effects)
    return Program(live_nodes(roots, feeds, effects), feeds, outputs, updates, builder, effects)
