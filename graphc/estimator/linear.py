"""Linear models: LinearClassifier, LinearRegressor, LinearEstimator.

Lives here: the estimators and the logits of such a model. Not here: heads (heads.py), the same
beside a network (combined.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphc.estimator.dnn import check_features, class_head
from graphc.estimator.estimator import Estimator
from graphc.estimator.heads import SUM, Head
from graphc.estimator.heads_regression import RegressionHead
from graphc.estimator.model_fn import EstimatorSpec, ModeKeys
from graphc.estimator.optimizers import optimizer_of
from graphc.ir.node import Tensor
from graphc.tf1 import summary
from graphc.tf1.api_nn import zero_fraction
from graphc.tf1.feature_column_model import checked_columns, linear_model
from graphc.tf1.variable_scope import variable_scope

__all__ = ["LinearClassifier", "LinearEstimator", "LinearRegressor"]

LEARNING_RATE = 0.2


def linear_logits(
    features: Mapping[str, Any], units: int, feature_columns: Any, sparse_combiner: str
) -> Tensor:
    """[batch, units]: the linear model of the columns. Made in the scope "linear"."""
    variables: dict[Any, Any] = {}
    logits = linear_model(
        features, feature_columns, units=units, sparse_combiner=sparse_combiner,
        cols_to_vars=variables,
    )  # fmt: skip
    (bias,) = variables.pop("bias")
    with logits.graph.name_scope(""):
        if units > 1:
            summary.histogram("bias", bias)
        else:
            summary.scalar("bias", bias[0])
        weights = [v for found in variables.values() for v in found]
        if weights:
            from graphc.tf1.api_array import concat, reshape

            every = concat([reshape(v, [-1]) for v in weights], axis=0)
            summary.scalar("fraction_of_zero_weights", zero_fraction(every))
    return logits


def _model_fn(
    head: Head, feature_columns: Any, optimizer: Any, sparse_combiner: str
) -> Callable[..., EstimatorSpec]:
    rate = min(LEARNING_RATE, 1 / math.sqrt(len(checked_columns(feature_columns))))

    def model_fn(features: Any, labels: Any, mode: str, config: Any) -> EstimatorSpec:
        check_features(features)
        with variable_scope("linear", values=list(features.values())):
            logits = linear_logits(
                features, head.logits_dimension, feature_columns, sparse_combiner
            )
        chosen = optimizer_of(optimizer, rate) if mode == ModeKeys.TRAIN else None
        return head.create_estimator_spec(
            features=features, mode=mode, logits=logits, labels=labels, optimizer=chosen
        )

    return model_fn


class LinearEstimator(Estimator):
    """A linear model with a head of the user's (tf.estimator.LinearEstimator).

    Args:
        head: see tf.estimator.Head. feature_columns: what the model reads.
        optimizer: default "Ftrl" with a rate of 0.2 at most. sparse_combiner: of the weights of an
            example's categories: "sum", "mean" or "sqrtn". partitioner: accepted.
    """

    def __init__(
        self,
        head: Head,
        feature_columns: Any,
        model_dir: Any = None,
        optimizer: Any = "Ftrl",
        config: Any = None,
        partitioner: Any = None,
        sparse_combiner: str = "sum",
        warm_start_from: Any = None,
    ) -> None:
        super().__init__(
            _model_fn(head, feature_columns, optimizer, sparse_combiner),
            model_dir,
            config,
            warm_start_from=warm_start_from,
        )


class LinearClassifier(LinearEstimator):
    """Classes by a linear model (tf.estimator.LinearClassifier).

    Labels are class numbers, or strings of label_vocabulary.

    Raises:
        ValueError: n_classes or label_vocabulary that cannot be.
    """

    def __init__(
        self,
        feature_columns: Any,
        model_dir: Any = None,
        n_classes: int = 2,
        weight_column: Any = None,
        label_vocabulary: Sequence[str] | None = None,
        optimizer: Any = "Ftrl",
        config: Any = None,
        partitioner: Any = None,
        warm_start_from: Any = None,
        loss_reduction: str = SUM,
        sparse_combiner: str = "sum",
    ) -> None:
        head = class_head(n_classes, weight_column, label_vocabulary, loss_reduction)
        super().__init__(
            head, feature_columns, model_dir, optimizer, config, partitioner, sparse_combiner,
            warm_start_from,
        )  # fmt: skip


class LinearRegressor(LinearEstimator):
    """Numbers by a linear model (tf.estimator.LinearRegressor)."""

    def __init__(
        self,
        feature_columns: Any,
        model_dir: Any = None,
        label_dimension: int = 1,
        weight_column: Any = None,
        optimizer: Any = "Ftrl",
        config: Any = None,
        partitioner: Any = None,
        warm_start_from: Any = None,
        loss_reduction: str = SUM,
        sparse_combiner: str = "sum",
    ) -> None:
        head = RegressionHead(label_dimension, weight_column, loss_reduction)
        super().__init__(
            head, feature_columns, model_dir, optimizer, config, partitioner, sparse_combiner,
            warm_start_from,
        )  # fmt: skip
