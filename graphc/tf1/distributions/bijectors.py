"""Bijectors element by element, and those made of others.

Lives here: Identity, Exp, Sigmoid and their kin, Chain, Invert, Permute, Reshape. Not here: affine
ones (bijectors_affine.py), the base class (bijector.py).
"""

from __future__ import annotations

import math as numbers
from collections.abc import Sequence
from typing import Any

from graphc.ir.node import Tensor
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_array as arrays
from graphc.tf1 import api_math as math
from graphc.tf1 import api_nn as nn
from graphc.tf1.distributions.bijector import Bijector
from graphc.tf1.scopes import name_scope

__all__ = [
    "Chain", "Exp", "Identity", "Invert", "Permute", "PowerTransform", "Reshape", "Sigmoid",
    "Softplus", "Softsign", "Square", "Tanh", "softplus_inverse",
]  # fmt: skip

_LOG_2 = numbers.log(2.0)


# ------------------------------------------------------------------ element by element
class Identity(Bijector):
    """y = x."""

    def __init__(self, validate_args: bool = False, name: str = "identity") -> None:
        super().__init__(is_constant_jacobian=True, validate_args=validate_args, name=name)

    def _forward(self, x: Tensor) -> Tensor:
        return F.identity(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return F.identity(y)

    def _forward_log_det_jacobian(self, x: Tensor) -> Tensor:
        return convert_to_tensor(0, x.dtype)


class PowerTransform(Bijector):
    """y = (1 + power x)^(1 / power); exp(x) for power 0."""

    def __init__(
        self, power: float = 0.0, validate_args: bool = False, name: str = "power_transform"
    ) -> None:
        if power < 0:
            raise ValueError("`power` must be a non-negative TF constant.")
        self._power = float(power)
        super().__init__(validate_args=validate_args, name=name)

    @property
    def power(self) -> float:
        return self._power

    def _forward(self, x: Tensor) -> Tensor:
        if self._power == 0.0:
            return math.exp(x)
        return math.exp(math.log1p(x * self._power) / self._power)

    def _inverse(self, y: Tensor) -> Tensor:
        if self._power == 0.0:
            return math.log(y)
        return math.expm1(math.log(y) * self._power) / self._power

    def _inverse_log_det_jacobian(self, y: Tensor) -> Tensor:
        return (self._power - 1.0) * math.log(y)

    def _forward_log_det_jacobian(self, x: Tensor) -> Tensor:
        if self._power == 0.0:
            return F.identity(x)
        return (1.0 / self._power - 1.0) * math.log1p(x * self._power)


class Exp(PowerTransform):
    """y = exp(x)."""

    def __init__(self, validate_args: bool = False, name: str = "exp") -> None:
        super().__init__(0.0, validate_args, name)


class Square(Bijector):
    """y = x^2 for x >= 0."""

    def _forward(self, x: Tensor) -> Tensor:
        return math.square(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return math.sqrt(y)

    def _forward_log_det_jacobian(self, x: Tensor) -> Tensor:
        return _LOG_2 + math.log(x)


class Sigmoid(Bijector):
    """y = 1 / (1 + exp(-x))."""

    def _forward(self, x: Tensor) -> Tensor:
        return math.sigmoid(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return math.log(y) - math.log1p(-y)

    def _inverse_log_det_jacobian(self, y: Tensor) -> Tensor:
        return -math.log(y) - math.log1p(-y)

    def _forward_log_det_jacobian(self, x: Tensor) -> Tensor:
        return -nn.softplus(-x) - nn.softplus(x)


class Tanh(Bijector):
    """y = tanh(x)."""

    def _forward(self, x: Tensor) -> Tensor:
        return math.tanh(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return math.atanh(y)

    def _inverse_log_det_jacobian(self, y: Tensor) -> Tensor:
        return -math.log1p(-math.square(y))

    def _forward_log_det_jacobian(self, x: Tensor) -> Tensor:
        return 2.0 * (_LOG_2 - x - nn.softplus(-2.0 * x))


class Softsign(Bijector):
    """y = x / (1 + |x|)."""

    def _forward(self, x: Tensor) -> Tensor:
        return x / (1.0 + math.abs(x))

    def _inverse(self, y: Tensor) -> Tensor:
        return y / (1.0 - math.abs(y))

    def _forward_log_det_jacobian(self, x: Tensor) -> Tensor:
        return -2.0 * math.log1p(math.abs(x))

    def _inverse_log_det_jacobian(self, y: Tensor) -> Tensor:
        return -2.0 * math.log1p(-math.abs(y))


class Softplus(Bijector):
    """y = hinge_softness log(1 + exp(x / hinge_softness))."""

    def __init__(
        self, hinge_softness: Any = None, validate_args: bool = False, name: str = "softplus"
    ) -> None:
        self._softness = hinge_softness
        super().__init__(validate_args=validate_args, name=name)

    @property
    def hinge_softness(self) -> Any:
        return self._softness

    def _forward(self, x: Tensor) -> Tensor:
        if self._softness is None:
            return nn.softplus(x)
        return self._softness * nn.softplus(x / self._softness)

    def _inverse(self, y: Tensor) -> Tensor:
        if self._softness is None:
            return softplus_inverse(y)
        return self._softness * softplus_inverse(y / self._softness)

    def _inverse_log_det_jacobian(self, y: Tensor) -> Tensor:
        scaled = y if self._softness is None else y / self._softness
        return -math.log(-math.expm1(-scaled))

    def _forward_log_det_jacobian(self, x: Tensor) -> Tensor:
        return -nn.softplus(-(x if self._softness is None else x / self._softness))


def softplus_inverse(x: Any, name: str | None = None) -> Tensor:
    """The y with softplus(y) = x (tf.contrib.distributions.softplus_inverse)."""
    with name_scope(name or "softplus_inverse"):
        value = convert_to_tensor(x)
        return value + math.log(-math.expm1(-value))


# ------------------------------------------------------------------ of others, and of shapes
class Invert(Bijector):
    """The inverse of a bijector."""

    def __init__(
        self, bijector: Bijector, validate_args: bool = False, name: str | None = None
    ) -> None:
        self._bijector = bijector
        super().__init__(
            bijector.graph_parents, bijector.is_constant_jacobian, validate_args, bijector.dtype,
            bijector.inverse_min_event_ndims, bijector.forward_min_event_ndims,
            name or f"invert_{bijector.name}",
        )  # fmt: skip

    @property
    def bijector(self) -> Bijector:
        return self._bijector

    def _forward(self, x: Tensor) -> Tensor:
        return self._bijector.inverse(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self._bijector.forward(y)

    def _forward_log_det_jacobian(self, x: Tensor) -> Tensor:
        return self._bijector.inverse_log_det_jacobian(x, self._forward_axes)

    def _inverse_log_det_jacobian(self, y: Tensor) -> Tensor:
        return self._bijector.forward_log_det_jacobian(y, self._inverse_axes)

    def _forward_event_shape(self, shape: TensorShape) -> TensorShape:
        return self._bijector.inverse_event_shape(shape)

    def _inverse_event_shape(self, shape: TensorShape) -> TensorShape:
        return self._bijector.forward_event_shape(shape)

    def _forward_event_shape_tensor(self, shape: Tensor) -> Tensor:
        return self._bijector.inverse_event_shape_tensor(shape)

    def _inverse_event_shape_tensor(self, shape: Tensor) -> Tensor:
        return self._bijector.forward_event_shape_tensor(shape)


class Chain(Bijector):
    """The composition of bijectors, the last one first: Chain([f, g]) is f(g(x))."""

    def __init__(
        self, bijectors: Sequence[Bijector] | None = None, validate_args: bool = False,
        name: str | None = None,
    ) -> None:  # fmt: skip
        self._bijectors = tuple(bijectors or ())
        axes = max([b.forward_min_event_ndims for b in self._bijectors], default=0)
        joined = "_of_".join(b.name for b in self._bijectors)
        super().__init__(
            is_constant_jacobian=all(b.is_constant_jacobian for b in self._bijectors),
            validate_args=validate_args, forward_min_event_ndims=axes,
            name=name or (f"chain_of_{joined}" if joined else "identity"),
        )  # fmt: skip

    @property
    def bijectors(self) -> tuple[Bijector, ...]:
        return self._bijectors

    def _forward(self, x: Tensor) -> Tensor:
        for bijector in reversed(self._bijectors):
            x = bijector.forward(x)
        return x

    def _inverse(self, y: Tensor) -> Tensor:
        for bijector in self._bijectors:
            y = bijector.inverse(y)
        return y

    def _forward_log_det_jacobian(self, x: Tensor) -> Tensor:
        total = convert_to_tensor(0, x.dtype)
        for bijector in reversed(self._bijectors):
            total = total + bijector.forward_log_det_jacobian(x, self._forward_axes)
            x = bijector.forward(x)
        return total

    def _inverse_log_det_jacobian(self, y: Tensor) -> Tensor:
        total = convert_to_tensor(0, y.dtype)
        for bijector in self._bijectors:
            total = total + bijector.inverse_log_det_jacobian(y, self._inverse_axes)
            y = bijector.inverse(y)
        return total

    def _forward_event_shape(self, shape: TensorShape) -> TensorShape:
        for bijector in reversed(self._bijectors):
            shape = bijector.forward_event_shape(shape)
        return shape

    def _inverse_event_shape(self, shape: TensorShape) -> TensorShape:
        for bijector in self._bijectors:
            shape = bijector.inverse_event_shape(shape)
        return shape


class Permute(Bijector):
    """The elements of vectors in another order."""

    def __init__(
        self, permutation: Any, validate_args: bool = False, name: str | None = None
    ) -> None:
        self._permutation = convert_to_tensor(permutation)
        super().__init__(
            is_constant_jacobian=True, validate_args=validate_args, forward_min_event_ndims=1,
            name=name or "permute",
        )  # fmt: skip

    @property
    def permutation(self) -> Tensor:
        return self._permutation

    def _forward(self, x: Tensor) -> Tensor:
        return arrays.gather(x, self._permutation, axis=-1)

    def _inverse(self, y: Tensor) -> Tensor:
        return arrays.gather(y, arrays.invert_permutation(self._permutation), axis=-1)

    def _forward_log_det_jacobian(self, x: Tensor) -> Tensor:
        return convert_to_tensor(0, x.dtype)


class Reshape(Bijector):
    """Events of another shape with as many elements."""

    def __init__(
        self, event_shape_out: Sequence[int], event_shape_in: Sequence[int] = (-1,),
        validate_args: bool = False, name: str | None = None,
    ) -> None:  # fmt: skip
        self._out, self._in = [int(d) for d in event_shape_out], [int(d) for d in event_shape_in]
        super().__init__(
            is_constant_jacobian=True, validate_args=validate_args,
            forward_min_event_ndims=len(self._in), inverse_min_event_ndims=len(self._out),
            name=name or "reshape",
        )  # fmt: skip

    @staticmethod
    def _turned(x: Tensor, axes: int, shape: list[int]) -> Tensor:
        batch = F.shape(x)[: -axes or None]
        return F.reshape(x, F.concat(batch, convert_to_tensor(shape), axis=0))

    def _forward(self, x: Tensor) -> Tensor:
        return self._turned(x, len(self._in), self._out)

    def _inverse(self, y: Tensor) -> Tensor:
        return self._turned(y, len(self._out), self._in)

    def _forward_log_det_jacobian(self, x: Tensor) -> Tensor:
        return convert_to_tensor(0, x.dtype)

    def _forward_event_shape(self, shape: TensorShape) -> TensorShape:
        return TensorShape([None if d < 0 else d for d in self._out])

    def _inverse_event_shape(self, shape: TensorShape) -> TensorShape:
        return TensorShape([None if d < 0 else d for d in self._in])
