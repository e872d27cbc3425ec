"""Switches of TensorFlow's later versions that scripts call, and variable partitioners.

Lives here: functions that change nothing here because graphc always has TF1's behaviour. Not here:
anything that runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

__all__ = [
    "disable_eager_execution", "disable_resource_variables", "disable_v2_behavior",
    "enable_eager_execution", "enable_resource_variables", "executing_eagerly",
    "fixed_size_partitioner", "min_max_variable_partitioner", "variable_axis_size_partitioner",
]  # fmt: skip


def executing_eagerly() -> bool:
    """False: graphs are built first and run by sessions."""
    return False


def disable_v2_behavior() -> None:
    """Nothing to do: TF1's behaviour is the only one."""


def disable_eager_execution() -> None:
    """Nothing to do: graphs are built first and run by sessions."""


def enable_resource_variables() -> None:
    """Nothing to do: reads of variables have a defined order."""


def disable_resource_variables() -> None:
    """Nothing to do."""


def enable_eager_execution(*args: Any, **kwargs: Any) -> None:
    """Raises RuntimeError: there is no eager mode."""
    raise RuntimeError("graphc runs graphs in sessions; it has no eager execution")


def fixed_size_partitioner(num_shards: int, axis: int = 0) -> Callable[..., list[int]]:
    """A partitioner for get_variable, which accepts it and holds the variable whole."""

    def partition(shape: Any, **unused: Any) -> list[int]:
        parts = [1] * len(shape)
        parts[axis] = min(num_shards, int(shape[axis]))
        return parts

    return partition


def variable_axis_size_partitioner(
    max_shard_bytes: int, axis: int = 0, bytes_per_string_element: int = 16, max_shards: Any = None
) -> Callable[..., list[int]]:
    """A partitioner that bounds the bytes of a part."""

    def partition(shape: Any, dtype: Any) -> list[int]:
        parts = [1] * len(shape)
        size = bytes_per_string_element if dtype.name == "string" else dtype.size
        total = math.prod(int(d) for d in shape) * size
        parts[axis] = min(max(1, math.ceil(total / max_shard_bytes)), int(shape[axis]))
        if max_shards:
            parts[axis] = min(max_shards, parts[axis])
        return parts

    return partition


def min_max_variable_partitioner(
    max_partitions: int = 1,
    axis: int = 0,
    min_slice_size: int = 256 << 10,
    bytes_per_string_element: int = 16,
) -> Callable[..., list[int]]:
    """A partitioner that gives parts of at least min_slice_size bytes."""

    def partition(shape: Any, dtype: Any) -> list[int]:
        parts = [1] * len(shape)
        size = bytes_per_string_element if dtype.name == "string" else dtype.size
        total = math.prod(int(d) for d in shape) * size
        parts[axis] = max(1, min(int(shape[axis]), max_partitions, total // min_slice_size))
        return parts

    return partition
