"""One process: one peer on the GPU. Reads a question a line, answers each with a line of JSON.

    python -m tools.bench.gpu_worker PEER [--device cpu] [--smoke]

Questions: {"do": "hello"}, "prepare" and "time" with "case" and "variant", "ceilings". What is
prepared stays on the device, so that the peers can be timed in turn without compiling again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tools.bench.conversation import channel, serve
from tools.bench.worker import versions
from tools.bench.works.record import STEPS_CHECKED

LEAST = 0.04  # seconds that a sample lasts
WARM = 0.03  # seconds of calls before the samples
MOST_CALLS = 20_000


@dataclass(frozen=True)
class Running:
    """A work that is ready. `call` starts it, `wait` waits for all that was started, `result` is
    the last call's: of a training step its loss."""

    call: Callable[[], Any]
    wait: Callable[[], Any]
    result: Callable[[], Any]


def measure(
    call: Callable[[], Any], wait: Callable[[], Any], samples: int, least: float = LEAST
) -> list[float]:
    """Seconds of a call, each the mean over calls that together last `least` and one wait."""
    calls, start = 0, time.perf_counter()
    while calls < 3 or (time.perf_counter() - start < min(WARM, least) and calls < MOST_CALLS):
        call()
        calls += 1
        wait()
    once = (time.perf_counter() - start) / calls
    calls = max(1, round(least / max(once, 1e-7)))
    out = _sample(call, wait, calls)
    # without a wait each the calls overlap: more of them are needed
    calls = max(1, min(MOST_CALLS, round(least / max(out, 1e-7))))
    return [_sample(call, wait, calls) for _ in range(samples)]


def _sample(call: Callable[[], Any], wait: Callable[[], Any], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        call()
    wait()
    return (time.perf_counter() - start) / calls


class Worker:
    """What one process holds. Answers are JSON objects, an error among them."""

    def __init__(self, peer: Any, device: str, smoke: bool) -> None:
        from tools.bench.gpu_works import cases

        self.peer, self.device, self.smoke = peer, device, smoke
        self.cases = {c.name: c for c in cases(smoke)}
        self.ready: dict[tuple[str, str], Running] = {}

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """Whatever fails is an answer; `broken`: nothing works any more in this process."""
        try:
            found: dict[str, Any] = getattr(self, "do_" + question["do"])(question)
            return found
        except Exception as error:
            import traceback

            traceback.print_exc()
            text = f"{type(error).__name__}: {error}"[:300]
            return {"error": text, "broken": not self._healthy()}

    def _healthy(self) -> bool:
        # a fault on the device ends its context: all that follows fails
        if not self.ready:
            return False  # nobody knows, and little is lost
        try:
            running = list(self.ready.values())[-1]
            running.call()
            running.wait()
        except Exception:
            return False
        return True

    def do_hello(self, question: dict[str, Any]) -> dict[str, Any]:
        """Versions, and the variants of each case."""
        self.peer.setup(self.device)
        variants = {name: self.peer.variants(c) for name, c in self.cases.items()}
        return {"versions": versions(self.peer), "variants": variants}

    def do_prepare(self, question: dict[str, Any]) -> dict[str, Any]:
        """Compiles, runs and checks; a wrong result is not kept."""
        case, variant = self.cases[question["case"]], question["variant"]
        self.peer.select(case)
        start = time.perf_counter()
        running = self.peer.prepare(case, variant, self.device)
        first = time.perf_counter() - start
        results = [running.result()]
        if case.work.training:
            for _ in range(STEPS_CHECKED - 1):
                running.call()
                results.append(running.result())
        right = case.right(results)
        if right:
            self.ready[case.name, variant] = running
        moved, operations = case.cost()
        return {"first_s": first, "ok": right, "moved": moved, "operations": operations}

    def do_time(self, question: dict[str, Any]) -> dict[str, Any]:
        """Some samples of what was prepared."""
        self.peer.select(self.cases[question["case"]])
        running = self.ready[question["case"], question["variant"]]
        least = 0.002 if self.smoke else LEAST
        return {"times": measure(running.call, running.wait, question["samples"], least)}

    def do_ceilings(self, question: dict[str, Any]) -> dict[str, Any]:
        """What the peer says of the machine."""
        found = getattr(self.peer, "ceilings", None)
        return {} if found is None else {"ceilings": found(self.device, self.smoke)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("peer")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--smoke", action="store_true")
    args = parser.parse_args()
    answers = channel()
    import importlib

    try:
        peer = importlib.import_module(f"tools.bench.gpu_{args.peer}")
    except Exception as error:  # of a package that does not fit the machine, too
        answers.write(json.dumps({"missing": f"{error}"[:200]}) + "\n")
        return
    worker = Worker(peer, args.device, args.smoke)
    serve(worker.answer, answers)


if __name__ == "__main__":
    main()
