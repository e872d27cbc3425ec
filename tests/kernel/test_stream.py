"""Stores past the caches: which there are, and that values do not change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import Config
from graphc.kernel import stream
from graphc.runtime import plan as plans
from graphc.runtime.instance import POOLED_BYTES

MEGABYTE = 1 << 20
RNG = np.random.default_rng(11)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outputs of 1 MB count as large: from there on results begin on a cache line."""
    assert POOLED_BYTES == MEGABYTE <= stream.LARGE_BYTES
    monkeypatch.setattr(stream, "LARGE_BYTES", MEGABYTE)


def _streams(fetch: Any, feed: Any) -> list[bool]:
    with tf.Session() as sess:
        return ["streamed" in s.nest for s in sess.explain(fetch, feed).kernels]


def test_a_large_output_goes_past_the_caches() -> None:
    x = tf.placeholder(tf.float32, (1 << 22,))
    data = RNG.standard_normal(1 << 22).astype(np.float32)
    y = x * 2.0 + 1.0
    assert _streams(y, {x: data}) == [True]
    with tf.Session() as sess:
        np.testing.assert_array_equal(sess.run(y, {x: data}), data * np.float32(2) + np.float32(1))
    half = tf.placeholder(tf.float32, (1 << 21,))
    assert _streams(half * 2.0, {half: data[: 1 << 21]}) == [False]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "float16", "uint8"])
@pytest.mark.parametrize("count", [1 << 18, 262145, 300007, 1 << 20])
def test_whole_lines_and_tails(small: None, dtype: str, count: int) -> None:
    x = tf.placeholder(dtype, (count,))
    data = RNG.integers(0, 100, count).astype(dtype)
    y = x + x
    for config in (Config(), Config(threads=1)):
        with tf.Session(config=config) as sess:
            np.testing.assert_array_equal(sess.run(y, {x: data}), data + data)
    nbytes = count * np.dtype(dtype).itemsize
    assert _streams(y, {x: data}) == [nbytes >= MEGABYTE]


@pytest.mark.parametrize(
    ("columns", "streams"), [(304, True), (1040, True), (1000, False), (999, False)]
)
def test_rows_must_begin_on_a_line(small: None, columns: int, streams: bool) -> None:
    x = tf.placeholder(tf.float32, (997, columns))
    data = RNG.standard_normal((997, columns)).astype(np.float32)
    data[5, 7], data[6, 8] = np.nan, np.inf
    y = (x - tf.reduce_mean(x, 1, keepdims=True)) * 2.0
    assert _streams(y, {x: data}) == [streams]
    with tf.Session() as sess:
        got = sess.run(y, {x: data})
    with tf.Session(config=Config(codegen="numba")) as sess:
        np.testing.assert_allclose(got, sess.run(y, {x: data}), rtol=1e-4, atol=1e-5)


def test_what_is_read_in_the_same_kernel_stays_in_the_cache(small: None) -> None:
    v = tf.Variable(np.ones(MEGABYTE, np.float32))
    x = tf.placeholder(tf.float32, (MEGABYTE,))
    update = tf.assign_add(v, x).op
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        nests = [s.nest for s in sess.explain(update, {x: np.ones(MEGABYTE, np.float32)}).kernels]
        assert not any("streamed" in n for n in nests)


def test_readers_behind_a_stream_see_it(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two kernels on two threads: a piece is done only when its stores are."""
    x = tf.placeholder(tf.float32, (MEGABYTE,))
    fetches = [x * 3.0, tf.reduce_sum(tf.reverse(x * 3.0, [0])[: MEGABYTE // 2])]
    data = RNG.standard_normal(MEGABYTE).astype(np.float32)
    with tf.Session() as sess:
        streamed = [sess.run(fetches, {x: data}) for _ in range(30)]
    monkeypatch.setattr(plans, "streamed", lambda kernel: kernel)
    with tf.Session() as sess:
        wanted = sess.run(fetches, {x: data})
    for got in streamed:
        np.testing.assert_array_equal(got[0], wanted[0])
        assert got[1] == wanted[1]


def test_values_that_a_row_needs_again_get_a_row_of_their_own(small: None) -> None:
    x = tf.placeholder(tf.float32, (1037, 256))
    data = RNG.standard_normal((1037, 256)).astype(np.float32) * 4
    data[3, 5], data[4, 6], data[5, :] = np.nan, np.inf, -np.inf
    y = tf.nn.softmax(x)
    with tf.Session() as sess:
        got = sess.run(y, {x: data})
        (step,) = sess.explain(y, {x: data}).kernels
    assert "row row0: float32 x256" in step.nest and "np.empty(256" in step.source
    assert "inplace" not in step.nest
    for config in (Config(threads=1), Config(codegen="numba"), Config(validate=True)):
        with tf.Session(config=config) as sess:
            np.testing.assert_allclose(got, sess.run(y, {x: data}), rtol=2e-6)
    wide = data.astype(np.float64)
    with np.errstate(invalid="ignore"):
        exact = np.exp(wide - wide.max(1, keepdims=True))
        exact /= exact.sum(1, keepdims=True)
    np.testing.assert_allclose(got, exact, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("columns", [64, 100, 8192, 9000])
def test_rows_of_any_length_agree(small: None, columns: int) -> None:
    x = tf.placeholder(tf.float64, (2500000 // columns, columns))
    data = RNG.standard_normal(x.shape.as_list())
    fetches = [tf.nn.softmax(x), tf.nn.log_softmax(x), tf.nn.l2_normalize(tf.exp(x), 1)]
    with tf.Session() as sess:
        got = sess.run(fetches, {x: data})
    with tf.Session(config=Config(fuse=False)) as sess:
        wanted = sess.run(fetches, {x: data})
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_the_source_of_a_kernel_with_a_row_runs_as_it_stands(small: None) -> None:
    x = tf.placeholder(tf.float32, (1037, 256))
    data = RNG.standard_normal((1037, 256)).astype(np.float32)
    y = tf.nn.softmax(x)
    with tf.Session() as sess:
        wanted = sess.run(y, {x: data})
        (step,) = sess.explain(y, {x: data}).kernels
    scope: dict[str, Any] = {}
    exec(step.source, scope)
    function = next(f for n, f in scope.items() if n.startswith("softmax"))
    out = np.empty(8 * 256, np.float32)
    function(data[:8].ravel(), out, 0, 8)
    np.testing.assert_allclose(out.reshape(8, 256), wanted[:8], rtol=1e-5)
