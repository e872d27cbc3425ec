"""A deep network with summaries left out: dropout by placeholder, L2, decay, global step."""

from __future__ import annotations

import numpy as np


def main(tf):
    rng = np.random.RandomState(0)
    x = tf.placeholder(tf.float32, [None, 20], name="input")
    labels = tf.placeholder(tf.int64, [None], name="labels")
    keep_prob = tf.placeholder(tf.float32, name="keep_prob")

    def weight_variable(shape):
        initial = rng.randn(*shape).astype(np.float32) * 0.1
        w = tf.Variable(initial, name="W")
        tf.add_to_collection("weights", w)
        return w

    def nn_layer(t, n_out, layer_name, act=tf.nn.relu):
        n_in = int(t.get_shape()[1])
        with tf.name_scope(layer_name):
            with tf.name_scope("weights"):
                w = weight_variable([n_in, n_out])
            with tf.name_scope("biases"):
                b = tf.Variable(tf.constant(0.1, shape=[n_out]), name="b")
            with tf.name_scope("Wx_plus_b"):
                pre = tf.matmul(t, w) + b
            return act(pre, name="activation")

    h1 = nn_layer(x, 32, "layer1")
    drop = tf.nn.dropout(h1, keep_prob)
    h2 = nn_layer(drop, 16, "layer2", act=tf.nn.tanh)
    logits = nn_layer(h2, 5, "out", act=tf.identity)
    with tf.name_scope("cross_entropy"):
        diff = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
        with tf.name_scope("total"):
            data_loss = tf.reduce_mean(diff)
    l2 = tf.add_n([tf.nn.l2_loss(v) for v in tf.get_collection("weights")])
    loss = data_loss + 1e-3 * l2
    global_step = tf.Variable(0, trainable=False, name="global_step")
    rate = tf.train.exponential_decay(0.1, global_step, 10, 0.9, staircase=True)
    opt = tf.train.MomentumOptimizer(rate, momentum=0.9)
    train_op = opt.minimize(loss, global_step=global_step)
    with tf.name_scope("accuracy"):
        predicted = tf.argmax(logits, 1)
        correct = tf.equal(predicted, labels)
        accuracy = tf.reduce_mean(tf.cast(correct, "float"))

    data = rng.randn(200, 20).astype(np.float32)
    target = (np.abs(data[:, :5]).argmax(1)).astype(np.int64)
    losses, rates = [], []
    with tf.Session(config=tf.ConfigProto(allow_soft_placement=True)) as sess:
        sess.run(tf.global_variables_initializer())
        for step in range(40):
            idx = np.arange(step * 32, step * 32 + 32) % 200
            feed = {x: data[idx], labels: target[idx], keep_prob: 1.0}
            _, value, lr = sess.run([train_op, loss, rate], feed_dict=feed)
            g = sess.run(global_step)
            losses.append(value)
            rates.append(lr)
        final = sess.run(
            {"loss": data_loss, "acc": accuracy, "pred": predicted},
            {x: data, labels: target, keep_prob: 1},
        )
        # dropout itself: scaled, about half of it zero, drawn anew on each run
        ones = {h1: np.ones([64, 32], np.float32), keep_prob: 0.5}
        a, b_ = sess.run(drop, ones), sess.run(drop, ones)
        dropout = [sorted(set(np.unique(a).tolist())), bool((a != b_).any()),
                   0.4 < float((a == 0).mean()) < 0.6]  # fmt: skip
    return {
        "losses": losses, "rates": rates, "step": g, "final": final, "dropout": dropout,
        "names": [h1.name, drop.name.split(":")[0].split("/")[0], logits.name, data_loss.name,
                  accuracy.name, loss.name, l2.name],
        "variables": [(v.name, v.get_shape().as_list()) for v in tf.global_variables()],
        "slots": opt.get_slot_names(),
        "trainable": len(tf.trainable_variables()),
    }  # fmt: skip
