"""The metrics of tf.metrics on the k best classes of each sample.

Lives here: recall, precision and average precision at k. Not here: metrics of one decision.
Users find these names in graphc.metrics.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dtypes import float64, int64
from graphc.ir.node import Tensor
from graphc.ops.convert import constant_tensor, convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.metrics_base import Metric, collect, metric_variable, quotient, spread, total
from graphc.tf1.scopes import name_scope

__all__ = [
    "average_precision_at_k", "precision_at_k", "precision_at_top_k", "recall_at_k",
    "recall_at_top_k", "sparse_average_precision_at_k", "sparse_precision_at_k",
]  # fmt: skip


def _name(what: str, k: int | None, class_id: int | None) -> str:
    name = f"{what}_at_top_k" if k is None else f"{what}_at_{k}"
    return name if class_id is None else f"{name}_class{class_id}"


# ------------------------------------------------------------------ sets along the last axis
def _operands(labels: Any, predictions: Any) -> tuple[Tensor, Tensor]:
    """Labels and predicted classes as int64, the labels with an axis of their own."""
    p = convert_to_tensor(predictions)
    y = convert_to_tensor(labels, graph=p.graph)
    if p.rank is None or y.rank is None:
        raise ValueError("Metrics at k need the ranks of labels and predictions.")
    if y.rank == p.rank - 1:
        y = F.expand_dims(y, axis=-1)
    return F.cast(y, dtype=int64), F.cast(p, dtype=int64)


def _among(items: Tensor, others: Tensor) -> Tensor:
    """Whether each item is among the others: bools of the items' shape."""
    pairs = F.equal(F.expand_dims(items, axis=-1), F.expand_dims(others, axis=-2))
    return F.reduce_any(pairs, axes=(-1,), keepdims=False)


def _first(items: Tensor, class_id: int | None) -> Tensor:
    """Whether each item is the first of its value, and of the class where one is given."""
    width = items.shape.as_list()[-1]
    if width is None:
        raise ValueError(f"Metrics at k need the last extent of {items}.")
    earlier = constant_tensor(np.tri(width, k=-1, dtype=bool), None)
    pairs = F.equal(F.expand_dims(items, axis=-1), F.expand_dims(items, axis=-2))
    repeated = F.reduce_any(F.logical_and(pairs, earlier), axes=(-1,), keepdims=False)
    first: Tensor = F.logical_not(repeated)
    if class_id is None:
        return first
    return F.logical_and(first, F.equal(items, constant_tensor(class_id, int64)))


def _number(flags: Tensor) -> Tensor:
    return F.reduce_sum(F.cast(flags, dtype=float64), axes=(-1,), keepdims=False)


def _counted(
    numbers: Tensor, weights: Any, what: str, k: int | None, class_id: int | None
) -> tuple[Tensor, Tensor]:
    """A variable that sums the weighted numbers: (as it stands, updated)."""
    with name_scope(None, _name(what, k, class_id)) as scope:
        if weights is not None:
            numbers = F.multiply(numbers, spread(weights, numbers, float64))
        variable = metric_variable((), float64, scope)
        return convert_to_tensor(variable), variable.assign_add(total(numbers), name="update")


def _at_top_k(
    what: str, options: dict[str, Any], labels: Any, predictions: Any, class_id: int | None
) -> Metric:
    """Precision or recall of the predicted classes."""
    k, weights = options["k"], options["weights"]
    with name_scope(options["name"], _name(what, k, class_id)) as scope:
        y, p = _operands(labels, predictions)
        chosen, wanted = _first(p, class_id), _first(y, class_id)
        right = F.logical_and(chosen, _among(p, y))
        hits, hits_update = _counted(_number(right), weights, "true_positive", k, class_id)
        if what == "precision":
            wrong = F.logical_and(chosen, F.logical_not(_among(p, y)))
            other = "false_positive"
        else:
            wrong = F.logical_and(wanted, F.logical_not(_among(y, p)))
            other = "false_negative"
        misses, misses_update = _counted(_number(wrong), weights, other, k, class_id)
        value = F.divide(hits, hits + misses, name=scope)
        update = F.divide(hits_update, hits_update + misses_update, name="update")
        collect(value, update, options["values_to"], options["updates_to"])
    return value, update


def _best(predictions: Any, k: int) -> Tensor:
    from graphc.tf1.api_index import top_k

    indices: Tensor = top_k(predictions, k)[1]
    return indices


def _pair(what: str) -> tuple[Any, Any]:
    def at_top_k(
        labels: Any,
        predictions_idx: Any,
        k: int | None = None,
        class_id: int | None = None,
        weights: Any = None,
        metrics_collections: Any = None,
        updates_collections: Any = None,
        name: str | None = None,
    ) -> Metric:
        options = {
            "k": k, "weights": weights, "name": name, "values_to": metrics_collections,
            "updates_to": updates_collections,
        }  # fmt: skip
        return _at_top_k(what, options, labels, predictions_idx, class_id)

    def at_k(
        labels: Any,
        predictions: Any,
        k: int,
        class_id: int | None = None,
        weights: Any = None,
        metrics_collections: Any = None,
        updates_collections: Any = None,
        name: str | None = None,
    ) -> Metric:
        with name_scope(name, _name(what, k, class_id)) as scope:
            return at_top_k(
                labels, _best(predictions, k), k, class_id, weights, metrics_collections,
                updates_collections, scope,
            )  # fmt: skip

    at_top_k.__name__ = at_top_k.__qualname__ = f"{what}_at_top_k"
    at_k.__name__ = at_k.__qualname__ = f"{what}_at_k"
    shared = """labels: class numbers, (..., labels) or (...) where each sample has one.
        class_id: count this class alone. weights: a scalar or one for each sample."""
    at_top_k.__doc__ = f"""The {what} of predicted sets of classes (tf.metrics.{what}_at_top_k).

    Args:
        {shared}
        predictions_idx: class numbers (..., k).

    Returns:
        (the {what} as it stands, NaN for no samples, an op that updates it).
    """
    at_k.__doc__ = f"""The {what} of the k best classes of each sample (tf.metrics.{what}_at_k).

    Args:
        {shared}
        predictions: scores (..., classes).

    Returns:
        (the {what} as it stands, NaN for no samples, an op that updates it).
    """
    return at_top_k, at_k


precision_at_top_k, precision_at_k = _pair("precision")
recall_at_top_k, recall_at_k = _pair("recall")
sparse_precision_at_k = precision_at_k


# ------------------------------------------------------------------ average precision
def average_precision_at_k(
    labels: Any,
    predictions: Any,
    k: int,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The mean over samples of the average precision of their k best classes.

    Args:
        labels: class numbers, (..., labels) or (...). predictions: scores (..., classes).
        weights: a scalar or one for each sample.

    Returns:
        (the mean as it stands, an op that updates it).

    Raises:
        ValueError: k below 1.
    """
    if k < 1:
        raise ValueError(f"Invalid k={k}.")
    with name_scope(name, _name("average_precision", k, None)) as scope:
        each = _average_precision(labels, _best(predictions, k), k)
        number = F.cast(F.size(each), dtype=float64)
        if weights is not None:
            factors = spread(weights, each, float64)
            each, number = F.multiply(each, factors), total(factors)
        parts = []
        for label, amount in (("max", number), ("total", total(each))):
            with name_scope(None, label) as inner:
                variable = metric_variable((), float64, inner)
                parts.append((variable, variable.assign_add(amount, name="update")))
        (most, most_update), (sums, sums_update) = parts
        value = quotient(sums, most, "mean")
        update = quotient(sums_update, most_update, scope)
        collect(value, update, metrics_collections, updates_collections)
    return value, update


sparse_average_precision_at_k = average_precision_at_k


def _average_precision(labels: Any, predictions: Tensor, k: int) -> Tensor:
    y, p = _operands(labels, predictions)
    relevant = F.cast(_among(p, y), dtype=float64)
    hits = F.cumsum(relevant, axis=-1, exclusive=False, reverse=False)
    places = constant_tensor(np.arange(1, k + 1, dtype=np.float64), float64)
    precisions = F.multiply(F.divide(hits, places), relevant)
    width = y.shape.as_list()[-1]
    if width is None:
        raise ValueError(f"Metrics at k need the last extent of {y}.")
    most = constant_tensor(float(min(width, k)), float64)
    sums = F.reduce_sum(precisions, axes=(-1,), keepdims=False, name="precision_sum")
    return F.divide(sums, most)
