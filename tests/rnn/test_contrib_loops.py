"""Every cell of tf.contrib.rnn gives the same in a loop as unrolled, with its gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as tf

rnn = tf.contrib.rnn
X = np.random.RandomState(0).randn(3, 4, 4).astype(np.float32)
IMAGES = np.random.RandomState(1).randn(2, 3, 4, 4, 2).astype(np.float32)

CELLS: dict[str, Callable[[], Any]] = {
    "nas": lambda: rnn.NASCell(4, num_proj=3),
    "ugrnn": lambda: rnn.UGRNNCell(4),
    "intersection": lambda: rnn.IntersectionRNNCell(4),
    "sru": lambda: rnn.SRUCell(4),
    "ind_rnn": lambda: rnn.IndRNNCell(4),
    "indy_gru": lambda: rnn.IndyGRUCell(4),
    "indy_lstm": lambda: rnn.IndyLSTMCell(4),
    "layer_norm_lstm": lambda: rnn.LayerNormBasicLSTMCell(4),
    "layer_norm_full": lambda: rnn.LayerNormLSTMCell(4, layer_norm=True, use_peepholes=True),
    "layer_norm_gru": lambda: rnn.LayerNormBasicGRUCell(4),
    "grouped": lambda: rnn.GLSTMCell(4, number_of_groups=2),
    "coupled": lambda: rnn.CoupledInputForgetGateLSTMCell(4, num_unit_shards=2, layer_norm=True),
    "block_lstm": lambda: rnn.LSTMBlockCell(4, use_peephole=True),
    "block_gru": lambda: rnn.GRUBlockCellV2(4),
    "in_projection": lambda: rnn.InputProjectionWrapper(rnn.GRUCell(3), 5),
    "out_projection": lambda: rnn.OutputProjectionWrapper(rnn.LSTMCell(3), 5),
    "attention": lambda: rnn.AttentionCellWrapper(rnn.LSTMCell(3), 2),
    "highway": lambda: rnn.HighwayWrapper(rnn.GRUCell(4)),
    "stack": lambda: rnn.MultiRNNCell([rnn.NASCell(3), rnn.ResidualWrapper(rnn.UGRNNCell(3))]),
}


def both(make: Callable[[], Any], x: Any, steps: list[Any]) -> Any:
    """(outputs, last state, variables) by a loop, and outputs and state unrolled."""
    looped = tf.nn.dynamic_rnn(make(), x, dtype=tf.float32, sequence_length=[4, 2, 3])
    with tf.variable_scope("", reuse=True):
        unrolled, state = tf.nn.static_rnn(
            make(), steps, dtype=tf.float32, sequence_length=[4, 2, 3]
        )
    return looped, (tf.stack(unrolled, 1), state)


@pytest.mark.parametrize("name", sorted(CELLS))
def test_loops_and_unrolled_steps(sess: tf.Session, name: str) -> None:
    x = tf.constant(X)
    one, other = both(CELLS[name], x, tf.unstack(x, axis=1))
    variables = tf.trainable_variables()
    grads = [tf.gradients(tf.reduce_sum(tf.square(o)), variables) for o, _ in (one, other)]
    sess.run(tf.global_variables_initializer())
    a, b = sess.run([one, other])
    for got, wanted in zip(tf.nest.flatten(a), tf.nest.flatten(b), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)
    kept = [(g, h) for g, h in zip(*grads, strict=True) if g is not None]
    assert len(kept) >= len(variables) - 1
    for got, wanted in zip(*sess.run([[g for g, _ in kept], [h for _, h in kept]]), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-4)


def test_images_over_time(sess: tf.Session) -> None:
    x = tf.constant(IMAGES)

    def make() -> Any:
        return rnn.Conv2DLSTMCell(input_shape=[4, 4, 2], output_channels=3, kernel_shape=[3, 3])

    outputs, state = tf.nn.dynamic_rnn(make(), x, dtype=tf.float32)
    with tf.variable_scope("", reuse=True):
        steps, _ = tf.nn.static_rnn(make(), tf.unstack(x, axis=1), dtype=tf.float32)
    grads = tf.gradients(tf.reduce_sum(tf.square(outputs)), tf.trainable_variables())
    assert outputs.shape.as_list() == [2, 3, 4, 4, 3] and state.c.shape.as_list() == [2, 4, 4, 3]
    sess.run(tf.global_variables_initializer())
    a, b = sess.run([outputs, tf.stack(steps, 1)])
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    assert all(np.isfinite(g).all() for g in sess.run(grads))


def test_events_at_times_of_their_own(sess: tf.Session) -> None:
    times = tf.constant(np.cumsum(np.random.RandomState(2).rand(3, 4, 1), 1).astype(np.float32))
    outputs, state = tf.nn.dynamic_rnn(
        rnn.PhasedLSTMCell(5), (times, tf.constant(X)), dtype=tf.float32
    )
    grads = tf.gradients(tf.reduce_sum(outputs), tf.trainable_variables())
    sess.run(tf.global_variables_initializer())
    got, last = sess.run([outputs, state])
    np.testing.assert_array_equal(got[:, -1], last.h)
    assert all(np.isfinite(g).all() for g in sess.run([g for g in grads if g is not None]))
