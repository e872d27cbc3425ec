"""The metrics of tf.metrics over many decision thresholds: AUC and its kin.

Lives here: auc, *_at_thresholds, sensitivity and specificity. Not here: counts of one decision
(tf1/metrics_confusion.py). Users find these names in graphc.metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import float32, int32
from graphc.ir.node import Tensor
from graphc.ops.convert import constant_tensor, convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.losses_weights import check_same_shape
from graphc.tf1.metrics_base import (
    Metric,
    as_bool,
    collect,
    flat,
    metric_variable,
    quotient,
    spread,
    to_float,
)
from graphc.tf1.variable_scope import variable_scope

__all__ = [
    "auc", "false_negatives_at_thresholds", "false_positives_at_thresholds",
    "precision_at_thresholds", "recall_at_thresholds", "sensitivity_at_specificity",
    "specificity_at_sensitivity", "true_negatives_at_thresholds", "true_positives_at_thresholds",
]  # fmt: skip

_KINDS = {
    "true_positives": (True, True), "false_negatives": (True, False),
    "true_negatives": (False, False), "false_positives": (False, True),
}  # fmt: skip
Counts = dict[str, Tensor]
_SMALL = 1e-7


# ------------------------------------------------------------------ counting
def counts_at(
    labels: Any, predictions: Any, thresholds: Sequence[float], weights: Any, kinds: Sequence[str]
) -> tuple[Counts, Counts]:
    """For each kind a vector of counts by threshold: as they stand, and updated.

    A prediction above a threshold is positive.

    Raises (when run):
        InvalidArgumentError: a prediction outside [0, 1].
    """
    p = _probabilities(predictions)
    y = as_bool(labels)
    check_same_shape(p, y)
    factors = None if weights is None else flat(spread(weights, p))
    limits = constant_tensor(np.asarray(thresholds, np.float32)[:, None], float32)
    above = F.greater(F.expand_dims(flat(p), axis=0), limits)
    positive = F.expand_dims(flat(y), axis=0)
    values: Counts = {}
    updates: Counts = {}
    for kind in kinds:
        actual, decided = _KINDS[kind]
        hits = F.logical_and(
            positive if actual else F.logical_not(positive),
            above if decided else F.logical_not(above),
        )
        amounts = F.cast(hits, dtype=float32)
        if factors is not None:
            amounts = F.multiply(amounts, F.expand_dims(factors, axis=0))
        number = metric_variable((len(thresholds),), float32, kind)
        values[kind] = convert_to_tensor(number)
        updates[kind] = number.assign_add(F.reduce_sum(amounts, axes=(1,), keepdims=False))
    return values, updates


def _probabilities(predictions: Any) -> Tensor:
    """The predictions as float32; a run fails where one is outside [0, 1]."""
    from graphc.tf1.api_checks import assert_greater_equal, assert_less_equal

    p = to_float(predictions)
    text = "predictions must be in [0, 1]"
    checks = [
        assert_greater_equal(p, 0.0, message=text), assert_less_equal(p, 1.0, message=text),
    ]  # fmt: skip
    with p.graph.control_dependencies(checks):
        return F.identity(p, name="probabilities")


def even_thresholds(number: int) -> list[float]:
    """Evenly spread over [0, 1], the ends just outside."""
    inner = [(i + 1) * 1.0 / (number - 1) for i in range(number - 2)]
    return [-_SMALL, *inner, 1.0 + _SMALL]


def _at_thresholds(name_: str) -> Any:
    def counts(
        labels: Any,
        predictions: Any,
        thresholds: Sequence[float],
        weights: Any = None,
        metrics_collections: Any = None,
        updates_collections: Any = None,
        name: str | None = None,
    ) -> Metric:
        with variable_scope(name, name_, (predictions, labels, weights)):
            values, updates = counts_at(labels, predictions, thresholds, weights, (name_,))
            value, update = F.identity(values[name_]), updates[name_]
            collect(value, update, metrics_collections, updates_collections)
        return value, update

    counts.__name__ = counts.__qualname__ = f"{name_}_at_thresholds"
    counts.__doc__ = f"""The weighted number of {name_.replace("_", " ")} at each threshold.

    Args:
        labels: read as bools. predictions: numbers in [0, 1]; above a threshold is positive.
        thresholds: a list of numbers. Others: see tf.metrics.mean.

    Returns:
        (one number for each threshold as it stands, an op that updates it).
    """
    return counts


true_positives_at_thresholds = _at_thresholds("true_positives")
false_negatives_at_thresholds = _at_thresholds("false_negatives")
true_negatives_at_thresholds = _at_thresholds("true_negatives")
false_positives_at_thresholds = _at_thresholds("false_positives")


def _ratio_at_thresholds(name_: str, other: str) -> Any:
    def ratio(
        labels: Any,
        predictions: Any,
        thresholds: Sequence[float],
        weights: Any = None,
        metrics_collections: Any = None,
        updates_collections: Any = None,
        name: str | None = None,
    ) -> Metric:
        kinds = ("true_positives", other)
        with variable_scope(name, f"{name_}_at_thresholds", (predictions, labels, weights)):
            made = []
            for counts, tag in zip(
                counts_at(labels, predictions, thresholds, weights, kinds), ("value", "update_op")
            ):
                hits = counts["true_positives"]
                made.append(F.divide(hits, _SMALL + hits + counts[other], name=f"{name_}_{tag}"))
            value, update = made
            collect(value, update, metrics_collections, updates_collections)
        return value, update

    ratio.__name__ = ratio.__qualname__ = f"{name_}_at_thresholds"
    ratio.__doc__ = f"""The {name_} at each threshold; see true_positives_at_thresholds."""
    return ratio


precision_at_thresholds = _ratio_at_thresholds("precision", "false_positives")
recall_at_thresholds = _ratio_at_thresholds("recall", "false_negatives")


# ------------------------------------------------------------------ area under a curve
def auc(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    num_thresholds: int = 200,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    curve: str = "ROC",
    name: str | None = None,
    summation_method: str = "trapezoidal",
    thresholds: Sequence[float] | None = None,
) -> Metric:
    """The area under the ROC or PR curve, from counts at evenly spread thresholds.

    Args:
        labels: read as bools. predictions: probabilities in [0, 1].
        curve: "ROC" or "PR". summation_method: "trapezoidal", "careful_interpolation",
            "minoring" or "majoring". thresholds: given ones inside (0, 1) instead.

    Returns:
        (the area as it stands, an op that takes the values in and gives the new area).

    Raises:
        ValueError: another curve or method.
    """
    if curve not in ("ROC", "PR"):
        raise ValueError(f"curve must be either ROC or PR, {curve} unknown")
    methods = ("trapezoidal", "careful_interpolation", "minoring", "majoring")
    if summation_method not in methods:
        raise ValueError(f"Invalid summation_method: {summation_method}")
    if thresholds is None:
        limits = even_thresholds(num_thresholds)
    else:
        limits = [-_SMALL, *sorted(float(t) for t in thresholds), 1.0 + _SMALL]
    with variable_scope(name, "auc", (labels, predictions, weights)):
        values, updates = counts_at(labels, predictions, limits, weights, tuple(_KINDS))
        value = _area(values, curve, summation_method, "value")
        update = _area(updates, curve, summation_method, "update_op")
        collect(value, update, metrics_collections, updates_collections)
    return value, update


def _area(counts: Counts, curve: str, method: str, name: str) -> Tensor:
    tp, fn, tn, fp = (counts[k] for k in _KINDS)
    if curve == "PR" and method == "careful_interpolation":
        return _interpolated(tp, fp, fn)
    small = 1e-6
    recall = F.divide(tp + small, tp + fn + small)
    if curve == "ROC":
        x, y = F.divide(fp, fp + tn + small), recall
    else:
        x, y = recall, F.divide(tp + small, tp + fp + small)
    join: Callable[..., Tensor] = {"minoring": F.minimum, "majoring": F.maximum}.get(
        method, lambda a, b: (a + b) / 2.0
    )
    area = F.multiply(x[:-1] - x[1:], join(y[:-1], y[1:]))
    return F.reduce_sum(area, axes=None, keepdims=False, name=name)


def _interpolated(tp: Tensor, fp: Tensor, fn: Tensor) -> Tensor:
    """The PR area with true positives interpolated linearly (Davis and Goadrich 2006)."""
    step = tp[:-1] - tp[1:]
    p = tp + fp
    slope = quotient(step, p[:-1] - p[1:], "prec_slope")
    intercept = tp[1:] - F.multiply(slope, p[1:])
    both = F.logical_and(F.greater(p[:-1], 0), F.greater(p[1:], 0))
    ratio = F.select_v2(both, quotient(p[:-1], p[1:], None), F.ones_like(p[1:]))
    area = slope * (step + intercept * F.log(ratio))
    parts = quotient(area, tp[1:] + fn[1:], "pr_auc_increment")
    return F.reduce_sum(parts, axes=None, keepdims=False, name="interpolate_pr_auc")


# ------------------------------------------------------------------ one rate given another
def _pick(vector: Tensor, at: Tensor) -> Tensor:
    return F.gather(vector, at, axis=0, batch_dims=0)


def _rate_at(
    operands: tuple[Any, Any, Any],
    number: int,
    scope: tuple[str | None, str],
    compute: Callable[[Counts, str], Tensor],
    collections: tuple[Any, Any],
) -> Metric:
    labels, predictions, weights = operands
    with variable_scope(*scope, operands):
        limits = even_thresholds(number)
        values, updates = counts_at(labels, predictions, limits, weights, tuple(_KINDS))
        value, update = compute(values, "value"), compute(updates, "update_op")
        collect(value, update, *collections)
    return value, update


def sensitivity_at_specificity(
    labels: Any,
    predictions: Any,
    specificity: float,
    weights: Any = None,
    num_thresholds: int = 200,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The true positive rate at the threshold whose specificity is nearest to the given one.

    Raises:
        ValueError: a specificity outside [0, 1].
    """
    if specificity < 0 or specificity > 1:
        raise ValueError("`specificity` must be in the range [0, 1].")

    def compute(counts: Counts, tag: str) -> Tensor:
        tp, fn, tn, fp = (counts[k] for k in _KINDS)
        distance = F.abs(F.divide(tn, tn + fp + _SMALL) - specificity)
        at = F.argmin(distance, axis=0, output_type=int32)
        hits, misses = _pick(tp, at), _pick(fn, at)
        return F.divide(hits, hits + misses + _SMALL, name=tag)

    return _rate_at(
        (labels, predictions, weights), num_thresholds, (name, "sensitivity_at_specificity"),
        compute, (metrics_collections, updates_collections),
    )  # fmt: skip


def specificity_at_sensitivity(
    labels: Any,
    predictions: Any,
    sensitivity: float,
    weights: Any = None,
    num_thresholds: int = 200,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The true negative rate at the highest threshold whose sensitivity is nearest.

    Raises:
        ValueError: a sensitivity outside [0, 1].
    """
    if sensitivity < 0 or sensitivity > 1:
        raise ValueError("`sensitivity` must be in the range [0, 1].")

    def compute(counts: Counts, tag: str) -> Tensor:
        tp, fn, tn, fp = (counts[k] for k in _KINDS)
        distance = F.abs(F.divide(tp, tp + fn + _SMALL) - sensitivity)
        nearest = F.reduce_min(distance, axes=None, keepdims=False)
        # the last of equal ones is where the running count first reaches its end
        ties = F.cast(F.equal(distance, nearest), dtype=int32)
        running = F.cumsum(ties, axis=0, exclusive=False, reverse=False)
        at = F.argmax(running, axis=0, output_type=int32)
        hits, misses = _pick(tn, at), _pick(fp, at)
        return F.divide(hits, hits + misses + _SMALL, name=tag)

    return _rate_at(
        (labels, predictions, weights), num_thresholds, (name, "specificity_at_sensitivity"),
        compute, (metrics_collections, updates_collections),
    )  # fmt: skip
