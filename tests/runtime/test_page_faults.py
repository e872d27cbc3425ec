"""Runs in a steady state touch no fresh pages: results, temporaries and scratch are used again."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import graphc as tf

resource = pytest.importorskip("resource")
RUNS = 100
FEW = RUNS  # pages in all runs together: what Python's own memory may take


def rand(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def chain(x):
    return tf.tanh(x * 2 + 1) * tf.exp(-x * x) + tf.sqrt(tf.abs(x))


def training(x):
    w = tf.Variable(rand(1024, 64) * 0.1)
    b = tf.Variable(tf.zeros([64]))
    loss = tf.reduce_mean(tf.square(tf.nn.relu(tf.matmul(x, w) + b)))
    return [loss, tf.train.AdamOptimizer(1e-3).minimize(loss)]


WORKS = {
    "chain": chain,
    "softmax": tf.nn.softmax,
    "columns": lambda x: tf.reduce_sum(x, 0),
    "transpose": lambda x: tf.transpose(x) + 1,
    "running sum": lambda x: tf.cumsum(x, 1),
    "gradient": lambda x: tf.gradients(tf.reduce_sum(tf.nn.softmax(chain(x)) * x), x),
    "training": training,
}


@pytest.mark.skipif(sys.platform != "linux", reason="counts as Linux does")
@pytest.mark.parametrize("name", WORKS)
def test_no_fresh_pages(name):
    array = rand(1024, 1024)
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 1024])
        fetches = WORKS[name](x)
        session.run(tf.global_variables_initializer())
        call = session.make_callable(fetches, [x])
        for _ in range(5):
            call(array)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(RUNS):
            call(array)
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    assert faults < FEW, f"{faults} page faults in {RUNS} runs"
