"""Random graphs: fused, unfused and reference agree, at two batch sizes, in any layout of feeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc.ir.dtypes import DType, float32, float64
from graphc.runtime.stats import STATS
from tests.every_op import laid_out
from tests.helpers import FUSED, REFERENCE, UNFUSED, Array, Session
from tests.random_graphs import BATCHES, RandomGraph

BLOCK = 25


def check(got: list[Array], want: list[Array], graph: RandomGraph, how: str) -> None:
    exact = graph.dtype is float64
    for tensor, a, b in zip(graph.fetches, got, want, strict=True):
        what = f"seed {graph.seed}, {how}, {tensor.text_name}: {' '.join(graph.steps)}"
        assert a.dtype == tensor.dtype.np and a.shape == b.shape, what
        scale = max(1.0, float(np.abs(b).max(initial=0.0)))
        rtol = 1e-9 if exact else 3e-3
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * scale, err_msg=what)


def run_one(
    seed: int,
    dtype: DType,
    gradients: bool = True,
    batches: tuple[int, int] = BATCHES,
    **sizes: Any,
) -> None:
    graph = RandomGraph(seed, dtype, gradients, batches, **sizes)
    if not graph.tame:
        return
    first, second = graph.feeds
    want = Session(graph.graph, REFERENCE).run(graph.fetches, first)
    unfused = Session(graph.graph, UNFUSED).run(graph.fetches, first)
    check(unfused, want, graph, "unfused")
    session = Session(graph.graph, FUSED)
    check(session.run(graph.fetches, first), want, graph, "fused")
    layout = ("reversed", "strided", "transposed")[seed % 3]
    turned = {t: laid_out(a, layout) for t, a in first.items()}
    check(session.run(graph.fetches, turned), want, graph, layout)
    want = Session(graph.graph, REFERENCE).run(graph.fetches, second)
    check(session.run(graph.fetches, second), want, graph, "second batch size")


@pytest.mark.parametrize("block", range(20))
def test_random_graphs_in_float64(block: int) -> None:
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        run_one(seed, float64)


@pytest.mark.parametrize("block", range(3))
def test_random_graphs_in_float32(block: int) -> None:
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        run_one(100_000 + seed, float32, gradients=False)


@pytest.mark.parametrize("batches", ((1, 4), (4, 1), (0, 3), (3, 0)), ids=str)
def test_batches_of_one_and_none(batches: tuple[int, int]) -> None:
    for seed in range(BLOCK):
        run_one(200_000 + seed, float64, batches=batches)


def test_tensors_that_are_split_between_threads() -> None:
    """Large extents: chunks of reductions, vector tails, pieces for the workers."""
    for seed in range(BLOCK):
        sizes = {"extents": (1, 3, 37, 130), "max_elements": 300_000}
        run_one(300_000 + seed, float64, batches=(211, 64), **sizes)


@pytest.mark.parametrize("seed", [701_128, 701_320])
def test_divided_indices_in_long_bodies_are_vector_code(seed: int) -> None:
    """Loads in two forms, for whole vectors and for the tail, may both raise a status bit."""
    before = len(STATS.read()["kernel_fallbacks"])
    run_one(seed, float64, batches=(9, 96), extents=(1, 8, 64, 96), max_elements=100_000)
    assert len(STATS.read()["kernel_fallbacks"]) == before


def test_the_number_of_threads_changes_no_bit() -> None:
    for seed in range(12):
        sizes = {"extents": (1, 3, 37, 130), "max_elements": 300_000}
        graph = RandomGraph(400_000 + seed, float32, True, (211, 64), **sizes)
        one, two = (
            Session(graph.graph, FUSED.replace(threads=n)).run(graph.fetches, graph.feeds[0])
            for n in (1, 2)
        )
        for tensor, a, b in zip(graph.fetches, one, two, strict=True):
            assert a.tobytes() == b.tobytes(), f"seed {seed}, {tensor.text_name}"


@pytest.mark.slow
@pytest.mark.parametrize("block", range(100))
def test_many_random_graphs(block: int) -> None:
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        run_one(1_000_000 + seed, float64)


def test_another_batch_size_builds_nothing() -> None:
    """The second batch size runs in the plans and kernels of the first, in most graphs."""
    kept = 0
    for seed in range(20):
        graph = RandomGraph(seed, float64, with_gradients=False)
        session = Session(graph.graph, FUSED)
        session.run(graph.fetches, graph.feeds[0])
        before = STATS.read()
        session.run(graph.fetches, graph.feeds[1])
        after = STATS.read()
        kept += before["plans_built"] == after["plans_built"]
        if before["plans_built"] == after["plans_built"]:
            assert before["kernels_compiled"] == after["kernels_compiled"]
    assert kept >= 15
