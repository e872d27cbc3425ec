"""tf.saved_model.signature_constants: keys and methods of signatures."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.saved_model_names": """
            CLASSIFY_INPUTS CLASSIFY_METHOD_NAME CLASSIFY_OUTPUT_CLASSES CLASSIFY_OUTPUT_SCORES
            DEFAULT_EVAL_SIGNATURE_DEF_KEY DEFAULT_SERVING_SIGNATURE_DEF_KEY
            DEFAULT_TRAIN_SIGNATURE_DEF_KEY PREDICT_INPUTS PREDICT_METHOD_NAME PREDICT_OUTPUTS
            REGRESS_INPUTS REGRESS_METHOD_NAME REGRESS_OUTPUTS SUPERVISED_EVAL_METHOD_NAME
            SUPERVISED_TRAIN_METHOD_NAME""",
    },
)
