"""A Q network and its target: assigns from one scope to the other, soft updates, masks."""

from __future__ import annotations

import numpy as np


def build_net(tf, rng, s, c_names, n_actions):
    w_init = [rng.randn(6, 20) * 0.3, rng.randn(20, n_actions) * 0.3]
    with tf.variable_scope("l1"):
        w1 = tf.get_variable("w1", [6, 20], initializer=tf.constant_initializer(w_init[0]),
                             collections=c_names)
        b1 = tf.get_variable("b1", [1, 20], initializer=tf.constant_initializer(0.1),
                             collections=c_names)
        l1 = tf.nn.relu(tf.matmul(s, w1) + b1)
    with tf.variable_scope("l2"):
        w2 = tf.get_variable("w2", [20, n_actions],
                             initializer=tf.constant_initializer(w_init[1]), collections=c_names)
        b2 = tf.get_variable("b2", [1, n_actions], initializer=tf.constant_initializer(0.1),
                             collections=c_names)  # fmt: skip
        return tf.matmul(l1, w2) + b2


def main(tf):
    rng = np.random.RandomState(71)
    n_actions = 4
    s = tf.placeholder(tf.float32, [None, 6], name="s")
    s_ = tf.placeholder(tf.float32, [None, 6], name="s_")
    r = tf.placeholder(tf.float32, [None], name="r")
    a = tf.placeholder(tf.int32, [None], name="a")
    done = tf.placeholder(tf.bool, [None], name="done")
    with tf.variable_scope("eval_net"):
        keys = ["eval_net_params", tf.GraphKeys.GLOBAL_VARIABLES, tf.GraphKeys.TRAINABLE_VARIABLES]
        q_eval = build_net(tf, rng, s, keys, n_actions)
    with tf.variable_scope("target_net"):
        q_next = build_net(tf, rng, s_, ["target_net_params", tf.GraphKeys.GLOBAL_VARIABLES],
                           n_actions)  # fmt: skip
    with tf.variable_scope("q_target"):
        future = tf.reduce_max(q_next, axis=1, name="Qmax_s_")
        q_target = r + 0.9 * tf.where(done, tf.zeros_like(future), future)
        q_target = tf.stop_gradient(q_target)
    with tf.variable_scope("q_eval"):
        a_indices = tf.stack([tf.range(tf.shape(a)[0], dtype=tf.int32), a], axis=1)
        q_eval_wrt_a = tf.gather_nd(params=q_eval, indices=a_indices)
    with tf.variable_scope("loss"):
        td = tf.squared_difference(q_target, q_eval_wrt_a, name="TD_error")
        loss = tf.reduce_mean(td)
    with tf.variable_scope("train"):
        train_op = tf.train.RMSPropOptimizer(0.01).minimize(loss)
    t_params = tf.get_collection("target_net_params")
    e_params = tf.get_collection("eval_net_params")
    with tf.variable_scope("hard_replacement"):
        replace_op = [tf.assign(t, e) for t, e in zip(t_params, e_params)]
    soft = tf.group(*[t.assign(0.99 * t + 0.01 * e) for t, e in zip(t_params, e_params)])
    double_q = tf.reduce_sum(
        q_next * tf.one_hot(tf.argmax(q_eval, axis=1), n_actions, on_value=1.0, off_value=0.0), 1
    )

    costs, greedy = [], []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for step in range(40):
            if step % 10 == 0:
                replaced = sess.run(replace_op)
            greedy.append(int(np.argmax(sess.run(q_eval, {s: rng.randn(6)[np.newaxis, :]}))))
            batch = rng.randn(16, 18)
            feed = {
                s: batch[:, :6], a: rng.randint(n_actions, size=16), r: batch[:, 7],
                s_: batch[:, -6:], done: rng.rand(16) < 0.2,
            }  # fmt: skip
            _, cost = sess.run([train_op, loss], feed_dict=feed)
            costs.append(cost)
            if step % 3 == 0:
                sess.run(soft)
        dq = sess.run(double_q, {s: batch[:5, :6], s_: batch[:5, :6]})
        target = sess.run(t_params[0])
    return {
        "costs": costs, "greedy": greedy, "double": dq, "target": target[:2, :5],
        "replaced": [v.shape for v in replaced], "first": replaced[1][0, :4],
        "params": [v.name for v in t_params + e_params], "soft": [soft.name, soft.type],
        "trainable": [v.name for v in tf.trainable_variables()],
        "names": [q_eval.name, td.name, loss.name, q_eval_wrt_a.name, replace_op[0].name,
                  train_op.name],
        "shapes": [str(t.shape) for t in (q_eval, future, a_indices, q_eval_wrt_a, double_q)],
    }  # fmt: skip
