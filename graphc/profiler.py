"""tf.profiler: float operations, parameters and times of a graph; imported when first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__, {"graphc.tf1.profiler": "ProfileOptionBuilder profile"}
)
