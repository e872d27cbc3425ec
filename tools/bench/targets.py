"""What graphc promises about speed, measured: one line a promise, with the wanted bound.

    python -m tools.bench.targets [--rounds 3]

Import time, the cost of a small `session.run`, and the big elementwise chains beside NumPy. Each
number is the median of rounds in processes of their own. A busy machine misses bounds; the tool
says so and exits with 1, no test depends on it.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from tools.bench.run import ROOT, Result, best, one

IMPORT = (
    "import time; start = time.perf_counter(); import graphc; "
    "print(time.perf_counter() - start)"
)


@dataclass(frozen=True)
class Line:
    """One promise: the measured value and the bound it shall keep."""

    what: str
    value: float
    bound: float
    unit: str
    at_least: bool = False

    @property
    def kept(self) -> bool:
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def __str__(self) -> str:
        word = "at least" if self.at_least else "at most"
        verdict = "kept" if self.kept else "MISSED"
        return (
            f"{self.what:44s} {self.value:9.2f} {self.unit:3s} "
            f"({word} {self.bound:g} {self.unit}) {verdict}"
        )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args(argv)
    lines = [import_line(args.rounds)]
    print(lines[-1], flush=True)
    for line in measured(args.rounds, args.threads):
        lines.append(line)
        print(line, flush=True)
    return 0 if all(line.kept for line in lines) else 1


def import_line(rounds: int) -> Line:
    """Seconds of `import graphc` in fresh processes, the interpreter's own start left out."""
    times = []
    for _ in range(rounds + 1):
        done = subprocess.run(
            [sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True, cwd=ROOT
        )
        times.append(float(done.stdout))
    # the first one may have compiled byte code
    return Line("import graphc", statistics.median(times[1:]) * 1e3, 150, "ms")


def measured(rounds: int, threads: int) -> list[Line]:
    """Small runs in microseconds, the big chains as ratios to NumPy."""
    results: list[Result] = []
    for _ in range(rounds):
        for work in ("W4", "W1", "W2"):
            results += one(sys.executable, "graphc", work, threads)
            if work != "W4":
                results += one(sys.executable, "numpy", work, threads)
    lines = [
        Line("session.run(a + b), 10 floats", _variant(results, "W4", "run") * 1e6, 8, "us"),
        Line("make_callable(a + b), 10 floats", _variant(results, "W4", "call") * 1e6, 2.5, "us"),
    ]
    for work, bound in (("W1", 4.0), ("W2", 2.0)):
        own, peer = best(results, "graphc", work), best(results, "numpy", work)
        assert own is not None and peer is not None, f"{work} did not run"
        what = f"{work}: 16M-element chain, times NumPy's speed"
        lines.append(Line(what, peer[0] / own[0], bound, "x", at_least=True))
    return lines


def _variant(results: Sequence[Result], work: str, variant: str) -> float:
    return statistics.median(
        r["median_s"]
        for r in results
        if r["peer"] == "graphc" and r["work"] == work and r["variant"] == variant
    )


if __name__ == "__main__":
    sys.exit(main())
