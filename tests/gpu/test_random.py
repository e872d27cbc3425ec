"""Random graphs, loops and branches on a GPU, with gradients, against the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ir.dtypes import float32, float64
from tests.gpu.ways import CUDA, CUDA_UNFUSED
from tests.helpers import REFERENCE, Session
from tests.random_graphs import RandomGraph
from tests.test_random_graphs import check
from tests.test_random_loops import WIDTH, RandomLoop

BLOCK = 8


def run_one(seed: int, dtype: Any, gradients: bool = True) -> None:
    graph = RandomGraph(seed, dtype, gradients, (2, 3))
    if not graph.tame:
        return
    session = Session(graph.graph, CUDA)
    for feeds in graph.feeds:
        want = Session(graph.graph, REFERENCE).run(graph.fetches, feeds)
        check(session.run(graph.fetches, feeds), want, graph, "cuda")
    if seed % 4 == 0:
        got = Session(graph.graph, CUDA_UNFUSED).run(graph.fetches, graph.feeds[0])
        want = Session(graph.graph, REFERENCE).run(graph.fetches, graph.feeds[0])
        check(got, want, graph, "cuda, unfused")


@pytest.mark.parametrize("block", range(5))
def test_random_graphs_in_float64(block: int) -> None:
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        run_one(seed, float64)


def test_random_graphs_in_float32() -> None:
    for seed in range(BLOCK):
        run_one(100_000 + seed, float32, gradients=False)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(40))
def test_many_random_graphs(block: int) -> None:
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        run_one(1_000_000 + seed, float64)


@pytest.mark.parametrize("seed", range(12))
def test_random_loops(seed: int) -> None:
    drawn = RandomLoop(seed)
    results = []
    for config in (CUDA, REFERENCE):
        with tf.Session(config=config) as sess:
            sess.run(tf.global_variables_initializer())
            found = []
            for batch, count, flag in ((3, 2, True), (2, 0, False)):
                value = np.random.default_rng(seed).uniform(-1, 1, (batch, WIDTH))
                feed = {drawn.x: value, drawn.count: count, drawn.flag: flag}
                found += sess.run(drawn.fetches, feed)
            results.append(found)
    for number, (a, b) in enumerate(zip(*results, strict=True)):
        scale = max(1.0, float(np.abs(b).max(initial=0.0)))
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9 * scale, err_msg=str(number))
