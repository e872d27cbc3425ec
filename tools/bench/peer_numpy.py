"""The works in plain NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tools.bench import works

VARIANTS = ("numpy",)


def prepare(name: str, inputs: tuple[Any, ...], variant: str) -> Callable[[], Any]:
    """The work as a function; training works return the loss of the step."""
    if name in ("W1", "W3"):
        return lambda: works.chain(*inputs)
    simple = {
        "W2": works.memory_chain, "W4": np.add, "W5": works.softmax, "W6": works.layer_norm,
    }  # fmt: skip
    if name in simple:
        return lambda: simple[name](*inputs)
    if name.startswith("W7"):
        _, kind, where = name.split("_")
        axis = None if where == "full" else int(where[2:])
        method = getattr(inputs[0], kind)
        return lambda: method(axis=axis)
    if name.startswith("W8"):
        return _mlp(name.split("_")[1], *inputs)
    if name == "W9":
        return _linear(*inputs)
    if name == "W10":
        params = works.lstm_parameters()
        return lambda: works.lstm_state(params, *inputs)
    if name == "W10_sgd":
        return _lstm(*inputs)
    return lambda: _gelu_tanh(inputs[0] @ inputs[1] + inputs[2])


def _gelu_tanh(z: np.ndarray) -> np.ndarray:
    # NumPy has no erf: the usual tanh form stands in
    inner = np.float32(math.sqrt(2 / math.pi)) * (z + np.float32(0.044715) * z * z * z)
    return np.float32(0.5) * z * (1 + np.tanh(inner))


def _mlp(kind: str, x: np.ndarray, y: np.ndarray) -> Callable[[], float]:
    params = works.mlp_parameters()
    descent = works.Descent(kind, params)

    def step() -> float:
        loss, grads = works.mlp_gradients(params, x, y)
        descent.apply(grads)
        return loss

    return step


def _lstm(x: np.ndarray, y: np.ndarray) -> Callable[[], float]:
    params = works.lstm_parameters()

    def step() -> float:
        loss, grads = works.lstm_gradients(params, x, y)
        for p, g in zip(params, grads, strict=True):
            p -= np.float32(works.LSTM_RATE) * g
        return loss

    return step


def _linear(x: np.ndarray, y: np.ndarray) -> Callable[[], float]:
    w, b = np.zeros((1, 1), np.float32), np.zeros(1, np.float32)
    rate = np.float32(works.LINEAR_RATE * 2 / 100)

    def step() -> float:
        error = x @ w + b - y
        loss = (error * error).mean()
        w[...] -= rate * (x.T @ error)
        b[...] -= rate * error.sum(0)
        return loss

    return step
