"""Reductions, row kernels, movement and optimizer steps beside NumPy, JAX and PyTorch.

    python -m tools.bench.kernels_rows [CASE ...] [--rounds 5] [--peer jax=PYTHON ...]

Each peer is one process that stays; for every case they take turns, one timing each a round, so
that drift of a shared machine meets all alike. A row: the median of graphc, then each peer's with
its ratio (above 1: graphc is faster). CASE may be the beginning of names.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 0.03  # one timing of a round


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--no-numpy", action="store_true")
    parser.add_argument("--worker", metavar="NAME", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.worker:
        return serve(args.worker)
    from tools.bench.rows_cases import NAMES

    names = [n for n in NAMES if not args.cases or n.startswith(tuple(args.cases))]
    pythons = {"graphc": sys.executable}
    if not args.no_numpy:
        pythons["numpy"] = sys.executable
    pythons |= dict(p.split("=", 1) for p in args.peer)
    peers = {name: Peer(name, python) for name, python in pythons.items()}
    for name in names:
        times: dict[str, list[float]] = {peer: [] for peer in peers}
        for _ in range(args.rounds):
            for peer, process in peers.items():
                times[peer].extend(process.ask(name))
        for process in peers.values():
            process.ask("")
        print(row(name, times), flush=True)
    return 0


class Peer:
    """A process of one peer."""

    def __init__(self, name: str, python: str) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
        environment["PYTHONPATH"] = str(ROOT)
        command = [python, "-m", "tools.bench.kernels_rows", "--worker", name]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def ask(self, case: str) -> list[float]:
        """Seconds of one call by this round's timings; none where the peer has not the case."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(case + "\n")
        self.process.stdin.flush()
        found: list[float] = json.loads(self.process.stdout.readline())
        return found


def serve(peer: str) -> int:
    """Times the cases named on standard input; an empty line drops the last one's arrays."""
    from tools.bench.rows_cases import PREPARE

    works: dict[str, Any] = {}
    for line in sys.stdin:
        case = line.strip()
        if case not in works:
            works.clear()
            gc.collect()
            if case:
                works[case] = PREPARE[peer](case)
        work = works.get(case)
        print(json.dumps([] if work is None else _timed(work)), flush=True)
    return 0


def _timed(work: Any) -> list[float]:
    for _ in range(3):
        work()
    start = time.perf_counter()
    work()
    once = time.perf_counter() - start
    inner = max(1, min(20_000, int(SECONDS / 3 / max(once, 1e-7))))
    out = []
    for _ in range(3):
        start = time.perf_counter()
        for _ in range(inner):
            work()
        out.append((time.perf_counter() - start) / inner)
    return out


def row(name: str, times: dict[str, list[float]]) -> str:
    own = statistics.median(times["graphc"])
    cells = [name.ljust(18), f"graphc {_text(own)} (min {_text(min(times['graphc']))})"]
    for peer, seconds in times.items():
        if peer != "graphc" and seconds:
            middle = statistics.median(seconds)
            cells.append(f"{peer} {_text(middle)} {middle / own:5.2f}x")
    return "  ".join(cells)


def _text(seconds: float) -> str:
    return f"{seconds * 1e6:9.1f} us"


if __name__ == "__main__":
    sys.exit(main())
