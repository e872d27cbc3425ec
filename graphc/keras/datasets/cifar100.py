"""tf.keras.datasets.cifar100: small colour images of a hundred classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.keras.datasets.cifar10 import arranged
from graphc.keras.datasets.files import cifar_batch
from graphc.keras.utils.data_utils import find_data

__all__ = ["load_data"]


def load_data(label_mode: str = "fine") -> Any:
    """((x_train, y_train), (x_test, y_test)): images [n, 32, 32, 3] and labels [n, 1].

    Read from the folder or archive cifar-100-python in ~/.keras/datasets or GRAPHC_DATA.

    Args:
        label_mode: "fine" (100 classes) or "coarse" (20).

    Raises:
        FileNotFoundError: the data are not there. ValueError: another label_mode.
    """
    if label_mode not in ("fine", "coarse"):
        raise ValueError('`label_mode` must be one of `"fine"`, `"coarse"`.')
    source = find_data(["cifar-100-python", "cifar-100-python.tar.gz"], "cifar100")
    x, y = cifar_batch(source, "train", f"{label_mode}_labels")
    u, v = cifar_batch(source, "test", f"{label_mode}_labels")
    return arranged(x, np.asarray(y), u, np.asarray(v))
