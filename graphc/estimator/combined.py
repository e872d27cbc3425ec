"""Wide and deep models: DNNLinearCombinedClassifier, -Regressor, -Estimator.

Lives here: the estimators. Not here: their two parts (dnn.py, linear.py), heads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from graphc.estimator.dnn import LEARNING_RATE as DNN_LEARNING_RATE
from graphc.estimator.dnn import check_features, class_head, dnn_logits
from graphc.estimator.estimator import Estimator
from graphc.estimator.heads import SUM, Head
from graphc.estimator.heads_regression import RegressionHead
from graphc.estimator.linear import linear_logits
from graphc.estimator.model_fn import EstimatorSpec, ModeKeys
from graphc.estimator.optimizers import optimizer_of
from graphc.ir.graph import GraphKeys, get_default_graph
from graphc.ir.node import Tensor
from graphc.ops.define import F
from graphc.tf1.api_nn import relu
from graphc.tf1.api_state import assign_add, get_global_step
from graphc.tf1.ops_misc import group
from graphc.tf1.variable_scope import variable_scope

__all__ = [
    "DNNLinearCombinedClassifier", "DNNLinearCombinedEstimator", "DNNLinearCombinedRegressor",
]  # fmt: skip

_LINEAR_LEARNING_RATE = 0.005


def _train_op_fn(parts: Sequence[tuple[str, Any]]) -> Callable[[Tensor], Any]:
    """Each part's optimizer on its own variables, then one more global step."""

    def train_op_fn(loss: Tensor) -> Any:
        graph = get_default_graph()
        steps = [
            optimizer.minimize(
                loss, var_list=graph.get_collection(GraphKeys.TRAINABLE_VARIABLES, scope)
            )
            for scope, optimizer in parts
        ]
        with graph.control_dependencies([group(*steps)]):
            return assign_add(get_global_step(), 1).op

    return train_op_fn


def _model_fn(
    head: Head,
    linear_columns: Any,
    linear_optimizer: Any,
    dnn_columns: Any,
    dnn_optimizer: Any,
    hidden_units: Any,
    activation_fn: Any,
    rate: float | None,
    batch_norm: bool,
    sparse_combiner: str,
) -> Callable[..., EstimatorSpec]:
    def model_fn(features: Any, labels: Any, mode: str, config: Any) -> EstimatorSpec:
        check_features(features)
        units, values = head.logits_dimension, list(features.values())
        training = mode == ModeKeys.TRAIN
        logits: list[Tensor] = []
        parts: list[tuple[str, Any]] = []
        if dnn_columns:
            with variable_scope("dnn", values=values):
                logits.append(
                    dnn_logits(
                        features, mode, units, hidden_units, dnn_columns, activation_fn, rate,
                        batch_norm,
                    )  # fmt: skip
                )
            if training:
                parts.append(("dnn", optimizer_of(dnn_optimizer, DNN_LEARNING_RATE)))
        if linear_columns:
            with variable_scope("linear", values=values):
                logits.append(linear_logits(features, units, linear_columns, sparse_combiner))
            if training:
                slow = min(_LINEAR_LEARNING_RATE, 1 / math.sqrt(len(linear_columns)))
                parts.append(("linear", optimizer_of(linear_optimizer, slow)))
        return head.create_estimator_spec(
            features=features,
            mode=mode,
            logits=logits[0] if len(logits) == 1 else F.add(*logits),
            labels=labels,
            train_op_fn=_train_op_fn(parts) if training else None,
        )

    return model_fn


class DNNLinearCombinedEstimator(Estimator):
    """A linear model and a network together (tf.estimator.DNNLinearCombinedEstimator).

    Args:
        linear_feature_columns, linear_optimizer: the wide part. dnn_feature_columns,
            dnn_optimizer, dnn_hidden_units, dnn_activation_fn, dnn_dropout, batch_norm: the deep
            one. linear_sparse_combiner: see LinearEstimator. Partitioners are accepted.

    Raises:
        ValueError: no columns at all, or columns for a network without hidden_units.
    """

    def __init__(
        self,
        head: Head,
        model_dir: Any = None,
        linear_feature_columns: Any = None,
        linear_optimizer: Any = "Ftrl",
        dnn_feature_columns: Any = None,
        dnn_optimizer: Any = "Adagrad",
        dnn_hidden_units: Sequence[int] | None = None,
        dnn_activation_fn: Any = relu,
        dnn_dropout: float | None = None,
        input_layer_partitioner: Any = None,
        config: Any = None,
        linear_sparse_combiner: str = "sum",
        batch_norm: bool = False,
        warm_start_from: Any = None,
    ) -> None:
        linear, deep = list(linear_feature_columns or []), list(dnn_feature_columns or [])
        if not linear and not deep:
            raise ValueError(
                "Either linear_feature_columns or dnn_feature_columns must be defined."
            )
        if deep and not dnn_hidden_units:
            raise ValueError(
                "dnn_hidden_units must be defined when dnn_feature_columns is specified."
            )
        super().__init__(
            _model_fn(
                head, linear, linear_optimizer, deep, dnn_optimizer, dnn_hidden_units,
                dnn_activation_fn, dnn_dropout, batch_norm, linear_sparse_combiner,
            ),  # fmt: skip
            model_dir,
            config,
            warm_start_from=warm_start_from,
        )


class DNNLinearCombinedClassifier(DNNLinearCombinedEstimator):
    """Classes by a linear model and a network (tf.estimator.DNNLinearCombinedClassifier).

    Raises:
        ValueError: n_classes or label_vocabulary that cannot be; see the base class.
    """

    def __init__(
        self,
        model_dir: Any = None,
        linear_feature_columns: Any = None,
        linear_optimizer: Any = "Ftrl",
        dnn_feature_columns: Any = None,
        dnn_optimizer: Any = "Adagrad",
        dnn_hidden_units: Sequence[int] | None = None,
        dnn_activation_fn: Any = relu,
        dnn_dropout: float | None = None,
        n_classes: int = 2,
        weight_column: Any = None,
        label_vocabulary: Sequence[str] | None = None,
        input_layer_partitioner: Any = None,
        config: Any = None,
        warm_start_from: Any = None,
        loss_reduction: str = SUM,
        batch_norm: bool = False,
        linear_sparse_combiner: str = "sum",
    ) -> None:
        head = class_head(n_classes, weight_column, label_vocabulary, loss_reduction)
        super().__init__(
            head, model_dir, linear_feature_columns, linear_optimizer, dnn_feature_columns,
            dnn_optimizer, dnn_hidden_units, dnn_activation_fn, dnn_dropout,
            input_layer_partitioner, config, linear_sparse_combiner, batch_norm, warm_start_from,
        )  # fmt: skip


class DNNLinearCombinedRegressor(DNNLinearCombinedEstimator):
    """Numbers by a linear model and a network (tf.estimator.DNNLinearCombinedRegressor)."""

    def __init__(
        self,
        model_dir: Any = None,
        linear_feature_columns: Any = None,
        linear_optimizer: Any = "Ftrl",
        dnn_feature_columns: Any = None,
        dnn_optimizer: Any = "Adagrad",
        dnn_hidden_units: Sequence[int] | None = None,
        dnn_activation_fn: Any = relu,
        dnn_dropout: float | None = None,
        label_dimension: int = 1,
        weight_column: Any = None,
        input_layer_partitioner: Any = None,
        config: Any = None,
        warm_start_from: Any = None,
        loss_reduction: str = SUM,
        batch_norm: bool = False,
        linear_sparse_combiner: str = "sum",
    ) -> None:
        head = RegressionHead(label_dimension, weight_column, loss_reduction)
        super().__init__(
            head, model_dir, linear_feature_columns, linear_optimizer, dnn_feature_columns,
            dnn_optimizer, dnn_hidden_units, dnn_activation_fn, dnn_dropout,
            input_layer_partitioner, config, linear_sparse_combiner, batch_norm, warm_start_from,
        )  # fmt: skip
