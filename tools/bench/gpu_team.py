"""The peers of one run: their processes, what each is to prepare, and what came of it.

Every process prepares its part at the same time as the others; then one at a time is timed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tools.bench.conversation import Ended, Process

HELLO_SECONDS = 90.0
PREPARE_SECONDS = 200.0  # all kernels of a training step may be compiled meanwhile
TIME_SECONDS = 30.0
# variants that are prepared when all others are
LATER = ("autotune", "unfused", "jit_unroll", "plain")


@dataclass
class Job:
    """One variant of one peer on one case."""

    case: str
    peer: str
    variant: str
    member: Member
    rank: int
    first_s: float | None = None
    moved: int = 0
    operations: float = 0.0
    error: str | None = None
    times: list[float] = field(default_factory=list)
    generation: int = -1

    @property
    def ready(self) -> bool:
        return self.error is None and self.generation == self.member.process.generation

    def fields(self) -> dict[str, Any]:
        """What is kept of it."""
        names = ("case", "peer", "variant", "first_s", "moved", "operations", "error", "times")
        return {name: getattr(self, name) for name in names}


@dataclass
class Member:
    """One process and its jobs. lock: held by who asks it."""

    peer: str
    process: Process
    jobs: list[Job] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, question: dict[str, Any], seconds: float) -> dict[str, Any]:
        """The answer; an error where the process has ended."""
        with self.lock:
            try:
                return self.process.ask(question, seconds)
            except Ended as error:
                return {"error": str(error)}

    def prepare(self, job: Job) -> None:
        """Compiles and checks one."""
        question = {"do": "prepare", "case": job.case, "variant": job.variant}
        answer = self.ask(question, PREPARE_SECONDS)
        job.error = answer.get("error") or (None if answer.get("ok") else "wrong result")
        job.first_s = answer.get("first_s")
        job.moved, job.operations = answer.get("moved", 0), answer.get("operations", 0.0)
        job.generation = self.process.generation

    def prepare_all(self, until: float) -> None:
        """All of its jobs while there is time; again those that a fault of another one lost."""
        while True:
            open_ = [j for j in self.jobs if j.error is None and not j.ready]
            if not open_ or time.monotonic() > until:
                return
            self.prepare(open_[0])


class Team:
    """All members. missing: peers that are not there, with the reason; versions of the others."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = list(members)
        self.missing: dict[str, str] = {}
        self.versions: dict[str, str] = {}
        self.jobs: list[Job] = []

    def greet(self, order: Sequence[str]) -> None:
        """Asks all for their variants of the cases, and shares these out."""
        answers = _each(self.members, lambda m: m.ask({"do": "hello"}, HELLO_SECONDS))
        there: dict[str, list[Member]] = {}
        variants: dict[str, dict[str, list[str]]] = {}
        for member, answer in zip(self.members, answers, strict=True):
            why = answer.get("missing") or answer.get("error")
            if why is not None:
                self.missing.setdefault(member.peer, why)
                continue
            self.versions |= answer["versions"]
            there.setdefault(member.peer, []).append(member)
            variants[member.peer] = answer["variants"]
        for peer in there:
            self.missing.pop(peer, None)
        self.members = [m for some in there.values() for m in some]
        for peer, some in there.items():
            for rank, case in enumerate(order):
                member = some[rank % len(some)]
                for variant in variants[peer].get(case, ()):
                    member.jobs.append(Job(case, peer, variant, member, rank))
        for member in self.members:
            member.jobs.sort(key=lambda j: (j.variant in LATER, j.rank))
            self.jobs += member.jobs

    def prepare(self, until: float) -> list[threading.Thread]:
        """Starts the preparation of everything; threads that are done when it is."""
        threads = [
            threading.Thread(target=m.prepare_all, args=(until,), daemon=True)
            for m in self.members
        ]
        for thread in threads:
            thread.start()
        return threads

    def ceilings(self) -> dict[str, float]:
        """What one process of each peer says of the machine."""
        found: dict[str, float] = {}
        for peer in dict.fromkeys(m.peer for m in self.members):
            some = [m for m in self.members if m.peer == peer]
            member = next((m for m in some if not m.lock.locked()), some[0])
            answer = member.ask({"do": "ceilings"}, PREPARE_SECONDS)
            found |= answer.get("ceilings", {})
        return found

    def time(self, case: str, rounds: int, samples: int) -> list[Job]:
        """Times the variants that are ready, in turn within each round."""
        jobs = [j for j in self.jobs if j.case == case and j.ready]
        for _ in range(rounds):
            for job in jobs:
                if not job.ready:
                    continue
                question = {"do": "time", "case": case, "variant": job.variant, "samples": samples}
                answer = job.member.ask(question, TIME_SECONDS)
                job.error = answer.get("error")
                job.times += answer.get("times", [])
        return jobs

    def busy(self, case: str) -> bool:
        """Whether a process that has part of the case is still preparing something."""
        return any(j.member.lock.locked() for j in self.jobs if j.case == case)

    def end(self) -> None:
        """Ends all processes."""
        _each(self.members, lambda m: m.process.end())


def _each(members: Sequence[Member], what: Any) -> list[Any]:
    """What a function gives of each, all at the same time."""
    answers: list[Any] = [None] * len(members)

    def one(n: int) -> None:
        answers[n] = what(members[n])

    threads = [threading.Thread(target=one, args=(n,)) for n in range(len(members))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
