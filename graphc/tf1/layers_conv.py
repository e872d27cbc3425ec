"""Convolution layers of tf.layers: conv1d to conv3d.

Lives here: Conv1D, Conv2D, Conv3D, their functions and what the other convolution layers share.
Not here: transposed and separable ones (tf1/layers_conv_more.py), tf.nn's convolutions. Users find
these names in graphc.layers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ir.node import Tensor
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.initializers import Zeros
from graphc.tf1.layers_base import InputSpec, Layer
from graphc.tf1.layers_core import normalize_data_format
from graphc.tf1.layers_pool import (
    channel_format,
    normalize_padding,
    normalize_tuple,
    windowed_extent,
)

__all__ = ["Conv1D", "Conv2D", "Conv3D", "conv1d", "conv2d", "conv3d"]


class Conv(Layer):
    """activation(convolution(inputs, kernel) + bias) over `rank` spatial axes.

    Variables "kernel", of shape (*kernel_size, input channels, filters), and "bias".

    Args:
        filters: output channels. kernel_size, strides, dilation_rate: an int, or one for each
            spatial axis. padding: "valid" or "same". data_format: "channels_last" or
            "channels_first". Others: see Dense.

    Raises:
        ValueError: arguments that cannot be, or inputs whose channels are not known.
    """

    _causal = False

    def __init__(
        self,
        rank: int,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = "channels_last",
        dilation_rate: Any = 1,
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
            trainable=trainable, name=name, activity_regularizer=activity_regularizer, **kwargs
        )
        self.rank = rank
        self.filters = int(filters)
        self.kernel_size = normalize_tuple(kernel_size, rank, "kernel_size")
        self.strides = normalize_tuple(strides, rank, "strides")
        self.padding = normalize_padding(padding, self._causal)
        self.data_format = normalize_data_format(data_format)
        self.dilation_rate = normalize_tuple(dilation_rate, rank, "dilation_rate")
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError("strides > 1 not supported in conjunction with dilation_rate > 1")
        self.activation = activation
        self.use_bias = use_bias
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer
        self.kernel_regularizer = kernel_regularizer
        self.bias_regularizer = bias_regularizer
        self.kernel_constraint = kernel_constraint
        self.bias_constraint = bias_constraint
        self.input_spec = InputSpec(ndim=rank + 2)

    # ------------------------------------------------------------ variables
    @property
    def channel_axis(self) -> int:
        return 1 if self.data_format == "channels_first" else self.rank + 1

    def channels(self, input_shape: Any) -> int:
        """The inputs' channels; from here on the layer accepts no other number."""
        dims = input_shape.as_list() if input_shape.ndims is not None else []
        channels = dims[self.channel_axis] if len(dims) > self.channel_axis else None
        if channels is None:
            raise ValueError(
                "The channel dimension of the inputs should be defined. Found `None`."
            )
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={self.channel_axis: channels})
        return int(channels)

    def kernel_shape(self, channels: int) -> tuple[int, ...]:
        return (*self.kernel_size, channels, self.filters)

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight(
            "kernel", self.kernel_shape(self.channels(input_shape)), None,
            self.kernel_initializer, self.kernel_regularizer, constraint=self.kernel_constraint,
        )  # fmt: skip
        self.add_bias()
        self.built = True

    def add_bias(self) -> None:
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                "bias", (self.filters,), None, self.bias_initializer, self.bias_regularizer,
                constraint=self.bias_constraint,
            )  # fmt: skip

    # ------------------------------------------------------------ outputs
    def call(self, inputs: Any) -> Any:  # type: ignore[override]
        return self.finished(self.convolved(convert_to_tensor(inputs)))

    def finished(self, outputs: Tensor) -> Any:
        """With bias and activation."""
        if self.bias is not None:
            first = self.data_format == "channels_first"
            attrs = {"data_format": "NCHW"} if first else {}
            outputs = F.bias_add(outputs, self.bias, name="BiasAdd", **attrs)
        return outputs if self.activation is None else self.activation(outputs)

    def convolved(self, x: Tensor) -> Tensor:
        """Without bias and activation."""
        from graphc import nn

        layout = channel_format(self.rank, self.data_format)
        if self.rank == 1:
            x, padding = self._padded(x)
            return nn.convolution(
                x, self.kernel, padding=padding, strides=self.strides,
                dilation_rate=self.dilation_rate, data_format=layout, name="conv1d",
            )  # fmt: skip
        function = nn.conv2d if self.rank == 2 else nn.conv3d
        return function(
            x, self.kernel, strides=self.around(self.strides), padding=self.padding.upper(),
            data_format=layout, dilations=self.around(self.dilation_rate),
        )  # fmt: skip

    def around(self, spatial: tuple[int, ...]) -> list[int]:
        """One number for each axis, 1 for batch and channels."""
        first = self.data_format == "channels_first"
        return [1, 1, *spatial] if first else [1, *spatial, 1]

    def _padded(self, x: Tensor) -> tuple[Tensor, str]:
        """Causal: zeros on the left alone, so that no output sees later inputs."""
        if self.padding != "causal":
            return x, self.padding.upper()
        from graphc.tf1.api_array import pad

        left = (self.kernel_size[0] - 1) * self.dilation_rate[0]
        pads = [[0, 0]] * 3
        pads[1 if self.data_format == "channels_last" else 2] = [left, 0]
        return pad(x, pads), "VALID"

    def compute_output_shape(self, input_shape: Any) -> TensorShape:
        dims = TensorShape(input_shape).as_list()
        start = 1 if self.data_format == "channels_last" else 2
        padding = "same" if self.padding == "causal" else self.padding
        for i in range(self.rank):
            dims[start + i] = windowed_extent(
                dims[start + i], self.kernel_size[i], self.strides[i], padding,
                self.dilation_rate[i],
            )  # fmt: skip
        dims[self.channel_axis] = self.filters
        return TensorShape(dims)


class Conv1D(Conv):
    """A convolution along a sequence (batch, length, channels); padding may be "causal"."""

    _causal = True

    def __init__(self, filters: int, kernel_size: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(1, filters, kernel_size, *args, **kwargs)


class Conv2D(Conv):
    """A convolution over images (batch, height, width, channels)."""

    def __init__(self, filters: int, kernel_size: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(2, filters, kernel_size, *args, **kwargs)


class Conv3D(Conv):
    """A convolution over volumes (batch, depth, height, width, channels)."""

    def __init__(self, filters: int, kernel_size: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(3, filters, kernel_size, *args, **kwargs)


def _function(layer: Callable[..., Conv], name_: str, shape: str) -> Callable[..., Any]:
    def conv(
        inputs: Any,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = "channels_last",
        dilation_rate: Any = 1,
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
            filters, kernel_size, strides, padding, data_format, dilation_rate, activation,
            use_bias, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
            activity_regularizer, kernel_constraint, bias_constraint, trainable, name,
            _scope=name, _reuse=reuse,
        )  # fmt: skip
        return made(inputs)

    conv.__name__ = conv.__qualname__ = name_
    conv.__doc__ = f"""activation(convolution(inputs, kernel) + bias) (tf.layers.{name_}).

    Args:
        inputs: {shape}, the channels known. filters: output channels.
        kernel_size, strides, dilation_rate: an int, or one for each spatial axis.
        padding: "valid" or "same". data_format: "channels_last" or "channels_first".
        Others: see tf.layers.dense.

    Raises:
        ValueError: arguments that cannot be; channels not known; variables that exist already.
    """
    return conv


conv1d = _function(Conv1D, "conv1d", "(batch, length, channels)")
conv2d = _function(Conv2D, "conv2d", "(batch, height, width, channels)")
conv3d = _function(Conv3D, "conv3d", "(batch, depth, height, width, channels)")
