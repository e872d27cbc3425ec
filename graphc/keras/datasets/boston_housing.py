"""tf.keras.datasets.boston_housing: prices of houses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from graphc.keras.datasets.files import npz
from graphc.keras.utils.data_utils import find_data

__all__ = ["load_data"]


def load_data(path: Any = "boston_housing.npz", test_split: float = 0.2, seed: int = 113) -> Any:
    """((x_train, y_train), (x_test, y_test)): 13 features and the price, float64.

    Args:
        path: of an .npz with x and y, or its name in ~/.keras/datasets or GRAPHC_DATA.

    Raises:
        FileNotFoundError: the data are not there. ValueError: test_split is not in [0, 1).
    """
    if not 0 <= test_split < 1:
        raise ValueError(f"test_split must be in [0, 1), got {test_split}")
    given = Path(path)
    x, y = npz(given if given.is_file() else find_data([str(path)], "boston_housing"), ("x", "y"))
    order = np.arange(len(x))
    np.random.RandomState(seed).shuffle(order)  # Keras' own order
    x, y = x[order], y[order]
    cut = int(len(x) * (1 - test_split))
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])
