"""Bijector: what all invertible functions share (tf.contrib.distributions.bijectors).

Lives here: the base class. Not here: bijectors (bijectors.py, bijectors_affine.py), distributions
of their results (transformed.py).
"""

from __future__ import annotations

from typing import Any

from graphc.ir.node import Tensor
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_math as math
from graphc.tf1.scopes import name_scope

__all__ = ["Bijector"]


class Bijector:
    """An invertible function (tf.contrib.distributions.bijectors.Bijector).

    A subclass defines `_forward`, `_inverse` and one of `_forward_log_det_jacobian`,
    `_inverse_log_det_jacobian`, which sum over the last `forward_min_event_ndims` axes.

    What went forward is remembered: its inverse is the very tensor that it came from.
    """

    def __init__(
        self, graph_parents: Any = None, is_constant_jacobian: bool = False,
        validate_args: bool = False, dtype: Any = None, forward_min_event_ndims: int = 0,
        inverse_min_event_ndims: int | None = None, name: str | None = None,
    ) -> None:  # fmt: skip
        self._graph_parents = list(graph_parents or ())
        self._constant = is_constant_jacobian
        self._validate_args = validate_args
        self._dtype = dtype
        self._forward_axes = forward_min_event_ndims
        self._inverse_axes = (
            forward_min_event_ndims if inverse_min_event_ndims is None else inverse_min_event_ndims
        )
        self._name = name or _snake(type(self).__name__)
        self._from_y: dict[Tensor, Tensor] = {}

    @property
    def name(self) -> str:
        return self._name

    @property
    def dtype(self) -> Any:
        return self._dtype

    @property
    def validate_args(self) -> bool:
        return self._validate_args

    @property
    def is_constant_jacobian(self) -> bool:
        return self._constant

    @property
    def graph_parents(self) -> list[Any]:
        return self._graph_parents

    @property
    def forward_min_event_ndims(self) -> int:
        """The number of last axes that `forward` mixes."""
        return self._forward_axes

    @property
    def inverse_min_event_ndims(self) -> int:
        return self._inverse_axes

    # ------------------------------------------------------------ the function
    def forward(self, x: Any, name: str = "forward") -> Tensor:
        """y of x."""
        with name_scope(self._name), name_scope(name):
            value = convert_to_tensor(x, self._dtype)
            made = self._forward(value)
            self._from_y[made] = value
            return made

    def inverse(self, y: Any, name: str = "inverse") -> Tensor:
        """x of y."""
        with name_scope(self._name), name_scope(name):
            value = convert_to_tensor(y, self._dtype)
            found = self._from_y.get(value)
            if found is None:
                found = self._inverse(value)
                self._from_y[value] = found
            return found

    def forward_log_det_jacobian(
        self, x: Any, event_ndims: int, name: str = "forward_log_det_jacobian"
    ) -> Tensor:
        """log |det dy/dx|, summed over the last `event_ndims` axes of x.

        Raises:
            ValueError: fewer axes than the function mixes.
        """
        with name_scope(self._name), name_scope(name):
            value = convert_to_tensor(x, self._dtype)
            axes = self._extra(event_ndims, self._forward_axes)
            try:
                found = self._forward_log_det_jacobian(value)
            except NotImplementedError:
                found = -self._inverse_log_det_jacobian(self.forward(value))
            return _summed(found, value, axes, self._forward_axes)

    def inverse_log_det_jacobian(
        self, y: Any, event_ndims: int, name: str = "inverse_log_det_jacobian"
    ) -> Tensor:
        """log |det dx/dy|, summed over the last `event_ndims` axes of y."""
        with name_scope(self._name), name_scope(name):
            value = convert_to_tensor(y, self._dtype)
            axes = self._extra(event_ndims, self._inverse_axes)
            try:
                found = self._inverse_log_det_jacobian(value)
            except NotImplementedError:
                found = -self._forward_log_det_jacobian(self.inverse(value))
            return _summed(found, value, axes, self._inverse_axes)

    def _extra(self, event_ndims: Any, least: int) -> int:
        count = int(event_ndims)
        if count < least:
            raise ValueError(f"event_ndims must be at least {least}, got {count}")
        return count - least

    # ------------------------------------------------------------ shapes
    def forward_event_shape(self, input_shape: Any) -> TensorShape:
        """The event shape of y for that of x."""
        return self._forward_event_shape(TensorShape(input_shape))

    def inverse_event_shape(self, output_shape: Any) -> TensorShape:
        return self._inverse_event_shape(TensorShape(output_shape))

    def forward_event_shape_tensor(self, input_shape: Any) -> Tensor:
        return self._forward_event_shape_tensor(convert_to_tensor(input_shape))

    def inverse_event_shape_tensor(self, output_shape: Any) -> Tensor:
        return self._inverse_event_shape_tensor(convert_to_tensor(output_shape))

    # ------------------------------------------------------------ what subclasses define
    def _forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError("forward not implemented")

    def _inverse(self, y: Tensor) -> Tensor:
        raise NotImplementedError("inverse not implemented")

    def _forward_log_det_jacobian(self, x: Tensor) -> Tensor:
        raise NotImplementedError("forward_log_det_jacobian not implemented")

    def _inverse_log_det_jacobian(self, y: Tensor) -> Tensor:
        raise NotImplementedError("inverse_log_det_jacobian not implemented")

    def _forward_event_shape(self, shape: TensorShape) -> TensorShape:
        return shape

    def _inverse_event_shape(self, shape: TensorShape) -> TensorShape:
        return shape

    def _forward_event_shape_tensor(self, shape: Tensor) -> Tensor:
        return shape

    def _inverse_event_shape_tensor(self, shape: Tensor) -> Tensor:
        return shape


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def _summed(value: Tensor, x: Tensor, axes: int, mixed: int) -> Tensor:
    """The sum over `axes` axes in front of the last `mixed` of x, which are summed already; where
    the Jacobian is the same for elements of x, it counts once for each."""
    if axes == 0:
        return value
    zeros = F.zeros_like(x)
    if mixed:
        zeros = math.reduce_sum(zeros, [-1 - k for k in range(mixed)])
    return math.reduce_sum(value + zeros, [-1 - k for k in range(axes)])
