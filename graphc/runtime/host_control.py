"""Control flow whose shapes vary from step to step: the host walks it, its bodies run as plans.

Lives here: run_control. Not here: loops whose shapes stay (runtime/loops.py): those never come back
to Python. Each body has an executor; plans are shared by extents as those of any run are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.config import current as current_config
from graphc.ir.node import Node
from graphc.ops.control import Branches, Loop
from graphc.ops.function import Body
from graphc.runtime.state import RunContext

Array = np.ndarray[Any, Any]


def run_control(node: Node, inputs: Sequence[Array], ctx: RunContext) -> tuple[Any, ...]:
    """The outputs of a user's node."""
    user: Node = node.attrs["node"]
    done = ctx.done.get(user.name)
    if done is None:
        done = ctx.done[user.name] = _outputs(user, inputs, ctx)
    return done


def _outputs(user: Node, inputs: Sequence[Array], ctx: RunContext) -> tuple[Any, ...]:
    branches: Branches | None = user.attrs.get("branches")
    if branches is not None:
        body = branches.then if bool(inputs[0]) else branches.orelse
        return tuple(_Runner(body, ctx, body.results).run(inputs[1:]))
    loop: Loop = user.attrs["loop"]
    cond = _Runner(loop.cond, ctx, loop.cond.results)
    body_runner = _Runner(loop.body, ctx, loop.body.results)
    carried, rest = list(inputs[: loop.carried]), list(inputs[loop.carried :])
    while bool(cond.run([*carried, *rest])[0]):
        carried = body_runner.run([*carried, *rest])
    return tuple(carried)


class _Runner:
    """A body, ready to run."""

    def __init__(self, body: Body, ctx: RunContext, results: Sequence[Any]) -> None:
        from graphc.runtime.executor import Executor

        executor = ctx.store.resources.get(body)
        if executor is None:
            executor = ctx.store.resources[body] = Executor(body.graph, current_config())
            executor.variables.share_resources(ctx.store)
        place = {p: k for k, p in enumerate(body.params)}
        computed = tuple(dict.fromkeys(t for t in results if t not in place))
        at = {t: k for k, t in enumerate(computed)}
        # (whether it is computed, its number among results or operands)
        self.picks = [(t in at, at[t] if t in at else place[t]) for t in results]
        nodes = _needed(body, computed)
        self.used = [k for k, p in enumerate(body.params) if p.node in nodes]
        feeds = tuple(body.params[k] for k in self.used)
        self.runner = executor.prepare(computed, body.targets, feeds)

    def run(self, operands: Sequence[Array]) -> list[Array]:
        got = self.runner.run([np.asarray(operands[k]) for k in self.used])
        return [got[k] if computed else np.asarray(operands[k]) for computed, k in self.picks]


def _needed(body: Body, computed: Sequence[Any]) -> set[Node]:
    from graphc.passes.functionalize import needed_nodes

    return set(needed_nodes(computed, body.targets, {}))
