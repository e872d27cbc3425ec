"""Max and average pooling of tf.layers, in one, two and three dimensions.

Lives here: the layers and their functions. Not here: tf.nn's pooling (api_pool). Users find these
names in graphc.layers.
"""

from __future__ import annotations

from typing import Any

from graphc.ir.node import Tensor
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.layers_base import InputSpec, Layer
from graphc.tf1.layers_core import normalize_data_format

__all__ = [
    "AveragePooling1D", "AveragePooling2D", "AveragePooling3D", "MaxPooling1D", "MaxPooling2D",
    "MaxPooling3D", "average_pooling1d", "average_pooling2d", "average_pooling3d", "max_pooling1d",
    "max_pooling2d", "max_pooling3d",
]  # fmt: skip

_NAMES = {1: "NWC", 2: "NHWC", 3: "NDHWC"}
_FIRST = {1: "NCW", 2: "NCHW", 3: "NCDHW"}


def normalize_tuple(value: Any, n: int, name: str) -> tuple[int, ...]:
    """One int for each spatial axis. Raises ValueError for another number of them."""
    if isinstance(value, int):
        return (value,) * n
    text = f"The `{name}` argument must be a tuple of {n} integers. Received: {value}"
    try:
        values = tuple(int(v) for v in value)
    except (TypeError, ValueError):
        raise ValueError(text) from None
    if len(values) != n:
        raise ValueError(text)
    return values


def normalize_padding(value: str, causal: bool = False) -> str:
    """ "valid", "same" or where allowed "causal", in lower case; else ValueError."""
    text = value.lower()
    if text in ("valid", "same") or (causal and text == "causal"):
        return text
    choices = '"valid", "same" (or "causal", only for `Conv1D`)' if causal else '"valid", "same"'
    raise ValueError(f"The `padding` argument must be one of {choices}. Received: {value}")


def channel_format(n: int, data_format: str) -> str:
    """tf.nn's name of a data format, such as "NHWC"."""
    return (_FIRST if data_format == "channels_first" else _NAMES)[n]


def windowed_extent(
    extent: int | None, size: int, stride: int, padding: str, dilation: int = 1
) -> int | None:
    """The extent of an axis after a window went over it."""
    if extent is None:
        return None
    if padding == "valid":
        extent -= (size - 1) * dilation
    return -(-extent // stride)


class _Pooling(Layer):
    """What the pooling layers share; `_n` spatial axes, `_kind` "max" or "avg"."""

    _n = 2
    _kind = "max"

    def __init__(
        self,
        pool_size: Any,
        strides: Any,
        padding: str = "valid",
        data_format: str | None = "channels_last",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.pool_size = normalize_tuple(pool_size, self._n, "pool_size")
        self.strides = normalize_tuple(
            pool_size if strides is None else strides, self._n, "strides"
        )
        self.padding = normalize_padding(padding)
        self.data_format = normalize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self._n + 2)

    def call(self, inputs: Any) -> Tensor:  # type: ignore[override]
        x = convert_to_tensor(inputs)
        if self._n > 1:
            return self._pool(x, self._n, self.pool_size, self.strides)
        # a row is an image of height 1
        at = 1 if self.data_format == "channels_last" else 2
        wide = self._pool(F.expand_dims(x, axis=at), 2, (1, *self.pool_size), (1, *self.strides))
        return F.squeeze(wide, axes=(at,))

    def _pool(
        self, x: Tensor, n: int, size: tuple[int, ...], strides: tuple[int, ...]
    ) -> Tensor:
        from graphc import nn

        pool = getattr(nn, f"{self._kind}_pool" if n == 2 else f"{self._kind}_pool3d")
        first = self.data_format == "channels_first"
        window, steps = ([1, 1, *v] if first else [1, *v, 1] for v in (size, strides))
        out: Tensor = pool(
            x, window, steps, self.padding.upper(),
            data_format=channel_format(n, self.data_format),
        )  # fmt: skip
        return out

    def compute_output_shape(self, input_shape: Any) -> TensorShape:
        dims = TensorShape(input_shape).as_list()
        start = 1 if self.data_format == "channels_last" else 2
        for i in range(self._n):
            dims[start + i] = windowed_extent(
                dims[start + i], self.pool_size[i], self.strides[i], self.padding
            )
        return TensorShape(dims)


class MaxPooling1D(_Pooling):
    """The largest element of each window of (batch, length, channels)."""

    _n, _kind = 1, "max"


class AveragePooling1D(_Pooling):
    """The mean of each window of (batch, length, channels)."""

    _n, _kind = 1, "avg"


class MaxPooling2D(_Pooling):
    """The largest element of each window of (batch, height, width, channels)."""

    _n, _kind = 2, "max"


class AveragePooling2D(_Pooling):
    """The mean of each window of (batch, height, width, channels)."""

    _n, _kind = 2, "avg"


class MaxPooling3D(_Pooling):
    """The largest element of each window of (batch, depth, height, width, channels)."""

    _n, _kind = 3, "max"


class AveragePooling3D(_Pooling):
    """The mean of each window of (batch, depth, height, width, channels)."""

    _n, _kind = 3, "avg"


def _function(layer: type[_Pooling], name_: str) -> Any:
    def pool(
        inputs: Any,
        pool_size: Any,
        strides: Any,
        padding: str = "valid",
        data_format: str | None = "channels_last",
        name: str | None = None,
    ) -> Tensor:
        out: Tensor = layer(pool_size, strides, padding, data_format, name)(inputs)
        return out

    pool.__name__ = pool.__qualname__ = name_
    pool.__doc__ = f"""{layer.__doc__} (tf.layers.{name_})

    Args:
        pool_size, strides: an int, or one for each spatial axis.
        padding: "valid" or "same"; padding never enters a mean or a maximum.
        data_format: "channels_last" or "channels_first" (the channels on axis 1).

    Raises:
        ValueError: arguments that cannot be, or inputs of another rank.
    """
    return pool


max_pooling1d = _function(MaxPooling1D, "max_pooling1d")
average_pooling1d = _function(AveragePooling1D, "average_pooling1d")
max_pooling2d = _function(MaxPooling2D, "max_pooling2d")
average_pooling2d = _function(AveragePooling2D, "average_pooling2d")
max_pooling3d = _function(MaxPooling3D, "max_pooling3d")
average_pooling3d = _function(AveragePooling3D, "average_pooling3d")
