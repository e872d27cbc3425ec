"""Metrics over counts of hits and misses: Precision, Recall, AUC, MeanIoU. Imports keras.core."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dtypes import float32
from graphc.ir.node import Tensor
from graphc.keras.core import math as K
from graphc.keras.core.config import epsilon
from graphc.keras.engine.metric_base import Metric
from graphc.ops.convert import constant_tensor, convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_array, api_index, api_math
from graphc.tf1.ops_misc import group

__all__ = [
    "AUC", "FalseNegatives", "FalsePositives", "MeanIoU", "Precision", "Recall",
    "SensitivityAtSpecificity", "SpecificityAtSensitivity", "TrueNegatives", "TruePositives",
]  # fmt: skip

_KINDS = ("true_positives", "false_positives", "false_negatives", "true_negatives")


def _thresholds(given: Any, default: float = 0.5) -> list[float]:
    """Raises ValueError: a threshold outside [0, 1]."""
    values = [default] if given is None else list(np.atleast_1d(given))
    wrong = [t for t in values if t is None or not 0 <= t <= 1]
    if wrong:
        raise ValueError(f"Threshold values must be in [0, 1]. Invalid values: {wrong}")
    return [float(t) for t in values]


def _flat_pair(
    y_true: Any, y_pred: Any, weights: Any, top_k: int | None, class_id: int | None
) -> tuple[Tensor, Tensor, Tensor]:
    """(truth, predictions, weights) as vectors."""
    pred, true = K.cast(y_pred, float32), K.cast(y_true, float32)
    if top_k is not None:
        depth = pred.shape.as_list()[-1]
        best = api_index.top_k(pred, top_k).indices
        pred = pred * K.sum(api_array.one_hot(best, depth=depth, dtype=float32), axis=-2)
    if class_id is not None:
        pred, true = pred[..., class_id], true[..., class_id]
    if weights is None:
        spread: Any = api_array.ones_like(pred)
    else:
        spread = K.cast(weights, float32)
        for _ in range((pred.rank or 1) - (spread.rank or 0)):
            spread = api_array.expand_dims(spread, -1)
        spread = spread + pred * 0.0
    flat = [api_array.reshape(t, [-1]) for t in (true, pred, spread)]
    return flat[0], flat[1], flat[2]


class _Confusion(Metric):
    """Counts at each threshold; `kinds` are those that are kept."""

    kinds: tuple[str, ...] = _KINDS

    def __init__(
        self, thresholds: list[float], name: str | None, dtype: Any, top_k: int | None = None,
        class_id: int | None = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self._levels = thresholds
        self.top_k, self.class_id = top_k, class_id
        for kind in self.kinds:
            setattr(self, kind, self.add_weight(kind, (len(thresholds),)))

    def update_state(  # type: ignore[override]
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> Any:
        true, pred, weights = _flat_pair(
            y_true, y_pred, sample_weight, self.top_k, self.class_id
        )
        levels = constant_tensor(np.asarray(self._levels, np.float32).reshape(-1, 1), float32)
        above = K.cast(api_math.greater(api_array.expand_dims(pred, 0), levels), float32)
        truth = K.cast(api_math.greater(true, 0.5), float32)
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
        return group(*updates)

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
        default = 0.5 if top_k is None else 0.0
        super().__init__(_thresholds(thresholds, default), name, dtype, top_k, class_id)
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
            "minoring" or "majoring".

    Raises:
        ValueError: an unknown curve or method, or fewer than two thresholds.
    """

    def __init__(
        self, num_thresholds: int = 200, curve: str = "ROC",
        summation_method: str = "interpolation", name: str | None = None, dtype: Any = None,
        thresholds: Any = None,
    ) -> None:
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
        super().__init__(levels, name, dtype)
        self.num_thresholds, self.curve = len(levels), curve
        self.summation_method = summation_method

    def result(self) -> Any:
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
        return K.sum((x[:-1] - x[1:]) * heights)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "num_thresholds": self.num_thresholds, "curve": self.curve,
            "summation_method": self.summation_method,
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
    areas = api_math.div_no_nan(
        slope * (dtp + intercept * api_math.log(ratio)),
        api_math.maximum(tp[1:] + fn[1:], 0.0),
    )
    return K.sum(areas)


class _AtValue(_Confusion):
    """One rate at the threshold where the other comes nearest to a value."""

    def __init__(
        self, value: float, num_thresholds: int, name: str | None, dtype: Any
    ) -> None:
        levels = [0.5] if num_thresholds == 1 else [
            0.0, *((k + 1) / (num_thresholds - 1) for k in range(num_thresholds - 2)), 1.0
        ]  # fmt: skip
        super().__init__(levels, name, dtype)
        self.value, self.num_thresholds = value, num_thresholds

    def _rates(self) -> tuple[Tensor, Tensor]:
        tp, fp, fn, tn = (self.counts(k) for k in _KINDS)
        return api_math.div_no_nan(tp, tp + fn), api_math.div_no_nan(tn, tn + fp)

    def _at(self, wanted: Tensor, other: Tensor) -> Tensor:
        nearest = K.argmin(K.abs(other - self.value), axis=0)
        return api_index.gather(wanted, nearest)


class SensitivityAtSpecificity(_AtValue):
    """The share of hits among the true at a given share of rejections among the false."""

    def __init__(
        self, specificity: float, num_thresholds: int = 200, name: str | None = None,
        dtype: Any = None,
    ) -> None:
        if specificity < 0 or specificity > 1:
            raise ValueError("`specificity` must be in the range [0, 1].")
        super().__init__(specificity, num_thresholds, name, dtype)

    def result(self) -> Any:
        sensitivity, specificity = self._rates()
        return self._at(sensitivity, specificity)


class SpecificityAtSensitivity(_AtValue):
    """The share of rejections among the false at a given share of hits among the true."""

    def __init__(
        self, sensitivity: float, num_thresholds: int = 200, name: str | None = None,
        dtype: Any = None,
    ) -> None:
        if sensitivity < 0 or sensitivity > 1:
            raise ValueError("`sensitivity` must be in the range [0, 1].")
        super().__init__(sensitivity, num_thresholds, name, dtype)

    def result(self) -> Any:
        sensitivity, specificity = self._rates()
        return self._at(specificity, sensitivity)


class MeanIoU(Metric):
    """The mean over classes of intersection / union of true and predicted elements."""

    def __init__(self, num_classes: int, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name=name or "mean_io_u", dtype=dtype)
        self.num_classes = num_classes
        self.total_cm = self.add_weight("total_confusion_matrix", (num_classes, num_classes))

    def update_state(  # type: ignore[override]
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> Any:
        n = self.num_classes
        rows, columns = (
            api_array.one_hot(
                api_array.reshape(K.cast(convert_to_tensor(t), "int64"), [-1]), depth=n,
                dtype=float32,
            )
            for t in (y_true, y_pred)
        )  # fmt: skip
        if sample_weight is not None:
            weights = api_array.reshape(K.cast(sample_weight, float32), [-1, 1])
            rows = rows * weights
        return self.total_cm.assign_add(F.matmul(rows, columns, transpose_a=True))

    def result(self) -> Any:
        matrix = self.total_cm.read_value()
        hits = api_array.diag_part(matrix)
        union = K.sum(matrix, axis=0) + K.sum(matrix, axis=1) - hits
        valid = K.sum(K.cast(api_math.not_equal(union, 0.0), float32))
        return api_math.div_no_nan(K.sum(api_math.div_no_nan(hits, union)), valid)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_classes": self.num_classes}
