"""cond, case, while_loop, TensorArray, map_fn, scan and folds: values, on all backends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from tests.helpers import FUSED, REFERENCE, UNFUSED

CONFIGS = [FUSED, UNFUSED, REFERENCE]
X = np.arange(6, dtype=np.float32).reshape(2, 3) + 1

pytestmark = pytest.mark.usefixtures("fresh_graph")


@pytest.fixture
def fresh_graph() -> Any:
    with tf.Graph().as_default():
        yield


@pytest.fixture(params=CONFIGS, ids=["fused", "unfused", "reference"])
def config(request: Any) -> Any:
    return request.param


def run(config: Any, fetches: Any, feed: Any = None) -> Any:
    with tf.Session(config=config) as sess:
        sess.run(tf.global_variables_initializer())
        return sess.run(fetches, feed)


def test_cond_runs_the_taken_branch(config: Any) -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    p = tf.placeholder(tf.bool, [])
    y = tf.cond(p, lambda: x * 2, lambda: x + 1)
    np.testing.assert_array_equal(run(config, y, {x: X, p: True}), X * 2)
    np.testing.assert_array_equal(run(config, y, {x: X, p: False}), X + 1)


def test_cond_of_shapes_that_differ(config: Any) -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    p = tf.placeholder(tf.bool, [])
    y = tf.reduce_sum(tf.cond(p, lambda: x[:1], lambda: x), 0)
    np.testing.assert_array_equal(run(config, y, {x: X, p: True}), X[0])
    np.testing.assert_array_equal(run(config, y, {x: X, p: False}), X.sum(0))


def test_cond_assigns_in_the_taken_branch_only(config: Any) -> None:
    v = tf.Variable(1.0)
    p = tf.placeholder(tf.bool, [])
    op = tf.cond(p, lambda: tf.assign_add(v, 2.0), lambda: tf.identity(v))
    with tf.Session(config=config) as sess:
        sess.run(tf.global_variables_initializer())
        assert sess.run(op, {p: False}) == 1.0 and sess.run(v) == 1.0
        assert sess.run(op, {p: True}) == 3.0 and sess.run(v) == 3.0


def test_case_takes_the_first_true_predicate(config: Any) -> None:
    x = tf.placeholder(tf.float32, [])
    pairs = [(x > 100.0, lambda: tf.constant(1)), (x > 10.0, lambda: tf.constant(2))]
    c = tf.case(pairs, default=lambda: tf.constant(3))
    assert [run(config, c, {x: v}) for v in (200.0, 20.0, 2.0)] == [1, 2, 3]


def test_while_loop_counts(config: Any) -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    i, s = tf.while_loop(
        lambda i, s: i < 5, lambda i, s: (i + 1, s + tf.reduce_sum(x)), (0, 0.0)
    )
    assert run(config, [i, s], {x: X}) == [5, 105.0]


def test_maximum_iterations(config: Any) -> None:
    assert run(config, tf.while_loop(lambda i: True, lambda i: i + 1, [0],
                                     maximum_iterations=7)) == 7  # fmt: skip


def test_swapped_variables(config: Any) -> None:
    """Each step sees the old values of all variables."""
    _, a, b = tf.while_loop(lambda i, a, b: i < 3, lambda i, a, b: (i + 1, b, a + b), (0, 1.0, 1.0))
    assert run(config, [a, b]) == [3.0, 5.0]
    _, c, d = tf.while_loop(lambda i, c, d: i < 3, lambda i, c, d: (i + 1, d, c), (0, 1.0, 2.0))
    assert run(config, [c, d]) == [2.0, 1.0]


def test_variables_written_in_a_loop(config: Any) -> None:
    v = tf.Variable(1.0)

    def body(i: Any) -> Any:
        with tf.control_dependencies([tf.assign_add(v, 2.0)]):
            return i + 1

    w = tf.while_loop(lambda i: i < 3, body, [0])
    with tf.Session(config=config) as sess:
        sess.run(tf.global_variables_initializer())
        assert sess.run(w) == 3 and sess.run(v) == 7.0


def test_random_numbers_differ_from_step_to_step(config: Any) -> None:
    tf.set_random_seed(1)
    _, a = tf.while_loop(
        lambda i, a: i < 4,
        lambda i, a: (i + 1, a.write(i, tf.random_uniform([2]))),
        (0, tf.TensorArray(tf.float32, 4)),
    )
    drawn = run(config, a.stack())
    assert len(np.unique(drawn)) == 8
    with tf.Session(config=REFERENCE) as sess:
        np.testing.assert_array_equal(sess.run(a.stack()), drawn)


def test_nested_loops(config: Any) -> None:
    def outer(i: Any, s: Any) -> Any:
        inner = tf.while_loop(lambda j, t: j < i, lambda j, t: (j + 1, t + i * j), (0, s))
        return i + 1, inner[1]

    _, s = tf.while_loop(lambda i, s: i < 6, outer, (0, 0))
    assert run(config, s) == sum(i * j for i in range(6) for j in range(i))


def test_cond_in_a_loop(config: Any) -> None:
    x = tf.placeholder(tf.float32, [3])
    _, y = tf.while_loop(
        lambda i, y: i < 6,
        lambda i, y: (i + 1, tf.cond(tf.equal(i % 2, 0), lambda: y + x, lambda: y * 2)),
        (0, tf.zeros([3])),
    )
    want = np.zeros(3, np.float32)
    for i in range(6):
        want = want + X[0] if i % 2 == 0 else want * 2
    np.testing.assert_array_equal(run(config, y, {x: X[0]}), want)


def test_shapes_that_grow(config: Any) -> None:
    g = tf.while_loop(
        lambda g: tf.shape(g)[0] < 6,
        lambda g: [tf.concat([g, g[:1] + 1], 0)],
        [tf.zeros([2, 3])],
        shape_invariants=[tf.TensorShape([None, 3])],
    )
    got = run(config, [g, tf.reduce_sum(g)])
    assert got[0].shape == (6, 3) and got[1] == 12.0


def test_tensor_array(config: Any) -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    ta = tf.TensorArray(tf.float32, tf.shape(x)[0]).unstack(x)
    ta = ta.write(1, tf.constant([7.0, 8, 9]))
    got = run(config, [ta.stack(), ta.read(1), ta.size(), ta.concat(), ta.gather([1, 0])], {x: X})
    want = np.array([X[0], [7, 8, 9]], np.float32)
    np.testing.assert_array_equal(got[0], want)
    np.testing.assert_array_equal(got[1], want[1])
    assert got[2] == 2
    np.testing.assert_array_equal(got[3], want.reshape(-1))
    np.testing.assert_array_equal(got[4], want[::-1])


def test_dynamic_tensor_array(config: Any) -> None:
    _, ta = tf.while_loop(
        lambda i, ta: i < 5,
        lambda i, ta: (i + 1, ta.write(i, tf.cast(i, tf.float32) * tf.ones([2]))),
        (0, tf.TensorArray(tf.float32, 0, dynamic_size=True)),
    )
    got = run(config, ta.stack())
    np.testing.assert_array_equal(got, np.repeat(np.arange(5, dtype=np.float32)[:, None], 2, 1))


def test_functions_over_rows(config: Any) -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    fetches = [
        tf.map_fn(lambda r: r * r + 1, x),
        tf.map_fn(lambda r: tf.reduce_sum(r) > 7, x, dtype=tf.bool),
        tf.scan(lambda a, r: a + r, x),
        tf.scan(lambda a, r: a + r, x, reverse=True),
        tf.scan(lambda a, r: a + tf.reduce_sum(r), x, initializer=1.0),
        tf.foldl(lambda a, r: a - r, x),
        tf.foldr(lambda a, r: a - r, x),
    ]
    got = run(config, fetches, {x: X})
    want = [
        X * X + 1, X.sum(1) > 7, np.cumsum(X, 0), np.cumsum(X[::-1], 0)[::-1],
        np.array([7.0, 22.0]), X[0] - X[1], X[1] - X[0],
    ]  # fmt: skip
    for one, other in zip(got, want, strict=True):
        np.testing.assert_array_equal(one, other)


def test_computed_indices(config: Any) -> None:
    x = tf.placeholder(tf.float32, [2, 3])

    def body(i: Any, s: Any) -> Any:
        return i + 1, s + x[:, i] * tf.slice(x, [0, i], [2, 1])[:, 0] + x[i - 1, 0]

    _, s = tf.while_loop(lambda i, s: i < 2, body, (0, tf.zeros([2])))
    (g,) = tf.gradients(s, x)
    got = run(config, [s, g], {x: X})
    np.testing.assert_array_equal(got[0], (X[:, :2] ** 2).sum(1) + X[1, 0] + X[0, 0])
    want = np.concatenate([2 * X[:, :2], np.zeros((2, 1))], 1)
    want[:, 0] += 2
    np.testing.assert_array_equal(got[1], want)


def test_wrong_arguments() -> None:
    x = tf.placeholder(tf.float32, [2, 3])
    true = tf.constant(True)
    cases = [
        (TypeError, "cond must be callable", lambda: tf.while_loop(1, lambda i: i, [0])),
        (ValueError, "No loop variables", lambda: tf.while_loop(lambda: True, lambda: 1, [])),
        (ValueError, "number of inputs and outputs", lambda: tf.while_loop(
            lambda i, j: True, lambda i, j: (i,), [0, 1])),
        (ValueError, "not an invariant for the loop", lambda: tf.while_loop(
            lambda i: True, lambda i: tf.concat([i, i], 0), [x])),
        (ValueError, "not compatible with the initial shape", lambda: tf.while_loop(
            lambda i: True, lambda i: i, [x], shape_invariants=[tf.TensorShape([3, 3])])),
        (TypeError, "dtype float32 after one iteration", lambda: tf.while_loop(
            lambda i: True, lambda i: tf.cast(i, tf.float32), [0])),
        (TypeError, "must not be a Python bool", lambda: tf.cond(True, lambda: 1, lambda: 2)),
        (ValueError, "must have the same type", lambda: tf.cond(true, lambda: 1, lambda: 2.0)),
        (ValueError, "must have a return value", lambda: tf.cond(true, lambda: None, lambda: 2)),
        (TypeError, "don't have the same nested", lambda: tf.cond(
            true, lambda: [1, 2], lambda: (1, 2))),
        (ValueError, "rank 0 but is rank 1", lambda: tf.cond([True], lambda: 1, lambda: 2)),
        (TypeError, "must be a list, tuple, or dict", lambda: tf.case(3)),
        (ValueError, "1\\+ dimensional", lambda: tf.map_fn(lambda r: r, tf.constant(1.0))),
        (ValueError, "saw \\(2,\\) but expected \\(1,\\)", lambda: tf.TensorArray(
            tf.float32, 3).write(0, [1.0]).write(1, [1.0, 2.0])),
    ]  # fmt: skip
    for kind, text, make in cases:
        with pytest.raises(kind, match=text):
            make()
