"""The works in JAX (jit, arrays resident; `out` gives the previous result's memory back)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from tools.bench import works

VARIANTS = ("jit",)


def prepare(name: str, inputs: tuple[Any, ...], variant: str) -> Callable[[], Any]:
    """The work as a function that waits for its result."""
    arrays = [jnp.asarray(a) for a in inputs]
    if name in works.TRAINING:
        return _training(name, *arrays)
    fn = jax.jit(partial(_forward, name))
    return lambda: fn(*arrays).block_until_ready()


def _forward(name: str, *x: Any) -> Any:
    if name in ("W1", "W3"):
        (v,) = x
        return jnp.tanh(v * 2 + 1) * jnp.exp(-v * v) + jnp.sqrt(jnp.abs(v))
    if name == "W2":
        a, b, c, d = x
        return jnp.maximum(a * b + c, 0) * d - a
    if name == "W4":
        return x[0] + x[1]
    if name == "W5":
        return jax.nn.softmax(x[0])
    if name == "W6":
        mean = x[0].mean(-1, keepdims=True)
        var = ((x[0] - mean) ** 2).mean(-1, keepdims=True)
        return (x[0] - mean) * jax.lax.rsqrt(var + 1e-5) * x[1] + x[2]
    if name.startswith("W7"):
        _, kind, where = name.split("_")
        return getattr(x[0], kind)(axis=None if where == "full" else int(where[2:]))
    if name == "W10":
        return _lstm([jnp.asarray(v) for v in works.lstm_parameters()], x[0])
    return jax.nn.gelu(x[0] @ x[1] + x[2], approximate=False)


def _lstm(p: list[Any], x: Any) -> Any:
    units = works.LSTM_SIZES[3]
    zero = jnp.zeros((x.shape[0], units))

    def step(state: Any, row: Any) -> Any:
        c, h = state
        i, j, f, o = jnp.split(jnp.concatenate([row, h], 1) @ p[0] + p[1], 4, 1)
        c = jax.nn.sigmoid(f + 1.0) * c + jax.nn.sigmoid(i) * jnp.tanh(j)
        return (c, jnp.tanh(c) * jax.nn.sigmoid(o)), None

    return jax.lax.scan(step, (zero, zero), jnp.swapaxes(x, 0, 1))[0][1]


def _training(name: str, x: Any, y: Any) -> Callable[[], float]:
    if name == "W9":
        params = [jnp.zeros((1, 1)), jnp.zeros(1)]

        def loss_of(p: Any) -> Any:
            return ((x @ p[0] + p[1] - y) ** 2).mean()
    elif name == "W10_sgd":
        params = [jnp.asarray(v) for v in works.lstm_parameters()]

        def loss_of(p: Any) -> Any:
            return ((_lstm(p, x) - y) ** 2).mean()
    else:
        params = [jnp.asarray(v) for v in works.mlp_parameters()]

        def loss_of(p: Any) -> Any:
            h = jax.nn.relu(jax.nn.relu(x @ p[0] + p[1]) @ p[2] + p[3])
            logp = jax.nn.log_softmax(h @ p[4] + p[5])
            return -jnp.take_along_axis(logp, y[:, None], 1).mean()

    adam = name == "W8_adam"
    rates = {"W9": works.LINEAR_RATE, "W8_sgd": works.SGD_RATE, "W10_sgd": works.LSTM_RATE}
    rate = rates.get(name, works.ADAM_RATE)

    @partial(jax.jit, donate_argnums=0)
    def update(state: Any) -> Any:
        p, m, v, t = state
        loss, grads = jax.value_and_grad(loss_of)(p)
        if not adam:
            return ([a - rate * g for a, g in zip(p, grads, strict=True)], m, v, t), loss
        t = t + 1
        lr = rate * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        m = [a + 0.1 * (g - a) for a, g in zip(m, grads, strict=True)]
        v = [a + 0.001 * (g * g - a) for a, g in zip(v, grads, strict=True)]
        p = [a - lr * b / (jnp.sqrt(c) + 1e-8) for a, b, c in zip(p, m, v, strict=True)]
        return (p, m, v, t), loss

    zeros = [jnp.zeros_like(p) for p in params] if adam else []
    state = (params, zeros, [jnp.zeros_like(p) for p in zeros], jnp.float32(0))

    def step() -> float:
        nonlocal state
        state, loss = update(state)
        return float(loss)

    return step
