"""tf.contrib.distributions.bijectors: invertible functions; imported when first used."""

from __future__ import annotations

from typing import Any

from graphc._lazy import attach
from graphc.contrib import missing

_find, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.distributions.bijector": "Bijector",
        "graphc.tf1.distributions.bijectors": """
            Chain Exp Identity Invert Permute PowerTransform Reshape Sigmoid Softplus Softsign
            Square Tanh""",
        "graphc.tf1.distributions.bijectors_affine": "Affine AffineLinearOperator AffineScalar",
    },
)
_missing = missing("tf.contrib.distributions.bijectors")


def __getattr__(name: str) -> Any:
    return _find(name) if name in __all__ else _missing(name)
