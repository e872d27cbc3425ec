"""Datasets of files that are parsed on the way: CSV and serialized examples.

Lives here: CsvDataset, make_csv_dataset, make_batched_features_dataset, parse_example_dataset. Not
here: the reading of files (readers.py), the parsing ops.
"""

from __future__ import annotations

import csv
import glob
import itertools
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from graphc.data import readers, transforms
from graphc.data.dataset import Dataset, TFRecordDataset
from graphc.data.source import Source
from graphc.ir.dtypes import DType, float32, float64, int32, int64, string
from graphc.ops.convert import constant_tensor, convert_to_tensor
from graphc.ops.text_numbers import parse_number
from graphc.tf1.decoding import decode_csv
from graphc.tf1.parsing import parse_example

__all__ = [
    "CsvDataset", "make_batched_features_dataset", "make_csv_dataset", "parse_example_dataset",
]  # fmt: skip

_PREFETCH = 1


# ------------------------------------------------------------------ CSV
def _csv_records(
    filenames: Any, compression_type: Any, buffer_size: Any, header: bool, quotes: bool
) -> Source:
    """The records of CSV files; a quoted field may hold ends of lines."""

    def read(path: str, file: IO[bytes]) -> Iterator[bytes]:
        lines = (line.removesuffix(b"\n").removesuffix(b"\r") for line in file)
        for line in itertools.islice(lines, int(header), None):
            record = line
            while quotes and record.count(b'"') % 2:
                more = next(lines, None)
                if more is None:
                    break
                record += b"\n" + more
            if record:
                yield record

    names = readers.filenames_of(filenames)
    size = buffer_size or readers.BUFFER
    return readers.records_of(names, read, compression_type, size)


def _default(value: Any) -> Any:
    """A dtype stands for a column that must not be empty."""
    if isinstance(value, DType):
        return constant_tensor([], value)
    tensor = convert_to_tensor(value)
    if tensor.dtype not in (float32, float64, int32, int64, string):
        raise TypeError(f"columns of CSV files cannot be of type {tensor.dtype.name}")
    return tensor


class CsvDataset(Dataset):
    """The records of CSV files as tuples of scalars (tf.data.experimental.CsvDataset).

    Args:
        record_defaults: a dtype, or a value for empty fields, a column: float32, float64, int32,
            int64 or string. header: whether the first line of each file is skipped.
        na_value: text that counts as empty. select_cols: numbers of the columns to keep.

    Raises (in the run):
        InvalidArgumentError: a record that does not fit, as tf.decode_csv's.
    """

    def __init__(
        self,
        filenames: Any,
        record_defaults: Sequence[Any],
        compression_type: Any = None,
        buffer_size: Any = None,
        header: bool = False,
        field_delim: str = ",",
        use_quote_delim: bool = True,
        na_value: str = "",
        select_cols: Any = None,
    ) -> None:
        defaults = [_default(d) for d in record_defaults]
        records = _csv_records(
            filenames, compression_type, buffer_size, bool(header), use_quote_delim
        )

        def parse(record: Any) -> Any:
            return tuple(
                decode_csv(
                    record, defaults, field_delim, use_quote_delim, None, na_value, select_cols
                )
            )

        super().__init__(transforms.mapped(records, parse))


def make_csv_dataset(
    file_pattern: Any,
    batch_size: int,
    column_names: Sequence[str] | None = None,
    column_defaults: Sequence[Any] | None = None,
    label_name: str | None = None,
    select_columns: Sequence[Any] | None = None,
    field_delim: str = ",",
    use_quote_delim: bool = True,
    na_value: str = "",
    header: bool = True,
    num_epochs: int | None = None,
    shuffle: bool = True,
    shuffle_buffer_size: int = 10000,
    shuffle_seed: int | None = None,
    prefetch_buffer_size: int | None = _PREFETCH,
    num_parallel_reads: int = 1,
    sloppy: bool = False,
    num_rows_for_inference: int | None = 100,
    compression_type: Any = None,
) -> Dataset:
    """Batches of CSV files as dicts of columns (tf.data.experimental.make_csv_dataset).

    Args:
        column_names, column_defaults: by default of the header, and inferred from the first rows.
        label_name: elements are then (columns, that column).

    Raises:
        ValueError: no files, files whose headers differ, unknown columns.
    """
    paths = _matching(file_pattern)
    names = list(column_names or _header(paths, field_delim))
    if not header and column_names is None:
        raise ValueError("Cannot infer column names without a header line.")
    picked = _columns(names, select_columns)
    if column_defaults is None:
        rows = _first_rows(paths, field_delim, header, num_rows_for_inference)
        column_defaults = [_inferred(row[k] for row in rows) for k in picked]
    if len(column_defaults) == len(names) != len(picked):
        column_defaults = [column_defaults[k] for k in picked]
    defaults = [_default(d) for d in column_defaults]
    kept = [names[k] for k in picked]
    if label_name is not None and label_name not in kept:
        raise ValueError("`label_name` provided must be one of the columns.")

    def parse(records: Any) -> Any:
        columns = decode_csv(
            records, defaults, field_delim, use_quote_delim, None, na_value, picked
        )
        found = OrderedDict(zip(kept, columns, strict=True))
        if label_name is None:
            return found
        label = found.pop(label_name)
        return found, label

    records = Dataset(_csv_records(paths, compression_type, None, header, use_quote_delim))
    dataset = _mixed(records, num_epochs, shuffle, shuffle_buffer_size, shuffle_seed)
    batches = dataset.batch(batch_size, drop_remainder=num_epochs is None)
    return batches.map(parse).prefetch(prefetch_buffer_size or _PREFETCH)


def _matching(pattern: Any) -> list[str]:
    patterns = [pattern] if isinstance(pattern, str) else list(pattern)
    found = sorted({path for p in patterns for path in glob.glob(str(p))})  # noqa: PTH207  absolute
    if not found:
        raise ValueError(f"No files match {pattern!r}.")
    return found


def _header(paths: Sequence[str], delim: str) -> list[str]:
    heads = []
    for path in paths:
        with Path(path).open(newline="") as file:
            heads.append(next(csv.reader(file, delimiter=delim), []))
    if any(head != heads[0] for head in heads):
        raise ValueError("Files have different column names in the header row.")
    return heads[0]


def _columns(names: Sequence[str], wanted: Sequence[Any] | None) -> list[int]:
    if wanted is None:
        return list(range(len(names)))
    found = [c if isinstance(c, int) else names.index(c) for c in wanted]
    if any(not 0 <= k < len(names) for k in found):
        raise ValueError(f"`select_columns` {list(wanted)} are not all columns of the files.")
    return sorted(found)


def _first_rows(
    paths: Sequence[str], delim: str, header: bool, most: int | None
) -> list[list[str]]:
    rows: list[list[str]] = []
    for path in paths:
        with Path(path).open(newline="") as file:
            lines = itertools.islice(csv.reader(file, delimiter=delim), int(header), None)
            rest = None if most is None else most - len(rows)
            rows.extend(itertools.islice((row for row in lines if row), rest))
    return rows


def _inferred(fields: Iterator[str]) -> Any:
    """The narrowest of int32, int64, float32, float64, string that holds all fields."""
    texts = [f.encode() for f in fields if f]
    for dtype in (int32, int64, float32, float64):
        if texts and all(parse_number(t, dtype) is not None for t in texts):
            return constant_tensor([0], dtype)
    return constant_tensor([""], string)


# ------------------------------------------------------------------ examples
def parse_example_dataset(
    features: Mapping[str, Any], num_parallel_calls: Any = None
) -> Callable[[Dataset], Dataset]:
    """Batches of serialized examples to tensors by name: for Dataset.apply."""
    return lambda dataset: dataset.map(
        lambda records: parse_example(records, features), num_parallel_calls
    )


def make_batched_features_dataset(
    file_pattern: Any,
    batch_size: int,
    features: Mapping[str, Any],
    reader: Any = TFRecordDataset,
    label_key: str | None = None,
    reader_args: Sequence[Any] | None = None,
    num_epochs: int | None = None,
    shuffle: bool = True,
    shuffle_buffer_size: int = 10000,
    shuffle_seed: int | None = None,
    prefetch_buffer_size: int | None = _PREFETCH,
    reader_num_threads: int = 1,
    parser_num_threads: int = 2,
    sloppy_ordering: bool = False,
    drop_final_batch: bool = False,
) -> Dataset:
    """Batches of parsed examples of files (tf.data.experimental.make_batched_features_dataset).

    Args:
        features: as of tf.parse_example. label_key: elements are then (features, that one).
        num_epochs: how often the files are gone through; None for ever.

    Raises:
        ValueError: a label_key that is no feature.
    """
    if label_key is not None and label_key not in features:
        raise ValueError(f"The `label_key` provided ({label_key!r}) must be one of the features.")
    names = Dataset.list_files(file_pattern, shuffle=shuffle, seed=shuffle_seed)
    records = names.interleave(lambda name: reader(name, *(reader_args or ())), reader_num_threads)
    dataset = _mixed(records, num_epochs, shuffle, shuffle_buffer_size, shuffle_seed)
    batches = dataset.batch(batch_size, drop_remainder=drop_final_batch or num_epochs is None)
    parsed = batches.apply(parse_example_dataset(features, parser_num_threads))
    if label_key is not None:
        key = label_key

        def split(found: Any) -> Any:
            label = found.pop(key)
            return found, label

        parsed = parsed.map(split)
    return parsed.prefetch(prefetch_buffer_size or _PREFETCH)


def _mixed(
    dataset: Dataset, epochs: int | None, shuffle: bool, buffer_size: int, seed: int | None
) -> Dataset:
    if shuffle:
        dataset = dataset.shuffle(buffer_size, seed)
    return dataset if epochs == 1 else dataset.repeat(epochs)
