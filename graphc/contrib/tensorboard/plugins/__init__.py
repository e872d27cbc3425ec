"""tf.contrib.tensorboard.plugins: the embedding projector."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {}, "projector")
