"""Batch normalisation by hand: moving averages by assign, is_training by arithmetic."""

from __future__ import annotations

import numpy as np


def batch_norm_wrapper(tf, inputs, is_training, decay=0.9):
    scale = tf.Variable(tf.ones([inputs.get_shape()[-1]]))
    beta = tf.Variable(tf.zeros([inputs.get_shape()[-1]]))
    pop_mean = tf.Variable(tf.zeros([inputs.get_shape()[-1]]), trainable=False)
    pop_var = tf.Variable(tf.ones([inputs.get_shape()[-1]]), trainable=False)
    if is_training:
        batch_mean, batch_var = tf.nn.moments(inputs, [0])
        train_mean = tf.assign(pop_mean, pop_mean * decay + batch_mean * (1 - decay))
        train_var = tf.assign(pop_var, pop_var * decay + batch_var * (1 - decay))
        with tf.control_dependencies([train_mean, train_var]):
            return tf.nn.batch_normalization(inputs, batch_mean, batch_var, beta, scale, 1e-3)
    return tf.nn.batch_normalization(inputs, pop_mean, pop_var, beta, scale, 1e-3)


def build_graph(tf, is_training, weights):
    x = tf.placeholder(tf.float32, shape=[None, 12])
    y_ = tf.placeholder(tf.float32, shape=[None, 3])
    w1, w2 = tf.Variable(weights[0]), tf.Variable(weights[1])
    l1 = tf.nn.sigmoid(batch_norm_wrapper(tf, tf.matmul(x, w1), is_training))
    y = tf.nn.softmax(tf.matmul(l1, w2))
    cross_entropy = -tf.reduce_sum(y_ * tf.log(y))
    train_step = tf.train.GradientDescentOptimizer(0.01).minimize(cross_entropy)
    return (x, y_), train_step, y, cross_entropy, tf.global_variables()


def bn_switch(tf, x, is_training, scope, decay=0.8):
    """The other way: a float flag blends, updates go to UPDATE_OPS."""
    with tf.variable_scope(scope):
        n = x.get_shape().as_list()[-1]
        gamma = tf.get_variable("gamma", [n], initializer=tf.constant_initializer(1.0))
        beta = tf.get_variable("beta", [n], initializer=tf.constant_initializer(0.0))
        mm = tf.get_variable("moving_mean", [n], trainable=False,
                             initializer=tf.zeros_initializer())
        mv = tf.get_variable("moving_variance", [n], trainable=False,
                             initializer=tf.ones_initializer())
        mean, var = tf.nn.moments(x, axes=list(range(len(x.shape) - 1)), name="moments")
        flag = tf.cast(is_training, tf.float32)
        for v, value in ((mm, mean), (mv, var)):
            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS,
                                 tf.assign_sub(v, flag * (1 - decay) * (v - value)))  # fmt: skip
        used_mean = flag * mean + (1 - flag) * mm
        used_var = flag * var + (1 - flag) * mv
        return gamma * (x - used_mean) * tf.rsqrt(used_var + 1e-5) + beta


def main(tf):
    rng = np.random.RandomState(151)
    weights = [rng.randn(12, 8).astype("f4"), rng.randn(8, 3).astype("f4")]
    data = rng.randn(96, 12).astype("f4") * 2 + 1
    target = np.eye(3, dtype="f4")[data[:, :3].argmax(1)]
    out = {}
    tf.reset_default_graph()
    (x, y_), train_step, y, loss, variables = build_graph(tf, True, weights)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        losses = []
        for i in range(24):
            rows = slice((i % 4) * 24, (i % 4) * 24 + 24)
            _, value = sess.run([train_step, loss], {x: data[rows], y_: target[rows]})
            losses.append(value)
        trained = sess.run(variables)
    tf.reset_default_graph()
    (x, y_), _, y, loss, variables = build_graph(tf, False, weights)
    with tf.Session() as sess:
        for var, value in zip(variables, trained):
            sess.run(var.assign(value))
        out["test_loss"] = sess.run(loss, {x: data, y_: target})
        out["single"] = sess.run(y, {x: data[:1]})
    out["losses"], out["pop"] = losses, [trained[3], trained[4], trained[5]]
    out["names"] = [v.name for v in variables] + [y.name]

    tf.reset_default_graph()
    x = tf.placeholder(tf.float32, [None, 12])
    train_flag = tf.placeholder_with_default(False, shape=(), name="is_training")
    h = tf.nn.relu(bn_switch(tf, x, train_flag, "bn1"))
    h = bn_switch(tf, tf.reshape(h, [-1, 3, 4]), train_flag, "bn2")
    loss = tf.reduce_mean(tf.square(h - 0.5))
    update_ops = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    with tf.control_dependencies(update_ops):
        train = tf.train.GradientDescentOptimizer(0.3).minimize(loss)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        out["switched"] = [
            sess.run([loss, train], {x: data[: 24 + i], train_flag: True})[0] for i in range(12)
        ]
        out["inference"] = sess.run([loss, h], {x: data[:2]})
        out["moving"] = {v.name: sess.run(v) for v in tf.global_variables()}
    out["updates"] = [u.name for u in update_ops]
    return out
