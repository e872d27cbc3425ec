"""tf.keras.estimator: a compiled model as a tf.estimator.Estimator.

Lives here: model_to_estimator and its model_fn. Not here: estimators (graphc/estimator). Imports
keras.engine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ir.graph import get_default_graph
from graphc.ir.node import Tensor
from graphc.keras.core import math as K
from graphc.keras.core.arrays import int_shape
from graphc.keras.core.config import floatx
from graphc.keras.core.objects import CustomObjectScope
from graphc.keras.core.session import batch_get_value, learning_phase_scope
from graphc.keras.engine.input_layer import Input
from graphc.keras.engine.metric_base import Mean, Metric
from graphc.keras.engine.nodes import as_list
from graphc.keras.engine.training import Model
from graphc.keras.optimizers import Optimizer, TFOptimizer
from graphc.ops.convert import convert_to_tensor
from graphc.tf1.framework import GraphKeys

__all__ = ["model_to_estimator"]

Names = list[str]


def model_to_estimator(
    keras_model: Any = None, keras_model_path: Any = None, custom_objects: Any = None,
    model_dir: Any = None, config: Any = None, checkpoint_format: str = "saver",
) -> Any:
    """An Estimator that trains, evaluates and predicts as a compiled model does.

    Its input functions give a dict of features by the names of the model's inputs (or one tensor,
    or a list), and labels likewise. Training starts from the model's weights; the model itself
    does not change. Predictions are a dict by the names of its outputs.

    Args:
        keras_model: a compiled Sequential or functional model. keras_model_path: of a saved one,
            instead. custom_objects: the user's own classes. model_dir, config: see
            tf.estimator.Estimator. checkpoint_format: "saver"; checkpoints are tf.train.Saver's.

    Raises:
        ValueError: no model, or both; a model that is not compiled, or a subclassed one.
    """
    from graphc.estimator.estimator import Estimator

    if (keras_model is None) == (keras_model_path is None):
        raise ValueError(
            "Either `keras_model` or `keras_model_path` needs to be provided, and not both."
        )
    if checkpoint_format not in (None, "saver", "checkpoint"):
        raise ValueError(f"unknown checkpoint_format {checkpoint_format!r}; use 'saver'")
    if keras_model is None:
        from graphc.keras.models import load_model

        keras_model = load_model(keras_model_path, custom_objects)
    if keras_model.optimizer is None:
        raise ValueError(
            "The given keras model has not been compiled yet. Please compile the model with "
            "`model.compile()` before calling `model_to_estimator()`."
        )
    if keras_model.inputs is None or not hasattr(keras_model, "get_config"):
        raise ValueError(
            "a model whose call is Python code cannot be made again in an estimator's graph; use "
            "a Sequential model with an input shape, or a functional one"
        )
    try:
        keras_model.get_config()
    except NotImplementedError:
        raise ValueError(
            "a subclassed model cannot be made again in an estimator's graph; use a Sequential "
            "or functional one"
        ) from None
    model_fn = _model_fn(keras_model, custom_objects or {})
    return Estimator(model_fn, model_dir=model_dir, config=config)


def _model_fn(source: Any, custom_objects: Any) -> Callable[..., Any]:
    weights = batch_get_value(source.weights)

    def model_fn(features: Any, labels: Any, mode: str) -> Any:
        from graphc.estimator.model_fn import EstimatorSpec, ModeKeys
        from graphc.tf1.session_scaffold import Scaffold

        training = mode == ModeKeys.TRAIN
        with learning_phase_scope(int(training)), CustomObjectScope(custom_objects):
            model = _copy(source, features)
            own = list(model.weights)

            def init(scaffold: Any, session: Any) -> None:
                for variable, value in zip(own, weights, strict=True):
                    variable.load(value, session)

            given: dict[str, Any] = {
                "mode": mode, "scaffold": Scaffold(init_fn=init),
                "predictions": dict(zip(source.output_names, model.outputs)),
            }
            if mode != ModeKeys.PREDICT:
                loss = _compiled(model, source, labels)
                given["loss"] = loss
                if training:
                    given["train_op"] = _train_op(model, loss)
                else:
                    given["eval_metric_ops"] = _metric_ops(model)
        return EstimatorSpec(**given)

    return model_fn


def _ordered(value: Any, names: Names, what: str) -> list[Any]:
    """Tensors in the order of the model's names.

    Raises:
        ValueError: names that the model does not have, or tensors missing.
    """
    if isinstance(value, dict):
        for key in value:
            if key not in names:
                raise ValueError(
                    f'Cannot find {what} with name "{key}" in Keras Model. It needs to match one '
                    f"of the following: {', '.join(names)}"
                )
        missing = [n for n in names if n not in value]
        if missing:
            raise ValueError(f"the input function gives no {what} for {', '.join(missing)}")
        value = [value[n] for n in names]
    out = [convert_to_tensor(v) for v in as_list(value)]
    if len(out) != len(names):
        raise ValueError(f"the model has {len(names)} {what}s, but {len(out)} were given")
    return [K.cast(t, floatx()) if t.dtype.is_floating else t for t in out]


def _copy(source: Any, features: Any) -> Any:
    """The model again, in this graph and on these features."""
    made = type(source).from_config(source.get_config())
    tensors = _ordered(features, source.input_names, "input")
    inputs = [Input(tensor=t, name=f"{n}_fed") for t, n in zip(tensors, source.input_names)]
    return Model(inputs, made(inputs[0] if len(inputs) == 1 else inputs), name=source.name)


def _compiled(model: Any, source: Any, labels: Any) -> Tensor:
    """Compiles the copy as the model was; the loss of a batch."""
    given = source._compile_arguments
    model.output_names = list(source.output_names)
    targets = [
        _like_output(t, o) for t, o in
        zip(_ordered(labels, source.output_names, "output"), model.outputs)
    ]  # fmt: skip
    model.compile(
        _optimizer(source.optimizer), loss=given["loss"], loss_weights=given["loss_weights"],
        metrics=_fresh(given["metrics"]), weighted_metrics=_fresh(given["weighted_metrics"]),
        target_tensors=targets,
    )  # fmt: skip
    terms = [
        end.loss_tensor(None) * end.weight for end in model._endpoints if end.loss is not None
    ]
    total = sum(map(convert_to_tensor, model.losses), start=sum(terms[1:], start=terms[0]))
    return K.mean(total)


def _like_output(label: Tensor, output: Tensor) -> Tensor:
    """Labels [n] as [n, 1] where the output is."""
    dims = int_shape(output)
    if label.rank is not None and dims and label.rank == len(dims) - 1 and dims[-1] == 1:
        return label[..., None]
    return label


def _optimizer(source: Any) -> Any:
    if isinstance(source, TFOptimizer) or not isinstance(source, Optimizer):
        return source
    return type(source).from_config(source.get_config())


def _fresh(metrics: Any) -> Any:
    """Metrics with variables of their own in this graph."""
    if isinstance(metrics, dict):
        return {k: _fresh(v) for k, v in metrics.items()}
    if isinstance(metrics, list | tuple):
        return [_fresh(m) for m in metrics]
    if isinstance(metrics, Metric):
        return type(metrics).from_config(metrics.get_config())
    return metrics


def _train_op(model: Any, loss: Tensor) -> Any:
    from graphc.tf1.api_state import get_or_create_global_step
    from graphc.tf1.ops_misc import group

    model.optimizer.iterations = get_or_create_global_step()
    steps = model.optimizer.get_updates(loss=loss, params=model.trainable_weights)
    return group(*steps, *model.updates)


def _metric_ops(model: Any) -> dict[str, Any]:
    """name -> (value, update), over the whole evaluation."""
    out: dict[str, Any] = {}
    several = len(model._endpoints) > 1
    for end in model._endpoints:
        for name, metric, _ in end.metrics:
            shown = f"{end.name}_{name}" if several else name
            kept = metric if isinstance(metric, Metric) else Mean(name=name)
            arguments: tuple[Any, ...] = (end.target, end.output)
            if kept is not metric:
                arguments = (metric(*arguments),)
            update = kept.update_state(*arguments)
            _make_local(kept.variables)
            with get_default_graph().control_dependencies([update]):
                done = convert_to_tensor(kept.result()) + 0.0
            out[shown] = (kept.result(), done)
    return out


def _make_local(variables: list[Any]) -> None:
    """Counts of an evaluation begin anew with each, and are in no checkpoint."""
    graph = get_default_graph()
    kept = graph.get_collection_ref(GraphKeys.GLOBAL_VARIABLES)
    kept[:] = [v for v in kept if v not in variables]
    for key in (GraphKeys.LOCAL_VARIABLES, GraphKeys.METRIC_VARIABLES):
        graph.get_collection_ref(key).extend(variables)
