"""Multivariate normal distributions, by the factor of their covariance.

Lives here: MultivariateNormalLinearOperator, -Diag, -TriL, -FullCovariance, -DiagPlusLowRank. Not
here: the factors (tf1/linear_operator*.py).
"""

from __future__ import annotations

import math as numbers
from typing import Any

from graphc.ir.dtypes import int32
from graphc.ir.node import Tensor
from graphc.ir.shape import broadcast_shapes
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_array as arrays
from graphc.tf1 import api_linalg as linalg
from graphc.tf1 import api_math as math
from graphc.tf1 import api_nn as nn
from graphc.tf1 import api_random as random
from graphc.tf1.api_checks import assert_near, assert_positive
from graphc.tf1.distributions.base import FULLY_REPARAMETERIZED, Distribution, own_parameters
from graphc.tf1.distributions.parameters import behind, common_dtype
from graphc.tf1.linear_operator import LinearOperator, LinearOperatorLowerTriangular
from graphc.tf1.linear_operator_diag import LinearOperatorDiag, LinearOperatorScaledIdentity
from graphc.tf1.linear_operator_joined import LinearOperatorLowRankUpdate
from graphc.tf1.scopes import name_scope

__all__ = [
    "MultivariateNormalDiag", "MultivariateNormalDiagPlusLowRank",
    "MultivariateNormalDiagWithSoftplusScale", "MultivariateNormalFullCovariance",
    "MultivariateNormalLinearOperator", "MultivariateNormalTriL",
]  # fmt: skip


class MultivariateNormalLinearOperator(Distribution):
    """loc + scale z for independent standard normal z (tf.contrib.distributions).

    Args:
        loc: [..., k], default zeros. scale: a LinearOperator, k x k.

    Raises:
        ValueError: no scale. TypeError: one of no floats.
    """

    def __init__(
        self, loc: Any = None, scale: LinearOperator | None = None, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str = "MultivariateNormalLinearOperator",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        if scale is None:
            raise ValueError("Missing required `scale` parameter.")
        if not scale.dtype.is_floating:
            raise TypeError("`scale` parameter must have floating-point dtype.")
        with name_scope(name, values=[loc, *scale.graph_parents]) as scope:
            self._given = None if loc is None else convert_to_tensor(loc, scale.dtype, "loc")
        self._scale = scale
        super().__init__(
            scale.dtype, FULLY_REPARAMETERIZED, validate_args, allow_nan_stats, parameters,
            name=scope,
        )  # fmt: skip

    @property
    def loc(self) -> Tensor | None:
        """The mean; None where it was not given and is zero."""
        return self._given

    @property
    def scale(self) -> LinearOperator:
        """The factor of the covariance."""
        return self._scale

    # ------------------------------------------------------------ shapes
    def _batch_shape(self) -> Any:
        loc = self._given.dims if self._given is not None else (None,)
        own = None if loc is None else loc[:-1]
        return broadcast_shapes(self._scale.batch_shape.dims_tuple, own)

    def _event_shape(self) -> Any:
        size = self._scale.domain_dimension.value
        if size is None and self._given is not None and self._given.dims is not None:
            size = self._given.dims[-1]
        return (size,)

    def _batch_shape_tensor(self) -> Tensor:
        own = self._scale.batch_shape_tensor()
        return own if self._given is None else F.broadcast_args(own, F.shape(self._given)[:-1])

    def _event_shape_tensor(self) -> Tensor:
        return F.reshape(self._scale.domain_dimension_tensor(), convert_to_tensor([1], int32))

    def _wide(self, vectors: Tensor) -> Tensor:
        """Vectors [..., k] with the axes of the batch."""
        full = F.concat(self.batch_shape_tensor(), self.event_shape_tensor(), axis=0)
        return F.broadcast_to(vectors, full)

    # ------------------------------------------------------------ the distribution
    def _sample_n(self, n: Any, seed: Any = None) -> Tensor:
        count = F.reshape(convert_to_tensor(n, int32), convert_to_tensor([1], int32))
        full = F.concat(count, self.batch_shape_tensor(), self.event_shape_tensor(), axis=0)
        z = random.random_normal(full, dtype=self.dtype, seed=seed)
        drawn = self._scale.matvec(z)
        return drawn if self._given is None else drawn + self._given

    def _log_prob(self, value: Tensor) -> Tensor:
        centred = value if self._given is None else value - self._given
        z = self._scale.solvevec(centred)
        size = math.cast(self.event_shape_tensor()[0], self.dtype)
        return (
            -0.5 * math.reduce_sum(math.square(z), -1) - 0.5 * numbers.log(2 * numbers.pi) * size
            - self._scale.log_abs_determinant()
        )  # fmt: skip

    def _entropy(self) -> Tensor:
        size = math.cast(self.event_shape_tensor()[0], self.dtype)
        half = 0.5 * (1 + numbers.log(2 * numbers.pi)) * size
        return F.broadcast_to(
            half + self._scale.log_abs_determinant(), self.batch_shape_tensor()
        )

    def _mean(self) -> Tensor:
        zero = convert_to_tensor(0, self.dtype)
        return self._wide(zero if self._given is None else self._given)

    def _mode(self) -> Tensor:
        return self._mean()

    def _covariance(self) -> Tensor:
        if isinstance(self._scale, LinearOperatorDiag | LinearOperatorScaledIdentity):
            return arrays.matrix_diag(math.square(self._wide(self._scale.diag_part())))
        factor = self._scale.to_dense()
        product = linalg.matmul(factor, factor, adjoint_b=True)
        extents = F.concat(self.batch_shape_tensor(), F.shape(product)[-2:], axis=0)
        return F.broadcast_to(product, extents)

    def _variance(self) -> Tensor:
        if isinstance(self._scale, LinearOperatorDiag | LinearOperatorScaledIdentity):
            return math.square(self._stddev())
        return self._wide(math.reduce_sum(math.square(self._scale.to_dense()), -1))

    def _stddev(self) -> Tensor:
        if isinstance(self._scale, LinearOperatorDiag | LinearOperatorScaledIdentity):
            return self._wide(math.abs(self._scale.diag_part()))
        return math.sqrt(self._variance())


def _diagonal(
    loc: Any, diag: Any, multiplier: Any, validate_args: bool
) -> LinearOperator:
    """The diagonal factor of these arguments.

    Raises:
        ValueError: nothing says how large an event is.
    """
    if diag is None and loc is None:
        raise ValueError(
            "Cannot infer `event_shape` unless `loc` or `scale_diag` is specified."
        )
    dtype = common_dtype([diag, multiplier, loc])
    if diag is None:
        found = convert_to_tensor(loc, dtype)
        size = found.dims[-1] if found.dims else None
        scale = convert_to_tensor(1 if multiplier is None else multiplier, dtype)
        if validate_args:
            scale = behind([assert_positive(math.abs(scale))], scale)
        return LinearOperatorScaledIdentity(
            F.shape(found)[-1] if size is None else size, scale, is_non_singular=True
        )
    entries = convert_to_tensor(diag, dtype, "scale_diag")
    if multiplier is not None:
        factor = convert_to_tensor(multiplier, dtype, "scale_identity_multiplier")
        entries = entries + F.expand_dims(factor, axis=-1)
    if validate_args:
        message = "Singular operator:  Diagonal contained zero values."
        entries = behind([assert_positive(math.abs(entries), message=message)], entries)
    return LinearOperatorDiag(entries, is_non_singular=True)


class MultivariateNormalDiag(MultivariateNormalLinearOperator):
    """A multivariate normal with independent elements (tf.contrib.distributions).

    Args:
        loc: [..., k]. scale_diag: their standard deviations [..., k].
        scale_identity_multiplier: one for all, added to scale_diag where both are given.

    Raises:
        ValueError: neither loc nor scale_diag is given.
    """

    def __init__(
        self, loc: Any = None, scale_diag: Any = None, scale_identity_multiplier: Any = None,
        validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "MultivariateNormalDiag",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name, values=[loc, scale_diag, scale_identity_multiplier]) as scope:
            scale = _diagonal(loc, scale_diag, scale_identity_multiplier, validate_args)
        super().__init__(loc, scale, validate_args, allow_nan_stats, scope)
        self._parameters = own_parameters(parameters)


class MultivariateNormalDiagWithSoftplusScale(MultivariateNormalDiag):
    """MultivariateNormalDiag of softplus(scale_diag) (tf.contrib.distributions)."""

    def __init__(
        self, loc: Any, scale_diag: Any, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str = "MultivariateNormalDiagWithSoftplusScale",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name, values=[scale_diag]) as scope:
            positive = nn.softplus(convert_to_tensor(scale_diag))
        super().__init__(loc, positive, None, validate_args, allow_nan_stats, scope)
        self._parameters = own_parameters(parameters)


class MultivariateNormalTriL(MultivariateNormalLinearOperator):
    """A multivariate normal by a lower triangular factor (tf.contrib.distributions).

    Args:
        loc: [..., k]. scale_tril: [..., k, k], default the identity.

    Raises:
        ValueError: neither is given.
    """

    def __init__(
        self, loc: Any = None, scale_tril: Any = None, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str = "MultivariateNormalTriL",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        if loc is None and scale_tril is None:
            raise ValueError("Must specify one or both of `loc`, `scale_tril`.")
        with name_scope(name, values=[loc, scale_tril]) as scope:
            if scale_tril is None:
                scale = _diagonal(loc, None, None, validate_args)
            else:
                tril = convert_to_tensor(scale_tril, common_dtype([scale_tril, loc]), "scale_tril")
                if validate_args:
                    diag = math.abs(arrays.matrix_diag_part(tril))
                    message = "Singular operator:  Diagonal contained zero values."
                    tril = behind([assert_positive(diag, message=message)], tril)
                scale = LinearOperatorLowerTriangular(tril, is_non_singular=True)
        super().__init__(loc, scale, validate_args, allow_nan_stats, scope)
        self._parameters = own_parameters(parameters)


class MultivariateNormalFullCovariance(MultivariateNormalTriL):
    """A multivariate normal by its covariance (tf.contrib.distributions).

    Args:
        loc: [..., k]. covariance_matrix: [..., k, k], default the identity.
    """

    def __init__(
        self, loc: Any = None, covariance_matrix: Any = None, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str = "MultivariateNormalFullCovariance",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name, values=[loc, covariance_matrix]) as scope:
            tril = None
            if covariance_matrix is not None:
                dtype = common_dtype([covariance_matrix, loc])
                matrix = convert_to_tensor(covariance_matrix, dtype, "covariance_matrix")
                if validate_args:
                    turned = arrays.matrix_transpose(matrix)
                    check = assert_near(matrix, turned, message="Matrix was not symmetric")
                    matrix = behind([check], matrix)
                tril = linalg.cholesky(matrix)
        super().__init__(loc, tril, validate_args, allow_nan_stats, scope)
        self._parameters = own_parameters(parameters)


class MultivariateNormalDiagPlusLowRank(MultivariateNormalLinearOperator):
    """A multivariate normal whose factor is diag + U diag(d) U' (tf.contrib.distributions).

    Args:
        scale_perturb_factor: U, [..., k, r]. scale_perturb_diag: d, [..., r], default ones.
    """

    def __init__(
        self, loc: Any = None, scale_diag: Any = None, scale_identity_multiplier: Any = None,
        scale_perturb_factor: Any = None, scale_perturb_diag: Any = None,
        validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "MultivariateNormalDiagPlusLowRank",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name, values=[loc, scale_diag, scale_perturb_factor]) as scope:
            scale = _diagonal(loc, scale_diag, scale_identity_multiplier, validate_args)
            if scale_perturb_factor is not None:
                scale = LinearOperatorLowRankUpdate(
                    scale, scale_perturb_factor, scale_perturb_diag, is_non_singular=True
                )
        super().__init__(loc, scale, validate_args, allow_nan_stats, scope)
        self._parameters = own_parameters(parameters)
