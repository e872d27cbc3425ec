"""tf.keras.applications.resnet_v2 (He 2016): normalisation before convolutions."""

from __future__ import annotations

from typing import Any

from graphc.keras import layers
from graphc.keras.applications.imagenet_utils import decode_predictions, maker
from graphc.keras.applications.imagenet_utils import preprocess_input as _preprocess
from graphc.keras.applications.resnet import begun, normal, normal_conv

__all__ = ["ResNet50V2", "ResNet101V2", "ResNet152V2", "decode_predictions", "preprocess_input"]


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Pictures with values 0 to 255 as these networks were trained on them: from -1 to 1."""
    return _preprocess(x, data_format, mode="tf")


def _normal_relu(x: Any, name: str) -> Any:
    return layers.Activation("relu", name=f"{name}_relu")(normal(x, f"{name}_bn"))


def _block(x: Any, filters: int, stride: int, first: bool, name: str) -> Any:
    before = _normal_relu(x, f"{name}_preact")
    if first:
        side = layers.Conv2D(4 * filters, 1, strides=stride, name=f"{name}_0_conv")(before)
    else:
        side = layers.MaxPooling2D(1, strides=stride)(x) if stride > 1 else x
    y = normal_conv(before, filters, 1, f"{name}_1", use_bias=False)
    y = layers.ZeroPadding2D(1, name=f"{name}_2_pad")(y)
    y = normal_conv(y, filters, 3, f"{name}_2", strides=stride, use_bias=False)
    y = layers.Conv2D(4 * filters, 1, name=f"{name}_3_conv")(y)
    return layers.Add(name=f"{name}_out")([side, y])


def _body(depths: tuple[int, ...]) -> Any:
    def body(x: Any) -> Any:
        x = begun(x, False)
        for stage, depth in enumerate(depths):
            for k in range(depth):
                stride = 2 if k == depth - 1 and stage < 3 else 1
                shown = f"conv{stage + 2}_block{k + 1}"
                x = _block(x, 64 * 2**stage, stride, not k, shown)
        return _normal_relu(x, "post")

    return body


ResNet50V2 = maker("ResNet50V2", __name__, _body((3, 4, 6, 3)), "Fifty layers.")
ResNet101V2 = maker("ResNet101V2", __name__, _body((3, 4, 23, 3)), "A hundred and one layers.")
ResNet152V2 = maker(
    "ResNet152V2", __name__, _body((3, 8, 36, 3)), "A hundred and fifty-two layers."
)
