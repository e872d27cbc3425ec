"""Training by hand: compute and apply, accumulated gradients, own update rules, many rates."""

from __future__ import annotations

import numpy as np


def main(tf):
    rng = np.random.RandomState(211)
    out = {}
    x = tf.placeholder(tf.float32, [None, 8])
    y = tf.placeholder(tf.float32, [None, 1])
    with tf.variable_scope("net"):
        w1 = tf.get_variable("w1", initializer=tf.constant(rng.randn(8, 10) * 0.3, tf.float32))
        b1 = tf.get_variable("b1", [10], initializer=tf.zeros_initializer)
        w2 = tf.get_variable("w2", initializer=tf.constant(rng.randn(10, 1) * 0.3, tf.float32))
    pred = tf.matmul(tf.nn.selu(tf.matmul(x, w1) + b1), w2)
    loss = tf.reduce_mean(tf.abs(pred - y)) + tf.reduce_mean((pred - y) ** 2)
    tvars = tf.trainable_variables()

    # 1. gradients accumulated over micro batches
    accum = [tf.Variable(tf.zeros_like(v.initialized_value()), trainable=False) for v in tvars]
    counter = tf.Variable(0.0, trainable=False, name="counter")
    zero_ops = [a.assign(tf.zeros_like(a)) for a in accum] + [counter.assign(0.0)]
    opt = tf.train.AdamOptimizer(0.02)
    gvs = opt.compute_gradients(loss, tvars)
    accum_ops = [accum[i].assign_add(gv[0]) for i, gv in enumerate(gvs)]
    accum_ops.append(counter.assign_add(1.0))
    train_step = opt.apply_gradients([(accum[i] / counter, gv[1]) for i, gv in enumerate(gvs)])
    # 2. two optimizers over one pass, noise-free scaling of one variable's gradient
    opt1 = tf.train.GradientDescentOptimizer(0.05)
    opt2 = tf.train.AdadeltaOptimizer(1.0)
    grads = tf.gradients(loss, tvars, gate_gradients=True)
    multiplied = [(g * 2.0 if v.op.name.endswith("b1") else g, v) for g, v in zip(grads, tvars)]
    both = tf.group(opt1.apply_gradients(multiplied[:2]), opt2.apply_gradients(multiplied[2:]))
    # 3. sign descent, written out; the order is by control dependencies
    before = tf.add(w2.read_value(), 0.0, name="before")
    with tf.control_dependencies([before] + grads):
        updates = [tf.assign_sub(v, 0.01 * tf.sign(g)) for v, g in zip(tvars, grads)]
    with tf.control_dependencies(updates):
        change = tf.reduce_max(tf.abs(w2.read_value() - before), name="change")
    # 4. max-norm constraint, run after a step
    clip = [w1.assign(tf.clip_by_norm(w1, 1.0, axes=[0]))]
    rate = tf.train.polynomial_decay(0.1, tf.cast(counter, tf.int32), 10, 0.01, power=2)
    piecewise = tf.train.piecewise_constant(tf.cast(counter, tf.int32), [1, 3], [0.1, 0.05, 0.01])
    nesterov = tf.train.MomentumOptimizer(rate, 0.9, use_nesterov=True).minimize(
        loss, var_list=[w2], colocate_gradients_with_ops=True
    )
    data = rng.randn(64, 8)
    target = data[:, :1] * 0.5 - np.abs(data[:, 1:2])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        losses = []
        for _ in range(5):
            sess.run(zero_ops)
            for micro in range(0, 64, 16):
                feed = {x: data[micro : micro + 16], y: target[micro : micro + 16]}
                sess.run(accum_ops, feed)
            sess.run(train_step)
            losses.append(sess.run(loss, {x: data, y: target}))
        out["rates"] = sess.run([rate, piecewise, counter])
        for _ in range(5):
            losses.append(sess.run([loss, both], {x: data, y: target})[0])
        for _ in range(3):
            out["change"] = sess.run(change, {x: data, y: target})
        sess.run(clip)
        out["norms"] = np.sqrt((sess.run(w1) ** 2).sum(0))
        for _ in range(5):
            sess.run(nesterov, {x: data, y: target})
        losses.append(loss.eval({x: data, y: target}))
        out["losses"] = losses
        out["vars"] = sess.run(tvars)
        out["m"] = sess.run(opt.get_slot(w2, "m"))[:3]
    out["slots"] = [opt.get_slot_names(), opt2.get_slot_names()]
    out["slot_name"] = opt.get_slot(w1, "v").name
    out["op_names"] = [train_step.name, both.name, change.name, pred.name, nesterov.name,
                       accum_ops[0].name, rate.name, opt.get_name()]  # fmt: skip
    out["variables"] = [v.name for v in tf.global_variables()]
    return out
