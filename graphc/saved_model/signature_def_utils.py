"""tf.saved_model.signature_def_utils: building signatures."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.saved_model_signatures": """
            build_signature_def classification_signature_def is_valid_signature op_signature_def
            predict_signature_def regression_signature_def""",
    },
)
