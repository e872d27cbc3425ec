"""One HTML file from a document: everything it needs is inside, nothing is fetched.

Lives here: page. Not here: what a document holds (inspect/document.py), what the page does
with it (assets/*.js). The user's texts are in the page only as compressed data, never as markup.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import sys
import zlib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from string import Template
from typing import TYPE_CHECKING, Any

from graphc.errors import InvalidArgumentError

if TYPE_CHECKING:
    from graphc.inspect.document import Document

FORMAT, VERSION = "graphc-view", 1
# in the order in which they are put together
SCRIPTS = (
    "util", "data", "colours", "ranks", "order", "coordinates", "layout", "tree", "measure",
    "camera", "canvas", "drawing", "controls", "pane", "code", "figures", "panel", "panel_plan",
    "search", "passes", "schedule", "views", "app",
)  # fmt: skip
STYLES = ("style.css", "views.css")
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path d="M4 3v5l8 2" fill="none"'
    ' stroke="#4c6ef5" stroke-width="1.5"/><g fill="#4c6ef5"><circle cx="4" cy="3" r="2.4"/>'
    '<circle cx="4" cy="8" r="2.4"/><circle cx="12" cy="12" r="2.8"/></g></svg>'
)


def page(document: Document | Mapping[str, Any]) -> str:
    """The viewer's page of a document, as text: one file that opens without a network.

    Args:
        document: what `graphc.inspect.document.capture` made, or its `to_json()`.

    Raises:
        InvalidArgumentError: it is no document of a version that this page knows, or it holds a
            number that is not finite.
    """
    data = document if isinstance(document, Mapping) else document.to_json()
    if data.get("format") != FORMAT or data.get("version") != VERSION:
        said = f"format {data.get('format')!r}, version {data.get('version')!r}"
        raise InvalidArgumentError(
            f"a page needs a document of format {FORMAT!r}, version {VERSION}; got {said}"
        )
    script, style = _script(), "\n".join(map(_asset, STYLES))
    return Template(_asset("page.html")).substitute(
        version=html.escape(str(sys.modules["graphc"].__version__)),
        title=html.escape(str(data.get("title") or "graph")[:300]),
        icon=base64.b64encode(_ICON.encode()).decode(),
        style=style,
        style_hash=_source_hash(style),
        script=script,
        script_hash=_source_hash(script),
        chunks="\n".join(_chunks(data)),
    )


def _chunks(data: Mapping[str, Any]) -> list[str]:
    """The document, and the code of each plan apart: it is unpacked when it is looked at."""
    plans = data.get("plans") or {}
    light = {**data, "plans": {k: {**p, "code": {}} for k, p in plans.items()}}
    parts = [("document", light)]
    parts += [(f"code-{k}", plan.get("code") or {}) for k, plan in enumerate(plans.values())]
    return [
        f'<script type="application/octet-stream" id="{name}">{_packed(value)}</script>'
        for name, value in parts
    ]


def _packed(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise InvalidArgumentError(f"a page cannot hold this document: {error}") from None
    return base64.b64encode(zlib.compress(text.encode("utf-8", "surrogatepass"), 6)).decode()


def _source_hash(text: str) -> str:
    """What a browser checks before it runs a script or uses a style of this page."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _script() -> str:
    parts = "\n".join(_asset(f"{name}.js") for name in SCRIPTS)
    return f"(() => {{\n{parts}\n}})();\n"


@cache
def _asset(name: str) -> str:
    return resources.files(__package__).joinpath("assets", name).read_text("utf-8")
