"""Phases of a run: waiting for other threads happens in stages that hold no lock.

Lives here: how a run is cut into stages before and after what waits (OpDef.blocks). Not here:
stages by device (places.py), stages whose shapes depend on data, and how stages run (executor.py).

A run that writes variables holds the session's lock while it computes. What waits on a queue must
not: another thread's run may be what it waits for. So a run alternates between stages that wait
and write nothing (even levels), and stages that compute and write (odd levels). An op's level is
the highest of those that it needs, and the next even or odd one where it waits or writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from graphc.ir.node import Node, Tensor
from graphc.ops.control import CONTROL, holds
from graphc.passes.functionalize import needed_nodes

if TYPE_CHECKING:
    from graphc.runtime.executor import StageSpec

Fed = Mapping[Tensor, Any]


def phases_of(spec: StageSpec) -> list[StageSpec]:
    """The stages of a run, in order; [spec] where nothing waits."""
    fed = dict.fromkeys(spec.feeds)
    nodes = needed_nodes(spec.fetches, spec.targets, fed, spec.done)
    if not any(waits(n) for n in nodes):
        return [spec]
    return Cut(spec, nodes).run()


def waits(node: Node) -> bool:
    """Whether the node, or a body that it holds, waits for other threads and writes nothing.

    A body that does both is run with the others that write: see `without_lock` in state.py.
    """
    return holds(node, lambda n: n.op.blocks) and not writes(node)


def writes(node: Node) -> bool:
    """Whether the node, or a body that it holds, writes variables."""
    return holds(node, lambda n: bool(n.op.refs))


def levels_of(nodes: Sequence[Node], fed: Fed) -> dict[Node, int]:
    """The level of each node; `nodes` in topological order."""
    out: dict[Node, int] = {}
    for node in nodes:
        before = [t.node for t in node.inputs if t not in fed]
        level = max((out.get(n, 0) for n in (*before, *node.control_inputs)), default=0)
        if waits(node):
            level += level % 2
        elif writes(node):
            level += 1 - level % 2
        out[node] = level
    return out


def _may_vary(node: Node) -> bool:
    """Whether only the run tells the extents of what it gives."""
    return node.op.data_dependent or (
        node.op.name in CONTROL and not all(map(_fixed, node.outputs))
    )


def _fixed(tensor: Tensor) -> bool:
    return tensor.dims is not None and all(isinstance(d, int) for d in tensor.dims)


class Cut:
    """Cuts one run into stages."""

    def __init__(self, spec: StageSpec, nodes: Sequence[Node]) -> None:
        self.spec = spec
        self.nodes = nodes
        self.levels = levels_of(nodes, dict.fromkeys(spec.feeds))
        self.feeds = dict.fromkeys(spec.feeds)
        self.done = set(spec.done)
        self.known: dict[Tensor, None] = {}  # fetches that a stage has computed
        self.out: list[StageSpec] = []

    def run(self) -> list[StageSpec]:
        last = max(n for node, n in self.levels.items() if waits(node))
        for level in range(last + 1):
            targets = self._written(level) if level % 2 else self._waiting(level)
            if targets:
                self._stage(targets, writes=bool(level % 2))
        self._rest()
        return self.out

    def _waiting(self, level: int) -> list[Node]:
        return [n for n in self.nodes if self.levels[n] == level and waits(n)]

    def _written(self, level: int) -> list[Node]:
        """What writes, and all else that is possible by now: it reads variables as they were."""
        if not any(self.levels[n] == level and writes(n) for n in self.nodes):
            return []
        return [
            n for n in self.nodes
            if self.levels[n] <= level and n not in self.done and n.op.family != "source"
        ]  # fmt: skip

    def _stage(self, targets: Sequence[Node], writes: bool) -> None:
        inside = needed_nodes((), targets, self.feeds, self.done)
        members = {n for n in inside if n.op.family != "source"}
        crossing = self._crossing(members)
        # where nothing else of the stage reads what an op gives, its extents may stay unknown
        read = {t.node for n in inside for t in n.inputs}
        ends = frozenset(n for n in targets if _may_vary(n) and n not in read)
        # results of unknown extents have no other place than among what is fetched
        whole = [t for n in ends for t in n.outputs if not _fixed(t)]
        old = self._old_values() if writes else []
        fetched = tuple(dict.fromkeys([*crossing, *old, *whole]))
        self.out.append(
            replace(
                self.spec, fetches=fetched, targets=tuple(targets), feeds=tuple(self.feeds),
                dynamic=self.spec.dynamic | ends, final=writes, done=frozenset(self.done),
            )
        )  # fmt: skip
        self.feeds.update(dict.fromkeys(crossing))
        self.known.update(dict.fromkeys(fetched))
        self.done |= members

    def _crossing(self, members: Iterable[Node]) -> list[Tensor]:
        """What later stages, or the user, need of these nodes."""
        here = set(members)
        wanted: dict[Tensor, None] = {}
        for node in self.nodes:
            if node not in here and node not in self.done:
                wanted.update(dict.fromkeys(node.inputs))
        wanted.update(dict.fromkeys(self.spec.fetches))
        return [t for t in wanted if t.node in here and t not in self.feeds]

    def _old_values(self) -> list[Tensor]:
        """Fetched variables: a fetch shows the value from before the run's writes."""
        return [
            t for t in self.spec.fetches
            if t.node.op.name == "variable" and t not in self.feeds and t not in self.known
        ]  # fmt: skip

    def _rest(self) -> None:
        """The last stage: all that is left, if anything."""
        fetches = tuple(t for t in dict.fromkeys(self.spec.fetches) if t not in self.known)
        targets = tuple(n for n in self.spec.targets if n not in self.done)
        left = needed_nodes(fetches, targets, self.feeds, self.done)
        if fetches or any(n.op.family != "source" and n.op.name != "no_op" for n in left):
            self.out.append(
                replace(
                    self.spec, fetches=fetches, targets=targets, feeds=tuple(self.feeds),
                    final=True, done=frozenset(self.done),
                )
            )  # fmt: skip
