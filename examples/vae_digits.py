"""A variational autoencoder of handwritten digits: two latent numbers for each image.

    python examples/vae_digits.py            trains, prints both parts of the loss, draws an image
                                             for each point of a grid of latent numbers
    python examples/vae_digits.py --steps 50 a shorter run
    python examples/vae_digits.py --out DIR  also draws a finer grid into DIR/vae_digits.png

Kingma, Welling: Auto-encoding variational Bayes (2014). The noise is drawn in the graph; gradients
go through mean and deviation (the reparameterisation).
"""

from __future__ import annotations

import sys

import numpy as np
import pictures
from datasets import digits

import graphc as tf

LATENT = 2
BATCH = 100
STEPS = 1500


def encode(x):
    """Mean and logarithm of the variance of the latent numbers: [batch, LATENT] each."""
    with tf.variable_scope("encoder"):
        net = tf.layers.dense(x, 128, tf.nn.elu, name="hidden")
        mean = tf.layers.dense(net, LATENT, name="mean")
        return mean, tf.layers.dense(net, LATENT, name="log_var")


def decode(z, reuse=None):
    """Logits of the pixels: [batch, 64]."""
    with tf.variable_scope("decoder", reuse=reuse):
        return tf.layers.dense(tf.layers.dense(z, 128, tf.nn.elu, name="hidden"), 64, name="pixels")


def model():
    """Input, both parts of the loss (per image), training op, latent input and its image."""
    x = tf.placeholder(tf.float32, [None, 64], name="images")
    mean, log_var = encode(x)
    z = mean + tf.exp(0.5 * log_var) * tf.random_normal(tf.shape(mean))
    bits = tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=decode(z))
    reconstruction = tf.reduce_mean(tf.reduce_sum(bits, 1))
    divergence = -0.5 * tf.reduce_sum(1.0 + log_var - tf.square(mean) - tf.exp(log_var), 1)
    kl = tf.reduce_mean(divergence)
    train = tf.train.AdamOptimizer(2e-3).minimize(reconstruction + kl)
    latent = tf.placeholder(tf.float32, [None, LATENT], name="latent")
    return x, reconstruction, kl, train, latent, tf.sigmoid(decode(latent, reuse=True))


def build():
    """Fetches and feeds of one training step, for the tools."""
    x, reconstruction, kl, train, _, _ = model()
    return [reconstruction, kl, train], {x: digits()[0][:BATCH]}


def picture(image):
    """An 8 x 8 image as text."""
    shades = " .:-=+*#%@"
    rows = (np.clip(image, 0, 0.999).reshape(8, 8) * len(shades)).astype(int)
    return ["".join(shades[v] * 2 for v in row) for row in rows]


def grid(sides):
    """Points [sides * sides, LATENT] of a square around zero."""
    places = np.linspace(-1.8, 1.8, sides)
    return np.array([[a, b] for a in places for b in places], np.float32)


def main(steps=STEPS, folder=None):
    """Trains; (loss at the start, loss at the end) on the test images."""
    tf.set_random_seed(1)
    x, reconstruction, kl, train, latent, image = model()
    train_x, _, test_x, _ = digits()
    rng = np.random.default_rng(0)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        first = sum(sess.run([reconstruction, kl], {x: test_x}))
        for step in range(1, steps + 1):
            sess.run(train, {x: train_x[rng.integers(0, len(train_x), BATCH)]})
            if step % 300 == 0:
                a, b = sess.run([reconstruction, kl], {x: test_x})
                print(f"step {step}  reconstruction {a:.2f}  divergence {b:.2f}")
        last = sum(sess.run([reconstruction, kl], {x: test_x}))
        shown = [picture(i) for i in sess.run(image, {latent: grid(3)})]
        if folder is not None:
            drawn = sess.run(image, {latent: grid(12)}).reshape(12, 12, 8, 8)
            pictures.images(folder / "vae_digits.png", drawn)
    for row in range(3):
        print("\n".join("   ".join(parts) for parts in zip(*shown[3 * row : 3 * row + 3])))
    print(f"loss {first:.2f} -> {last:.2f}")
    return float(first), float(last)


if __name__ == "__main__":
    words = sys.argv[1:]
    steps = int(words[words.index("--steps") + 1]) if "--steps" in words else STEPS
    main(steps, pictures.folder_of(words))
