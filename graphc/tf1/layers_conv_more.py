"""Transposed and separable convolution layers of tf.layers.

Lives here: Conv2DTranspose, Conv3DTranspose, SeparableConv1D, SeparableConv2D and their functions.
Not here: plain convolutions and what is shared (tf1/layers_conv.py). Users find these names in
graphc.layers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ir.node import Tensor
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.define import F
from graphc.tf1.initializers import Zeros
from graphc.tf1.layers_conv import Conv
from graphc.tf1.layers_pool import channel_format

__all__ = [
    "Conv2DTranspose", "Conv3DTranspose", "SeparableConv1D", "SeparableConv2D",
    "conv2d_transpose", "conv3d_transpose", "separable_conv1d", "separable_conv2d",
]  # fmt: skip


# ------------------------------------------------------------------ transposed
class _Transposed(Conv):
    """A convolution's gradient with respect to its inputs, as a layer of its own.

    Variables "kernel", of shape (*kernel_size, filters, input channels), and "bias".
    """

    _n = 2

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = "channels_last",
        activation: Callable[..., Any] | None = None,
        use_bias: bool = True,
        kernel_initializer: Any = None,
        bias_initializer: Any = Zeros(),  # noqa: B008  initializers hold no state
        kernel_regularizer: Callable[..., Any] | None = None,
        bias_regularizer: Callable[..., Any] | None = None,
        activity_regularizer: Callable[..., Any] | None = None,
        kernel_constraint: Callable[..., Any] | None = None,
        bias_constraint: Callable[..., Any] | None = None,
        trainable: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            self._n, filters, kernel_size, strides, padding, data_format, 1, activation, use_bias,
            kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
            activity_regularizer, kernel_constraint, bias_constraint, trainable, name, **kwargs,
        )  # fmt: skip

    def kernel_shape(self, channels: int) -> tuple[int, ...]:
        return (*self.kernel_size, self.filters, channels)

    def convolved(self, x: Tensor) -> Tensor:
        from graphc import nn
        from graphc.tf1.arguments import index_tensor

        static = self.compute_output_shape(x.shape).as_list()
        shape = F.shape(x)
        start = 1 if self.data_format == "channels_last" else 2
        dims: list[Any] = list(static)
        for i in range(self.rank):
            if dims[start + i] is None:
                dims[start + i] = self._extent(shape[start + i], i)
        if dims[0] is None:
            dims[0] = shape[0]
        function = nn.conv2d_transpose if self.rank == 2 else nn.conv3d_transpose
        out: Tensor = function(
            x, self.kernel, index_tensor(dims), strides=self.around(self.strides),
            padding=self.padding.upper(), data_format=channel_format(self.rank, self.data_format),
        )  # fmt: skip
        out.set_shape(static)
        return out

    def _extent(self, extent: Any, axis: int) -> Any:
        """The extent that a convolution would have shortened to `extent`."""
        stride, size = self.strides[axis], self.kernel_size[axis]
        longer = extent * stride
        return longer + max(size - stride, 0) if self.padding == "valid" else longer

    def compute_output_shape(self, input_shape: Any) -> TensorShape:
        dims = TensorShape(input_shape).as_list()
        start = 1 if self.data_format == "channels_last" else 2
        for i in range(self.rank):
            if dims[start + i] is not None:
                dims[start + i] = self._extent(dims[start + i], i)
        dims[self.channel_axis] = self.filters
        return TensorShape(dims)


class Conv2DTranspose(_Transposed):
    """A transposed convolution over images (Zeiler 2010)."""

    _n = 2


class Conv3DTranspose(_Transposed):
    """A transposed convolution over volumes."""

    _n = 3


def _transposed(layer: type[_Transposed], name_: str) -> Callable[..., Any]:
    def conv(
        inputs: Any,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = "channels_last",
        activation: Callable[..., Any] | None = None,
        use_bias: bool = True,
        kernel_initializer: Any = None,
        bias_initializer: Any = Zeros(),  # noqa: B008
        kernel_regularizer: Callable[..., Any] | None = None,
        bias_regularizer: Callable[..., Any] | None = None,
        activity_regularizer: Callable[..., Any] | None = None,
        kernel_constraint: Callable[..., Any] | None = None,
        bias_constraint: Callable[..., Any] | None = None,
        trainable: bool = True,
        name: str | None = None,
        reuse: Any = None,
    ) -> Any:
        made = layer(
            filters, kernel_size, strides, padding, data_format, activation, use_bias,
            kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
            activity_regularizer, kernel_constraint, bias_constraint, trainable, name,
            _scope=name, _reuse=reuse,
        )  # fmt: skip
        return made(inputs)

    conv.__name__ = conv.__qualname__ = name_
    conv.__doc__ = f"""activation(transposed convolution + bias) (tf.layers.{name_}).

    Args: as tf.layers.conv2d's, without dilation_rate.

    Returns:
        Each spatial extent n becomes n * stride ("same") or n * stride + max(size - stride, 0).
    """
    return conv


conv2d_transpose = _transposed(Conv2DTranspose, "conv2d_transpose")
conv3d_transpose = _transposed(Conv3DTranspose, "conv3d_transpose")


# ------------------------------------------------------------------ separable
class _Separable(Conv):
    """A convolution of each channel on its own, then a 1 x 1 convolution that mixes them.

    Variables "depthwise_kernel", of shape (*kernel_size, input channels, depth_multiplier),
    "pointwise_kernel", of shape (1, ..., input channels * depth_multiplier, filters), and "bias".
    """

    _n = 2

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = "channels_last",
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Callable[..., Any] | None = None,
        use_bias: bool = True,
        depthwise_initializer: Any = None,
        pointwise_initializer: Any = None,
        bias_initializer: Any = Zeros(),  # noqa: B008  initializers hold no state
        depthwise_regularizer: Callable[..., Any] | None = None,
        pointwise_regularizer: Callable[..., Any] | None = None,
        bias_regularizer: Callable[..., Any] | None = None,
        activity_regularizer: Callable[..., Any] | None = None,
        depthwise_constraint: Callable[..., Any] | None = None,
        pointwise_constraint: Callable[..., Any] | None = None,
        bias_constraint: Callable[..., Any] | None = None,
        trainable: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            self._n, filters, kernel_size, strides, padding, data_format, dilation_rate,
            activation, use_bias, bias_initializer=bias_initializer,
            bias_regularizer=bias_regularizer, activity_regularizer=activity_regularizer,
            bias_constraint=bias_constraint, trainable=trainable, name=name, **kwargs,
        )  # fmt: skip
        self.depth_multiplier = depth_multiplier
        self._depthwise = (depthwise_initializer, depthwise_regularizer, depthwise_constraint)
        self._pointwise = (pointwise_initializer, pointwise_regularizer, pointwise_constraint)

    def build(self, input_shape: Any) -> None:
        channels = self.channels(input_shape)
        shapes = {
            "depthwise_kernel": (*self.kernel_size, channels, self.depth_multiplier),
            "pointwise_kernel": (*(1,) * self._n, channels * self.depth_multiplier, self.filters),
        }
        kernels = []
        for (name, shape), (first, regularizer, constraint) in zip(
            shapes.items(), (self._depthwise, self._pointwise)
        ):
            kernels.append(
                self.add_weight(name, shape, None, first, regularizer, constraint=constraint)
            )
        self.depthwise_kernel, self.pointwise_kernel = kernels
        self.add_bias()
        self.built = True

    def convolved(self, x: Tensor) -> Tensor:
        from graphc import nn

        first = self.data_format == "channels_first"
        kernels: list[Any] = [self.depthwise_kernel, self.pointwise_kernel]
        strides, rate = self.strides, self.dilation_rate
        at = 2 if first else 1
        if self._n == 1:
            # a row is an image of height 1
            x, padding = self._padded(x)
            x = F.expand_dims(x, axis=at)
            kernels = [F.expand_dims(k, axis=0) for k in kernels]
            # tf.nn wants equal strides; a height of 1 takes any
            strides, rate = (strides[0], strides[0]), (1, rate[0])
        else:
            padding = self.padding.upper()
        out: Tensor = nn.separable_conv2d(
            x, *kernels, strides=[1, 1, *strides] if first else [1, *strides, 1],
            padding=padding, rate=list(rate), data_format="NCHW" if first else "NHWC",
        )  # fmt: skip
        return F.squeeze(out, axes=(at,)) if self._n == 1 else out


class SeparableConv1D(_Separable):
    """A depthwise separable convolution along a sequence."""

    _n, _causal = 1, True


class SeparableConv2D(_Separable):
    """A depthwise separable convolution over images (Chollet 2017)."""

    _n = 2


def _separable(layer: type[_Separable], name_: str) -> Callable[..., Any]:
    def conv(
        inputs: Any,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = "channels_last",
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Callable[..., Any] | None = None,
        use_bias: bool = True,
        depthwise_initializer: Any = None,
        pointwise_initializer: Any = None,
        bias_initializer: Any = Zeros(),  # noqa: B008
        depthwise_regularizer: Callable[..., Any] | None = None,
        pointwise_regularizer: Callable[..., Any] | None = None,
        bias_regularizer: Callable[..., Any] | None = None,
        activity_regularizer: Callable[..., Any] | None = None,
        depthwise_constraint: Callable[..., Any] | None = None,
        pointwise_constraint: Callable[..., Any] | None = None,
        bias_constraint: Callable[..., Any] | None = None,
        trainable: bool = True,
        name: str | None = None,
        reuse: Any = None,
    ) -> Any:
        made = layer(
            filters, kernel_size, strides, padding, data_format, dilation_rate, depth_multiplier,
            activation, use_bias, depthwise_initializer, pointwise_initializer, bias_initializer,
            depthwise_regularizer, pointwise_regularizer, bias_regularizer, activity_regularizer,
            depthwise_constraint, pointwise_constraint, bias_constraint, trainable, name,
            _scope=name, _reuse=reuse,
        )  # fmt: skip
        return made(inputs)

    conv.__name__ = conv.__qualname__ = name_
    conv.__doc__ = f"""activation(depthwise, then 1 x 1 convolution + bias) (tf.layers.{name_}).

    Args: as tf.layers.conv2d's; depth_multiplier: outputs of the depthwise step for each channel.
    """
    return conv


separable_conv1d = _separable(SeparableConv1D, "separable_conv1d")
separable_conv2d = _separable(SeparableConv2D, "separable_conv2d")
