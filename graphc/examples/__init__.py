"""tf.examples: the path that TensorFlow 1's tutorials import from."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {}, "tutorials")
