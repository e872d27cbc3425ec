"""Attention forward and backward: long rows in windows beside weights that are kept.

    python -m tools.bench.kernels_attention [CASE ...] [--rounds 5] [--threads 2]

Every case runs in turn as it is, without the pass that computes weights again, and step by step
without chains, one timing each a round. A row: milliseconds (medians) and MB of the arena of each.
CASE may be the beginning of names.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np

import graphc as tf
from graphc import Config
from graphc.runtime import schedule
from tools.bench.kernels_conv import options


@dataclass(frozen=True)
class Case:
    """softmax(QK^T / 8 + mask) V of `batch` products of rows x rows scores, and its gradients."""

    name: str
    batch: int
    rows: int
    depth: int = 64
    causal: bool = False
    rate: float = 0.0


CASES = (
    Case("w12", 64, 128, 32),
    Case("rows-512", 32, 512),
    Case("rows-1024", 16, 1024),
    Case("rows-1024-dropout", 16, 1024, rate=0.1),
    Case("rows-2048", 8, 2048),
    Case("rows-2048-causal", 8, 2048, causal=True),
    Case("rows-2048-dropout", 8, 2048, rate=0.1),
    Case("rows-4096", 8, 4096),
)


def main(argv: Sequence[str] | None = None) -> int:
    args = options(__doc__, argv)
    for case in CASES:
        if not args.cases or case.name.startswith(tuple(args.cases)):
            print(row(case, args.rounds, args.threads), flush=True)
    return 0


def row(case: Case, rounds: int, threads: int) -> str:
    """The case's line of the table."""
    config = Config(threads=threads)
    ways = {
        "as it is": runner(case, config),
        "kept": runner(case, config.replace(disabled=("recompute",))),
    }
    with mock.patch.object(schedule, "make_chains", lambda steps, *_: (list(steps), [])):
        ways["no chains"] = runner(case, config.replace(disabled=("recompute",)))
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, (run, _) in ways.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    cells = (
        f"{name} {statistics.median(times[name]) * 1e3:7.1f} ms {nbytes / 1e6:7.1f} MB"
        for name, (_, nbytes) in ways.items()
    )
    return f"{case.name:18} " + ", ".join(cells)


def runner(case: Case, config: Config) -> tuple[Callable[[], Any], int]:
    """A call of the compiled attention and its gradients, and the bytes of its arena."""
    rng = np.random.default_rng(0)
    shape = (case.batch, case.rows, case.depth)
    arrays = [rng.standard_normal(shape).astype(np.float32) for _ in range(3)]
    with tf.Graph().as_default() as graph:
        q, k, v = feeds = [tf.placeholder(tf.float32, shape) for _ in arrays]
        scores = tf.matmul(q, k, transpose_b=True) * 0.125
        if case.causal:
            seen = np.tri(case.rows, dtype=np.float32)
            scores = scores + tf.constant((seen - 1.0) * 1e9)
        weights = tf.nn.softmax(scores)
        if case.rate:
            weights = tf.nn.dropout(weights, rate=case.rate, seed=1)
        out = tf.matmul(weights, v)
        fetches = [out, *tf.gradients(tf.reduce_sum(tf.square(out)), feeds)]
        session = tf.Session(graph=graph, config=config)
        given = dict(zip(feeds, arrays, strict=True))
        nbytes = session.explain(fetches, given).arena_bytes
        run = session.make_callable(fetches, feeds)
    run(*arrays)
    return lambda: run(*arrays), nbytes


if __name__ == "__main__":
    sys.exit(main())
