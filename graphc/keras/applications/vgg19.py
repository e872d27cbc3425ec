"""tf.keras.applications.vgg19 (Simonyan 2015). Imports keras.layers."""

from __future__ import annotations

from graphc.keras.applications.imagenet_utils import decode_predictions, maker, preprocess_input
from graphc.keras.applications.vgg16 import body, head

__all__ = ["VGG19", "decode_predictions", "preprocess_input"]

VGG19 = maker(
    "VGG19", __name__, body((2, 2, 4, 4, 4)), "Sixteen convolutions and three dense layers.",
    head=head,
)  # fmt: skip
