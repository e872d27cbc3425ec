"""graphc beside NumPy and other peers on the same work: a table of medians and ratios.

    python -m tools.bench.run [--works W1,W5] [--rounds 2] [--peer jax=PYTHON ...]

One process a peer and work, peers in turn within each round, so that drift of a shared machine
meets all of them alike. A peer besides NumPy takes part when the Python of its virtual environment
is given. OPENBLAS_CORETYPE is unset for everybody: set to an older processor it halves BLAS.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
Result = dict[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    from tools.bench.works import WORKS

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--works", default=",".join(WORKS), help="names, separated by commas")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--json", type=Path, help="write all measurements there")
    args = parser.parse_args(argv)
    peers = {"numpy": sys.executable, "graphc": sys.executable}
    peers |= dict(p.split("=", 1) for p in args.peer)
    names = args.works.split(",")
    unknown = [n for n in names if n not in WORKS]
    if unknown:
        parser.error(f"unknown works {', '.join(unknown)}; known: {', '.join(WORKS)}")
    results: list[Result] = []
    for name in names:
        for _ in range(args.rounds):
            for peer, python in peers.items():
                results.extend(one(python, peer, name, args.threads))
        print(row(name, results, peers), flush=True)
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))
    return 0 if all(r["ok"] for r in results) else 1


def one(python: str, peer: str, work: str, threads: int) -> list[Result]:
    """Runs one process; its measurements."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
    environment["PYTHONPATH"] = str(ROOT)
    command = [python, "-m", "tools.bench.worker", peer, work, "--threads", str(threads)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(f"{peer} {work} failed: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return []
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def best(results: Sequence[Result], peer: str, work: str) -> tuple[float, str, bool] | None:
    """(median over rounds of the best variant, its name, whether all results were right)."""
    mine = [r for r in results if r["peer"] == peer and r["work"] == work]
    variants = {r["variant"] for r in mine}
    if not variants:
        return None
    medians = {
        v: statistics.median(r["median_s"] for r in mine if r["variant"] == v) for v in variants
    }
    variant = min(medians, key=lambda v: medians[v])
    return medians[variant], variant, all(r["ok"] for r in mine)


def row(work: str, results: Sequence[Result], peers: dict[str, str]) -> str:
    """One line: each peer's median, and its ratio to graphc (above 1: graphc is faster)."""
    own = best(results, "graphc", work)
    cells = [work.ljust(12)]
    for peer in peers:
        found = best(results, peer, work)
        if found is None:
            cells.append(f"{peer} failed")
            continue
        seconds, _, ok = found
        text = f"{peer} {_time(seconds)}{'' if ok else ' WRONG'}"
        if own is not None and peer != "graphc":
            text += f" ({seconds / own[0]:.2f}x)"
        cells.append(text.ljust(30))
    return " ".join(cells)


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:.2f} us" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"


if __name__ == "__main__":
    sys.exit(main())
