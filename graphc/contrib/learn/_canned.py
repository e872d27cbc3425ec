"""tf.contrib.learn's classifiers and regressors, with fit and predict_classes.

Lives here: the classes. They are the models of tf.estimator (and so are their variables' names),
fed with a dict of features or one tensor, whose column is real_valued_column("").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from graphc import estimator as core
from graphc.contrib._columns import real_valued_column
from graphc.contrib.learn._estimator import BaseEstimator
from graphc.contrib.learn._run import ModeKeys
from graphc.estimator.extenders import clip_gradients_by_norm
from graphc.estimator.heads import SUM_OVER_BATCH_SIZE
from graphc.tf1.api_array import squeeze
from graphc.tf1.api_nn import relu

__all__ = [
    "DNNClassifier", "DNNLinearCombinedClassifier", "DNNLinearCombinedRegressor", "DNNRegressor",
    "LinearClassifier", "LinearRegressor", "infer_real_valued_columns_from_input",
    "infer_real_valued_columns_from_input_fn",
]  # fmt: skip


def infer_real_valued_columns_from_input(x: Any) -> list[Any]:
    """Columns of numbers for arrays: a matrix, or a dict of them."""
    if isinstance(x, Mapping):
        return [real_valued_column(key, _width(np.asarray(x[key]))) for key in sorted(x)]
    return [real_valued_column("", _width(np.asarray(x)))]


def _width(array: Any) -> int:
    return int(np.prod(array.shape[1:]))


def infer_real_valued_columns_from_input_fn(input_fn: Callable[[], Any]) -> list[Any]:
    """Columns of numbers for what an input function gives."""
    from graphc.ir.graph import Graph

    with Graph().as_default():
        features, _ = input_fn()
        parts = features if isinstance(features, Mapping) else {"": features}
        return [
            real_valued_column(key, int(np.prod(parts[key].get_shape().as_list()[1:])))
            for key in sorted(parts)
        ]


class _Canned(BaseEstimator):
    """One of tf.estimator's models; its predictions have contrib's names."""

    _default = "scores"  # what predict gives

    def __init__(self, model: Any, model_dir: Any, config: Any) -> None:
        self._model = model
        super().__init__(model_dir, config)

    def _spec(self, features: Any, labels: Any, mode: str, config: Any) -> Any:
        features = features if isinstance(features, Mapping) else {"": features}
        spec = self._model._call_model_fn(features, labels, mode, config)
        return spec._replace(predictions=self._renamed(spec.predictions, mode))

    def _renamed(self, predictions: Mapping[str, Any], mode: str) -> dict[str, Any]:
        raise NotImplementedError

    def predict(
        self, x: Any = None, input_fn: Any = None, batch_size: int | None = None,
        outputs: Any = None, as_iterable: bool = True, iterate_batches: bool = False,
    ) -> Any:  # fmt: skip
        """As the base class; without `outputs` only the classes, or the scores."""
        if outputs is not None:
            return super().predict(
                x, input_fn, batch_size, outputs, as_iterable, iterate_batches
            )
        return self._values(self._default, x, input_fn, batch_size, as_iterable)

    def _values(
        self, key: str, x: Any, input_fn: Any, batch_size: int | None, as_iterable: bool
    ) -> Any:
        found: Iterator[Any] = super().predict(x, input_fn, batch_size, [key])
        values = (row[key] for row in found)
        return values if as_iterable else np.array(list(values))


class _Classifier(_Canned):
    """Predictions: "classes" (numbers), "probabilities", "logits"."""

    _default = "classes"

    def _renamed(self, predictions: Mapping[str, Any], mode: str) -> dict[str, Any]:
        kept = ("logits", "probabilities", "logistic")
        found = {key: predictions[key] for key in kept if key in predictions}
        return {**found, "classes": squeeze(predictions["class_ids"], axis=-1)}

    def predict_classes(
        self, x: Any = None, input_fn: Any = None, batch_size: int | None = None,
        as_iterable: bool = True,
    ) -> Any:  # fmt: skip
        """The class number of each example."""
        return self._values("classes", x, input_fn, batch_size, as_iterable)

    def predict_proba(
        self, x: Any = None, input_fn: Any = None, batch_size: int | None = None,
        as_iterable: bool = True,
    ) -> Any:  # fmt: skip
        """The probabilities of all classes for each example."""
        return self._values("probabilities", x, input_fn, batch_size, as_iterable)


class _Regressor(_Canned):
    """Predictions: "scores"."""

    def _renamed(self, predictions: Mapping[str, Any], mode: str) -> dict[str, Any]:
        value = predictions["predictions"]
        one = mode == ModeKeys.INFER and value.get_shape()[-1].value == 1
        return {"scores": squeeze(value, axis=-1) if one else value}

    def predict_scores(
        self, x: Any = None, input_fn: Any = None, batch_size: int | None = None,
        as_iterable: bool = True,
    ) -> Any:  # fmt: skip
        """The number of each example."""
        return self._values("scores", x, input_fn, batch_size, as_iterable)


def _clipped(optimizer: Any, name: str, rate: float, norm: float | None) -> Any:
    """The optimizer, or a function that makes it, with clipped gradients where it is asked."""
    given = name if optimizer is None else optimizer
    if norm is None:
        return given
    from graphc.estimator.optimizers import optimizer_of

    return lambda: clip_gradients_by_norm(optimizer_of(given, rate), norm)


class DNNClassifier(_Classifier):
    """tf.contrib.learn.DNNClassifier: see tf.estimator.DNNClassifier; losses are means."""

    def __init__(
        self, hidden_units: Sequence[int], feature_columns: Any, model_dir: Any = None,
        n_classes: int = 2, weight_column_name: str | None = None, optimizer: Any = None,
        activation_fn: Any = relu, dropout: float | None = None,
        gradient_clip_norm: float | None = None, enable_centered_bias: bool = False,
        config: Any = None, **unused: Any,
    ) -> None:  # fmt: skip
        model = core.DNNClassifier(
            hidden_units, feature_columns, model_dir, n_classes, weight_column_name,
            optimizer=_clipped(optimizer, "Adagrad", 0.05, gradient_clip_norm),
            activation_fn=activation_fn, dropout=dropout, config=config,
            loss_reduction=SUM_OVER_BATCH_SIZE,
        )  # fmt: skip
        super().__init__(model, model.model_dir, config)


class DNNRegressor(_Regressor):
    """tf.contrib.learn.DNNRegressor: see tf.estimator.DNNRegressor; losses are means."""

    def __init__(
        self, hidden_units: Sequence[int], feature_columns: Any, model_dir: Any = None,
        weight_column_name: str | None = None, optimizer: Any = None, activation_fn: Any = relu,
        dropout: float | None = None, gradient_clip_norm: float | None = None,
        enable_centered_bias: bool = False, config: Any = None, label_dimension: int = 1,
        **unused: Any,
    ) -> None:  # fmt: skip
        model = core.DNNRegressor(
            hidden_units, feature_columns, model_dir, label_dimension, weight_column_name,
            optimizer=_clipped(optimizer, "Adagrad", 0.05, gradient_clip_norm),
            activation_fn=activation_fn, dropout=dropout, config=config,
            loss_reduction=SUM_OVER_BATCH_SIZE,
        )  # fmt: skip
        super().__init__(model, model.model_dir, config)


class LinearClassifier(_Classifier):
    """tf.contrib.learn.LinearClassifier: see tf.estimator.LinearClassifier; losses are means."""

    def __init__(
        self, feature_columns: Any, model_dir: Any = None, n_classes: int = 2,
        weight_column_name: str | None = None, optimizer: Any = None,
        gradient_clip_norm: float | None = None, enable_centered_bias: bool = False,
        config: Any = None, **unused: Any,
    ) -> None:  # fmt: skip
        model = core.LinearClassifier(
            feature_columns, model_dir, n_classes, weight_column_name,
            optimizer=_clipped(optimizer, "Ftrl", 0.2, gradient_clip_norm), config=config,
            loss_reduction=SUM_OVER_BATCH_SIZE,
        )  # fmt: skip
        super().__init__(model, model.model_dir, config)


class LinearRegressor(_Regressor):
    """tf.contrib.learn.LinearRegressor: see tf.estimator.LinearRegressor; losses are means."""

    def __init__(
        self, feature_columns: Any, model_dir: Any = None, weight_column_name: str | None = None,
        optimizer: Any = None, gradient_clip_norm: float | None = None,
        enable_centered_bias: bool = False, label_dimension: int = 1, config: Any = None,
        **unused: Any,
    ) -> None:  # fmt: skip
        model = core.LinearRegressor(
            feature_columns, model_dir, label_dimension, weight_column_name,
            optimizer=_clipped(optimizer, "Ftrl", 0.2, gradient_clip_norm), config=config,
            loss_reduction=SUM_OVER_BATCH_SIZE,
        )  # fmt: skip
        super().__init__(model, model.model_dir, config)


class DNNLinearCombinedClassifier(_Classifier):
    """tf.contrib.learn.DNNLinearCombinedClassifier; losses are means."""

    def __init__(
        self, model_dir: Any = None, n_classes: int = 2, weight_column_name: str | None = None,
        linear_feature_columns: Any = None, linear_optimizer: Any = "Ftrl",
        _joint_linear_weights: bool = False, dnn_feature_columns: Any = None,
        dnn_optimizer: Any = "Adagrad", dnn_hidden_units: Sequence[int] | None = None,
        dnn_activation_fn: Any = relu, dnn_dropout: float | None = None, config: Any = None,
        **unused: Any,
    ) -> None:  # fmt: skip
        model = core.DNNLinearCombinedClassifier(
            model_dir, linear_feature_columns, linear_optimizer, dnn_feature_columns,
            dnn_optimizer, dnn_hidden_units, dnn_activation_fn, dnn_dropout, n_classes,
            weight_column_name, config=config, loss_reduction=SUM_OVER_BATCH_SIZE,
        )  # fmt: skip
        super().__init__(model, model.model_dir, config)


class DNNLinearCombinedRegressor(_Regressor):
    """tf.contrib.learn.DNNLinearCombinedRegressor; losses are means."""

    def __init__(
        self, model_dir: Any = None, weight_column_name: str | None = None,
        linear_feature_columns: Any = None, linear_optimizer: Any = "Ftrl",
        _joint_linear_weights: bool = False, dnn_feature_columns: Any = None,
        dnn_optimizer: Any = "Adagrad", dnn_hidden_units: Sequence[int] | None = None,
        dnn_activation_fn: Any = relu, dnn_dropout: float | None = None,
        label_dimension: int = 1, config: Any = None, **unused: Any,
    ) -> None:  # fmt: skip
        model = core.DNNLinearCombinedRegressor(
            model_dir, linear_feature_columns, linear_optimizer, dnn_feature_columns,
            dnn_optimizer, dnn_hidden_units, dnn_activation_fn, dnn_dropout, label_dimension,
            weight_column_name, config=config, loss_reduction=SUM_OVER_BATCH_SIZE,
        )  # fmt: skip
        super().__init__(model, model.model_dir, config)
