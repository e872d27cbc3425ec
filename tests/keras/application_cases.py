"""Known networks that are compared with Keras 2: their weights by name, outputs with equal ones."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

# name -> extent of the pictures
NETWORKS = {
    "VGG16": 32, "VGG19": 32, "ResNet50": 40, "ResNet50V2": 40, "MobileNet": 48,
    "MobileNetV2": 48, "DenseNet121": 33, "Xception": 71, "InceptionV3": 75,
}  # fmt: skip
COUNTED = (*NETWORKS, "ResNet101", "ResNet152V2", "DenseNet201")


def network(keras: Any, name: str) -> Any:
    """Without its dense layers, on small pictures."""
    size = NETWORKS[name]
    make = getattr(keras.applications, name)
    return make(weights=None, include_top=False, pooling="avg", input_shape=(size, size, 3))


def values(layer_name: str, shapes: list[tuple[int, ...]]) -> list[Any]:
    """Weights of a layer that keep values near 1."""
    rng = np.random.default_rng(zlib.crc32(layer_name.encode()))
    out = []
    for shape in shapes:
        if len(shape) == 1:  # beta, gamma, mean, variance, biases
            out.append(rng.uniform(0.5, 1.0, shape))
            continue
        fan = int(np.prod(shape[:-1]))
        out.append(rng.uniform(-1, 1, shape) * np.sqrt(3.0 / fan))
    return [v.astype("float32") for v in out]


def fill(model: Any) -> None:
    for layer in model.layers:
        shapes = [tuple(w.shape) for w in layer.get_weights()]
        if shapes:
            layer.set_weights(values(layer.name, shapes))


def pictures(name: str) -> Any:
    size = NETWORKS[name]
    return np.random.default_rng(size).uniform(-1, 1, (2, size, size, 3)).astype("float32")


def described(model: Any) -> list[Any]:
    """[name, [shapes of weights]] of each layer with weights, by name."""
    return sorted(
        [layer.name, [[int(d) for d in w.shape] for w in layer.weights]]
        for layer in model.layers if layer.weights
    )  # fmt: skip
