"""tf.keras.applications.mobilenet (Howard 2017). Imports keras.layers."""

from __future__ import annotations

from typing import Any

from graphc.keras import layers
from graphc.keras.applications import imagenet_utils
from graphc.keras.applications.imagenet_utils import (
    channel_axis,
    check,
    decode_predictions,
    finished,
    input_of,
    pooled,
)
from graphc.keras.core.config import image_data_format

__all__ = ["MobileNet", "decode_predictions", "preprocess_input"]


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Pictures with values 0 to 255 as values -1 to 1."""
    return imagenet_utils.preprocess_input(x, data_format, mode="tf")


def _separable(
    x: Any, filters: int, multiplier: int, strides: tuple[int, int], number: int
) -> Any:
    """A depthwise convolution, then one of 1 x 1, each normalised."""
    if strides != (1, 1):
        x = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"conv_pad_{number}")(x)
    x = layers.DepthwiseConv2D(
        (3, 3), padding="same" if strides == (1, 1) else "valid", depth_multiplier=multiplier,
        strides=strides, use_bias=False, name=f"conv_dw_{number}",
    )(x)  # fmt: skip
    x = layers.BatchNormalization(axis=channel_axis(), name=f"conv_dw_{number}_bn")(x)
    x = layers.ReLU(6.0, name=f"conv_dw_{number}_relu")(x)
    x = layers.Conv2D(
        filters, (1, 1), padding="same", use_bias=False, name=f"conv_pw_{number}"
    )(x)
    x = layers.BatchNormalization(axis=channel_axis(), name=f"conv_pw_{number}_bn")(x)
    return layers.ReLU(6.0, name=f"conv_pw_{number}_relu")(x)


def MobileNet(
    input_shape: Any = None, alpha: float = 1.0, depth_multiplier: int = 1, dropout: float = 1e-3,
    include_top: bool = True, weights: Any = "imagenet", input_tensor: Any = None,
    pooling: str | None = None, classes: int = 1000, **kwargs: Any,
) -> Any:
    """Thirteen depthwise separable convolutions.

    Args:
        alpha: width of the network. depth_multiplier: of depthwise convolutions. Others as of
            VGG16.

    Raises:
        FileNotFoundError: the weights are not there.
    """
    check(weights, include_top, classes, kwargs)
    x, inputs = input_of(input_shape, input_tensor, 224, 32, include_top, weights)
    x = layers.ZeroPadding2D(((0, 1), (0, 1)), name="conv1_pad")(x)
    x = layers.Conv2D(
        int(32 * alpha), (3, 3), strides=(2, 2), use_bias=False, name="conv1"
    )(x)
    x = layers.BatchNormalization(axis=channel_axis(), name="conv1_bn")(x)
    x = layers.ReLU(6.0, name="conv1_relu")(x)
    plan = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1),
            (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1))  # fmt: skip
    for number, (filters, stride) in enumerate(plan, 1):
        x = _separable(x, int(filters * alpha), depth_multiplier, (stride, stride), number)
    if include_top:
        wide = int(1024 * alpha)
        first = image_data_format() == "channels_first"
        x = layers.GlobalAveragePooling2D()(x)
        x = layers.Reshape((wide, 1, 1) if first else (1, 1, wide), name="reshape_1")(x)
        x = layers.Dropout(dropout, name="dropout")(x)
        x = layers.Conv2D(classes, (1, 1), padding="same", name="conv_preds")(x)
        x = layers.Reshape((classes,), name="reshape_2")(x)
        x = layers.Activation("softmax", name="act_softmax")(x)
    else:
        x = pooled(x, pooling)
    rows = (input_shape or (224, 224, 3))[0 if channel_axis() == 3 else 1] or 224
    share = {1.0: "1_0", 0.75: "7_5", 0.5: "5_0"}.get(alpha, "2_5")
    file = f"mobilenet_{share}_{rows}_tf{'' if include_top else '_no_top'}.h5"
    return finished(inputs, x, f"mobilenet_{alpha:0.2f}_{rows}", weights, include_top, file)
