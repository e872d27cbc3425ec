"""Kernels of models trained with Theano, which turns them round. Imports NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["convert_all_kernels_in_model", "convert_kernel"]

_CONVOLUTIONS = (
    "Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "SeparableConv1D", "SeparableConv2D",
)  # fmt: skip


def convert_kernel(kernel: Any) -> Any:
    """A kernel of rank 3 to 5 turned round in space.

    Raises:
        ValueError: another rank.
    """
    kernel = np.asarray(kernel)
    if not 3 <= kernel.ndim <= 5:
        raise ValueError(f"Invalid kernel shape: {kernel.shape}")
    return np.flip(kernel, tuple(range(kernel.ndim - 2))).copy()


def convert_all_kernels_in_model(model: Any) -> None:
    """Turns the kernels of all convolutions of a model round, from Theano's way or to it."""
    for layer in model.layers:
        if type(layer).__name__ in _CONVOLUTIONS:
            values = layer.get_weights()
            layer.set_weights([convert_kernel(v) if v.ndim > 2 else v for v in values])
