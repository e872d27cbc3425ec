"""Works measured in turn: every peer in a process of its own, one sample of each in every turn.

What a shared machine's memory and caches give changes within seconds. Samples of all peers within a
second of each other meet the same, so their ratio holds where none of the times does.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from tools.bench import environments
from tools.bench.conversation import Ended, Process
from tools.bench.load import Load, wait_for_sleep
from tools.bench.process import Settings

TURNS, QUICK_TURNS = 15, 5
FEW = 4  # turns after which a variant that is FAR behind is left out of the others
FAR = 2.0
QUIET = 0.12  # of one core, used by others: a turn with more counts only where there are not enough
PREPARE_SECONDS, TIME_SECONDS = 600.0, 120.0


@dataclass
class Member:
    """One process. own: it stays in all turns, however slow."""

    name: str
    process: Process
    own: bool
    versions: dict[str, str] = field(default_factory=dict)

    def ask(self, seconds: float, **question: Any) -> dict[str, Any]:
        """The answer; an error where the process has ended."""
        try:
            return self.process.ask(question, seconds)
        except Ended as error:
            return {"error": str(error)}


def member(name: str, python: str, peer: str, settings: Settings, log: IO[bytes],
           own: bool = False) -> Member:  # fmt: skip
    """A process of a peer, or of another checkout's graphc."""
    command = [python, "-m", "tools.bench.worker", peer, "--threads", str(settings.threads)]
    command += ["--quick"] if settings.quick else []
    variables = environments.process_environment(
        settings.threads, settings.folder / "caches", settings.tree
    )
    return Member(name, Process(command, variables, log), own)


@dataclass
class Runner:
    """One variant of a member on the work at hand, and its samples with the load of their turns."""

    member: Member
    variant: str
    answer: dict[str, Any]
    samples: list[tuple[float, float]] = field(default_factory=list)  # (others' load, seconds)
    error: str | None = None

    @property
    def median(self) -> float:
        return statistics.median(seconds for _, seconds in self.samples)

    def time(self, work: str) -> float | None:
        """One sample."""
        question = {"do": "time", "work": work, "variant": self.variant}
        answer = self.member.ask(TIME_SECONDS, **question)
        self.error = answer.get("error")
        return answer.get("seconds")

    def line(self, turns: int) -> dict[str, Any]:
        """What is kept of it: of its least disturbed turns."""
        out = {k: self.answer[k] for k in ("build_s", "first_s", "ok") if k in self.answer}
        if self.error is not None:
            return out | {"error": self.error}
        used = sorted(self.samples)[:turns] if _disturbed(self.samples) else self.samples[:turns]
        times = [seconds for _, seconds in used]
        out |= {
            "median_s": statistics.median(times), "min_s": min(times), "max_s": max(times),
            "repeats": len(times), "foreign": round(statistics.fmean(f for f, _ in used), 3),
        }  # fmt: skip
        if "units" in self.answer:
            out["per_s"] = self.answer["units"] / out["median_s"]
        return out


def _disturbed(samples: Sequence[tuple[float, float]]) -> bool:
    return any(foreign >= QUIET for foreign, _ in samples)


def measured(
    members: Sequence[Member], works: Sequence[str], settings: Settings
) -> Iterator[dict[str, Any]]:
    """The measurements of some works, a line for each variant of each member; errors among them."""
    fields = {"threads": settings.threads, "quick": settings.quick, "mode": "time", "variant": ""}
    variants: dict[str, dict[str, list[str]]] = {}
    for m in members:
        answer = m.ask(PREPARE_SECONDS, do="hello", works=works)
        m.versions = answer.get("versions", {})
        variants[m.name] = answer.get("variants", {})
        if not any(variants[m.name].values()):
            # a peer that has none of these works leaves a line, so that it is not asked again
            why = {"error": answer["error"]} if "error" in answer else {"skipped": True}
            yield fields | _when(m) | {"work": works[0]} | why
    for work in works:
        runners = []
        for m in members:
            for variant in variants[m.name].get(work, ()):
                answer = m.ask(PREPARE_SECONDS, do="prepare", work=work, variant=variant)
                runners.append(Runner(m, variant, answer, error=answer.get("error")))
        take_turns(work, runners, settings)
        turns = QUICK_TURNS if settings.quick else TURNS
        for r in runners:
            yield fields | _when(r.member) | {"work": work, "variant": r.variant} | r.line(turns)
        for m in members:
            m.ask(PREPARE_SECONDS, do="forget")


def _when(m: Member) -> dict[str, Any]:
    now = time.strftime("%Y-%m-%d %H:%M:%S")
    return {"peer": m.name, "versions": m.versions, "when": now}


def take_turns(
    work: str, runners: Sequence[Runner], settings: Settings,
    load: Callable[[Sequence[int]], Load] = Load,
) -> None:  # fmt: skip
    """Turns until enough of them were quiet, or twice as many; each in another order."""
    turns = QUICK_TURNS if settings.quick else TURNS
    order = random.Random(work)
    quiet = number = 0
    while quiet < turns and number < 2 * turns:
        active = [r for r in runners if r.error is None]
        if number >= FEW:
            active = _close(active)
        if not active:
            return
        found = []
        with load([r.member.process.pid for r in active]) as block:
            for r in order.sample(active, len(active)):
                seconds = r.time(work)
                wait_for_sleep(r.member.process.pid)
                if seconds is not None:
                    found.append((r, seconds))
        for r, seconds in found:
            r.samples.append((block.foreign, seconds))
        number += 1
        quiet += block.foreign < QUIET


def _close(runners: Sequence[Runner]) -> list[Runner]:
    """Without those that are far behind the best of the others."""
    others = [r.median for r in runners if not r.member.own]
    return [r for r in runners if r.member.own or r.median <= FAR * min(others)]
