"""TF1's cross-entropies of tf.nn, with their argument checks.

Lives here: softmax_cross_entropy_with_logits to log_poisson_loss. Not here: tf.losses, records
(ops/losses.py). Imports ops. Users find these names in graphc.nn; tf1/api_nn.py exports them.
"""

from __future__ import annotations

import math
from typing import Any

from graphc.ir.node import Tensor
from graphc.ir.shape import is_static, merge_shapes, shape_text
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.arguments import renamed, static_int

__all__ = [
    "log_poisson_loss", "sigmoid_cross_entropy_with_logits", "softmax_cross_entropy_with_logits",
    "softmax_cross_entropy_with_logits_v2", "sparse_softmax_cross_entropy_with_logits",
    "weighted_cross_entropy_with_logits",
]  # fmt: skip


def _check_named(function: str, sentinel: Any, labels: Any, logits: Any) -> None:
    """Labels and logits are easily exchanged: they must be named.

    Raises:
        ValueError: "Only call `...` with named arguments (labels=..., logits=..., ...)".
    """
    if sentinel is not None:
        raise ValueError(
            f"Only call `{function}` with named arguments (labels=..., logits=..., ...)"
        )
    if labels is None or logits is None:
        raise ValueError("Both labels and logits must be provided.")


def _check_same_shape(first: str, a: Tensor, second: str, b: Tensor) -> None:
    try:
        merge_shapes(a.dims, b.dims)
    except ValueError:
        raise ValueError(
            f"{first} and {second} must have the same shape "
            f"({shape_text(a.dims)} vs {shape_text(b.dims)})"
        ) from None


# ------------------------------------------------------------------ softmax
def softmax_cross_entropy_with_logits_v2(
    _sentinel: Any = None,
    labels: Any = None,
    logits: Any = None,
    axis: Any = None,
    name: str | None = None,
    dim: Any = None,
) -> Tensor:
    """-sum(labels * log(softmax(logits))) along an axis; gradients go to labels as well.

    Args:
        labels: distributions of logits' shape and dtype. axis: the classes, the last by default.

    Raises:
        ValueError: positional arguments, or shapes that do not match.
    """
    _check_named("softmax_cross_entropy_with_logits", _sentinel, labels, logits)
    along = renamed("dim", dim, "axis", axis)
    scores = convert_to_tensor(logits)
    with scores.graph.name_scope(name or "softmax_cross_entropy_with_logits") as scope:
        targets = convert_to_tensor(labels, scores.dtype, graph=scores.graph)
        at = -1 if along is None else static_int(along, "axis")
        if at != -1 and (scores.rank is None or at % scores.rank != scores.rank - 1):
            scores, targets = (_axis_last(t, at) for t in (scores, targets))
        loss: Tensor = F.softmax_cross_entropy(scores, targets, name=scope)[0]
        return loss


def _axis_last(x: Tensor, axis: int) -> Tensor:
    if x.rank is None:
        raise ValueError(f"Cross-entropy along axis {axis} needs the rank of {x}.")
    order = [a for a in range(x.rank) if a != axis % x.rank]
    return F.transpose(x, perm=(*order, axis % x.rank))


def softmax_cross_entropy_with_logits(
    _sentinel: Any = None,
    labels: Any = None,
    logits: Any = None,
    dim: Any = -1,
    name: str | None = None,
    axis: Any = None,
) -> Tensor:
    """softmax_cross_entropy_with_logits_v2 without a gradient to the labels.

    Raises:
        ValueError: "Only call `softmax_cross_entropy_with_logits` with named arguments
        (labels=..., logits=..., ...)"; shapes that do not match.
    """
    _check_named("softmax_cross_entropy_with_logits", _sentinel, labels, logits)
    scores = convert_to_tensor(logits)
    with scores.graph.name_scope(name or "softmax_cross_entropy_with_logits_sg"):
        fixed = convert_to_tensor(labels, scores.dtype, graph=scores.graph)
        fixed = F.stop_gradient(fixed, name="labels_stop_gradient")
    return softmax_cross_entropy_with_logits_v2(
        labels=fixed, logits=scores, axis=dim if axis is None else axis, name=name
    )


def sparse_softmax_cross_entropy_with_logits(
    _sentinel: Any = None,
    labels: Any = None,
    logits: Any = None,
    name: str | None = None,
) -> Tensor:
    """-log(softmax(logits)) at the class numbers `labels`.

    Args:
        labels: int32 or int64, of logits' shape without its last axis.

    Raises:
        ValueError: positional arguments, ranks or shapes that do not match.
        InvalidArgumentError (when run): "Received a label value of 10 which is outside the valid
        range of [0, 10)."
    """
    _check_named("sparse_softmax_cross_entropy_with_logits", _sentinel, labels, logits)
    scores = convert_to_tensor(logits)
    targets = convert_to_tensor(labels, graph=scores.graph)
    _check_sparse_shapes(targets, scores)
    scope = "SparseSoftmaxCrossEntropyWithLogits"
    with scores.graph.name_scope(name or scope):
        loss: Tensor = F.sparse_softmax_cross_entropy(scores, targets, name=scope)[0]
        return loss


def _check_sparse_shapes(labels: Tensor, logits: Tensor) -> None:
    if logits.rank == 0:
        raise ValueError(
            f"Logits cannot be scalars - received shape {shape_text(logits.dims)}."
        )
    if logits.rank is None or labels.rank is None:
        return
    if labels.rank != logits.rank - 1:
        raise ValueError(
            f"Rank mismatch: Rank of labels (received {labels.rank}) should equal rank of logits "
            f"minus 1 (received {logits.rank})."
        )
    assert logits.dims is not None
    if is_static(labels.dims) and is_static(logits.dims) and labels.dims != logits.dims[:-1]:
        raise ValueError(
            f"Shape mismatch: The shape of labels (received {shape_text(labels.dims)}) should "
            f"equal the shape of logits except for the last dimension (received "
            f"{shape_text(logits.dims)})."
        )


# ------------------------------------------------------------------ independent classes
def sigmoid_cross_entropy_with_logits(
    _sentinel: Any = None,
    labels: Any = None,
    logits: Any = None,
    name: str | None = None,
) -> Tensor:
    """-labels * log(sigmoid(logits)) - (1 - labels) * log(1 - sigmoid(logits)), elementwise.

    Raises:
        ValueError: positional arguments; "logits and labels must have the same shape".
    """
    _check_named("sigmoid_cross_entropy_with_logits", _sentinel, labels, logits)
    scores = convert_to_tensor(logits)
    targets = convert_to_tensor(labels, scores.dtype, graph=scores.graph)
    _check_same_shape("logits", scores, "labels", targets)
    return F.sigmoid_cross_entropy(scores, targets, name=name)


def weighted_cross_entropy_with_logits(
    labels: Any = None,
    logits: Any = None,
    pos_weight: Any = None,
    name: str | None = None,
    targets: Any = None,
) -> Tensor:
    """sigmoid_cross_entropy_with_logits with the positive term weighted by pos_weight.

    Raises:
        ValueError: "logits and targets must have the same shape".
    """
    scores = convert_to_tensor(logits)
    given = renamed("targets", targets, "labels", labels)
    positive = convert_to_tensor(given, scores.dtype, graph=scores.graph)
    _check_same_shape("logits", scores, "targets", positive)
    with scores.graph.name_scope(name or "logistic_loss") as scope:
        weight = 1 + (convert_to_tensor(pos_weight, scores.dtype) - 1) * positive
        # softplus(-x) is the stable form of log(1 + exp(-x))
        return F.add((1 - positive) * scores, weight * F.softplus(-scores), name=scope)


def log_poisson_loss(
    targets: Any, log_input: Any, compute_full_loss: bool = False, name: str | None = None
) -> Tensor:
    """exp(log_input) - log_input * targets, the negative log-likelihood of counts.

    Args:
        compute_full_loss: add Stirling's approximation of log(targets!).

    Raises:
        ValueError: "log_input and targets must have the same shape".
    """
    rate = convert_to_tensor(log_input)
    counts = convert_to_tensor(targets, rate.dtype, graph=rate.graph)
    _check_same_shape("log_input", rate, "targets", counts)
    with rate.graph.name_scope(name or "log_poisson_loss"):
        result: Tensor = F.exp(rate) - rate * counts
        if not compute_full_loss:
            return result
        stirling = counts * F.log(counts) - counts + 0.5 * F.log(2.0 * math.pi * counts)
        small = F.logical_and(F.greater_equal(counts, 0), F.less_equal(counts, 1))
        return result + F.select_v2(small, F.zeros_like(counts), stirling)
