"""RunMetadata from the trace of a run: what `sess.run(..., run_metadata=...)` leaves.

Lives here: fill_run_metadata. Not here: the trace (runtime/trace.py), the messages
(interop/trace_messages.py), what draws them (tf1/timeline.py).
"""

from __future__ import annotations

from typing import Any

from graphc.interop.attributes import fill_shape
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Tensor
from graphc.runtime.trace import CPU, StepTrace, Trace

_JOB = "/job:localhost/replica:0/task:0"


def fill_run_metadata(metadata: Any, trace: Trace, options: Any, graph: Graph) -> None:
    """Replaces what `metadata` holds by this trace; with `output_partition_graphs`, the graph.

    A kernel stands under the name of the op that it is for, with the names of all ops in it in
    its label; ops that were folded away or that only change a shape have no step. Where a GPU ran
    some steps, the host's own stand under the CPU.
    """
    metadata.Clear()
    devices: dict[str, Any] = {}
    for name in sorted({s.device for s in trace.steps}) or [CPU]:
        devices[name] = metadata.step_stats.dev_stats.add(device=_JOB + name)
        devices[name].thread_names[0] = "session"
    origins: dict[Tensor, str] = {}
    taken: dict[str, int] = {}
    for step in trace.steps:
        name = _fresh(_name_of(step), taken)
        _add(devices[step.device].node_stats.add(node_name=name), step, name, origins)
        # behind it: a step may write in the place of what it reads
        for slot, written in enumerate(step.outputs):
            origins[written.tensor] = f"{name}:{slot}" if slot else name
    if getattr(options, "output_partition_graphs", False):
        metadata.partition_graphs.append(graph.as_graph_def())  # type: ignore[attr-defined]


def _fresh(name: str, taken: dict[str, int]) -> str:
    """The name; a second step of one op gets a part's number behind a double colon."""
    count = taken.get(name, 0)
    taken[name] = count + 1
    return f"{name}::{count}" if count else name


def _name_of(step: StepTrace) -> str:
    named = [n.name for n in step.nodes if n.name]
    return named[-1] if named else step.name


def _add(stats: Any, step: StepTrace, name: str, origins: dict[Tensor, str]) -> None:
    # of a step in a loop: the sum of its times, from when it first began
    length = max(step.busy, 1)
    stats.all_start_micros = step.start // 1000
    # viewers draw whole microseconds, and nothing for zero
    stats.all_end_rel_micros = max(round(length / 1000), 1)
    stats.op_end_rel_micros = stats.all_end_rel_micros
    stats.all_start_nanos = step.start
    stats.op_end_rel_nanos = length
    stats.all_end_rel_nanos = length
    stats.scheduled_micros = step.start // 1000
    stats.scheduled_nanos = step.start
    inputs = dict.fromkeys(origins.get(t) or _source(t) for t in step.inputs)
    stats.timeline_label = f"{name} = {_op_of(step)}({', '.join(inputs)})"
    allocator = "cpu" if step.device == CPU else step.device.removeprefix("/device:").lower()
    total = 0
    for slot, written in enumerate(step.outputs):
        described = stats.output.add(slot=slot).tensor_description
        described.dtype = written.tensor.dtype.as_datatype_enum
        fill_shape(described.shape, written.shape)
        described.allocation_description.requested_bytes = written.nbytes
        described.allocation_description.allocated_bytes = written.nbytes
        described.allocation_description.allocator_name = allocator
        total += written.nbytes
    stats.memory.add(
        allocator_name=allocator, total_bytes=total, peak_bytes=total, live_bytes=total
    )


def _source(tensor: Tensor) -> str:
    """A feed, a variable or a constant, which no step makes."""
    node = tensor.node
    variable = node.attrs.get("variable")
    if isinstance(variable, Node):
        return variable.name
    return node.name or node.op.name


def _op_of(step: StepTrace) -> str:
    """The op types in a step, each once: "MatMul", "Mul+Add+Tanh"."""
    types = dict.fromkeys(n.type for n in step.nodes)
    return "+".join(types) or step.kind
