"""A convolutional network with batch normalisation reads handwritten digits.

    python examples/cnn_digits.py            trains, prints the test accuracy
    python examples/cnn_digits.py --steps 50 a shorter run

The moving averages of batch normalisation are updated by ops in UPDATE_OPS, as in TensorFlow 1: the
training op waits for them. One placeholder says whether the network trains.
"""

from __future__ import annotations

import sys

import numpy as np
from datasets import digits

import graphc as tf

BATCH = 64
STEPS = 400


def network(images, training):
    """Logits [batch, 10] of images [batch, 64]."""
    net = tf.reshape(images, [-1, 8, 8, 1])
    for number, filters in enumerate((16, 32)):
        name = f"conv{number}"
        net = tf.layers.conv2d(net, filters, 3, padding="same", use_bias=False, name=name)
        net = tf.layers.batch_normalization(net, training=training, momentum=0.9)
        net = tf.layers.max_pooling2d(tf.nn.relu(net), 2, 2)
    net = tf.layers.dense(tf.layers.flatten(net), 64, use_bias=False, name="hidden")
    net = tf.nn.relu(tf.layers.batch_normalization(net, training=training, momentum=0.9))
    net = tf.layers.dropout(net, 0.3, training=training)
    return tf.layers.dense(net, 10, name="logits")


def model():
    """Placeholders, loss, accuracy and training op."""
    x = tf.placeholder(tf.float32, [None, 64], name="images")
    y = tf.placeholder(tf.int32, [None], name="labels")
    training = tf.placeholder_with_default(False, [], name="training")
    logits = network(x, training)
    loss = tf.losses.sparse_softmax_cross_entropy(y, logits)
    accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1, output_type=tf.int32), y),
                                      tf.float32))  # fmt: skip
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        train = tf.train.AdamOptimizer(3e-3).minimize(loss)
    return x, y, training, loss, accuracy, train


def build():
    """Fetches and feeds of one training step, for the tools."""
    x, y, training, loss, _, train = model()
    images, labels, _, _ = digits()
    return [loss, train], {x: images[:BATCH], y: labels[:BATCH], training: True}


def main(steps=STEPS):
    """Trains and evaluates; the test accuracy, with the averages that training has moved."""
    tf.set_random_seed(0)
    x, y, training, loss, accuracy, train = model()
    train_x, train_y, test_x, test_y = digits()
    rng = np.random.default_rng(0)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for step in range(1, steps + 1):
            rows = rng.integers(0, len(train_x), BATCH)
            feed = {x: train_x[rows], y: train_y[rows], training: True}
            value, _ = sess.run([loss, train], feed)
            if step % 100 == 0:
                print(f"step {step}  loss {value:.4f}")
        result = float(sess.run(accuracy, {x: test_x, y: test_y}))
    print(f"test accuracy {result:.4f} on {len(test_x)} images")
    return result


if __name__ == "__main__":
    main(int(sys.argv[sys.argv.index("--steps") + 1]) if "--steps" in sys.argv else STEPS)
