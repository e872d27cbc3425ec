"""tf.data.experimental: transformations for Dataset.apply, and AUTOTUNE.

Lives here: functions of datasets over the methods of Dataset. tf.contrib.data has the same names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.data import batching, choosing, nesting
from graphc.data.dataset import Dataset, _seeds
from graphc.data.file_datasets import (
    CsvDataset,
    make_batched_features_dataset,
    make_csv_dataset,
    parse_example_dataset,
)
from graphc.data.source import Source
from graphc.ir.dtypes import as_dtype, int64
from graphc.ops.define import F

AUTOTUNE = -1
Transformation = Callable[[Dataset], Dataset]

__all__ = [
    "AUTOTUNE", "Counter", "CsvDataset", "batch_and_drop_remainder", "bucket_by_sequence_length",
    "choose_from_datasets", "enumerate_dataset", "get_single_element", "group_by_window",
    "ignore_errors", "make_batched_features_dataset", "make_csv_dataset", "map_and_batch",
    "padded_batch_and_drop_remainder", "parallel_interleave", "parse_example_dataset",
    "prefetch_to_device", "sample_from_datasets", "scan", "shuffle_and_repeat", "take_while",
    "unbatch", "unique",
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


# ------------------------------------------------------------------ choices
def bucket_by_sequence_length(
    element_length_func: Callable[..., Any],
    bucket_boundaries: Sequence[int],
    bucket_batch_sizes: Sequence[int],
    padded_shapes: Any = None,
    padding_values: Any = None,
    pad_to_bucket_boundary: bool = False,
    no_padding: bool = False,
    drop_remainder: bool = False,
) -> Transformation:
    """Padded batches of elements of similar length.

    Args:
        bucket_boundaries: upper bounds of the lengths, which do not belong to their bucket.
        bucket_batch_sizes: one more than boundaries. pad_to_bucket_boundary: unknown extents are
            filled up to the bound, by default to the longest of the batch.

    Raises:
        ValueError: a wrong number of sizes.
    """
    return lambda dataset: Dataset(
        choosing.bucketed(
            dataset._source, element_length_func, list(bucket_boundaries),
            list(bucket_batch_sizes), padded_shapes, padding_values, pad_to_bucket_boundary,
            not no_padding, drop_remainder,
        )
    )  # fmt: skip


def sample_from_datasets(
    datasets: Sequence[Dataset], weights: Any = None, seed: Any = None
) -> Dataset:
    """Elements drawn at random from several datasets, by their weights.

    Raises:
        TypeError: elements of several types. ValueError: another number of weights.
    """
    odds = None if weights is None else [float(w) for w in weights]
    return Dataset(choosing.sampled([d._source for d in datasets], odds, _seeds(seed)))


def choose_from_datasets(datasets: Sequence[Dataset], choice_dataset: Dataset) -> Dataset:
    """Elements of the datasets that the int64 elements of choice_dataset number."""
    return Dataset(choosing.chosen([d._source for d in datasets], choice_dataset._source))


def ignore_errors() -> Transformation:
    """Leaves out elements whose computation raises an error, such as files that do not decode."""
    return lambda dataset: Dataset(choosing.without_errors(dataset._source))


def take_while(predicate: Callable[..., Any]) -> Transformation:
    """The elements in front of the first for which the predicate is false."""
    return lambda dataset: Dataset(choosing.while_true(dataset._source, predicate))


def unique() -> Transformation:
    """Each element once."""
    return lambda dataset: Dataset(choosing.first_seen(dataset._source))


def scan(initial_state: Any, scan_func: Callable[..., Any]) -> Transformation:
    """scan_func(state, element) -> (new state, output): a dataset of the outputs."""
    return lambda dataset: Dataset(choosing.scanned(dataset._source, initial_state, scan_func))


def Counter(start: int = 0, step: int = 1, dtype: Any = int64) -> Dataset:
    """start, start + step, ... without an end."""
    far = (1 << 62) if step > 0 else -(1 << 62)
    numbers = Dataset.range(start, far, step)
    kind = as_dtype(dtype)
    return numbers if kind is int64 else numbers.map(lambda n: F.cast(n, dtype=kind))
