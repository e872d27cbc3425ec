"""What happens around epochs and batches.

Lives here: Callback, CallbackList, History, the bar. Not here: callbacks that stop, save or change
rates (engine/callbacks_more.py), that write or send logs (engine/callbacks_logs.py), TensorBoard
(engine/tensorboard.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from graphc.keras.engine.logs import Logs
from graphc.keras.utils.generic_utils import Progbar

__all__ = [
    "BaseLogger", "Callback", "CallbackList", "History", "LambdaCallback", "ProgbarLogger",
    "TerminateOnNaN", "configure", "shown_names",
]  # fmt: skip


class Callback:
    """Base of callbacks: a subclass defines the methods of the moments that it waits for.

    Attributes:
        params: verbose, epochs, steps, samples, batch_size, metrics. model: what is trained.
    """

    def __init__(self) -> None:
        self.validation_data: Any = None
        self.model: Any = None
        self.params: dict[str, Any] = {}

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def set_model(self, model: Any) -> None:
        self.model = model

    def on_train_begin(self, logs: Any = None) -> None:
        """Before the first epoch."""

    def on_train_end(self, logs: Any = None) -> None:
        """After the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Before an epoch."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """After an epoch; logs: loss, metrics, val_loss, ..."""

    def on_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Before a batch of training."""

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        """After a batch of training; logs: loss and metrics of the batch."""

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """The same as on_batch_begin."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """The same as on_batch_end."""
        self.on_batch_end(batch, logs)

    def on_test_begin(self, logs: Any = None) -> None:
        """Before evaluate."""

    def on_test_end(self, logs: Any = None) -> None:
        """After evaluate."""

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Before a batch of evaluate."""

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """After a batch of evaluate."""

    def on_predict_begin(self, logs: Any = None) -> None:
        """Before predict."""

    def on_predict_end(self, logs: Any = None) -> None:
        """After predict."""

    def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Before a batch of predict."""

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        """After a batch of predict; logs["outputs"]: its outputs."""


def _waiting(callbacks: list[Any], *names: str) -> list[Callable[..., Any]]:
    """What to call at a moment of the first name: of callbacks that do something then."""
    found = []
    for callback in callbacks:
        cls = type(callback)
        own = [n for n in names if n in vars(callback) or (
            getattr(cls, n, None) is not None and getattr(cls, n) is not getattr(Callback, n)
        )]  # fmt: skip
        if own:
            # a Callback leads from the first name to the others itself
            first = getattr(callback, names[0], None)
            found.append(first if first is not None else getattr(callback, own[0]))
    return found


class CallbackList:
    """Callbacks that are told of everything in order; those that wait for batches are known.

    Raises:
        TypeError: a class instead of a callback.
    """

    def __init__(self, callbacks: Any = None, queue_length: int = 10) -> None:
        found = callbacks if isinstance(callbacks, list | tuple | CallbackList) else [callbacks]
        self.callbacks = [c for c in found if c is not None]
        for callback in self.callbacks:
            if isinstance(callback, type):
                raise TypeError(
                    f"callbacks are objects, but got the class {callback.__name__}: write "
                    f"{callback.__name__}()"
                )
        self.params: dict[str, Any] = {}
        self.model: Any = None
        self._sort()

    def _sort(self) -> None:
        told = self.callbacks
        self._begin = _waiting(told, "on_train_batch_begin", "on_batch_begin")
        self._end = _waiting(told, "on_train_batch_end", "on_batch_end")
        self._test_begin = _waiting(told, "on_test_batch_begin")
        self._test_end = _waiting(told, "on_test_batch_end")
        self._predict_begin = _waiting(told, "on_predict_batch_begin")
        self._predict_end = _waiting(told, "on_predict_batch_end")

    def append(self, callback: Any) -> None:
        self.callbacks.append(callback)
        self._sort()

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model: Any) -> None:
        self.model = model
        for callback in self.callbacks:
            callback.set_model(model)

    def __iter__(self) -> Any:
        return iter(self.callbacks)

    def _tell(self, moment: str, logs: Any) -> None:
        logs = logs if logs is not None else {}
        for callback in self.callbacks:
            # callbacks that are no Callback may know fewer moments
            told = getattr(callback, moment, None)
            if told is not None:
                told(logs)

    def on_train_begin(self, logs: Any = None) -> None:
        self._tell("on_train_begin", logs)

    def on_train_end(self, logs: Any = None) -> None:
        self._tell("on_train_end", logs)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        for callback in self.callbacks:
            callback.on_epoch_begin(epoch, logs if logs is not None else {})

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = logs if logs is not None else {}
        for callback in self.callbacks:
            callback.on_epoch_end(epoch, logs)

    def on_batch_begin(self, batch: int, logs: Any = None) -> None:
        for tell in self._begin:
            tell(batch, logs)

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        for tell in self._end:
            tell(batch, logs)

    def on_test_begin(self, logs: Any = None) -> None:
        self._tell("on_test_begin", logs)

    def on_test_end(self, logs: Any = None) -> None:
        self._tell("on_test_end", logs)

    @property
    def waits_for_test_batches(self) -> bool:
        """Whether someone wants the values of evaluate's batches."""
        return bool(self._test_end)

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        for tell in self._test_begin:
            tell(batch, logs)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        for tell in self._test_end:
            tell(batch, logs)

    def on_predict_begin(self, logs: Any = None) -> None:
        self._tell("on_predict_begin", logs)

    def on_predict_end(self, logs: Any = None) -> None:
        self._tell("on_predict_end", logs)

    def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None:
        for tell in self._predict_begin:
            tell(batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        for tell in self._predict_end:
            tell(batch, logs)


class History(Callback):
    """What each epoch gave: `history[name]` is a list with an entry an epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.epoch: list[int] = []
        self.history: dict[str, list[Any]] = Logs()

    def on_train_begin(self, logs: Any = None) -> None:
        self.epoch, self.history = [], Logs()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            if dict.__contains__(self.history, name):
                self.history[name].append(value)
            else:
                self.history[name] = [value]


class BaseLogger(Callback):
    """Puts the means of the batches' values into the logs of an epoch."""

    def __init__(self, stateful_metrics: Iterable[str] | None = None) -> None:
        super().__init__()
        self.stateful_metrics = set(stateful_metrics or ())
        self.seen = 0
        self.totals: dict[str, float] = {}

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.seen, self.totals = 0, {}

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        logs = logs or {}
        size = logs.get("size", 0)
        self.seen += size
        for name, value in logs.items():
            if name in self.stateful_metrics:
                self.totals[name] = value
            else:
                self.totals[name] = self.totals.get(name, 0.0) + value * size

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if logs is None:
            return
        for name in self.params.get("metrics", ()):
            if name in self.totals:
                total = self.totals[name]
                logs[name] = total if name in self.stateful_metrics else total / self.seen


class ProgbarLogger(Callback):
    """Prints a bar or a line an epoch.

    Args:
        count_mode: "samples" or "steps".
    """

    def __init__(self, count_mode: str = "samples", stateful_metrics: Any = None) -> None:
        super().__init__()
        if count_mode not in ("samples", "steps"):
            raise ValueError(f"Unknown `count_mode`: {count_mode}")
        self.use_steps = count_mode == "steps"
        self.stateful_metrics = set(stateful_metrics or ())
        self.verbose = 0
        self.epochs = 0
        self.seen = 0
        self.target: int | None = None
        self.progbar: Any = None

    def on_train_begin(self, logs: Any = None) -> None:
        self.verbose, self.epochs = self.params["verbose"], self.params["epochs"]

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.seen = 0
        self.target = self.params["steps"] if self.use_steps else self.params["samples"]
        if self.verbose:
            if self.epochs > 1:
                print(f"Epoch {epoch + 1}/{self.epochs}")  # noqa: T201
            # the line is drawn at the end of the epoch, with the validation's values
            self.progbar = Progbar(
                self.target, verbose=self.verbose, stateful_metrics=list(self.stateful_metrics),
                unit_name="step" if self.use_steps else "sample",
            )  # fmt: skip

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        logs = logs or {}
        self.seen += 1 if self.use_steps else logs.get("size", 0)
        if self.verbose and (self.target is None or self.seen < self.target):
            self.progbar.update(self.seen, self._shown(logs))

    def _shown(self, logs: Any) -> list[tuple[str, Any]]:
        return [(k, logs[k]) for k in self.params["metrics"] if k in logs]

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not self.verbose:
            return
        self.progbar.stateful_metrics = frozenset(self.params["metrics"])
        self.progbar.update(self.seen, self._shown(logs or {}), finalize=True)


class TerminateOnNaN(Callback):
    """Stops when a loss is NaN or infinite."""

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not np.isfinite(loss):
            print(f"Batch {batch}: Invalid loss, terminating training")  # noqa: T201
            self.model.stop_training = True


class LambdaCallback(Callback):
    """Functions as a callback; each takes what the method of its name takes."""

    def __init__(
        self, on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_batch_begin: Callable[..., Any] | None = None,
        on_batch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None, **kwargs: Any,
    ) -> None:
        super().__init__()
        given = {
            "on_epoch_begin": on_epoch_begin, "on_epoch_end": on_epoch_end,
            "on_batch_begin": on_batch_begin, "on_batch_end": on_batch_end,
            "on_train_begin": on_train_begin, "on_train_end": on_train_end, **kwargs,
        }  # fmt: skip
        for name, fn in given.items():
            if fn is not None:
                setattr(self, name, fn)


def configure(
    model: Any, callbacks: Any, names: list[str], verbose: int, params: dict[str, Any],
    count_steps: bool, validation_data: Any = None,
) -> CallbackList:
    """The callbacks of a fit: the user's, then the bar where `verbose` asks for one, History.

    Args:
        names: of the loss and the metrics. params: of the callbacks, without "metrics".
    """
    model.history = History()
    listed = CallbackList(callbacks)
    if verbose:
        listed.append(ProgbarLogger("steps" if count_steps else "samples"))
    listed.append(model.history)
    for callback in listed:
        callback.validation_data = validation_data
        if isinstance(callback, BaseLogger | ProgbarLogger):
            callback.stateful_metrics |= set(names[1:])  # batches tell the means so far
    listed.set_model(model)
    listed.set_params({**params, "metrics": shown_names(names, params["do_validation"])})
    return listed


def shown_names(names: list[str], validated: bool) -> list[str]:
    """The names of an epoch's logs."""
    return [*names, *(f"val_{n}" for n in names)] if validated else list(names)
