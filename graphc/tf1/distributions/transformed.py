"""TransformedDistribution: what a bijector makes of a distribution, and relaxed classes.

Lives here: TransformedDistribution, RelaxedBernoulli, RelaxedOneHotCategorical and its logarithm.
Not here: bijectors (bijector.py and its neighbours).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dtypes import int32
from graphc.ir.node import Tensor
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_math as math
from graphc.tf1 import api_nn as nn
from graphc.tf1 import api_random as random
from graphc.tf1.api_checks import assert_positive
from graphc.tf1.distributions.base import FULLY_REPARAMETERIZED, Distribution, own_parameters
from graphc.tf1.distributions.bijector import Bijector
from graphc.tf1.distributions.bijectors import Exp, Identity, Sigmoid
from graphc.tf1.distributions.normal import Logistic
from graphc.tf1.distributions.parameters import Batched, behind, logits_and_probs
from graphc.tf1.framework import identity
from graphc.tf1.scopes import name_scope

__all__ = [
    "ExpRelaxedOneHotCategorical", "RelaxedBernoulli", "RelaxedOneHotCategorical",
    "TransformedDistribution",
]  # fmt: skip


class TransformedDistribution(Distribution):
    """Samples of a distribution, put through a bijector (tf.contrib.distributions).

    Args:
        bijector: default Identity. batch_shape: for a distribution of scalar batch: as many
            independent ones. event_shape: for one of scalar events: events of that shape.

    Raises:
        ValueError: batch_shape (event_shape) for a distribution whose own is not scalar.
    """

    def __init__(
        self, distribution: Distribution, bijector: Bijector | None = None, batch_shape: Any = None,
        event_shape: Any = None, validate_args: bool = False, name: str | None = None,
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        self._distribution = distribution
        self._bijector = bijector or Identity()
        self._more_batch = None if batch_shape is None else TensorShape(batch_shape)
        self._more_event = None if event_shape is None else TensorShape(event_shape)
        for given, own, what in (
            (self._more_batch, distribution.batch_shape, "batch"),
            (self._more_event, distribution.event_shape, "event"),
        ):
            if given is not None and own.ndims not in (0, None):
                raise ValueError(
                    f"{what}_shape may only be given for a distribution whose {what}_shape is "
                    f"scalar, not {own}"
                )
        default = f"{self._bijector.name}{distribution.name}".rstrip("/")
        super().__init__(
            distribution.dtype, distribution.reparameterization_type, validate_args,
            distribution.allow_nan_stats, parameters, name=name or default,
        )  # fmt: skip

    @property
    def distribution(self) -> Distribution:
        """What the samples are of before they are transformed."""
        return self._distribution

    @property
    def bijector(self) -> Bijector:
        return self._bijector

    # ------------------------------------------------------------ shapes
    def _base_event(self) -> TensorShape:
        own = self._distribution.event_shape
        return own if self._more_event is None else self._more_event

    def _batch_shape(self) -> Any:
        return self._distribution.batch_shape if self._more_batch is None else self._more_batch

    def _event_shape(self) -> Any:
        return self._bijector.forward_event_shape(self._base_event())

    def _batch_shape_tensor(self) -> Tensor:
        return self._distribution.batch_shape_tensor()

    def _event_shape_tensor(self) -> Tensor:
        own = self._distribution.event_shape_tensor()
        if self._more_event is not None:
            own = convert_to_tensor(np.array(self._more_event.as_list(), np.int32))
        return self._bijector.forward_event_shape_tensor(own)

    def _event_axes(self) -> int:
        rank = self._base_event().ndims
        if rank is None:
            raise ValueError(f"{self.name}: the rank of its events must be known")
        return rank

    # ------------------------------------------------------------ the distribution
    def _sample_n(self, n: Any, seed: Any = None) -> Tensor:
        return self._bijector.forward(self._base_sample(n, seed))

    def _base_sample(self, n: Any, seed: Any) -> Tensor:
        count = F.reshape(convert_to_tensor(n, int32), convert_to_tensor([1], int32))
        extra = [
            convert_to_tensor(np.array(s.as_list(), np.int32))
            for s in (self._more_batch, self._more_event)
            if s is not None and s.ndims
        ]
        if not extra:
            return self._distribution.sample(count, seed)
        drawn = self._distribution.sample(F.concat(count, *extra, axis=0), seed)
        own = self._distribution.batch_shape.ndims or 0
        if self._more_event is None or not own:
            return drawn
        # [n, event, batch] -> [n, batch, event]
        axes = self._more_event.ndims or 0
        order = (0, *range(axes + 1, axes + 1 + own), *range(1, axes + 1))
        return F.transpose(drawn, perm=order)

    def _log_prob(self, value: Tensor) -> Tensor:
        x = self._bijector.inverse(value)
        axes = self._event_axes()
        found = self._base_log_prob(x)
        out_axes = self._event_shape().ndims
        jacobian = self._bijector.inverse_log_det_jacobian(
            value, axes if out_axes is None else out_axes
        )
        return found + jacobian

    def _base_log_prob(self, x: Tensor) -> Tensor:
        if self._more_event is None or not self._more_event.ndims:
            return self._distribution.log_prob(x)
        axes = self._more_event.ndims
        own = self._distribution.batch_shape.ndims or 0
        if own and x.rank is not None:
            # the distribution's batch is matched with the last axes
            first = x.rank - own - axes
            order = (
                *range(first), *range(first + own, x.rank), *range(first, first + own)
            )  # fmt: skip
            found = self._distribution.log_prob(F.transpose(x, perm=order))
            summed = tuple(range(first, first + axes))
            return math.reduce_sum(found, summed)
        return math.reduce_sum(self._distribution.log_prob(x), [-1 - k for k in range(axes)])

    def _cdf(self, value: Tensor) -> Tensor:
        if self._event_axes():
            raise NotImplementedError("cdf is not implemented when overriding event_shape")
        return self._distribution.cdf(self._bijector.inverse(value))

    def _survival_function(self, value: Tensor) -> Tensor:
        if self._event_axes():
            raise self._missing("survival_function")
        return self._distribution.survival_function(self._bijector.inverse(value))

    def _quantile(self, value: Tensor) -> Tensor:
        if self._event_axes():
            raise self._missing("quantile")
        return self._bijector.forward(self._distribution.quantile(value))

    def _mean(self) -> Tensor:
        if not self._bijector.is_constant_jacobian:
            raise NotImplementedError(
                "mean is not implemented for non-affine bijectors"
            )
        return self._bijector.forward(self._distribution.mean())

    def _entropy(self) -> Tensor:
        if not self._bijector.is_constant_jacobian:
            raise NotImplementedError("entropy is not implemented")
        if self._more_event is not None or self._more_batch is not None:
            raise self._missing("entropy")
        zero = F.zeros_like(self._distribution.mean())
        return self._distribution.entropy() + self._bijector.forward_log_det_jacobian(
            zero, self._event_axes()
        )


# ------------------------------------------------------------------ relaxed classes
def _temperature(value: Any, dtype: Any, validate_args: bool) -> Tensor:
    found = identity(convert_to_tensor(value, dtype), name="temperature")
    return behind([assert_positive(found)], found) if validate_args else found


class RelaxedBernoulli(TransformedDistribution):
    """Numbers between 0 and 1 that come near a Bernoulli's as the temperature falls.

    Args:
        temperature: positive. logits, probs: one of the two.

    Raises:
        ValueError: both logits and probs are given, or none.
    """

    def __init__(
        self, temperature: Any, logits: Any = None, probs: Any = None,
        validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "RelaxedBernoulli",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name, values=[logits, probs, temperature]) as scope:
            self._logits, self._probs = logits_and_probs(logits, probs, validate_args)
            self._temperature = _temperature(temperature, self._logits.dtype, validate_args)
            base = Logistic(
                self._logits / self._temperature, 1.0 / self._temperature, validate_args,
                allow_nan_stats, "Logistic",
            )  # fmt: skip
        super().__init__(base, Sigmoid(validate_args), validate_args=validate_args, name=scope)
        self._parameters = own_parameters(parameters)

    @staticmethod
    def _param_shapes(sample_shape: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        return {"logits": sample_shape}

    @property
    def temperature(self) -> Tensor:
        return self._temperature

    @property
    def logits(self) -> Tensor:
        return self._logits

    @property
    def probs(self) -> Tensor:
        return self._probs


class ExpRelaxedOneHotCategorical(Batched):
    """The logarithms of RelaxedOneHotCategorical's samples, which do not underflow."""

    def __init__(
        self, temperature: Any, logits: Any = None, probs: Any = None, dtype: Any = None,
        validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "ExpRelaxedOneHotCategorical",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name, values=[logits, probs, temperature]) as scope:
            self._logits, self._probs = logits_and_probs(logits, probs, validate_args, True)
            self._temperature = _temperature(temperature, self._logits.dtype, validate_args)
        tensor = (self._logits, 1)
        self._setup(
            parameters, scope, [(self._temperature, 0), tensor], FULLY_REPARAMETERIZED, tensor
        )

    @property
    def temperature(self) -> Tensor:
        return self._temperature

    @property
    def logits(self) -> Tensor:
        return self._logits

    @property
    def probs(self) -> Tensor:
        return self._probs

    @property
    def event_size(self) -> Tensor:
        return F.shape(self._logits)[-1]

    def _sample_n(self, n: Any, seed: Any = None) -> Tensor:
        tiny = np.finfo(self.dtype.np).tiny
        u = random.random_uniform(self._extents(n), tiny, 1, self.dtype, seed)
        gumbel = -math.log(-math.log(u))
        return nn.log_softmax((gumbel + self._logits) / F.expand_dims(self._temperature, axis=-1))

    def _log_prob(self, value: Tensor) -> Tensor:
        """Maddison, Mnih and Teh, The Concrete Distribution, 2016."""
        size = math.cast(self.event_size, self.dtype)
        scores = nn.log_softmax(
            self._logits - value * F.expand_dims(self._temperature, axis=-1)
        )
        constant = math.lgamma(size) + math.log(self._temperature) * (size - 1.0)
        return math.reduce_sum(scores, -1) + constant


class RelaxedOneHotCategorical(TransformedDistribution):
    """Proportions of classes that come near a OneHotCategorical's as the temperature falls.

    Args:
        temperature: positive. logits, probs: [..., classes]; one of the two.

    Raises:
        ValueError: both logits and probs are given, or none.
    """

    def __init__(
        self, temperature: Any, logits: Any = None, probs: Any = None, dtype: Any = None,
        validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "RelaxedOneHotCategorical",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        base = ExpRelaxedOneHotCategorical(
            temperature, logits, probs, dtype, validate_args, allow_nan_stats, f"{name}/exp"
        )
        super().__init__(base, Exp(validate_args), validate_args=validate_args, name=name)
        self._parameters = own_parameters(parameters)

    @property
    def temperature(self) -> Tensor:
        return self._exp_base.temperature

    @property
    def _exp_base(self) -> ExpRelaxedOneHotCategorical:
        assert isinstance(self._distribution, ExpRelaxedOneHotCategorical)
        return self._distribution

    @property
    def logits(self) -> Tensor:
        return self._exp_base.logits

    @property
    def probs(self) -> Tensor:
        return self._exp_base.probs

    @property
    def event_size(self) -> Tensor:
        return self._exp_base.event_size
