"""The console command: what it prints, what it answers to mistakes, what it leaves alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from graphc import __version__, config
from graphc.inspect.cli import main
from graphc.inspect.progress import Progress

BUILD = """
import numpy as np
import graphc as tf

def build():
    x = tf.placeholder(tf.float32, [None, 8], name="x")
    w = tf.Variable(tf.random_normal([8, 4], seed=1), name="w")
    y = tf.nn.relu(tf.matmul(x, w, name="product") + 1.0, name="rectified")
    return {"total": tf.reduce_sum(y * y, name="total")}, {x: np.ones((16, 8), np.float32)}

def other():
    return 3

constant = 4
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.py"
    path.write_text(BUILD)
    return path


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "cache"
    monkeypatch.setenv("GRAPHC_CACHE", str(folder))
    config.reset()
    yield folder
    config.reset()


Capture = pytest.CaptureFixture[str]


def test_compare(script: Path, capsys: Capture) -> None:
    assert main(["compare", f"{script}:build", "--seconds", "0", "--reasons"]) == 0
    out = capsys.readouterr().out
    for row in ("kernels", "bytes moved", "peak memory", "time a run", "first run", "compile"):
        assert row in out
    assert "fused" in out and "unfused" in out and "reference" in out
    assert "largest difference:" in out and "relative" in out
    assert "bytes saved by fusion:" in out


def test_explain(script: Path, capsys: Capture) -> None:
    assert main(["explain", str(script), "--source", "--lines"]) == 0
    out = capsys.readouterr().out
    assert "kernels," in out and "saved by fusion" in out
    assert "product" in out and "rectified" in out and "total" in out
    assert "def " in out  # sources
    assert f"{script}:8 in build: y = tf.nn.relu(" in out  # lines


def test_explain_unfused(script: Path, capsys: Capture) -> None:
    assert main(["explain", str(script)]) == 0
    fused = int(capsys.readouterr().out.split()[0])
    assert main(["explain", str(script), "--unfused"]) == 0
    assert int(capsys.readouterr().out.split()[0]) > fused


def test_explain_in_detail(script: Path, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "found.json"
    assert main(["explain", str(script), "--details", "-o", str(path)]) == 0
    done = capsys.readouterr()
    assert "fused because:" in done.out and "a small product: BLAS" in done.out
    assert done.err == f"written: {path}\n"
    assert json.loads(path.read_text())["steps"]


@pytest.mark.parametrize(
    ("name", "begin"),
    [("c.txt", " "), ("c.json", "{"), ("c.html", "<!doctype html>"), ("c.png", "\x89PNG")],
)
def test_compare_writes(script: Path, tmp_path: Path, name: str, begin: str) -> None:
    if name.endswith("png"):
        pytest.importorskip("matplotlib")
    path = tmp_path / name
    words = ["compare", str(script), "--seconds", "0", "--sides", "fused,unfused", "-o", str(path)]
    assert main(words) == 0
    assert path.read_bytes().decode("latin-1").startswith(begin)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("name", "begin"),
    [("v.html", "<!doctype html>"), ("v.svg", "<svg"), ("v.dot", "digraph"), ("v.mmd", "flowchart"),
     ("v.graphml", "<?xml"), ("v.json", '{"format":"graphc-view"'), ("v.explorer.json", "{")],
)  # fmt: skip
def test_viz_writes(
    script: Path, tmp_path: Path, name: str, begin: str, capsys: Capture
) -> None:
    path = tmp_path / name
    assert main(["viz", str(script), "--runs", "1", "-o", str(path)]) == 0
    text = path.read_text()
    assert begin.lower() in text[:300].lower()
    out = capsys.readouterr().out
    assert out.startswith(f"{path}: ") and " nodes, " in out


def test_viz_writes_a_folder_for_tensorboard(script: Path, tmp_path: Path) -> None:
    assert main(["viz", str(script), "--runs", "0", "-o", str(tmp_path / "runs")]) == 0
    assert {p.name for p in (tmp_path / "runs").iterdir()} == {"fused", "unfused"}


def test_viz_of_one_stage(script: Path, tmp_path: Path) -> None:
    path = tmp_path / "v.svg"
    words = ["viz", str(script), "--runs", "1", "--what", "fused", "-o", str(path)]
    assert main(words) == 0
    assert "matmul" in path.read_text() or "gemm" in path.read_text()


def test_profile(script: Path, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "trace.json"
    assert main(["profile", str(script), "--runs", "3", "-o", str(path)]) == 0
    out = capsys.readouterr().out
    assert "3 runs" in out and "by line of your program" in out and "product" in out
    assert json.loads(path.read_text())["traceEvents"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["compare", "{script}", "-o", "x.doc"], "compare writes .txt, .json, .png or .html"),
        (["explain", "{script}", "-o", "x.html"], "explain writes .txt or .json"),
        (["profile", "{script}", "-o", "x"], "profile writes .txt"),
        (["profile", "{script}", "--runs", "0"], "at least one run"),
        (["compare", "{script}", "--sides", "unfused"], "fused first"),
        (["viz", "{script}"], "viz needs -o FILE"),
        (["viz", "{script}", "-o", "x.gif"], "viz writes .html, .svg"),
        (["viz", "{script}", "-o", "x.svg", "--what", "nothing"], "nothing"),
        (["explain", "{script}", "-o", "/no/such/folder/x.txt"], "cannot write"),
    ],
)
def test_outputs_that_cannot_be(
    script: Path, words: list[str], text: str, capsys: Capture
) -> None:
    assert main([w.format(script=script) for w in words]) == 2
    assert text in capsys.readouterr().err


def test_progress_is_for_terminals(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    with Progress(2) as quiet:
        quiet.say("one")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with Progress(2) as shown:
        shown.say("one")
        shown.say("two")
    done = capsys.readouterr()
    assert done.out == "" and "2/2 [" in done.err and "two" in done.err
    with Progress() as words:
        words.say("a long text")
        words.say("short")
    assert capsys.readouterr().err.endswith("\rshort      \n")


def test_info(settings: Path, capsys: Capture) -> None:
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    for word in ("python:", "numpy:", "numba:", "llvmlite:", "processor:", "threads:", "blas:"):
        assert word in out
    assert f"cache: {settings}" in out


def test_version(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as done:
        main(["--version"])
    assert done.value.code == 0
    assert capsys.readouterr().out == f"graphc {__version__}\n"


def test_clear_cache_removes_kernels_and_nothing_else(
    script: Path, settings: Path, capsys: Capture
) -> None:
    main(["explain", str(script)])
    assert list(settings.glob("kernels/??/*.json"))
    own = {
        settings / "notes.txt": "mine",
        settings / "tmp" / "letter": "mine",
        settings / "modules" / "README": "mine",
        settings / "kernels" / "ab" / "paper.json": "mine",
    }
    for path, text in own.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    capsys.readouterr()
    assert main(["clear-cache"]) == 0
    assert f"kernels from {settings}" in capsys.readouterr().out
    left = {p for p in settings.rglob("*") if p.is_file()}
    assert left == set(own)


def test_clear_cache_leaves_no_empty_folders(
    script: Path, settings: Path, capsys: Capture
) -> None:
    main(["explain", str(script)])
    assert main(["clear-cache"]) == 0
    assert not settings.exists()
    capsys.readouterr()
    assert main(["clear-cache"]) == 0
    assert capsys.readouterr().out == "no cache on disk\n"


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("absent.py:build", "no file"),
        ("{script}:nothing", "has no function 'nothing'; it has build, other"),
        ("{script}:constant", "has no function 'constant'"),
        ("{script}:other", "build() must return (fetches, feed_dict)"),
    ],
)
@pytest.mark.parametrize("command", ["compare", "explain"])
def test_mistakes_are_explained(
    script: Path, command: str, spec: str, text: str, capsys: Capture
) -> None:
    assert main([command, spec.format(script=script)]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"graphc {command}: ") and text in err


def test_settings_that_are_wrong(
    script: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("GRAPHC_BACKEND", "reference")
    config.reset()
    assert main(["compare", str(script)]) == 2
    assert "cpu backend" in capsys.readouterr().err
    monkeypatch.setenv("GRAPHC_BACKEND", "gpu9")
    config.reset()
    assert main(["compare", str(script)]) == 2
    assert "GRAPHC_BACKEND='gpu9'" in capsys.readouterr().err


def test_the_command_is_installed() -> None:
    found = shutil.which("graphc", path=str(Path(sys.executable).parent))
    command = [found] if found else [sys.executable, "-m", "graphc.inspect.cli"]
    done = subprocess.run(
        [*command, "--help"], capture_output=True, text=True, check=True, env=dict(os.environ),
        cwd=Path(__file__).parents[1],
    )  # fmt: skip
    for name in ("viz", "compare", "explain", "profile", "cache", "info", "clear-cache"):
        assert name in done.stdout
