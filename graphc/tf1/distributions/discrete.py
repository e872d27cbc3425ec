"""Distributions of counts: Bernoulli, Binomial, Geometric, NegativeBinomial, Poisson.

Lives here: those classes. Not here: classes of several values (categorical.py), what they share
(parameters.py), divergences (kl.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dtypes import as_dtype, int32
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_array as arrays
from graphc.tf1 import api_losses as losses
from graphc.tf1 import api_math as math
from graphc.tf1 import api_nn as nn
from graphc.tf1 import api_random as random
from graphc.tf1.api_checks import assert_less_equal, assert_non_negative, assert_positive
from graphc.tf1.distributions.base import NOT_REPARAMETERIZED, own_parameters
from graphc.tf1.distributions.parameters import (
    Batched,
    behind,
    floats,
    integers,
    logits_and_probs,
    select,
)
from graphc.tf1.framework import identity
from graphc.tf1.scopes import name_scope

__all__ = [
    "Bernoulli", "BernoulliWithSigmoidProbs", "Binomial", "Geometric", "NegativeBinomial",
    "Poisson",
]  # fmt: skip


def _count(value: Tensor) -> Any:
    return assert_non_negative(value, message="samples must be non-negative. ")


class _Odds(Batched):
    """What distributions of one probability share: `logits` and `probs`."""

    _logits: Tensor
    _probs: Tensor

    @staticmethod
    def _param_shapes(sample_shape: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        return {"logits": sample_shape}

    @property
    def logits(self) -> Tensor:
        """log(probs / (1 - probs))."""
        return self._logits

    @property
    def probs(self) -> Tensor:
        return self._probs


class Bernoulli(_Odds):
    """One with probability `probs`, else zero (tf.distributions.Bernoulli).

    Raises:
        ValueError: both logits and probs are given, or none.
    """

    def __init__(
        self, logits: Any = None, probs: Any = None, dtype: Any = int32,
        validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Bernoulli",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name, values=[logits, probs]) as scope:
            self._logits, self._probs = logits_and_probs(logits, probs, validate_args)
        self._setup(
            parameters, scope, [(self._probs, 0)], NOT_REPARAMETERIZED, dtype=as_dtype(dtype)
        )

    def _sample_n(self, n: Any, seed: Any = None) -> Tensor:
        u = random.random_uniform(self._extents(n), dtype=self._probs.dtype, seed=seed)
        return math.cast(u < self._probs, self.dtype)

    def _log_prob(self, value: Tensor) -> Tensor:
        event = self._checked(
            value, _count,
            lambda v: assert_less_equal(v, arrays.ones_like(v), message="event is not 0 or 1. "),
        )  # fmt: skip
        event = math.cast(event, self._logits.dtype)
        logits = self._logits + F.zeros_like(event)
        labels = event + F.zeros_like(logits)
        return -losses.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)

    def _entropy(self) -> Tensor:
        logits = self._logits
        return -logits * (math.sigmoid(logits) - 1) + nn.softplus(-logits)

    def _mean(self) -> Tensor:
        return identity(self._probs)

    def _variance(self) -> Tensor:
        return self._mean() * (1.0 - self._probs)

    def _mode(self) -> Tensor:
        """The more probable of 0 and 1; 0 where both are equal."""
        return math.cast(self._probs > 0.5, self.dtype)


class BernoulliWithSigmoidProbs(Bernoulli):
    """Bernoulli with probs sigmoid(logits) (tf.contrib.distributions)."""

    def __init__(
        self, logits: Any = None, dtype: Any = int32, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str = "BernoulliWithSigmoidProbs",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        super().__init__(math.sigmoid(convert_to_tensor(logits)), None, dtype, validate_args,
                         allow_nan_stats, name)  # fmt: skip
        self._parameters = own_parameters(parameters)


class Geometric(_Odds):
    """Failures before the first success (tf.contrib.distributions.Geometric).

    Raises:
        ValueError: both logits and probs are given, or none.
    """

    def __init__(
        self, logits: Any = None, probs: Any = None, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str = "Geometric",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name, values=[logits, probs]) as scope:
            self._logits, self._probs = logits_and_probs(logits, probs, validate_args)
            if validate_args:
                self._probs = behind([assert_positive(self._probs)], self._probs)
        self._setup(parameters, scope, [(self._probs, 0)], NOT_REPARAMETERIZED)

    def _sample_n(self, n: Any, seed: Any = None) -> Tensor:
        tiny = np.finfo(self.dtype.np).tiny
        u = random.random_uniform(self._extents(n), tiny, 1, self.dtype, seed)
        return math.floor(math.log(u) / math.log1p(-self._probs))

    def _log_prob(self, value: Tensor) -> Tensor:
        counts = self._checked(value, _count, integers)
        return math.xlogy(counts, 1.0 - self._probs) + math.log(self._probs)

    def _cdf(self, value: Tensor) -> Tensor:
        counts = self._checked(value, _count) if self.validate_args else math.floor(value)
        below = counts < 0
        found = -math.expm1((1.0 + select(below, 0.0, counts)) * math.log1p(-self._probs))
        return select(below, 0.0, found)

    def _entropy(self) -> Tensor:
        logits = self._logits
        return (nn.softplus(logits) - logits * self._probs) / self._probs

    def _mean(self) -> Tensor:
        return math.exp(-self._logits)

    def _variance(self) -> Tensor:
        return self._mean() / self._probs

    def _mode(self) -> Tensor:
        return arrays.zeros_like(self._probs)


class _Trials(_Odds):
    """What Binomial and NegativeBinomial share: `total_count`."""

    def __init__(
        self, total_count: Any, logits: Any = None, probs: Any = None,
        validate_args: bool = False, allow_nan_stats: bool = True, name: str | None = None,
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        parameters["name"] = name = name or type(self).__name__
        with name_scope(name, values=[total_count, logits, probs]) as scope:
            self._logits, self._probs = logits_and_probs(logits, probs, validate_args)
            count = convert_to_tensor(total_count, self._probs.dtype, "total_count")
            self._total = behind([_count(count)], count) if validate_args else count
        tensors = [(self._total, 0), (self._probs, 0)]
        self._setup(parameters, scope, tensors, NOT_REPARAMETERIZED)

    @property
    def total_count(self) -> Tensor:
        return self._total


def _log_choose(n: Tensor, k: Tensor) -> Tensor:
    return math.lgamma(n + 1.0) - math.lgamma(k + 1.0) - math.lgamma(n - k + 1.0)


class Binomial(_Trials):
    """Successes among `total_count` trials (tf.contrib.distributions.Binomial).

    Raises:
        ValueError: both logits and probs are given, or none.
    """

    def _sample_n(self, n: Any, seed: Any = None) -> Tensor:
        return F.random_binomial(
            self._extents(n), self._wide(self._total), self._wide(self._probs),
            random._state(seed), dtype=self.dtype,
        )  # fmt: skip

    def _log_prob(self, value: Tensor) -> Tensor:
        counts = self._checked(
            value, _count, integers,
            lambda v: assert_less_equal(
                v, self._total, message="counts are not less than or equal to n. "
            ),
        )  # fmt: skip
        found = math.xlogy(counts, self._probs) + math.xlogy(
            self._total - counts, 1.0 - self._probs
        )
        return found + _log_choose(self._total, counts)

    def _mean(self) -> Tensor:
        return self._total * self._probs

    def _variance(self) -> Tensor:
        return self._mean() * (1 - self._probs)

    def _mode(self) -> Tensor:
        return math.floor((1.0 + self._total) * self._probs)


class NegativeBinomial(_Trials):
    """Successes before `total_count` failures (tf.contrib.distributions.NegativeBinomial).

    Raises:
        ValueError: both logits and probs are given, or none.
    """

    def _sample_n(self, n: Any, seed: Any = None) -> Tensor:
        # a Poisson number whose rate is a Gamma number
        count = F.reshape(self._extents(n)[:1], convert_to_tensor([1]))
        other = None if seed is None else seed + 1
        rate = random.random_gamma(count, self._wide(self._total), dtype=self.dtype, seed=seed)
        return random.random_poisson(
            rate * math.exp(self._logits), [], dtype=self.dtype, seed=other
        )

    def _log_prob(self, value: Tensor) -> Tensor:
        counts = self._checked(value, _count, integers)
        found = self._total * -nn.softplus(self._logits) + counts * -nn.softplus(-self._logits)
        normaliser = (
            -math.lgamma(self._total + counts) + math.lgamma(1.0 + counts)
            + math.lgamma(self._total)
        )  # fmt: skip
        return found - normaliser

    def _mean(self) -> Tensor:
        return self._total * math.exp(self._logits)

    def _variance(self) -> Tensor:
        return self._mean() / math.sigmoid(-self._logits)

    def _mode(self) -> Tensor:
        found = math.floor((self._total - 1.0) * math.exp(self._logits))
        return select(self._wide(self._total) > 1, found, convert_to_tensor(0, self.dtype))


class Poisson(Batched):
    """Counts of events that come at `rate` (tf.contrib.distributions.Poisson).

    Raises:
        ValueError: both rate and log_rate are given, or none.
    """

    def __init__(
        self, rate: Any = None, log_rate: Any = None,
        interpolate_nondiscrete: bool = True, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str = "Poisson",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        if (rate is None) == (log_rate is None):
            raise ValueError("Must specify exactly one of `rate` and `log_rate`.")
        with name_scope(name, values=[rate, log_rate]) as scope:
            if log_rate is None:
                checks = [lambda t: assert_positive(t["rate"])] if validate_args else []
                (self._rate,) = floats({"rate": rate}, checks)
                self._log_rate = math.log(self._rate)
            else:
                (self._log_rate,) = floats({"log_rate": log_rate})
                self._rate = math.exp(self._log_rate)
        self._interpolate = interpolate_nondiscrete
        self._setup(parameters, scope, [(self._rate, 0)], NOT_REPARAMETERIZED)

    @staticmethod
    def _param_shapes(sample_shape: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        return {"rate": sample_shape}

    @property
    def rate(self) -> Tensor:
        return self._rate

    @property
    def log_rate(self) -> Tensor:
        return self._log_rate

    @property
    def interpolate_nondiscrete(self) -> bool:
        """Whether values between integers have probabilities between theirs."""
        return self._interpolate

    def _sample_n(self, n: Any, seed: Any = None) -> Tensor:
        count = F.reshape(self._extents(n)[:1], convert_to_tensor([1]))
        return random.random_poisson(self._rate, count, dtype=self.dtype, seed=seed)

    def _counts(self, value: Tensor) -> Tensor:
        return self._checked(value, _count, *(() if self._interpolate else (integers,)))

    def _log_prob(self, value: Tensor) -> Tensor:
        x = self._counts(value)
        found = x * self._log_rate - math.lgamma(1.0 + x) - self._rate
        impossible = x < 0
        if not self._interpolate:
            impossible = impossible | math.not_equal(x, math.floor(x))
        return select(impossible, convert_to_tensor(-np.inf, self.dtype), found)

    def _cdf(self, value: Tensor) -> Tensor:
        x = self._counts(value)
        if not self._interpolate:
            x = math.floor(x)
        found = math.igammac(1.0 + math.maximum(x, 0.0), self._rate)
        return select(x < 0, 0.0, found)

    def _mean(self) -> Tensor:
        return identity(self._rate)

    def _variance(self) -> Tensor:
        return identity(self._rate)

    def _mode(self) -> Tensor:
        return math.floor(self._rate)
