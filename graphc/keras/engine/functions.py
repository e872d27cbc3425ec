"""The functions that a compiled model runs: training, evaluation and prediction of one batch.

Lives here: Step, StepBuilder. In each the learning phase is decided, so that a training plan has
no evaluation branch and the other way round. Not here: loops over batches (engine/loops.py).
Imports keras.core.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.ir.dtypes import float32
from graphc.ir.graph import get_default_graph
from graphc.ir.node import Tensor
from graphc.keras.core.replay import replay
from graphc.keras.core.session import get_session, phase_tensor
from graphc.keras.metrics import Metric
from graphc.ops.convert import constant_tensor, convert_to_tensor
from graphc.ops.define import F

__all__ = ["Step", "StepBuilder"]


class Step:
    """Runs the same fetches again and again in Keras' session.

    Attributes:
        names: of the values that a call returns. stateful: whether a value is a total over
            batches (a Metric's result) rather than this batch's. counts: what a value weighs in
            a mean over batches, or None for the number of samples.
    """

    def __init__(
        self, feeds: Sequence[Tensor], values: Sequence[Tensor], updates: Sequence[Any],
        names: Sequence[str] = (), stateful: Sequence[bool] = (),
        counts: Sequence[Tensor | None] = (),
    ) -> None:
        self.feeds, self.values = list(feeds), list(values)
        self.updates = list(updates)
        self.names, self.stateful = list(names), list(stateful)
        self._extra = [c for c in counts if c is not None]
        places = iter(range(len(self.values), len(self.values) + len(self._extra)))
        self.count_at = [None if c is None else next(places) for c in counts]
        self._run: Callable[..., Any] | None = None
        self._executor: Any = None

    def runner(self) -> Callable[..., list[Any]]:
        """A function of the feeds' values, in order.

        It gives the values, then the counts that are no numbers of samples, then None for updates.
        """
        session = get_session(graph=self.values[0].graph)
        if self._run is None or self._executor is not session.executor:
            fetches = [*self.values, *self._extra, *self.updates]
            self._run = session.make_callable(fetches, self.feeds)
            self._executor = session.executor
        return self._run

    def __call__(self, *arrays: Any) -> list[Any]:
        return self.runner()(*arrays)[: len(self.values)]


class _Values:
    """What a batch computes, by name, while it is put together."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.tensors: list[Tensor] = []
        self.stateful: list[bool] = []
        self.counts: list[Tensor | None] = []
        self.updates: list[Any] = []

    def add(
        self, name: str, value: Tensor, count: Tensor | None = None, update: Any = None
    ) -> None:
        self.names.append(name)
        self.tensors.append(value)
        self.counts.append(count)
        self.stateful.append(update is not None)
        self.updates += [] if update is None else [update]


class StepBuilder:
    """Makes the Steps of a model as they are needed; one kind with sample weights, one without."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self._steps: dict[Any, Step] = {}

    def get(self, kind: str, weighted: bool = False) -> Step:
        """The step "train", "test" or "predict"."""
        fetches = len(self.model.outputs) if kind == "predict" else 0
        key = (kind, weighted, fetches)
        if key not in self._steps:
            graph = self.model.outputs[0].graph
            with graph.as_default(), graph.name_scope(f"{kind}_{self.model.name}"):
                self._steps[key] = (
                    self._predict() if kind == "predict" else self._learn(kind, weighted)
                )
        return self._steps[key]

    def clear(self) -> None:
        self._steps.clear()

    # ------------------------------------------------------------ predictions
    def _feeds(self) -> list[Tensor]:
        model = self.model
        return [t for t, fed in zip(model.inputs, model.inputs_fed) if fed]

    def _predict(self) -> Step:
        updates = self.model.state_updates
        found = self._decided([*self.model.outputs, *updates], False)
        count = len(self.model.outputs)
        return Step(self._feeds(), found[:count], found[count:])

    @staticmethod
    def _decided(targets: list[Any], training: bool) -> list[Any]:
        graph = get_default_graph()
        if "_keras_phase" not in graph.__dict__:
            return targets
        return replay(targets, phases={phase_tensor(graph): training}, name="phase")

    # ------------------------------------------------------------ training and evaluation
    def _learn(self, kind: str, weighted: bool) -> Step:
        model = self.model
        training = kind == "train"
        total, values = self._values(weighted)
        updates = [*values.updates, *(model.updates if training else model.state_updates)]
        counts = [c for c in values.counts if c is not None]
        count = 1 + len(values.tensors)
        found = self._decided([total, *values.tensors, *counts, *updates], training)
        total, updates = found[0], found[count + len(counts) :]
        if training:
            params = model._collected_trainable_weights
            steps = model.optimizer.get_updates(loss=total, params=params)
            updates = [*updates, *(u.op if isinstance(u, Tensor) else u for u in steps)]
        feeds = self._feeds()
        feeds += [e.target for e in model._endpoints if e.target is not None and e.fed]
        if weighted:
            feeds += [e.sample_weights for e in model._endpoints if e.target is not None]
        updates = [u.op if isinstance(u, Tensor) else u for u in updates]
        decided = iter(found[count : count + len(counts)])
        return Step(
            feeds, found[:count], updates, ["loss", *_distinct(values.names)],
            [False, *values.stateful],
            [None, *(None if c is None else next(decided) for c in values.counts)],
        )  # fmt: skip

    def _values(self, weighted: bool) -> tuple[Tensor, _Values]:
        """The total loss, and what is reported beside it."""
        model = self.model
        terms: list[Any] = []
        values = _Values()
        several = len(model.outputs) > 1
        for end in model._endpoints:
            if end.loss is None:
                continue
            with get_default_graph().name_scope(f"{end.name}_loss"):  # errors name the output
                loss = end.loss_tensor(end.sample_weights if weighted else None)
            is_one = isinstance(end.weight, int | float) and end.weight == 1
            terms.append(loss if is_one else loss * end.weight)
            if several:
                values.add(f"{end.name}_loss", loss)
        for end in model._endpoints:
            for name, fn, by_weight in end.metrics:
                weights = end.sample_weights if weighted and by_weight else None
                value, count, update = _metric(end, fn, weights)
                values.add(f"{end.name}_{name}" if several else name, value, count, update)
        for name, tensor in model.metric_tensors:
            values.add(name, tensor)
        return _sum([*terms, *model.losses]), values


def _distinct(names: list[str]) -> list[str]:
    """Names that repeat get a number."""
    seen: dict[str, int] = {}
    out = []
    for name in names:
        count = seen.get(name, 0)
        seen[name] = count + 1
        out.append(name if not count else f"{name}_{count}")
    return out


def _metric(end: Any, fn: Any, weights: Any) -> tuple[Tensor, Tensor | None, Any]:
    """(value, what it counts for, update)."""
    if not isinstance(fn, Metric):
        return *end.metric_value(fn, weights), None
    weights = end.weights_of_metric(weights, end.output)
    update = fn.update_state(end.target, end.output, sample_weight=weights)
    with get_default_graph().control_dependencies([update]):
        result = convert_to_tensor(fn.result())
        if result.dtype is not float32:
            result = F.cast(result, dtype=float32)
        return F.identity(result), None, update


def _sum(terms: list[Any]) -> Tensor:
    """Raises ValueError: nothing to minimise."""
    if not terms:
        return constant_tensor(0.0, float32)
    total = convert_to_tensor(terms[0])
    for term in terms[1:]:
        term = convert_to_tensor(term)
        total = total + (term if term.dtype is total.dtype else F.cast(term, dtype=total.dtype))
    if total.rank not in (0, None):
        total = F.reduce_mean(total, axis=None, keepdims=False)
    return total
