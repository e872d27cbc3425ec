"""Siamese and triplet losses: pairwise distances, masks, hardest examples, centre loss."""

from __future__ import annotations

import numpy as np


def pairwise_distances(tf, embeddings, squared=False):
    dot = tf.matmul(embeddings, tf.transpose(embeddings))
    square_norm = tf.diag_part(dot)
    d = tf.expand_dims(square_norm, 1) - 2.0 * dot + tf.expand_dims(square_norm, 0)
    d = tf.maximum(d, 0.0)
    if not squared:
        mask = tf.to_float(tf.equal(d, 0.0))
        d = tf.sqrt(d + mask * 1e-16) * (1.0 - mask)
    return d


def positive_mask(tf, labels):
    distinct = tf.logical_not(tf.cast(tf.eye(tf.shape(labels)[0]), tf.bool))
    same = tf.equal(tf.expand_dims(labels, 0), tf.expand_dims(labels, 1))
    return tf.logical_and(distinct, same)


def triplet_mask(tf, labels):
    distinct = tf.logical_not(tf.cast(tf.eye(tf.shape(labels)[0]), tf.bool))
    ij, ik, jk = (tf.expand_dims(distinct, a) for a in (2, 1, 0))
    equal = tf.equal(tf.expand_dims(labels, 0), tf.expand_dims(labels, 1))
    valid = tf.logical_and(tf.expand_dims(equal, 2), tf.logical_not(tf.expand_dims(equal, 1)))
    return tf.logical_and(tf.logical_and(tf.logical_and(ij, ik), jk), valid)


def main(tf):
    rng = np.random.RandomState(321)
    x = tf.placeholder(tf.float32, [None, 10])
    labels = tf.placeholder(tf.int32, [None])
    w = tf.get_variable("w", initializer=(rng.randn(10, 4) * 0.4).astype("f4"))
    embeddings = tf.nn.l2_normalize(tf.matmul(x, w), 1)
    distances = pairwise_distances(tf, embeddings)

    margin = 0.5
    anchor_positive = tf.to_float(positive_mask(tf, labels)) * distances
    hardest_positive = tf.reduce_max(anchor_positive, axis=1, keepdims=True)
    negative = tf.to_float(tf.not_equal(tf.expand_dims(labels, 0), tf.expand_dims(labels, 1)))
    highest = tf.reduce_max(distances, axis=1, keepdims=True)
    hardest_negative = tf.reduce_min(distances + highest * (1.0 - negative), 1, keepdims=True)
    hard_loss = tf.reduce_mean(tf.maximum(hardest_positive - hardest_negative + margin, 0.0))

    mask = tf.to_float(triplet_mask(tf, labels))
    triplet = tf.expand_dims(distances, 2) - tf.expand_dims(distances, 1) + margin
    triplet = tf.maximum(tf.multiply(mask, triplet), 0.0)
    valid = tf.reduce_sum(tf.to_float(tf.greater(triplet, 1e-16)))
    fraction = valid / (tf.reduce_sum(mask) + 1e-16)
    all_loss = tf.reduce_sum(triplet) / (valid + 1e-16)

    centers = tf.get_variable("centers", [3, 4], dtype=tf.float32, trainable=False,
                              initializer=tf.constant_initializer(0))
    centers_batch = tf.gather(centers, labels)
    center_loss = tf.nn.l2_loss(embeddings - centers_batch)
    unique_label, unique_idx, unique_count = tf.unique_with_counts(labels)
    appear_times = tf.reshape(tf.gather(unique_count, unique_idx), [-1, 1])
    diff = (centers_batch - embeddings) / tf.cast(1 + appear_times, tf.float32)
    centers_update = tf.scatter_sub(centers, labels, 0.5 * diff)

    with tf.variable_scope("siamese") as scope:
        def tower(t):
            k = tf.get_variable("k", initializer=tf.constant(rng.randn(4, 3), tf.float32))
            return tf.sigmoid(tf.matmul(t, k))
        left = tower(embeddings[0::2])
        scope.reuse_variables()
        right = tower(embeddings[1::2])  # fmt: skip
    same = tf.to_float(tf.equal(labels[::2], labels[1::2]))
    gap = tf.sqrt(tf.reduce_sum(tf.square(left - right), 1) + 1e-6)
    contrastive = tf.reduce_mean(
        same * tf.square(gap) + (1.0 - same) * tf.square(tf.maximum(1.0 - gap, 0.0)))

    total = hard_loss + all_loss + 0.1 * center_loss + contrastive
    with tf.control_dependencies([centers_update]):
        train = tf.train.GradientDescentOptimizer(0.1).minimize(total)
    log, rows = [], []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for i in range(10):
            n = (12, 10, 14)[i % 3]
            y = rng.randint(3, size=n)
            data = rng.randn(n, 10) + np.eye(3, 10)[y] * 3
            feed = {x: data, labels: y}
            log.append(sess.run([hard_loss, all_loss, center_loss, contrastive, fraction, train],
                                feed)[:5])  # fmt: skip
        rows = sess.run([unique_label, unique_count, distances[0], centers], feed)
        grad = sess.run(tf.gradients(total, w)[0], feed)
    return {
        "log": log, "rows": rows, "grad": grad[:3],
        "names": [distances.name, centers_update.name, left.name, right.name, total.name],
        "shapes": [str(t.shape) for t in (distances, mask, unique_count, appear_times, diff, gap)],
        "variables": [v.name for v in tf.global_variables()],
    }  # fmt: skip
