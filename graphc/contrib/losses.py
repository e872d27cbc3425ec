"""tf.contrib.losses: the older losses, which take predictions before labels.

Lives here: the order of arguments. Not here: the losses (tf1/losses.py).
"""

from __future__ import annotations

from typing import Any

from graphc.contrib import missing
from graphc.ir.node import Tensor
from graphc.tf1 import losses as new
from graphc.tf1.losses import (
    add_loss as add_loss,
)
from graphc.tf1.losses import (
    get_losses as get_losses,
)
from graphc.tf1.losses import (
    get_regularization_losses as get_regularization_losses,
)
from graphc.tf1.losses import (
    get_total_loss as get_total_loss,
)

__all__ = [
    "absolute_difference", "add_loss", "compute_weighted_loss", "cosine_distance", "get_losses",
    "get_regularization_losses", "get_total_loss", "hinge_loss", "log_loss",
    "mean_pairwise_squared_error", "mean_squared_error", "sigmoid_cross_entropy",
    "softmax_cross_entropy", "sparse_softmax_cross_entropy",
]  # fmt: skip

__getattr__ = missing("tf.contrib.losses")


def absolute_difference(
    predictions: Any, labels: Any = None, weights: Any = 1.0, scope: str | None = None
) -> Tensor:
    """The weighted mean of |predictions - labels|; see tf.losses.absolute_difference."""
    return new.absolute_difference(labels, predictions, weights, scope)


def mean_squared_error(
    predictions: Any, labels: Any = None, weights: Any = 1.0, scope: str | None = None
) -> Tensor:
    """The weighted mean of (predictions - labels) ** 2; see tf.losses.mean_squared_error."""
    return new.mean_squared_error(labels, predictions, weights, scope)


def mean_pairwise_squared_error(
    predictions: Any, labels: Any = None, weights: Any = 1.0, scope: str | None = None
) -> Tensor:
    """See tf.losses.mean_pairwise_squared_error."""
    return new.mean_pairwise_squared_error(labels, predictions, weights, scope)


def log_loss(
    predictions: Any,
    labels: Any = None,
    weights: Any = 1.0,
    epsilon: float = 1e-7,
    scope: str | None = None,
) -> Tensor:
    """See tf.losses.log_loss."""
    return new.log_loss(labels, predictions, weights, epsilon, scope)


def hinge_loss(logits: Any, labels: Any = None, scope: str | None = None) -> Tensor:
    """max(0, 1 - (2 * labels - 1) * logits), element by element: not reduced, not collected."""
    return new.hinge_loss(
        labels, logits, scope=scope, loss_collection=None, reduction=new.Reduction.NONE
    )


def cosine_distance(
    predictions: Any,
    labels: Any = None,
    axis: int | None = None,
    weights: Any = 1.0,
    scope: str | None = None,
    dim: int | None = None,
) -> Tensor:
    """See tf.losses.cosine_distance."""
    return new.cosine_distance(labels, predictions, axis, weights, scope, dim=dim)


def sigmoid_cross_entropy(
    logits: Any,
    multi_class_labels: Any,
    weights: Any = 1.0,
    label_smoothing: float = 0,
    scope: str | None = None,
) -> Tensor:
    """See tf.losses.sigmoid_cross_entropy."""
    return new.sigmoid_cross_entropy(
        multi_class_labels, logits, weights, label_smoothing, scope
    )


def softmax_cross_entropy(
    logits: Any,
    onehot_labels: Any,
    weights: Any = 1.0,
    label_smoothing: float = 0,
    scope: str | None = None,
) -> Tensor:
    """See tf.losses.softmax_cross_entropy."""
    return new.softmax_cross_entropy(onehot_labels, logits, weights, label_smoothing, scope)


def sparse_softmax_cross_entropy(
    logits: Any, labels: Any, weights: Any = 1.0, scope: str | None = None
) -> Tensor:
    """See tf.losses.sparse_softmax_cross_entropy."""
    return new.sparse_softmax_cross_entropy(labels, logits, weights, scope)


def compute_weighted_loss(losses: Any, weights: Any = 1.0, scope: str | None = None) -> Tensor:
    """See tf.losses.compute_weighted_loss."""
    return new.compute_weighted_loss(losses, weights, scope)
