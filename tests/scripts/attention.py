"""Multi-head attention by hand: None batch and length, masks, positions, layer norm, warm-up."""

from __future__ import annotations

import numpy as np


def main(tf):
    rng = np.random.RandomState(171)
    d_model, heads, vocab = 16, 4, 20

    def param(name, shape, scale=0.3):
        return tf.get_variable(name, shape, initializer=tf.constant_initializer(
            rng.randn(*shape) * scale))  # fmt: skip

    def project(x, units, name):
        with tf.variable_scope(name):
            n = x.get_shape().as_list()[-1]
            w = param("w", [n, units])
            b = tf.get_variable("b", [units], initializer=tf.zeros_initializer())
            y = tf.matmul(tf.reshape(x, [-1, n]), w) + b
            return tf.reshape(y, tf.concat([tf.shape(x)[:-1], [units]], axis=0))

    def split_heads(x):
        batch, length = tf.shape(x)[0], tf.shape(x)[1]
        x = tf.reshape(x, [batch, length, heads, d_model // heads])
        return tf.transpose(x, [0, 2, 1, 3])

    def combine_heads(x):
        x = tf.transpose(x, [0, 2, 1, 3])
        return tf.reshape(x, [tf.shape(x)[0], tf.shape(x)[1], d_model])

    def layer_norm(x, scope, epsilon=1e-6):
        with tf.variable_scope(scope):
            gain = tf.get_variable("gain", [d_model], initializer=tf.ones_initializer())
            bias = tf.get_variable("bias", [d_model], initializer=tf.zeros_initializer())
            mean = tf.reduce_mean(x, axis=[-1], keepdims=True)
            variance = tf.reduce_mean(tf.square(x - mean), axis=[-1], keepdims=True)
            return (x - mean) * tf.rsqrt(variance + epsilon) * gain + bias

    tokens = tf.placeholder(tf.int32, [None, None], name="tokens")
    labels = tf.placeholder(tf.int32, [None], name="labels")
    padding = tf.to_float(tf.equal(tokens, 0))
    bias = tf.expand_dims(tf.expand_dims(padding * -1e9, 1), 1)
    length = tf.shape(tokens)[1]
    causal = tf.matrix_band_part(tf.ones([length, length]), -1, 0)
    causal_bias = -1e9 * (1.0 - tf.reshape(causal, [1, 1, length, length]))

    with tf.variable_scope("transformer"):
        table = param("embedding", [vocab, d_model])
        x = tf.gather(table, tokens) * d_model**0.5
        x *= tf.expand_dims(1 - padding, -1)
        position = tf.to_float(tf.range(length))
        scales = tf.exp(tf.to_float(tf.range(d_model // 2)) * -(np.log(10000.0) / (d_model // 2)))
        angle = tf.expand_dims(position, 1) * tf.expand_dims(scales, 0)
        x += tf.concat([tf.sin(angle), tf.cos(angle)], axis=1)
        with tf.variable_scope("attention"):
            normed = layer_norm(x, "norm")
            qkv = project(normed, 3 * d_model, "qkv")
            q, k, v = [split_heads(part) for part in tf.split(qkv, 3, axis=-1)]
            q *= (d_model // heads) ** -0.5
            scores = tf.matmul(q, k, transpose_b=True) + bias + causal_bias
            weights = tf.nn.softmax(scores, name="attention_weights")
            x += project(combine_heads(tf.matmul(weights, v)), d_model, "out")
        with tf.variable_scope("ffn"):
            x += project(tf.nn.relu(project(layer_norm(x, "norm"), 32, "in")), d_model, "out")
        keep = tf.expand_dims(1 - padding, -1)
        pooled = tf.reduce_sum(x * keep, 1) / tf.reduce_sum(keep, 1)
        logits = project(pooled, 5, "classes")
    one_hot = tf.one_hot(labels, 5) * 0.9 + 0.1 / 5
    loss = tf.reduce_mean(
        tf.nn.softmax_cross_entropy_with_logits_v2(labels=tf.stop_gradient(one_hot), logits=logits)
    )
    step = tf.train.get_or_create_global_step()
    n = tf.cast(step + 1, tf.float32)
    rate = d_model**-0.5 * tf.minimum(n**-0.5, n * 10**-1.5)
    train = tf.train.AdamOptimizer(rate, beta2=0.98, epsilon=1e-9).minimize(loss, global_step=step)

    log = []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for i in range(16):
            n_batch, n_len = 6 + i % 3, 7 + i % 4
            ids = rng.randint(1, vocab, size=(n_batch, n_len))
            ids[: n_batch // 2, -2:] = 0
            feed = {tokens: ids, labels: ids[:, 0] % 5}
            log.append(sess.run([loss, rate, train], feed)[:2])
        w, p = sess.run([weights, pooled], {tokens: ids[:2]})
        lone = sess.run(logits, {tokens: [[3, 4, 5]]})
    return {
        "log": log, "weights": w[:, 0], "pooled": p, "lone": lone,
        "sums": float(np.abs(w.sum(-1) - 1).max()) < 1e-5,
        "names": [weights.name, logits.name, loss.name, pooled.name, x.name],
        "shapes": [str(t.shape) for t in (qkv, q, scores, weights, pooled, logits, x, angle)],
        "variables": [v.name for v in tf.trainable_variables()],
    }  # fmt: skip
