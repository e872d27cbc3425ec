"""Layers, models and their training. Imports keras.core, tf1 and ops.

The names below are those that scripts of Keras 2 read here (`from keras.engine import Layer`).
"""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.keras.engine.base_layer": "InputSpec Layer",
        "graphc.keras.engine.input_layer": "Input InputLayer",
        "graphc.keras.engine.training": "Model",
        "graphc.keras.engine.sequential": "Sequential",
    },
)
