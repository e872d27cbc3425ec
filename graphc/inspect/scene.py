"""Scenes: a stage or a plan of a document as boxes and arrows, for pictures and files.

Lives here: scene_of. Not here: what boxes are (inspect/boxes.py), their places (inspect/layout.py),
how they are written (inspect/picture.py, inspect/formats). Imports the document and boxes.

Boxes stand in scopes, steps in that of their first op. Where there are more boxes than are wanted,
scopes become one box each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from graphc.inspect.boxes import CONTROL, DATA, GRADIENT, Arrow, Box, Scene, collapsed, tidied
from graphc.inspect.document import Document, NodeRecord, Output, PlanRecord, StepRecord
from graphc.inspect.texts import count, duration, size

# where to go on, and chains, whose members stand behind them
HIDDEN = frozenset({
    "label", "jump", "branch", "open", "room", "grow", "point", "advance", "check", "chain",
})  # fmt: skip
PRODUCTS = ("matmul", "conv", "einsum", "dot")
SOURCES = {"feed": "placeholder", "variable": "variable"}


def scene_of(
    document: Document, what: str = "user", limit: int | None = None, constants: bool = True
) -> Scene:
    """The scene of a stage ("user", "start", a pass) or of a plan ("fused", "unfused").

    Args:
        limit: how many boxes there may be before scopes become boxes; None: any number.
        constants: whether constants are drawn.

    Raises:
        DocumentError: there is no such stage.
    """
    plan = document.plans.get(what)
    if plan is not None:
        scene = _plan_scene(document, plan, f"{document.title}: {what}")
    else:
        scene = _stage_scene(document, what, constants)
    if limit is None:
        return scene
    return collapsed(scene if plan is None else tidied(scene), limit)


# ------------------------------------------------------------------ texts
def shape_text(output: Output) -> str:
    """float32 [s0, 10]."""
    if output.shape is None:
        return f"{output.dtype} [...]"
    dims = ", ".join("?" if d is None else str(d) for d in output.shape)
    return f"{output.dtype} [{dims}]"


def kind_of(node: NodeRecord) -> str:
    """The kind of a node's box."""
    if any(word in node.op for word in PRODUCTS):
        return "product"
    if node.op in ("placeholder", "feed", "placeholder_with_default"):
        return "placeholder"
    if node.op in ("variable", "read"):
        return "variable"
    if node.op == "const" or node.op == "bound":
        return "const"
    if node.body or node.family == "control":
        return "control"
    known = ("elementwise", "reduction", "movement", "host")
    return node.family if node.family in known else "other"


# ------------------------------------------------------------------ stages
def _stage_scene(document: Document, stage: str, constants: bool) -> Scene:
    ids = document.stage_nodes(stage)
    if not constants:
        ids = [k for k in ids if kind_of(document.nodes[k]) != "const"]
    nodes = [document.nodes[k] for k in ids]
    paths = paths_of(nodes)
    at = {k: n for n, k in enumerate(ids)}
    boxes = [
        Box(
            f"n{node.id}", path[:-1], node.op,
            ["/".join(path[-2:]), *map(shape_text, node.outputs[:1])],
            kind_of(node), node.gradient, [node.id],
        )
        for node, path in zip(nodes, paths, strict=True)
    ]  # fmt: skip
    arrows = []
    for node in nodes:
        for source, output in node.inputs:
            if source in at:
                record = document.nodes[source]
                label = shape_text(record.outputs[output])
                kind = GRADIENT if record.gradient else DATA
                arrows.append(Arrow(at[source], at[node.id], label, kind))
        arrows += [Arrow(at[k], at[node.id], "", CONTROL) for k in node.control if k in at]
    return Scene(f"{document.title}: {stage}", boxes, arrows)


def paths_of(nodes: Sequence[NodeRecord]) -> list[tuple[str, ...]]:
    """Where each node stands: its scopes and a last name, unique among them."""
    names = Counter(n.name for n in nodes)
    scopes = {
        name[:cut]
        for name in names
        for cut in (k for k, letter in enumerate(name) if letter == "/")
    }
    out: list[tuple[str, ...]] = []
    for node in nodes:
        own = f"{node.op} {node.id}"
        if not node.name:
            out.append((own,))
        elif names[node.name] > 1 or node.name in scopes:
            out.append((*node.name.split("/"), own))
        else:
            out.append(tuple(node.name.split("/")))
    return out


# ------------------------------------------------------------------ plans
def _plan_scene(document: Document, plan: PlanRecord, title: str) -> Scene:
    scene = Scene(title, [], [])
    writer: dict[int, int] = {}  # box that wrote a buffer last
    # what a loop pushes and another pops are rows of one stack
    place = [min((k, *b.shared_with)) if b.kind == "row" else k for k, b in enumerate(plan.buffers)]
    for number, step in enumerate(plan.steps):
        if step.kind in HIDDEN:
            continue
        made = _step_box(document, plan, number, step)
        # rows are written into what is there
        touched = (*step.reads, *step.writes) if step.kind == "rows" else step.reads
        reads = list(dict.fromkeys(place[k] for k in touched))
        if not step.nodes and reads and reads[0] in writer:
            # a copy belongs to what it copies
            made.scope = scene.boxes[writer[reads[0]]].scope
        for buffer in reads:
            if buffer not in writer and plan.buffers[buffer].kind in SOURCES:
                writer[buffer] = len(scene.boxes)
                scene.boxes.append(_source_box(document, plan, buffer, made.scope))
        target = len(scene.boxes)
        scene.boxes.append(made)
        for buffer in reads:
            if buffer in writer:
                held = plan.buffers[buffer]
                label = size(held.bytes)
                gradient = False
                if held.node >= 0:
                    record = document.nodes[held.node]
                    label = shape_text(record.outputs[held.output])
                    gradient = record.gradient
                kind = GRADIENT if gradient else DATA
                scene.arrows.append(Arrow(writer[buffer], target, label, kind))
        writer.update(dict.fromkeys((place[k] for k in step.writes), target))
    return scene


def _source_box(
    document: Document, plan: PlanRecord, buffer: int, scope: tuple[str, ...]
) -> Box:
    """What a run begins with; it stands beside its first reader."""
    held = plan.buffers[buffer]
    kind = SOURCES[held.kind]
    if held.node < 0:
        return Box(f"b{buffer}", scope, kind, [size(held.bytes)], kind)
    node = document.nodes[held.node]
    path = tuple((node.name or f"{node.op} {node.id}").split("/"))
    text = shape_text(node.outputs[held.output])
    return Box(f"b{buffer}", scope, "/".join(path[-2:]), [text], kind, node.gradient, [node.id])


def _written(document: Document, plan: PlanRecord, step: StepRecord) -> list[str]:
    """What a step leaves behind the run: variables, results."""
    names = {(node, output): name for name, node, output in document.stages[-1].updates}
    out: dict[str, None] = {}
    for buffer in (plan.buffers[k] for k in step.writes):
        if buffer.kind == "fetch":
            out["fetched"] = None
        elif buffer.kind == "variable":
            name = names.get((buffer.node, buffer.output), "a variable")
            out[f"writes {'/'.join(name.split('/')[-3:])}"] = None
    return list(out)


def _step_box(document: Document, plan: PlanRecord, number: int, step: StepRecord) -> Box:
    nodes = [document.nodes[k] for k in step.nodes]
    named = [n for n in nodes if n.name]
    lines = _members(nodes) if len(nodes) > 1 else ["/".join(n.name.split("/")[-2:]) for n in named]
    costs = [size(step.bytes)]
    if step.flops:
        costs.append(f"{count(step.flops)} FLOP")
    if step.microseconds is not None:
        costs.append(duration(step.microseconds / 1e6))
    lines.append(", ".join(costs))
    lines += _written(document, plan, step)
    scope = tuple(named[0].name.split("/")[:-1]) if named else ()
    kinds = [kind_of(n) for n in nodes]
    kind = next((k for k in ("product", "reduction", "control") if k in kinds), "other")
    if kind == "other" and kinds:
        kind = kinds[-1]
    gradient = bool(nodes) and all(n.gradient for n in nodes)
    return Box(
        f"s{number}", scope, step.name, lines, kind, gradient, list(step.nodes), number,
        step.bytes, step.microseconds,
    )  # fmt: skip


def _members(nodes: Sequence[NodeRecord], most: int = 6) -> list[str]:
    """The ops of a kernel, in few lines."""
    counts = Counter(n.op for n in nodes)
    texts = [op if n == 1 else f"{op} x{n}" for op, n in counts.items()]
    shown = texts[:most]
    if len(texts) > most:
        shown.append(f"and {len(texts) - most} more")
    return [" + ".join(shown[k : k + 3]) for k in range(0, len(shown), 3)]
