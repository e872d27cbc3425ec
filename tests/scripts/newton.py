"""Newton's method with tf.hessians and by hand; Hessian-vector products; Rosenbrock."""

from __future__ import annotations

import numpy as np


def main(tf):
    out = {}
    x = tf.Variable([-1.2, 1.0], dtype=tf.float64, name="x")
    f = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
    grad = tf.gradients(f, x)[0]
    hess = tf.hessians(f, x)[0]
    step = tf.matrix_solve(hess, tf.expand_dims(grad, 1))
    update = tf.assign_sub(x, tf.squeeze(step, [1]))
    trace = []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in range(7):
            trace.append(sess.run([f, grad, hess]))
            sess.run(update)
        out["minimum"] = sess.run(x)
    out["f"] = [t[0] for t in trace]
    out["hessian"] = trace[0][2]
    out["gradient"] = trace[0][1]
    out["names"] = [f.name, x.name, update.name, step.name]
    out["shapes"] = [str(hess.shape), str(grad.shape), str(step.shape)]

    # logistic regression: Hessian row by row, and IRLS written out
    rng = np.random.RandomState(141)
    data = rng.randn(60, 3).astype(np.float32)
    target = (data @ np.float32([1.5, -2.0, 0.5]) + 0.3 * rng.randn(60) > 0).astype(np.float32)
    X = tf.placeholder(tf.float32, [None, 3])
    t = tf.placeholder(tf.float32, [None])
    w = tf.get_variable("w", [3], initializer=tf.zeros_initializer())
    logits = tf.reduce_sum(X * w, axis=1)
    loss = tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels=t, logits=logits))
    loss = loss + 0.5 * tf.reduce_sum(w**2)
    (g,) = tf.gradients(loss, [w])
    rows = [tf.gradients(g[i], w)[0] for i in range(3)]
    H = tf.stack(rows)
    p = tf.sigmoid(logits)
    irls = tf.matmul(X * tf.expand_dims(p * (1 - p), -1), X, transpose_a=True) + tf.eye(3)
    direction = tf.placeholder(tf.float32, [3])
    hvp = tf.gradients(tf.reduce_sum(g * tf.stop_gradient(direction)), w)[0]
    newton = w.assign_sub(tf.reshape(tf.matmul(tf.matrix_inverse(H), g[:, tf.newaxis]), [-1]))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        feed = {X: data, t: target}
        values = []
        for _ in range(5):
            values.append(sess.run(loss, feed))
            new_w = sess.run(newton, feed)
        out["losses"], out["w"] = values, new_w
        a, b = sess.run([H, irls], feed)
        out["agree"] = bool(np.allclose(a, b, atol=1e-3))
        out["H"] = a
        out["hvp"] = sess.run(hvp, {**feed, direction: [1.0, 0.0, -1.0]})
        out["half"] = sess.run(H, {X: data[:30], t: target[:30]})
    # derivatives of any order of a scalar function, and a gradient that is None
    s = tf.placeholder(tf.float32, [])
    series, y = [], tf.sin(s) * tf.exp(0.5 * s)
    for _ in range(5):
        series.append(y)
        y = tf.gradients(y, s)[0]
    with tf.Session() as sess:
        out["series"] = sess.run(series, {s: 0.7})
    out["none"] = [tf.gradients(series[0], w)[0] is None]
    ys = [series[0], series[1] * 2.0]
    weighted = tf.gradients(ys, s, grad_ys=[tf.constant(3.0), None])[0]
    with tf.Session() as sess:
        out["weighted"] = sess.run(weighted, {s: -0.4})
    return out
