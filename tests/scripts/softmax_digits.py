"""Softmax regression as in the beginners' tutorial: InteractiveSession, eval and run of ops."""

from __future__ import annotations

import numpy as np


def batches(rng, count):
    centers = np.random.RandomState(7).rand(10, 784).astype(np.float32)
    for _ in range(count):
        labels = rng.randint(10, size=50)
        images = centers[labels] + 0.5 * rng.randn(50, 784).astype(np.float32)
        yield images, np.eye(10)[labels]  # float64, as one-hot labels often are


def main(tf):
    sess = tf.InteractiveSession()
    x = tf.placeholder(tf.float32, shape=[None, 784])
    y_ = tf.placeholder(tf.float32, shape=[None, 10])
    W = tf.Variable(tf.zeros([784, 10]))
    b = tf.Variable(tf.zeros([10]))
    sess.run(tf.initialize_all_variables())
    y = tf.nn.softmax(tf.matmul(x, W) + b)
    cross_entropy = tf.reduce_mean(
        -tf.reduce_sum(y_ * tf.log(tf.clip_by_value(y, 1e-10, 1.0)), reduction_indices=[1])
    )
    train_step = tf.train.GradientDescentOptimizer(0.01).minimize(cross_entropy)
    correct_prediction = tf.equal(tf.argmax(y, 1), tf.argmax(y_, 1))
    accuracy = tf.reduce_mean(tf.cast(correct_prediction, tf.float32))
    rng = np.random.RandomState(3)
    history = []
    for i, (bx, by) in enumerate(batches(rng, 40)):
        if i % 10 == 0:
            history.append(accuracy.eval(feed_dict={x: bx, y_: by}))
        train_step.run(feed_dict={x: bx, y_: by})
    bx, by = next(batches(rng, 1))
    out = {
        "history": history,
        "loss": cross_entropy.eval({x: bx, y_: by}),
        "accuracy": sess.run(accuracy, {x: bx[:20], y_: by[:20]}),
        "W": W.eval()[::50],
        "b": b.eval(),
        "argmax_type": str(tf.argmax(y, 1).dtype),
        "names": [x.name, W.name, b.name, y.name, y.op.type, cross_entropy.name, accuracy.name,
                  correct_prediction.name, train_step.name, train_step.type],
        "shapes": [str(y.get_shape()), str(correct_prediction.get_shape()), str(accuracy.shape)],
        "trainable": [v.op.name for v in tf.trainable_variables()],
        "confidence": y.eval({x: bx[:2]}),
    }  # fmt: skip
    sess.close()
    return out
