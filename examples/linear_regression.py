"""Linear regression on real data: the progression of diabetes from ten measurements.

    python examples/linear_regression.py
"""

from __future__ import annotations

import numpy as np
from datasets import diabetes

import graphc as tf

RATE = 0.2
STEPS = 4000  # two of the ten features nearly repeat others: the last digits come slowly


def model():
    """Placeholders, loss and training op."""
    x = tf.placeholder(tf.float32, [None, 10], name="x")
    y = tf.placeholder(tf.float32, [None, 1], name="y")
    weights = tf.Variable(tf.zeros([10, 1]), name="weights")
    bias = tf.Variable(tf.zeros([1]), name="bias")
    prediction = tf.matmul(x, weights) + bias
    loss = tf.reduce_mean(tf.square(y - prediction), name="loss")
    train = tf.train.GradientDescentOptimizer(RATE).minimize(loss)
    return x, y, loss, train, (weights, bias)


def build():
    """Fetches and feeds of one training step, for the tools."""
    x, y, loss, train, _ = model()
    train_x, train_y, _, _ = diabetes()
    return [loss, train], {x: train_x, y: train_y}


def main():
    x, y, loss, train, (weights, bias) = model()
    train_x, train_y, test_x, test_y = diabetes()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for step in range(STEPS + 1):
            value, _ = sess.run([loss, train], {x: train_x, y: train_y})
            if step % 1000 == 0:
                print(f"step {step:4d}  loss {value:.4f}")
        test = sess.run(loss, {x: test_x, y: test_y})
        w, b = sess.run([weights, bias])
    ones = np.column_stack([train_x, np.ones(len(train_x))]).astype(np.float64)
    exact, *_ = np.linalg.lstsq(ones, train_y.astype(np.float64), rcond=None)
    gap = np.abs(np.concatenate([w, b[:, None]]) - exact).max()
    print(f"test loss {test:.4f}; largest distance to the least-squares solution {gap:.2e}")
    return float(test), float(gap)


if __name__ == "__main__":
    main()
