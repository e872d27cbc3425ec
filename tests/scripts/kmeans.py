"""K-means: distances by broadcasting, argmin, segment sums, a control-dependent update."""

from __future__ import annotations

import numpy as np

N, K, DIM = 200, 4, 2


def bucket_mean(tf, data, bucket_ids, num_buckets):
    total = tf.unsorted_segment_sum(data, bucket_ids, num_buckets)
    count = tf.unsorted_segment_sum(tf.ones_like(data), bucket_ids, num_buckets)
    return total / count


def main(tf):
    rng = np.random.RandomState(91)
    blobs = np.concatenate([rng.randn(N // K, DIM) * 0.4 + c for c in
                            ([0, 0], [3, 3], [0, 4], [4, 0])]).astype(np.float32)  # fmt: skip
    points = tf.Variable(blobs, trainable=False, name="points")
    cluster_assignments = tf.Variable(tf.zeros([N], dtype=tf.int64), name="assignments")
    centroids = tf.Variable(tf.slice(points.initialized_value(), [0, 0], [K, 2]), name="centroids")

    rep_centroids = tf.reshape(tf.tile(centroids, [N, 1]), [N, K, 2])
    rep_points = tf.reshape(tf.tile(points, [1, K]), [N, K, 2])
    sum_squares = tf.reduce_sum(tf.square(rep_points - rep_centroids), reduction_indices=2)
    best_centroids = tf.argmin(sum_squares, 1)
    did_change = tf.reduce_any(tf.not_equal(best_centroids, cluster_assignments))
    means = bucket_mean(tf, points, best_centroids, K)
    with tf.control_dependencies([did_change]):
        do_updates = tf.group(centroids.assign(means), cluster_assignments.assign(best_centroids))
    inertia = tf.reduce_sum(tf.reduce_min(sum_squares, axis=1))

    out = {}
    sess = tf.Session()
    sess.run(tf.global_variables_initializer())
    changed, iters = True, 0
    while changed and iters < 50:
        iters += 1
        [changed, _] = sess.run([did_change, do_updates])
    out["centers"], out["assigned"] = sess.run([centroids, cluster_assignments])
    out["iters"], out["inertia"] = iters, sess.run(inertia)
    out["changed_type"] = type(changed).__name__
    sess.close()

    # the newer way: expand_dims, a placeholder of any number of points, gathered means
    x = tf.placeholder(tf.float32, [None, DIM])
    c = tf.placeholder(tf.float32, [None, DIM])
    d = tf.reduce_sum(tf.squared_difference(tf.expand_dims(x, 1), tf.expand_dims(c, 0)), 2)
    nearest = tf.argmin(d, axis=1, output_type=tf.int32)
    new = tf.stack([
        tf.reduce_mean(tf.gather(x, tf.reshape(tf.where(tf.equal(nearest, k)), [-1])), 0)
        for k in range(3)])  # fmt: skip
    masked = tf.reduce_mean(tf.boolean_mask(x, tf.equal(nearest, 0)), axis=0)
    parts = [tf.reduce_mean(p, 0) for p in tf.dynamic_partition(x, nearest, 3)]
    sizes = tf.unsorted_segment_sum(tf.ones_like(nearest), nearest, tf.shape(c)[0])
    with tf.Session() as sess:
        centers = blobs[[0, 60, 160]]
        for _ in range(5):
            centers, ids, m, p, counts = sess.run(
                [new, nearest, masked, parts, sizes], {x: blobs[20:], c: centers})  # fmt: skip
        for n in (2, 3, 5):  # other numbers of points, each cluster with some
            centers = sess.run(new, {x: blobs[::n], c: centers})
    out.update(
        new=centers, ids=ids[::10], masked=m, parts=p, counts=counts,
        names=[means.name, best_centroids.name, do_updates.name, nearest.name, new.name],
        shapes=[str(t.shape) for t in (means, sum_squares, d, new, masked, sizes)],
        dtypes=[str(nearest.dtype), str(best_centroids.dtype)],
    )  # fmt: skip
    return out
