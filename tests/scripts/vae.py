"""A variational autoencoder: the reparametrisation trick, KL by hand, a bounded likelihood."""

from __future__ import annotations

import numpy as np


class VariationalAutoencoder:
    def __init__(self, tf, sizes, rng, learning_rate=0.001, batch_size=20):
        self.tf, self.rng, self.batch_size = tf, rng, batch_size
        self.x = tf.placeholder(tf.float32, [None, sizes["n_input"]])
        with tf.variable_scope("recognition"):
            h = tf.nn.softplus(self._dense(self.x, sizes["n_hidden"], "h1"))
            self.z_mean = self._dense(h, sizes["n_z"], "mean")
            self.z_log_sigma_sq = self._dense(h, sizes["n_z"], "log_sigma")
        self.eps = tf.random_normal(tf.shape(self.z_mean), 0, 1, dtype=tf.float32)
        self.z = tf.add(self.z_mean, tf.multiply(tf.sqrt(tf.exp(self.z_log_sigma_sq)), self.eps))
        with tf.variable_scope("generator"):
            h = tf.nn.softplus(self._dense(self.z, sizes["n_hidden"], "h1"))
            self.x_reconstr_mean = tf.nn.sigmoid(self._dense(h, sizes["n_input"], "out"))
        reconstr = -tf.reduce_sum(
            self.x * tf.log(1e-10 + self.x_reconstr_mean)
            + (1 - self.x) * tf.log(1e-10 + 1 - self.x_reconstr_mean), 1)  # fmt: skip
        latent = -0.5 * tf.reduce_sum(
            1 + self.z_log_sigma_sq - tf.square(self.z_mean) - tf.exp(self.z_log_sigma_sq), 1
        )
        self.cost = tf.reduce_mean(reconstr + latent)
        self.optimizer = tf.train.AdamOptimizer(learning_rate=learning_rate).minimize(self.cost)
        self.sess = tf.InteractiveSession()
        self.sess.run(tf.global_variables_initializer())

    def _dense(self, x, units, name):
        tf = self.tf
        n = x.get_shape()[-1].value
        with tf.variable_scope(name):
            init = tf.constant_initializer(self.rng.randn(n, units) / np.sqrt(n))
            w = tf.get_variable("w", [n, units], initializer=init)
            b = tf.get_variable("b", [units], initializer=tf.zeros_initializer())
        return tf.matmul(x, w) + b

    def partial_fit(self, X, eps):
        _, cost = self.sess.run((self.optimizer, self.cost), feed_dict={self.x: X, self.eps: eps})
        return cost


def main(tf):
    rng = np.random.RandomState(11)
    vae = VariationalAutoencoder(tf, {"n_input": 40, "n_hidden": 24, "n_z": 3}, rng)
    data = (rng.rand(100, 40) > 0.5).astype(np.float64)
    costs = [
        vae.partial_fit(data[i * 20 : i * 20 + 20], rng.randn(20, 3)) for _ in range(6)
        for i in range(5)
    ]  # fmt: skip
    generated = vae.sess.run(vae.x_reconstr_mean, {vae.z: rng.randn(2, 3)})
    # unfed, the noise is drawn by the graph: new each run, one draw within a run
    feed = {vae.x: data[:50]}
    z1, e1, m1, s1 = vae.sess.run([vae.z, vae.eps, vae.z_mean, vae.z_log_sigma_sq], feed)
    z2 = vae.sess.run(vae.z, feed)
    out = {
        "costs": costs, "generated": generated, "mean": m1[:3],
        "consistent": bool(np.allclose(z1, m1 + np.exp(s1 / 2) * e1, atol=1e-5)),
        "redrawn": bool((z1 != z2).any()), "noise": bool(abs(e1.mean()) < 0.5),
        "variables": [v.name for v in tf.trainable_variables()],
        "scoped": [v.name for v in tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES,
                                                     scope="generator")],
        "names": [vae.z.name, vae.eps.name, vae.x_reconstr_mean.name, vae.cost.name],
        "shapes": [str(vae.eps.get_shape()), str(vae.z.get_shape())],
    }  # fmt: skip
    vae.sess.close()
    return out
