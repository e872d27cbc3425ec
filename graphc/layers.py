"""tf.layers: layers that own their variables; names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.layers_base": "InputSpec Layer",
        "graphc.tf1.layers_core": "Dense Dropout Flatten dense dropout flatten",
        "graphc.tf1.layers_norm": """
            BatchNormalization batch_normalization batch_norm=batch_normalization""",
        "graphc.tf1.layers_conv": "Conv1D Conv2D Conv3D conv1d conv2d conv3d",
        "graphc.tf1.layers_conv_more": """
            Conv2DTranspose Conv3DTranspose SeparableConv1D SeparableConv2D conv2d_transpose
            conv3d_transpose separable_conv1d separable_conv2d""",
        "graphc.tf1.layers_pool": """
            AveragePooling1D AveragePooling2D AveragePooling3D MaxPooling1D MaxPooling2D
            MaxPooling3D average_pooling1d average_pooling2d average_pooling3d max_pooling1d
            max_pooling2d max_pooling3d""",
    },
)
