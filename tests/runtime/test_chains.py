"""Chains: which steps run product by product, and that nothing changes by it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.config import Config
from graphc.runtime import chains as chaining
from graphc.runtime import schedule as scheduling
from graphc.runtime.chains import Blocks, Chain

Array = np.ndarray[Any, Any]


def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduling, "make_chains", lambda steps, *_: (list(steps), []))


def _attention(q: Any, k: Any, v: Any, mask: Any = None) -> Any:
    scores = tf.matmul(q, k, transpose_b=True) * 0.125
    if mask is not None:
        scores = scores + mask
    return tf.matmul(tf.nn.softmax(scores), v)


def _operands(batch: tuple[int, ...], rows: int, keys: int, depth: int) -> list[Array]:
    rng = np.random.default_rng(rows)
    shapes = [(*batch, rows, depth), (*batch, keys, depth), (*batch, keys, depth)]
    return [rng.standard_normal(s).astype(np.float32) for s in shapes]


def _gradients(
    arrays: list[Array], mask: Array | None = None, config: Config | None = None,
    shapes: list[Any] | None = None,
) -> list[Array]:  # fmt: skip
    """The attention's result and its gradients, in a graph of its own."""
    with tf.Graph().as_default():
        given = [a.shape for a in arrays] if shapes is None else shapes
        feeds = [tf.placeholder(tf.float32, s) for s in given]
        out = _attention(feeds[0], feeds[1], feeds[2], mask)
        loss = tf.reduce_sum(tf.square(out))
        fetches = [out, *tf.gradients(loss, feeds)]
        with tf.Session(config=config) as sess:
            return sess.run(fetches, dict(zip(feeds, arrays, strict=True)))


def _assert_same(one: list[Array], other: list[Array]) -> None:
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("batch", "rows", "keys", "depth"),
    [((16,), 96, 96, 32), ((3, 5), 67, 83, 19), ((9,), 130, 64, 64), ((8,), 200, 31, 5)],
)
def test_attention_runs_product_by_product_with_the_same_bits(
    batch: tuple[int, ...], rows: int, keys: int, depth: int, chains: list[Chain],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    arrays = _operands(batch, rows, keys, depth)
    chained = _gradients(arrays)
    kinds = [m.kind for c in chains for m in c.members]
    assert kinds.count("tile") == 6, "two products forward, four backward"
    assert kinds.count("kernel") >= 2
    serial = _gradients(arrays, config=Config(threads=1))
    _plain(monkeypatch)
    _assert_same(chained, _gradients(arrays))
    _assert_same(chained, serial)


def test_scores_exist_for_the_products_at_work_only(
    chains: list[Chain], monkeypatch: pytest.MonkeyPatch
) -> None:
    def arena_bytes() -> int:
        with tf.Graph().as_default():
            q, k, v = (tf.constant(a) for a in _operands((64,), 128, 128, 16))
            out = _attention(q * tf.placeholder(tf.float32, []), k, v)
            (feed,) = (n.outputs[0] for n in out.graph.get_operations() if n.type == "Placeholder")
            with tf.Session() as sess:
                return sess.explain(out, {feed: 2.0}).arena_bytes

    less = arena_bytes()
    (chain,) = chains
    # the product's scores and the softmax of them share memory
    assert len([s for s in chain.own if "panels" not in str(s.key)]) == 1
    _plain(monkeypatch)
    assert arena_bytes() - less > 40 * 128 * 128 * 4


def test_a_mask_and_a_run_time_batch(chains: list[Chain], monkeypatch: pytest.MonkeyPatch) -> None:
    mask = np.where(np.tri(80, 80) > 0, 0.0, -1e9).astype(np.float32)
    arrays = _operands((24,), 80, 80, 16)
    shapes = [(None, 80, 16)] * 3
    chained = _gradients(arrays, mask, shapes=shapes)
    few = _gradients([a[:3] for a in arrays], mask, shapes=shapes)
    assert chains
    _plain(monkeypatch)
    _assert_same(chained, _gradients(arrays, mask, shapes=shapes))
    _assert_same(few, [a[:3] for a in chained])


def test_another_batch_size_of_the_same_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = (24, 1, 7, 100, 8)

    def runs() -> list[Array]:
        with tf.Graph().as_default():
            feeds = [tf.placeholder(tf.float32, (None, 64, 24)) for _ in range(3)]
            out = _attention(*feeds)
            with tf.Session() as sess:
                return [
                    sess.run(out, dict(zip(feeds, _operands((n,), 64, 64, 24), strict=True)))
                    for n in sizes
                ]

    chained = runs()
    _plain(monkeypatch)
    _assert_same(chained, runs())


@pytest.mark.parametrize("block", [1 << 12, 1 << 14, 1 << 16])
@pytest.mark.parametrize(
    ("batch", "rows", "keys", "depth"),
    [((8,), 200, 200, 16), ((3, 4), 131, 97, 33), ((9,), 64, 300, 64), ((8,), 257, 90, 7)],
)
def test_blocks_of_rows_have_the_same_bits(
    block: int, batch: tuple[int, ...], rows: int, keys: int, depth: int, chains: list[Chain],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(chaining, "BLOCK_BYTES", block)
    arrays = _operands(batch, rows, keys, depth)
    mask = np.where(np.tri(rows, keys) > 0, 0.0, -1e9).astype(np.float32)

    def run(config: Config | None = None) -> Array:
        with tf.Graph().as_default():
            q, k, v = (tf.placeholder(tf.float32, (None, *a.shape[1:])) for a in arrays)
            out = _attention(q, k, v, mask)
            with tf.Session(config=config) as sess:
                result: Array = sess.run(out, dict(zip((q, k, v), arrays, strict=True)))
                return result

    got, serial = run(), run(Config(threads=1))
    blocks = [c.blocks for c in chains]
    cut = [b for b in blocks if isinstance(b, Blocks)]
    assert len(cut) == len(blocks) or block > 1 << 14
    assert all(b.rows == rows and 2 * b.size <= rows for b in cut)
    _plain(monkeypatch)
    wanted = run()
    np.testing.assert_array_equal(got, wanted)
    np.testing.assert_array_equal(serial, wanted)


def test_long_sequences_need_little_memory(chains: list[Chain]) -> None:
    with tf.Graph().as_default():
        q, k, v = (tf.placeholder(tf.float32, a.shape) for a in _operands((8,), 1024, 1024, 64))
        out = _attention(q, k, v)
        with tf.Session() as sess:
            feeds = dict(zip((q, k, v), _operands((8,), 1024, 1024, 64), strict=True))
            report = sess.explain(out, feeds)
    (chain,) = chains
    assert chain.blocks is not None
    assert any("in blocks of" in s.name for s in report.steps)
    scores = 8 * 1024 * 1024 * 4
    assert report.arena_bytes < scores / 4


def test_gradients_of_long_sequences_go_by_products(
    chains: list[Chain], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A weight's gradient adds up rows: such a chain has no blocks."""
    monkeypatch.setattr(chaining, "BLOCK_BYTES", 1 << 12)
    arrays = _operands((8,), 150, 150, 32)
    chained = _gradients(arrays)
    assert any(c.blocks is None for c in chains)
    _plain(monkeypatch)
    _assert_same(chained, _gradients(arrays))


def test_what_reads_other_products_ends_a_chain(chains: list[Chain]) -> None:
    """The second product reads the scores of all batches: it cannot run beside their making."""
    arrays = _operands((16,), 64, 64, 64)
    with tf.Graph().as_default():
        q, k, _ = (tf.placeholder(tf.float32, a.shape) for a in arrays)
        scores = tf.matmul(q, k, transpose_b=True)
        turned = tf.matmul(tf.reverse(scores, [0]), tf.nn.relu(scores))
        with tf.Session() as sess:
            got = sess.run(turned, {q: arrays[0], k: arrays[1]})
    wanted = arrays[0] @ arrays[1].transpose(0, 2, 1)
    np.testing.assert_allclose(got, wanted[::-1] @ np.maximum(wanted, 0), rtol=1e-4, atol=1e-3)
    for chain in chains:
        assert not any("reverse" in n.op.name for m in chain.members for n in m.nodes)


def test_fetched_scores_are_kept(chains: list[Chain]) -> None:
    arrays = _operands((16,), 96, 96, 16)
    with tf.Graph().as_default():
        q, k, v = (tf.placeholder(tf.float32, a.shape) for a in arrays)
        scores = tf.matmul(q, k, transpose_b=True)
        weights = tf.nn.softmax(scores)
        out = tf.matmul(weights, v)
        with tf.Session() as sess:
            feeds = dict(zip((q, k, v), arrays, strict=True))
            raw, soft, _ = sess.run([scores, weights, out], feeds)
    wanted = arrays[0] @ arrays[1].transpose(0, 2, 1)
    np.testing.assert_allclose(raw, wanted, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(soft.sum(-1), 1.0, rtol=1e-5)


def test_validation_and_unfused_plans_have_none(chains: list[Chain]) -> None:
    arrays = _operands((16,), 96, 96, 16)
    validated = _gradients(arrays, config=Config(validate=True))
    unfused = _gradients(arrays, config=Config(fuse=False))
    assert not chains
    chained = _gradients(arrays)
    _assert_same(chained, validated)
    for a, b in zip(chained, unfused, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_a_report_shows_the_chain_and_its_time() -> None:
    arrays = _operands((16,), 96, 96, 16)
    with tf.Graph().as_default():
        feeds = [tf.placeholder(tf.float32, a.shape) for a in arrays]
        out = _attention(*feeds)
        given = dict(zip(feeds, arrays, strict=True))
        with tf.Session(config=Config(profile=True)) as sess:
            sess.run(out, given)
            report = sess.explain(out, given)
    steps = [s for s in report.steps if s.kind == "chain"]
    assert [s.calls for s in steps] == [1]
    inside = [s.name for s in report.steps if s.depth == 1]
    assert len(inside) == 3
    assert len(report.kernels) == 3


def test_loops_have_none(chains: list[Chain], monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = _operands((16,), 96, 96, 32)

    def run() -> list[Array]:
        with tf.Graph().as_default():
            q, k, v = (tf.placeholder(tf.float32, a.shape) for a in arrays)
            _, inside = tf.while_loop(
                lambda i, x: i < 3, lambda i, x: (i + 1, _attention(x, k, v)), [0, q]
            )
            outside = _attention(inside, k, v)
            with tf.Session() as sess:
                return sess.run([inside, outside], dict(zip((q, k, v), arrays, strict=True)))

    got = run()
    assert len(chains) == 1, "the one behind the loop"
    _plain(monkeypatch)
    _assert_same(got, run())
