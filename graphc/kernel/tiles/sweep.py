"""How windows walk along one axis: outputs, the taps each reads, where they fall off the edge.

Lives here: Sweep, its forms for a convolution and for the gradient of its input, Segment. Not here:
tiles over several axes (kernel/tiles/conv.py). Imports nothing of graphc.

Padding is never stored: a tap that falls off the edge is left out of the sum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Sweep:
    """Outputs first, first + stride, ... of one axis, and what each reads.

    Output number t reads through its tap number m the source's element
    t * step + offset + m * spread, times the filter's tap + m * tap_step.

    Attributes:
        count: of outputs. first, stride: where they lie. step: source elements an output.
        offset: of output 0's tap 0. spread: source elements a tap, positive. taps: of an output.
        size: of the source.
    """

    count: int
    first: int
    stride: int
    step: int
    offset: int
    spread: int
    taps: int
    tap: int
    tap_step: int
    size: int

    def source(self, t: int, m: int) -> int:
        return t * self.step + self.offset + m * self.spread

    def hits(self, t: int, m: int) -> bool:
        """Whether output t reads something through tap m."""
        return 0 <= self.source(t, m) < self.size

    def interior(self) -> tuple[int, int]:
        """(first, end) of the outputs that read through all taps."""
        if not self.taps:
            return 0, self.count
        first = _ceil(max(0, -self.offset), self.step)
        reach = self.size - self.offset - (self.taps - 1) * self.spread
        end = min(self.count, _ceil(max(0, reach), self.step))
        return first, max(first, end)

    @property
    def whole(self) -> bool:
        """Whether every output reads through all taps."""
        return self.interior() == (0, self.count)

    @property
    def reads(self) -> int:
        """Taps inside of the source, of all outputs."""
        return sum(self.hits(t, m) for m in range(self.taps) for t in range(self.count))


def forward_sweep(
    size: int, taps: int, stride: int, dilation: int, low: int, outs: int
) -> Sweep:
    """A convolution along one axis."""
    return Sweep(outs, 0, 1, stride, -low, dilation, taps, 0, 1, size)


def backward_sweeps(
    size: int, taps: int, stride: int, dilation: int, low: int, outs: int
) -> tuple[Sweep, ...]:
    """The gradient of a convolution's input along one axis: inputs by their place in a stride.

    Inputs r, r + stride, ... see the same taps, so each such set is a convolution of stride 1.
    """
    found = []
    every = stride // math.gcd(stride, dilation)
    for r in range(min(stride, size)):
        count = _ceil(size - r, stride)
        seen = [k for k in range(taps) if (r + low - k * dilation) % stride == 0]
        if not seen:
            found.append(Sweep(count, r, stride, 1, 0, 1, 0, 0, 1, outs))
            continue
        # the last tap reads the first element
        offset = (r + low - seen[-1] * dilation) // stride
        spread = every * dilation // stride
        found.append(
            Sweep(count, r, stride, 1, offset, spread, len(seen), seen[-1], -every, outs)
        )
    return tuple(found)


@dataclass(frozen=True)
class Segment:
    """`tiles` neighbouring tiles of `width` outputs from output `at` on; inner: all taps hit."""

    at: int
    width: int
    tiles: int
    inner: bool


def segments(sweep: Sweep, width: int) -> tuple[Segment, ...]:
    """The axis cut into tiles: as many as possible of full width that read through all taps."""
    found: list[Segment] = []
    first, end = sweep.interior()
    at = 0
    while at < sweep.count:
        if at >= first and at + width <= end:
            tiles = (end - at) // width
            found.append(Segment(at, width, tiles, True))
            at += tiles * width
            continue
        part = min(width, sweep.count - at)
        found.append(Segment(at, part, 1, first <= at and at + part <= end))
        at += part
    return tuple(found)


def _ceil(a: int, b: int) -> int:
    return -(-a // b)
