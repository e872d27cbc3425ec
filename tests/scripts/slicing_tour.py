"""Slices, gathers, stacks and masks, with their gradients: the toolbox of custom losses."""

from __future__ import annotations

import numpy as np


def iou_loss(tf, boxes_true, boxes_pred):
    """Corner boxes from centres, intersections, a mask by threshold."""
    xy, wh = boxes_pred[..., 0:2], boxes_pred[..., 2:4]
    mins, maxes = xy - wh / 2.0, xy + wh / 2.0
    t_mins = boxes_true[..., :2] - boxes_true[..., 2:] / 2.0
    t_maxes = boxes_true[..., :2] + boxes_true[..., 2:] / 2.0
    inter = tf.maximum(tf.minimum(maxes, t_maxes) - tf.maximum(mins, t_mins), 0.0)
    area = inter[..., 0] * inter[..., 1]
    union = wh[..., 0] * wh[..., 1] + boxes_true[..., 2] * boxes_true[..., 3] - area
    iou = tf.truediv(area, union + 1e-9)
    best = tf.reduce_max(iou, axis=-1, keepdims=True)
    mask = tf.to_float(iou >= best) * tf.to_float(iou > 0.05)
    return tf.reduce_sum(mask * (1.0 - iou)), iou


def huber(tf, error, delta=1.0):
    a = tf.abs(error)
    quadratic = tf.minimum(a, delta)
    return 0.5 * quadratic**2 + delta * (a - quadratic)


def main(tf):
    rng = np.random.RandomState(221)
    t = tf.placeholder(tf.float32, [None, 4, 5], name="t")
    idx = tf.placeholder(tf.int32, [None], name="idx")
    n = tf.shape(t)[0]
    values = {
        "row": t[0], "col": t[:, 1], "last": t[..., -1], "new": t[:, tf.newaxis, 2:, ::2],
        "reverse": t[::-1, :, ::-1], "dyn": t[: n - 1, 1:3], "tensor": t[idx[0], idx[1]],
        "slice": tf.slice(t, [0, 1, 2], [-1, 2, 3]), "neg": t[:, -2:, :-1],
        "gather": tf.gather(t, idx), "axis": tf.gather(t, [3, 0], axis=1),
        "nd": tf.gather_nd(t, tf.stack([tf.range(n), tf.zeros([n], tf.int32)], axis=1)),
        "concat": tf.concat([t, tf.zeros_like(t)[:, :2]], 1), "stack": tf.stack([t, t * 2], -1),
        "split": tf.split(t, [1, 4], axis=2)[1], "unstack": tf.unstack(t, axis=1)[3],
        "pad": tf.pad(t, [[0, 0], [1, 0], [0, 2]]), "tile": tf.tile(t, [1, 1, 2]),
        "squeeze": tf.squeeze(t[:, :1, :], [1]), "where": tf.where(t > 0, t, tf.exp(t) - 1.0),
        "cumsum": tf.cumsum(t, axis=1, exclusive=True), "rev": tf.reverse(t, [2]),
        "transpose": tf.transpose(t), "perm": tf.transpose(t, perm=[2, 0, 1]),
        "flat": tf.reshape(t, [n, 20]), "keep": tf.reshape(t, [-1, t.shape[1] * t.shape[2]]),
        "mask": tf.boolean_mask(t, t[:, 0, 0] > 0), "topk": tf.nn.top_k(t, 2).values,
        "norm": tf.nn.l2_normalize(t, 2), "max": tf.reduce_max(t, [1, 2]),
        "onehot": tf.one_hot(idx, 4, axis=0), "seq": tf.sequence_mask(idx, 4, tf.float32),
        "huber": huber(tf, t), "band": tf.matrix_band_part(t, 1, 1),
        "einsum": tf.einsum("nij,nkj->nik", t, t), "clip": tf.clip_by_value(t, -0.5, 0.5),
        "prod": tf.reduce_prod(t, 2), "std": tf.sqrt(tf.nn.moments(t, [0])[1]),
        "lse": tf.reduce_logsumexp(t, 2), "logsig": tf.log_sigmoid(t), "mod": t % 0.7,
        "floor": t // 0.3, "softmax": tf.nn.softmax(t, axis=1), "scatter": tf.scatter_nd(
            idx[:, None], t[:, 0], tf.shape(t)[1:]),
    }  # fmt: skip
    grads = {}
    for key, value in values.items():
        if value.dtype == tf.float32:
            grad = tf.gradients(tf.reduce_sum(value * value), t)[0]
            grads[key] = grad if grad is not None else tf.zeros([])
    true = rng.rand(2, 3, 4)
    boxes = tf.Variable(rng.rand(2, 3, 4).astype(np.float32))
    loss, iou = iou_loss(tf, true.astype(np.float32), boxes)
    fit = tf.train.GradientDescentOptimizer(0.05).minimize(loss)
    out = {}
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for rows in (4, 3):
            feed = {t: rng.randn(rows, 4, 5), idx: [2, 1, 0, 3][:rows]}
            out[f"values{rows}"] = sess.run(values, feed)
            out[f"grads{rows}"] = sess.run(grads, feed)
        out["iou"] = [sess.run([loss, fit])[0] for _ in range(5)] + [sess.run(iou)]
    out["shapes"] = {key: str(v.shape) for key, v in values.items() if key != "dyn"}
    newer = "scatter", "einsum", "softmax", "seq"  # names that versions of TF1 do not share
    out["names"] = {key: v.name for key, v in values.items() if key not in newer}
    return out
