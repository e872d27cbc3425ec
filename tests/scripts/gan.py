"""A GAN: one discriminator used twice by reuse, two optimizers over scoped variable lists."""

from __future__ import annotations

import numpy as np


def linear(tf, rng, x, output_dim, scope=None, stddev=0.5):
    with tf.variable_scope(scope or "linear"):
        n = x.get_shape()[1]
        norm = tf.constant_initializer(rng.randn(n.value, output_dim) * stddev)
        w = tf.get_variable("w", [n, output_dim], initializer=norm)
        b = tf.get_variable("b", [output_dim], initializer=tf.constant_initializer(0.0))
        return tf.matmul(x, w) + b


def generator(tf, rng, z, h_dim):
    h0 = tf.nn.softplus(linear(tf, rng, z, h_dim, "g0"))
    return linear(tf, rng, h0, 1, "g1")


def discriminator(tf, rng, x, h_dim, reuse=False):
    with tf.variable_scope("D") as scope:
        if reuse:
            scope.reuse_variables()
        h0 = tf.tanh(linear(tf, rng, x, h_dim * 2, "d0"))
        h1 = tf.nn.leaky_relu(linear(tf, rng, h0, h_dim * 2, "d1"), alpha=0.1)
        logit = linear(tf, rng, h1, 1, "d2")
        return tf.sigmoid(logit), logit


def main(tf):
    rng = np.random.RandomState(21)
    z = tf.placeholder(tf.float32, shape=(None, 1), name="z")
    with tf.variable_scope("G"):
        fake = generator(tf, rng, z, 4)
    x = tf.placeholder(tf.float32, shape=(None, 1), name="x")
    D1, D1_logit = discriminator(tf, rng, x, 4)
    D2, D2_logit = discriminator(tf, rng, fake, 4, reuse=True)

    real_loss = tf.nn.sigmoid_cross_entropy_with_logits(logits=D1_logit, labels=tf.ones_like(D1))
    fake_loss = tf.nn.sigmoid_cross_entropy_with_logits(logits=D2_logit, labels=tf.zeros_like(D2))
    loss_d = tf.reduce_mean(real_loss) + tf.reduce_mean(fake_loss)
    loss_g = tf.reduce_mean(
        tf.nn.sigmoid_cross_entropy_with_logits(logits=D2_logit, labels=tf.ones_like(D2))
    )
    d_params = tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, scope="D")
    g_params = tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, scope="G")
    d_solver = tf.train.AdamOptimizer(2e-2, beta1=0.5).minimize(loss_d, var_list=d_params)
    g_solver = tf.train.AdamOptimizer(2e-2, beta1=0.5).minimize(loss_g, var_list=g_params)

    curves = []
    with tf.Session() as session:
        tf.global_variables_initializer().run()
        for _ in range(30):
            real = rng.normal(4, 0.5, size=(16, 1))
            noise = np.linspace(-8, 8, 16).reshape(16, 1) + rng.rand(16, 1) * 0.01
            a, _ = session.run([loss_d, d_solver], {x: real, z: noise})
            b, _ = session.run([loss_g, g_solver], {z: noise})
            curves.append((a, b))
        samples = session.run(fake, {z: np.linspace(-8, 8, 5)[:, None]})
        shared = session.run([D1, D2], {x: samples, fake: samples})
    return {
        "curves": curves, "samples": samples, "shared": shared,
        "d_vars": [v.name for v in d_params], "g_vars": [v.name for v in g_params],
        "all": sorted(v.name for v in tf.global_variables()),
        "names": [fake.name, D1.name, D2.name, D1_logit.name, d_solver.name, g_solver.name],
    }  # fmt: skip
