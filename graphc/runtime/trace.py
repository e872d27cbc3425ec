"""The trace of one run: when each step started, how long it took, what it wrote.

Lives here: Trace and StepTrace. Not here: the clock in the compiled walk (runtime/driver.py), the
messages that users read (tf1/run_metadata.py).

Only plans that were built with Config(profile=True) have clocks.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.ir.node import Node, Tensor
from graphc.ir.shape import evaluate_shape
from graphc.runtime.driver import PROFILE_WORDS

if TYPE_CHECKING:
    from graphc.runtime.instance import Instance
    from graphc.runtime.state import RunContext
    from graphc.runtime.steps import Storage

Array = np.ndarray[Any, Any]
# the others only say where to go on
COMPUTING = frozenset({"kernel", "gemm", "tile", "pack", "rows", "host", "copy", "chain"})
CPU = "/device:CPU:0"


@dataclass(frozen=True)
class TensorTrace:
    """A tensor that a step wrote."""

    tensor: Tensor
    shape: tuple[int, ...]
    nbytes: int


@dataclass(frozen=True)
class StepTrace:
    """One step of a run. Times are nanoseconds since 1970; `busy` is less than the span where
    the step ran several times.

    Attributes:
        nodes: the nodes inside, the last one is what the step is for. inputs: what it read.
        device: that it ran on.
    """

    kind: str
    name: str
    nodes: tuple[Node, ...]
    start: int
    end: int
    busy: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[TensorTrace, ...]
    device: str = CPU


class Trace:
    """Collects the steps of one run."""

    def __init__(self) -> None:
        self.steps: list[StepTrace] = []
        # from the monotonic clock of the walk to the time of day
        self._offset = time.time_ns() - time.monotonic_ns()

    def run(
        self, instance: Instance, ctx: RunContext, arrays: Sequence[Array]
    ) -> list[Array]:
        """A run of an instance whose steps are recorded; its totals go on as if it were not."""
        profile = instance.frame.profile
        if profile is None:
            return instance.run(ctx, arrays)
        before = profile.copy()
        profile[...] = 0
        try:
            return instance.run(ctx, arrays)
        finally:
            rows = profile.reshape(-1, PROFILE_WORDS)
            for at in sorted(np.flatnonzero(rows[:, 0]), key=lambda k: rows[k, 2]):
                if instance.binding.steps[at].kind in COMPUTING:
                    self.steps.append(self._step(instance, int(at), rows[at]))
            old = before.reshape(-1, PROFILE_WORDS)
            rows[:, :2] += old[:, :2]
            rows[:, 2] = np.where(old[:, 0] > 0, old[:, 2], rows[:, 2])
            rows[:, 3] = np.maximum(old[:, 3], rows[:, 3])

    def node(self, node: Node, started: int, outs: Sequence[Array]) -> None:
        """Records a node that the reference has just computed."""
        ended = now()
        written = tuple(
            TensorTrace(t, o.shape, o.nbytes) for t, o in zip(node.outputs, outs, strict=True)
        )
        self.steps.append(StepTrace(
            "host", node.op.name, (node,), started + self._offset, ended + self._offset,
            ended - started, tuple(node.inputs), written,
        ))  # fmt: skip

    def _step(self, instance: Instance, at: int, row: Array) -> StepTrace:
        step = instance.binding.steps[at]
        start, end = int(row[2]) + self._offset, int(row[3]) + self._offset
        steps = step.members or (step,)
        gpu = getattr(instance.binding.plan, "device", None)
        return StepTrace(
            step.kind, step.name, step.nodes, start, end, int(row[1]),
            tuple(s.tensor for m in steps for s in m.reads if s.tensor is not None),
            tuple(_written(instance, s) for m in steps for s in m.writes if s.tensor is not None),
            CPU if gpu is None or step.on_host else gpu.name,
        )  # fmt: skip


def _written(instance: Instance, storage: Storage) -> TensorTrace:
    tensor, binding = storage.tensor, instance.binding
    assert tensor is not None
    if tensor.dims is None or any(d is None for d in tensor.dims):
        value = instance.results.get(storage.position)  # only the data decide its shape
        return TensorTrace(tensor, () if value is None else value.shape, 0)
    shape = evaluate_shape(tensor.known_dims, binding.symbols)
    return TensorTrace(tensor, shape, binding.nbytes[binding.number[storage]])


def now() -> int:
    """The clock of the compiled walk."""
    return time.monotonic_ns()


def record(profile: Array, at: int, started: int) -> None:
    """Adds a step that Python ran, as the compiled walk does for its own."""
    row, ended = profile.reshape(-1, PROFILE_WORDS)[at], now()
    if row[0] == 0:
        row[2] = started
    row[0] += 1
    row[1] += ended - started
    row[3] = ended
