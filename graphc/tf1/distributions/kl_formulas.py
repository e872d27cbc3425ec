"""The divergences that have a closed form, registered in kl.py when this module is imported."""

from __future__ import annotations

import math as numbers
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_math as math
from graphc.tf1 import api_nn as nn
from graphc.tf1.distributions.categorical import Categorical, OneHotCategorical
from graphc.tf1.distributions.dirichlet import Dirichlet, log_beta
from graphc.tf1.distributions.discrete import Bernoulli, Geometric, Poisson
from graphc.tf1.distributions.gamma import Beta, Gamma, InverseGamma, Uniform
from graphc.tf1.distributions.joined import Independent
from graphc.tf1.distributions.kl import RegisterKL, kl_divergence
from graphc.tf1.distributions.multivariate import MultivariateNormalLinearOperator
from graphc.tf1.distributions.normal import Gumbel, HalfNormal, Laplace, Normal
from graphc.tf1.distributions.parameters import select
from graphc.tf1.linear_operator_diag import LinearOperatorDiag
from graphc.tf1.scopes import name_scope

__all__: list[str] = []


def _of(cls: type, other: type | None = None) -> Callable[[Any], Any]:
    """Registers a formula (a, b) in a scope of its own."""

    def register(formula: Callable[[Any, Any], Tensor]) -> Any:
        a, b = cls.__name__.lower(), (other or cls).__name__.lower()

        def scoped(p: Any, q: Any, name: str | None = None) -> Tensor:
            with name_scope(name or f"kl_{a}_{b}"):
                return formula(p, q)

        return RegisterKL(cls, other or cls)(scoped)

    return register


@_of(Normal)
def _normal(a: Any, b: Any) -> Tensor:
    ratio = math.square(a.scale / b.scale)
    shift = math.square(a.loc - b.loc) / (2.0 * math.square(b.scale))
    return shift + 0.5 * (ratio - 1.0 - math.log(ratio))


@_of(HalfNormal)
def _half_normal(a: Any, b: Any) -> Tensor:
    ratio = math.square(a.scale / b.scale)
    return 0.5 * (ratio - 1.0 - math.log(ratio))


@_of(Laplace)
def _laplace(a: Any, b: Any) -> Tensor:
    distance = math.abs(a.loc - b.loc)
    ratio = a.scale / b.scale
    near = ratio * math.exp(-distance / a.scale)
    return near - math.log(ratio) - 1 + distance / b.scale


@_of(Gumbel)
def _gumbel(a: Any, b: Any) -> Tensor:
    between = (a.loc - b.loc) / b.scale
    ratio = a.scale / b.scale
    return (
        math.log(b.scale) - math.log(a.scale) + np.euler_gamma * (ratio - 1.0)
        + math.expm1(-between + math.lgamma(ratio + 1.0)) + between
    )  # fmt: skip


@_of(Uniform)
def _uniform(a: Any, b: Any) -> Tensor:
    found = math.log(b.high - b.low) - math.log(a.high - a.low)
    inside = (b.low <= a.low) & (a.high <= b.high)
    return select(inside, found, convert_to_tensor(numbers.inf, found.dtype))


@_of(Gamma)
def _gamma(a: Any, b: Any) -> Tensor:
    return (
        (a.concentration - b.concentration) * math.digamma(a.concentration)
        + math.lgamma(b.concentration) - math.lgamma(a.concentration)
        + b.concentration * (math.log(a.rate) - math.log(b.rate))
        + a.concentration * (b.rate / a.rate - 1.0)
    )  # fmt: skip


@_of(InverseGamma)
def _inverse_gamma(a: Any, b: Any) -> Tensor:
    return _gamma(a, b)  # a one-to-one change of the variable leaves it as it is


@_of(Beta)
def _beta(a: Any, b: Any) -> Tensor:
    total_a, total_b = a.total_concentration, b.total_concentration

    def log_beta_of(d: Any) -> Tensor:
        one, zero = math.lgamma(d.concentration1), math.lgamma(d.concentration0)
        return one + zero - math.lgamma(d.total_concentration)

    def term(x: Tensor, y: Tensor) -> Tensor:
        return (y - x) * math.digamma(x)

    return (
        log_beta_of(b) - log_beta_of(a) - term(a.concentration1, b.concentration1)
        - term(a.concentration0, b.concentration0) + term(total_a, total_b)
    )  # fmt: skip


@_of(Dirichlet)
def _dirichlet(a: Any, b: Any) -> Tensor:
    alpha, beta = a.concentration, b.concentration
    mean_log = math.digamma(alpha) - F.expand_dims(
        math.digamma(a.total_concentration), axis=-1
    )
    found = math.reduce_sum((alpha - beta) * mean_log, -1)
    return found - log_beta(alpha) + log_beta(beta)


@_of(Bernoulli)
def _bernoulli(a: Any, b: Any) -> Tensor:
    zero = nn.softplus(b.logits) - nn.softplus(a.logits)
    one = nn.softplus(-b.logits) - nn.softplus(-a.logits)
    return math.sigmoid(a.logits) * one + math.sigmoid(-a.logits) * zero


@_of(Geometric)
def _geometric(a: Any, b: Any) -> Tensor:
    success = math.log(a.probs) - math.log(b.probs)
    failure = math.log1p(-a.probs) - math.log1p(-b.probs)
    return success + a.mean() * failure


@_of(Poisson)
def _poisson(a: Any, b: Any) -> Tensor:
    return a.rate * (a.log_rate - b.log_rate) - (a.rate - b.rate)


def _classes(a: Any, b: Any) -> Tensor:
    difference = nn.log_softmax(a.logits) - nn.log_softmax(b.logits)
    share = nn.softmax(a.logits)
    return math.reduce_sum(math.multiply_no_nan(difference, share), -1)


_of(Categorical)(_classes)
_of(OneHotCategorical)(_classes)


@_of(Independent)
def _independent(a: Any, b: Any) -> Tensor:
    p, q = a.distribution, b.distribution
    known = (a.event_shape.ndims, b.event_shape.ndims, p.event_shape.ndims, q.event_shape.ndims)
    if known[0] != known[1] or known[2] != known[3] or None in known:
        raise NotImplementedError(
            "KL between Independents of other numbers of event axes is not implemented"
        )
    axes = [-1 - k for k in range(a.event_shape.ndims - p.event_shape.ndims)]
    found = kl_divergence(p, q)
    return math.reduce_sum(found, axes) if axes else found


@_of(MultivariateNormalLinearOperator)
def _multivariate_normal(a: Any, b: Any) -> Tensor:
    """0.5 (log det b - log det a + tr(b^-1 a) + distance - k), by the factors of both."""
    size = math.cast(a.event_shape_tensor()[0], a.dtype)
    if isinstance(a.scale, LinearOperatorDiag) and isinstance(b.scale, LinearOperatorDiag):
        ratio = math.square(a.scale.diag / b.scale.diag)
        trace = math.reduce_sum(ratio, -1)
    else:
        solved = b.scale.solve(a.scale.to_dense())
        trace = math.reduce_sum(math.square(solved), [-2, -1])
    distance = math.reduce_sum(math.square(b.scale.solvevec(b.mean() - a.mean())), -1)
    return (
        b.scale.log_abs_determinant() - a.scale.log_abs_determinant()
        + 0.5 * (trace + distance - size)
    )  # fmt: skip


