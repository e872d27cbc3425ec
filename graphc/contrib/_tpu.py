"""tf.contrib.tpu's estimator without a TPU: scripts run it with use_tpu=False.

Lives here: TPUEstimator, TPUEstimatorSpec, RunConfig, TPUConfig, InputPipelineConfig,
CrossShardOptimizer. Not here: what runs on TPUs alone. Users find these in graphc.contrib.tpu.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from graphc import estimator as core
from graphc.estimator.calling import arguments_of, call_input_fn, parse_input
from graphc.estimator.model_fn import ModeKeys
from graphc.tf1.session_hooks import SessionRunArgs, SessionRunContext, SessionRunHook

__all__ = [
    "CrossShardOptimizer", "InputPipelineConfig", "RunConfig", "TPUConfig", "TPUEstimator",
    "TPUEstimatorSpec",
]  # fmt: skip

_NO_TPU = "there is no TPU to run on; use TPUEstimator(use_tpu=False)"


class InputPipelineConfig:
    """Where input functions run on TPUs; accepted."""

    PER_SHARD_V1 = 1
    PER_HOST_V1 = 2
    PER_HOST_V2 = 3
    BROADCAST = 4


class TPUConfig(NamedTuple):
    """Settings of TPUs (tf.contrib.tpu.TPUConfig); accepted."""

    iterations_per_loop: int = 2
    num_shards: int | None = None
    num_cores_per_replica: int | None = None
    per_host_input_for_training: Any = True
    tpu_job_name: str | None = None
    initial_infeed_sleep_secs: int | None = None
    input_partition_dims: Any = None


class RunConfig(core.RunConfig):
    """A tf.estimator.RunConfig with a TPUConfig (tf.contrib.tpu.RunConfig).

    Args:
        tpu_config: accepted. master, evaluation_master, cluster: there is one process.
            Others: see tf.estimator.RunConfig.
    """

    def __init__(
        self,
        tpu_config: TPUConfig | None = None,
        evaluation_master: str | None = None,
        master: str | None = None,
        cluster: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._tpu_config = tpu_config or TPUConfig()
        self._cluster = cluster

    tpu_config = property(lambda self: self._tpu_config)
    cluster = property(lambda self: self._cluster)


class _HostCallHook(SessionRunHook):
    """Runs what a host_call made, with each step."""

    def __init__(self, ops: Any) -> None:
        self._ops = ops

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        return SessionRunArgs(self._ops)


def _called(pair: Any) -> Any:
    """What the function of a (function, tensors) gives for its tensors."""
    fn, tensors = pair
    return fn(**tensors) if isinstance(tensors, Mapping) else fn(*tensors)


class TPUEstimatorSpec(NamedTuple):
    """What a model_fn returns (tf.contrib.tpu.TPUEstimatorSpec).

    Attributes:
        eval_metrics: (function, tensors): the function makes the metrics of the tensors.
        host_call: (function, tensors): the function makes ops that run with each step.
        scaffold_fn: makes a Scaffold. Others: see tf.estimator.EstimatorSpec.
    """

    mode: str
    predictions: Any = None
    loss: Any = None
    train_op: Any = None
    eval_metrics: Any = None
    export_outputs: Any = None
    scaffold_fn: Callable[[], Any] | None = None
    host_call: Any = None
    training_hooks: Any = None
    evaluation_hooks: Any = None
    prediction_hooks: Any = None

    def as_estimator_spec(self) -> Any:
        """The EstimatorSpec of tf.estimator."""
        hooks = [] if self.host_call is None else [_HostCallHook(_called(self.host_call))]
        metrics = None if self.eval_metrics is None else _called(self.eval_metrics)
        return core.EstimatorSpec(
            self.mode,
            predictions=self.predictions,
            loss=self.loss,
            train_op=self.train_op,
            eval_metric_ops=metrics,
            export_outputs=self.export_outputs,
            scaffold=self.scaffold_fn() if self.scaffold_fn else None,
            training_hooks=[*(self.training_hooks or ()), *hooks],
            evaluation_hooks=[*(self.evaluation_hooks or ()), *hooks],
            prediction_hooks=[*(self.prediction_hooks or ()), *hooks],
        )


class TPUEstimator(core.Estimator):
    """An Estimator whose params hold the batch size of its mode (tf.contrib.tpu.TPUEstimator).

    Args:
        use_tpu: must be False. train_batch_size, eval_batch_size, predict_batch_size: what
            params["batch_size"] is for input_fn and model_fn. Others: see tf.estimator.Estimator.

    Raises:
        ValueError: use_tpu, no tf.contrib.tpu.RunConfig, params with a batch_size.
    """

    def __init__(
        self,
        model_fn: Callable[..., Any] | None = None,
        model_dir: Any = None,
        config: Any = None,
        params: Mapping[str, Any] | None = None,
        use_tpu: bool = True,
        train_batch_size: int | None = None,
        eval_batch_size: int | None = None,
        predict_batch_size: int | None = None,
        batch_axis: Any = None,
        eval_on_tpu: bool = True,
        export_to_tpu: bool = True,
        warm_start_from: Any = None,
        **unused: Any,
    ) -> None:
        if config is None or not isinstance(config, RunConfig):
            raise ValueError("`config` must be provided with type `tpu_config.RunConfig`")
        if use_tpu:
            raise ValueError(_NO_TPU)
        if params is not None and "batch_size" in params:
            raise ValueError("params cannot have reserved keys: batch_size")
        if model_fn is None:
            raise ValueError("model_fn must be provided to Estimator.")
        self._users_fn = model_fn
        self._batch_sizes = {
            ModeKeys.TRAIN: train_batch_size, ModeKeys.EVAL: eval_batch_size,
            ModeKeys.PREDICT: predict_batch_size,
        }  # fmt: skip
        super().__init__(self._adapted, model_dir, config, dict(params or {}), warm_start_from)

    def _params_of(self, mode: str) -> Any:
        params = copy.deepcopy(self._params)
        if self._batch_sizes[mode] is not None:
            params["batch_size"] = self._batch_sizes[mode]
        return params

    def _input(self, input_fn: Callable[..., Any], mode: str) -> tuple[Any, Any, list[Any]]:
        return parse_input(call_input_fn(input_fn, mode, self._params_of(mode), self.config))

    def _adapted(self, features: Any, labels: Any, mode: str, params: Any, config: Any) -> Any:
        names = arguments_of(self._users_fn)
        known = {"labels": labels, "mode": mode, "params": self._params_of(mode), "config": config}
        spec = self._users_fn(features, **{k: v for k, v in known.items() if k in names})
        return spec.as_estimator_spec() if isinstance(spec, TPUEstimatorSpec) else spec


class CrossShardOptimizer:
    """An optimizer that would add up the gradients of shards; there is one, so it is the optimizer.

    Args:
        opt: the optimizer. reduction, name, group_assignment: accepted.
    """

    def __init__(
        self, opt: Any, reduction: str = "weighted_mean", name: str = "CrossShardOptimizer",
        group_assignment: Any = None,
    ) -> None:  # fmt: skip
        self._opt = opt

    def __getattr__(self, name: str) -> Any:
        return getattr(self._opt, name)
