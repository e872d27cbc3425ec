"""Products of matrices as tiles beside the same by BLAS, alone and with what stands behind them.

    python -m tools.bench.kernels_gemm [CASE ...] [--rounds 15] [--threads 1]

Every case runs in turn as tiles and by BLAS with ordinary kernels behind it, one timing each a
round. A row: GFLOP/s of the tiles, their share of the peak (a loop of multiply-adds in registers,
timed in the same run), the ratio of the fastest runs and of the medians (above 1: tiles are
faster), the first call with an empty cache in ms. CASE may be the beginning of names. With one
thread the clock is the processor's time for it, so that other programs do not count.
"""

from __future__ import annotations

import math
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
from graphc.runtime import tile_steps
from tools.bench.kernels_conv import options, peak


@dataclass(frozen=True)
class Case:
    """A product of (..., M, K) and (..., K, N), and what is done with it.

    behind: "", "relu" (bias and activation), "gelu", "residual", "mask" (a gradient's). scaled:
    the rows are normalised first.
    """

    name: str
    m: int
    n: int
    k: int
    trans_a: bool = False
    trans_b: bool = False
    batch: tuple[int, ...] = ()
    behind: str = ""
    scaled: bool = False

    @property
    def flops(self) -> float:
        return 2.0 * math.prod((*self.batch, self.m, self.n, self.k))


CASES = (
    *(Case(f"square-{n}", n, n, n) for n in (64, 96, 128, 200, 256, 384, 512, 1024, 2048)),
    Case("mlp-first", 128, 512, 784, behind="relu"),
    Case("mlp-second", 128, 512, 512, behind="relu"),
    Case("mlp-last", 128, 10, 512),
    Case("mlp-input-gradient", 128, 512, 512, trans_b=True, behind="mask"),
    Case("mlp-filter-gradient", 784, 512, 128, trans_a=True),
    Case("mlp-filter-gradient-2", 512, 512, 128, trans_a=True),
    Case("one-row", 1, 512, 784, behind="relu"),
    Case("few-rows", 32, 128, 784, behind="relu"),
    Case("lstm", 32, 512, 192, behind="relu"),
    Case("transformer-qkv", 512, 1536, 512),
    Case("transformer-in", 512, 2048, 512, behind="gelu"),
    Case("transformer-out", 512, 512, 2048, behind="residual"),
    Case("bert-qkv", 128, 768, 768, behind="relu"),
    Case("bert-in", 128, 3072, 768, behind="gelu"),
    Case("bert-out", 128, 768, 3072, behind="residual"),
    Case("attention-scores", 64, 64, 64, trans_b=True, batch=(64,)),
    Case("attention-values", 64, 64, 64, batch=(64,)),
    Case("bert-scores", 128, 128, 64, trans_b=True, batch=(12,)),
    Case("w13", 1024, 1024, 1024, behind="gelu"),
    Case("odd", 77, 131, 99, behind="relu"),
    Case("scaled-10", 60000, 10, 784, scaled=True),
    Case("scaled-64", 65536, 64, 256, behind="relu", scaled=True),
    Case("scaled-512", 60000, 512, 784, behind="relu", scaled=True),
)


def main(argv: Sequence[str] | None = None) -> int:
    args = options(__doc__, argv)
    top = peak()
    print(f"peak of a core: {top:.0f} GFLOP/s")
    for case in CASES:
        if not args.cases or case.name.startswith(tuple(args.cases)):
            print(row(case, args.rounds, args.threads, top * args.threads), flush=True)
    return 0


def row(case: Case, rounds: int, threads: int, top: float) -> str:
    """The case's line of the table."""
    start = time.perf_counter()
    tiles = runner(case, threads)
    first = time.perf_counter() - start
    with mock.patch.object(tile_steps, "tile_call", lambda *_: None):
        blas = runner(case, threads)
    clock = time.thread_time if threads == 1 else time.perf_counter
    calls = max(1, round(3e8 / case.flops))
    mine, theirs = [], []
    for _ in range(rounds):
        mine.append(seconds(tiles, clock, calls))
        theirs.append(seconds(blas, clock, calls))
    rate = case.flops / min(mine) / 1e9
    ratio = statistics.median(theirs) / statistics.median(mine)
    return (
        f"{case.name:22} {rate:7.1f} GFLOP/s {rate / top:5.0%} of the peak, "
        f"{min(theirs) / min(mine):5.2f} ({ratio:5.2f}) x BLAS, first call {first * 1e3:5.0f} ms"
    )


def seconds(run: Callable[[], Any], clock: Callable[[], float], calls: int) -> float:
    """Of one call, among so many."""
    start = clock()
    for _ in range(calls):
        run()
    return (clock() - start) / calls


def runner(case: Case, threads: int) -> Callable[[], Any]:
    """A call of the compiled product on variables, so that nothing else is timed."""
    rng = np.random.default_rng(0)

    def variable(*shape: int) -> Any:
        return tf.Variable(rng.standard_normal(shape).astype(np.float32))

    with tf.Graph().as_default() as graph:
        m, n, k = case.m, case.n, case.k
        a = variable(*case.batch, *((k, m) if case.trans_a else (m, k)))
        b = variable(*case.batch, *((n, k) if case.trans_b else (k, n)))
        if case.scaled:
            a = (a - variable(k)) * variable(k)
        y = tf.matmul(a, b, transpose_a=case.trans_a, transpose_b=case.trans_b)
        y = behind(case, y, variable)
        kept = tf.Variable(tf.zeros(y.shape))
        session = tf.Session(graph=graph, config=Config(threads=threads, cache_dir=None))
        session.run(tf.global_variables_initializer())
        run = session.make_callable(kept.assign(y).op)
    run()
    return run  # type: ignore[no-any-return]


def behind(case: Case, y: Any, variable: Callable[..., Any]) -> Any:
    """What is done with the product."""
    if case.behind == "relu":
        return tf.nn.relu(y + variable(case.n))
    if case.behind == "gelu":
        h = y + variable(case.n)
        return 0.5 * h * (1.0 + tf.erf(h * 0.7071067811865476))
    if case.behind == "residual":
        return y + variable(case.n) + variable(case.m, case.n)
    if case.behind == "mask":
        return tf.where(variable(case.m, case.n) > 0, y, tf.zeros_like(y))
    return y


if __name__ == "__main__":
    sys.exit(main())
