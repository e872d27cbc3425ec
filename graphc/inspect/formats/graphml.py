"""Stages and plans as networkx graphs, and as GraphML.

Lives here: graph_of, graphml. networkx is imported when it is used. Imported by inspect/formats.
"""

from __future__ import annotations

import io
from typing import Any

from graphc.inspect.boxes import Box, Scene, printable
from graphc.inspect.document import Document, NodeRecord
from graphc.inspect.scene import scene_of, shape_text


def graph_of(document: Document, what: str = "user") -> Any:
    """A networkx.MultiDiGraph of a stage or a plan.

    Nodes are numbers in the order of the scene, with op, name, scope, kind, gradient, and where
    they are known dtype, shape, device, place, attributes, bytes, flops, microseconds. Edges have
    a label (what goes along) and a kind: data, gradient or control.

    Raises:
        DocumentError: there is no such stage.
    """
    import networkx as nx

    scene: Scene = scene_of(document, what)
    graph = nx.MultiDiGraph(title=printable(scene.title))
    for number, box in enumerate(scene.boxes):
        facts = {**_of_box(box), **_of_nodes(document, box), **_of_step(document, what, box)}
        graph.add_node(number, **facts)
    for arrow in scene.arrows:
        graph.add_edge(arrow.source, arrow.target, label=printable(arrow.label), kind=arrow.kind)
    return graph


def _of_box(box: Box) -> dict[str, Any]:
    return {
        "op": printable(box.title), "scope": printable("/".join(box.scope)), "kind": box.kind,
        "gradient": box.gradient,
    }  # fmt: skip


def _of_nodes(document: Document, box: Box) -> dict[str, Any]:
    if not box.nodes:
        return {}
    nodes: list[NodeRecord] = [document.nodes[k] for k in box.nodes]
    last = nodes[-1]
    out: dict[str, Any] = {
        "name": printable(last.name), "members": len(nodes), "device": printable(last.device),
        "attributes": printable(", ".join(f"{k}={v}" for k, v in last.attrs.items())),
    }  # fmt: skip
    if last.outputs:
        out["output"] = shape_text(last.outputs[0])
    if last.place >= 0:
        file, line, function = document.places[last.place]
        out["place"] = printable(f"{document.files[file].path}:{line} in {function}")
    return out


def _of_step(document: Document, what: str, box: Box) -> dict[str, Any]:
    if box.step < 0:
        return {}
    step = document.plans[what].steps[box.step]
    out: dict[str, Any] = {"step": box.step, "bytes": step.bytes, "flops": step.flops}
    if step.microseconds is not None:
        out["microseconds"] = step.microseconds
    return out


def graphml(document: Document, what: str = "user") -> bytes:
    """The graph as GraphML, as networkx writes it.

    Raises:
        DocumentError: there is no such stage.
    """
    import networkx as nx

    out = io.BytesIO()
    nx.write_graphml(graph_of(document, what), out)
    return out.getvalue()
