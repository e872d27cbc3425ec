"""Documents as Model Explorer reads them: a collection of graphs in JSON.

Lives here: collection. The form is that of ai-edge-model-explorer's graph_builder. Imported by
inspect/formats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphc.inspect.boxes import printable
from graphc.inspect.document import USER, Document, NodeRecord, PlanRecord
from graphc.inspect.formats.kernels import kernel_paths, last_stage
from graphc.inspect.picture import COLOURS
from graphc.inspect.scene import kind_of, paths_of, shape_text
from graphc.inspect.texts import count, size

Json = dict[str, Any]
Paths = Mapping[int, tuple[str, ...]]


def collection(document: Document) -> Json:
    """The user's graph, the optimised one and one for each plan, bodies of loops beside them."""
    graphs: list[Json] = []
    for stage in dict.fromkeys((USER, last_stage(document))):
        ids = document.stage_nodes(stage)
        graphs += _graphs(document, "optimised" if stage != USER else stage, ids, {})
    for name, plan in document.plans.items():
        paths = kernel_paths(document, plan)
        made = _graphs(document, name, list(paths), paths)
        made[0]["groupNodeAttributes"] = {"": _totals(plan), **_kernels(plan, paths)}
        graphs += made
    return {
        "label": printable(document.title) or "graphc", "graphs": graphs,
        "graphSorting": "name_asc",
    }  # fmt: skip


def _graphs(document: Document, name: str, ids: Sequence[int], paths: Paths) -> list[Json]:
    """The graph of these nodes, then those of the bodies that they hold."""
    known = paths or dict(zip(ids, paths_of([document.nodes[k] for k in ids]), strict=True))
    inside = set(ids)
    main: Json = {"id": printable(name), "nodes": []}
    out = [main]
    for k in ids:
        node = document.nodes[k]
        made = _node(document, node, known[k], inside)
        if node.body:
            body = f"{name}: {node.name or node.op} {k}"
            made["subgraphIds"] = [printable(body)]
            out += _graphs(document, body, node.body, {})
        main["nodes"].append(made)
    return out


def _node(
    document: Document, node: NodeRecord, path: Sequence[str], inside: set[int]
) -> Json:
    fill, border = COLOURS[kind_of(node)]
    edges = [
        _edge(source, str(output), str(at))
        for at, (source, output) in enumerate(node.inputs)
        if source in inside
    ]
    edges += [_edge(k, "control", "control") for k in node.control if k in inside]
    return {
        "id": str(node.id),
        "label": printable(node.op),
        "namespace": printable("/".join(path[:-1])),
        "attrs": _attrs(document, node),
        "incomingEdges": edges,
        "outputsMetadata": [
            {"id": str(k), "attrs": [_pair("tensor_shape", shape_text(output))]}
            for k, output in enumerate(node.outputs)
        ],
        "style": {"backgroundColor": fill, "borderColor": border, "hoveredBorderColor": border},
    }


def _edge(source: int, output: str, slot: str) -> Json:
    return {"sourceNodeId": str(source), "sourceNodeOutputId": output, "targetNodeInputId": slot}


def _attrs(document: Document, node: NodeRecord) -> list[Json]:
    out = [_pair("name", node.name)]
    if node.place >= 0:
        file, line, function = document.places[node.place]
        out.append(_pair("made at", f"{document.files[file].path}:{line} in {function}"))
        text = document.files[file].lines.get(str(line), "").strip()
        out.append(_pair("line", text))
    out += [_pair(k, v) for k, v in node.attrs.items()]
    if node.gradient:
        out.append(_pair("gradient", "yes"))
    if node.device:
        out.append(_pair("device", node.device))
    return out


def _pair(key: str, value: str) -> Json:
    return {"key": printable(key), "value": printable(value)}


def _totals(plan: PlanRecord) -> dict[str, str]:
    out = {
        "kernels": str(plan.kernel_count), "bytes": size(plan.bytes),
        "FLOPs": count(plan.flops), "arena": size(plan.arena_bytes),
    }  # fmt: skip
    if plan.run_microseconds is not None:
        out["microseconds"] = f"{plan.run_microseconds:.1f}"
    return out


def _kernels(plan: PlanRecord, paths: Paths) -> dict[str, dict[str, str]]:
    """What is known of a kernel, by the scope of its nodes."""
    out: dict[str, dict[str, str]] = {}
    for step in plan.steps:
        members = [k for k in step.nodes if k in paths]
        if len(members) < 2:
            continue
        facts = {"bytes": size(step.bytes), "FLOPs": count(step.flops)}
        if step.microseconds is not None:
            facts["microseconds"] = f"{step.microseconds:.2f}"
        if step.group >= 0:
            facts["why"] = printable("; ".join(plan.groups[step.group].why))
        out.setdefault(printable("/".join(paths[members[0]][:-1])), facts)
    return out
