"""The loops of fit, evaluate and predict over batches.

Lives here: Epochs (training), run_test, run_predict, Totals. Not here: what a batch computes
(engine/functions.py), where batches come from (engine/batches.py). Imports keras.callbacks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.keras.engine.batches import Batches
from graphc.keras.engine.callbacks_base import CallbackList
from graphc.keras.engine.functions import Step
from graphc.keras.engine.logs import Logs
from graphc.keras.utils.generic_utils import Progbar

__all__ = ["Totals", "fit_loop", "run_predict", "run_test"]

Array = np.ndarray[Any, Any]


class Totals:
    """Means over samples of what batches give; the last value where a batch gives a total."""

    def __init__(self, stateful: list[bool]) -> None:
        self._stateful = stateful
        self._sums = [0.0] * len(stateful)
        self._seen = 0

    def add(self, values: list[Any], size: int) -> None:
        sums, stateful = self._sums, self._stateful
        for k, value in enumerate(values):
            if stateful[k]:
                sums[k] = value
            else:
                sums[k] += float(value) * size
        self._seen += size

    def results(self) -> list[Any]:
        seen = max(self._seen, 1)
        return [
            (float(s) if np.ndim(s) == 0 else s) if total else s / seen
            for s, total in zip(self._sums, self._stateful)
        ]


def fit_loop(
    model: Any, batches: Batches, callbacks: CallbackList, epochs: int, initial_epoch: int,
    validate: Any = None, validation_freq: Any = 1,
) -> None:
    """Trains over epochs.

    Args:
        validate: a function of nothing that gives the validation's values, or None.
        validation_freq: every how many epochs, or the numbers of the epochs.
    """
    model.stop_training = False
    callbacks.on_train_begin()
    epoch_logs: Logs = Logs()
    for epoch in range(initial_epoch, epochs):
        model._reset_metric_objects()
        callbacks.on_epoch_begin(epoch)
        epoch_logs = _fit_epoch(model, batches, callbacks)
        if validate is not None and _due(validation_freq, epoch) and not _stopped(model, batches):
            for name, value in zip(model.metrics_names, validate()):
                epoch_logs[f"val_{name}"] = value
        callbacks.on_epoch_end(epoch, epoch_logs)
        if model.stop_training:
            break
    callbacks.on_train_end(epoch_logs)


def _stopped(model: Any, batches: Batches) -> bool:
    return bool(model.stop_training and batches.ran_out)


def _due(freq: Any, epoch: int) -> bool:
    if isinstance(freq, int):
        return (epoch + 1) % freq == 0
    return epoch + 1 in freq


def _fit_epoch(model: Any, batches: Batches, callbacks: CallbackList) -> Logs:
    step = model._step("train", batches.weighted)
    run, names = step.runner(), ["loss", *step.names[1:]]
    count = len(names)
    totals = Totals(step.stateful)
    for number, (size, arrays) in enumerate(batches.epoch()):
        callbacks.on_batch_begin(number, {"batch": number, "size": size})
        values = run(*arrays)[:count]
        totals.add(values, size)
        logs = Logs(zip(names, values))
        logs["batch"], logs["size"] = number, size
        callbacks.on_batch_end(number, logs)
        if model.stop_training:
            break
        if step._executor is None:  # the model was compiled again by a callback
            step = model._step("train", batches.weighted)
            run = step.runner()
    return Logs(zip(names, totals.results()))


def _progress(batches: Batches) -> Progbar:
    unit = "step" if batches.steps else "sample"
    return Progbar(batches.steps or batches.samples or None, unit_name=unit)


def run_test(
    model: Any, batches: Batches, verbose: int = 0, callbacks: CallbackList | None = None
) -> list[Any]:
    """The values of evaluate, in the order of metrics_names."""
    step: Step = model._step("test", batches.weighted)
    run, count = step.runner(), len(step.names)
    model._reset_metric_objects()
    totals = Totals(step.stateful)
    progress = _progress(batches) if verbose == 1 else None
    seen = 0
    if callbacks is not None:
        callbacks.on_test_begin()
    for number, (size, arrays) in enumerate(batches.epoch()):
        if callbacks is not None:
            callbacks.on_test_batch_begin(number, {"batch": number, "size": size})
        values = run(*arrays)[:count]
        totals.add(values, size)
        if callbacks is not None:
            callbacks.on_test_batch_end(number, Logs(zip(step.names, values)))
        seen += size
        if progress is not None:
            progress.update(number + 1 if batches.steps else seen)
    if callbacks is not None:
        callbacks.on_test_end()
    return totals.results()


def run_predict(model: Any, batches: Batches, verbose: int = 0) -> Any:
    """The outputs for all batches, joined."""
    step: Step = model._step("predict")
    run, count = step.runner(), len(step.values)
    whole: list[Array] = []
    parts: list[list[Array]] = []
    progress = _progress(batches) if verbose == 1 else None
    at = 0
    for number, (size, arrays) in enumerate(batches.epoch()):
        values = run(*arrays)[:count]
        if batches.samples and not whole and not parts:
            whole = [np.empty((batches.samples, *v.shape[1:]), v.dtype) if np.ndim(v) else
                     np.empty((batches.samples,), v.dtype) for v in values]  # fmt: skip
        if whole:
            for out, value in zip(whole, values):
                out[at : at + size] = value
        else:
            parts.append(values)
        at += size
        if progress is not None:
            progress.update(number + 1 if batches.steps else at)
    if not whole:
        whole = [np.concatenate(column) for column in zip(*parts)]
    return whole[0] if len(whole) == 1 else whole
