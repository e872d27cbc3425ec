"""The programs in tools/ that are thin over the console command, and the gallery's targets."""

from __future__ import annotations

import runpy
import sys
import tempfile
from pathlib import Path

import pytest

import graphc as tf
from graphc.inspect.target import built
from tools import gallery

ROOT = Path(__file__).parents[2]
Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("name", "command"),
    [("visualise", "viz"), ("compare", "compare"), ("profile", "profile"), ("explain", "explain")],
)
def test_programs_take_the_commands_words(
    name: str, command: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as done:
        runpy.run_module(f"tools.{name}", run_name="__main__")
    assert done.value.code == 0
    assert f"graphc {command}" in capsys.readouterr().out


def test_the_gallerys_targets_are_there() -> None:
    for target in gallery.TARGETS.values():
        file, _, name = target.partition(":")
        assert f"def {name}(" in (ROOT / file).read_text()


def test_the_transformer_trains() -> None:
    target = built(gallery.transformer)
    variables = target.graph.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES)
    kernels = [v for v in variables if v.name.endswith("kernel:0")]
    assert len(kernels) == 4 * gallery.LAYERS
    loss, train = target.fetches
    assert loss.shape.as_list() == [] and train.type == "NoOp"


@pytest.mark.parametrize("name", sorted(gallery.TARGETS))
def test_the_gallery_holds_every_tools_output(name: str) -> None:
    folder = ROOT / "docs" / "gallery"
    page = (folder / "README.md").read_text()
    for end in ("fused.svg", "compare.txt", "compare.png", "explain.txt", "profile.txt",
                "profile.png"):  # fmt: skip
        path = folder / f"{name}_{end}"
        assert path.stat().st_size > 500, path
        assert path.stat().st_size < 500_000, path
        assert path.name in page


def test_texts_of_the_gallery_name_no_folders_of_a_machine() -> None:
    for path in (ROOT / "docs" / "gallery").glob("*.*"):
        if path.suffix in (".txt", ".json", ".html", ".svg", ".md"):
            text = path.read_text(encoding="utf-8")
            folders = (ROOT.resolve(), Path.home(), Path(tempfile.gettempdir()))
            assert not any(f"{folder}/" in text for folder in folders), path
