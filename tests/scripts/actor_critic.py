"""Actor and critic: Gaussian policy, TD error fed across, value loss, clipped surrogate."""

from __future__ import annotations

import numpy as np


def main(tf):
    rng = np.random.RandomState(81)
    obs = tf.placeholder(tf.float32, [None, 5], "state")
    act = tf.placeholder(tf.float32, [None, 2], "act")
    adv = tf.placeholder(tf.float32, [None, 1], "advantage")
    ret = tf.placeholder(tf.float32, [None, 1], "discounted_r")
    flag = {"trainable": True}

    def dense(x, units, name, activation=None, trainable=True):
        with tf.variable_scope(name):
            n = int(x.shape[-1])
            w = tf.get_variable("kernel", initializer=(rng.randn(n, units) * .4).astype("f4"),
                                trainable=trainable)
            b = tf.get_variable("bias", [units], initializer=tf.zeros_initializer(),
                                trainable=trainable)  # fmt: skip
            y = tf.nn.xw_plus_b(x, w, b)
            return y if activation is None else activation(y)

    def build_anet(name, trainable):
        rng.seed(5)  # both policies start alike
        with tf.variable_scope(name):
            l1 = dense(obs, 16, "l1", tf.nn.relu, trainable)
            mu = 2 * dense(l1, 2, "mu", tf.nn.tanh, trainable)
            log_sigma = tf.get_variable("log_sigma", [2], initializer=tf.zeros_initializer(),
                                        trainable=trainable)  # fmt: skip
        return mu, log_sigma, tf.get_collection(tf.GraphKeys.GLOBAL_VARIABLES, scope=name)

    def log_prob(mu, log_sigma, x):
        z = (x - mu) / tf.exp(log_sigma)
        k = tf.cast(tf.shape(x)[-1], tf.float32)
        return (-0.5 * tf.reduce_sum(tf.square(z), axis=-1, keepdims=True)
                - tf.reduce_sum(log_sigma) - 0.5 * k * np.log(2 * np.pi))  # fmt: skip

    with tf.variable_scope("critic"):
        v = dense(dense(obs, 16, "l1", tf.nn.relu), 1, "v")
        advantage = ret - v
        closs = tf.reduce_mean(tf.square(advantage))
        ctrain = tf.train.AdamOptimizer(0.02).minimize(closs)
    mu, log_sigma, pi_params = build_anet("pi", **flag)
    old_mu, old_log_sigma, oldpi_params = build_anet("oldpi", trainable=False)
    with tf.variable_scope("update_oldpi"):
        update = [oldp.assign(p) for p, oldp in zip(pi_params, oldpi_params)]
    with tf.variable_scope("surrogate"):
        ratio = tf.exp(log_prob(mu, log_sigma, act) - log_prob(old_mu, old_log_sigma, act))
        surr = ratio * adv
        clipped = tf.clip_by_value(ratio, 1.0 - 0.2, 1.0 + 0.2) * adv
        entropy = tf.reduce_sum(log_sigma + 0.5 * np.log(2.0 * np.pi * np.e))
        aloss = -tf.reduce_mean(tf.minimum(surr, clipped)) - 0.01 * entropy
    with tf.variable_scope("atrain"):
        optimizer = tf.train.AdamOptimizer(0.01)
        grads, variables = zip(*optimizer.compute_gradients(aloss, pi_params))
        grads, norm = tf.clip_by_global_norm(grads, 0.5)
        atrain = optimizer.apply_gradients(list(zip(grads, variables)))
    kl = tf.reduce_sum(
        log_sigma - old_log_sigma
        + (tf.exp(2 * old_log_sigma) + tf.square(old_mu - mu)) / (2 * tf.exp(2 * log_sigma)) - 0.5,
        axis=1)  # fmt: skip

    log = []
    sess = tf.Session()
    sess.run(tf.global_variables_initializer())
    for _ in range(6):
        sess.run(update)
        states, acts = rng.randn(24, 5), rng.randn(24, 2)
        rewards = -np.abs(acts - states[:, :2]).sum(1)[:, np.newaxis]
        advs = sess.run(advantage, {obs: states, ret: rewards})
        advs = (advs - advs.mean()) / (advs.std() + 1e-6)
        feed = {obs: states, act: acts, adv: advs, ret: rewards}
        for _ in range(4):
            al, n, _ = sess.run([aloss, norm, atrain], feed)
        for _ in range(4):
            cl, _ = sess.run([closs, ctrain], feed)
        log.append([al, n, cl, sess.run(tf.reduce_mean(kl), feed)])
    values = sess.run([mu, v], {obs: np.eye(5)})
    gap = max(float(np.abs(p - q).max()) for p, q in zip(*sess.run([pi_params, oldpi_params])))
    sess.close()
    return {
        "log": log, "values": values, "gap": gap,
        "vars": [x.name for x in pi_params + oldpi_params],
        "trainable": [x.name for x in tf.trainable_variables()],
        "names": [mu.name, v.name, advantage.name, aloss.name, norm.name, atrain.name],
        "shapes": [str(ratio.shape), str(kl.shape), str(norm.shape)],
    }  # fmt: skip
