"""tf.keras.layers: padding, cropping and enlarging of spatial axes. Imports keras.engine."""

from __future__ import annotations

from typing import Any

from graphc.ir.node import Tensor
from graphc.keras.core import nn
from graphc.keras.core.arrays import repeat_elements
from graphc.keras.core.config import normalize_data_format
from graphc.keras.engine.base_layer import InputSpec, Layer
from graphc.keras.layers.convolutional import normalize_tuple

__all__ = [
    "Cropping1D", "Cropping2D", "Cropping3D", "UpSampling1D", "UpSampling2D", "UpSampling3D",
    "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D",
]  # fmt: skip


def _pairs(value: Any, n: int, name: str) -> tuple[tuple[int, int], ...]:
    """n (before, after) pairs from an int, n ints, or n pairs.

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, int):
        return ((value, value),) * n
    listed = list(value)
    if n == 1 and len(listed) == 2 and all(isinstance(v, int) for v in listed):
        return ((listed[0], listed[1]),)
    if len(listed) != n:
        raise ValueError(f"`{name}` should have {n} elements. Found: {value}")
    return tuple(
        (v, v) if isinstance(v, int) else normalize_tuple(v, 2, f"{k} entry of {name}")  # type: ignore[misc]
        for k, v in enumerate(listed)
    )


class _Spatial(Layer):
    _n = 2
    _what = "padding"

    def _set(self, value: Any, data_format: str | None) -> None:
        self._amounts = _pairs(value, self._n, self._what)
        setattr(self, self._what, self._amounts[0] if self._n == 1 else self._amounts)
        self.data_format = normalize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self._n + 2)

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), self._what: getattr(self, self._what)}
        if self._n > 1:
            config["data_format"] = self.data_format
        return config


class _Padding(_Spatial):
    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._set(padding, data_format)

    def call(self, inputs: Any) -> Tensor:  # type: ignore[override]
        return nn.spatial_padding(inputs, self._amounts, self.data_format)


class ZeroPadding1D(_Padding):
    """Zeros before and after sequences."""

    _n = 1


class ZeroPadding2D(_Padding):
    """Zeros around images."""


class ZeroPadding3D(_Padding):
    """Zeros around volumes."""

    _n = 3


class _Cropping(_Spatial):
    _what = "cropping"

    def __init__(self, cropping: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._set(cropping, data_format)

    def call(self, inputs: Any) -> Tensor:  # type: ignore[override]
        inner = tuple(slice(a, -b if b else None) for a, b in self._amounts)
        every = slice(None)
        if self.data_format == "channels_first":
            return inputs[(every, every, *inner)]
        return inputs[(every, *inner, every)]


class Cropping1D(_Cropping):
    """Sequences without their first and last steps."""

    _n = 1


class Cropping2D(_Cropping):
    """Images without their margins."""

    def __init__(
        self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(cropping, data_format, **kwargs)


class Cropping3D(_Cropping):
    """Volumes without their margins."""

    _n = 3

    def __init__(
        self, cropping: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(cropping, data_format, **kwargs)


class UpSampling1D(Layer):
    """Each step `size` times."""

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = int(size)
        self.input_spec = InputSpec(ndim=3)

    def call(self, inputs: Any) -> Tensor:  # type: ignore[override]
        return repeat_elements(inputs, self.size, 1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}


class UpSampling2D(Layer):
    """Images enlarged by whole factors; interpolation "nearest" or "bilinear"."""

    def __init__(
        self, size: Any = (2, 2), data_format: str | None = None,
        interpolation: str = "nearest", **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.size = normalize_tuple(size, 2, "size")
        self.data_format = normalize_data_format(data_format)
        if interpolation not in ("nearest", "bilinear"):
            raise ValueError(
                '`interpolation` argument should be one of `"nearest"` or `"bilinear"`.'
            )
        self.interpolation = interpolation
        self.input_spec = InputSpec(ndim=4)

    def call(self, inputs: Any) -> Tensor:  # type: ignore[override]
        return nn.resize_images(
            inputs, self.size[0], self.size[1], self.data_format, self.interpolation
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size, "data_format": self.data_format,
                "interpolation": self.interpolation}  # fmt: skip


class UpSampling3D(Layer):
    """Volumes enlarged by whole factors."""

    def __init__(
        self, size: Any = (2, 2, 2), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.size = normalize_tuple(size, 3, "size")
        self.data_format = normalize_data_format(data_format)
        self.input_spec = InputSpec(ndim=5)

    def call(self, inputs: Any) -> Tensor:  # type: ignore[override]
        return nn.resize_volumes(
            inputs, self.size[0], self.size[1], self.size[2], self.data_format
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size, "data_format": self.data_format}
