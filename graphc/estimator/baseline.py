"""Models that ignore the features: BaselineClassifier, BaselineRegressor, BaselineEstimator.

Lives here: the estimators. They learn the mean of the labels, which others should surpass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphc.estimator.dnn import class_head
from graphc.estimator.estimator import Estimator
from graphc.estimator.heads import SUM, Head
from graphc.estimator.heads_regression import RegressionHead
from graphc.estimator.model_fn import EstimatorSpec, ModeKeys
from graphc.estimator.optimizers import optimizer_of
from graphc.ir.dtypes import float32
from graphc.ir.node import Tensor
from graphc.ops.define import F
from graphc.tf1.api_array import shape
from graphc.tf1.api_create import ones
from graphc.tf1.initializers import zeros_initializer
from graphc.tf1.sparse_tensor import SparseTensor
from graphc.tf1.variable_scope import get_variable, variable_scope

__all__ = ["BaselineClassifier", "BaselineEstimator", "BaselineRegressor"]

_LEARNING_RATE = 0.3


def _batch_size(features: Any) -> Any:
    if isinstance(features, Mapping):
        if not features:
            raise ValueError("features cannot be empty")
        features = features[sorted(features)[0]]
    if isinstance(features, SparseTensor):
        return features.dense_shape[0]
    return shape(features)[0]


def _logits(features: Any, units: int) -> Tensor:
    """[batch, units]: the bias, for each example."""
    with variable_scope("baseline"):
        bias = get_variable("bias", [units], float32, zeros_initializer())
        return F.multiply(ones([_batch_size(features), 1]), bias)


def _model_fn(head: Head, optimizer: Any) -> Callable[..., EstimatorSpec]:
    def model_fn(features: Any, labels: Any, mode: str, config: Any) -> EstimatorSpec:
        logits = _logits(features, head.logits_dimension)
        chosen = optimizer_of(optimizer, _LEARNING_RATE) if mode == ModeKeys.TRAIN else None
        return head.create_estimator_spec(
            features=features, mode=mode, logits=logits, labels=labels, optimizer=chosen
        )

    return model_fn


class BaselineEstimator(Estimator):
    """A bias with a head of the user's (tf.estimator.BaselineEstimator)."""

    def __init__(
        self, head: Head, model_dir: Any = None, optimizer: Any = "Ftrl", config: Any = None
    ) -> None:
        super().__init__(_model_fn(head, optimizer), model_dir, config)


class BaselineClassifier(BaselineEstimator):
    """Class frequencies (tf.estimator.BaselineClassifier).

    Raises:
        ValueError: n_classes or label_vocabulary that cannot be.
    """

    def __init__(
        self,
        model_dir: Any = None,
        n_classes: int = 2,
        weight_column: Any = None,
        label_vocabulary: Sequence[str] | None = None,
        optimizer: Any = "Ftrl",
        config: Any = None,
        loss_reduction: str = SUM,
    ) -> None:
        head = class_head(n_classes, weight_column, label_vocabulary, loss_reduction)
        super().__init__(head, model_dir, optimizer, config)


class BaselineRegressor(BaselineEstimator):
    """The mean of the labels (tf.estimator.BaselineRegressor)."""

    def __init__(
        self,
        model_dir: Any = None,
        label_dimension: int = 1,
        weight_column: Any = None,
        optimizer: Any = "Ftrl",
        config: Any = None,
        loss_reduction: str = SUM,
    ) -> None:
        head = RegressionHead(label_dimension, weight_column, loss_reduction)
        super().__init__(head, model_dir, optimizer, config)
