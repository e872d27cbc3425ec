"""Metrics that are functions of (y_true, y_pred). Imports keras.core and keras.losses."""

from __future__ import annotations

from typing import Any

from graphc.ir.node import Tensor
from graphc.keras.core import math as K
from graphc.keras.core import nn
from graphc.keras.core.arrays import int_shape
from graphc.keras.core.config import floatx
from graphc.keras.losses import _pair, cosine_similarity
from graphc.ops.convert import convert_to_tensor
from graphc.tf1 import api_array, api_math

__all__ = [
    "accuracy", "binary_accuracy", "categorical_accuracy", "cosine_proximity",
    "sparse_categorical_accuracy", "sparse_top_k_categorical_accuracy",
    "top_k_categorical_accuracy",
]  # fmt: skip


def accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """1 where both are equal."""
    true, pred = _pair(y_true, y_pred)
    return K.cast(api_math.equal(true, pred), floatx())


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Tensor:
    """The share of outputs on the right side of the threshold."""
    true, pred = _pair(y_true, y_pred)
    above = K.cast(api_math.greater(pred, threshold), pred.dtype)
    return K.mean(K.cast(api_math.equal(true, above), floatx()), axis=-1)


def categorical_accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """1 where the greatest entries of both are in the same place."""
    same = api_math.equal(K.argmax(y_true, axis=-1), K.argmax(y_pred, axis=-1))
    return K.cast(same, floatx())


def _labels(y_true: Any, pred: Tensor) -> Tensor:
    """Numbers of classes without a last axis of extent 1."""
    true = convert_to_tensor(y_true)
    dims = int_shape(true)
    if dims is not None and pred.rank is not None and len(dims) == pred.rank:
        true = api_array.squeeze(true, [len(dims) - 1])
    return true


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """1 where the greatest entry is that of the class."""
    pred = convert_to_tensor(y_pred)
    true = _labels(y_true, pred)
    found = K.cast(K.argmax(pred, axis=-1), true.dtype)
    return K.cast(api_math.equal(true, found), floatx())


def _in_top_k(labels: Tensor, pred: Tensor, k: int) -> Tensor:
    """1 where a label is among the k greatest of its row; in the shape of the labels."""
    flat = pred
    if pred.rank is not None and pred.rank > 2:
        flat = api_array.reshape(pred, [-1, int_shape(pred)[-1]])
    rows = labels if labels.rank == 1 else api_array.reshape(labels, [-1])
    found = K.cast(nn.in_top_k(flat, rows, k), floatx())
    return found if labels.rank == 1 else api_array.reshape(found, api_array.shape(labels))


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Tensor:
    """1 where the class is among the k greatest entries."""
    return _in_top_k(K.argmax(y_true, axis=-1), convert_to_tensor(y_pred), k)


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Tensor:
    """1 where the class is among the k greatest entries."""
    pred = convert_to_tensor(y_pred)
    return _in_top_k(K.cast(_labels(y_true, pred), "int32"), pred, k)


def cosine_proximity(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """The cosine of the angle; as a loss it has the other sign."""
    return -cosine_similarity(y_true, y_pred, axis)
