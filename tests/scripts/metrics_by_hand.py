"""Streaming metrics from local variables: counts, a confusion matrix, reset between epochs."""

from __future__ import annotations

import numpy as np


def metric_variable(tf, shape, dtype, name):
    return tf.Variable(lambda: tf.zeros(shape, dtype), trainable=False,
                       collections=[tf.GraphKeys.LOCAL_VARIABLES, "metric_variables"],
                       validate_shape=True, name=name)  # fmt: skip


def streaming_mean(tf, values, name):
    with tf.variable_scope(name, "mean", [values]):
        values = tf.to_float(values)
        total = metric_variable(tf, [], tf.float32, "total")
        count = metric_variable(tf, [], tf.float32, "count")
        num = tf.to_float(tf.size(values))
        update_total = tf.assign_add(total, tf.reduce_sum(values))
        with tf.control_dependencies([values]):
            update_count = tf.assign_add(count, num)
        mean_t = tf.where(tf.greater(count, 0), tf.truediv(total, count), 0.0, name="value")
        new = tf.truediv(update_total, tf.maximum(update_count, 1.0), name="update_op")
        return mean_t, new


def main(tf):
    rng = np.random.RandomState(191)
    labels = tf.placeholder(tf.int64, [None])
    scores = tf.placeholder(tf.float32, [None, 3])
    predictions = tf.argmax(scores, axis=1)
    with tf.variable_scope("metrics"):
        acc, acc_op = streaming_mean(tf, tf.equal(labels, predictions), "accuracy")
        top, top_op = streaming_mean(tf, tf.reduce_max(scores, 1), None)
        top2, top2_op = streaming_mean(tf, tf.nn.in_top_k(scores, labels, 2), None)
    with tf.variable_scope("streaming_cm"):
        confusion = tf.get_variable("confusion", [3, 3], tf.int32, tf.zeros_initializer(),
                                    trainable=False,
                                    collections=[tf.GraphKeys.LOCAL_VARIABLES])  # fmt: skip
        batch_cm = tf.confusion_matrix(labels, predictions, num_classes=3)
        cm_op = confusion.assign_add(batch_cm)
    diag = tf.to_float(tf.diag_part(confusion))
    precision = diag / tf.maximum(tf.to_float(tf.reduce_sum(confusion, 0)), 1.0)
    recall = diag / tf.maximum(tf.to_float(tf.reduce_sum(confusion, 1)), 1.0)
    f1 = tf.div(2.0 * precision * recall, precision + recall + 1e-7)
    update = tf.group(acc_op, top_op, top2_op, cm_op)
    reset = tf.variables_initializer(tf.get_collection(tf.GraphKeys.LOCAL_VARIABLES,
                                                       scope="metrics"))  # fmt: skip
    out = {"globals": tf.global_variables(), "epochs": []}
    with tf.Session() as sess:
        uninit = sess.run(tf.report_uninitialized_variables(tf.local_variables()))
        out["uninit"] = sorted(n.decode() for n in uninit)
        try:
            sess.run(acc)
        except tf.errors.FailedPreconditionError as e:
            out["error"] = "uninitialized value" in str(e)
        sess.run(tf.local_variables_initializer())
        for _ in range(3):
            sess.run(reset)
            out["fresh"] = sess.run(acc)
            for n in (20, 20, 7):
                y = rng.randint(3, size=n)
                s = rng.rand(n, 3) + np.eye(3)[y] * 0.4
                running = sess.run([acc_op, update], {labels: y, scores: s})[0]
            out["epochs"].append([running, *sess.run([acc, top, top2])])
        out["confusion"], out["f1"], out["recall"] = sess.run([confusion, f1, recall])
        out["initialized"] = sess.run([tf.is_variable_initialized(confusion)])
    out["locals"] = [v.name for v in tf.local_variables()]
    out["names"] = [acc.name, acc_op.name, top.name, top2_op.name, cm_op.name, precision.name]
    out["dtypes"] = [str(confusion.dtype.base_dtype), str(batch_cm.dtype), str(f1.dtype)]
    return out
