"""keras.backend's convolutions with other weights at each position. Imports tf1."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from graphc.ir.node import Tensor
from graphc.keras.core.arrays import int_shape
from graphc.keras.core.config import normalize_data_format
from graphc.keras.core.nn import as_last, from_last
from graphc.ops.convert import convert_to_tensor
from graphc.tf1 import api_array
from graphc.tf1.einsum import einsum

__all__ = ["local_conv1d", "local_conv2d"]


def _local(
    inputs: Any, kernel: Any, sizes: Sequence[int], strides: Sequence[int], data_format: Any
) -> Tensor:
    """Windows [batch, positions, window and channels] times kernels of their own."""
    first = normalize_data_format(data_format) == "channels_first"
    x = as_last(convert_to_tensor(inputs), data_format)
    dims = int_shape(x)
    outs = [(d - k) // s + 1 for d, k, s in zip(dims[1:-1], sizes, strides)]
    parts = []
    for offsets in itertools.product(*map(range, sizes)):
        at = [slice(o, o + (n - 1) * s + 1, s) for o, n, s in zip(offsets, outs, strides)]
        parts.append(x[(slice(None), *at)])
    # the channels stand where the inputs have them
    windows = api_array.stack(parts, axis=-1 if first else -2)
    positions, features, filters = int_shape(convert_to_tensor(kernel))
    flat = api_array.reshape(windows, [-1, positions, features])
    out = einsum("bpk,pkf->bpf", flat, kernel)
    return from_last(api_array.reshape(out, [-1, *outs, filters]), data_format)


def local_conv1d(
    inputs: Any, kernel: Any, kernel_size: Any, strides: Any, data_format: Any = None
) -> Tensor:
    """inputs [batch, steps, channels], kernel [positions, window x channels, filters]."""
    return _local(inputs, kernel, tuple(kernel_size), tuple(strides), data_format)


def local_conv2d(
    inputs: Any, kernel: Any, kernel_size: Any, strides: Any, output_shape: Any = None,
    data_format: Any = None,
) -> Tensor:
    """inputs [batch, rows, columns, channels], kernel [positions, window x channels, filters]."""
    return _local(inputs, kernel, tuple(kernel_size), tuple(strides), data_format)
