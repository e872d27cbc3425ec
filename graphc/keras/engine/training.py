"""Model: networks that learn: compile, fit, evaluate, predict.

Lives here: the methods that users call. Not here: what one batch computes (engine/functions.py),
loops (engine/loops.py), arrays (engine/data.py). Imports keras.engine.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.node import Tensor
from graphc.keras import metrics as metrics_module
from graphc.keras import optimizers
from graphc.keras.engine.data import check_classes, length_of, sample_weights, standardize
from graphc.keras.engine.endpoints import Endpoint, MetricFunction, per_output
from graphc.keras.engine.fitting import Fitting
from graphc.keras.engine.functions import Step, StepBuilder
from graphc.keras.engine.input_layer import Input
from graphc.keras.engine.network import Network
from graphc.keras.engine.nodes import as_list, flat

__all__ = ["Model"]


class Model(Fitting, Network):
    """A network that can be compiled, trained and run (tf.keras.Model).

    Args:
        inputs, outputs: of a graph of layers; a subclass defines `call` instead.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.optimizer: Any = None
        self.loss: Any = None
        self.history: Any = None
        self.stop_training = False
        self._endpoints: list[Endpoint] = []
        self._collected_trainable_weights: list[Any] = []
        self._totals: Any = None  # of train_on_batch and test_on_batch
        self._compile_arguments: dict[str, Any] | None = None
        self._steps = StepBuilder(self)
        super().__init__(*args, **kwargs)

    # ------------------------------------------------------------ compile
    def compile(
        self, optimizer: Any = "rmsprop", loss: Any = None, metrics: Any = None,
        loss_weights: Any = None, sample_weight_mode: Any = None, weighted_metrics: Any = None,
        target_tensors: Any = None, distribute: Any = None, **kwargs: Any,
    ) -> None:
        """Says how to train.

        Args:
            optimizer: a name or an object, of tf.keras.optimizers or tf.train.
            loss: a name, a function or a Loss; a list or a dict by output for several.
            metrics: names, functions or Metrics. loss_weights: of the outputs' losses.
            sample_weight_mode: "temporal" for one weight a time step.
            weighted_metrics: metrics that sample weights count in.
            target_tensors: used instead of placeholders.

        Raises:
            ValueError: unknown names of losses, metrics, optimizers, outputs.
        """
        for ignored in ("run_eagerly", "steps_per_execution", "jit_compile", "auto_scale_loss"):
            kwargs.pop(ignored, None)
        if kwargs:
            raise TypeError(f"Invalid keyword argument(s) in `compile`: {sorted(kwargs)}")
        self.optimizer = optimizers.get(optimizer)
        self.loss = loss
        self._compile_arguments = {
            "loss": loss, "metrics": metrics, "loss_weights": loss_weights,
            "sample_weight_mode": sample_weight_mode, "weighted_metrics": weighted_metrics,
            "target_tensors": target_tensors,
        }  # fmt: skip
        self.loss_weights, self.sample_weight_mode = loss_weights, sample_weight_mode
        self._steps.clear()
        self._endpoints = []
        if self.outputs is not None and self.built:
            self._finish_compile()

    def _outputs_changed(self) -> None:
        """Layers were added: what was compiled for the old outputs is no longer right."""
        self._steps.clear()
        self._endpoints = []

    def _finish_compile(self) -> None:
        given = self._compile_arguments
        assert given is not None
        names = self.output_names
        all_losses = per_output(given["loss"], names, "loss")
        weights = per_output(given["loss_weights"], names, "loss_weights")
        modes = per_output(given["sample_weight_mode"], names, "sample_weight_mode")
        self._steps.clear()
        self._endpoints = [
            Endpoint(n, o, f, w) for n, o, f, w in zip(names, self.outputs, all_losses, weights)
        ]
        targets = given["target_tensors"]
        if isinstance(targets, Tensor):
            targets = [targets]
        targets = per_output(targets, names, "target_tensors")
        with self.outputs[0].graph.as_default():
            for end, target, mode in zip(self._endpoints, targets, modes):
                end.make_target(target)
                end.temporal = mode == "temporal"
        self._add_metrics(given["metrics"], False)
        self._add_metrics(given["weighted_metrics"], True)
        self._collected_trainable_weights = self.trainable_weights
        self._total_loss: Any = None

    def _add_metrics(self, given: Any, weighted: bool) -> None:
        if not given:
            return
        ends = self._endpoints
        if isinstance(given, dict):
            per_output(given, self.output_names, "metrics")
            listed = [given.get(e.name) for e in ends]
        elif len(ends) > 1 and any(isinstance(m, list | tuple) for m in as_list(given)):
            listed = per_output(given, self.output_names, "metrics")
        else:
            listed = [given[0] if isinstance(given, list | tuple) and len(given) == 1
                      and isinstance(given[0], list | tuple) else given] * len(ends)  # fmt: skip
        for end, metric in zip(ends, listed):
            if end.target is not None:
                end.add_metrics(metric, weighted)

    def _check_compiled(self, needs_loss: bool = True) -> None:
        if self.optimizer is None or self._compile_arguments is None:
            raise RuntimeError(
                "You must compile your model before training/testing. Use `model.compile("
                "optimizer, loss)`."
            )
        if not self._endpoints:
            self._finish_compile()
        if needs_loss and all(e.loss is None for e in self._endpoints) and not self.losses:
            raise ValueError(
                "The model cannot be compiled because it has no loss to optimize."
            )

    def _step(self, kind: str, weighted: bool = False) -> Step:
        if kind != "predict":
            self._check_compiled()
        return self._steps.get(kind, weighted)

    def _make_train_function(self) -> Any:
        self.train_function = self._step("train")
        return self.train_function

    def _make_test_function(self) -> Any:
        self.test_function = self._step("test")
        return self.test_function

    def _make_predict_function(self) -> Any:
        self.predict_function = self._step("predict")
        return self.predict_function

    @property
    def inputs_fed(self) -> list[bool]:
        """For each input whether it is a placeholder."""
        return [t.node.op.name in ("placeholder", "placeholder_with_default")
                for t in self.inputs]  # fmt: skip

    # ------------------------------------------------------------ what was compiled
    @property
    def metrics_names(self) -> list[str]:
        """The names of what evaluate returns."""
        self._check_compiled()
        return self._step("test").names

    @property
    def metrics(self) -> list[Any]:
        """The Metric objects and functions that compile was given."""
        return [
            fn if isinstance(fn, metrics_module.Metric) else MetricFunction(name, fn)
            for end in self._endpoints for name, fn, _ in end.metrics
        ]  # fmt: skip

    def _reset_metric_objects(self) -> None:
        for metric in self.metrics:
            metric.reset_states()

    def reset_metrics(self) -> None:
        """Metrics begin anew, also those of train_on_batch(..., reset_metrics=False)."""
        self._reset_metric_objects()
        self._totals = None

    @property
    def total_loss(self) -> Tensor:
        """The tensor that training minimises."""
        self._check_compiled()
        if self._total_loss is None:
            with self.outputs[0].graph.as_default():
                self._total_loss = self._steps._values(False)[0]
        return self._total_loss

    @property
    def targets(self) -> list[Any]:
        """The placeholders of the targets."""
        return [e.target for e in self._endpoints if e.target is not None]

    @property
    def loss_functions(self) -> list[Any]:
        return [e.loss for e in self._endpoints]

    @property
    def _feed_inputs(self) -> list[Tensor]:
        return [t for t, fed in zip(self.inputs, self.inputs_fed) if fed]

    # ------------------------------------------------------------ models without a shape
    def _set_inputs(self, x: Any) -> None:
        """Gives a model that waits for its first data inputs and outputs."""
        if self.inputs is not None:
            return
        leaves = [np.asarray(v) if not hasattr(v, "shape") else v for v in flat(x)]
        names = sorted(x) if isinstance(x, dict) and len(x) == len(leaves) else []
        tensors = []
        for number, leaf in enumerate(leaves):
            shape = tuple(leaf.shape)
            kind = _kind_of(leaf)
            if hasattr(self, "_stack") and not names:
                kind = self._first_dtype()
            name = names[number] if names else None
            tensors.append(Input(batch_shape=(None, *(shape[1:] or (1,))), dtype=kind, name=name))
        structure = _like(x, iter(tensors))
        if hasattr(self, "_connect"):
            self._connect(structure if names else tensors[0])
            return
        outputs = self(structure)
        self.inputs, self.outputs = tensors, flat(outputs)
        self.input_names = [t._keras_history.layer.name for t in tensors]
        self.output_names = [f"output_{k + 1}" for k in range(len(self.outputs))]

    # ------------------------------------------------------------ arrays
    def _prepare(
        self, x: Any, y: Any, sample_weight: Any = None, class_weight: Any = None,
        whole: bool = True,
    ) -> tuple[list[Any], list[Any], list[Any]]:
        """(inputs, targets, weights) as they are fed; no weights where none are given."""
        inputs = self._inputs_of(x, whole)
        ends = [e for e in self._endpoints if e.target is not None]
        fed = [e for e in ends if e.fed]
        if y is None and any(e.loss is not None for e in fed):
            raise ValueError(
                "The model expects targets (y): " + ", ".join(e.name for e in fed)
            )
        if y is not None and not fed and not ends:
            y = None  # what the user's loss needs, add_loss told already
        targets = standardize(
            y, [e.name for e in fed], [e.target for e in fed], "target", whole
        ) if fed else []  # fmt: skip
        for end, target in zip(fed, targets):
            if end.sparse:
                check_classes(end.name, target)
        count = length_of(targets) or length_of(inputs)
        known = dict(zip((e.name for e in fed), targets))
        weights = self._weights_of(known, count, sample_weight, class_weight, ends)
        return inputs, targets, weights

    def _inputs_of(self, x: Any, whole: bool = True) -> list[Any]:
        names = [n for n, fed in zip(self.input_names, self.inputs_fed) if fed]
        return standardize(x, names, self._feed_inputs, "input", whole)

    def _weights_of(
        self, targets: dict[str, Any], count: int, sample_weight: Any, class_weight: Any,
        ends: list[Endpoint],
    ) -> list[Any]:
        """A weight array an output.

        Args:
            targets: by output, of those that are fed. count: of the samples.

        Raises:
            ValueError: weights by class of targets that the graph holds.
        """
        if sample_weight is None and class_weight is None:
            return []
        names = [e.name for e in ends]
        several = isinstance(class_weight, list) and len(names) > 1
        by_name = isinstance(class_weight, dict) and any(k in names for k in class_weight)
        classes = per_output(class_weight, names, "class_weight") if by_name or several else (
            [class_weight] * len(ends)
        )  # fmt: skip
        given = sample_weight
        if isinstance(given, np.ndarray) or (
            isinstance(given, list | tuple) and len(given) != len(ends)
        ):
            given = np.asarray(given)
        samples = per_output(given, names, "sample_weight")
        out = []
        for end, table, weights in zip(ends, classes, samples):
            target = targets.get(end.name)
            if target is None and table is not None:
                raise ValueError(
                    f"class_weight of output {end.name!r}: its targets are a tensor of the graph"
                )
            target = np.empty((count, 1)) if target is None else target
            out.append(sample_weights(end.name, target, table, weights, end.temporal))
        return out


def _kind_of(leaf: Any) -> str | None:
    """The dtype of an Input for these data: numbers of words stay integers, texts strings;
    pictures of bytes become floats."""
    kind = getattr(leaf.dtype, "name", str(leaf.dtype))
    if kind in ("int32", "int64", "string"):
        return str(kind)
    return "string" if getattr(leaf.dtype, "kind", "") in "USO" else None


def _like(structure: Any, leaves: Any) -> Any:
    if isinstance(structure, dict):
        return {k: _like(structure[k], leaves) for k in sorted(structure)}
    if isinstance(structure, list | tuple):
        return type(structure)([_like(v, leaves) for v in structure])
    return next(leaves)
