"""What one measured work is. Imports NumPy only; every peer and the tools import this."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tools.bench.works.models import MODELS

STEPS_CHECKED = 5
LOSSES = Path(__file__).with_name("losses.json")


@dataclass(frozen=True)
class Work:
    """One measured work.

    `model` names a function of every peer's table, called with `parameters()`, `inputs()` and
    `options`. A forward work returns its result. A training work (`optimizer` is ("sgd" or "adam",
    rate), `loss` is "cross_entropy" or "square") has the wanted results last in `inputs()` and
    returns the loss of a step.
    """

    name: str
    group: str
    what: str
    model: str
    inputs: Callable[[], tuple[Any, ...]]
    parameters: Callable[[], list[Any]] = list
    options: Mapping[str, Any] = field(default_factory=dict)
    loss: str | None = None
    optimizer: tuple[str, float] | None = None
    rtol: float = 2e-4
    atol: float = 1e-5
    check_rows: int | None = None  # compare only the first rows of large results

    @property
    def training(self) -> bool:
        return self.optimizer is not None

    def forward(self, parameters: list[Any], *inputs: Any) -> Any:
        """The model in NumPy, in the dtype of its arguments."""
        return MODELS[self.model](parameters, *inputs, **self.options)

    def reference(self, *inputs: Any) -> np.ndarray:
        """The wanted result, in float64: the model's, or the losses of the first steps."""
        if self.training:
            return np.array(_losses()[self.name])
        wide = [a.astype(np.float64) for a in inputs]
        return np.asarray(self.forward([p.astype(np.float64) for p in self.parameters()], *wide))

    def first_loss(self) -> float:
        """The loss before the first step, in float64, by NumPy."""
        *x, y = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in self.inputs()]
        z = self.forward([p.astype(np.float64) for p in self.parameters()], *x)
        if self.loss == "square":
            return float(((z - y) ** 2).mean())
        z = z - z.max(-1, keepdims=True)
        return float((np.log(np.exp(z).sum(-1)) - z[np.arange(len(y)), y]).mean())

    def right(self, result: Any, inputs: tuple[Any, ...]) -> bool:
        """Whether a result of the model on these inputs is the reference's."""
        if self.check_rows is None:
            got, want = np.asarray(result), self.reference(*inputs)
        else:
            got = np.asarray(result)[: self.check_rows]
            want = self.reference(*(a[: self.check_rows] for a in inputs))
        return got.shape == want.shape and bool(np.allclose(got, want, self.rtol, self.atol))


@cache
def _losses() -> dict[str, list[float]]:
    found: dict[str, list[float]] = json.loads(LOSSES.read_text())
    return found
