"""Shapes of weights, labels and predictions, as losses and metrics match them.

Lives here: checks, broadcasting and squeezing. Not here: losses (tf1/losses.py), metrics. Imported
by them alone.
"""

from __future__ import annotations

from typing import Any

from graphc.ir.dtypes import float32
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F


def to_float(value: Any) -> Tensor:
    """The value as float32."""
    tensor = convert_to_tensor(value)
    return tensor if tensor.dtype is float32 else F.cast(tensor, dtype=float32)


def check_same_shape(predictions: Tensor, labels: Tensor) -> None:
    """Raises ValueError: "Shapes (2, 3) and (2,) are incompatible"."""
    if not predictions.shape.is_compatible_with(labels.shape):
        raise ValueError(f"Shapes {predictions.shape} and {labels.shape} are incompatible")


def check_weights(weights: Tensor, values: Tensor) -> None:
    """Weights are a scalar, or have the values' rank and in each axis its extent or 1.

    Raises:
        ValueError: "weights can not be broadcast to values. ...".
    """
    if weights.rank is None or values.rank is None or weights.rank == 0:
        return
    wide, values_wide = weights.shape.as_list(), values.shape.as_list()
    fits = len(wide) == len(values_wide) and all(
        w in (1, v) or w is None or v is None for w, v in zip(wide, values_wide)
    )
    if not fits:
        raise ValueError(
            f"weights can not be broadcast to values. values.rank={values.rank}. "
            f"weights.rank={weights.rank}. values.shape={values.shape}. "
            f"weights.shape={weights.shape}."
        )


def broadcast_weights(weights: Any, values: Tensor) -> Tensor:
    """Weights of the values' shape. Raises ValueError as check_weights."""
    given = convert_to_tensor(weights, graph=values.graph)
    check_weights(given, values)
    static = values.dims is not None and None not in values.shape.as_list()
    if static and given.dims == values.dims:
        return given
    with values.graph.name_scope("broadcast_weights") as scope:
        return F.multiply(given, F.ones_like(F.cast(values, dtype=given.dtype)), name=scope)


def squeeze_to_match(
    labels: Tensor, predictions: Tensor, rank_difference: int = 0
) -> tuple[Tensor, Tensor]:
    """Drops a last axis of extent 1 from the one whose rank is one too high."""
    if labels.rank is None or predictions.rank is None:
        return labels, predictions
    extra = predictions.rank - labels.rank
    if extra == rank_difference + 1 and predictions.shape.as_list()[-1] in (1, None):
        return labels, F.squeeze(predictions, axes=(-1,))
    if extra == rank_difference - 1 and labels.shape.as_list()[-1] in (1, None):
        return F.squeeze(labels, axes=(-1,)), predictions
    return labels, predictions


def squeeze_weights(weights: Any, values: Tensor) -> Tensor:
    """Weights with the values' rank: a last axis of 1 is dropped or added."""
    given = convert_to_tensor(weights, graph=values.graph)
    if given.rank in (0, None) or values.rank is None:
        return given
    extra = given.rank - values.rank
    if extra == 1 and given.shape.as_list()[-1] in (1, None):
        return F.squeeze(given, axes=(-1,))
    return F.expand_dims(given, axis=-1) if extra == -1 else given
