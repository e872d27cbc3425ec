"""tf.estimator.export: what goes into a SavedModel and what comes out of it."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.estimator.export_output": """
            ClassificationOutput ExportOutput PredictOutput RegressionOutput""",
        "graphc.estimator.serving": """
            ServingInputReceiver SupervisedInputReceiver TensorServingInputReceiver
            build_parsing_serving_input_receiver_fn build_raw_serving_input_receiver_fn""",
    },
)
