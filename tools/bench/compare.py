"""Two commits of graphc on the same work: what got slower, what faster, with bounds of the noise.

    python -m tools.bench.compare OLD NEW [--works W8,GEMM] [--rounds 5] [--quick]

Each commit in a worktree of its own, each side with a process and a cache of its own in every
round, samples in turn (turns.py). A change counts when all rounds of one side are beyond all of the
other's and the medians differ by more than 3 %. NEW may be "." for the working tree.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.bench import environments, process, tree, turns
from tools.bench.run import wanted
from tools.bench.works import GROUPS, WORKS

SIDES = ("old", "new")
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
            process.Settings(args.threads, args.quick, caches / name,
                             stack.enter_context(tree.linked(side)))
            for name, side in zip(SIDES, sides, strict=True)
        ]  # fmt: skip
        for setting in settings:
            setting.folder.mkdir()
        slower = 0
        for group in GROUPS:
            names = tuple(n for n in works if WORKS[n].group == group)
            if not names:
                continue
            for change in changes(*measured(names, settings, args.rounds)):
                print(change, flush=True)
                slower += change.verdict == "slower"
    print(f"{slower} slower")
    return 1 if slower else 0


def measured(
    works: Sequence[str], settings: Sequence[process.Settings], rounds: int
) -> tuple[Seconds, Seconds]:
    """Medians of both sides, one a round."""
    out: dict[str, Seconds] = {side: defaultdict(list) for side in SIDES}
    for _ in range(rounds):
        for line in _round(works, settings):
            if line.get("ok") and "median_s" in line:
                out[line["peer"]][line["work"], line["variant"]].append(line["median_s"])
            else:
                word = line.get("error", "wrong result")
                print(f"{line['peer']} {line['work']}: {word}", file=sys.stderr)
    return out["old"], out["new"]


def _round(
    works: Sequence[str], settings: Sequence[process.Settings]
) -> Iterator[dict[str, Any]]:
    with (settings[0].folder / "log").open("wb") as log:
        members = [
            turns.member(side, sys.executable, "graphc", setting, log, own=True)
            for side, setting in zip(SIDES, settings, strict=True)
        ]
        try:
            yield from turns.measured(members, works, settings[0])
        finally:
            for member in members:
                member.process.end()


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
