"""A Gaussian mixture by EM: responsibilities by logsumexp, tuples of assigns, convergence."""

from __future__ import annotations

import numpy as np

DIMENSIONS, COMPONENTS = 2, 3


def main(tf):
    rng = np.random.RandomState(111)
    data = np.concatenate([rng.randn(60, 2) * s + m for s, m in
                           ((0.5, [0, 0]), (0.8, [4, 1]), (0.4, [1, 5]))])  # fmt: skip
    rng.shuffle(data)
    ln2pi = tf.constant(np.log(2 * np.pi), dtype=tf.float64)
    input_ = tf.placeholder_with_default(data, shape=[None, DIMENSIONS], name="input")
    means = tf.Variable(data[:COMPONENTS], dtype=tf.float64, name="means")
    variances = tf.Variable(tf.cast(tf.ones([COMPONENTS, DIMENSIONS]), tf.float64))
    weights = tf.Variable(tf.cast(tf.fill([COMPONENTS], 1.0 / COMPONENTS), tf.float64))

    # E step
    sq_distances = tf.squared_difference(tf.expand_dims(input_, 0), tf.expand_dims(means, 1))
    sum_sq = tf.reduce_sum(sq_distances / tf.expand_dims(variances, 1), 2)
    log_coefficients = tf.expand_dims(DIMENSIONS * ln2pi + tf.reduce_sum(tf.log(variances), 1), 1)
    log_components = -0.5 * (log_coefficients + sum_sq)
    log_weighted = log_components + tf.expand_dims(tf.log(weights), 1)
    log_shift = tf.expand_dims(tf.reduce_max(log_weighted, 0), 0)
    exp_log_shifted = tf.exp(log_weighted - log_shift)
    exp_log_shifted_sum = tf.reduce_sum(exp_log_shifted, 0)
    gamma = exp_log_shifted / exp_log_shifted_sum
    # M step
    gamma_sum = tf.reduce_sum(gamma, 1)
    gamma_weighted = gamma / tf.expand_dims(gamma_sum, 1)
    means_ = tf.reduce_sum(tf.expand_dims(input_, 0) * tf.expand_dims(gamma_weighted, 2), 1)
    distances_ = tf.squared_difference(input_, tf.expand_dims(means_, 1))
    variances_ = tf.reduce_sum(distances_ * tf.expand_dims(gamma_weighted, 2), 1)
    weights_ = gamma_sum / tf.cast(tf.shape(input_)[0], tf.float64)
    variances_ *= tf.expand_dims(gamma_sum, 1)
    variances_ = (0.01 + variances_) / tf.expand_dims(gamma_sum + 0.02, 1)
    log_likelihood = tf.reduce_sum(tf.log(exp_log_shifted_sum)) + tf.reduce_sum(log_shift)
    mean_log_likelihood = log_likelihood / tf.cast(tf.shape(input_)[0] * DIMENSIONS, tf.float64)
    same = tf.reduce_mean(tf.reduce_logsumexp(log_weighted, axis=0)) / DIMENSIONS
    train_step = tf.group(means.assign(means_), variances.assign(variances_),
                          weights.assign(weights_))  # fmt: skip

    trace = []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        previous = -np.inf
        for _ in range(30):
            current, _ = sess.run([mean_log_likelihood, train_step])
            trace.append(current)
            if abs(current - previous) < 1e-6:
                break
            previous = current
        m, v, w, check = sess.run([means, variances, weights, same])
        part = sess.run(gamma, {input_: data[:7]})
    return {
        "trace": trace, "means": m, "variances": v, "weights": w, "check": check, "part": part,
        "names": [input_.name, means.name, gamma.name, train_step.name, log_likelihood.name],
        "shapes": [str(t.shape) for t in (input_, gamma, means_, weights_, log_likelihood)],
        "dtypes": [str(means.dtype.base_dtype), str(gamma.dtype), str(trace[0].dtype)],
    }  # fmt: skip
