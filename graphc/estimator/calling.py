"""How an Estimator calls the user's functions, and what it makes of their results.

Lives here: checks and calls of model_fn and input_fn, features and labels from what input_fn
returns, metrics, predictions one by one. Not here: Estimator, which imports this.
"""

from __future__ import annotations

import copy
import functools
import inspect
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from graphc import logging
from graphc.estimator.model_fn import LOSS_METRIC_KEY, EstimatorSpec
from graphc.estimator.run_config import RunConfig
from graphc.ir.graph import Graph, GraphKeys
from graphc.tf1 import metrics_mean
from graphc.tf1.ops_misc import group
from graphc.tf1.session_hooks import SessionRunHook

_MODEL_ARGUMENTS = {"features", "labels", "mode", "params", "config", "self"}


# ------------------------------------------------------------------ the user's functions
def arguments_of(fn: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a function's parameters, without those that a partial has bound by place."""
    if not isinstance(fn, functools.partial) and hasattr(fn, "__wrapped__"):
        fn = fn.__wrapped__
    return tuple(
        p.name
        for p in inspect.signature(fn).parameters.values()
        if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    )


def checked_model_fn(model_fn: Callable[..., Any], params: Any) -> None:
    """Raises ValueError for arguments that no model_fn has."""
    names = arguments_of(model_fn)
    if "features" not in names:
        raise ValueError(f"model_fn ({model_fn}) must include features argument.")
    if params is not None and "params" not in names:
        raise ValueError(
            f"model_fn ({model_fn}) does not include params argument, but params ({params}) is "
            "passed to Estimator."
        )
    if params is None and "params" in names:
        logging.warning(
            "Estimator's model_fn (%s) includes params argument, but params are not passed to "
            "Estimator.",
            model_fn,
        )
    others = [n for n in names if n not in _MODEL_ARGUMENTS and not _optional(model_fn, n)]
    if others:
        raise ValueError(f"model_fn ({model_fn}) has following not expected args: {others}")


def _optional(fn: Callable[..., Any], name: str) -> bool:
    """Whether a partial gives this argument its value."""
    return isinstance(fn, functools.partial) and name in fn.keywords


def call_model_fn(
    model_fn: Callable[..., Any], features: Any, labels: Any, mode: str, params: Any, config: Any
) -> EstimatorSpec:
    """What model_fn returns.

    Raises:
        ValueError: labels that it does not take, or a result that is no EstimatorSpec.
    """
    names = arguments_of(model_fn)
    given: dict[str, Any] = {}
    if "labels" in names:
        given["labels"] = labels
    elif labels is not None:
        raise ValueError("model_fn does not take labels, but input_fn returns labels.")
    others = {"mode": mode, "params": params, "config": config}
    given.update({name: value for name, value in others.items() if name in names})
    logging.info("Calling model_fn.")
    spec = model_fn(features=features, **given)
    logging.info("Done calling model_fn.")
    if not isinstance(spec, EstimatorSpec):
        raise ValueError("model_fn should return an EstimatorSpec.")
    return spec


def call_input_fn(input_fn: Callable[..., Any], mode: str, params: Any, config: Any) -> Any:
    """What input_fn returns: it is given mode, params and config where it names them."""
    names = arguments_of(input_fn)
    values = {"mode": mode, "params": params, "config": config}
    wanted = [n for n in names if n in values and not _optional(input_fn, n)]
    return input_fn(**{name: values[name] for name in wanted})


class DatasetInitializerHook(SessionRunHook):
    """Starts the iterator of a Dataset in each new session."""

    def __init__(self, iterator: Any) -> None:
        self._iterator = iterator

    def begin(self) -> None:
        self._initializer = self._iterator.initializer

    def after_create_session(self, session: Any, coord: Any) -> None:
        session.run(self._initializer)


def parse_input(result: Any) -> tuple[Any, Any, list[SessionRunHook]]:
    """(features, labels, hooks) of what an input function returned.

    Raises:
        ValueError: a list or tuple of another length than 2.
    """
    hooks: list[SessionRunHook] = []
    if hasattr(result, "make_initializable_iterator"):
        iterator = result.make_initializable_iterator()
        hooks.append(DatasetInitializerHook(iterator))
        result = iterator.get_next()
    if isinstance(result, list | tuple):
        if len(result) != 2:
            raise ValueError("input_fn should return (features, labels) as a len 2 tuple.")
        return result[0], result[1], hooks
    return result, None, hooks


def checked_hooks(hooks: Any) -> list[SessionRunHook]:
    """A list of hooks. Raises TypeError for what is none."""
    found = list(hooks or [])
    for hook in found:
        if not isinstance(hook, SessionRunHook):
            raise TypeError(f"Hooks must be a SessionRunHook, given: {hook}")
    return found


# ------------------------------------------------------------------ settings and results
def config_with(config: Any, model_dir: Any) -> Any:
    """The RunConfig, with the model directory in it."""
    if config is None:
        config = RunConfig()
        logging.info("Using default config.")
    if not isinstance(config, RunConfig):
        raise ValueError(
            f"config must be an instance of `RunConfig`, but provided {config}."
        )
    config = copy.deepcopy(config)
    if model_dir is not None:
        model_dir = os.fspath(model_dir)
        if config.model_dir is not None and config.model_dir != model_dir:
            raise ValueError(
                "`model_dir` are set both in constructor and `RunConfig`, but with different "
                f"values. In constructor: '{model_dir}', in `RunConfig`: '{config.model_dir}' "
            )
        config = config.replace(model_dir=model_dir)
    if config.model_dir is None:
        config = config.replace(model_dir=tempfile.mkdtemp())
        logging.warning("Using temporary folder as model directory: %s", config.model_dir)
    return config


def metrics_of(spec: EstimatorSpec, step: Any) -> tuple[Any, dict[str, Any]]:
    """(op that updates all metrics, their values by name)."""
    metrics = dict(spec.eval_metric_ops)
    for name in (LOSS_METRIC_KEY, GraphKeys.GLOBAL_STEP):
        if name in metrics:
            raise ValueError(
                f"Metric with name `{name}` is not allowed, because Estimator already defines a "
                "default metric with the same name."
            )
    metrics[LOSS_METRIC_KEY] = metrics_mean.mean(spec.loss)
    updates = [metrics[name][1] for name in sorted(metrics)]
    values = {name: pair[0] for name, pair in metrics.items()}
    values[GraphKeys.GLOBAL_STEP] = step
    if spec.scaffold.local_init_op is not None:
        # made before the metrics' variables were
        spec.scaffold._given["local_init_op"] = group(
            spec.scaffold.local_init_op, type(spec.scaffold).default_local_init_op()
        )
    return group(*updates), values


def ends(graph: Graph) -> bool:
    """Whether something in the graph tells the end of the input."""
    if graph.get_collection(GraphKeys.QUEUE_RUNNERS):
        return True
    return any(node.op.name.startswith("iterator_") for node in graph.nodes)


def selected(predictions: Any, keys: Any) -> Any:
    if not keys:
        return predictions
    if not isinstance(predictions, dict):
        raise ValueError("predict_keys argument is not valid in case of non-dict predictions.")
    wanted = [keys] if isinstance(keys, str) else list(keys)
    found = {k: v for k, v in predictions.items() if k in wanted}
    if not found:
        raise ValueError(
            f"Expected to run at least one output from {list(predictions)}, provided {keys}."
        )
    return found


def examples(values: Any, single: bool) -> Iterator[Any]:
    if not single:
        yield values
        return
    if not isinstance(values, dict):
        yield from values
        return
    length: int | None = None
    for key, value in values.items():
        length = len(value) if length is None else length
        if len(value) != length:
            raise ValueError(
                f"Batch length of predictions should be same. {key} has different batch length "
                "than others."
            )
    for i in range(length or 0):
        yield {key: np.asarray(value)[i] for key, value in values.items()}
