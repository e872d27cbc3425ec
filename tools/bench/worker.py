"""One process: one peer, one work. Prints one JSON line for each variant.

    python -m tools.bench.worker PEER WORK [--threads N]

First call timed apart (cold: it may compile), three warm-ups, then the median of repeats.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import time
from typing import Any

MIN_SECONDS = 0.04
REPEATS = 11


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("peer")
    parser.add_argument("work")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    _limit_threads(args.threads)
    start = time.perf_counter()
    peer = importlib.import_module(f"tools.bench.peer_{args.peer}")
    imported = time.perf_counter() - start
    for variant in peer.VARIANTS:
        line = measure(peer, args.work, variant)
        line |= {"peer": args.peer, "work": args.work, "variant": variant, "import_s": imported}
        print(json.dumps(line), flush=True)


def _limit_threads(threads: int) -> None:
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))[:threads]
        os.sched_setaffinity(0, cores)


def measure(peer: Any, name: str, variant: str) -> dict[str, Any]:
    """Times one variant and checks its result."""
    import numpy as np

    from tools.bench import works

    work = works.WORKS[name]
    inputs = work.inputs()
    start = time.perf_counter()
    fn = peer.prepare(name, inputs, variant)
    built = time.perf_counter() - start
    start = time.perf_counter()
    first = fn()
    cold = time.perf_counter() - start
    if name in works.TRAINING:
        got = np.array([float(first)] + [float(fn()) for _ in range(works.STEPS_CHECKED - 1)])
        want = work.reference()
    else:
        rows = work.check_rows
        got = np.asarray(first) if rows is None else np.asarray(first)[:rows]
        want = work.reference(*(inputs if rows is None else [a[:rows] for a in inputs]))
    ok = bool(np.allclose(got, want, rtol=work.rtol, atol=work.atol))
    del first, got
    times = _times(fn)
    return {
        "median_s": statistics.median(times), "min_s": min(times), "first_s": cold,
        "build_s": built, "ok": ok,
    }  # fmt: skip


def _times(fn: Any) -> list[float]:
    for _ in range(3):
        fn()
    start = time.perf_counter()
    fn()
    once = time.perf_counter() - start
    inner = max(1, min(100_000, int(MIN_SECONDS / max(once, 1e-7))))
    out = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        for _ in range(inner):
            fn()
        out.append((time.perf_counter() - start) / inner)
    return out


if __name__ == "__main__":
    main()
