"""Arrays of labels. Imports NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["normalize", "to_categorical"]


def to_categorical(y: Any, num_classes: int | None = None, dtype: Any = "float32") -> Any:
    """One-hot rows of integers.

    Args:
        num_classes: default the greatest label plus one. A last axis of extent 1 is dropped.

    Raises:
        ValueError: a label below 0 or not below num_classes.
    """
    labels = np.asarray(y, dtype="int64")
    shape = labels.shape
    if len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    flat = labels.reshape(-1)
    classes = int(num_classes or (flat.max() + 1 if flat.size else 0))
    if flat.size and (flat.min() < -classes or flat.max() >= classes):
        raise ValueError(
            f"labels must be below num_classes={classes}; found {int(flat.max())}, "
            f"{int(flat.min())}"
        )
    out = np.zeros((flat.size, classes), dtype=dtype)
    out[np.arange(flat.size), flat] = 1
    return out.reshape(*shape, classes)


def normalize(x: Any, axis: int = -1, order: int = 2) -> Any:
    """x divided by its norms along `axis`; rows of zeros stay."""
    norms = np.atleast_1d(np.linalg.norm(x, order, axis))
    norms[norms == 0] = 1
    return x / np.expand_dims(norms, axis)
