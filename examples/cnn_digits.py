"""A convolutional network with batch normalisation reads handwritten digits.

    python examples/cnn_digits.py            trains, prints the test accuracy
    python examples/cnn_digits.py --steps 50 a shorter run
    python examples/cnn_digits.py --out DIR  also draws the images that it is least sure of

The moving averages of batch normalisation are updated by ops in UPDATE_OPS, as in TensorFlow 1: the
training op waits for them. One placeholder says whether the network trains.
"""

from __future__ import annotations

import sys

import numpy as np
import pictures
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
    """Placeholders, loss, accuracy, training op and the chances of each digit."""
    x = tf.placeholder(tf.float32, [None, 64], name="images")
    y = tf.placeholder(tf.int32, [None], name="labels")
    training = tf.placeholder_with_default(False, [], name="training")
    logits = network(x, training)
    loss = tf.losses.sparse_softmax_cross_entropy(y, logits)
    accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1, output_type=tf.int32), y),
                                      tf.float32))  # fmt: skip
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        train = tf.train.AdamOptimizer(3e-3).minimize(loss)
    return x, y, training, loss, accuracy, train, tf.nn.softmax(logits)


def build():
    """Fetches and feeds of one training step, for the tools."""
    x, y, training, loss, _, train, _ = model()
    images, labels, _, _ = digits()
    return [loss, train], {x: images[:BATCH], y: labels[:BATCH], training: True}


def draw(folder, images, labels, chances):
    """The twelve images whose digit gets the least chance, with what the network reads."""
    rows = np.argsort(chances[np.arange(len(labels)), labels])[:12]
    titles = [f"{chances[k].argmax()}, not {labels[k]}" if chances[k].argmax() != labels[k]
              else f"{labels[k]} ({chances[k].max():.0%})" for k in rows]  # fmt: skip
    pictures.images(folder / "cnn_digits.png", images[rows].reshape(2, 6, 8, 8), titles)


def main(steps=STEPS, folder=None):
    """Trains and evaluates; the test accuracy, with the averages that training has moved."""
    tf.set_random_seed(0)
    x, y, training, loss, accuracy, train, chances = model()
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
        result, found = sess.run([accuracy, chances], {x: test_x, y: test_y})
    print(f"test accuracy {result:.4f} on {len(test_x)} images")
    if folder is not None:
        draw(folder, test_x, test_y, found)
    return float(result)


if __name__ == "__main__":
    words = sys.argv[1:]
    steps = int(words[words.index("--steps") + 1]) if "--steps" in words else STEPS
    main(steps, pictures.folder_of(words))
