"""tf.keras.applications.vgg19 (Simonyan 2015). Imports keras.layers."""

from __future__ import annotations

from typing import Any

from graphc.keras.applications.imagenet_utils import decode_predictions, preprocess_input
from graphc.keras.applications.vgg16 import vgg

__all__ = ["VGG19", "decode_predictions", "preprocess_input"]


def VGG19(
    include_top: bool = True, weights: Any = "imagenet", input_tensor: Any = None,
    input_shape: Any = None, pooling: str | None = None, classes: int = 1000, **kwargs: Any,
) -> Any:
    """Sixteen convolutions and three dense layers; arguments as of VGG16.

    Raises:
        FileNotFoundError: the weights are not there.
    """
    depths = (2, 2, 4, 4, 4)
    given = (include_top, weights, input_tensor, input_shape, pooling, classes, kwargs)
    return vgg("vgg19", depths, *given)
