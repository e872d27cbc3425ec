"""The metrics of tf.metrics that count right and wrong classes.

Lives here: true_positives to recall, mean_iou, mean_per_class_accuracy. Not here: counts at many
thresholds (tf1/metrics_thresholds.py). Users find these names in graphc.metrics.
"""

from __future__ import annotations

from typing import Any

from graphc.ir.dtypes import float32, float64, int64
from graphc.ir.node import Tensor
from graphc.ops.convert import constant_tensor, convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.losses_weights import check_same_shape, squeeze_weights
from graphc.tf1.metrics_base import (
    Metric,
    as_bool,
    collect,
    flat,
    matched,
    metric_variable,
    quotient,
    spread,
    total,
)
from graphc.tf1.variable_scope import variable_scope

__all__ = [
    "false_negatives", "false_positives", "mean_iou", "mean_per_class_accuracy", "precision",
    "recall", "true_negatives", "true_positives",
]  # fmt: skip


def _counting(name_: str, label: bool, prediction: bool) -> Any:
    def count(
        labels: Any,
        predictions: Any,
        weights: Any = None,
        metrics_collections: Any = None,
        updates_collections: Any = None,
        name: str | None = None,
    ) -> Metric:
        with variable_scope(name, name_, (predictions, labels, weights)):
            y, p, factors = matched(as_bool(labels), as_bool(predictions), weights)
            hits = F.logical_and(
                y if label else F.logical_not(y), p if prediction else F.logical_not(p)
            )
            number = metric_variable((), float32, "count")
            values = F.cast(hits, dtype=float32)
            if factors is not None:
                values = F.multiply(values, spread(factors, values))
            value = F.identity(number)
            update = number.assign_add(total(values))
            collect(value, update, metrics_collections, updates_collections)
        return value, update

    count.__name__ = count.__qualname__ = name_
    count.__doc__ = f"""The weighted number of {name_.replace("_", " ")} (tf.metrics.{name_}).

    Args:
        labels, predictions: of one shape, read as bools. weights: a scalar, or of their rank.
        Others: see tf.metrics.mean.

    Returns:
        (the number as it stands, an op that takes the values in and gives the new number).
    """
    return count


true_positives = _counting("true_positives", True, True)
false_positives = _counting("false_positives", False, True)
true_negatives = _counting("true_negatives", False, False)
false_negatives = _counting("false_negatives", True, False)


def _ratio(name_: str, other: Any, doc: str) -> Any:
    def ratio(
        labels: Any,
        predictions: Any,
        weights: Any = None,
        metrics_collections: Any = None,
        updates_collections: Any = None,
        name: str | None = None,
    ) -> Metric:
        with variable_scope(name, name_, (predictions, labels, weights)):
            operands = (as_bool(labels), as_bool(predictions), weights)
            hits, hits_update = true_positives(*operands)
            misses, misses_update = other(*operands)
            value = quotient(hits, hits + misses, "value")
            update = quotient(hits_update, hits_update + misses_update, "update_op")
            collect(value, update, metrics_collections, updates_collections)
        return value, update

    ratio.__name__ = ratio.__qualname__ = name_
    ratio.__doc__ = f"""{doc} (tf.metrics.{name_}); 0 for none.

    Args: as true_positives'. Returns: (the ratio as it stands, an op that updates it).
    """
    return ratio


precision = _ratio(
    "precision", false_positives, "The share of true positives among predicted positives"
)
recall = _ratio(
    "recall", false_negatives, "The share of true positives among actual positives"
)


def _flat_operands(
    labels: Any, predictions: Any, weights: Any
) -> tuple[Tensor, Tensor, Tensor | None]:
    p = convert_to_tensor(predictions)
    y = convert_to_tensor(labels, graph=p.graph)
    check_same_shape(p, y)
    if weights is None:
        return flat(y), flat(p), None
    factors = convert_to_tensor(weights, graph=p.graph)
    if factors.rank == 0:
        return flat(y), flat(p), factors
    return flat(y), flat(p), flat(spread(squeeze_weights(factors, p), p))


def mean_iou(
    labels: Any,
    predictions: Any,
    num_classes: int,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The mean over classes of true positives / (true + false positives + false negatives).

    Args:
        labels, predictions: class numbers of one shape. weights: a scalar or of their shape.

    Returns:
        (the mean over the classes seen so far, an op that takes the values in and gives the
        confusion matrix).
    """
    from graphc.tf1.api_linalg import diag_part
    from graphc.tf1.api_segment import confusion_matrix

    with variable_scope(name, "mean_iou", (predictions, labels, weights)):
        y, p, factors = _flat_operands(labels, predictions, weights)
        if factors is not None:
            factors = spread(factors, F.cast(p, dtype=float64), float64)
        matrix = metric_variable((num_classes, num_classes), float64, "total_confusion_matrix")
        now = confusion_matrix(
            F.cast(y, dtype=int64), F.cast(p, dtype=int64), num_classes, dtype=float64,
            weights=factors,
        )  # fmt: skip
        update = matrix.assign_add(now)
        seen = F.cast(convert_to_tensor(matrix), dtype=float32)
        hits = diag_part(seen)
        sides = [F.reduce_sum(seen, axes=(a,), keepdims=False) for a in (0, 1)]
        union = sides[0] + sides[1] - hits
        zero = constant_tensor(0.0, float32)
        classes = total(F.cast(F.not_equal(union, zero), dtype=float32))
        ratios = F.div_no_nan(hits, union)
        value = F.div_no_nan(F.reduce_sum(ratios, axes=None, keepdims=False, name="mean_iou"),
                             classes)  # fmt: skip
        collect(value, update, metrics_collections, updates_collections)
    return value, update


def mean_per_class_accuracy(
    labels: Any,
    predictions: Any,
    num_classes: int,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The mean over classes of the share of their samples that were predicted.

    Returns:
        (the mean, an op that takes the values in and gives each class's accuracy).
    """
    with variable_scope(name, "mean_accuracy", (predictions, labels, weights)):
        y, p, factors = _flat_operands(labels, predictions, weights)
        y = F.cast(y, dtype=int64)
        sums = metric_variable((num_classes,), float32, "total")
        count = metric_variable((num_classes,), float32, "count")
        right = F.cast(F.equal(F.cast(p, dtype=int64), y), dtype=float32)
        ones = F.ones_like(right)
        if factors is not None:
            factors = spread(factors, right)
            right, ones = F.multiply(right, factors), F.multiply(ones, factors)
        sums_update = F.scatter_add(sums, y, ones)
        count_update = F.scatter_add(count, y, right)
        ratios = quotient(count, sums, None)
        value = F.reduce_mean(ratios, axes=None, keepdims=False, name="mean_accuracy")
        update = quotient(count_update, sums_update, "update_op")
        collect(value, update, metrics_collections, updates_collections)
    return value, update
