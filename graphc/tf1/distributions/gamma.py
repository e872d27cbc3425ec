"""Distributions of positive numbers and of proportions: Gamma, Exponential, Beta and their kin.

Lives here: Gamma, Chi2, Exponential, InverseGamma, Beta. Not here: Dirichlet (dirichlet.py), what
they share (parameters.py), divergences (kl.py).
"""

from __future__ import annotations

import math as numbers
from typing import Any

import numpy as np

from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_math as math
from graphc.tf1 import api_nn as nn
from graphc.tf1 import api_random as random
from graphc.tf1.api_checks import assert_less, assert_positive
from graphc.tf1.distributions.base import FULLY_REPARAMETERIZED, own_parameters
from graphc.tf1.distributions.parameters import Batched, floats, select
from graphc.tf1.ops_misc import group
from graphc.tf1.scopes import name_scope

__all__ = [
    "Beta", "BetaWithSoftplusConcentration", "Chi2", "Exponential", "ExponentialWithSoftplusRate",
    "Gamma", "GammaWithSoftplusConcentrationRate", "InverseGamma", "Uniform",
]  # fmt: skip


def _positive(t: dict[str, Tensor]) -> Any:
    return group(*(assert_positive(v) for v in t.values()))


def _positive_value(value: Tensor) -> Any:
    return assert_positive(value, message="sample must be positive. ")


def _below_one(value: Tensor) -> Any:
    one = convert_to_tensor(1, value.dtype)
    return assert_less(value, one, message="sample must be less than 1. ")


class _Rated(Batched):
    """What Gamma and InverseGamma share: `concentration` and `rate`.

    Raises:
        ValueError: parameters that are no floats, or of different dtypes.
    """

    def __init__(
        self, concentration: Any, rate: Any, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str | None = None,
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        parameters["name"] = name = name or type(self).__name__
        with name_scope(name, values=[concentration, rate]) as scope:
            checks = [_positive] if validate_args else []
            given = {"concentration": concentration, "rate": rate}
            self._concentration, self._rate = floats(given, checks)
        tensors = [(self._concentration, 0), (self._rate, 0)]
        self._setup(parameters, scope, tensors, FULLY_REPARAMETERIZED)

    @staticmethod
    def _param_shapes(sample_shape: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        return {"concentration": sample_shape, "rate": sample_shape}

    @property
    def concentration(self) -> Tensor:
        """Also called alpha."""
        return self._concentration

    @property
    def rate(self) -> Tensor:
        """Also called beta."""
        return self._rate

    def _draw(self, n: Any, seed: Any, inverse: bool) -> Tensor:
        shape = self._wide(self._concentration)
        drawn = random.random_gamma(F.reshape(self._extents(n)[:1], convert_to_tensor([1])), shape,
                                    dtype=self.dtype, seed=seed)  # fmt: skip
        return self._rate / drawn if inverse else drawn / self._rate


class Gamma(_Rated):
    """The gamma distribution (tf.distributions.Gamma); samples have gradients to both."""

    def _sample_n(self, n: Any, seed: Any = None) -> Tensor:
        return self._draw(n, seed, False)

    def _log_prob(self, value: Tensor) -> Tensor:
        value = self._checked(value, _positive_value)
        unnormalised = math.xlogy(self._concentration - 1.0, value) - self._rate * value
        normaliser = math.lgamma(self._concentration) - self._concentration * math.log(self._rate)
        return unnormalised - normaliser

    def _cdf(self, value: Tensor) -> Tensor:
        value = self._checked(value, _positive_value)
        return math.igamma(self._concentration, self._rate * value)

    def _entropy(self) -> Tensor:
        a = self._concentration
        return self._wide(
            a - math.log(self._rate) + math.lgamma(a) + (1.0 - a) * math.digamma(a)
        )

    def _mean(self) -> Tensor:
        return self._concentration / self._rate

    def _variance(self) -> Tensor:
        return self._concentration / math.square(self._rate)

    def _stddev(self) -> Tensor:
        return math.sqrt(self._concentration) / self._rate

    def _mode(self) -> Tensor:
        defined = self._wide(self._concentration) > 1
        mode = (self._concentration - 1.0) / self._rate
        return self._where_defined(defined, mode, "mode not defined when any concentration <= 1")


class GammaWithSoftplusConcentrationRate(Gamma):
    """Gamma of softplus(concentration) and softplus(rate) (tf.contrib.distributions)."""

    def __init__(
        self, concentration: Any, rate: Any, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str = "GammaWithSoftplusConcentrationRate",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name, values=[concentration, rate]) as scope:
            alpha = nn.softplus(convert_to_tensor(concentration), name="softplus_concentration")
            beta = nn.softplus(convert_to_tensor(rate), name="softplus_rate")
        super().__init__(alpha, beta, validate_args, allow_nan_stats, scope)
        self._parameters = own_parameters(parameters)


class Chi2(Gamma):
    """The chi-squared distribution with `df` degrees of freedom (tf.contrib.distributions.Chi2)."""

    def __init__(
        self, df: Any, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "Chi2",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name, values=[df]) as scope:
            (self._df,) = floats({"df": df})
            half = 0.5 * self._df
        super().__init__(
            half, convert_to_tensor(0.5, half.dtype), validate_args, allow_nan_stats, scope
        )
        self._parameters = own_parameters(parameters)

    @staticmethod
    def _param_shapes(sample_shape: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        return {"df": sample_shape}

    @property
    def df(self) -> Tensor:
        return self._df


class Exponential(Gamma):
    """The exponential distribution with mean 1 / rate (tf.distributions.Exponential)."""

    def __init__(
        self, rate: Any, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "Exponential",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name, values=[rate]) as scope:
            (tensor,) = floats({"rate": rate})
        super().__init__(
            convert_to_tensor(1.0, tensor.dtype), tensor, validate_args, allow_nan_stats, scope
        )
        self._parameters = own_parameters(parameters)

    @staticmethod
    def _param_shapes(sample_shape: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        return {"rate": sample_shape}

    def _sample_n(self, n: Any, seed: Any = None) -> Tensor:
        tiny = np.finfo(self.dtype.np).tiny
        u = random.random_uniform(self._extents(n), tiny, 1, self.dtype, seed)
        return -math.log(u) / self._rate

    def _log_prob(self, value: Tensor) -> Tensor:
        value = self._checked(value, _positive_value)
        return math.log(self._rate) - self._rate * value

    def _cdf(self, value: Tensor) -> Tensor:
        value = self._checked(value, _positive_value)
        return -math.expm1(-self._rate * value)

    def _log_survival_function(self, value: Tensor) -> Tensor:
        value = self._checked(value, _positive_value)
        return -self._rate * value

    def _quantile(self, value: Tensor) -> Tensor:
        return -math.log1p(-value) / self._rate


class ExponentialWithSoftplusRate(Exponential):
    """Exponential whose rate is softplus(rate) (tf.contrib.distributions)."""

    def __init__(
        self, rate: Any, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "ExponentialWithSoftplusRate",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name, values=[rate]) as scope:
            positive = nn.softplus(convert_to_tensor(rate), name="softplus_rate")
        super().__init__(positive, validate_args, allow_nan_stats, scope)
        self._parameters = own_parameters(parameters)


class InverseGamma(_Rated):
    """The distribution of 1 / x for x of a Gamma (tf.contrib.distributions.InverseGamma)."""

    def _sample_n(self, n: Any, seed: Any = None) -> Tensor:
        return self._draw(n, seed, True)

    def _log_prob(self, value: Tensor) -> Tensor:
        value = self._checked(value, _positive_value)
        a = self._concentration
        return (
            a * math.log(self._rate) - math.lgamma(a) - (1.0 + a) * math.log(value)
            - self._rate / value
        )  # fmt: skip

    def _cdf(self, value: Tensor) -> Tensor:
        value = self._checked(value, _positive_value)
        return math.igammac(self._concentration, self._rate / value)

    def _entropy(self) -> Tensor:
        a = self._concentration
        return self._wide(
            a + math.log(self._rate) + math.lgamma(a) - (1.0 + a) * math.digamma(a)
        )

    def _mean(self) -> Tensor:
        a = self._wide(self._concentration)
        value = self._rate / select(a > 1, a - 1, 1.0)
        return self._where_defined(
            a > 1, value, "mean undefined when any `concentration <= 1`"
        )

    def _variance(self) -> Tensor:
        a = self._wide(self._concentration)
        safe = select(a > 2, a, 3.0)
        value = math.square(self._rate / (safe - 1.0)) / (safe - 2.0)
        return self._where_defined(
            a > 2, value, "variance undefined when any `concentration <= 2`"
        )

    def _mode(self) -> Tensor:
        return self._rate / (1.0 + self._concentration)


# ------------------------------------------------------------------ bounded
class Beta(Batched):
    """The beta distribution on (0, 1) (tf.distributions.Beta).

    Raises:
        ValueError: parameters that are no floats, or of different dtypes.
    """

    def __init__(
        self, concentration1: Any = None, concentration0: Any = None, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str = "Beta",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name, values=[concentration1, concentration0]) as scope:
            checks = [_positive] if validate_args else []
            given = {"concentration1": concentration1, "concentration0": concentration0}
            self._concentration1, self._concentration0 = floats(given, checks)
            self._total = self._concentration1 + self._concentration0
        tensors = [(self._concentration1, 0), (self._concentration0, 0)]
        self._setup(parameters, scope, tensors, FULLY_REPARAMETERIZED)

    @staticmethod
    def _param_shapes(sample_shape: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        return dict.fromkeys(("concentration1", "concentration0"), sample_shape)

    @property
    def concentration1(self) -> Tensor:
        """The weight of values near 1."""
        return self._concentration1

    @property
    def concentration0(self) -> Tensor:
        """The weight of values near 0."""
        return self._concentration0

    @property
    def total_concentration(self) -> Tensor:
        return self._total

    def _sample_n(self, n: Any, seed: Any = None) -> Tensor:
        count = F.reshape(self._extents(n)[:1], convert_to_tensor([1]))
        other = None if seed is None else seed + 1
        one, two = (
            random.random_gamma(count, self._wide(c), dtype=self.dtype, seed=s)
            for c, s in ((self._concentration1, seed), (self._concentration0, other))
        )
        return one / (one + two)

    def _inside(self, value: Tensor) -> Tensor:
        return self._checked(value, _positive_value, _below_one)

    def _log_beta(self) -> Tensor:
        a, b = self._concentration1, self._concentration0
        return math.lgamma(a) + math.lgamma(b) - math.lgamma(self._total)

    def _log_prob(self, value: Tensor) -> Tensor:
        value = self._inside(value)
        found = math.xlogy(self._concentration1 - 1.0, value)
        found += (self._concentration0 - 1.0) * math.log1p(-value)
        return found - self._log_beta()

    def _cdf(self, value: Tensor) -> Tensor:
        value = self._inside(value)
        a, b = self._concentration1, self._concentration0
        wide = value + 0.0 * self._total
        return math.betainc(a + 0.0 * wide, b + 0.0 * wide, wide)

    def _entropy(self) -> Tensor:
        a, b, total = self._concentration1, self._concentration0, self._total
        return (
            self._log_beta() - (a - 1.0) * math.digamma(a) - (b - 1.0) * math.digamma(b)
            + (total - 2.0) * math.digamma(total)
        )  # fmt: skip

    def _mean(self) -> Tensor:
        return self._concentration1 / self._total

    def _variance(self) -> Tensor:
        mean = self._mean()
        return mean * (1.0 - mean) / (1.0 + self._total)

    def _mode(self) -> Tensor:
        a, b = self._wide(self._concentration1), self._wide(self._concentration0)
        defined = (a > 1) & (b > 1)
        mode = (a - 1.0) / select(defined, a + b - 2.0, 1.0)
        return self._where_defined(
            defined, mode, "Mode undefined for concentration1 <= 1 or concentration0 <= 1."
        )


class BetaWithSoftplusConcentration(Beta):
    """Beta of softplus(concentration1) and softplus(concentration0) (tf.contrib.distributions)."""

    def __init__(
        self, concentration1: Any, concentration0: Any, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str = "BetaWithSoftplusConcentration",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name, values=[concentration1, concentration0]) as scope:
            one = nn.softplus(convert_to_tensor(concentration1), name="softplus_concentration1")
            zero = nn.softplus(convert_to_tensor(concentration0), name="softplus_concentration0")
        super().__init__(one, zero, validate_args, allow_nan_stats, scope)
        self._parameters = own_parameters(parameters)


class Uniform(Batched):
    """The uniform distribution on [low, high) (tf.distributions.Uniform).

    Raises:
        ValueError: parameters that are no floats, or of different dtypes.
    """

    def __init__(
        self, low: Any = 0.0, high: Any = 1.0, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str = "Uniform",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name, values=[low, high]) as scope:
            checks = [_ordered] if validate_args else []
            self._low, self._high = floats({"low": low, "high": high}, checks)
        tensors = [(self._low, 0), (self._high, 0)]
        self._setup(parameters, scope, tensors, FULLY_REPARAMETERIZED)

    @staticmethod
    def _param_shapes(sample_shape: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        return {"low": sample_shape, "high": sample_shape}

    @property
    def low(self) -> Tensor:
        return self._low

    @property
    def high(self) -> Tensor:
        return self._high

    def range(self, name: str = "range") -> Tensor:
        """high - low."""
        with self._scope(name):
            return self._high - self._low

    def _sample_n(self, n: Any, seed: Any = None) -> Tensor:
        u = random.random_uniform(self._extents(n), dtype=self.dtype, seed=seed)
        return self._low + self.range() * u

    def _prob(self, value: Tensor) -> Tensor:
        wide = value * F.ones_like(self._low + self._high)
        density = F.ones_like(wide) / self.range()
        outside = (wide < self._low) | (wide >= self._high)
        found = select(outside, 0.0, density)
        return select(F.is_nan(wide), wide, found)

    def _cdf(self, value: Tensor) -> Tensor:
        found = (value - self._low) / self.range()
        return select(value < self._low, 0.0, select(value >= self._high, 1.0, found))

    def _quantile(self, value: Tensor) -> Tensor:
        return self._low + self.range() * value

    def _entropy(self) -> Tensor:
        return math.log(self.range())

    def _mean(self) -> Tensor:
        return (self._low + self._high) / 2.0

    def _variance(self) -> Tensor:
        return math.square(self.range()) / 12.0

    def _stddev(self) -> Tensor:
        return self.range() / numbers.sqrt(12.0)


def _ordered(t: dict[str, Tensor]) -> Any:
    return assert_less(t["low"], t["high"], message="uniform not defined when low >= high.")
