"""A Wasserstein GAN with gradient penalty learns a ring of eight clouds of points.

    python examples/wgan_gp.py            trains, prints the critic's estimate of the distance
    python examples/wgan_gp.py --steps 50 a shorter run

Gulrajani et al.: Improved training of Wasserstein GANs (2017). The penalty contains the gradient of
the critic with respect to its input; training differentiates it once more.
"""

from __future__ import annotations

import sys

import numpy as np

import graphc as tf

NOISE = 8
BATCH = 128
STEPS = 1500
CRITIC_STEPS = 5


def clouds(rng, count):
    """Points [count, 2] around eight centres on a circle of radius 2."""
    angle = rng.integers(0, 8, count) * np.pi / 4
    centres = 2 * np.stack([np.cos(angle), np.sin(angle)], 1)
    return (centres + 0.1 * rng.normal(size=(count, 2))).astype(np.float32)


def generator(z):
    """Points [batch, 2] from noise [batch, NOISE]."""
    with tf.variable_scope("generator"):
        net = tf.layers.dense(z, 64, tf.nn.relu, name="hidden1")
        net = tf.layers.dense(net, 64, tf.nn.relu, name="hidden2")
        return tf.layers.dense(net, 2, name="point")


def critic(x, reuse=None):
    """[batch, 1]: larger for points that look real."""
    with tf.variable_scope("critic", reuse=reuse):
        net = tf.layers.dense(x, 64, tf.nn.elu, name="hidden1")
        net = tf.layers.dense(net, 64, tf.nn.elu, name="hidden2")
        return tf.layers.dense(net, 1, name="score")


def model():
    """Inputs, drawn points, both losses, the slope's size, and both training ops."""
    x = tf.placeholder(tf.float32, [None, 2], name="points")
    z = tf.placeholder(tf.float32, [None, NOISE], name="noise")
    drawn = generator(z)
    real, fake = critic(x), critic(drawn, reuse=True)
    between = x + tf.random_uniform([tf.shape(x)[0], 1]) * (drawn - x)
    (slope,) = tf.gradients(critic(between, reuse=True), [between])
    size = tf.sqrt(tf.reduce_sum(tf.square(slope), axis=1) + 1e-12)
    penalty = tf.reduce_mean(tf.square(size - 1.0))
    c_loss = tf.reduce_mean(fake) - tf.reduce_mean(real) + penalty
    g_loss = -tf.reduce_mean(fake)

    def minimize(loss, scope):
        optimizer = tf.train.AdamOptimizer(5e-4, beta1=0.0, beta2=0.9)
        return optimizer.minimize(loss, var_list=tf.trainable_variables(scope))

    trains = minimize(c_loss, "critic"), minimize(g_loss, "generator")
    return x, z, drawn, c_loss, tf.reduce_mean(size), *trains


def build():
    """Fetches and feeds of one step of the critic, for the tools."""
    x, z, _, c_loss, _, c_train, _ = model()
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(BATCH, NOISE)).astype(np.float32)
    return [c_loss, c_train], {x: clouds(rng, BATCH), z: noise}


def main(steps=STEPS):
    """Trains; (share of drawn points near a cloud, number of clouds that are hit, mean slope)."""
    tf.set_random_seed(3)
    x, z, drawn, c_loss, size, c_train, g_train = model()
    rng = np.random.default_rng(0)

    def noise(count):
        return rng.normal(size=(count, NOISE)).astype(np.float32)

    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for step in range(1, steps + 1):
            for _ in range(CRITIC_STEPS):
                feed = {x: clouds(rng, BATCH), z: noise(BATCH)}
                loss, slope, _ = sess.run([c_loss, size, c_train], feed)
            sess.run(g_train, {z: noise(BATCH)})
            if step % 300 == 0:
                print(f"step {step}  distance {-loss:.3f}  slope {slope:.2f}")
        points = sess.run(drawn, {z: noise(1000)})
    angle = np.arange(8) * np.pi / 4
    centres = 2 * np.stack([np.cos(angle), np.sin(angle)], 1)
    gaps = np.linalg.norm(points[:, None] - centres, axis=2)
    share = float((gaps.min(1) < 0.5).mean())
    hit = len(set(gaps.argmin(1)[gaps.min(1) < 0.5].tolist()))
    print(f"{100 * share:.0f} % of the points lie near a cloud; {hit} of 8 clouds are hit")
    return share, hit, float(slope)


if __name__ == "__main__":
    main(int(sys.argv[sys.argv.index("--steps") + 1]) if "--steps" in sys.argv else STEPS)
