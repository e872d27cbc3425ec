"""Distributions with a location and a scale: Normal, Laplace, Logistic, Gumbel, Cauchy, StudentT.

Lives here: those classes and HalfNormal. Not here: what they share (parameters.py), divergences
(kl.py).
"""

from __future__ import annotations

import math as numbers
from typing import Any

import numpy as np

from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_array as arrays
from graphc.tf1 import api_math as math
from graphc.tf1 import api_nn as nn
from graphc.tf1 import api_random as random
from graphc.tf1.api_checks import assert_positive
from graphc.tf1.distributions import special
from graphc.tf1.distributions.base import FULLY_REPARAMETERIZED, own_parameters
from graphc.tf1.distributions.parameters import Batched, floats, select
from graphc.tf1.scopes import name_scope

__all__ = [
    "Cauchy", "Gumbel", "HalfNormal", "Laplace", "Logistic", "Normal", "NormalWithSoftplusScale",
    "StudentT", "StudentTWithAbsDfSoftplusScale",
]  # fmt: skip

_LOG_2 = numbers.log(2.0)
_LOG_PI = numbers.log(numbers.pi)


class LocationScale(Batched):
    """loc + scale z for a z that the subclass describes.

    Raises:
        ValueError: parameters that are no floats, or of different dtypes.
    """

    def __init__(
        self, loc: Any, scale: Any, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str | None = None,
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name or type(self).__name__, values=[loc, scale]) as scope:
            checks = [lambda t: assert_positive(t["scale"])] if validate_args else []
            self._loc, self._scale = floats({"loc": loc, "scale": scale}, checks)
        parameters["name"] = name or type(self).__name__
        self._setup(parameters, scope, [(self._loc, 0), (self._scale, 0)], FULLY_REPARAMETERIZED)

    @staticmethod
    def _param_shapes(sample_shape: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        return {"loc": sample_shape, "scale": sample_shape}

    @property
    def loc(self) -> Tensor:
        return self._loc

    @property
    def scale(self) -> Tensor:
        return self._scale

    def _z(self, x: Tensor) -> Tensor:
        with name_scope("standardize"):
            return (x - self._loc) / self._scale

    def _log_prob(self, value: Tensor) -> Tensor:
        return self._log_density(self._z(value)) - math.log(self._scale)

    def _sample_n(self, n: Any, seed: Any = None) -> Tensor:
        return self._draw(self._extents(n), seed) * self._scale + self._loc

    def _mean(self) -> Tensor:
        return self._wide(self._loc)

    def _mode(self) -> Tensor:
        return self._mean()

    def _log_density(self, z: Tensor) -> Tensor:
        """The log density of z."""
        raise self._missing("log_prob")

    def _draw(self, extents: Tensor, seed: Any) -> Tensor:
        """Samples of z."""
        raise self._missing("sample_n")

    def _uniform(self, extents: Tensor, seed: Any, low: Any = None) -> Tensor:
        """Uniform in (0, 1), or from `low` on: never exactly 0, whose logarithm is infinite."""
        tiny = np.finfo(self.dtype.np).tiny if low is None else low
        return random.random_uniform(extents, tiny, 1, self.dtype, seed)


class Normal(LocationScale):
    """The normal distribution (tf.distributions.Normal): mean `loc`, standard deviation `scale`."""

    def _draw(self, extents: Tensor, seed: Any) -> Tensor:
        return random.random_normal(extents, dtype=self.dtype, seed=seed)

    def _log_density(self, z: Tensor) -> Tensor:
        return -0.5 * math.square(z) - special.HALF_LOG_TWO_PI

    def _cdf(self, value: Tensor) -> Tensor:
        return special.ndtr(self._z(value))

    def _log_cdf(self, value: Tensor) -> Tensor:
        return special.log_ndtr(self._z(value))

    def _survival_function(self, value: Tensor) -> Tensor:
        return special.ndtr(-self._z(value))

    def _log_survival_function(self, value: Tensor) -> Tensor:
        return special.log_ndtr(-self._z(value))

    def _quantile(self, value: Tensor) -> Tensor:
        return special.ndtri(value) * self._scale + self._loc

    def _entropy(self) -> Tensor:
        return self._wide(0.5 + special.HALF_LOG_TWO_PI + math.log(self._scale))

    def _stddev(self) -> Tensor:
        return self._wide(self._scale)


class NormalWithSoftplusScale(Normal):
    """Normal whose scale is softplus(scale) (tf.contrib.distributions)."""

    def __init__(
        self, loc: Any, scale: Any, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "NormalWithSoftplusScale",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name, values=[scale]) as scope:
            positive = nn.softplus(convert_to_tensor(scale), name="softplus_scale")
        super().__init__(loc, positive, validate_args, allow_nan_stats, scope)
        self._parameters = own_parameters(parameters)


class Laplace(LocationScale):
    """The double exponential distribution (tf.distributions.Laplace)."""

    def _draw(self, extents: Tensor, seed: Any) -> Tensor:
        # 1 - eps away from -1 and 1, where the logarithm is infinite
        low = np.nextafter(self.dtype.np.type(-1), self.dtype.np.type(0))
        u = self._uniform(extents, seed, low)
        return -math.sign(u) * math.log1p(-math.abs(u))

    def _log_density(self, z: Tensor) -> Tensor:
        return -math.abs(z) - _LOG_2

    def _cdf(self, value: Tensor) -> Tensor:
        z = self._z(value)
        return 0.5 - 0.5 * math.sign(z) * math.expm1(-math.abs(z))

    def _log_cdf(self, value: Tensor) -> Tensor:
        return special.log_cdf_laplace(self._z(value))

    def _log_survival_function(self, value: Tensor) -> Tensor:
        return special.log_cdf_laplace(-self._z(value))

    def _entropy(self) -> Tensor:
        return self._wide(_LOG_2 + 1 + math.log(self._scale))

    def _stddev(self) -> Tensor:
        return self._wide(numbers.sqrt(2.0) * self._scale)


class Logistic(LocationScale):
    """The logistic distribution (tf.contrib.distributions.Logistic)."""

    def _draw(self, extents: Tensor, seed: Any) -> Tensor:
        u = self._uniform(extents, seed)
        return math.log(u) - math.log1p(-u)

    def _log_density(self, z: Tensor) -> Tensor:
        return -z - 2.0 * nn.softplus(-z)

    def _cdf(self, value: Tensor) -> Tensor:
        return math.sigmoid(self._z(value))

    def _log_cdf(self, value: Tensor) -> Tensor:
        return -nn.softplus(-self._z(value))

    def _survival_function(self, value: Tensor) -> Tensor:
        return math.sigmoid(-self._z(value))

    def _log_survival_function(self, value: Tensor) -> Tensor:
        return -nn.softplus(self._z(value))

    def _quantile(self, value: Tensor) -> Tensor:
        return (math.log(value) - math.log1p(-value)) * self._scale + self._loc

    def _entropy(self) -> Tensor:
        return self._wide(2.0 + math.log(self._scale))

    def _stddev(self) -> Tensor:
        return self._wide(numbers.pi / numbers.sqrt(3.0) * self._scale)


class Gumbel(LocationScale):
    """The distribution of maxima (tf.contrib.distributions.Gumbel)."""

    def _draw(self, extents: Tensor, seed: Any) -> Tensor:
        return -math.log(-math.log(self._uniform(extents, seed)))

    def _log_density(self, z: Tensor) -> Tensor:
        return -(z + math.exp(-z))

    def _cdf(self, value: Tensor) -> Tensor:
        return math.exp(-math.exp(-self._z(value)))

    def _log_cdf(self, value: Tensor) -> Tensor:
        return -math.exp(-self._z(value))

    def _quantile(self, value: Tensor) -> Tensor:
        return -math.log(-math.log(value)) * self._scale + self._loc

    def _entropy(self) -> Tensor:
        return self._wide(1 + np.euler_gamma + math.log(self._scale))

    def _mean(self) -> Tensor:
        return self._wide(self._loc + self._scale * np.euler_gamma)

    def _mode(self) -> Tensor:
        return self._wide(self._loc)

    def _stddev(self) -> Tensor:
        return self._wide(numbers.pi / numbers.sqrt(6.0) * self._scale)


def _cauchy_quantile(p: Tensor) -> Tensor:
    """tan(pi (p - 1/2)), by the smaller of p and 1 - p: near the ends p - 1/2 has lost it."""
    size = 1 / math.tan(numbers.pi * math.minimum(p, 1 - p))
    return select(p < 0.5, -size, size)


class Cauchy(LocationScale):
    """The Cauchy distribution, which has no mean (tf.contrib.distributions.Cauchy)."""

    def _draw(self, extents: Tensor, seed: Any) -> Tensor:
        return _cauchy_quantile(self._uniform(extents, seed))

    def _log_density(self, z: Tensor) -> Tensor:
        return -math.log1p(math.square(z)) - _LOG_PI

    def _cdf(self, value: Tensor) -> Tensor:
        return math.atan(self._z(value)) / numbers.pi + 0.5

    def _log_cdf(self, value: Tensor) -> Tensor:
        return math.log1p(2 / numbers.pi * math.atan(self._z(value))) - _LOG_2

    def _quantile(self, value: Tensor) -> Tensor:
        return _cauchy_quantile(value) * self._scale + self._loc

    def _entropy(self) -> Tensor:
        return self._wide(numbers.log(4 * numbers.pi) + math.log(self._scale))

    def _mode(self) -> Tensor:
        return self._wide(self._loc)

    def _undefined(self, what: str) -> Tensor:
        if not self.allow_nan_stats:
            raise ValueError(f"`{what}` is undefined for Cauchy distribution.")
        return self._wide(self._loc * numbers.nan)

    def _mean(self) -> Tensor:
        return self._undefined("mean")

    def _stddev(self) -> Tensor:
        return self._undefined("stddev")


class StudentT(Batched):
    """Student's t-distribution (tf.distributions.StudentT): `df` degrees of freedom."""

    def __init__(
        self, df: Any, loc: Any, scale: Any, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str = "StudentT",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name, values=[df, loc, scale]) as scope:
            checks = [lambda t: assert_positive(t["df"])] if validate_args else []
            given = {"df": df, "loc": loc, "scale": scale}
            self._df, self._loc, self._scale = floats(given, checks)
        tensors = [(t, 0) for t in (self._df, self._loc, self._scale)]
        self._setup(parameters, scope, tensors, FULLY_REPARAMETERIZED)

    @staticmethod
    def _param_shapes(sample_shape: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        return dict.fromkeys(("df", "loc", "scale"), sample_shape)

    @property
    def df(self) -> Tensor:
        return self._df

    @property
    def loc(self) -> Tensor:
        return self._loc

    @property
    def scale(self) -> Tensor:
        return self._scale

    def _sample_n(self, n: Any, seed: Any = None) -> Tensor:
        z = random.random_normal(self._extents(n), dtype=self.dtype, seed=seed)
        half = self._wide(0.5 * self._df)
        other = None if seed is None else seed + 1
        count = F.reshape(self._extents(n)[:1], convert_to_tensor([1]))
        drawn = random.random_gamma(count, half, 0.5, self.dtype, other)
        return z * math.rsqrt(drawn / self._df) * self._scale + self._loc

    def _log_prob(self, value: Tensor) -> Tensor:
        y = (value - self._loc) / self._scale
        shape = -0.5 * (self._df + 1.0) * math.log1p(math.square(y) / self._df)
        return shape - self._log_normaliser()

    def _log_normaliser(self) -> Tensor:
        df = self._df
        return (
            math.log(math.abs(self._scale)) + 0.5 * math.log(df) + 0.5 * _LOG_PI
            + math.lgamma(0.5 * df) - math.lgamma(0.5 * (df + 1.0))
        )  # fmt: skip

    def _cdf(self, value: Tensor) -> Tensor:
        y = (value - self._loc) / math.abs(self._scale)
        x = self._df / (math.square(y) + self._df)
        tail = 0.5 * math.betainc(0.5 * self._df, convert_to_tensor(0.5, self.dtype), x)
        return select(y < 0, tail, 1 - tail)

    def _entropy(self) -> Tensor:
        half = 0.5 * (self._df + 1.0)
        log_beta = (
            math.lgamma(0.5 * self._df) + numbers.lgamma(0.5) - math.lgamma(half)
        )
        return self._wide(
            math.log(math.abs(self._scale)) + 0.5 * math.log(self._df) + log_beta
            + half * (math.digamma(half) - math.digamma(0.5 * self._df))
        )  # fmt: skip

    def _mean(self) -> Tensor:
        defined = self._wide(self._df) > 1
        message = "mean not defined for components of df <= 1"
        return self._where_defined(defined, self._wide(self._loc), message)

    def _variance(self) -> Tensor:
        df = self._wide(self._df)
        safe = select(df > 2, df - 2, 1.0)
        value = math.square(self._scale) * df / safe
        value = select(df > 2, value, convert_to_tensor(numbers.inf, self.dtype))
        return self._where_defined(df > 1, value, "variance not defined for components of df <= 1")

    def _mode(self) -> Tensor:
        return self._wide(self._loc)


class StudentTWithAbsDfSoftplusScale(StudentT):
    """StudentT with df floor(abs(df)) and scale softplus(scale) (tf.contrib.distributions)."""

    def __init__(
        self, df: Any, loc: Any, scale: Any, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str = "StudentTWithAbsDfSoftplusScale",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name, values=[df, scale]) as scope:
            whole = math.floor(math.abs(convert_to_tensor(df)))
            positive = nn.softplus(convert_to_tensor(scale), name="softplus_scale")
        super().__init__(whole, loc, positive, validate_args, allow_nan_stats, scope)
        self._parameters = own_parameters(parameters)


class HalfNormal(Batched):
    """The absolute value of a normal number (tf.contrib.distributions.HalfNormal)."""

    def __init__(
        self, scale: Any, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "HalfNormal",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name, values=[scale]) as scope:
            checks = [lambda t: assert_positive(t["scale"])] if validate_args else []
            (self._scale,) = floats({"scale": scale}, checks)
        self._setup(parameters, scope, [(self._scale, 0)], FULLY_REPARAMETERIZED)

    @staticmethod
    def _param_shapes(sample_shape: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        return {"scale": sample_shape}

    @property
    def scale(self) -> Tensor:
        return self._scale

    def _sample_n(self, n: Any, seed: Any = None) -> Tensor:
        z = random.random_normal(self._extents(n), dtype=self.dtype, seed=seed)
        return math.abs(z * self._scale)

    def _log_prob(self, value: Tensor) -> Tensor:
        found = (
            0.5 * numbers.log(2 / numbers.pi) - math.log(self._scale)
            - 0.5 * math.square(value / self._scale)
        )  # fmt: skip
        return select(value < 0, convert_to_tensor(-numbers.inf, self.dtype), found)

    def _cdf(self, value: Tensor) -> Tensor:
        return math.erf(math.maximum(value, 0.0) / self._scale * numbers.sqrt(0.5))

    def _quantile(self, value: Tensor) -> Tensor:
        return self._scale * special.ndtri(0.5 * (value + 1))

    def _entropy(self) -> Tensor:
        return 0.5 * numbers.log(numbers.pi / 2) + math.log(self._scale) + 0.5

    def _mean(self) -> Tensor:
        return self._scale * numbers.sqrt(2 / numbers.pi)

    def _mode(self) -> Tensor:
        return arrays.zeros_like(self._scale)

    def _variance(self) -> Tensor:
        return math.square(self._scale) * (1 - 2 / numbers.pi)


