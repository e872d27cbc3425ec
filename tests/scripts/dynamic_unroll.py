"""A recurrent net by while_loop on sequences of several lengths, trained; and sampled from."""

from __future__ import annotations

import numpy as np


def main(tf):
    rng = np.random.RandomState(11)
    width, vocabulary = 12, 7

    def weights(*shape):
        return tf.constant_initializer((rng.randn(*shape) * 0.3).astype(np.float32))

    ids = tf.placeholder(tf.int32, [None, None], name="ids")
    lengths = tf.placeholder(tf.int32, [None], name="lengths")
    with tf.variable_scope("net"):
        shape = [vocabulary, width]
        table = tf.get_variable("table", shape, initializer=weights(*shape))
        w = tf.get_variable("w", [2 * width, 3 * width], initializer=weights(2 * width, 3 * width))
        b = tf.get_variable("b", [3 * width], initializer=tf.zeros_initializer())
        head = tf.get_variable("head", [width, vocabulary], initializer=weights(width, vocabulary))

    def cell(x, h):
        r, u, c = tf.split(tf.matmul(tf.concat([x, h], 1), w) + b, 3, axis=1)
        u = tf.sigmoid(u)
        return u * h + (1.0 - u) * tf.tanh(c + tf.sigmoid(r))

    time = tf.shape(ids)[1] - 1
    batch = tf.shape(ids)[0]
    inputs = tf.TensorArray(tf.float32, time).unstack(
        tf.transpose(tf.nn.embedding_lookup(table, ids[:, :-1]), [1, 0, 2])
    )

    def step(t, h, outs):
        new = cell(inputs.read(t), h)
        new = tf.where(t < lengths - 1, new, h)
        return t + 1, new, outs.write(t, tf.matmul(new, head))

    zero = tf.zeros([batch, width])
    _, state, outs = tf.while_loop(
        lambda t, *_: t < time, step, (0, zero, tf.TensorArray(tf.float32, time)),
        shape_invariants=None, swap_memory=True, parallel_iterations=32,
    )  # fmt: skip
    logits = tf.transpose(outs.stack(), [1, 0, 2])
    mask = tf.cast(tf.sequence_mask(lengths - 1, time), tf.float32)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=ids[:, 1:], logits=logits)
    loss = tf.reduce_sum(losses * mask) / tf.reduce_sum(mask)
    optimizer = tf.train.AdamOptimizer(0.02)
    pairs = optimizer.compute_gradients(loss)
    clipped, norm = tf.clip_by_global_norm([g for g, _ in pairs], 1.0)
    train = optimizer.apply_gradients(zip(clipped, [v for _, v in pairs]))

    # greedy decoding until the end sign, or twelve signs
    def decode(i, sign, h, made):
        h = cell(tf.nn.embedding_lookup(table, sign), h)
        sign = tf.argmax(tf.matmul(h, head), 1, output_type=tf.int32)
        return i + 1, sign, h, made.write(i, sign)

    first = tf.placeholder(tf.int32, [None], name="first")
    made = tf.TensorArray(tf.int32, 0, dynamic_size=True)
    _, _, _, made = tf.while_loop(
        lambda i, sign, *_: tf.logical_and(i < 12, tf.reduce_any(tf.not_equal(sign, 0))),
        decode, (0, first, tf.zeros([tf.shape(first)[0], width]), made),
    )  # fmt: skip
    signs = tf.transpose(made.stack())

    # counting up modulo seven: the net learns the next sign
    def batch_of(count, length):
        start = rng.randint(1, vocabulary, (count, 1))
        rows = (start + np.arange(length)) % vocabulary
        return rows.astype(np.int32), rng.randint(3, length + 1, count).astype(np.int32)

    trace = []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for k in range(40):
            rows, sizes = batch_of(8, 6 + k % 3)
            value, size, _ = sess.run([loss, norm, train], {ids: rows, lengths: sizes})
            trace.append([value, size])
        rows, sizes = batch_of(4, 9)
        end = sess.run([state, loss], {ids: rows, lengths: sizes})
        decoded = sess.run(signs, {first: [1, 3]})
    return {
        "trace": trace[:5], "end": end, "learned": bool(trace[-1][0] < 0.7 * trace[0][0]),
        "decoded_rows": decoded.shape[0], "decoded": decoded,
        "names": [v.name for v in tf.trainable_variables()],
    }  # fmt: skip
