"""Gradients one's own way: stop_gradient tricks, custom_gradient, override maps, py_func."""

from __future__ import annotations

import itertools

import numpy as np

RUNS = itertools.count()  # names of gradients are the process's: each run takes another


def main(tf):
    rng = np.random.RandomState(351)
    out = {}
    x = tf.placeholder(tf.float32, [None, 4], name="x")

    def grad_of(y):
        return tf.gradients(y, x)[0]

    hard = tf.to_float(x > 0)
    straight = x + tf.stop_gradient(hard - x)
    soft = tf.nn.softmax(x)
    onehot = tf.one_hot(tf.argmax(soft, 1), 4)
    gumbel = tf.stop_gradient(onehot - soft) + soft
    quantized = tf.round(x * 8.0) / 8.0
    quantized = tf.stop_gradient(quantized - x) + x

    @tf.custom_gradient
    def clip_gradient(value):
        def grad(dy):
            return tf.clip_by_value(dy, -0.1, 0.1)
        return tf.identity(value), grad  # fmt: skip

    @tf.custom_gradient
    def log1pexp(value):
        e = tf.exp(value)
        return tf.log(1 + e), lambda dy: dy * (1 - 1 / (1 + e))

    reverse = f"ReverseOfScripts{next(RUNS)}"

    @tf.RegisterGradient(reverse)
    def _reverse(op, grad):
        return -2.0 * grad

    graph = tf.get_default_graph()
    with graph.gradient_override_map({"Identity": reverse}):
        flipped = tf.identity(x, name="flipped")
    nothing = tf.identity(x, name="nothing")

    def numpy_cube(value):
        return (value**3).astype(np.float32)

    cube = tf.py_func(numpy_cube, [x], tf.float32, stateful=False)
    cube.set_shape([None, 4])
    checked = tf.check_numerics(tf.log(tf.abs(x) + 0.1), "the log is bad")
    with tf.control_dependencies([tf.assert_greater(tf.shape(x)[0], 0)]):
        guarded = tf.identity(x) * 2.0

    values = {
        "straight": straight, "gumbel": gumbel, "quantized": quantized,
        "clipped": clip_gradient(x) ** 2, "log1pexp": log1pexp(x * 3.0), "flipped": flipped * x,
        "nothing": nothing * x, "checked": checked, "guarded": guarded,
        "maximum": tf.maximum(x, 0.5), "relu6": tf.nn.relu6(x * 4.0), "abs": tf.abs(x),
        "where": tf.where(x > 0.0, tf.sqrt(tf.maximum(x, 1e-6)), tf.zeros_like(x)),
        "norm": tf.norm(x, axis=1), "prod": tf.reduce_prod(x, 1), "cumprod": tf.cumprod(x, 1),
        "clip": tf.clip_by_norm(x, 1.5), "sorted": tf.nn.top_k(x, 4)[0], "floor": x - tf.floor(x),
    }  # fmt: skip
    weights = tf.constant(rng.randn(4), tf.float32)
    grads = {k: grad_of(v * weights if v.shape.ndims == 2 else v) for k, v in values.items()}
    data = rng.randn(5, 4)
    with tf.Session() as sess:
        out["values"] = sess.run(values, {x: data})
        out["grads"] = sess.run(grads, {x: data})
        out["cube"] = sess.run(cube, {x: data})
        for key, call in (("bad", lambda: sess.run(checked, {x: np.full([1, 4], np.nan)})),
                          ("empty", lambda: sess.run(guarded, {x: np.zeros([0, 4])}))):
            try:
                out[key] = call()
            except tf.errors.InvalidArgumentError as err:
                out[key] = [type(err).__name__, "the log is bad" in str(err)]  # fmt: skip
    out["none"] = [grad_of(tf.to_float(tf.argmax(x, 1))) is None, grad_of(hard) is None]
    ys = [tf.reduce_sum(x), tf.reduce_mean(x**2)]
    stopped = tf.gradients(ys[1] * 1.0 + ys[0], [x, ys[1]], stop_gradients=[ys[1]])
    out["names"] = [straight.name, flipped.name, cube.op.type[:6], grads["nothing"].op.name[:9]]
    with tf.Session() as sess:
        out["stopped"] = sess.run(stopped, {x: data})
    return out
