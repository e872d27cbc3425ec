"""Towers on devices: shared variables by reuse, gradients averaged by concat, as in CIFAR-10."""

from __future__ import annotations

import numpy as np


def average_gradients(tf, tower_grads):
    average = []
    for grad_and_vars in zip(*tower_grads):
        grads = [tf.expand_dims(g, 0) for g, _ in grad_and_vars]
        grad = tf.reduce_mean(tf.concat(axis=0, values=grads), 0)
        average.append((grad, grad_and_vars[0][1]))
    return average


def main(tf):
    rng = np.random.RandomState(301)

    def variable_on_cpu(name, shape, scale):
        with tf.device("/cpu:0"):
            value = rng.randn(*shape) * scale
            return tf.get_variable(name, shape, initializer=tf.constant_initializer(value),
                                   dtype=tf.float32)  # fmt: skip

    def variable_with_weight_decay(name, shape, scale, wd):
        var = variable_on_cpu(name, shape, scale)
        tf.add_to_collection("losses", tf.multiply(tf.nn.l2_loss(var), wd, name="weight_loss"))
        return var

    def tower_loss(scope, images, labels):
        with tf.variable_scope("local1") as layer:
            weights = variable_with_weight_decay("weights", [6, 12], 0.4, 0.004)
            biases = variable_on_cpu("biases", [12], 0.1)
            local1 = tf.nn.relu(tf.matmul(images, weights) + biases, name=layer.name)
        with tf.variable_scope("softmax_linear") as layer:
            weights = variable_with_weight_decay("weights", [12, 3], 0.4, 0.0)
            logits = tf.add(tf.matmul(local1, weights), variable_on_cpu("biases", [3], 0.1),
                            name=layer.name)  # fmt: skip
        cross = tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels=tf.cast(labels, tf.int64), logits=logits, name="cross_entropy_per_example"
        )
        tf.add_to_collection("losses", tf.reduce_mean(cross, name="cross_entropy"))
        losses = tf.get_collection("losses", scope)
        return tf.add_n(losses, name="total_loss"), losses

    out = {}
    with tf.Graph().as_default(), tf.device("/cpu:0"):
        x = tf.placeholder(tf.float32, [24, 6])
        y = tf.placeholder(tf.int32, [24])
        global_step = tf.get_variable("global_step", [], trainable=False,
                                      initializer=tf.constant_initializer(0))
        lr = tf.train.exponential_decay(0.1, global_step, 4, 0.5, staircase=True)
        opt = tf.train.GradientDescentOptimizer(lr)
        tower_grads, names = [], []
        xs, ys = tf.split(x, 2), tf.split(y, 2)
        with tf.variable_scope(tf.get_variable_scope()):
            for i in range(2):
                with tf.device(f"/gpu:{i}"), tf.name_scope(f"tower_{i}") as scope:
                    loss, losses = tower_loss(scope, xs[i], ys[i])
                    names.append([scope, loss.name, *(v.name for v in losses)])
                    tf.get_variable_scope().reuse_variables()
                    tower_grads.append(opt.compute_gradients(loss))
        grads = average_gradients(tf, tower_grads)
        apply_gradient_op = opt.apply_gradients(grads, global_step=global_step)
        averages = tf.train.ExponentialMovingAverage(0.9, global_step)
        with tf.control_dependencies([apply_gradient_op]):
            variables_averages_op = averages.apply(tf.trainable_variables())
        train_op = tf.group(apply_gradient_op, variables_averages_op)
        with tf.Session(config=tf.ConfigProto(allow_soft_placement=True)) as sess:
            sess.run(tf.global_variables_initializer())
            curve = []
            for _ in range(12):
                data = rng.randn(24, 6)
                feed = {x: data, y: data[:, :3].argmax(1)}
                _, value = sess.run([train_op, loss], feed_dict=feed)
                assert not np.isnan(value), "Model diverged with loss = NaN"
                curve.append(value)
            out["weights"] = sess.run(tf.trainable_variables())
            out["shadow"] = sess.run(averages.average(tf.trainable_variables()[0]))
            out["grads"] = sess.run([g for g, _ in grads], feed)
            out["lr"], out["step"] = sess.run([lr, global_step])
        out.update(curve=curve, names=names, variables=[v.name for v in tf.global_variables()],
                   step_dtype=str(global_step.dtype.base_dtype),
                   device=[tf.trainable_variables()[0].device.lower()[-5:]])  # fmt: skip
    return out
