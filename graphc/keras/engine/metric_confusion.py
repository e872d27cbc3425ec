"""Metrics over counts of hits and misses: Precision, Recall, AUC, MeanIoU. Imports keras.core."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dtypes import float32
from graphc.ir.node import Tensor
from graphc.keras import losses
from graphc.keras.core import math as K
from graphc.keras.core.arrays import int_shape
from graphc.keras.core.config import epsilon
from graphc.keras.engine.metric_base import Metric
from graphc.ops.convert import constant_tensor
from graphc.ops.define import F
from graphc.tf1 import api_array, api_index, api_math
from graphc.tf1.api_checks import Assert
from graphc.tf1.api_segment import confusion_matrix
from graphc.tf1.ops_misc import group
from graphc.tf1.scopes import control_dependencies

__all__ = [
    "AUC", "FalseNegatives", "FalsePositives", "MeanIoU", "Precision", "PrecisionAtRecall",
    "Recall", "RecallAtPrecision", "SensitivityAtSpecificity", "SpecificityAtSensitivity",
    "TrueNegatives", "TruePositives",
]  # fmt: skip

_KINDS = ("true_positives", "false_positives", "false_negatives", "true_negatives")
# below every prediction
_LOWEST = -1e10


def _thresholds(given: Any) -> list[float]:
    """Raises ValueError: a threshold outside [0, 1]."""
    values = [0.5] if given is None else list(np.atleast_1d(given))
    wrong = [t for t in values if t is None or not 0 <= t <= 1]
    if wrong:
        raise ValueError(f"Threshold values must be in [0, 1]. Invalid values: {wrong}")
    return [float(t) for t in values]


def _probabilities(y_pred: Any) -> Tensor:
    """The predictions; a run in which one lies outside of [0, 1] raises InvalidArgumentError."""
    pred = K.cast(y_pred, float32)
    inside = api_math.logical_and(
        api_math.greater_equal(pred, 0.0), api_math.less_equal(pred, 1.0)
    )
    text = "predictions must be >= 0 and <= 1; a layer without a sigmoid or softmax gives others"
    check = Assert(api_math.reduce_all(inside), [text, pred])
    with control_dependencies([check]):
        return F.identity(pred)


def _only_best(pred: Tensor, k: int) -> Tensor:
    """All but the k greatest of each row as minus infinity: below every threshold."""
    depth = pred.shape.as_list()[-1]
    best = api_index.top_k(pred, k).indices
    kept = K.sum(api_array.one_hot(best, depth=depth, dtype=float32), axis=-2)
    return F.select_v2(api_math.greater(kept, 0.0), pred, _LOWEST)


def _spread(weights: Any, like: Tensor) -> Tensor:
    """Weights in the shape of the predictions; None stands for ones."""
    if weights is None:
        return api_array.ones_like(like)
    out = K.cast(weights, float32)
    for _ in range((like.rank or 1) - (out.rank or 0) if out.rank else 0):
        out = api_array.expand_dims(out, -1)
    return out * api_array.ones_like(like)


class _Confusion(Metric):
    """Counts at each threshold; `kinds` are those that are kept."""

    kinds: tuple[str, ...] = _KINDS

    def __init__(
        self, thresholds: list[float], name: str | None, dtype: Any, top_k: int | None = None,
        class_id: int | None = None, labels: tuple[int, ...] | None = (),
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        # an array: lists are searched for layers with variables
        self._levels = np.asarray(thresholds, np.float32)
        self.top_k, self.class_id = top_k, class_id
        self._columns: tuple[int, ...] | None = None
        if labels is not None:
            self._make(labels)

    def _make(self, columns: tuple[int, ...]) -> None:
        """The variables [thresholds], or [thresholds, labels] where labels count apart."""
        self._columns = columns
        for kind in self.kinds:
            setattr(self, kind, self.add_weight(kind, (len(self._levels), *columns)))

    def _row_weights(self, like: Tensor) -> Tensor | None:
        """Weights of the labels, or None."""
        return None

    def update_state(  # type: ignore[override]
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> Any:
        true, pred = losses.alike(y_true, y_pred)
        true, pred = K.cast(true, float32), _probabilities(pred)
        if self.top_k is not None:
            pred = _only_best(pred, self.top_k)
        if self.class_id is not None:
            at = slice(self.class_id, self.class_id + 1)
            pred, true = pred[..., at], true[..., at]
        if self._columns is None:
            self._make((int_shape(pred)[-1],))
        weights = _spread(sample_weight, pred)
        more = self._row_weights(pred)
        weights = weights if more is None else weights * more
        columns = list(self._columns or ())
        true, pred, weights = (api_array.reshape(t, [-1, *columns]) for t in (true, pred, weights))
        return group(*self._additions(true, pred, weights))

    def _additions(self, true: Tensor, pred: Tensor, weights: Tensor) -> list[Any]:
        """The assignments that add a batch [n] or [n, labels]."""
        shape = [len(self._levels)] + [1] * (pred.rank or 1)
        levels = constant_tensor(self._levels.reshape(shape), float32)
        above = K.cast(api_math.greater(api_array.expand_dims(pred, 0), levels), float32)
        truth = K.cast(api_math.not_equal(true, 0.0), float32)
        tables = {
            "true_positives": (truth, above), "false_positives": (1.0 - truth, above),
            "false_negatives": (truth, 1.0 - above),
            "true_negatives": (1.0 - truth, 1.0 - above),
        }  # fmt: skip
        updates = []
        for kind in self.kinds:
            which, side = tables[kind]
            count = K.sum(side * api_array.expand_dims(which * weights, 0), axis=1)
            updates.append(getattr(self, kind).assign_add(count))
        return updates

    def counts(self, kind: str) -> Tensor:
        """The counts so far, one for each threshold."""
        return getattr(self, kind).read_value()

    def _single(self, value: Tensor) -> Tensor:
        return value[0] if len(self._levels) == 1 else value


class _Count(_Confusion):
    def __init__(
        self, thresholds: Any = None, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(_thresholds(thresholds), name, dtype)
        self.thresholds = thresholds

    def result(self) -> Any:
        return self._single(self.counts(self.kinds[0]))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thresholds": self.thresholds}


class TruePositives(_Count):
    """How many are true and above the threshold."""

    kinds = ("true_positives",)


class FalsePositives(_Count):
    """How many are false and above the threshold."""

    kinds = ("false_positives",)


class FalseNegatives(_Count):
    """How many are true and not above the threshold."""

    kinds = ("false_negatives",)


class TrueNegatives(_Count):
    """How many are false and not above the threshold."""

    kinds = ("true_negatives",)


class _Ratio(_Confusion):
    """hits / (hits + others)."""

    def __init__(
        self, thresholds: Any = None, top_k: int | None = None, class_id: int | None = None,
        name: str | None = None, dtype: Any = None,
    ) -> None:
        levels = [_LOWEST] if top_k is not None and thresholds is None else _thresholds(thresholds)
        super().__init__(levels, name, dtype, top_k, class_id)
        self.thresholds = thresholds

    def result(self) -> Any:
        hits, others = self.counts(self.kinds[0]), self.counts(self.kinds[1])
        return self._single(api_math.div_no_nan(hits, hits + others))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "thresholds": self.thresholds, "top_k": self.top_k,
            "class_id": self.class_id,
        }  # fmt: skip


class Precision(_Ratio):
    """Of those above the threshold, the share that is true."""

    kinds = ("true_positives", "false_positives")


class Recall(_Ratio):
    """Of those that are true, the share above the threshold."""

    kinds = ("true_positives", "false_negatives")


def _grid(count: int) -> list[float]:
    """Thresholds from just below 0 to just above 1."""
    inner = [(k + 1) / (count - 1) for k in range(count - 2)]
    return [0.0 - epsilon(), *inner, 1.0 + epsilon()]


class AUC(_Confusion):
    """The area under the ROC or the precision-recall curve, by a sum over thresholds.

    Args:
        num_thresholds: of the sum. curve: "ROC" or "PR".
        summation_method: "interpolation" (trapezoids; for PR as Davis and Goadrich 2006),
            "minoring" or "majoring". thresholds: between 0 and 1, instead of an even grid.
        multi_label: the mean of the areas of the columns (`num_labels`), not one of them all.
        label_weights: of the columns. from_logits: the predictions are before the sigmoid.

    Raises:
        ValueError: an unknown curve or method, fewer than two thresholds, num_labels without
            multi_label.
    """

    def __init__(
        self, num_thresholds: int = 200, curve: str = "ROC",
        summation_method: str = "interpolation", name: str | None = None, dtype: Any = None,
        thresholds: Any = None, multi_label: bool = False, num_labels: int | None = None,
        label_weights: Any = None, from_logits: bool = False,
    ) -> None:
        if num_labels and not multi_label:
            raise ValueError("`num_labels` is needed only when `multi_label` is True.")
        if curve not in ("ROC", "PR"):
            raise ValueError(f'Invalid AUC curve value "{curve}".')
        if summation_method not in ("interpolation", "minoring", "majoring"):
            raise ValueError(f'Invalid AUC summation method value "{summation_method}".')
        if thresholds is not None:
            inner = sorted(float(t) for t in thresholds)
            levels = [0.0 - epsilon(), *inner, 1.0 + epsilon()]
        else:
            if num_thresholds <= 1:
                raise ValueError("`num_thresholds` must be > 1.")
            levels = _grid(num_thresholds)
        apart = (num_labels,) if num_labels else None
        super().__init__(levels, name, dtype, labels=apart if multi_label else ())
        self.num_thresholds, self.curve = len(levels), curve
        self.summation_method, self.from_logits = summation_method, from_logits
        self.multi_label, self.label_weights = multi_label, label_weights
        self._inner = None if thresholds is None else np.array(levels[1:-1])

    @property
    def thresholds(self) -> list[float]:
        """All thresholds, with one below 0 and one above 1."""
        return self._levels.tolist()  # type: ignore[no-any-return]

    def update_state(  # type: ignore[override]
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> Any:
        pred = K.sigmoid(y_pred) if self.from_logits else y_pred
        return super().update_state(y_true, pred, sample_weight)

    def _row_weights(self, like: Tensor) -> Tensor | None:
        if self.label_weights is None or self.multi_label:
            return None
        return K.cast(self.label_weights, float32) * api_array.ones_like(like)

    def result(self) -> Any:
        areas = K.sum(self._areas(), axis=0)
        if self.label_weights is None or not self.multi_label:
            return K.mean(areas)
        weights = K.cast(self.label_weights, float32)
        return api_math.div_no_nan(K.sum(areas * weights), K.sum(weights))

    def _areas(self) -> Tensor:
        """The area between each two thresholds."""
        tp, fp, fn, tn = (self.counts(k) for k in _KINDS)
        if self.curve == "PR" and self.summation_method == "interpolation":
            return _interpolated_pr(tp, fp, fn)
        recall = api_math.div_no_nan(tp, tp + fn)
        if self.curve == "ROC":
            x, y = api_math.div_no_nan(fp, fp + tn), recall
        else:
            x, y = recall, api_math.div_no_nan(tp, tp + fp)
        if self.summation_method == "interpolation":
            heights = (y[:-1] + y[1:]) / 2.0
        elif self.summation_method == "minoring":
            heights = api_math.minimum(y[:-1], y[1:])
        else:
            heights = api_math.maximum(y[:-1], y[1:])
        return (x[:-1] - x[1:]) * heights

    def get_config(self) -> dict[str, Any]:
        given = None if self._inner is None else self._inner.tolist()
        return {
            **super().get_config(), "num_thresholds": self.num_thresholds, "curve": self.curve,
            "summation_method": self.summation_method, "thresholds": given,
            "multi_label": self.multi_label, "label_weights": self.label_weights,
            "num_labels": (self._columns or (None,))[0] if self.multi_label else None,
            "from_logits": self.from_logits,
        }  # fmt: skip


def _interpolated_pr(tp: Tensor, fp: Tensor, fn: Tensor) -> Tensor:
    dtp = tp[:-1] - tp[1:]
    p = tp + fp
    slope = api_math.div_no_nan(dtp, api_math.maximum(p[:-1] - p[1:], 0.0))
    intercept = tp[1:] - slope * p[1:]
    both = api_math.logical_and(api_math.greater(p[:-1], 0.0), api_math.greater(p[1:], 0.0))
    ratio = F.select_v2(
        both, api_math.div_no_nan(p[:-1], api_math.maximum(p[1:], 0.0)),
        api_array.ones_like(p[1:]),
    )  # fmt: skip
    return api_math.div_no_nan(
        slope * (dtp + intercept * api_math.log(ratio)),
        api_math.maximum(tp[1:] + fn[1:], 0.0),
    )


# the two rates of each metric at a value: (the bound one, the best one)
_RATES = {
    "sensitivity": ("true_positives", "false_negatives"),
    "recall": ("true_positives", "false_negatives"),
    "specificity": ("true_negatives", "false_positives"),
    "precision": ("true_positives", "false_positives"),
}


class _AtValue(_Confusion):
    """The best of one rate over the thresholds where another is at least a value; 0 for none."""

    bound = best = ""

    def __init__(
        self, value: float, num_thresholds: int = 200, class_id: int | None = None,
        name: str | None = None, dtype: Any = None,
    ) -> None:
        if not 0 <= value <= 1:
            raise ValueError(f"`{self.bound}` must be in the range [0, 1]. Received: {value}")
        if num_thresholds <= 0:
            raise ValueError(f"`num_thresholds` must be > 0. Received: {num_thresholds}")
        inner = [(k + 1) / (num_thresholds - 1) for k in range(num_thresholds - 2)]
        levels = [0.5] if num_thresholds == 1 else [0.0, *inner, 1.0]
        super().__init__(levels, name, dtype, class_id=class_id)
        self.value, self.num_thresholds = value, num_thresholds
        setattr(self, self.bound, value)

    def _rate(self, name: str) -> Tensor:
        hits, others = (self.counts(k) for k in _RATES[name])
        return api_math.div_no_nan(hits, hits + others)

    def result(self) -> Any:
        best = self._rate(self.best)
        allowed = api_math.greater_equal(self._rate(self.bound), self.value)
        return K.max(F.select_v2(allowed, best, api_array.zeros_like(best)))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "num_thresholds": self.num_thresholds,
            self.bound: self.value, "class_id": self.class_id,
        }  # fmt: skip


class SensitivityAtSpecificity(_AtValue):
    """The share of hits among the true at a given share of rejections among the false."""

    bound, best = "specificity", "sensitivity"

    def __init__(self, specificity: float, *args: Any, **kwargs: Any) -> None:
        super().__init__(specificity, *args, **kwargs)


class SpecificityAtSensitivity(_AtValue):
    """The share of rejections among the false at a given share of hits among the true."""

    bound, best = "sensitivity", "specificity"

    def __init__(self, sensitivity: float, *args: Any, **kwargs: Any) -> None:
        super().__init__(sensitivity, *args, **kwargs)


class PrecisionAtRecall(_AtValue):
    """The best precision at a given recall."""

    bound, best = "recall", "precision"

    def __init__(self, recall: float, *args: Any, **kwargs: Any) -> None:
        super().__init__(recall, *args, **kwargs)


class RecallAtPrecision(_AtValue):
    """The best recall at a given precision."""

    bound, best = "precision", "recall"

    def __init__(self, precision: float, *args: Any, **kwargs: Any) -> None:
        super().__init__(precision, *args, **kwargs)


class MeanIoU(Metric):
    """The mean over classes of intersection / union of true and predicted elements."""

    def __init__(self, num_classes: int, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name=name or "mean_io_u", dtype=dtype)
        self.num_classes = num_classes
        self.total_cm = self.add_weight("total_confusion_matrix", (num_classes, num_classes))

    def update_state(  # type: ignore[override]
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> Any:
        true, pred = (api_array.reshape(K.cast(t, "int64"), [-1]) for t in (y_true, y_pred))
        weights = None
        if sample_weight is not None:
            weights = api_array.reshape(K.cast(sample_weight, float32), [-1])
        return self.total_cm.assign_add(
            confusion_matrix(true, pred, self.num_classes, float32, weights=weights)
        )

    def result(self) -> Any:
        matrix = self.total_cm.read_value()
        hits = api_array.diag_part(matrix)
        union = K.sum(matrix, axis=0) + K.sum(matrix, axis=1) - hits
        valid = K.sum(K.cast(api_math.not_equal(union, 0.0), float32))
        return api_math.div_no_nan(K.sum(api_math.div_no_nan(hits, union)), valid)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_classes": self.num_classes}
