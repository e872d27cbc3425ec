"""cond, case, while_loop, TensorArray, map_fn, scan and folds in one tour, with gradients."""

from __future__ import annotations

import numpy as np


def main(tf):
    out = {}
    rng = np.random.RandomState(7)
    x = tf.placeholder(tf.float32, [None, 4], name="x")
    flag = tf.placeholder(tf.bool, [], name="flag")
    w = tf.get_variable(
        "w", initializer=tf.constant((rng.randn(4, 4) * 0.4).astype(np.float32))
    )
    counter = tf.Variable(0, name="counter", trainable=False)

    chosen = tf.cond(flag, lambda: tf.matmul(x, w), lambda: tf.tanh(x) * 2.0, name="choose")
    pair = tf.cond(flag, lambda: (x + 1.0, {"a": tf.reduce_sum(w)}),
                   lambda: (x - 1.0, {"a": tf.reduce_max(w)}))  # fmt: skip
    counted = tf.cond(flag, lambda: tf.assign_add(counter, 5), lambda: tf.assign_add(counter, 1))
    total = tf.reduce_sum(x)
    sized = tf.case(
        [(total > 10.0, lambda: tf.constant("large")), (total > 0.0, lambda: tf.constant("small"))],
        default=lambda: tf.constant("negative"), exclusive=False,
    )  # fmt: skip

    # a power iteration until it stands still, at most 50 steps
    sym = tf.matmul(w, w, transpose_b=True)

    def still_moving(i, v, gap):
        return tf.logical_and(gap > 1e-5, i < 50)

    def iterate(i, v, gap):
        new = tf.linalg.l2_normalize(tf.matmul(sym, v), axis=0)
        return i + 1, new, tf.reduce_max(tf.abs(new - v))

    start = tf.ones([4, 1]) / 2.0
    steps, vector, _ = tf.while_loop(still_moving, iterate, [0, start, tf.constant(1.0)])
    eigen = tf.reduce_sum(vector * tf.matmul(sym, vector))
    eigen_grad = tf.gradients(eigen, w)[0]

    # a recurrence by TensorArray, with a cond in it
    rows = tf.transpose(tf.stack([x, x * 0.5, -x]), [0, 1, 2])
    inputs = tf.TensorArray(tf.float32, size=3).unstack(rows)
    states = tf.TensorArray(tf.float32, size=3)

    def step(t, h, made):
        h = tf.tanh(tf.matmul(h, w) + inputs.read(t))
        h = tf.cond(tf.equal(t, 1), lambda: h * 0.5, lambda: h)
        return t + 1, h, made.write(t, h)

    _, last, made = tf.while_loop(lambda t, *_: t < 3, step, (0, tf.zeros_like(x), states))
    history = made.stack()
    loss = tf.reduce_mean(tf.square(history)) + 0.1 * tf.reduce_sum(last)
    grads = tf.gradients(loss, [w, x])

    mapped = tf.map_fn(lambda r: (tf.reduce_max(r), r * 2.0), x, dtype=(tf.float32, tf.float32))
    scanned = tf.scan(lambda a, r: 0.9 * a + r, x, initializer=tf.ones([4]))
    folded = tf.foldl(lambda a, r: a + tf.square(r), x, initializer=tf.zeros([4]))
    backwards = tf.foldr(lambda a, r: a * 0.5 + r, x)
    scan_grad = tf.gradients(tf.reduce_sum(tf.square(scanned)), x)[0]

    grown = tf.while_loop(
        lambda t: tf.shape(t)[0] < 20, lambda t: [tf.concat([t, t + 1.0], 0)], [x],
        shape_invariants=[tf.TensorShape([None, 4])],
    )  # fmt: skip
    fib = tf.while_loop(lambda i, a, b: i < 20, lambda i, a, b: (i + 1, b, a + b),
                        (0, tf.constant(0, tf.int64), tf.constant(1, tf.int64)))  # fmt: skip

    value = rng.randn(3, 4).astype(np.float32)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for name, on in (("on", True), ("off", False)):
            feed = {x: value, flag: on}
            out[name] = [sess.run(t, feed) for t in (chosen, pair, counted, counter)]
        out["cases"] = [sess.run(sized, {x: value * 0 + v}).decode() for v in (3.0, 0.1, -1.0)]
        out["eigen"] = sess.run([eigen, eigen_grad])
        out["steps_done"] = bool(1 < sess.run(steps) <= 50)
        feed = {x: value}
        out["recurrence"] = sess.run([history, last, loss, *grads], feed)
        out["functions"] = sess.run([*mapped, scanned, folded, backwards, scan_grad], feed)
        out["grown"] = sess.run(grown, feed)
        out["fib"] = [int(v) for v in sess.run(fib)]
    out["static"] = [str(chosen.shape), str(last.shape), str(mapped[0].shape), str(grown.shape)]
    return out
