"""Learning-rate schedules and moving averages against TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from graphc.ops.define import F
from graphc.tf1 import learning_rate as lr
from graphc.tf1.moving_averages import (
    ExponentialMovingAverage,
    assign_moving_average,
    weighted_moving_average,
)
from graphc.tf1.optimizers import GradientDescentOptimizer
from tests.train.expected import DECAYS, STEPS

MAKE = {
    "exponential": lambda s: lr.exponential_decay(0.1, s, 10, 0.5),
    "exponential_stairs": lambda s: lr.exponential_decay(0.1, s, 10, 0.5, staircase=True),
    "natural_exp": lambda s: lr.natural_exp_decay(0.1, s, 10, 0.5),
    "inverse_time": lambda s: lr.inverse_time_decay(0.1, s, 10, 0.5),
    "inverse_time_stairs": lambda s: lr.inverse_time_decay(0.1, s, 10, 0.5, True),
    "polynomial": lambda s: lr.polynomial_decay(0.1, s, 10, 0.01, 2.0),
    "polynomial_cycle": lambda s: lr.polynomial_decay(0.1, s, 10, 0.01, 2.0, cycle=True),
    "piecewise": lambda s: lr.piecewise_constant(s, [1, 10, 25], [1.0, 0.5, 0.25, 0.125]),
    "cosine": lambda s: lr.cosine_decay(0.1, s, 20, 0.1),
    "cosine_restarts": lambda s: lr.cosine_decay_restarts(0.1, s, 10, 2.0, 0.5, 0.1),
    "cosine_restarts_equal": lambda s: lr.cosine_decay_restarts(0.1, s, 10, 1.0, 0.9, 0.0),
    "linear_cosine": lambda s: lr.linear_cosine_decay(0.1, s, 20, 0.5, 0.1, 0.001),
}


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as g:
        yield g


def started():
    sess = tf.Session()
    sess.run(tf.global_variables_initializer())
    return sess


@pytest.mark.parametrize("which", sorted(DECAYS))
def test_decays_agree_with_tensorflow(which):
    step = tf.placeholder(tf.int32, [])
    rate = MAKE[which](step)
    with tf.Session() as sess:
        got = [sess.run(rate, {step: s}) for s in STEPS]
    np.testing.assert_allclose(got, DECAYS[which], rtol=1e-5, atol=1e-8)


def test_steps_may_be_numbers_and_variables():
    step = tf.Variable(np.int64(10), trainable=False)
    rates = [lr.exponential_decay(0.1, s, 10, 0.5) for s in (10, step)]
    with started() as sess:
        np.testing.assert_allclose(sess.run(rates), [0.05, 0.05], rtol=1e-6)
    assert rates[0].name == "ExponentialDecay:0"


def test_decay_errors():
    with pytest.raises(ValueError, match="global_step is required for exponential_decay"):
        lr.exponential_decay(0.1, None, 10, 0.5)
    with pytest.raises(ValueError, match="boundaries should be 1 less"):
        lr.piecewise_constant(tf.constant(1), [1], [1.0])


def test_a_schedule_follows_the_step_of_its_train_op():
    w = tf.Variable(0.0)
    step = tf.Variable(0, trainable=False)
    rate = lr.exponential_decay(1.0, step, 1, 0.5)
    train = GradientDescentOptimizer(rate).minimize(w * 1.0, global_step=step)
    with started() as sess:
        for want in (-1.0, -1.5, -1.75):
            sess.run(train)
            np.testing.assert_allclose(sess.run(w), want)


def test_shadows_of_variables_and_tensors():
    v = tf.Variable([1.0, 2.0], name="v")
    step = tf.Variable(0, trainable=False, name="gs")
    t = v * 3.0
    of_variable = ExponentialMovingAverage(0.9, num_updates=step)
    of_tensor = ExponentialMovingAverage(0.9, zero_debias=True, name="E2")
    updates = [of_variable.apply([v]), of_tensor.apply([t])]
    assert [n.name for n in updates] == ["ExponentialMovingAverage", "E2"]
    assert [x.name for x in tf.global_variables()] == [
        "v:0", "gs:0", "v/ExponentialMovingAverage:0", "mul/E2:0", "mul/E2/biased:0",
        "mul/E2/local_step:0",
    ]  # fmt: skip
    assert tf.moving_average_variables() == [v]
    assert of_variable.average_name(v) == "v/ExponentialMovingAverage"
    assert of_variable.average(t) is None
    bump, count = v.assign_add([1.0, 1.0]), step.assign_add(1)
    want = [
        ([1.9, 2.9], [6.0, 9.0]),
        ([2.8, 3.8], [7.5789466, 10.578947]),
        ([3.7, 4.7], [9.210331, 12.210331]),
    ]
    with started() as sess:
        for a, b in want:
            sess.run(bump)
            sess.run(updates)
            sess.run(count)
            got = sess.run([of_variable.average(v), of_tensor.average(t)])
            np.testing.assert_allclose(got, [a, b], rtol=1e-5)


def test_an_average_behind_a_train_op_sees_the_new_values():
    w = tf.Variable(0.0)
    train = GradientDescentOptimizer(1.0).minimize(w * 1.0)
    ema = ExponentialMovingAverage(0.5)
    with tf.control_dependencies([train]):
        both = ema.apply([w])
    with started() as sess:
        sess.run(both)
        assert sess.run([w, ema.average(w)]) == [-1.0, -0.5]


def test_what_a_saver_restores():
    v = tf.Variable(1.0, name="v")
    other = tf.Variable(1, name="n", trainable=False)
    ema = ExponentialMovingAverage(0.9)
    assert ema.average_name(v) == "v/ExponentialMovingAverage"
    assert ema.variables_to_restore() == {"v/ExponentialMovingAverage": v, "n": other}
    ema.apply([v])
    assert ema.variables_to_restore()["v/ExponentialMovingAverage"] is v


def test_averages_refuse_integers():
    with pytest.raises(TypeError, match="must be half, float, or double: n:0"):
        ExponentialMovingAverage(0.9).apply([tf.Variable(1, name="n")])


def test_assign_and_weighted_moving_averages():
    v = tf.Variable(10.0)
    update = assign_moving_average(v, tf.constant(0.0), 0.9, zero_debias=False)
    value, weight = tf.placeholder(tf.float32, []), tf.placeholder(tf.float32, [])
    mean = weighted_moving_average(value, 0.9, weight)
    with started() as sess:
        np.testing.assert_allclose(sess.run(update), 9.0)
        got = [
            sess.run(mean, {value: a, weight: b}) for a, b in ((1.0, 1.0), (2.0, 3.0), (5.0, 0.5))
        ]
    np.testing.assert_allclose(got, [1.0, 1.7692308, 2.1720698], rtol=1e-6)


def test_a_decay_that_is_a_tensor():
    v = tf.Variable(1.0)
    ema = ExponentialMovingAverage(F.multiply(tf.constant(0.25), 2.0))
    update = ema.apply([v])
    with started() as sess:
        sess.run(v.assign(3.0))
        sess.run(update)
        assert sess.run(ema.average(v)) == 2.0
