"""What generated tiles for the GPU call: its meaning in plain Python.

Lives here: loads and stores of several neighbours at once, sums of products in registers,
quotients of small numbers, rounding to TF32, for the simulator of numba-cuda. Not here: what is
compiled instead (render/numba_cuda_tiles.py). Generated source imports this module.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from graphc.render.numba_support import fma

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


def multiply(acc: Any, a: Any, b: Any, rows: int, columns: int) -> None:
    """acc[i, j] += a[i] * b[j] for constant extents: floats rounded once, whole numbers wrapped."""
    for i in range(rows):
        for j in range(columns):
            u = i * columns + j
            if acc.dtype.kind == "f":
                acc[u] = fma(a[i], b[j], acc[u])
            else:
                acc[u] += a[i] * b[j]


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
