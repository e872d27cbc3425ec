"""fit, evaluate, predict and their kin, on batches of any source. Imports keras.engine."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.node import Tensor
from graphc.keras.engine import callbacks_base as cbks
from graphc.keras.engine.batches import ArrayBatches, Batches, StreamBatches, is_stream, stream_of
from graphc.keras.engine.data import check_lengths, length_of, split_off
from graphc.keras.engine.loops import fit_loop, run_predict, run_test
from graphc.ops.convert import convert_to_tensor, is_tensor_like

__all__ = ["Fitting"]


class Fitting:
    """The methods of Model that run batches."""

    # ------------------------------------------------------------ sources
    def _batches(
        self: Any, x: Any, y: Any, batch_size: int | None, sample_weight: Any = None,
        class_weight: Any = None, shuffle: Any = False, steps: int | None = None,
        targets: bool = True, workers: int = 1, queue: int = 10,
    ) -> Batches:
        """Batches of whatever x is."""
        if is_tensor_like(x) and not isinstance(x, Tensor):
            x = convert_to_tensor(x)  # a variable
        tensors = isinstance(x, Tensor)
        if tensors or is_stream(x):
            source = stream_of(
                ((x, y) if targets else (x,)) if tensors else x, workers, queue, bool(shuffle)
            )
            if tensors and steps is None:
                raise ValueError(
                    "When using data tensors as input to a model, you should specify the "
                    "`steps_per_epoch` argument."
                )

            if steps is None and source.length is None and not source.restarts:
                raise ValueError(
                    "`steps=None` is only valid for a generator based on the "
                    "`keras.utils.Sequence` class: say how many batches a generator gives "
                    "(steps_per_epoch, validation_steps or steps)."
                )

            def prepare(bx: Any, by: Any, bw: Any) -> Any:
                if not targets:
                    return self._inputs_of(bx), [], []
                return self._prepare(bx, by, bw, class_weight)

            made = StreamBatches(source, steps, prepare, targets)
            first = made.peek()
            if targets:
                has_weights = isinstance(first, tuple | list) and len(first) == 3
                made.weighted = has_weights or class_weight is not None
                self._set_inputs(first[0] if isinstance(first, tuple | list) else first)
                self._check_compiled()
            else:
                self._set_inputs(first[0] if isinstance(first, tuple) else first)
            return made
        if x is not None:
            self._set_inputs(x)
        if not targets:
            arrays, weights = self._inputs_of(x), []
            check_lengths(arrays, [], [])
        else:
            self._check_compiled()
            inputs, outputs, weights = self._prepare(x, y, sample_weight, class_weight)
            check_lengths(inputs, outputs, weights)
            arrays = [*inputs, *outputs, *weights]
        size = 32 if batch_size is None else int(batch_size)
        if self.stateful and self.inputs[0].dims and self.inputs[0].dims[0]:
            size = batch_size or int(self.inputs[0].dims[0])
        return ArrayBatches(arrays, size, shuffle, bool(weights), steps)

    # ------------------------------------------------------------ fit
    def fit(
        self: Any, x: Any = None, y: Any = None, batch_size: int | None = None, epochs: int = 1,
        verbose: int = 1, callbacks: Any = None, validation_split: float = 0.0,
        validation_data: Any = None, shuffle: Any = True, class_weight: Any = None,
        sample_weight: Any = None, initial_epoch: int = 0, steps_per_epoch: int | None = None,
        validation_steps: int | None = None, validation_freq: Any = 1, max_queue_size: int = 10,
        workers: int = 1, use_multiprocessing: bool = False, **kwargs: Any,
    ) -> Any:
        """Trains for some epochs; returns a History.

        Args:
            x, y: arrays, lists or dicts of them; or x alone: a generator of (x, y), a Sequence,
                a dataset of tf.data. batch_size: default 32. verbose: 0 silent, 1 a bar, 2 a line
                an epoch. validation_split: the last part of x and y is not trained on.
            validation_data: (x, y) or (x, y, weights), or a generator. shuffle: before each epoch;
                "batch": whole batches. class_weight: weights by class.
            steps_per_epoch: batches an epoch, of generators.

        Raises:
            RuntimeError: not compiled. ValueError: arrays that do not fit the model.
        """
        epochs = kwargs.pop("nb_epoch", epochs)
        if kwargs:
            raise TypeError(f"Unrecognized keyword arguments: {kwargs}")
        if self.optimizer is None:
            self._check_compiled()
        if isinstance(verbose, str):
            verbose = 1
        x, y, sample_weight, held = _hold_out(x, y, sample_weight, validation_split)
        validation = validation_data if validation_data is not None else held
        streaming = isinstance(x, Tensor) or is_stream(x)
        batches = self._batches(
            x, y, batch_size, sample_weight, class_weight, shuffle, steps_per_epoch,
            workers=workers, queue=max_queue_size,
        )
        validate = None
        if validation is not None:
            validate = self._validator(validation, batch_size, validation_steps, workers)
        return self._fit(
            batches, epochs, verbose, callbacks, initial_epoch, validate, validation_freq,
            None if streaming else validation,
        )  # fmt: skip

    def _fit(
        self: Any, batches: Batches, epochs: int, verbose: int, callbacks: Any,
        initial_epoch: int, validate: Any, validation_freq: Any, validation_data: Any,
    ) -> Any:
        step = self._step("train", batches.weighted)
        names = ["loss", *step.names[1:]]
        if validate is not None:
            self._step("test")
        listed = cbks.configure(
            self, callbacks, names, validate is not None, verbose,
            {
                "batch_size": getattr(batches, "batch_size", None), "epochs": epochs,
                "steps": batches.steps, "samples": batches.samples or batches.steps,
                "verbose": verbose, "validation_samples": _samples(validation_data),
            },
            count_steps=batches.steps is not None or not batches.samples,
            validation_data=validation_data,
        )  # fmt: skip
        fit_loop(self, batches, listed, epochs, initial_epoch, validate, validation_freq)
        return self.history

    def _validator(
        self: Any, data: Any, batch_size: int | None, steps: int | None, workers: int = 1
    ) -> Any:
        if is_stream(data):
            batches = self._batches(data, None, batch_size, steps=steps, workers=workers)
        else:
            if not isinstance(data, tuple | list) or len(data) not in (2, 3):
                raise ValueError(
                    "When passing a `validation_data` argument, it must contain either 2 items "
                    "(x_val, y_val), or 3 items (x_val, y_val, val_sample_weights), or "
                    "alternatively it could be a dataset or a dataset or a dataset iterator. "
                    f"However we received `validation_data={str(data)[:100]}`"
                )
            weights = data[2] if len(data) == 3 else None
            batches = self._batches(data[0], data[1], batch_size, weights, steps=steps)
        return lambda: run_test(self, batches)

    def fit_generator(
        self: Any, generator: Any, steps_per_epoch: int | None = None, epochs: int = 1,
        verbose: int = 1, callbacks: Any = None, validation_data: Any = None,
        validation_steps: int | None = None, validation_freq: Any = 1, class_weight: Any = None,
        max_queue_size: int = 10, workers: int = 1, use_multiprocessing: bool = False,
        shuffle: bool = True, initial_epoch: int = 0, **kwargs: Any,
    ) -> Any:
        """fit on a generator or a Sequence.

        Raises:
            ValueError: a generator without steps_per_epoch.
        """
        if "samples_per_epoch" in kwargs and steps_per_epoch is None:
            steps_per_epoch = kwargs.pop("samples_per_epoch")
        epochs = kwargs.pop("nb_epoch", epochs)
        if steps_per_epoch is None and not hasattr(generator, "__len__"):
            raise ValueError(
                "`steps_per_epoch=None` is only valid for a generator based on the "
                "`keras.utils.Sequence` class. Please specify `steps_per_epoch` or use the "
                "`keras.utils.Sequence` class."
            )
        return self.fit(
            generator, epochs=epochs, verbose=verbose, callbacks=callbacks,
            validation_data=validation_data, shuffle=shuffle, class_weight=class_weight,
            initial_epoch=initial_epoch, steps_per_epoch=steps_per_epoch,
            validation_steps=validation_steps, validation_freq=validation_freq,
            max_queue_size=max_queue_size, workers=workers,
        )  # fmt: skip

    # ------------------------------------------------------------ evaluate, predict
    def evaluate(
        self: Any, x: Any = None, y: Any = None, batch_size: int | None = None, verbose: int = 1,
        sample_weight: Any = None, steps: int | None = None, callbacks: Any = None,
        max_queue_size: int = 10, workers: int = 1, use_multiprocessing: bool = False,
        return_dict: bool = False,
    ) -> Any:
        """The loss, or [loss, metrics ...] as metrics_names tells.

        Raises:
            RuntimeError: not compiled. ValueError: arrays that do not fit the model.
        """
        if self.optimizer is None:
            self._check_compiled()
        batches = self._batches(
            x, y, batch_size, sample_weight, steps=steps, workers=workers, queue=max_queue_size
        )
        listed = cbks.CallbackList(callbacks) if callbacks else None
        if listed is not None:
            listed.set_model(self)
        values = run_test(self, batches, verbose if isinstance(verbose, int) else 1, listed)
        if return_dict:
            return dict(zip(self.metrics_names, values))
        return values[0] if len(values) == 1 else values

    def evaluate_generator(
        self: Any, generator: Any, steps: int | None = None, callbacks: Any = None,
        max_queue_size: int = 10, workers: int = 1, use_multiprocessing: bool = False,
        verbose: int = 0,
    ) -> Any:
        """evaluate on a generator or a Sequence."""
        return self.evaluate(generator, steps=steps, verbose=verbose, callbacks=callbacks,
                             workers=workers, max_queue_size=max_queue_size)  # fmt: skip

    def predict(
        self: Any, x: Any, batch_size: int | None = None, verbose: int = 0,
        steps: int | None = None, callbacks: Any = None, max_queue_size: int = 10,
        workers: int = 1, use_multiprocessing: bool = False,
    ) -> Any:
        """The outputs for all samples, as an array or a list of arrays."""
        batches = self._batches(
            x, None, batch_size, steps=steps, targets=False, workers=workers, queue=max_queue_size
        )
        return run_predict(self, batches, verbose if isinstance(verbose, int) else 0)

    def predict_generator(
        self: Any, generator: Any, steps: int | None = None, callbacks: Any = None,
        max_queue_size: int = 10, workers: int = 1, use_multiprocessing: bool = False,
        verbose: int = 0,
    ) -> Any:
        """predict on a generator or a Sequence."""
        return self.predict(generator, steps=steps, verbose=verbose, workers=workers,
                            max_queue_size=max_queue_size)  # fmt: skip

    # ------------------------------------------------------------ one batch
    def train_on_batch(
        self: Any, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None,
        reset_metrics: bool = True,
    ) -> Any:
        """One update; the loss, or [loss, metrics ...] of the batch."""
        return self._on_batch("train", x, y, sample_weight, class_weight, reset_metrics)

    def test_on_batch(
        self: Any, x: Any, y: Any = None, sample_weight: Any = None, reset_metrics: bool = True
    ) -> Any:
        """The loss, or [loss, metrics ...] of the batch."""
        return self._on_batch("test", x, y, sample_weight, None, reset_metrics)

    def _on_batch(
        self: Any, kind: str, x: Any, y: Any, sample_weight: Any, class_weight: Any, reset: bool
    ) -> Any:
        if self.optimizer is None:
            self._check_compiled()
        self._set_inputs(x)
        self._check_compiled()
        if reset:
            self._reset_metric_objects()
        inputs, targets, weights = self._prepare(x, y, sample_weight, class_weight)
        check_lengths(inputs, targets, weights)
        values = self._step(kind, bool(weights))(*inputs, *targets, *weights)
        return values[0] if len(values) == 1 else values

    def predict_on_batch(self: Any, x: Any) -> Any:
        """The outputs for one batch."""
        self._set_inputs(x)
        values = self._step("predict")(*self._inputs_of(x))
        return values[0] if len(values) == 1 else values


def _samples(data: Any) -> int | None:
    """The number of samples of (x, y); None for generators."""
    if not isinstance(data, tuple | list) or not data:
        return None
    parts = _parts(data[0])
    return int(parts[0].shape[0]) if parts and np.ndim(parts[0]) else None


def _hold_out(x: Any, y: Any, weights: Any, share: float) -> tuple[Any, Any, Any, Any]:
    """(x, y, weights) to train on and what validation_split holds back."""
    if not share:
        return x, y, weights, None
    if not 0.0 < share < 1.0:
        raise ValueError(f"validation_split must be between 0 and 1, got {share}")
    if isinstance(x, Tensor) or is_stream(x):
        raise ValueError(
            "`validation_split` is only supported when `x` and `y` are arrays, not with "
            "generators, datasets or tensors."
        )
    flat_x, flat_y = _parts(x), _parts(y)
    at = int(length_of(flat_x) * (1.0 - share))
    if at == 0 or at == length_of(flat_x):
        raise ValueError(
            f"validation_split={share} of {length_of(flat_x)} samples leaves an empty part"
        )
    first_x, last_x = split_off(flat_x, at)
    first_y, last_y = split_off(flat_y, at)
    w = None if weights is None else np.asarray(weights)
    held = [_whole(x, last_x), _whole(y, last_y)]
    if w is not None:
        held.append(w[at:])
    return _whole(x, first_x), _whole(y, first_y), None if w is None else w[:at], tuple(held)


def _parts(data: Any) -> list[Any]:
    if isinstance(data, dict):
        return [np.asarray(v) for v in data.values()]
    if isinstance(data, list | tuple) and data and hasattr(data[0], "shape"):
        return list(data)
    return [data if hasattr(data, "shape") and not hasattr(data, "iloc") else np.asarray(data)]


def _whole(like: Any, parts: list[Any]) -> Any:
    if isinstance(like, dict):
        return dict(zip(like, parts))
    if isinstance(like, list | tuple) and like and hasattr(like[0], "shape"):
        return parts
    return parts[0]
