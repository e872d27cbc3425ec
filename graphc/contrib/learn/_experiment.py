"""tf.contrib.learn.Experiment, learn_runner, and monitors: who trains and evaluates when.

Lives here: Experiment, run, the monitors, which are hooks. Not here: estimators.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc import logging
from graphc.contrib.learn._estimator import BaseEstimator
from graphc.estimator.run_config import RunConfig
from graphc.tf1.checkpoint_state import latest_checkpoint
from graphc.tf1.session_hooks import (
    SessionRunArgs,
    SessionRunContext,
    SessionRunHook,
    SessionRunValues,
)
from graphc.tf1.session_hooks_basic import LoggingTensorHook, NanTensorHook, required_step

__all__ = [
    "Experiment", "NanLoss", "PrintTensor", "ValidationMonitor", "replace_monitors_with_hooks",
    "run",
]  # fmt: skip


# ------------------------------------------------------------------ monitors
class ValidationMonitor(SessionRunHook):
    """Evaluates new checkpoints every so many steps, and stops where they get no better.

    Args:
        x, y or input_fn: what to evaluate on. early_stopping_rounds: stop after so many steps
            without a better early_stopping_metric. Others: see Estimator.evaluate.

    Attributes:
        best_step, best_value, early_stopped: what early stopping knows.

    Raises:
        ValueError: neither x nor input_fn.
    """

    def __init__(
        self, x: Any = None, y: Any = None, input_fn: Callable[..., Any] | None = None,
        batch_size: int | None = None, eval_steps: int | None = None, every_n_steps: int = 100,
        metrics: Any = None, hooks: Any = None, early_stopping_rounds: int | None = None,
        early_stopping_metric: str = "loss", early_stopping_metric_minimize: bool = True,
        name: str | None = None, check_interval_secs: float = 5,
    ) -> None:  # fmt: skip
        if x is None and input_fn is None:
            raise ValueError("Either x or input_fn should be provided.")
        self._given = {
            "x": x, "y": y, "batch_size": batch_size, "metrics": metrics,
        }  # fmt: skip
        self._shared = {
            "input_fn": input_fn, "steps": eval_steps, "hooks": hooks, "name": name,
        }  # fmt: skip
        self._every_n_steps = every_n_steps
        self._rounds = early_stopping_rounds
        self._metric = early_stopping_metric
        self._minimize = early_stopping_metric_minimize
        self.best_step: int | None = None
        self.best_value: float | None = None
        self.early_stopped = False

    def set_estimator(self, estimator: Any) -> None:
        """Whose checkpoints are evaluated; fit says it."""
        self._estimator = estimator

    def begin(self) -> None:
        self._step = required_step("ValidationMonitor")
        self._last_checkpoint: str | None = None
        self._last_evaluation: int | None = None

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        return SessionRunArgs(self._step)

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        step = int(run_values.results)
        last = self._last_evaluation
        if last is not None and step < last + self._every_n_steps:
            return
        path = latest_checkpoint(self._estimator.model_dir)
        if path is None or path == self._last_checkpoint:
            return
        self._last_checkpoint, self._last_evaluation = path, step
        results = self._evaluate(path)
        text = ", ".join(f"{k} = {v!s}" for k, v in sorted(results.items()))
        logging.info("Validation (step %d): %s", step, text)
        if self._rounds is not None and self._no_better(step, float(results[self._metric])):
            logging.info(
                "Stopping. Best step: %s with %s = %s.",
                self.best_step, self._metric, self.best_value,
            )  # fmt: skip
            self.early_stopped = True
            run_context.request_stop()

    def _evaluate(self, path: str) -> dict[str, Any]:
        given = dict(self._shared)
        if isinstance(self._estimator, BaseEstimator):
            given.update(self._given)
        found: dict[str, Any] = self._estimator.evaluate(checkpoint_path=path, **given)
        return found

    def _no_better(self, step: int, value: float) -> bool:
        """Notes a better value; whether there was none for too long."""
        best = self.best_value
        if best is None or (value < best if self._minimize else value > best):
            self.best_value, self.best_step = value, step
        assert self.best_step is not None and self._rounds is not None
        return step - self.best_step >= self._rounds


def PrintTensor(tensor_names: Any, every_n: int = 100, first_n: int = 1) -> LoggingTensorHook:
    """Logs tensors every n runs."""
    return LoggingTensorHook(tensor_names, every_n_iter=every_n)


def NanLoss(loss_tensor: Any, every_n_steps: int = 100, fail_on_nan_loss: bool = True) -> Any:
    return NanTensorHook(loss_tensor, fail_on_nan_loss)


def replace_monitors_with_hooks(monitors_or_hooks: Any, estimator: Any) -> list[Any]:
    """The same: monitors are hooks here."""
    return list(monitors_or_hooks or [])


# ------------------------------------------------------------------ experiments
class Experiment:
    """An estimator with its inputs: train, evaluate, both (tf.contrib.learn.Experiment).

    Args:
        estimator: of tf.contrib.learn or tf.estimator. train_steps: of the global step, None until
            the input ends. eval_steps: batches of an evaluation. min_eval_frequency: steps
            between evaluations in train_and_evaluate. train_monitors: hooks. eval_metrics: more
            metrics, for estimators of tf.contrib.learn. Delays and throttles are accepted.

    Raises:
        ValueError: no Estimator.
    """

    def __init__(
        self, estimator: Any, train_input_fn: Callable[..., Any],
        eval_input_fn: Callable[..., Any], eval_metrics: Any = None,
        train_steps: int | None = None, eval_steps: int | None = 100, train_monitors: Any = None,
        eval_hooks: Any = None, local_eval_frequency: int | None = None,
        eval_delay_secs: float = 120, continuous_eval_throttle_secs: float = 60,
        min_eval_frequency: int | None = None, delay_workers_by_global_step: bool = False,
        export_strategies: Any = None, train_steps_per_iteration: int | None = None,
        checkpoint_and_export: bool = False, saving_listeners: Any = None, **unused: Any,
    ) -> None:  # fmt: skip
        if not hasattr(estimator, "evaluate"):
            raise ValueError("`estimator` must implement `Evaluable` or be of type `Estimator`.")
        if eval_metrics is not None and not isinstance(estimator, BaseEstimator):
            raise ValueError("`eval_metrics` must be `None` with `tf.estimator.Estimator`")
        self._estimator = estimator
        self._train_input_fn = train_input_fn
        self._eval_input_fn = eval_input_fn
        self._eval_metrics = eval_metrics
        self._train_steps = train_steps
        self._eval_steps = eval_steps
        self._train_monitors = list(train_monitors or [])
        self._eval_hooks = eval_hooks
        self._frequency = min_eval_frequency or local_eval_frequency
        self._per_iteration = train_steps_per_iteration

    @property
    def estimator(self) -> Any:
        return self._estimator

    @property
    def train_steps(self) -> int | None:
        return self._train_steps

    @property
    def eval_steps(self) -> int | None:
        return self._eval_steps

    def extend_train_hooks(self, additional_hooks: Any) -> None:
        """More hooks of the training."""
        self._train_monitors.extend(additional_hooks)

    def train(self, delay_secs: float | None = None) -> Any:
        """Trains up to train_steps."""
        return self._train(self._train_steps, [])

    def _train(self, max_steps: int | None, more: list[Any]) -> Any:
        hooks = [*self._train_monitors, *more]
        if isinstance(self._estimator, BaseEstimator):
            return self._estimator.fit(
                input_fn=self._train_input_fn, max_steps=max_steps, monitors=hooks
            )
        for hook in hooks:
            if hasattr(hook, "set_estimator"):
                hook.set_estimator(self._estimator)
        return self._estimator.train(self._train_input_fn, hooks=hooks, max_steps=max_steps)

    def evaluate(self, delay_secs: float | None = None, name: str | None = None) -> Any:
        """Evaluates the newest checkpoint."""
        return self._evaluate(self._eval_steps, name)

    def _evaluate(self, steps: int | None, name: str | None) -> Any:
        given: dict[str, Any] = {
            "input_fn": self._eval_input_fn, "steps": steps, "name": name,
            "hooks": self._eval_hooks,
        }  # fmt: skip
        if self._eval_metrics is not None:
            given["metrics"] = self._eval_metrics
        return self._estimator.evaluate(**given)

    local_run = property(lambda self: self.train_and_evaluate)

    def train_and_evaluate(self) -> tuple[Any, list[Any]]:
        """Trains, evaluates on the way every min_eval_frequency steps, and at the end.

        Returns:
            (the last evaluation, an empty list).
        """
        more = []
        if self._frequency:
            more.append(
                ValidationMonitor(
                    input_fn=self._eval_input_fn, eval_steps=self._eval_steps,
                    metrics=self._eval_metrics, every_n_steps=self._frequency,
                    hooks=self._eval_hooks, name="validation",
                )  # fmt: skip
            )
        self._train(self._train_steps, more)
        return self._evaluate(self._eval_steps, "one_pass"), []

    def continuous_train_and_eval(
        self, continuous_eval_predicate_fn: Callable[[Any], bool] | None = None
    ) -> tuple[Any, list[Any]]:
        """Trains train_steps_per_iteration steps and evaluates, in turn."""
        result: Any = None
        done = 0
        stride = self._per_iteration or self._train_steps or 1000
        while continuous_eval_predicate_fn is None or continuous_eval_predicate_fn(result):
            limit = done + stride
            if self._train_steps is not None:
                limit = min(limit, self._train_steps)
            self._train(limit, [])
            result = self._evaluate(self._eval_steps, "continuous")
            if int(result["global_step"]) <= done or limit == self._train_steps:
                break
            done = int(result["global_step"])
        return result, []

    def test(self) -> tuple[Any, list[Any]]:
        """One step of training and one batch of evaluation."""
        self._train(1, [])
        return self._evaluate(1, "one_pass"), []


def run(
    experiment_fn: Callable[..., Experiment],
    output_dir: Any = None,
    schedule: str | None = None,
    run_config: Any = None,
    hparams: Any = None,
) -> Any:
    """Makes an Experiment and calls its method `schedule` (default train_and_evaluate).

    Args:
        experiment_fn: of output_dir, or of run_config and hparams where run_config is given.

    Raises:
        ValueError: neither or both of output_dir and run_config, or no such schedule.
        TypeError: experiment_fn makes something else.
    """
    if output_dir is not None and run_config is not None:
        raise ValueError("Cannot provide both `output_dir` and `run_config`")
    if not callable(experiment_fn):
        raise TypeError(f'Experiment builder "{experiment_fn}" is not callable.')
    if run_config is None:
        if not output_dir:
            raise ValueError(
                "Must set value for `output_dir` flag: output_dir"
                if hparams is None
                else "Must set `hparams` together with `run_config`."
            )
        experiment = experiment_fn(output_dir)
    else:
        if not isinstance(run_config, RunConfig):
            raise ValueError("`run_config` must be `tf.contrib.learn.RunConfig` instance")
        if not run_config.model_dir:
            raise ValueError("Must specify `model_dir` in `run_config`.")
        experiment = experiment_fn(run_config=run_config, hparams=hparams)
    if not isinstance(experiment, Experiment):
        raise TypeError(
            "Experiment builder did not return an Experiment instance, got "
            f"{type(experiment)} instead."
        )
    task = getattr(experiment, schedule or "train_and_evaluate", None)
    if not callable(task):
        raise ValueError(f"Schedule references non-existent task {schedule}")
    return task()

