"""A two-layer network reads handwritten digits: train, evaluate, see what the compiler did.

    python examples/mlp_digits.py            trains, prints the test accuracy and the fusion report,
                                             draws the loss curve into mlp_digits.png
    python examples/mlp_digits.py --no-plot  without the curve
"""

from __future__ import annotations

import sys

import numpy as np
from datasets import digits

import graphc as tf

HIDDEN = 128
BATCH = 64
EPOCHS = 30
RATE = 2e-3


def model():
    """Placeholders, loss, accuracy and training op."""
    x = tf.placeholder(tf.float32, [None, 64], name="images")
    y = tf.placeholder(tf.int32, [None], name="labels")

    def dense(inputs, units, name, activation=None):
        with tf.variable_scope(name):
            size = inputs.get_shape()[1].value
            initial = tf.truncated_normal([size, units], stddev=(2.0 / size) ** 0.5, seed=1)
            weights = tf.Variable(initial, name="weights")
            bias = tf.Variable(tf.zeros([units]), name="bias")
            out = tf.matmul(inputs, weights) + bias
            return activation(out) if activation is not None else out

    hidden = dense(x, HIDDEN, "hidden1", tf.nn.relu)
    hidden = dense(hidden, HIDDEN, "hidden2", tf.nn.relu)
    logits = dense(hidden, 10, "logits")
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
    loss = tf.reduce_mean(losses, name="loss")
    correct = tf.equal(tf.cast(tf.argmax(logits, 1), tf.int32), y)
    accuracy = tf.reduce_mean(tf.cast(correct, tf.float32), name="accuracy")
    train = tf.train.AdamOptimizer(RATE).minimize(loss)
    return x, y, loss, accuracy, train


def build():
    """Fetches and feeds of one training step, for the tools."""
    x, y, loss, _, train = model()
    train_x, train_y, _, _ = digits()
    return [loss, train], {x: train_x[:BATCH], y: train_y[:BATCH]}


def fit(sess, x, y, loss, train, images, labels, epochs=EPOCHS, show=True):
    """Minibatch training; the loss of every step."""
    rng = np.random.default_rng(0)
    losses = []
    # on a terminal the line is written over; into a file every fifth epoch gets a line
    terminal = sys.stdout.isatty()
    for epoch in range(epochs):
        order = rng.permutation(len(images))
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            value, _ = sess.run([loss, train], {x: images[batch], y: labels[batch]})
            losses.append(float(value))
        if show and (terminal or (epoch + 1) % 5 == 0):
            mean = np.mean(losses[-(len(order) // BATCH) :])
            text = f"epoch {epoch + 1:2d}/{epochs}  loss {mean:.4f}"
            print(f"\r{text}" if terminal else text, end="" if terminal else "\n", flush=True)
    if show and terminal:
        print()
    return losses


def main(plot=True):
    """Trains, evaluates and reports; the test accuracy."""
    x, y, loss, accuracy, train = model()
    train_x, train_y, test_x, test_y = digits()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        losses = fit(sess, x, y, loss, train, train_x, train_y)
        result = sess.run(accuracy, {x: test_x, y: test_y})
        print(f"test accuracy {result:.4f} on {len(test_x)} images")
        feed = {x: train_x[:BATCH], y: train_y[:BATCH]}
        report = sess.explain([loss, train], feed)
    print(report)
    stats = tf.stats()
    print(
        f"modules compiled {stats['modules_compiled']}, kernels from the cache "
        f"{stats['kernels_from_cache']}, plans built {stats['plans_built']}"
    )
    if plot:
        draw(losses)
    return float(result)


def draw(losses, path="mlp_digits.png"):
    """The loss curve as a picture; needs matplotlib, which the extra `examples` brings."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError:
        print("no loss curve without matplotlib: pip install 'graphc[examples]'")
        return
    figure, axes = plt.subplots(figsize=(6, 4))
    axes.plot(losses, linewidth=0.8)
    axes.set(xlabel="step", ylabel="cross-entropy", yscale="log", title="digits, training loss")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)
    print(f"loss curve in {path}")


if __name__ == "__main__":
    main(plot="--no-plot" not in sys.argv[1:])
