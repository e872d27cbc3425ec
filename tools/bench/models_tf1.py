"""The models as TensorFlow 1 has them; `tf` is graphc, or TensorFlow's own `compat.v1`.

Imports neither. Signature of all: `model(tf, parameters, *inputs, **options)`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tools.bench.works.models import by_name

Parameters = list[Any]


def chain(tf: Any, p: Parameters, x: Any) -> Any:
    return tf.tanh(x * 2 + 1) * tf.exp(-x * x) + tf.sqrt(tf.abs(x))


def memory_chain(tf: Any, p: Parameters, a: Any, b: Any, c: Any, d: Any) -> Any:
    return tf.maximum(a * b + c, 0) * d - a


def add(tf: Any, p: Parameters, a: Any, b: Any) -> Any:
    return a + b


def softmax(tf: Any, p: Parameters, x: Any) -> Any:
    return tf.nn.softmax(x)


def normalize(tf: Any, x: Any, gain: Any, shift: Any) -> Any:
    mean, variance = tf.nn.moments(x, [-1], keep_dims=True)
    return (x - mean) * tf.rsqrt(variance + 1e-5) * gain + shift


def layer_norm(tf: Any, p: Parameters, x: Any) -> Any:
    return normalize(tf, x, p[0], p[1])


def reduction(tf: Any, p: Parameters, x: Any, kind: str, axis: int | None) -> Any:
    if kind == "var":
        return tf.nn.moments(x, [0, 1] if axis is None else [axis])[1]
    return {"sum": tf.reduce_sum, "mean": tf.reduce_mean}[kind](x, axis)


def matmul(tf: Any, p: Parameters, a: Any, b: Any) -> Any:
    return tf.matmul(a, b)


def gelu(tf: Any, x: Any) -> Any:
    return 0.5 * x * (1.0 + tf.erf(x * math.sqrt(0.5)))


def gelu_dense(tf: Any, p: Parameters, x: Any) -> Any:
    return gelu(tf, tf.matmul(x, p[0]) + p[1])


def mlp(tf: Any, p: Parameters, x: Any) -> Any:
    h = tf.nn.relu(tf.matmul(x, p[0]) + p[1])
    h = tf.nn.relu(tf.matmul(h, p[2]) + p[3])
    return tf.matmul(h, p[4]) + p[5]


def linear(tf: Any, p: Parameters, x: Any) -> Any:
    return tf.matmul(x, p[0]) + p[1]


def cnn(tf: Any, p: Parameters, x: Any) -> Any:
    for layer in range(3):
        w, b = p[2 * layer : 2 * layer + 2]
        x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, w, [1, 1, 1, 1], "VALID"), b))
        if layer < 2:
            x = tf.nn.max_pool(x, [1, 2, 2, 1], [1, 2, 2, 1], "VALID")
    x = tf.reshape(x, [-1, 1024])
    x = tf.nn.relu(tf.matmul(x, p[6]) + p[7])
    return tf.matmul(x, p[8]) + p[9]


def _lstm_layer(tf: Any, steps: list[Any], w: Any, u: Any, b: Any) -> list[Any]:
    h = c = tf.zeros([steps[0].shape[0], u.shape[0]])
    out = []
    for x in steps:
        i, f, g, o = tf.split(tf.matmul(x, w) + tf.matmul(h, u) + b, 4, 1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        out.append(h)
    return out


def lstm(tf: Any, p: Parameters, x: Any) -> Any:
    """Written out, a matrix product a step."""
    last = _lstm_layer(tf, _lstm_layer(tf, tf.unstack(x, axis=1), *p[:3]), *p[3:6])[-1]
    return tf.matmul(last, p[6]) + p[7]


def lstm_dynamic(tf: Any, p: list[np.ndarray], x: Any) -> Any:
    """The same by `tf.nn.dynamic_rnn` over the library's cells; p are the values to begin with."""
    cells = []
    for w, u, b in (p[:3], p[3:6]):
        kernel, bias = cell_values(w, u, b)
        cells.append(_cell(tf, len(u), kernel, bias))
    with tf.variable_scope("lstm"):
        cell = tf.nn.rnn_cell.MultiRNNCell(cells)
        outputs, _ = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)
    return tf.matmul(outputs[:, -1], tf.Variable(p[6])) + tf.Variable(p[7])


def cell_values(w: np.ndarray, u: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of a cell, gates in its order (input, new, forget, output)."""
    units = len(u)
    order = np.concatenate([np.arange(units) + units * g for g in (0, 2, 1, 3)])
    bias = b.copy()
    bias[units : 2 * units] -= 1  # the cell adds it
    return np.concatenate([w, u])[:, order], bias[order]


def _cell(tf: Any, units: int, kernel: np.ndarray, bias: np.ndarray) -> Any:
    def initial(shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
        return tf.constant(kernel if len(shape) == 2 else bias)

    cell = tf.nn.rnn_cell.LSTMCell(units, initializer=initial)
    assert not bias.any(), "the cell's bias begins at zero"
    return cell


def _attention(tf: Any, rows: Any, p: Parameters, size: tuple[int, ...], heads: int) -> Any:
    """Self-attention over [batch * time, width] rows, projected."""
    n, s, d = size
    parts = tf.split(tf.matmul(rows, p[0]) + p[1], 3, 1)
    q, k, v = [
        tf.transpose(tf.reshape(t, [n, s, heads, d // heads]), [0, 2, 1, 3]) for t in parts
    ]
    scores = tf.matmul(q, k, transpose_b=True) * (1 / math.sqrt(d // heads))
    mixed = tf.transpose(tf.matmul(tf.nn.softmax(scores), v), [0, 2, 1, 3])
    return tf.matmul(tf.reshape(mixed, [n * s, d]), p[2]) + p[3]


def encoder(tf: Any, p: Parameters, x: Any, heads: int) -> Any:
    n, s, d = size = tuple(int(e) for e in x.shape)
    rows = tf.reshape(x, [n * s, d])
    for first in range(0, len(p), 12):
        q = p[first : first + 12]
        rows = normalize(tf, rows + _attention(tf, rows, q, size, heads), q[4], q[5])
        wide = gelu(tf, tf.matmul(rows, q[6]) + q[7])
        rows = normalize(tf, rows + tf.matmul(wide, q[8]) + q[9], q[10], q[11])
    return tf.reshape(rows, [n, s, d])


MODELS = by_name(chain, memory_chain, add, softmax, layer_norm, reduction, matmul, gelu_dense,
                 mlp, linear, cnn, lstm, encoder)  # fmt: skip


def loss(tf: Any, kind: str, z: Any, y: Any) -> Any:
    if kind == "square":
        return tf.reduce_mean(tf.square(z - y))
    entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=z)
    return tf.reduce_mean(entropy)


def fetches(tf: Any, work: Any, feeds: list[Any], dynamic: bool = False) -> Any:
    """The work's graph on placeholders; of a training work [loss, step]."""
    values = work.parameters()
    *x, y = feeds if work.training else [*feeds, None]
    if dynamic:
        z = lstm_dynamic(tf, values, *x)
    else:
        parameters = [tf.Variable(v, use_resource=True) for v in values]
        z = MODELS[work.model](tf, parameters, *x, **work.options)
    if not work.training:
        return z
    value = loss(tf, work.loss, z, y)
    kind, rate = work.optimizer
    optimizer = {"sgd": tf.train.GradientDescentOptimizer, "adam": tf.train.AdamOptimizer}[kind]
    return [value, optimizer(rate).minimize(value)]
