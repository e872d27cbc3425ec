"""Two networks play against each other: one draws digits, one tells them from real ones.

    python examples/gan_digits.py            trains, prints both losses and some drawn digits
    python examples/gan_digits.py --steps 50 a shorter run
    python examples/gan_digits.py --out DIR  also draws digits into DIR/gan_digits.png

Goodfellow et al.: Generative adversarial nets (2014). Each network has an optimizer of its own,
over its own variables; the discriminator's are shared between the real and the drawn images.
"""

from __future__ import annotations

import sys

import numpy as np
import pictures
from datasets import digits

import graphc as tf

NOISE = 16
BATCH = 64
STEPS = 3000


def generator(z):
    """Images [batch, 64] in [0, 1] from noise [batch, NOISE]."""
    with tf.variable_scope("generator"):
        net = tf.layers.dense(z, 128, tf.nn.relu, name="hidden1")
        net = tf.layers.dense(net, 128, tf.nn.relu, name="hidden2")
        return tf.layers.dense(net, 64, tf.nn.sigmoid, name="image")


def discriminator(x, reuse=None):
    """How real an image looks: logits [batch, 1]."""
    with tf.variable_scope("discriminator", reuse=reuse):
        net = tf.layers.dense(x, 128, tf.nn.leaky_relu, name="hidden1")
        net = tf.layers.dense(net, 64, tf.nn.leaky_relu, name="hidden2")
        return tf.layers.dense(net, 1, name="logit")


def model():
    """Inputs, drawn images, both losses and both training ops."""
    x = tf.placeholder(tf.float32, [None, 64], name="images")
    z = tf.placeholder(tf.float32, [None, NOISE], name="noise")
    drawn = generator(z)
    real, fake = discriminator(x), discriminator(drawn, reuse=True)
    cross = tf.nn.sigmoid_cross_entropy_with_logits
    d_loss = tf.reduce_mean(
        cross(labels=0.9 * tf.ones_like(real), logits=real)
        + cross(labels=tf.zeros_like(fake), logits=fake)
    )
    g_loss = tf.reduce_mean(cross(labels=tf.ones_like(fake), logits=fake))
    variables = tf.trainable_variables
    d_train = tf.train.AdamOptimizer(5e-4, beta1=0.5).minimize(
        d_loss, var_list=variables("discriminator")
    )
    g_train = tf.train.AdamOptimizer(5e-4, beta1=0.5).minimize(
        g_loss, var_list=variables("generator")
    )
    return x, z, drawn, d_loss, g_loss, d_train, g_train


def build():
    """Fetches and feeds of one step of the discriminator, for the tools."""
    x, z, _, d_loss, _, d_train, _ = model()
    noise = np.random.default_rng(0).normal(size=(BATCH, NOISE)).astype(np.float32)
    return [d_loss, d_train], {x: digits()[0][:BATCH], z: noise}


def main(steps=STEPS, folder=None):
    """Trains; (distance of the drawn images' mean to the real ones' before, after)."""
    tf.set_random_seed(2)
    x, z, drawn, d_loss, g_loss, d_train, g_train = model()
    images = digits()[0]
    rng = np.random.default_rng(0)

    def noise(count):
        return rng.normal(size=(count, NOISE)).astype(np.float32)

    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())

        def distance():
            return float(np.abs(sess.run(drawn, {z: noise(500)}).mean(0) - images.mean(0)).mean())

        before = distance()
        for step in range(1, steps + 1):
            batch = images[rng.integers(0, len(images), BATCH)]
            d, _ = sess.run([d_loss, d_train], {x: batch, z: noise(BATCH)})
            g, _ = sess.run([g_loss, g_train], {z: noise(BATCH)})
            if step % 500 == 0:
                print(f"step {step}  discriminator {d:.3f}  generator {g:.3f}")
        after = distance()
        samples = sess.run(drawn, {z: noise(6)})
        if folder is not None:
            several = sess.run(drawn, {z: noise(40)}).reshape(4, 10, 8, 8)
            pictures.images(folder / "gan_digits.png", several)
    shades = " .:-=+*#%@"
    cells = (np.clip(samples, 0, 0.999).reshape(6, 8, 8) * len(shades)).astype(int)
    for row in range(8):
        print("  ".join("".join(shades[v] * 2 for v in image[row]) for image in cells))
    print(f"distance of the mean images {before:.3f} -> {after:.3f}")
    return before, after


if __name__ == "__main__":
    words = sys.argv[1:]
    steps = int(words[words.index("--steps") + 1]) if "--steps" in words else STEPS
    main(steps, pictures.folder_of(words))
