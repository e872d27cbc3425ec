"""tf.keras.preprocessing: data before they are fed; submodules come when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {}, "image sequence text")
