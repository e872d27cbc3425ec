"""Capsules with routing by agreement, unrolled; a mixture density output; margin loss."""

from __future__ import annotations

import numpy as np


def squash(tf, s, axis=-1, epsilon=1e-7, name=None):
    with tf.name_scope(name, default_name="squash"):
        squared_norm = tf.reduce_sum(tf.square(s), axis=axis, keepdims=True)
        safe_norm = tf.sqrt(squared_norm + epsilon)
        return squared_norm / (1.0 + squared_norm) * (s / safe_norm)


def main(tf):
    rng = np.random.RandomState(331)
    caps1, dims1, caps2, dims2 = 6, 4, 3, 5
    X = tf.placeholder(shape=[None, 24], dtype=tf.float32, name="X")
    y = tf.placeholder(shape=[None], dtype=tf.int64, name="y")
    caps1_raw = tf.reshape(X, [-1, caps1, dims1], name="caps1_raw")
    caps1_output = squash(tf, caps1_raw, name="caps1_output")
    init = (rng.randn(1, caps1, caps2, dims2, dims1) * 0.3).astype("f4")
    W = tf.Variable(init, name="W")
    batch_size = tf.shape(X)[0]
    W_tiled = tf.tile(W, [batch_size, 1, 1, 1, 1], name="W_tiled")
    expanded = tf.expand_dims(caps1_output, -1, name="caps1_output_expanded")
    tiled = tf.tile(tf.expand_dims(expanded, 2), [1, 1, caps2, 1, 1], name="caps1_output_tiled")
    predicted = tf.matmul(W_tiled, tiled, name="caps2_predicted")
    raw_weights = tf.zeros([batch_size, caps1, caps2, 1, 1], dtype=np.float32, name="raw_weights")
    for i in range(3):
        routing = tf.nn.softmax(raw_weights, axis=2, name="routing_weights")
        weighted = tf.multiply(routing, predicted, name="weighted_predictions")
        weighted_sum = tf.reduce_sum(weighted, axis=1, keepdims=True, name="weighted_sum")
        caps2_output = squash(tf, weighted_sum, axis=-2, name="caps2_output_round")
        if i < 2:
            out_tiled = tf.tile(caps2_output, [1, caps1, 1, 1, 1])
            agreement = tf.matmul(predicted, out_tiled, transpose_a=True, name="agreement")
            raw_weights = tf.add(raw_weights, agreement)
    norm = tf.sqrt(tf.reduce_sum(tf.square(caps2_output), axis=-2) + 1e-7)
    y_proba_argmax = tf.argmax(norm, axis=2, name="y_proba")
    y_pred = tf.squeeze(y_proba_argmax, axis=[1, 2], name="y_pred")
    T = tf.one_hot(y, depth=caps2, name="T")
    present = tf.reshape(tf.square(tf.maximum(0.0, 0.9 - norm)), shape=(-1, caps2))
    absent = tf.reshape(tf.square(tf.maximum(0.0, norm - 0.1)), shape=(-1, caps2))
    L = tf.add(T * present, 0.5 * (1.0 - T) * absent, name="L")
    margin_loss = tf.reduce_mean(tf.reduce_sum(L, axis=1), name="margin_loss")
    # the decoder sees the right capsule while training, the longest one otherwise
    mask_with_labels = tf.placeholder_with_default(False, shape=(), name="mask_with_labels")
    flag = tf.cast(mask_with_labels, tf.int64)
    target = flag * y + (1 - flag) * y_pred
    mask = tf.reshape(tf.one_hot(target, depth=caps2), [-1, 1, caps2, 1, 1])
    decoder_input = tf.reshape(tf.multiply(caps2_output, mask), [-1, caps2 * dims2])
    D = tf.Variable((rng.randn(15, 24) * 0.3).astype("f4"), name="D")
    reconstruction = tf.reduce_mean(tf.squared_difference(tf.matmul(decoder_input, D), X))
    # a density of the margin from the capsules
    K = 3
    params = tf.matmul(decoder_input, tf.Variable((rng.randn(15, 3 * K) * 0.3).astype("f4")))
    pi_, sigma_, mu = tf.split(params, 3, 1)
    log_pi = tf.nn.log_softmax(pi_)
    sigma = tf.exp(tf.clip_by_value(sigma_, -2.0, 2.0))
    value = tf.reduce_mean(X, 1, keepdims=True)
    log_prob = -0.5 * tf.square((value - mu) / sigma) - tf.log(sigma) - 0.5 * np.log(2 * np.pi)
    nll = -tf.reduce_mean(tf.reduce_logsumexp(log_pi + log_prob, axis=1))
    loss = tf.add_n([margin_loss, 0.1 * reconstruction, 0.1 * nll], name="loss")
    training_op = tf.train.AdamOptimizer(0.02).minimize(loss, name="training_op")
    accuracy = tf.reduce_mean(tf.cast(tf.equal(y, y_pred), tf.float32), name="accuracy")

    log = []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for i in range(12):
            n = 8 if i % 4 else 11
            ys = rng.randint(caps2, size=n)
            xs = rng.randn(n, 24) + np.repeat(np.eye(3), 8, 1)[ys]
            _, lo, m, r, d = sess.run([training_op, loss, margin_loss, reconstruction, nll],
                                      {X: xs, y: ys, mask_with_labels: True})  # fmt: skip
            log.append([lo, m, r, d])
        pred, acc, lengths = sess.run([y_pred, accuracy, norm], {X: xs, y: ys})
    return {
        "log": log, "pred": pred, "acc": acc, "lengths": lengths,
        "names": [W_tiled.name, predicted.name, caps2_output.name, routing.name, y_pred.name,
                  margin_loss.name, loss.name, training_op.name, agreement.name],
        "shapes": [str(t.shape) for t in (W_tiled, predicted, caps2_output, norm, y_pred, L)],
    }  # fmt: skip
