"""tf.keras.applications: known networks, with random weights or those of a local file."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.keras.applications.densenet": "DenseNet121 DenseNet169 DenseNet201",
        "graphc.keras.applications.inception_v3": "InceptionV3",
        "graphc.keras.applications.mobilenet": "MobileNet",
        "graphc.keras.applications.mobilenet_v2": "MobileNetV2",
        "graphc.keras.applications.resnet": "ResNet50 ResNet101 ResNet152",
        "graphc.keras.applications.resnet_v2": "ResNet50V2 ResNet101V2 ResNet152V2",
        "graphc.keras.applications.vgg16": "VGG16",
        "graphc.keras.applications.vgg19": "VGG19",
        "graphc.keras.applications.xception": "Xception",
    },
    """
        densenet imagenet_utils inception_v3 mobilenet mobilenet_v2 resnet resnet50 resnet_v2 vgg16
        vgg19 xception""",
)
