"""The works in PyTensor (Numba mode, its default): fed with NumPy, parameters shared."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt

from tools.bench.works import Work
from tools.bench.works.models import add, by_name, linear, matmul

warnings.filterwarnings("ignore")
pytensor.config.floatX = "float32"
VERSIONS = ("pytensor", "numba", "llvmlite", "numpy")
Parameters = list[Any]
f32 = np.float32


def variants(work: Work) -> tuple[str, ...]:
    # no convolution of its own; recurrence and the large model by nobody's account its field
    return () if work.model in ("cnn", "lstm") or work.name == "BERT" else ("numba",)


def prepare(work: Work, inputs: tuple[Any, ...], variant: str, threads: int) -> Callable[[], Any]:
    """The work as a function; training works return the loss of the step."""
    feeds = [pt.tensor(f"x{i}", dtype=str(a.dtype), shape=a.shape) for i, a in enumerate(inputs)]
    arrays = [np.asarray(a) for a in inputs]
    values = work.parameters()
    parameters = [pytensor.shared(p, borrow=True, shape=p.shape) for p in values]
    *x, y = feeds if work.training else [*feeds, None]
    out = MODELS[work.model](parameters, *x, **work.options)
    updates: list[Any] = []
    if work.training:
        out = _loss(work, out, y)
        updates = _updates(work, out, parameters, values)
    ins = [pytensor.In(t, borrow=True) for t in feeds]
    fn = pytensor.function(ins, pytensor.Out(out, borrow=True), updates=updates, mode="NUMBA")
    fn.trust_input = True
    return lambda: fn(*arrays)


def _loss(work: Work, z: Any, y: Any) -> Any:
    if work.loss == "square":
        return ((z - y) ** 2).mean()
    return -pt.special.log_softmax(z, axis=-1)[pt.arange(z.shape[0]), y].mean()


def _updates(work: Work, loss: Any, parameters: Parameters, values: Any) -> list[Any]:
    assert work.optimizer is not None
    kind, rate = work.optimizer
    gradients = pt.grad(loss, parameters)
    if kind == "sgd":
        return [(p, p - f32(rate) * g) for p, g in zip(parameters, gradients)]
    count = pytensor.shared(f32(0))
    now = count + f32(1)
    scale = f32(rate) * pt.sqrt(f32(1) - f32(0.999) ** now) / (f32(1) - f32(0.9) ** now)
    out: list[Any] = [(count, now)]
    for p, g, value in zip(parameters, gradients, values):
        m, v = (pytensor.shared(np.zeros_like(value), shape=value.shape) for _ in range(2))
        m_new = f32(0.9) * m + f32(0.1) * g
        v_new = f32(0.999) * v + f32(0.001) * g * g
        new = p - scale * m_new / (pt.sqrt(v_new) + f32(1e-8))
        out += [(m, m_new), (v, v_new), (p, new)]
    return out


def chain(p: Parameters, x: Any) -> Any:
    return pt.tanh(x * 2 + 1) * pt.exp(-x * x) + pt.sqrt(pt.abs(x))


def memory_chain(p: Parameters, a: Any, b: Any, c: Any, d: Any) -> Any:
    return pt.maximum(a * b + c, f32(0)) * d - a


def softmax(p: Parameters, x: Any) -> Any:
    return pt.special.softmax(x, axis=-1)


def _normalize(x: Any, gain: Any, shift: Any) -> Any:
    mean = x.mean(-1, keepdims=True)
    var = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / pt.sqrt(var + f32(1e-5)) * gain + shift


def layer_norm(p: Parameters, x: Any) -> Any:
    return _normalize(x, *p)


def reduction(p: Parameters, x: Any, kind: str, axis: int | None) -> Any:
    return getattr(x, kind)(axis=axis)


def _gelu(x: Any) -> Any:
    return f32(0.5) * x * (f32(1) + pt.erf(x * f32(math.sqrt(0.5))))


def gelu_dense(p: Parameters, x: Any) -> Any:
    return _gelu(x @ p[0] + p[1])


def _relu(x: Any) -> Any:
    return pt.maximum(x, f32(0))


def mlp(p: Parameters, x: Any) -> Any:
    return _relu(_relu(x @ p[0] + p[1]) @ p[2] + p[3]) @ p[4] + p[5]


def encoder(p: Parameters, x: Any, heads: int) -> Any:
    n, s, d = x.type.shape
    rows, split = x.reshape((n * s, d)), (n, s, heads, d // heads)
    z = rows @ p[0] + p[1]
    parts = [z[:, i * d : (i + 1) * d].reshape(split) for i in range(3)]
    q, k, v = [t.transpose(0, 2, 1, 3) for t in parts]
    scores = (q @ k.transpose(0, 1, 3, 2)) * f32(1 / math.sqrt(d // heads))
    mixed = (pt.special.softmax(scores, axis=-1) @ v).transpose(0, 2, 1, 3).reshape((n * s, d))
    rows = _normalize(rows + mixed @ p[2] + p[3], p[4], p[5])
    rows = _normalize(rows + _gelu(rows @ p[6] + p[7]) @ p[8] + p[9], p[10], p[11])
    return rows.reshape((n, s, d))


MODELS = by_name(chain, memory_chain, add, softmax, layer_norm, reduction, matmul, gelu_dense,
                 mlp, linear, encoder)  # fmt: skip
