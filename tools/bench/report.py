"""Reads what was measured: medians, ratios, the table.

    python -m tools.bench.report [--folder DIR] [--threads N] [--quiet] [--docs DIR]

--quiet is for a machine with other users: the peers' measurements of all rounds count, and graphc's
of the newest version that was measured undisturbed.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.bench import environments
from tools.bench.rows import MEAN_TARGET, ROWS, Row

Line = dict[str, Any]
CLEAN = 0.15  # of a core used by others: a round with more counts only where all had more
REUSE = "reuse"  # variants that write into the memory of an earlier result


def append(file: Path, line: Line) -> None:
    """Adds one measurement; a line is one write, so a run that is broken off loses nothing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as out:
        out.write(json.dumps(line) + "\n")


def read(file: Path) -> list[Line]:
    """All measurements of a file; none of a file that is not there."""
    if not file.exists():
        return []
    return [_completed(json.loads(text)) for text in file.read_text().splitlines() if text]


def _completed(line: Line) -> Line:
    # of a cold start the import is no part, as it is no part of a compilation
    if line["mode"] in ("cold", "warm") and "first_s" in line:
        warm = line["import_s"] if line["mode"] == "warm" else 0.0
        line["start_s"] = warm + line["build_s"] + line["first_s"]
    return line


def latest(lines: Sequence[Line], threads: int) -> list[Line]:
    """Of each group of works the measurements with the graphc that was measured last."""
    version = {line["group"]: line["graphc"] for line in lines if line["threads"] == threads}
    return [
        line
        for line in lines
        if line["threads"] == threads and line["graphc"] == version[line["group"]]
    ]


def undisturbed(lines: Sequence[Line], threads: int) -> list[Line]:
    """Of each work graphc's newest version with an undisturbed round, and all rounds of peers.

    A disturbed peer counts where it has nothing better: it would only be faster without.
    """
    mine = [r for r in lines if r["threads"] == threads]
    own = [r for r in mine if r["peer"] == "graphc"]
    newest = {(r["work"], r["mode"], r["variant"]): r["graphc"] for r in own}
    calm = (r for r in own if r.get("foreign", 0.0) < CLEAN)
    newest |= {(r["work"], r["mode"], r["variant"]): r["graphc"] for r in calm}
    return [
        r
        for r in mine
        if r["peer"] != "graphc" or r["graphc"] == newest[r["work"], r["mode"], r["variant"]]
    ]


@dataclass(frozen=True)
class Median:
    """What one variant of a peer reached over its undisturbed rounds, or the least disturbed."""

    peer: str
    variant: str
    value: float
    fastest: float  # of all repeats of all rounds
    ok: bool
    foreign: float
    rounds: int

    @property
    def label(self) -> str:
        return f"{self.peer} {self.variant}".strip()


def medians(lines: Sequence[Line], work: str, mode: str, key: str) -> list[Median]:
    """All variants of all peers on a work, fastest first."""
    found: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in lines:
        if (line["work"], line["mode"]) == (work, mode) and key in line:
            found[line["peer"], line["variant"]].append(line)
    out = []
    for (peer, variant), mine in found.items():
        least = min(r.get("foreign", 0.0) for r in mine)
        clean = [r for r in mine if r.get("foreign", 0.0) <= max(CLEAN, least)]
        value = statistics.median(r[key] for r in clean)
        fastest = min(float(r["min_s" if "min_s" in r else key]) for r in mine)
        foreign = max(r.get("foreign", 0.0) for r in clean)
        ok = all(r["ok"] for r in mine)
        out.append(Median(peer, variant, value, fastest, ok, foreign, len(clean)))
    return sorted(out, key=lambda m: m.value)


@dataclass(frozen=True)
class Result:
    """A row with what was measured for it; peers with wrong results do not count."""

    row: Row
    own: Median | None
    peer: Median | None
    reused: Median | None  # the best of those that reuse memory, where it is ahead of `peer`
    wrong: tuple[Median, ...]
    fastest: float | None = None  # the ratio of the fastest repeats, which others disturb least

    @property
    def ratio(self) -> float | None:
        if self.own is None or self.peer is None or not self.own.ok:
            return None
        return self.peer.value / self.own.value

    @property
    def met(self) -> bool | None:
        if self.ratio is None or self.row.target is None:
            return None
        return self.ratio >= self.row.target


def result(row: Row, lines: Sequence[Line]) -> Result:
    """One row's result."""
    all_of_work = medians(lines, row.work, row.mode, row.key)
    own = [m for m in all_of_work if m.peer == "graphc" and m.variant in row.own]
    rivals = [
        m
        for m in all_of_work
        if (m.peer in row.against if row.against else m.peer not in ("graphc", "limit"))
    ]
    right = [m for m in rivals if m.ok]
    fresh = next((m for m in right if not m.variant.startswith(REUSE)), None)
    reused = next((m for m in right if m.variant.startswith(REUSE)), None)
    if reused and fresh and reused.value >= fresh.value:
        reused = None
    wrong = tuple(m for m in (*own, *rivals) if not m.ok)
    times = [m.fastest for m in right if not m.variant.startswith(REUSE)]
    fastest = min(times) / min(m.fastest for m in own) if own and times else None
    return Result(row, own[0] if own else None, fresh, reused, wrong, fastest)


def results(lines: Sequence[Line]) -> list[Result]:
    """All rows of which something was measured."""
    found = [result(row, lines) for row in ROWS]
    return [r for r in found if r.own or r.peer or r.wrong]


def geometric_mean(found: Sequence[Result]) -> float | None:
    """Over W1 to W13 and BERT, each once: a work of several rows with the mean of theirs."""
    logs: dict[str, list[float]] = defaultdict(list)
    for r in found:
        if r.row.mean and r.ratio is not None:
            logs[r.row.family].append(math.log(r.ratio))
    if not logs:
        return None
    return math.exp(statistics.fmean(statistics.fmean(v) for v in logs.values()))


def amount(value: float, row: Row) -> str:
    """A number with its unit."""
    if row.mode == "memory":
        return f"{value / 2**20:.0f} MiB"
    if value < 1e-3:
        return f"{value * 1e6:.3g} us"
    return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.3g} s"


def cells(found: Result) -> tuple[str, ...]:
    """The row as texts, in the order of HEAD."""
    row, own, peer = found.row, found.own, found.peer
    notes = []
    if found.reused:
        notes.append(f"{found.reused.label} {amount(found.reused.value, row)}")
    notes += [f"wrong result: {m.label}" for m in found.wrong]
    busy = max((m.foreign for m in (own, peer) if m), default=0.0)
    if busy >= CLEAN:
        notes.append(f"{busy:.1f} cores busy")
    verdict = {None: "", True: "met", False: "below"}[found.met]
    return (
        row.title,
        f"{peer.label} {amount(peer.value, row)}" if peer else "-",
        f"{own.variant} {amount(own.value, row)}" if own else "-",
        f"{found.ratio:.2f}" if found.ratio else "-",
        f"{found.fastest:.2f}" if found.ratio and found.fastest else "-",
        f"{row.target:g}" if row.target else "-",
        "; ".join([verdict, *notes] if verdict else notes),
    )


HEAD = ("work", "best peer", "graphc", "ratio", "of fastest", "wanted", "")


def table(found: Sequence[Result]) -> str:
    """The rows as a Markdown table."""
    rows = [HEAD, tuple("---" for _ in HEAD), *(cells(r) for r in found)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def text(lines: Sequence[Line]) -> str:
    """The table, the mean, what failed."""
    found = results(lines)
    out = [table(found)]
    if mean := geometric_mean(found):
        out.append(f"\nGeometric mean over W1 to W13 and BERT: {mean:.2f} (wanted: {MEAN_TARGET})")
    errors = sorted({f"{r['peer']} {r['work']} {r['variant']}: {r['error']}"
                     for r in lines if "error" in r})  # fmt: skip
    return "\n".join(out + [f"failed: {e}" for e in errors])


def publish(lines: Sequence[Line], threads: int, docs: Path | None, quiet: bool = False) -> None:
    """Prints the table; with `docs`, writes benchmarks.md and its chart there."""
    select = undisturbed if quiet else latest
    chosen = select(lines, threads)
    print(text(chosen))
    if docs is not None:
        from tools.bench.page import write

        write(chosen, select(lines, 1) if threads > 1 else [], docs)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=environments.folder())
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quiet", action="store_true", help="prefer undisturbed measurements")
    parser.add_argument("--docs", type=Path, help="folder for benchmarks.md and its chart")
    args = parser.parse_args(argv)
    publish(read(args.folder / "results.jsonl"), args.threads, args.docs, args.quiet)
    return 0


if __name__ == "__main__":
    sys.exit(main())
