"""An LSTM unrolled over a fixed number of steps, its weights shared by reuse_variables."""

from __future__ import annotations

import numpy as np

STEPS, FEATURES, UNITS = 8, 5, 12


def main(tf):
    rng = np.random.RandomState(181)
    init_w = (rng.randn(FEATURES + UNITS, 4 * UNITS) * 0.2).astype(np.float32)

    def lstm_cell(x, state, scope="lstm_cell"):
        c, h = state
        with tf.variable_scope(scope):
            w = tf.get_variable("kernel", [FEATURES + UNITS, 4 * UNITS],
                                initializer=tf.constant_initializer(init_w))
            b = tf.get_variable("bias", [4 * UNITS], initializer=tf.zeros_initializer())
            gates = tf.matmul(tf.concat([x, h], 1), w) + b
            i, j, f, o = tf.split(value=gates, num_or_size_splits=4, axis=1)
            new_c = c * tf.sigmoid(f + 1.0) + tf.sigmoid(i) * tf.tanh(j)
            new_h = tf.tanh(new_c) * tf.sigmoid(o)
        return new_h, (new_c, new_h)

    x = tf.placeholder(tf.float32, [None, STEPS, FEATURES], name="x")
    y = tf.placeholder(tf.float32, [None, 2], name="y")
    batch = tf.shape(x)[0]
    zero = (tf.zeros([batch, UNITS]), tf.zeros(tf.stack([batch, UNITS])))
    state, outputs = zero, []
    with tf.variable_scope("RNN"):
        for time_step in range(STEPS):
            if time_step > 0:
                tf.get_variable_scope().reuse_variables()
            output, state = lstm_cell(x[:, time_step, :], state)
            outputs.append(output)
    stacked = tf.transpose(tf.stack(outputs), [1, 0, 2])
    with tf.variable_scope("softmax"):
        W = tf.get_variable("W", [UNITS, 2], initializer=tf.constant_initializer(
            rng.randn(UNITS, 2)))
        b = tf.get_variable("b", [2], initializer=tf.constant_initializer(0.0))  # fmt: skip
    logits = tf.matmul(outputs[-1], W) + b
    loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(logits=logits, labels=y))
    global_step = tf.Variable(0, name="global_step", trainable=False)
    optimizer = tf.train.AdamOptimizer(0.01)
    gvs = optimizer.compute_gradients(loss)
    capped = [(tf.clip_by_norm(grad, 1.0), var) for grad, var in gvs if grad is not None]
    train_op = optimizer.apply_gradients(capped, global_step=global_step, name="train")
    norms = [tf.norm(g) for g, _ in gvs]

    def data(n):
        xs = rng.randn(n, STEPS, FEATURES)
        return xs, np.eye(2)[(xs[:, :, 0].sum(1) > 0).astype(int)]

    log = []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for i in range(30):
            xs, ys = data(16 if i % 5 else 9)
            log.append(sess.run([loss, norms, train_op], {x: xs, y: ys})[0])
        xs, ys = data(4)
        seq, last, (c, h) = sess.run([stacked, outputs[-1], state], {x: xs})
        # the state of one run starts the next one
        carried = sess.run(state, {x: xs, zero[0]: c, zero[1]: h})
        partly = sess.run(state[1], {x: xs, zero[0]: c})
        n = sess.run(global_step)
    return {
        "log": log, "seq": seq[:, ::3, :4], "last": last, "c": c, "carried": carried,
        "partly": partly[:, :3], "step": n, "consistent": bool(np.allclose(seq[:, -1], h)),
        "variables": [v.name for v in tf.trainable_variables()],
        "names": [outputs[0].name, outputs[3].name, stacked.name, logits.name, train_op.name],
        "shapes": [str(t.shape) for t in (zero[0], zero[1], outputs[0], stacked, state[0])],
    }  # fmt: skip
