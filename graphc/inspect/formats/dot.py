"""Scenes in Graphviz's language, scopes as clusters.

Lives here: dot, ScopeTree. Imported by inspect/formats.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from graphc.inspect.boxes import CONTROL, DATA, GRADIENT, Scene, printable
from graphc.inspect.picture import ARROWS, COLOURS

STYLES = {DATA: "solid", GRADIENT: "dashed", CONTROL: "dotted"}


@dataclass
class ScopeTree:
    """Boxes by the scopes that they stand in. boxes: their numbers in the scene."""

    path: tuple[str, ...] = ()
    inner: dict[str, ScopeTree] = field(default_factory=dict)
    boxes: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, scene: Scene) -> ScopeTree:
        root = cls()
        for number, box in enumerate(scene.boxes):
            at = root
            for depth, name in enumerate(box.scope):
                at = at.inner.setdefault(name, cls(box.scope[: depth + 1]))
            at.boxes.append(number)
        return root


def dot(scene: Scene) -> str:
    """The scene as a digraph."""
    out = [
        f"digraph {quoted(scene.title)} {{",
        f"  graph [label={quoted(scene.title)}, labelloc=t, fontname=Helvetica, rankdir=TB];",
        '  node [shape=box, style="rounded,filled", fontname=Helvetica, fontsize=10];',
        "  edge [fontname=Helvetica, fontsize=8];",
    ]
    out.extend(_cluster(scene, ScopeTree.of(scene), 1))
    for arrow in scene.arrows:
        out.append(
            f"  b{arrow.source} -> b{arrow.target} [label={quoted(arrow.label)}, "
            f'style={STYLES[arrow.kind]}, color="{ARROWS[arrow.kind]}"];'
        )
    return "\n".join([*out, "}", ""])


def _cluster(scene: Scene, tree: ScopeTree, depth: int) -> Iterator[str]:
    space = "  " * depth
    for number in tree.boxes:
        box = scene.boxes[number]
        fill, border = COLOURS[box.kind]
        label = quoted("\n".join((box.title, *box.lines)))
        more = ', style="rounded,filled,dashed"' if box.gradient else ""
        more += ", peripheries=2" if box.kind == "scope" else ""
        yield f'{space}b{number} [label={label}, fillcolor="{fill}", color="{border}"{more}];'
    for name, inner in tree.inner.items():
        yield f"{space}subgraph {quoted('cluster_' + '/'.join(inner.path))} {{"
        yield f'{space}  label={quoted(name)}; color="#c9ced4"; style=rounded;'
        yield from _cluster(scene, inner, depth + 1)
        yield f"{space}}}"


def quoted(text: str) -> str:
    """A string of Graphviz: entities and backslashes mean themselves, lines stay lines."""
    plain = printable(text).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
    return '"' + plain.replace("\n", "\\n") + '"'
