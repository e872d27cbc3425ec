"""tf.contrib.metrics: older names of metrics, which take predictions before labels.

Lives here: those names, accuracy of one batch, f1_score, correlation. Not here: tf.metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphc.contrib import missing
from graphc.ir.dtypes import float32
from graphc.ir.graph import get_default_graph
from graphc.ir.node import Tensor
from graphc.ops.convert import constant_tensor, convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import metrics_confusion, metrics_mean, metrics_ranking, metrics_thresholds
from graphc.tf1.losses_weights import check_same_shape
from graphc.tf1.metrics_base import (
    Metric,
    collect,
    metric_variable,
    quotient,
    spread,
    to_float,
    total,
)
from graphc.tf1.scopes import name_scope
from graphc.tf1.variable_scope import variable_scope

__all__ = [
    "accuracy", "aggregate_metric_map", "aggregate_metrics", "f1_score", "streaming_accuracy",
    "streaming_auc", "streaming_covariance", "streaming_false_negatives",
    "streaming_false_positives", "streaming_mean", "streaming_mean_absolute_error",
    "streaming_mean_iou", "streaming_mean_squared_error", "streaming_pearson_correlation",
    "streaming_percentage_less", "streaming_precision", "streaming_recall",
    "streaming_recall_at_k", "streaming_root_mean_squared_error", "streaming_true_negatives",
    "streaming_true_positives",
]  # fmt: skip

__getattr__ = missing("tf.contrib.metrics")


def accuracy(
    predictions: Any, labels: Any, weights: Any = None, name: str | None = None
) -> Tensor:
    """The weighted share of predictions that equal labels, of this batch alone.

    Raises:
        ValueError: dtypes or shapes that differ, or a floating dtype.
    """
    p = convert_to_tensor(predictions)
    y = convert_to_tensor(labels, graph=p.graph)
    if not (y.dtype.is_integer or y.dtype.is_bool or y.dtype.name == "string"):
        raise ValueError(
            f"Labels should have bool, integer or string dtype, not {y.dtype.name}"
        )
    if y.dtype is not p.dtype:
        raise ValueError(
            f"Dtypes of predictions and labels should match: {p.dtype.name}, {y.dtype.name}"
        )
    check_same_shape(p, y)
    with name_scope(name, "accuracy", [p, y]):
        right = F.cast(F.equal(p, y), dtype=float32)
        if weights is None:
            return F.reduce_mean(right, axes=None, keepdims=False)
        factors = spread(weights, right)
        return F.divide(total(F.multiply(right, factors)), total(factors))


def _swapped(metric: Callable[..., Any], name_: str) -> Callable[..., Metric]:
    def streaming(
        predictions: Any, labels: Any, *args: Any, weights: Any = None, **options: Any
    ) -> Metric:
        given = (*args,) if weights is None else (*args, weights)
        result: Metric = metric(labels, predictions, *given, **options)
        return result

    streaming.__name__ = streaming.__qualname__ = name_
    streaming.__doc__ = f"""tf.metrics.{metric.__name__} with predictions before labels."""
    return streaming


streaming_accuracy = _swapped(metrics_mean.accuracy, "streaming_accuracy")
streaming_mean = metrics_mean.mean
streaming_mean_absolute_error = _swapped(
    metrics_mean.mean_absolute_error, "streaming_mean_absolute_error"
)
streaming_mean_squared_error = _swapped(
    metrics_mean.mean_squared_error, "streaming_mean_squared_error"
)
streaming_root_mean_squared_error = _swapped(
    metrics_mean.root_mean_squared_error, "streaming_root_mean_squared_error"
)
streaming_percentage_less = metrics_mean.percentage_below
streaming_true_positives = _swapped(metrics_confusion.true_positives, "streaming_true_positives")
streaming_true_negatives = _swapped(metrics_confusion.true_negatives, "streaming_true_negatives")
streaming_false_positives = _swapped(
    metrics_confusion.false_positives, "streaming_false_positives"
)
streaming_false_negatives = _swapped(
    metrics_confusion.false_negatives, "streaming_false_negatives"
)
streaming_precision = _swapped(metrics_confusion.precision, "streaming_precision")
streaming_recall = _swapped(metrics_confusion.recall, "streaming_recall")
streaming_mean_iou = _swapped(metrics_confusion.mean_iou, "streaming_mean_iou")
streaming_auc = _swapped(metrics_thresholds.auc, "streaming_auc")
streaming_recall_at_k = _swapped(metrics_ranking.recall_at_k, "streaming_recall_at_k")


def f1_score(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    num_thresholds: int = 200,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The best harmonic mean of precision and recall over evenly spread thresholds.

    Args:
        labels: read as bools. predictions: numbers in [0, 1].
    """
    with variable_scope(name, "f1", (labels, predictions, weights)):
        limits = metrics_thresholds.even_thresholds(num_thresholds)
        kinds = ("true_positives", "false_negatives", "false_positives")
        made = []
        for counts, tag in zip(
            metrics_thresholds.counts_at(labels, predictions, limits, weights, kinds),
            ("value", "update_op"),
        ):
            tp, fn, fp = (counts[k] for k in kinds)
            below = tp + 0.5 * (fp + fn)
            best = F.reduce_max(F.div_no_nan(tp, below), axes=None, keepdims=False)
            made.append(F.identity(best, name=tag))
        value, update = made
        collect(value, update, metrics_collections, updates_collections)
    return value, update


# ------------------------------------------------------------------ moments of pairs
def streaming_covariance(
    predictions: Any,
    labels: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The unbiased covariance of predictions and labels over all runs so far.

    Returns:
        (the covariance, an op that takes the values in and gives the new one); 0 for fewer than
        two values.
    """
    with variable_scope(name, "covariance", (predictions, labels, weights)):
        p, y = to_float(predictions), to_float(labels)
        check_same_shape(p, y)
        factors = F.ones_like(p) if weights is None else spread(weights, p)
        kept = [metric_variable((), float32, n) for n in (
            "count", "mean_prediction", "mean_label", "comoment",
        )]  # fmt: skip
        count, mean_p, mean_y, comoment = (convert_to_tensor(v) for v in kept)
        added = total(factors)
        # the batch's own moments are merged into those so far (Chan 1979)
        batch_p = F.div_no_nan(total(F.multiply(p, factors)), added)
        batch_y = F.div_no_nan(total(F.multiply(y, factors)), added)
        own = total(F.multiply(F.multiply(p - batch_p, y - batch_y), factors))
        both = count + added
        part = F.div_no_nan(added, both)
        step_p, step_y = batch_p - mean_p, batch_y - mean_y
        now = comoment + own + step_p * step_y * F.multiply(count, part)
        values = (both, mean_p + step_p * part, mean_y + step_y * part, now)
        updated = [v.assign(new) for v, new in zip(kept, values)]
        one = constant_tensor(1.0, float32)
        value = quotient(comoment, count - one, "covariance")
        # the means are written too, though the result does not need them
        with get_default_graph().control_dependencies(updated):
            update = quotient(updated[3], updated[0] - one, "update_op")
        collect(value, update, metrics_collections, updates_collections)
    return value, update


def streaming_pearson_correlation(
    predictions: Any,
    labels: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """Pearson's correlation of predictions and labels over all runs so far.

    Returns:
        (the correlation, NaN where one of them is constant, an op that updates it).
    """
    with variable_scope(name, "pearson_r", (predictions, labels, weights)):
        p, y = to_float(predictions), to_float(labels)
        pairs = (("covariance", p, y), ("variance_predictions", p, p), ("variance_labels", y, y))
        parts = [streaming_covariance(a, b, weights, name=n) for n, a, b in pairs]
        value, update = (
            F.divide(cov, F.multiply(F.sqrt(var_p), F.sqrt(var_y)), name=tag)
            for (cov, var_p, var_y), tag in zip(zip(*parts), ("pearson_r", "update_op"))
        )
        collect(value, update, metrics_collections, updates_collections)
    return value, update


# ------------------------------------------------------------------ many metrics
def aggregate_metrics(*value_update_tuples: Metric) -> tuple[list[Tensor], list[Tensor]]:
    """(values, update ops) of several metrics. Raises ValueError for none."""
    if not value_update_tuples:
        raise ValueError("Expected at least one value_tensor/update_op pair")
    values, updates = zip(*value_update_tuples)
    return list(values), list(updates)


def aggregate_metric_map(
    names_to_tuples: Mapping[str, Metric],
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """(values by name, update ops by name) of several metrics."""
    values = {name: pair[0] for name, pair in names_to_tuples.items()}
    return values, {name: pair[1] for name, pair in names_to_tuples.items()}
