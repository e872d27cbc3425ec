"""Documents as TensorBoard's event files: a run for each plan.

Lives here: write_runs, graph_def_of_plan. Not here: the file's form (interop/events.py). Imported
by inspect/formats.

In each run the graph is that of the last stage; nodes that share a kernel stand in a scope of its
name. Where steps were timed, the run "run" has their times and bytes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from graphc.inspect.document import Document, NodeRecord, Output, PlanRecord
from graphc.inspect.formats.kernels import kernel_paths
from graphc.inspect.texts import OutputError
from graphc.interop.attributes import fill_shape
from graphc.interop.events import EventFile
from graphc.interop.graph_def import PRODUCER
from graphc.interop.messages import Event, GraphDef
from graphc.interop.trace_messages import RunMetadata
from graphc.ir.dtypes import as_dtype

DEVICE = "/job:localhost/replica:0/task:0/device:CPU:0"
# what TensorBoard draws in a form of its own
_OPS = {"const": "Const", "feed": "Placeholder", "placeholder": "Placeholder", "read": "VariableV2"}
_BAD_LETTER = re.compile(r"[^A-Za-z0-9_.\-/]")
_BAD_START = re.compile(r"(^|/)(?=[^A-Za-z0-9.])")


def write_runs(document: Document, folder: Path) -> Path:
    """Event files in folder/fused, folder/unfused.

    Raises:
        OutputError: the folder cannot be made or written.
    """
    try:
        for name, plan in document.plans.items():
            graph, names = graph_def_of_plan(document, plan)
            file = EventFile(folder / name)
            file.write(Event(wall_time=time.time(), graph_def=graph.SerializeToString()))
            if plan.run_microseconds is not None:
                file.write(_run_event(document, plan, names))
            file.close()
    except OSError as err:
        raise OutputError(f"cannot write {str(folder)!r}: {err.strerror or err}") from err
    return folder


def graph_def_of_plan(document: Document, plan: PlanRecord) -> tuple[GraphDef, dict[int, str]]:
    """The last stage's nodes as a GraphDef, kernels as scopes, and the names of its nodes."""
    paths = kernel_paths(document, plan)
    names = _names(paths)
    out = GraphDef()
    out.versions.producer = PRODUCER
    for k, name in names.items():
        node = document.nodes[k]
        made = out.node.add(name=name, op=_OPS.get(node.op, _valid(node.op)), device=_device(node))
        made.input.extend(
            names[source] + (f":{output}" if output else "")
            for source, output in node.inputs
            if source in names
        )
        made.input.extend(f"^{names[c]}" for c in node.control if c in names)
        for key, value in node.attrs.items():
            made.attr[_valid(key)].s = value.encode("utf-8", "replace")
        if node.name:
            made.attr["user_name"].s = node.name.encode("utf-8", "replace")
        shapes = made.attr["_output_shapes"].list
        for output in node.outputs:
            fill_shape(shapes.shape.add(), _dims(output))
        if node.outputs:
            made.attr["dtype"].type = as_dtype(node.outputs[0].dtype).as_datatype_enum
    return out, names


def _device(node: NodeRecord) -> str:
    return node.device or DEVICE


def _dims(output: Output) -> Sequence[int | None] | None:
    """The shape; what only the run decides is unknown."""
    if output.shape is None:
        return None
    return [d if isinstance(d, int) else None for d in output.shape]


def _names(paths: Mapping[int, Sequence[str]]) -> dict[int, str]:
    """Names that GraphDefs accept, each once."""
    taken: set[str] = set()
    out = {}
    for k, path in paths.items():
        name = "/".join(_valid(part) for part in path)
        if name in taken:
            name = f"{name}_{k}"
        taken.add(name)
        out[k] = name
    return out


def _valid(text: str) -> str:
    return _BAD_START.sub(r"\1.", _BAD_LETTER.sub("_", text)).strip("/") or "."


def _run_event(document: Document, plan: PlanRecord, names: Mapping[int, str]) -> Event:
    """The times of the steps, each at the last of its nodes."""
    metadata = RunMetadata()
    device = metadata.step_stats.dev_stats.add(device=DEVICE)
    start = time.time_ns() // 1000
    for step in plan.steps:
        members = [k for k in step.nodes if k in names]
        if not members or step.microseconds is None:
            continue
        # viewers draw whole microseconds, and nothing for zero
        length = max(round(step.microseconds), 1)
        made = device.node_stats.add(node_name=names[members[-1]], timeline_label=step.name)
        made.all_start_micros = start
        made.op_end_rel_micros = made.all_end_rel_micros = length
        start += length
        for slot, k in enumerate(step.writes):
            _written(document, plan, k, made.output.add(slot=slot).tensor_description)
    event = Event(wall_time=time.time(), step=0)
    event.tagged_run_metadata.tag = "run"
    event.tagged_run_metadata.run_metadata = metadata.SerializeToString()
    return event


def _written(document: Document, plan: PlanRecord, buffer: int, described: object) -> None:
    held = plan.buffers[buffer]
    allocation = described.allocation_description  # type: ignore[attr-defined]  # a message
    allocation.requested_bytes = allocation.allocated_bytes = held.bytes
    allocation.allocator_name = held.kind
    if held.node >= 0:
        output = document.nodes[held.node].outputs[held.output]
        described.dtype = as_dtype(output.dtype).as_datatype_enum  # type: ignore[attr-defined]
        fill_shape(described.shape, _dims(output))  # type: ignore[attr-defined]
