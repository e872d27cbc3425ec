"""Ops that TensorFlow does not have, said in ops that it has: for files that it can read.

Lives here: EXPANSIONS, a function of a record's inputs and attributes. Not here: ops that compiled
plans expand (ops/ and passes/expand.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType
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


def _clip(t: Tensor, low: Tensor, high: Tensor) -> Tensor:
    # TensorFlow's op takes scalars or equal shapes only
    return F.maximum(F.minimum(t, high), low)


def _trunc(x: Tensor) -> Tensor:
    return F.select(F.less(x, F.zeros_like(x)), F.ceil(x), F.floor(x))


def _xor(x: Tensor, y: Tensor) -> Tensor:
    return F.logical_and(F.logical_or(x, y), F.logical_not(F.logical_and(x, y)))


def _eye(rows: Tensor, columns: Tensor, dtype: DType) -> Tensor:
    zero, one = np.int32(0), np.int32(1)
    down = F.expand_dims(F.range(zero, rows, one), axis=1)
    return F.cast(F.equal(down, F.range(zero, columns, one)), dtype=dtype)


def _sequence_mask(lengths: Tensor, maxlen: Tensor, dtype: DType) -> Tensor:
    steps = F.cast(F.range(np.int32(0), maxlen, np.int32(1)), dtype=lengths.dtype)
    return F.cast(F.less(steps, F.expand_dims(lengths, axis=-1)), dtype=dtype)


EXPANSIONS: dict[str, Callable[..., Tensor | None]] = {
    "reduce_logsumexp": _logsumexp,
    "reduce_variance": _variance,
    "sigmoid_cross_entropy": _sigmoid_cross_entropy,
    "gelu": _gelu,
    "swish": _swish,
    "softmax": _softmax("softmax"),
    "log_softmax": _softmax("log_softmax"),
    "gather_grad": _gather_grad,
    "clip_by_value": _clip,
    "trunc": _trunc,
    "logical_xor": _xor,
    "eye": _eye,
    "sequence_mask": _sequence_mask,
}
