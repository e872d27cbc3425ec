"""Estimators made from others: more metrics, clipped gradients, features among the predictions.

Lives here: add_metrics, clip_gradients_by_norm, forward_features. Not here: Estimator.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.estimator.calling import arguments_of
from graphc.estimator.estimator import Estimator
from graphc.estimator.model_fn import EstimatorSpec, ModeKeys
from graphc.ir.node import Tensor

__all__ = ["add_metrics", "clip_gradients_by_norm", "forward_features"]

_METRIC_ARGUMENTS = ("features", "labels", "predictions", "config")


def add_metrics(estimator: Estimator, metric_fn: Callable[..., dict[str, Any]]) -> Estimator:
    """An Estimator with more metrics (tf.estimator.add_metrics).

    Args:
        metric_fn: of features, labels, predictions, config (those that it names): a dict of
            (value, update op).

    Raises:
        ValueError: metric_fn has other arguments.
    """
    others = [n for n in arguments_of(metric_fn) if n not in (*_METRIC_ARGUMENTS, "self")]
    if others:
        raise ValueError(f"metric_fn ({metric_fn}) has following not expected args: {others}")

    def model_fn(features: Any, labels: Any, mode: str, config: Any) -> EstimatorSpec:
        spec = estimator._call_model_fn(features, labels, mode, config)
        if mode != ModeKeys.EVAL:
            return spec
        known = {
            "features": features, "labels": labels, "predictions": spec.predictions,
            "config": config,
        }  # fmt: skip
        names = arguments_of(metric_fn)
        more = metric_fn(**{k: v for k, v in known.items() if k in names})
        return spec._replace(eval_metric_ops={**spec.eval_metric_ops, **more})

    return Estimator(model_fn, estimator.model_dir, estimator.config)


class _Clipping:
    """An optimizer that clips gradients by their global norm before it applies them."""

    def __init__(self, optimizer: Any, clip_norm: float) -> None:
        self._optimizer = optimizer
        self._clip_norm = clip_norm

    def __getattr__(self, name: str) -> Any:
        return getattr(self._optimizer, name)

    def apply_gradients(self, grads_and_vars: Any, *args: Any, **kwargs: Any) -> Any:
        from graphc.tf1.api_clip import clip_by_global_norm

        pairs = list(grads_and_vars)
        clipped, _ = clip_by_global_norm([g for g, _ in pairs], self._clip_norm)
        both = [(g, v) for g, (_, v) in zip(clipped, pairs, strict=True)]
        return self._optimizer.apply_gradients(both, *args, **kwargs)

    def minimize(self, loss: Any, global_step: Any = None, var_list: Any = None,
                 name: str | None = None, **options: Any) -> Any:  # fmt: skip
        pairs = self._optimizer.compute_gradients(loss, var_list=var_list, **options)
        return self.apply_gradients(pairs, global_step=global_step, name=name)


def clip_gradients_by_norm(optimizer: Any, clip_norm: float) -> Any:
    """An optimizer that scales gradients to at most this global norm (tf.contrib.estimator)."""
    return _Clipping(optimizer, clip_norm)


def forward_features(
    estimator: Estimator, keys: Any = None, sparse_default_values: Any = None
) -> Estimator:
    """An Estimator whose predictions also hold features (tf.contrib.estimator).

    Args:
        keys: names of features, default all. sparse_default_values: what fills SparseTensors, by
            name.

    Raises:
        ValueError (predict): a feature that is not there, or that is a prediction's name.
    """
    wanted = [keys] if isinstance(keys, str) else keys

    def model_fn(features: Any, labels: Any, mode: str, config: Any) -> EstimatorSpec:
        spec = estimator._call_model_fn(features, labels, mode, config)
        if mode != ModeKeys.PREDICT:
            return spec
        found = dict(spec.predictions)
        for key in features if wanted is None else wanted:
            if key not in features:
                raise ValueError(
                    f"keys should be exist in features. Key {key} is not in features dict. "
                    f"features dict has following keys: {list(features)}. Please check arguments "
                    "of forward_features."
                )
            if key in found:
                raise ValueError(
                    f"Cannot forward feature key ({key}). Since it does exist in predictions. "
                    f"Existing prediction keys: {list(found)}. Please check arguments of "
                    "forward_features."
                )
            value = features[key]
            if not isinstance(value, Tensor):
                from graphc.tf1.api_sparse import sparse_tensor_to_dense

                value = sparse_tensor_to_dense(
                    value, default_value=(sparse_default_values or {})[key]
                )
            found[key] = value
        return spec._replace(predictions=found)

    return Estimator(model_fn, estimator.model_dir, estimator.config)
