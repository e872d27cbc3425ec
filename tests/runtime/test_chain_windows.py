"""Gradients of attention in windows of scores: when they run so, and that nothing else changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.config import Config
from graphc.passes import recompute
from graphc.runtime import chains as chaining
from graphc.runtime import schedule as scheduling
from graphc.runtime.chain_windows import Windows
from graphc.runtime.chains import Chain

Array = np.ndarray[Any, Any]
Attend = Callable[..., Any]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small scores count as large."""
    for module, name, value in (
        (recompute, "LEAST_BYTES", 1), (recompute, "LEAST_SCORES", 1),
        (recompute, "LEAST_DRAWN", 1), (chaining, "LEAST_BYTES", 1),
        (chaining, "BLOCK_BYTES", 1 << 15),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, value)


def _windows(chains: list[Chain]) -> list[Windows]:
    return [c.blocks for c in chains if isinstance(c.blocks, Windows)]


def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduling, "make_chains", lambda steps, *_: (list(steps), []))


# ------------------------------------------------------------------ ways to write it
def _scaled(q: Any, k: Any, v: Any) -> Any:
    return tf.matmul(tf.nn.softmax(tf.matmul(q, k, transpose_b=True) * 0.125), v)


def _scaled_queries(q: Any, k: Any, v: Any) -> Any:
    """The gradients of the queries have a finish."""
    return tf.matmul(tf.nn.softmax(tf.matmul(q * 0.3, k, transpose_b=True)), v * 2.0)


def _masked(q: Any, k: Any, v: Any) -> Any:
    rows, keys = q.shape.as_list()[-2], k.shape.as_list()[-2]
    mask = tf.constant(np.where(np.tri(rows, keys) > 0, 0.0, -1e9).astype(np.float32))
    scores = tf.matmul(q, k, transpose_b=True) / 3.0 + tf.cast(mask, q.dtype)
    return tf.matmul(tf.nn.softmax(scores), v)


def _dropped(q: Any, k: Any, v: Any) -> Any:
    weights = tf.nn.softmax(tf.matmul(q, k, transpose_b=True))
    return tf.matmul(tf.nn.dropout(weights, rate=0.3, seed=5), v)


def _turned(q: Any, k: Any, v: Any) -> Any:
    """The transpose is an op of its own."""
    last = list(range(len(k.shape)))
    keys = tf.transpose(k, [*last[:-2], last[-1], last[-2]])
    return tf.matmul(tf.nn.softmax(tf.matmul(q, keys)), v)


def _turned_first(q: Any, k: Any, v: Any) -> Any:
    """Keys lie the other way round in memory, and so do their gradients."""
    last = list(range(len(k.shape)))
    keys = tf.tanh(tf.transpose(k, [*last[:-2], last[-1], last[-2]]))
    return tf.matmul(tf.nn.softmax(tf.matmul(q, keys)), v)


def _keys_first(q: Any, k: Any, v: Any) -> Any:
    """As Keras writes it: the scores of keys times queries, turned."""
    last = list(range(len(k.shape)))
    scores = tf.transpose(tf.matmul(k, q, transpose_b=True), [*last[:-2], last[-1], last[-2]])
    return tf.matmul(tf.nn.softmax(scores), v)


@dataclass(frozen=True)
class _Run:
    attend: Attend
    arrays: list[Array]

    def __call__(self, config: Config | None = None) -> list[Array]:
        with tf.Graph().as_default():
            tf.set_random_seed(7)
            kind = self.arrays[0].dtype
            feeds = [tf.placeholder(kind, a.shape) for a in self.arrays]
            out = self.attend(*feeds)
            loss = tf.reduce_sum(tf.square(out) * tf.constant(0.7, kind))
            fetches = [out, *tf.gradients(loss, feeds)]
            with tf.Session(config=config) as sess:
                got: list[Array] = sess.run(fetches, dict(zip(feeds, self.arrays, strict=True)))
                return got


def _operands(
    batch: tuple[int, ...], rows: int, keys: int, depth: int, kind: Any = np.float32
) -> list[Array]:
    rng = np.random.default_rng(rows)
    shapes = [(*batch, rows, depth), (*batch, keys, depth), (*batch, keys, depth)]
    return [rng.standard_normal(s).astype(kind) for s in shapes]


def _assert_same(one: list[Array], other: list[Array]) -> None:
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def _assert_close(one: list[Array], other: list[Array]) -> None:
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6 * np.abs(b).max())


SIZES = [((8,), 208, 192, 16), ((3, 4), 331, 397, 33), ((9,), 195, 300, 64), ((8,), 457, 490, 7)]


@pytest.mark.parametrize(
    "attend", [_scaled, _scaled_queries, _masked, _dropped, _turned, _keys_first]
)
@pytest.mark.parametrize(("batch", "rows", "keys", "depth"), SIZES)
def test_gradients_go_in_windows_with_the_same_bits(
    attend: Attend, batch: tuple[int, ...], rows: int, keys: int, depth: int,
    chains: list[Chain], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    run = _Run(attend, _operands(batch, rows, keys, depth))
    got = run()
    (windows,) = _windows(chains)
    assert (windows.rows, windows.columns) == (rows, keys)
    assert windows.count >= 2
    serial = run(Config(threads=1))
    kept = run(Config(disabled=("recompute",)))
    _plain(monkeypatch)
    _assert_same(got, run())
    _assert_same(got, serial)
    _assert_close(got, kept)


@pytest.mark.parametrize(("batch", "rows", "keys", "depth"), SIZES[:2])
def test_scores_are_the_second_operand(
    batch: tuple[int, ...], rows: int, keys: int, depth: int, chains: list[Chain],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    run = _Run(_turned_first, _operands(batch, rows, keys, depth))
    got = run()
    (windows,) = _windows(chains)
    assert "turned" in windows.roles
    kept = run(Config(disabled=("recompute",)))
    _plain(monkeypatch)
    _assert_same(got, run())
    _assert_close(got, kept)


def test_doubles_and_a_run_time_batch(
    chains: list[Chain], monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = _operands((11,), 140, 150, 24, np.float64)

    def runs() -> list[list[Array]]:
        with tf.Graph().as_default():
            feeds = [tf.placeholder(tf.float64, (None, *a.shape[1:])) for a in arrays]
            out = _scaled(*feeds)
            fetches = [out, *tf.gradients(tf.reduce_sum(tf.square(out)), feeds)]
            with tf.Session() as sess:
                return [
                    sess.run(fetches, {f: a[:n] for f, a in zip(feeds, arrays, strict=True)})
                    for n in (11, 3, 9)
                ]

    got = runs()
    assert _windows(chains)
    _assert_same([a[:3] for a in got[0]], got[1])
    _assert_same([a[:9] for a in got[0]], got[2])
    _plain(monkeypatch)
    _assert_same(got[0], runs()[0])


def test_gradients_against_the_formula(chains: list[Chain]) -> None:
    q, k, v = arrays = _operands((8,), 312, 290, 20)
    out, *gradients = _Run(_scaled, arrays)()
    assert _windows(chains)
    q, k, v = (a.astype(np.float64) for a in (q, k, v))
    scores = q @ k.transpose(0, 2, 1) * 0.125
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    weights = powers / powers.sum(-1, keepdims=True)
    result = weights @ v
    outer = 1.4 * result
    inner = outer @ v.transpose(0, 2, 1)
    slope = weights * (inner - (inner * weights).sum(-1, keepdims=True)) * 0.125
    wanted = [slope @ k, slope.transpose(0, 2, 1) @ q, weights.transpose(0, 2, 1) @ outer]
    _assert_close([out, *gradients], [result, *wanted])


def test_nan_and_infinity_stay(chains: list[Chain]) -> None:
    arrays = _operands((8,), 208, 192, 16)
    arrays[0][1, 5] = np.nan
    arrays[0][2, 7, 3] = np.inf
    arrays[2][3, 4] = -np.inf
    run = _Run(_scaled, arrays)
    got, kept = run(), run(Config(disabled=("recompute",)))
    assert _windows(chains)
    for a, b in zip(got, kept, strict=True):
        np.testing.assert_array_equal(np.isfinite(a), np.isfinite(b))


def test_weights_that_are_fetched_are_kept(chains: list[Chain]) -> None:
    arrays = _operands((8,), 128, 128, 16)
    with tf.Graph().as_default():
        q, k, v = feeds = [tf.placeholder(tf.float32, a.shape) for a in arrays]
        weights = tf.nn.softmax(tf.matmul(q, k, transpose_b=True))
        (slope,) = tf.gradients(tf.reduce_sum(tf.square(tf.matmul(weights, v))), [q])
        with tf.Session() as sess:
            got, _ = sess.run([weights, slope], dict(zip(feeds, arrays, strict=True)))
    assert not _windows(chains)
    np.testing.assert_allclose(got.sum(-1), 1.0, rtol=1e-5)


def test_another_use_of_the_weights(chains: list[Chain], monkeypatch: pytest.MonkeyPatch) -> None:
    """A number made of them in front of the loss, and one behind it."""
    arrays = _operands((8,), 128, 128, 16)

    def run(config: Config | None = None) -> list[Array]:
        with tf.Graph().as_default():
            q, k, v = feeds = [tf.placeholder(tf.float32, a.shape) for a in arrays]
            weights = tf.nn.softmax(tf.matmul(q, k, transpose_b=True))
            sharp = tf.reduce_mean(tf.reduce_max(weights, -1))
            out = tf.matmul(weights, v)
            slopes = tf.gradients(tf.reduce_sum(tf.square(out)) * tf.stop_gradient(sharp), feeds)
            late = tf.reduce_mean(weights * tf.reduce_sum(slopes[0], -1, keepdims=True))
            with tf.Session(config=config) as sess:
                given = dict(zip(feeds, arrays, strict=True))
                got: list[Array] = sess.run([sharp, late, *slopes], given)
                return got

    got = run()
    _assert_close(got, run(Config(disabled=("recompute",))))
    _plain(monkeypatch)
    _assert_same(got, run())


def test_layers_keep_no_scores(chains: list[Chain], monkeypatch: pytest.MonkeyPatch) -> None:
    """Two layers with products between the attentions: memory is that of a few rows."""
    batch, heads, rows, depth = 2, 4, 256, 16
    monkeypatch.setattr(chaining, "BLOCK_BYTES", 1 << 16)

    def arena(config: Config | None = None) -> int:
        width = heads * depth
        with tf.Graph().as_default():
            x = feed = tf.placeholder(tf.float32, (batch, rows, width))
            weights: list[Any] = []
            for _ in range(2):
                own = [tf.Variable(tf.ones((width, width))) for _ in range(4)]
                weights += own
                flat = tf.reshape(x, [-1, width])
                parts = [
                    tf.transpose(
                        tf.reshape(tf.matmul(flat, w), [batch, rows, heads, depth]), [0, 2, 1, 3]
                    )
                    for w in own[:3]
                ]
                joined = tf.transpose(_scaled(*parts), [0, 2, 1, 3])
                out = tf.matmul(tf.reshape(joined, [-1, width]), own[3])
                x = x + tf.reshape(out, [batch, rows, width])
            fetches = tf.gradients(tf.reduce_sum(tf.square(x)), weights)
            with tf.Session(config=config) as sess:
                sess.run(tf.global_variables_initializer())
                report = sess.explain(fetches, {feed: np.ones((batch, rows, width), np.float32)})
                return int(report.arena_bytes)

    less = arena()
    assert len(_windows(chains)) == 2
    scores = batch * heads * rows * rows * 4
    assert arena(Config(disabled=("recompute",))) - less > 1.5 * scores
