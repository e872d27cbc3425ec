"""The optimizers of tf.contrib.opt: against TensorFlow's training ops, and by their formulas."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from graphc.ops.define import F
from graphc.tf1 import optimizers_contrib as contrib
from graphc.tf1.optimizers import AdamOptimizer, GradientDescentOptimizer

START = np.array([[1.0, -2.0], [0.5, 0.25], [-0.1, 3.0]], np.float32)
WEIGHTS = np.array([[1.0], [2.0], [0.5]], np.float32)
# TensorFlow's ApplyAdaMax, ApplyAdam(use_nesterov), ApplyAddSign, ApplyPowerSign: steps 1, 2, 4
EXPECTED = {
    "adamax": [
        [0.89999998, -1.9, 0.40000001, 0.34999999, 0.0, 2.9000001],
        [0.80742621, -1.8021905, 0.32624203, 0.34473687, 0.086929023, 2.8018513],
        [0.64402372, -1.6133214, 0.24195951, 0.27766719, 0.22458965, 2.6112778],
    ],
    "nadam": [
        [0.81000006, -1.8100001, 0.31000006, 0.4399997, 0.089999847, 2.8099999],
        [0.6779846, -1.6699675, 0.24270633, 0.32711744, 0.20913453, 2.6695518],
        [0.46951094, -1.4316438, 0.24025452, 0.25781414, 0.35959545, 2.4299307],
    ],
    "addsign": [
        [0.72000003, -1.0799999, 0.34, 0.29000002, -0.019999996, 2.46],
        [0.55200005, -0.52799994, 0.308, 0.29800001, 0.044000007, 2.0280001],
        [0.39072004, 0.0019200295, 0.30032, 0.29992002, 0.13616002, 1.40592],
    ],
    "powersign": [
        [0.61944056, -0.7495904, 0.28253746, 0.30436563, 0.0087312683, 2.2660639],
        [0.44577467, -0.17897391, 0.28510711, 0.30372322, 0.087906316, 1.7316324],
        [0.33035752, 0.20025393, 0.28916764, 0.30270809, 0.18754068, 1.0591004],
    ],
}
MAKE = {
    "adamax": lambda: contrib.AdaMaxOptimizer(0.1),
    "nadam": lambda: contrib.NadamOptimizer(0.1),
    "addsign": lambda: contrib.AddSignOptimizer(0.1),
    "powersign": lambda: contrib.PowerSignOptimizer(0.1),
}


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as g:
        yield g


def total(x):
    return F.reduce_sum(x, axes=None, keepdims=False)


def started():
    sess = tf.Session()
    sess.run(tf.global_variables_initializer())
    return sess


@pytest.mark.parametrize("which", sorted(EXPECTED))
def test_steps_agree_with_tensorflow(which):
    w = tf.Variable(START)
    train = MAKE[which]().minimize(total(F.square(w - 0.3) * WEIGHTS))
    with started() as sess:
        got = []
        for _ in range(4):
            sess.run(train)
            got.append(sess.run(w).ravel())
    np.testing.assert_allclose([got[0], got[1], got[3]], EXPECTED[which], rtol=2e-5, atol=2e-6)


def rows_of(w):
    return total(F.square(F.gather(w, [2, 0, 2], axis=0, batch_dims=0)) * WEIGHTS)


def test_lazy_adam_leaves_rows_without_a_gradient_alone():
    w = tf.Variable(START)
    batch = tf.placeholder(tf.int32, [None])
    lazy = contrib.LazyAdamOptimizer(0.1)
    train = lazy.minimize(total(F.square(F.gather(w, batch, axis=0, batch_dims=0))))
    with started() as sess:
        sess.run(train, {batch: [0, 2]})
        before, m = sess.run([w, lazy.get_slot(w, "m")])
        sess.run(train, {batch: [2]})
        after, m_after = sess.run([w, lazy.get_slot(w, "m")])
    np.testing.assert_array_equal(after[:2], before[:2])
    np.testing.assert_array_equal(m_after[:2], m[:2])
    assert (after[2] != before[2]).all()


def test_adam_with_rows_is_adam_with_zeros_elsewhere():
    a, b = tf.Variable(START), tf.Variable(START)
    weights = np.array([[2.0], [0.0], [1.5]], np.float32)
    trains = [
        AdamOptimizer(0.1).minimize(rows_of(a)),
        AdamOptimizer(0.1).minimize(total(F.square(b) * weights)),
    ]
    with started() as sess:
        for _ in range(3):
            sess.run(trains)
        got, want = sess.run([a, b])
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_decoupled_weight_decay_shrinks_before_the_update():
    w, v = tf.Variable(START), tf.Variable(START)
    sgd = contrib.extend_with_decoupled_weight_decay(GradientDescentOptimizer)(0.01, 0.5)
    train = sgd.minimize(total(w * 2.0) + total(v * 2.0), decay_var_list=[w])
    with started() as sess:
        sess.run(train)
        got = sess.run([w, v])
    np.testing.assert_allclose(got[0], START * 0.99 - 1.0, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(got[1], START - 1.0, rtol=1e-6)


def test_adamw_is_adam_without_decay_and_shrinks_with_it():
    a, b, c = (tf.Variable(START) for _ in range(3))
    trains = [
        AdamOptimizer(0.1).minimize(total(F.square(a))),
        contrib.AdamWOptimizer(0.0, 0.1).minimize(total(F.square(b))),
        contrib.AdamWOptimizer(0.1, 0.1).minimize(total(F.square(c))),
    ]
    with started() as sess:
        sess.run(trains)
        adam, plain, decayed = sess.run([a, b, c])
    np.testing.assert_allclose(plain, adam)
    np.testing.assert_allclose(decayed, adam - 0.1 * START, atol=1e-6)


def test_momentumw_and_sign_decay():
    w = tf.Variable(1.0)
    step = tf.Variable(0, trainable=False)
    train = contrib.MomentumWOptimizer(0.5, 0.1, 0.9).minimize(w * 1.0)
    signed = contrib.AddSignOptimizer(0.1, sign_decay_fn=lambda s: F.cast(s, dtype=tf.float32))
    other = signed.minimize(w * 1.0, global_step=step)
    with started() as sess:
        sess.run(train)
        np.testing.assert_allclose(sess.run(w), 0.4, rtol=1e-6)
        sess.run(other)
        np.testing.assert_allclose(sess.run([w, step]), [0.3, 1], rtol=1e-6)
    with pytest.raises(ValueError, match="global_step is required"):
        contrib.AddSignOptimizer(sign_decay_fn=lambda s: s).minimize(w * 1.0)
