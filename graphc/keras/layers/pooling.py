"""tf.keras.layers: pools, over windows and over everything. Imports keras.engine."""

from __future__ import annotations

from typing import Any

from graphc.ir.node import Tensor
from graphc.keras.core import math as K
from graphc.keras.core import nn
from graphc.keras.core.config import normalize_data_format
from graphc.keras.engine.base_layer import InputSpec, Layer
from graphc.keras.layers.convolutional import normalize_padding, normalize_tuple
from graphc.tf1 import api_array

__all__ = [
    "AveragePooling1D", "AveragePooling2D", "AveragePooling3D", "GlobalAveragePooling1D",
    "GlobalAveragePooling2D", "GlobalAveragePooling3D", "GlobalMaxPooling1D",
    "GlobalMaxPooling2D", "GlobalMaxPooling3D", "MaxPooling1D", "MaxPooling2D", "MaxPooling3D",
]  # fmt: skip


class _Pooling(Layer):
    _n = 2
    _mode = "max"

    def __init__(
        self, pool_size: Any = 2, strides: Any = None, padding: str = "valid",
        data_format: str | None = None, **kwargs: Any,
    ) -> None:
        padding = kwargs.pop("border_mode", padding)
        super().__init__(**kwargs)
        self.pool_size = normalize_tuple(pool_size, self._n, "pool_size")
        self.strides = normalize_tuple(
            self.pool_size if strides is None else strides, self._n, "strides"
        )
        self.padding = normalize_padding(padding)
        self.data_format = normalize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self._n + 2)

    def call(self, inputs: Any) -> Tensor:  # type: ignore[override]
        return nn._pool(
            inputs, self.pool_size, self.strides, self.padding, self.data_format, self._mode
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "pool_size": self.pool_size, "strides": self.strides,
                "padding": self.padding, "data_format": self.data_format}  # fmt: skip


class MaxPooling1D(_Pooling):
    """The greatest of each window of steps."""

    _n = 1


class MaxPooling2D(_Pooling):
    """The greatest of each window of images."""


class MaxPooling3D(_Pooling):
    """The greatest of each window of volumes."""

    _n = 3


class AveragePooling1D(_Pooling):
    """The mean of each window of steps; padding does not count."""

    _n, _mode = 1, "avg"


class AveragePooling2D(_Pooling):
    """The mean of each window of images; padding does not count."""

    _mode = "avg"


class AveragePooling3D(_Pooling):
    """The mean of each window of volumes; padding does not count."""

    _n, _mode = 3, "avg"


class _Global(Layer):
    _n = 2
    _reduce = staticmethod(K.mean)

    def __init__(
        self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.data_format = normalize_data_format(data_format)
        self.keepdims = keepdims
        self.input_spec = InputSpec(ndim=self._n + 2)

    def _axes(self) -> list[int]:
        start = 1 if self.data_format == "channels_last" else 2
        return list(range(start, start + self._n))

    def call(self, inputs: Any) -> Tensor:  # type: ignore[override]
        return type(self)._reduce(inputs, axis=self._axes(), keepdims=self.keepdims)

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "data_format": self.data_format}
        return {**config, "keepdims": True} if self.keepdims else config


class GlobalMaxPooling1D(_Global):
    """The greatest over all steps."""

    _n, _reduce = 1, staticmethod(K.max)


class GlobalMaxPooling2D(_Global):
    """The greatest over height and width."""

    _reduce = staticmethod(K.max)


class GlobalMaxPooling3D(_Global):
    """The greatest over the three spatial axes."""

    _n, _reduce = 3, staticmethod(K.max)


class GlobalAveragePooling1D(_Global):
    """The mean over all steps that are not masked."""

    _n = 1
    supports_masking = True

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None

    def call(self, inputs: Any, mask: Any = None) -> Tensor:  # type: ignore[override]
        if mask is None:
            return super().call(inputs)
        axis = self._axes()[0]
        weights = api_array.expand_dims(K.cast(mask, inputs.dtype), 2 if axis == 1 else 1)
        kept = self.keepdims
        total = K.sum(inputs * weights, axis=axis, keepdims=kept)
        return total / K.sum(weights, axis=axis, keepdims=kept)


class GlobalAveragePooling2D(_Global):
    """The mean over height and width."""


class GlobalAveragePooling3D(_Global):
    """The mean over the three spatial axes."""

    _n = 3
