"""tf.keras.applications.resnet (He 2015), as TensorFlow 1.15 builds it. Imports keras.layers."""

from __future__ import annotations

from typing import Any

from graphc.keras import layers
from graphc.keras.applications.imagenet_utils import channel_axis, decode_predictions, maker
from graphc.keras.applications.imagenet_utils import preprocess_input as _preprocess

__all__ = ["ResNet50", "ResNet101", "ResNet152", "decode_predictions", "preprocess_input"]

EPSILON = 1.001e-5


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Pictures with values 0 to 255 as these networks take them: blue, green, red, minus means."""
    return _preprocess(x, data_format, mode="caffe")


def normal(x: Any, name: str) -> Any:
    return layers.BatchNormalization(axis=channel_axis(), epsilon=EPSILON, name=name)(x)


def normal_conv(
    x: Any, filters: int, size: int, name: str, relu: bool = True, **kwargs: Any
) -> Any:
    """Layers <name>_conv, <name>_bn and <name>_relu."""
    x = layers.Conv2D(filters, size, name=f"{name}_conv", **kwargs)(x)
    x = normal(x, f"{name}_bn")
    return layers.Activation("relu", name=f"{name}_relu")(x) if relu else x


def begun(x: Any, normalised: bool) -> Any:
    """The first convolution and pool."""
    x = layers.ZeroPadding2D(3, name="conv1_pad")(x)
    if normalised:
        x = normal_conv(x, 64, 7, "conv1", strides=2)
    else:
        x = layers.Conv2D(64, 7, strides=2, name="conv1_conv")(x)
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    return layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)


def _block(x: Any, filters: int, stride: int, first: bool, name: str) -> Any:
    """Three convolutions beside the identity, or beside one convolution in the first block."""
    side = x
    if first:
        side = normal_conv(x, 4 * filters, 1, f"{name}_0", relu=False, strides=stride)
    y = normal_conv(x, filters, 1, f"{name}_1", strides=stride)
    y = normal_conv(y, filters, 3, f"{name}_2", padding="same")
    y = normal_conv(y, 4 * filters, 1, f"{name}_3", relu=False)
    y = layers.Add(name=f"{name}_add")([side, y])
    return layers.Activation("relu", name=f"{name}_out")(y)


def _body(depths: tuple[int, ...]) -> Any:
    def body(x: Any) -> Any:
        x = begun(x, True)
        for stage, depth in enumerate(depths):
            for k in range(depth):
                stride = 2 if stage and not k else 1
                shown = f"conv{stage + 2}_block{k + 1}"
                x = _block(x, 64 * 2**stage, stride, not k, shown)
        return x

    return body


ResNet50 = maker(
    "ResNet50", __name__, _body((3, 4, 6, 3)), "Fifty layers in sixteen blocks with shortcuts."
)
ResNet101 = maker("ResNet101", __name__, _body((3, 4, 23, 3)), "A hundred and one layers.")
ResNet152 = maker("ResNet152", __name__, _body((3, 8, 36, 3)), "A hundred and fifty-two layers.")
