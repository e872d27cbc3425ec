"""A line by gradient descent, and a cubic by Adam: the first programs of every course."""

from __future__ import annotations

import numpy as np


def main(tf):
    out = {}
    tf.set_random_seed(1)
    train_x = np.linspace(-1, 1, 101).astype(np.float32)
    train_y = (2 * train_x + 1 + np.sin(17 * train_x) * 0.33).astype(np.float32)

    X = tf.placeholder("float", name="X")
    Y = tf.placeholder("float", name="Y")
    W = tf.Variable(0.0, name="weights")
    b = tf.Variable(0.0, name="bias")
    pred = tf.add(tf.multiply(X, W), b)
    cost = tf.reduce_sum(tf.pow(pred - Y, 2)) / (2 * 101)
    optimizer = tf.train.GradientDescentOptimizer(0.01).minimize(cost)
    init = tf.global_variables_initializer()
    with tf.Session() as sess:
        sess.run(init)
        for _ in range(3):
            for x, y in zip(train_x, train_y):
                sess.run(optimizer, feed_dict={X: x, Y: y})
            c = sess.run(cost, feed_dict={X: train_x, Y: train_y})
        out["cost"], out["W"], out["b"] = c, sess.run(W), sess.run(b)
    out["names"] = [X.name, W.name, b.name, pred.name, cost.name, optimizer.name, init.name]
    out["shape"] = str(X.get_shape())

    # the same with a polynomial, an unknown number of points and an accumulated prediction
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None], name="x")
        y_ = tf.placeholder(tf.float32, [None])
        y_pred = tf.Variable(np.float32(0.5), name="bias")
        ws = []
        for power in range(1, 4):
            w = tf.Variable(np.float32(0.1 * power), name=f"weight_{power}")
            ws.append(w)
            y_pred = tf.add(tf.multiply(tf.pow(x, power), w), y_pred)
        error = tf.reduce_sum(tf.pow(y_pred - y_, 2)) / tf.cast(tf.shape(x)[0] - 1, tf.float32)
        train_op = tf.train.AdamOptimizer(0.05).minimize(error)
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            previous = 0.0
            for _ in range(30):
                for start in range(0, 101, 40):
                    batch = slice(start, start + 40)
                    sess.run(train_op, {x: train_x[batch], y_: train_y[batch]})
                previous = error.eval({x: train_x, y_: train_y})
            out["poly_error"] = previous
            out["poly_weights"] = sess.run(ws)
            out["poly_pred"] = y_pred.eval({x: train_x[::25]}, session=sess)
        out["poly_name"] = [y_pred.name, error.name, train_op.name]
        out["variables"] = [v.name for v in tf.global_variables()]
    return out
