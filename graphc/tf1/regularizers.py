"""Regularizers of tf.contrib.layers and tf.keras.regularizers' simple forms.

Lives here: functions from weights to a scalar loss. Not here: who calls them (get_variable,
layers). Users find these names in graphc.contrib.layers.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Sequence
from typing import Any

from graphc.ir.graph import GraphKeys, get_default_graph
from graphc.ir.node import Tensor
from graphc.ops.convert import constant_tensor, convert_to_tensor
from graphc.ops.define import F

__all__ = [
    "apply_regularization", "l1_l2_regularizer", "l1_regularizer", "l2_regularizer",
    "sum_regularizer",
]  # fmt: skip

Regularizer = Callable[[Any], Any]


def _check(scale: Any, low: str = "greater than 0") -> None:
    if isinstance(scale, numbers.Integral):
        raise ValueError(f"scale cannot be an integer: {scale}")
    if isinstance(scale, numbers.Real) and scale < 0.0:
        raise ValueError(f"Setting a scale less than 0 on a regularizer: {scale:g}")


def _nothing(_: Any) -> None:
    """The regularizer of scale 0."""


def l1_regularizer(scale: Any, scope: str | None = None) -> Regularizer:
    """weights -> scale * sum(|weights|); a scale of 0.0 gives no loss.

    Raises:
        ValueError: an integer or negative scale.
    """
    _check(scale)
    if isinstance(scale, numbers.Real) and scale == 0.0:
        return _nothing

    def l1(weights: Any, name: str | None = None) -> Tensor:
        w = convert_to_tensor(weights)
        with w.graph.name_scope(scope or name or "l1_regularizer") as where:
            factor = convert_to_tensor(scale, w.dtype, "scale", graph=w.graph)
            total = F.reduce_sum(F.abs(w), axes=None, keepdims=False)
            return F.multiply(factor, total, name=where)

    return l1


def l2_regularizer(scale: Any, scope: str | None = None) -> Regularizer:
    """weights -> scale * sum(weights ** 2) / 2; a scale of 0.0 gives no loss.

    Raises:
        ValueError: an integer or negative scale.
    """
    _check(scale)
    if isinstance(scale, numbers.Real) and scale == 0.0:
        return _nothing

    def l2(weights: Any, name: str | None = None) -> Tensor:
        w = convert_to_tensor(weights)
        with w.graph.name_scope(scope or name or "l2_regularizer") as where:
            factor = convert_to_tensor(scale, w.dtype, "scale", graph=w.graph)
            return F.multiply(factor, F.l2_loss(w), name=where)

    return l2


def l1_l2_regularizer(
    scale_l1: Any = 1.0, scale_l2: Any = 1.0, scope: str | None = None
) -> Regularizer:
    """The sum of both. Raises ValueError as they do."""
    _check(scale_l1)
    _check(scale_l2)
    name = scope or "l1_l2_regularizer"
    if scale_l1 == 0.0:
        return l2_regularizer(scale_l2, name)
    if scale_l2 == 0.0:
        return l1_regularizer(scale_l1, name)
    return sum_regularizer([l1_regularizer(scale_l1), l2_regularizer(scale_l2)], scope=name)


def sum_regularizer(
    regularizer_list: Sequence[Regularizer | None], scope: str | None = None
) -> Any:
    """weights -> the sum of several regularizers' losses; None for an empty list."""
    parts = [r for r in regularizer_list if r is not None]
    if not parts:
        return None

    def total(weights: Any) -> Tensor | None:
        w = convert_to_tensor(weights)
        with w.graph.name_scope(scope or "sum_regularizer") as where:
            losses = [loss for loss in (r(weights) for r in parts) if loss is not None]
            return F.add_n(*losses, name=where) if losses else None

    return total


def apply_regularization(regularizer: Regularizer, weights_list: Any = None) -> Tensor:
    """The sum of `regularizer` over weights (default: the collection WEIGHTS), which is also
    added to REGULARIZATION_LOSSES; 0.0 for no weights.

    Raises:
        ValueError: no weights at all, or a result that is no scalar.
    """
    graph = get_default_graph()
    weights = graph.get_collection(GraphKeys.WEIGHTS) if weights_list is None else weights_list
    if not weights:
        raise ValueError("No weights to regularize.")
    with graph.name_scope("get_regularization_penalty") as scope:
        losses = [regularizer(w) for w in weights]
        losses = [constant_tensor(0.0, None) if loss is None else loss for loss in losses]
        for loss in losses:
            if loss.rank != 0:
                raise ValueError(
                    f"regularizer must return a scalar Tensor instead of a Tensor with rank "
                    f"{loss.rank}."
                )
        total: Tensor = F.add_n(*losses, name=scope)
    graph.add_to_collection(GraphKeys.REGULARIZATION_LOSSES, total)
    return total
