"""Convolutions as tiles beside GEMM on patches, and beside what the processor can do.

    python -m tools.bench.kernels_conv [CASE ...] [--rounds 15] [--threads 1]

For every case its forward pass and both gradients run in turn as tiles and by GEMM, one timing each
a round. A row: GFLOP/s of the tiles, their share of the peak (a loop of multiply-adds in registers,
timed in the same run), the ratio of the medians (above 1: tiles are faster), compilation in ms.
CASE may be the beginning of names.
"""

from __future__ import annotations

import argparse
import ctypes
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
from graphc.ops import conv_lower
from graphc.runtime import jit

PASSES = ("forward", "input", "filter")


@dataclass(frozen=True)
class Case:
    """One convolution."""

    name: str
    x: tuple[int, ...]
    w: tuple[int, ...]
    stride: int = 1
    padding: str = "SAME"
    depthwise: bool = False


CASES = (
    Case("first", (32, 32, 32, 3), (3, 3, 3, 32), padding="VALID"),
    Case("second", (32, 15, 15, 32), (3, 3, 32, 64), padding="VALID"),
    Case("third", (32, 6, 6, 64), (3, 3, 64, 64), padding="VALID"),
    Case("alone", (1, 15, 15, 32), (3, 3, 32, 64), padding="VALID"),
    Case("digits", (64, 28, 28, 1), (5, 5, 1, 32)),
    Case("stem", (2, 224, 224, 3), (7, 7, 3, 64), 2),
    Case("wide", (2, 56, 56, 64), (3, 3, 64, 64)),
    Case("strided", (2, 56, 56, 64), (3, 3, 64, 128), 2),
    Case("middle", (2, 28, 28, 128), (3, 3, 128, 128)),
    Case("narrow", (2, 14, 14, 256), (3, 3, 256, 256)),
    Case("deep", (4, 7, 7, 512), (3, 3, 512, 512)),
    Case("odd", (8, 17, 19, 23), (3, 3, 23, 37)),
    Case("few", (8, 32, 32, 64), (3, 3, 64, 4)),
    Case("skip", (2, 56, 56, 64), (1, 1, 64, 128), 2),
    Case("depthwise", (4, 56, 56, 96), (3, 3, 96, 1), depthwise=True),
    Case("depthwise-strided", (4, 56, 56, 96), (3, 3, 96, 1), 2, depthwise=True),
)


def main(argv: Sequence[str] | None = None) -> int:
    args = options(__doc__, argv)
    print(f"peak of a core: {peak():.0f} GFLOP/s")
    for case in CASES:
        if args.cases and not case.name.startswith(tuple(args.cases)):
            continue
        for which in PASSES:
            print(row(case, which, args.rounds, args.threads), flush=True)
    return 0


def options(doc: str, argv: Sequence[str] | None) -> argparse.Namespace:
    """What the micro-benchmarks are asked for."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args(argv)


def row(case: Case, which: str, rounds: int, threads: int) -> str:
    """The case's line of the table."""
    start = time.perf_counter()
    tiles = runner(case, which, threads)
    first = time.perf_counter() - start
    with mock.patch.object(conv_lower, "TILE_CHANNELS", sys.maxsize):
        gemm = runner(case, which, threads)
    mine, theirs = [], []
    for _ in range(rounds):
        mine.append(seconds(tiles))
        theirs.append(seconds(gemm))
    rate = flops(case) / min(mine) / 1e9
    share = rate / (peak() * threads)
    ratio = statistics.median(theirs) / statistics.median(mine)
    return (
        f"{case.name:18} {which:8} {rate:7.1f} GFLOP/s {share:5.0%} of the peak, "
        f"{ratio:6.2f} x GEMM on patches, first call {first * 1e3:5.0f} ms"
    )


def runner(case: Case, which: str, threads: int) -> Callable[[], Any]:
    """A call of the compiled pass on variables, so that nothing but the pass is timed."""
    rng = np.random.default_rng(0)
    with tf.Graph().as_default() as graph:
        x = tf.Variable(rng.standard_normal(case.x).astype(np.float32))
        w = tf.Variable(rng.standard_normal(case.w).astype(np.float32))
        strides = [1, case.stride, case.stride, 1]
        convolve = tf.nn.depthwise_conv2d if case.depthwise else tf.nn.conv2d
        y = convolve(x, w, strides, case.padding)
        g = tf.Variable(rng.standard_normal(y.shape.as_list()).astype(np.float32))
        gradients = tf.gradients(y, [x, w], g)
        fetch = dict(zip(PASSES, (y, *gradients), strict=True))[which]
        kept = tf.Variable(tf.zeros(fetch.shape))
        session = tf.Session(graph=graph, config=Config(threads=threads, cache_dir=None))
        session.run(tf.global_variables_initializer())
        run = session.make_callable(kept.assign(fetch).op)
    run()
    return run  # type: ignore[no-any-return]


def seconds(run: Callable[[], Any]) -> float:
    """The fastest of a few calls."""
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best


def flops(case: Case) -> float:
    """Of any of the three passes, those on padding included."""
    outs = [
        -(-size // case.stride) if case.padding == "SAME" else (size - taps) // case.stride + 1
        for size, taps in zip(case.x[1:3], case.w[:2], strict=True)
    ]
    return 2.0 * case.x[0] * outs[0] * outs[1] * float(np.prod(case.w))


def peak() -> float:
    """GFLOP/s of multiply-adds in registers on one core."""
    lanes, chains, steps = jit.host_target().vector_bytes // 4, 12, 20000
    kind = f"<{lanes} x float>"
    phis = "\n".join(
        f"  %a{c} = phi {kind} [ zeroinitializer, %entry ], [ %b{c}, %loop ]"
        for c in range(chains)
    )
    body = "\n".join(
        f"  %b{c} = call {kind} @llvm.fma.v{lanes}f32({kind} %a{c}, {kind} %x, {kind} %x)"
        for c in range(chains)
    )
    sums = "\n".join(
        f"  %s{c} = fadd {kind} {f'%s{c - 1}' if c else 'zeroinitializer'}, %b{c}"
        for c in range(chains)
    )
    text = (
        f"declare {kind} @llvm.fma.v{lanes}f32({kind}, {kind}, {kind})\n"
        f"define void @peak(ptr %p) {{\nentry:\n  %x = load {kind}, ptr %p, align 4\n"
        f"  br label %loop\nloop:\n  %i = phi i64 [ 0, %entry ], [ %j, %loop ]\n{phis}\n{body}\n"
        f"  %j = add i64 %i, 1\n  %more = icmp slt i64 %j, {steps}\n"
        f"  br i1 %more, label %loop, label %done\ndone:\n{sums}\n"
        f"  store {kind} %s{chains - 1}, ptr %p, align 4\n  ret void\n}}\n"
    )
    address = jit.compile_and_load(text, ["peak"])["peak"]
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(address)
    memory = np.full(lanes, 1e-3, np.float32)
    best = min(seconds(lambda: function(memory.ctypes.data)) for _ in range(5))
    return 2.0 * lanes * chains * steps / best / 1e9


if __name__ == "__main__":
    sys.exit(main())
