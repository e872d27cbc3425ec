"""The benchmarks compute what they claim to compute, and their tables read what was measured.

No test looks at a time.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tools.bench import peer_graphc, peer_numpy, run, targets, worker, works

SMALL = [
    n for n in works.WORKS if n in ("W3", "W4", "W9", "W8_sgd", "W8_adam", "W10", "W10_sgd")
]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(works, "LSTM_SIZES", (4, 12, 8, 16))
    monkeypatch.setattr(worker, "MIN_SECONDS", 0.0)
    monkeypatch.setattr(worker, "REPEATS", 1)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("peer", [peer_numpy, peer_graphc], ids=["numpy", "graphc"])
@pytest.mark.parametrize("name", SMALL)
def test_small_works_are_right(name: str, peer: Any) -> None:
    for variant in peer.VARIANTS:
        found = worker.measure(peer, name, variant)
        assert found["ok"], variant
        assert found["median_s"] > 0


def shrunk(array: np.ndarray) -> np.ndarray:
    return array[:64, :64].copy() if array.ndim == 2 else array[:64].copy()


@pytest.mark.parametrize("peer", [peer_numpy, peer_graphc], ids=["numpy", "graphc"])
@pytest.mark.parametrize("name", [n for n in works.WORKS if n not in SMALL and n != "W13"])
def test_big_works_are_right_on_a_corner_of_their_data(name: str, peer: Any) -> None:
    rng = np.random.default_rng(0)
    count = {"W2": 4, "W6": 3}.get(name, 1)
    shapes = [(64,) if name in ("W1", "W2") or k else (64, 64) for k in range(count)]
    inputs = tuple(rng.standard_normal(s, dtype=np.float32) for s in shapes)
    work = works.WORKS[name]
    for variant in peer.VARIANTS:
        got = np.asarray(peer.prepare(name, inputs, variant)())
        np.testing.assert_allclose(got, work.reference(*inputs), work.rtol, work.atol)


def test_gelu_work_on_small_matrices() -> None:
    rng = np.random.default_rng(0)
    inputs = tuple(rng.standard_normal(s, dtype=np.float32) for s in ((8, 16), (16, 8), (8,)))
    want = works.WORKS["W13"].reference(*inputs)
    for variant in peer_graphc.VARIANTS:
        got = peer_graphc.prepare("W13", inputs, variant)()
        np.testing.assert_allclose(got, want, 5e-3, 5e-3)


def measured(peer: str, work: str, variant: str, median: float, ok: bool = True) -> dict[str, Any]:
    return {"peer": peer, "work": work, "variant": variant, "median_s": median, "ok": ok}


def test_rows_take_the_best_variant_and_its_ratio() -> None:
    results = [
        measured("graphc", "W4", "run", 4e-6), measured("graphc", "W4", "call", 2e-6),
        measured("numpy", "W4", "numpy", 1e-6), measured("jax", "W4", "jit", 8e-3, ok=False),
    ]  # fmt: skip
    text = run.row("W4", results, {"numpy": "", "graphc": "", "jax": "", "other": ""})
    assert "numpy 1.00 us (0.50x)" in text
    assert "graphc 2.00 us" in text
    assert "jax 8.00 ms WRONG (4000.00x)" in text
    assert "other failed" in text


def test_promises_say_whether_they_are_kept() -> None:
    assert str(targets.Line("start", 100.0, 150.0, "ms")).endswith("(at most 150 ms) kept")
    assert str(targets.Line("start", 151.0, 150.0, "ms")).endswith("MISSED")
    assert str(targets.Line("ratio", 3.0, 4.0, "x", at_least=True)).endswith("MISSED")


def test_unknown_works_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run.main(["--works", "W4,W99"])
    assert "unknown works W99; known: W1" in capsys.readouterr().err


def test_a_whole_run_writes_its_measurements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[tuple[str, str]] = []

    def one(python: str, peer: str, work: str, threads: int) -> list[dict[str, Any]]:
        calls.append((peer, work))
        return [measured(peer, work, "v", 1e-6)]

    monkeypatch.setattr(run, "one", one)
    target = tmp_path / "out.json"
    assert run.main(["--works", "W4,W3", "--rounds", "2", "--json", str(target)]) == 0
    peers = ("numpy", "graphc")
    assert calls == [(p, "W4") for p in peers * 2] + [(p, "W3") for p in peers * 2]
    assert len(json.loads(target.read_text())) == 8
    assert capsys.readouterr().out.count("graphc 1.00 us") == 2
