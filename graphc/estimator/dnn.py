"""Networks of dense layers: DNNClassifier, DNNRegressor, DNNEstimator.

Lives here: the estimators and the logits of such a network. Not here: heads (heads.py), the same
beside a linear model (combined.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphc.estimator.estimator import Estimator
from graphc.estimator.heads import SUM, BinaryClassHead, Head, MultiClassHead
from graphc.estimator.heads_regression import RegressionHead
from graphc.estimator.model_fn import EstimatorSpec, ModeKeys
from graphc.estimator.optimizers import optimizer_of
from graphc.ir.node import Tensor
from graphc.tf1 import summary
from graphc.tf1.api_nn import relu, zero_fraction
from graphc.tf1.feature_column_model import input_layer
from graphc.tf1.initializers import glorot_uniform_initializer
from graphc.tf1.layers_core import dense, dropout
from graphc.tf1.layers_norm import batch_normalization
from graphc.tf1.variable_scope import variable_scope

__all__ = ["DNNClassifier", "DNNEstimator", "DNNRegressor"]

LEARNING_RATE = 0.05


def class_head(
    n_classes: int, weight_column: Any, label_vocabulary: Any, loss_reduction: str
) -> Head:
    """The head of a classifier: a sigmoid for two classes, else a softmax."""
    if n_classes == 2:
        return BinaryClassHead(
            weight_column, label_vocabulary=label_vocabulary, loss_reduction=loss_reduction
        )
    return MultiClassHead(n_classes, weight_column, label_vocabulary, loss_reduction)


def check_features(features: Any) -> None:
    if not isinstance(features, Mapping):
        raise ValueError(
            f"features should be a dictionary of `Tensor`s. Given type: {type(features)}"
        )


def dnn_logits(
    features: Mapping[str, Any],
    mode: str,
    units: int,
    hidden_units: Sequence[int],
    feature_columns: Any,
    activation_fn: Any = relu,
    rate: float | None = None,
    batch_norm: bool = False,
) -> Tensor:
    """[batch, units]: hidden layers over the columns. Made in the scope "dnn"."""
    training = mode == ModeKeys.TRAIN
    with variable_scope("input_from_feature_columns", values=list(features.values())):
        net = input_layer(features, feature_columns)
    for number, width in enumerate(hidden_units):
        name = f"hiddenlayer_{number}"
        net = dense(
            net, width, activation=activation_fn,
            kernel_initializer=glorot_uniform_initializer(), name=name,
        )  # fmt: skip
        if rate is not None and training:
            net = dropout(net, rate, training=True)
        if batch_norm:
            with variable_scope(name, auxiliary_name_scope=False):
                net = batch_normalization(
                    net, momentum=0.999, training=training, name=f"batchnorm_{number}"
                )
        _summarize(net, f"dnn/{name}")
    logits = dense(
        net, units, kernel_initializer=glorot_uniform_initializer(), name="logits"
    )
    _summarize(logits, "dnn/logits")
    return logits


def _summarize(value: Tensor, name: str) -> None:
    with value.graph.name_scope(""):
        summary.scalar(f"{name}/fraction_of_zero_values", zero_fraction(value))
        summary.histogram(f"{name}/activation", value)


def _model_fn(
    head: Head,
    hidden_units: Sequence[int],
    feature_columns: Any,
    optimizer: Any,
    activation_fn: Any,
    rate: float | None,
    batch_norm: bool,
) -> Callable[..., EstimatorSpec]:
    def model_fn(features: Any, labels: Any, mode: str, config: Any) -> EstimatorSpec:
        check_features(features)
        with variable_scope("dnn", values=list(features.values())):
            logits = dnn_logits(
                features, mode, head.logits_dimension, hidden_units, feature_columns,
                activation_fn, rate, batch_norm,
            )  # fmt: skip
        chosen = optimizer_of(optimizer, LEARNING_RATE) if mode == ModeKeys.TRAIN else None
        return head.create_estimator_spec(
            features=features, mode=mode, logits=logits, labels=labels, optimizer=chosen
        )

    return model_fn


class DNNEstimator(Estimator):
    """A network of dense layers with a head of the user's (tf.estimator.DNNEstimator).

    Args:
        head: see tf.estimator.Head. hidden_units: the widths of the hidden layers.
        feature_columns: what the network reads. optimizer: an optimizer, a function that makes
            one, or "Adagrad", "Adam", "Ftrl", "RMSProp", "SGD". dropout: the share of values that
            a training step drops. input_layer_partitioner: accepted.
    """

    def __init__(
        self,
        head: Head,
        hidden_units: Sequence[int],
        feature_columns: Any,
        model_dir: Any = None,
        optimizer: Any = "Adagrad",
        activation_fn: Any = relu,
        dropout: float | None = None,
        input_layer_partitioner: Any = None,
        config: Any = None,
        warm_start_from: Any = None,
        batch_norm: bool = False,
    ) -> None:
        super().__init__(
            _model_fn(
                head, hidden_units, feature_columns, optimizer, activation_fn, dropout, batch_norm
            ),
            model_dir,
            config,
            warm_start_from=warm_start_from,
        )


class DNNClassifier(DNNEstimator):
    """Classes by a network of dense layers (tf.estimator.DNNClassifier).

    Labels are class numbers, or strings of label_vocabulary. Predictions: "logits",
    "probabilities", "class_ids", "classes" (and "logistic" for two classes).

    Args:
        n_classes: 2 has one logit. weight_column: the feature that weights examples.
        loss_reduction: of the losses of a batch, by default their sum. Others: see DNNEstimator.

    Raises:
        ValueError: n_classes or label_vocabulary that cannot be.
    """

    def __init__(
        self,
        hidden_units: Sequence[int],
        feature_columns: Any,
        model_dir: Any = None,
        n_classes: int = 2,
        weight_column: Any = None,
        label_vocabulary: Sequence[str] | None = None,
        optimizer: Any = "Adagrad",
        activation_fn: Any = relu,
        dropout: float | None = None,
        input_layer_partitioner: Any = None,
        config: Any = None,
        warm_start_from: Any = None,
        loss_reduction: str = SUM,
        batch_norm: bool = False,
    ) -> None:
        head = class_head(n_classes, weight_column, label_vocabulary, loss_reduction)
        super().__init__(
            head, hidden_units, feature_columns, model_dir, optimizer, activation_fn, dropout,
            input_layer_partitioner, config, warm_start_from, batch_norm,
        )  # fmt: skip


class DNNRegressor(DNNEstimator):
    """Numbers by a network of dense layers (tf.estimator.DNNRegressor).

    Predictions: "predictions" [label_dimension]. Arguments: see DNNClassifier.
    """

    def __init__(
        self,
        hidden_units: Sequence[int],
        feature_columns: Any,
        model_dir: Any = None,
        label_dimension: int = 1,
        weight_column: Any = None,
        optimizer: Any = "Adagrad",
        activation_fn: Any = relu,
        dropout: float | None = None,
        input_layer_partitioner: Any = None,
        config: Any = None,
        warm_start_from: Any = None,
        loss_reduction: str = SUM,
        batch_norm: bool = False,
    ) -> None:
        head = RegressionHead(label_dimension, weight_column, loss_reduction)
        super().__init__(
            head, hidden_units, feature_columns, model_dir, optimizer, activation_fn, dropout,
            input_layer_partitioner, config, warm_start_from, batch_norm,
        )  # fmt: skip
