"""DDPG: dQ/da pushed into the actor by grad_ys, targets by a moving-average getter; threads."""

from __future__ import annotations

import threading

import numpy as np


def main(tf):
    rng = np.random.RandomState(361)
    S = tf.placeholder(tf.float32, [None, 4], "s")
    S_ = tf.placeholder(tf.float32, [None, 4], "s_")
    R = tf.placeholder(tf.float32, [None, 1], "r")
    tables = {}

    def dense(x, units, name, trainable, custom_getter, act=None):
        n = x.shape[-1].value
        full = f"{tf.get_variable_scope().name}/{name}"
        value = tables.setdefault(full, (rng.randn(n, units) * 0.4).astype("f4"))
        with tf.variable_scope(name, custom_getter=custom_getter):
            w = tf.get_variable("kernel", [n, units], trainable=trainable,
                                initializer=tf.constant_initializer(value))
            b = tf.get_variable("bias", [units], trainable=trainable,
                                initializer=tf.constant_initializer(0.1))  # fmt: skip
            y = tf.matmul(x, w) + b
            return y if act is None else act(y)

    def build_a(s, reuse=None, custom_getter=None):
        trainable = reuse is None
        with tf.variable_scope("Actor", reuse=reuse):
            net = dense(s, 12, "l1", trainable, custom_getter, tf.nn.relu)
            a = dense(net, 2, "a", trainable, custom_getter, tf.nn.tanh)
            return tf.multiply(a, 2.0, name="scaled_a")

    def build_c(s, a, reuse=None, custom_getter=None):
        trainable = reuse is None
        with tf.variable_scope("Critic", reuse=reuse):
            net = dense(tf.concat([s, a], 1), 12, "l1", trainable, custom_getter, tf.nn.relu)
            return dense(net, 1, "q", trainable, custom_getter)

    a = build_a(S)
    q = build_c(S, a)
    a_params = tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, scope="Actor")
    c_params = tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, scope="Critic")
    ema = tf.train.ExponentialMovingAverage(decay=1 - 0.05)

    def ema_getter(getter, name, *args, **kwargs):
        return ema.average(getter(name, *args, **kwargs))

    target_update = [ema.apply(a_params), ema.apply(c_params)]
    a_ = build_a(S_, reuse=True, custom_getter=ema_getter)
    q_ = build_c(S_, a_, reuse=True, custom_getter=ema_getter)
    policy_grads = tf.gradients(ys=a, xs=a_params, grad_ys=-tf.gradients(q, a)[0])
    atrain = tf.train.AdamOptimizer(0.01).apply_gradients(zip(policy_grads, a_params))
    q_target = R + 0.9 * q_
    td_error = tf.reduce_mean(tf.squared_difference(tf.stop_gradient(q_target), q))
    ctrain = tf.train.AdamOptimizer(0.02).minimize(td_error, var_list=c_params)

    out = {"log": []}
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for i in range(15):
            n = 16 if i % 2 else 12
            s = rng.randn(n, 4)
            feed = {S: s, S_: s + 0.1 * rng.randn(n, 4), R: -np.abs(s[:, :1])}
            sess.run(target_update)  # by itself: in one run with the training it would race
            sess.run(atrain, feed)
            act = sess.run(a, {S: s})
            loss, _ = sess.run([td_error, ctrain], {a: act, **feed})
            out["log"].append(loss)
        out["a"], out["q_"] = sess.run([a_, q_], {S_: np.eye(4)})
        out["target"] = sess.run(ema.average(a_params[0]))[:2]

        # workers on one session, as in A3C: reads and counted steps from several threads
        steps = tf.Variable(0, trainable=False)
        step = tf.assign_add(steps, 1, use_locking=True)
        sess.run(steps.initializer)
        stop = threading.Event()
        expected, wrong = sess.run(a, {S: np.eye(4)}), []

        def work():
            while not stop.is_set():
                if sess.run(step) >= 60:
                    stop.set()
                if not np.allclose(sess.run(a, {S: np.eye(4)}), expected):
                    wrong.append(1)

        workers = [threading.Thread(target=work) for _ in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        out["threads"] = [bool(sess.run(steps) >= 60), len(wrong)]
    out["variables"] = [v.name for v in tf.global_variables()]
    out["names"] = [a.name, q.name, a_.name, q_.name, td_error.name, policy_grads[0].name[:9]]
    return out
