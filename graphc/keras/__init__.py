"""tf.keras: models of layers, as Keras 2.2.4 and TensorFlow 1.15 have them.

Lives here: the public names, imported when they are first used. Layers make ops of the default
graph; `fit`, `evaluate` and `predict` run compiled plans through a graphc Session.
"""

from __future__ import annotations

from graphc._lazy import attach

__version__ = "2.2.4-tf"

__getattr__, __dir__, _public = attach(
    __name__,
    {
        "graphc.keras.engine.input_layer": "Input",
        "graphc.keras.engine.training": "Model",
        "graphc.keras.engine.sequential": "Sequential",
    },
    """
        activations applications backend callbacks constraints datasets estimator initializers
        layers losses metrics models optimizers preprocessing regularizers utils wrappers""",
)
__all__ = [*_public, "__version__"]
