"""tf.saved_model.tag_constants: what MetaGraphs are found by."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.saved_model_names": """
            EVAL GPU SERVING TPU TRAINING""",
    },
)
