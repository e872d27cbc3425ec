"""TF1's convolutions: tf.nn.conv1d to conv3d, depthwise, separable, atrous.

Lives here: thin wrappers with TF1's arguments. Not here: the records (ops/conv.py), transposed
convolutions and gradients (tf1/api_conv_back.py), layers with variables (tf1/layers_conv.py), pools
(tf1/api_pool.py). Imports ops.

Filters are [spatial..., input channels, output channels]. Strides and dilations may be one number,
one a spatial axis, or one an axis. Padding is "SAME", "VALID" or a list of pairs, one an axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.arguments import renamed, static_ints

__all__ = [
    "atrous_conv2d", "conv1d", "conv2d", "conv3d", "convolution", "depthwise_conv2d",
    "depthwise_conv2d_native", "separable_conv2d",
]  # fmt: skip

_LAST = {1: "NWC", 2: "NHWC", 3: "NDHWC"}
_FIRST = {1: "NCW", 2: "NCHW", 3: "NCDHW"}


# ------------------------------------------------------------------ arguments
def format_of(data_format: str | None, n: int, op: str) -> str:
    """The data format of n spatial axes, channels last by default.

    Raises:
        ValueError: "Attr 'data_format' of 'Conv2D' Op passed string 'X' not in: ...".
    """
    if data_format is None:
        return _LAST[n]
    if data_format not in (_LAST[n], _FIRST[n]):
        raise ValueError(
            f"Attr 'data_format' of '{op}' Op passed string '{data_format}' not in: "
            f'"{_LAST[n]}", "{_FIRST[n]}".'
        )
    return data_format


def full_list(value: Any, n: int, data_format: str, what: str) -> tuple[int, ...]:
    """One number an axis, from one number, one a spatial axis, or all.

    Raises:
        ValueError: "strides should be of length 1, 2 or 4. Received: ...".
    """
    values = (1,) if value is None else static_ints(value, what)
    if len(values) == n + 2:
        return values
    if len(values) not in (1, n):
        raise ValueError(
            f"{what} should be of length 1, {n} or {n + 2}. Received: {what}={value} of length "
            f"{len(values)}"
        )
    inner = values * n if len(values) == 1 else values
    return (1, 1, *inner) if data_format.startswith("NC") else (1, *inner, 1)


def padding_attrs(padding: Any, op: str, rank: int) -> dict[str, Any]:
    """The attributes `padding` and, where paddings are given, `explicit_paddings`.

    Raises:
        ValueError: another string, or pairs that are not one an axis.
    """
    if isinstance(padding, str):
        if padding not in ("SAME", "VALID"):
            raise ValueError(
                f"Attr 'padding' of '{op}' Op passed string '{padding}' not in: "
                '"SAME", "VALID", "EXPLICIT".'
            )
        return {"padding": padding}
    pairs = [static_ints(p, "padding") for p in padding] if padding is not None else []
    if len(pairs) != rank or any(len(p) != 2 for p in pairs):
        raise ValueError(
            "When padding is a list, each element of padding must be a list or tuple of size 2 and"
            f" padding must have {rank} of them. Padding with {padding} is not valid."
        )
    flat = tuple(v for p in pairs for v in p)
    return {"padding": "EXPLICIT", "explicit_paddings": flat}


def conv_attrs(
    n: int, strides: Any, padding: Any, data_format: str | None, dilations: Any, op: str
) -> dict[str, Any]:
    """The attributes of a convolution over n spatial axes, as the records have them."""
    layout = format_of(data_format, n, op)
    return {
        "strides": full_list(strides, n, layout, "strides"),
        **padding_attrs(padding, op, n + 2),
        "data_format": layout,
        "dilations": full_list(dilations, n, layout, "dilations"),
    }


# ------------------------------------------------------------------ convolutions
def conv2d(
    input: Any,
    filter: Any = None,
    strides: Any = None,
    padding: Any = None,
    use_cudnn_on_gpu: bool = True,
    data_format: str | None = "NHWC",
    dilations: Any = None,
    name: str | None = None,
    filters: Any = None,
) -> Tensor:
    """Sums of products of windows with a filter (tf.nn.conv2d).

    Args:
        input: [batch, height, width, channels], or [batch, channels, height, width] ("NCHW").
        filter: [height, width, channels, outputs]; floats.
        use_cudnn_on_gpu: accepted and ignored.

    Raises:
        ShapeError: ranks, channels that differ, a window larger than the image with "VALID",
            strides over batch or channels. ValueError: other arguments.
    """
    w = renamed("filters", filters, "filter", filter)
    attrs = conv_attrs(2, strides, padding, data_format, dilations, "Conv2D")
    out: Tensor = F.conv2d(convert_to_tensor(input), w, name=name, **attrs)
    return out


def conv3d(
    input: Any,
    filter: Any = None,
    strides: Any = None,
    padding: Any = None,
    data_format: str | None = "NDHWC",
    dilations: Any = None,
    name: str | None = None,
    filters: Any = None,
) -> Tensor:
    """conv2d with a depth axis before height and width (tf.nn.conv3d)."""
    w = renamed("filters", filters, "filter", filter)
    attrs = conv_attrs(3, strides, padding, data_format, dilations, "Conv3D")
    out: Tensor = F.conv3d(convert_to_tensor(input), w, name=name, **attrs)
    return out


def conv1d(
    value: Any = None,
    filters: Any = None,
    stride: Any = None,
    padding: Any = None,
    use_cudnn_on_gpu: bool | None = None,
    data_format: str | None = None,
    name: str | None = None,
    input: Any = None,
    dilations: Any = None,
) -> Tensor:
    """conv2d of one spatial axis (tf.nn.conv1d).

    Args:
        value: [batch, width, channels], or [batch, channels, width] ("NCW").
        filters: [width, channels, outputs].
    """
    x = convert_to_tensor(renamed("input", input, "value", value))
    layout = {"NHWC": "NWC", "NCHW": "NCW"}.get(data_format or "NWC", data_format)
    layout = format_of(layout, 1, "Conv1D")
    axis = 1 if layout == "NWC" else 2
    if x.rank not in (None, 3):
        raise ValueError(f"Shape must be rank 3 but is rank {x.rank}")
    with x.graph.name_scope(name or "conv1d"):
        step = full_list(stride, 1, layout, "stride")
        rate = full_list(dilations, 1, layout, "dilations")
        attrs = {
            "strides": stretched(step, axis), **padding_attrs(padding, "Conv1D", 3),
            "data_format": "NHWC" if axis == 1 else "NCHW", "dilations": stretched(rate, axis),
        }  # fmt: skip
        if "explicit_paddings" in attrs:
            pads = attrs["explicit_paddings"]
            attrs["explicit_paddings"] = (*pads[: 2 * axis], 0, 0, *pads[2 * axis :])
        flat = F.conv2d(
            F.expand_dims(x, axis=axis), F.expand_dims(convert_to_tensor(filters), axis=0), **attrs
        )
        out: Tensor = F.squeeze(flat, axes=(axis,), name="Squeeze")
        return out


def stretched(values: Sequence[int], axis: int) -> tuple[int, ...]:
    """The values with a 1 for an inserted axis."""
    return (*values[:axis], 1, *values[axis:])


def convolution(
    input: Any,
    filter: Any = None,
    padding: Any = None,
    strides: Any = None,
    dilation_rate: Any = None,
    name: str | None = None,
    data_format: str | None = None,
    filters: Any = None,
    dilations: Any = None,
) -> Tensor:
    """A convolution over one, two or three spatial axes, by the filter's rank (tf.nn.convolution).

    Raises:
        ValueError: strides and dilations that are both above 1, an unknown rank.
    """
    w = convert_to_tensor(renamed("filters", filters, "filter", filter))
    x = convert_to_tensor(input)
    n = spatial_axes(x, w)
    rate = renamed("dilations", dilations, "dilation_rate", dilation_rate)
    steps, rates = inner_list(strides, n, "strides"), inner_list(rate, n, "dilation_rate")
    if max(steps) > 1 and max(rates) > 1:
        raise ValueError(
            "`strides > 1` not supported in conjunction with `dilation_rate > 1`. Received: "
            f"strides={np.array(steps)} and dilation_rate={np.array(rates)}"
        )
    label = name or "convolution"
    if n == 1:
        return conv1d(x, w, steps[0], padding, data_format=data_format, name=label, dilations=rates)
    function = conv2d if n == 2 else conv3d
    return function(
        x, w, steps, padding, data_format=data_format, dilations=rates, name=label
    )


def spatial_axes(x: Tensor, w: Tensor) -> int:
    """The number of spatial axes, by the filter's rank. Raises ValueError: none of 1, 2, 3."""
    rank = w.rank if w.rank is not None else x.rank
    if rank is None:
        raise ValueError("rank of input must be known")
    if rank - 2 not in (1, 2, 3):
        raise ValueError(f"`filter` must have rank 3, 4 or 5, got {rank}")
    return rank - 2


def inner_list(value: Any, n: int, what: str) -> tuple[int, ...]:
    """One number a spatial axis, from one number or all. Raises ValueError for another count."""
    values = (1,) if value is None else static_ints(value, what)
    if len(values) not in (1, n):
        raise ValueError(f"{what} should be of length 1 or {n}. Received: {value}")
    return values * n if len(values) == 1 else values


def atrous_conv2d(
    value: Any, filters: Any, rate: Any, padding: Any, name: str | None = None
) -> Tensor:
    """A convolution whose filter has rate - 1 holes between its values (tf.nn.atrous_conv2d)."""
    return convolution(value, filters, padding, dilation_rate=rate, name=name)


# ------------------------------------------------------------------ channel by channel
def depthwise_conv2d_native(
    input: Any,
    filter: Any,
    strides: Any,
    padding: Any,
    data_format: str | None = "NHWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """Every channel with filters of its own (tf.nn.depthwise_conv2d_native).

    Args:
        filter: [height, width, channels, multiplier]; output channel c * multiplier + m is made
            of input channel c.
    """
    attrs = conv_attrs(2, strides, padding, data_format, dilations, "DepthwiseConv2dNative")
    out: Tensor = F.depthwise_conv2d_native(
        convert_to_tensor(input), filter, name=name or "DepthwiseConv2dNative", **attrs
    )
    return out


def depthwise_conv2d(
    input: Any,
    filter: Any,
    strides: Any,
    padding: Any,
    rate: Any = None,
    name: str | None = None,
    data_format: str | None = None,
    dilations: Any = None,
) -> Tensor:
    """depthwise_conv2d_native with an optional `rate` (tf.nn.depthwise_conv2d)."""
    rates = inner_list(renamed("dilations", dilations, "rate", rate), 2, "rate")
    _not_both(strides, rates)
    return depthwise_conv2d_native(
        input, filter, strides, padding, data_format, rates, name or "depthwise"
    )


def _not_both(strides: Any, rates: Sequence[int]) -> None:
    if max(rates) > 1 and max(static_ints(strides, "strides")) > 1:
        raise ValueError(
            "`strides > 1` not supported in conjunction with `dilation_rate > 1`. Received: "
            f"strides={strides} and dilation_rate={np.array(rates)}"
        )


def separable_conv2d(
    input: Any,
    depthwise_filter: Any,
    pointwise_filter: Any,
    strides: Any,
    padding: Any,
    rate: Any = None,
    name: str | None = None,
    data_format: str | None = None,
    dilations: Any = None,
) -> Tensor:
    """A depthwise convolution and a pointwise one on its outputs (tf.nn.separable_conv2d).

    Args:
        pointwise_filter: [1, 1, channels * multiplier, outputs].
    """
    x = convert_to_tensor(input)
    with x.graph.name_scope(name or "separable_conv2d") as scope:
        deep = depthwise_conv2d(
            x, depthwise_filter, strides, padding, rate, "depthwise", data_format, dilations
        )
        return conv2d(deep, pointwise_filter, 1, "VALID", data_format=data_format, name=scope)
