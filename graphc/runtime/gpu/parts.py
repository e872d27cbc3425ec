"""Parts of a plan that one call starts: launches without jumps between, as a CUDA graph.

Lives here: Parts. Not here: the walk (gpu/instance.py), how a device captures (gpu/device.py).

A launch by the driver costs the host a few microseconds, a graph of any number of launches about as
much as one. A part is captured when it has run often enough to pay for that, and again when
variables have moved: the addresses of the parameters are part of what was captured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphc.runtime import driver

if TYPE_CHECKING:
    from graphc.runtime.gpu.instance import GpuInstance

LEAST_LAUNCHES = 3
RUNS_BEFORE = 2  # that go launch by launch


@dataclass
class Part:
    """The steps from one to `end`; runs: since addresses have changed."""

    end: int
    runs: int = 0
    graph: Any = None


class Parts:
    """The parts of one instance, by their first step."""

    def __init__(self, instance: GpuInstance) -> None:
        self.instance = instance
        self._parts: dict[int, Part] = {}
        rows, calls = instance.rows, instance.calls
        # rows that a loop moves along arrays pass other words each time
        inside = {
            at
            for end, row in enumerate(rows) if row[driver.KIND] == driver.JUMP
            for at in range(row[driver.EXTENT], end)
        }  # fmt: skip
        begin = launches = 0
        for at in range(len(rows) + 1):
            kind = rows[at][driver.KIND] if at < len(rows) and at not in inside else -1
            if kind in (driver.KERNEL, driver.COPY):
                launches += len(calls[at]) + (kind == driver.COPY)
                continue
            if launches >= LEAST_LAUNCHES:
                self._parts[begin] = Part(at)
            begin, launches = at + 1, 0

    def at(self, step: int) -> Part | None:
        """The part that begins with the step."""
        return self._parts.get(step)

    def replay(self, part: Part) -> bool:
        """Starts the part as one, where it has run often enough."""
        device = self.instance.device
        if part.graph is None:
            part.runs += 1
            if part.runs <= RUNS_BEFORE:
                return False
            begin = next(k for k, p in self._parts.items() if p is part)
            part.graph = device.capture(lambda: self._start(begin, part.end))
        device.replay(part.graph)
        return True

    def _start(self, begin: int, end: int) -> None:
        for at in range(begin, end):
            self.instance.start(at)

    def forget(self) -> None:
        """Addresses have changed."""
        for part in self._parts.values():
            part.runs, part.graph = 0, None
