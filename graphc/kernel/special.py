"""Exact meanings of the special-function primitives on NumPy arrays: the oracle.

Lives here: sigmoid, softplus, erf, erfc, erfinv, lgamma, digamma. Not here: how kernels compute
them (kernel/approx_special.py). kernel/prims.py imports this module when one is evaluated.

All compute in float64 and round once to the argument's dtype.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def _in_float64(fn: Callable[[Array], Array]) -> Callable[[Any], Any]:
    """fn on float64, its result in the argument's dtype."""

    @functools.wraps(fn)
    def call(x: Any) -> Any:
        x = np.asarray(x)
        with np.errstate(all="ignore"):
            return fn(x.astype(np.float64)).astype(x.dtype)[()]

    return call


def _each(fn: Callable[[float], float]) -> Callable[[Array], Array]:
    """A scalar function of the C library on every element."""
    return np.vectorize(fn, otypes=[np.float64])


@_in_float64
def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow on either side."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


@_in_float64
def softplus(x: Array) -> Array:
    """log(1 + exp(x))."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


@_in_float64
def erf(x: Array) -> Array:
    return _each(math.erf)(x)


@_in_float64
def erfc(x: Array) -> Array:
    return _each(math.erfc)(x)


@_in_float64
def lgamma(x: Array) -> Array:
    """log |gamma(x)|; infinity at 0, -1, -2, ... and at both infinities."""

    def one(value: float) -> float:
        if value == -math.inf or (value <= 0 and value.is_integer()):
            return math.inf
        try:
            return math.lgamma(value)
        except OverflowError:
            return math.inf

    return _each(one)(x)


@_in_float64
def erfinv(x: Array) -> Array:
    """The y with erf(y) = x: a rational start, then Newton's steps on erf or erfc.

    NaN outside [-1, 1], infinities at its ends.
    """
    size = np.minimum(np.abs(x), 1)
    inner = np.where(size < 1, size, 0.5)
    # a start within 2e-3 (Winitzki 2008)
    log = np.log1p(-inner * inner)
    a = 2 / (math.pi * 0.147) + log / 2
    y = np.sqrt(np.sqrt(a * a - log / 0.147) - a)
    for _ in range(4):
        # near 1 the complement keeps the digits: 1 - |x| is exact there
        tail = (1 - inner) - _each(math.erfc)(y)
        error = np.where(inner > 0.5, tail, _each(math.erf)(y) - inner)
        step = error * (math.sqrt(math.pi) / 2) * np.exp(y * y)
        y = y - step / (1 + y * step)
    y = np.where(size < 1, y, np.inf)
    return np.where(np.abs(x) > 1, np.nan, np.copysign(y, x)) + 0 * np.where(np.isnan(x), x, 0)


@_in_float64
def digamma(x: Array) -> Array:
    """The derivative of log gamma: recurrence up to 8, then the asymptotic series; reflected below
    zero. NaN at 0, -1, -2, ... and at -infinity."""
    negative = x <= 0
    pole = negative & (x == np.floor(x))
    z = np.where(negative, 1 - x, x)
    total = np.zeros(z.shape)
    for _ in range(8):
        small = z < 8
        total = np.where(small, total - 1 / np.where(small, z, 1), total)
        z = np.where(small, z + 1, z)
    w = 1 / (z * z)
    series = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)
    tail = np.zeros(z.shape)
    for coefficient in reversed(series):
        tail = w * (coefficient + tail)
    value = total + np.log(z) - 0.5 / z - tail
    # the distance to the nearest pole first: tan of a large argument would lose it
    reflected = value - math.pi / np.tan(math.pi * (x - np.rint(x)))
    value = np.where(negative, reflected, value)
    return np.where(pole | (x == -np.inf), np.nan, value)
