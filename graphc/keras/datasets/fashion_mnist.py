"""tf.keras.datasets.fashion_mnist: pieces of clothing, in the form of mnist."""

from __future__ import annotations

from typing import Any

from graphc.keras.datasets.mnist import images_of

__all__ = ["load_data"]


def load_data() -> Any:
    """((x_train, y_train), (x_test, y_test)): images [n, 28, 28] and labels, uint8.

    Read from fashion_mnist.npz or the four IDX files in ~/.keras/datasets/fashion-mnist or
    GRAPHC_DATA/fashion-mnist.

    Raises:
        FileNotFoundError: the data are not there. ValueError: they are damaged.
    """
    folders = ("fashion-mnist", "fashion_mnist")
    from graphc.keras.utils.data_utils import find_data

    names = [
        "fashion_mnist.npz", *(f"{d}/train-images-idx3-ubyte{e}" for d in folders
                               for e in (".gz", "")),
    ]  # fmt: skip
    return images_of(find_data(names, "fashion_mnist"), "fashion_mnist", folders)
