"""keras.backend's network functions: convolutions, pools, normalisation, losses on tensors.

Lives here: conv1d to sparse_categorical_crossentropy. Not here: layers. Imports tf1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.ir.dtypes import int64
from graphc.ir.node import Tensor
from graphc.keras.core.arrays import int_shape, repeat_elements
from graphc.keras.core.config import epsilon, normalize_data_format
from graphc.keras.core.math import cast, clip
from graphc.ops.convert import convert_to_tensor
from graphc.tf1 import (
    api_array,
    api_conv,
    api_conv_back,
    api_image,
    api_losses,
    api_math,
    api_nn,
    api_normalize,
    api_pool,
)  # fmt: skip

__all__ = [
    "batch_normalization", "bias_add", "binary_crossentropy", "categorical_crossentropy", "conv1d",
    "conv2d", "conv2d_transpose", "conv3d", "conv3d_transpose", "depthwise_conv2d", "dropout",
    "in_top_k", "normalize_batch_in_training", "pool2d", "pool3d", "resize_images",
    "resize_volumes", "separable_conv1d", "separable_conv2d", "sparse_categorical_crossentropy",
    "spatial_2d_padding", "spatial_3d_padding",
]  # fmt: skip


# ------------------------------------------------------------------ formats
def native_format(data_format: str | None, n: int) -> str:
    """ "NHWC" or "NCHW" for two spatial axes, and so on."""
    axes = "DHW"[3 - n :] if n != 1 else "W"
    last = normalize_data_format(data_format) == "channels_last"
    return f"N{axes}C" if last else f"NC{axes}"


def as_last(x: Tensor, data_format: str | None) -> Tensor:
    """Channels moved to the end, where they are not there already."""
    if normalize_data_format(data_format) == "channels_last":
        return x
    rank = x.rank or 0
    return api_array.transpose(x, [0, *range(2, rank), 1])


def from_last(x: Tensor, data_format: str | None) -> Tensor:
    """The reverse of as_last."""
    if normalize_data_format(data_format) == "channels_last":
        return x
    rank = x.rank or 0
    return api_array.transpose(x, [0, rank - 1, *range(1, rank - 1)])


def bias_add(x: Any, bias: Any, data_format: str | None = None) -> Tensor:
    """Adds a bias a channel, or one of the shape of a single output."""
    x, bias = convert_to_tensor(x), convert_to_tensor(bias)
    first = normalize_data_format(data_format) == "channels_first"
    if bias.rank == 1:
        if first and x.rank is not None and x.rank > 2:
            return x + api_array.reshape(bias, [1, -1] + [1] * (x.rank - 2))
        return api_nn.bias_add(x, bias)
    if first and bias.rank is not None:
        dims = bias.shape.as_list()
        # as Keras does it: the numbers stay in their order, only the shape is another one
        return x + api_array.reshape(bias, [1, dims[-1], *dims[:-1]])
    return x + api_array.expand_dims(bias, 0)


# ------------------------------------------------------------------ convolutions
def _convolve(
    x: Any, kernel: Any, strides: Any, padding: str, data_format: str | None, dilation: Any, n: int,
    groups: int = 1,
) -> Tensor:
    x = as_last(convert_to_tensor(x), data_format)
    if padding == "causal":
        left = dilation[0] * (int_shape(kernel)[0] - 1)
        x = api_array.pad(x, [[0, 0], [left, 0], [0, 0]])
        padding = "valid"
    pairs = [(x, kernel)] if groups == 1 else zip(
        api_array.split(x, groups, axis=-1), api_array.split(kernel, groups, axis=-1)
    )  # fmt: skip
    parts = [
        api_conv.convolution(
            a, b, padding.upper(), strides=list(strides), dilation_rate=list(dilation),
            data_format=native_format("channels_last", n),
        )
        for a, b in pairs
    ]  # fmt: skip
    return from_last(parts[0] if groups == 1 else api_array.concat(parts, -1), data_format)


def _tuple(value: Any, n: int) -> tuple[int, ...]:
    return (value,) * n if isinstance(value, int) else tuple(value)


def conv1d(
    x: Any, kernel: Any, strides: Any = 1, padding: str = "valid", data_format: Any = None,
    dilation_rate: Any = 1,
) -> Tensor:
    return _convolve(
        x, kernel, _tuple(strides, 1), padding, data_format, _tuple(dilation_rate, 1), 1
    )


def conv2d(
    x: Any, kernel: Any, strides: Any = (1, 1), padding: str = "valid", data_format: Any = None,
    dilation_rate: Any = (1, 1),
) -> Tensor:
    return _convolve(
        x, kernel, _tuple(strides, 2), padding, data_format, _tuple(dilation_rate, 2), 2
    )


def conv3d(
    x: Any, kernel: Any, strides: Any = (1, 1, 1), padding: str = "valid", data_format: Any = None,
    dilation_rate: Any = (1, 1, 1),
) -> Tensor:
    return _convolve(
        x, kernel, _tuple(strides, 3), padding, data_format, _tuple(dilation_rate, 3), 3
    )


def dilated_kernel(kernel: Any, dilation: Sequence[int]) -> Tensor:
    """A kernel with zeros between its rows: with it a plain convolution is a dilated one."""
    out = convert_to_tensor(kernel)
    for axis, rate in enumerate(dilation):
        if rate == 1:
            continue
        dims: list[Any] = out.shape.as_list()
        wide = api_array.expand_dims(out, axis + 1)
        pads = [[0, rate - 1 if k == axis + 1 else 0] for k in range(len(dims) + 1)]
        extent = dims[axis] * rate
        flat = api_array.reshape(
            api_array.pad(wide, pads), [*dims[:axis], extent, *dims[axis + 1 :]]
        )
        cut = slice(0, extent - rate + 1)
        out = flat[(*[slice(None)] * axis, cut)]
    return out


def _transposed(
    x: Any, kernel: Any, output_shape: Any, strides: Any, padding: str, data_format: Any, n: int,
    dilation: Any = 1,
) -> Tensor:
    x = as_last(convert_to_tensor(x), data_format)
    kernel = dilated_kernel(kernel, _tuple(dilation, n))
    shape: Any = list(output_shape)
    if normalize_data_format(data_format) == "channels_first":
        shape = [shape[0], *shape[2:], shape[1]]
    if shape[0] is None or (isinstance(shape[0], int) and shape[0] < 0):
        shape[0] = api_array.shape(x)[0]
    if any(isinstance(d, Tensor) for d in shape):
        shape = api_array.stack(shape)
    makes: dict[int, Any] = {
        1: api_conv_back.conv1d_transpose, 2: api_conv_back.conv2d_transpose,
        3: api_conv_back.conv3d_transpose,
    }  # fmt: skip
    given: Any = _tuple(strides, n)
    out = makes[n](x, kernel, shape, given[0] if n == 1 else [1, *given, 1], padding.upper())
    return from_last(out, data_format)


def conv2d_transpose(
    x: Any, kernel: Any, output_shape: Any, strides: Any = (1, 1), padding: str = "valid",
    data_format: Any = None, dilation_rate: Any = (1, 1),
) -> Tensor:
    return _transposed(x, kernel, output_shape, strides, padding, data_format, 2, dilation_rate)


def conv3d_transpose(
    x: Any, kernel: Any, output_shape: Any, strides: Any = (1, 1, 1), padding: str = "valid",
    data_format: Any = None,
) -> Tensor:
    return _transposed(x, kernel, output_shape, strides, padding, data_format, 3)


def depthwise_conv2d(
    x: Any, depthwise_kernel: Any, strides: Any = (1, 1), padding: str = "valid",
    data_format: Any = None, dilation_rate: Any = (1, 1),
) -> Tensor:
    """Each channel convolved on its own."""
    x = as_last(convert_to_tensor(x), data_format)
    out = api_conv.depthwise_conv2d(
        x, depthwise_kernel, [1, *_tuple(strides, 2), 1], padding.upper(),
        rate=list(_tuple(dilation_rate, 2)),
    )  # fmt: skip
    return from_last(out, data_format)


def separable_conv2d(
    x: Any, depthwise_kernel: Any, pointwise_kernel: Any, strides: Any = (1, 1),
    padding: str = "valid", data_format: Any = None, dilation_rate: Any = (1, 1),
) -> Tensor:
    """A depthwise convolution, then one of 1 x 1 over channels."""
    x = as_last(convert_to_tensor(x), data_format)
    out = api_conv.separable_conv2d(
        x, depthwise_kernel, pointwise_kernel, [1, *_tuple(strides, 2), 1], padding.upper(),
        rate=list(_tuple(dilation_rate, 2)),
    )  # fmt: skip
    return from_last(out, data_format)


def separable_conv1d(
    x: Any, depthwise_kernel: Any, pointwise_kernel: Any, strides: Any = 1,
    padding: str = "valid", data_format: Any = None, dilation_rate: Any = 1,
) -> Tensor:
    """separable_conv2d over one axis; "causal" pads before."""
    x = as_last(convert_to_tensor(x), data_format)
    stride, rate = _tuple(strides, 1)[0], _tuple(dilation_rate, 1)[0]
    if padding == "causal":
        left = rate * (int_shape(depthwise_kernel)[0] - 1)
        x = api_array.pad(x, [[0, 0], [left, 0], [0, 0]])
        padding = "valid"
    out = api_conv.separable_conv2d(
        api_array.expand_dims(x, 1), api_array.expand_dims(depthwise_kernel, 0),
        api_array.expand_dims(pointwise_kernel, 0), [1, stride, stride, 1], padding.upper(),
        rate=[1, rate],
    )  # fmt: skip
    return from_last(api_array.squeeze(out, [1]), data_format)


# ------------------------------------------------------------------ pools, padding, resizing
def _pool(x: Any, size: Any, strides: Any, padding: str, data_format: Any, mode: str) -> Tensor:
    if mode not in ("max", "avg"):
        raise ValueError(f"Invalid pooling mode: {mode}")
    x = as_last(convert_to_tensor(x), data_format)
    out = api_pool.pool(
        x, list(size), "MAX" if mode == "max" else "AVG", padding.upper(), strides=list(strides)
    )
    return from_last(out, data_format)


def pool2d(
    x: Any, pool_size: Any, strides: Any = (1, 1), padding: str = "valid", data_format: Any = None,
    pool_mode: str = "max",
) -> Tensor:
    """Raises ValueError: pool_mode is neither "max" nor "avg"."""
    return _pool(x, pool_size, strides, padding, data_format, pool_mode)


def pool3d(
    x: Any, pool_size: Any, strides: Any = (1, 1, 1), padding: str = "valid",
    data_format: Any = None, pool_mode: str = "max",
) -> Tensor:
    """Raises ValueError: pool_mode is neither "max" nor "avg"."""
    return _pool(x, pool_size, strides, padding, data_format, pool_mode)


def spatial_padding(x: Any, padding: Sequence[Sequence[int]], data_format: Any) -> Tensor:
    """Zeros around the spatial axes."""
    pads = [list(p) for p in padding]
    if normalize_data_format(data_format) == "channels_first":
        return api_array.pad(x, [[0, 0], [0, 0], *pads])
    return api_array.pad(x, [[0, 0], *pads, [0, 0]])


def spatial_2d_padding(
    x: Any, padding: Any = ((1, 1), (1, 1)), data_format: Any = None
) -> Tensor:
    return spatial_padding(x, padding, data_format)


def spatial_3d_padding(
    x: Any, padding: Any = ((1, 1), (1, 1), (1, 1)), data_format: Any = None
) -> Tensor:
    return spatial_padding(x, padding, data_format)


def resize_images(
    x: Any, height_factor: int, width_factor: int, data_format: str,
    interpolation: str = "nearest",
) -> Tensor:
    """Images enlarged by whole factors.

    Raises:
        ValueError: interpolation is neither "nearest" nor "bilinear".
    """
    first = normalize_data_format(data_format) == "channels_first"
    axes = (2, 3) if first else (1, 2)
    if interpolation == "nearest":
        return repeat_elements(
            repeat_elements(x, height_factor, axes[0]), width_factor, axes[1]
        )
    if interpolation != "bilinear":
        raise ValueError('interpolation should be one of "nearest" or "bilinear".')
    x = as_last(convert_to_tensor(x), data_format)
    dims = int_shape(x)
    if None not in dims[1:3]:
        size: Any = [dims[1] * height_factor, dims[2] * width_factor]
    else:
        size = api_array.shape(x)[1:3] * [height_factor, width_factor]
    out = cast(api_image.resize_bilinear(x, size, half_pixel_centers=True), x.dtype)
    return from_last(out, data_format)


def resize_volumes(
    x: Any, depth_factor: int, height_factor: int, width_factor: int, data_format: str
) -> Tensor:
    """Volumes enlarged by whole factors."""
    at = 2 if normalize_data_format(data_format) == "channels_first" else 1
    for k, factor in enumerate((depth_factor, height_factor, width_factor)):
        x = repeat_elements(x, factor, at + k)
    return x


# ------------------------------------------------------------------ normalisation, dropout
def batch_normalization(
    x: Any, mean: Any, var: Any, beta: Any, gamma: Any, axis: int = -1, epsilon: float = 1e-3
) -> Tensor:
    return api_normalize.batch_normalization(x, mean, var, beta, gamma, epsilon)


def normalize_batch_in_training(
    x: Any, gamma: Any, beta: Any, reduction_axes: Sequence[int], epsilon: float = 1e-3
) -> tuple[Tensor, Tensor, Tensor]:
    """(normalised, mean, variance) over the batch."""
    x = convert_to_tensor(x)
    mean, var = api_normalize.moments(x, list(reduction_axes), keep_dims=True)
    dims = [-1 if a not in reduction_axes else 1 for a in range(x.rank or 0)]
    wide = [None if p is None else api_array.reshape(p, dims) for p in (beta, gamma)]
    y = api_normalize.batch_normalization(x, mean, var, wide[0], wide[1], epsilon)
    axes = list(reduction_axes)
    mean, var = api_array.squeeze(mean, axes), api_array.squeeze(var, axes)
    if x.rank == 4 and axes == [0, 1, 2]:  # the unbiased one, as tf.nn.fused_batch_norm gives
        count = cast(api_array.size(x), x.dtype) / cast(api_array.size(mean), x.dtype)
        var = var * (count / api_math.maximum(count - 1.0, 1.0))
    return y, mean, var


def dropout(x: Any, level: Any, noise_shape: Any = None, seed: int | None = None) -> Tensor:
    """Elements become 0 with probability `level`; the others grow by 1 / (1 - level)."""
    return api_nn.dropout(x, rate=level, noise_shape=noise_shape, seed=seed)


# ------------------------------------------------------------------ losses on tensors
def _logits(output: Tensor, op: str) -> Tensor | None:
    """What went into the softmax or sigmoid that made the output, if one did."""
    node = output.node
    while node.op.name == "identity":
        node = node.inputs[0].node
    return node.inputs[0] if node.op.name == op else None


def categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Tensor:
    """- sum(target * log(output)); stable where a softmax made the output."""
    output = convert_to_tensor(output)
    target = _like(target, output)
    logits = output if from_logits else _logits(output, "softmax")
    if logits is not None and axis in (-1, (output.rank or 0) - 1):
        return api_losses.softmax_cross_entropy_with_logits_v2(labels=target, logits=logits)
    if from_logits:
        return -api_math.reduce_sum(target * api_nn.log_softmax(output, axis=axis), axis)
    output = output / api_math.reduce_sum(output, axis, keepdims=True)
    output = clip(output, epsilon(), 1.0 - epsilon())
    return -api_math.reduce_sum(target * api_math.log(output), axis)


def sparse_categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Tensor:
    """- log(output[target]), where targets are numbers of classes."""
    output = convert_to_tensor(output)
    if axis not in (-1, (output.rank or 0) - 1):
        rank = output.rank or 0
        at = axis % rank
        output = api_array.transpose(output, [a for a in range(rank) if a != at] + [at])
    logits = output if from_logits else _logits(output, "softmax")
    if logits is None:
        logits = api_math.log(clip(output, epsilon(), 1.0 - epsilon()))
    target = cast(target, int64)
    rank = logits.rank or 2
    if target.rank == rank and (int_shape(target) or (None,))[-1] in (1, None):
        target = api_array.squeeze(target, [rank - 1])
    flat, rows = target, logits
    if rank > 2:
        flat = api_array.reshape(target, [-1])
        rows = api_array.reshape(logits, [-1, int_shape(logits)[-1]])
    elif target.rank is None or target.rank != 1:
        flat = api_array.reshape(target, [-1])
    loss = api_losses.sparse_softmax_cross_entropy_with_logits(labels=flat, logits=rows)
    if rank > 2:
        return api_array.reshape(loss, api_array.shape(logits)[:-1])
    return loss


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Tensor:
    """Element by element; stable where a sigmoid made the output."""
    output = convert_to_tensor(output)
    target = _like(target, output)
    logits = output if from_logits else _logits(output, "sigmoid")
    if logits is not None:
        return api_losses.sigmoid_cross_entropy_with_logits(labels=target, logits=logits)
    output = clip(output, epsilon(), 1.0 - epsilon())
    bce = target * api_math.log(output + epsilon())
    return -(bce + (1.0 - target) * api_math.log(1.0 - output + epsilon()))


def _like(target: Any, output: Tensor) -> Tensor:
    target = convert_to_tensor(target)
    return target if target.dtype is output.dtype else cast(target, output.dtype)


def in_top_k(predictions: Any, targets: Any, k: int) -> Tensor:
    from graphc.tf1.api_index import in_top_k as inner

    return inner(predictions, targets, k)
