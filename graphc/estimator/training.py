"""train_and_evaluate: training with an evaluation after its checkpoints, in one process.

Lives here: TrainSpec, EvalSpec, train_and_evaluate. Not here: Estimator, exporters (exporter.py).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from graphc import logging
from graphc.estimator.calling import checked_hooks
from graphc.estimator.estimator import Estimator
from graphc.tf1.session_hooks_basic import SecondOrStepTimer
from graphc.tf1.session_hooks_save import CheckpointSaverListener

__all__ = ["EvalSpec", "TrainSpec", "train_and_evaluate"]


def _check_callable(input_fn: Any) -> None:
    if not callable(input_fn):
        raise TypeError(f"`input_fn` must be callable, given: {input_fn}")


class _TrainSpec(NamedTuple):
    """The fields of TrainSpec."""

    input_fn: Any
    max_steps: Any
    hooks: Any
    saving_listeners: Any


class TrainSpec(_TrainSpec):
    """How to train (tf.estimator.TrainSpec).

    Raises:
        ValueError: max_steps is not positive. TypeError: input_fn is not callable, other hooks.
    """

    __slots__ = ()

    def __new__(
        cls,
        input_fn: Callable[..., Any],
        max_steps: int | None = None,
        hooks: Iterable[Any] | None = None,
        saving_listeners: Iterable[Any] | None = None,
    ) -> TrainSpec:
        _check_callable(input_fn)
        if max_steps is not None and max_steps <= 0:
            raise ValueError(f"Must specify max_steps > 0, given: {max_steps}")
        return super().__new__(
            cls, input_fn, max_steps, tuple(checked_hooks(hooks)), tuple(saving_listeners or ())
        )


class _EvalSpec(NamedTuple):
    """The fields of EvalSpec."""

    input_fn: Any
    steps: Any
    name: Any
    hooks: Any
    exporters: Any
    start_delay_secs: Any
    throttle_secs: Any


class EvalSpec(_EvalSpec):
    """How to evaluate and export (tf.estimator.EvalSpec).

    Args:
        steps: batches of an evaluation; None until the input ends. exporters: one or several.
        throttle_secs: no evaluation starts earlier after the last one. start_delay_secs: accepted.

    Raises:
        ValueError: numbers that are not positive, exporters of one name.
        TypeError: other types.
    """

    __slots__ = ()

    def __new__(
        cls,
        input_fn: Callable[..., Any],
        steps: int | None = 100,
        name: str | None = None,
        hooks: Iterable[Any] | None = None,
        exporters: Any = None,
        start_delay_secs: float = 120,
        throttle_secs: float = 600,
    ) -> EvalSpec:
        _check_callable(input_fn)
        if steps is not None and steps <= 0:
            raise ValueError(f"Must specify steps > 0, given: {steps}")
        if name is not None and not isinstance(name, str):
            raise TypeError(f"`name` must be string, given: {name}")
        if start_delay_secs < 0:
            raise ValueError(f"Must specify start_delay_secs >= 0, given: {start_delay_secs}")
        if throttle_secs < 0:
            raise ValueError(f"Must specify throttle_secs >= 0, given: {throttle_secs}")
        return super().__new__(
            cls, input_fn, steps, name, tuple(checked_hooks(hooks)),
            _checked_exporters(exporters), start_delay_secs, throttle_secs,
        )  # fmt: skip


def _checked_exporters(exporters: Any) -> tuple[Any, ...]:
    from graphc.estimator.exporter import Exporter

    if exporters is None:
        return ()
    found = (exporters,) if isinstance(exporters, Exporter) else tuple(exporters)
    names: set[str] = set()
    for exporter in found:
        if not isinstance(exporter, Exporter):
            raise TypeError(
                "`exporters` must be an Exporter, an iterable of Exporter, or `None`, found: "
                f"{exporters}."
            )
        if exporter.name in names:
            raise ValueError(
                f"`exporter` names must be unique. Such a name has been given twice: "
                f"{exporter.name}."
            )
        names.add(exporter.name)
    return found


class _EvaluatingListener(CheckpointSaverListener):
    """Evaluates and exports after checkpoints, not oftener than every throttle_secs."""

    def __init__(self, estimator: Estimator, spec: EvalSpec, max_steps: int | None) -> None:
        self._estimator = estimator
        self._spec = spec
        self._max_steps = max_steps
        self.metrics: dict[str, Any] | None = None
        self.export_results: list[Any] = []

    def begin(self) -> None:
        self._timer = SecondOrStepTimer(every_secs=self._spec.throttle_secs)
        self._is_first_run = True

    def after_save(self, session: Any, global_step_value: int) -> None:
        if self._is_first_run:
            # nothing has been trained since the checkpoint that this run started from
            self._is_first_run = False
            return
        if self._timer.should_trigger_for_step(global_step_value):
            self._evaluate(global_step_value)
        else:
            logging.info(
                "Skip the current checkpoint eval due to throttle secs (%s secs).",
                self._spec.throttle_secs,
            )

    def end(self, session: Any, global_step_value: int) -> None:
        if global_step_value != self._timer.last_triggered_step():
            self._evaluate(global_step_value)

    def _evaluate(self, step: int) -> None:
        self._timer.update_last_triggered_step(step)
        spec, estimator = self._spec, self._estimator
        path = estimator.latest_checkpoint()
        self.metrics = estimator.evaluate(
            input_fn=spec.input_fn, steps=spec.steps, name=spec.name, checkpoint_path=path,
            hooks=spec.hooks,
        )  # fmt: skip
        is_final = self._max_steps is not None and step >= self._max_steps
        self.export_results = [
            exporter.export(
                estimator=estimator,
                export_path=os.path.join(  # noqa: PTH118
                    estimator.model_dir, "export", exporter.name
                ),
                checkpoint_path=path,
                eval_result=self.metrics,
                is_the_final_export=is_final,
            )
            for exporter in spec.exporters
        ]


def train_and_evaluate(
    estimator: Estimator, train_spec: TrainSpec, eval_spec: EvalSpec
) -> tuple[dict[str, Any] | None, list[Any]]:
    """Trains, and evaluates and exports after its checkpoints (tf.estimator.train_and_evaluate).

    Checkpoints, and so evaluations, come as often as the RunConfig says.

    Returns:
        (metrics of the last evaluation, results of its exporters).

    Raises:
        TypeError: specs of another type.
    """
    if not isinstance(estimator, Estimator):
        raise TypeError("`estimator` must have type `tf.estimator.Estimator`, given "
                        f"{type(estimator)}")  # fmt: skip
    if not isinstance(train_spec, TrainSpec):
        raise TypeError(f"`train_spec` must have type `tf.estimator.TrainSpec`. Got: "
                        f"{type(train_spec)}")  # fmt: skip
    if not isinstance(eval_spec, EvalSpec):
        raise TypeError(f"`eval_spec` must have type `tf.estimator.EvalSpec`. Got: "
                        f"{type(eval_spec)}")  # fmt: skip
    config = estimator.config
    logging.info("Running training and evaluation locally (non-distributed).")
    logging.info(
        "Start train and evaluate loop. The evaluate will happen after every checkpoint. "
        "Checkpoint frequency is determined based on RunConfig arguments: save_checkpoints_steps "
        "%s or save_checkpoints_secs %s.",
        config.save_checkpoints_steps, config.save_checkpoints_secs,
    )  # fmt: skip
    listener = _EvaluatingListener(estimator, eval_spec, train_spec.max_steps)
    estimator.train(
        input_fn=train_spec.input_fn,
        max_steps=train_spec.max_steps,
        hooks=train_spec.hooks,
        saving_listeners=[*train_spec.saving_listeners, listener],
    )
    return listener.metrics, listener.export_results
