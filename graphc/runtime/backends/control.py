"""The reference's loops and branches: the meaning of a Program's control-flow nodes, in NumPy.

Lives here: evaluate_control. Not here: other nodes (reference.py), the compiled loops
(runtime/loops.py). Imported by reference.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.config import Config
from graphc.ir.node import Node, Tensor
from graphc.ir.program import Program
from graphc.ops.control import ProgramBranches, ProgramLoop
from graphc.runtime.state import RunContext

Array = np.ndarray[Any, Any]


class _Carried:
    """A store whose variables are what a loop carries; the rest is the session's."""

    def __init__(self, ctx: RunContext, arrays: dict[Node, Array]) -> None:
        self.arrays = arrays
        self._store = ctx.store

    def view(self, variable: Node) -> Array:
        return self.arrays[variable]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class _BodyContext(RunContext):
    """The context of one step: what it did is done again in the next one."""

    def __init__(self, ctx: RunContext, store: Any) -> None:
        super().__init__(store, ctx.random)
        self.states = ctx.states


def evaluate_control(
    node: Node, inputs: Sequence[Array], ctx: RunContext, symbols: Mapping[str, int], check: bool
) -> tuple[Any, ...]:
    """The node's outputs; a stack is the list of its rows. check: names the first NaN inside."""
    held = node.attrs.get("loop") or node.attrs["branches"]
    plans = [_Plan(p, symbols, check) for _, p in held.programs]
    if isinstance(held, ProgramLoop):
        return _loop(held, plans, inputs, ctx)
    return _branch(held, plans, inputs, ctx)


class _Plan:
    """A held program, ready to be evaluated many times."""

    def __init__(self, program: Program, symbols: Mapping[str, int], check: bool) -> None:
        from graphc.runtime.backends.reference import ReferencePlan

        self.plan = ReferencePlan(program, Config(check_numerics=check))
        self.symbols = symbols

    def values(self, ctx: RunContext, feeds: Sequence[Array]) -> dict[Tensor, Array]:
        return self.plan.evaluate(ctx, feeds, self.symbols)


def _loop(
    held: ProgramLoop, plans: Sequence[_Plan], inputs: Sequence[Any], ctx: RunContext
) -> tuple[Any, ...]:
    cond, body = plans
    carried = dict(zip(held.variables, inputs, strict=False))
    stacks = [list(s) for s in inputs[held.carried : held.carried + held.pops]]
    captured = list(inputs[held.carried + held.pops :])
    pushed: list[list[Array]] = [[] for _ in held.body.outputs]
    while True:
        tops = [s[-1] if s else np.empty(0) for s in stacks]
        step = _BodyContext(ctx, _Carried(ctx, carried))
        values = cond.values(step, [*tops, *captured])
        if not bool(values[held.cond.outputs[0]]):
            break
        values = body.values(step, [*tops, *captured])
        carried = {u.variable: np.array(values[u.value]) for u in held.body.updates}
        for rows, tensor in zip(pushed, held.body.outputs, strict=True):
            rows.append(np.array(values[tensor]))
        for stack in stacks:
            stack.pop()
    return (*(carried[v] for v in held.variables), *pushed)


def _branch(
    held: ProgramBranches, plans: Sequence[_Plan], inputs: Sequence[Array], ctx: RunContext
) -> tuple[Any, ...]:
    taken = bool(inputs[0])
    program = held.then if taken else held.orelse
    step = _BodyContext(ctx, ctx.store)
    values = plans[not taken].values(step, inputs[1:])
    outs: list[Any] = [np.array(values[t]) for t in program.outputs]
    only_then = [_nothing(t) for t in held.then.outputs[held.shared :]]
    only_else = [_nothing(t) for t in held.orelse.outputs[held.shared :]]
    if taken:
        return (*outs, *only_else)
    return (*outs[: held.shared], *only_then, *outs[held.shared :])


def _nothing(tensor: Tensor) -> Array:
    return np.zeros((0,) * len(tensor.dims or ()), tensor.dtype.np)
