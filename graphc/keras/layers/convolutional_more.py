"""tf.keras.layers: transposed, separable and depthwise convolutions. Imports keras.engine."""

from __future__ import annotations

from typing import Any

from graphc.ir.node import Tensor
from graphc.keras.core import nn
from graphc.keras.core.arrays import int_shape
from graphc.keras.layers.convolutional import Conv, normalize_tuple
from graphc.keras.layers.core import described, settle
from graphc.tf1 import api_array

__all__ = [
    "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose", "DepthwiseConv1D", "DepthwiseConv2D",
    "SeparableConv1D", "SeparableConv2D",
]  # fmt: skip


def deconv_length(
    size: Any, stride: int, kernel: int, padding: str, extra: int | None = None, dilation: int = 1
) -> Any:
    """The extent of a transposed convolution's output; `extra` as output_padding."""
    if size is None:
        return None
    kernel = kernel + (kernel - 1) * (dilation - 1)
    if extra is None:
        return size * stride + (max(kernel - stride, 0) if padding == "valid" else 0)
    pad = kernel // 2 if padding == "same" else 0
    return (size - 1) * stride + kernel - 2 * pad + extra


class _Transposed(Conv):
    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid",
        output_padding: Any = None, data_format: str | None = None, **kwargs: Any,
    ) -> None:
        super().__init__(filters, kernel_size, strides, padding, data_format, **kwargs)
        self.output_padding = (
            None if output_padding is None
            else normalize_tuple(output_padding, self.rank, "output_padding")
        )  # fmt: skip
        for stride, extra in zip(self.strides, self.output_padding or ()):
            if stride <= extra:
                raise ValueError(
                    f"Stride {self.strides} must be greater than output padding "
                    f"{self.output_padding}"
                )

    def build(self, input_shape: Any) -> None:
        channels = self._channels(input_shape)
        self._add_kernel((*self.kernel_size, self.filters, channels))  # type: ignore[arg-type]
        self._add_bias(self.filters)
        self.built = True

    def call(self, inputs: Any) -> Tensor:  # type: ignore[override]
        first = self.data_format == "channels_first"
        at = 2 if first else 1
        dims = int_shape(inputs)
        actual = api_array.shape(inputs)
        extra = self.output_padding or (None,) * self.rank
        sizes = [
            deconv_length(
                actual[at + k] if dims[at + k] is None else dims[at + k], self.strides[k],
                self.kernel_size[k], self.padding, extra[k], self.dilation_rate[k],
            )
            for k in range(self.rank)
        ]  # fmt: skip
        batch: Any = actual[0]
        shape = [batch, self.filters, *sizes] if first else [batch, *sizes, self.filters]
        out = nn._transposed(
            inputs, self.kernel, shape, self.strides, self.padding, self.data_format, self.rank,
            self.dilation_rate,
        )  # fmt: skip
        static = [None if isinstance(s, Tensor) else s for s in shape]
        out.set_shape([dims[0], *static[1:]])
        return self._finish(out)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config["output_padding"] = self.output_padding
        return config


class Conv1DTranspose(_Transposed):
    """The gradient of Conv1D as a layer: it enlarges by strides."""

    rank = 1


class Conv2DTranspose(_Transposed):
    """The gradient of Conv2D as a layer: it enlarges by strides."""

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = (1, 1), padding: str = "valid",
        output_padding: Any = None, data_format: str | None = None, **kwargs: Any,
    ) -> None:
        super().__init__(
            filters, kernel_size, strides, padding, output_padding, data_format, **kwargs
        )


class Conv3DTranspose(_Transposed):
    """The gradient of Conv3D as a layer: it enlarges by strides."""

    rank = 3

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = (1, 1, 1), padding: str = "valid",
        output_padding: Any = None, data_format: str | None = None, **kwargs: Any,
    ) -> None:
        super().__init__(
            filters, kernel_size, strides, padding, output_padding, data_format, **kwargs
        )


_PARTS = ("initializer", "regularizer", "constraint")


class _Depthwise(Conv):
    """What separable and depthwise convolutions share: a kernel a channel."""

    depth_multiplier = 1

    def _settle_depthwise(self, prefix: str, kwargs: dict[str, Any]) -> None:
        default = {"initializer": "glorot_uniform"}
        names = [f"{prefix}_{part}" for part in _PARTS]
        settle(self, {n: kwargs.pop(n, default.get(p)) for n, p in zip(names, _PARTS)})

    def _add_depthwise(self, channels: int) -> None:
        self.depthwise_kernel = self.add_weight(
            "depthwise_kernel", (*self.kernel_size, channels, self.depth_multiplier),
            initializer=self.depthwise_initializer, regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
        )  # fmt: skip

    def _parts_config(self, *prefixes: str) -> dict[str, Any]:
        config = super().get_config()
        for part in _PARTS:
            config.pop(f"kernel_{part}", None)
        names = " ".join(f"{prefix}_{part}" for prefix in prefixes for part in _PARTS)
        return {**config, "depth_multiplier": self.depth_multiplier, **described(self, names)}


class _Separable(_Depthwise):
    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid",
        data_format: str | None = None, dilation_rate: Any = 1, depth_multiplier: int = 1,
        activation: Any = None, use_bias: bool = True, **kwargs: Any,
    ) -> None:
        parts = {k: kwargs.pop(k) for k in list(kwargs)
                 if k.split("_")[0] in ("depthwise", "pointwise")}  # fmt: skip
        super().__init__(
            filters, kernel_size, strides, padding, data_format, dilation_rate, activation,
            use_bias, **kwargs,
        )  # fmt: skip
        self.depth_multiplier = depth_multiplier
        self._settle_depthwise("depthwise", parts)
        self._settle_depthwise("pointwise", parts)

    def build(self, input_shape: Any) -> None:
        channels = self._channels(input_shape)
        self._add_depthwise(channels)
        inner = channels * self.depth_multiplier
        self.pointwise_kernel = self.add_weight(
            "pointwise_kernel", (*(1,) * self.rank, inner, self.filters),
            initializer=self.pointwise_initializer, regularizer=self.pointwise_regularizer,
            constraint=self.pointwise_constraint,
        )  # fmt: skip
        self._add_bias(self.filters)
        self.built = True

    def call(self, inputs: Any) -> Tensor:  # type: ignore[override]
        convolve = nn.separable_conv1d if self.rank == 1 else nn.separable_conv2d
        return self._finish(convolve(
            inputs, self.depthwise_kernel, self.pointwise_kernel, self.strides, self.padding,
            self.data_format, self.dilation_rate,
        ))  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        return self._parts_config("depthwise", "pointwise")


class SeparableConv1D(_Separable):
    """A convolution a channel, then one over channels, of sequences."""

    rank = 1


class SeparableConv2D(_Separable):
    """A convolution a channel, then one over channels, of images."""


class DepthwiseConv2D(_Depthwise):
    """A convolution a channel; output channel c * depth_multiplier + m is made from channel c."""

    def __init__(
        self, kernel_size: Any, strides: Any = 1, padding: str = "valid",
        depth_multiplier: int = 1, data_format: str | None = None, dilation_rate: Any = 1,
        activation: Any = None, use_bias: bool = True, **kwargs: Any,
    ) -> None:
        parts = {k: kwargs.pop(k) for k in list(kwargs) if k.split("_")[0] == "depthwise"}
        super().__init__(
            None, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
            **kwargs,
        )  # fmt: skip
        self.depth_multiplier = depth_multiplier
        self._settle_depthwise("depthwise", parts)

    def build(self, input_shape: Any) -> None:
        channels = self._channels(input_shape)
        self._add_depthwise(channels)
        self._add_bias(channels * self.depth_multiplier)
        self.built = True

    def call(self, inputs: Any) -> Tensor:  # type: ignore[override]
        return self._finish(nn.depthwise_conv2d(
            inputs, self.depthwise_kernel, self.strides, self.padding, self.data_format,
            self.dilation_rate,
        ))  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        config = self._parts_config("depthwise")
        config.pop("filters")
        return config


class DepthwiseConv1D(DepthwiseConv2D):
    """DepthwiseConv2D over one axis."""

    rank = 1

    def call(self, inputs: Any) -> Tensor:  # type: ignore[override]
        x = api_array.expand_dims(nn.as_last(inputs, self.data_format), 1)
        kernel = api_array.expand_dims(self.depthwise_kernel, 0)
        (stride,), (rate,) = self.strides, self.dilation_rate
        out = nn.depthwise_conv2d(
            x, kernel, (stride, stride), self.padding, "channels_last", (1, rate)
        )
        return self._finish(nn.from_last(api_array.squeeze(out, [1]), self.data_format))
