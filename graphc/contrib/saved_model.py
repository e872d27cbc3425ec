"""tf.contrib.saved_model: more about SavedModels."""

from __future__ import annotations

from graphc.contrib import missing
from graphc.tf1.saved_model_loader import get_signature_def_by_key

__all__ = ["get_signature_def_by_key"]

__getattr__ = missing("tf.contrib.saved_model")
