"""tf.keras.datasets.cifar10: small colour images of ten classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.keras.core.config import image_data_format
from graphc.keras.datasets.files import cifar_batch
from graphc.keras.utils.data_utils import find_data

__all__ = ["load_data"]


def load_data() -> Any:
    """((x_train, y_train), (x_test, y_test)): images [n, 32, 32, 3] and labels [n, 1], uint8.

    Read from the folder or archive cifar-10-batches-py in ~/.keras/datasets or GRAPHC_DATA.

    Raises:
        FileNotFoundError: the data are not there.
    """
    source = find_data(
        ["cifar-10-batches-py", "cifar-10-batches-py.tar.gz", "cifar-10-python.tar.gz"], "cifar10"
    )
    parts = [cifar_batch(source, f"data_batch_{k}", "labels") for k in range(1, 6)]
    x = np.concatenate([images for images, _ in parts])
    y = np.concatenate([np.asarray(labels, np.uint8) for _, labels in parts])
    u, v = cifar_batch(source, "test_batch", "labels")
    return arranged(x, y, u, np.asarray(v, np.uint8))


def arranged(x: Any, y: Any, u: Any, v: Any) -> Any:
    """Both pairs, in the default image format."""
    if image_data_format() == "channels_first":
        x, u = x.transpose(0, 3, 1, 2), u.transpose(0, 3, 1, 2)
    return (x, y.reshape(-1, 1)), (u, v.reshape(-1, 1))
