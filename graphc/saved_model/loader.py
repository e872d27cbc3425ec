"""tf.saved_model.loader: what loads SavedModels."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.saved_model_loader": """
            SavedModelLoader load maybe_saved_model_directory parse_saved_model""",
    },
)
