"""tf.keras.applications.vgg16 (Simonyan 2015). Imports keras.layers."""

from __future__ import annotations

from typing import Any

from graphc.keras import layers
from graphc.keras.applications.imagenet_utils import (
    check,
    decode_predictions,
    finished,
    input_of,
    pooled,
    preprocess_input,
)

__all__ = ["VGG16", "decode_predictions", "preprocess_input"]


def VGG16(
    include_top: bool = True, weights: Any = "imagenet", input_tensor: Any = None,
    input_shape: Any = None, pooling: str | None = None, classes: int = 1000, **kwargs: Any,
) -> Any:
    """Thirteen convolutions and three dense layers.

    Args:
        include_top: the dense layers. weights: None, the path of a file, or "imagenet", whose file
            is looked for in ~/.keras/models and GRAPHC_DATA. pooling: "avg", "max" or None.

    Raises:
        FileNotFoundError: the weights are not there.
    """
    depths = (2, 2, 3, 3, 3)
    given = (include_top, weights, input_tensor, input_shape, pooling, classes, kwargs)
    return vgg("vgg16", depths, *given)


def vgg(
    name: str, depths: tuple[int, ...], include_top: bool, weights: Any, input_tensor: Any,
    input_shape: Any, pooling: str | None, classes: int, more: dict[str, Any],
) -> Any:
    """Blocks of convolutions, each followed by a pool."""
    check(weights, include_top, classes, more)
    x, inputs = input_of(input_shape, input_tensor, 224, 32, include_top, weights)
    for block, depth in enumerate(depths, 1):
        for k in range(1, depth + 1):
            filters = min(64 * 2 ** (block - 1), 512)
            x = layers.Conv2D(
                filters, (3, 3), activation="relu", padding="same", name=f"block{block}_conv{k}"
            )(x)
        x = layers.MaxPooling2D((2, 2), strides=(2, 2), name=f"block{block}_pool")(x)
    if include_top:
        x = layers.Flatten(name="flatten")(x)
        x = layers.Dense(4096, activation="relu", name="fc1")(x)
        x = layers.Dense(4096, activation="relu", name="fc2")(x)
        x = layers.Dense(
            classes, activation=more.get("classifier_activation", "softmax"), name="predictions"
        )(x)
    else:
        x = pooled(x, pooling)
    return finished(inputs, x, name, weights, include_top)
