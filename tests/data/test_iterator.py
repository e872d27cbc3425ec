"""The four kinds of iterators, their state in sessions, and the end of sequences."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest

import graphc as tf

Dataset = tf.data.Dataset
End = tf.errors.OutOfRangeError


def test_one_shot_ends_and_the_session_goes_on() -> None:
    element = tf.data.make_one_shot_iterator(Dataset.range(2)).get_next()
    other = tf.constant(3)
    with tf.Session() as sess:
        assert [sess.run(element), sess.run(element)] == [0, 1]
        for _ in range(2):
            with pytest.raises(End, match="End of sequence") as caught:
                sess.run(element * 2)
        assert caught.value.op.name == element.op.name == "IteratorGetNext"
        assert sess.run(other) == 3


def test_every_fetch_of_a_run_sees_the_same_element() -> None:
    x, y = Dataset.from_tensor_slices(([1, 2, 3], [4, 5, 6])).make_one_shot_iterator().get_next()
    with tf.Session() as sess:
        assert sess.run([x, y, x + y, x * 2]) == [1, 4, 5, 2]
        assert sess.run(y) == 5
        assert sess.run([x]) == [3]


def test_two_get_nexts_take_two_elements() -> None:
    iterator = Dataset.range(4).make_one_shot_iterator()
    first, second = iterator.get_next(), iterator.get_next("again")
    assert second.op.name == "again"
    with tf.Session() as sess:
        assert sorted(sess.run([first, second])) == [0, 1]
        assert sorted(sess.run([first, second])) == [2, 3]


def test_a_fed_element_takes_none() -> None:
    x = Dataset.range(3).make_one_shot_iterator().get_next()
    y = x + 1
    with tf.Session() as sess:
        assert sess.run(y, {x: 41}) == 42
        assert sess.run(y) == 1


def test_sessions_have_positions_of_their_own() -> None:
    element = Dataset.range(3).make_one_shot_iterator().get_next()
    with tf.Session() as a, tf.Session() as b:
        assert [a.run(element), a.run(element), b.run(element)] == [0, 1, 0]


def test_one_shot_refuses_what_it_cannot_copy() -> None:
    v = tf.Variable(1.0)
    captured = Dataset.range(3).map(lambda x: tf.cast(x, tf.float32) + v)
    with pytest.raises(ValueError, match=r"Cannot capture a stateful node \(name:Variable"):
        captured.make_one_shot_iterator()
    fed = Dataset.from_tensor_slices(tf.placeholder(tf.float32, [3]))
    with pytest.raises(ValueError, match="Cannot capture a placeholder"):
        fed.make_one_shot_iterator()
    drawn = Dataset.from_tensor_slices(tf.random_uniform([3]))
    with pytest.raises(ValueError, match="make_initializable_iterator"):
        drawn.make_one_shot_iterator()


def test_one_shot_over_computed_constants() -> None:
    element = Dataset.from_tensor_slices(tf.range(3) * 2).make_one_shot_iterator().get_next()
    with tf.Session() as sess:
        assert [sess.run(element) for _ in range(3)] == [0, 2, 4]


def test_initializer_takes_feeds_again_and_again() -> None:
    x = tf.placeholder(tf.float32, [None, 2])
    iterator = Dataset.from_tensor_slices(x).batch(2).make_initializable_iterator()
    total = tf.reduce_sum(iterator.get_next())
    with tf.Session() as sess:
        with pytest.raises(tf.errors.FailedPreconditionError, match="has not been initialized"):
            sess.run(total)
        for rows in (3, 1):
            sess.run(iterator.initializer, {x: np.ones((rows, 2))})
            sums = []
            with pytest.raises(End):
                while True:
                    sums.append(float(sess.run(total)))
            assert sum(sums) == 2 * rows
        sess.run(iterator.initializer, {x: np.ones((4, 2))})
        assert sess.run(total) == 4.0
        sess.run(iterator.initializer, {x: np.zeros((4, 2))})
        assert sess.run(total) == 0.0


def test_shuffles_with_seeds_are_the_same_after_each_initialisation() -> None:
    iterator = Dataset.range(6).shuffle(6, seed=3).repeat(2).make_initializable_iterator()
    element = iterator.get_next()
    with tf.Session() as sess:
        orders = []
        for _ in range(2):
            sess.run(iterator.initializer)
            orders.append([int(sess.run(element)) for _ in range(12)])
    assert orders[0] == orders[1] and orders[0][:6] != orders[0][6:]


def test_structure_with_several_datasets() -> None:
    train = Dataset.range(3).map(lambda x: x + tf.constant(100, tf.int64))
    test = Dataset.range(2)
    iterator = tf.data.Iterator.from_structure(train.output_types, train.output_shapes)
    element = iterator.get_next()
    to_train, to_test = iterator.make_initializer(train), iterator.make_initializer(test, "to_test")
    assert to_test.name == "to_test"
    with tf.Session() as sess:
        for init, want in ((to_train, [100, 101, 102]), (to_test, [0, 1]), (to_train, [100])):
            sess.run(init)
            assert [sess.run(element) for _ in want] == want
    with pytest.raises(TypeError, match=r"Expected output types .* but got dataset with output"):
        iterator.make_initializer(Dataset.from_tensors(1.0))
    with pytest.raises(TypeError, match="Expected output shapes compatible with"):
        iterator.make_initializer(Dataset.range(3).batch(2))
    with pytest.raises(ValueError, match="does not have an initializer"):
        _ = iterator.initializer


def test_handles_choose_the_iterator_in_each_run() -> None:
    a = Dataset.range(3).make_one_shot_iterator()
    b = Dataset.range(10, 13).make_initializable_iterator()
    handle = tf.placeholder(tf.string, [])
    chosen = tf.data.Iterator.from_string_handle(handle, tf.int64, tf.TensorShape([]))
    doubled = chosen.get_next() * 2
    with tf.Session() as sess:
        at, bt = sess.run([a.string_handle(), b.string_handle()])
        sess.run(b.initializer)
        assert [sess.run(doubled, {handle: h}) for h in (at, bt, at, bt)] == [0, 20, 2, 22]
        with pytest.raises(tf.errors.InvalidArgumentError, match="knows no iterator"):
            sess.run(doubled, {handle: "junk"})
        wrong = Dataset.from_tensors(1.0).make_one_shot_iterator()
        with pytest.raises(tf.errors.InvalidArgumentError, match="Data type mismatch"):
            sess.run(doubled, {handle: sess.run(wrong.string_handle())})
    assert chosen.output_types == tf.int64 and chosen.output_shapes.as_list() == []


def test_get_next_in_a_loop_warns() -> None:
    iterator = Dataset.range(100).make_one_shot_iterator()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(40):
            iterator.get_next()
    assert len(caught) == 1 and "unusually high number" in str(caught[0].message)


def test_training_over_epochs() -> None:
    rng = np.random.default_rng(0)
    images = rng.normal(size=(200, 4)).astype(np.float32)
    labels = (images @ np.float32([1, -2, 3, 0.5]))[:, None]
    dataset = Dataset.from_tensor_slices((images, labels)).shuffle(200, seed=1).batch(32)
    iterator = dataset.prefetch(1).make_initializable_iterator()
    x, y = iterator.get_next()
    assert x.shape.as_list() == [None, 4]
    w = tf.Variable(tf.zeros([4, 1]))
    loss = tf.reduce_mean(tf.square(tf.matmul(x, w) - y))
    train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        steps = 0
        for _ in range(8):
            sess.run(iterator.initializer)
            try:
                while True:
                    sess.run(train)
                    steps += 1
            except End:
                pass
        assert steps == 8 * 7
        np.testing.assert_allclose(sess.run(w)[:, 0], [1, -2, 3, 0.5], atol=0.05)


# ------------------------------------------------------------------ threads
def test_prefetching_carries_errors_and_keeps_the_order() -> None:
    dataset = Dataset.from_tensor_slices([1, 2, 0, 4]).map(
        lambda x: tf.py_func(lambda v: np.int32(8 // int(v)), [x], tf.int32)
    )
    element = dataset.prefetch(2).make_one_shot_iterator().get_next()
    with tf.Session() as sess:
        assert [sess.run(element), sess.run(element)] == [8, 4]
        with pytest.raises(tf.errors.InvalidArgumentError):
            sess.run(element)
        assert sess.run(element) == 2
        with pytest.raises(End):
            sess.run(element)


def test_prefetching_is_ahead_by_no_more_than_its_buffer() -> None:
    made = []

    def numbers():
        for k in range(100):
            made.append(k)
            yield k

    dataset = Dataset.from_generator(numbers, tf.int32, []).prefetch(3)
    element = dataset.make_one_shot_iterator().get_next()
    with tf.Session() as sess:
        sess.run(element)
        time.sleep(0.1)
        assert 2 <= len(made) <= 5


def test_threads_end_with_their_session() -> None:
    before = set(threading.enumerate())
    dataset = Dataset.range(10).repeat().prefetch(2)
    iterator = dataset.make_initializable_iterator()
    element = iterator.get_next()
    with tf.Session() as sess:
        for _ in range(5):
            sess.run(iterator.initializer)
            sess.run(element)
        mine = {t for t in threading.enumerate() if t.name == "graphc-prefetch"} - before
        assert mine
    for thread in mine:
        thread.join(5.0)
    assert not any(t.is_alive() for t in mine)


def test_the_interpreter_exits_while_threads_prefetch() -> None:
    program = """
import numpy as np, graphc as tf
d = tf.data.Dataset.from_tensor_slices(np.ones((100, 50), np.float32)).repeat()
d = d.map(lambda x: tf.matmul(x[None], tf.ones([50, 50]))).batch(8).prefetch(4)
e = d.make_one_shot_iterator().get_next()
s = tf.Session()
for _ in range(3):
    s.run(e)
print("done")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_threads_share_an_iterator() -> None:
    element = Dataset.range(200).make_one_shot_iterator().get_next()
    found: list[int] = []
    with tf.Session() as sess:

        def take() -> None:
            for _ in range(50):
                found.append(int(sess.run(element)))

        threads = [threading.Thread(target=take) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert sorted(found) == list(range(200))


def test_an_op_ordered_after_get_next_takes_an_element() -> None:
    iterator = Dataset.range(4).batch(2).make_one_shot_iterator()
    element = iterator.get_next()
    with tf.control_dependencies([element]):
        later = tf.constant(1) + 1
    with tf.Session() as sess:
        assert sess.run(later) == 2
        assert sess.run(element).tolist() == [2, 3]
