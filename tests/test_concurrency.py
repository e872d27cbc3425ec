"""Many threads in Session.run at once: exact results, no lost update, errors that stay apart."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as tf

THREADS = 8


def in_threads(work: Callable[[int], None], count: int = THREADS) -> None:
    """Runs work(0), work(1), ... at once and raises what the first of them raised."""
    errors: list[BaseException] = []
    gate = threading.Barrier(count)

    def body(number: int) -> None:
        try:
            gate.wait()
            work(number)
        except BaseException as err:
            errors.append(err)

    threads = [threading.Thread(target=body, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), "a run does not end"
    if errors:
        raise errors[0]


@pytest.fixture(autouse=True)
def own_graph() -> Any:
    with tf.Graph().as_default():
        yield


@pytest.mark.parametrize("size", [3, 1000, 300_000])
def test_one_fetch_from_many_threads(size: int) -> None:
    x = tf.placeholder(tf.float32, [None])
    y = tf.tanh(x * 2.0) + tf.exp(-x * x)
    total = tf.reduce_sum(y)
    with tf.Session() as sess:
        data = [np.linspace(-n, n + 1, size, dtype=np.float32) for n in range(THREADS)]
        wanted = [sess.run([y, total], {x: d}) for d in data]

        def work(number: int) -> None:
            for turn in range(20):
                pick = (number + turn) % THREADS
                got, found = sess.run([y, total], {x: data[pick]})
                np.testing.assert_array_equal(got, wanted[pick][0])
                assert found == wanted[pick][1]

        in_threads(work)


def test_first_runs_of_different_shapes_and_fetches_at_once() -> None:
    x = tf.placeholder(tf.float32, [None, 16])
    weights = tf.Variable(np.eye(16, dtype=np.float32))
    fetches = [tf.matmul(x, weights) * (k + 1.0) for k in range(4)]
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())

        def work(number: int) -> None:
            for turn in range(10):
                rows, k = 1 + (number * 7 + turn) % 13, (number + turn) % 4
                data = np.full((rows, 16), number, np.float32)
                np.testing.assert_array_equal(sess.run(fetches[k], {x: data}), data * (k + 1))

        in_threads(work)


@pytest.mark.parametrize("size", [1, 1000, 2_000_000])
def test_no_update_is_lost(size: int) -> None:
    v = tf.Variable(tf.zeros([size]))
    step = tf.assign_add(v, tf.ones([size]))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        turns = 25

        def work(number: int) -> None:
            for _ in range(turns):
                sess.run(step.op)

        in_threads(work)
        value = sess.run(v)
        assert value.min() == value.max() == THREADS * turns


def test_updates_of_several_variables_stay_together() -> None:
    a = tf.Variable(tf.zeros([200_000]))
    b = tf.Variable(tf.zeros([200_000]))
    one = tf.ones([200_000])
    step = tf.group(tf.assign_add(a, one), tf.assign(b, a + one))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        in_threads(lambda number: [sess.run(step) for _ in range(10)] and None)
        np.testing.assert_array_equal(*sess.run([a, b]))


def test_initialisers_and_readers_at_once() -> None:
    v = tf.Variable(tf.fill([100_000], 3.0))
    init, total = v.initializer, tf.reduce_mean(v)
    with tf.Session() as sess:
        sess.run(init)

        def work(number: int) -> None:
            for _ in range(20):
                if number % 2:
                    sess.run(init)
                else:
                    assert sess.run(total) == 3.0

        in_threads(work)


def test_memory_of_a_variable_that_changes_shape_under_readers() -> None:
    value = tf.placeholder(tf.float32, [None])
    v = tf.Variable(value, validate_shape=False, name="v")
    reset = tf.assign(v, value, validate_shape=False)
    low, high = tf.reduce_min(v), tf.reduce_max(v)
    with tf.Session() as sess:
        sess.run(v.initializer, {value: np.ones(10)})

        def work(number: int) -> None:
            for turn in range(20):
                if number < 2:
                    sess.run(reset.op, {value: np.full(1000 * (turn + 1), number + 1.0)})
                else:
                    a, b = sess.run([low, high])
                    assert a >= 1.0 and b <= 2.0

        in_threads(work)


def test_sessions_of_one_graph_keep_their_own_values() -> None:
    v = tf.Variable(0)
    step = tf.assign_add(v, 1)
    graph = tf.get_default_graph()

    def work(number: int) -> None:
        with tf.Session(graph=graph) as sess:
            sess.run(v.initializer)
            for turn in range(50):
                assert sess.run(step) == turn + 1

    init = tf.global_variables_initializer()
    assert init is not None
    in_threads(work)


def test_graphs_are_built_in_many_threads() -> None:
    def work(number: int) -> None:
        with tf.Graph().as_default(), tf.Session() as sess:
            x = tf.placeholder(tf.float32, [None])
            y = x
            for _ in range(number + 1):
                y = y + 1.0
            assert sess.run(tf.reduce_sum(y), {x: np.zeros(3)}) == 3 * (number + 1)

    in_threads(work)


def test_errors_of_one_thread_do_not_reach_another() -> None:
    at = tf.placeholder(tf.int32, [None])
    v = tf.Variable([10.0, 20.0, 30.0])
    rows = tf.gather(v, at)
    step = tf.assign_add(v, tf.zeros([3]))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())

        def work(number: int) -> None:
            for turn in range(40):
                if number % 2:
                    with pytest.raises(tf.errors.InvalidArgumentError, match=r"= 9 is not in"):
                        sess.run([rows, step], {at: [0, 9]})
                else:
                    assert sess.run(rows, {at: [turn % 3]}) == [10.0 * (turn % 3 + 1)]

        in_threads(work)
        assert sess.run(v).tolist() == [10.0, 20.0, 30.0]


def test_closing_ends_runs_cleanly() -> None:
    x = tf.placeholder(tf.float32, [None])
    v = tf.Variable(tf.ones([50_000]))
    y = tf.reduce_sum(v) * tf.reduce_sum(x)
    sess = tf.Session()
    sess.run(v.initializer)
    sess.run(y, {x: [1.0]})
    closed = threading.Event()

    def work(number: int) -> None:
        if number == 0:
            sess.run(y, {x: [1.0]})
            sess.close()
            closed.set()
            return
        for _ in range(200):
            try:
                assert sess.run(y, {x: [2.0]}) == 100_000.0
            except RuntimeError as err:
                assert "closed Session" in str(err)
                assert closed.wait(10)
                return
            except tf.errors.FailedPreconditionError:
                return  # its run began before the variables went

    in_threads(work)
    with pytest.raises(RuntimeError, match="Attempted to use a closed Session"):
        sess.run(y, {x: [1.0]})


def test_random_streams_are_drawn_once_a_run() -> None:
    draw = tf.random_uniform([64], seed=5)
    with tf.Session() as sess:
        alone = [sess.run(draw) for _ in range(THREADS * 5)]
    seen: list[Any] = []
    with tf.Session() as sess:
        in_threads(lambda number: seen.extend(sess.run(draw) for _ in range(5)))
    # in whatever order: the same values, none twice
    assert sorted(a.tobytes() for a in alone) == sorted(a.tobytes() for a in seen)
