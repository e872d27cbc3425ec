"""Affine bijectors: AffineScalar, AffineLinearOperator, Affine.

Lives here: those classes. Not here: the other bijectors (bijectors.py), the factors
(tf1/linear_operator*.py).
"""

from __future__ import annotations

from typing import Any

from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_array as arrays
from graphc.tf1 import api_math as math
from graphc.tf1.distributions.bijector import Bijector
from graphc.tf1.distributions.parameters import common_dtype
from graphc.tf1.linear_operator import LinearOperator, LinearOperatorLowerTriangular
from graphc.tf1.linear_operator_diag import LinearOperatorDiag
from graphc.tf1.scopes import name_scope

__all__ = ["Affine", "AffineLinearOperator", "AffineScalar"]


class AffineScalar(Bijector):
    """y = scale x + shift, element by element."""

    def __init__(
        self, shift: Any = None, scale: Any = None, validate_args: bool = False,
        name: str = "affine_scalar",
    ) -> None:  # fmt: skip
        dtype = common_dtype([shift, scale])
        self._shift = None if shift is None else convert_to_tensor(shift, dtype)
        self._scale = None if scale is None else convert_to_tensor(scale, dtype)
        super().__init__(is_constant_jacobian=True, validate_args=validate_args, name=name)

    @property
    def shift(self) -> Tensor | None:
        return self._shift

    @property
    def scale(self) -> Tensor | None:
        return self._scale

    def _forward(self, x: Tensor) -> Tensor:
        y = F.identity(x) if self._scale is None else x * self._scale
        return y if self._shift is None else y + self._shift

    def _inverse(self, y: Tensor) -> Tensor:
        x = F.identity(y) if self._shift is None else y - self._shift
        return x if self._scale is None else x / self._scale

    def _forward_log_det_jacobian(self, x: Tensor) -> Tensor:
        if self._scale is None:
            return convert_to_tensor(0, x.dtype)
        return math.log(math.abs(self._scale))


class AffineLinearOperator(Bijector):
    """y = scale x + shift for vectors x and a LinearOperator."""

    def __init__(
        self, shift: Any = None, scale: LinearOperator | None = None, adjoint: bool = False,
        validate_args: bool = False, name: str = "affine_linear_operator",
    ) -> None:  # fmt: skip
        dtype = scale.dtype if scale is not None else common_dtype([shift])
        self._shift = None if shift is None else convert_to_tensor(shift, dtype)
        self._scale, self._adjoint = scale, adjoint
        super().__init__(
            is_constant_jacobian=True, validate_args=validate_args, forward_min_event_ndims=1,
            name=name,
        )  # fmt: skip

    @property
    def shift(self) -> Tensor | None:
        return self._shift

    @property
    def scale(self) -> LinearOperator | None:
        return self._scale

    @property
    def adjoint(self) -> bool:
        return self._adjoint

    def _forward(self, x: Tensor) -> Tensor:
        y = F.identity(x) if self._scale is None else self._scale.matvec(x, adjoint=self._adjoint)
        return y if self._shift is None else y + self._shift

    def _inverse(self, y: Tensor) -> Tensor:
        x = F.identity(y) if self._shift is None else y - self._shift
        return x if self._scale is None else self._scale.solvevec(x, adjoint=self._adjoint)

    def _forward_log_det_jacobian(self, x: Tensor) -> Tensor:
        if self._scale is None:
            return convert_to_tensor(0, x.dtype)
        return self._scale.log_abs_determinant()


class Affine(AffineLinearOperator):
    """y = (c I + diag(d) + tril) x + shift for vectors x.

    Args:
        shift: [..., k]. scale_identity_multiplier: c. scale_diag: d, [..., k].
        scale_tril: [..., k, k]. Without any of the three the factor is the identity.

    Raises:
        ValueError: scale_identity_multiplier alone needs a shift that says k.
    """

    def __init__(
        self, shift: Any = None, scale_identity_multiplier: Any = None, scale_diag: Any = None,
        scale_tril: Any = None, validate_args: bool = False, name: str = "affine",
    ) -> None:  # fmt: skip
        dtype = common_dtype([shift, scale_identity_multiplier, scale_diag, scale_tril])
        operator: LinearOperator | None = None
        with name_scope(name):
            diag = None if scale_diag is None else convert_to_tensor(scale_diag, dtype)
            if scale_identity_multiplier is not None:
                factor = convert_to_tensor(scale_identity_multiplier, dtype)
                diag = self._with_multiplier(diag, factor, scale_tril, shift, dtype)
            if scale_tril is not None:
                tril = arrays.matrix_band_part(convert_to_tensor(scale_tril, dtype), -1, 0)
                if diag is not None:
                    tril = arrays.matrix_set_diag(tril, arrays.matrix_diag_part(tril) + diag)
                operator = LinearOperatorLowerTriangular(tril, is_non_singular=True)
            elif diag is not None:
                operator = LinearOperatorDiag(diag, is_non_singular=True)
        super().__init__(shift, operator, validate_args=validate_args, name=name)

    @staticmethod
    def _with_multiplier(
        diag: Tensor | None, factor: Tensor, tril: Any, shift: Any, dtype: Any
    ) -> Tensor:
        wide = F.expand_dims(factor, axis=-1)
        if diag is not None:
            return diag + wide
        if tril is not None:
            return arrays.zeros_like(convert_to_tensor(tril, dtype)[..., 0]) + wide
        if shift is None:
            raise ValueError(
                "scale_identity_multiplier needs `shift`, scale_diag or scale_tril beside it: "
                "they say how long the vectors are"
            )
        return arrays.zeros_like(convert_to_tensor(shift, dtype)) + wide
