"""TF1's transposed convolutions, and the gradients of convolutions as functions.

Lives here: tf.nn.conv2d_transpose and its like, tf.nn.conv2d_backprop_input and its like. Not here:
convolutions (tf1/api_conv.py), the records (ops/conv.py). Imports ops.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dtypes import int32
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.api_conv import (
    conv_attrs,
    format_of,
    full_list,
    inner_list,
    padding_attrs,
    spatial_axes,
    stretched,
)
from graphc.tf1.arguments import index_tensor, renamed

__all__ = [
    "atrous_conv2d_transpose", "conv1d_transpose", "conv2d_backprop_filter",
    "conv2d_backprop_input", "conv2d_transpose", "conv3d_backprop_filter",
    "conv3d_backprop_filter_v2", "conv3d_transpose", "conv_transpose",
    "depthwise_conv2d_native_backprop_filter", "depthwise_conv2d_native_backprop_input",
]  # fmt: skip


def _sizes(value: Any) -> Tensor:
    sizes = index_tensor(value)
    found: Tensor = sizes if sizes.dtype is int32 else F.cast(sizes, dtype=int32)
    return found


# ------------------------------------------------------------------ gradients as functions
def conv2d_backprop_input(
    input_sizes: Any,
    filter: Any = None,
    out_backprop: Any = None,
    strides: Any = None,
    padding: Any = None,
    use_cudnn_on_gpu: bool = True,
    data_format: str | None = "NHWC",
    dilations: Any = None,
    name: str | None = None,
    filters: Any = None,
) -> Tensor:
    """conv2d's gradient for its input, whose shape is `input_sizes` (four numbers)."""
    w = renamed("filters", filters, "filter", filter)
    attrs = conv_attrs(2, strides, padding, data_format, dilations, "Conv2DBackpropInput")
    g = convert_to_tensor(out_backprop)
    out: Tensor = F.conv2d_backprop_input(_sizes(input_sizes), w, g, name=name, **attrs)
    return out


def conv2d_backprop_filter(
    input: Any,
    filter_sizes: Any,
    out_backprop: Any,
    strides: Any,
    padding: Any,
    use_cudnn_on_gpu: bool = True,
    data_format: str | None = "NHWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """conv2d's gradient for its filter, whose shape is `filter_sizes` (four numbers)."""
    attrs = conv_attrs(2, strides, padding, data_format, dilations, "Conv2DBackpropFilter")
    x, g = convert_to_tensor(input), convert_to_tensor(out_backprop)
    out: Tensor = F.conv2d_backprop_filter(x, _sizes(filter_sizes), g, name=name, **attrs)
    return out


def conv3d_backprop_filter(
    input: Any,
    filter_sizes: Any,
    out_backprop: Any,
    strides: Any,
    padding: Any,
    data_format: str | None = "NDHWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """conv3d's gradient for its filter, whose shape is `filter_sizes` (five numbers)."""
    attrs = conv_attrs(3, strides, padding, data_format, dilations, "Conv3DBackpropFilterV2")
    x, g = convert_to_tensor(input), convert_to_tensor(out_backprop)
    out: Tensor = F.conv3d_backprop_filter(x, _sizes(filter_sizes), g, name=name, **attrs)
    return out


conv3d_backprop_filter_v2 = conv3d_backprop_filter


def depthwise_conv2d_native_backprop_input(
    input_sizes: Any,
    filter: Any,
    out_backprop: Any,
    strides: Any,
    padding: Any,
    data_format: str | None = "NHWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """depthwise_conv2d_native's gradient for its input."""
    attrs = conv_attrs(2, strides, padding, data_format, dilations, "DepthwiseConv2dNative")
    g = convert_to_tensor(out_backprop)
    out: Tensor = F.depthwise_conv2d_native_backprop_input(
        _sizes(input_sizes), filter, g, name=name, **attrs
    )
    return out


def depthwise_conv2d_native_backprop_filter(
    input: Any,
    filter_sizes: Any,
    out_backprop: Any,
    strides: Any,
    padding: Any,
    data_format: str | None = "NHWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """depthwise_conv2d_native's gradient for its filter."""
    attrs = conv_attrs(2, strides, padding, data_format, dilations, "DepthwiseConv2dNative")
    x, g = convert_to_tensor(input), convert_to_tensor(out_backprop)
    out: Tensor = F.depthwise_conv2d_native_backprop_filter(
        x, _sizes(filter_sizes), g, name=name, **attrs
    )
    return out


# ------------------------------------------------------------------ transposed convolutions
def _transposed(
    n: int, value: Any, w: Any, output_shape: Any, attrs: dict[str, Any], name: str
) -> Tensor:
    x = convert_to_tensor(value)
    shape = _sizes(output_shape)
    known = shape.dims
    if known is not None and (len(known) != 1 or known[0] not in (None, n + 2)):
        raise ValueError(f"output_shape must have shape ({n + 2},), got {shape.shape}")
    record = F.conv2d_backprop_input if n == 2 else F.conv3d_backprop_input
    out: Tensor = record(shape, w, x, name=name, **attrs)
    return out


def conv2d_transpose(
    value: Any = None,
    filter: Any = None,
    output_shape: Any = None,
    strides: Any = None,
    padding: Any = "SAME",
    data_format: str | None = "NHWC",
    name: str | None = None,
    input: Any = None,
    filters: Any = None,
    dilations: Any = None,
) -> Tensor:
    """The transpose of conv2d, from its outputs to its inputs (tf.nn.conv2d_transpose).

    Args:
        filter: [height, width, output channels, input channels].
        output_shape: four numbers, or a tensor of them.

    Raises:
        ShapeError: an output_shape that conv2d would not map to the shape of `value`.
    """
    x = renamed("input", input, "value", value)
    w = renamed("filters", filters, "filter", filter)
    attrs = conv_attrs(2, strides, padding, data_format, dilations, "Conv2DBackpropInput")
    return _transposed(2, x, w, output_shape, attrs, name or "conv2d_transpose")


def conv3d_transpose(
    value: Any,
    filter: Any = None,
    output_shape: Any = None,
    strides: Any = None,
    padding: Any = "SAME",
    data_format: str | None = "NDHWC",
    name: str | None = None,
    input: Any = None,
    filters: Any = None,
    dilations: Any = None,
) -> Tensor:
    """The transpose of conv3d (tf.nn.conv3d_transpose)."""
    x = renamed("input", input, "value", value)
    w = renamed("filters", filters, "filter", filter)
    attrs = conv_attrs(3, strides, padding, data_format, dilations, "Conv3DBackpropInputV2")
    return _transposed(3, x, w, output_shape, attrs, name or "conv3d_transpose")


def conv1d_transpose(
    input: Any,
    filters: Any,
    output_shape: Any,
    strides: Any,
    padding: Any = "SAME",
    data_format: str | None = "NWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """The transpose of conv1d (tf.nn.conv1d_transpose); output_shape has three numbers."""
    x = convert_to_tensor(input)
    layout = format_of(data_format, 1, "conv1d_transpose")
    axis = 1 if layout == "NWC" else 2
    with x.graph.name_scope(name or "conv1d_transpose"):
        shape = _sizes(output_shape)
        one, cut = np.ones(1, np.int32), np.array([axis, 3 - axis], np.int32)
        head, tail = F.split_v(shape, cut, axis=0, num=2)
        attrs = {
            "strides": stretched(full_list(strides, 1, layout, "strides"), axis),
            **padding_attrs(padding, "Conv2DBackpropInput", 3),
            "data_format": "NHWC" if axis == 1 else "NCHW",
            "dilations": stretched(full_list(dilations, 1, layout, "dilations"), axis),
        }
        flat = _transposed(
            2, F.expand_dims(x, axis=axis), F.expand_dims(convert_to_tensor(filters), axis=0),
            F.concat(head, one, tail, axis=0), attrs, "conv2d",
        )  # fmt: skip
        out: Tensor = F.squeeze(flat, axes=(axis,))
        return out


def conv_transpose(
    input: Any,
    filters: Any,
    output_shape: Any,
    strides: Any,
    padding: Any = "SAME",
    data_format: str | None = None,
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """The transposed convolution over one, two or three spatial axes (tf.nn.conv_transpose)."""
    x, w = convert_to_tensor(input), convert_to_tensor(filters)
    n = spatial_axes(x, w)
    label = name or "conv_transpose"
    if n == 1:
        return conv1d_transpose(
            x, w, output_shape, strides, padding, data_format or "NWC", dilations, label
        )
    function = conv2d_transpose if n == 2 else conv3d_transpose
    return function(
        x, w, output_shape, strides, padding, data_format, label, dilations=dilations
    )


def atrous_conv2d_transpose(
    value: Any, filters: Any, output_shape: Any, rate: Any, padding: Any, name: str | None = None
) -> Tensor:
    """The transpose of atrous_conv2d (tf.nn.atrous_conv2d_transpose)."""
    rates = inner_list(rate, 2, "rate")
    if min(rates) < 1:
        raise ValueError(f"rate {rate} cannot be less than one")
    return conv2d_transpose(
        value, filters, output_shape, 1, padding, name=name or "atrous_conv2d_transpose",
        dilations=rates,
    )  # fmt: skip
