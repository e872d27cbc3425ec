"""tf.contrib.learn.Estimator: fit, evaluate and predict from arrays or input functions.

Lives here: Estimator, ModelFnOps, MetricSpec, SKCompat. Not here: the models that are there already
(_canned.py). All run on tf.estimator.Estimator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from graphc import estimator as core
from graphc.contrib.learn._run import ModeKeys, RunConfig
from graphc.estimator.array_input import numpy_input_fn
from graphc.estimator.calling import arguments_of

__all__ = ["BaseEstimator", "Estimator", "MetricSpec", "ModelFnOps", "SKCompat"]

Spec = core.EstimatorSpec


class ModelFnOps(NamedTuple):
    """What a model_fn returns (tf.contrib.learn.ModelFnOps)."""

    mode: str
    predictions: Any = None
    loss: Any = None
    train_op: Any = None
    eval_metric_ops: Any = None
    output_alternatives: Any = None
    training_chief_hooks: Any = None
    training_hooks: Any = None
    scaffold: Any = None

    def estimator_spec(self) -> Any:
        """The EstimatorSpec of tf.estimator."""
        train = self.mode == ModeKeys.TRAIN
        return Spec(
            self.mode,
            predictions=self.predictions,
            loss=self.loss,
            train_op=self.train_op if train else None,
            eval_metric_ops=_pairs(self.eval_metric_ops),
            training_chief_hooks=self.training_chief_hooks,
            training_hooks=self.training_hooks,
            scaffold=self.scaffold,
        )


def _pairs(metrics: Any) -> dict[str, Any]:
    """Metrics as (value, update): a tensor alone is measured by its mean over batches."""
    from graphc.tf1.metrics_mean import mean

    return {
        name: value if isinstance(value, tuple) else mean(value)
        for name, value in (metrics or {}).items()
    }


class MetricSpec:
    """A metric and what it measures (tf.contrib.learn.MetricSpec).

    Args:
        metric_fn: of (predictions, labels[, weights]) or by those names. prediction_key,
            label_key, weight_key: which of several.
    """

    def __init__(
        self,
        metric_fn: Callable[..., Any],
        prediction_key: str | None = None,
        label_key: str | None = None,
        weight_key: str | None = None,
    ) -> None:
        self._metric_fn = metric_fn
        self._prediction_key = prediction_key
        self._label_key = label_key
        self._weight_key = weight_key

    def create_metric_ops(self, inputs: Any, labels: Any, predictions: Any) -> Any:
        """(value, update op).

        Raises:
            ValueError: several predictions or labels and no key.
        """
        value = _chosen(predictions, self._prediction_key, "predictions", "prediction_key")
        target = _chosen(labels, self._label_key, "labels", "label_key")
        given: dict[str, Any] = {}
        if self._weight_key is not None:
            given["weights"] = inputs[self._weight_key]
        names = arguments_of(self._metric_fn)
        for word in ("labels", "targets"):
            if word in names and "predictions" in names:
                return self._metric_fn(**{"predictions": value, word: target, **given})
        return self._metric_fn(value, target, **given)


def _chosen(values: Any, key: str | None, what: str, argument: str) -> Any:
    if not isinstance(values, Mapping):
        return values
    if key is not None:
        return values[key]
    if len(values) == 1:
        return next(iter(values.values()))
    raise ValueError(
        f"MetricSpec without specified {argument} requires {what} tensor or single element dict, "
        f"got {dict(values)}"
    )


# ------------------------------------------------------------------ arrays
def _array(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _array(v) for key, v in value.items()}
    array = np.asarray(value)
    return array.astype(np.float32) if array.dtype == np.float64 else array


def array_input_fn(
    x: Any, y: Any, batch_size: int | None, epochs: int | None, shuffle: bool
) -> Callable[[], Any]:
    """An input function of arrays; without batch_size all of them are one batch."""
    features, labels = _array(x), None if y is None else _array(y)
    first = next(iter(features.values())) if isinstance(features, dict) else features
    return numpy_input_fn(features, labels, batch_size or len(first), epochs, shuffle)


# ------------------------------------------------------------------ estimators
class BaseEstimator:
    """fit, evaluate and predict over a tf.estimator.Estimator."""

    def __init__(self, model_dir: Any, config: Any, params: Any = None) -> None:
        config = config or RunConfig()
        if model_dir is None:
            model_dir = config.model_dir
        self._metrics: Mapping[Any, Any] | None = None
        self._params = params
        self._inner = core.Estimator(self._model_fn, model_dir, config)

    def _spec(self, features: Any, labels: Any, mode: str, config: Any) -> Any:
        """The EstimatorSpec of the model."""
        raise NotImplementedError

    def _model_fn(self, features: Any, labels: Any, mode: str, config: Any) -> Any:
        spec = self._spec(features, labels, mode, config)
        if mode != ModeKeys.EVAL or not self._metrics:
            return spec
        metrics = dict(spec.eval_metric_ops)
        for key, metric in self._metrics.items():
            name, prediction = key if isinstance(key, tuple) else (key, None)
            if not isinstance(metric, MetricSpec):
                metric = MetricSpec(metric, prediction_key=prediction)
            metrics[name] = metric.create_metric_ops(features, labels, spec.predictions)
        return spec._replace(eval_metric_ops=metrics)

    @property
    def config(self) -> Any:
        return self._inner.config

    @property
    def model_dir(self) -> str:
        return self._inner.model_dir

    @property
    def params(self) -> Any:
        return self._params

    def get_variable_names(self) -> list[str]:
        return self._inner.get_variable_names()

    def get_variable_value(self, name: str) -> Any:
        return self._inner.get_variable_value(name)

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        input_fn: Callable[..., Any] | None = None,
        steps: int | None = None,
        batch_size: int | None = None,
        monitors: Any = None,
        max_steps: int | None = None,
    ) -> Any:
        """Trains on arrays or an input function.

        Args:
            x, y: arrays, or dicts of them. batch_size: default all rows. monitors: hooks, or
                those of tf.contrib.learn.monitors.

        Raises:
            ValueError: neither or both of x and input_fn.
        """
        chosen = self._input(x, y, input_fn, batch_size, None, True)
        hooks = list(monitors or [])
        for hook in hooks:
            if hasattr(hook, "set_estimator"):
                hook.set_estimator(self)
        self._inner.train(chosen, hooks=hooks, steps=steps, max_steps=max_steps)
        return self

    partial_fit = fit

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        input_fn: Callable[..., Any] | None = None,
        feed_fn: Any = None,
        batch_size: int | None = None,
        steps: int | None = None,
        metrics: Mapping[Any, Any] | None = None,
        name: str | None = None,
        checkpoint_path: Any = None,
        hooks: Any = None,
        log_progress: bool = True,
    ) -> dict[str, Any]:
        """Metrics on arrays or an input function.

        Args:
            metrics: more of them: name -> MetricSpec or function, or (name, prediction key) ->
                function.
        """
        chosen = self._input(x, y, input_fn, batch_size, 1, False)
        self._metrics = metrics
        try:
            return self._inner.evaluate(chosen, steps, hooks, checkpoint_path, name)
        finally:
            self._metrics = None

    def predict(
        self,
        x: Any = None,
        input_fn: Callable[..., Any] | None = None,
        batch_size: int | None = None,
        outputs: Any = None,
        as_iterable: bool = True,
        iterate_batches: bool = False,
    ) -> Any:
        """Predictions of each example; as_iterable=False: all at once as arrays."""
        chosen = self._input(x, None, input_fn, batch_size, 1, False)
        found = self._inner.predict(
            chosen, predict_keys=outputs, yield_single_examples=not iterate_batches
        )
        return found if as_iterable else _stacked(found)

    @staticmethod
    def _input(
        x: Any, y: Any, input_fn: Any, batch_size: int | None, epochs: int | None, shuffle: bool
    ) -> Callable[..., Any]:
        if (x is None) == (input_fn is None):
            raise ValueError("Either x or input_fn must be provided, and not both.")
        if input_fn is not None:
            chosen: Callable[..., Any] = input_fn
            return chosen
        return array_input_fn(x, y, batch_size, epochs, shuffle)

    def export_savedmodel(
        self, export_dir_base: Any, serving_input_fn: Callable[[], Any], *args: Any, **options: Any
    ) -> bytes:
        """A SavedModel; serving_input_fn gives a ServingInputReceiver or InputFnOps."""

        def receiver_fn() -> Any:
            got = serving_input_fn()
            if hasattr(got, "receiver_tensors"):
                return got
            return core.export.ServingInputReceiver(got.features, got.default_inputs)

        options.pop("default_output_alternative_key", None)
        return self._inner.export_savedmodel(export_dir_base, receiver_fn, **options)


def _stacked(found: Iterator[Any]) -> Any:
    rows = list(found)
    if rows and isinstance(rows[0], dict):
        return {key: np.array([row[key] for row in rows]) for key in rows[0]}
    return np.array(rows)


class Estimator(BaseEstimator):
    """A model by a function (tf.contrib.learn.Estimator).

    Args:
        model_fn: of (features, labels) and mode, params, config, model_dir where it names them;
            returns ModelFnOps, an EstimatorSpec or (predictions, loss, train_op).
        feature_engineering_fn: (features, labels) -> (features, labels), before model_fn.

    Raises:
        ValueError: no model_fn, or one without labels.
    """

    def __init__(
        self,
        model_fn: Callable[..., Any] | None = None,
        model_dir: Any = None,
        config: Any = None,
        params: Any = None,
        feature_engineering_fn: Callable[..., Any] | None = None,
    ) -> None:
        if model_fn is None:
            raise ValueError("model_fn must be provided to Estimator.")
        self._fn = model_fn
        self._engineering = feature_engineering_fn
        super().__init__(model_dir, config, params)

    def _spec(self, features: Any, labels: Any, mode: str, config: Any) -> Any:
        if self._engineering is not None:
            features, labels = self._engineering(features, labels)
        names = arguments_of(self._fn)
        known = {
            "mode": mode, "params": self._params, "config": config, "model_dir": self.model_dir
        }
        got = self._fn(features, labels, **{k: v for k, v in known.items() if k in names})
        if isinstance(got, Spec):
            return got
        if not isinstance(got, ModelFnOps):
            if not isinstance(got, tuple) or len(got) != 3:
                raise ValueError(
                    f"Unrecognized value returned by model_fn, please return ModelFnOps. Got {got}"
                )
            got = ModelFnOps(mode, *got)
        return got.estimator_spec()


class SKCompat:
    """An estimator with scikit-learn's methods (tf.contrib.learn.SKCompat)."""

    def __init__(self, estimator: BaseEstimator) -> None:
        self._estimator = estimator

    def fit(
        self, x: Any, y: Any, batch_size: int = 128, steps: int | None = None,
        max_steps: int | None = None, monitors: Any = None,
    ) -> SKCompat:  # fmt: skip
        self._estimator.fit(
            x, y, steps=steps, batch_size=batch_size, monitors=monitors, max_steps=max_steps
        )
        return self

    def score(
        self, x: Any, y: Any, batch_size: int = 128, steps: int | None = None, metrics: Any = None,
        name: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        return self._estimator.evaluate(
            x, y, batch_size=batch_size, steps=steps, metrics=metrics, name=name
        )

    def predict(self, x: Any, batch_size: int = 128, outputs: Any = None) -> Any:
        # all predictions by name, also where the estimator's own method gives one of them
        return BaseEstimator.predict(
            self._estimator, x, batch_size=batch_size, outputs=outputs, as_iterable=False
        )
