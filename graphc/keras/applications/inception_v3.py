"""tf.keras.applications.inception_v3 (Szegedy 2016). Imports keras.layers."""

from __future__ import annotations

from typing import Any

from graphc.keras import layers
from graphc.keras.applications.imagenet_utils import channel_axis, decode_predictions, maker
from graphc.keras.applications.imagenet_utils import preprocess_input as _preprocess

__all__ = ["InceptionV3", "decode_predictions", "preprocess_input"]

# convolutions one after the other: (filters, rows, columns)
Chain = tuple[tuple[int, int, int], ...]


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Pictures with values 0 to 255 as these networks were trained on them: from -1 to 1."""
    return _preprocess(x, data_format, mode="tf")


def _conv(x: Any, spec: tuple[int, int, int], stride: int = 1, padding: str = "same") -> Any:
    filters, rows, columns = spec
    x = layers.Conv2D(
        filters, (rows, columns), strides=stride, padding=padding, use_bias=False
    )(x)
    x = layers.BatchNormalization(axis=channel_axis(), scale=False)(x)
    return layers.Activation("relu")(x)


def _chain(x: Any, specs: Chain, halving: bool = False) -> Any:
    for k, spec in enumerate(specs):
        last = halving and k == len(specs) - 1
        x = _conv(x, spec, 2 if last else 1, "valid" if last else "same")
    return x


def _joined(parts: list[Any], name: str | None = None) -> Any:
    return layers.concatenate(parts, axis=channel_axis(), name=name)


def _mean(x: Any, filters: int) -> Any:
    x = layers.AveragePooling2D(3, strides=1, padding="same")(x)
    return _conv(x, (filters, 1, 1))


def _mixed(x: Any, chains: tuple[Chain, ...], filters: int, name: str) -> Any:
    """Chains of convolutions beside a mean."""
    return _joined([*(_chain(x, c) for c in chains), _mean(x, filters)], name)


def _reduced(x: Any, chains: tuple[Chain, ...], name: str) -> Any:
    """Chains whose last convolution has stride 2, beside a pool."""
    pool = layers.MaxPooling2D(3, strides=2)
    return _joined([*(_chain(x, c, halving=True) for c in chains), pool(x)], name)


def _wide(x: Any, name: str, inner: str) -> Any:
    """Chains that end in two convolutions side by side."""
    first = _conv(x, (320, 1, 1))
    y = _conv(x, (384, 1, 1))
    second = _joined([_conv(y, (384, 1, 3)), _conv(y, (384, 3, 1))], inner)
    y = _chain(x, ((448, 1, 1), (384, 3, 3)))
    third = _joined([_conv(y, (384, 1, 3)), _conv(y, (384, 3, 1))])
    return _joined([first, second, third, _mean(x, 192)], name)


def _long(width: int) -> tuple[Chain, ...]:
    """Chains of convolutions over rows and over columns."""
    w = width
    return (
        ((192, 1, 1),), ((w, 1, 1), (w, 1, 7), (192, 7, 1)),
        ((w, 1, 1), (w, 7, 1), (w, 1, 7), (w, 7, 1), (192, 1, 7)),
    )  # fmt: skip


def _body(x: Any) -> Any:
    x = _conv(x, (32, 3, 3), 2, "valid")
    x = _conv(_conv(x, (32, 3, 3), 1, "valid"), (64, 3, 3))
    x = layers.MaxPooling2D(3, strides=2)(x)
    x = _conv(_conv(x, (80, 1, 1), 1, "valid"), (192, 3, 3), 1, "valid")
    x = layers.MaxPooling2D(3, strides=2)(x)
    small: tuple[Chain, ...] = (
        ((64, 1, 1),), ((48, 1, 1), (64, 5, 5)), ((64, 1, 1), (96, 3, 3), (96, 3, 3))
    )
    for k, filters in enumerate((32, 64, 64)):
        x = _mixed(x, small, filters, f"mixed{k}")
    x = _reduced(x, (((384, 3, 3),), ((64, 1, 1), (96, 3, 3), (96, 3, 3))), "mixed3")
    for k, width in enumerate((128, 160, 160, 192), 4):
        x = _mixed(x, _long(width), 192, f"mixed{k}")
    seven = ((192, 1, 1), (192, 1, 7), (192, 7, 1), (192, 3, 3))
    x = _reduced(x, (((192, 1, 1), (320, 3, 3)), seven), "mixed8")
    for k in range(2):
        x = _wide(x, f"mixed{9 + k}", f"mixed9_{k}")
    return x


InceptionV3 = maker(
    "InceptionV3", __name__, _body, "Chains of convolutions side by side, for 299 x 299 pictures.",
    299, 75,
)  # fmt: skip
