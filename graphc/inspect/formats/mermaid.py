"""Scenes as Mermaid flowcharts, which Markdown pages show.

Lives here: mermaid. Imported by inspect/formats.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphc.inspect.boxes import CONTROL, GRADIENT, Scene, printable
from graphc.inspect.formats.dot import ScopeTree
from graphc.inspect.picture import ARROWS, COLOURS

# what its parser or Markdown would take for its own
_CODES = {c: f"#{ord(c)};" for c in "\"#<>&`;\\"}


def mermaid(scene: Scene) -> str:
    """The scene as a flowchart from top to bottom."""
    out = ["flowchart TB", *_scope(scene, ScopeTree.of(scene), "  ")]
    for arrow in scene.arrows:
        line = "-.->" if arrow.kind == CONTROL else "-->"
        label = f'|"{escaped(arrow.label)}"|' if arrow.label else ""
        out.append(f"  b{arrow.source} {line}{label} b{arrow.target}")
    back = [str(k) for k, a in enumerate(scene.arrows) if a.kind == GRADIENT]
    if back:
        out.append(f"  linkStyle {','.join(back)} stroke:{ARROWS[GRADIENT]}")
    for kind in sorted({b.kind for b in scene.boxes}):
        fill, border = COLOURS[kind]
        members = ",".join(f"b{k}" for k, b in enumerate(scene.boxes) if b.kind == kind)
        out.append(f"  classDef {kind}_ fill:{fill},stroke:{border},color:#1f2730")
        out.append(f"  class {members} {kind}_")
    return "\n".join([*out, ""])


def _scope(scene: Scene, tree: ScopeTree, space: str) -> Iterator[str]:
    for number in tree.boxes:
        box = scene.boxes[number]
        text = "<br/>".join(escaped(t) for t in (box.title, *box.lines))
        shape = '[["{}"]]' if box.kind == "scope" else '["{}"]'
        yield f"{space}b{number}{shape.format(text)}"
    for name, inner in tree.inner.items():
        number = min(_first(inner))
        yield f'{space}subgraph g{number}_{len(inner.path)}["{escaped(name)}"]'
        yield from _scope(scene, inner, f"{space}  ")
        yield f"{space}end"


def _first(tree: ScopeTree) -> Iterator[int]:
    yield from tree.boxes
    for inner in tree.inner.values():
        yield from _first(inner)


def escaped(text: str) -> str:
    """Text without anything that Mermaid gives a meaning; a space for nothing."""
    return "".join(_CODES.get(c, c) for c in printable(" ".join(text.split()))) or " "
