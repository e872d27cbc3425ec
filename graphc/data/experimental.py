"""tf.data.experimental: transformations for Dataset.apply, and AUTOTUNE.

Lives here: functions of datasets over the methods of Dataset. tf.contrib.data has the same names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.data import batching, nesting
from graphc.data.dataset import Dataset
from graphc.data.file_datasets import (
    CsvDataset,
    make_batched_features_dataset,
    make_csv_dataset,
    parse_example_dataset,
)
from graphc.data.source import Source

AUTOTUNE = -1
Transformation = Callable[[Dataset], Dataset]

__all__ = [
    "AUTOTUNE", "CsvDataset", "batch_and_drop_remainder", "enumerate_dataset",
    "get_single_element", "group_by_window", "make_batched_features_dataset", "make_csv_dataset",
    "map_and_batch", "padded_batch_and_drop_remainder", "parallel_interleave",
    "parse_example_dataset", "prefetch_to_device", "shuffle_and_repeat", "unbatch",
]  # fmt: skip


def batch_and_drop_remainder(batch_size: Any) -> Transformation:
    """batch without the smaller rest."""
    return lambda dataset: dataset.batch(batch_size, drop_remainder=True)


def padded_batch_and_drop_remainder(
    batch_size: Any, padded_shapes: Any, padding_values: Any = None
) -> Transformation:
    """padded_batch without the smaller rest."""
    return lambda dataset: dataset.padded_batch(
        batch_size, padded_shapes, padding_values, drop_remainder=True
    )


def map_and_batch(
    map_func: Callable[..., Any],
    batch_size: Any,
    num_parallel_batches: Any = None,
    drop_remainder: bool = False,
    num_parallel_calls: Any = None,
) -> Transformation:
    """map, then batch.

    Raises:
        ValueError: both num_parallel_batches and num_parallel_calls.
    """
    if num_parallel_batches is not None and num_parallel_calls is not None:
        raise ValueError(
            "The `num_parallel_batches` and `num_parallel_calls` arguments are mutually exclusive."
        )
    calls = num_parallel_calls
    if num_parallel_batches is not None:
        calls = num_parallel_batches * batch_size
    return lambda dataset: dataset.map(map_func, calls).batch(batch_size, drop_remainder)


def shuffle_and_repeat(buffer_size: Any, count: Any = None, seed: Any = None) -> Transformation:
    """shuffle, then repeat."""
    return lambda dataset: dataset.shuffle(buffer_size, seed).repeat(count)


def unbatch() -> Transformation:
    """The rows of each element."""
    return lambda dataset: Dataset(batching.unbatch(dataset._source))


def enumerate_dataset(start: Any = 0) -> Transformation:
    """(number, element)."""
    return lambda dataset: dataset.enumerate(start)


def prefetch_to_device(device: str, buffer_size: Any = None) -> Transformation:
    """prefetch: memory is moved when a run needs it."""
    return lambda dataset: dataset.prefetch(buffer_size)


def parallel_interleave(
    map_func: Callable[..., Any],
    cycle_length: Any,
    block_length: Any = 1,
    sloppy: bool = False,
    buffer_output_elements: Any = None,
    prefetch_input_elements: Any = None,
) -> Transformation:
    """interleave; the order is always the deterministic one, which `sloppy` allows too."""
    return lambda dataset: dataset.interleave(map_func, cycle_length, block_length)


def group_by_window(
    key_func: Callable[..., Any],
    reduce_func: Callable[..., Any],
    window_size: Any = None,
    window_size_func: Callable[..., Any] | None = None,
) -> Transformation:
    """reduce_func(key, dataset of window_size elements with that key), one after the other.

    Raises:
        ValueError: without a window_size, or with a window_size_func, which is not supported.
    """
    if window_size is None or window_size_func is not None:
        raise ValueError("Must pass window_size: a size for each key is not supported.")

    def transform(dataset: Dataset) -> Dataset:
        def made(source: Source) -> Dataset:
            return Dataset(source)

        return Dataset(
            nesting.grouped(dataset._source, key_func, reduce_func, window_size, made)
        )

    return transform


def get_single_element(dataset: Dataset) -> Any:
    """The only element of a dataset that has one, as tensors.

    Raises (in the run):
        InvalidArgumentError: it has none, or more.
    """
    return nesting.single(dataset._source)
