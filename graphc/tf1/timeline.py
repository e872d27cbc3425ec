"""tensorflow.python.client.timeline: a run's steps as a trace for Chrome's viewer.

Lives here: Timeline. Not here: recording (runtime/trace.py, tf1/run_metadata.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

__all__ = ["AllocationMaximum", "StepStatsAnalysis", "Timeline"]

_LABEL = re.compile(r"(.*) = (.*)\((.*)\)", re.DOTALL)


@dataclass(frozen=True)
class AllocationMaximum:
    """The most bytes that an allocator held: when, how many, the tensors."""

    timestamp: int
    num_bytes: int
    tensors: frozenset[str]


@dataclass(frozen=True)
class StepStatsAnalysis:
    """What analyze_step_stats gives."""

    chrome_trace: Trace
    allocator_maximums: dict[str, AllocationMaximum]


@dataclass
class _Tensor:
    """One output of a step: from when to when it is in use."""

    name: str
    number: int
    process: int
    thread: int
    compute: int
    start: int
    end: int
    last_use: int
    allocator: str
    nbytes: int
    text: str


@dataclass
class Trace:
    """Events of Chrome's trace format."""

    processes: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def process(self, name: str) -> int:
        """A new row of that name; its number."""
        number = len(self.processes)
        self.processes.append(
            {"name": "process_name", "args": {"name": name}, "pid": number, "ph": "M"}
        )
        return number

    def add(
        self, phase: str, category: str, name: str, process: int, thread: int, time: int,
        **more: Any,
    ) -> None:  # fmt: skip
        self.events.append({
            "ph": phase, "cat": category, "name": name, "pid": process, "tid": thread,
            "ts": time, **more,
        })  # fmt: skip

    def format_to_string(self, pretty: bool = False) -> str:
        """The trace as JSON."""
        trace = {"traceEvents": self.processes + self.events}
        return json.dumps(trace, indent=4) if pretty else json.dumps(trace, separators=(",", ":"))


class Timeline:
    """Draws StepStats (timeline.Timeline).

    Args:
        step_stats: of a RunMetadata. graph: accepted.
    """

    def __init__(self, step_stats: Any, graph: Any = None) -> None:
        self._stats = step_stats

    def generate_chrome_trace_format(
        self, show_dataflow: bool = True, show_memory: bool = False, op_time: str = "schedule"
    ) -> str:
        """The trace as JSON, for chrome://tracing and other viewers.

        Args:
            show_dataflow: arrows from a step to those that read it, where they are in other rows.
            show_memory: tensors as objects, and their bytes in use as a counter.
            op_time: accepted: on a CPU all of its values mean the same.
        """
        return self.analyze_step_stats(show_dataflow, show_memory, op_time).chrome_trace\
            .format_to_string(pretty=True)

    def analyze_step_stats(
        self, show_dataflow: bool = True, show_memory: bool = True, op_time: str = "schedule"
    ) -> StepStatsAnalysis:
        """The trace, and the most memory that each allocator held."""
        trace = Trace()
        allocators = trace.process("Allocators")
        rows = [
            (d, trace.process(f"{d.device} Compute"), trace.process(f"{d.device} Tensors"))
            for d in self._stats.dev_stats
        ]
        tensors: dict[str, _Tensor] = {}
        placed = [(s, lane, c, t) for d, c, t in rows for s, lane in _lanes(d.node_stats)]
        for stats, lane, compute, process in placed:
            for made in _outputs(stats, lane, compute, process):
                made.number = len(tensors)
                tensors[made.name] = made
        flows = 0
        for stats, lane, compute, _ in placed:
            inputs = _emit_step(trace, stats, lane, compute)
            for name in inputs:
                source = tensors.get(name)
                if source is None:
                    continue
                source.last_use = max(source.last_use, _end(stats) - 1)
                if show_dataflow and (source.compute, source.thread) != (compute, lane):
                    _emit_flow(trace, source, stats, compute, lane, flows)
                    flows += 1
        maximums: dict[str, AllocationMaximum] = {}
        if show_memory:
            for tensor in tensors.values():
                _emit_tensor(trace, tensor)
            maximums = _emit_memory(trace, tensors.values(), allocators)
        return StepStatsAnalysis(trace, maximums)


def _end(stats: Any) -> int:
    return int(stats.all_start_micros + stats.all_end_rel_micros)


def _lanes(steps: Any) -> Iterator[tuple[Any, int]]:
    """The steps, each with a row in which it overlaps no other."""
    ends: list[int] = []
    for stats in sorted(steps, key=lambda s: s.all_start_micros):
        start = stats.all_start_micros
        lane = next((k for k, end in enumerate(ends) if start >= end), len(ends))
        if lane == len(ends):
            ends.append(0)
        ends[lane] = _end(stats)
        yield stats, lane


def _emit_step(trace: Trace, stats: Any, lane: int, compute: int) -> list[str]:
    """One step as a bar; the names of what it reads."""
    match = _LABEL.match(stats.timeline_label)
    op, inputs = "unknown", []
    if match is not None:
        op = match.group(2)
        inputs = [i for i in match.group(3).split(", ") if i]
    args = {"name": stats.node_name, "op": op}
    args.update({f"input{k}": name for k, name in enumerate(inputs)})
    trace.add("X", "Op", op, compute, lane, stats.all_start_micros,
              dur=stats.all_end_rel_micros, args=args)  # fmt: skip
    return inputs


def _outputs(stats: Any, lane: int, compute: int, process: int) -> Iterator[_Tensor]:
    for index, output in enumerate(stats.output):
        described = output.tensor_description
        allocation = described.allocation_description
        yield _Tensor(
            f"{stats.node_name}:{index}" if index else stats.node_name, 0, process, lane, compute,
            stats.all_start_micros, _end(stats), _end(stats), allocation.allocator_name,
            allocation.requested_bytes, str(described).replace('"', ""),
        )  # fmt: skip


def _emit_flow(
    trace: Trace, source: _Tensor, stats: Any, compute: int, lane: int, number: int
) -> None:
    trace.add("s", "DataFlow", source.name, source.compute, source.thread, source.end, id=number)
    trace.add("t", "DataFlow", source.name, compute, lane, stats.all_start_micros, id=number)


def _emit_tensor(trace: Trace, tensor: _Tensor) -> None:
    """A tensor's life: made, looked at when its step ends, dropped after its last reader."""
    row = ("Tensor", tensor.name, tensor.process, tensor.thread)
    trace.add("N", *row, tensor.start, id=tensor.number)
    shown = {"snapshot": {"tensor_description": tensor.text}}
    trace.add("O", *row, tensor.end - 1, id=tensor.number, args=shown)
    trace.add("D", *row, tensor.last_use, id=tensor.number)


def _emit_memory(
    trace: Trace, tensors: Any, process: int
) -> dict[str, AllocationMaximum]:
    """The bytes of all living tensors over time, for each allocator."""
    changes: dict[str, list[tuple[int, int, str]]] = {}
    for tensor in tensors:
        these = changes.setdefault(tensor.allocator, [])
        these.append((tensor.start, tensor.nbytes, tensor.name))
        these.append((tensor.last_use, -tensor.nbytes, tensor.name))
    maximums = {}
    for allocator, these in changes.items():
        total, best = 0, AllocationMaximum(0, 0, frozenset())
        alive: set[str] = set()
        for time, nbytes, name in sorted(these, key=lambda c: c[0]):
            total += nbytes
            (alive.discard if nbytes < 0 else alive.add)(name)
            if total > best.num_bytes:
                best = AllocationMaximum(time, total, frozenset(alive))
            trace.add("C", "Memory", allocator, process, 0, time, args={allocator: total})
        maximums[allocator] = best
    return maximums
