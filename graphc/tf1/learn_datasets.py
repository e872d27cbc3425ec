"""tf.contrib.learn.datasets: CSV tables with a target column, and MNIST.

Lives here: the loaders. Nothing is fetched from the net. Imports input_data.py.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from graphc.tf1.input_data import Datasets, load_mnist

__all__ = [
    "DATASETS", "Dataset", "Datasets", "load_csv_with_header", "load_csv_without_header",
    "load_dataset", "maybe_download",
]  # fmt: skip


class Dataset(NamedTuple):
    """A table: data [rows, features], target [rows]."""

    data: Any
    target: Any


def _table(rows: list[list[str]], target_dtype: Any, features_dtype: Any, column: int) -> Dataset:
    target = np.array([row.pop(column) for row in rows], target_dtype)
    return Dataset(np.array(rows, features_dtype), target)


def load_csv_with_header(
    filename: Any, target_dtype: Any, features_dtype: Any, target_column: int = -1
) -> Dataset:
    """A CSV whose first line starts with the numbers of rows and features.

    Raises:
        ValueError: another number of rows, or a text that is no number.
    """
    with Path(filename).open(newline="") as file:
        header, *rows = list(csv.reader(file))
    if len(rows) != int(header[0]):
        raise ValueError(f"{filename} says {header[0]} rows and holds {len(rows)}")
    return _table(rows, target_dtype, features_dtype, target_column)


def load_csv_without_header(
    filename: Any, target_dtype: Any, features_dtype: Any, target_column: int = -1
) -> Dataset:
    """A CSV of numbers. Raises ValueError for a text that is none."""
    with Path(filename).open(newline="") as file:
        rows = [row for row in csv.reader(file) if row]
    return _table(rows, target_dtype, features_dtype, target_column)


def maybe_download(filename: str, work_directory: Any, source_url: str) -> str:
    """The path of a file in work_directory. Raises FileNotFoundError where it is not there."""
    path = Path(work_directory) / filename
    if not path.exists():
        raise FileNotFoundError(
            f"graphc downloads nothing; get {source_url} and put it at {path.absolute()}"
        )
    return str(path)


DATASETS: dict[str, Callable[..., Any]] = {"mnist": load_mnist}


def load_dataset(name: str, size: str = "small", test_with_fake_data: bool = False) -> Any:
    """The data set of this name. Raises ValueError for others than DATASETS has."""
    if name not in DATASETS:
        raise ValueError(f"Name of dataset is not found: {name}; there is {', '.join(DATASETS)}")
    return DATASETS[name]()
