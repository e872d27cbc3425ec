"""What moves behind loops: products that steps only add up or put away, and that results stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.passes.sink import steps_of
from tests.control.test_hoist import program_of
from tests.helpers import FUSED, REFERENCE, UNFUSED

WIDTH = 5


@pytest.fixture(autouse=True)
def fresh_graph() -> Any:
    with tf.Graph().as_default():
        yield


def rows(x: Any, w: Any, b: Any, steps: Any = None, **options: Any) -> Any:
    """All states of h' = tanh([x_t, h] w + b), time first."""
    turned = tf.transpose(x, [1, 0, 2])
    n = tf.shape(turned)[0] if steps is None else steps
    size = tf.shape(turned)[0] if steps is None or x.shape[1].value is None else steps
    ta = tf.TensorArray(tf.float32, size).unstack(turned)
    out = tf.TensorArray(tf.float32, size)

    def body(t: Any, h: Any, out: Any) -> Any:
        h = tf.tanh(tf.matmul(tf.concat([ta.read(t), h], 1), w) + b)
        return t + 1, h, out.write(t, h)

    zero = tf.zeros([tf.shape(x)[0], WIDTH])
    return tf.while_loop(lambda t, *_: t < n, body, (0, zero, out), **options)[2].stack()


def recurrent(layers: int, **options: Any) -> tuple[Any, list[Any], Any]:
    """(a loss, what to differentiate it by, the input)."""
    rng = np.random.RandomState(0)
    x = tf.placeholder(tf.float32, [None, None, 3])
    sources, h = [x], x
    for k in range(layers):
        w = tf.Variable(rng.randn((WIDTH if k else 3) + WIDTH, WIDTH).astype(np.float32) * 0.5)
        b = tf.Variable(rng.randn(WIDTH).astype(np.float32))
        h = tf.transpose(rows(h, w, b, **options), [1, 0, 2])
        sources += [w, b]
    return tf.reduce_sum(tf.sin(h)), sources, x


def fed(x: Any, batch: int, steps: int) -> dict[Any, Any]:
    return {x: np.random.RandomState(1).randn(batch, steps, 3).astype(np.float32)}


def same_everywhere(fetches: list[Any], feeds: list[dict[Any, Any]]) -> None:
    results = []
    for config in (FUSED, UNFUSED, REFERENCE):
        with tf.Session(config=config) as sess:
            sess.run(tf.global_variables_initializer())
            results.append([sess.run(fetches, feed) for feed in feeds])
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            for a, b in zip(one, two, strict=True):
                np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


def backward_bodies(fetches: list[Any], feed: dict[Any, Any]) -> list[Any]:
    """The bodies of the loops that carry gradients."""
    with tf.Session(config=FUSED) as sess:
        sess.run(tf.global_variables_initializer())
        program = program_of(sess, fetches, feed)
    loops = [n for n in program.nodes if n.op.name == "loop"]
    return [n.attrs["loop"].body for n in loops if n.attrs["loop"].pops]


def products(body: Any) -> list[tuple[bool, bool]]:
    return [
        (n.attrs["transpose_a"], n.attrs["transpose_b"])
        for n in body.nodes
        if n.op.name == "matmul"
    ]


def test_weight_gradients_are_one_product_behind_the_loop() -> None:
    loss, sources, x = recurrent(1)
    gradients = tf.gradients(loss, sources)
    (body,) = backward_bodies(gradients, fed(x, 2, 4))
    # what is left goes from step to step; its matrix was turned ahead
    assert products(body) == [(False, False)]
    assert not [n for n in body.nodes if n.op.name == "reduce_sum"]
    same_everywhere([loss, *gradients], [fed(x, 2, 4), fed(x, 3, 7), fed(x, 1, 1), fed(x, 2, 0)])


def test_gradients_of_a_layers_input_are_one_product() -> None:
    loss, sources, x = recurrent(2)
    gradients = tf.gradients(loss, sources)
    for body in backward_bodies(gradients, fed(x, 2, 4)):
        assert products(body) == [(False, False)]
    same_everywhere([loss, *gradients], [fed(x, 2, 4), fed(x, 3, 7)])


def test_a_bound_on_the_steps_keeps_them_known() -> None:
    loss, sources, x = recurrent(1, steps=4, maximum_iterations=4)
    gradients = tf.gradients(loss, sources)
    (body,) = backward_bodies(gradients, fed(x, 2, 6))
    assert products(body) == [(False, False)]
    same_everywhere([loss, *gradients], [fed(x, 2, 6), fed(x, 2, 4)])


def test_a_loop_of_unknown_length_keeps_its_sums() -> None:
    steps = tf.placeholder(tf.int32, [])
    loss, sources, x = recurrent(1, steps=steps)
    gradients = tf.gradients(loss, sources)
    feed = {**fed(x, 2, 6), steps: 4}
    (body,) = backward_bodies(gradients, feed)
    assert (True, False) in products(body)
    same_everywhere([loss, *gradients], [feed, {**feed, steps: 0}, {**feed, steps: 6}])


def test_sums_that_steps_read_stay() -> None:
    x = tf.placeholder(tf.float32, [6, 4])

    def body(t: Any, total: Any) -> Any:
        a = tf.cos(x * tf.cast(t, tf.float32) + total[0, 0])
        return t + 1, total + tf.matmul(a, x, transpose_a=True) * 0.1

    total = tf.while_loop(lambda t, _: t < 3, body, (0, tf.zeros([4, 4])))[1]
    same_everywhere([total], [{x: np.random.RandomState(0).randn(6, 4)}])


def test_plain_sums_of_products_move_too() -> None:
    x = tf.placeholder(tf.float32, [6, 4])
    start = tf.placeholder(tf.float32, [4, 4])

    def body(t: Any, total: Any, count: Any) -> Any:
        a = tf.cos(x * tf.cast(t, tf.float32))
        b = tf.sin(a)
        grown = total + tf.matmul(a, b, transpose_a=True) + tf.matmul(b, b, transpose_a=True)
        return t + 1, grown, count + tf.reduce_sum(b, 0)

    _, total, count = tf.while_loop(lambda t, *_: t < 3, body, (0, start, tf.ones([4])))
    feed = {x: np.random.RandomState(0).randn(6, 4), start: np.eye(4)}
    with tf.Session(config=FUSED) as sess:
        sess.run(total, feed)
        program = program_of(sess, [total, count], feed)
    (loop,) = [n for n in program.nodes if n.op.name == "loop"]
    assert steps_of(loop) is not None
    assert not products(loop.attrs["loop"].body)
    same_everywhere([total, count], [feed])


def test_rows_that_are_added_twice_are_added_twice() -> None:
    x = tf.placeholder(tf.float32, [3, 4])
    w = tf.placeholder(tf.float32, [4, 2])
    at = tf.placeholder(tf.int32, [5])

    def body(t: Any, array: Any) -> Any:
        row = tf.matmul(tf.cos(x * tf.cast(t, tf.float32)), w)
        place = tf.reshape(at[t], [1, 1])
        return t + 1, tf.tensor_scatter_nd_add(array, place, tf.expand_dims(row, 0))

    array = tf.while_loop(lambda t, _: t < 5, body, (0, tf.ones([4, 3, 2])))[1]
    rng = np.random.RandomState(0)
    feed = {x: rng.randn(3, 4), w: rng.randn(4, 2), at: [0, 2, 2, 3, 0]}
    with tf.Session(config=FUSED) as sess:
        sess.run(array, feed)
        program = program_of(sess, [array], feed)
    (loop,) = [n for n in program.nodes if n.op.name == "loop"]
    assert not products(loop.attrs["loop"].body)
    same_everywhere([array], [feed])


def test_gradients_of_gradients_agree() -> None:
    loss, sources, x = recurrent(1)
    first = tf.gradients(loss, sources)
    second = tf.gradients(tf.reduce_sum(tf.square(first[1])), sources)
    same_everywhere([*first, *second], [fed(x, 2, 3)])


def test_loops_in_loops_agree() -> None:
    loss, (x, w, b), _ = recurrent(1)
    x.set_shape([2, 3, 3])

    def body(k: Any, total: Any) -> Any:
        inner = tf.reduce_sum(rows(x * tf.cast(k + 1, tf.float32), w, b, steps=3))
        return k + 1, total + inner

    total = tf.while_loop(lambda k, _: k < 3, body, (0, loss))[1]
    same_everywhere([total, *tf.gradients(total, [x, w, b])], [fed(x, 2, 3)])
