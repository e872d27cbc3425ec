"""Endless batches of pictures in files: of folders, and of the rows of a table. Imports NumPy."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator as Listed
from pathlib import Path
from typing import Any

import numpy as np

from graphc.keras.core.config import floatx, normalize_data_format
from graphc.keras.preprocessing.image_iterators import Array, Iterator, check_subset
from graphc.keras.preprocessing.pictures import img_to_array, load_img

__all__ = ["DataFrameIterator", "DirectoryIterator"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".tif", ".tiff")
_CHANNELS = {"rgb": 3, "rgba": 4, "grayscale": 1}


class _FileIterator(Iterator):
    """What both share.

    Args:
        target_size: (height, width) of the batches. color_mode: "rgb", "rgba" or "grayscale".
        save_to_dir, save_prefix, save_format: where changed pictures are written, to look at.
        subset: "training" or "validation", by the generator's validation_split.
    """

    modes: tuple[Any, ...] = ()
    filepaths: list[str]
    classes: Any
    targets: Any = None
    weights: Any = None
    class_indices: dict[str, int]

    def __init__(
        self, image_data_generator: Any, target_size: Any, color_mode: str, class_mode: Any,
        data_format: str | None, interpolation: str, dtype: Any,
    ) -> None:
        if color_mode not in _CHANNELS:
            raise ValueError(
                f'Invalid color mode: {color_mode}; expected "rgb", "rgba", or "grayscale".'
            )
        if class_mode not in self.modes:
            raise ValueError(f"Invalid class_mode: {class_mode}; expected one of: {self.modes}")
        self.image_data_generator, self.class_mode = image_data_generator, class_mode
        self.target_size, self.color_mode = tuple(target_size), color_mode
        self.data_format, self.interpolation = normalize_data_format(data_format), interpolation
        self.dtype = dtype or floatx()
        channels = (_CHANNELS[color_mode],)
        last = self.data_format == "channels_last"
        self.image_shape = (
            self.target_size + channels if last else channels + self.target_size
        )

    @property
    def labels(self) -> Any:
        """The classes or values of the pictures."""
        return self.classes if self.targets is None else self.targets

    @property
    def sample_weight(self) -> Any:
        return self.weights

    def _get_batches_of_transformed_samples(self, index_array: Array) -> Any:
        generator = self.image_data_generator
        batch = np.zeros((len(index_array), *self.image_shape), dtype=self.dtype)
        for row, k in enumerate(index_array):
            img = load_img(
                self.filepaths[k], color_mode=self.color_mode, target_size=self.target_size,
                interpolation=self.interpolation,
            )  # fmt: skip
            batch[row] = self._changed(generator, img_to_array(img, self.data_format))
        self._save(batch, index_array)
        if self.class_mode is None:
            return batch
        y = self._targets_of(index_array, batch)
        return (batch, y) if self.weights is None else (batch, y, self.weights[index_array])

    def _targets_of(self, rows: Array, batch: Array) -> Any:
        mode = self.class_mode
        if mode == "input":
            return batch.copy()
        if mode == "multi_output":
            return [t[rows] for t in self.targets]
        if mode == "raw":
            return self.targets[rows]
        if mode in ("binary", "sparse"):
            return np.array([self.classes[k] for k in rows], dtype=self.dtype)
        y = np.zeros((len(rows), len(self.class_indices)), dtype=self.dtype)
        for row, k in enumerate(rows):
            y[row, self.classes[k]] = 1.0
        return y


def _files(folder: Path, follow_links: bool) -> Listed[Path]:
    """The pictures of a folder, those of its subfolders behind its own."""
    for root, _, names in sorted(os.walk(folder, followlinks=follow_links), key=lambda w: w[0]):
        for name in sorted(names):
            if name.lower().endswith(SUFFIXES):
                yield Path(root) / name


def _share(items: list[Any], generator: Any, subset: str | None) -> list[Any]:
    """The part of a list that is the subset."""
    check_subset(subset)
    if subset is None:
        return items
    cut = int(len(items) * generator._validation_split)
    return items[:cut] if subset == "validation" else items[cut:]


class DirectoryIterator(_FileIterator):
    """Batches of the files in a folder's subfolders, one a class.

    Raises:
        ValueError: an unknown class_mode, color_mode or subset. FileNotFoundError: no such folder.
    """

    modes = ("categorical", "binary", "sparse", "input", None)

    def __init__(
        self, directory: Any, image_data_generator: Any,
        target_size: tuple[int, int] = (256, 256), color_mode: str = "rgb", classes: Any = None,
        class_mode: str | None = "categorical", batch_size: int = 32, shuffle: bool = True,
        seed: int | None = None, data_format: str | None = None, save_to_dir: Any = None,
        save_prefix: str = "", save_format: str = "png", follow_links: bool = False,
        subset: str | None = None, interpolation: str = "nearest", dtype: Any = None,
    ) -> None:
        super().__init__(
            image_data_generator, target_size, color_mode, class_mode, data_format, interpolation,
            dtype,
        )  # fmt: skip
        root = Path(directory)
        if not root.is_dir():
            raise FileNotFoundError(f"there is no folder {root}")
        self.directory = str(directory)
        names = list(classes or sorted(p.name for p in root.iterdir() if p.is_dir()))
        self.class_indices = {name: k for k, name in enumerate(names)}
        self.num_classes = len(names)
        found = [
            (path, number) for number, name in enumerate(names)
            for path in _share(
                list(_files(root / name, follow_links)), image_data_generator, subset
            )
        ]  # fmt: skip
        self.filenames = [str(f.relative_to(root)) for f, _ in found]
        self.filepaths = [str(f) for f, _ in found]
        self.classes = np.array([number for _, number in found], np.int32)
        self.samples = len(found)
        print(f"Found {self.samples} images belonging to {self.num_classes} classes.")  # noqa: T201
        saving = (save_to_dir, save_prefix, save_format)
        self._begin(self.samples, batch_size, shuffle, seed, saving)


class DataFrameIterator(_FileIterator):
    """Batches of the files that the rows of a table name.

    Args:
        dataframe: a pandas DataFrame, or a dict of columns. x_col: the column of file names. y_col:
            that of classes or values (several for "multi_output"). weight_col: of weights.
        directory: what file names are relative to. classes: those that are used.
        class_mode: "categorical" (texts or lists of them), "binary", "sparse", "input", "raw",
            "multi_output" or None. validate_filenames: rows whose file is not there are left out.

    Raises:
        TypeError, ValueError: columns that do not fit the class_mode.
    """

    modes = ("categorical", "binary", "sparse", "input", "multi_output", "raw", None)

    def __init__(
        self, dataframe: Any, directory: Any = None, image_data_generator: Any = None,
        x_col: str = "filename", y_col: Any = "class", weight_col: str | None = None,
        target_size: tuple[int, int] = (256, 256), color_mode: str = "rgb", classes: Any = None,
        class_mode: str | None = "categorical", batch_size: int = 32, shuffle: bool = True,
        seed: int | None = None, data_format: str | None = None, save_to_dir: Any = None,
        save_prefix: str = "", save_format: str = "png", subset: str | None = None,
        interpolation: str = "nearest", dtype: Any = None, validate_filenames: bool = True,
    ) -> None:
        super().__init__(
            image_data_generator, target_size, color_mode, class_mode, data_format, interpolation,
            dtype,
        )  # fmt: skip
        self.directory = str(directory or "")
        names = list(dataframe[x_col])
        self._check(dataframe, names, x_col, y_col, weight_col, classes)
        rows = list(range(len(names)))
        if validate_filenames:
            rows = self._present(rows, names, x_col)
        labelled = class_mode in ("categorical", "binary", "sparse")
        kept: dict[int, Any] = {}
        if labelled:
            kept = self._labelled(rows, list(dataframe[y_col]), classes)
            rows = list(kept)
        rows = _share(rows, image_data_generator, subset)
        if labelled:
            self.classes = [kept[k] for k in rows]
        columns = y_col if class_mode == "multi_output" else [y_col]
        if class_mode in ("multi_output", "raw"):
            values = [np.array([list(dataframe[c])[k] for k in rows]) for c in columns]
            self.targets = values if class_mode == "multi_output" else values[0]
        if weight_col:
            self.weights = np.asarray(list(dataframe[weight_col]))[rows]
        self.filenames = [names[k] for k in rows]
        self.filepaths = [str(Path(self.directory) / n) for n in self.filenames]
        self.samples = len(rows)
        kind = "validated" if validate_filenames else "non-validated"
        end = f" belonging to {len(self.class_indices)} classes" if labelled else ""
        print(f"Found {self.samples} {kind} image filenames{end}.")  # noqa: T201
        saving = (save_to_dir, save_prefix, save_format)
        self._begin(self.samples, batch_size, shuffle, seed, saving)

    def _check(
        self, table: Any, names: list[Any], x_col: str, y_col: Any, weight_col: Any, classes: Any
    ) -> None:
        mode = self.class_mode
        if mode == "multi_output" and not isinstance(y_col, list):
            raise TypeError(
                f'If class_mode="{mode}", y_col must be a list. Received {type(y_col).__name__}.'
            )
        if not all(isinstance(n, str) for n in names):
            raise TypeError(f"All values in column x_col={x_col} must be strings.")
        allowed: tuple[type, ...] = (str, list, tuple) if mode == "categorical" else (str,)
        if mode in ("categorical", "binary", "sparse"):
            values = list(table[y_col])
            if not all(isinstance(v, allowed) for v in values):
                words = "type string, list or tuple" if mode == "categorical" else "strings"
                raise TypeError(
                    f'If class_mode="{mode}", y_col="{y_col}" column values must be {words}.'
                )
            if mode == "binary" and len(set(classes or values)) != 2:
                raise ValueError(
                    f'If class_mode="binary" there must be 2 classes. Found '
                    f"{len(set(classes or values))} classes."
                )
        if weight_col and np.asarray(list(table[weight_col])).dtype.kind not in "iuf":
            raise TypeError(f"Column weight_col={weight_col} must be numeric.")

    def _present(self, rows: list[int], names: list[str], x_col: str) -> list[int]:
        """The rows whose file is there and a picture by its name."""
        found = [
            k for k in rows if names[k].lower().endswith(SUFFIXES)
            and (Path(self.directory) / names[k]).is_file()
        ]  # fmt: skip
        if len(found) < len(rows):
            warnings.warn(
                f'Found {len(rows) - len(found)} invalid image filename(s) in x_col="{x_col}". '
                "These filename(s) will be ignored.", stacklevel=4,
            )  # fmt: skip
        return found

    def _labelled(self, rows: list[int], values: list[Any], classes: Any) -> dict[int, Any]:
        """row -> number or numbers of its classes, for the rows that have one."""
        listed = {k: [values[k]] if isinstance(values[k], str) else list(values[k]) for k in rows}
        names = list(dict.fromkeys(classes)) if classes else sorted(
            {v for found in listed.values() for v in found}
        )  # fmt: skip
        self.class_indices = {name: k for k, name in enumerate(names)}
        out: dict[int, Any] = {}
        for k, found in listed.items():
            numbers = [self.class_indices[v] for v in found if v in self.class_indices]
            if numbers:
                out[k] = numbers[0] if isinstance(values[k], str) else numbers
        return out
