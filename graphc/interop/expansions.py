"""Ops that TensorFlow does not have, said in ops that it has: for files that it can read.

Lives here: EXPANSIONS, a function of a record's inputs and attributes. Not here: ops that compiled
plans expand (ops/ and passes/expand.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ir.node import Tensor
from graphc.ops.define import F


def _logsumexp(x: Tensor, axes: Any, keepdims: bool) -> Tensor:
    largest = F.reduce_max(x, axes=axes, keepdims=True)
    largest = F.select(F.is_finite(largest), largest, F.zeros_like(largest))
    total = F.reduce_sum(F.exp(F.subtract(x, largest)), axes=axes, keepdims=keepdims)
    log = F.log(total)
    return F.add(log, largest if keepdims else F.reshape(largest, F.shape(log)))


def _variance(x: Tensor, axes: Any, keepdims: bool) -> Tensor:
    mean = F.reduce_mean(x, axes=axes, keepdims=True)
    return F.reduce_mean(F.squared_difference(x, mean), axes=axes, keepdims=keepdims)


def _sigmoid_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    tail = F.log1p(F.exp(F.negative(F.abs(logits))))
    return F.add(F.subtract(F.relu(logits), F.multiply(logits, labels)), tail)


def _gelu(x: Tensor, approximate: bool = False) -> Tensor:
    if approximate:
        cube = F.multiply(F.multiply(x, x), x)
        inner = F.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * cube))
    else:
        inner = F.erf(x * math.sqrt(0.5))
    return F.multiply(x * 0.5, inner + 1.0)


def _swish(x: Tensor) -> Tensor:
    return F.multiply(x, F.sigmoid(x))


def _softmax(record: str) -> Callable[..., Tensor | None]:
    def build(x: Tensor, axis: int = -1) -> Tensor | None:
        rank = x.rank
        if axis == -1 or rank is None or axis + 1 == rank:
            return None
        order = list(range(rank))
        order[axis], order[-1] = order[-1], order[axis]
        turned = F.transpose(x, perm=tuple(order))
        return F.transpose(getattr(F, record)(turned, axis=-1), perm=tuple(order))

    return build


def _gather_grad(
    gradient: Tensor, indices: Tensor, shape: Tensor, axis: int = 0, batch_dims: int = 0
) -> Tensor | None:
    rank = indices.rank
    if axis or batch_dims or rank is None:
        return None
    one = np.array([1], np.int32)
    rows = F.strided_slice(shape, one * 0, one, one, shrink_axis_mask=1)
    tail = F.strided_slice(shape, one, one * 0, one, end_mask=1)
    flat = F.reshape(gradient, F.concat(-one, tail, axis=0))
    return F.unsorted_segment_sum(flat, F.reshape(indices, -one), rows)


EXPANSIONS: dict[str, Callable[..., Tensor | None]] = {
    "reduce_logsumexp": _logsumexp,
    "reduce_variance": _variance,
    "sigmoid_cross_entropy": _sigmoid_cross_entropy,
    "gelu": _gelu,
    "swish": _swish,
    "softmax": _softmax("softmax"),
    "log_softmax": _softmax("log_softmax"),
    "gather_grad": _gather_grad,
}
