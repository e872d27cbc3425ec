"""tf.bitwise: operations on the bits of integers; imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.api_math": "bitwise_and bitwise_or bitwise_xor invert left_shift right_shift",
    },
)
