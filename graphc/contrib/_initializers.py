"""Initializers of tf.contrib.layers, which scale by fans.

Lives here: xavier_initializer, variance_scaling_initializer. Not here: tf.initializers. Users find
these names in graphc.contrib.layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from graphc.ir.dtypes import as_dtype, float32


def variance_scaling_initializer(
    factor: float = 2.0,
    mode: str = "FAN_IN",
    uniform: bool = False,
    seed: int | None = None,
    dtype: Any = float32,
) -> Callable[..., Any]:
    """An initializer of variance factor / n, with n the inputs, outputs or their mean.

    Args:
        mode: "FAN_IN" (He 2015 with factor 2), "FAN_OUT" or "FAN_AVG" (Glorot 2010, factor 1).
        uniform: uniform, else normal cut at two standard deviations.

    Raises:
        TypeError: a dtype that is not floating, or another mode.
    """
    if not as_dtype(dtype).is_floating:
        raise TypeError("Cannot create initializer for non-floating point type.")
    if mode not in ("FAN_IN", "FAN_OUT", "FAN_AVG"):
        raise TypeError(f"Unknown mode {mode} [FAN_IN, FAN_OUT, FAN_AVG]")

    def initialize(shape: Any, dtype: Any = dtype, partition_info: Any = None) -> Any:
        from graphc.tf1 import api_random

        dims = [int(d) for d in (shape.as_list() if hasattr(shape, "as_list") else shape)]
        field = math.prod(dims[:-2])
        fan_in = float(dims[-2] if len(dims) > 1 else dims[-1]) * field if dims else 1.0
        fan_out = float(dims[-1]) * field if dims else 1.0
        n = {"FAN_IN": fan_in, "FAN_OUT": fan_out, "FAN_AVG": (fan_in + fan_out) / 2.0}[mode]
        if uniform:
            limit = math.sqrt(3.0 * factor / n)
            return api_random.random_uniform(dims, -limit, limit, dtype, seed=seed)
        # 1.3: what the cut takes off the variance, as TensorFlow rounds it
        deviation = math.sqrt(1.3 * factor / n)
        return api_random.truncated_normal(dims, 0.0, deviation, dtype, seed=seed)

    return initialize


def xavier_initializer(
    uniform: bool = True, seed: int | None = None, dtype: Any = float32
) -> Callable[..., Any]:
    """variance_scaling_initializer with factor 1 and the mean of the fans (Glorot 2010)."""
    return variance_scaling_initializer(1.0, "FAN_AVG", uniform, seed, dtype)


xavier_initializer_conv2d = xavier_initializer
