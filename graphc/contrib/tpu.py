"""tf.contrib.tpu: TPUEstimator for runs without a TPU; imported when first used."""

from __future__ import annotations

from typing import Any

from graphc._lazy import attach
from graphc.contrib import missing

_find, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.contrib._tpu": """
            CrossShardOptimizer InputPipelineConfig RunConfig TPUConfig TPUEstimator
            TPUEstimatorSpec""",
    },
)
_missing = missing("tf.contrib.tpu")


def __getattr__(name: str) -> Any:
    return _find(name) if name in __all__ else _missing(name)
