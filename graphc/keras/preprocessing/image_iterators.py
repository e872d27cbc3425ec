"""Endless batches of pictures, from arrays and from folders. Imports NumPy."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np

from graphc.keras.core.config import floatx
from graphc.keras.utils.data_utils import Sequence

__all__ = ["DirectoryIterator", "Iterator", "NumpyArrayIterator"]

Array = np.ndarray[Any, Any]
_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".tif", ".tiff", ".gif", ".webp")


class Iterator(Sequence):
    """Batches by number, and one after the other without end.

    A subclass defines _get_batches_of_transformed_samples(indices).
    """

    def __init__(self, n: int, batch_size: int, shuffle: bool, seed: int | None) -> None:
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


class NumpyArrayIterator(Iterator):
    """Batches of an array of pictures, changed by an ImageDataGenerator.

    Raises:
        ValueError: x is not of rank 4, lengths differ, or an unknown subset.
    """

    def __init__(
        self, x: Any, y: Any, image_data_generator: Any, batch_size: int = 32,
        shuffle: bool = False, sample_weight: Any = None, seed: int | None = None,
        subset: str | None = None, **kwargs: Any,
    ) -> None:
        extra = [np.asarray(m) for m in x[1]] if isinstance(x, tuple) else []
        x = np.asarray(x[0] if isinstance(x, tuple) else x)
        for other, what in ((y, "labels"), (sample_weight, "sample weights")):
            if other is not None and len(other) != len(x):
                raise ValueError(
                    f"`x` (images tensor) and `y` ({what}) should have the same length. Found: "
                    f"x.shape = {x.shape}, {what}.shape = {np.asarray(other).shape}"
                )
        if x.ndim != 4:
            raise ValueError(
                "Input data in `NumpyArrayIterator` should have rank 4. You passed an array with "
                f"shape {x.shape}"
            )
        if subset is not None:
            if subset not in ("training", "validation"):
                raise ValueError(
                    f'Invalid subset name: {subset}; expected "training" or "validation".'
                )
            cut = int(len(x) * image_data_generator._validation_split)
            part = slice(None, cut) if subset == "validation" else slice(cut, None)
            x, extra = x[part], [e[part] for e in extra]
            y = None if y is None else np.asarray(y)[part]
            sample_weight = None if sample_weight is None else np.asarray(sample_weight)[part]
        self.x, self.x_misc = x, extra
        self.y = None if y is None else np.asarray(y)
        self.sample_weight = None if sample_weight is None else np.asarray(sample_weight)
        self.image_data_generator = image_data_generator
        super().__init__(len(x), batch_size, shuffle, seed)

    def _get_batches_of_transformed_samples(self, index_array: Array) -> Any:
        generator = self.image_data_generator
        images = [
            generator.standardize(generator.random_transform(self.x[k].astype(generator.dtype)))
            for k in index_array
        ]
        batch: Any = np.stack(images).astype(generator.dtype)
        if self.x_misc:
            batch = [batch, *(m[index_array] for m in self.x_misc)]
        if self.y is None:
            return batch
        out = (batch, self.y[index_array])
        return out if self.sample_weight is None else (*out, self.sample_weight[index_array])


class DirectoryIterator(Iterator):
    """Batches of the files in a folder's subfolders, one a class.

    Raises:
        ValueError: an unknown class_mode or subset. FileNotFoundError: no such folder.
    """

    def __init__(
        self, directory: Any, image_data_generator: Any,
        target_size: tuple[int, int] = (256, 256), color_mode: str = "rgb", classes: Any = None,
        class_mode: str | None = "categorical", batch_size: int = 32, shuffle: bool = True,
        seed: int | None = None, subset: str | None = None, interpolation: str = "nearest",
        **kwargs: Any,
    ) -> None:
        if class_mode not in ("categorical", "binary", "sparse", "input", None):
            raise ValueError(
                f"Invalid class_mode: {class_mode}; expected one of categorical, binary, sparse, "
                "input, None"
            )
        root = Path(directory)
        if not root.is_dir():
            raise FileNotFoundError(f"there is no folder {root}")
        self.directory, self.image_data_generator = str(directory), image_data_generator
        self.target_size, self.color_mode = tuple(target_size), color_mode
        self.class_mode, self.interpolation = class_mode, interpolation
        names = classes or sorted(p.name for p in root.iterdir() if p.is_dir())
        self.class_indices = {name: k for k, name in enumerate(names)}
        self.num_classes = len(names)
        files, labels = self._files(root, list(names), subset)
        self.filenames = [str(f.relative_to(root)) for f in files]
        self.filepaths = [str(f) for f in files]
        self.classes = np.array(labels, np.int32)
        self.samples = len(files)
        print(f"Found {self.samples} images belonging to {self.num_classes} classes.")  # noqa: T201
        super().__init__(self.samples, batch_size, shuffle, seed)

    def _files(
        self, root: Path, names: list[str], subset: str | None
    ) -> tuple[list[Path], list[int]]:
        files: list[Path] = []
        labels: list[int] = []
        for number, name in enumerate(names):
            found = sorted(p for p in (root / name).rglob("*") if p.suffix.lower() in _SUFFIXES)
            if subset is not None:
                cut = int(len(found) * self.image_data_generator._validation_split)
                found = found[:cut] if subset == "validation" else found[cut:]
            files += found
            labels += [number] * len(found)
        return files, labels

    def _get_batches_of_transformed_samples(self, index_array: Array) -> Any:
        from graphc.keras.preprocessing.image import img_to_array, load_img

        generator = self.image_data_generator
        images = []
        for k in index_array:
            img = load_img(
                self.filepaths[k], color_mode=self.color_mode, target_size=self.target_size,
                interpolation=self.interpolation,
            )  # fmt: skip
            x = img_to_array(img, generator.data_format)
            images.append(generator.standardize(generator.random_transform(x)))
        batch = np.stack(images).astype(generator.dtype)
        if self.class_mode is None:
            return batch
        labels = self.classes[index_array]
        if self.class_mode == "input":
            return batch, batch.copy()
        if self.class_mode == "categorical":
            return batch, np.eye(self.num_classes, dtype=floatx())[labels]
        return batch, labels.astype(floatx()) if self.class_mode == "binary" else labels
