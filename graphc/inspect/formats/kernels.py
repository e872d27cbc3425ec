"""Where the nodes of the last stage stand when each kernel is a scope.

Lives here: last_stage, kernel_paths. Imported by the forms that show plans node by node.
"""

from __future__ import annotations

from graphc.inspect.document import USER, Document, PlanRecord
from graphc.inspect.scene import paths_of


def last_stage(document: Document) -> str:
    """The name of the stage that plans are made of."""
    return document.stages[-1].name if document.stages else USER


def kernel_paths(document: Document, plan: PlanRecord) -> dict[int, tuple[str, ...]]:
    """Scopes and a last name of each node: those that share a kernel stand in a scope of its
    name, inside of the scope of the first of them."""
    ids = document.stage_nodes(last_stage(document))
    paths = dict(zip(ids, paths_of([document.nodes[k] for k in ids]), strict=True))
    placed: set[int] = set()
    for step in plan.steps:
        # a group of several kernels, such as a reduction in chunks, stands in that of the first
        members = [k for k in step.nodes if k in paths and k not in placed]
        if len(members) < 2:
            continue
        placed.update(members)
        named = [k for k in members if document.nodes[k].name]
        scope = tuple(document.nodes[named[0]].name.split("/")[:-1]) if named else ()
        for k in members:
            paths[k] = (*scope, step.name, f"{document.nodes[k].op}_{k}")
    return paths
