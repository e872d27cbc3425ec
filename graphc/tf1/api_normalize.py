"""TF1's moments and normalisations of tf.nn.

Lives here: moments to layer_norm, l2_normalize. Not here: tf.layers, records (ops/normalize.py).
Imports ops. Users find these names in graphc.nn; tf1/api_nn.py exports them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dtypes import float32
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.ops.reduce import element_count
from graphc.tf1.arguments import renamed, static_ints

__all__ = [
    "batch_norm_with_global_normalization", "batch_normalization", "fused_batch_norm",
    "l2_normalize", "layer_norm", "moments", "normalize_moments", "sufficient_statistics",
    "weighted_moments",
]  # fmt: skip

MIN_EPSILON = 1.001e-5  # TF raises smaller ones for cuDNN's sake


def _as(x: Tensor, dtype: Any) -> Tensor:
    return x if x.dtype is dtype else F.cast(x, dtype=dtype)


def _squeezed(x: Tensor, axes: tuple[int, ...], keep: bool) -> Tensor:
    return x if keep or not axes else F.squeeze(x, axes=axes)


# ------------------------------------------------------------------ moments
def moments(
    x: Any,
    axes: Any,
    shift: Any = None,
    name: str | None = None,
    keep_dims: Any = None,
    keepdims: Any = None,
) -> tuple[Tensor, Tensor]:
    """Mean and variance over axes, the variance as the mean squared distance from the mean.

    Args:
        shift: not used. keep_dims: keep the axes with extent 1.
    """
    keep = bool(renamed("keep_dims", keep_dims, "keepdims", keepdims))
    given = convert_to_tensor(x)
    with given.graph.name_scope(name or "moments"):
        over = static_ints(axes, "axes")
        wide = _as(given, float32) if given.dtype.is_half else given
        mean = F.reduce_mean(wide, axes=over, keepdims=True, name="mean")
        # the mean's own gradient through the variance is zero
        squares = F.squared_difference(wide, F.stop_gradient(mean), name="SquaredDifference")
        variance = F.reduce_mean(squares, axes=over, keepdims=True, name="variance")
        parts = (_squeezed(t, over, keep) for t in (mean, variance))
        first, second = (_as(t, given.dtype) for t in parts)
        return first, second


def weighted_moments(
    x: Any,
    axes: Any,
    frequency_weights: Any,
    name: str | None = None,
    keep_dims: Any = None,
    keepdims: Any = None,
) -> tuple[Tensor, Tensor]:
    """Mean and variance over axes with a weight for each element (broadcast against x)."""
    keep = bool(renamed("keep_dims", keep_dims, "keepdims", keepdims))
    given = convert_to_tensor(x)
    with given.graph.name_scope(name or "weighted_moments"):
        over = static_ints(axes, "axes")
        wide = _as(given, float32) if given.dtype.is_half else given
        weights = _as(convert_to_tensor(frequency_weights, graph=given.graph), wide.dtype)
        weights = weights + F.zeros_like(wide)

        def total(t: Tensor) -> Tensor:
            return F.reduce_sum(t, axes=over, keepdims=True)

        inverse = F.reciprocal(total(weights))
        mean = total(weights * wide) * inverse
        distance = F.squared_difference(wide, F.stop_gradient(mean))
        parts = (mean, total(weights * distance) * inverse)
        first, second = (_as(_squeezed(t, over, keep), given.dtype) for t in parts)
        return first, second


def sufficient_statistics(
    x: Any,
    axes: Any,
    shift: Any = None,
    keep_dims: Any = None,
    name: str | None = None,
    keepdims: Any = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """What mean and variance can be computed from: (count, sum, sum of squares, shift).

    Args:
        shift: subtracted from x before it is summed.
    """
    keep = bool(renamed("keep_dims", keep_dims, "keepdims", keepdims))
    given = convert_to_tensor(x)
    with given.graph.name_scope(name or "sufficient_statistics"):
        over = static_ints(axes, "axes")
        count = convert_to_tensor(
            element_count(given, over, given.dtype), given.dtype, "Const", graph=given.graph
        )
        centred, squares = given, F.square(given)
        if shift is not None:
            shift = convert_to_tensor(shift, given.dtype, "shift", graph=given.graph)
            centred, squares = given - shift, F.squared_difference(given, shift)
        mean_ss = F.reduce_sum(centred, axes=over, keepdims=keep, name="mean_ss")
        var_ss = F.reduce_sum(squares, axes=over, keepdims=keep, name="var_ss")
        return count, mean_ss, var_ss, shift


def normalize_moments(
    counts: Any, mean_ss: Any, variance_ss: Any, shift: Any, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """Mean and variance from sufficient statistics."""
    total = convert_to_tensor(counts)
    with total.graph.name_scope(name or "normalize"):
        divisor = F.reciprocal(total, name="divisor")
        shifted = mean_ss * divisor
        mean = shifted if shift is None else F.add(shifted, shift, name="mean")
        return mean, F.subtract(variance_ss * divisor, F.square(shifted), name="variance")


# ------------------------------------------------------------------ normalisations
def l2_normalize(
    x: Any, axis: Any = None, epsilon: float = 1e-12, name: str | None = None, dim: Any = None
) -> Tensor:
    """x / sqrt(max(sum(x**2), epsilon)) along axes."""
    along = renamed("dim", dim, "axis", axis)
    given = convert_to_tensor(x)
    with given.graph.name_scope(name or "l2_normalize") as scope:
        axes = None if along is None else static_ints(along, "axis")
        total = F.reduce_sum(F.square(given), axes=axes, keepdims=True)
        return F.multiply(given, F.rsqrt(F.maximum(total, epsilon)), name=scope)


def batch_normalization(
    x: Any,
    mean: Any,
    variance: Any,
    offset: Any,
    scale: Any,
    variance_epsilon: Any,
    name: str | None = None,
) -> Tensor:
    """scale * (x - mean) / sqrt(variance + variance_epsilon) + offset.

    Args:
        mean, variance, offset, scale: broadcast against x; offset and scale may be None.
    """
    given = convert_to_tensor(x)
    with given.graph.name_scope(name or "batchnorm"):
        inverse = F.rsqrt(convert_to_tensor(variance) + variance_epsilon)
        if scale is not None:
            inverse = inverse * scale
        shift = -mean * inverse if offset is None else offset - mean * inverse
        return F.add(given * _as(inverse, given.dtype), _as(shift, given.dtype), name="add_1")


def batch_norm_with_global_normalization(
    t: Any,
    m: Any,
    v: Any,
    beta: Any,
    gamma: Any,
    variance_epsilon: Any,
    scale_after_normalization: bool,
    name: str | None = None,
) -> Tensor:
    """batch_normalization under its old name."""
    scale = gamma if scale_after_normalization else None
    return batch_normalization(t, m, v, beta, scale, variance_epsilon, name)


def fused_batch_norm(
    x: Any,
    scale: Any,
    offset: Any,
    mean: Any = None,
    variance: Any = None,
    epsilon: float = 0.001,
    data_format: str = "NHWC",
    is_training: bool = True,
    name: str | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Batch normalisation of each channel: (y, mean, variance).

    In training the statistics are the batch's, the returned variance with Bessel's correction;
    else they are `mean` and `variance`. Gradients go through y alone.

    Raises:
        ValueError: "Both 'mean' and 'variance' must be a 1D tensor when is_training is False."
    """
    if (mean is None or variance is None) and not is_training:
        raise ValueError(
            "Both 'mean' and 'variance' must be a 1D tensor when is_training is False."
        )
    given = convert_to_tensor(x)
    factor = convert_to_tensor(scale, float32 if given.dtype.is_half else given.dtype)
    none = np.zeros(0, factor.dtype.np)
    outputs = F.fused_batch_norm(
        given, factor, offset,
        none if mean is None else mean, none if variance is None else variance,
        epsilon=float(max(epsilon, MIN_EPSILON)), data_format=data_format,
        is_training=bool(is_training), name=name,
    )  # fmt: skip
    y, batch_mean, batch_variance = outputs[:3]
    return y, batch_mean, batch_variance


def layer_norm(
    x: Any,
    scale: Any,
    offset: Any,
    begin_axis: int = -1,
    epsilon: float = 1e-12,
    name: str | None = None,
) -> Tensor:
    """Each sample normalised over its axes from begin_axis on, then scaled and shifted.

    Args:
        scale, offset: of the shape of these axes.
    """
    return F.layer_norm(
        convert_to_tensor(x), scale, offset, begin_axis=int(begin_axis), epsilon=float(epsilon),
        name=name,
    )  # fmt: skip
