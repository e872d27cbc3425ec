"""tf.contrib.stateless: random numbers that are a function of their seed."""

from __future__ import annotations

from graphc.contrib import missing
from graphc.tf1.api_stateless import (
    stateless_multinomial,
    stateless_random_normal,
    stateless_random_uniform,
    stateless_truncated_normal,
)

__all__ = [
    "stateless_multinomial", "stateless_random_normal", "stateless_random_uniform",
    "stateless_truncated_normal",
]  # fmt: skip

__getattr__ = missing("tf.contrib.stateless")
