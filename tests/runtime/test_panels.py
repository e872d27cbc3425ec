"""Panels of weights that a session keeps: packed once, and again when a variable has changed."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.config import Config
from graphc.errors import FailedPreconditionError
from graphc.runtime import panels

Array = np.ndarray[Any, Any]
ROWS, INNER, COLUMNS = 48, 520, 512  # B is more than a core's second cache takes at a time


@pytest.fixture
def packed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is packed, in order."""
    names: list[str] = []
    pack = panels._pack

    def spy(call: Any, *args: Any) -> None:
        names.append(call.kernel_name)
        pack(call, *args)

    monkeypatch.setattr(panels, "_pack", spy)
    return names


def _weights(seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal((INNER, COLUMNS)).astype(np.float32)


def _rows(seed: int = 1) -> Array:
    return np.random.default_rng(seed).standard_normal((ROWS, INNER)).astype(np.float32)


def _close(got: Array, wanted: Array) -> None:
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=2e-4)


@pytest.mark.parametrize("transposed", [False, True])
def test_weights_are_packed_once_and_again_when_they_change(
    packed: list[str], transposed: bool
) -> None:
    first, second = _weights(0), _weights(5)
    stored = first.T.copy() if transposed else first
    w = tf.Variable(stored)
    x = tf.placeholder(tf.float32, (ROWS, INNER))
    y = tf.matmul(x, w, transpose_b=transposed)
    rows = _rows()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in range(4):
            _close(sess.run(y, {x: rows}), rows @ first)
        assert len(packed) == 1
        kinds = {s.kind for s in sess.explain(y, {x: rows}).steps}
        assert "pack" not in kinds
        w.load(second.T.copy() if transposed else second, sess)
        _close(sess.run(y, {x: rows}), rows @ second)
        sess.run(tf.assign(w, stored))
        for _ in range(3):
            _close(sess.run(y, {x: rows}), rows @ first)
    assert len(packed) == 3


def test_a_training_step_between_runs(packed: list[str]) -> None:
    w = tf.Variable(_weights())
    x = tf.placeholder(tf.float32, (ROWS, INNER))
    y = tf.matmul(x, w)
    train = tf.train.GradientDescentOptimizer(0.01).minimize(tf.reduce_mean(tf.square(y)))
    rows = _rows()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        call = sess.make_callable(y, [x])
        for _ in range(3):
            sess.run(train, {x: rows})
            _close(call(rows), rows @ sess.run(w))
            _close(call(rows), rows @ sess.run(w))
    assert len(packed) == 3, "the training step packs for itself"


def test_constants_are_packed_once_whatever_variables_do(packed: list[str]) -> None:
    weights, rows = _weights(), _rows()
    x = tf.placeholder(tf.float32, (ROWS, INNER))
    count = tf.Variable(0)
    y = tf.matmul(x, tf.constant(weights))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in range(3):
            sess.run(tf.assign_add(count, 1))
            _close(sess.run(y, {x: rows}), rows @ weights)
    assert len(packed) == 1


def test_plans_of_one_session_share_panels_and_sessions_do_not(packed: list[str]) -> None:
    w = tf.Variable(_weights())
    x = tf.placeholder(tf.float32, (ROWS, INNER))
    y = tf.matmul(x, w)
    other = tf.nn.relu(tf.matmul(x, w))
    rows = _rows()
    with tf.Session() as one, tf.Session() as two:
        for sess, scale in ((one, 1.0), (two, 2.0)):
            sess.run(tf.global_variables_initializer())
            w.load(scale * _weights(), sess)
        for sess, scale in ((one, 1.0), (two, 2.0)):
            _close(sess.run(y, {x: rows}), scale * (rows @ _weights()))
            _close(sess.run(other, {x: rows}), np.maximum(scale * (rows @ _weights()), 0))
    assert len(packed) == 2


def test_an_uninitialised_variable_is_named() -> None:
    w = tf.Variable(_weights(), name="kernel")
    x = tf.placeholder(tf.float32, (ROWS, INNER))
    y = tf.matmul(x, w)
    with tf.Session() as sess, pytest.raises(FailedPreconditionError, match="uninitialized value"):
        sess.run(y, {x: _rows()})


def test_a_variable_of_another_shape() -> None:
    w = tf.Variable(_weights(), validate_shape=False)
    wider = tf.placeholder(tf.float32, (None, None))
    change = tf.assign(w, wider, validate_shape=False)
    x = tf.placeholder(tf.float32, (ROWS, INNER))
    y = tf.matmul(x, w)
    rows = _rows()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        _close(sess.run(y, {x: rows}), rows @ _weights())
        more = np.concatenate([_weights(), _weights(2)], 1)
        sess.run(change, {wider: more})
        _close(sess.run(y, {x: rows}), rows @ more)


def test_threads_and_validation_agree() -> None:
    w = tf.Variable(_weights())
    x = tf.placeholder(tf.float32, (None, INNER))
    y = tf.nn.relu(tf.matmul(x, w) + 1.0)
    rows = _rows()
    results = []
    for config in (None, Config(threads=1), Config(validate=True)):
        with tf.Session(config=config) as sess:
            sess.run(tf.global_variables_initializer())
            results.append(sess.run(y, {x: rows}))
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_inference_while_another_thread_trains() -> None:
    """Weights only grow: results stay between the first and the last, and end with the last."""
    w = tf.Variable(np.zeros((INNER, COLUMNS), np.float32))
    x = tf.placeholder(tf.float32, (ROWS, INNER))
    y = tf.matmul(x, w)
    step = tf.assign_add(w, tf.ones((INNER, COLUMNS)))
    ones = np.ones((ROWS, INNER), np.float32)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())

        def train() -> None:
            for _ in range(40):
                sess.run(step.op)

        worker = threading.Thread(target=train)
        worker.start()
        for _ in range(40):
            got = sess.run(y, {x: ones})
            assert got.min() >= 0 and got.max() <= 40 * INNER
        worker.join()
        _close(sess.run(y, {x: ones}), np.full((ROWS, COLUMNS), 40.0 * INNER, np.float32))
