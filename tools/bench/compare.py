"""Two commits of graphc on the same work: what got slower, what faster, with bounds of the noise.

    python -m tools.bench.compare OLD NEW [--works W8,GEMM] [--rounds 5] [--quick]

Each commit in a worktree of its own, processes in turn (old, new, new, old, ...), each side with a
cache of its own. A change counts when all rounds of one side are beyond all of the other's and the
medians differ by more than 3 %. NEW may be "." for the working tree.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.bench import environments, process, tree
from tools.bench.run import Job, wanted
from tools.bench.works import GROUPS, WORKS

LEAST = 0.03  # relative difference that counts
Seconds = dict[tuple[str, str], list[float]]  # of a (work, variant), one a round


@dataclass(frozen=True)
class Change:
    """Medians of rounds of both sides, in seconds, and the relative spread of the worse one."""

    name: str
    old: float
    new: float
    noise: float
    separate: bool  # no round of one side within those of the other

    @property
    def verdict(self) -> str:
        if not self.separate or abs(self.new / self.old - 1) < LEAST:
            return "same"
        return "slower" if self.new > self.old else "faster"

    def __str__(self) -> str:
        return (
            f"{self.verdict:7s}{self.name:24s}{_time(self.old):>10s} ->{_time(self.new):>10s}"
            f"{(self.new / self.old - 1) * 100:+8.1f} %   (noise {self.noise * 100:.1f} %)"
        )


def main(argv: Sequence[str] | None = None) -> int:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--works", default=",".join(GROUPS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args(argv)
    try:
        works = [n for n in wanted(args.works) if n in WORKS]
    except ValueError as error:
        parser.error(str(error))
    if args.rounds < 2:
        parser.error("--rounds: at least 2, to tell a change from noise")
    with contextlib.ExitStack() as stack:
        caches = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            sides = [
                environments.ROOT if c == "." else stack.enter_context(tree.checked_out(c))
                for c in (args.old, args.new)
            ]
        except subprocess.CalledProcessError as error:
            parser.error(error.stderr.strip())
        for side in sides:
            tree.byte_compile(side)
        settings = [
            process.Settings(args.threads, args.quick, caches / name, side)
            for name, side in zip(("old", "new"), sides)
        ]
        slower = 0
        for group in GROUPS:
            names = tuple(n for n in works if WORKS[n].group == group)
            if not names:
                continue
            for change in changes(*measured(Job(group, "graphc", names), settings, args.rounds)):
                print(change, flush=True)
                slower += change.verdict == "slower"
    print(f"{slower} slower")
    return 1 if slower else 0


def measured(job: Job, sides: Sequence[process.Settings], rounds: int) -> tuple[Seconds, Seconds]:
    """Medians of processes of both sides, in turn."""
    out: tuple[Seconds, Seconds] = (defaultdict(list), defaultdict(list))
    for number in range(rounds):
        for side in ((0, 1), (1, 0))[number % 2]:
            for line in process.measure(sys.executable, job, sides[side]):
                if line.get("ok"):
                    out[side][line["work"], line["variant"]].append(line["median_s"])
                else:
                    word = line.get("error", "wrong result")
                    print(f"{('old', 'new')[side]} {line['work']}: {word}", file=sys.stderr)
    return out


def changes(old: Seconds, new: Seconds) -> list[Change]:
    """What both sides measured, compared."""
    found = []
    for key in old:
        if key not in new:
            continue
        a, b = old[key], new[key]
        noise = max((max(v) - min(v)) / statistics.median(v) for v in (a, b))
        separate = min(a) > max(b) or min(b) > max(a)
        medians = statistics.median(a), statistics.median(b)
        found.append(Change(" ".join(key), *medians, noise, separate))
    return found


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:.2f} us" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"


if __name__ == "__main__":
    process.end_with_children()
    sys.exit(main())
