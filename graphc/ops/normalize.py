"""Normalisation: fused_batch_norm over a batch, layer_norm over trailing axes.

Lives here: the two records. Not here: moments and the user's functions (tf1/api_nn.py,
tf1/api_normalize.py). Imports ops.define.

Both expand into plain reductions and elementwise ops, which fusion joins: statistics of a channel
reduce over leading axes, best in a pass of their own, those of a row in the row's pass. Gradients
are written with the statistics as functions of x, so that they can be differentiated again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import FLOAT, DType, float32
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import Shape, bracket_text, merge_dim, merge_shapes
from graphc.ops.define import F, InferContext, OpDef, composite
from graphc.ops.nn import channel_axis
from graphc.ops.reduce import element_count
from graphc.ops.samples import arg, sample, uniform

SCALES = uniform(0.5, 2.0)
EPSILON = 1e-4  # TF's default of FusedBatchNorm


def _as(x: Tensor, dtype: DType) -> Tensor:
    return x if x.dtype is dtype else F.cast(x, dtype=dtype)


def _mean(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    mean: Tensor = F.reduce_mean(x, axes=axes, keepdims=True)
    return mean


def standardized(x: Tensor, axes: tuple[int, ...], epsilon: float) -> tuple[Tensor, Tensor]:
    """(x - mean) / sqrt(variance + epsilon), and the reciprocal root; over `axes`."""
    centred = x - _mean(x, axes)
    inverse = F.rsqrt(_mean(F.square(centred), axes) + epsilon)
    return centred * inverse, inverse


def _to_x(g: Tensor, axes: tuple[int, ...], normal: Tensor, inverse: Tensor) -> Tensor:
    """The gradient to x of `normal`, whose own gradient is g."""
    return inverse * (g - _mean(g, axes) - normal * _mean(g * normal, axes))


# ------------------------------------------------------------------ batch normalisation
def _statistics_of(ctx: InferContext) -> TensorType:
    """The type of scale and of all statistics: one number a channel."""
    x = ctx.shape(0)
    channels: Any = None
    if x is not None:
        if len(x) < 2:
            raise ctx.fail(f"Shape must be at least rank 2 but is rank {len(x)}")
        channels = x[channel_axis(len(x), ctx.attrs.get("data_format", "NHWC"))]
    for i in (1, 2) if ctx.attrs.get("is_training", True) else (1, 2, 3, 4):
        shape = ctx.shape(i)
        if shape is None:
            continue
        if len(shape) != 1:
            raise ctx.fail(f"Shape must be rank 1 but is rank {len(shape)}")
        try:
            channels = merge_dim(channels, shape[0])
        except ValueError:
            raise ctx.fail(
                f"Dimensions must be equal, but are {channels} and {shape[0]}"
            ) from None
    return TensorType(ctx.dtype(1), (channels,))


def _batch_norm_types(ctx: InferContext) -> tuple[TensorType, ...]:
    statistics = _statistics_of(ctx)
    return (ctx.inputs[0].type, *(statistics,) * 4)


def _layout(node: Node) -> tuple[int, tuple[int, ...]]:
    """The channel axis and all other axes of input 0."""
    rank = node.inputs[0].rank
    if rank is None:
        raise ValueError(f"Batch normalisation needs the rank of {node.inputs[0]}.")
    at = channel_axis(rank, node.attrs.get("data_format", "NHWC"))
    return at, tuple(a for a in range(rank) if a != at)


def _per_channel(value: Tensor, at: int, rank: int) -> Tensor:
    """A vector of channels with ones behind, so that it broadcasts against x."""
    for _ in range(rank - 1 - at):
        value = F.expand_dims(value, axis=-1)
    return value


def _statistics(node: Node) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of each channel of x, in the dtype of scale."""
    x = _as(node.inputs[0], node.inputs[1].dtype)
    axes = _layout(node)[1]
    mean = F.reduce_mean(x, axes=axes, keepdims=True)
    variance = F.reduce_mean(F.square(x - mean), axes=axes, keepdims=False)
    return F.reduce_mean(x, axes=axes, keepdims=False), variance


def _expand_batch_norm(node: Node) -> tuple[Tensor, ...]:
    x, scale, offset, mean, variance = node.inputs
    training = node.attrs.get("is_training", True)
    at, axes = _layout(node)
    rank = len(axes) + 1
    if training:
        mean, variance = _statistics(node)
    inverse = F.rsqrt(variance + node.attrs.get("epsilon", EPSILON)) * scale
    # the mean is subtracted before scaling: offset - mean * scale would cancel
    centred = _as(x, scale.dtype) - _per_channel(mean, at, rank)
    y = centred * _per_channel(inverse, at, rank) + _per_channel(offset, at, rank)
    reported = _unbiased(node, variance) if training else variance
    return _as(y, x.dtype), mean, reported, mean, variance


def _unbiased(node: Node, variance: Tensor) -> Tensor:
    """n / (n - 1) times the variance: what the moving average takes in."""
    count = element_count(node.inputs[0], _layout(node)[1], variance.dtype)
    if isinstance(count, Tensor):
        return variance * (count / F.maximum(count - 1, F.ones_like(count)))
    return variance * (count / max(count - 1, 1))


def _batch_norm_numpy(
    x: Any, scale: Any, offset: Any, mean: Any, variance: Any, epsilon: float = EPSILON,
    data_format: str = "NHWC", is_training: bool = True,
) -> Any:  # fmt: skip
    at = channel_axis(x.ndim, data_format)
    axes = tuple(a for a in range(x.ndim) if a != at)
    wide = x.astype(np.float64)
    shape = tuple(-1 if a == at else 1 for a in range(x.ndim))
    reported = variance
    if is_training:
        count = wide.size // max(wide.shape[at], 1)
        mean, variance = wide.mean(axes), wide.var(axes)
        reported = variance * (count / max(count - 1, 1))
    inverse = (1 / np.sqrt(variance.astype(np.float64) + epsilon) * scale).reshape(shape)
    y = (wide - mean.reshape(shape)) * inverse + offset.reshape(shape)
    return y, mean, reported, mean, variance


def _batch_norm_grad(node: Node, g: Tensor, *unused: Tensor) -> tuple[Any, ...]:
    """To x, scale, offset; in inference also to mean and variance. TF takes no gradient of the
    statistics."""
    x, scale, _, mean, variance = node.inputs
    epsilon = node.attrs.get("epsilon", EPSILON)
    at, axes = _layout(node)
    rank = len(axes) + 1
    g, wide = _as(g, scale.dtype), _as(x, scale.dtype)
    to_offset = F.reduce_sum(g, axes=axes, keepdims=False)
    factor = _per_channel(scale, at, rank)
    if node.attrs.get("is_training", True):
        normal, inverse = standardized(wide, axes, epsilon)
        to_scale = F.reduce_sum(g * normal, axes=axes, keepdims=False)
        to_x = _to_x(g * factor, axes, normal, inverse)
        return _as(to_x, x.dtype), to_scale, to_offset, None, None
    inverse = F.rsqrt(variance + epsilon)
    centred = wide - _per_channel(mean, at, rank)
    weighted = F.reduce_sum(g * centred, axes=axes, keepdims=False)
    to_variance = -0.5 * scale * weighted * inverse * inverse * inverse
    to_x = g * factor * _per_channel(inverse, at, rank)
    return (
        _as(to_x, x.dtype), weighted * inverse, to_offset, -to_offset * scale * inverse,
        to_variance,
    )  # fmt: skip


_CHANNELS = (arg((4,), SCALES), arg((4,)), arg((4,)), arg((4,), SCALES))

fused_batch_norm = composite(
    "fused_batch_norm", tf="FusedBatchNorm", infer=_batch_norm_types, expand=_expand_batch_norm,
    numpy=_batch_norm_numpy, grad=_batch_norm_grad,
    args=("x", "scale", "offset", "mean", "variance"), groups=("T", "U", "U", "U", "U"),
    dtypes={"T": FLOAT, "U": FLOAT},
    doc="outputs y, mean, unbiased variance, and the mean and variance that the gradient uses",
    samples=(
        sample(arg((2, 3, 3, 4)), *_CHANNELS, epsilon=1e-3, grad=False),
        sample(arg((2, 4, 3, 3)), *_CHANNELS, data_format="NCHW", grad=False),
        sample(arg((5, 4)), *_CHANNELS, is_training=False, grad=False),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ layer normalisation
def _trailing(node: Any, rank: int | None) -> tuple[int, ...]:
    """The axes from `begin_axis` on, all of which are normalised."""
    begin: int = node.attrs.get("begin_axis", -1)
    if rank is None:
        if begin >= 0:
            raise ValueError("Layer normalisation from a counted axis needs the rank of its input.")
        return tuple(range(begin, 0))
    return tuple(range(begin % rank, rank))


def _layer_norm_type(ctx: InferContext) -> TensorType:
    rank, begin = ctx.rank(0), ctx.attrs.get("begin_axis", -1)
    if rank is None:
        return ctx.inputs[0].type
    if not -rank <= begin < rank:
        raise ctx.fail(f"Dimension ({begin}) must be in the range [{-rank}, {rank})")
    shape = ctx.shape(0)
    assert shape is not None
    tail: Shape = shape[begin % rank :]
    for i in (1, 2):
        try:
            merge_shapes(tail, ctx.shape(i))
        except ValueError:
            raise ctx.fail(
                f"Shapes must be equal, but are {bracket_text(tail)} and "
                f"{bracket_text(ctx.shape(i))}"
            ) from None
    return ctx.inputs[0].type


def _expand_layer_norm(node: Node) -> tuple[Tensor]:
    x, scale, offset = node.inputs
    wide = float32 if x.dtype.is_half else x.dtype
    axes = _trailing(node, x.rank)
    normal, _ = standardized(_as(x, wide), axes, node.attrs.get("epsilon", EPSILON))
    return (_as(normal * _as(scale, wide) + _as(offset, wide), x.dtype),)


def _layer_norm_numpy(
    x: Any, scale: Any, offset: Any, begin_axis: int = -1, epsilon: float = EPSILON
) -> Any:
    axes = tuple(range(begin_axis % x.ndim, x.ndim))
    wide = x.astype(np.float64)
    mean, variance = wide.mean(axes, keepdims=True), wide.var(axes, keepdims=True)
    return (wide - mean) / np.sqrt(variance + epsilon) * scale + offset


def _layer_norm_grad(node: Node, g: Tensor) -> tuple[Any, ...]:
    x, scale, offset = node.inputs
    wide = float32 if x.dtype.is_half else x.dtype
    axes = _trailing(node, x.rank)
    g = _as(g, wide)
    normal, inverse = standardized(_as(x, wide), axes, node.attrs.get("epsilon", EPSILON))
    to_x = _to_x(g * _as(scale, wide), axes, normal, inverse)
    parts: Sequence[Tensor] = (g * normal, g)
    to_scale, to_offset = (_sum_rows(p, scale) for p in parts)
    return _as(to_x, x.dtype), _as(to_scale, scale.dtype), _as(to_offset, offset.dtype)


def _sum_rows(value: Tensor, like: Tensor) -> Tensor:
    """The sum over all leading axes that `like` does not have."""
    if value.rank is None or like.rank is None:
        return F.sum_to_shape(value, F.shape(like))
    lead = tuple(range(value.rank - like.rank))
    return F.reduce_sum(value, axes=lead, keepdims=False) if lead else value


layer_norm: OpDef = composite(
    "layer_norm", tf="LayerNorm", infer=_layer_norm_type, expand=_expand_layer_norm,
    numpy=_layer_norm_numpy, grad=_layer_norm_grad, args=("x", "scale", "offset"),
    dtypes={"T": FLOAT},
    samples=(
        sample(arg((3, 5)), arg((5,), SCALES), arg((5,))),
        sample(arg((2, 3, 4)), arg((3, 4), SCALES), arg((3, 4)), begin_axis=1, epsilon=1e-3),
    ),
)  # fmt: skip
