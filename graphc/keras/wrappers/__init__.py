"""tf.keras.wrappers: models for other libraries."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {}, "scikit_learn")
