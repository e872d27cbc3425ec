"""Scenes: a stage or a plan of a document as boxes and arrows, for pictures and files.

Lives here: Scene, Box, Arrow, scene_of. Not here: their places (inspect/layout.py), how they are
written (inspect/picture.py, inspect/formats). Imports the document only.

Boxes stand in scopes, steps in that of their first op. Where there are more boxes than are wanted,
scopes become one box each.
"""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from graphc.inspect.document import Document, NodeRecord, Output, PlanRecord, StepRecord
from graphc.inspect.texts import count, duration, size

# where to go on, and chains, whose members stand behind them
HIDDEN = frozenset({
    "label", "jump", "branch", "open", "room", "grow", "point", "advance", "check", "chain",
})  # fmt: skip
NAMES = 4  # variables that a box for several of them names
PRODUCTS = ("matmul", "conv", "einsum", "dot")
SOURCES = {"feed": "placeholder", "variable": "variable"}
DATA, GRADIENT, CONTROL = "data", "gradient", "control"
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
Owner = int | tuple[str, ...]  # a box by itself, or the scope that stands for it


@dataclass
class Box:
    """A node, a step, or a whole scope.

    Attributes:
        key: unique in the scene. scope: the scopes that it stands in. title, lines: its text.
        kind: product, elementwise, reduction, movement, placeholder, variable, const, control,
            host, other, scope. nodes: of the document. step: of the plan, or -1.
        bytes, microseconds: of a step, or of all in a scope.
    """

    key: str
    scope: tuple[str, ...]
    title: str
    lines: list[str]
    kind: str
    gradient: bool = False
    nodes: list[int] = field(default_factory=list)
    step: int = -1
    bytes: int = 0
    microseconds: float | None = None


@dataclass
class Arrow:
    """From one box to another, by their numbers. label: what goes along; kind: data, gradient,
    control. tensors: how many it stands for."""

    source: int
    target: int
    label: str
    kind: str = DATA
    tensors: int = 1


@dataclass
class Scene:
    """Boxes and arrows; producers first, as far as there are no circles between scopes."""

    title: str
    boxes: list[Box]
    arrows: list[Arrow]


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
    return collapsed(scene if plan is None else with_sources_joined(scene), limit)


# ------------------------------------------------------------------ texts
def printable(text: str) -> str:
    """Without the characters that neither XML nor terminals can show."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


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
    for number, step in enumerate(plan.steps):
        if step.kind in HIDDEN:
            continue
        made = _step_box(document, plan, number, step)
        if not step.nodes and step.reads and step.reads[0] in writer:
            # a copy belongs to what it copies
            made.scope = scene.boxes[writer[step.reads[0]]].scope
        for buffer in step.reads:
            if buffer not in writer and plan.buffers[buffer].kind in SOURCES:
                writer[buffer] = len(scene.boxes)
                scene.boxes.append(_source_box(document, plan, buffer, made.scope))
        target = len(scene.boxes)
        scene.boxes.append(made)
        for buffer in dict.fromkeys(step.reads):
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
        writer.update(dict.fromkeys(step.writes, target))
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


# ------------------------------------------------------------------ fewer boxes
def with_sources_joined(scene: Scene) -> Scene:
    """Variables with the same readers as one box."""
    readers: dict[int, list[int]] = {}
    for arrow in scene.arrows:
        if scene.boxes[arrow.source].kind == "variable" and scene.boxes[arrow.source].step < 0:
            readers.setdefault(arrow.source, []).append(arrow.target)
    alike: dict[tuple[int, ...], list[int]] = {}
    for box, targets in readers.items():
        alike.setdefault(tuple(targets), []).append(box)
    whose: dict[int, Owner] = {k: k for k in range(len(scene.boxes))}
    joint: dict[Owner, Box] = {}
    for boxes in alike.values():
        if len(boxes) > 1:
            owner = ("", str(boxes[0]))
            joint[owner] = _variables([scene.boxes[k] for k in boxes])
            whose.update(dict.fromkeys(boxes, owner))
    return _joined(scene, whose, joint)


def _variables(boxes: Sequence[Box]) -> Box:
    lines = [" ".join((b.title, *b.lines)) for b in boxes[:NAMES]]
    if len(boxes) > NAMES:
        lines.append(f"and {len(boxes) - NAMES} more")
    nodes = [k for b in boxes for k in b.nodes]
    title = f"{len(boxes)} variables"
    return Box(boxes[0].key, boxes[0].scope, title, lines, "variable", False, nodes)


@dataclass
class _Scope:
    path: tuple[str, ...]
    inner: dict[str, _Scope] = field(default_factory=dict)
    boxes: list[int] = field(default_factory=list)
    total: int = 0

    @property
    def parts(self) -> int:
        return len(self.inner) + len(self.boxes)


def collapsed(scene: Scene, limit: int) -> Scene:
    """The scene with at most about `limit` boxes: scopes are opened, the fullest first, as long
    as what is in them finds room."""
    if len(scene.boxes) <= limit:
        return scene
    root = _tree(scene)
    waiting = [(-s.total, s.path, s) for s in root.inner.values()]
    heapq.heapify(waiting)
    shown: list[_Scope] = []
    loose = list(root.boxes)
    total = root.parts
    while waiting:
        _, _, scope = heapq.heappop(waiting)
        if scope.parts > 1 and total - 1 + scope.parts > limit:
            shown.append(scope)
            continue
        total += scope.parts - 1
        loose.extend(scope.boxes)
        for inner in scope.inner.values():
            heapq.heappush(waiting, (-inner.total, inner.path, inner))
    whose: dict[int, Owner] = {k: k for k in loose}
    joint: dict[Owner, Box] = {}
    for scope in shown:
        members = sorted(_inside(scope))
        whose.update(dict.fromkeys(members, scope.path))
        joint[scope.path] = _scope_box(scene, scope.path, members)
    return _joined(scene, whose, joint)


def _tree(scene: Scene) -> _Scope:
    root = _Scope(())
    for number, box in enumerate(scene.boxes):
        at = root
        for depth, name in enumerate(box.scope):
            at = at.inner.setdefault(name, _Scope(box.scope[: depth + 1]))
            at.total += 1
        at.boxes.append(number)
    return root


def _inside(scope: _Scope) -> Iterable[int]:
    yield from scope.boxes
    for inner in scope.inner.values():
        yield from _inside(inner)


def _joined(
    scene: Scene, whose: Mapping[int, Owner], joint: Mapping[Owner, Box]
) -> Scene:
    """Several boxes as one, in the order of their first; whose: what stands for each box."""
    number: dict[Owner, int] = {}
    boxes: list[Box] = []
    for k, box in enumerate(scene.boxes):
        owner = whose[k]
        if owner not in number:
            number[owner] = len(boxes)
            boxes.append(joint.get(owner, box))
    arrows: dict[tuple[int, int, str], Arrow] = {}
    for arrow in scene.arrows:
        a, b = number[whose[arrow.source]], number[whose[arrow.target]]
        if a == b:
            continue
        known = arrows.get((a, b, arrow.kind))
        if known is None:
            arrows[a, b, arrow.kind] = Arrow(a, b, arrow.label, arrow.kind, arrow.tensors)
        else:
            known.tensors += arrow.tensors
            known.label = f"{known.tensors} tensors"
    return Scene(scene.title, boxes, list(arrows.values()))


def _scope_box(scene: Scene, path: tuple[str, ...], members: Sequence[int]) -> Box:
    boxes = [scene.boxes[k] for k in members]
    steps = [b for b in boxes if b.step >= 0]
    lines = [_costs(steps)] if steps else [_counted(len(boxes), "op")]
    if not steps:
        usual = Counter(b.title for b in boxes if b.kind not in ("const", "variable"))
        lines += [", ".join(name for name, _ in usual.most_common(3))] if usual else []
    nodes = [k for b in boxes for k in b.nodes]
    gradient = all(b.gradient for b in boxes)
    return Box(f"scope:{'/'.join(path)}", path[:-1], path[-1], lines, "scope", gradient, nodes)


def _costs(steps: Sequence[Box]) -> str:
    parts = [_counted(len(steps), "step"), size(sum(b.bytes for b in steps))]
    times = [b.microseconds for b in steps if b.microseconds is not None]
    if times:
        parts.append(duration(sum(times) / 1e6))
    return ", ".join(parts)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"
