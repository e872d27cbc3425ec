"""Logistic regression with L1 and L2 penalties: benign or malignant, from thirty features.

    python examples/logistic_regression.py
"""

from __future__ import annotations

import numpy as np
from datasets import breast_cancer

import graphc as tf

RATE = 0.5
STEPS = 400
L1, L2 = 1e-3, 1e-3


def model(l1=L1, l2=L2):
    """Placeholders, loss, accuracy, training op and the weights."""
    x = tf.placeholder(tf.float32, [None, 30], name="x")
    y = tf.placeholder(tf.float32, [None, 1], name="y")
    weights = tf.Variable(tf.zeros([30, 1]), name="weights")
    bias = tf.Variable(tf.zeros([1]), name="bias")
    logits = tf.matmul(x, weights) + bias
    cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=logits)
    penalty = l1 * tf.reduce_sum(tf.abs(weights)) + l2 * tf.nn.l2_loss(weights)
    loss = tf.reduce_mean(cross_entropy) + penalty
    correct = tf.equal(tf.cast(logits > 0, tf.float32), y)
    accuracy = tf.reduce_mean(tf.cast(correct, tf.float32))
    train = tf.train.GradientDescentOptimizer(RATE).minimize(loss)
    return x, y, loss, accuracy, train, weights


def build():
    """Fetches and feeds of one training step, for the tools."""
    x, y, loss, _, train, _ = model()
    train_x, train_y, _, _ = breast_cancer()
    return [loss, train], {x: train_x, y: train_y}


def main():
    train_x, train_y, test_x, test_y = breast_cancer()
    found = {}
    for name, l1, l2 in (("no penalty", 0.0, 0.0), ("L2", 0.0, 1e-2), ("L1", 1e-2, 0.0)):
        tf.reset_default_graph()
        x, y, loss, accuracy, train, weights = model(l1, l2)
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            for _ in range(STEPS):
                sess.run(train, {x: train_x, y: train_y})
            value, share = sess.run([loss, accuracy], {x: test_x, y: test_y})
            small = int((np.abs(sess.run(weights)) < 1e-2).sum())
        found[name] = (float(share), small)
        print(f"{name:10s}  test loss {value:.4f}  accuracy {share:.3f}  {small} weights near 0")
    return found


if __name__ == "__main__":
    main()
