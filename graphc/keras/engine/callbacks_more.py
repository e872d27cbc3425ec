"""Callbacks that stop, save, or change the learning rate. Imports keras.callbacks."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from graphc.keras.core.session import get_value, set_value
from graphc.keras.engine.callbacks_base import Callback
from graphc.keras.engine.logs import Logs

__all__ = ["EarlyStopping", "LearningRateScheduler", "ModelCheckpoint", "ReduceLROnPlateau"]


def _direction(mode: str, monitor: str, what: str) -> tuple[Callable[[Any, Any], Any], float]:
    """(better(new, old), the worst value) for "min", "max" or "auto"."""
    if mode not in ("auto", "min", "max"):
        warnings.warn(f"{what} mode {mode} is unknown, fallback to auto mode.", stacklevel=3)
        mode = "auto"
    if mode == "auto":
        rising = any(w in monitor for w in ("acc", "auc", "AUC", "fmeasure", "precision", "recall"))
        mode = "max" if rising else "min"
    return (np.less, math.inf) if mode == "min" else (np.greater, -math.inf)


class _Monitor(Callback):
    """A callback that looks at one value of the logs."""

    monitor = "val_loss"

    def _current(self, logs: Any, what: str) -> Any:
        value = Logs(logs or {}).get(self.monitor)
        if value is None:
            warnings.warn(
                f"{what} conditioned on metric `{self.monitor}` which is not available. Available "
                f"metrics are: {','.join(logs or {})}",
                RuntimeWarning, stacklevel=3,
            )  # fmt: skip
        return value


def _no_more(kwargs: dict[str, Any], what: str) -> None:
    """Raises TypeError: arguments that nobody took."""
    if kwargs:
        raise TypeError(f"{what} got unexpected keyword argument(s): {sorted(kwargs)}")


class EarlyStopping(_Monitor):
    """Stops when a value has not become better for `patience` epochs.

    Args:
        monitor: its name. min_delta: less counts as no change. mode: "min", "max" or "auto".
        baseline: what must be surpassed. restore_best_weights: when it stops.
    """

    def __init__(
        self, monitor: str = "val_loss", min_delta: float = 0, patience: int = 0,
        verbose: int = 0, mode: str = "auto", baseline: float | None = None,
        restore_best_weights: bool = False, **kwargs: Any,
    ) -> None:
        super().__init__()
        self.monitor, self.patience, self.verbose = monitor, patience, verbose
        self.baseline, self.restore_best_weights = baseline, restore_best_weights
        self.start_from_epoch = int(kwargs.pop("start_from_epoch", 0))
        _no_more(kwargs, "EarlyStopping")
        self.monitor_op, self._worst = _direction(mode, monitor, "EarlyStopping")
        self.min_delta = abs(min_delta) * (1 if self.monitor_op is np.greater else -1)
        self.wait = self.stopped_epoch = 0
        self.best: float = self._worst
        self.best_weights: Any = None

    def on_train_begin(self, logs: Any = None) -> None:
        self.wait = self.stopped_epoch = 0
        self.best = self._worst if self.baseline is None else self.baseline
        self.best_weights = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        current = self._current(logs, "Early stopping")
        if current is None or epoch < self.start_from_epoch:
            return
        if self.monitor_op(current - self.min_delta, self.best):
            self.best, self.wait = current, 0
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            return
        self.wait += 1
        if self.wait >= self.patience:
            self.stopped_epoch = epoch
            self.model.stop_training = True
            if self.restore_best_weights and self.best_weights is not None:
                if self.verbose:
                    print("Restoring model weights from the end of the best epoch.")  # noqa: T201
                self.model.set_weights(self.best_weights)

    def on_train_end(self, logs: Any = None) -> None:
        if self.stopped_epoch > 0 and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1:05d}: early stopping")  # noqa: T201

    def get_monitor_value(self, logs: Any) -> Any:
        return self._current(logs, "Early stopping")


class ModelCheckpoint(_Monitor):
    """Saves the model after epochs.

    Args:
        filepath: may hold {epoch:02d} and names of the logs. save_best_only: only when `monitor`
            has become better. save_weights_only: not the whole model. period: epochs between.
            save_freq: "epoch", or a number of batches. initial_value_threshold: what must be
            surpassed.

    A file that cannot be written gives a warning; training goes on and the last good file stays.

    Raises:
        ValueError: save_freq is something else. KeyError: a name in filepath that logs lack.
    """

    def __init__(
        self, filepath: Any, monitor: str = "val_loss", verbose: int = 0,
        save_best_only: bool = False, save_weights_only: bool = False, mode: str = "auto",
        period: int = 1, **kwargs: Any,
    ) -> None:
        super().__init__()
        self.filepath, self.monitor, self.verbose = str(filepath), monitor, verbose
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        freq = kwargs.pop("save_freq", "epoch")
        if freq != "epoch" and not (isinstance(freq, int) and freq > 0):
            raise ValueError(f"Unrecognized save_freq: {freq}")
        self.save_freq = freq if isinstance(freq, int) else None
        self.period = period
        self.epochs_since_last_save = 0
        self.monitor_op, self.best = _direction(mode, monitor, "ModelCheckpoint")
        threshold = kwargs.pop("initial_value_threshold", None)
        if threshold is not None:
            self.best = threshold
        for ignored in ("load_weights_on_restart", "options"):
            kwargs.pop(ignored, None)
        _no_more(kwargs, "ModelCheckpoint")
        self._epoch = self._batches = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        self._batches += 1
        if self.save_freq is not None and self._batches % self.save_freq == 0:
            self._save(self._epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epochs_since_last_save += 1
        if self.save_freq is not None or self.epochs_since_last_save < self.period:
            return
        self.epochs_since_last_save = 0
        self._save(epoch, logs)

    def _save(self, epoch: int, logs: Any) -> None:
        try:
            path = self.filepath.format_map(_Fields(Logs(logs or {}), epoch + 1))
        except KeyError as err:
            raise KeyError(
                f"Failed to format this callback filepath: {self.filepath!r}. Reason: {err}; the "
                f"logs have {sorted(logs or {})}"
            ) from None
        head = f"\nEpoch {epoch + 1:05d}:"
        if not self.save_best_only:
            if self.verbose:
                print(f"{head} saving model to {path}")  # noqa: T201
            self._write(path)
            return
        current = self._current(logs, "Can save best model only with")
        if current is None:
            return
        if not self.monitor_op(current, self.best):
            if self.verbose:
                print(f"{head} {self.monitor} did not improve from {self.best:0.5f}")  # noqa: T201
            return
        if self.verbose:
            print(  # noqa: T201
                f"{head} {self.monitor} improved from {self.best:0.5f} to {current:0.5f}, saving "
                f"model to {path}"
            )
        if self._write(path):
            self.best = current  # what could not be written is not the best that is kept

    def _write(self, path: str) -> bool:
        """Whether the file has been written."""
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            if self.save_weights_only:
                self.model.save_weights(path, overwrite=True)
            else:
                self.model.save(path, overwrite=True)
        except NotImplementedError:  # a model that cannot be saved whole: no later epoch can
            raise
        except (OSError, RuntimeError) as err:  # h5py raises either
            warnings.warn(
                f"ModelCheckpoint: the model could not be saved to {path}: {err}. Training goes "
                "on; what was saved before stays as it was.",
                stacklevel=2,
            )
            return False
        return True


class _Fields(dict[str, Any]):
    """Names in a file's name: the epoch, and the logs under either spelling."""

    def __init__(self, logs: Logs, epoch: int) -> None:
        super().__init__(logs)
        self._logs = logs
        self["epoch"] = epoch

    def __missing__(self, key: str) -> Any:
        return self._logs[key]


def _rate(model: Any) -> float:
    """The learning rate.

    Raises:
        ValueError: the optimizer has none that can be set.
    """
    rate = getattr(model.optimizer, "lr", None)
    if rate is None:
        raise ValueError('Optimizer must have a "lr" attribute.')
    value = get_value(rate)
    if np.ndim(value) != 0 or not isinstance(value, float | int | np.generic | np.ndarray):
        raise ValueError(
            f"The learning rate of {type(model.optimizer).__name__} is a schedule, "
            f"{type(value).__name__}: callbacks cannot set it. Give the optimizer a number."
        )
    return float(value)


def _set_rate(model: Any, value: float) -> None:
    rate = model.optimizer.lr
    if hasattr(rate, "assign"):
        set_value(rate, value)
    else:
        model.optimizer.lr = value


class LearningRateScheduler(Callback):
    """Sets the learning rate to schedule(epoch), or schedule(epoch, rate), before each epoch.

    Raises:
        ValueError: the optimizer has no rate that can be set, or the schedule gives no number.
    """

    def __init__(self, schedule: Callable[..., Any], verbose: int = 0) -> None:
        super().__init__()
        self.schedule, self.verbose = schedule, verbose

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        before = _rate(self.model)
        try:
            rate = self.schedule(epoch, before)
        except TypeError:  # one that takes the epoch only
            rate = self.schedule(epoch)
        if not isinstance(rate, float | np.floating | int | np.integer):
            raise ValueError('The output of the "schedule" function should be float.')
        _set_rate(self.model, float(rate))
        if self.verbose > 0:
            print(  # noqa: T201
                f"\nEpoch {epoch + 1:05d}: LearningRateScheduler setting learning rate to {rate}."
            )

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if logs is not None:
            logs["lr"] = _rate(self.model)


class ReduceLROnPlateau(_Monitor):
    """Multiplies the learning rate by `factor` when a value stops getting better.

    Args:
        monitor: its name. patience: epochs without a change of min_delta before. cooldown: epochs
            of rest afterwards. min_lr: the least rate.

    Raises:
        ValueError: factor >= 1.
    """

    def __init__(
        self, monitor: str = "val_loss", factor: float = 0.1, patience: int = 10,
        verbose: int = 0, mode: str = "auto", min_delta: float = 1e-4, cooldown: int = 0,
        min_lr: float = 0.0, **kwargs: Any,
    ) -> None:
        super().__init__()
        if factor >= 1.0:
            raise ValueError("ReduceLROnPlateau does not support a factor >= 1.0.")
        self.min_delta = kwargs.pop("epsilon", min_delta)
        _no_more(kwargs, "ReduceLROnPlateau")
        self.monitor, self.factor, self.patience = monitor, factor, patience
        self.verbose, self.cooldown, self.min_lr = verbose, cooldown, min_lr
        better, self._worst = _direction(mode, monitor, "Learning rate reduction")
        self._rising = better is np.greater
        self.best, self.wait, self.cooldown_counter = self._worst, 0, 0

    def on_train_begin(self, logs: Any = None) -> None:
        self.best, self.wait, self.cooldown_counter = self._worst, 0, 0

    def in_cooldown(self) -> bool:
        return self.cooldown_counter > 0

    def _better(self, current: Any) -> bool:
        if self._rising:
            return bool(current > self.best + self.min_delta)
        return bool(current < self.best - self.min_delta)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = logs if logs is not None else {}
        logs["lr"] = _rate(self.model)
        current = self._current(logs, "Reduce LR on plateau")
        if current is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self._better(current):
            self.best, self.wait = current, 0
            return
        if self.in_cooldown():
            return
        self.wait += 1
        if self.wait < self.patience:
            return
        old = _rate(self.model)
        if old > np.float32(self.min_lr):  # what the variable can hold
            new = max(old * self.factor, self.min_lr)
            _set_rate(self.model, new)
            if self.verbose > 0:
                print(  # noqa: T201
                    f"\nEpoch {epoch + 1:05d}: ReduceLROnPlateau reducing learning rate to {new}."
                )
            self.cooldown_counter, self.wait = self.cooldown, 0
