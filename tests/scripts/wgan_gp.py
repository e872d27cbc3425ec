"""Wasserstein GAN with gradient penalty: tf.gradients of tf.gradients through a critic."""

from __future__ import annotations

import numpy as np


def main(tf):
    rng = np.random.RandomState(31)
    inits = {}

    def dense(x, units, name, reuse):
        with tf.variable_scope(name, reuse=reuse):
            n = x.shape[1].value
            value = inits.setdefault(name, (rng.randn(n, units) * 0.3).astype(np.float32))
            w = tf.get_variable("kernel", shape=[n, units],
                                initializer=tf.constant_initializer(value))  # fmt: skip
            return tf.nn.bias_add(tf.matmul(x, w), tf.get_variable(
                "bias", [units], initializer=tf.zeros_initializer()))  # fmt: skip

    def critic(x, reuse=None):
        with tf.variable_scope("critic", reuse=reuse):
            h = tf.nn.elu(dense(x, 24, "fc1", reuse))
            h = tf.tanh(dense(h, 12, "fc2", reuse))
            return dense(h, 1, "fc3", reuse)

    real = tf.placeholder(tf.float32, [None, 6], name="real")
    noise = tf.placeholder(tf.float32, [None, 4], name="noise")
    alpha = tf.placeholder(tf.float32, [None, 1], name="alpha")
    with tf.variable_scope("generator"):
        fake = tf.tanh(dense(noise, 6, "fc", None))
    disc_real, disc_fake = critic(real), critic(fake, reuse=True)
    interpolates = real + alpha * (fake - real)
    gradients = tf.gradients(critic(interpolates, reuse=True), [interpolates])[0]
    slopes = tf.sqrt(tf.reduce_sum(tf.square(gradients), reduction_indices=[1]))
    penalty = tf.reduce_mean((slopes - 1.0) ** 2)
    gen_cost = -tf.reduce_mean(disc_fake)
    disc_cost = tf.reduce_mean(disc_fake) - tf.reduce_mean(disc_real) + 10.0 * penalty

    t_vars = tf.trainable_variables()
    gen_vars = [v for v in t_vars if v.name.startswith("generator")]
    disc_vars = [v for v in t_vars if "critic" in v.name]
    adam = {"learning_rate": 1e-2, "beta1": 0.5, "beta2": 0.9}
    gen_train = tf.train.AdamOptimizer(**adam).minimize(gen_cost, var_list=gen_vars)
    disc_train = tf.train.AdamOptimizer(**adam).minimize(disc_cost, var_list=disc_vars)

    costs = []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for step in range(8):
            for _ in range(3):
                n = 16 if step % 2 else 12
                feed = {real: rng.randn(n, 6) + 1, noise: rng.randn(n, 4), alpha: rng.rand(n, 1)}
                dc, gp, _ = sess.run([disc_cost, penalty, disc_train], feed_dict=feed)
            gc, _ = sess.run([gen_cost, gen_train], feed_dict={noise: rng.randn(10, 4)})
            costs.append([dc, gp, gc])
        slope = sess.run(slopes, {interpolates: np.ones([3, 6], np.float32)})
        grads = sess.run(tf.gradients(penalty, disc_vars)[:5:2], feed)
    return {
        "costs": costs, "slope": slope, "grads": grads, "shape": str(gradients.shape),
        "names": [v.name for v in t_vars], "critic": [disc_real.name, disc_fake.name],
    }  # fmt: skip
