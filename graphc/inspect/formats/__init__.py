"""Documents as files: pictures, pages, and what other programs read.

Lives here: save. Not here: each form's writing (one module each), what a document holds
(inspect/document.py). Imported by the command line and by programs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from graphc.errors import GraphcError
from graphc.inspect.boxes import Scene
from graphc.inspect.document import Document
from graphc.inspect.scene import scene_of
from graphc.inspect.texts import suffix_of, write_file

PICTURE_BOXES = 80  # before scopes become one box each
TEXT_BOXES = 1500
MERMAID_BOXES = 150  # its programs refuse more than 500 arrows
SUFFIXES = {
    ".html": "html", ".svg": "svg", ".png": "png", ".dot": "dot", ".gv": "dot", ".mmd": "mermaid",
    ".mermaid": "mermaid", ".graphml": "graphml", ".json": "json", ".explorer.json": "explorer",
    "": "tensorboard",
}  # fmt: skip


class FormatError(GraphcError):
    """There is no such form of a document."""


def save(
    document: Document, path: str | os.PathLike[str], kind: str | None = None, what: str = "user"
) -> Path:
    """Writes a document.

    Args:
        kind: html, svg, png, dot, mermaid, graphml, json (the document itself), explorer (Model
            Explorer's JSON) or tensorboard (a folder with a run for each plan); None: by the
            path's suffix, a folder without one.
        what: the stage ("user", "start", a pass) or plan ("fused", "unfused") of a picture, DOT,
            Mermaid or GraphML; the other forms hold all of them.

    Returns:
        The path.

    Raises:
        FormatError: no such kind or suffix. DocumentError: no such stage. PictureError: the
        picture would be too large, or matplotlib is missing. OutputError: it cannot be written.
    """
    chosen = kind or SUFFIXES.get(suffix_of(path))
    write = _WRITERS.get(chosen or "")
    if write is None:
        known = ", ".join(sorted(s for s in SUFFIXES if s))
        raise FormatError(
            f"no form {kind!r}; there are {', '.join(sorted(_WRITERS))}" if kind
            else f"the name {Path(path).name!r} says no form; known endings: {known}, or a folder"
        )  # fmt: skip
    return write(document, Path(path), what)


def _picture(document: Document, what: str) -> Scene:
    return scene_of(document, what, PICTURE_BOXES, constants=False)


def _html(document: Document, path: Path, what: str) -> Path:
    from graphc.inspect.page.build import page

    return write_file(path, page(document))


def _svg(document: Document, path: Path, what: str) -> Path:
    from graphc.inspect.picture import svg

    return write_file(path, svg(_picture(document, what)))


def _png(document: Document, path: Path, what: str) -> Path:
    from graphc.inspect.picture import png

    return write_file(path, png(_picture(document, what)))


def _dot(document: Document, path: Path, what: str) -> Path:
    from graphc.inspect.formats.dot import dot

    return write_file(path, dot(scene_of(document, what, TEXT_BOXES)))


def _mermaid(document: Document, path: Path, what: str) -> Path:
    from graphc.inspect.formats.mermaid import mermaid

    return write_file(path, mermaid(scene_of(document, what, MERMAID_BOXES, constants=False)))


def _graphml(document: Document, path: Path, what: str) -> Path:
    from graphc.inspect.formats.graphml import graphml

    return write_file(path, graphml(document, what))


def _json(document: Document, path: Path, what: str) -> Path:
    return write_file(path, _compact(document.to_json()))


def _explorer(document: Document, path: Path, what: str) -> Path:
    from graphc.inspect.formats.model_explorer import collection

    return write_file(path, _compact(collection(document)))


def _tensorboard(document: Document, path: Path, what: str) -> Path:
    from graphc.inspect.formats.tensorboard import write_runs

    return write_runs(document, path)


def _compact(data: Any) -> str:
    # surrogates in names are no UTF-8: they stay escaped
    return json.dumps(data, separators=(",", ":")) + "\n"


_WRITERS: dict[str, Callable[[Document, Path, str], Path]] = {
    "html": _html, "svg": _svg, "png": _png, "dot": _dot, "mermaid": _mermaid,
    "graphml": _graphml, "json": _json, "explorer": _explorer, "tensorboard": _tensorboard,
}  # fmt: skip
