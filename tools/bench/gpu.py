"""All of graphc's numbers on an NVIDIA GPU in one call of some minutes: tools/bench/gpu.sh.

    python -m tools.bench.gpu [--out DIR] [--minutes 8.5] [--smoke] [--env torch=PYTHON ...]

The tests on the device and the compilation of all works run first and at the same time; then come
the machine's ceilings and the works, one process at a time, the most important first. A peer that
is missing is left out. results.json and gpu.md are written anew after every work: what was measured
is there, wherever the run is broken off. Needs no network.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.bench import gpu_page
from tools.bench.conversation import Process
from tools.bench.environments import ROOT, gpu_environment
from tools.bench.gpu_suite import Suite
from tools.bench.gpu_team import Member, Team
from tools.bench.gpu_works import cases
from tools.bench.process import end_with_children

# processes of each peer: they compile at the same time
PEERS = {"graphc": 4, "torch": 4, "jax": 2, "cupy": 1}
TEST_PROCESSES = 4
TESTED_BY = 0.42  # of the time: the tests are stopped then
PREPARED_BY = 0.56  # of the time: then what is ready is measured
MEASURED_BY = 0.97
ROUNDS, SAMPLES = 3, 2
LEAST_SECONDS = 30.0  # that the tests of compiled kernels are worth starting for


def main(argv: Sequence[str] | None = None) -> int:
    args = _arguments(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    end = start + 60 * args.minutes
    results: dict[str, Any] = {
        "when": time.strftime("%Y-%m-%d"), "smoke": args.smoke, "machine": machine(),
        "ceilings": {}, "tests": [], "missing": {}, "versions": {}, "jobs": [],
    }  # fmt: skip
    with (
        tempfile.TemporaryDirectory(prefix="graphc-gpu-") as caches,
        (args.out / "peers.log").open("ab") as log,
    ):
        variables = gpu_environment(Path(caches), simulate=args.smoke)
        run = Run(args, results, team(args, variables, log))
        try:
            run.prepare(variables, start + PREPARED_BY * (end - start))
            run.measure(start + MEASURED_BY * (end - start))
            run.compiled(variables, end)
        finally:
            run.end()
            run.save()
    print(f"{time.monotonic() - start:.0f} s; {args.out / 'gpu.md'}")
    return 0 if any(j["peer"] == "graphc" and j["times"] for j in results["jobs"]) else 1


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT", "gpu-results")))
    parser.add_argument("--minutes", type=float, default=8.5)
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--env", action="append", default=[], metavar="NAME=PYTHON",
                        help="the Python of a peer; default: this one")  # fmt: skip
    parser.add_argument("--no-tests", action="store_true")
    parser.add_argument("--smoke", action="store_true",
                        help="tiny works, graphc simulated and peers on the CPU")  # fmt: skip
    args = parser.parse_args(argv)
    if unknown := [p for p in args.peers.split(",") if p not in PEERS]:
        parser.error(f"unknown peers {', '.join(unknown)}; known: {', '.join(PEERS)}")
    return args


def machine() -> dict[str, str]:
    """GPU, driver and processor as text; what cannot be asked is left out."""
    fields = "name,driver_version,memory.total,clocks.max.sm,clocks.max.mem,pci.bus_id"
    found = {
        "gpu": _said(["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"]),
        "smi": _said(["nvidia-smi"]),
        "info": _said([sys.executable, "-m", "graphc", "info"]),
        "processors": str(os.cpu_count()),
        "python": sys.version.split()[0],
        "commit": _said(["git", "rev-parse", "--short", "HEAD"]),
    }
    return {k: v for k, v in found.items() if v}


def _said(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ | {"PYTHONPATH": _path()}, capture_output=True,
            text=True, timeout=30, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _path() -> str:
    return os.pathsep.join(p for p in (str(ROOT), os.environ.get("PYTHONPATH", "")) if p)


def team(args: argparse.Namespace, variables: dict[str, str], log: Any) -> Team:
    """The processes that are wanted."""
    pythons = dict(text.split("=", 1) for text in args.env)
    members = []
    for peer in args.peers.split(","):
        command = [pythons.get(peer, sys.executable), "-m", "tools.bench.gpu_worker", peer]
        if args.smoke:
            command += ["--smoke", *(["--device", "cpu"] if peer != "graphc" else [])]
        for _ in range(1 if args.smoke else PEERS[peer]):
            members.append(Member(peer, Process(command, variables, log)))
    return Team(members)


class Run:
    """One run's stages, and its results so far."""

    def __init__(self, args: argparse.Namespace, results: dict[str, Any], team: Team) -> None:
        self.args, self.results, self.team = args, results, team
        self.cases = cases(args.smoke)
        self.suites: list[Suite] = []

    def save(self) -> None:
        """Writes what there is."""
        self.results["jobs"] = [
            j.fields() for j in self.team.jobs if j.times or j.error or j.first_s is not None
        ]
        try:
            gpu_page.save(self.results, self.args.out)
        except (ArithmeticError, LookupError, TypeError, ValueError):
            traceback.print_exc()  # the numbers are there, and the run goes on

    def prepare(self, variables: dict[str, str], until: float) -> None:
        """The tests, and everything compiled and checked; not later than `until`."""
        suite = None
        if not self.args.no_tests:
            seconds = TESTED_BY * 60 * self.args.minutes
            suite = self.suite("tests/gpu", variables, seconds, TEST_PROCESSES)
        self.team.greet([c.name for c in self.cases])
        self.results |= {"missing": self.team.missing, "versions": self.team.versions}
        threads = self.team.prepare(until)
        while time.monotonic() < until and any(t.is_alive() for t in threads):
            time.sleep(0.1)
            if suite is not None:
                suite.done()
        if suite is not None:
            self.results["tests"].append(suite.wait())
        self.save()

    def measure(self, until: float) -> None:
        """Ceilings and works, the most important first; those of a busy process later."""
        self.results["ceilings"] = self.team.ceilings()
        left = list(self.cases)
        while left and time.monotonic() < until:
            case = next((c for c in left if not self.team.busy(c.name)), None)
            if case is None:
                time.sleep(0.1)
                continue
            left.remove(case)
            # a second a variant: where that is too much for all, one round has to do
            hurry = (until - time.monotonic()) < 1.5 * len(left)
            started = time.monotonic()
            jobs = self.team.time(case.name, 1 if hurry or self.args.smoke else ROUNDS, SAMPLES)
            seconds = time.monotonic() - started
            if not jobs:
                continue
            print(f"{case.name}: {len(jobs)} variants, {seconds:.1f} s", flush=True)
            self.save()

    def compiled(self, variables: dict[str, str], end: float) -> None:
        """With the time that is left, the tests of what the compiler makes of kernels."""
        self.team.end()
        seconds = end - time.monotonic() - 8
        if self.args.no_tests or self.args.smoke or seconds < LEAST_SECONDS:
            return
        suite = self.suite("tests/cuda/test_ptx.py", variables, seconds, 2 * TEST_PROCESSES)
        self.results["tests"].append(suite.wait())

    def suite(
        self, tests: str, variables: dict[str, str], seconds: float, processes: int
    ) -> Suite:
        """Starts tests; their folder names the log."""
        log = self.args.out / f"tests_{tests.split('/')[1]}.log"
        self.suites.append(Suite(tests, log, variables, seconds, processes))
        return self.suites[-1]

    def end(self) -> None:
        """Ends whatever still runs."""
        self.team.end()
        for suite in self.suites:
            suite.end()


if __name__ == "__main__":
    end_with_children()
    sys.exit(main())
