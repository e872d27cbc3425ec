"""The models in NumPy: references in float64, NumPy's own entry in float32, as the arguments are.

Imports NumPy only. Signature of all: `model(parameters, *inputs, **options)`; `add`, `matmul` and
`linear` hold for the arrays of any framework.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray
Parameters = list[Any]


def chain(p: Parameters, x: Array) -> Array:
    return np.tanh(x * 2 + 1) * np.exp(-x * x) + np.sqrt(np.abs(x))


def memory_chain(p: Parameters, a: Array, b: Array, c: Array, d: Array) -> Array:
    return np.maximum(a * b + c, 0) * d - a


def add(p: Parameters, a: Array, b: Array) -> Array:
    return a + b


def softmax(p: Parameters, x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def normalize(x: Array, gain: Array, shift: Array) -> Array:
    mean = x.mean(-1, keepdims=True)
    var = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / np.sqrt(var + 1e-5) * gain + shift


def layer_norm(p: Parameters, x: Array) -> Array:
    return normalize(x, p[0], p[1])


def reduction(p: Parameters, x: Array, kind: str, axis: int | None) -> Any:
    return getattr(x, kind)(axis=axis)


def matmul(p: Parameters, a: Array, b: Array) -> Array:
    return a @ b


def erf(x: Array) -> Array:
    """Abramowitz and Stegun 7.1.26, 1.5e-7 off at most: NumPy has no erf."""
    t = 1 / (1 + 0.3275911 * np.abs(x))
    poly = t * (0.254829592 + t * (-0.284496736 + t * (
        1.421413741 + t * (-1.453152027 + t * 1.061405429))))  # fmt: skip
    return np.copysign(1 - poly * np.exp(-x * x), x)


def gelu(x: Array) -> Array:
    return 0.5 * x * (1 + erf(x * math.sqrt(0.5)))


def gelu_dense(p: Parameters, x: Array) -> Array:
    return gelu(x @ p[0] + p[1])


def mlp(p: Parameters, x: Array) -> Array:
    h = np.maximum(np.maximum(x @ p[0] + p[1], 0) @ p[2] + p[3], 0)
    return h @ p[4] + p[5]


def linear(p: Parameters, x: Array) -> Array:
    return x @ p[0] + p[1]


def _conv_relu(x: Array, w: Array, b: Array) -> Array:
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[:2], axis=(1, 2))
    return np.maximum(np.einsum("bhwckl,klco->bhwo", windows, w, optimize=True) + b, 0)


def _pool(x: Array) -> Array:
    n, h, w, c = x.shape
    return x[:, : h // 2 * 2, : w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))


def cnn(p: Parameters, x: Array) -> Array:
    x = _pool(_conv_relu(x, p[0], p[1]))
    x = _pool(_conv_relu(x, p[2], p[3]))
    x = _conv_relu(x, p[4], p[5]).reshape(len(x), -1)
    return np.maximum(x @ p[6] + p[7], 0) @ p[8] + p[9]


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _lstm_layer(x: Array, w: Array, u: Array, b: Array) -> Array:
    h = c = np.zeros((len(x), len(u)), x.dtype)
    out = []
    for t in range(x.shape[1]):
        i, f, g, o = np.split(x[:, t] @ w + h @ u + b, 4, -1)
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        h = _sigmoid(o) * np.tanh(c)
        out.append(h)
    return np.stack(out, 1)


def lstm(p: Parameters, x: Array) -> Array:
    last = _lstm_layer(_lstm_layer(x, *p[:3]), *p[3:6])[:, -1]
    return last @ p[6] + p[7]


def _encoder_layer(p: Parameters, x: Array, heads: int) -> Array:
    n, s, d = x.shape
    w_qkv, b_qkv, w_o, b_o, g1, s1, w1, b1, w2, b2, g2, s2 = p
    parts = np.split(x @ w_qkv + b_qkv, 3, -1)
    q, k, v = (t.reshape(n, s, heads, d // heads).transpose(0, 2, 1, 3) for t in parts)
    weights = softmax([], q @ k.transpose(0, 1, 3, 2) / math.sqrt(d // heads))
    mixed = (weights @ v).transpose(0, 2, 1, 3).reshape(n, s, d)
    x = normalize(x + mixed @ w_o + b_o, g1, s1)
    return normalize(x + gelu(x @ w1 + b1) @ w2 + b2, g2, s2)


def encoder(p: Parameters, x: Array, heads: int) -> Array:
    for first in range(0, len(p), 12):
        x = _encoder_layer(p[first : first + 12], x, heads)
    return x


def by_name(*models: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """A table of models; every framework has one with these names."""
    return {f.__name__: f for f in models}


MODELS = by_name(chain, memory_chain, add, softmax, layer_norm, reduction, matmul, gelu_dense,
                 mlp, linear, cnn, lstm, encoder)  # fmt: skip
