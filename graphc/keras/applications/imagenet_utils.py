"""What the networks for ImageNet share: shapes, weights, pictures before, names after.

Imports keras.engine and NumPy.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from graphc.ir.node import Tensor
from graphc.keras.core.config import image_data_format
from graphc.keras.core.marks import is_keras_tensor
from graphc.keras.engine.input_layer import Input
from graphc.keras.engine.training import Model
from graphc.keras.utils.data_utils import find_data

__all__ = ["decode_predictions", "preprocess_input"]

_MEANS = (103.939, 116.779, 123.68)  # blue, green, red


def preprocess_input(x: Any, data_format: str | None = None, mode: str = "caffe") -> Any:
    """Pictures with values 0 to 255 as the network was trained on them.

    Args:
        mode: "caffe" (blue, green, red, minus means), "tf" (-1 to 1), "torch" (0 to 1, minus
            means, divided by deviations). x: an array or a tensor.
    """
    first = (data_format or image_data_format()) == "channels_first"
    if not isinstance(x, Tensor):
        x = np.asarray(x).astype("float32")
    if mode == "tf":
        return x / 127.5 - 1.0
    axis = 1 if first and len(x.shape) == 4 else 0 if first else len(x.shape) - 1
    dims = [1] * len(x.shape)
    dims[axis] = 3
    if mode == "torch":
        mean = np.reshape([0.485, 0.456, 0.406], dims).astype("float32")
        spread = np.reshape([0.229, 0.224, 0.225], dims).astype("float32")
        return (x / 255.0 - mean) / spread
    index = [slice(None)] * len(x.shape)
    index[axis] = slice(None, None, -1)
    return x[tuple(index)] - np.reshape(_MEANS, dims).astype("float32")


def decode_predictions(preds: Any, top: int = 5) -> list[list[tuple[str, str, float]]]:
    """(class, name, probability) of the most probable classes of each row.

    The names come from imagenet_class_index.json in ~/.keras/models or GRAPHC_DATA.

    Raises:
        ValueError: no array [n, 1000]. FileNotFoundError: the file is not there.
    """
    if preds.ndim != 2 or preds.shape[1] != 1000:
        raise ValueError(
            "`decode_predictions` expects a batch of predictions (i.e. a 2D array of shape "
            f"(samples, 1000)). Found array with shape: {preds.shape}"
        )
    path = find_data(["imagenet_class_index.json"], "ImageNet's class names", ("models",))
    names = json.loads(path.read_text())
    out = []
    for row in preds:
        best = row.argsort()[-top:][::-1]
        out.append([(*names[str(int(k))], float(row[k])) for k in best])
    return out


def input_of(
    shape: Any, tensor: Any, default: int, least: int, top: bool, weights: Any
) -> tuple[Any, Any]:
    """(the input tensor, what the model's inputs are).

    Raises:
        ValueError: a shape that the network cannot take.
    """
    first = image_data_format() == "channels_first"
    if shape is None:
        size = default if top else None
        shape = (3, size, size) if first else (size, size, 3)
    spatial = shape[1:] if first else shape[:2]
    if any(s is not None and s < least for s in spatial):
        raise ValueError(f"Input size must be at least {least}x{least}; got `input_shape={shape}`")
    if top and None in spatial:
        raise ValueError(
            f"If `include_top` is True, you should specify a static `input_shape`. Got {shape}"
        )
    if tensor is None:
        made = Input(shape=tuple(shape))
        return made, made
    if not is_keras_tensor(tensor):
        tensor = Input(tensor=tensor, shape=tuple(shape))
    return tensor, tensor


def finished(inputs: Any, outputs: Any, name: str, weights: Any) -> Any:
    """The model, with the weights of a local file where one is given.

    Raises:
        ValueError: weights="imagenet", which would have to be downloaded; FileNotFoundError.
    """
    model = Model(inputs, outputs, name=name)
    if weights is None:
        return model
    if weights == "imagenet":
        names = [f"{name}_weights_tf_dim_ordering_tf_kernels.h5",
                 f"{name}_weights_tf_dim_ordering_tf_kernels_notop.h5"]  # fmt: skip
        count = len([layer for layer in model.layers if layer.name in ("predictions", "fc1000")])
        path = find_data([names[0 if count else 1]], f"{name}'s weights", ("models",))
    else:
        path = Path(weights)
        if not path.exists():
            raise FileNotFoundError(f"there is no file of weights at {path}")
    model.load_weights(path)
    return model


def pooled(x: Any, pooling: str | None) -> Any:
    """The features as they are, or their mean or greatest over all positions."""
    from graphc.keras import layers

    if pooling == "avg":
        return layers.GlobalAveragePooling2D()(x)
    return layers.GlobalMaxPooling2D()(x) if pooling == "max" else x
