"""Runs that wait on queues: with variables, feeds and other threads of the same session."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf
from tests.data.test_queues import CONFIGS, Background


@pytest.fixture(params=CONFIGS)
def sess(request: Any) -> Iterator[tf.Session]:
    with tf.Session(options=CONFIGS[request.param]) as session:
        yield session


def test_training_and_filling_on_one_session(sess: tf.Session) -> None:
    x = tf.placeholder(tf.float32, [None])
    queue = tf.FIFOQueue(2, tf.float32, shapes=[[]])
    total = tf.Variable(0.0)
    filled = tf.Variable(0.0)
    count = tf.assign_add(filled, tf.reduce_sum(x))
    with tf.control_dependencies([count]):
        put = queue.enqueue_many([x + 0.0])
    train = tf.assign_add(total, tf.reduce_sum(queue.dequeue_many(3)))
    sess.run(tf.global_variables_initializer())

    def fill() -> None:
        for n in range(30):
            sess.run(put, {x: [n, n, n, n]})
        sess.run(queue.close())

    filling = [Background(fill)]
    steps = 0
    with pytest.raises(tf.errors.OutOfRangeError):
        while True:
            sess.run(train)
            steps += 1
    assert filling[0].join() is None
    assert steps == 40 and sess.run([total, filled]) == [1740, 1740]


def test_a_run_that_writes_before_and_after_it_waits(sess: tf.Session) -> None:
    queue = tf.FIFOQueue(1, tf.float32, shapes=[[]])
    before, after = tf.Variable(0.0), tf.Variable(0.0)
    with tf.control_dependencies([tf.assign_add(before, 1.0)]):
        got = queue.dequeue()
    done = tf.assign_add(after, got)
    sess.run(tf.global_variables_initializer())
    old = tf.identity(before)
    waiting = Background(sess.run, [done, before, old, got])
    assert waiting.is_waiting()
    # the other run does not wait for this one, and sees what it has written already
    assert sess.run([before, after]) == [1, 0]
    sess.run(queue.enqueue(5.0))
    # reads that nothing orders see what was there when the run began
    assert waiting.join() == [5, 0, 0, 5]
    assert sess.run([before, after]) == [1, 5]


def test_moving_from_queue_to_queue(sess: tf.Session) -> None:
    one, two = (tf.FIFOQueue(9, tf.int32, shapes=[[]], name=n) for n in ("one", "two"))
    moved = two.enqueue(one.dequeue() * 10)
    sess.run(one.enqueue_many([[1, 2, 3]]))
    for _ in range(3):
        sess.run(moved)
    assert sess.run(two.dequeue_many(3)).tolist() == [10, 20, 30]
    with tf.control_dependencies([two.enqueue_many([[7, 8]])]):
        size = two.size()
    assert sess.run(size) == 2


def test_fed_elements_take_nothing(sess: tf.Session) -> None:
    queue = tf.FIFOQueue(9, tf.float32, shapes=[[2]])
    x = queue.dequeue()
    y = x * 2
    assert sess.run(y, {x: [1, 2]}).tolist() == [2, 4]
    sess.run(queue.enqueue([[3.0, 4.0]]))
    assert sess.run(y).tolist() == [6, 8]


def test_gradients_stop_at_queues() -> None:
    queue = tf.FIFOQueue(9, tf.float32, shapes=[[2]])
    w = tf.Variable([1.0, 1.0])
    x = queue.dequeue()
    assert tf.gradients(x * w, [queue.queue_ref]) == [None]
    grad = tf.gradients(x * w, [w])[0]
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(queue.enqueue([[3.0, 4.0]]))
        assert sess.run(grad).tolist() == [3, 4]


def test_many_threads_lose_nothing() -> None:
    queue = tf.FIFOQueue(7, tf.int32, shapes=[[]])
    x = tf.placeholder(tf.int32, [])
    put, take, close = queue.enqueue(x), queue.dequeue(), queue.close()
    total = tf.Variable(0)
    add = tf.assign_add(total, take)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())

        def fill(start: int) -> None:
            for n in range(start, start + 50):
                sess.run(put, {x: n})

        def drain() -> int:
            steps = 0
            try:
                while True:
                    sess.run(add)
                    steps += 1
            except tf.errors.OutOfRangeError:
                return steps

        filling = [Background(fill, 50 * k) for k in range(4)]
        draining = [Background(drain) for _ in range(3)]
        for thread in filling:
            assert thread.join() is None
        sess.run(close)
        assert sum(t.join() for t in draining) == 200
        assert sess.run(total) == sum(range(200))


def test_waiting_costs_no_time() -> None:
    queue = tf.FIFOQueue(1, tf.int32, shapes=[[]])
    with tf.Session() as sess:
        waiting = Background(sess.run, queue.dequeue())
        assert waiting.is_waiting()
        before = time.process_time()
        time.sleep(0.3)
        assert time.process_time() - before < 0.15
        sess.run(queue.enqueue(1))
        assert waiting.join() == 1


def test_datasets_wait_without_the_lock() -> None:
    """A generator may wait for a thread whose runs write variables."""
    import queue

    handed = queue.Queue[Any]()

    def generate() -> Iterator[Any]:
        while True:
            yield handed.get()

    dataset = tf.data.Dataset.from_generator(generate, tf.float32, [])
    x = dataset.make_one_shot_iterator().get_next()
    total, count = tf.Variable(0.0), tf.Variable(0)
    train, step = tf.assign_add(total, x), tf.assign_add(count, 1)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        learning = Background(lambda: [sess.run(train) for _ in range(5)][-1])
        assert learning.is_waiting()
        for n in range(5):
            sess.run(step)
            handed.put(n)
        assert learning.join() == 10 and sess.run(count) == 5


def test_a_branch_chooses_the_queue(sess: tf.Session) -> None:
    training, n = tf.placeholder_with_default(True, []), tf.placeholder_with_default(4, [])
    queues = []
    for k in range(2):
        queue = tf.FIFOQueue(90, [tf.float32, tf.int32], shapes=[[3], []], name=f"q{k}")
        sess.run(queue.enqueue_many([np.full((60, 3), k, np.float32), np.arange(60) + 100 * k]))
        queues.append(queue)
    x, y = tf.cond(
        training, lambda: queues[0].dequeue_many(n), lambda: queues[1].dequeue_up_to(n)
    )
    x.set_shape([None, 3])
    w = tf.Variable(tf.zeros([3]))
    loss = tf.reduce_mean(tf.square(tf.reduce_sum(x * w, 1) - tf.cast(y, tf.float32)))
    train = tf.train.GradientDescentOptimizer(0.01).minimize(loss)
    sess.run(tf.global_variables_initializer())
    seen: list[int] = []
    for step in range(6):
        size = 4 + step % 3
        _, rows, ids = sess.run([train, x, y], {n: size})
        assert rows.shape == (size, 3) and not rows.any()
        seen += ids.tolist()
    assert seen == list(range(30))
    rows, ids = sess.run([x, y], {training: False})
    assert rows.all() and ids.tolist() == [100, 101, 102, 103]
    with tf.control_dependencies([y]):
        after = tf.constant(1)
    assert sess.run(after, {training: False}) == 1
    assert sess.run([q.size() for q in queues]) == [30, 52]
