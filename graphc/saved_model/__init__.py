"""tf.saved_model: models with their signatures and variables, for serving. Imported when used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.saved_model": """
            Builder=SavedModelBuilder SavedModelBuilder main_op_with_restore simple_save""",
        "graphc.tf1.saved_model_loader": """
            contains_saved_model=maybe_saved_model_directory load maybe_saved_model_directory""",
        "graphc.tf1.saved_model_names": """
            ASSETS_DIRECTORY ASSETS_KEY CLASSIFY_INPUTS CLASSIFY_METHOD_NAME
            CLASSIFY_OUTPUT_CLASSES CLASSIFY_OUTPUT_SCORES DEFAULT_SERVING_SIGNATURE_DEF_KEY
            GPU LEGACY_INIT_OP_KEY MAIN_OP_KEY PREDICT_INPUTS PREDICT_METHOD_NAME
            PREDICT_OUTPUTS REGRESS_INPUTS REGRESS_METHOD_NAME REGRESS_OUTPUTS
            SAVED_MODEL_FILENAME_PB SAVED_MODEL_FILENAME_PBTXT SAVED_MODEL_SCHEMA_VERSION
            SERVING TPU TRAINING VARIABLES_DIRECTORY VARIABLES_FILENAME""",
        "graphc.tf1.saved_model_signatures": """
            build_signature_def build_tensor_info classification_signature_def
            get_tensor_from_tensor_info is_valid_signature predict_signature_def
            regression_signature_def""",
    },
    """
        builder constants loader main_op signature_constants signature_def_utils tag_constants
        utils""",
)
