"""One output of a compiled model: its target, loss and metrics.

Lives here: Endpoint, the choice of accuracies, names. Not here: functions that run
(engine/functions.py). Imports keras.losses and keras.metrics.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ir.node import Tensor
from graphc.keras import losses, metrics
from graphc.keras.core import math as K
from graphc.keras.core.arrays import int_shape
from graphc.keras.core.marks import mask_of
from graphc.keras.engine.logs import LONG_NAMES
from graphc.keras.engine.metric_base import _fitted
from graphc.keras.engine.nodes import as_list
from graphc.ops.convert import convert_to_tensor
from graphc.tf1.api_math import div_no_nan
from graphc.tf1.framework import placeholder

__all__ = ["Endpoint", "MetricFunction", "per_output"]

# losses whose targets have the predictions' shape
_SAME_SHAPE = ("mean_squared_error", "binary_crossentropy", "categorical_crossentropy")


def per_output(value: Any, names: list[str], what: str) -> list[Any]:
    """One entry an output from a single value, a list or a dict by name.

    Raises:
        ValueError: an unknown name, or a list of another length.
    """
    if isinstance(value, dict) and not ("class_name" in value and "config" in value):
        for key in value:
            if key not in names:
                raise ValueError(
                    f'Unknown entry in {what} dictionary: "{key}". Only expected the following '
                    f"keys: {names}"
                )
        return [value.get(n) for n in names]
    if isinstance(value, list | tuple):
        if len(value) != len(names):
            raise ValueError(
                f"When passing a list as {what}, it should have one entry per model output. The "
                f"model has {len(names)} outputs, but you passed {what}={value}"
            )
        return list(value)
    return [value] * len(names)


class MetricFunction:
    """A metric that is a function, as `Model.metrics` shows it: with a name."""

    def __init__(self, name: str, fn: Callable[..., Any]) -> None:
        self.name, self.fn = name, fn

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        return self.fn(y_true, y_pred)

    def reset_states(self) -> None:
        """Its means are kept by the loops, and begin anew with each."""


class Endpoint:
    """Attributes: name, output, loss (or None), weight, metrics (name, function or Metric)."""

    def __init__(self, name: str, output: Tensor, loss: Any, weight: Any) -> None:
        self.name, self.output = name, output
        self.loss = losses.get(loss)
        self.weight = 1.0 if weight is None else weight
        self.metrics: list[tuple[str, Any, bool]] = []
        self.target: Any = None
        self.fed = True
        self._weights: Tensor | None = None
        self.temporal = False

    @property
    def sparse(self) -> bool:
        return losses.is_sparse_loss(self.loss)

    # ------------------------------------------------------------ placeholders
    def make_target(self, given: Any) -> None:
        """The placeholder of the targets, or a tensor of the user's."""
        if given is not None:
            self.target = convert_to_tensor(given)
            self.fed = self.target.node.op.name == "placeholder"
            return
        if self.loss is None:
            return
        dims = int_shape(self.output)
        shape: Any = None
        if dims is not None:
            shape = [None] * len(dims)
            fn = getattr(self.loss, "fn", self.loss)
            if self.sparse:
                shape = [None, *dims[1:-1], 1]
            elif getattr(fn, "__module__", "") == losses.__name__:
                shape = [None, *dims[1:]]
        kind = self.output.dtype if self.output.dtype.is_floating else K.floatx()
        self.target = placeholder(kind, shape, f"{self.name}_target")

    @property
    def sample_weights(self) -> Tensor:
        """The placeholder of one weight a sample (and time step)."""
        if self._weights is None:
            shape = [None, None] if self.temporal else [None]
            self._weights = placeholder(K.floatx(), shape, f"{self.name}_sample_weights")
        return self._weights

    # ------------------------------------------------------------ values
    def loss_tensor(self, weights: Any) -> Tensor:
        """The loss of a batch.

        Raises:
            ValueError: the loss function gives no tensor.
        """
        loss = self.loss
        reduction = getattr(loss, "reduction", losses.Reduction.AUTO)
        call = loss.call if isinstance(loss, losses.Loss) else loss
        values = call(self.target, self.output)
        if values is None:
            raise ValueError(f"The loss of output {self.name!r} returned None")
        values = convert_to_tensor(values)
        values = _masked(values, mask_of(self.output))
        if values.rank not in (0,) and weights is not None:
            values = losses.weighted(values, weights)
        if reduction == losses.Reduction.NONE:
            reduction = losses.Reduction.AUTO
        return losses.reduced(values, reduction)

    def metric_value(self, fn: Callable[..., Any], weights: Any) -> tuple[Tensor, Tensor | None]:
        """The mean over a batch of a metric that is a function, and what it counts for.

        None: for as much as the batch has samples.
        """
        values = convert_to_tensor(fn(self.target, self.output))
        if not values.dtype.is_floating:
            values = K.cast(values, K.floatx())
        weights = self.weights_of_metric(weights, values)
        if weights is None or values.rank == 0:
            return K.mean(values), None
        values, weights = _fitted(values, weights)
        count = K.sum(weights)
        return div_no_nan(K.sum(values * weights), count), count

    def weights_of_metric(self, weights: Any, values: Tensor) -> Any:
        """The weights, where steps are masked times the mask; None where all count alike."""
        mask = mask_of(self.output)
        spread = mask is not None and mask.rank is not None and values.rank is not None
        if not spread or mask.rank > values.rank:
            return weights
        mask = K.cast(mask, K.floatx())
        if weights is None:
            return mask
        for _ in range((mask.rank or 0) - (weights.rank or 0)):
            weights = weights[..., None]
        return mask * weights

    # ------------------------------------------------------------ metrics
    def add_metrics(self, given: Any, weighted: bool) -> None:
        """Adds metrics by name, function or object."""
        for metric in as_list(given):
            fn, name = self._metric(metric)
            self.metrics.append(("weighted_" + name if weighted else name, fn, weighted))

    def _metric(self, metric: Any) -> tuple[Any, str]:
        if isinstance(metric, metrics.Metric):
            return metric, metric.name
        if isinstance(metric, str) and metric in ("accuracy", "acc"):
            return self._accuracy(), "acc"
        if isinstance(metric, str) and metric in ("crossentropy", "ce"):
            return self._crossentropy(), "ce"
        name = metric if isinstance(metric, str) and metric.lower() not in LONG_NAMES else None
        metric = metrics.get(metric)
        if isinstance(metric, type) and issubclass(metric, metrics.Metric):
            metric = metric()
        if isinstance(metric, metrics.Metric):
            return metric, metric.name
        own = getattr(metric, "__name__", None) or getattr(metric, "name", None)
        return metric, name or own or "metric"

    def _kind(self) -> str:
        """ "binary", "sparse" or "categorical", by the output's shape and the loss."""
        dims = int_shape(self.output) or (None,)
        fn = getattr(self.loss, "fn", self.loss)
        if dims[-1] == 1 or fn is losses.binary_crossentropy:
            return "binary"
        if self.sparse:
            return "sparse"
        target = int_shape(self.target) if self.target is not None else None
        known = target is not None and target[-1] == 1 and dims[-1] != 1
        return "sparse" if known else "categorical"

    def _accuracy(self) -> Callable[..., Any]:
        table: dict[str, Callable[..., Any]] = {
            "binary": metrics.binary_accuracy, "sparse": metrics.sparse_categorical_accuracy,
            "categorical": metrics.categorical_accuracy,
        }  # fmt: skip
        return table[self._kind()]

    def _crossentropy(self) -> Callable[..., Any]:
        table: dict[str, Callable[..., Any]] = {
            "binary": losses.binary_crossentropy,
            "sparse": losses.sparse_categorical_crossentropy,
            "categorical": losses.categorical_crossentropy,
        }
        return table[self._kind()]


def _masked(values: Tensor, mask: Any) -> Tensor:
    """Values of masked steps become 0, the others grow so that the mean is over them."""
    if mask is None or values.rank == 0:
        return values
    mask = K.cast(mask, values.dtype)
    if mask.rank is not None and values.rank is not None and mask.rank > values.rank:
        return values
    for _ in range((values.rank or 0) - (mask.rank or 0)):
        mask = K.cast(mask, values.dtype)[..., None]
    return values * mask / K.mean(mask)
