"""The README and the documents beside it say what is there: commands, files, names, settings."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import graphc as tf
from graphc import config
from graphc.inspect.cli import _parser

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DOCUMENTS = sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").glob("*.md"))


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def commands(text: str = README) -> list[str]:
    return [line for block in blocks(text, "sh") for line in block.splitlines() if line.strip()]


def section(title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", README, re.M | re.S)
    assert found, title
    return found.group(1)


def test_two_commands_set_up_one_runs_the_main_job_one_the_tests() -> None:
    assert commands(section("Set-up")) == [
        "python3 -m venv .venv && . .venv/bin/activate",
        "pip install -e '.[dev]'",
    ]
    assert commands(section("The main job")) == ["python examples/mlp_digits.py"]
    assert commands(section("The tests")) == ["pytest"]


def test_the_gate_does_what_the_readme_says() -> None:
    gate = (ROOT / ".ci" / "run").read_text()
    words = ("-m venv", "install --quiet -e '.[dev]'", "examples/mlp_digits.py", "\npytest\n",
             "ruff check", "\nmypy\n")  # fmt: skip
    for command in words:
        assert command in gate, command
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.parametrize("command", [c for c in commands() if c.startswith("graphc ")])
def test_console_commands_are_understood(command: str) -> None:
    words = command.split()[1:]
    args = _parser().parse_args(words)
    if hasattr(args, "build"):
        assert (ROOT / args.build.partition(":")[0]).is_file()


@pytest.mark.parametrize(
    "command", [c for c in commands() if c.startswith("python ")], ids=lambda c: c.split()[1]
)
def test_programs_are_there(command: str) -> None:
    assert (ROOT / command.split()[1]).is_file()


def test_the_program_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = blocks(README, "python")
    with tf.Graph().as_default():
        names: dict[str, object] = {}
        exec(compile(program, "README.md", "exec"), names)
    assert float(np.asarray(names["value"])) < 0.2
    assert "saved by fusion" in capsys.readouterr().out


@pytest.mark.slow
def test_the_main_job_as_a_command(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GRAPHC_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "mlp_digits.py")],
        capture_output=True, text=True, check=True, env=environment, cwd=tmp_path,
    )  # fmt: skip
    found = re.search(r"test accuracy (\S+) on", done.stdout)
    assert found and float(found.group(1)) >= 0.97


def test_supported_names_exist() -> None:
    names = re.findall(r"`tf\.([\w.]+)`", section("What is supported"))
    assert len(names) > 30
    for name in names:
        found = tf
        for part in name.split("."):
            found = getattr(found, part)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", document.read_text()):
        if not target.startswith("http"):
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_files_that_are_named_exist(document: Path) -> None:
    text = document.read_text()
    for name in re.findall(r"`((?:graphc|examples|tools|tests|docs)/[\w/.]+\.(?:py|md))`", text):
        assert (ROOT / name).is_file(), name
    for block in blocks(text, "text"):
        for name in re.findall(r"\b((?:graphc/)?\w+/\w+\.py)\b", block):
            places = (ROOT / name, ROOT / "graphc" / name)
            assert any(p.is_file() for p in places), name


def test_modules_named_in_the_map_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    for name in re.findall(r"`((?:\w+/)?\w+\.py)`", text):
        assert (ROOT / "graphc" / name).is_file(), name
    for name in re.findall(r"^\| `(\w+)` \|", text, re.M):
        assert (ROOT / "graphc" / name).is_dir(), name


def test_every_setting_is_described() -> None:
    text = (ROOT / "docs" / "config.md").read_text()
    for name, field in config._FIELDS.items():
        assert f"| `{name}` | `{field.variable}` |" in text, name


def test_the_version_is_one() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text()
    assert f'version = "{tf.__version__}"' in pyproject
    assert f"## {tf.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_licence_is_apache() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert (ROOT / "graphc" / "py.typed").is_file()
