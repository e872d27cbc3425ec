"""What a model_fn returns: EstimatorSpec, and the modes it is called in.

Lives here: ModeKeys, EstimatorSpec with TF's checks. Not here: Estimator. Imports tf1 and ir.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from graphc.ir.graph import get_default_graph
from graphc.ir.node import Node
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.tf1.session_hooks import SessionRunHook
from graphc.tf1.session_scaffold import Scaffold

__all__ = ["EstimatorSpec", "ModeKeys"]

LOSS_METRIC_KEY = "loss"
_DEFAULT_SERVING_KEY = "serving_default"


class ModeKeys:
    """What a model_fn is called for (tf.estimator.ModeKeys)."""

    TRAIN = "train"
    EVAL = "eval"
    PREDICT = "infer"


class _Spec(NamedTuple):
    """The fields of EstimatorSpec."""

    mode: Any
    predictions: Any
    loss: Any
    train_op: Any
    eval_metric_ops: Any
    export_outputs: Any
    training_chief_hooks: Any
    training_hooks: Any
    scaffold: Any
    evaluation_hooks: Any
    prediction_hooks: Any


class EstimatorSpec(_Spec):
    """The ops of a model (tf.estimator.EstimatorSpec).

    Args:
        mode: a ModeKeys. predictions: a tensor or dict of tensors (PREDICT needs them).
        loss: a scalar or [1] (TRAIN and EVAL need it). train_op: an op or tensor (TRAIN).
        eval_metric_ops: name -> (value, update op), as tf.metrics give them.
        export_outputs: name -> ExportOutput, for SavedModels; default: the predictions.
        training_hooks, training_chief_hooks, evaluation_hooks, prediction_hooks: SessionRunHooks.
        scaffold: a tf.train.Scaffold.

    Raises:
        ValueError: something is missing for the mode, a loss that is no scalar, another graph.
        TypeError: something of another type.
    """

    __slots__ = ()

    def __new__(
        cls,
        mode: str,
        predictions: Any = None,
        loss: Any = None,
        train_op: Any = None,
        eval_metric_ops: Mapping[str, Any] | None = None,
        export_outputs: Mapping[str, Any] | None = None,
        training_chief_hooks: Iterable[SessionRunHook] | None = None,
        training_hooks: Iterable[SessionRunHook] | None = None,
        scaffold: Scaffold | None = None,
        evaluation_hooks: Iterable[SessionRunHook] | None = None,
        prediction_hooks: Iterable[SessionRunHook] | None = None,
    ) -> EstimatorSpec:
        train_op = _checked_train_op(train_op, mode)
        loss = _checked_loss(loss, mode)
        predictions = _checked_predictions(predictions, mode)
        metrics = _checked_metrics(eval_metric_ops)
        outputs = _checked_outputs(export_outputs, predictions, mode)
        hooks = [
            _checked_hooks(h)
            for h in (training_chief_hooks, training_hooks, evaluation_hooks, prediction_hooks)
        ]
        scaffold = scaffold or Scaffold()
        if not isinstance(scaffold, Scaffold):
            raise TypeError(f"scaffold must be tf.train.Scaffold. Given: {scaffold}")
        return super().__new__(
            cls, mode, predictions, loss, train_op, metrics, outputs, hooks[0], hooks[1],
            scaffold, hooks[2], hooks[3],
        )  # fmt: skip


def _check_from_default_graph(value: Any, name: str) -> None:
    if getattr(value, "graph", None) not in (None, get_default_graph()):
        raise ValueError(
            f"{value} must be from the default graph. Possible causes of this error include: "
            f"\n\n1) {name} was created outside the context of the default graph.\n\n2) The object "
            "passed through to EstimatorSpec was not created in the most recent call to "
            '"model_fn".'
        )


def _check_tensor_or_op(value: Any, name: str) -> None:
    if not (isinstance(value, Node) or is_tensor_like(value) or hasattr(value, "dense_shape")):
        raise TypeError(f"{name} must be Operation or Tensor, given: {value}")
    _check_from_default_graph(value, name)


def _check_tensor(value: Any, name: str) -> None:
    if isinstance(value, Node) or not (is_tensor_like(value) or hasattr(value, "dense_shape")):
        raise TypeError(f"{name} must be Tensor, given: {value}")
    _check_from_default_graph(value, name)


def _checked_train_op(train_op: Any, mode: str) -> Any:
    if train_op is None:
        if mode == ModeKeys.TRAIN:
            raise ValueError("Missing train_op.")
        return None
    _check_tensor_or_op(train_op, "train_op")
    return train_op


def _checked_loss(loss: Any, mode: str) -> Any:
    if loss is None:
        if mode in (ModeKeys.TRAIN, ModeKeys.EVAL):
            raise ValueError("Missing loss.")
        return None
    _check_tensor(loss, "loss")
    tensor = convert_to_tensor(loss)
    shape = tensor.get_shape()
    if not shape.is_compatible_with([]) and not shape.is_compatible_with([1]):
        raise ValueError(f"Loss must be scalar, given: {loss}")
    if shape.ndims != 0:
        from graphc.tf1.api_array import reshape

        tensor = reshape(tensor, [])
    return tensor


def _checked_predictions(predictions: Any, mode: str) -> Any:
    if predictions is None:
        if mode == ModeKeys.PREDICT:
            raise ValueError("Missing predictions.")
        return {}
    if isinstance(predictions, Mapping):
        for key, value in predictions.items():
            _check_tensor(value, f"predictions[{key}]")
        return dict(predictions)
    _check_tensor(predictions, "predictions")
    return predictions


def _checked_metrics(metrics: Any) -> dict[str, Any]:
    if metrics is None:
        return {}
    if not isinstance(metrics, Mapping):
        raise TypeError(f"eval_metric_ops must be a dict, given: {metrics}")
    for key, pair in metrics.items():
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError(
                "Values of eval_metric_ops must be (metric_value, update_op) tuples, given: "
                f"{pair} for key: {key}"
            )
        for part in pair:
            for leaf in _leaves(part):
                _check_tensor_or_op(leaf, f"eval_metric_ops[{key}]")
    return dict(metrics)


def _leaves(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _checked_outputs(outputs: Any, predictions: Any, mode: str) -> Any:
    """The outputs with one under the default key, where it is clear which."""
    from graphc.estimator.export_output import ExportOutput, PredictOutput

    if outputs is None and mode == ModeKeys.PREDICT:
        outputs = {_DEFAULT_SERVING_KEY: PredictOutput(predictions)}
    if outputs is None:
        return None
    if not isinstance(outputs, Mapping):
        raise TypeError(f"export_outputs must be dict, given: {outputs}")
    for value in outputs.values():
        if not isinstance(value, ExportOutput):
            raise TypeError(
                "Values in export_outputs must be ExportOutput objects. Given: "
                f"{dict(outputs)}"
            )
    found = dict(outputs)
    if len(found) == 1:
        (value,) = found.values()
        found.setdefault(_DEFAULT_SERVING_KEY, value)
    elif found and _DEFAULT_SERVING_KEY not in found:
        raise ValueError(
            "Multiple export_outputs were provided, but none of them is specified as the default.  "
            "Do this by naming one of them with signature_constants."
            "DEFAULT_SERVING_SIGNATURE_DEF_KEY."
        )
    return found


def _checked_hooks(hooks: Any) -> tuple[SessionRunHook, ...]:
    found = tuple(hooks or ())
    for hook in found:
        if not isinstance(hook, SessionRunHook):
            raise TypeError(f"All hooks must be SessionRunHook instances, given: {hook}")
    return found
