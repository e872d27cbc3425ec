"""tf.contrib.predictor: SavedModels as functions of arrays."""

from __future__ import annotations

from graphc.contrib import missing
from graphc.tf1.saved_model_loader import Predictor, from_saved_model

__all__ = ["Predictor", "from_saved_model"]

__getattr__ = missing(
    "tf.contrib.predictor",
    {
        "from_estimator": "export a SavedModel and use from_saved_model",
        "from_contrib_estimator": "export a SavedModel and use from_saved_model",
    },
)
