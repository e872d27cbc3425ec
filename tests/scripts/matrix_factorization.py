"""Ratings: user and item embeddings with biases, clipped predictions, two losses."""

from __future__ import annotations

import numpy as np


def inference(tf, rng, user_batch, item_batch, user_num, item_num, dim=5, device="/cpu:0"):
    with tf.device(device), tf.variable_scope("lfm"):
        bias_global = tf.get_variable("bias_global", shape=[], initializer=tf.zeros_initializer())
        w_bias_user = tf.get_variable("embd_bias_user", shape=[user_num],
                                      initializer=tf.zeros_initializer())
        w_bias_item = tf.get_variable("embd_bias_item", shape=[item_num],
                                      initializer=tf.zeros_initializer())
        bias_user = tf.nn.embedding_lookup(w_bias_user, user_batch, name="bias_user")
        bias_item = tf.nn.embedding_lookup(w_bias_item, item_batch, name="bias_item")
        w_user = tf.get_variable("embd_user", shape=[user_num, dim],
                                 initializer=tf.constant_initializer(rng.randn(user_num, dim) * .1))
        w_item = tf.get_variable("embd_item", shape=[item_num, dim],
                                 initializer=tf.constant_initializer(rng.randn(item_num, dim) * .1))
        embd_user = tf.nn.embedding_lookup(w_user, user_batch, name="embedding_user")
        embd_item = tf.nn.embedding_lookup(w_item, item_batch, name="embedding_item")
        infer = tf.reduce_sum(tf.multiply(embd_user, embd_item), 1)
        infer = tf.add(infer, bias_global)
        infer = tf.add(infer, bias_user)
        infer = tf.add(infer, bias_item, name="svd_inference")
        regularizer = tf.add(tf.nn.l2_loss(embd_user), tf.nn.l2_loss(embd_item),
                             name="svd_regularizer")  # fmt: skip
    return infer, regularizer


def main(tf):
    rng = np.random.RandomState(51)
    user_batch = tf.placeholder(tf.int32, shape=[None], name="id_user")
    item_batch = tf.placeholder(tf.int32, shape=[None], name="id_item")
    rate_batch = tf.placeholder(tf.float32, shape=[None])
    infer, regularizer = inference(tf, rng, user_batch, item_batch, 30, 20)
    global_step = tf.train.get_or_create_global_step()
    cost_l2 = tf.nn.l2_loss(tf.subtract(infer, rate_batch))
    penalty = tf.constant(0.1, dtype=tf.float32, shape=[], name="l2")
    cost = tf.add(cost_l2, tf.multiply(regularizer, penalty))
    train_op = tf.train.FtrlOptimizer(0.05).minimize(cost, global_step=global_step)
    adam_op = tf.train.AdamOptimizer(0.01).minimize(cost, global_step=global_step)
    users, items = rng.randint(30, size=300), rng.randint(20, size=300)
    rates = 1.0 + (users * 7 + items * 3) % 5
    errors = []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for i in range(40):
            pick = rng.randint(300, size=48 if i % 3 else 20)
            feed = {user_batch: users[pick], item_batch: items[pick], rate_batch: rates[pick]}
            _, pred = sess.run([adam_op if i % 2 else train_op, infer], feed_dict=feed)
            pred = np.clip(pred, 1.0, 5.0)
            errors.append(np.sqrt(np.mean(np.power(pred - rates[pick], 2))))
        step = tf.train.global_step(sess, global_step)
        test = sess.run(infer, feed_dict={user_batch: [0, 1, 2], item_batch: [3, 4, 5]})
        by_name = sess.run("svd_inference:0" if False else infer.name,
                           {"id_user:0": [1], "id_item:0": [4]})  # fmt: skip
    return {
        "errors": errors, "step": step, "test": test, "by_name": by_name,
        "names": [infer.name, regularizer.name, global_step.name, penalty.name],
        "op": [infer.op.name, [i.name for i in infer.op.inputs]],
        "variables": [v.name for v in tf.trainable_variables()],
    }  # fmt: skip
