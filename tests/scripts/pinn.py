"""A physics-informed network for Burgers' equation: u_t, u_x, u_xx by tf.gradients."""

from __future__ import annotations

import numpy as np


class PhysicsInformedNN:
    def __init__(self, tf, X_u, u, X_f, layers, lb, ub, nu, rng):
        self.tf, self.lb, self.ub, self.nu = tf, lb, ub, nu
        self.x_u, self.t_u, self.u = X_u[:, 0:1], X_u[:, 1:2], u
        self.x_f, self.t_f = X_f[:, 0:1], X_f[:, 1:2]
        self.weights, self.biases = self.initialize_NN(layers, rng)
        self.lambda_1 = tf.Variable([0.9], dtype=tf.float32)
        self.sess = tf.Session(config=tf.ConfigProto(
            allow_soft_placement=True, log_device_placement=False))  # fmt: skip
        names = "x_u", "t_u", "u", "x_f", "t_f"
        self.tfs = {
            n: tf.placeholder(tf.float32, shape=[None, getattr(self, n).shape[1]]) for n in names
        }
        self.u_pred = self.net_u(self.tfs["x_u"], self.tfs["t_u"])
        self.f_pred = self.net_f(self.tfs["x_f"], self.tfs["t_f"])
        self.loss = tf.reduce_mean(tf.square(self.tfs["u"] - self.u_pred)) + tf.reduce_mean(
            tf.square(self.f_pred)
        )
        self.optimizer = tf.train.AdamOptimizer(0.005)
        self.train_op = self.optimizer.minimize(self.loss)
        self.sess.run(tf.global_variables_initializer())

    def initialize_NN(self, layers, rng):
        tf = self.tf
        weights, biases = [], []
        for n, m in zip(layers[:-1], layers[1:]):
            w = rng.randn(n, m) * np.sqrt(2 / (n + m))
            weights.append(tf.Variable(w.astype(np.float32), dtype=tf.float32))
            biases.append(tf.Variable(tf.zeros([1, m], dtype=tf.float32), dtype=tf.float32))
        return weights, biases

    def net_u(self, x, t):
        tf = self.tf
        H = 2.0 * (tf.concat([x, t], 1) - self.lb) / (self.ub - self.lb) - 1.0
        for w, b in zip(self.weights[:-1], self.biases[:-1]):
            H = tf.tanh(tf.add(tf.matmul(H, w), b))
        return tf.add(tf.matmul(H, self.weights[-1]), self.biases[-1])

    def net_f(self, x, t):
        tf = self.tf
        u = self.net_u(x, t)
        u_t = tf.gradients(u, t)[0]
        u_x = tf.gradients(u, x)[0]
        u_xx = tf.gradients(u_x, x)[0]
        self.u_x, self.u_xx = u_x, u_xx
        return u_t + self.lambda_1 * u * u_x - self.nu * u_xx

    def feed(self, rows=None):
        return {self.tfs[n]: getattr(self, n)[:rows] for n in self.tfs}

    def train(self, iterations):
        losses = []
        for _ in range(iterations):
            self.sess.run(self.train_op, self.feed())
            losses.append(self.sess.run(self.loss, self.feed()))
        return losses


def main(tf):
    rng = np.random.RandomState(121)
    lb, ub = np.array([-1.0, 0.0]), np.array([1.0, 1.0])
    X_u = lb + (ub - lb) * rng.rand(30, 2)
    u = -np.sin(np.pi * X_u[:, 0:1])
    X_f = lb + (ub - lb) * rng.rand(100, 2)
    model = PhysicsInformedNN(tf, X_u, u, X_f, [2, 16, 16, 16, 1], lb, ub, 0.01 / np.pi, rng)
    before = model.sess.run([model.u_x, model.u_xx], model.feed(5))
    losses = model.train(25)
    after = model.sess.run([model.u_pred, model.f_pred], model.feed(8))
    lam = model.sess.run(model.lambda_1)
    third = tf.gradients(model.u_xx, model.tfs["x_f"])[0]
    uxxx = model.sess.run(third, model.feed(6))
    model.sess.close()
    return {
        "before": before, "losses": losses, "after": after, "lambda": lam, "uxxx": uxxx,
        "names": [model.u_pred.name, model.lambda_1.name, model.loss.name],
        "shapes": [str(model.u_x.shape), str(model.u_xx.shape), str(model.f_pred.shape)],
    }  # fmt: skip
