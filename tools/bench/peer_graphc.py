"""The works in graphc: `run` through session.run with feeds, `call` through make_callable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import graphc as tf
from tools.bench import works

VARIANTS = ("call", "run")


def prepare(name: str, inputs: tuple[Any, ...], variant: str) -> Callable[[], Any]:
    """The work as a function; training works return the loss of the step."""
    tf.reset_default_graph()
    feeds = [tf.placeholder(a.dtype, [None, *a.shape[1:]]) for a in inputs]
    fetch = _training(name, *feeds) if name in works.TRAINING else _forward(name, feeds)
    session = tf.Session()
    session.run(tf.global_variables_initializer())
    first = fetch[0] if isinstance(fetch, list) else None
    if variant == "call":
        call = session.make_callable(fetch, feeds)
        return (lambda: call(*inputs)[0]) if first is not None else (lambda: call(*inputs))
    feed = dict(zip(feeds, inputs, strict=True))
    if first is not None:
        return lambda: session.run(fetch, feed)[0]
    return lambda: session.run(fetch, feed)


def _forward(name: str, x: list[Any]) -> Any:
    if name in ("W1", "W3"):
        (v,) = x
        return tf.tanh(v * 2 + 1) * tf.exp(-v * v) + tf.sqrt(tf.abs(v))
    if name == "W2":
        a, b, c, d = x
        return tf.maximum(a * b + c, 0) * d - a
    if name == "W4":
        return x[0] + x[1]
    if name == "W5":
        return tf.nn.softmax(x[0])
    if name == "W6":
        mean, variance = tf.nn.moments(x[0], [-1], keep_dims=True)
        return (x[0] - mean) * tf.rsqrt(variance + 1e-5) * x[1] + x[2]
    if name.startswith("W7"):
        _, kind, where = name.split("_")
        axis = None if where == "full" else int(where[2:])
        if kind == "var":
            return tf.nn.moments(x[0], [0, 1] if axis is None else [axis])[1]
        return {"sum": tf.reduce_sum, "mean": tf.reduce_mean}[kind](x[0], axis)
    if name == "W10":
        return _lstm(x[0], [tf.Variable(v) for v in works.lstm_parameters()])
    assert name == "W13"
    z = tf.matmul(x[0], x[1]) + x[2]
    return 0.5 * z * (1.0 + tf.erf(z * 0.7071067811865476))


def _lstm(x: Any, p: list[Any]) -> Any:
    """The last output, by tf.while_loop."""
    _, _, features, units = works.LSTM_SIZES
    rows = tf.transpose(x, [1, 0, 2])
    time = tf.shape(rows)[0]
    inputs = tf.TensorArray(tf.float32, time).unstack(rows)
    zero = tf.zeros([tf.shape(x)[0], units])

    def step(t: Any, c: Any, h: Any) -> Any:
        now = inputs.read(t)
        now.set_shape([None, features])
        i, j, f, o = tf.split(tf.matmul(tf.concat([now, h], 1), p[0]) + p[1], 4, 1)
        c = tf.sigmoid(f + 1.0) * c + tf.sigmoid(i) * tf.tanh(j)
        return t + 1, c, tf.tanh(c) * tf.sigmoid(o)

    return tf.while_loop(lambda t, *_: t < time, step, (0, zero, zero))[2]


def _training(name: str, x: Any, y: Any) -> list[Any]:
    if name == "W10_sgd":
        loss = tf.reduce_mean(
            tf.square(_lstm(x, [tf.Variable(v) for v in works.lstm_parameters()]) - y)
        )
        return [loss, tf.train.GradientDescentOptimizer(works.LSTM_RATE).minimize(loss)]
    if name == "W9":
        w, b = tf.Variable(tf.zeros([1, 1])), tf.Variable(tf.zeros([1]))
        loss = tf.reduce_mean(tf.square(tf.matmul(x, w) + b - y))
        return [loss, tf.train.GradientDescentOptimizer(works.LINEAR_RATE).minimize(loss)]
    p = [tf.Variable(v) for v in works.mlp_parameters()]
    h1 = tf.nn.relu(tf.matmul(x, p[0]) + p[1])
    h2 = tf.nn.relu(tf.matmul(h1, p[2]) + p[3])
    logits = tf.matmul(h2, p[4]) + p[5]
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
    loss = tf.reduce_mean(losses)
    if name == "W8_sgd":
        return [loss, tf.train.GradientDescentOptimizer(works.SGD_RATE).minimize(loss)]
    return [loss, tf.train.AdamOptimizer(works.ADAM_RATE).minimize(loss)]
