"""Endless batches of pictures, from arrays.

Lives here: Iterator, NumpyArrayIterator. Not here: files (image_files.py). Imports NumPy.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np

from graphc.keras.core.config import floatx, normalize_data_format
from graphc.keras.preprocessing.pictures import array_to_img
from graphc.keras.utils.data_utils import Sequence

__all__ = ["Iterator", "NumpyArrayIterator"]

Array = np.ndarray[Any, Any]


def check_subset(subset: str | None) -> None:
    """Raises ValueError: neither None nor "training" nor "validation"."""
    if subset not in (None, "training", "validation"):
        raise ValueError(f'Invalid subset name: {subset}; expected "training" or "validation".')


class Iterator(Sequence):
    """Batches by number, and one after the other without end.

    A subclass defines _get_batches_of_transformed_samples(indices).
    """

    def __init__(self, n: int, batch_size: int, shuffle: bool, seed: int | None) -> None:
        self._begin(n, batch_size, shuffle, seed)

    data_format = "channels_last"

    def _begin(
        self, n: int, batch_size: int, shuffle: bool, seed: int | None,
        saving: tuple[Any, str, str] = (None, "", "png"),
    ) -> None:
        """Settings, once the samples are known; saving: the folder, prefix and format."""
        self.save_to_dir, self.save_prefix, self.save_format = saving
        self.n, self.batch_size, self.shuffle, self.seed = n, batch_size, shuffle, seed
        self.batch_index = self.total_batches_seen = 0
        self.lock = threading.Lock()
        self.index_array: Any = None

    def _set_index_array(self) -> None:
        self.index_array = np.arange(self.n)
        if self.shuffle:
            self.index_array = np.random.permutation(self.n)  # noqa: NPY002  # scripts seed it

    def __len__(self) -> int:
        return -(-self.n // self.batch_size)

    def __getitem__(self, index: int) -> Any:
        if index >= len(self):
            raise ValueError(
                f"Asked to retrieve element {index}, but the Sequence has length {len(self)}"
            )
        if self.seed is not None:
            np.random.seed(self.seed + self.total_batches_seen)  # noqa: NPY002
        self.total_batches_seen += 1
        if self.index_array is None:
            self._set_index_array()
        rows = self.index_array[self.batch_size * index : self.batch_size * (index + 1)]
        return self._get_batches_of_transformed_samples(rows)

    def on_epoch_end(self) -> None:
        self._set_index_array()

    def reset(self) -> None:
        """Begins anew."""
        self.batch_index = 0

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        with self.lock:
            if self.seed is not None:
                np.random.seed(self.seed + self.total_batches_seen)  # noqa: NPY002
            if self.batch_index == 0:
                self._set_index_array()
            low = self.batch_index * self.batch_size
            rows = self.index_array[low : low + self.batch_size]
            self.batch_index = self.batch_index + 1 if low + self.batch_size < self.n else 0
            self.total_batches_seen += 1
        return self._get_batches_of_transformed_samples(rows)

    next = __next__

    def _get_batches_of_transformed_samples(self, index_array: Array) -> Any:
        raise NotImplementedError

    @staticmethod
    def _changed(generator: Any, x: Array) -> Array:
        """A picture after the generator's random changes."""
        if not generator:
            return x
        params = generator.get_random_transform(x.shape)
        return generator.standardize(generator.apply_transform(x, params))  # type: ignore[no-any-return]

    def _save(self, batch: Array, index_array: Array) -> None:
        """Writes a batch to the folder for looking at it, where one is given."""
        if not self.save_to_dir:
            return
        for x, k in zip(batch, index_array):
            number = np.random.randint(int(1e7))  # noqa: NPY002  # the state that scripts seed
            name = f"{self.save_prefix}_{k}_{number}.{self.save_format}"
            array_to_img(x, self.data_format, scale=True).save(Path(self.save_to_dir) / name)


class NumpyArrayIterator(Iterator):
    """Batches of an array of pictures, changed by an ImageDataGenerator.

    Args:
        x: [n, height, width, channels], or (such an array, others that go with it). save_to_dir,
            save_prefix, save_format: where changed pictures are written, to look at.

    Raises:
        ValueError: x is not of rank 4, lengths differ, an unknown subset, or one that lacks
            classes of the other.
    """

    def __init__(
        self, x: Any, y: Any, image_data_generator: Any, batch_size: int = 32,
        shuffle: bool = False, sample_weight: Any = None, seed: int | None = None,
        data_format: str | None = None, save_to_dir: Any = None, save_prefix: str = "",
        save_format: str = "png", subset: str | None = None, dtype: Any = None,
    ) -> None:
        check_subset(subset)
        extra: list[Any] = []
        if isinstance(x, tuple | list):
            extra = [np.asarray(m) for m in (x[1] if isinstance(x[1], list) else [x[1]])]
            x = x[0]
        self.dtype = dtype or floatx()
        self.data_format = normalize_data_format(data_format)
        x = np.asarray(x, dtype=self.dtype)
        y = None if y is None else np.asarray(y)
        sample_weight = None if sample_weight is None else np.asarray(sample_weight)
        self._check(x, extra, y, sample_weight)
        if subset is not None:
            cut = int(len(x) * image_data_generator._validation_split)
            if y is not None and not np.array_equal(np.unique(y[:cut]), np.unique(y[cut:])):
                raise ValueError(
                    "Training and validation subsets have different number of classes after the "
                    "split. If your numpy arrays are sorted by the label, you might want to "
                    "shuffle them."
                )
            part = slice(None, cut) if subset == "validation" else slice(cut, None)
            x, extra = x[part], [e[part] for e in extra]
            y = None if y is None else y[part]
            sample_weight = None if sample_weight is None else sample_weight[part]
        self.x, self.x_misc, self.y, self.sample_weight = x, extra, y, sample_weight
        self.image_data_generator = image_data_generator
        self._begin(len(x), batch_size, shuffle, seed, (save_to_dir, save_prefix, save_format))

    @staticmethod
    def _check(x: Array, extra: list[Array], y: Any, weights: Any) -> None:
        if any(len(e) != len(x) for e in extra):
            raise ValueError(
                "All of the arrays in `x` should have the same length. Found a pair with: "
                f"len(x[0]) = {len(x)}, len(x[?]) = {[len(e) for e in extra]}"
            )
        for other, what in ((y, "y"), (weights, "sample_weight")):
            if other is not None and len(other) != len(x):
                raise ValueError(
                    f"`x` (images tensor) and `{what}` should have the same length. Found: "
                    f"x.shape = {x.shape}, {what}.shape = {other.shape}"
                )
        if x.ndim != 4:
            raise ValueError(
                "Input data in `NumpyArrayIterator` should have rank 4. You passed an array with "
                f"shape {x.shape}"
            )

    def _get_batches_of_transformed_samples(self, index_array: Array) -> Any:
        batch: Any = np.zeros((len(index_array), *self.x.shape[1:]), dtype=self.dtype)
        for row, k in enumerate(index_array):
            batch[row] = self._changed(self.image_data_generator, self.x[k].copy())
        self._save(batch, index_array)
        given = [batch, *(m[index_array] for m in self.x_misc)] if self.x_misc else batch
        if self.y is None:
            return given
        out = (given, self.y[index_array])
        return out if self.sample_weight is None else (*out, self.sample_weight[index_array])
