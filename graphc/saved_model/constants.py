"""tf.saved_model.constants: names of files and collections."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.saved_model_names": """
            ASSETS_DIRECTORY ASSETS_KEY DEBUG_DIRECTORY INIT_OP_SIGNATURE_KEY LEGACY_INIT_OP_KEY
            MAIN_OP_KEY SAVED_MODEL_FILENAME_PB SAVED_MODEL_FILENAME_PBTXT
            SAVED_MODEL_SCHEMA_VERSION TRAIN_OP_KEY TRAIN_OP_SIGNATURE_KEY VARIABLES_DIRECTORY
            VARIABLES_FILENAME""",
    },
)
