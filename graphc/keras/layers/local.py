"""tf.keras.layers: convolutions with other weights at each position. Imports keras.engine."""

from __future__ import annotations

from typing import Any

from graphc.ir.node import Tensor
from graphc.keras.core import nn
from graphc.keras.engine.base_layer import InputSpec
from graphc.keras.layers.convolutional import Conv
from graphc.tf1 import api_array
from graphc.tf1.einsum import einsum

__all__ = ["LocallyConnected1D", "LocallyConnected2D"]


class _Local(Conv):
    """The kernel is [positions, window and channels, filters]; only padding "valid"."""

    def __init__(self, filters: int, kernel_size: Any, strides: Any = 1, **kwargs: Any) -> None:
        super().__init__(filters, kernel_size, strides, **kwargs)
        if self.padding != "valid":
            raise ValueError(
                f"Invalid border mode for {type(self).__name__} (only \"valid\" is supported): "
                f"{self.padding}"
            )

    def build(self, input_shape: Any) -> None:
        channels = self._channels(input_shape)
        last = self.data_format == "channels_last"
        spatial = input_shape[1:-1] if last else input_shape[2:]
        if None in spatial:
            raise ValueError(
                f"The spatial dimensions of the inputs to a {type(self).__name__} layer should be "
                f"fully-defined, but layer received the inputs shape {input_shape}"
            )
        self._out = [(s - k) // t + 1 for s, k, t in zip(spatial, self.kernel_size, self.strides)]
        positions = window = 1
        for extent, size in zip(self._out, self.kernel_size):
            positions, window = positions * extent, window * size
        self._add_kernel((positions, window * channels, self.filters))  # type: ignore[arg-type]
        if self.use_bias:
            self.bias = self.add_weight(
                "bias", (*self._out, self.filters), initializer=self.bias_initializer,
                regularizer=self.bias_regularizer, constraint=self.bias_constraint,
            )  # fmt: skip
        self.input_spec = InputSpec(shape=(None, *input_shape[1:]))
        self.built = True

    def _windows(self, x: Tensor) -> Tensor:
        """[batch, positions, window and channels]: the same order as the kernel's."""
        corners: list[tuple[int, ...]] = [()]
        for size in self.kernel_size:
            corners = [(*c, k) for c in corners for k in range(size)]
        parts = []
        for corner in corners:
            cut = tuple(
                slice(at, at + (extent - 1) * stride + 1, stride)
                for at, extent, stride in zip(corner, self._out, self.strides)
            )
            parts.append(x[(slice(None), *cut, slice(None))])
        wide = api_array.stack(parts, axis=-2)
        count = 1
        for extent in self._out:
            count *= extent
        return api_array.reshape(wide, [-1, count, self.kernel.shape.as_list()[1]])

    def call(self, inputs: Any) -> Tensor:  # type: ignore[override]
        x = nn.as_last(inputs, self.data_format)
        out = einsum("bpw,pwf->bpf", self._windows(x), self.kernel)
        out = api_array.reshape(out, [-1, *self._out, self.filters])
        if self.use_bias:
            out = out + self.bias
        return self.activation(nn.from_last(out, self.data_format))


class LocallyConnected1D(_Local):
    """Conv1D with weights of its own for each step."""

    rank = 1


class LocallyConnected2D(_Local):
    """Conv2D with weights of its own for each position."""
