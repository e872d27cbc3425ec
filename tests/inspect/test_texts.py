"""Numbers and tables for people; files that are written at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from graphc.inspect import texts
from graphc.inspect.load import Load


@pytest.mark.parametrize(
    ("nbytes", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (1.5e6, "1.5 MB"), (2e9, "2.0 GB")],
)
def test_sizes(nbytes: float, text: str) -> None:
    assert texts.size(nbytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 us"), (1.5e-6, "1.5 us"), (0.0123, "12.30 ms"), (90, "90.00 s")],
)
def test_durations(seconds: float, text: str) -> None:
    assert texts.duration(seconds) == text


@pytest.mark.parametrize(
    ("number", "unit", "text"),
    [(7, "", "7"), (1500, "", "1.5 k"), (2.5e9, "FLOP/s", "2.5 GFLOP/s"), (3e12, "B/s", "3.0 TB/s"),
     (5, "FLOP", "5 FLOP")],
)  # fmt: skip
def test_counts(number: float, unit: str, text: str) -> None:
    assert texts.count(number, unit) == text


def test_tables_line_up_left_and_right() -> None:
    lines = texts.table([["", "a", "long"], ["name", "1000", "x"]])
    assert lines == ["         a  long", "name  1000     x"]


def test_long_texts_keep_their_begin_and_end() -> None:
    assert texts.shortened("short", 10) == "short"
    cut = texts.shortened("begin" + "x" * 100 + "end", 20)
    assert len(cut) == 20 and cut.startswith("begin") and cut.endswith("end") and "..." in cut


def test_lines_of_files_below_this_folder_are_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert texts.near(f"{tmp_path}/a/b.py:3 in f") == "a/b.py:3 in f"
    assert texts.near("/elsewhere/b.py:3") == "/elsewhere/b.py:3"


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("a.json", ".json"), ("A.Data.JSON", ".data.json"), ("x/y.explorer.json", ".explorer.json"),
     ("folder", ""), ("a.b.svg", ".svg")],
)  # fmt: skip
def test_suffixes(name: str, suffix: str) -> None:
    assert texts.suffix_of(name) == suffix


def test_files_are_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    assert texts.write_file(path, "ünï") == path
    assert texts.write_file(path, b"\x00\x01") == path
    assert path.read_bytes() == b"\x00\x01"
    assert [p.name for p in tmp_path.iterdir()] == ["out.txt"]
    plain = tmp_path / "plain"
    plain.write_text("")
    assert path.stat().st_mode == plain.stat().st_mode


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(texts.OutputError, match="cannot write"):
        texts.write_file(tmp_path / "absent" / "x.txt", "text")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "full").write_text("")
    with pytest.raises(texts.OutputError, match="cannot write"):
        texts.write_file(tmp_path / "folder", "text")
    assert sorted(os.listdir(tmp_path)) == ["folder"]


def test_load_is_unknown_for_short_times() -> None:
    with Load() as beside:
        pass
    assert beside.others is None
