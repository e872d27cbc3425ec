"""The smallest network that needs a hidden layer: exclusive or.

    python examples/xor.py
"""

from __future__ import annotations

import numpy as np

import graphc as tf

INPUTS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
TARGETS = np.array([[0], [1], [1], [0]], np.float32)
STEPS = 2000


def model():
    """Placeholders, prediction, loss and training op."""
    x = tf.placeholder(tf.float32, [None, 2], name="x")
    y = tf.placeholder(tf.float32, [None, 1], name="y")
    w1 = tf.Variable(tf.random_uniform([2, 4], -1, 1, seed=3), name="w1")
    b1 = tf.Variable(tf.zeros([4]), name="b1")
    w2 = tf.Variable(tf.random_uniform([4, 1], -1, 1, seed=4), name="w2")
    b2 = tf.Variable(tf.zeros([1]), name="b2")
    hidden = tf.tanh(tf.matmul(x, w1) + b1)
    prediction = tf.sigmoid(tf.matmul(hidden, w2) + b2)
    loss = tf.reduce_mean(tf.square(prediction - y))
    train = tf.train.MomentumOptimizer(0.5, 0.9).minimize(loss)
    return x, y, prediction, loss, train


def build():
    """Fetches and feeds of one training step, for the tools."""
    x, y, _, loss, train = model()
    return [loss, train], {x: INPUTS, y: TARGETS}


def main():
    x, y, prediction, loss, train = model()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for step in range(STEPS + 1):
            value, _ = sess.run([loss, train], {x: INPUTS, y: TARGETS})
            if step % 500 == 0:
                print(f"step {step:4d}  loss {value:.5f}")
        answers = sess.run(prediction, {x: INPUTS})
    for row, answer in zip(INPUTS, answers, strict=True):
        print(f"{row[0]:.0f} xor {row[1]:.0f} = {answer[0]:.3f}")
    return answers


if __name__ == "__main__":
    main()
