"""Regressions and classifiers of other losses: SVM, kernels, lasso, Deming, neighbours."""

from __future__ import annotations

import numpy as np


def fit(tf, sess, step, loss, feeds, steps):
    sess.run(tf.global_variables_initializer())
    losses = []
    for i in range(steps):
        sess.run(step, feed_dict=feeds(i))
        losses.append(sess.run(loss, feed_dict=feeds(i)))
    return losses[:: max(1, steps // 5)]


def main(tf):
    rng = np.random.RandomState(371)
    out = {}
    data = rng.randn(60, 2).astype("f4")
    signs = np.where(data[:, 0] * 2 - data[:, 1] > 0.2, 1.0, -1.0)[:, None]

    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(shape=[None, 2], dtype=tf.float32)
        y = tf.placeholder(tf.float32, [None, 1])
        A = tf.Variable(rng.randn(2, 1).astype("f4"))
        b = tf.Variable(tf.zeros([1, 1]))
        model_output = tf.subtract(tf.matmul(x, A), b)
        l2_norm = tf.reduce_sum(tf.square(A))
        classification = tf.reduce_mean(
            tf.maximum(0.0, tf.subtract(1.0, tf.multiply(model_output, y))))
        loss = tf.add(classification, tf.multiply(tf.constant([0.01]), l2_norm))
        accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.sign(model_output), y), tf.float32))
        step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
        out["svm"] = fit(tf, sess, step, loss, lambda i: {x: data[i::3], y: signs[i::3]}, 10)
        out["svm_accuracy"] = sess.run(accuracy, {x: data, y: signs})
        out["svm_shapes"] = [str(loss.shape), str(model_output.shape)]

    with tf.Graph().as_default(), tf.Session() as sess:
        x, y = tf.placeholder(tf.float32, [None, 2]), tf.placeholder(tf.float32, [None, 1])
        grid = tf.placeholder(shape=[None, 2], dtype=tf.float32)
        b = tf.Variable((rng.randn(1, 30) * 0.1).astype("f4"))
        gamma = tf.constant(-1.0)
        dist = tf.reshape(tf.reduce_sum(tf.square(x), 1), [-1, 1])
        sq_dists = tf.add(tf.subtract(dist, tf.multiply(2.0, tf.matmul(x, tf.transpose(x)))),
                          tf.transpose(dist))  # fmt: skip
        kernel = tf.exp(tf.multiply(gamma, tf.abs(sq_dists)))
        b_cross = tf.matmul(tf.transpose(b), b)
        y_cross = tf.matmul(y, tf.transpose(y))
        second = tf.reduce_sum(tf.multiply(kernel, tf.multiply(b_cross, y_cross)))
        loss = tf.negative(tf.subtract(tf.reduce_sum(b), second))
        rA = tf.reshape(tf.reduce_sum(tf.square(x), 1), [-1, 1])
        rB = tf.reshape(tf.reduce_sum(tf.square(grid), 1), [-1, 1])
        pred_dist = tf.add(tf.subtract(rA, tf.multiply(2.0, tf.matmul(x, tf.transpose(grid)))),
                           tf.transpose(rB))  # fmt: skip
        pred_kernel = tf.exp(tf.multiply(gamma, tf.abs(pred_dist)))
        prediction_output = tf.matmul(tf.multiply(tf.transpose(y), b), pred_kernel)
        prediction = tf.sign(prediction_output - tf.reduce_mean(prediction_output))
        step = tf.train.GradientDescentOptimizer(0.01).minimize(loss)
        out["rbf"] = fit(tf, sess, step, loss, lambda i: {x: data[:30], y: signs[:30]}, 10)
        out["rbf_grid"] = sess.run([prediction_output, tf.squeeze(prediction)],
                                   {x: data[:30], y: signs[:30], grid: data[30:36]})  # fmt: skip

    line = np.linspace(0, 4, 40)[:, None]
    target = 1.5 * line + 0.5 + 0.3 * rng.randn(40, 1)
    for kind in ("l1", "l2", "lasso", "elastic", "deming", "huber", "pseudo"):
        with tf.Graph().as_default(), tf.Session() as sess:
            x, y = (tf.placeholder(tf.float32, [None, 1]) for _ in range(2))
            A = tf.Variable([[0.3]])
            b = tf.Variable([[-0.2]])
            output = tf.add(tf.matmul(x, A), b)
            if kind == "l1":
                loss = tf.reduce_mean(tf.abs(y - output))
            elif kind == "lasso":
                heavyside = tf.truediv(1.0, tf.add(1.0, tf.exp(tf.multiply(-50.0, A - 0.9))))
                loss = tf.reduce_mean(tf.square(y - output)) + tf.multiply(heavyside, 99.0)
            elif kind == "elastic":
                e1 = tf.reduce_mean(tf.abs(A))
                e2 = tf.reduce_mean(tf.square(A))
                fit_loss = tf.reduce_mean(tf.square(y - output))
                loss = tf.expand_dims(tf.add(tf.add(fit_loss, e1), e2), 0)
            elif kind == "deming":
                numerator = tf.abs(tf.subtract(y, output))
                loss = tf.reduce_mean(tf.truediv(numerator, tf.sqrt(tf.add(tf.square(A), 1))))
            elif kind == "huber":
                d = tf.abs(y - output)
                loss = tf.reduce_mean(tf.where(d <= 1.0, 0.5 * d**2, d - 0.5))
            elif kind == "pseudo":
                delta = tf.constant(0.25)
                loss = tf.reduce_mean(tf.multiply(
                    tf.square(delta), tf.sqrt(1.0 + tf.square((y - output) / delta)) - 1.0))
            else:
                loss = tf.reduce_mean(tf.square(y - output))
            step = tf.train.GradientDescentOptimizer(0.05).minimize(loss)
            feeds = {x: line, y: target}
            out[kind] = fit(tf, sess, step, loss, lambda i: feeds, 15)
            out[kind + "_weights"] = sess.run([A[0][0], b])

    with tf.Graph().as_default(), tf.Session() as sess:
        xtr, xte = tf.placeholder("float", [None, 2]), tf.placeholder("float", [2])
        l1 = tf.reduce_sum(tf.abs(tf.add(xtr, tf.negative(xte))), reduction_indices=1)
        pred = tf.arg_min(l1, 0)
        near = [sess.run(pred, feed_dict={xtr: data[:40], xte: row}) for row in data[40:45]]
        batch = tf.placeholder(tf.float32, [None, 2])
        d = tf.reduce_sum(tf.abs(tf.subtract(xtr, tf.expand_dims(batch, 1))), axis=2)
        top, ind = tf.nn.top_k(tf.negative(d), k=3)
        inverse = 1.0 / (-top + 1e-3)
        votes = tf.expand_dims(inverse / tf.reduce_sum(inverse, 1, keep_dims=True), 1)
        labels = tf.placeholder(tf.float32, [None, 1])
        guess = tf.squeeze(tf.matmul(votes, tf.gather(labels, ind)), axis=[1])
        out["near"] = [int(n) for n in near]
        out["knn"] = sess.run([guess, ind],
                              {xtr: data[:40], labels: signs[:40], batch: data[40:]})  # fmt: skip
        mode = tf.argmax(tf.bincount(tf.reshape(ind, [-1])))
        out["mode"] = sess.run(mode, {xtr: data[:40], batch: data[40:]})

    with tf.Graph().as_default(), tf.Session() as sess:
        ones = np.concatenate([line, np.ones_like(line)], 1)
        A, y = tf.constant(ones), tf.constant(target)
        gram = tf.matmul(tf.transpose(A), A)
        product = tf.matmul(tf.matrix_inverse(gram), tf.transpose(A))
        L = tf.cholesky(gram)
        half = tf.matrix_solve(L, tf.matmul(tf.transpose(A), y))
        out["normal"] = sess.run([tf.matmul(product, y), tf.matrix_solve(tf.transpose(L), half)])
        q, r = tf.qr(A)
        out["qr"] = sess.run(tf.matrix_triangular_solve(r, tf.matmul(q, y, transpose_a=True),
                                                        lower=False))  # fmt: skip
    return out
