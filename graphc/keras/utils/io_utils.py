"""Data in HDF5 files. Needs h5py when it is used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["HDF5Matrix"]


class HDF5Matrix:
    """A data set of an HDF5 file in the place of an array; rows are read when they are asked for.

    Args:
        datapath: of the file. dataset: its name in it. start, end: the rows that are used.
        normalizer: called with what is read.

    Raises:
        ImportError: h5py is not installed. OSError, KeyError: no such file or data set.
    """

    def __init__(
        self, datapath: Any, dataset: str, start: int = 0, end: int | None = None,
        normalizer: Callable[[Any], Any] | None = None,
    ) -> None:
        try:
            import h5py
        except ImportError:
            raise ImportError("HDF5Matrix needs h5py: pip install h5py") from None
        self.data = h5py.File(datapath, "r")[dataset]
        self.start = start
        self.end = self.data.shape[0] if end is None else end
        self.normalizer = normalizer

    def __len__(self) -> int:
        return self.end - self.start

    def __getitem__(self, key: Any) -> Any:
        """Rows by number, slice, or list of numbers (in any order).

        Raises:
            IndexError: beyond the rows that are used.
        """
        if isinstance(key, slice):
            low, high, step = key.indices(len(self))
            found = self.data[low + self.start : max(high, low) + self.start : step]
        elif isinstance(key, int | np.integer):
            found = self.data[self._row(int(key))]
        else:
            rows = np.array([self._row(int(k)) for k in key], np.int64)
            order, back = np.unique(rows, return_inverse=True)
            found = self.data[order][back]
        return found if self.normalizer is None else self.normalizer(found)

    def _row(self, key: int) -> int:
        at = key + len(self) if key < 0 else key
        if not 0 <= at < len(self):
            raise IndexError(f"row {key} of {len(self)}")
        return at + self.start

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.asarray(self[:], dtype=dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        first = self[0:1] if self.normalizer is not None and len(self) else self.data
        return (len(self), *first.shape[1:])

    @property
    def dtype(self) -> Any:
        return self.data.dtype if self.normalizer is None else self[0:1].dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))
