"""Distributions over proportions of classes: Dirichlet and DirichletMultinomial.

Lives here: those classes. Not here: Multinomial (categorical.py), Beta (gamma.py), divergences
(kl.py).
"""

from __future__ import annotations

from typing import Any

from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_array as arrays
from graphc.tf1 import api_math as math
from graphc.tf1 import api_random as random
from graphc.tf1.api_checks import assert_near, assert_positive
from graphc.tf1.distributions.base import FULLY_REPARAMETERIZED, NOT_REPARAMETERIZED
from graphc.tf1.distributions.categorical import (
    checked_counts,
    counts_checks,
    draw_counts,
    log_combinations,
)
from graphc.tf1.distributions.parameters import Batched, behind, floats, select
from graphc.tf1.scopes import name_scope

__all__ = ["Dirichlet", "DirichletMultinomial"]


def log_beta(x: Tensor) -> Tensor:
    """The logarithm of the multivariate beta function over the last axis."""
    return math.reduce_sum(math.lgamma(x), -1) - math.lgamma(math.reduce_sum(x, -1))


def _positive(t: dict[str, Tensor]) -> Any:
    return assert_positive(
        t["concentration"], message="Concentration parameter must be positive."
    )


class Dirichlet(Batched):
    """The Dirichlet distribution (tf.distributions.Dirichlet): proportions that sum to 1.

    Args:
        concentration: [..., classes].

    Raises:
        ValueError: no floats.
    """

    def __init__(
        self, concentration: Any, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "Dirichlet",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name, values=[concentration]) as scope:
            checks = [_positive] if validate_args else []
            (self._concentration,) = floats({"concentration": concentration}, checks)
            self._total = math.reduce_sum(self._concentration, -1)
        tensor = (self._concentration, 1)
        self._setup(parameters, scope, [tensor], FULLY_REPARAMETERIZED, tensor)

    @property
    def concentration(self) -> Tensor:
        """Also called alpha."""
        return self._concentration

    @property
    def total_concentration(self) -> Tensor:
        return self._total

    def _sample_n(self, n: Any, seed: Any = None) -> Tensor:
        count = F.reshape(convert_to_tensor(n), convert_to_tensor([1]))
        drawn = random.random_gamma(count, self._concentration, dtype=self.dtype, seed=seed)
        return drawn / math.reduce_sum(drawn, -1, keepdims=True)

    def _log_prob(self, value: Tensor) -> Tensor:
        x = self._checked(
            value, lambda v: assert_positive(v, message="samples must be positive"),
            lambda v: assert_near(
                math.reduce_sum(v, -1), F.ones_like(math.reduce_sum(v, -1)),
                message="sample last-dimension must sum to `1`",
            ),
        )  # fmt: skip
        found = math.reduce_sum(math.xlogy(self._concentration - 1.0, x), -1)
        return found - log_beta(self._concentration)

    def _entropy(self) -> Tensor:
        a = self._concentration
        classes = math.cast(F.shape(a)[-1], self.dtype)
        return (
            log_beta(a) + (self._total - classes) * math.digamma(self._total)
            - math.reduce_sum((a - 1.0) * math.digamma(a), -1)
        )  # fmt: skip

    def _mean(self) -> Tensor:
        return self._concentration / F.expand_dims(self._total, axis=-1)

    def _covariance(self) -> Tensor:
        mean = self._mean()
        wide = F.expand_dims(1.0 + self._total, axis=-1)
        spread = mean / wide
        outer = F.expand_dims(spread, axis=-1) * F.expand_dims(mean, axis=-2)
        return arrays.matrix_set_diag(-outer, self._variance())

    def _variance(self) -> Tensor:
        mean = self._mean()
        return mean * (1.0 - mean) / F.expand_dims(1.0 + self._total, axis=-1)

    def _mode(self) -> Tensor:
        a = self._concentration
        classes = math.cast(F.shape(a)[-1], self.dtype)
        defined = math.reduce_all(a > 1, -1, keepdims=True) & F.ones_like(a > 1)
        total = F.expand_dims(self._total, axis=-1) - classes
        mode = (a - 1.0) / select(defined, total, 1.0)
        return self._where_defined(
            defined, mode, "Mode undefined when any concentration <= 1"
        )


class DirichletMultinomial(Batched):
    """Counts whose proportions are a Dirichlet sample (tf.distributions.DirichletMultinomial).

    Raises:
        ValueError: no floats.
    """

    def __init__(
        self, total_count: Any, concentration: Any, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str = "DirichletMultinomial",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name, values=[total_count, concentration]) as scope:
            checks = [_positive] if validate_args else []
            (self._concentration,) = floats({"concentration": concentration}, checks)
            total = convert_to_tensor(total_count, self._concentration.dtype, "total_count")
            self._count = behind(counts_checks(total), total) if validate_args else total
            self._total = math.reduce_sum(self._concentration, -1)
        self._setup(
            parameters, scope, [(self._count, 0), (self._concentration, 1)], NOT_REPARAMETERIZED,
            (self._concentration, 1),
        )  # fmt: skip

    @property
    def total_count(self) -> Tensor:
        return self._count

    @property
    def concentration(self) -> Tensor:
        return self._concentration

    @property
    def total_concentration(self) -> Tensor:
        return self._total

    def _sample_n(self, n: Any, seed: Any = None) -> Tensor:
        count = F.reshape(self._extents(n)[:1], convert_to_tensor([1]))
        other = None if seed is None else seed + 1
        drawn = random.random_gamma(count, self._wide(self._concentration), dtype=self.dtype,
                                    seed=seed)  # fmt: skip
        probs = drawn / math.reduce_sum(drawn, -1, keepdims=True)
        return draw_counts(self, self._count, probs, n, other)

    def _log_prob(self, value: Tensor) -> Tensor:
        counts = checked_counts(self, value, self._count)
        found = log_beta(self._concentration + counts) - log_beta(self._concentration)
        return found + log_combinations(self._count, counts)

    def _mean(self) -> Tensor:
        return F.expand_dims(self._count, axis=-1) * self._proportions()

    def _proportions(self) -> Tensor:
        return self._concentration / F.expand_dims(self._total, axis=-1)

    def _spread(self) -> Tensor:
        """Its covariance over that of a Multinomial."""
        return (self._count + self._total) / (1.0 + self._total)

    def _variance(self) -> Tensor:
        mean = self._mean()
        return F.expand_dims(self._spread(), axis=-1) * (mean - mean * self._proportions())

    def _covariance(self) -> Tensor:
        mean, share = self._mean(), self._proportions()
        share = share + 0.0 * mean
        outer = F.expand_dims(mean, axis=-1) * F.expand_dims(share, axis=-2)
        wide = F.expand_dims(F.expand_dims(self._spread(), axis=-1), axis=-1)
        return arrays.matrix_set_diag(-outer * wide, self._variance())
