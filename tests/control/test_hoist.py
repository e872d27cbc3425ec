"""What moves out of loops: that it does, and that results stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ir.node import Node
from graphc.ir.program import Program
from graphc.passes.pipeline import optimize
from tests.helpers import FUSED, REFERENCE, UNFUSED


@pytest.fixture(autouse=True)
def fresh_graph() -> Any:
    with tf.Graph().as_default():
        yield


def program_of(sess: Any, fetches: list[Any], feed: dict[Any, Any]) -> Program:
    arrays = [np.asarray(v, t.dtype.np) for t, v in feed.items()]
    runner = sess._executor.prepare(tuple(fetches), (), tuple(feed))
    raw = runner.stages[0].program(arrays, sess._executor.variables)
    return optimize(raw, FUSED)


def loop_of(program: Program) -> Node:
    (node,) = [n for n in program.nodes if n.op.name == "loop"]
    return node


def ops(program: Program) -> list[str]:
    return [n.op.name for n in program.nodes]


def lstm(x: Any, w: Any, width: int) -> Any:
    rows = tf.transpose(x, [1, 0, 2])
    n = tf.shape(rows)[0]
    ta = tf.TensorArray(tf.float32, n).unstack(rows)
    zero = tf.zeros([tf.shape(x)[0], width])

    def body(t: Any, h: Any) -> Any:
        return t + 1, tf.tanh(tf.matmul(tf.concat([ta.read(t), h], 1), w))

    return tf.while_loop(lambda t, h: t < n, body, (0, zero))[1]


def test_the_input_projection_is_one_product() -> None:
    x = tf.placeholder(tf.float32, [None, None, 4])
    w = tf.Variable(np.random.RandomState(0).randn(10, 6).astype(np.float32))
    h = lstm(x, w, 6)
    feed = {x: np.random.RandomState(1).randn(3, 5, 4).astype(np.float32)}
    results = []
    for config in (FUSED, UNFUSED, REFERENCE):
        with tf.Session(config=config) as sess:
            sess.run(tf.global_variables_initializer())
            results.append(sess.run([h, *tf.gradients(h, [x, w])], feed))
            program = program_of(sess, [h], feed)
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            np.testing.assert_allclose(one, two, rtol=2e-5, atol=2e-6)
    assert ops(program).count("matmul") == 1
    assert ops(loop_of(program).attrs["loop"].body).count("matmul") == 1


def test_invariants_go_out() -> None:
    x = tf.placeholder(tf.float32, [4, 4])
    _, y = tf.while_loop(
        lambda i, y: i < 3, lambda i, y: (i + 1, tf.matmul(y, tf.exp(x) / 4.0)), (0, x)
    )
    feed = {x: np.random.RandomState(1).randn(4, 4).astype(np.float32)}
    with tf.Session() as sess:
        got = sess.run(y, feed)
        program = program_of(sess, [y], feed)
    want = feed[x]
    for _ in range(3):
        want = want @ (np.exp(feed[x]) / 4)
    np.testing.assert_allclose(got, want, rtol=1e-5)
    assert "exp" in ops(program)
    assert "exp" not in ops(loop_of(program).attrs["loop"].body)


def test_what_can_fail_stays_inside() -> None:
    """The loop makes no step: its index is never out of range."""
    x = tf.placeholder(tf.float32, [3])
    i = tf.placeholder(tf.int32, [])
    y = tf.while_loop(lambda y: y < 0.0, lambda y: y + tf.exp(tf.gather(x, i)), [1.0])
    with tf.Session() as sess:
        assert sess.run(y, {x: np.ones(3), i: 7}) == 1.0


def test_large_fills_stay_inside() -> None:
    """A broadcast is cheaper to make again than to keep."""
    x = tf.placeholder(tf.float32, [])
    y = tf.while_loop(
        lambda y: tf.reduce_sum(y) < 9.0, lambda y: y + tf.fill([64], x), [tf.zeros([64])]
    )
    with tf.Session() as sess:
        sess.run(y, {x: 1.0})
        program = program_of(sess, [y], {x: np.float32(1)})
    assert "fill" in ops(loop_of(program).attrs["loop"].body)


def test_what_the_backward_loop_does_not_read_is_not_kept() -> None:
    x = tf.placeholder(tf.float32, [3])
    _, y = tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * 2.0 + x), (0, x))
    (g,) = tf.gradients(y, x)
    with tf.Session() as sess:
        np.testing.assert_array_equal(sess.run(g, {x: np.ones(3)}), [15.0] * 3)
        program = program_of(sess, [y, g], {x: np.ones(3, np.float32)})
    loops = [n.attrs["loop"] for n in program.nodes if n.op.name == "loop"]
    assert [(len(p.body.outputs), p.pops) for p in loops] == [(0, 0), (0, 0)]


def test_two_gradients_share_what_they_keep() -> None:
    x = tf.placeholder(tf.float32, [3])
    _, y = tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, tf.sin(y)), (0, x))
    first, second = tf.gradients(y, x)[0], tf.gradients(y * y, x)[0]
    with tf.Session() as sess:
        got = sess.run([y, first, second], {x: np.ones(3)})
        program = program_of(sess, [y, first, second], {x: np.ones(3, np.float32)})
    np.testing.assert_allclose(got[2], 2 * got[0] * got[1], rtol=1e-6)
    forward = next(n for n in program.nodes if n.op.name == "loop")
    assert len(forward.attrs["loop"].body.outputs) == 1
    assert "body program(" in str(program)
