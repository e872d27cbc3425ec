"""Convolutions behind which a pool reads less than all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import Config
from graphc.ir.program import Program
from graphc.passes.pipeline import optimize
from tests.helpers import FUSED, program_of

RNG = np.random.default_rng(5)


def extents(fetches: list[Any], feeds: Any, **config: Any) -> list[tuple[int, ...]]:
    """The spatial extents of the convolutions of an optimised program."""
    program: Program = program_of(tf.get_default_graph(), fetches, feeds)
    program = optimize(program, FUSED.replace(**config))
    return [
        n.outputs[0].known_dims[1:-1]  # type: ignore[misc]
        for n in program.nodes
        if n.op.name in ("direct_conv", "matmul")
    ]


def network(x: Any, pool: Any, padding: str = "VALID", filters: int = 16) -> Any:
    w = tf.constant(RNG.standard_normal((3, 3, 4, filters)).astype(np.float32))
    y = tf.nn.bias_add(tf.nn.conv2d(x, w, 1, padding), tf.ones([filters]))
    return pool(tf.nn.relu(y) * 2.0)


def images(height: int, width: int) -> tuple[Any, Any]:
    x = tf.placeholder(tf.float32, [None, height, width, 4])
    return x, {x: RNG.standard_normal((3, height, width, 4)).astype(np.float32)}


POOLS = {
    "max": lambda y: tf.nn.max_pool(y, 2, 2, "VALID"),
    "average": lambda y: tf.nn.avg_pool(y, 2, 2, "VALID"),
    "uneven": lambda y: tf.nn.max_pool(y, [1, 2, 3, 1], [1, 5, 3, 1], "VALID"),
}


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("padding", ["VALID", "SAME"])
@pytest.mark.parametrize("filters", [16, 3])
def test_only_what_a_pool_reads_is_computed(pool: str, padding: str, filters: int) -> None:
    with tf.Graph().as_default() as graph:
        x, feeds = images(13, 15)
        y = network(x, POOLS[pool], padding, filters)
        rows = 11 if padding == "VALID" else 13
        if filters > 3:
            read = (rows - 2) // 5 * 5 + 2 if pool == "uneven" else rows // 2 * 2
            assert [height for height, _ in extents([y], feeds)] == [read]
        want = tf.Session(graph=graph, config=Config(disabled=("crop",))).run(y, feeds)
        validated = Config(validate=True)
        for config in (FUSED, validated):
            got = tf.Session(graph=graph, config=config).run(y, feeds)
            np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)


def test_values_that_others_read_are_computed_in_full() -> None:
    with tf.Graph().as_default():
        x, feeds = images(13, 13)
        w = tf.constant(RNG.standard_normal((3, 3, 4, 16)).astype(np.float32))
        y = tf.nn.relu(tf.nn.conv2d(x, w, 1, "VALID"))
        pooled = tf.nn.max_pool(y, 2, 2, "VALID")
        assert extents([pooled, tf.reduce_sum(y)], feeds) == [(11, 11)]
        assert extents([pooled, y], feeds) == [(11, 11)]
        assert extents([pooled], feeds) == [(10, 10)]


def test_pools_that_read_all_and_sums_of_pictures_leave_the_convolution() -> None:
    with tf.Graph().as_default():
        x, feeds = images(12, 12)
        assert extents([network(x, POOLS["max"])], feeds) == [(10, 10)]
        x, feeds = images(13, 13)
        same = network(x, lambda y: tf.nn.max_pool(y, 2, 2, "SAME"))
        assert extents([same], feeds) == [(11, 11)]
        residual = tf.constant(RNG.standard_normal((1, 11, 11, 16)).astype(np.float32))
        added = network(x, lambda y: tf.nn.max_pool(y + residual, 2, 2, "VALID"))
        assert extents([added], feeds) == [(11, 11)]


def test_convolutions_keep_their_names() -> None:
    with tf.Graph().as_default():
        x, feeds = images(13, 13)
        y = network(x, POOLS["max"])
        program = optimize(program_of(tf.get_default_graph(), [y], feeds), FUSED)
        assert [n.name for n in program.nodes if n.op.name == "direct_conv"] == ["Conv2D"]
