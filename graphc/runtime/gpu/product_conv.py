"""Convolutions on a GPU as products of matrices whose elements lie where windows say.

Lives here: conv_product. Not here: kernels and launches (product_calls.py), windows
(kernel/tiles/sweep.py). Only products.py imports it.

Nothing is copied: rows of A are output positions, k goes over taps and channels, and an element
that falls off an edge is zero without being read. The gradient of the input is one product for
each place in a stride; that of the filter sums over positions. Depthwise convolutions sum column
by column.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphc.ir.node import Node
from graphc.ir.shape import Dim, evaluate
from graphc.kernel.tiles.gpu import Digit, Operand, joined, vector_of
from graphc.kernel.tiles.sweep import Sweep
from graphc.ops.conv_lower import Geometry, sweeps_of, tiles_serve
from graphc.passes.convolve import DIRECT
from graphc.runtime.gpu.product_calls import GpuProductCall, Sides


@dataclass(frozen=True, kw_only=True)
class ConvProduct(GpuProductCall):
    """One convolution, or a gradient of one.

    Attributes:
        form: "forward", "input" or "filter". sweeps: how windows walk, an axis.
        images: how many. extents: of the output's spatial axes. taps: of the filter.
        depth: channels of the source. channels: of the output, or of the filter's last axis.
    """

    form: str
    sweeps: tuple[tuple[Sweep, ...], ...]
    images: Dim
    extents: tuple[int, ...]
    taps: tuple[int, ...]
    depth: int
    channels: int
    depthwise: bool

    def sides(self, values: Mapping[str, int]) -> list[Sides]:
        images = evaluate(self.images, values)
        if self.form == "filter":
            return [self._of_filter(tuple(axis[0] for axis in self.sweeps), images)]
        return [self._of_sweeps(s, images) for s in itertools.product(*self.sweeps)]

    def _of_sweeps(self, sweeps: tuple[Sweep, ...], images: int) -> Sides:
        """Outputs of one place in the strides."""
        m = images * math.prod(s.count for s in sweeps)
        k = math.prod(s.taps for s in sweeps) * (1 if self.depthwise else self.depth)
        place, start = self._place(sweeps)
        a, b = self._source(sweeps), self._filter(sweeps)
        return Sides(a, b, 1, m, self.channels, k, (), place, start, self.depthwise)

    def _of_filter(self, sweeps: tuple[Sweep, ...], images: int) -> Sides:
        source = self._source(sweeps)
        a = Operand(
            source.dtype, source.inner, source.outer, (), source.start, source.guards,
            vector=source.vector,
        )  # fmt: skip
        vector = vector_of(self.b.dtype, self.channels)
        outer = () if self.depthwise else (Digit(0, 1),)
        b = Operand(self.b.dtype, outer, (Digit(0, self.channels),), vector=vector)
        m = math.prod(self.taps) * (1 if self.depthwise else self.depth)
        k = images * math.prod(s.count for s in sweeps)
        return Sides(a, b, 1, m, self.channels, k, each=self.depthwise)

    # -------------------------------------------------------------- operands
    def _source(self, sweeps: tuple[Sweep, ...]) -> Operand:
        """What windows slide over: rows are output positions, k are taps and channels."""
        steps = _steps([s.size for s in sweeps], self.depth)
        outer = [Digit(0, math.prod(s.size for s in sweeps) * self.depth)]
        inner: list[Digit] = []
        guards: list[tuple[int, int]] = []
        start = 0
        for sweep, stride in zip(sweeps, steps, strict=True):
            axis = -1 if sweep.whole else len(guards)
            if not sweep.whole:
                guards.append((sweep.offset, sweep.size))
            outer.append(Digit(sweep.count, sweep.step * stride, axis, sweep.step))
            inner.append(Digit(max(1, sweep.taps), sweep.spread * stride, axis, sweep.spread))
            start += sweep.offset * stride
        if not self.depthwise:
            inner.append(Digit(self.depth, 1))
        return Operand(
            self.a.dtype, joined(outer), joined(inner), (), start, tuple(guards), along=True,
            vector=1 if self.depthwise else vector_of(self.a.dtype, self.depth),
        )  # fmt: skip

    def _filter(self, sweeps: tuple[Sweep, ...]) -> Operand:
        """The filter's taps that these windows see, and its channels."""
        turned = self.form == "input" and not self.depthwise
        matrix = self.channels if self.depthwise else self.depth * self.channels
        steps = _steps(self.taps, matrix)
        inner = [
            Digit(max(1, s.taps), s.tap_step * stride)
            for s, stride in zip(sweeps, steps, strict=True)
        ]
        start = sum(s.tap * stride for s, stride in zip(sweeps, steps, strict=True))
        dtype = self.b.dtype
        if self.depthwise:
            return Operand(dtype, (), joined(inner), (), start)
        inner.append(Digit(self.depth, 1 if turned else self.channels))
        outer = (Digit(0, self.depth if turned else 1),)
        vector = vector_of(dtype, self.depth if turned else self.channels)
        return Operand(dtype, outer, joined(inner), (), start, along=turned, vector=vector)

    def _place(self, sweeps: tuple[Sweep, ...]) -> tuple[tuple[Digit, ...], int]:
        """Where rows lie among the output's positions; nothing where they are all of them."""
        if all(s.first == 0 and s.stride == 1 for s in sweeps):
            return (), 0
        steps = _steps(self.extents, 1)
        digits = [Digit(0, math.prod(self.extents))]
        digits += [Digit(s.count, s.stride * n) for s, n in zip(sweeps, steps, strict=True)]
        return tuple(digits), sum(s.first * n for s, n in zip(sweeps, steps, strict=True))


def _steps(extents: Sequence[int], last: int) -> list[int]:
    """Elements from one index to the next of each axis; `last` of the last one."""
    out = [last]
    for extent in reversed(extents[1:]):
        out.append(out[-1] * extent)
    return out[::-1]


def conv_product(node: Node) -> ConvProduct | None:
    """The node as products on the device, or None where it is something else.

    Convolutions that nothing settled (passes/convolve.py) are ordinary reductions.
    """
    if node.op.name not in DIRECT or not node.attrs.get("tiled"):
        return None
    geo = Geometry.direct(node)
    out = node.outputs[0]
    form = node.op.name.removeprefix("direct_conv").removeprefix("_") or "forward"
    sweeps = sweeps_of(geo, form == "input")
    if sweeps is None or not tiles_serve(geo, node, gpu=True):
        return None  # nothing chooses this
    a = node.inputs[2 if form == "input" else 0]
    b = node.inputs[2 if form == "filter" else 1]
    depth, channels = geo.x[-1], geo.x[-1] if geo.depthwise else geo.w[-1]
    if form == "input" and not geo.depthwise:
        depth, channels = channels, depth
    return ConvProduct(
        node=node, a=a, b=b, out=out, batched=False, form=form, sweeps=sweeps, images=geo.x[0],
        extents=() if form == "filter" else _fixed(out.known_dims[1:-1]),
        taps=_fixed(geo.w[:-2]), depth=_fixed((depth,))[0], channels=_fixed((channels,))[0],
        depthwise=geo.depthwise,
    )  # fmt: skip


def _fixed(dims: Sequence[Dim]) -> tuple[int, ...]:
    return tuple(evaluate(d, {}) for d in dims)
