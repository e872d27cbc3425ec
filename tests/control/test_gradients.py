"""Gradients through cond, while_loop, TensorArray, map_fn and scan, and gradients of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as tf
from tests.helpers import FUSED, REFERENCE, UNFUSED

CONFIGS = {"fused": FUSED, "unfused": UNFUSED, "reference": REFERENCE}
X = np.array([0.7, -0.4, 1.3])


@pytest.fixture(params=list(CONFIGS))
def config(request: Any) -> Any:
    with tf.Graph().as_default():
        yield CONFIGS[request.param]


def check(
    config: Any, fn: Callable[[Any], Any], x: Any = X, feed: Any = None, order: int = 1
) -> None:
    """The gradient of sum(fn(x)) against central differences; `order` 2: of the gradient's own."""
    p = tf.placeholder(tf.float64, [None] * np.ndim(x))
    y = fn(p)
    if order == 2:
        (y,) = tf.gradients(y, p)
    total = tf.reduce_sum(y * tf.constant(np.linspace(0.5, 1.5, np.size(x)).reshape(np.shape(x)))
                          if y.shape.ndims == np.ndim(x) else y)  # fmt: skip
    (g,) = tf.gradients(total, p)
    with tf.Session(config=config) as sess:
        sess.run(tf.global_variables_initializer())
        given = feed or {}
        got = sess.run(g, {p: x, **given})
        numeric = np.zeros_like(x)
        for at in np.ndindex(*np.shape(x)):
            d = np.zeros_like(x)
            d[at] = 1e-6
            up, down = (sess.run(total, {p: x + s * d, **given}) for s in (1, -1))
            numeric[at] = (up - down) / 2e-6
    np.testing.assert_allclose(got, numeric, rtol=1e-5, atol=1e-7)


def powers(x: Any) -> Any:
    return tf.while_loop(lambda i, y: i < 4, lambda i, y: (i + 1, tf.sin(y) * x), (0, x))[1]


def test_loop(config: Any) -> None:
    check(config, powers)


def test_loop_twice(config: Any) -> None:
    check(config, powers, order=2)


def test_trip_count_of_the_data(config: Any) -> None:
    check(config, lambda x: tf.while_loop(
        lambda y: tf.reduce_sum(tf.abs(y)) < 20.0, lambda y: y * 1.5 + tf.cos(x), [x]))  # fmt: skip


def test_long_loops_grow_their_stacks(config: Any) -> None:
    check(config, lambda x: tf.while_loop(
        lambda i, y: i < 50, lambda i, y: (i + 1, tf.sin(y + x)), (0, x))[1])  # fmt: skip


def test_no_steps(config: Any) -> None:
    check(config, lambda x: tf.while_loop(lambda y: False, lambda y: y * y, [x]) * x)


def test_captured_variable(config: Any) -> None:
    w = tf.Variable(np.eye(3) * 0.9 + 0.1)
    x = tf.placeholder(tf.float64, [2, 3])
    _, y = tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, tf.tanh(tf.matmul(y, w))), (0, x))
    loss = tf.reduce_sum(y * y)
    gx, gw = tf.gradients(loss, [x, w])
    z = x
    for _ in range(3):
        z = tf.tanh(tf.matmul(z, w))
    want = tf.gradients(tf.reduce_sum(z * z), [x, w])
    with tf.Session(config=config) as sess:
        sess.run(tf.global_variables_initializer())
        value = np.random.RandomState(0).randn(2, 3)
        got, wanted = sess.run([[gx, gw], want], {x: value})
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_scan(config: Any) -> None:
    check(config, lambda x: tf.scan(lambda a, r: tf.sin(a) * r, x))


def test_scan_twice(config: Any) -> None:
    check(config, lambda x: tf.scan(lambda a, r: tf.sin(a) * r, x), order=2)


def test_map_fn(config: Any) -> None:
    check(config, lambda x: tf.map_fn(lambda r: r * r * r, x))


def test_fold_of_rows(config: Any) -> None:
    x = np.random.RandomState(1).randn(4, 3)
    check(config, lambda x: tf.foldl(lambda a, r: a * r + tf.cos(r), x), x)


def test_tensor_array(config: Any) -> None:
    def fn(x: Any) -> Any:
        ta = tf.TensorArray(tf.float64, 3, clear_after_read=False).unstack(x)
        ta = ta.write(1, ta.read(0) * ta.read(2))
        return ta.stack() * ta.read(1)

    check(config, fn)


@pytest.mark.parametrize("taken", [True, False])
def test_cond(config: Any, taken: bool) -> None:
    p = tf.placeholder(tf.bool, [])
    check(config, lambda x: tf.cond(p, lambda: tf.sin(x) * x, lambda: tf.exp(x)), feed={p: taken})


@pytest.mark.parametrize("taken", [True, False])
def test_cond_twice(config: Any, taken: bool) -> None:
    p = tf.placeholder(tf.bool, [])
    check(config, lambda x: tf.cond(p, lambda: tf.sin(x) * x, lambda: x * x), feed={p: taken},
          order=2)  # fmt: skip


def test_cond_in_a_loop(config: Any) -> None:
    def body(i: Any, y: Any) -> Any:
        even = tf.equal(i % 2, 0)
        return i + 1, tf.cond(even, lambda: tf.sin(y) * 2.0, lambda: y * y)

    check(config, lambda x: tf.while_loop(lambda i, y: i < 5, body, (0, x))[1])


def test_loop_in_a_cond(config: Any) -> None:
    p = tf.placeholder(tf.bool, [])
    check(config, lambda x: tf.cond(p, lambda: powers(x), lambda: x), feed={p: True})


def test_nested_loops(config: Any) -> None:
    def outer(i: Any, y: Any) -> Any:
        inner = tf.while_loop(lambda j, z: j < i, lambda j, z: (j + 1, tf.sin(z) + y), (0, y))
        return i + 1, inner[1]

    check(config, lambda x: tf.while_loop(lambda i, y: i < 4, outer, (0, x))[1])


def test_integers_have_no_gradient(config: Any) -> None:
    x = tf.placeholder(tf.float32, [])
    n = tf.while_loop(lambda i: i < 3, lambda i: i + 1, [tf.cast(x, tf.int32)])
    assert tf.gradients(tf.cast(n, tf.float32), x) == [None]


def test_back_prop_off(config: Any) -> None:
    x = tf.placeholder(tf.float32, [])
    y = tf.while_loop(lambda y: y < 9, lambda y: y * 2, [x], back_prop=False)
    assert tf.gradients(y, x) == [None]


def test_gather_in_a_loop(config: Any) -> None:
    """Sparse gradients add up in the rows."""
    table = tf.Variable(np.arange(12.0).reshape(6, 2))
    ids = tf.constant([1, 3, 1])
    _, s = tf.while_loop(
        lambda i, s: i < 3,
        lambda i, s: (i + 1, s + tf.nn.embedding_lookup(table, ids[i])),
        (0, tf.zeros([2], tf.float64)),
    )
    (g,) = tf.gradients(tf.reduce_sum(s), table)
    want = np.zeros((6, 2))
    want[1], want[3] = 2, 1
    with tf.Session(config=config) as sess:
        sess.run(tf.global_variables_initializer())
        np.testing.assert_array_equal(sess.run(g), want)


def test_dropout_in_a_loop_has_one_mask_a_step(config: Any) -> None:
    tf.set_random_seed(3)
    x = tf.placeholder(tf.float32, [64])
    _, y = tf.while_loop(
        lambda i, y: i < 3, lambda i, y: (i + 1, tf.nn.dropout(y, 0.5)), (0, x)
    )
    (g,) = tf.gradients(y, x)
    with tf.Session(config=config) as sess:
        out, grad = sess.run([y, g], {x: np.ones(64, np.float32)})
    np.testing.assert_array_equal(out, grad)
    assert 0 < np.count_nonzero(out) < 32


def collected(x: Any) -> Any:
    """As long as its sum is small: an array whose length the data decide."""

    def body(i: Any, y: Any, ta: Any) -> Any:
        z = y * 1.5 + tf.cos(x)
        return i + 1, z, ta.write(i, z * x)

    empty = tf.TensorArray(tf.float64, 0, dynamic_size=True)
    loop = tf.while_loop(lambda i, y, ta: tf.reduce_sum(tf.abs(y)) < 20.0, body, (0, x, empty))
    return tf.reduce_sum(loop[2].stack(), 0)


def test_arrays_that_grow(config: Any) -> None:
    check(config, collected)


def test_arrays_that_grow_from_some_elements(config: Any) -> None:
    def fn(x: Any) -> Any:
        ta = tf.TensorArray(tf.float64, 1, dynamic_size=True, clear_after_read=False).write(0, x)
        _, ta = tf.while_loop(
            lambda i, ta: i < 4, lambda i, ta: (i + 1, ta.write(i, ta.read(i - 1) * x)), (1, ta)
        )
        return tf.reduce_prod(ta.stack(), 0)

    check(config, fn)


def test_gradients_to_constants(config: Any) -> None:
    c, d = tf.constant([1.0, 2.0]), tf.constant(3.0)
    y = tf.while_loop(lambda i, y: i < 2, lambda i, y: (i + 1, y * c * d), (0, tf.ones([2])))[1]
    z = tf.cond(tf.constant(True), lambda: y * c, lambda: y)
    with tf.Session(config=config) as sess:
        got = sess.run(tf.gradients(z, [c, d]))
    np.testing.assert_allclose(got[0], [27.0, 108.0])
    np.testing.assert_allclose(got[1], 2 * 3.0 * (1 + 8))


def test_overridden_gradients(config: Any) -> None:
    @tf.RegisterGradient(f"Turned{id(config)}")
    def _turned(op: Any, g: Any) -> Any:
        return -g

    x = tf.placeholder(tf.float32, [])
    names = {"Identity": f"Turned{id(config)}"}

    def inner(i: Any, y: Any) -> Any:
        with tf.get_default_graph().gradient_override_map(names):
            return i + 1, tf.identity(y) * 2.0

    with tf.get_default_graph().gradient_override_map(names):
        y = tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, tf.identity(y) * 2.0), (0, x))
    z = tf.while_loop(lambda i, y: i < 3, inner, (0, x))
    with tf.Session(config=config) as sess:
        grads = [*tf.gradients(y[1], x), *tf.gradients(z[1], x)]
        assert sess.run(grads, {x: 1.0}) == [-8.0, -8.0]


def test_arrays_of_both_kinds(config: Any) -> None:
    """The one whose length is to be found puts a stage in front; the other has no shape there."""

    def fn(x: Any) -> Any:
        fixed, growing = tf.TensorArray(tf.float64, 4), tf.TensorArray(
            tf.float64, 0, dynamic_size=True)  # fmt: skip

        def body(i: Any, y: Any, a: Any, b: Any) -> Any:
            y = y * x
            return i + 1, y, a.write(i, y), b.write(i, y * 2.0)

        _, _, a, b = tf.while_loop(lambda i, *_: i < 4, body, (0, x, fixed, growing))
        return tf.reduce_sum(a.stack() * b.stack(), 0)

    check(config, fn)
