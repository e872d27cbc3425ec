"""The work that is measured: data, NumPy references, tolerances. Peers import this and NumPy only.

Each work has a name, inputs made from a fixed seed, and a reference result (forward works) or the
losses of the first steps (training works), both computed in float64 by NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

BIG = 1 << 24
MLP_DIMS = (784, 512, 512, 10)
MLP_BATCH = 128
SGD_RATE = 0.01
ADAM_RATE = 1e-4
LINEAR_RATE = 0.1
LSTM_SIZES = (32, 200, 64, 128)  # batch, time, features, units
LSTM_RATE = 1.0
STEPS_CHECKED = 5


@dataclass(frozen=True)
class Work:
    """One measured work. `inputs()` makes its arrays; `reference(*inputs)` the wanted result."""

    name: str
    what: str
    inputs: Callable[[], tuple[Any, ...]]
    reference: Callable[..., Any]
    rtol: float = 2e-4
    atol: float = 1e-5
    check_rows: int | None = None  # compare only the first elements of large results


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def _normal(seed: int, *shapes: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    rng = _rng(seed)
    return tuple(rng.standard_normal(s, dtype=np.float32) for s in shapes)


def chain(x: np.ndarray) -> np.ndarray:
    return np.tanh(x * 2 + 1) * np.exp(-x * x) + np.sqrt(np.abs(x))


def memory_chain(a: Any, b: Any, c: Any, d: Any) -> np.ndarray:
    return np.maximum(a * b + c, 0) * d - a


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def layer_norm(x: np.ndarray, g: np.ndarray, b: np.ndarray) -> np.ndarray:
    mean = x.mean(-1, keepdims=True)
    var = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / np.sqrt(var + 1e-5) * g + b


def gelu_dense(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
    z = x.astype(np.float64) @ w + b
    return 0.5 * z * (1 + np.vectorize(math.erf)(z / math.sqrt(2)))


def mlp_parameters() -> list[np.ndarray]:
    rng, out = _rng(8), []
    for fan_in, fan_out in zip(MLP_DIMS, MLP_DIMS[1:], strict=False):
        weight = rng.standard_normal((fan_in, fan_out), dtype=np.float32)
        out += [weight * np.float32(math.sqrt(2 / fan_in)), np.zeros(fan_out, np.float32)]
    return out


def mlp_data() -> tuple[np.ndarray, np.ndarray]:
    rng = _rng(88)
    images = rng.standard_normal((MLP_BATCH, MLP_DIMS[0]), dtype=np.float32)
    return images, rng.integers(0, MLP_DIMS[-1], MLP_BATCH).astype(np.int32)


def mlp_gradients(
    p: list[np.ndarray], x: np.ndarray, y: np.ndarray
) -> tuple[float, list[np.ndarray]]:
    """Loss and gradients of the two-hidden-layer network, in the parameters' dtype."""
    h1 = np.maximum(x @ p[0] + p[1], 0)
    h2 = np.maximum(h1 @ p[2] + p[3], 0)
    probs = softmax(h2 @ p[4] + p[5])
    rows = np.arange(len(y))
    loss = float(-np.log(probs[rows, y]).mean())
    probs[rows, y] -= 1
    probs /= len(y)
    d2 = (probs @ p[4].T) * (h2 > 0)
    d1 = (d2 @ p[2].T) * (h1 > 0)
    return loss, [x.T @ d1, d1.sum(0), h1.T @ d2, d2.sum(0), h2.T @ probs, probs.sum(0)]


class Descent:
    """Plain NumPy optimizers, in place: "sgd" or "adam" (epsilon outside the square root)."""

    def __init__(self, kind: str, params: list[np.ndarray]) -> None:
        self.kind = kind
        self.params = params
        self.step = 0
        self.m = [np.zeros_like(p) for p in params]
        self.v = [np.zeros_like(p) for p in params]

    def apply(self, grads: list[np.ndarray]) -> None:
        dtype = self.params[0].dtype.type
        if self.kind == "sgd":
            for p, g in zip(self.params, grads, strict=True):
                p -= dtype(SGD_RATE) * g
            return
        self.step += 1
        rate = dtype(ADAM_RATE * math.sqrt(1 - 0.999**self.step) / (1 - 0.9**self.step))
        for p, g, m, v in zip(self.params, grads, self.m, self.v, strict=True):
            m += dtype(0.1) * (g - m)
            v += dtype(0.001) * (g * g - v)
            p -= rate * m / (np.sqrt(v) + dtype(1e-8))


def mlp_losses(kind: str) -> np.ndarray:
    params = [p.astype(np.float64) for p in mlp_parameters()]
    images, labels = mlp_data()
    descent, losses = Descent(kind, params), []
    for _ in range(STEPS_CHECKED):
        loss, grads = mlp_gradients(params, images.astype(np.float64), labels)
        losses.append(loss)
        descent.apply(grads)
    return np.array(losses)


def linear_data() -> tuple[np.ndarray, np.ndarray]:
    rng = _rng(9)
    x = rng.random((100, 1), dtype=np.float32)
    return x, (3 * x + 2 + 0.1 * rng.standard_normal((100, 1))).astype(np.float32)


def linear_losses() -> np.ndarray:
    x, y = (a.astype(np.float64) for a in linear_data())
    w, b, losses = np.zeros((1, 1)), np.zeros(1), []
    for _ in range(STEPS_CHECKED):
        error = x @ w + b - y
        losses.append(float((error * error).mean()))
        w -= LINEAR_RATE * (x.T @ error) * (2 / 100)
        b -= LINEAR_RATE * error.sum(0) * (2 / 100)
    return np.array(losses)


def lstm_data() -> tuple[np.ndarray, np.ndarray]:
    """Inputs [batch, time, features] and the wanted last state."""
    batch, time, features, units = LSTM_SIZES
    return _normal(10, (batch, time, features), (batch, units))


def lstm_parameters() -> list[np.ndarray]:
    _, _, features, units = LSTM_SIZES
    (weight,) = _normal(11, (features + units, 4 * units))
    return [weight * np.float32(0.1), np.zeros(4 * units, np.float32)]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def lstm_steps(p: list[np.ndarray], x: np.ndarray) -> list[tuple[np.ndarray, ...]]:
    """(joined input, i, j, f, o, old cell, new cell) of each step; gates in TF1's order."""
    units = p[0].shape[1] // 4
    c = h = np.zeros((len(x), units), x.dtype)
    out = []
    for t in range(x.shape[1]):
        joined = np.concatenate([x[:, t], h], 1)
        z = joined @ p[0] + p[1]
        i, j, f, o = np.split(z, 4, 1)
        i, j, f, o = _sigmoid(i), np.tanh(j), _sigmoid(f + 1), _sigmoid(o)
        old, c = c, f * c + i * j
        h = np.tanh(c) * o
        out.append((joined, i, j, f, o, old, c))
    return out


def lstm_state(p: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    """The last output [batch, units]."""
    *_, o, _, c = lstm_steps(p, x)[-1]
    return np.tanh(c) * o


def lstm_gradients(
    p: list[np.ndarray], x: np.ndarray, y: np.ndarray
) -> tuple[float, list[np.ndarray]]:
    """The mean square distance of the last output to y, and its gradients."""
    steps = lstm_steps(p, x)
    features = x.shape[2]
    error = np.tanh(steps[-1][6]) * steps[-1][4] - y
    dh, dc = 2 * error / error.size, np.zeros_like(error)
    dw, db = np.zeros_like(p[0]), np.zeros_like(p[1])
    for joined, i, j, f, o, old, c in reversed(steps):
        squashed = np.tanh(c)
        dc = dc + dh * o * (1 - squashed * squashed)
        parts = [dc * j * i * (1 - i), dc * i * (1 - j * j), dc * old * f * (1 - f),
                 dh * squashed * o * (1 - o)]  # fmt: skip
        dz = np.concatenate(parts, 1)
        dw += joined.T @ dz
        db += dz.sum(0)
        dh, dc = (dz @ p[0].T)[:, features:], dc * f
    return float((error * error).mean()), [dw, db]


def lstm_losses() -> np.ndarray:
    params = [p.astype(np.float64) for p in lstm_parameters()]
    x, y = (a.astype(np.float64) for a in lstm_data())
    losses = []
    for _ in range(STEPS_CHECKED):
        loss, grads = lstm_gradients(params, x, y)
        losses.append(loss)
        for p, g in zip(params, grads, strict=True):
            p -= LSTM_RATE * g
    return np.array(losses)


def _reduction(kind: str, axis: int | None) -> Work:
    where = "full" if axis is None else f"ax{axis}"

    def reference(x: np.ndarray) -> Any:
        return getattr(x.astype(np.float64), kind)(axis=axis)

    return Work(
        f"W7_{kind}_{where}", f"{kind} of 4096 x 4096", lambda: _normal(7, (4096, 4096)), reference,
        rtol=1e-3, atol=2e-2 if kind == "sum" else 1e-5,
    )  # fmt: skip


WORKS = {
    w.name: w
    for w in (
        Work("W1", "tanh(2x+1) exp(-x^2) + sqrt|x|, 16M", lambda: _normal(1, (BIG,)), chain,
             check_rows=100_000),
        Work("W2", "max(ab+c, 0) d - a, 16M", lambda: _normal(2, *[(BIG,)] * 4), memory_chain,
             check_rows=100_000),
        Work("W3", "W1 on 1000 elements", lambda: _normal(3, (1000,)), chain),
        Work("W4", "a + b on 10 elements", lambda: _normal(4, (10,), (10,)), lambda a, b: a + b),
        Work("W5", "softmax 4096 x 1024", lambda: _normal(5, (4096, 1024)), softmax),
        Work("W6", "layer norm 4096 x 1024",
             lambda: _normal(6, (4096, 1024), (1024,), (1024,)), layer_norm, atol=1e-4),
        *[_reduction(k, a) for k in ("sum", "mean", "var") for a in (None, 0, 1)],
        Work("W8_sgd", "MLP 784-512-512-10 step, batch 128, SGD", mlp_data,
             lambda *_: mlp_losses("sgd"), rtol=2e-3),
        Work("W8_adam", "the same with Adam", mlp_data, lambda *_: mlp_losses("adam"), rtol=2e-3),
        Work("W9", "linear regression step, 100 points", linear_data,
             lambda *_: linear_losses(), rtol=2e-3),
        Work("W10", "LSTM 64 -> 128, batch 32, 200 steps, forward", lambda: lstm_data()[:1],
             lambda x: lstm_state([p.astype(np.float64) for p in lstm_parameters()],
                                  x.astype(np.float64)), rtol=2e-3, atol=1e-4),
        Work("W10_sgd", "the same, a training step", lstm_data, lambda *_: lstm_losses(),
             rtol=2e-3),
        Work("W13", "gelu(x w + b), 1024^3",
             lambda: (_normal(13, (1024, 1024))[0],
                      _normal(14, (1024, 1024))[0] / np.float32(32), _normal(15, (1024,))[0]),
             gelu_dense, rtol=5e-3, atol=5e-3),
    )
}  # fmt: skip
TRAINING = ("W8_sgd", "W8_adam", "W9", "W10_sgd")
