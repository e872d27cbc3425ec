"""The loops of fit, evaluate and predict over batches.

Lives here: fit_loop, run_test, run_predict, Totals. Not here: what a batch computes
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
    """Means of what batches give; the last value where a batch gives a total.

    Attributes:
        count_at: as the step's whose results are added; one with sample weights may follow one
            without.
    """

    def __init__(self, step: Step) -> None:
        self._stateful, self.count_at = step.stateful, step.count_at
        self._sums: list[Any] = [0.0] * len(step.names)
        self._weights = [0.0] * len(step.names)

    def add(self, results: list[Any], size: int) -> list[Any]:
        """Adds what a run of the step gave for `size` samples.

        Returns:
            the loss of this batch, then the metrics so far.
        """
        sums, weights, count_at = self._sums, self._weights, self.count_at
        loss = float(results[0])
        sums[0] += loss * size
        weights[0] += size
        out: list[Any] = [loss]
        for k in range(1, len(sums)):
            value = results[k]
            if self._stateful[k]:
                sums[k] = value = float(value) if np.ndim(value) == 0 else value
                out.append(value)
                continue
            at = count_at[k]
            weight = size if at is None else float(results[at])
            if weight:
                sums[k] += float(value) * weight
                weights[k] += weight
            out.append(sums[k] / (weights[k] or 1.0))
        return out

    def results(self) -> list[Any]:
        """The mean loss and the metrics."""
        return [
            s if total else s / (w or 1.0)
            for s, w, total in zip(self._sums, self._weights, self._stateful)
        ]


def fit_loop(
    model: Any, batches: Batches, callbacks: CallbackList, epochs: int, initial_epoch: int,
    validate: Any = None, validation_freq: Any = 1,
) -> None:
    """Trains over epochs.

    Args:
        validate: a function of the callbacks that gives the validation's values, or None.
        validation_freq: every how many epochs, or the numbers of the epochs.
    """
    model.stop_training = False
    callbacks.on_train_begin()
    epoch_logs: Logs = Logs()
    for epoch in range(initial_epoch, epochs):
        if model.stop_training:  # already at the beginning of training
            break
        model._reset_metric_objects()
        callbacks.on_epoch_begin(epoch)
        epoch_logs = _fit_epoch(model, batches, callbacks)
        if batches.ran_out:
            model.stop_training = True
        if validate is not None and _due(validation_freq, epoch) and not model.stop_training:
            for name, value in zip(model.metrics_names, validate(callbacks)):
                epoch_logs[f"val_{name}"] = value
        callbacks.on_epoch_end(epoch, epoch_logs)
    callbacks.on_train_end(epoch_logs)


def _due(freq: Any, epoch: int) -> bool:
    if isinstance(freq, int):
        return (epoch + 1) % freq == 0
    return epoch + 1 in freq


def _fit_epoch(model: Any, batches: Batches, callbacks: CallbackList) -> Logs:
    step = model._step("train", batches.weighted)
    run, names = step.runner(), step.names
    totals = Totals(step)
    for number, (size, arrays) in enumerate(batches.epoch()):
        callbacks.on_batch_begin(number, {"batch": number, "size": size})
        logs = Logs(zip(names, totals.add(run(*arrays), size)))
        logs["batch"], logs["size"] = number, size
        callbacks.on_batch_end(number, logs)
        if model.stop_training:
            break
    return Logs(zip(names, totals.results()))


def run_test(
    model: Any, batches: Batches, verbose: int = 0, callbacks: CallbackList | None = None
) -> list[Any]:
    """The values of evaluate, in the order of metrics_names."""
    step: Step = model._step("test", batches.weighted)
    run, names = step.runner(), step.names
    model._reset_metric_objects()
    totals = Totals(step)
    progress = _progress(batches, verbose, names)
    told = callbacks if callbacks is not None else CallbackList()
    told.on_test_begin()
    seen = 0
    for number, (size, arrays) in enumerate(batches.epoch()):
        told.on_test_batch_begin(number, {"batch": number, "size": size})
        values = totals.add(run(*arrays), size)
        if told.waits_for_test_batches:
            logs = Logs(zip(names, values))
            logs["batch"], logs["size"] = number, size
            told.on_test_batch_end(number, logs)
        seen += size if batches.samples else 1
        if progress is not None and seen != progress.target:
            progress.update(seen, zip(names, totals.results()))
    if progress is not None:
        progress.update(seen, zip(names, totals.results()), finalize=True)
    told.on_test_end()
    return totals.results()


def _progress(batches: Batches, verbose: int, names: list[str]) -> Progbar | None:
    """The bar of evaluate and predict, which shows the means so far."""
    if not verbose:
        return None
    unit = "sample" if batches.samples else "step"
    return Progbar(
        batches.samples or batches.steps, verbose=verbose, stateful_metrics=names, unit_name=unit
    )


def run_predict(
    model: Any, batches: Batches, verbose: int = 0, callbacks: CallbackList | None = None
) -> Any:
    """The outputs for all batches, joined."""
    step: Step = model._step("predict")
    run, count = step.runner(), len(step.values)
    outputs = _Outputs(batches.samples)
    progress = _progress(batches, verbose, [])
    told = callbacks if callbacks is not None else CallbackList()
    told.on_predict_begin()
    seen = 0
    for number, (size, arrays) in enumerate(batches.epoch()):
        told.on_predict_batch_begin(number, {"batch": number, "size": size})
        values = run(*arrays)[:count]
        outputs.add(values, size)
        told.on_predict_batch_end(number, {"batch": number, "size": size, "outputs": values})
        seen += size if batches.samples else 1
        if progress is not None and seen != progress.target:
            progress.update(seen)
    if progress is not None:
        progress.update(seen, finalize=True)
    told.on_predict_end()
    whole = outputs.joined()
    return whole[0] if len(whole) == 1 else whole


class _Outputs:
    """The outputs of batches, joined along the first axis.

    Args:
        samples: of all batches, 0 where that is not known.
    """

    def __init__(self, samples: int) -> None:
        self._samples, self._at = samples, 0
        self._whole: list[Array] = []
        self._parts: list[list[Array]] = []

    def add(self, values: list[Array], size: int) -> None:
        """Raises ValueError: an output that has not one row for each sample."""
        if not self._samples:
            self._parts.append([v if np.ndim(v) else np.full(size, v) for v in values])
            return
        if not self._whole:
            self._whole = [np.empty((self._samples, *np.shape(v)[1:]), v.dtype) for v in values]
        if any(np.shape(o)[1:] != np.shape(v)[1:] for o, v in zip(self._whole, values)):
            # extents that depend on the batch cannot be joined; NumPy says so
            self._parts = [[o[: self._at] for o in self._whole], values]
            self._samples = 0
            return
        for out, value in zip(self._whole, values):
            out[self._at : self._at + size] = value
        self._at += size

    def joined(self) -> list[Array]:
        """Raises ValueError: batches whose extents differ beside the first."""
        if self._samples:
            return self._whole
        return [np.concatenate(column) for column in zip(*self._parts)]
