"""tf.keras.utils: pictures of models, without any program outside: SVG, PNG, PDF, Graphviz' text.

Lives here: plot_model, model_to_dot. Not here: where things stand (model_layout.py). Imports
keras.engine; matplotlib only for PNG and PDF, when it is asked for.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from graphc.interop.checkpoint import atomic_path
from graphc.keras.utils.model_layout import Box, Picture, boxes_of, laid_out

__all__ = ["model_to_dot", "plot_model"]

_FILL, _EDGE, _TEXT = "#f5f7fb", "#40507a", "#1b2033"
_FONT = "Menlo, Consolas, 'DejaVu Sans Mono', monospace"
_DRAWN = (".png", ".pdf", ".jpg", ".jpeg", ".tif", ".tiff", ".eps", ".ps")


def _checked(model: Any) -> Any:
    if not model.built:
        raise ValueError(
            "This model has not yet been built. Build the model first by calling `build()` or "
            "calling the model on a batch of data."
        )
    return model


def model_to_dot(
    model: Any, show_shapes: bool = False, show_layer_names: bool = True, rankdir: str = "TB",
    expand_nested: bool = False, dpi: int | None = 96, subgraph: bool = False,
) -> str:
    """The layers and their connections in Graphviz' language.

    Raises:
        ValueError: the model is not built.
    """
    head = f"  graph [rankdir={rankdir}" + (f", dpi={dpi}];" if dpi else "];")
    kind = "subgraph cluster_" + model.name if subgraph else "digraph model"
    lines = [f"{kind} {{", head, "  node [shape=record];"]
    boxes = boxes_of(_checked(model), show_shapes, show_layer_names, expand_nested)
    for box in boxes:
        label = _record(box.title)
        if box.rows:
            words, shapes = ("|".join(_record(row[k]) for row in box.rows) for k in (0, 1))
            label = f"{label}|{{{{{words}}}|{{{shapes}}}}}"
        lines.append(f'  "{box.key}" [label="{{{label}}}"];')
    lines += [f'  "{source}" -> "{box.key}";' for box in boxes for source in box.inputs]
    return "\n".join([*lines, "}"])


def _record(text: str) -> str:
    for sign in "\\{}|<>\"":
        text = text.replace(sign, "\\" + sign)
    return text


def plot_model(
    model: Any, to_file: Any = "model.png", show_shapes: bool = False,
    show_layer_names: bool = True, rankdir: str = "TB", expand_nested: bool = False,
    dpi: int = 96, **kwargs: Any,
) -> Path:
    """Draws the layers of a model and how they are connected.

    Args:
        to_file: its ending says what is written: .svg needs nothing, .dot or .gv is Graphviz'
            text, .png and .pdf need matplotlib. show_shapes: of inputs and outputs. rankdir: "TB"
            from top to bottom, "LR" from left to right. expand_nested: models inside models are
            drawn by their layers. dpi: points an inch of a PNG.

    Returns:
        the file's path.

    Raises:
        ValueError: the model is not built; an unknown ending or rankdir. ImportError: matplotlib
            is needed and missing.
    """
    path = Path(to_file)
    ending = path.suffix.lower() or ".png"
    if not path.suffix:
        path = path.with_suffix(ending)
    if ending in (".dot", ".gv"):
        text = model_to_dot(model, show_shapes, show_layer_names, rankdir, expand_nested, dpi)
        return _write(path, text)
    boxes = boxes_of(_checked(model), show_shapes, show_layer_names, expand_nested)
    picture = laid_out(boxes, rankdir)
    if ending == ".svg":
        return _write(path, _svg(picture, model.name))
    if ending not in _DRAWN:
        raise ValueError(
            f"plot_model writes .svg, .dot, .png, .pdf and {', '.join(_DRAWN[2:])}, not {ending}"
        )
    _draw(picture, path, ending, dpi)
    return path


def _write(path: Path, text: str) -> Path:
    with atomic_path(path) as aside:
        Path(aside).write_text(text, encoding="utf-8")
    return path


# ------------------------------------------------------------------ SVG
def _curve(points: list[tuple[float, float]], sideways: bool) -> list[tuple[float, ...]]:
    """The two control points and the end of each part of an edge."""
    parts: list[tuple[float, ...]] = []
    for (x0, y0), (x1, y1) in zip(points, points[1:]):
        if sideways:
            mid = (x0 + x1) / 2
            parts.append((mid, y0, mid, y1, x1, y1))
        else:
            mid = (y0 + y1) / 2
            parts.append((x0, mid, x1, mid, x1, y1))
    return parts


def _svg(picture: Picture, name: str) -> str:
    w, h = picture.width, picture.height
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{w:.0f}" height="{h:.0f}" '
        f'viewBox="0 0 {w:.1f} {h:.1f}" role="img">',
        f"<title>{escape(name)}</title>",
        f'<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" '
        f'markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z" fill="{_EDGE}"/></marker></defs>',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<g fill="none" stroke="{_EDGE}" stroke-width="1.2">',
    ]
    for points in picture.edges:
        start = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
        curves = "".join(
            "C" + " ".join(f"{v:.1f}" for v in part) for part in _curve(points, picture.sideways)
        )
        out.append(f'<path d="{start}{curves}" marker-end="url(#tip)"/>')
    out.append(f'</g><g font-family="{_FONT}" font-size="12" fill="{_TEXT}">')
    for box in picture.boxes:
        out += _svg_box(box)
    return "\n".join([*out, "</g></svg>", ""])


def _lines(box: Box) -> list[tuple[str, float, float, str]]:
    """(text, x, y of its middle, anchor) of each line of a box."""
    left, top = box.x - box.width / 2, box.y - box.height / 2
    step = box.height / (1 + len(box.rows))
    out = [(box.title, box.x, top + step / 2, "middle")]
    for k, (word, shape) in enumerate(box.rows, 1):
        y = top + step * (k + 0.5)
        out += [(word, left + 8, y, "start"), (shape, left + box.width - 8, y, "end")]
    return out


def _svg_box(box: Box) -> list[str]:
    left, top = box.x - box.width / 2, box.y - box.height / 2
    out = [f'<rect x="{left:.1f}" y="{top:.1f}" width="{box.width:.1f}" '
           f'height="{box.height:.1f}" rx="4" fill="{_FILL}" stroke="{_EDGE}"/>']  # fmt: skip
    if box.rows:
        y = top + box.height / (1 + len(box.rows))
        out.append(f'<path d="M{left:.1f} {y:.1f}h{box.width:.1f}" stroke="{_EDGE}"/>')
    for text, x, y, anchor in _lines(box):
        out.append(
            f'<text x="{x:.1f}" y="{y:.1f}" dy="0.35em" text-anchor="{anchor}">'
            f"{escape(text)}</text>"
        )
    return out


# ------------------------------------------------------------------ PNG, PDF
def _draw(picture: Picture, path: Path, ending: str, dpi: int) -> None:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.patches import FancyArrowPatch, Rectangle
        from matplotlib.path import Path as Curve
    except ImportError as err:
        raise ImportError(
            f"plot_model needs matplotlib for {ending} files: pip install matplotlib, or write "
            ".svg, which needs nothing"
        ) from err
    figure = Figure(figsize=(picture.width / 96, picture.height / 96), dpi=dpi)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, picture.width)
    axes.set_ylim(picture.height, 0)
    axes.axis("off")
    for points in picture.edges:
        parts = _curve(points, picture.sideways)
        vertices = [points[0], *((p[k], p[k + 1]) for p in parts for k in (0, 2, 4))]
        codes = [Curve.MOVETO, *[Curve.CURVE4] * (3 * len(parts))]
        axes.add_patch(FancyArrowPatch(
            path=Curve(vertices, codes), arrowstyle="-|>", mutation_scale=9, color=_EDGE, lw=1,
            shrinkA=0, shrinkB=0,
        ))  # fmt: skip
    for box in picture.boxes:
        left, top = box.x - box.width / 2, box.y - box.height / 2
        axes.add_patch(Rectangle((left, top), box.width, box.height, fc=_FILL, ec=_EDGE))
        if box.rows:
            y = top + box.height / (1 + len(box.rows))
            axes.plot([left, left + box.width], [y, y], color=_EDGE, lw=0.8)
        for text, x, y, anchor in _lines(box):
            side = {"middle": "center", "start": "left", "end": "right"}[anchor]
            axes.text(x, y, text, ha=side, va="center", family="monospace", fontsize=8.5,
                      color=_TEXT)  # fmt: skip
    with atomic_path(path) as aside, Path(aside).open("wb") as file:
        figure.savefig(file, format=ending.lstrip("."), dpi=dpi)
