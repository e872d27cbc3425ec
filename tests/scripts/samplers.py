"""Simulations: Mandelbrot, a restricted Boltzmann machine, RK4, Kalman, a self-organising map."""

from __future__ import annotations

import numpy as np


def mandelbrot(tf):
    Y, X = np.mgrid[-1.3:1.3:0.1, -2:1:0.1]
    xs = tf.constant((X + 1j * Y).astype(np.complex64))
    zs = tf.Variable(xs)
    ns = tf.Variable(tf.zeros_like(xs, tf.float32))
    zs_ = zs * zs + xs
    not_diverged = tf.abs(zs_) < 4
    step = tf.group(zs.assign(zs_), ns.assign_add(tf.cast(not_diverged, tf.float32)))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in range(12):
            step.run()
        return ns.eval().sum(0)


def boltzmann(tf, rng):
    n_visible, n_hidden = 12, 6
    X = tf.placeholder("float", [None, n_visible])
    rand_h, rand_v = tf.placeholder("float", [None, n_hidden]), tf.placeholder("float")
    W = tf.placeholder("float", [n_visible, n_hidden])
    vb, hb = tf.placeholder("float", [n_visible]), tf.placeholder("float", [n_hidden])

    def sample_prob(probs, rand):
        return tf.nn.relu(tf.sign(probs - rand))

    h0 = sample_prob(tf.nn.sigmoid(tf.matmul(X, W) + hb), rand_h)
    v1 = sample_prob(tf.nn.sigmoid(tf.matmul(h0, tf.transpose(W)) + vb), rand_v)
    h1 = tf.nn.sigmoid(tf.matmul(v1, W) + hb)
    w_positive_grad = tf.matmul(tf.transpose(X), h0)
    w_negative_grad = tf.matmul(tf.transpose(v1), h1)
    batch = tf.to_float(tf.shape(X)[0])
    update_w = W + 0.1 * (w_positive_grad - w_negative_grad) / batch
    update_vb = vb + 0.1 * tf.reduce_mean(X - v1, 0)
    update_hb = hb + 0.1 * tf.reduce_mean(h0 - h1, 0)
    err = tf.reduce_mean(tf.square(X - v1))
    n_w, n_vb, n_hb = np.zeros([12, 6], np.float32), np.zeros(12), np.zeros(6)
    data = (rng.rand(40, 12) < np.linspace(0.1, 0.9, 12)).astype(np.float32)
    errors = []
    with tf.Session() as sess:
        for i in range(20):
            rows = data[(i % 2) * 20 : (i % 2) * 20 + 20]
            feed = {X: rows, W: n_w, vb: n_vb, hb: n_hb,
                    rand_h: rng.rand(20, 6), rand_v: rng.rand(20, 12)}  # fmt: skip
            n_w, n_vb, n_hb, e = sess.run([update_w, update_vb, update_hb, err], feed_dict=feed)
            errors.append(e)
    return {"errors": errors, "w": n_w, "vb": n_vb}


def lorenz(tf):
    def rhs(s):
        x, y, z = tf.unstack(s)
        return tf.stack([10.0 * (y - x), x * (28.0 - z) - y, x * y - 8.0 / 3.0 * z])

    state = tf.Variable([1.0, 1.0, 1.0], dtype=tf.float64)
    dt = tf.constant(0.01, tf.float64)
    k1 = rhs(state)
    k2 = rhs(state + dt * k1 / 2)
    k3 = rhs(state + dt * k2 / 2)
    k4 = rhs(state + dt * k3)
    step = state.assign_add(dt * (k1 + 2 * k2 + 2 * k3 + k4) / 6)
    with tf.Session() as sess:
        sess.run(state.initializer)
        path = np.stack([sess.run(step) for _ in range(50)])
    return path[::10]


def kalman(tf, rng):
    x = tf.Variable(tf.zeros([2, 1]))
    P = tf.Variable(tf.eye(2) * 100.0)
    z = tf.placeholder(tf.float32, [])
    F = tf.constant([[1.0, 0.5], [0.0, 1.0]])
    H = tf.constant([[1.0, 0.0]])
    Q, R = tf.eye(2) * 0.01, tf.constant([[1.0]])
    x_pred = tf.matmul(F, x)
    P_pred = tf.matmul(tf.matmul(F, P), F, transpose_b=True) + Q
    S = tf.matmul(H, tf.matmul(P_pred, H, transpose_b=True)) + R
    K = tf.matmul(P_pred, tf.matmul(H, tf.matrix_inverse(S), transpose_a=True))
    x_new = x_pred + tf.matmul(K, tf.reshape(z, [1, 1]) - tf.matmul(H, x_pred))
    P_new = tf.matmul(tf.eye(2) - tf.matmul(K, H), P_pred)
    with tf.control_dependencies([x_new, P_new]):
        update = [tf.assign(x, x_new), tf.assign(P, P_new)]
    track = []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for t in range(15):
            track.append(sess.run(update, {z: 0.8 * t + rng.randn()})[0][:, 0])
        return {"track": np.stack(track)[::4], "P": sess.run(P)}


class SOM:
    """The neighbours of the best matching unit move with it."""

    def __init__(self, tf, m, n, dim, rng):
        self.graph = tf.Graph()
        with self.graph.as_default():
            self.weights = tf.Variable(rng.rand(m * n, dim).astype(np.float32))
            locations = tf.constant(np.array([[i, j] for i in range(m) for j in range(n)]))
            self.vect = tf.placeholder("float", [dim])
            self.iter = tf.placeholder("float")
            bmu = tf.argmin(tf.sqrt(tf.reduce_sum(
                tf.pow(tf.subtract(self.weights, tf.stack([self.vect] * (m * n))), 2), 1)), 0)
            slice_input = tf.pad(tf.reshape(bmu, [1]), np.array([[0, 1]]))
            bmu_loc = tf.reshape(
                tf.slice(locations, slice_input, tf.constant(np.array([1, 2]))), [2])
            rate = tf.subtract(1.0, tf.div(self.iter, 20.0))
            alpha, sigma = tf.multiply(0.3, rate), tf.multiply(max(m, n) / 2.0, rate)
            distance = tf.reduce_sum(
                tf.pow(tf.subtract(locations, tf.stack([bmu_loc] * (m * n))), 2), 1)
            near = tf.exp(tf.negative(
                tf.div(tf.cast(distance, "float32"), tf.pow(sigma, 2))))  # fmt: skip
            multiplier = tf.stack([
                tf.tile(tf.slice(tf.multiply(alpha, near), np.array([i]), np.array([1])), [dim])
                for i in range(m * n)])
            delta = tf.multiply(
                multiplier, tf.subtract(tf.stack([self.vect] * (m * n)), self.weights))
            self.train = tf.assign(self.weights, tf.add(self.weights, delta))
            self.bmu, self.init = bmu, tf.global_variables_initializer()

    def fit(self, tf, data):
        with tf.Session(graph=self.graph) as sess:
            sess.run(self.init)
            for it in range(20):
                for row in data:
                    sess.run(self.train, feed_dict={self.vect: row, self.iter: it})
            found = [sess.run(self.bmu, {self.vect: row}) for row in data]
            return {"weights": sess.run(self.weights), "bmu": [int(b) for b in found]}


def main(tf):
    rng = np.random.RandomState(341)
    out = {"mandelbrot": None, "boltzmann": None, "lorenz": None, "kalman": None}
    for name, build in (("mandelbrot", lambda: mandelbrot(tf)),
                        ("boltzmann", lambda: boltzmann(tf, rng)),
                        ("lorenz", lambda: lorenz(tf)), ("kalman", lambda: kalman(tf, rng))):
        with tf.Graph().as_default():
            out[name] = build()  # fmt: skip
    out["som"] = SOM(tf, 3, 4, 3, rng).fit(tf, rng.rand(6, 3))
    return out
