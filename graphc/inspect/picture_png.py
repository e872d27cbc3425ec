"""Paints a drawing with matplotlib.

Lives here: paint. Not here: the drawing (inspect/picture.py, which imports this module once it
knows that matplotlib is there).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from graphc.inspect.layout import Point
from graphc.inspect.picture import (
    ARROWS,
    COLOURS,
    CONTROL,
    DATA,
    FAINT,
    GRADIENT,
    HEAD,
    INK,
    LABEL,
    LINE,
    MARGIN,
    MEANING,
    PAPER,
    TEXT,
    TITLE,
    Drawing,
    curves,
    labels,
    legend_width,
)

DASHES: dict[str, Any] = {DATA: "-", GRADIENT: (0, (5, 2.5)), CONTROL: (0, (1.5, 2.5))}


def paint(figure: Any, picture: Drawing) -> None:
    """Fills a matplotlib figure of the drawing's size, in points."""
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, picture.width)
    axes.set_ylim(picture.height, 0)
    axes.axis("off")
    _text(axes, MARGIN, MARGIN + 6, picture.scene.title, TITLE + 3, INK, weight="bold")
    routes = picture.placement.routes
    for arrow, route, strength in zip(picture.scene.arrows, routes, picture.strengths, strict=True):
        _arrow(axes, arrow.kind, [picture.shift(p) for p in route], strength)
    for number in range(len(picture.scene.boxes)):
        _box(axes, picture, number)
    for x, y, text in labels(picture):
        _text(axes, x, y, text, LABEL, FAINT, "center", halo=True)
    _legend(axes, picture)


def _text(
    axes: Any, x: float, y: float, text: str, letters: float, colour: str, align: str = "left",
    weight: str = "normal", halo: bool = False,
) -> None:  # fmt: skip
    from matplotlib.patheffects import withStroke

    # dollar signs are letters, not formulas
    made = axes.text(
        x, y, text, fontsize=letters * 0.93, color=colour, ha=align, va="baseline",
        fontweight=weight, parse_math=False,
    )  # fmt: skip
    if halo:
        made.set_path_effects([withStroke(linewidth=3, foreground=PAPER)])


def _arrow(axes: Any, kind: str, points: Sequence[Point], strength: float = 1.0) -> None:
    from matplotlib.patches import PathPatch, Polygon
    from matplotlib.path import Path

    if len(points) < 2:
        return
    vertices, codes = [points[0]], [Path.MOVETO]
    for corner in curves(points):
        vertices += corner
        codes += [Path.CURVE4] * 3
    axes.add_patch(PathPatch(
        Path(vertices, codes), fill=False, edgecolor=ARROWS[kind], linewidth=1.2,
        linestyle=DASHES[kind], alpha=strength,
    ))  # fmt: skip
    (x, y), (ahead, above) = points[-1], points[-2]
    length = max(math.hypot(x - ahead, y - above), 1e-6)
    dx, dy = 6 * (x - ahead) / length, 6 * (y - above) / length
    head = [(x, y), (x - dx - dy / 2, y - dy + dx / 2), (x - dx + dy / 2, y - dy - dx / 2)]
    axes.add_patch(
        Polygon(head, closed=True, facecolor=ARROWS[kind], linewidth=0, alpha=strength)
    )


def _box(axes: Any, picture: Drawing, number: int) -> None:
    box = picture.scene.boxes[number]
    wide, high = picture.sizes[number]
    x, y = picture.shift(picture.placement.centres[number])
    left, top = x - wide / 2, y - high / 2
    if box.kind == "scope":
        _frame(axes, box.kind, box.gradient, left + 3, top + 3, wide, high)
    _frame(axes, box.kind, box.gradient, left, top, wide, high)
    head, *rest = picture.texts[number]
    _text(axes, x, top + 14, head, TITLE, COLOURS[box.kind][1], "center", "bold")
    for k, line in enumerate(rest):
        _text(axes, x, top + HEAD + LINE * k + 10, line, TEXT, INK, "center")


def _frame(
    axes: Any, kind: str, gradient: bool, left: float, top: float, wide: float, high: float
) -> None:
    from matplotlib.patches import FancyBboxPatch

    fill, border = COLOURS[kind]
    axes.add_patch(FancyBboxPatch(
        (left + 4, top + 4), wide - 8, high - 8, boxstyle="round,pad=4", facecolor=fill,
        edgecolor=border, linewidth=1.1, linestyle=(0, (4, 2.5)) if gradient else "-",
    ))  # fmt: skip


def _legend(axes: Any, picture: Drawing) -> None:
    x, y = MARGIN, picture.height - 14
    for name in picture.legend:
        if name in COLOURS:
            _frame(axes, name, False, x, y - 9, 14, 10)
        else:
            _arrow(axes, name, [(x, y - 4), (x + 14, y - 4)])
        _text(axes, x + 19, y, MEANING.get(name, name), TEXT, FAINT)
        x += legend_width(name)
