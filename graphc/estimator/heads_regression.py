"""Heads of regressions: squared errors, counts, probabilities.

Lives here: RegressionHead, PoissonRegressionHead, LogisticRegressionHead. Not here: what heads
share (heads.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphc.estimator import head_ops as ops
from graphc.estimator.export_output import PredictOutput, RegressionOutput
from graphc.estimator.heads import SUM_OVER_BATCH_SIZE, Head
from graphc.ir.dtypes import float32
from graphc.ir.node import Tensor
from graphc.ops.define import F
from graphc.tf1 import metrics_mean

__all__ = ["LogisticRegressionHead", "PoissonRegressionHead", "RegressionHead"]

_DEFAULT_SERVING = "serving_default"


class RegressionHead(Head):
    """Mean squared errors of one or several numbers (tf.estimator.RegressionHead).

    Args:
        label_dimension: how many numbers an example has. inverse_link_fn: from logits to
            predictions.

    Raises:
        ValueError: label_dimension < 1.
    """

    def __init__(
        self,
        label_dimension: int = 1,
        weight_column: Any = None,
        loss_reduction: str = SUM_OVER_BATCH_SIZE,
        loss_fn: Callable[..., Any] | None = None,
        inverse_link_fn: Callable[[Any], Any] | None = None,
        name: str | None = None,
    ) -> None:
        if label_dimension < 1:
            raise ValueError(f"Invalid label_dimension {label_dimension}.")
        super().__init__(weight_column, loss_reduction, loss_fn, name)
        self._label_dimension = label_dimension
        self._inverse_link_fn = inverse_link_fn

    @property
    def logits_dimension(self) -> int:
        return self._label_dimension

    def processed_labels(self, labels: Any) -> Tensor:
        return F.cast(ops.checked_labels(labels, self._label_dimension), dtype=float32)

    def example_losses(self, labels: Tensor, logits: Tensor) -> Tensor:
        return F.squared_difference(logits, labels)

    def predictions(self, logits: Any) -> dict[str, Tensor]:
        if self._inverse_link_fn is None:
            return {"predictions": logits}
        return {"predictions": self._inverse_link_fn(logits), "logits": logits}

    def outputs(self, predictions: Mapping[str, Tensor]) -> dict[str, Any]:
        value = RegressionOutput(predictions["predictions"])
        return {
            _DEFAULT_SERVING: value, "regression": value, "predict": PredictOutput(predictions)
        }

    def metrics_of(
        self, labels: Tensor, predictions: Mapping[str, Tensor], losses: Tensor, weights: Any
    ) -> dict[str, Any]:
        value = predictions["predictions"]
        return {
            "average_loss": metrics_mean.mean(losses, weights),
            "prediction/mean": metrics_mean.mean(value, ops.broadcast(weights, value)),
            "label/mean": metrics_mean.mean(labels, ops.broadcast(weights, labels)),
        }


class PoissonRegressionHead(RegressionHead):
    """Counts: the logits are logarithms of the means (tf.estimator.PoissonRegressionHead).

    Args:
        compute_full_loss: with Stirling's term. Others: see RegressionHead.
    """

    def __init__(
        self,
        label_dimension: int = 1,
        weight_column: Any = None,
        loss_reduction: str = SUM_OVER_BATCH_SIZE,
        compute_full_loss: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__(
            label_dimension, weight_column, loss_reduction, inverse_link_fn=F.exp, name=name
        )
        self._compute_full_loss = compute_full_loss

    def example_losses(self, labels: Tensor, logits: Tensor) -> Tensor:
        from graphc.tf1.api_losses import log_poisson_loss

        return log_poisson_loss(labels, logits, compute_full_loss=self._compute_full_loss)


class LogisticRegressionHead(RegressionHead):
    """Probabilities as labels: a sigmoid's cross-entropy (tf.estimator.LogisticRegressionHead)."""

    def __init__(
        self,
        weight_column: Any = None,
        loss_reduction: str = SUM_OVER_BATCH_SIZE,
        name: str | None = None,
    ) -> None:
        super().__init__(
            1, weight_column, loss_reduction, inverse_link_fn=F.sigmoid, name=name
        )

    def example_losses(self, labels: Tensor, logits: Tensor) -> Tensor:
        return ops.sigmoid_losses(labels, logits)
