"""tf.contrib.data: the names that tf.data and tf.data.experimental took over.

Lives here: the table; everything is in graphc/data.
"""

from __future__ import annotations

from graphc.data.dataset import (
    Dataset,
    FixedLengthRecordDataset,
    TextLineDataset,
    TFRecordDataset,
)
from graphc.data.experimental import (
    AUTOTUNE,
    Counter,
    CsvDataset,
    batch_and_drop_remainder,
    bucket_by_sequence_length,
    choose_from_datasets,
    enumerate_dataset,
    get_single_element,
    group_by_window,
    ignore_errors,
    make_batched_features_dataset,
    make_csv_dataset,
    map_and_batch,
    padded_batch_and_drop_remainder,
    parallel_interleave,
    prefetch_to_device,
    sample_from_datasets,
    scan,
    shuffle_and_repeat,
    unbatch,
    unique,
)
from graphc.data.iterator import Iterator

__all__ = [
    "AUTOTUNE", "Counter", "CsvDataset", "Dataset", "FixedLengthRecordDataset", "Iterator",
    "TFRecordDataset", "TextLineDataset", "batch_and_drop_remainder",
    "bucket_by_sequence_length", "choose_from_datasets", "enumerate_dataset",
    "get_single_element", "group_by_window", "ignore_errors", "make_batched_features_dataset",
    "make_csv_dataset", "map_and_batch", "padded_batch_and_drop_remainder",
    "parallel_interleave", "prefetch_to_device", "sample_from_datasets", "scan",
    "shuffle_and_repeat", "unbatch", "unique",
]  # fmt: skip
