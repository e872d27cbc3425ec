"""tf.keras.applications.resnet50 (He 2015), as Keras 2.2.4 builds it. Imports keras.layers."""

from __future__ import annotations

from typing import Any

from graphc.keras import layers
from graphc.keras.applications.imagenet_utils import (
    decode_predictions,
    finished,
    input_of,
    pooled,
    preprocess_input,
)
from graphc.keras.core.config import image_data_format

__all__ = ["ResNet50", "decode_predictions", "preprocess_input"]


def _axis() -> int:
    return 3 if image_data_format() == "channels_last" else 1


def _normal_conv(
    x: Any, filters: int, size: Any, names: tuple[str, str], relu: bool = True, **kwargs: Any
) -> Any:
    x = layers.Conv2D(
        filters, size, kernel_initializer="he_normal", name=names[0], **kwargs
    )(x)
    x = layers.BatchNormalization(axis=_axis(), name=names[1])(x)
    return layers.Activation("relu")(x) if relu else x


def _block(
    x: Any, filters: tuple[int, int, int], stage: int, block: str, strides: Any = None
) -> Any:
    """Three convolutions beside the identity, or beside one convolution where strides are given."""

    def names(branch: str) -> tuple[str, str]:
        end = f"{stage}{block}_branch{branch}"
        return f"res{end}", f"bn{end}"

    shortcut = x
    y = _normal_conv(x, filters[0], (1, 1), names("2a"), strides=strides or (1, 1))
    y = _normal_conv(y, filters[1], 3, names("2b"), padding="same")
    y = _normal_conv(y, filters[2], (1, 1), names("2c"), relu=False)
    if strides is not None:
        shortcut = _normal_conv(x, filters[2], (1, 1), names("1"), relu=False, strides=strides)
    return layers.Activation("relu")(layers.add([y, shortcut]))


def ResNet50(
    include_top: bool = True, weights: Any = "imagenet", input_tensor: Any = None,
    input_shape: Any = None, pooling: str | None = None, classes: int = 1000, **kwargs: Any,
) -> Any:
    """Fifty layers in sixteen blocks with shortcuts.

    Args:
        include_top: the dense layer. weights: None, the path of a file, or "imagenet", whose file
            is looked for in ~/.keras/models and GRAPHC_DATA. pooling: "avg", "max" or None.

    Raises:
        FileNotFoundError: the weights are not there.
    """
    x, inputs = input_of(input_shape, input_tensor, 224, 32, include_top, weights)
    x = layers.ZeroPadding2D((3, 3), name="conv1_pad")(x)
    x = _normal_conv(x, 64, (7, 7), ("conv1", "bn_conv1"), strides=(2, 2))
    x = layers.ZeroPadding2D((1, 1), name="pool1_pad")(x)
    x = layers.MaxPooling2D((3, 3), strides=(2, 2))(x)
    for stage, (width, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), 2):
        filters = (width, width, 4 * width)
        for k in range(blocks):
            first = (1, 1) if stage == 2 else (2, 2)
            x = _block(x, filters, stage, "abcdef"[k], first if k == 0 else None)
    if include_top:
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
        x = layers.Dense(classes, activation="softmax", name="fc1000")(x)
    else:
        x = pooled(x, pooling)
    return finished(inputs, x, "resnet50", weights)
