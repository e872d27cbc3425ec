"""tf.keras.applications.mobilenet_v2 (Sandler 2018). Imports keras.layers."""

from __future__ import annotations

from typing import Any

from graphc.keras import layers
from graphc.keras.applications.imagenet_utils import channel_axis, decode_predictions, network
from graphc.keras.applications.imagenet_utils import preprocess_input as _preprocess
from graphc.keras.core.config import image_data_format

__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input"]

# (expansion, filters, blocks, stride of the first)
_PLAN = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
         (6, 320, 1, 1))  # fmt: skip


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Pictures with values 0 to 255 as these networks were trained on them: from -1 to 1."""
    return _preprocess(x, data_format, mode="tf")


def _eighths(width: float) -> int:
    """The nearest multiple of 8 that is not below nine tenths."""
    near = max(8, int(width + 4) // 8 * 8)
    return near + 8 if near < 0.9 * width else near


def _normal(x: Any, name: str) -> Any:
    return layers.BatchNormalization(
        axis=channel_axis(), epsilon=1e-3, momentum=0.999, name=name
    )(x)


def _block(x: Any, expansion: int, filters: int, stride: int, number: int) -> Any:
    """Wider, convolved by channel, narrower again; beside the identity where that fits."""
    before, name = x, f"block_{number}_" if number else "expanded_conv_"
    dims = x.shape.as_list()
    channels = dims[channel_axis()]
    if number:
        x = layers.Conv2D(
            expansion * channels, 1, padding="same", use_bias=False, name=f"{name}expand"
        )(x)
        x = layers.ReLU(6.0, name=f"{name}expand_relu")(_normal(x, f"{name}expand_BN"))
    if stride == 2:
        spatial = dims[1:3] if image_data_format() == "channels_last" else dims[2:]
        pads = [(1 - (1 - (d or 1) % 2), 1) for d in spatial]
        x = layers.ZeroPadding2D(pads, name=f"{name}pad")(x)
    x = layers.DepthwiseConv2D(
        3, strides=stride, use_bias=False, padding="same" if stride == 1 else "valid",
        name=f"{name}depthwise",
    )(x)  # fmt: skip
    x = layers.ReLU(6.0, name=f"{name}depthwise_relu")(_normal(x, f"{name}depthwise_BN"))
    x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=f"{name}project")(x)
    x = _normal(x, f"{name}project_BN")
    if channels == filters and stride == 1:
        return layers.Add(name=f"{name}add")([before, x])
    return x


def MobileNetV2(
    input_shape: Any = None, alpha: float = 1.0, include_top: bool = True,
    weights: Any = "imagenet", input_tensor: Any = None, pooling: str | None = None,
    classes: int = 1000, **kwargs: Any,
) -> Any:
    """Seventeen blocks that are narrow at their ends.

    Args:
        alpha: width of the network. Others as of ResNet50.

    Raises:
        FileNotFoundError: the weights are not there.
    """

    def body(x: Any) -> Any:
        x = layers.Conv2D(
            _eighths(32 * alpha), 3, strides=2, padding="same", use_bias=False, name="Conv1"
        )(x)
        x = layers.ReLU(6.0, name="Conv1_relu")(_normal(x, "bn_Conv1"))
        number = 0
        for expansion, filters, blocks, stride in _PLAN:
            for k in range(blocks):
                width = _eighths(int(filters * alpha))
                x = _block(x, expansion, width, 1 if k else stride, number)
                number += 1
        last = _eighths(1280 * alpha) if alpha > 1.0 else 1280
        x = layers.Conv2D(last, 1, use_bias=False, name="Conv_1")(x)
        return layers.ReLU(6.0, name="out_relu")(_normal(x, "Conv_1_bn"))

    rows = (input_shape or (224, 224, 3))[0 if image_data_format() == "channels_last" else 1]
    rows = rows or 224
    end = "" if include_top else "_no_top"
    file = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{float(alpha)}_{rows}{end}.h5"
    return network(
        f"mobilenetv2_{alpha:0.2f}_{rows}", body, include_top, weights, input_tensor, input_shape,
        pooling, classes, kwargs, file=file,
    )  # fmt: skip
