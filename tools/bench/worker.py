"""One process: one peer. Answers questions (`turns`), or measures one variant and prints a line.

    python -m tools.bench.worker PEER [--threads N] [--quick]
    python -m tools.bench.worker PEER --mode start|memory --work WORK --variant VARIANT ...

`turns`: {"do": "hello", "works": [...]}, then "prepare" and "time" with "work" and "variant", and
"forget"; what is prepared stays, so that the peers can be timed in turn. `start`: only the first
call, from the first import on. `memory`: the peak of the process after a few calls.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import time
from collections.abc import Callable
from typing import Any

from tools.bench.conversation import channel, serve

LEAST = 0.04  # seconds that a sample lasts
WARM, WARM_UPS = 0.008, 2  # seconds and calls before a sample: caches and threads of its own again


def main() -> None:
    begin = time.perf_counter()
    parser = argparse.ArgumentParser()
    parser.add_argument("peer")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--mode", choices=("turns", "start", "memory"), default="turns")
    parser.add_argument("--work")
    parser.add_argument("--variant")
    args = parser.parse_args()
    limit_threads(args.threads)
    answers = channel()
    import importlib

    try:
        peer = importlib.import_module(f"tools.bench.peer_{args.peer}")
    except Exception as error:
        answers.write(json.dumps({"error": said(error)}) + "\n")
        return
    imported = time.perf_counter() - begin
    if args.mode == "turns":
        serve(Worker(peer, args.threads, args.quick).answer, answers)
        return
    from tools.bench.works import WORKS

    measure = {"start": started, "memory": peak}[args.mode]
    line = {"versions": versions(peer), "import_s": imported}
    try:
        if args.variant not in peer.variants(WORKS[args.work]):
            line["skipped"] = True  # it has nothing of this kind
        else:
            line |= measure(peer, WORKS[args.work], args.variant, args)
    except Exception as error:
        line["error"] = said(error)
    answers.write(json.dumps(line) + "\n")


def limit_threads(threads: int) -> None:
    """No more cores than threads, whatever a library thinks of its own settings."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def said(error: Exception) -> str:
    """An error as one short text."""
    return f"{type(error).__name__}: {error}"[:300]


def versions(peer: Any) -> dict[str, str]:
    from importlib import metadata

    other = getattr(peer, "version", lambda name: "source")
    out = {}
    for name in peer.VERSIONS:
        try:
            out[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            out[name] = other(name)
    return out


class Worker:
    """What one process holds. Answers are JSON objects, an error among them."""

    def __init__(self, peer: Any, threads: int, quick: bool) -> None:
        from tools.bench.works import WORKS

        self.peer, self.threads, self.quick, self.works = peer, threads, quick, WORKS
        self.ready: dict[tuple[str, str], Callable[[], Any]] = {}

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """Whatever fails is an answer."""
        try:
            found: dict[str, Any] = getattr(self, "do_" + question["do"])(question)
            return found
        except Exception as error:
            return {"error": said(error)}

    def do_hello(self, question: dict[str, Any]) -> dict[str, Any]:
        """Versions, and the variants of each work that is asked for."""
        variants = {name: self.peer.variants(self.works[name]) for name in question["works"]}
        return {"versions": versions(self.peer), "variants": variants}

    def do_prepare(self, question: dict[str, Any]) -> dict[str, Any]:
        """Compiles, runs and checks."""
        work, variant = self.works[question["work"]], question["variant"]
        inputs = work.inputs()
        start = time.perf_counter()
        fn = self.peer.prepare(work, inputs, variant, self.threads)
        built = time.perf_counter() - start
        start = time.perf_counter()
        first = fn()
        cold = time.perf_counter() - start
        ok = check(self.peer, work, variant, inputs, fn, first)
        self.ready[work.name, variant] = fn
        units = getattr(self.peer, "units", None)
        more = {} if units is None else {"units": units(work, variant, self.threads)}
        return {"build_s": built, "first_s": cold, "ok": ok} | more

    def do_time(self, question: dict[str, Any]) -> dict[str, Any]:
        """One sample of what was prepared."""
        fn = self.ready[question["work"], question["variant"]]
        return {"seconds": sample(fn, LEAST / 2 if self.quick else LEAST)}

    def do_forget(self, question: dict[str, Any]) -> dict[str, Any]:
        """Lets go of all that was prepared."""
        self.ready.clear()
        getattr(self.peer, "release", lambda: None)()
        gc.collect()
        return {}


def check(
    peer: Any, work: Any, variant: str, inputs: tuple[Any, ...], fn: Any, first: Any
) -> bool:
    """Whether the result, or the losses of the first steps, are the reference's."""
    from tools.bench.works.record import STEPS_CHECKED

    if hasattr(peer, "right"):
        return bool(peer.right(work, variant, first, inputs))
    if not work.training:
        return bool(work.right(first, inputs))
    losses = [float(first)] + [float(fn()) for _ in range(STEPS_CHECKED - 1)]
    return bool(work.right(losses, inputs))


def sample(fn: Callable[[], Any], least: float) -> float:
    """Seconds of a call: the mean over calls that together last `least`, others before them."""
    calls, begin = 0, time.perf_counter()
    while calls < WARM_UPS or time.perf_counter() - begin < WARM:
        start = time.perf_counter()
        fn()
        once = time.perf_counter() - start
        calls += 1
    inner = max(1, min(100_000, round(least / max(once, 1e-7))))
    start = time.perf_counter()
    for _ in range(inner):
        fn()
    return (time.perf_counter() - start) / inner


def started(peer: Any, work: Any, variant: str, args: argparse.Namespace) -> dict[str, Any]:
    """The first result: definition, compilation and run; the data are made before."""
    inputs = work.inputs()
    work.parameters()
    from tools.bench.load import Load

    start = time.perf_counter()
    with Load() as load:
        fn = peer.prepare(work, inputs, variant, args.threads)
        built = time.perf_counter() - start
        fn()
        first = time.perf_counter() - start - built
    return {"build_s": built, "first_s": first, "ok": True, "foreign": round(load.foreign, 3)}


def peak(peer: Any, work: Any, variant: str, args: argparse.Namespace) -> dict[str, Any]:
    """The most memory the process ever held, after twenty calls."""
    from tools.bench.load import peak_bytes

    fn = peer.prepare(work, work.inputs(), variant, args.threads)
    for _ in range(5 if args.quick else 20):
        fn()
    return {"peak_bytes": peak_bytes(), "ok": True}


if __name__ == "__main__":
    main()
