"""keras.utils.training_utils: the older path of multi_gpu_model."""

from __future__ import annotations

from graphc.keras.utils.layer_utils import multi_gpu_model

__all__ = ["multi_gpu_model"]
