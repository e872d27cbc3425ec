"""An autoencoder with weight and bias dictionaries, sigmoid layers and RMSProp."""

from __future__ import annotations

import numpy as np


def main(tf):
    rng = np.random.RandomState(5)
    n_input, n_hidden_1, n_hidden_2 = 64, 32, 8
    X = tf.placeholder("float", [None, n_input])

    def glorot(n, m):
        return tf.Variable((rng.randn(n, m) / np.sqrt(n)).astype("float32"))

    weights = {
        "encoder_h1": glorot(n_input, n_hidden_1),
        "encoder_h2": glorot(n_hidden_1, n_hidden_2),
        "decoder_h1": glorot(n_hidden_2, n_hidden_1),
        "decoder_h2": glorot(n_hidden_1, n_input),
    }
    biases = {
        "encoder_b1": tf.Variable(tf.zeros([n_hidden_1])),
        "encoder_b2": tf.Variable(tf.zeros([n_hidden_2])),
        "decoder_b1": tf.Variable(tf.zeros([n_hidden_1])),
        "decoder_b2": tf.Variable(tf.zeros([n_input])),
    }

    def encoder(x):
        layer_1 = tf.nn.sigmoid(tf.add(tf.matmul(x, weights["encoder_h1"]), biases["encoder_b1"]))
        return tf.nn.sigmoid(tf.add(tf.matmul(layer_1, weights["encoder_h2"]),
                                    biases["encoder_b2"]))  # fmt: skip

    def decoder(x):
        layer_1 = tf.nn.sigmoid(tf.add(tf.matmul(x, weights["decoder_h1"]), biases["decoder_b1"]))
        return tf.nn.sigmoid(tf.add(tf.matmul(layer_1, weights["decoder_h2"]),
                                    biases["decoder_b2"]))  # fmt: skip

    encoder_op = encoder(X)
    decoder_op = decoder(encoder_op)
    y_pred, y_true = decoder_op, X
    loss = tf.reduce_mean(tf.pow(y_true - y_pred, 2))
    optimizer = tf.train.RMSPropOptimizer(0.01).minimize(loss)
    init = tf.global_variables_initializer()

    data = rng.rand(128, n_input).astype(np.float32)
    costs = []
    sess = tf.Session()
    sess.run(init)
    for i in range(30):
        batch = data[(i % 4) * 32 : (i % 4) * 32 + 32]
        _, cost = sess.run([optimizer, loss], feed_dict={X: batch})
        costs.append(cost)
    # decode a code that is fed in the middle of the graph
    code = sess.run(encoder_op, feed_dict={X: data[:3]})
    image = sess.run(decoder_op, feed_dict={encoder_op: code})
    whole = sess.run(y_pred, feed_dict={X: data[:3]})
    first = sess.run(weights)
    sess.close()
    return {
        "costs": costs, "code": code, "image": image, "same": bool(np.allclose(image, whole)),
        "weights": {k: v[:2, :3] for k, v in first.items()}, "keys": sorted(first),
        "names": [encoder_op.name, decoder_op.name, weights["decoder_h1"].name,
                  biases["encoder_b1"].name, loss.name],
        "shape": y_pred.get_shape().as_list(),
    }  # fmt: skip
