"""tf.keras.layers: convolutions with other weights at each position. Imports keras.engine.

Lives here: LocallyConnected1D and 2D. The kernel of implementation 1 is [positions, window and
channels, filters]; that of 2 has every input against every output, with zeros outside the
windows; that of 3 is a vector of the weights inside them, by output and then by input.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from graphc.ir.node import Tensor
from graphc.keras.core import nn
from graphc.keras.engine.base_layer import InputSpec
from graphc.keras.layers.convolutional import Conv
from graphc.ops.convert import convert_to_tensor
from graphc.tf1 import api_array, api_linalg
from graphc.tf1.api_scatter import scatter_nd
from graphc.tf1.einsum import einsum

__all__ = ["LocallyConnected1D", "LocallyConnected2D"]


class _Local(Conv):
    """A convolution without shared weights.

    Args:
        implementation: how the kernel is kept: see above. padding: "same" needs 2 or 3.

    Raises:
        ValueError: padding "same" with implementation 1; another implementation; inputs of
            unknown extents.
    """

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid",
        data_format: str | None = None, implementation: int = 1, **kwargs: Any,
    ) -> None:
        super().__init__(filters, kernel_size, strides, padding, data_format, **kwargs)
        self.implementation = implementation
        if implementation not in (1, 2, 3):
            raise ValueError(f"Unrecognized implementation mode: {implementation}.")
        if self.padding != "valid" and implementation == 1:
            raise ValueError(
                f'Invalid border mode for {type(self).__name__} (only "valid" is supported if '
                f"implementation is 1): {self.padding}"
            )

    def build(self, input_shape: Any) -> None:
        channels = self._channels(input_shape)
        last = self.data_format == "channels_last"
        spatial = list(input_shape[1:-1] if last else input_shape[2:])
        if None in spatial:
            raise ValueError(
                f"The spatial dimensions of the inputs to a {type(self).__name__} layer should be "
                f"fully-defined, but layer received the inputs shape {input_shape}"
            )
        self._in, self._many = spatial, channels
        self._out = [
            (s - k) // t + 1 if self.padding == "valid" else -(-s // t)
            for s, k, t in zip(spatial, self.kernel_size, self.strides)
        ]
        self._add_kernel(self._kernel_shape())
        if self.use_bias:
            self.bias = self.add_weight(
                "bias", (*self._out, self.filters), initializer=self.bias_initializer,
                regularizer=self.bias_regularizer, constraint=self.bias_constraint,
            )  # fmt: skip
        self.input_spec = InputSpec(shape=(None, *input_shape[1:]))
        self.built = True

    def _kernel_shape(self) -> tuple[Any, ...]:
        if self.implementation == 1:
            positions, window = int(np.prod(self._out)), int(np.prod(self.kernel_size))
            return positions, window * self._many, self.filters
        if self.implementation == 2:
            return (*self._with(self._in, self._many), *self._with(self._out, self.filters))
        self._places = np.argwhere(self._inside().T)
        return (len(self._places),)

    def _with(self, spatial: list[int], channels: Any) -> list[Any]:
        """The extents of a sample in the layer's format."""
        if self.data_format == "channels_last":
            return [*spatial, channels]
        return [channels, *spatial]

    def _inside(self) -> Any:
        """[all inputs, all outputs]: whether an output has an input in its window."""
        table = np.ones((1,) * (2 * self.rank), bool)
        for axis, (size, out, kernel, stride) in enumerate(
            zip(self._in, self._out, self.kernel_size, self.strides)
        ):
            left = kernel // 2
            centers = np.arange(out) * stride + (left if self.padding == "valid" else 0)
            at = np.arange(size)[:, None]
            near = (at >= centers - left) & (at < centers - left + kernel)
            dims = [1] * (2 * self.rank)
            dims[axis], dims[self.rank + axis] = size, out
            table = table & near.reshape(dims)
        last = self.data_format == "channels_last"
        ends = [self.rank, 2 * self.rank + 1] if last else [0, self.rank + 1]
        for end in ends:
            table = np.expand_dims(table, end)
        full = [*self._with(self._in, self._many), *self._with(self._out, self.filters)]
        count = int(np.prod(self._in)) * self._many
        return np.broadcast_to(table, full).reshape(count, -1)

    # ------------------------------------------------------------ running
    def _windows(self, x: Tensor) -> Tensor:
        """[batch, positions, window and channels]: the same order as the kernel's."""
        parts = []
        for corner in itertools.product(*(range(size) for size in self.kernel_size)):
            cut = tuple(
                slice(at, at + (extent - 1) * stride + 1, stride)
                for at, extent, stride in zip(corner, self._out, self.strides)
            )
            parts.append(x[(slice(None), *cut, slice(None))])
        # channels stand inside windows, or around them, as in the layer's format
        last = self.data_format == "channels_last"
        wide = api_array.stack(parts, axis=-2 if last else -1)
        return api_array.reshape(wide, [-1, *self.kernel.shape.as_list()[:2]])

    def _by_matrix(self, inputs: Tensor) -> Tensor:
        """The outputs, channels last, by a product with every input against every output."""
        inside = self._inside()
        if self.implementation == 2:
            matrix = api_array.reshape(self.kernel, inside.shape)
            matrix = matrix * convert_to_tensor(inside.astype("float32"), dtype=matrix.dtype)
        else:
            flat = convert_to_tensor(self.kernel)
            where = self._places[:, ::-1].astype("int32")
            matrix = scatter_nd(where, flat, list(inside.shape))
        rows = api_array.reshape(inputs, [-1, inside.shape[0]])
        out = api_linalg.matmul(rows, matrix)
        return nn.as_last(
            api_array.reshape(out, [-1, *self._with(self._out, self.filters)]), self.data_format
        )

    def call(self, inputs: Any) -> Tensor:  # type: ignore[override]
        if self.implementation == 1:
            x = nn.as_last(inputs, self.data_format)
            out = einsum("bpw,pwf->bpf", self._windows(x), self.kernel)
            out = api_array.reshape(out, [-1, *self._out, self.filters])
        else:
            out = self._by_matrix(inputs)
        return self._finish(nn.from_last(out, self.data_format))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("dilation_rate")
        return {**config, "implementation": self.implementation}


class LocallyConnected1D(_Local):
    """Conv1D with weights of its own for each step."""

    rank = 1


class LocallyConnected2D(_Local):
    """Conv2D with weights of its own for each position."""
