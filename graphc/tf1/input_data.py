"""tf.examples.tutorials.mnist.input_data: MNIST's digits in batches, from files that are there.

Lives here: reading of IDX files, DataSet. Nothing is ever fetched from the net. Imports errors,
ir.dtypes and ops only.
"""

from __future__ import annotations

import gzip
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from graphc.ir.dtypes import as_dtype, float32, uint8
from graphc.ir.graph import get_default_graph

__all__ = [
    "DEFAULT_SOURCE_URL", "DataSet", "Datasets", "dense_to_one_hot", "extract_images",
    "extract_labels", "load_mnist", "read_data_sets",
]  # fmt: skip

Array = np.ndarray[Any, Any]

DEFAULT_SOURCE_URL = "https://storage.googleapis.com/cvdf-datasets/mnist/"
TRAIN_IMAGES = "train-images-idx3-ubyte.gz"
TRAIN_LABELS = "train-labels-idx1-ubyte.gz"
TEST_IMAGES = "t10k-images-idx3-ubyte.gz"
TEST_LABELS = "t10k-labels-idx1-ubyte.gz"
FILES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)

_IMAGES_MAGIC, _LABELS_MAGIC = 2051, 2049
_FAKE_PIXELS = 784


class Datasets(NamedTuple):
    """What read_data_sets returns."""

    train: DataSet
    validation: DataSet
    test: DataSet


# ------------------------------------------------------------------ files
def _header(data: bytes, magic: int, count: int, name: str) -> list[int]:
    """The `count` numbers after the magic one, big-endian."""
    want = 4 * (count + 1)
    found = int.from_bytes(data[:4], "big")
    if len(data) < want or found != magic:
        kind = "image" if magic == _IMAGES_MAGIC else "label"
        raise ValueError(f"Invalid magic number {found} in MNIST {kind} file: {name}")
    return [int.from_bytes(data[i : i + 4], "big") for i in range(4, want, 4)]


def _content(f: Any) -> tuple[bytes, str]:
    data = f.read()
    return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data), str(f.name)


def extract_images(f: Any) -> Array:
    """uint8 pixels [images, rows, columns, 1] of an open IDX file, gzip or plain.

    Raises:
        ValueError: not an IDX file of images, or it ends too early.
    """
    data, name = _content(f)
    images, rows, cols = _header(data, _IMAGES_MAGIC, 3, name)
    pixels = np.frombuffer(data, np.uint8, offset=16)
    if pixels.size != images * rows * cols:
        raise ValueError(f"{name} says {images} images and holds {pixels.size} pixels")
    return pixels.reshape(images, rows, cols, 1)


def extract_labels(f: Any, one_hot: bool = False, num_classes: int = 10) -> Array:
    """uint8 labels [labels], or float64 [labels, num_classes] if one_hot, of an open IDX file."""
    data, name = _content(f)
    (count,) = _header(data, _LABELS_MAGIC, 1, name)
    labels = np.frombuffer(data, np.uint8, offset=8)
    if labels.size != count:
        raise ValueError(f"{name} says {count} labels and holds {labels.size}")
    return dense_to_one_hot(labels, num_classes) if one_hot else labels


def dense_to_one_hot(labels_dense: Array, num_classes: int) -> Array:
    """Class numbers [n] as rows [n, num_classes] of zeros and a one."""
    out = np.zeros((labels_dense.shape[0], num_classes))
    out[np.arange(labels_dense.shape[0]), labels_dense.ravel()] = 1
    return out


def _folders(train_dir: Any) -> Iterator[Path]:
    yield Path(os.fsdecode(train_dir))
    data = os.environ.get("GRAPHC_DATA")
    if data:
        yield from (Path(data), Path(data) / "mnist", Path(data) / "MNIST_data")


def _find(folder: Path, name: str) -> Path | None:
    """The file, with or without .gz; some archives write a dot before "idx"."""
    plain = name.removesuffix(".gz")
    for variant in (name, plain, plain.replace("-idx", ".idx"), name.replace("-idx", ".idx")):
        if (folder / variant).is_file():
            return folder / variant
    return None


def _locate(train_dir: Any) -> list[Path]:
    for folder in _folders(train_dir):
        found = [path for name in FILES if (path := _find(folder, name)) is not None]
        if len(found) == len(FILES):
            return found
    looked = "\n  ".join(str(folder.absolute()) for folder in _folders(train_dir))
    raise FileNotFoundError(
        "MNIST is not there, and graphc does not download it. Put these four files (as they are, "
        f"or without .gz):\n  {', '.join(FILES)}\ninto one of\n  {looked}"
        + ("" if os.environ.get("GRAPHC_DATA") else "\nor the folder that GRAPHC_DATA names")
    )


# ------------------------------------------------------------------ batches
class DataSet:
    """Images and labels, in batches.

    Args:
        images: uint8 [n, rows, columns, 1]; None where fake_data.
        labels: [n] or [n, classes].
        dtype: uint8 keeps the pixels, float32 scales them to [0, 1].
        reshape: images become [n, rows * columns].
        seed: of the order. Without one (and none of the graph) NumPy's global stream goes on.

    Raises:
        TypeError: another dtype. AssertionError: unequal counts.
    """

    def __init__(
        self,
        images: Array | None,
        labels: Array | None,
        fake_data: bool = False,
        one_hot: bool = False,
        dtype: Any = float32,
        reshape: bool = True,
        seed: int | None = None,
    ) -> None:
        seed = get_default_graph().seed if seed is None else seed
        # batches come from the global stream, as in TF: scripts seed it themselves
        if seed is not None:
            np.random.seed(seed)  # noqa: NPY002
        dtype = as_dtype(dtype).base_dtype
        if dtype not in (uint8, float32):
            raise TypeError(f"Invalid image dtype {dtype!r}, expected uint8 or float32")
        self.one_hot = one_hot
        self._fake = fake_data
        self._images: Array
        self._labels: Array
        self._epochs = self._position = 0
        if fake_data or images is None or labels is None:
            self._count = 10000
            images, labels = np.empty((0, _FAKE_PIXELS), np.float32), np.empty(0)
            self._images, self._labels = images, labels
            return
        if images.shape[0] != labels.shape[0]:
            raise AssertionError(f"images.shape: {images.shape} labels.shape: {labels.shape}")
        self._count = images.shape[0]
        if reshape:
            images = images.reshape(self._count, math.prod(images.shape[1:]))
        if dtype == float32:
            images = images.astype(np.float32) * np.float32(1.0 / 255.0)
        self._images, self._labels = images, labels

    @property
    def images(self) -> Array:
        return self._images

    @property
    def labels(self) -> Array:
        return self._labels

    @property
    def num_examples(self) -> int:
        return self._count

    @property
    def epochs_completed(self) -> int:
        return self._epochs

    def _shuffle(self) -> None:
        order = np.arange(self._count)
        np.random.shuffle(order)  # noqa: NPY002 - see __init__
        self._images, self._labels = self._images[order], self._labels[order]

    def next_batch(
        self, batch_size: int, fake_data: bool = False, shuffle: bool = True
    ) -> tuple[Any, Any]:
        """(images, labels) of the next batch_size examples; a batch goes on into the next epoch.

        Args:
            fake_data: white images of class 0, without reading anything.
            shuffle: a new order for each epoch.

        Raises:
            ValueError: there are no examples, as in a validation set of size 0.
        """
        if fake_data or self._fake:
            label: Any = [1] + [0] * 9 if self.one_hot else 0
            return [[1] * _FAKE_PIXELS for _ in range(batch_size)], [label] * batch_size
        if not self._count:
            raise ValueError("the data set has no examples to make a batch of")
        if shuffle and self._epochs == 0 and self._position == 0:
            self._shuffle()
        parts: list[tuple[Array, Array]] = []
        missing = batch_size
        while self._position + missing > self._count:
            here = slice(self._position, self._count)
            parts.append((self._images[here], self._labels[here]))
            missing -= self._count - self._position
            self._epochs += 1
            self._position = 0
            if shuffle:
                self._shuffle()
        here = slice(self._position, self._position + missing)
        self._position += missing
        parts.append((self._images[here], self._labels[here]))
        if len(parts) == 1:
            return parts[0]
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def read_data_sets(
    train_dir: Any,
    fake_data: bool = False,
    one_hot: bool = False,
    dtype: Any = float32,
    reshape: bool = True,
    validation_size: int = 5000,
    seed: int | None = None,
    source_url: str = DEFAULT_SOURCE_URL,
) -> Datasets:
    """MNIST as (train, validation, test) out of four IDX files.

    The files are searched in train_dir, then in the folder that the environment variable
    GRAPHC_DATA names, and its subfolder mnist.

    Args:
        validation_size: so many examples of the training files are the validation set.
        source_url: not used; nothing is downloaded.

    Raises:
        FileNotFoundError: says which files to put where. ValueError: a file that is not IDX, or
        a validation_size out of range.
    """
    if fake_data:
        fake = [DataSet(None, None, True, one_hot, dtype, reshape, seed) for _ in range(3)]
        return Datasets(*fake)
    arrays: list[Array] = []
    for index, path in enumerate(_locate(train_dir)):
        with path.open("rb") as file:
            arrays.append(extract_labels(file, one_hot) if index % 2 else extract_images(file))
    images, labels, test_images, test_labels = arrays
    if not 0 <= validation_size <= len(images):
        raise ValueError(
            f"Validation size should be between 0 and {len(images)}. Received: {validation_size}."
        )
    pairs = (
        (images[validation_size:], labels[validation_size:]),
        (images[:validation_size], labels[:validation_size]),
        (test_images, test_labels),
    )
    return Datasets(*(DataSet(x, y, False, one_hot, dtype, reshape, seed) for x, y in pairs))


def load_mnist(train_dir: Any = "MNIST-data") -> Datasets:
    """read_data_sets with its defaults."""
    return read_data_sets(train_dir)
