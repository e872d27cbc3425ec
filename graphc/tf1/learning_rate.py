"""Learning-rate schedules of tf.train, as functions of the global step.

Lives here: the decays. Not here: optimizers. Imports ops.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.ops.define import F
from graphc.tf1.scopes import name_scope

__all__ = [
    "cosine_decay",
    "cosine_decay_restarts",
    "exponential_decay",
    "inverse_time_decay",
    "linear_cosine_decay",
    "natural_exp_decay",
    "noisy_linear_cosine_decay",
    "piecewise_constant",
    "piecewise_constant_decay",
    "polynomial_decay",
]


def _cast(value: Any, dtype: DType) -> Tensor:
    tensor = convert_to_tensor(value)
    return tensor if tensor.dtype is dtype else F.cast(tensor, dtype=dtype, name="Cast")


def _need_step(global_step: Any, which: str) -> None:
    if global_step is None:
        raise ValueError(f"global_step is required for {which}.")


def _fraction(global_step: Any, decay_steps: Any, dtype: DType, staircase: bool) -> Tensor:
    """global_step / decay_steps, rounded down where `staircase`."""
    p = _cast(global_step, dtype) / _cast(decay_steps, dtype)
    return F.floor(p) if staircase else p


def exponential_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str | None = None,
) -> Tensor:
    """learning_rate * decay_rate ^ (global_step / decay_steps), a scalar.

    Args:
        global_step: a number, tensor or variable. staircase: the exponent is rounded down.

    Raises:
        ValueError: no global_step.
    """
    _need_step(global_step, "exponential_decay")
    with name_scope(name, "ExponentialDecay", [learning_rate, global_step]) as scope:
        rate = convert_to_tensor(learning_rate, name="learning_rate")
        p = _fraction(global_step, decay_steps, rate.dtype, staircase)
        return F.multiply(rate, F.pow(_cast(decay_rate, rate.dtype), p), name=scope)


def natural_exp_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str | None = None,
) -> Tensor:
    """learning_rate * exp(-decay_rate * global_step / decay_steps)."""
    _need_step(global_step, "natural_exp_decay")
    with name_scope(name, "NaturalExpDecay", [learning_rate, global_step]) as scope:
        rate = convert_to_tensor(learning_rate, name="learning_rate")
        p = _fraction(global_step, decay_steps, rate.dtype, staircase)
        exponent = F.exp(F.multiply(F.negative(_cast(decay_rate, rate.dtype)), p))
        return F.multiply(rate, exponent, name=scope)


def inverse_time_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str | None = None,
) -> Tensor:
    """learning_rate / (1 + decay_rate * global_step / decay_steps)."""
    _need_step(global_step, "inverse_time_decay")
    with name_scope(name, "InverseTimeDecay", [learning_rate, global_step]) as scope:
        rate = convert_to_tensor(learning_rate, name="learning_rate")
        p = _fraction(global_step, decay_steps, rate.dtype, staircase)
        bottom = _cast(1.0, rate.dtype) + _cast(decay_rate, rate.dtype) * p
        return F.divide(rate, bottom, name=scope)


def polynomial_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    end_learning_rate: Any = 0.0001,
    power: Any = 1.0,
    cycle: bool = False,
    name: str | None = None,
) -> Tensor:
    """(learning_rate - end) * (1 - step / decay_steps) ^ power + end.

    cycle: past decay_steps the period grows to the next multiple; else the rate stays at the end.
    """
    _need_step(global_step, "polynomial_decay")
    values = [learning_rate, global_step, decay_steps, end_learning_rate, power]
    with name_scope(name, "PolynomialDecay", values) as scope:
        rate = convert_to_tensor(learning_rate, name="learning_rate")
        dtype = rate.dtype
        end, steps = _cast(end_learning_rate, dtype), _cast(decay_steps, dtype)
        step = _cast(global_step, dtype)
        if cycle:
            # the first period counts as one also at step 0
            periods = F.select(
                F.equal(step, _cast(0.0, dtype)), _cast(1.0, dtype), F.ceil(step / steps)
            )
            steps = steps * periods
        else:
            step = F.minimum(step, steps)
        left = F.pow(1.0 - step / steps, _cast(power, dtype))
        return F.add((rate - end) * left, end, name=scope)


def piecewise_constant(
    x: Any, boundaries: Sequence[Any], values: Sequence[Any], name: str | None = None
) -> Tensor:
    """values[i] where boundaries[i-1] < x <= boundaries[i].

    Raises:
        ValueError: lengths do not fit, or a boundary's dtype differs from that of x.
    """
    if len(boundaries) != len(values) - 1:
        raise ValueError("The length of boundaries should be 1 less than the length of values")
    everything = [x, *boundaries, *values]
    with name_scope(name, "PiecewiseConstant", everything) as scope:
        at = convert_to_tensor(x)
        limits = [_boundary(b, at) for b in boundaries]
        levels = _same_dtype([convert_to_tensor(v) for v in values])
        out = levels[-1]
        for limit, level in zip(reversed(limits), reversed(levels[:-1]), strict=True):
            out = F.select(F.less_equal(at, limit), level, out)
        return F.identity(out, name=scope)


piecewise_constant_decay = piecewise_constant


def _boundary(value: Any, at: Tensor) -> Tensor:
    tensor = convert_to_tensor(value, None if is_tensor_like(value) else _kind(value, at))
    if tensor.dtype is at.dtype:
        return tensor
    if tensor.dtype.name == "int32" and at.dtype.name == "int64":
        return F.cast(tensor, dtype=at.dtype)
    raise ValueError(f"Boundaries ({tensor.dtype!r}) must have the same dtype as x ({at.dtype!r}).")


def _kind(value: Any, at: Tensor) -> Any:
    """Python numbers take x's dtype where they fit it."""
    fits = not (at.dtype.is_integer and isinstance(value, float | np.floating))
    return at.dtype if fits else None


def _same_dtype(values: list[Tensor]) -> list[Tensor]:
    for v in values[1:]:
        if v.dtype is not values[0].dtype:
            raise ValueError(
                f"Values must have elements all with the same dtype ({values[0].dtype!r} vs "
                f"{v.dtype!r})."
            )
    return values


def _cosine(fraction: Tensor) -> Tensor:
    """0.5 * (1 + cos(pi * fraction))"""
    return 0.5 * (1.0 + F.cos(fraction * math.pi))


def cosine_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    alpha: float = 0.0,
    name: str | None = None,
) -> Tensor:
    """Half a cosine from learning_rate to alpha * learning_rate (Loshchilov and Hutter 2016)."""
    _need_step(global_step, "cosine decay")
    with name_scope(name, "CosineDecay", [learning_rate, global_step]):
        rate = convert_to_tensor(learning_rate, name="learning_rate")
        steps = _cast(decay_steps, rate.dtype)
        step = F.minimum(_cast(global_step, rate.dtype), steps)
        return F.multiply(rate, (1 - alpha) * _cosine(step / steps) + alpha)


def cosine_decay_restarts(
    learning_rate: Any,
    global_step: Any,
    first_decay_steps: Any,
    t_mul: Any = 2.0,
    m_mul: Any = 1.0,
    alpha: float = 0.0,
    name: str | None = None,
) -> Tensor:
    """Cosine decays, each `t_mul` times as long and from `m_mul` times the rate (SGDR)."""
    _need_step(global_step, "cosine decay restarts")
    with name_scope(name, "SGDRDecay", [learning_rate, global_step]) as scope:
        rate = convert_to_tensor(learning_rate, name="initial_learning_rate")
        dtype = rate.dtype
        first, longer, lower = (_cast(v, dtype) for v in (first_decay_steps, t_mul, m_mul))
        completed = _cast(global_step, dtype) / first
        # lengths 1, t, t^2, ...: the number of whole periods follows from the geometric sum
        equal = F.equal(longer, _cast(1.0, dtype))
        grown = F.floor(F.log(1.0 - completed * (1.0 - longer)) / F.log(longer))
        passed = (1.0 - F.pow(longer, grown)) / (1.0 - longer)
        periods = F.select(equal, F.floor(completed), grown)
        within = F.select(
            equal, completed - F.floor(completed), (completed - passed) / F.pow(longer, grown)
        )
        height = F.pow(lower, periods) * _cosine(within)
        return F.multiply(rate, (1 - alpha) * height + alpha, name=scope)


def linear_cosine_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    num_periods: float = 0.5,
    alpha: float = 0.0,
    beta: float = 0.001,
    name: str | None = None,
) -> Tensor:
    """(alpha + linear decay) * cosine + beta, times the rate (Bello et al. 2017)."""
    _need_step(global_step, "linear cosine decay")
    with name_scope(name, "LinearCosineDecay", [learning_rate, global_step]) as scope:
        rate = convert_to_tensor(learning_rate, name="learning_rate")
        linear, cosine = _linear_and_cosine(rate, global_step, decay_steps, num_periods)
        return F.multiply(rate, (alpha + linear) * cosine + beta, name=scope)


def noisy_linear_cosine_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    initial_variance: Any = 1.0,
    variance_decay: Any = 0.55,
    num_periods: float = 0.5,
    alpha: float = 0.0,
    beta: float = 0.001,
    name: str | None = None,
) -> Tensor:
    """linear_cosine_decay with normal noise of variance initial / (1 + step) ^ decay."""
    from graphc.tf1.api_random import random_normal

    _need_step(global_step, "noisy linear cosine decay")
    with name_scope(name, "NoisyLinearCosineDecay", [learning_rate, global_step]) as scope:
        rate = convert_to_tensor(learning_rate, name="learning_rate")
        dtype = rate.dtype
        linear, cosine = _linear_and_cosine(rate, global_step, decay_steps, num_periods)
        step = F.minimum(_cast(global_step, dtype), _cast(decay_steps, dtype))
        variance = _cast(initial_variance, dtype) / F.pow(1.0 + step, _cast(variance_decay, dtype))
        noise = random_normal(F.shape(linear), stddev=1.0, dtype=dtype) * F.sqrt(variance)
        return F.multiply(rate, (alpha + linear + noise) * cosine + beta, name=scope)


def _linear_and_cosine(
    rate: Tensor, global_step: Any, decay_steps: Any, num_periods: float
) -> tuple[Tensor, Tensor]:
    steps = _cast(decay_steps, rate.dtype)
    step = F.minimum(_cast(global_step, rate.dtype), steps)
    cosine = _cosine(2.0 * _cast(num_periods, rate.dtype) * (step / steps))
    return (steps - step) / steps, cosine
