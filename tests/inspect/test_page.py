"""The viewer's page as a file: self-contained, escaped, whole."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import zlib
from html.parser import HTMLParser
from importlib import resources
from typing import Any

import pytest

from graphc.errors import InvalidArgumentError
from graphc.inspect.page import page
from graphc.inspect.page.build import SCRIPTS, STYLES

from . import sample

ASSETS = resources.files("graphc.inspect.page").joinpath("assets")


class Parts(HTMLParser):
    """Tags with their attributes, and the text inside each."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, dict[str, str | None], str]] = []
        self._open: tuple[str, dict[str, str | None]] = ("", {})
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open = (tag, dict(attrs))
        self.tags.append(self._open)

    def handle_data(self, data: str) -> None:
        self.texts.append((*self._open, data))


def chunk(text: str, name: str) -> Any:
    found = re.search(rf'<script type="application/octet-stream" id="{name}">([^<]*)<', text)
    assert found
    return json.loads(zlib.decompress(base64.b64decode(found[1])))


def test_nothing_is_fetched() -> None:
    parts = Parts(page(sample.training()))
    for tag, attrs in parts.tags:
        for name in ("src", "href", "srcset", "action", "data"):
            assert (attrs.get(name) or "data:").startswith("data:"), (tag, attrs)
        assert not [a for a in attrs if a.startswith("on")], (tag, attrs)
    script = next(t for tag, attrs, t in parts.texts if tag == "script" and not attrs)
    style = next(t for tag, _, t in parts.texts if tag == "style")
    assert "url(" not in style and "@import" not in style
    # the only address is the name of a kind of element
    assert set(re.findall(r"https?://[^\"'`\s]*", script)) == {"http://www.w3.org/2000/svg"}
    assert "import(" not in script and "fetch(" not in script and "XMLHttp" not in script


def test_only_this_script_and_this_style_may_run() -> None:
    text = page(sample.nasty())
    parts = Parts(text)
    policy = next(a["content"] for t, a in parts.tags if t == "meta" and "content" in a) or ""
    for kind, tag in (("script-src", "script"), ("style-src", "style")):
        inside = next(t for name, attrs, t in parts.texts if name == tag and not attrs)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}';" in policy
    assert "default-src 'none'" in policy and "unsafe" not in policy


def test_texts_of_the_user_are_never_markup() -> None:
    text = page(sample.nasty())
    for name in sample.NASTY:
        if "<" in name:
            assert name not in text
    assert f"<title>{html.escape(sample.NASTY[1] + sample.NASTY[0])}</title>" in text
    assert [t for t, _ in Parts(text).tags if t == "script"] == ["script"] * 3
    assert chunk(text, "document")["nodes"] == sample.nasty()["nodes"]


def test_the_document_is_inside_and_its_code_apart() -> None:
    document = sample.training()
    text = page(document)
    inside = chunk(text, "document")
    for k, (name, plan) in enumerate(document["plans"].items()):
        assert chunk(text, f"code-{k}") == plan["code"]
        assert inside["plans"][name] == {**plan, "code": {}}
    assert inside["nodes"] == document["nodes"] and inside["stages"] == document["stages"]
    assert page(document) == text


def test_it_is_small() -> None:
    assert len(page(sample.training())) < 300_000


@pytest.mark.parametrize("wrong", [{}, {"format": "graphc-view", "version": 2}])
def test_only_documents_of_this_version(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError, match="version"):
        page(wrong)


def test_numbers_are_finite() -> None:
    document = sample.training()
    document["plans"]["fused"]["run_microseconds"] = float("nan")
    with pytest.raises(InvalidArgumentError, match="cannot hold"):
        page(document)


def test_every_asset_is_used() -> None:
    files = {p.name for p in ASSETS.iterdir()}
    assert files == {f"{name}.js" for name in SCRIPTS} | {*STYLES, "page.html"}
    for path in ASSETS.iterdir():
        lines = path.read_text("utf-8").splitlines()
        assert len(lines) < 500, path.name
        assert path.name == "page.html" or max(map(len, lines)) <= 100, path.name
