"""Boxes and arrows: what scenes are made of, and how there become fewer of them.

Lives here: Box, Arrow, Scene, collapsed, tidied, printable. Not here: how stages and plans become
scenes (inspect/scene.py), places (inspect/layout.py). Imports nothing of graphc but texts.
"""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from graphc.inspect.texts import duration, size

DATA, GRADIENT, CONTROL = "data", "gradient", "control"
NAMES = 4  # that a box for several things names
Owner = int | tuple[str, ...]  # a box by itself, or what stands for it
_NUMBER = re.compile(r"_?\d+")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


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


def printable(text: str) -> str:
    """Without the characters that neither XML nor terminals can show."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


# ------------------------------------------------------------------ fewer boxes
def tidied(scene: Scene) -> Scene:
    """A plan's scene without what says little: variables with the same readers are one box, copies
    of results and into variables stand in the box of what they copy."""
    whose: dict[int, Owner] = {k: k for k in range(len(scene.boxes))}
    joint: dict[Owner, Box] = {}
    for boxes in (*_alike_variables(scene), *_with_copies(scene)):
        owner = ("", str(boxes[0]))
        first, *others = (scene.boxes[k] for k in boxes)
        make = _variables if first.step < 0 else _copied
        joint[owner] = make(first, others)
        whose.update(dict.fromkeys(boxes, owner))
    return _joined(scene, whose, joint)


def _alike_variables(scene: Scene) -> list[list[int]]:
    readers: dict[int, list[int]] = {}
    for arrow in scene.arrows:
        if scene.boxes[arrow.source].kind == "variable" and scene.boxes[arrow.source].step < 0:
            readers.setdefault(arrow.source, []).append(arrow.target)
    alike: dict[tuple[int, ...], list[int]] = {}
    for box, targets in readers.items():
        alike.setdefault(tuple(targets), []).append(box)
    return [boxes for boxes in alike.values() if len(boxes) > 1]


def _with_copies(scene: Scene) -> list[list[int]]:
    """Each step that is copied somewhere at the end of a run, with these copies."""
    sources: dict[int, set[int]] = {}
    read = {a.source for a in scene.arrows}
    for arrow in scene.arrows:
        sources.setdefault(arrow.target, set()).add(arrow.source)
    out: dict[int, list[int]] = {}
    for number, box in enumerate(scene.boxes):
        before = sources.get(number, set())
        if box.step >= 0 and not box.nodes and number not in read and len(before) == 1:
            (source,) = before
            if scene.boxes[source].step >= 0:
                out.setdefault(source, [source]).append(number)
    return list(out.values())


def _copied(first: Box, copies: Sequence[Box]) -> Box:
    ends = dict.fromkeys(t for b in copies for t in b.lines[1:])
    moved = sum(b.bytes for b in copies)
    times = [b.microseconds for b in (first, *copies) if b.microseconds is not None]
    return replace(
        first, lines=[*first.lines, *_some(list(ends))], bytes=first.bytes + moved,
        microseconds=sum(times) if times else None,
    )  # fmt: skip


def _variables(first: Box, others: Sequence[Box]) -> Box:
    boxes = (first, *others)
    lines = _some([" ".join((b.title, *b.lines)) for b in boxes])
    nodes = [k for b in boxes for k in b.nodes]
    return replace(first, title=f"{len(boxes)} variables", lines=lines, nodes=nodes)


def _some(lines: Sequence[str]) -> list[str]:
    """The first of them, and how many more there are."""
    more = [f"and {len(lines) - NAMES} more"] if len(lines) > NAMES else []
    return [*lines[:NAMES], *more]


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
    as what is in them finds room. Scopes of one name but for numbers are opened together."""
    if len(scene.boxes) <= limit:
        return scene
    root = _tree(scene)
    shown: list[_Scope] = []
    loose = list(root.boxes)
    total = root.parts
    waiting = _batches([root])
    heapq.heapify(waiting)
    while waiting:
        _, _, batch = heapq.heappop(waiting)
        more = sum(s.parts - 1 for s in batch)
        if more and total + more > limit:
            shown.extend(batch)
            continue
        total += more
        loose.extend(k for scope in batch for k in scope.boxes)
        for inner in _batches(batch):
            heapq.heappush(waiting, inner)
    whose: dict[int, Owner] = {k: k for k in loose}
    joint: dict[Owner, Box] = {}
    for scope in shown:
        members = sorted(_inside(scope))
        whose.update(dict.fromkeys(members, scope.path))
        joint[scope.path] = _scope_box(scene, scope.path, members)
    return _joined(scene, whose, joint)


Batch = tuple[int, tuple[str, ...], "list[_Scope]"]  # less for fuller ones, then by path


def _batches(scopes: Sequence[_Scope]) -> list[Batch]:
    """The scopes inside of these, those together that are called alike."""
    found: dict[str, list[_Scope]] = {}
    for inner in (i for scope in scopes for i in scope.inner.values()):
        found.setdefault(_NUMBER.sub("", "/".join(inner.path)), []).append(inner)
    return [(-sum(s.total for s in batch), batch[0].path, batch) for batch in found.values()]


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
