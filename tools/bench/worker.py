"""One process: one peer, one group of works. Prints one JSON line for each variant.

    python -m tools.bench.worker PEER WORK[,WORK...] [--threads N] [--quick] [--mode MODE]

`time`: the first call apart (it may compile), warm-ups, then the median of repeats; the result is
checked. A measurement during which the rest of the machine was busy is repeated. `start`: only the
first call, from the first import on. `memory`: the peak of the process after a few calls.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from typing import Any

WARM_UPS = 3
QUIET = 0.12  # of one core, used by others: more makes a measurement repeat itself


def main() -> None:
    begin = time.perf_counter()
    parser = argparse.ArgumentParser()
    parser.add_argument("peer")
    parser.add_argument("works")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--patience", type=float, default=6.0, help="seconds to wait for quiet")
    parser.add_argument("--mode", choices=("time", "start", "memory"), default="time")
    parser.add_argument("--variant", help="only this one")
    args = parser.parse_args()
    limit_threads(args.threads)
    import importlib

    peer = importlib.import_module(f"tools.bench.peer_{args.peer}")
    imported = time.perf_counter() - begin
    from tools.bench.works import WORKS

    print(json.dumps({"versions": versions(peer)}), flush=True)
    measure = {"time": timed, "start": started, "memory": peak}[args.mode]
    for name in args.works.split(","):
        work = WORKS[name]
        for variant in peer.variants(work):
            if args.variant not in (None, variant):
                continue
            line = {"work": name, "variant": variant, "import_s": imported}
            try:
                line |= measure(peer, work, variant, args)
            except Exception as error:
                line["error"] = f"{type(error).__name__}: {error}"[:300]
            print(json.dumps(line), flush=True)


def limit_threads(threads: int) -> None:
    """No more cores than threads, whatever a library thinks of its own settings."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def versions(peer: Any) -> dict[str, str]:
    from importlib import metadata

    out = {}
    for name in peer.VERSIONS:
        try:
            out[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            out[name] = "source"
    return out


def timed(peer: Any, work: Any, variant: str, args: argparse.Namespace) -> dict[str, Any]:
    """Times one variant and checks its result."""
    from tools.bench.load import Load, wait_for_quiet

    inputs = work.inputs()
    start = time.perf_counter()
    fn = peer.prepare(work, inputs, variant, args.threads)
    built = time.perf_counter() - start
    start = time.perf_counter()
    first = fn()
    cold = time.perf_counter() - start
    ok = check(work, inputs, fn, first)
    del first
    attempts: list[tuple[float, list[float]]] = []
    while len(attempts) < (2 if args.quick else 3) and (not attempts or attempts[-1][0] >= QUIET):
        wait_for_quiet(args.patience)
        with Load() as load:
            times = repeats(fn, args.quick)
        attempts.append((load.foreign, times))
    foreign, times = min(attempts)
    return {
        "median_s": statistics.median(times), "min_s": min(times), "max_s": max(times),
        "repeats": len(times), "first_s": cold, "build_s": built, "ok": ok,
        "foreign": round(foreign, 3), "attempts": len(attempts),
    }  # fmt: skip


def check(work: Any, inputs: tuple[Any, ...], fn: Any, first: Any) -> bool:
    """Whether the result, or the losses of the first steps, are the reference's."""
    from tools.bench.works.record import STEPS_CHECKED

    if not work.training:
        return bool(work.right(first, inputs))
    losses = [float(first)] + [float(fn()) for _ in range(STEPS_CHECKED - 1)]
    return bool(work.right(losses, inputs))


def repeats(fn: Any, quick: bool) -> list[float]:
    """Seconds of a call: each the mean over calls that together last some 40 ms."""
    least, fewest, most, budget = (0.02, 5, 9, 1.0) if quick else (0.04, 9, 15, 5.0)
    for _ in range(WARM_UPS):
        fn()
    start = time.perf_counter()
    fn()
    once = max(time.perf_counter() - start, 1e-7)
    inner = max(1, min(100_000, round(least / once)))
    out = []
    for _ in range(int(min(most, max(fewest, budget / (once * inner))))):
        start = time.perf_counter()
        for _ in range(inner):
            fn()
        out.append((time.perf_counter() - start) / inner)
    return out


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
