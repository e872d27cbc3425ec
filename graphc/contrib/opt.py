"""tf.contrib.opt: further optimizers; imported when they are first used."""

from __future__ import annotations

from typing import Any

from graphc._lazy import attach
from graphc.contrib import missing

_find, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.optimizers_contrib": """
            AdaMaxOptimizer AdamWOptimizer AddSignOptimizer DecoupledWeightDecayExtension
            LazyAdamOptimizer MomentumWOptimizer NadamOptimizer PowerSignOptimizer
            extend_with_decoupled_weight_decay""",
        "graphc.contrib._scipy_optimizer": "ExternalOptimizerInterface ScipyOptimizerInterface",
    },
)
_missing = missing("tf.contrib.opt")


def __getattr__(name: str) -> Any:
    return _find(name) if name in __all__ else _missing(name)
