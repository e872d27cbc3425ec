"""The benchmarks compute what they claim to compute, and their tables read what was measured.

No test looks at a time.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tools.bench import (
    compare,
    conversation,
    environments,
    load,
    page,
    peer_graphc,
    peer_numpy,
    peers,
    process,
    report,
    rows,
    run,
    tree,
    turns,
    worker,
)
from tools.bench.works import GROUPS, MODELS, WORKS, Work

OWN = [peer_numpy, peer_graphc]
QUICK = ["W3", "W4_scalar", "W4_vec10", "W9", "W10_inf_b1", "GEMM64"]
BIG = ["W1", "W2", "W5", "W6", *(n for n in WORKS if n.startswith("W7"))]


@pytest.mark.parametrize("peer", OWN, ids=["numpy", "graphc"])
@pytest.mark.parametrize("name", QUICK)
def test_small_works_are_right(name: str, peer: Any) -> None:
    held = worker.Worker(peer, threads=1, quick=True)
    for variant in peer.variants(WORKS[name]):
        answer = held.answer({"do": "prepare", "work": name, "variant": variant})
        assert answer.get("ok"), (variant, answer)
    assert held.answer({"do": "forget"}) == {} and not held.ready


@pytest.mark.parametrize("peer", OWN, ids=["numpy", "graphc"])
@pytest.mark.parametrize("name", BIG)
def test_big_works_are_right_on_a_corner_of_their_data(name: str, peer: Any) -> None:
    rng = np.random.default_rng(0)
    shape = (300,) if name in ("W1", "W2") else (48, 64)
    gains = [rng.standard_normal(64, dtype=np.float32) for _ in range(2)]
    work = replace(WORKS[name], parameters=lambda: gains, check_rows=None)
    inputs = tuple(rng.standard_normal(shape, dtype=np.float32) for _ in range(4))
    inputs = inputs if name == "W2" else inputs[:1]
    for variant in peer.variants(work):
        assert work.right(peer.prepare(work, inputs, variant, 1)(), inputs), variant


def small(work: Work, parameters: list[Any], *inputs: Any) -> Work:
    return replace(work, inputs=lambda: inputs, parameters=lambda: parameters, check_rows=None)


def encoder_values(layers: int, width: int) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    shapes = [(width, 3 * width), (3 * width,), (width, width), (width,), (width,), (width,),
              (width, 2 * width), (2 * width,), (2 * width, width), (width,), (width,),
              (width,)]  # fmt: skip
    return [rng.standard_normal(s, dtype=np.float32) / 4 for _ in range(layers) for s in shapes]


def test_the_encoder_and_the_dense_layer_are_right_when_small() -> None:
    rng = np.random.default_rng(2)
    x = rng.standard_normal((2, 6, 16), dtype=np.float32)
    bert = replace(small(WORKS["BERT"], encoder_values(2, 16), x), options={"heads": 4})
    assert bert.right(peer_graphc.prepare(bert, (x,), "run", 1)(), (x,))
    rectangle = rng.standard_normal((5, 7), dtype=np.float32)
    weights = [rng.standard_normal(s, dtype=np.float32) for s in ((7, 9), (9,))]
    dense = small(WORKS["W13"], weights, rectangle)
    assert dense.right(peer_graphc.prepare(dense, (rectangle,), "run", 1)(), (rectangle,))


@pytest.mark.parametrize("name", [n for n, w in WORKS.items() if w.training and w.model != "cnn"])
def test_the_kept_losses_begin_with_numpys(name: str) -> None:
    work = WORKS[name]
    np.testing.assert_allclose(work.reference()[0], work.first_loss(), rtol=1e-6)


def test_every_model_is_there_in_every_table_that_can_be_imported() -> None:
    from tools.bench import models_tf1

    assert set(models_tf1.MODELS) == set(MODELS)
    assert {w.model for w in WORKS.values()} == set(MODELS)
    assert {w.group for w in WORKS.values()} == set(GROUPS)


def measured(
    peer: str, work: str, variant: str, median: float, ok: bool = True, **more: Any
) -> dict[str, Any]:
    line = {"peer": peer, "work": work, "variant": variant, "median_s": median, "ok": ok,
            "mode": "time", "threads": 2, "round": 1, "group": WORKS[work].group,
            "graphc": "abc", "quick": True, "when": "2026-11-20 10:00:00",
            "foreign": 0.0}  # fmt: skip
    return line | more


ROW = rows.Row("chain", "W3", 1.5)


def test_a_row_takes_the_best_right_peer_and_undisturbed_rounds() -> None:
    lines = [
        measured("graphc", "W3", "run", 2.0), measured("graphc", "W3", "run", 9.0, foreign=1.0),
        measured("graphc", "W3", "call", 1.0), measured("jax", "W3", "jit", 4.0),
        measured("jax", "W3", "jit", 5.0), measured("torch", "W3", "eager", 0.1, ok=False),
        measured("ort", "W3", "reuse_iobind", 4.1), measured("limit", "W3", "chain", 0.2),
    ]  # fmt: skip
    found = report.result(ROW, lines)
    assert (found.own.value, found.peer.label, found.peer.value) == (2.0, "jax jit", 4.5)
    assert found.ratio == 2.25 and found.met is True
    assert found.reused is not None and [m.label for m in found.wrong] == ["torch eager"]
    assert report.cells(found)[-1] == "met; ort reuse_iobind 4.1 s; wrong result: torch eager"


def test_a_wrong_result_of_graphc_has_no_ratio() -> None:
    lines = [measured("graphc", "W3", "run", 1.0, ok=False), measured("jax", "W3", "jit", 4.0)]
    found = report.result(ROW, lines)
    assert found.ratio is None and "wrong result: graphc run" in report.text(lines)


def test_each_work_counts_once_in_the_mean() -> None:
    lines = []
    for name, ratio in (("W3", 8.0), ("W7_sum_ax0", 1.0), ("W7_var_full", 4.0), ("GEMM64", 9.0)):
        lines += [measured("graphc", name, v, 1.0) for v in ("run", "call")]
        lines.append(measured("jax", name, "jit", ratio))
    mean = report.geometric_mean(report.results(lines))
    assert mean is not None and abs(mean - (8.0 * 2.0 * 9.0) ** (1 / 3)) < 1e-9
    assert report.geometric_mean([]) is None


def test_rows_name_works_variants_and_peers_that_exist() -> None:
    for row in rows.ROWS:
        assert row.work in WORKS
        assert set(row.own) <= {*peer_graphc.variants(WORKS[row.work])}
        assert set(row.against) <= {*environments.PINS, "limit"}


def test_of_each_group_the_newest_graphc_counts() -> None:
    lines = [
        measured("graphc", "W3", "run", 1.0), measured("jax", "W3", "jit", 1.0),
        measured("graphc", "W3", "run", 2.0, graphc="def"),
        measured("graphc", "W1", "run", 3.0), measured("graphc", "W1", "run", 3.0, threads=1),
    ]  # fmt: skip
    assert report.latest(lines, 2) == lines[2:4]


def test_quiet_tables_prefer_what_was_not_disturbed() -> None:
    lines = [
        measured("graphc", "W3", "run", 1.0), measured("graphc", "W3", "run", 2.0, graphc="def"),
        measured("graphc", "W3", "run", 9.0, graphc="later", foreign=1.2),
        measured("graphc", "W5", "run", 9.0, foreign=1.2), measured("jax", "W3", "jit", 1.0),
    ]  # fmt: skip
    assert report.undisturbed(lines, 2) == [lines[1], *lines[3:]]
    assert report.undisturbed(lines, 1) == []


def test_starts_count_the_import_only_with_a_filled_cache() -> None:
    line = {"import_s": 1.0, "build_s": 2.0, "first_s": 4.0}
    assert report._completed(line | {"mode": "cold"})["start_s"] == 6.0
    assert report._completed(line | {"mode": "warm"})["start_s"] == 7.0


def test_names_of_works() -> None:
    assert run.wanted("W1") == ("W1",)
    assert run.wanted("GEMM64,W8,W14") == ("W8_sgd", "W8_adam", "GEMM64", "W14")
    assert run.wanted("GEMM") == tuple(n for n in WORKS if n.startswith("GEMM"))
    assert len(run.wanted("W7")) == 9


def test_unknown_names_are_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        run.main(["--works", "W4,W99"])
    assert "unknown work W99; known: W1, W2" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run.main(["--env", "tinygrad=python"])
    assert "expected NAME=PYTHON, NAME one of jax, tf" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        peers.main(["--peers", "jax,mxnet"])
    assert "unknown peers ['mxnet']" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        compare.main(["a", "b", "--rounds", "1"])
    assert "at least 2" in capsys.readouterr().err
    assert run.main(["--peers", "jax", "--folder", str(tmp_path)]) == 2
    assert "not set up: jax" in capsys.readouterr().err


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Processes that only leave a note of having been started."""
    calls: list[tuple[str, ...]] = []
    fields = {"when": "2026-11-20 10:00:00", "threads": 2, "quick": True, "versions": {}}

    def one(python: str, job: run.Job, settings: Any, caches: Path) -> dict[str, Any]:
        calls.append((job.group, job.peer))
        more = {"import_s": 1.0, "build_s": 1.0, "first_s": 1.0, "peak_bytes": 2**20}
        return fields | more | {"work": job.work, "variant": job.variant, "ok": True,
                                "mode": job.mode}  # fmt: skip

    def together(
        members: list[turns.Member], works: tuple[str, ...], settings: Any
    ) -> Iterator[dict[str, Any]]:
        numbers = {"median_s": 1e-6, "ok": True, "foreign": 0.0, "mode": "time"}
        for member in members:
            calls.append((WORKS[works[0]].group, member.name))
            yield from (fields | numbers | {"work": w, "variant": "run", "peer": member.name}
                        for w in works)  # fmt: skip

    monkeypatch.setattr(process, "one", one)
    monkeypatch.setattr(turns, "measured", together)
    monkeypatch.setattr(tree, "byte_compile", lambda folder: None)
    return calls


def test_a_run_goes_on_where_it_ended_and_writes_a_page(
    tmp_path: Path, fake: list[tuple[str, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--works", "W9,W14,W15", "--peers", "numpy", "--folder", str(tmp_path)]
    assert run.main([*options, "--rounds", "1"]) == 0
    starts = [(f"W14_{n}", "graphc") for n in run.START_WORKS for _ in range(2)]
    memory = [("W15_W1", "graphc"), ("W15_W1", "numpy"), ("W15_W10_b256", "graphc"),
              ("W15_W10_b256", "numpy")]  # fmt: skip
    assert fake == [("W9", "graphc"), ("W9", "numpy"), *starts, *memory]
    fake.clear()
    docs = tmp_path / "docs"
    assert run.main([*options, "--rounds", "2", "--docs", str(docs)]) == 0
    assert fake[:2] == [("W9", "graphc"), ("W9", "numpy")]
    assert len(report.read(tmp_path / "results.jsonl")) == 2 * (2 + 6 + 4)
    assert "W15 peak memory, W1" in capsys.readouterr().out
    text = (docs / "benchmarks.md").read_text()
    assert "Measured 2026-11-20 with 2 threads on" in text and "numpy run" in text
    assert run.main([*options, "--rounds", "2"]) == 0
    assert fake.count(("W9", "graphc")) == 1  # nothing is left to do


def test_bars_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    lines = [measured("graphc", "W3", "run", 1.0), measured("jax", "W3", "jit", 4.0)]
    assert page.draw(report.results(lines), tmp_path / "chart.png")
    assert (tmp_path / "chart.png").stat().st_size > 1000
    assert not page.draw([], tmp_path / "none.png")


def test_one_thread_stands_beside_several() -> None:
    two = [measured("graphc", "W5", "run", 1.0)]
    text = page.scaling(two, [measured("graphc", "W5", "run", 1.75, threads=1)])
    assert "| W5 softmax | 1.75 s | 1 s | 1.75 |" in text
    assert page.scaling(two, []) == ""


def test_changes_are_told_from_noise() -> None:
    old = {("W1", "run"): [1.0, 1.1], ("W3", "run"): [1.0, 1.2], ("W5", "run"): [2.0, 2.2]}
    new = {("W1", "run"): [1.5, 1.4], ("W3", "run"): [1.1, 1.3], ("W5", "run"): [1.0, 1.0]}
    verdicts = {c.name: c.verdict for c in compare.changes(old, new)}
    assert verdicts == {"W1 run": "slower", "W3 run": "same", "W5 run": "faster"}
    assert "+38.1 %" in str(compare.changes(old, new)[0])


@pytest.fixture
def commit() -> Iterator[str]:
    if tree.version() == "unknown":
        pytest.skip("no git checkout")
    yield "HEAD"


def test_two_commits_are_compared(
    commit: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    places: list[Path] = []

    def together(
        members: list[turns.Member], works: tuple[str, ...], settings: process.Settings
    ) -> Iterator[dict[str, Any]]:
        for member, seconds in zip(members, (1.0, 2.0), strict=True):
            place = Path(member.process.variables["PYTHONPATH"].split(os.pathsep)[0])
            assert (place / "graphc" / "__init__.py").exists()
            places.append(place)
            yield {"work": "W9", "variant": "run", "ok": True, "median_s": seconds,
                   "peer": member.name}  # fmt: skip

    monkeypatch.setattr(turns, "measured", together)
    monkeypatch.setattr(tree, "byte_compile", lambda folder: None)
    assert compare.main([commit, ".", "--works", "W9", "--rounds", "2"]) == 1
    assert places[1] == places[3] == environments.ROOT and places[0] == places[2]
    assert not places[0].exists()
    assert "slower W9 run" in capsys.readouterr().out


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another checkout, by its folder."""
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "graphc").symlink_to(environments.ROOT / "graphc", target_is_directory=True)
    return folder


def test_a_real_process_measures_another_checkout(tmp_path: Path, other: Path) -> None:
    """One worker with everything real but the time it takes, on a tree given by its folder."""
    settings = process.Settings(1, True, tmp_path, other)
    job = run.Job("W3", ("graphc",), ("W4_vec10",), "start", "run")
    lines = list(process.measure(sys.executable, job, settings))
    assert [line["mode"] for line in lines] == ["cold", "warm"]
    assert all(line["ok"] and line["versions"]["numpy"] == np.__version__ for line in lines)


def test_real_processes_are_measured_in_turn(
    tmp_path: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "QUICK_TURNS", 1)
    job = run.Job("W3", ("graphc", "numpy", "nobody"), ("W4_vec10",))
    settings = process.Settings(1, True, tmp_path, other)
    pythons = dict.fromkeys(job.peers, sys.executable)
    lines = {(r["peer"], r["variant"]): r for r in run.lines_of(job, pythons, settings)}
    assert "No module named 'tools.bench.peer_nobody'" in lines.pop(("nobody", ""))["error"]
    assert set(lines) == {("graphc", "run"), ("graphc", "call"), ("numpy", "numpy")}
    for line in lines.values():
        assert line["ok"] and 1 <= line["repeats"] <= 2 and line["median_s"] > 0
        assert line["versions"]["numpy"] == np.__version__ and line["mode"] == "time"


class Answers(conversation.Process):
    """A process that is none: samples by variant, as they come; an exception is its end."""

    def __init__(self, samples: dict[str, Any]) -> None:
        super().__init__([], {})
        self.samples = {name: iter(values) for name, values in samples.items()}

    def ask(self, question: dict[str, Any], seconds: float) -> dict[str, Any]:
        value = next(self.samples[question["variant"]])
        if isinstance(value, Exception):
            raise value
        return {"seconds": value}


def turned(loads: list[float], quick: bool = False, **samples: Any) -> dict[str, turns.Runner]:
    """What taking turns gives, with these loads of the turns; "own..." stay in all of them."""
    runners = []
    for name, values in samples.items():
        made = turns.Member(name, Answers({"v": values}), own=name.startswith("own"))
        runners.append(turns.Runner(made, "v", {"ok": True, "units": 8.0}))
    left = iter(loads)

    class Said(load.Load):
        def __exit__(self, *_: Any) -> None:
            self.foreign = next(left)

    turns.take_turns("W3", runners, process.Settings(1, quick, Path()), Said)
    return {r.member.name: r for r in runners}


def test_all_take_turns_but_those_far_behind() -> None:
    got = turned([0.0] * 15, own=[9.0] * 15, best=[2.0] * 15, near=[3.0] * 15, far=[5.0] * 15)
    counts = {name: len(r.samples) for name, r in got.items()}
    assert counts == {"own": 15, "best": 15, "near": 15, "far": turns.FEW}
    line = got["best"].line(15)
    assert (line["median_s"], line["repeats"], line["per_s"], line["foreign"]) == (2.0, 15, 4.0, 0)


def test_disturbed_turns_are_taken_again_and_left_out() -> None:
    loads = [0.9, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0]
    got = turned(loads, True, own=[8.0, 1.0, 7.0, 2.0, 3.0, 4.0, 5.0])["own"]
    assert [s for _, s in got.samples] == [8.0, 1.0, 7.0, 2.0, 3.0, 4.0, 5.0]
    line = got.line(turns.QUICK_TURNS)
    assert (line["median_s"], line["max_s"], line["foreign"]) == (3.0, 5.0, 0.0)
    noisy = turned([0.5] * 10, True, own=[1.0] * 10)["own"].line(turns.QUICK_TURNS)
    assert noisy["repeats"] == 5 and noisy["foreign"] == 0.5


def test_a_process_is_waited_for_until_it_sleeps() -> None:
    start = time.perf_counter()
    load.wait_for_sleep(os.getpid(), 0.05)  # it runs: it is asking
    assert time.perf_counter() - start >= 0.05
    sleeping = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    load.wait_for_sleep(sleeping.pid, 60)
    sleeping.communicate(b"\n")
    load.wait_for_sleep(sleeping.pid, 60)
    assert load.used_seconds(sleeping.pid) == 0.0
    assert load.used_seconds(os.getpid()) > 0


def test_what_ends_meanwhile_leaves_an_error() -> None:
    gone = conversation.Ended("the process ended: exit status 3")
    got = turned([0.0] * 15, own=[1.0] * 15, other=[1.0, gone])
    assert got["other"].line(15) == {"ok": True, "error": "the process ended: exit status 3"}
    assert len(got["own"].samples) == 15
    assert not turned([0.0], own=[gone])["own"].samples


def test_failing_processes_leave_a_line(tmp_path: Path) -> None:
    settings = process.Settings(1, True, tmp_path)
    job = run.Job("W14_W3", ("nobody",), ("W3",), "memory", "run")
    (line,) = process.measure(sys.executable, job, settings)
    assert "No module named 'tools.bench.peer_nobody'" in line["error"]
    assert json.loads(json.dumps(line)) == line


def test_limits_are_the_works_own() -> None:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    from tools.bench import peer_limit

    rng = np.random.default_rng(3)
    inputs = tuple(rng.standard_normal(6400, dtype=np.float32) for _ in range(4))
    chain = replace(WORKS["W2"], inputs=lambda: inputs, check_rows=None)
    for variant in peer_limit.variants(chain):
        got = peer_limit.prepare(chain, inputs, variant, 1)()
        assert peer_limit.right(chain, variant, got, inputs)
        assert peer_limit.units(chain, variant, 1) == 5 * 6400 * 4
    (variant,) = peer_limit.variants(WORKS["W13"])
    call = peer_limit.prepare(WORKS["W13"], (), variant, 1)
    assert peer_limit.right(WORKS["W13"], variant, call(), ())
    assert peer_limit.units(WORKS["W13"], variant, 1) > 1e8
    assert not peer_limit.variants(WORKS["W1"])


def test_measured_processes_see_no_setting_of_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("GRAPHC_FUSE", "0")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    found = environments.process_environment(2, Path("caches"))
    assert not {"OPENBLAS_CORETYPE", "GRAPHC_FUSE", "PYTHONDONTWRITEBYTECODE"} & found.keys()
    assert found["OMP_NUM_THREADS"] == "2"


def test_an_environment_is_made_once_and_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[list[str]] = []

    def pretend(command: list[str], **options: Any) -> Any:
        calls.append(command)
        found = json.dumps({"jax": "0.10.2", "jaxlib": "0.9", "pytensor": "3.0.7"})
        return subprocess.CompletedProcess(command, 0, stdout=found)

    monkeypatch.setattr(subprocess, "run", pretend)
    given = ["--peers", "jax,pytensor", "--env", "pytensor=there", "--folder", str(tmp_path)]
    assert peers.main(given) == 0
    assert [c[1:3] for c in calls[:2]] == [["-m", "venv"], ["-m", "pip"]]
    assert "jaxlib==0.10.2" in calls[1]
    assert "jaxlib 0.9 (pinned: 0.10.2)" in capsys.readouterr().out
    known = environments.known(tmp_path)
    assert known["pytensor"] == "there" and known["graphc"] == sys.executable
    assert known["jax"].startswith(str(tmp_path)) and os.path.basename(known["jax"]) == "python"
