"""Hooks that look at evaluations: early stopping, and evaluations while a training runs.

Lives here: make_early_stopping_hook and its kin, InMemoryEvaluatorHook. Users find these names in
tf.estimator.experimental and tf.contrib.estimator.
"""

from __future__ import annotations

import operator
import tempfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from graphc import logging
from graphc.estimator.estimator import Estimator
from graphc.tf1.api_state import get_global_step
from graphc.tf1.saver import Saver
from graphc.tf1.session_hooks import (
    SessionRunArgs,
    SessionRunContext,
    SessionRunHook,
    SessionRunValues,
)
from graphc.tf1.session_hooks_basic import SecondOrStepTimer, required_step

__all__ = [
    "InMemoryEvaluatorHook", "make_early_stopping_hook", "read_eval_metrics",
    "stop_if_higher_hook", "stop_if_lower_hook", "stop_if_no_decrease_hook",
    "stop_if_no_increase_hook",
]  # fmt: skip

_EVENTS = "*.tfevents.*"


def read_eval_metrics(eval_dir: Any) -> OrderedDict[int, dict[str, float]]:
    """Step -> metrics of the evaluations in a directory, by step."""
    from graphc.interop.events import summary_iterator

    found: dict[int, dict[str, float]] = {}
    for path in sorted(Path(eval_dir).glob(_EVENTS)):
        for event in summary_iterator(str(path)):
            values = {
                v.tag: v.simple_value for v in event.summary.value if v.HasField("simple_value")
            }
            if values:
                found.setdefault(int(event.step), {}).update(values)
    return OrderedDict(sorted(found.items()))


class _StopOnPredicateHook(SessionRunHook):
    """Stops where a function says so, asked every so many seconds or steps."""

    def __init__(
        self,
        should_stop_fn: Callable[[], bool],
        run_every_secs: float | None,
        run_every_steps: int | None,
    ) -> None:
        if not callable(should_stop_fn):
            raise TypeError("`should_stop_fn` must be callable")
        self._should_stop_fn = should_stop_fn
        self._timer = SecondOrStepTimer(every_secs=run_every_secs, every_steps=run_every_steps)

    def begin(self) -> None:
        self._timer.reset()
        self._global_step = required_step("early stopping")

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        return SessionRunArgs(self._global_step)

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        step = int(run_values.results)
        if not self._timer.should_trigger_for_step(step):
            return
        self._timer.update_last_triggered_step(step)
        if self._should_stop_fn():
            logging.info("Requesting early stopping at global step %d", step)
            run_context.request_stop()


def make_early_stopping_hook(
    estimator: Estimator,
    should_stop_fn: Callable[[], bool],
    run_every_secs: float | None = 60,
    run_every_steps: int | None = None,
) -> SessionRunHook:
    """A hook that stops when should_stop_fn() is true (tf.estimator.experimental).

    Raises:
        TypeError: no Estimator. ValueError: both intervals.
    """
    if not isinstance(estimator, Estimator):
        raise TypeError(f"`estimator` must have type `tf.estimator.Estimator`. Got: "
                        f"{type(estimator)}")  # fmt: skip
    if run_every_secs is not None and run_every_steps is not None:
        raise ValueError("Only one of `run_every_secs` and `run_every_steps` must be set.")
    return _StopOnPredicateHook(should_stop_fn, run_every_secs, run_every_steps)


Better = Callable[[float, float], bool]


def _at_threshold(better: Better) -> Callable[..., SessionRunHook]:
    def hook(
        estimator: Estimator,
        metric_name: str,
        threshold: float,
        eval_dir: Any = None,
        min_steps: int = 0,
        run_every_secs: float | None = 60,
        run_every_steps: int | None = None,
    ) -> SessionRunHook:
        """Stops when the metric is beyond the threshold."""
        folder = eval_dir or estimator.eval_dir()

        def stop() -> bool:
            return any(
                step >= min_steps and better(metrics[metric_name], threshold)
                for step, metrics in read_eval_metrics(folder).items()
            )

        return make_early_stopping_hook(estimator, stop, run_every_secs, run_every_steps)

    return hook


def _without_progress(better: Better, word: str) -> Callable[..., SessionRunHook]:
    limit = f"max_steps_without_{word}"

    def hook(
        estimator: Estimator,
        metric_name: str,
        max_steps: int | None = None,
        eval_dir: Any = None,
        min_steps: int = 0,
        run_every_secs: float | None = 60,
        run_every_steps: int | None = None,
        **named: int,
    ) -> SessionRunHook:
        """Stops when the metric has not become better for so many steps."""
        most = named.pop(limit, max_steps)
        if named or most is None:
            raise TypeError(f"the limit is called {limit}, got {sorted(named)}")
        folder = eval_dir or estimator.eval_dir()

        def stop() -> bool:
            best, best_step = None, 0
            for step, metrics in read_eval_metrics(folder).items():
                if step < min_steps:
                    continue
                value = metrics[metric_name]
                if best is None or better(value, best):
                    best, best_step = value, step
                if step - best_step >= most:
                    return True
            return False

        return make_early_stopping_hook(estimator, stop, run_every_secs, run_every_steps)

    return hook


stop_if_higher_hook = _at_threshold(operator.gt)
stop_if_lower_hook = _at_threshold(operator.lt)
stop_if_no_increase_hook = _without_progress(operator.gt, "increase")
stop_if_no_decrease_hook = _without_progress(operator.lt, "decrease")


class InMemoryEvaluatorHook(SessionRunHook):
    """Evaluates the model as it is, every so many runs of its training.

    Args:
        estimator: the one that is training. input_fn, steps, hooks, name: as for evaluate.
        every_n_iter: runs between evaluations.

    Raises:
        ValueError: every_n_iter is not positive.
    """

    def __init__(
        self,
        estimator: Estimator,
        input_fn: Callable[..., Any],
        steps: int | None = None,
        hooks: Any = None,
        name: str | None = None,
        every_n_iter: int = 100,
    ) -> None:
        if every_n_iter is None or every_n_iter <= 0:
            raise ValueError(f"invalid every_n_iter={every_n_iter}.")
        self._estimator = estimator
        self._evaluate_with = {"input_fn": input_fn, "steps": steps, "hooks": hooks, "name": name}
        self._every_n_iter = every_n_iter

    def begin(self) -> None:
        self._iter_count = 0
        self._saver = Saver(max_to_keep=1)
        self._global_step = get_global_step()

    def after_create_session(self, session: Any, coord: Any) -> None:
        self._evaluate(session)

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        self._iter_count += 1
        if self._iter_count % self._every_n_iter == 0:
            self._evaluate(run_context.session)

    def end(self, session: Any) -> None:
        self._evaluate(session)

    def _evaluate(self, session: Any) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = self._saver.save(
                session, str(Path(folder) / "now"), write_meta_graph=False, write_state=False
            )
            self._estimator.evaluate(checkpoint_path=path, **self._evaluate_with)
