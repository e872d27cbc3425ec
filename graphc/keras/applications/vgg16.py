"""tf.keras.applications.vgg16 (Simonyan 2015). Imports keras.layers."""

from __future__ import annotations

from typing import Any

from graphc.keras import layers
from graphc.keras.applications.imagenet_utils import decode_predictions, maker, preprocess_input

__all__ = ["VGG16", "decode_predictions", "preprocess_input"]


def body(depths: tuple[int, ...]) -> Any:
    """Blocks of so many convolutions, each followed by a pool."""

    def made(x: Any) -> Any:
        for block, depth in enumerate(depths, 1):
            for k in range(1, depth + 1):
                filters = min(64 * 2 ** (block - 1), 512)
                name = f"block{block}_conv{k}"
                x = layers.Conv2D(filters, 3, activation="relu", padding="same", name=name)(x)
            x = layers.MaxPooling2D(2, strides=2, name=f"block{block}_pool")(x)
        return x

    return made


def head(x: Any, classes: int, activation: Any) -> Any:
    """Three dense layers over all features."""
    x = layers.Flatten(name="flatten")(x)
    for name in ("fc1", "fc2"):
        x = layers.Dense(4096, activation="relu", name=name)(x)
    return layers.Dense(classes, activation=activation, name="predictions")(x)


VGG16 = maker(
    "VGG16", __name__, body((2, 2, 3, 3, 3)), "Thirteen convolutions and three dense layers.",
    head=head,
)  # fmt: skip
