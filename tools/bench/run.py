"""Runs the works of every peer in turn and keeps each measurement; then writes the table.

    python -m tools.bench.run [--works W8,W10,GEMM] [--peers jax,tf] [--rounds 3] [--quick]

One process a peer and group of works in each round; a sample of every peer in each turn (turns.py),
so that what else happens on a shared machine meets all of them alike. W14 is the first call (cold
and warm cache), W15 the peak memory. Measurements are appended to results.jsonl; a run that was
broken off, or one of other works or more rounds, goes on where it ended as long as graphc has not
changed (--fresh begins anew).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.bench import environments, process, report, tree, turns
from tools.bench.works import GROUPS, WORKS

START_WORKS = ("W8_adam", "W10_b32", "W12")
START_PEERS = {"graphc": "run", "jax": "jit"}
MEMORY_WORKS = ("W1", "W10_b256")
MEMORY_PEERS = {"graphc": "run", "jax": "jit", "torch": "eager", "tf": "sess", "ort": "run",
                "pytensor": "numba", "numpy": "numpy"}  # fmt: skip
LIMITED = ("W2", "W13")  # groups with limits in C, see peer_limit.py
SPECIAL = ("W14", "W15")


@dataclass(frozen=True)
class Job:
    """What is measured at once in a round.

    A group of works by all peers in turn, or one process that is started for its first call or for
    its memory.
    """

    group: str
    peers: tuple[str, ...]
    works: tuple[str, ...]
    mode: str = "time"
    variant: str = ""

    @property
    def peer(self) -> str:
        return self.peers[0]

    @property
    def work(self) -> str:
        return self.works[0]


def main(argv: Sequence[str] | None = None) -> int:
    args = _arguments(argv)
    pythons = environments.known(args.folder) | args.env
    peers = [p for p in args.peers.split(",") if p] or [p for p in pythons if p != "graphc"]
    if missing := [p for p in peers if p not in pythons]:
        print(f"not set up: {', '.join(missing)}; see tools.bench.peers", file=sys.stderr)
        return 2
    results = args.folder / "results.jsonl"
    if args.fresh:
        results.unlink(missing_ok=True)
    version = tree.version(args.tree)
    tree.byte_compile(args.tree)
    done = {
        (r["round"], r["group"], r["peer"])
        for r in report.read(results)
        if r["graphc"] == version and r["threads"] == args.threads
    }
    with tree.linked(args.tree) as path:
        settings = process.Settings(args.threads, args.quick, args.folder, path)
        for number in range(1, args.rounds + 1):
            for job in jobs(args.works, ["graphc", *peers]):
                if all((number, job.group, peer) in done for peer in job.peers):
                    continue
                names = ", ".join(job.peers)
                print(f"round {number}: {job.group} {names}", file=sys.stderr, flush=True)
                fields = {"round": number, "group": job.group, "graphc": version}
                for line in lines_of(job, pythons, settings):
                    report.append(results, line | fields)
    report.publish(report.read(results), args.threads, args.docs)
    return 0


def lines_of(
    job: Job, pythons: Mapping[str, str], settings: process.Settings
) -> Iterator[dict[str, Any]]:
    """The measurements of a job; lines with errors for what failed."""
    if job.mode != "time":
        for line in process.measure(pythons[job.peer], job, settings):
            yield line | {"peer": job.peer}
        return
    settings.folder.mkdir(parents=True, exist_ok=True)
    with (settings.folder / "peers.log").open("wb") as log:
        members = [
            turns.member(peer, pythons.get(peer, sys.executable), peer, settings, log,
                         own=peer == "graphc")
            for peer in job.peers
        ]  # fmt: skip
        try:
            yield from turns.measured(members, job.works, settings)
        finally:
            for member in members:
                member.process.end()


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--works", default=",".join((*GROUPS, *SPECIAL)),
                        help="names, groups or their beginnings, W14, W15; by commas")  # fmt: skip
    parser.add_argument("--peers", default="", help="by commas; default: all that are set up")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--rounds", type=int, default=0, help="default: 3, or 1 with --quick")
    parser.add_argument("--threads", type=int, choices=(1, 2, 4, 8), default=2)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter repeats")
    parser.add_argument("--fresh", action="store_true", help="forget earlier measurements")
    parser.add_argument("--folder", type=Path, default=environments.folder())
    parser.add_argument("--tree", type=Path, default=environments.ROOT,
                        help="checkout whose graphc is measured")  # fmt: skip
    parser.add_argument("--docs", type=Path, help="folder for benchmarks.md and its chart")
    args = parser.parse_args(argv)
    args.rounds = args.rounds or (1 if args.quick else 3)
    try:
        args.env = environments.pairs(args.env)
        args.works = wanted(args.works)
    except ValueError as error:
        parser.error(str(error))
    return args


def wanted(text: str) -> tuple[str, ...]:
    """The works of "W8,GEMM64,W14" in the table's order; ValueError for a name of none."""
    words = text.split(",")
    for word in words:
        if word not in SPECIAL and not any(_means(word, n) for n in WORKS):
            names = ", ".join((*WORKS, *SPECIAL))
            raise ValueError(f"unknown work {word}; known: {names}")
    chosen = [n for n in WORKS if any(_means(w, n) for w in words)]
    return (*chosen, *(s for s in SPECIAL if s in words))


def _means(word: str, name: str) -> bool:
    group = WORKS[name].group
    # W1 is not the beginning of W10, GEMM is that of GEMM64
    return word in (name, group) or name.startswith(word + "_") or word == "GEMM" == name[:4]


def jobs(works: Sequence[str], peers: Sequence[str]) -> Iterator[Job]:
    """What one round measures."""
    for group in GROUPS:
        names = tuple(n for n in works if n in WORKS and WORKS[n].group == group)
        if names:
            limit = ("limit",) if group in LIMITED else ()
            yield Job(group, (*peers, *limit), names)
    if "W14" in works:
        for name in START_WORKS:
            for peer, variant in START_PEERS.items():
                if peer in peers:
                    yield Job(f"W14_{name}", (peer,), (name,), "start", variant)
    if "W15" in works:
        for name in MEMORY_WORKS:
            for peer, variant in MEMORY_PEERS.items():
                if peer in peers:
                    yield Job(f"W15_{name}", (peer,), (name,), "memory", variant)


if __name__ == "__main__":
    process.end_with_children()
    sys.exit(main())
