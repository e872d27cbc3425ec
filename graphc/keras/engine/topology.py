"""The place where scripts of Keras 2 find Layer and InputSpec (`keras.engine.topology`).

Lives here: the names only, imported when they are first used.
"""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.keras.engine.base_layer": "InputSpec Layer",
        "graphc.keras.engine.input_layer": "Input InputLayer",
        "graphc.keras.engine.training": "Container=Model",
        "graphc.keras.utils.layer_utils": "get_source_inputs",
    },
)
