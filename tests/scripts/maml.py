"""MAML on sinusoids: an inner gradient step inside the loss, weights as a dictionary."""

from __future__ import annotations

import numpy as np


class MAML:
    def __init__(self, tf, rng, update_lr=0.05, meta_lr=0.01, hidden=20, steps=2, tasks=3):
        self.tf, self.update_lr = tf, update_lr
        self.inputa = tf.placeholder(tf.float32, [tasks, None, 1])
        self.inputb = tf.placeholder(tf.float32, [tasks, None, 1])
        self.labela = tf.placeholder(tf.float32, [tasks, None, 1])
        self.labelb = tf.placeholder(tf.float32, [tasks, None, 1])
        with tf.variable_scope("model", reuse=None):
            shapes = {"w1": (1, hidden), "b1": (hidden,), "w2": (hidden, hidden),
                      "b2": (hidden,), "w3": (hidden, 1), "b3": (1,)}  # fmt: skip
            self.weights = {
                k: tf.Variable((rng.randn(*s) * 0.3).astype(np.float32), name=k)
                for k, s in shapes.items()
            }
        per_task = [self.task(steps, *task) for task in zip(
            tf.unstack(self.inputa), tf.unstack(self.inputb),
            tf.unstack(self.labela), tf.unstack(self.labelb))]  # fmt: skip
        lossesa, lossesb, self.outputs = zip(*per_task)
        self.total_loss1 = tf.reduce_sum(tf.stack(lossesa)) / tf.to_float(tasks)
        self.total_losses2 = [
            tf.reduce_sum(tf.stack([b[j] for b in lossesb])) / tf.to_float(tasks)
            for j in range(steps)
        ]
        optimizer = tf.train.AdamOptimizer(meta_lr)
        self.gvs = optimizer.compute_gradients(self.total_losses2[-1])
        self.gvs = [(tf.clip_by_value(g, -10, 10), v) for g, v in self.gvs]
        self.metatrain_op = optimizer.apply_gradients(self.gvs)

    def forward(self, inp, w):
        tf = self.tf
        h = tf.nn.relu(tf.matmul(inp, w["w1"]) + w["b1"])
        h = tf.tanh(tf.matmul(h, w["w2"]) + w["b2"])
        return tf.matmul(h, w["w3"]) + w["b3"]

    def mse(self, pred, label):
        tf = self.tf
        pred, label = tf.reshape(pred, [-1]), tf.reshape(label, [-1])
        return tf.reduce_mean(tf.square(pred - label))

    def task(self, steps, inputa, inputb, labela, labelb):
        tf = self.tf
        fast, lossa, lossesb = self.weights, None, []
        for step in range(steps):
            loss = self.mse(self.forward(inputa, fast), labela)
            lossa = loss if lossa is None else lossa
            grads = dict(zip(fast, tf.gradients(loss, list(fast.values()))))
            fast = {k: fast[k] - self.update_lr * grads[k] for k in fast}
            output = self.forward(inputb, fast)
            lossesb.append(self.mse(output, labelb))
        return lossa, lossesb, output


def main(tf):
    rng = np.random.RandomState(131)
    model = MAML(tf, rng)
    log = []
    with tf.Session() as sess:
        tf.global_variables_initializer().run()
        for itr in range(15):
            amp, phase = rng.uniform(0.5, 3, (3, 1, 1)), rng.uniform(0, np.pi, (3, 1, 1))
            x = rng.uniform(-3, 3, (3, 10, 1))
            y = amp * np.sin(x + phase)
            feed = {model.inputa: x[:, :5], model.labela: y[:, :5],
                    model.inputb: x[:, 5:], model.labelb: y[:, 5:]}  # fmt: skip
            _, l1, l2 = sess.run(
                [model.metatrain_op, model.total_loss1, model.total_losses2], feed_dict=feed)
            log.append([l1, *l2])
        gs = sess.run([g for g, _ in model.gvs[:3]], feed)
        outs = sess.run(model.outputs, feed)
    return {
        "log": log, "grads": gs, "outputs": outs, "type": type(outs).__name__,
        "variables": [v.name for _, v in model.gvs],
        "names": [model.total_loss1.name, model.metatrain_op.name],
        "shapes": [str(model.outputs[0].shape)],
    }  # fmt: skip
