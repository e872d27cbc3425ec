"""An image optimised against Gram matrices, by an optimiser outside that assigns and reads."""

from __future__ import annotations

import numpy as np


def gram(tf, features):
    flat = tf.reshape(features, [-1, features.get_shape()[-1].value])
    return tf.matmul(tf.transpose(flat), flat) / tf.to_float(tf.size(features))


class External:
    """Packs variables into one vector, as the interface to SciPy does."""

    def __init__(self, tf, loss, var_list):
        self.loss, self.vars = loss, var_list
        grads = tf.gradients(loss, var_list)
        self.packed_grad = tf.concat([tf.reshape(g, [-1]) for g in grads], 0)
        dims = [int(np.prod(v.get_shape().as_list())) for v in var_list]
        edges = np.cumsum([0, *dims])
        self.slices = [slice(a, b) for a, b in zip(edges[:-1], edges[1:])]
        self.placeholders = [tf.placeholder(v.dtype.base_dtype, v.get_shape()) for v in var_list]
        self.updates = [v.assign(p) for v, p in zip(var_list, self.placeholders)]

    def evaluate(self, session, vector):
        values = [vector[s].reshape(v.get_shape().as_list())
                  for s, v in zip(self.slices, self.vars)]  # fmt: skip
        session.run([u.op for u in self.updates], dict(zip(self.placeholders, values)))
        return session.run([self.loss, self.packed_grad])

    def minimize(self, session, steps, history=5):
        """L-BFGS with a backtracking line search."""
        x = np.concatenate([v.reshape(-1) for v in session.run(self.vars)]).astype(np.float64)
        f, g = self.evaluate(session, x)
        pairs, trace = [], [f]
        for _ in range(steps):
            q, alphas = g.astype(np.float64), []
            for s, y in reversed(pairs):
                alphas.append(s @ q / (y @ s))
                q = q - alphas[-1] * y
            for (s, y), a in zip(pairs, reversed(alphas)):
                q = q + (a - y @ q / (y @ s)) * s
            t = 1.0 if pairs else 0.1
            for _ in range(20):
                f_new, g_new = self.evaluate(session, x - t * q)
                if f_new <= f - 1e-4 * t * (g @ q):
                    break
                t *= 0.5
            pairs = [*pairs, (-t * q, (g_new - g).astype(np.float64))][-history:]
            x, f, g = x - t * q, f_new, g_new
            trace.append(f)
        return trace


def main(tf):
    rng = np.random.RandomState(311)
    filters = [(rng.randn(3, 8) * 0.5).astype("f4"), (rng.randn(8, 6) * 0.5).astype("f4")]

    def features(image):
        h = tf.nn.relu(tf.tensordot(image, filters[0], [[3], [0]]))
        pooled = h[:, ::2, ::2, :] + h[:, 1::2, ::2, :] + h[:, ::2, 1::2, :] + h[:, 1::2, 1::2, :]
        return h, tf.nn.softplus(tf.tensordot(pooled / 4.0, filters[1], [[3], [0]]))

    content, style = rng.rand(1, 8, 8, 3).astype("f4"), rng.rand(1, 8, 8, 3).astype("f4")
    with tf.Graph().as_default(), tf.Session() as sess:
        image = tf.placeholder(tf.float32, [1, 8, 8, 3])
        h1, h2 = features(image)
        targets = sess.run([h2, gram(tf, h1), gram(tf, h2)], {image: content})
        targets[1:] = sess.run([gram(tf, h1), gram(tf, h2)], {image: style})
    tf.reset_default_graph()
    picture = tf.Variable(content, name="picture")
    shift = tf.Variable(np.zeros([3], np.float32), name="shift")
    h1, h2 = features(picture + shift)
    content_loss = 2 * tf.nn.l2_loss(h2 - targets[0]) / targets[0].size
    style_loss = tf.add_n([tf.reduce_sum(tf.square(gram(tf, h) - t)) for h, t in
                           zip((h1, h2), targets[1:])])  # fmt: skip
    y_tv = tf.nn.l2_loss(picture[:, 1:, :, :] - picture[:, :7, :, :])
    x_tv = tf.nn.l2_loss(picture[:, :, 1:, :] - picture[:, :, :7, :])
    loss = content_loss + 10.0 * style_loss + 0.01 * (x_tv + y_tv) + tf.nn.l2_loss(shift)
    tools = External(tf, loss, [picture, shift])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        parts = sess.run({"content": content_loss, "style": style_loss, "tv": [x_tv, y_tv]})
        trace = tools.minimize(sess, 8)
        final = sess.run([loss, shift])
        adam = tf.train.AdamOptimizer(0.02)
        step = adam.minimize(loss, var_list=[picture])
        sess.run(tf.variables_initializer([*adam.variables()]))
        for _ in range(5):
            sess.run(step)
        end = sess.run(loss)
    return {
        "parts": parts, "first": trace[:4], "lower": bool(trace[-1] < trace[0] * 0.8),
        "close": bool(abs(final[0] - trace[-1]) < 1e-3), "end_lower": bool(end < trace[0]),
        "slots": sorted(v.name for v in adam.variables()),
        "names": [picture.name, loss.name, h2.name, tools.packed_grad.name],
        "shapes": [str(h1.shape), str(h2.shape), str(tools.packed_grad.shape)],
    }  # fmt: skip
