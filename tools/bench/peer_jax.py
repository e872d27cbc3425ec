"""The works in JAX: arrays resident, one jit; training gives the old state's memory back."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from tools.bench.works import Work
from tools.bench.works.models import add, by_name, linear, matmul

VERSIONS = ("jax", "jaxlib", "numpy")
Parameters = list[Any]


def variants(work: Work) -> tuple[str, ...]:
    if work.model in ("chain", "memory_chain") and work.name != "W3":
        return "jit", "reuse_donated"
    if work.model == "lstm":
        return "jit", "jit_unroll"
    return ("jit", "jit_feed") if work.group in ("W8", "W9", "W3") else ("jit",)


def prepare(work: Work, inputs: tuple[Any, ...], variant: str, threads: int) -> Callable[[], Any]:
    """The work as a function that waits for its result; `jit_feed` takes and gives NumPy."""
    feed = variant == "jit_feed"
    arrays = inputs if feed else [jnp.asarray(a) for a in inputs]
    options = dict(work.options)
    if variant == "jit_unroll":
        options["unroll"] = 20
    model = partial(MODELS[work.model], **options)
    parameters = [jnp.array(p) for p in work.parameters()]
    if work.training:
        step = training(work, model, parameters, arrays)
        return lambda: float(step())
    if variant == "reuse_donated":
        return _donated(model, parameters, arrays)
    fn = jax.jit(model)
    if feed:
        return lambda: jax.device_get(fn(parameters, *arrays))
    return lambda: fn(parameters, *arrays).block_until_ready()


def _donated(model: Any, parameters: Parameters, arrays: Any) -> Callable[[], Any]:
    # the previous result's memory becomes the next one's: no fresh pages
    fn = jax.jit(lambda out, *x: model(parameters, *x), donate_argnums=0, keep_unused=True)
    result = jnp.zeros_like(arrays[0])

    def call() -> Any:
        nonlocal result
        result = fn(result, *arrays).block_until_ready()
        return result

    return call


def training(work: Work, model: Any, parameters: Parameters, arrays: Any) -> Callable[[], Any]:
    """A step that starts and gives the loss to come; the next step waits for it where it must."""
    assert work.optimizer is not None
    kind, rate = work.optimizer

    def loss_of(p: Parameters, *data: Any) -> Any:
        *x, y = data
        z = model(p, *x)
        if work.loss == "square":
            return ((z - y) ** 2).mean()
        return -jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], 1).mean()

    @partial(jax.jit, donate_argnums=0)
    def update(state: Any, *data: Any) -> Any:
        p, m, v, t = state
        loss, grads = jax.value_and_grad(loss_of)(p, *data)
        if kind == "sgd":
            return ([a - rate * g for a, g in zip(p, grads)], m, v, t), loss
        t = t + 1
        lr = rate * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        m = [0.9 * a + 0.1 * g for a, g in zip(m, grads)]
        v = [0.999 * a + 0.001 * g * g for a, g in zip(v, grads)]
        p = [a - lr * b / (jnp.sqrt(c) + 1e-8) for a, b, c in zip(p, m, v)]
        return (p, m, v, t), loss

    zeros = parameters if kind == "adam" else []
    moments = [[jnp.zeros_like(p) for p in zeros] for _ in range(2)]
    state = (parameters, *moments, jnp.float32(0))

    def step() -> Any:
        nonlocal state
        state, loss = update(state, *arrays)
        return loss

    return step


def chain(p: Parameters, x: Any) -> Any:
    return jnp.tanh(x * 2 + 1) * jnp.exp(-x * x) + jnp.sqrt(jnp.abs(x))


def memory_chain(p: Parameters, a: Any, b: Any, c: Any, d: Any) -> Any:
    return jnp.maximum(a * b + c, 0) * d - a


def softmax(p: Parameters, x: Any) -> Any:
    return jax.nn.softmax(x, -1)


def _normalize(x: Any, gain: Any, shift: Any) -> Any:
    mean = x.mean(-1, keepdims=True)
    var = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(var + 1e-5) * gain + shift


def layer_norm(p: Parameters, x: Any) -> Any:
    return _normalize(x, *p)


def reduction(p: Parameters, x: Any, kind: str, axis: int | None) -> Any:
    return getattr(jnp, kind)(x, axis=axis)


def _gelu(x: Any) -> Any:
    return jax.nn.gelu(x, approximate=False)


def gelu_dense(p: Parameters, x: Any) -> Any:
    return _gelu(x @ p[0] + p[1])


def mlp(p: Parameters, x: Any) -> Any:
    h = jax.nn.relu(jax.nn.relu(x @ p[0] + p[1]) @ p[2] + p[3])
    return h @ p[4] + p[5]


def _conv_relu(x: Any, w: Any, b: Any) -> Any:
    layout = ("NHWC", "HWIO", "NHWC")
    z = lax.conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=layout)
    return jax.nn.relu(z + b)


def _pool(x: Any) -> Any:
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def cnn(p: Parameters, x: Any) -> Any:
    x = _pool(_conv_relu(x, p[0], p[1]))
    x = _pool(_conv_relu(x, p[2], p[3]))
    x = _conv_relu(x, p[4], p[5]).reshape(x.shape[0], -1)
    return jax.nn.relu(x @ p[6] + p[7]) @ p[8] + p[9]


def _lstm_layer(unroll: int, x: Any, w: Any, u: Any, b: Any) -> Any:
    zero = jnp.zeros((x.shape[0], u.shape[0]))
    inputs = (x @ w + b).transpose(1, 0, 2)  # all steps at once

    def step(state: Any, row: Any) -> Any:
        h, c = state
        i, f, g, o = jnp.split(row + h @ u, 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    return lax.scan(step, (zero, zero), inputs, unroll=unroll)[1].transpose(1, 0, 2)


def lstm(p: Parameters, x: Any, unroll: int = 1) -> Any:
    h = _lstm_layer(unroll, _lstm_layer(unroll, x, *p[:3]), *p[3:6])
    return h[:, -1] @ p[6] + p[7]


def _encoder_layer(p: Parameters, x: Any, heads: int) -> Any:
    n, s, d = x.shape
    parts = jnp.split(x @ p[0] + p[1], 3, -1)
    q, k, v = [t.reshape(n, s, heads, d // heads).transpose(0, 2, 1, 3) for t in parts]
    weights = jax.nn.softmax(q @ k.transpose(0, 1, 3, 2) / math.sqrt(d // heads), -1)
    mixed = (weights @ v).transpose(0, 2, 1, 3).reshape(n, s, d)
    x = _normalize(x + mixed @ p[2] + p[3], p[4], p[5])
    return _normalize(x + _gelu(x @ p[6] + p[7]) @ p[8] + p[9], p[10], p[11])


def encoder(p: Parameters, x: Any, heads: int) -> Any:
    for first in range(0, len(p), 12):
        x = _encoder_layer(p[first : first + 12], x, heads)
    return x


MODELS = by_name(chain, memory_chain, add, softmax, layer_norm, reduction, matmul, gelu_dense,
                 mlp, linear, cnn, lstm, encoder)  # fmt: skip
