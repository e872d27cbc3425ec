"""tf.keras.applications.densenet (Huang 2017). Imports keras.layers."""

from __future__ import annotations

from typing import Any

from graphc.keras import layers
from graphc.keras.applications.imagenet_utils import channel_axis, decode_predictions, maker
from graphc.keras.applications.imagenet_utils import preprocess_input as _preprocess

__all__ = ["DenseNet121", "DenseNet169", "DenseNet201", "decode_predictions", "preprocess_input"]

_GROWTH = 32


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Pictures with values 0 to 255 as these networks take them: over deviations from means."""
    return _preprocess(x, data_format, mode="torch")


def _normal_relu(x: Any, normal: str, relu: str) -> Any:
    x = layers.BatchNormalization(axis=channel_axis(), epsilon=1.001e-5, name=normal)(x)
    return layers.Activation("relu", name=relu)(x)


def _dense(x: Any, name: str) -> Any:
    """The input, and features of it."""
    y = _normal_relu(x, f"{name}_0_bn", f"{name}_0_relu")
    y = layers.Conv2D(4 * _GROWTH, 1, use_bias=False, name=f"{name}_1_conv")(y)
    y = _normal_relu(y, f"{name}_1_bn", f"{name}_1_relu")
    y = layers.Conv2D(_GROWTH, 3, padding="same", use_bias=False, name=f"{name}_2_conv")(y)
    return layers.Concatenate(axis=channel_axis(), name=f"{name}_concat")([x, y])


def _halved(x: Any, name: str) -> Any:
    """Half the channels and extents."""
    x = _normal_relu(x, f"{name}_bn", f"{name}_relu")
    channels = x.shape.as_list()[channel_axis()] // 2
    x = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_conv")(x)
    return layers.AveragePooling2D(2, strides=2, name=f"{name}_pool")(x)


def _body(depths: tuple[int, ...]) -> Any:
    def body(x: Any) -> Any:
        x = layers.ZeroPadding2D(3)(x)
        x = layers.Conv2D(64, 7, strides=2, use_bias=False, name="conv1/conv")(x)
        x = _normal_relu(x, "conv1/bn", "conv1/relu")
        x = layers.MaxPooling2D(3, strides=2, name="pool1")(layers.ZeroPadding2D(1)(x))
        for stage, depth in enumerate(depths, 2):
            for k in range(depth):
                x = _dense(x, f"conv{stage}_block{k + 1}")
            if stage < 5:
                x = _halved(x, f"pool{stage}")
        return _normal_relu(x, "bn", "relu")

    return body


_DOC = "{} layers, each of which sees the features of all before it in its block."
DenseNet121 = maker("DenseNet121", __name__, _body((6, 12, 24, 16)), _DOC.format(121))
DenseNet169 = maker("DenseNet169", __name__, _body((6, 12, 32, 32)), _DOC.format(169))
DenseNet201 = maker("DenseNet201", __name__, _body((6, 12, 48, 32)), _DOC.format(201))
