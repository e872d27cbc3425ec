"""tf.keras.datasets: data sets from the user's own files; nothing is downloaded."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__, {}, "boston_housing cifar10 cifar100 fashion_mnist imdb mnist reuters"
)
