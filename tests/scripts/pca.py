"""PCA by svd of centred data, whitening by the covariance's eigenvectors."""

from __future__ import annotations

import numpy as np


class TF_PCA:
    def __init__(self, tf, data, dtype):
        self.tf, self.data, self.dtype = tf, data, dtype
        self.graph = None

    def fit(self):
        tf = self.tf
        self.graph = tf.Graph()
        with self.graph.as_default():
            self.X = tf.placeholder(self.dtype, shape=self.data.shape)
            singular_values, u, v = tf.svd(self.X)
            sigma = tf.diag(singular_values)
            self.rebuilt = tf.matmul(tf.matmul(u, sigma), v, transpose_b=True)
        with tf.Session(graph=self.graph) as session:
            self.u, self.s, self.sigma, self.v = session.run(
                [u, singular_values, sigma, v], feed_dict={self.X: self.data}
            )
            self.back = session.run(self.rebuilt, {self.X: self.data})
            return [u.name, v.name, singular_values.name, u.op.type]

    def reduce(self, keep_info):
        tf = self.tf
        normalized = self.s / sum(self.s)
        n_dimensions = next(i + 1 for i, r in enumerate(np.cumsum(normalized)) if r >= keep_info)
        with self.graph.as_default():
            sigma = tf.slice(self.sigma, [0, 0], [self.data.shape[1], n_dimensions])
            pca = tf.matmul(self.u, sigma)
        with tf.Session(graph=self.graph) as session:
            return session.run(pca, feed_dict={self.X: self.data})


def main(tf):
    rng = np.random.RandomState(101)
    base = rng.randn(40, 3) @ rng.randn(3, 6)
    data = (base + 0.05 * rng.randn(40, 6)).astype(np.float64)
    data -= data.mean(0)
    model = TF_PCA(tf, data, tf.float64)
    names = model.fit()
    reduced = model.reduce(0.9)

    x = tf.placeholder(tf.float32, [None, 6], name="x")
    n = tf.to_float(tf.shape(x)[0])
    mean, variance = tf.nn.moments(x, axes=[0])
    centred = (x - mean) / tf.sqrt(variance + 1e-6)
    cov = tf.matmul(tf.transpose(centred), centred) / (n - 1.0)
    values, vectors = tf.self_adjoint_eig(cov + 0.1 * tf.eye(6))
    whitening = tf.matmul(vectors / tf.sqrt(values), vectors, transpose_b=True)
    white = tf.matmul(centred, whitening)
    check = tf.matmul(white, white, transpose_a=True) / (n - 1.0)
    offdiag = tf.reduce_max(tf.abs(check - tf.matrix_band_part(check, 0, 0)))
    inverse_error = tf.reduce_max(tf.abs(tf.matmul(tf.matrix_inverse(cov + tf.eye(6)),
                                                   cov + tf.eye(6)) - tf.eye(6)))  # fmt: skip
    chol = tf.cholesky(cov + tf.eye(6))
    logdet = 2.0 * tf.reduce_sum(tf.log(tf.diag_part(chol)))
    # a power iteration, unrolled
    w = tf.ones([6, 1]) / np.sqrt(6)
    for _ in range(8):
        w = tf.nn.l2_normalize(tf.matmul(cov, w), axis=0)
    top = tf.squeeze(tf.matmul(w, tf.matmul(cov, w), transpose_a=True))
    with tf.Session() as sess:
        shown = {}
        for rows in (40, 30):
            shown[str(rows)] = sess.run(
                {"values": values, "logdet": logdet, "top": top, "cov": cov, "check": check},
                {x: data[:rows]})  # fmt: skip
        off, inv = sess.run([offdiag, inverse_error], {x: data})
    return {
        "names": names, "s": model.s, "sigma_shape": model.sigma.shape,
        "back": bool(np.allclose(model.back, data)), "reduced": np.abs(reduced[:4]),
        "orthogonal": bool(np.allclose(model.u.T @ model.u, np.eye(6))),
        "shown": shown, "small": [bool(off < 0.5), bool(inv < 1e-4)],
        "shapes": [str(t.shape) for t in (cov, white, mean, top, values)],
    }  # fmt: skip
