"""Sessions on a GPU: variables that stay there, host steps between kernels, errors, memory."""

from __future__ import annotations

import ctypes
import gc
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.runtime.gpu.device import absence, find_device
from graphc.runtime.gpu.pool import DevicePool, pool_of, rounded
from tests.gpu.ways import CUDA

# the simulator has two; a machine may have one
needs_two = pytest.mark.skipif(absence(1) is not None, reason="there is one GPU")


def both(build: Any, runs: int = 3) -> list[list[Any]]:
    """What build() -> (fetches, feeds) gives on the CPU and on the GPU, run after run."""
    fetches, feeds = build()
    results = []
    for config in (None, CUDA):
        with tf.Session(config=config) as sess:
            sess.run(tf.global_variables_initializer())
            results.append([sess.run(fetches, feeds) for _ in range(runs)])
    return results


def assert_alike(results: list[list[Any]], rtol: float = 1e-5) -> None:
    for one, other in zip(*results, strict=True):
        for a, b in zip(one, other, strict=True):
            if a is None or isinstance(a, bytes):
                assert a == b
            else:
                np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-6)


def test_training_steps_are_the_cpus() -> None:
    def build() -> Any:
        tf.set_random_seed(1)
        x, y = tf.placeholder(tf.float32, [None, 6]), tf.placeholder(tf.int64, [None])
        h = tf.layers.dense(x, 8, tf.nn.relu)
        h = tf.layers.batch_normalization(h, training=True)
        logits = tf.layers.dense(h, 3)
        loss = tf.losses.sparse_softmax_cross_entropy(y, logits)
        step = tf.train.get_or_create_global_step()
        train = tf.train.AdamOptimizer(0.1).minimize(loss, global_step=step)
        rng = np.random.RandomState(0)
        feed = {x: rng.randn(5, 6).astype(np.float32), y: rng.randint(0, 3, 5)}
        return [loss, train, step, *tf.trainable_variables()], feed

    assert_alike(both(build), rtol=2e-4)


def test_runs_again_are_one_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the third run on; variables that move are captured anew."""
    v = tf.get_variable("v", [4], initializer=tf.ones_initializer())
    x = tf.placeholder(tf.float32, [4])
    a = tf.assign_add(v, x)
    square = tf.reshape(x, [2, 2])
    fetches = [a, tf.reduce_max(x), tf.cumsum(x), tf.matmul(square, square)]
    device = find_device(0)
    calls = {"launch": 0, "replay": 0}
    for name in calls:
        kept = getattr(device, name)

        def counted(*args: Any, name: str = name, kept: Any = kept) -> None:
            calls[name] += 1
            kept(*args)

        monkeypatch.setattr(device, name, counted)
    with tf.Session(config=CUDA) as sess:
        sess.run(tf.global_variables_initializer())
        want = np.ones(4)
        seen = []
        for k in range(6):
            calls["launch"] = 0
            want = want + k
            got = sess.run(fetches, {x: np.full(4, k)})
            np.testing.assert_allclose(got[0], want)
            np.testing.assert_allclose(got[2], np.arange(1, 5) * k)
            seen.append(calls["launch"])
        assert calls["replay"] == 4 and seen[0] == seen[1] > 2 and seen[3] == seen[5] == 0
        v.load(np.zeros(4, np.float32), sess)
        np.testing.assert_allclose(sess.run(fetches, {x: np.ones(4)})[0], np.ones(4))


def test_loops_that_count_do_not_ask_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their turns are known when they begin: nested ones, with several bounds, begun again."""
    n = tf.placeholder(tf.int32, [])
    x = tf.placeholder(tf.float32, [None])

    def inner(i: Any, a: Any) -> Any:
        return tf.while_loop(lambda k, b: k < i, lambda k, b: (k + 2, b * 1.5), [0, a])[1]

    out = tf.while_loop(
        lambda i, a: tf.logical_and(i < n, i < tf.size(x) + 2),
        lambda i, a: (i + 1, inner(i, a) + 1.0), [0, x],
    )  # fmt: skip
    asked = tf.while_loop(lambda a: tf.reduce_sum(a) < 50.0, lambda a: a * 2.0, [x])

    def wanted(count: int, size: int) -> np.ndarray:
        value = np.ones(size)
        for i in range(min(count, size + 2)):
            value = value * 1.5 ** len(range(0, i, 2)) + 1.0
        return value

    device = find_device(0)
    read: list[int] = []
    kept = device.get
    monkeypatch.setattr(device, "get", lambda at, array: (read.append(array.size), kept(at, array)))
    with tf.Session(config=CUDA) as sess:
        for count, size in ((4, 3), (0, 3), (9, 2), (1, 1)):
            got = sess.run(out, {n: count, x: np.ones(size)})
            np.testing.assert_allclose(got[1], wanted(count, size), rtol=1e-6)
            assert got[0] == min(count, size + 2)
        before = len(read)
        sess.run(out, {n: 4, x: np.ones(3)})
        assert len(read) - before < 16
        np.testing.assert_allclose(sess.run(asked, {x: [1.0, 2.0]}), [32.0, 64.0])


def test_host_steps_between_kernels() -> None:
    def build() -> Any:
        v = tf.Variable(np.arange(6.0).reshape(3, 2).astype(np.float32))
        table = tf.Variable(np.ones((5, 4), np.float32))
        ids = tf.placeholder(tf.int32, [None])
        loss = tf.reduce_sum(tf.square(tf.nn.embedding_lookup(table, ids) - 2.0))
        step = tf.train.get_or_create_global_step()
        train = tf.train.MomentumOptimizer(0.1, 0.9).minimize(loss, global_step=step)
        added = tf.assign_add(v, tf.ones_like(v))
        doubled = tf.py_func(lambda x: x * 2, [v], tf.float32)
        text = tf.string_join([tf.as_string(step), "x"])
        kinds = tf.unique(tf.gather(ids, [0, 1, 1]))[0]
        fetches = [loss, train, added, doubled + 1.0, text, kinds, tf.where(v > 2.0), v]
        return fetches, {ids: [0, 2, 2, 4]}

    assert_alike(both(build))


def test_training_through_a_loop() -> None:
    """More steps than a stack has rows at first."""

    def build() -> Any:
        tf.set_random_seed(2)
        x = tf.placeholder(tf.float32, [None, None, 1])
        cell = tf.nn.rnn_cell.BasicRNNCell(2)
        outs, _ = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)
        loss = tf.reduce_mean(tf.square(outs - 0.3))
        train = tf.train.GradientDescentOptimizer(0.5).minimize(loss)
        feed = {x: np.random.RandomState(0).randn(1, 17, 1).astype(np.float32)}
        return [loss, train, *tf.trainable_variables()], feed

    assert_alike(both(build, 1), rtol=2e-4)


def test_values_move_between_host_and_device(tmp_path: Path) -> None:
    v = tf.get_variable("v", [3], initializer=tf.ones_initializer())
    more = tf.assign_add(v, [1.0, 2.0, 3.0])
    saver = tf.train.Saver()
    with tf.Session(config=CUDA) as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(more)
        path = saver.save(sess, str(tmp_path / "model"))
        assert v.eval().tolist() == [2.0, 3.0, 4.0]
        v.load(np.full(3, 7.0, np.float32), sess)
        assert sess.run(more).tolist() == [8.0, 9.0, 10.0]
        assert sess.run(v).tolist() == [8.0, 9.0, 10.0]
        saver.restore(sess, path)
        assert sess.run(more).tolist() == [3.0, 5.0, 7.0]


def test_variables_of_a_session_with_plans_on_both() -> None:
    """Each plan sees what the other one has written."""
    v = tf.Variable([1.0, 2.0])
    with tf.device("/gpu:0"):
        there = tf.assign_add(v, v * 2.0)
    here = tf.assign_sub(v, [1.0, 1.0])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in range(2):
            before = sess.run(v)
            assert sess.run(there).tolist() == (before * 3).tolist()
            assert sess.run(here).tolist() == (before * 3 - 1).tolist()
            assert sess.run(v).tolist() == (before * 3 - 1).tolist()


@needs_two
def test_towers_on_two_devices() -> None:
    """Each tower's gradients on its own GPU; the average and the updates behind both."""
    x = tf.placeholder(tf.float32, [4, 3])
    w = tf.Variable(np.full((3, 2), 0.5, np.float32))
    optimizer = tf.train.GradientDescentOptimizer(0.1)
    towers = []
    for k, part in enumerate(tf.split(x, 2)):
        with tf.device(f"/gpu:{k}"):
            loss = tf.reduce_sum(tf.square(tf.tanh(tf.matmul(part, w))))
            towers.append((loss, tf.gradients(loss, w, colocate_gradients_with_ops=True)[0]))
    mean = (towers[0][1] + towers[1][1]) / 2.0
    train = optimizer.apply_gradients([(mean, w)])
    fetches = [towers[0][0], towers[1][0], mean, train]
    feed = {x: np.random.RandomState(0).randn(4, 3)}
    results = []
    for config in (tf.ConfigProto(allow_soft_placement=True), tf.Config(backend="reference")):
        with tf.Session(config=config) as sess:
            sess.run(tf.global_variables_initializer())
            results.append([[*sess.run(fetches, feed)[:3], sess.run(w)] for _ in range(3)])
            if len(results) == 1:
                (plans,) = [s for s in tf.get_default_graph()._stages.values() if len(s) > 1]
                used = [type(s.variants[0].plan).__name__ for s in plans]
                devices = [s.variants[0].plan.device.ordinal for s in plans[:2]]
    assert used[:2] == ["GpuPlan", "GpuPlan"] and devices == [0, 1]
    assert_alike(results, rtol=1e-4)


@needs_two
def test_a_chain_over_two_devices() -> None:
    x = tf.placeholder(tf.float32, [None, 2])
    with tf.device("/gpu:1"):
        a = tf.sin(x)
    with tf.device("/gpu:0"):
        b = tf.matmul(a, a, transpose_b=True)
    with tf.device("/gpu:1"):
        c = tf.nn.softmax(b) + tf.reduce_sum(a)
    value = np.random.RandomState(0).randn(3, 2).astype(np.float32)
    with tf.Session() as sess:
        for size in (3, 2):
            got = sess.run([c, a], {x: value[:size]})
            s = np.sin(value[:size])
            e = np.exp(s @ s.T)
            np.testing.assert_allclose(got[0], e / e.sum(1, keepdims=True) + s.sum(), rtol=1e-5)
            np.testing.assert_allclose(got[1], s, rtol=1e-5)


def test_shapes_change_and_are_assigned() -> None:
    v = tf.Variable([1.0, 2.0], validate_shape=False)
    x = tf.placeholder(tf.float32, [None])
    grown = tf.assign(v, x, validate_shape=False)
    with tf.Session(config=CUDA) as sess:
        sess.run(tf.global_variables_initializer())
        for size in (3, 5, 5, 0, 2):
            assert sess.run(grown, {x: np.arange(size)}).shape == (size,)
            assert sess.run(v * 2.0).shape == (size,)


def test_an_error_leaves_variables_as_they_were() -> None:
    v = tf.Variable(np.zeros((3, 2), np.float32))
    ids = tf.placeholder(tf.int32, [None])
    update = tf.assign_add(v, tf.ones_like(v))
    with tf.Session(config=CUDA) as sess:
        with pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized value"):
            sess.run(v)
        sess.run(tf.global_variables_initializer())
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[1\] = 9 is not in \[0, 3\)"):
            sess.run([tf.gather(v, ids), update], {ids: [0, 9]})
        assert not sess.run(v).any()
        sess.run([tf.gather(v, ids), update], {ids: [0, 1]})
        assert sess.run(v).all()


def test_validation_looks_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    w = tf.Variable(np.full((3, 2), 0.5, np.float32))
    h = tf.while_loop(lambda i, h: i < 3, lambda i, h: (i + 1, tf.tanh(h)), [0, tf.matmul(x, w)])
    loss = tf.reduce_sum(tf.square(h[1]))
    train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    feed = {x: np.random.RandomState(0).randn(4, 3)}
    with tf.Session(config=CUDA.replace(validate=True)) as sess:
        sess.run(tf.global_variables_initializer())
        first = sess.run([loss, train], feed)[0]
        assert sess.run([loss, train], feed)[0] < first
        device = find_device(0)
        kept = device.launch

        def wrong(function: Any, shape: Any, words: Any, arguments: Any) -> None:
            kept(function, shape, words, arguments)
            address = ctypes.c_uint64.from_address(words[1]).value
            device.zero(address, 4)

        monkeypatch.setattr(device, "launch", wrong)
        with pytest.raises(tf.errors.InternalError):
            sess.run(tf.sin(x) + 2.0, feed)


def test_random_bits_are_the_cpus() -> None:
    def build() -> Any:
        tf.set_random_seed(3)
        x = tf.random_normal([7, 5])
        return [x, tf.random_uniform([3]), tf.nn.dropout(tf.ones([4, 4]), 0.5)], {}

    assert_alike(both(build), rtol=1e-6)


def test_threads_share_a_session() -> None:
    v = tf.Variable(0.0)
    more = tf.assign_add(v, 1.0)
    with tf.Session(config=CUDA) as sess:
        sess.run(tf.global_variables_initializer())
        work = [threading.Thread(target=lambda: [sess.run(more) for _ in range(5)])
                for _ in range(3)]  # fmt: skip
        for thread in work:
            thread.start()
        for thread in work:
            thread.join()
        assert sess.run(v) == 15.0


# ------------------------------------------------------------------ memory
def test_memory_is_lent_again() -> None:
    device = find_device(0)
    x = tf.placeholder(tf.float32, [None, 4])
    y = tf.nn.softmax(x * 2.0)
    with tf.Session(config=CUDA) as sess:
        sess.run(y, {x: np.ones((3, 4))})
        held = pool_of(device).stats()["gpu0_lent_bytes"]
        for _ in range(3):
            sess.run(y, {x: np.ones((3, 4))})
        assert pool_of(device).stats()["gpu0_lent_bytes"] == held
    del sess
    tf.reset_default_graph()
    gc.collect()
    assert pool_of(device).stats()["gpu0_lent_bytes"] < held


def test_too_little_memory_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    device = find_device(0)
    pool = DevicePool(device)

    def refuse(nbytes: int) -> int:
        raise MemoryError

    kept = pool.take(1000, "a test")
    monkeypatch.setattr(device, "allocate", refuse)
    with pytest.raises(tf.errors.ResourceExhaustedError) as caught:
        pool.take(1 << 30, "a plan's temporaries")
    text = str(caught.value)
    assert "OOM when allocating 1,073,741,824 bytes on /device:GPU:0" in text
    assert "a plan's temporaries" in text and f"{rounded(kept.nbytes):,} are held" in text


def test_a_run_without_memory_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    v = tf.Variable(np.ones(4, np.float32))
    x = tf.placeholder(tf.float32, [None, 4])
    update = tf.assign_add(v, tf.reduce_sum(tf.matmul(x, x, transpose_a=True), 0))
    with tf.Session(config=CUDA) as sess:
        sess.run(tf.global_variables_initializer())
        device = find_device(0)
        pool_of(device).trim()
        with monkeypatch.context() as patch:
            patch.setattr(type(device), "allocate", _refuse)
            with pytest.raises(tf.errors.ResourceExhaustedError, match="OOM when allocating"):
                sess.run(update, {x: np.ones((2, 4))})
        assert sess.run(v).tolist() == [1.0] * 4
        assert sess.run(update, {x: np.ones((2, 4))}).tolist() == [9.0] * 4


def _refuse(self: Any, nbytes: int) -> int:
    raise MemoryError


def test_a_run_that_waits_holds_nobody_up() -> None:
    """One thread waits for an element of a queue; another one's run puts it there."""
    queue = tf.FIFOQueue(4, tf.float32, shapes=[[2]])
    x = tf.placeholder(tf.float32, [2])
    put, taken = queue.enqueue(tf.sin(x) * 2.0), queue.dequeue() + 1.0
    got: list[Any] = []
    with tf.Session(config=CUDA) as sess:
        waiting = threading.Thread(target=lambda: got.append(sess.run(taken)))
        waiting.start()
        sess.run(put, {x: [0.0, 1.0]})
        waiting.join(20)
        assert not waiting.is_alive()
    np.testing.assert_allclose(got[0], np.sin([0.0, 1.0]) * 2 + 1, rtol=1e-6)
