"""tf.saved_model.builder: what writes SavedModels."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.saved_model": """
            SavedModelBuilder""",
    },
)
