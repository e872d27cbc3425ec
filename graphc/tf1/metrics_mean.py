"""The metrics of tf.metrics that are means: accuracy, errors, percentages.

Lives here: mean and what is one call of it. Not here: counts and ratios of classes
(tf1/metrics_confusion.py), rankings. Users find these names in graphc.metrics.
"""

from __future__ import annotations

from typing import Any

from graphc.ir.dtypes import float32
from graphc.ir.graph import get_default_graph
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.losses_weights import check_same_shape, squeeze_weights
from graphc.tf1.metrics_base import (
    Metric,
    collect,
    matched,
    metric_variable,
    quotient,
    spread,
    to_float,
    total,
)
from graphc.tf1.variable_scope import variable_scope

__all__ = [
    "accuracy", "mean", "mean_absolute_error", "mean_cosine_distance", "mean_relative_error",
    "mean_squared_error", "mean_tensor", "percentage_below", "root_mean_squared_error",
]  # fmt: skip


def mean(
    values: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The weighted mean of all values of all runs so far (tf.metrics.mean).

    Keeps the local variables "<name>/total" and "<name>/count".

    Args:
        weights: a scalar, or of the values' rank with extents equal or 1.
        metrics_collections, updates_collections: where to add the results. name: of the scope.

    Returns:
        (the mean as it stands, an op that takes the values in and gives the new mean).
    """
    with variable_scope(name, "mean", (values, weights)):
        given = to_float(values)
        sums = metric_variable((), float32, "total")
        count = metric_variable((), float32, "count")
        if weights is None:
            number: Tensor = F.cast(F.size(given), dtype=float32)
        else:
            factors = spread(squeeze_weights(weights, given), given)
            given, number = F.multiply(given, factors), total(factors)
        sums_update = sums.assign_add(total(given))
        with get_default_graph().control_dependencies([given]):
            count_update = count.assign_add(number)
        value = quotient(sums, count, "value")
        update = quotient(sums_update, count_update, "update_op")
        collect(value, update, metrics_collections, updates_collections)
    return value, update


def mean_tensor(
    values: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The weighted mean over runs, element by element; see mean."""
    with variable_scope(name, "mean", (values, weights)):
        given = to_float(values)
        shape = given.shape.as_list()
        sums = metric_variable(shape, float32, "total_tensor")
        count = metric_variable(shape, float32, "count_tensor")
        number = F.ones_like(given)
        if weights is not None:
            factors = spread(squeeze_weights(weights, given), given)
            given, number = F.multiply(given, factors), F.multiply(number, factors)
        sums_update = sums.assign_add(given)
        with get_default_graph().control_dependencies([given]):
            count_update = count.assign_add(number)
        value = quotient(sums, count, "value")
        update = quotient(sums_update, count_update, "update_op")
        collect(value, update, metrics_collections, updates_collections)
    return value, update


def accuracy(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """How often predictions equal labels (tf.metrics.accuracy); see mean.

    Raises:
        ValueError: "Shapes (2, 3) and (2,) are incompatible".
    """
    y, p, factors = matched(labels, predictions, weights)
    if p.dtype is not y.dtype:
        p = F.cast(p, dtype=y.dtype)
    right = F.cast(F.equal(p, y), dtype=float32)
    return mean(right, factors, metrics_collections, updates_collections, name or "accuracy")


def mean_absolute_error(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The mean of |predictions - labels|; see mean."""
    y, p, factors = matched(labels, predictions, weights)
    error = F.abs(F.subtract(p, y))
    name = name or "mean_absolute_error"
    return mean(error, factors, metrics_collections, updates_collections, name)


def mean_squared_error(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The mean of (predictions - labels) ** 2; see mean."""
    y, p, factors = matched(labels, predictions, weights)
    error = F.square(F.subtract(y, p))
    name = name or "mean_squared_error"
    return mean(error, factors, metrics_collections, updates_collections, name)


def root_mean_squared_error(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The root of the mean of (predictions - labels) ** 2; see mean."""
    name = name or "root_mean_squared_error"
    parts = mean_squared_error(labels, predictions, weights, None, None, name)
    value, update = (F.sqrt(t) for t in parts)
    collect(value, update, metrics_collections, updates_collections)
    return value, update


def mean_relative_error(
    labels: Any,
    predictions: Any,
    normalizer: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The mean of |labels - predictions| / normalizer, 0 where the normalizer is 0; see mean."""
    y, p, factors = matched(labels, predictions, weights)
    scale = convert_to_tensor(normalizer, p.dtype, graph=p.graph)
    check_same_shape(p, scale)
    zero = F.equal(scale, F.zeros_like(scale))
    safe = F.select_v2(zero, F.ones_like(scale), scale)
    error = F.select_v2(zero, F.zeros_like(y), F.divide(F.abs(F.subtract(y, p)), safe))
    name = name or "mean_relative_error"
    return mean(error, factors, metrics_collections, updates_collections, name)


def mean_cosine_distance(
    labels: Any,
    predictions: Any,
    dim: int,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """1 - the mean of sum(labels * predictions) along `dim`, for unit vectors; see mean."""
    y, p, factors = matched(labels, predictions, weights)
    cosine = F.reduce_sum(F.multiply(p, y), axes=(int(dim),), keepdims=True)
    parts = mean(cosine, factors, None, None, name or "mean_cosine_distance")
    value, update = (F.subtract(1.0, t) for t in parts)
    collect(value, update, metrics_collections, updates_collections)
    return value, update


def percentage_below(
    values: Any,
    threshold: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The share of values below a threshold; see mean."""
    below = F.cast(F.less(convert_to_tensor(values), threshold), dtype=float32)
    name = name or "percentage_below_threshold"
    return mean(below, weights, metrics_collections, updates_collections, name)
