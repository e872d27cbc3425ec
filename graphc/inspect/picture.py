"""Pictures for papers: a scene as SVG, or as PNG.

Lives here: svg, png. Not here: what is drawn (inspect/scene.py), where (inspect/layout.py). SVG
needs nothing; PNG is drawn by matplotlib from the same places.
"""

from __future__ import annotations

import html
import io
import math
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from graphc.errors import GraphcError
from graphc.inspect.boxes import CONTROL, DATA, GRADIENT, Box, Scene, printable
from graphc.inspect.layout import Placement, Point, layered

LONGEST, PIXELS = 12_000, 24e6  # of a PNG's side, and in all
MOST = 900  # boxes that a picture can hold
LABELLED = 70  # arrows up to which each has its text
FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
TITLE, TEXT, LABEL = 12.0, 10.0, 8.5  # sizes of letters
PAD, MARGIN, WIDEST = 9.0, 22.0, 230.0
HEAD, LINE = 18.0, 13.0
MANY, FADED = 12, 0.4  # arrows into one box from which on they are drawn lightly, and how
BOLD = 1.1  # how much wider bold letters are
# fill, border and head of each kind of box; distinct for people who do not see red and green apart
COLOURS = {
    "product": ("#e6effa", "#2f6db5"),
    "elementwise": ("#e5f3ee", "#2b8a6b"),
    "reduction": ("#fdeedd", "#c4701b"),
    "movement": ("#eeeaf6", "#7a62ae"),
    "placeholder": ("#e2f3f6", "#1f8796"),
    "variable": ("#fbf3d6", "#a8830d"),
    "const": ("#f2f2f0", "#8b8b85"),
    "control": ("#fae6ed", "#b23a66"),
    "host": ("#f5e9e2", "#99593a"),
    "other": ("#eef0f2", "#66717d"),
    "scope": ("#f7f8fa", "#4a5768"),
}
ARROWS = {DATA: "#7c8793", GRADIENT: "#c2527a", CONTROL: "#a9a9a9"}
DASHES = {DATA: "", GRADIENT: "6 3", CONTROL: "2 3"}
MEANING = {DATA: "data", GRADIENT: "gradients", CONTROL: "control"}
INK, FAINT, PAPER = "#1f2730", "#5d6975", "#ffffff"
_NARROW = frozenset("iIjlt.,:;|!'`()[]{}/\\ f")
_WIDE = frozenset("mwMW@%")


class PictureError(GraphcError):
    """There is no picture of this, or nothing to draw it with."""


@dataclass(frozen=True)
class Drawing:
    """A scene with places. texts: of each box, as they fit into it."""

    scene: Scene
    texts: list[list[str]]
    sizes: list[Point]
    placement: Placement

    @cached_property
    def width(self) -> float:
        legend = sum(legend_width(name) for name in self.legend)
        title = BOLD * text_width(self.scene.title, TITLE + 3)
        return max(self.placement.width, legend, title) + 2 * MARGIN

    @cached_property
    def height(self) -> float:
        return self.placement.height + 2 * MARGIN + 30 + 26

    @cached_property
    def legend(self) -> list[str]:
        """The kinds of boxes and arrows that there are."""
        kinds = {b.kind for b in self.scene.boxes}
        arrows = {a.kind for a in self.scene.arrows}
        return [*(k for k in COLOURS if k in kinds), *(k for k in ARROWS if k in arrows)]

    @cached_property
    def strengths(self) -> list[float]:
        """How strongly each arrow is drawn: less where very many end in one box."""
        ends = Counter(a.target for a in self.scene.arrows)
        return [FADED if ends[a.target] > MANY else 1.0 for a in self.scene.arrows]

    def shift(self, point: Point) -> Point:
        """From places of the layout to those of the picture."""
        left = (self.width - self.placement.width) / 2
        return point[0] + left, point[1] + MARGIN + 30


def drawn(scene: Scene) -> Drawing:
    """The scene with places.

    Raises:
        PictureError: it has too many boxes, or none.
    """
    if not scene.boxes:
        raise PictureError(f"{scene.title!r} holds nothing to draw")
    if len(scene.boxes) > MOST:
        raise PictureError(
            f"a picture of {len(scene.boxes)} boxes cannot be read: write .html, or give the ops "
            "name scopes, which become one box each"
        )
    texts = [[_fitted(box.title, TITLE), *(_fitted(t, TEXT) for t in box.lines)]
             for box in scene.boxes]  # fmt: skip
    sizes = [_box_size(lines) for lines in texts]
    pairs = [(a.source, a.target) for a in scene.arrows]
    return Drawing(scene, texts, sizes, layered(sizes, pairs))


def _box_size(lines: Sequence[str]) -> Point:
    head, *rest = lines
    widths = [BOLD * text_width(head, TITLE), *(text_width(t, TEXT) for t in rest)]
    return max(56.0, max(widths) + 2 * PAD), HEAD + LINE * len(rest) + (8 if rest else 4)


def text_width(text: str, letters: float) -> float:
    """About how wide a text is; rather too wide than too narrow."""
    total = 0.0
    for letter in text:
        if letter in _NARROW:
            total += 0.36
        elif letter in _WIDE or unicodedata.east_asian_width(letter) in "WF":
            total += 1.02
        elif letter.isupper():
            total += 0.72
        else:
            total += 0.61
    return total * letters


def _fitted(text: str, letters: float) -> str:
    """The text in one line, its middle left out where it is too long."""
    text = printable(" ".join(text.split())) or " "
    if text_width(text, letters) <= WIDEST:
        return text
    keep = len(text)
    while keep > 8 and text_width(text[:keep], letters) > WIDEST - 2 * letters:
        keep -= max(1, keep // 12)
    head = keep - keep // 3
    return f"{text[:head]}\N{HORIZONTAL ELLIPSIS}{text[len(text) - keep // 3 :]}"


# ------------------------------------------------------------------ SVG
def svg(scene: Scene) -> str:
    """The picture as one SVG file, without references to others.

    Raises:
        PictureError: the scene has too many boxes, or none.
    """
    picture = drawn(scene)
    width, height = f"{picture.width:.0f}", f"{picture.height:.0f}"
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="{FONT}" role="img">',
        f"<title>{_escaped(scene.title)}</title>",
        f'<rect width="100%" height="100%" fill="{PAPER}"/>',
        "<defs>" + "".join(_marker(kind) for kind in ARROWS) + "</defs>",
        _svg_text(MARGIN, MARGIN + 6, scene.title, TITLE + 3, INK, weight="600"),
    ]
    routes = picture.placement.routes
    for arrow, route, strength in zip(scene.arrows, routes, picture.strengths, strict=True):
        out.append(_svg_arrow(arrow.kind, [picture.shift(p) for p in route], strength))
    for number in range(len(scene.boxes)):
        out.append(_svg_box(picture, number))
    for x, y, text in labels(picture):
        out.append(_svg_text(x, y, text, LABEL, FAINT, "middle", halo=True))
    out.append(_svg_legend(picture))
    out.append("</svg>\n")
    return "\n".join(out)


def _marker(kind: str) -> str:
    return (
        f'<marker id="{kind}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto-start-reverse"><path d="M0 1 L7 4 L0 7 z" fill="{ARROWS[kind]}"/></marker>'
    )


def _svg_text(
    x: float, y: float, text: str, letters: float, fill: str, anchor: str = "start",
    weight: str = "400", halo: bool = False,
) -> str:  # fmt: skip
    edge = f' stroke="{PAPER}" stroke-width="3" paint-order="stroke"' if halo else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{letters:g}" font-weight="{weight}" '
        f'fill="{fill}" text-anchor="{anchor}"{edge}>{_escaped(text)}</text>'
    )


def _svg_arrow(kind: str, points: Sequence[Point], strength: float = 1.0) -> str:
    if not points:
        return ""
    light = f' opacity="{strength:g}"' if strength < 1 else ""
    dashes = f' stroke-dasharray="{DASHES[kind]}"' if DASHES[kind] else ""
    return (
        f'<path d="{_path(points)}" fill="none" stroke="{ARROWS[kind]}" stroke-width="1.3"'
        f'{dashes}{light} marker-end="url(#{kind})"/>'
    )


def _path(points: Sequence[Point]) -> str:
    parts = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for corner in curves(points):
        parts.append("C" + " ".join(f"{x:.1f} {y:.1f}" for x, y in corner))
    return " ".join(parts)


def curves(points: Sequence[Point]) -> list[tuple[Point, Point, Point]]:
    """The points as curves that leave and arrive straight up and down."""
    out = []
    for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False):
        middle = (y0 + y1) / 2
        if (x0, y0) != (x1, y1):
            out.append(((x0, middle), (x1, middle), (x1, y1)))
    return out


def _svg_box(picture: Drawing, number: int) -> str:
    box = picture.scene.boxes[number]
    fill, border = COLOURS[box.kind]
    wide, high = picture.sizes[number]
    x, y = picture.shift(picture.placement.centres[number])
    left, top = x - wide / 2, y - high / 2
    dashes = ' stroke-dasharray="5 3"' if box.gradient else ""
    shape = f'rx="5" fill="{fill}" stroke="{border}" stroke-width="1.2"{dashes}'
    out = ["<g>", f"<title>{_escaped(full_text(box))}</title>"]
    if box.kind == "scope":  # as if several lay on each other
        out.append(f'<rect x="{left + 3:.1f}" y="{top + 3:.1f}" width="{wide:.1f}" '
                   f'height="{high:.1f}" {shape}/>')  # fmt: skip
    out.append(
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{high:.1f}" {shape}/>'
    )
    head, *rest = picture.texts[number]
    out.append(_svg_text(x, top + 14, head, TITLE, border, "middle", "600"))
    for k, line in enumerate(rest):
        out.append(_svg_text(x, top + HEAD + LINE * k + 10, line, TEXT, INK, "middle"))
    return "".join([*out, "</g>"])


def full_text(box: Box) -> str:
    """All that a box says, without cuts."""
    return "\n".join(["/".join((*box.scope, box.title)), *box.lines])


def _svg_legend(picture: Drawing) -> str:
    x, y = MARGIN, picture.height - 14
    out = []
    for name in picture.legend:
        if name in COLOURS:
            fill, border = COLOURS[name]
            out.append(
                f'<rect x="{x:.1f}" y="{y - 9:.1f}" width="14" height="10" rx="2" fill="{fill}" '
                f'stroke="{border}"/>'
            )
        else:
            out.append(_svg_arrow(name, [(x, y - 4), (x + 14, y - 4)]))
        out.append(_svg_text(x + 19, y, MEANING.get(name, name), TEXT, FAINT))
        x += legend_width(name)
    return "".join(out)


def legend_width(name: str) -> float:
    return 19 + text_width(MEANING.get(name, name), TEXT) + 14


def _escaped(text: str) -> str:
    return html.escape(printable(text))


# ------------------------------------------------------------------ labels
def labels(picture: Drawing) -> list[tuple[float, float, str]]:
    """Texts beside the arrows, as far as there is room: each tensor's once."""
    scene = picture.scene
    if len(scene.arrows) > LABELLED:
        return []
    taken = [_around(picture, k) for k in range(len(scene.boxes))]
    said: set[tuple[int, str]] = set()
    out = []
    for arrow, route in zip(scene.arrows, picture.placement.routes, strict=True):
        # a node's box says itself what it makes
        if not arrow.label or scene.boxes[arrow.source].step < 0 or not route:
            continue
        if (arrow.source, arrow.label) in said:
            continue
        text = _fitted(arrow.label, LABEL)
        half = text_width(text, LABEL) / 2
        for (x0, y0), (x1, y1) in reversed(list(zip(route, route[1:], strict=False))):
            x, y = picture.shift(((x0 + x1) / 2, (y0 + y1) / 2))
            place = (x - half, y - LABEL, x + half, y + 3)
            if abs(y1 - y0) > LABEL and not any(_overlap(place, t) for t in taken):
                taken.append(place)
                said.add((arrow.source, arrow.label))
                out.append((x, y, text))
                break
    return out


Area = tuple[float, float, float, float]


def _around(picture: Drawing, number: int) -> Area:
    x, y = picture.shift(picture.placement.centres[number])
    wide, high = picture.sizes[number]
    return x - wide / 2, y - high / 2, x + wide / 2, y + high / 2


def _overlap(a: Area, b: Area) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


# ------------------------------------------------------------------ PNG
def png(scene: Scene, scale: float = 2.0) -> bytes:
    """The picture as PNG, `scale` pixels for each unit of the SVG.

    Raises:
        PictureError: matplotlib is not installed; the scene has too many boxes, or none.
    """
    picture = drawn(scene)
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise PictureError(
            "PNG is drawn by matplotlib, which is not installed: pip install 'graphc[examples]', "
            "or write .svg"
        ) from None
    from graphc.inspect.picture_png import paint

    wide, high = picture.width, picture.height
    scale = min(scale, LONGEST / max(wide, high), math.sqrt(PIXELS / (wide * high)))
    figure = Figure(figsize=(wide / 72, high / 72), dpi=72 * scale)
    FigureCanvasAgg(figure)
    paint(figure, picture)
    out = io.BytesIO()
    figure.savefig(out, format="png", facecolor=PAPER)
    return out.getvalue()
