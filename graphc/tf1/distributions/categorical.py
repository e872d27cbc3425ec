"""Distributions over classes: Categorical, OneHotCategorical, Multinomial.

Lives here: those classes. Not here: the Dirichlet ones (dirichlet.py), what they share
(parameters.py), divergences (kl.py).
"""

from __future__ import annotations

from typing import Any

from graphc.ir.dtypes import as_dtype, int32, int64
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.ops.values import value_of
from graphc.tf1 import api_array as arrays
from graphc.tf1 import api_math as math
from graphc.tf1 import api_nn as nn
from graphc.tf1 import api_random as random
from graphc.tf1.api_checks import assert_less_equal, assert_near, assert_non_negative
from graphc.tf1.distributions.base import NOT_REPARAMETERIZED
from graphc.tf1.distributions.parameters import (
    Batched,
    behind,
    integers,
    logits_and_probs,
    select,
)
from graphc.tf1.framework import identity
from graphc.tf1.scopes import name_scope

__all__ = ["Categorical", "Multinomial", "OneHotCategorical"]


class _Classes(Batched):
    """What distributions over classes share: `logits` and `probs`, classes on the last axis."""

    _logits: Tensor
    _probs: Tensor

    @staticmethod
    def _param_shapes(sample_shape: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        return {"logits": sample_shape}

    @property
    def logits(self) -> Tensor:
        """Logarithms of the probabilities, up to a constant."""
        return self._logits

    @property
    def probs(self) -> Tensor:
        return self._probs

    @property
    def event_size(self) -> Tensor:
        """The number of classes."""
        return F.shape(self._logits)[-1]

    def _log_probs(self) -> Tensor:
        return nn.log_softmax(self._logits)

    def _class_numbers(self, n: Any, seed: Any) -> Tensor:
        """n class numbers of each batch element: [n] + batch_shape."""
        wide = F.reshape(self._logits, arrays.stack([-1, self.event_size]))
        drawn = F.transpose(random.multinomial(wide, n, seed), perm=(1, 0))
        return F.reshape(drawn, self._extents(n, event=False))


class Categorical(_Classes):
    """Numbers of classes (tf.distributions.Categorical).

    Args:
        logits, probs: [..., classes]; one of the two. dtype: of the samples.

    Raises:
        ValueError: both logits and probs are given, or none; a scalar.
    """

    def __init__(
        self, logits: Any = None, probs: Any = None, dtype: Any = int32,
        validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Categorical",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name, values=[logits, probs]) as scope:
            self._logits, self._probs = logits_and_probs(logits, probs, validate_args, True)
        self._setup(
            parameters, scope, [(self._logits, 1)], NOT_REPARAMETERIZED, dtype=as_dtype(dtype)
        )

    def _sample_n(self, n: Any, seed: Any = None) -> Tensor:
        return math.cast(self._class_numbers(n, seed), self.dtype)

    def _log_prob(self, value: Tensor) -> Tensor:
        numbers, wide = self._joined(value, self._log_probs())
        at = F.expand_dims(math.cast(numbers, int64), axis=-1)
        return F.squeeze(arrays.batch_gather(wide, at), axes=(-1,))

    def _cdf(self, value: Tensor) -> Tensor:
        numbers, wide = self._joined(value, nn.softmax(self._logits))
        classes = arrays.range(self.event_size)
        below = F.expand_dims(math.cast(numbers, int32), axis=-1) > classes
        return math.reduce_sum(select(below, wide, 0.0), -1)

    def _joined(self, value: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Class numbers and scores, each with the batch axes of both."""
        numbers = self._checked(
            value, assert_non_negative, *(() if value.dtype.is_integer else (integers,)),
            lambda v: assert_less_equal(math.cast(v, int32), self.event_size - 1),
        )  # fmt: skip
        if numbers.dims is not None and scores.dims is not None:
            if numbers.dims == scores.dims[:-1] and None not in numbers.dims:
                return numbers, scores
        batch = F.broadcast_args(F.shape(numbers), F.shape(scores)[:-1])
        return F.broadcast_to(numbers, batch), F.broadcast_to(
            scores, F.concat(batch, F.shape(scores)[-1:], axis=0)
        )

    def _entropy(self) -> Tensor:
        return -math.reduce_sum(math.multiply_no_nan(self._log_probs(), self._probs), -1)

    def _mode(self) -> Tensor:
        """The number of the most probable class, the first of equals."""
        return math.cast(math.argmax(self._logits, -1), self.dtype)


class OneHotCategorical(_Classes):
    """Classes as vectors with a one at the class's place (tf.contrib.distributions).

    Raises:
        ValueError: both logits and probs are given, or none; a scalar.
    """

    def __init__(
        self, logits: Any = None, probs: Any = None, dtype: Any = int32,
        validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "OneHotCategorical",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name, values=[logits, probs]) as scope:
            self._logits, self._probs = logits_and_probs(logits, probs, validate_args, True)
        self._setup(
            parameters, scope, [(self._logits, 1)], NOT_REPARAMETERIZED, (self._logits, 1),
            as_dtype(dtype),
        )  # fmt: skip

    def _one_hot(self, numbers: Tensor) -> Tensor:
        count = value_of(self.event_size)
        depth = self.event_size if count is None or count.dtype == object else int(count)
        return arrays.one_hot(numbers, depth, dtype=self.dtype)

    def _sample_n(self, n: Any, seed: Any = None) -> Tensor:
        return self._one_hot(self._class_numbers(n, seed))

    def _log_prob(self, value: Tensor) -> Tensor:
        one = self._checked(
            value, assert_non_negative,
            lambda v: assert_near(
                math.reduce_sum(math.cast(v, self._logits.dtype), -1),
                convert_to_tensor(1, self._logits.dtype), message="sample does not sum to 1. ",
            ),
        )  # fmt: skip
        weights = math.cast(one, self._logits.dtype)
        return math.reduce_sum(math.multiply_no_nan(self._log_probs(), weights), -1)

    def _entropy(self) -> Tensor:
        return -math.reduce_sum(math.multiply_no_nan(self._log_probs(), self._probs), -1)

    def _mean(self) -> Tensor:
        return identity(self._probs)

    def _variance(self) -> Tensor:
        return self._probs * (1 - self._probs)

    def _covariance(self) -> Tensor:
        p = self._probs
        outer = F.expand_dims(p, axis=-1) * F.expand_dims(p, axis=-2)
        return arrays.matrix_set_diag(-outer, self._variance())

    def _mode(self) -> Tensor:
        return self._one_hot(math.argmax(self._logits, -1))


class Multinomial(_Classes):
    """How often each class comes in `total_count` draws (tf.distributions.Multinomial).

    Raises:
        ValueError: both logits and probs are given, or none.
    """

    def __init__(
        self, total_count: Any, logits: Any = None, probs: Any = None,
        validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Multinomial",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name, values=[total_count, logits, probs]) as scope:
            self._logits, self._probs = logits_and_probs(logits, probs, validate_args, True)
            total = convert_to_tensor(total_count, self._probs.dtype, "total_count")
            self._total = behind(counts_checks(total), total) if validate_args else total
            self._mean_val = F.expand_dims(self._total, axis=-1) * self._probs
        self._setup(
            parameters, scope, [(self._total, 0), (self._probs, 1)], NOT_REPARAMETERIZED,
            (self._probs, 1),
        )  # fmt: skip

    @property
    def total_count(self) -> Tensor:
        return self._total

    def _sample_n(self, n: Any, seed: Any = None) -> Tensor:
        return draw_counts(self, self._total, self._probs, n, seed)

    def _log_prob(self, value: Tensor) -> Tensor:
        counts = checked_counts(self, value, self._total)
        found = math.reduce_sum(math.multiply_no_nan(self._log_probs(), counts), -1)
        return found + log_combinations(self._total, counts)

    def _mean(self) -> Tensor:
        return identity(self._mean_val)

    def _variance(self) -> Tensor:
        return self._mean_val - self._mean_val * self._probs

    def _covariance(self) -> Tensor:
        p = self._probs * F.expand_dims(F.ones_like(self._total), axis=-1)
        outer = F.expand_dims(self._mean_val, axis=-1) * F.expand_dims(p, axis=-2)
        return arrays.matrix_set_diag(-outer, self._variance())


def counts_checks(total: Tensor) -> list[Any]:
    return [
        assert_non_negative(total, message="total_count must be non-negative."),
        integers(total),
    ]


def checked_counts(owner: Batched, value: Tensor, total: Tensor) -> Tensor:
    """Counts of classes, behind checks where arguments are validated."""
    return owner._checked(
        value, lambda v: assert_non_negative(v, message="counts must be non-negative."), integers,
        lambda v: assert_near(
            math.reduce_sum(v, -1), total + F.zeros_like(math.reduce_sum(v, -1)),
            message="counts must sum to `self.total_count`",
        ),
    )  # fmt: skip


def log_combinations(total: Tensor, counts: Tensor) -> Tensor:
    """The logarithm of how many sequences of draws have these counts."""
    return math.lgamma(total + 1.0) - math.reduce_sum(math.lgamma(counts + 1.0), -1)


def draw_counts(owner: Batched, total: Tensor, probs: Tensor, n: Any, seed: Any) -> Tensor:
    """n vectors of counts: class by class, how many of the remaining draws are of it.

    `probs` may have an axis of n before those of the batch.
    """
    extents = owner._extents(n, event=False)
    p = F.broadcast_to(
        probs, F.concat(extents, owner.event_shape_tensor(), axis=0)
    )
    classes = owner.event_shape[0].value
    if classes is None:
        raise NotImplementedError("the number of classes must be known when the graph is built")
    left = F.broadcast_to(total, extents)
    rest = convert_to_tensor(1.0, p.dtype) + F.zeros_like(left)
    out = []
    for k in range(classes - 1):
        share = p[..., k]
        chance = math.minimum(select(rest > 0, share / select(rest > 0, rest, 1.0), 0.0), 1.0)
        state = random._state(None if seed is None else seed + k)
        drawn = F.random_binomial(extents, left, chance, state, dtype=p.dtype)
        out.append(drawn)
        left, rest = left - drawn, math.maximum(rest - share, 0.0)
    return arrays.stack([*out, left], axis=-1)


