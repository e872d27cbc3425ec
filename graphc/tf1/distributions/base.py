"""Distribution: what all distributions share (tf.distributions.Distribution).

Lives here: the base class and its methods' fallbacks. Not here: distributions (the other modules of
this package), divergences (kl.py).

A subclass defines `_sample_n`, `_log_prob` or `_prob` and so on; the public methods open scopes,
convert values and fall back on what else is defined.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType, as_dtype, int32
from graphc.ir.node import Tensor
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.ops.define import F
from graphc.tf1 import api_math as math
from graphc.tf1.arguments import index_tensor, static_ints
from graphc.tf1.scopes import name_scope

__all__ = ["FULLY_REPARAMETERIZED", "NOT_REPARAMETERIZED", "Distribution", "ReparameterizationType"]


class ReparameterizationType:
    """Whether gradients flow through samples (tf.distributions.ReparameterizationType)."""

    def __init__(self, rep_type: str) -> None:
        self._rep_type = rep_type

    def __repr__(self) -> str:
        return f"<Reparameterization Type: {self._rep_type}>"


FULLY_REPARAMETERIZED = ReparameterizationType("FULLY_REPARAMETERIZED")
NOT_REPARAMETERIZED = ReparameterizationType("NOT_REPARAMETERIZED")


class Distribution:
    """A batch of distributions (tf.distributions.Distribution).

    A sample has the shape sample_shape + batch_shape + event_shape.

    Args:
        dtype: of samples. reparameterization_type: FULLY_REPARAMETERIZED or NOT_REPARAMETERIZED.
        validate_args: check parameters and values when run. allow_nan_stats: undefined statistics
            are NaN; else they are errors when run. parameters: what the constructor was given.
        graph_parents: tensors it is made of. name: scope of its ops.
    """

    def __init__(
        self,
        dtype: Any,
        reparameterization_type: ReparameterizationType,
        validate_args: bool,
        allow_nan_stats: bool,
        parameters: Mapping[str, Any] | None = None,
        graph_parents: Sequence[Any] | None = None,
        name: str | None = None,
    ) -> None:
        self._dtype = as_dtype(dtype)
        self._reparameterization_type = reparameterization_type
        self._validate_args = validate_args
        self._allow_nan_stats = allow_nan_stats
        self._parameters = own_parameters(parameters or {})
        self._graph_parents = list(graph_parents or ())
        if not name or not name.endswith("/"):
            with name_scope(name or type(self).__name__) as name:
                pass
        self._name = name

    # ------------------------------------------------------------ what it is
    @property
    def name(self) -> str:
        """Its scope, with the slash at the end."""
        return self._name

    @property
    def dtype(self) -> DType:
        return self._dtype

    @property
    def parameters(self) -> dict[str, Any]:
        """What the constructor was given."""
        return dict(self._parameters)

    @property
    def reparameterization_type(self) -> ReparameterizationType:
        return self._reparameterization_type

    @property
    def allow_nan_stats(self) -> bool:
        return self._allow_nan_stats

    @property
    def validate_args(self) -> bool:
        return self._validate_args

    def copy(self, **override_parameters_kwargs: Any) -> Any:
        """The same distribution with some parameters of the constructor replaced."""
        return type(self)(**{**self._parameters, **override_parameters_kwargs})

    def _texts(self) -> tuple[str, ...]:
        return type(self).__name__, self.name, str(self.batch_shape), str(self.event_shape)

    def __str__(self) -> str:
        kind, name, batch, event = self._texts()
        return (
            f'tfp.distributions.{kind}("{name}", batch_shape={batch}, event_shape={event}, '
            f"dtype={self.dtype.name})"
        )

    def __repr__(self) -> str:
        kind, name, batch, event = self._texts()
        return (
            f"<tfp.distributions.{kind} '{name}' batch_shape={batch} event_shape={event} "
            f"dtype={self.dtype.name}>"
        )

    # ------------------------------------------------------------ shapes
    @property
    def batch_shape(self) -> TensorShape:
        """The shape of one sample without its event's, as far as the graph knows."""
        return TensorShape(self._batch_shape())

    @property
    def event_shape(self) -> TensorShape:
        """The shape of one event, as far as the graph knows."""
        return TensorShape(self._event_shape())

    def batch_shape_tensor(self, name: str = "batch_shape_tensor") -> Tensor:
        with self._scope(name):
            known = self.batch_shape
            return _constant(known) if known.is_fully_defined() else self._batch_shape_tensor()

    def event_shape_tensor(self, name: str = "event_shape_tensor") -> Tensor:
        with self._scope(name):
            known = self.event_shape
            return _constant(known) if known.is_fully_defined() else self._event_shape_tensor()

    def is_scalar_event(self, name: str = "is_scalar_event") -> Tensor:
        """Whether event_shape is []."""
        return self._is_scalar(self.event_shape, self.event_shape_tensor, name)

    def is_scalar_batch(self, name: str = "is_scalar_batch") -> Tensor:
        """Whether batch_shape is []."""
        return self._is_scalar(self.batch_shape, self.batch_shape_tensor, name)

    def _is_scalar(self, known: TensorShape, tensor: Callable[[], Tensor], name: str) -> Tensor:
        if known.ndims is not None:
            with self._scope(name):
                return convert_to_tensor(known.ndims == 0, name=name)
        rank = F.size(tensor())
        with self._scope(name):
            return F.equal(rank, 0)

    def _batch_shape(self) -> Any:
        return None

    def _event_shape(self) -> Any:
        return None

    def _batch_shape_tensor(self) -> Tensor:
        raise self._missing("batch_shape_tensor")

    def _event_shape_tensor(self) -> Tensor:
        raise self._missing("event_shape_tensor")

    # ------------------------------------------------------------ scopes and values
    @contextlib.contextmanager
    def _scope(self, name: str, values: Sequence[Any] = ()) -> Iterator[str]:
        tensors = [*values, *self._graph_parents]
        with name_scope(self._name, values=tensors), name_scope(name) as scope:
            yield scope

    def _missing(self, what: str) -> NotImplementedError:
        return NotImplementedError(f"{what} is not implemented: {type(self).__name__}")

    def _value(self, value: Any) -> Tensor:
        """A value of samples as a tensor; numbers become the distribution's dtype."""
        if is_tensor_like(value):
            return convert_to_tensor(value)
        return convert_to_tensor(value, name="value", preferred_dtype=self.dtype)

    # ------------------------------------------------------------ samples
    def sample(self, sample_shape: Any = (), seed: Any = None, name: str = "sample") -> Tensor:
        """Samples: sample_shape + batch_shape + event_shape.

        Args:
            sample_shape: a number, a list or an int32 tensor. seed: an op seed.

        Raises:
            NotImplementedError: the distribution has no samples.
        """
        with self._scope(name):
            extents = F.cast(index_tensor(sample_shape), dtype=int32)
            extents = F.reshape(extents, convert_to_tensor([-1], int32))
            count = _product(extents)
            drawn = self._sample_n(count, seed)
            full = F.concat(extents, F.shape(drawn)[1:], axis=0)
            return F.reshape(drawn, full)

    def _sample_n(self, n: Any, seed: Any = None) -> Tensor:
        raise self._missing("sample_n")

    # ------------------------------------------------------------ functions of a value
    def log_prob(self, value: Any, name: str = "log_prob") -> Tensor:
        """The logarithm of the density or probability of a value."""
        return self._of(value, name, [self._log_prob, lambda v: math.log(self._prob(v))])

    def prob(self, value: Any, name: str = "prob") -> Tensor:
        """The density or probability of a value."""
        return self._of(value, name, [self._prob, lambda v: math.exp(self._log_prob(v))])

    def log_cdf(self, value: Any, name: str = "log_cdf") -> Tensor:
        """log P[X <= value]."""
        return self._of(value, name, [self._log_cdf, lambda v: math.log(self._cdf(v))])

    def cdf(self, value: Any, name: str = "cdf") -> Tensor:
        """P[X <= value]."""
        return self._of(value, name, [self._cdf, lambda v: math.exp(self._log_cdf(v))])

    def log_survival_function(self, value: Any, name: str = "log_survival_function") -> Tensor:
        """log P[X > value]."""
        fallback = [
            self._log_survival_function, lambda v: math.log(self._survival_function(v)),
            lambda v: math.log1p(-self._cdf(v)), lambda v: math.log1p(-math.exp(self._log_cdf(v))),
        ]  # fmt: skip
        return self._of(value, name, fallback)

    def survival_function(self, value: Any, name: str = "survival_function") -> Tensor:
        """P[X > value]."""
        fallback = [
            self._survival_function, lambda v: math.exp(self._log_survival_function(v)),
            lambda v: 1 - self._cdf(v), lambda v: 1 - math.exp(self._log_cdf(v)),
        ]  # fmt: skip
        return self._of(value, name, fallback)

    def quantile(self, value: Any, name: str = "quantile") -> Tensor:
        """The x with P[X <= x] = value."""
        return self._of(value, name, [self._quantile])

    def _of(self, value: Any, name: str, ways: Sequence[Callable[[Tensor], Tensor]]) -> Tensor:
        with self._scope(name, [value]):
            tensor = self._value(value)
            return _first([lambda way=way: way(tensor) for way in ways])  # type: ignore[misc]

    def _log_prob(self, value: Tensor) -> Tensor:
        raise self._missing("log_prob")

    def _prob(self, value: Tensor) -> Tensor:
        raise self._missing("prob")

    def _log_cdf(self, value: Tensor) -> Tensor:
        raise self._missing("log_cdf")

    def _cdf(self, value: Tensor) -> Tensor:
        raise self._missing("cdf")

    def _log_survival_function(self, value: Tensor) -> Tensor:
        raise self._missing("log_survival_function")

    def _survival_function(self, value: Tensor) -> Tensor:
        raise self._missing("survival_function")

    def _quantile(self, value: Tensor) -> Tensor:
        raise self._missing("quantile")

    # ------------------------------------------------------------ statistics
    def entropy(self, name: str = "entropy") -> Tensor:
        """Shannon's entropy in nats."""
        return self._statistic(name, [self._entropy])

    def mean(self, name: str = "mean") -> Tensor:
        return self._statistic(name, [self._mean])

    def variance(self, name: str = "variance") -> Tensor:
        return self._statistic(name, [self._variance, lambda: math.square(self._stddev())])

    def stddev(self, name: str = "stddev") -> Tensor:
        """The standard deviation."""
        return self._statistic(name, [self._stddev, lambda: math.sqrt(self._variance())])

    def covariance(self, name: str = "covariance") -> Tensor:
        """The covariance of an event's elements: batch_shape + [k, k]."""
        return self._statistic(name, [self._covariance])

    def mode(self, name: str = "mode") -> Tensor:
        """A most probable value."""
        return self._statistic(name, [self._mode])

    def _statistic(self, name: str, ways: Sequence[Callable[[], Tensor]]) -> Tensor:
        with self._scope(name):
            return _first(ways)

    def _entropy(self) -> Tensor:
        raise self._missing("entropy")

    def _mean(self) -> Tensor:
        raise self._missing("mean")

    def _variance(self) -> Tensor:
        raise self._missing("variance")

    def _stddev(self) -> Tensor:
        raise self._missing("stddev")

    def _covariance(self) -> Tensor:
        raise self._missing("covariance")

    def _mode(self) -> Tensor:
        raise self._missing("mode")

    # ------------------------------------------------------------ two distributions
    def kl_divergence(self, other: Distribution, name: str = "kl_divergence") -> Tensor:
        """KL(self || other): the expected log of self's density over other's.

        Raises:
            NotImplementedError: no formula is registered for the two.
        """
        from graphc.tf1.distributions.kl import kl_divergence

        with self._scope(name):
            return kl_divergence(self, other, allow_nan_stats=self._allow_nan_stats)

    def cross_entropy(self, other: Distribution, name: str = "cross_entropy") -> Tensor:
        """The entropy of self plus KL(self || other)."""
        from graphc.tf1.distributions.kl import cross_entropy

        with self._scope(name):
            return cross_entropy(self, other, allow_nan_stats=self._allow_nan_stats)

    # ------------------------------------------------------------ shapes of parameters
    @classmethod
    def param_shapes(
        cls, sample_shape: Any, name: str = "DistributionParamShapes"
    ) -> dict[str, Tensor]:
        """The shapes of parameters that give samples of this shape, by name.

        Raises:
            NotImplementedError: the distribution does not say.
        """
        with name_scope(name):
            return cls._param_shapes(convert_to_tensor(sample_shape, int32))

    @classmethod
    def param_static_shapes(cls, sample_shape: Any) -> dict[str, TensorShape]:
        """As param_shapes, for a shape that the graph knows."""
        shape = TensorShape(sample_shape) if isinstance(sample_shape, TensorShape) else None
        dims = shape.as_list() if shape is not None else list(static_ints(sample_shape, "shape"))
        found = cls._param_shapes(convert_to_tensor(dims, int32))
        return {k: TensorShape(static_ints(v, "shape")) for k, v in found.items()}

    @classmethod
    def _param_shapes(cls, sample_shape: Tensor) -> dict[str, Tensor]:
        raise NotImplementedError(f"_param_shapes is not implemented: {cls.__name__}")


def own_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A constructor's locals without self and Python's own names."""
    return {
        k: v for k, v in parameters.items() if k != "self" and not k.startswith("__")
    }


def _first(ways: Sequence[Callable[[], Tensor]]) -> Tensor:
    """What the first way gives that is implemented; the error of the first where none is."""
    error: NotImplementedError | None = None
    for way in ways:
        try:
            return way()
        except NotImplementedError as err:
            error = error or err
    assert error is not None
    raise error


def _constant(shape: TensorShape) -> Tensor:
    return convert_to_tensor(np.array(shape.as_list(), np.int32))


def _product(extents: Tensor) -> Any:
    """The number of samples: an int where the graph knows it."""
    from graphc.ops.values import value_of

    known = value_of(extents)
    if known is not None and all(isinstance(d, int | np.integer) for d in known.tolist()):
        return int(np.prod(known, dtype=np.int64))
    return F.reduce_prod(extents, axes=None, keepdims=False)
