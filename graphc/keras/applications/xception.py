"""tf.keras.applications.xception (Chollet 2017). Imports keras.layers."""

from __future__ import annotations

from typing import Any

from graphc.keras import layers
from graphc.keras.applications.imagenet_utils import channel_axis, decode_predictions, maker
from graphc.keras.applications.imagenet_utils import preprocess_input as _preprocess

__all__ = ["Xception", "decode_predictions", "preprocess_input"]


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Pictures with values 0 to 255 as these networks were trained on them: from -1 to 1."""
    return _preprocess(x, data_format, mode="tf")


def _normal(x: Any, name: str | None = None) -> Any:
    return layers.BatchNormalization(axis=channel_axis(), name=name)(x)


def _relu(x: Any, name: str) -> Any:
    return layers.Activation("relu", name=f"{name}_act")(x)


def _separable(x: Any, filters: int, name: str) -> Any:
    x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False, name=name)(x)
    return _normal(x, f"{name}_bn")


def _halving(x: Any, widths: tuple[int, int], number: int) -> Any:
    """Two separable convolutions and a pool beside a convolution with stride."""
    side = layers.Conv2D(widths[1], 1, strides=2, padding="same", use_bias=False)(x)
    side = _normal(side)
    for k, width in enumerate(widths, 1):
        name = f"block{number}_sepconv{k}"
        if number > 2 or k > 1:
            x = _relu(x, name)
        x = _separable(x, width, name)
    x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"block{number}_pool")(x)
    return layers.add([x, side])


def _body(x: Any) -> Any:
    for k, (width, stride) in enumerate(((32, 2), (64, 1)), 1):
        name = f"block1_conv{k}"
        x = layers.Conv2D(width, 3, strides=stride, use_bias=False, name=name)(x)
        x = _relu(_normal(x, f"{name}_bn"), name)
    for number, width in ((2, 128), (3, 256), (4, 728)):
        x = _halving(x, (width, width), number)
    for number in range(5, 13):
        side = x
        for k in range(1, 4):
            name = f"block{number}_sepconv{k}"
            x = _separable(_relu(x, name), 728, name)
        x = layers.add([x, side])
    x = _halving(x, (728, 1024), 13)
    for k, width in enumerate((1536, 2048), 1):
        x = _relu(_separable(x, width, f"block14_sepconv{k}"), f"block14_sepconv{k}")
    return x


Xception = maker(
    "Xception", __name__, _body, "Separable convolutions with shortcuts, for 299 x 299 pictures.",
    299, 71,
)  # fmt: skip
