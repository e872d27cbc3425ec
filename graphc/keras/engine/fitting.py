"""fit, evaluate, predict and their kin, on batches of any source. Imports keras.engine."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.node import Tensor
from graphc.keras.engine import callbacks_base as cbks
from graphc.keras.engine.batches import (
    ArrayBatches,
    Batches,
    StreamBatches,
    first_of,
    is_dataset,
    is_stream,
    split_item,
    stream_of,
)
from graphc.keras.engine.data import as_array, check_lengths, length_of, split_off
from graphc.keras.engine.loops import Totals, fit_loop, run_predict, run_test
from graphc.ops.convert import convert_to_tensor, is_tensor_like

__all__ = ["Fitting"]


class Fitting:
    """The methods of Model that run batches."""

    # ------------------------------------------------------------ sources
    def _batches(
        self: Any, x: Any, y: Any, batch_size: int | None, sample_weight: Any = None,
        class_weight: Any = None, shuffle: Any = False, steps: int | None = None,
        role: str = "train", workers: int = 1, queue: int = 10,
    ) -> Batches:
        """Batches of whatever x is.

        Args:
            role: "train", "test" or "predict", which has no targets.

        Raises:
            ValueError: what does not fit the model; a source without an end and without steps.
        """
        targets = role != "predict"
        if is_tensor_like(x) and not isinstance(x, Tensor):
            x = convert_to_tensor(x)  # a variable
        if isinstance(x, Tensor) or is_stream(x):
            return self._streamed(
                x, y, sample_weight, class_weight, shuffle, steps, role, workers, queue
            )
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
        batch_size = self._batch_size(batch_size, length_of(arrays), steps)
        return ArrayBatches(arrays, batch_size, shuffle, bool(weights), steps, not targets)

    def _batch_size(self: Any, given: int | None, samples: int, steps: int | None) -> int | None:
        """The batch size where the model decides: of stateful layers, of inputs that are data.

        Raises:
            ValueError: a last short batch of a stateful model; data of the graph without steps.
        """
        if not all(self.inputs_fed):
            if steps is None:
                raise ValueError(
                    "If your data is in the form of symbolic tensors, you should specify the "
                    "`steps_per_epoch` or `steps` argument: this model reads its own batches."
                )
            return samples or None
        fixed = self.inputs[0].dims[0] if self.stateful and self.inputs[0].dims else None
        if not isinstance(fixed, int):
            return given
        size = given or fixed
        if samples % size:
            raise ValueError(
                "In a stateful network, you should only pass inputs with a number of samples that "
                f"can be divided by the batch size. Found: {samples} samples. Batch size: {size}."
            )
        return size

    def _streamed(
        self: Any, x: Any, y: Any, sample_weight: Any, class_weight: Any, shuffle: Any,
        steps: int | None, role: str, workers: int, queue: int,
    ) -> StreamBatches:
        targets, tensors = role != "predict", isinstance(x, Tensor)
        if not tensors and (y is not None or sample_weight is not None):
            what = "`y`" if y is not None else "`sample_weight`"
            raise ValueError(
                f"{what} argument is not supported when using a generator, a Sequence or a dataset "
                "as input: it gives (x, y) or (x, y, sample_weight) itself."
            )
        if tensors and steps is None:
            raise ValueError(
                "When using data tensors as input to a model, you should specify the "
                "`steps_per_epoch` argument."
            )
        given: Any = x
        if tensors:
            given = tuple(t for t in (x, y, sample_weight) if t is not None) if targets else (x,)
        source = stream_of(given, role, workers, queue, bool(shuffle))
        if steps is None and source.length() is None and not source.restarts:
            raise ValueError(
                "`steps=None` is only valid for a generator based on the `keras.utils.Sequence` "
                "class: say how many batches a generator gives (steps_per_epoch, "
                "validation_steps or steps)."
            )

        def prepare(bx: Any, by: Any, bw: Any) -> Any:
            if not targets:
                return self._inputs_of(bx), [], []
            inputs, outputs, weights = self._prepare(bx, by, bw, class_weight)
            check_lengths(inputs, outputs, weights)
            return inputs, outputs, weights

        made = StreamBatches(source, steps, prepare, targets, afresh=role != "train")
        first = made.peek()
        if targets:
            bx, _, bw = split_item(first)
            made.weighted = bw is not None or class_weight is not None
            self._set_inputs(bx)
            self._check_compiled()
        else:
            self._set_inputs(first_of(first))
        return made

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
        epochs = _whole_number(kwargs.pop("nb_epoch", epochs), "epochs")
        initial_epoch = _whole_number(initial_epoch, "initial_epoch")
        steps_per_epoch, validation_steps = (
            None if n is None else _whole_number(n, "steps")
            for n in (steps_per_epoch, validation_steps)
        )
        held_size = kwargs.pop("validation_batch_size", batch_size)
        if kwargs:
            raise TypeError(f"Unrecognized keyword arguments: {kwargs}")
        if self.optimizer is None:
            self._check_compiled()
        verbose = _verbosity(verbose, 1)
        x, y, sample_weight, held = _hold_out(x, y, sample_weight, validation_split)
        validation = validation_data if validation_data is not None else held
        streaming = isinstance(x, Tensor) or is_stream(x)
        dataset = not isinstance(x, Tensor) and streaming and is_dataset(x)
        batches = self._batches(
            x, y, batch_size, sample_weight, class_weight, shuffle, steps_per_epoch,
            workers=workers, queue=max_queue_size,
        )
        held_batches = None
        if validation is not None:
            held_batches = self._held_batches(validation, held_size, validation_steps, workers)
        if verbose and (dataset or not streaming):
            _print_sizes(batches, held_batches)
        return self._fit(
            batches, epochs, verbose, callbacks, initial_epoch, held_batches, validation_freq,
            None if streaming else validation,
        )  # fmt: skip

    def _fit(
        self: Any, batches: Batches, epochs: int, verbose: int, callbacks: Any,
        initial_epoch: int, held: Batches | None, validation_freq: Any, validation_data: Any,
    ) -> Any:
        names = self._step("train", batches.weighted).names
        validate = None
        if held is not None:
            self._step("test", held.weighted)

            def validate(told: Any) -> Any:
                return run_test(self, held, callbacks=told)

        listed = cbks.configure(
            self, callbacks, names, verbose,
            {
                "batch_size": batches.batch_size, "epochs": epochs, "steps": batches.steps,
                "samples": batches.samples or batches.steps, "verbose": verbose,
                "do_validation": held is not None,
            },
            count_steps=not batches.samples, validation_data=validation_data,
        )  # fmt: skip
        history = self.history
        fit_loop(self, batches, listed, epochs, initial_epoch, validate, validation_freq)
        self.history = history  # a callback may have trained in between
        return history

    def _held_batches(
        self: Any, data: Any, batch_size: int | None, steps: int | None, workers: int = 1
    ) -> Batches:
        """The batches of validation_data."""
        if is_stream(data):
            return self._batches(data, None, batch_size, steps=steps, role="test", workers=workers)
        if not isinstance(data, tuple | list) or len(data) not in (2, 3):
            raise ValueError(
                "When passing a `validation_data` argument, it must contain either 2 items "
                "(x_val, y_val), or 3 items (x_val, y_val, val_sample_weights), or alternatively "
                "it could be a dataset or a generator. However we received "
                f"`validation_data={str(data)[:100]}`"
            )
        weights = data[2] if len(data) == 3 else None
        return self._batches(data[0], data[1], batch_size, weights, steps=steps, role="test")

    def _told(self: Any, callbacks: Any, batches: Batches, verbose: int, names: list[str]) -> Any:
        """The callbacks of evaluate and predict."""
        listed = cbks.CallbackList(callbacks)
        listed.set_model(self)
        listed.set_params({
            "batch_size": batches.batch_size, "epochs": 1, "steps": batches.steps,
            "samples": batches.samples or batches.steps, "verbose": verbose,
            "do_validation": False, "metrics": names,
        })  # fmt: skip
        return listed

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
        if kwargs:
            raise TypeError(f"Unrecognized keyword arguments: {kwargs}")
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
        verbose = _verbosity(verbose, 1)
        batches = self._batches(
            x, y, batch_size, sample_weight, steps=steps, role="test", workers=workers,
            queue=max_queue_size,
        )  # fmt: skip
        names = self._step("test", batches.weighted).names
        told = self._told(callbacks, batches, verbose, names)
        values = run_test(self, batches, verbose, told)
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
            x, None, batch_size, steps=steps, role="predict", workers=workers,
            queue=max_queue_size,
        )  # fmt: skip
        verbose = _verbosity(verbose, 0)
        return run_predict(self, batches, verbose, self._told(callbacks, batches, verbose, []))

    def predict_generator(
        self: Any, generator: Any, steps: int | None = None, callbacks: Any = None,
        max_queue_size: int = 10, workers: int = 1, use_multiprocessing: bool = False,
        verbose: int = 0,
    ) -> Any:
        """predict on a generator or a Sequence."""
        return self.predict(generator, steps=steps, verbose=verbose, callbacks=callbacks,
                            workers=workers, max_queue_size=max_queue_size)  # fmt: skip

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
        inputs, targets, weights = self._prepare(x, y, sample_weight, class_weight)
        check_lengths(inputs, targets, weights)
        step = self._step(kind, bool(weights))
        if reset or self._totals is None:
            self.reset_metrics()
            self._totals = Totals(step)
        self._totals.count_at = step.count_at
        results = step.runner()(*inputs, *targets, *weights)
        values = self._totals.add(results, length_of(inputs) or length_of(targets) or 1)
        if reset:
            self.reset_metrics()
        return values[0] if len(values) == 1 else values

    def predict_on_batch(self: Any, x: Any) -> Any:
        """The outputs for one batch."""
        self._set_inputs(x)
        values = self._step("predict")(*self._inputs_of(x))
        return values[0] if len(values) == 1 else values


def _whole_number(value: Any, name: str) -> int:
    """Raises ValueError: no whole number."""
    if isinstance(value, str) or int(value) != value:
        raise ValueError(f"{name} must be a whole number, got {value!r}")
    return int(value)


def _verbosity(value: Any, automatic: int) -> int:
    """0, 1 or 2; "auto" is `automatic`."""
    return automatic if isinstance(value, str) else int(value)


def _print_sizes(batches: Batches, held: Batches | None) -> None:
    """The line before training, where the numbers are known."""
    unit = "samples" if batches.samples else "steps"
    count = batches.samples or batches.steps
    if not count:
        return
    more = (held.samples or held.steps) if held is not None else None
    print(  # noqa: T201
        f"Train on {count} {unit}" + (f", validate on {more} {unit}" if more else "")
    )


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
    flat_x = _parts(x)
    at = int(length_of(flat_x) * (1.0 - share))
    if at == 0 or at == length_of(flat_x):
        raise ValueError(
            f"validation_split={share} of {length_of(flat_x)} samples leaves an empty part"
        )
    first, last = [], []
    for data in (x, y, weights):
        head, tail = (None, None) if data is None else split_off(_parts(data), at)
        first.append(_whole(data, head))
        last.append(_whole(data, tail))
    return first[0], first[1], first[2], tuple(last[: 2 if weights is None else 3])


def _parts(data: Any) -> list[Any]:
    if isinstance(data, dict):
        return [as_array(v) for v in data.values()]
    if isinstance(data, list | tuple) and data and hasattr(data[0], "shape") and np.ndim(data[0]):
        return [as_array(v) for v in data]
    return [as_array(data)]


def _whole(like: Any, parts: list[Any] | None) -> Any:
    if parts is None:
        return None
    if isinstance(like, dict):
        return dict(zip(like, parts))
    if isinstance(like, list | tuple) and like and hasattr(like[0], "shape") and np.ndim(like[0]):
        return parts
    return parts[0]
