"""The numbers on a GPU: works and checks, processes that fail, time limits, the page.

No test looks at a time. Peers are small modules of the test's own.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tools.bench import gpu, gpu_page, gpu_suite, gpu_works
from tools.bench.conversation import Ended, Process
from tools.bench.environments import ROOT, gpu_environment
from tools.bench.gpu_team import Job, Member, Team
from tools.bench.gpu_text import BARS
from tools.bench.gpu_worker import Running, Worker, measure
from tools.bench.gpu_works import FLOAT, HALF, TF32, Case, cases

SMOKE = cases(smoke=True)
FULL = cases(smoke=False)


def named(name: str) -> Case:
    return next(c for c in SMOKE if c.name == name)


# ------------------------------------------------------------------ works
def test_names_are_unique_and_bars_are_works() -> None:
    for some in (SMOKE, FULL):
        assert len({c.name for c in some}) == len(some)
    known = {c.name for c in FULL}
    assert all(name in known for bar in BARS for name in bar.cases)


def test_halves_round_to_nearest_even() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    values = np.random.default_rng(0).standard_normal(1000, dtype=np.float32)
    values[:3] = [1 + 2**-8, 1 + 3 * 2**-8, -0.0]
    np.testing.assert_array_equal(gpu_works.rounded(values), values.astype(ml_dtypes.bfloat16))
    labels = np.arange(3, dtype=np.int32)
    assert gpu_works.rounded(labels) is labels


@pytest.mark.parametrize("case", SMOKE, ids=lambda c: c.name)
def test_numpys_own_result_is_right(case: Case) -> None:
    inputs, parameters = case.values()
    if case.work.training:
        assert case.right([case.work.first_loss()])
        assert not case.right([2 * case.work.first_loss()])
        return
    result = np.asarray(case.work.forward(parameters, *inputs))
    assert case.right([result])
    wrong = result + np.float32(1)
    wrong.flat[0] = np.nan
    assert not case.right([result * np.float32(1.1) + 1]) and not case.right([wrong])


def test_rounded_operands_are_not_exact_enough_for_float32() -> None:
    case = next(c for c in SMOKE if c.name == "GEMM16/float32")
    inputs, parameters = case.values()
    result = case.work.forward(parameters, *[gpu_works.rounded(a) for a in inputs])
    assert not case.right([result])


def test_costs_count_each_byte_once() -> None:
    assert named("W2_100/float32").cost() == (5 * 100 * 4, 0.0)
    assert named("W2_100/bfloat16").cost() == (5 * 100 * 2, 0.0)
    assert named("GEMM16/float32").cost() == (3 * 256 * 4, 2.0 * 16**3)
    assert named("W7_mean_ax1_6x40/float32").cost()[0] == 4 * (240 + 6)
    assert named("W8_tiny/float32").cost() == (0, 0.0)


# ------------------------------------------------------------------ one process
def test_samples_are_means_of_calls_in_a_row() -> None:
    calls: list[str] = []
    times = measure(lambda: calls.append("c"), lambda: calls.append("w"), 2, 1e-4)
    assert len(times) == 2 and all(t > 0 for t in times)
    assert "".join(calls).startswith("cwcwcw") and "cccw" in "".join(calls)


class Peer:
    """A peer whose variants go right, wrong, or fail."""

    VERSIONS = ("numpy", "none-such")
    broken = False

    @staticmethod
    def variants(case: Case) -> tuple[str, ...]:
        return ("right", "wrong", "fails") if case.name == "W2_100/float32" else ()

    @staticmethod
    def setup(device: str) -> None:
        assert device == "cpu"

    @staticmethod
    def select(case: Case) -> None:
        """Nothing."""

    @classmethod
    def prepare(cls, case: Case, variant: str, device: str) -> Running:
        if variant == "fails":
            raise ValueError("not that one")
        inputs, parameters = case.values()
        result = case.work.forward(parameters, *inputs) + (variant == "wrong")

        def call() -> None:
            if cls.broken:
                raise RuntimeError("context lost")

        return Running(call, lambda: None, lambda: result)


@pytest.fixture
def worker() -> Worker:
    return Worker(Peer, "cpu", smoke=True)


def ask(worker: Worker, do: str, variant: str = "", **fields: Any) -> dict[str, Any]:
    question = {"do": do, "case": "W2_100/float32", "variant": variant}
    return worker.answer(question | fields)


def test_a_worker_prepares_checks_and_times(worker: Worker) -> None:
    hello = ask(worker, "hello")
    assert hello["versions"]["none-such"] == "source"
    assert hello["variants"]["W2_100/float32"] == ("right", "wrong", "fails")
    assert ask(worker, "prepare", "fails")["broken"]  # nothing works that could tell
    assert ask(worker, "prepare", "right")["ok"] and not ask(worker, "prepare", "wrong")["ok"]
    assert ask(worker, "prepare", "fails") == {"error": "ValueError: not that one", "broken": False}
    assert len(ask(worker, "time", "right", samples=2)["times"]) == 2
    assert "KeyError" in ask(worker, "time", "wrong", samples=2)["error"]
    assert ask(worker, "ceilings") == {}


def test_a_lost_device_is_told(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(worker, "prepare", "right")
    monkeypatch.setattr(Peer, "broken", True)
    assert ask(worker, "time", "right", samples=1)["broken"]


# ------------------------------------------------------------------ processes
ANSWERS = """
import json, os, sys, time
print("libraries may print to stderr", file=sys.stderr)
for line in sys.stdin:
    question = json.loads(line)
    variant = question.get("variant")
    if variant == "ends":
        os._exit(3)
    if variant == "hangs":
        time.sleep(60)
    answer = {"versions": {"x": "1"}, "variants": {"a": ["one", "ends", "two"], "b": ["one"]}}
    if question["do"] == "prepare":
        answer = {"first_s": 1.0, "ok": variant != "two", "moved": 8, "operations": 0.0}
    if question["do"] == "time":
        answer = {"times": [1e-3] * question["samples"]}
    if question["do"] == "ceilings":
        answer = {"ceilings": {"copy_x": 1e9}}
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    file = tmp_path / "peer.py"
    file.write_text(ANSWERS)
    with (tmp_path / "log").open("wb") as log:
        made = Process([sys.executable, str(file)], gpu_environment(tmp_path), log)
        yield made
        made.end()


def test_a_process_that_ends_or_hangs_is_another_one_next_time(process: Process) -> None:
    assert process.ask({"do": "prepare"}, 20)["ok"]
    with pytest.raises(Ended, match="exit status 3"):
        process.ask({"do": "prepare", "variant": "ends"}, 20)
    assert process.ask({"do": "prepare"}, 20)["ok"] and process.generation == 1
    start = time.monotonic()
    with pytest.raises(Ended, match="took more than"):
        process.ask({"do": "prepare", "variant": "hangs"}, 0.3)
    assert time.monotonic() - start < 20 and process.generation == 2


def test_what_a_fault_lost_is_prepared_again(process: Process, tmp_path: Path) -> None:
    absent = Process([sys.executable, "-c", "print('{\"missing\": \"no module\"}')"],
                     gpu_environment(tmp_path))  # fmt: skip
    team = Team([Member("x", process), Member("y", absent)])
    team.greet(["a", "b"])
    assert team.missing == {"y": "no module"} and team.versions == {"x": "1"}
    for thread in team.prepare(time.monotonic() + 60):
        thread.join()
    errors = {(j.case, j.variant): j.error for j in team.jobs}
    assert errors == {
        ("a", "one"): None, ("a", "ends"): "the process ended: exit status 3",
        ("a", "two"): "wrong result", ("b", "one"): None,
    }  # fmt: skip
    assert [j.variant for j in team.time("a", rounds=2, samples=3)] == ["one"]
    assert [len(j.times) for j in team.jobs if j.variant == "one"] == [6, 0]
    assert team.ceilings() == {"copy_x": 1e9} and not team.busy("a")


def test_nothing_is_prepared_when_time_is_over(process: Process) -> None:
    member = Member("x", process)
    member.jobs = [Job("a", "x", "one", member, 0)]
    member.prepare_all(time.monotonic() - 1)
    assert member.jobs[0].first_s is None and not member.jobs[0].ready


def test_variables_keep_the_path_and_drop_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("GRAPHC_FUSE", "0")
    found = gpu_environment(Path("caches"), simulate=True)
    assert found["PYTHONPATH"].split(":") == [str(ROOT), "/elsewhere"]
    assert "GRAPHC_FUSE" not in found and found["NUMBA_ENABLE_CUDASIM"] == "1"


# ------------------------------------------------------------------ the device's tests
def test_a_summary_of_pytests_output() -> None:
    text = "FAILED tests/a.py::b - AssertionError: x\n1 failed, 12 passed, 3 skipped in 4.5s\n"
    found = gpu_suite.summary(text)
    assert found["counts"] == {"failed": 1, "passed": 12, "skipped": 3}
    assert found["failures"] == ["FAILED tests/a.py::b - AssertionError: x"]
    killed = "..s [ 50%]\n.F\n!!! KeyboardInterrupt !!!\n"
    assert gpu_suite.summary(killed)["counts"] == {"passed": 3, "failed": 1, "skipped": 1}
    assert gpu_suite.summary("Killed") == {"counts": {}, "failures": []}


def test_tests_end_at_their_time_and_say_what_they_have(tmp_path: Path) -> None:
    file = tmp_path / "test_slow.py"
    file.write_text("import time\ndef test_a(): pass\ndef test_b(): time.sleep(60)\n")
    suite = gpu_suite.Suite(str(file), tmp_path / "log", gpu_environment(tmp_path), 8.0)
    found = suite.wait()
    assert found["cut"] and found["counts"].get("passed") == 1 and found["seconds"] < 30


# ------------------------------------------------------------------ the page
def results(**fields: Any) -> dict[str, Any]:
    def job(case: str, peer: str, variant: str, seconds: float, **more: Any) -> dict[str, Any]:
        found = {"case": case, "peer": peer, "variant": variant, "first_s": 1.0, "error": None}
        return found | {"times": [seconds] * 3, "moved": 10**9, "operations": 0.0} | more

    jobs = [
        job("W2_67108864/float32", "graphc", "run", 1e-3),
        job("W2_67108864/float32", "torch", "compile", 2e-3),
        job("W2_67108864/float32", "jax", "jit", 1.5e-3),
        job("W5/float32", "graphc", "run", 4e-5),
        job("W5/float32", "graphc", "unfused", 1e-5),
        job("W5/float32", "torch", "eager", 1e-5),
        job("W5/float32", "torch", "overhead", 3e-5),
        job("W6/float32", "graphc", "run", 1.0, error="wrong result"),
        job("GEMM4096/bfloat16", "torch", "eager", 1e-3, moved=1, operations=7e11),
        job("GEMM4096/bfloat16", "graphc", "tiles", 2e-3, moved=1, operations=7e11),
    ]  # fmt: skip
    machine = {"gpu": "A card", "processors": "16", "python": "3.12", "commit": "abc"}
    tests = [{"folder": "tests/gpu", "counts": {"passed": 3}, "failures": [], "cut": False,
              "seconds": 2.0}]  # fmt: skip
    return {
        "when": "2026-01-02", "smoke": False, "machine": machine, "tests": tests, "jobs": jobs,
        "ceilings": {"copy_driver": 1.1e12, "float32": 6e13, "plan_one": 5e-6},
        "missing": {"cupy": "No module named 'cupy'"}, "versions": {"torch": "2"},
    } | fields  # fmt: skip


def test_rows_have_ratios_and_shares() -> None:
    found = {r.case.name: r for r in gpu_page.rows(results())}
    chain = found["W2_67108864/float32"]
    assert chain.ratio() == pytest.approx(1.5) and chain.ratio(("torch",)) == pytest.approx(2.0)
    assert chain.share == pytest.approx(1 / 1.1)
    soft = found["W5/float32"]
    assert soft.own is not None and soft.own.variant == "run"  # what is unfused does not count
    assert soft.ratio() == pytest.approx(0.25)
    assert found["GEMM4096/bfloat16"].share == pytest.approx(0.5)
    assert "W6/float32" not in found


def test_bars_are_met_or_not() -> None:
    text = gpu_page.bars(gpu_page.rows(results()))
    assert "| 0.85 | W2_67108864 0.91 | met |" in text
    assert "| 1.00 | W5 0.75 | **not met** |" in text
    assert "not measured" in text


def test_the_page_says_what_is_missing_and_what_failed(tmp_path: Path) -> None:
    gpu_page.save(results(), tmp_path)
    text = (tmp_path / "gpu.md").read_text()
    assert json.loads((tmp_path / "results.json").read_text())["when"] == "2026-01-02"
    for part in ("2026-01-02, graphc abc", "A card", "left out: cupy (No module",
                 "`pytest tests/gpu`: 3 passed in 2 s", "1100 GB/s", "60.0 TFLOP/s", "5.0 us",
                 "W6/float32 graphc run: wrong result", "1000.0 (run)", "91%"):  # fmt: skip
        assert part in text, part
    assert "None yet" not in text and len(list(tmp_path.iterdir())) == 2


def test_a_page_of_nothing_and_the_page_in_docs() -> None:
    nothing = results(jobs=[], ceilings={}, tests=[], missing={})
    assert "not measured" in gpu_page.page(nothing)
    head = gpu_page.page(None).split("## Numbers")[0]
    assert (ROOT / "docs/gpu.md").read_text().startswith(head)


# ------------------------------------------------------------------ the run
def test_a_run_measures_in_order_and_keeps_what_it_has(
    process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = ANSWERS.replace('"a"', '"W1_100/float32"').replace('"b"', '"W2_100/float32"')
    Path(process.command[1]).write_text(answers)
    monkeypatch.setattr(gpu, "team", lambda *_: Team([Member("graphc", process)]))
    arguments = ["--smoke", "--no-tests", "--minutes", "1", "--out", str(tmp_path / "out")]
    assert gpu.main(arguments) == 0
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    assert found["ceilings"] == {"copy_x": 1e9} and len(found["jobs"]) == 4
    assert "W1_100 W1 on 100" in (tmp_path / "out" / "gpu.md").read_text()


def test_kernels_are_compiled_for_a_gpu_that_is_not_there() -> None:
    pytest.importorskip("numba_cuda")
    from tools.bench import gpu_kernels
    from tools.bench.gpu_ceilings import adding_kernel

    known: dict[str, Any] = {}
    first = gpu_kernels.compiled(named("W5_3x40/float32"), known)
    assert first.kernels >= 1 and 0 < first.registers <= 255 and first.spills == 0
    size = len(known)
    assert gpu_kernels.compiled(named("W5_3x40/float32"), known) == first and len(known) == size

    from numba import cuda

    signature = "void(float32[::1], float32[::1], int64)"
    text, _ = cuda.compile_ptx(adding_kernel(), signature, cc=(9, 0))
    assert text.count("fma.rn.f32") >= 8 and "fma.rn.f64" not in text


def test_numbers_are_kept_where_the_page_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(results: Any) -> str:
        raise KeyError("page")

    monkeypatch.setattr(gpu_page, "page", fails)
    args = gpu._arguments(["--smoke", "--out", str(tmp_path)])
    gpu.Run(args, results(), Team([])).save()
    assert [f.name for f in tmp_path.iterdir()] == ["results.json"]


def test_unknown_peers_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        gpu.main(["--peers", "graphc,numpy"])
    assert "unknown peers numpy; known: graphc, torch" in capsys.readouterr().err


def test_dtypes() -> None:
    assert {c.dtype for c in SMOKE} == {c.dtype for c in FULL} == {FLOAT, HALF, TF32}
