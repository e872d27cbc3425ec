"""Bytes and operations of steps, against numbers counted by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.inspect.explain import Explanation
from graphc.inspect.work import compile_seconds, kernel_work, reference_work
from graphc.runtime import stats


@pytest.fixture(autouse=True)
def fresh_graph() -> Iterator[None]:
    tf.reset_default_graph()
    yield
    tf.reset_default_graph()


def explained(fetch: Any, feed: dict[Any, Any] | None = None, **settings: Any) -> Explanation:
    with tf.Session(options=tf.Config(**settings)) as sess:
        sess.run(tf.global_variables_initializer())
        return sess.explain(fetch, feed)  # type: ignore[no-any-return]


def placed(*shape: int) -> tuple[Any, dict[Any, Any]]:
    x = tf.placeholder(tf.float32, [None, *shape[1:]], name="x")
    return x, {x: np.ones(shape, np.float32)}


def test_elementwise_ops_count_once_and_constants_move_nothing() -> None:
    x, feed = placed(1000)
    found = explained(tf.exp(x * 2.0) + 1.0, feed)
    assert found.flops == 3 * 1000
    assert found.bytes_moved == 2 * 4 * 1000


def test_conversions_comparisons_and_integers_count_nothing() -> None:
    x, feed = placed(64)
    y = tf.where(x > 0.0, x, tf.zeros_like(x))
    assert explained(y, feed).flops == 0
    n = tf.cast(x, tf.int32) * 3 + 1
    assert explained(n, feed).flops == 0


def test_a_reduction_adds_every_element() -> None:
    x, feed = placed(64, 128)
    found = explained(tf.reduce_sum(x * x, 1), feed)
    assert found.flops == 2 * 64 * 128
    assert found.bytes_moved == 4 * (64 * 128 + 64)


def test_large_reductions_count_every_chunk() -> None:
    x, feed = placed(300_001)
    found = explained(tf.reduce_sum(x), feed)
    # the sums of chunks are added once more
    assert 300_001 <= found.flops < 300_001 * 1.01


@pytest.mark.parametrize("fuse", [True, False])
def test_products_are_two_operations_for_each_pair(fuse: bool) -> None:
    x, feed = placed(48, 64)
    w = tf.Variable(np.ones((64, 32), np.float32))
    found = explained(tf.nn.relu(tf.matmul(x, w)), feed, fuse=fuse)
    assert found.flops == 2 * 48 * 64 * 32 + 48 * 32
    product, inner = 4 * 48 * 32, 4 * (48 * 64 + 64 * 32)
    assert found.bytes_moved == inner + (product if fuse else 3 * product)


def test_convolutions_leave_out_the_padding() -> None:
    x = tf.placeholder(tf.float32, [2, 8, 8, 16], name="x")
    w = tf.constant(np.ones((3, 3, 16, 16), np.float32))
    y = tf.nn.conv2d(x, w, [1, 1, 1, 1], "VALID")
    found = explained(y, {x: np.ones((2, 8, 8, 16), np.float32)})
    assert found.flops == 2 * 2 * 6 * 6 * 9 * 16 * 16


def test_gathered_rows_count_and_not_the_table() -> None:
    table = tf.Variable(np.ones((10_000, 8), np.float32))
    ids = tf.placeholder(tf.int32, [None], name="ids")
    found = explained(tf.gather(table, ids) * 2.0, {ids: np.arange(16, dtype=np.int32)})
    assert found.bytes_moved == 16 * 4 + 2 * 16 * 8 * 4
    assert found.flops == 16 * 8


def test_slices_count_what_they_take() -> None:
    x, feed = placed(1000, 32)
    found = explained(tf.exp(x[:10]), feed)
    assert found.bytes_moved == 2 * 10 * 32 * 4


def test_scattered_rows_count_and_not_the_variable() -> None:
    table = tf.Variable(np.ones((5000, 4), np.float32))
    ids = tf.constant([1, 7, 7], tf.int32)
    step = tf.scatter_add(table, ids, tf.ones([3, 4]))
    found = explained(step.op)
    (rows,) = (s for s in found.steps if s.kind == "rows" and s.flops)
    assert rows.nbytes == 3 * 4 + 3 * (3 * 4 * 4) and rows.flops == 12


def test_the_reference_counts_every_op_by_itself() -> None:
    x, feed = placed(100)
    y = tf.exp(x) * 2.0
    with tf.Session(options=tf.Config(backend="reference")) as sess:
        sess.run(y, feed)
        handle = sess._handle(y, feed)
        ((plan, symbols),) = handle.runner.plans([feed[x]])
    ops, work, peak = reference_work(plan.program, symbols)
    assert ops == 2
    assert work.read == 2 * 400 + 4 and work.written == 2 * 400
    assert peak == 2 * 400


def test_compiling_again_finds_nothing_in_the_cache_and_keeps_nothing() -> None:
    x, feed = placed(100)
    y = tf.exp(x)
    with tf.Session() as sess:
        sess.run(y, feed)
        ((plan, symbols),) = sess._handle(y, feed).runner.plans([feed[x]])
    before = stats.stats()
    assert compile_seconds(plan, symbols) > 0
    after = stats.stats()
    assert after["modules_compiled"] == before["modules_compiled"] + 1
    assert after["kernels_compiled"] == before["kernels_compiled"]


def test_bounds_of_inner_loops_may_depend_on_outer_ones() -> None:
    x, feed = placed(40_000, 24)
    y = tf.reduce_sum(x, 0)
    with tf.Session() as sess:
        sess.run(y, feed)
        ((plan, symbols),) = sess._handle(y, feed).runner.plans([feed[x]])
        binding = plan.bind(symbols)
        works = [kernel_work(s.kernel, symbols) for s in binding.steps if s.kernel is not None]
    total = sum(w.flops for w in works)
    assert 40_000 * 24 <= total < 1.02 * 40_000 * 24
