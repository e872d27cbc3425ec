"""tf.keras.constraints: projections of weights after each update. Imports keras.core."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.keras.core import math as K
from graphc.keras.core.config import epsilon
from graphc.keras.core.objects import Kind, serialize_object
from graphc.ops.convert import convert_to_tensor
from graphc.tf1.api_index import gather_nd

__all__ = [
    "Constraint", "MaxNorm", "MinMaxNorm", "NonNeg", "RadialConstraint", "UnitNorm", "deserialize",
    "get", "max_norm", "min_max_norm", "non_neg", "radial_constraint", "serialize", "unit_norm",
]  # fmt: skip


class Constraint:
    """Base of constraints: called with weights, gives the weights that are allowed."""

    def __call__(self, w: Any) -> Any:
        return w

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)


def _norms(w: Any, axis: Any) -> Any:
    return K.sqrt(K.sum(K.square(w), axis=axis, keepdims=True))


class MaxNorm(Constraint):
    """Norms along `axis` at most `max_value`."""

    def __init__(self, max_value: float = 2, axis: Any = 0) -> None:
        self.max_value, self.axis = max_value, axis

    def __call__(self, w: Any) -> Any:
        norms = _norms(w, self.axis)
        desired = K.clip(norms, 0, self.max_value)
        return w * (desired / (epsilon() + norms))

    def get_config(self) -> dict[str, Any]:
        return {"max_value": self.max_value, "axis": self.axis}


class NonNeg(Constraint):
    """Negative weights become 0."""

    def __call__(self, w: Any) -> Any:
        return w * K.cast(K.greater_equal(w, 0.0), w.dtype)


class UnitNorm(Constraint):
    """Norms along `axis` are 1."""

    def __init__(self, axis: Any = 0) -> None:
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        return w / (epsilon() + _norms(w, self.axis))

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}


class MinMaxNorm(Constraint):
    """Norms along `axis` move towards [min_value, max_value] at `rate`."""

    def __init__(
        self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0
    ) -> None:
        self.min_value, self.max_value = min_value, max_value
        self.rate, self.axis = rate, axis

    def __call__(self, w: Any) -> Any:
        norms = _norms(w, self.axis)
        clipped = K.clip(norms, self.min_value, self.max_value)
        desired = self.rate * clipped + (1 - self.rate) * norms
        return w * (desired / (epsilon() + norms))

    def get_config(self) -> dict[str, Any]:
        return {
            "min_value": self.min_value, "max_value": self.max_value, "rate": self.rate,
            "axis": self.axis,
        }  # fmt: skip


class RadialConstraint(Constraint):
    """Kernels [size, size, channels, filters] that are the same around: each ring has one weight.

    The weights are those of the diagonal: the rings' from the middle outwards, the innermost ones
    from the place before the middle.

    Raises:
        ValueError: another rank, or extents that are not known.
    """

    def __call__(self, w: Any) -> Any:
        tensor = convert_to_tensor(w)
        dims = tensor.shape.as_list() if tensor.rank is not None else []
        if len(dims) != 4 or dims[0] is None or dims[0] != dims[1]:
            raise ValueError(
                f"RadialConstraint needs weights [size, size, channels, filters], not {dims}"
            )
        size, middle = dims[0], dims[0] // 2
        away = np.arange(size) - middle
        if size % 2:
            ring = np.maximum(abs(away)[:, None], abs(away))
            place = np.where(ring == 0, max(middle - 1, 0), middle + ring - 1)
        else:
            away = np.where(away >= 0, away + 1, -away)
            ring = np.maximum(away[:, None], away)
            place = np.where(ring == 1, middle - 1, middle + ring - 1)
        return gather_nd(tensor, np.stack([place, place], axis=-1).astype("int32"))


max_norm = maxnorm = MaxNorm
non_neg = nonneg = NonNeg
unit_norm = unitnorm = UnitNorm
min_max_norm = MinMaxNorm
radial_constraint = RadialConstraint


_kind = Kind("constraint", globals().get)
serialize = serialize_object
deserialize, get = _kind.deserialize, _kind.get
