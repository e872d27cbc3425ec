"""The cache's tools: what they list, measure, find damaged and leave alone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import graphc as tf
from graphc import config
from graphc.inspect import cache_tool
from graphc.inspect.cli import main

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache with the kernels of two runs."""
    from graphc.runtime import codegen

    place = tmp_path / "cache"
    monkeypatch.setenv("GRAPHC_CACHE", str(place))
    config.reset()
    codegen.reset()
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [None], name="x")
        for fetch in (tf.exp(x) + 1.0, tf.reduce_sum(tf.tanh(x))):
            sess.run(fetch, {x: np.ones(5, np.float32)})
    yield place
    config.reset()


def test_lists_name_kernels_sizes_and_targets(folder: Path) -> None:
    modules = cache_tool.listed(folder)
    assert modules and all(m.nbytes > 0 and m.target for m in modules)
    assert any("vector" in m.printers for m in modules)
    names = {n for m in modules for n in m.names}
    assert any("exp" in n for n in names)
    used = [m.used for m in modules]
    assert used == sorted(used, reverse=True)


def test_lists_are_cut(folder: Path) -> None:
    count = len(cache_tool.listed(folder))
    text = cache_tool.list_text(folder, most=1)
    assert (f"{count - 1} more" in text) == (count > 1)
    assert "more:" not in cache_tool.list_text(folder, None)
    assert cache_tool.list_text(folder / "absent").endswith("holds no kernels")


def test_an_old_module_says_when_it_was_used(folder: Path) -> None:
    path = next(iter((folder / "modules").glob("??/*")))
    os.utime(path, (1, 1))
    assert " d ago" in cache_tool.list_text(folder, None)


def test_sizes_are_those_on_disk(folder: Path) -> None:
    text = cache_tool.measured(folder, 1000_000_000)
    kernels = len(list(folder.glob("kernels/??/*.json")))
    assert text.startswith(f"{kernels} kernels in ") and " of 1.0 GB on disk in " in text


def test_what_is_sound_has_no_problems(folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    count, problems = cache_tool.verified(folder, lambda done, total: seen.append((done, total)))
    assert count > 0 and not problems
    assert seen[-1] == (count, count)


def test_damage_is_found_and_left(folder: Path) -> None:
    objects = sorted(folder.glob("modules/??/*/object.o"))
    objects[0].write_bytes(b"nonsense")
    index = objects[-1].parent / "index.json"
    index.write_text("{")
    records = sorted(folder.glob("kernels/??/*.json"))
    records[0].write_text("[]")
    _, problems = cache_tool.verified(folder)
    reasons = {p.path: p.reason for p in problems}
    assert "not what its name says" in reasons[objects[0].parent]
    assert "index" in reasons[index.parent]
    assert "understood" in reasons[records[0]]
    assert objects[0].exists()
    # kernels of a damaged module would not be used either
    assert any("module is gone or damaged" in r for r in reasons.values())


def test_a_record_of_another_kernel(folder: Path) -> None:
    records = sorted(folder.glob("kernels/??/*.json"))
    record = json.loads(records[0].read_text())
    records[0].write_text(json.dumps({**record, "key": "0" * 64}))
    _, problems = cache_tool.verified(folder)
    assert [p.reason for p in problems] == ["its record is of another kernel"]


def test_the_commands(folder: Path, capsys: Capture) -> None:
    assert main(["cache", "list"]) == 0
    assert "exp" in capsys.readouterr().out
    assert main(["cache", "size"]) == 0
    assert "on disk in" in capsys.readouterr().out
    assert main(["cache", "verify"]) == 0
    assert ", 0 damaged in" in capsys.readouterr().out
    next(iter(folder.glob("modules/??/*/object.o"))).write_bytes(b"")
    assert main(["cache", "verify"]) == 1
    assert "its object is not what its name says" in capsys.readouterr().out
    assert main(["cache", "clear"]) == 0
    assert capsys.readouterr().out.startswith("removed ")
    for action in ("list", "size", "verify", "clear"):
        assert main(["cache", action]) == 0
        assert capsys.readouterr().out == "no cache on disk\n"
