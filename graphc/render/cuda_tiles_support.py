"""What generated tiles for the GPU call: its meaning in plain Python.

Lives here: loads and stores of several neighbours at once, quotients of small numbers, rounding
to TF32, for the simulator of numba-cuda. Not here: what is compiled instead
(render/numba_cuda_tiles.py). Generated source imports this module; it imports nothing of graphc.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

# the simulator takes no alignment of shared memory
ALIGN = None if os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0") else 16


def load2(to: Any, i: Any, source: Any, at: Any) -> None:
    """Two neighbours from `at` on, aligned to both of them, as one load."""
    for n in range(2):
        to[i + n] = source[at + n]


def load4(to: Any, i: Any, source: Any, at: Any) -> None:
    """Four neighbours from `at` on, aligned to all of them, as one load."""
    for n in range(4):
        to[i + n] = source[at + n]


def store2(to: Any, at: Any, source: Any, i: Any) -> None:
    """Two neighbours from `at` on, aligned to both of them, as one store."""
    for n in range(2):
        to[at + n] = source[i + n]


def store4(to: Any, at: Any, source: Any, i: Any) -> None:
    """Four neighbours from `at` on, aligned to all of them, as one store."""
    for n in range(4):
        to[at + n] = source[i + n]


def to_tf32(x: Any) -> Any:
    """A float32 as tensor cores take it: 10 bits behind the point, ties away from zero."""
    if not np.isfinite(x):
        return x
    bits = (int(np.float32(x).view(np.uint32)) + 0x1000) & 0xFFFFE000
    return np.uint32(bits).view(np.float32)


def natural(a: Any) -> Any:
    """a, of which the compiler then knows that 0 <= a < 2**31."""
    return a


def quotient(a: Any, b: Any) -> Any:
    """a // b for 0 <= a < 2**31 and 0 < b < 2**31."""
    return a // b
