"""Distributions made of others: Independent, Mixture, MixtureSameFamily; and Deterministic.

Lives here: those classes. Not here: transformed ones (transformed.py).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import int32
from graphc.ir.node import Tensor
from graphc.ir.shape import broadcast_shapes
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_array as arrays
from graphc.tf1 import api_math as math
from graphc.tf1 import api_nn as nn
from graphc.tf1.api_checks import assert_non_negative
from graphc.tf1.distributions.base import (
    FULLY_REPARAMETERIZED,
    NOT_REPARAMETERIZED,
    Distribution,
)
from graphc.tf1.distributions.categorical import Categorical
from graphc.tf1.distributions.parameters import Batched, behind, select
from graphc.tf1.framework import identity
from graphc.tf1.scopes import name_scope

__all__ = [
    "Deterministic", "Independent", "Mixture", "MixtureSameFamily", "VectorDeterministic",
]  # fmt: skip


class Independent(Distribution):
    """The last batch axes of a distribution as axes of its event (tf.contrib.distributions).

    Args:
        reinterpreted_batch_ndims: how many, default all but the first.

    Raises:
        ValueError: the distribution has fewer batch axes.
    """

    def __init__(
        self, distribution: Distribution, reinterpreted_batch_ndims: int | None = None,
        validate_args: bool = False, name: str | None = None,
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        self._distribution = distribution
        rank = distribution.batch_shape.ndims
        if reinterpreted_batch_ndims is None:
            if rank is None:
                raise ValueError("reinterpreted_batch_ndims is needed for an unknown batch rank")
            reinterpreted_batch_ndims = max(rank - 1, 0)
        self._moved = int(reinterpreted_batch_ndims)
        if rank is not None and self._moved > rank:
            raise ValueError(
                f"reinterpreted_batch_ndims({self._moved}) cannot exceed "
                f"distribution.batch_ndims({rank})"
            )
        super().__init__(
            distribution.dtype, distribution.reparameterization_type, validate_args,
            distribution.allow_nan_stats, parameters,
            name=name or f"Independent{distribution.name}".rstrip("/"),
        )  # fmt: skip

    @property
    def distribution(self) -> Distribution:
        return self._distribution

    @property
    def reinterpreted_batch_ndims(self) -> int:
        return self._moved

    def _batch_shape(self) -> Any:
        dims = self._distribution.batch_shape.dims_tuple
        return None if dims is None else dims[: len(dims) - self._moved]

    def _event_shape(self) -> Any:
        dims, event = (
            self._distribution.batch_shape.dims_tuple, self._distribution.event_shape.dims_tuple
        )  # fmt: skip
        if dims is None or event is None:
            return None
        return (*dims[len(dims) - self._moved :], *event)

    def _batch_shape_tensor(self) -> Tensor:
        return self._distribution.batch_shape_tensor()[: -self._moved or None]

    def _event_shape_tensor(self) -> Tensor:
        batch = self._distribution.batch_shape_tensor()
        moved = batch[-self._moved :] if self._moved else batch[:0]
        return F.concat(moved, self._distribution.event_shape_tensor(), axis=0)

    def _sample_n(self, n: Any, seed: Any = None) -> Tensor:
        return self._distribution.sample(n if isinstance(n, int) else F.reshape(n, (1,)), seed)

    def _summed(self, value: Tensor) -> Tensor:
        axes = [-1 - k for k in range(self._moved)]
        return math.reduce_sum(value, axes) if axes else value

    def _log_prob(self, value: Tensor) -> Tensor:
        return self._summed(self._distribution.log_prob(value))

    def _entropy(self) -> Tensor:
        return self._summed(self._distribution.entropy())

    def _mean(self) -> Tensor:
        return self._distribution.mean()

    def _variance(self) -> Tensor:
        return self._distribution.variance()

    def _stddev(self) -> Tensor:
        return self._distribution.stddev()

    def _mode(self) -> Tensor:
        return self._distribution.mode()


# ------------------------------------------------------------------ mixtures
class Mixture(Distribution):
    """One of several distributions, chosen by a Categorical (tf.contrib.distributions.Mixture).

    Args:
        cat: over the components. components: distributions of one dtype and equal shapes.

    Raises:
        TypeError: not a Categorical, not distributions, other dtypes.
        ValueError: no components, or as many as there are not classes.
    """

    def __init__(
        self, cat: Categorical, components: Sequence[Distribution], validate_args: bool = False,
        allow_nan_stats: bool = True, use_static_graph: bool = False, name: str = "Mixture",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        if not isinstance(cat, Categorical):
            raise TypeError(f"cat must be a Categorical distribution, but saw: {cat}")
        if not components:
            raise ValueError("components must be a non-empty list or tuple")
        if not all(isinstance(c, Distribution) for c in components):
            raise TypeError(
                f"all entries in components must be Distribution instances but saw: {components}"
            )
        if len({c.dtype for c in components}) > 1:
            raise TypeError("All components must have the same dtype")
        classes = cat.logits.dims[-1] if cat.logits.dims is not None else None
        if classes is not None and classes != len(components):
            raise ValueError(
                "cat.num_classes != len(components): "
                f"{classes} vs. {len(components)}"
            )
        self._cat, self._components = cat, list(components)
        super().__init__(
            components[0].dtype, NOT_REPARAMETERIZED, validate_args, allow_nan_stats, parameters,
            name=name,
        )  # fmt: skip

    @property
    def cat(self) -> Categorical:
        return self._cat

    @property
    def components(self) -> list[Distribution]:
        return self._components

    @property
    def num_components(self) -> int:
        return len(self._components)

    def _batch_shape(self) -> Any:
        return broadcast_shapes(
            self._cat.batch_shape.dims_tuple,
            *(c.batch_shape.dims_tuple for c in self._components),
        )

    def _event_shape(self) -> Any:
        return self._components[0].event_shape

    def _batch_shape_tensor(self) -> Tensor:
        parts = [d.batch_shape_tensor() for d in (self._cat, *self._components)]
        return functools.reduce(F.broadcast_args, parts)

    def _event_shape_tensor(self) -> Tensor:
        return self._components[0].event_shape_tensor()

    def _event_axes(self) -> int:
        return _known_rank(self._components[0])

    def _shares(self, axes: int) -> list[Tensor]:
        """The probability of each component, with `axes` axes behind it."""
        probs = nn.softmax(self._cat.logits)
        return [_widened(probs[..., k], axes) for k in range(self.num_components)]

    def _sample_n(self, n: Any, seed: Any = None) -> Tensor:
        shape = n if isinstance(n, int) else F.reshape(n, convert_to_tensor([1]))
        chosen = _widened(self._cat.sample(shape, seed), self._event_axes())
        full = F.concat(
            F.reshape(convert_to_tensor(n, int32), convert_to_tensor([1])),
            self.batch_shape_tensor(), self.event_shape_tensor(), axis=0,
        )  # fmt: skip
        out: Tensor | None = None
        for k, component in enumerate(self._components):
            drawn = component.sample(shape, None if seed is None else seed + k + 1)
            drawn = F.broadcast_to(drawn, full)
            out = drawn if out is None else select(F.equal(chosen, k), drawn, out)
        assert out is not None
        return out

    def _log_prob(self, value: Tensor) -> Tensor:
        logs = nn.log_softmax(self._cat.logits)
        terms = [c.log_prob(value) + logs[..., k] for k, c in enumerate(self._components)]
        return math.reduce_logsumexp(arrays.stack(terms, -1), -1)

    def _cdf(self, value: Tensor) -> Tensor:
        parts = zip(self._shares(0), self._components, strict=True)
        return math.add_n([share * c.cdf(value) for share, c in parts])

    def _mean(self) -> Tensor:
        return self._weighted([c.mean() for c in self._components])

    def _weighted(self, values: Sequence[Tensor]) -> Tensor:
        parts = zip(self._shares(self._event_axes()), values, strict=True)
        return functools.reduce(F.add, [share * value for share, value in parts])

    def _variance(self) -> Tensor:
        mean = self._mean()
        return self._weighted([
            c.variance() + math.square(c.mean() - mean) for c in self._components
        ])  # fmt: skip

    def _stddev(self) -> Tensor:
        return math.sqrt(self._variance())

    def entropy_lower_bound(self, name: str = "entropy_lower_bound") -> Tensor:
        """The components' mean entropy, which the mixture's is not below."""
        with self._scope(name):
            shares = zip(self._shares(0), self._components, strict=True)
            return functools.reduce(F.add, [share * c.entropy() for share, c in shares])


def _known_rank(distribution: Distribution) -> int:
    rank = distribution.event_shape.ndims
    if rank is None:
        raise ValueError(f"{distribution.name}: the rank of its events must be known")
    return rank


def _widened(tensor: Tensor, axes: int) -> Tensor:
    for _ in range(axes):
        tensor = F.expand_dims(tensor, axis=-1)
    return tensor


class MixtureSameFamily(Distribution):
    """A mixture whose components are the last batch axis of one distribution.

    Args:
        mixture_distribution: a Categorical over that axis.

    Raises:
        ValueError: no Categorical, no batch axis, or another number of components.
    """

    def __init__(
        self, mixture_distribution: Categorical, components_distribution: Distribution,
        validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "MixtureSameFamily",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        if not isinstance(mixture_distribution, Categorical):
            raise ValueError("`mixture_distribution` must be a Categorical distribution")
        dims = components_distribution.batch_shape.dims_tuple
        if dims is not None and len(dims) < 1:
            raise ValueError("`components_distribution` must have non-scalar batch")
        classes = (mixture_distribution.logits.dims or (None,))[-1]
        if dims is not None and None not in (dims[-1], classes) and dims[-1] != classes:
            raise ValueError(
                f"`mixture_distribution components` ({classes}) does not equal "
                f"`components_distribution.batch_shape[-1]` ({dims[-1]})"
            )
        self._mixture, self._parts = mixture_distribution, components_distribution
        super().__init__(
            components_distribution.dtype, NOT_REPARAMETERIZED, validate_args, allow_nan_stats,
            parameters, name=name,
        )  # fmt: skip

    @property
    def mixture_distribution(self) -> Categorical:
        return self._mixture

    @property
    def components_distribution(self) -> Distribution:
        return self._parts

    def _batch_shape(self) -> Any:
        dims = self._parts.batch_shape.dims_tuple
        return None if dims is None else dims[:-1]

    def _event_shape(self) -> Any:
        return self._parts.event_shape

    def _batch_shape_tensor(self) -> Tensor:
        return self._parts.batch_shape_tensor()[:-1]

    def _event_shape_tensor(self) -> Tensor:
        return self._parts.event_shape_tensor()

    def _padded(self, value: Tensor) -> Tensor:
        """A value with an axis for the components."""
        return F.expand_dims(value, axis=-1 - _known_rank(self._parts))

    def _picked(self, values: Tensor, weights: Tensor) -> Tensor:
        """The sum over components of values times weights [..., components]."""
        axes = _known_rank(self._parts)
        return math.reduce_sum(values * _widened(weights, axes), -1 - axes)

    def _sample_n(self, n: Any, seed: Any = None) -> Tensor:
        shape = n if isinstance(n, int) else F.reshape(n, convert_to_tensor([1]))
        drawn = self._parts.sample(shape, seed)
        chosen = self._mixture.sample(shape, None if seed is None else seed + 1)
        batch = self.batch_shape_tensor()
        if self._mixture.batch_shape.ndims == 0 and self.batch_shape.ndims != 0:
            # one Categorical for all of the batch: each element draws of its own
            many = F.concat(F.reshape(convert_to_tensor(n, int32), convert_to_tensor([1])),
                            batch, axis=0)  # fmt: skip
            chosen = self._mixture.sample(many, None if seed is None else seed + 1)
        classes = F.shape(self._mixture.logits)[-1]
        mask = F.equal(F.expand_dims(chosen, axis=-1), arrays.range(classes))
        axes = _known_rank(self._parts)
        # what is not chosen may be infinite: zero times it is not
        kept = select(_widened(mask, axes), drawn, convert_to_tensor(0, self.dtype))
        return math.reduce_sum(kept, -1 - axes)

    def _log_prob(self, value: Tensor) -> Tensor:
        found = self._parts.log_prob(self._padded(value))
        return math.reduce_logsumexp(found + nn.log_softmax(self._mixture.logits), -1)

    def _cdf(self, value: Tensor) -> Tensor:
        found = self._parts.cdf(self._padded(value))
        return math.reduce_sum(found * nn.softmax(self._mixture.logits), -1)

    def _mean(self) -> Tensor:
        return self._picked(self._parts.mean(), nn.softmax(self._mixture.logits))

    def _variance(self) -> Tensor:
        centred = math.square(self._parts.mean() - self._padded(self._mean()))
        shares = nn.softmax(self._mixture.logits)
        return self._picked(self._parts.variance() + centred, shares)

    def _covariance(self) -> Tensor:
        shares = nn.softmax(self._mixture.logits)
        off = self._parts.mean() - self._padded(self._mean())
        outer = F.expand_dims(off, axis=-1) * F.expand_dims(off, axis=-2)
        both = self._parts.covariance() + outer
        return math.reduce_sum(both * _widened(shares, 2), -3)


# ------------------------------------------------------------------ one value
class Deterministic(Batched):
    """Always `loc`, within atol + rtol |loc| (tf.contrib.distributions.Deterministic)."""

    _axes = 0

    def __init__(
        self, loc: Any, atol: Any = None, rtol: Any = None, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str | None = None,
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        parameters["name"] = name = name or type(self).__name__
        with name_scope(name, values=[loc, atol, rtol]) as scope:
            self._loc = identity(convert_to_tensor(loc), name="loc")
            kind = self._loc.dtype.real_dtype
            self._atol = self._tolerance(atol, kind, "atol", validate_args)
            self._rtol = self._tolerance(rtol, kind, "rtol", validate_args)
        tensor = (self._loc, self._axes)
        event = tensor if self._axes else None
        self._setup(parameters, scope, [tensor], FULLY_REPARAMETERIZED, event)

    @staticmethod
    def _tolerance(value: Any, dtype: Any, name: str, validate: bool) -> Tensor:
        found = convert_to_tensor(0 if value is None else value, dtype, name)
        checks = [assert_non_negative(found, message=f'Argument "{name}" must be non-negative')]
        return behind(checks, found) if validate else found

    @property
    def loc(self) -> Tensor:
        return self._loc

    @property
    def atol(self) -> Tensor:
        return self._atol

    @property
    def rtol(self) -> Tensor:
        return self._rtol

    def _near(self, value: Tensor, compare: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        slack = self._atol + self._rtol * math.abs(self._loc)
        return math.cast(compare(value, slack), self._float())

    def _float(self) -> Any:
        from graphc.ir.dtypes import float32

        return self.dtype if self.dtype.is_floating else float32

    def _sample_n(self, n: Any, seed: Any = None) -> Tensor:
        return F.broadcast_to(self._loc, self._extents(n))

    def _prob(self, value: Tensor) -> Tensor:
        return self._near(value, lambda v, slack: math.abs(v - self._loc) <= slack)

    def _cdf(self, value: Tensor) -> Tensor:
        return self._near(value, lambda v, slack: v >= self._loc - slack)

    def _entropy(self) -> Tensor:
        zero = convert_to_tensor(np.zeros((), self._float().np))
        return F.broadcast_to(zero, self.batch_shape_tensor())

    def _mean(self) -> Tensor:
        return identity(self._loc)

    def _variance(self) -> Tensor:
        return arrays.zeros_like(self._loc)

    def _stddev(self) -> Tensor:
        return arrays.zeros_like(self._loc)

    def _mode(self) -> Tensor:
        return identity(self._loc)


class VectorDeterministic(Deterministic):
    """Always the vector `loc` (tf.contrib.distributions.VectorDeterministic)."""

    _axes = 1

    def _prob(self, value: Tensor) -> Tensor:
        near = self._near(value, lambda v, slack: math.abs(v - self._loc) <= slack)
        return math.reduce_prod(near, -1)

    def _cdf(self, value: Tensor) -> Tensor:
        raise self._missing("cdf")
