"""tf.losses: losses with weights and reductions, and the collection LOSSES.

Lives here: the losses, compute_weighted_loss, what gathers losses. Not here: cross-entropies of
tf.nn (tf1/api_losses.py), the rules of weights (tf1/losses_weights.py). Users find these names in
graphc.losses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ir.dtypes import float32
from graphc.ir.graph import GraphKeys, get_default_graph
from graphc.ir.node import Tensor
from graphc.ops.convert import constant_tensor, convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_losses
from graphc.tf1.losses_weights import (
    broadcast_weights,
    check_same_shape,
    check_weights,
    squeeze_to_match,
    squeeze_weights,
    to_float,
)
from graphc.tf1.scopes import name_scope

__all__ = [
    "Reduction", "absolute_difference", "add_loss", "compute_weighted_loss", "cosine_distance",
    "get_losses", "get_regularization_loss", "get_regularization_losses", "get_total_loss",
    "hinge_loss", "huber_loss", "log_loss", "mean_pairwise_squared_error", "mean_squared_error",
    "sigmoid_cross_entropy", "softmax_cross_entropy", "sparse_softmax_cross_entropy",
]  # fmt: skip

_ALL: dict[str, Any] = {"axes": None, "keepdims": False}
LOSSES = GraphKeys.LOSSES


class Reduction:
    """How losses become one (tf.losses.Reduction)."""

    NONE = "none"
    SUM = "weighted_sum"
    SUM_OVER_BATCH_SIZE = "weighted_sum_over_batch_size"
    MEAN = "weighted_mean"
    SUM_BY_NONZERO_WEIGHTS = "weighted_sum_by_nonzero_weights"
    SUM_OVER_NONZERO_WEIGHTS = SUM_BY_NONZERO_WEIGHTS

    @classmethod
    def all(cls) -> tuple[str, ...]:
        return (
            cls.NONE, cls.SUM, cls.MEAN, cls.SUM_OVER_BATCH_SIZE, cls.SUM_OVER_NONZERO_WEIGHTS,
            cls.SUM_BY_NONZERO_WEIGHTS,
        )  # fmt: skip

    @classmethod
    def validate(cls, key: str) -> None:
        """Raises ValueError for anything else."""
        if key not in cls.all():
            raise ValueError(f"Invalid Reduction Key {key}.")


DEFAULT = Reduction.SUM_BY_NONZERO_WEIGHTS


# ------------------------------------------------------------------ reduction
def _operands(labels: Any, predictions: Any) -> tuple[Tensor, Tensor]:
    """Both as float32 of one shape."""
    if labels is None:
        raise ValueError("labels must not be None.")
    if predictions is None:
        raise ValueError("predictions must not be None.")
    p, y = to_float(predictions), to_float(labels)
    check_same_shape(p, y)
    return y, p


def _present(weights: Tensor, losses: Tensor, axes: Any = None) -> Tensor:
    """The number of losses whose weight is not 0, over all axes or for each sample."""
    graph = losses.graph
    with graph.name_scope("num_present") as scope:
        zero = constant_tensor(0.0, float32, graph=graph)
        flags = F.cast(F.not_equal(to_float(weights), zero), dtype=float32)
        flags = broadcast_weights(flags, losses)
        if axes is None:
            return F.reduce_sum(flags, **_ALL, name=scope)
        return F.reduce_sum(flags, axes=axes, keepdims=True, name=scope)


def _count(losses: Tensor) -> Tensor:
    with losses.graph.name_scope("num_elements") as scope:
        return F.cast(F.size(losses), dtype=float32, name=scope)


def compute_weighted_loss(
    losses: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: Any = LOSSES,
    reduction: str = DEFAULT,
) -> Tensor:
    """losses * weights, reduced to one loss that is added to a collection.

    Args:
        losses: any shape. weights: a scalar, or of the losses' rank with extents equal or 1.
        loss_collection: None adds it nowhere.
        reduction: NONE keeps the shape; SUM; MEAN divides by the sum of the weights;
            SUM_OVER_BATCH_SIZE by the number of losses; SUM_BY_NONZERO_WEIGHTS by the number of
            losses with a weight other than 0. A division by 0 gives 0.

    Raises:
        ValueError: an unknown reduction, or weights of another shape.
    """
    Reduction.validate(reduction)
    values = convert_to_tensor(losses)
    with name_scope(scope, "weighted_loss", (losses, weights)):
        # `weights == 1` without a tensor keeps the graph small; x * 1.0 is x
        factors = to_float(convert_to_tensor(weights, graph=values.graph))
        check_weights(factors, values)
        weighted = F.multiply(to_float(values), factors)
        loss = _reduced(weighted, factors, reduction)
        if loss.dtype is not values.dtype:
            loss = F.cast(loss, dtype=values.dtype)
    add_loss(loss, loss_collection)
    return loss


def _reduced(weighted: Tensor, weights: Tensor, reduction: str) -> Tensor:
    if reduction == Reduction.NONE:
        return weighted
    total = F.reduce_sum(weighted, **_ALL)
    if reduction == Reduction.SUM:
        return total
    if reduction == Reduction.MEAN:
        count = F.reduce_sum(broadcast_weights(weights, weighted), **_ALL)
    elif reduction == Reduction.SUM_OVER_BATCH_SIZE:
        count = _count(weighted)
    else:
        count = _present(weights, weighted)
    return F.div_no_nan(total, count, name="value")


def _weighted(
    name: str, losses: Callable[[], Tensor], weights: Any, options: tuple[Any, Any, str]
) -> Tensor:
    """compute_weighted_loss of `losses()` in the scope of a loss."""
    scope, collection, reduction = options
    if weights is None:
        raise ValueError("`weights` cannot be None")
    with name_scope(scope, name) as where:
        return compute_weighted_loss(losses(), weights, where, collection, reduction)


# ------------------------------------------------------------------ distances
def absolute_difference(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: Any = LOSSES,
    reduction: str = DEFAULT,
) -> Tensor:
    """|predictions - labels|, weighted and reduced; see compute_weighted_loss.

    Raises:
        ValueError: "Shapes (2, 3) and (2,) are incompatible".
    """

    def losses() -> Tensor:
        y, p = _operands(labels, predictions)
        return F.abs(p - y)

    return _weighted(
        "absolute_difference", losses, weights, (scope, loss_collection, reduction)
    )


def mean_squared_error(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: Any = LOSSES,
    reduction: str = DEFAULT,
) -> Tensor:
    """(predictions - labels) ** 2, weighted and reduced; see compute_weighted_loss."""

    def losses() -> Tensor:
        y, p = _operands(labels, predictions)
        return F.squared_difference(p, y)

    return _weighted("mean_squared_error", losses, weights, (scope, loss_collection, reduction))


def huber_loss(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    delta: float = 1.0,
    scope: str | None = None,
    loss_collection: Any = LOSSES,
    reduction: str = DEFAULT,
) -> Tensor:
    """error ** 2 / 2 up to |error| = delta, then linear; see compute_weighted_loss."""

    def losses() -> Tensor:
        y, p = _operands(labels, predictions)
        error = F.abs(p - y)
        limit = convert_to_tensor(delta, float32, graph=p.graph)
        quadratic = F.minimum(error, limit)
        # the linear part as a difference has the gradient of one of the two, never of both
        linear = error - quadratic
        return F.add(0.5 * (quadratic * quadratic), limit * linear)

    return _weighted("huber_loss", losses, weights, (scope, loss_collection, reduction))


def log_loss(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    epsilon: float = 1e-7,
    scope: str | None = None,
    loss_collection: Any = LOSSES,
    reduction: str = DEFAULT,
) -> Tensor:
    """-labels * log(p + epsilon) - (1 - labels) * log(1 - p + epsilon) of probabilities p."""

    def losses() -> Tensor:
        y, p = _operands(labels, predictions)
        one: Any = 1
        return -(y * F.log(p + epsilon)) - (one - y) * F.log(one - p + epsilon)

    return _weighted("log_loss", losses, weights, (scope, loss_collection, reduction))


def hinge_loss(
    labels: Any,
    logits: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: Any = LOSSES,
    reduction: str = DEFAULT,
) -> Tensor:
    """max(0, 1 - (2 * labels - 1) * logits) for labels of 0 and 1."""

    def losses() -> Tensor:
        y, scores = _operands(labels, logits)
        one: Any = 1
        signs = 2 * y - one
        return F.relu(one - signs * scores)

    return _weighted("hinge_loss", losses, weights, (scope, loss_collection, reduction))


def cosine_distance(
    labels: Any,
    predictions: Any,
    axis: int | None = None,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: Any = LOSSES,
    reduction: str = DEFAULT,
    dim: int | None = None,
) -> Tensor:
    """1 - sum(labels * predictions) along `axis`, for unit vectors.

    Raises:
        ValueError: "You must specify 'axis'.".
    """
    from graphc.tf1.arguments import renamed

    along = renamed("dim", dim, "axis", axis)
    if along is None:
        raise ValueError("You must specify 'axis'.")

    def losses() -> Tensor:
        y, p = _operands(labels, predictions)
        one: Any = 1
        result: Tensor = one - F.reduce_sum(p * y, axes=(int(along),), keepdims=True)
        return result

    return _weighted(
        "cosine_distance_loss", losses, weights, (scope, loss_collection, reduction)
    )


def mean_pairwise_squared_error(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: Any = LOSSES,
) -> Tensor:
    """The mean squared difference between the errors of all pairs of one sample, summed.

    Args:
        labels, predictions: rank at least 1, first the samples.
        weights: a scalar, or of the labels' rank.
    """
    if weights is None:
        raise ValueError("`weights` cannot be None")
    with name_scope(scope, "mean_pairwise_squared_error"):
        y, p = _operands(labels, predictions)
        factors = to_float(convert_to_tensor(weights, graph=p.graph))
        check_weights(factors, y)
        error: Tensor = p - y
        axes = tuple(range(1, error.rank or 1))

        def total(t: Any) -> Tensor:
            return F.reduce_sum(t, axes=axes, keepdims=True)

        present = _present(factors, error, axes)
        zero: Any = 0.0
        pairs = F.maximum(present * (present - 1), zero)
        squares = F.div_no_nan(total(F.square(error)), F.maximum(present - 1, zero), name="value")
        sums = F.div_no_nan(F.square(total(error)), pairs, name="value")
        loss = F.reduce_sum(F.multiply(2.0 * squares - 2.0 * sums, factors), **_ALL)
        some = F.greater(F.reduce_sum(present, **_ALL), zero)
        mean = F.select_v2(some, loss, F.zeros_like(loss), name="value")
    add_loss(mean, loss_collection)
    return mean


# ------------------------------------------------------------------ cross-entropies
def sigmoid_cross_entropy(
    multi_class_labels: Any,
    logits: Any,
    weights: Any = 1.0,
    label_smoothing: float = 0,
    scope: str | None = None,
    loss_collection: Any = LOSSES,
    reduction: str = DEFAULT,
) -> Tensor:
    """tf.nn.sigmoid_cross_entropy_with_logits, weighted and reduced.

    Args:
        label_smoothing: s moves the labels to labels * (1 - s) + s / 2.
    """
    _require(logits=logits, multi_class_labels=multi_class_labels)

    def losses() -> Tensor:
        scores = convert_to_tensor(logits)
        targets = _in_dtype(multi_class_labels, scores)
        check_same_shape(scores, targets)
        if label_smoothing > 0:
            targets = targets * (1 - label_smoothing) + 0.5 * label_smoothing
        return api_losses.sigmoid_cross_entropy_with_logits(
            labels=targets, logits=scores, name="xentropy"
        )

    options = (scope, loss_collection, reduction)
    return _weighted("sigmoid_cross_entropy_loss", losses, weights, options)


def softmax_cross_entropy(
    onehot_labels: Any,
    logits: Any,
    weights: Any = 1.0,
    label_smoothing: float = 0,
    scope: str | None = None,
    loss_collection: Any = LOSSES,
    reduction: str = DEFAULT,
) -> Tensor:
    """tf.nn.softmax_cross_entropy_with_logits, weighted and reduced; no gradient to the labels.

    Args:
        onehot_labels: of the logits' shape. weights: a scalar or one for each sample.
        label_smoothing: s moves the labels to labels * (1 - s) + s / classes.
    """
    _require(logits=logits, onehot_labels=onehot_labels)

    def losses() -> Tensor:
        scores = convert_to_tensor(logits)
        targets = _in_dtype(onehot_labels, scores)
        check_same_shape(scores, targets)
        if label_smoothing > 0:
            classes = F.cast(F.shape(targets)[-1], dtype=scores.dtype)
            targets = targets * (1.0 - label_smoothing) + label_smoothing / classes
        targets = F.stop_gradient(targets, name="labels_stop_gradient")
        return api_losses.softmax_cross_entropy_with_logits_v2(
            labels=targets, logits=scores, name="xentropy"
        )

    options = (scope, loss_collection, reduction)
    return _weighted("softmax_cross_entropy_loss", losses, weights, options)


def sparse_softmax_cross_entropy(
    labels: Any,
    logits: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: Any = LOSSES,
    reduction: str = DEFAULT,
) -> Tensor:
    """tf.nn.sparse_softmax_cross_entropy_with_logits, weighted and reduced.

    Args:
        labels: class numbers, of the logits' shape without the last axis; a last axis of 1 is
            dropped. weights: a scalar or one for each sample.
    """
    _require(logits=logits, labels=labels)
    scores = convert_to_tensor(logits)
    targets = convert_to_tensor(labels, graph=scores.graph)
    with name_scope(scope, "sparse_softmax_cross_entropy_loss") as where:
        targets, scores = squeeze_to_match(targets, scores, 1)
        losses = api_losses.sparse_softmax_cross_entropy_with_logits(
            labels=targets, logits=scores, name="xentropy"
        )
        factors = squeeze_weights(weights, losses)
        return compute_weighted_loss(losses, factors, where, loss_collection, reduction)


def _require(**operands: Any) -> None:
    for name, value in operands.items():
        if value is None:
            raise ValueError(f"{name} must not be None.")


def _in_dtype(labels: Any, scores: Tensor) -> Tensor:
    targets = convert_to_tensor(labels, graph=scores.graph)
    return targets if targets.dtype is scores.dtype else F.cast(targets, dtype=scores.dtype)


# ------------------------------------------------------------------ collections
def add_loss(loss: Any, loss_collection: Any = LOSSES) -> None:
    """Adds a loss of the user's own to a collection; None adds it nowhere."""
    if loss_collection:
        get_default_graph().add_to_collection(loss_collection, loss)


def get_losses(scope: str | None = None, loss_collection: Any = LOSSES) -> list[Any]:
    """The losses so far; `scope` filters by a prefix of names."""
    return get_default_graph().get_collection(loss_collection, scope)


def get_regularization_losses(scope: str | None = None) -> list[Any]:
    """The losses of regularizers so far; `scope` filters by a prefix of names."""
    return get_default_graph().get_collection(GraphKeys.REGULARIZATION_LOSSES, scope)


def get_regularization_loss(
    scope: str | None = None, name: str = "total_regularization_loss"
) -> Tensor:
    """The sum of the regularizers' losses; 0.0 for none."""
    losses = get_regularization_losses(scope)
    if not losses:
        return constant_tensor(0.0, float32)
    return F.add_n(*losses, name=name)


def get_total_loss(
    add_regularization_losses: bool = True, name: str = "total_loss", scope: str | None = None
) -> Tensor:
    """The sum of the losses so far, by default with the regularizers'.

    Raises:
        ValueError: no losses.
    """
    losses = get_losses(scope)
    if add_regularization_losses:
        losses += get_regularization_losses(scope)
    if not losses:
        raise ValueError("There are no losses to add up.")
    return F.add_n(*losses, name=name)
