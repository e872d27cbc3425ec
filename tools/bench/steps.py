"""Where graphc's time goes in a work: its steps by their time, with what they move; alike as one.

    python -m tools.bench.steps WORK[,WORK...] [--runs 15] [--top 15] [--threads 2]
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from tools.bench import models_tf1
from tools.bench.works import WORKS, Work


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("works")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--top", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args(argv)
    for name in args.works.split(","):
        print(profile(WORKS[name], args.runs, args.top, args.threads), flush=True)
    return 0


def profile(work: Work, runs: int, top: int, threads: int) -> str:
    """The slowest steps of a run of the work, a line each."""
    import graphc as tf

    tf.reset_default_graph()
    inputs = work.inputs()
    feeds = [tf.placeholder(a.dtype, a.shape) for a in inputs]
    fetch = models_tf1.fetches(tf, work, feeds)
    feed = dict(zip(feeds, inputs))
    with tf.Session(options=tf.Config(profile=True, threads=threads)) as session:
        session.run(tf.global_variables_initializer())
        session.run(fetch, feed)
        runs_of_steps, before = [], [s.seconds for s in session.explain(fetch, feed).steps]
        for _ in range(runs):
            session.run(fetch, feed)
            found = session.explain(fetch, feed)
            now = [s.seconds for s in found.steps]
            runs_of_steps.append([b - a for a, b in zip(before, now)])
            before = now
    # the fastest of each: a shared machine makes any other number a measure of its other users
    fastest = [min(column) for column in zip(*runs_of_steps)]
    total = sum(fastest)
    alike: dict[tuple[str, str, int], list[tuple[float, Any]]] = defaultdict(list)
    for seconds, step in zip(fastest, found.steps):
        alike[step.kind, step.name, step.nbytes].append((seconds, step))
    rows = sorted(alike.values(), key=lambda same: -sum(s for s, _ in same))
    head = f"{work.name}: {len(fastest)} steps, {total * 1e3:.3f} ms (fastest of {runs} runs)"
    return "\n".join([head] + [_line(same, total) for same in rows[:top]])


def _line(same: list[tuple[float, Any]], total: float) -> str:
    count, (_, step) = len(same), same[0]
    seconds, nbytes = sum(s for s, _ in same), count * step.nbytes
    share = seconds / total if total else 0.0
    rate = nbytes / seconds / 1e9 if seconds else 0.0
    ops = ", ".join(step.ops[:6]) + (f" ... {len(step.ops)}" if len(step.ops) > 6 else "")
    return (
        f"  {seconds * 1e6:9.1f} us {share:5.1%} x{count:<4d}{nbytes / 1e6:8.2f} MB{rate:7.1f} GB/s"
        f"  {step.kind} {step.name}: {ops}"
    )


if __name__ == "__main__":
    sys.exit(main())
