"""tf.keras.datasets.mnist: handwritten digits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from graphc.keras.datasets.files import idx, npz
from graphc.keras.utils.data_utils import find_data

__all__ = ["load_data"]

_FILES = ("train-images", "train-labels", "t10k-images", "t10k-labels")


def load_data(path: Any = "mnist.npz") -> Any:
    """((x_train, y_train), (x_test, y_test)): images [n, 28, 28] and labels, uint8.

    Args:
        path: of an .npz with x_train, y_train, x_test, y_test, or its name in ~/.keras/datasets or
            GRAPHC_DATA; there the four IDX files do as well.

    Raises:
        FileNotFoundError: the data are not there. ValueError: they are damaged.
    """
    return images_of(path, "mnist", ("mnist", "MNIST", "MNIST_data"))


def images_of(path: Any, what: str, folders: tuple[str, ...]) -> Any:
    """Images and labels from an .npz, or from IDX files in one of the folders."""
    given = Path(path)
    names = [str(given), f"{_FILES[0]}-idx3-ubyte.gz", f"{_FILES[0]}-idx3-ubyte"]
    found = given if given.is_file() else find_data(names, what, folders)
    if found.suffix == ".npz":
        x, y, u, v = npz(found, ("x_train", "y_train", "x_test", "y_test"))
        return (x, y), (u, v)
    end = ".gz" if found.suffix == ".gz" else ""
    x, y, u, v = (
        idx(found.with_name(f"{name}-idx{1 if 'labels' in name else 3}-ubyte{end}"))
        for name in _FILES
    )
    return (x, y), (u, v)
