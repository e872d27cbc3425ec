"""tf.contrib.predictor: SavedModels and estimators as functions of arrays."""

from __future__ import annotations

from typing import Any

from graphc._lazy import attach
from graphc.contrib import missing

_find, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.saved_model_loader": "Predictor from_saved_model",
        "graphc.contrib._estimator_predictor": "from_contrib_estimator from_estimator",
    },
)
_missing = missing("tf.contrib.predictor")


def __getattr__(name: str) -> Any:
    return _find(name) if name in __all__ else _missing(name)
