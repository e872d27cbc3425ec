"""Stages by device: programs whose ops stand on several GPUs.

Lives here: by_device. Not here: where a stage runs (runtime/placement.py), what a stage is
(runtime/executor.py), stages before and after what waits (runtime/phases.py).

An op that names no device stands where the latest of its operands is. A stage holds what one device
can compute of what is known by then; what crosses goes through the host. What writes variables, and
what depends on that, is the last stage: all reads before see the old values.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from graphc.ir.node import Node
from graphc.passes.functionalize import needed_nodes
from graphc.runtime.phases import Cut, writes
from graphc.runtime.placement import gpu_of

if TYPE_CHECKING:
    from graphc.runtime.executor import StageSpec

Place = tuple[int, int]  # how many crossings are before it, the GPU


def by_device(spec: StageSpec) -> list[StageSpec]:
    """The stages of a run, in order; [spec] where its ops name no two GPUs that are there."""
    nodes = needed_nodes(spec.fetches, spec.targets, dict.fromkeys(spec.feeds), spec.done)
    named = {gpu_of(n) for n in nodes if n.op.family != "source"} - {None}
    if len(named) < 2:
        return [spec]
    from graphc.runtime.gpu.device import absence

    if sum(n is not None and absence(n) is None for n in named) < 2:
        return [spec]
    return _Places(spec, nodes).run()


class _Places(Cut):
    """Cuts one run by devices."""

    def __init__(self, spec: StageSpec, nodes: Sequence[Node]) -> None:
        super().__init__(spec, nodes)
        self.late = _behind_writers(nodes)
        self.places = self._placed()

    def _placed(self) -> dict[Node, Place]:
        out: dict[Node, Place] = {}
        for node in self.nodes:
            if node.op.family == "source" or node in self.late:
                continue
            operands = [t.node for t in node.inputs if t not in self.feeds]
            before = [out[n] for n in (*operands, *node.control_inputs) if n in out]
            own = gpu_of(node)
            gpu = max(before, default=(0, 0))[1] if own is None else own
            out[node] = max((n + (g != gpu) for n, g in before), default=0), gpu
        return out

    def run(self) -> list[StageSpec]:
        stages: dict[Place, list[Node]] = {}
        for node, place in self.places.items():
            stages.setdefault(place, []).append(node)
        ordered = sorted(stages)
        # without writers the last place is what is left
        for place in ordered if self.late else ordered[:-1]:
            self._stage(stages[place], writes=False)
        self._rest()
        return self.out


def _behind_writers(nodes: Sequence[Node]) -> Collection[Node]:
    """What writes variables, and what depends on that."""
    found: set[Node] = set()
    for node in nodes:
        before = [*(t.node for t in node.inputs), *node.control_inputs]
        if writes(node) or any(n in found for n in before):
            found.add(node)
    return found
