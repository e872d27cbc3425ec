"""tf.keras.optimizers.schedules: learning rates by the number of updates. Imports tf1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ir.node import Tensor
from graphc.keras.core import math as K
from graphc.keras.core.objects import deserialize_object
from graphc.tf1 import learning_rate as tf_rates

__all__ = [
    "CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay", "PolynomialDecay", "deserialize", "serialize",
]  # fmt: skip


class LearningRateSchedule:
    """Base of schedules: called with the number of updates so far."""

    def __call__(self, step: Any) -> Any:
        raise NotImplementedError("Learning rate schedule must override __call__")

    def get_config(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if not k.startswith("_")}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)


def _float(step: Any) -> Tensor:
    return K.cast(step, "float32")


class _Staircase(LearningRateSchedule):
    """A rate that falls with the steps, or with whole numbers of decay_steps."""

    def __init__(
        self, initial_learning_rate: float, decay_steps: float, decay_rate: float,
        staircase: bool = False, name: str | None = None,
    ) -> None:
        self.initial_learning_rate, self.decay_steps = initial_learning_rate, decay_steps
        self.decay_rate, self.staircase, self.name = decay_rate, staircase, name

    def _by(self, rule: Callable[..., Any], step: Any) -> Any:
        rate, steps = self.initial_learning_rate, self.decay_steps
        return rule(rate, step, steps, self.decay_rate, self.staircase)


class ExponentialDecay(_Staircase):
    """rate * decay_rate ** (step / decay_steps)."""

    def __call__(self, step: Any) -> Any:
        return self._by(tf_rates.exponential_decay, step)


class InverseTimeDecay(_Staircase):
    """rate / (1 + decay_rate * step / decay_steps)."""

    def __call__(self, step: Any) -> Any:
        return self._by(tf_rates.inverse_time_decay, step)


class PiecewiseConstantDecay(LearningRateSchedule):
    """values[k] between boundaries[k - 1] and boundaries[k]."""

    def __init__(self, boundaries: Any, values: Any, name: str | None = None) -> None:
        if len(boundaries) != len(values) - 1:
            raise ValueError(
                "The length of boundaries should be 1 less than the length of values"
            )
        self.boundaries, self.values, self.name = list(boundaries), list(values), name

    def __call__(self, step: Any) -> Any:
        rate: Any = K.cast(step, "float32") * 0.0 + self.values[0]
        at = _float(step)
        for boundary, value in zip(self.boundaries, self.values[1:]):
            rate = K.switch(K.greater(at, float(boundary)), rate * 0.0 + value, rate)
        return rate


class PolynomialDecay(LearningRateSchedule):
    """From the initial rate to `end_learning_rate` by a polynomial."""

    def __init__(
        self, initial_learning_rate: float, decay_steps: float, end_learning_rate: float = 0.0001,
        power: float = 1.0, cycle: bool = False, name: str | None = None,
    ) -> None:
        self.initial_learning_rate, self.decay_steps = initial_learning_rate, decay_steps
        self.end_learning_rate, self.power = end_learning_rate, power
        self.cycle, self.name = cycle, name

    def __call__(self, step: Any) -> Any:
        return tf_rates.polynomial_decay(
            self.initial_learning_rate, step, self.decay_steps, self.end_learning_rate,
            self.power, self.cycle,
        )  # fmt: skip


class CosineDecay(LearningRateSchedule):
    """Half a cosine from the initial rate to `alpha` of it.

    Args:
        warmup_target, warmup_steps: the rate rises to the one in so many steps first.
    """

    def __init__(
        self, initial_learning_rate: float, decay_steps: float, alpha: float = 0.0,
        name: str | None = None, warmup_target: float | None = None, warmup_steps: int = 0,
    ) -> None:
        self.initial_learning_rate, self.decay_steps = initial_learning_rate, decay_steps
        self.alpha, self.name = alpha, name
        self.warmup_target, self.warmup_steps = warmup_target, warmup_steps

    def __call__(self, step: Any) -> Any:
        if self.warmup_target is None:
            return tf_rates.cosine_decay(
                self.initial_learning_rate, step, self.decay_steps, self.alpha
            )
        at, start = _float(step), self.initial_learning_rate
        steps = max(float(self.warmup_steps), 1e-30)
        rising = start + (self.warmup_target - start) * (at / steps)
        falling = tf_rates.cosine_decay(
            self.warmup_target, K.maximum(at - self.warmup_steps, 0.0), self.decay_steps,
            self.alpha,
        )  # fmt: skip
        return K.switch(K.less(at, float(self.warmup_steps)), rising, falling)


class CosineDecayRestarts(LearningRateSchedule):
    """Half cosines one after the other (Loshchilov 2017), each t_mul times as long as the last.

    Args:
        first_decay_steps: of the first. m_mul: the factor of the rate from one to the next.
        alpha: the share of the rate at the ends.
    """

    def __init__(
        self, initial_learning_rate: float, first_decay_steps: float, t_mul: float = 2.0,
        m_mul: float = 1.0, alpha: float = 0.0, name: str | None = None,
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps, self.t_mul, self.m_mul = first_decay_steps, t_mul, m_mul
        self.alpha, self.name = alpha, name

    def __call__(self, step: Any) -> Any:
        return tf_rates.cosine_decay_restarts(
            self.initial_learning_rate, step, self.first_decay_steps, self.t_mul, self.m_mul,
            self.alpha,
        )  # fmt: skip


def serialize(schedule: Any) -> dict[str, Any]:
    return {"class_name": type(schedule).__name__, "config": schedule.get_config()}


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """Raises ValueError: "Unknown learning rate schedule: ..."."""
    return deserialize_object(config, globals().get, custom_objects, "learning rate schedule")
