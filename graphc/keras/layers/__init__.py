"""tf.keras.layers: the names, imported when they are first used; serialize and deserialize."""

from __future__ import annotations

from typing import Any

from graphc._lazy import attach
from graphc.keras.core.objects import described_layer, deserialize_object

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.keras.engine.base_layer": "InputSpec Layer",
        "graphc.keras.engine.input_layer": "Input InputLayer",
        "graphc.keras.layers.core": """
            Activation ActivityRegularization Dense Dropout Flatten Lambda Masking Permute
            RepeatVector Reshape SpatialDropout1D SpatialDropout2D SpatialDropout3D""",
        "graphc.keras.layers.noise": "AlphaDropout GaussianDropout GaussianNoise",
        "graphc.keras.layers.embeddings": "Embedding",
        "graphc.keras.layers.convolutional": """
            Conv1D Conv2D Conv3D Convolution1D=Conv1D Convolution2D=Conv2D Convolution3D=Conv3D""",
        "graphc.keras.layers.convolutional_more": """
            Conv1DTranspose Conv2DTranspose Conv3DTranspose
            Convolution1DTranspose=Conv1DTranspose Convolution2DTranspose=Conv2DTranspose
            Convolution3DTranspose=Conv3DTranspose Deconvolution2D=Conv2DTranspose
            DepthwiseConv1D DepthwiseConv2D
            SeparableConv1D SeparableConv2D SeparableConvolution1D=SeparableConv1D
            SeparableConvolution2D=SeparableConv2D""",
        "graphc.keras.layers.shaping": """
            Cropping1D Cropping2D Cropping3D UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D
            ZeroPadding2D ZeroPadding3D""",
        "graphc.keras.layers.pooling": """
            AveragePooling1D AveragePooling2D AveragePooling3D AvgPool1D=AveragePooling1D
            AvgPool2D=AveragePooling2D AvgPool3D=AveragePooling3D
            GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D
            GlobalAvgPool1D=GlobalAveragePooling1D GlobalAvgPool2D=GlobalAveragePooling2D
            GlobalAvgPool3D=GlobalAveragePooling3D GlobalMaxPool1D=GlobalMaxPooling1D
            GlobalMaxPool2D=GlobalMaxPooling2D GlobalMaxPool3D=GlobalMaxPooling3D
            GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D
            MaxPool1D=MaxPooling1D MaxPool2D=MaxPooling2D MaxPool3D=MaxPooling3D
            MaxPooling1D MaxPooling2D MaxPooling3D""",
        "graphc.keras.layers.normalization": "BatchNormalization LayerNormalization",
        "graphc.keras.layers.merge": """
            Add Average Concatenate Dot Maximum Minimum Multiply Subtract add average concatenate
            dot maximum minimum multiply subtract""",
        "graphc.keras.layers.advanced_activations": """
            ELU LeakyReLU PReLU ReLU Softmax ThresholdedReLU""",
        "graphc.keras.layers.dense_attention": """
            AdditiveAttention Attention MultiHeadAttention""",
        "graphc.keras.layers.recurrent_cells": """
            AbstractRNNCell GRUCell LSTMCell SimpleRNNCell StackedRNNCells""",
        "graphc.keras.layers.recurrent": "CuDNNGRU CuDNNLSTM GRU LSTM RNN SimpleRNN",
        "graphc.keras.layers.features": "DenseFeatures",
        "graphc.keras.layers.local": "LocallyConnected1D LocallyConnected2D",
        "graphc.keras.layers.wrappers": "Bidirectional TimeDistributed Wrapper",
        "graphc.keras.layers.convolutional_recurrent": """
            ConvLSTM1D ConvLSTM2D ConvLSTM2DCell ConvLSTM3D""",
    },
    """
        advanced_activations convolutional core dense_attention embeddings merge noise
        normalization pooling recurrent wrappers""",
)

# classes that files name and this namespace does not publish
_ELSEWHERE = {
    "Model": "graphc.keras.engine.training", "Functional": "graphc.keras.engine.training",
    "Network": "graphc.keras.engine.training", "Sequential": "graphc.keras.engine.sequential",
    "BatchNormalizationV1": "graphc.keras.layers.normalization",
    "BatchNormalizationV2": "graphc.keras.layers.normalization",
    "TFOpLambda": "graphc.keras.engine.op_lambda",
    "SlicingOpLambda": "graphc.keras.engine.op_lambda",
    "Rescaling": "graphc.keras.engine.newer_layers",
    "UnitNormalization": "graphc.keras.engine.newer_layers",
}  # fmt: skip
_RENAMED = {
    "Functional": "Model", "Network": "Model", "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization", "TFOpLambda": "OpLambda",
    "SlicingOpLambda": "OpLambda",
}  # fmt: skip


def _named(name: str) -> Any:
    import importlib

    real = _RENAMED.get(name, name)
    if name in _ELSEWHERE:
        return getattr(importlib.import_module(_ELSEWHERE[name]), real)
    return __getattr__(real) if real in __all__ and real[:1].isupper() else None


def serialize(layer: Any) -> dict[str, Any]:
    """{"class_name", "config"}."""
    return described_layer(layer)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The layer or model that a configuration describes.

    Raises:
        ValueError: "Unknown layer: ...".
    """
    while True:
        try:
            return deserialize_object(config, _named, custom_objects, "layer")
        except TypeError as err:
            # a setting of another version of Keras: it may be left out where it is off
            key = str(err).rpartition("not understood: ")[2].partition("\n")[0]
            inner = config.get("config") if isinstance(config, dict) else None
            if not inner or key not in inner or inner[key] not in (None, False):
                raise
            config = {**config, "config": {k: v for k, v in inner.items() if k != key}}


__all__ = sorted([*__all__, "deserialize", "serialize"])
