"""Weights of resized images: which inputs an output is made of, on one axis.

Lives here: Scaling (one axis), the four methods as index expressions, and their matrices in NumPy.
Not here: the records (ops/resize.py). Imports kernel.

Positions and weights are float32, as TF computes them: another precision would round other
positions to other pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.ir.dtypes import float32, int64
from graphc.ir.shape import Dim, dim_max, dim_min
from graphc.kernel import prims as k
from graphc.kernel.expr import Axis, Const, Expr, index

STEPS = 1024.0  # TF tabulates the cubic kernel at multiples of 1 / 1024


@dataclass(frozen=True)
class Scaling:
    """One axis: input extent, output extent, and how positions map."""

    size: Dim
    out: Dim
    align: bool
    half: bool

    @property
    def scale(self) -> Expr:
        """Input pixels an output pixel, float32."""
        size, out = (k.cast(index(d), float32) for d in (self.size, self.out))
        plain = size / out
        if not self.align:
            return plain
        corners = (size - 1.0) / k.maximum(out - 1.0, 1.0)
        return k.select(k.gt(out, 1.0), corners, plain)

    @property
    def area(self) -> Expr:
        """The scale of an area; corners of a single pixel cover it whole."""
        return k.select(k.gt(self.scale, 0.0), self.scale, 1.0)

    def position(self, out: Expr) -> Expr:
        """Where an output pixel lies on the input axis."""
        at = k.cast(out, float32)
        if self.half:
            return (at + 0.5) * self.scale - 0.5
        return at * self.scale

    def clamped(self, at: Expr) -> Expr:
        return k.minimum(k.maximum(at, 0), index(self.size) - 1)


@dataclass(frozen=True)
class Taps:
    """Inputs of one output: positions, float32 weights, axes to sum over."""

    at: tuple[Expr, ...]
    weights: tuple[Expr, ...]
    axes: tuple[Axis, ...] = ()


def _whole(value: Expr) -> Expr:
    return k.cast(value, int64)


def _one() -> Expr:
    return Const(1.0, float32)


# ------------------------------------------------------------------ methods
def _nearest(s: Scaling, out: Expr) -> Taps:
    if s.half:
        at = k.floor((k.cast(out, float32) + 0.5) * s.scale)
    else:
        at = s.position(out)
        at = k.floor(at + 0.5) if s.align else k.floor(at)
    return Taps((s.clamped(_whole(at)),), (_one(),))


def _linear(s: Scaling, out: Expr) -> Taps:
    at = s.position(out)
    below = k.floor(at)
    share = at - below
    places = (s.clamped(_whole(below)), s.clamped(_whole(k.ceil(at))))
    return Taps(places, (1.0 - share, share))


def _near(x: Expr, a: float) -> Expr:
    """The cubic kernel up to 1."""
    return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0


def _far(x: Expr, a: float) -> Expr:
    """The cubic kernel from 1 to 2."""
    return ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a


def _cubic(s: Scaling, out: Expr) -> Taps:
    at = s.position(out)
    below = k.floor(at)
    share = k.rint((at - below) * STEPS) / STEPS
    a = -0.5 if s.half else -0.75
    rest = 1.0 - share
    weights = [_far(share + 1.0, a), _near(share, a), _near(rest, a), _far(rest + 1.0, a)]
    places = [_whole(below) + d for d in (-1, 0, 1, 2)]
    if s.half:
        # what lies outside has no weight, and the others make up for it
        inside = [k.and_(k.ge(p, 0), k.lt(p, index(s.size))) for p in places]
        weights = [k.select(i, w, 0.0) for i, w in zip(inside, weights, strict=True)]
        total = weights[0] + weights[1] + weights[2] + weights[3]
        plain = k.lt(k.abs_(total), 1000.0 * float(np.finfo(np.float32).tiny))
        factor = k.select(plain, _one(), 1.0 / k.select(plain, _one(), total))
        weights = [w * factor for w in weights]
    return Taps(tuple(s.clamped(p) for p in places), tuple(weights))


def _area_weight(s: Scaling, at: Expr, out: Expr) -> Expr:
    """The part of output pixel `out` that covers the input pixel that begins at `at`."""
    begin = k.cast(out, float32) * s.area
    end = (k.cast(out, float32) + 1.0) * s.area
    pixel = k.cast(at, float32)
    cover = k.minimum(pixel + 1.0, end) - k.maximum(pixel, begin)
    return k.maximum(cover, 0.0) / s.area


def _area(s: Scaling, out: Expr) -> Taps:
    many = _ratio(s.size, s.out, s.align) + 2
    step = Axis(many, "a")
    at = _whole(k.floor(k.cast(out, float32) * s.area)) + step
    return Taps((s.clamped(at),), (_area_weight(s, at, out),), (step,))


def _ratio(many: Dim, few: Dim, align: bool) -> Dim:
    """At least the number of pixels of one axis that a pixel of the other covers."""
    return (many + few) // dim_max(few - 1 if align else few, 1)


def _reach(radius: int) -> Callable[[Scaling, Expr], tuple[Axis, Expr]]:
    def call(s: Scaling, at: Expr) -> tuple[Axis, Expr]:
        """An axis over the outputs that can see input `at`, and which output that is."""
        span = (2 * radius + 1) * _ratio(s.out, dim_max(s.size - 1, 1), False) + 5
        # with one input pixel every output sees it
        length = s.out if s.size == 1 else dim_min(span, s.out)
        axis = Axis(length, "o")
        first = (k.cast(at, float32) - (radius + 0.5)) / s.scale - 2.0
        limit = index(s.out) - index(length)
        # a scale of 0 makes it infinite, which has no integer
        first = k.maximum(k.floor(first), -1.0)
        start = k.minimum(k.maximum(_whole(first), 0), limit)
        return axis, start + axis

    return call


@dataclass(frozen=True)
class Method:
    """How one method weighs."""

    taps: Callable[[Scaling, Expr], Taps]
    reach: Callable[[Scaling, Expr], tuple[Axis, Expr]]
    summed: bool = False

    def weight(self, s: Scaling, out: Expr, at: Expr) -> Expr:
        """The weight of input `at` in output `out`."""
        taps = self.taps(s, out)
        if self.summed:
            return _clamped_area(s, out, at)
        total: Expr = Const(0.0, float32)
        for place, weight in zip(taps.at, taps.weights, strict=True):
            total = total + k.select(k.eq(place, at), weight, 0.0)
        return total


def _clamped_area(s: Scaling, out: Expr, at: Expr) -> Expr:
    """_area_weight, where the last pixel also stands for all behind it."""
    begin = k.cast(out, float32) * s.area
    end = (k.cast(out, float32) + 1.0) * s.area
    pixel = k.cast(at, float32)
    last = k.eq(at, index(s.size) - 1)
    upper = k.select(last, end, k.minimum(pixel + 1.0, end))
    return k.maximum(upper - k.maximum(pixel, begin), 0.0) / s.area


_METHODS = {
    "nearest_neighbor": Method(_nearest, _reach(1)),
    "bilinear": Method(_linear, _reach(1)),
    "bicubic": Method(_cubic, _reach(2)),
    "area": Method(_area, _reach(2), True),
}


def method_of(name: str) -> Method:
    return _METHODS[name]


# ------------------------------------------------------------------ NumPy
def weight_matrix(name: str, size: int, out: int, align: bool, half: bool) -> Any:
    """[out, size]: the weight of each input in each output, float64."""
    matrix = np.zeros((out, size))
    for o in range(out):
        for at, weight in _taps_numpy(name, size, out, align, half, o):
            matrix[o, min(max(at, 0), size - 1)] += weight
    return matrix


def _taps_numpy(
    name: str, size: int, out: int, align: bool, half: bool, o: int
) -> Sequence[tuple[int, float]]:
    f = np.float32
    scale = f(size - 1) / f(out - 1) if align and out > 1 else f(size) / f(out)
    at = (f(o) + f(0.5)) * scale - f(0.5) if half else f(o) * scale
    if name == "nearest_neighbor":
        if half:
            at = np.floor((f(o) + f(0.5)) * scale)
        return [(int(np.floor(at + f(0.5)) if align else np.floor(at)), 1.0)]
    below = np.floor(at)
    if name == "bilinear":
        return [(int(below), float(1 - (at - below))), (int(np.ceil(at)), float(at - below))]
    if name == "bicubic":
        return _cubic_numpy(int(below), float(at - below), size, half)
    scale = scale if scale > 0 else f(1)
    begin, end = f(o) * scale, (f(o) + f(1)) * scale
    pixels = range(int(np.floor(begin)), int(np.ceil(end)))
    return [(p, float((min(f(p + 1), end) - max(f(p), begin)) / scale)) for p in pixels]


def _cubic_numpy(below: int, share: float, size: int, half: bool) -> list[tuple[int, float]]:
    x = np.rint(share * STEPS) / STEPS
    a = -0.5 if half else -0.75

    def cubic(d: float) -> float:
        d = abs(d)
        if d <= 1:
            return ((a + 2) * d - (a + 3)) * d * d + 1
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    taps = [(below + d, cubic(x - d)) for d in (-1, 0, 1, 2)]
    if not half:
        return taps
    taps = [(p, w) for p, w in taps if 0 <= p < size]
    total = sum(w for _, w in taps)
    return [(p, w / total) for p, w in taps]
