"""The works in plain NumPy, the baseline: forward models, and the steps of the small networks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tools.bench.works import Work

VERSIONS = ("numpy",)


def variants(work: Work) -> tuple[str, ...]:
    if work.training:
        return ("numpy",) if work.model in ("mlp", "linear") else ()
    # windows over images are no way to compute a CNN, and the encoder takes long enough once
    return () if work.model in ("cnn", "encoder") else ("numpy",)


def prepare(work: Work, inputs: tuple[Any, ...], variant: str, threads: int) -> Callable[[], Any]:
    """The work as a function; training works return the loss of the step."""
    parameters = work.parameters()
    if not work.training:
        return lambda: work.forward(parameters, *inputs)
    assert work.optimizer is not None
    gradients = {"mlp": mlp_gradients, "linear": linear_gradients}[work.model]
    descent = Descent(*work.optimizer, parameters)

    def step() -> float:
        loss, grads = gradients(parameters, *inputs)
        descent.apply(grads)
        return loss

    return step


def mlp_gradients(
    p: list[np.ndarray], x: np.ndarray, y: np.ndarray
) -> tuple[float, list[np.ndarray]]:
    """Loss and gradients of the two-hidden-layer network, in the parameters' dtype."""
    h1 = np.maximum(x @ p[0] + p[1], 0)
    h2 = np.maximum(h1 @ p[2] + p[3], 0)
    z = h2 @ p[4] + p[5]
    probs = np.exp(z - z.max(-1, keepdims=True))
    probs /= probs.sum(-1, keepdims=True)
    rows = np.arange(len(y))
    loss = float(-np.log(probs[rows, y]).mean())
    probs[rows, y] -= 1
    probs /= len(y)
    d2 = (probs @ p[4].T) * (h2 > 0)
    d1 = (d2 @ p[2].T) * (h1 > 0)
    return loss, [x.T @ d1, d1.sum(0), h1.T @ d2, d2.sum(0), h2.T @ probs, probs.sum(0)]


def linear_gradients(
    p: list[np.ndarray], x: np.ndarray, y: np.ndarray
) -> tuple[float, list[np.ndarray]]:
    """Loss and gradients of the mean square of a linear model's error."""
    error = x @ p[0] + p[1] - y
    loss = (error * error).mean()
    error *= error.dtype.type(2 / error.size)
    return loss, [x.T @ error, error.sum(0)]


class Descent:
    """Plain NumPy optimizers, in place: "sgd" or "adam" (epsilon outside the square root)."""

    def __init__(self, kind: str, rate: float, params: list[np.ndarray]) -> None:
        self.kind, self.rate, self.params = kind, rate, params
        self.step = 0
        self.m = [np.zeros_like(p) for p in params]
        self.v = [np.zeros_like(p) for p in params]

    def apply(self, grads: list[np.ndarray]) -> None:
        dtype = self.params[0].dtype.type
        if self.kind == "sgd":
            for p, g in zip(self.params, grads):
                p -= dtype(self.rate) * g
            return
        self.step += 1
        rate = dtype(self.rate * math.sqrt(1 - 0.999**self.step) / (1 - 0.9**self.step))
        for p, g, m, v in zip(self.params, grads, self.m, self.v):
            m += dtype(0.1) * (g - m)
            v += dtype(0.001) * (g * g - v)
            p -= rate * m / (np.sqrt(v) + dtype(1e-8))
