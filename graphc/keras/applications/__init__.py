"""tf.keras.applications: known networks, with random weights or those of a local file."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.keras.applications.vgg16": "VGG16",
        "graphc.keras.applications.vgg19": "VGG19",
        "graphc.keras.applications.resnet50": "ResNet50",
        "graphc.keras.applications.mobilenet": "MobileNet",
    },
    "imagenet_utils mobilenet resnet50 vgg16 vgg19",
)
