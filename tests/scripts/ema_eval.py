"""Weights averaged by ExponentialMovingAverage: training with, evaluation by the shadows."""

from __future__ import annotations

import numpy as np


def inference(tf, x, avg_class, w1, b1, w2, b2):
    if avg_class is None:
        return tf.matmul(tf.nn.relu(tf.matmul(x, w1) + b1), w2) + b2
    a = avg_class.average
    return tf.matmul(tf.nn.relu(tf.matmul(x, a(w1)) + a(b1)), a(w2)) + a(b2)


def main(tf):
    rng = np.random.RandomState(201)
    x = tf.placeholder(tf.float32, [None, 10], name="x-input")
    y_ = tf.placeholder(tf.float32, [None, 4], name="y-input")
    w1 = tf.Variable((rng.randn(10, 16) * 0.3).astype("f4"))
    b1 = tf.Variable(tf.constant(0.1, shape=[16]))
    w2 = tf.Variable((rng.randn(16, 4) * 0.3).astype("f4"))
    b2 = tf.Variable(tf.constant(0.1, shape=[4]))
    y = inference(tf, x, None, w1, b1, w2, b2)
    global_step = tf.Variable(0, trainable=False)
    variable_averages = tf.train.ExponentialMovingAverage(0.95, global_step)
    cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(
        logits=y, labels=tf.argmax(y_, 1)
    )
    loss = tf.reduce_mean(cross_entropy)
    tf.add_to_collection("losses", loss)
    for w in (w1, w2):
        tf.add_to_collection("losses", tf.multiply(tf.nn.l2_loss(w), 1e-3, name="weight_loss"))
    total = tf.add_n(tf.get_collection("losses"), name="total_loss")
    learning_rate = tf.train.exponential_decay(0.5, global_step, 10, 0.99)
    train_step = tf.train.GradientDescentOptimizer(learning_rate).minimize(
        total, global_step=global_step
    )
    # the averages follow the step: the values that they see are the new ones
    with tf.control_dependencies([train_step]):
        variables_averages_op = variable_averages.apply(tf.trainable_variables())
    with tf.control_dependencies([train_step, variables_averages_op]):
        train_op = tf.no_op(name="train")
    average_y = inference(tf, x, variable_averages, w1, b1, w2, b2)
    # losses averaged too, as in the CIFAR example: tensors, with zero debias
    loss_averages = tf.train.ExponentialMovingAverage(0.9, name="avg")
    loss_averages_op = loss_averages.apply([total])
    with tf.control_dependencies([loss_averages_op]):
        shown = tf.identity(total)
    correct = tf.equal(tf.argmax(average_y, 1), tf.argmax(y_, 1))
    accuracy = tf.reduce_mean(tf.cast(correct, tf.float32))

    data = rng.randn(80, 10)
    target = np.eye(4)[data[:, :4].argmax(1)]
    values = []
    with tf.Session() as sess:
        tf.global_variables_initializer().run()
        for i in range(40):
            rows = np.arange(i * 20, i * 20 + 20) % 80
            sess.run(train_op, feed_dict={x: data[rows], y_: target[rows]})
            if i % 8 == 0:
                sess.run(shown, feed_dict={x: data[rows], y_: target[rows]})
                values.append(sess.run([accuracy, loss_averages.average(total)],
                                       feed_dict={x: data, y_: target}))  # fmt: skip
        plain, averaged = sess.run([y, average_y], {x: data[:3]})
        shadow = sess.run(variable_averages.average(w2))
        step = sess.run(global_step)
    return {
        "values": values, "plain": plain, "averaged": averaged, "shadow": shadow[:4],
        "step": step, "shadows": sorted(v.name for v in tf.global_variables()),
        "restore": sorted(variable_averages.variables_to_restore()),
        "moving": [v.name for v in tf.moving_average_variables()],
        "names": [train_op.name, total.name, average_y.name, variables_averages_op.name,
                  variable_averages.average_name(w1), shown.name],
    }  # fmt: skip
