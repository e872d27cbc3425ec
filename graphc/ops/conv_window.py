"""Sliding windows: how outputs of convolutions and pools lie over their inputs.

Lives here: Window (extents, padding, index maps both ways), its NumPy twin (taps, spread), and the
checks of strides and paddings that convolutions and pools share. Not here: any op record. Only
ops/conv*, ops/pool* and ops/spatial import it.

Padding is TF's: SAME gives ceil(size / stride) outputs and puts the odd element of padding behind;
VALID takes only whole windows; pairs of numbers are explicit. A padded element is never stored:
loads there are masked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import int64
from graphc.ir.shape import Dim, PartialDim
from graphc.kernel import prims as k
from graphc.kernel.expr import Axis, Const, Expr, index
from graphc.ops.define import InferContext
from graphc.ops.extents import below_zero, both, ceil_div, larger, zero

Padding = str | tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Source:
    """One output read through one window: reduce axes, where each input axis is read, a mask."""

    axes: tuple[Axis, ...]
    at: tuple[Expr, ...]
    mask: Expr | None


@dataclass(frozen=True)
class Target:
    """One input element and the windows over it: reduce axes, outputs, taps, a mask."""

    axes: tuple[Axis, ...]
    at: tuple[Expr, ...]
    taps: tuple[Expr, ...]
    mask: Expr | None


@dataclass(frozen=True)
class Window:
    """Windows over some axes: input extents, taps, strides, dilations, padding before, outputs."""

    sizes: tuple[Dim, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    lows: tuple[Dim, ...]
    outs: tuple[Dim, ...]

    @staticmethod
    def over(
        sizes: Sequence[Any],
        kernel: Sequence[int],
        strides: Sequence[int],
        dilations: Sequence[int],
        padding: Padding,
    ) -> Window:
        """The windows over known extents (ints or symbols)."""
        lows: list[Dim] = []
        outs: list[Dim] = []
        for a, size in enumerate(sizes):
            low, out = _along(size, kernel[a], strides[a], dilations[a], _pair(padding, a))
            lows.append(low)
            outs.append(out)
        return Window(
            tuple(sizes), tuple(kernel), tuple(strides), tuple(dilations), tuple(lows), tuple(outs)
        )

    @property
    def taps(self) -> int:
        """How many elements a window has."""
        return int(np.prod(self.kernel, dtype=np.int64))

    # ------------------------------------------------------------ index maps
    def tap_axes(self) -> tuple[Expr, ...]:
        """A new axis for each axis with more than one tap, 0 for the others."""
        return tuple(Axis(n, f"k{a}") if n > 1 else zero() for a, n in enumerate(self.kernel))

    def source(self, out: Sequence[Expr], taps: Sequence[Expr]) -> tuple[list[Expr], Expr | None]:
        """Where output `out` reads through `taps`, and a mask where that may be padding."""
        at: list[Expr] = []
        mask: Expr | None = None
        for a, (o, tap) in enumerate(zip(out, taps, strict=True)):
            low = self.lows[a]
            place = o * self.strides[a] + tap * self.dilations[a] - index(low)
            at.append(place)
            if not (isinstance(low, int) and low == 0):
                mask = both(mask, k.ge(place, 0))
            if self._beyond(a):
                mask = both(mask, k.lt(place, index(self.sizes[a])))
        return at, mask

    def _beyond(self, a: int) -> bool:
        """Whether some window may reach behind the last element."""
        span = (self.kernel[a] - 1) * self.dilations[a] + 1
        last = (self.outs[a] - 1) * self.strides[a] + span - self.lows[a]
        over: Any = last - self.sizes[a]
        if isinstance(over, int):
            return over > 0
        return not (self.kernel[a] == 1 and self.lows[a] == 0)

    def reads(self, out: Sequence[Expr]) -> Source:
        """All taps of the window of one output."""
        taps = self.tap_axes()
        at, mask = self.source(out, taps)
        return Source(tuple(t for t in taps if isinstance(t, Axis)), tuple(at), mask)

    def readers(self, at: Sequence[Expr]) -> Target:
        """All windows over one input element: the transpose of `reads`."""
        axes: list[Axis] = []
        outs: list[Expr] = []
        taps: list[Expr] = []
        mask: Expr | None = None
        for a, x in enumerate(at):
            axis, out, tap, inside = self._reader(a, x)
            axes += [axis] if axis is not None else []
            outs.append(out)
            taps.append(tap)
            mask = both(mask, inside)
        return Target(tuple(axes), tuple(outs), tuple(taps), mask)

    def _reader(self, a: int, x: Expr) -> tuple[Axis | None, Expr, Expr, Expr | None]:
        taps, stride = self.kernel[a], self.strides[a]
        if taps == 1 and stride == 1 and self.lows[a] == 0 and self.outs[a] == self.sizes[a]:
            return None, x, zero(), None
        shifted = x + index(self.lows[a])
        inside: Expr | None
        if self.dilations[a] > 1 and taps > 1:
            # only taps that hit a multiple of the stride are read
            axis = Axis(taps, f"k{a}")
            tap: Expr = axis
            reach = shifted - axis * self.dilations[a]
            out = reach if stride == 1 else k.floordiv(reach, stride)
            inside = None if stride == 1 else k.eq(out * stride, reach)
            return axis, out, tap, both(inside, self._is_output(a, out))
        steps = -(-taps // stride)
        found = Axis(steps, f"k{a}") if steps > 1 else None
        step: Expr = found if found is not None else zero()
        first = shifted if stride == 1 else k.floordiv(shifted, stride)
        out, tap = first - step, step * stride + (shifted - first * stride)
        inside = k.lt(tap, taps) if taps % stride else None
        return found, out, tap, both(inside, self._is_output(a, out))

    def _is_output(self, a: int, out: Expr) -> Expr:
        return k.and_(k.ge(out, 0), k.lt(out, index(self.outs[a])))

    def count(self, out: Sequence[Expr]) -> Expr:
        """How many elements of the input a window has, padding left out (dilation 1)."""
        total: Expr = Const(1, int64)
        for a, o in enumerate(out):
            if self.kernel[a] == 1:
                continue
            first = o * self.strides[a] - index(self.lows[a])
            last = first + self.kernel[a]
            if self._beyond(a):
                last = k.minimum(last, index(self.sizes[a]))
            if not (isinstance(self.lows[a], int) and self.lows[a] == 0):
                first = k.maximum(first, 0)
            total = total * (last - first)
        return total

    # ------------------------------------------------------------ NumPy
    def each_tap(self) -> Iterator[tuple[int, ...]]:
        return iter(np.ndindex(*self.kernel))

    def padded(self, x: Any, fill: Any, axes: Sequence[int]) -> Any:
        """x with its padding written out, large enough for every window."""
        pads = [(0, 0)] * x.ndim
        for a, axis in enumerate(axes):
            span = (self.kernel[a] - 1) * self.dilations[a] + 1
            low: Any = self.lows[a]
            end: Any = (self.outs[a] - 1) * self.strides[a] + span - low - self.sizes[a]
            pads[axis] = (low, max(end, 0))
        return np.pad(x, pads, constant_values=fill)

    def slices(self, tap: Sequence[int], axes: Sequence[int], rank: int) -> tuple[slice, ...]:
        """What all outputs read through one tap, in a padded array."""
        cut = [slice(None)] * rank
        for a, axis in enumerate(axes):
            begin, outs = tap[a] * self.dilations[a], self.outs[a]
            assert isinstance(outs, int)
            stop = begin + (outs - 1) * self.strides[a] + 1
            cut[axis] = slice(begin, max(stop, begin), self.strides[a])
        return tuple(cut)

    def trimmed(self, padded: Any, axes: Sequence[int]) -> Any:
        """A padded array without its padding."""
        cut = [slice(None)] * padded.ndim
        for a, axis in enumerate(axes):
            low: Any = self.lows[a]
            cut[axis] = slice(low, low + self.sizes[a])
        return padded[tuple(cut)]


def _pair(padding: Padding, axis: int) -> Any:
    return padding if isinstance(padding, str) else padding[axis]


def _along(
    size: Dim, taps: int, stride: int, dilation: int, padding: Any
) -> tuple[Dim, Dim]:
    """(padding before, outputs) of one axis."""
    span = (taps - 1) * dilation + 1
    if padding == "SAME":
        out = ceil_div(size, stride)
        total = larger((out - 1) * stride + span - size, 0)
        return (total // 2 if isinstance(total, int) or total != 0 else 0), out
    low, high = (0, 0) if padding == "VALID" else padding
    return low, larger(ceil_div(size + (low + high + 1 - span), stride), 0)


# ------------------------------------------------------------------ shape rules
def output_dims(
    ctx: InferContext,
    sizes: Sequence[PartialDim],
    kernel: Sequence[int | None],
    strides: Sequence[int],
    dilations: Sequence[int],
    padding: Padding,
) -> tuple[PartialDim, ...]:
    """Output extents; unknown ones stay unknown.

    Raises:
        ShapeError: "Negative dimension size caused by subtracting 7 from 5".
    """
    out: list[PartialDim] = []
    for a, size in enumerate(sizes):
        taps, pad = kernel[a], _pair(padding, a)
        if size is None or (taps is None and pad != "SAME"):
            out.append(None)
            continue
        span = ((taps or 1) - 1) * dilations[a] + 1
        if pad != "SAME":
            room = size if pad == "VALID" else size + sum(pad)
            if below_zero(room - span):
                raise ctx.fail(f"Negative dimension size caused by subtracting {span} from {room}")
        out.append(_along(size, taps or 1, strides[a], dilations[a], pad)[1])
    return tuple(out)


def padding_of(attrs: Any, axes: Sequence[int]) -> Padding:
    """The padding of some axes, from attributes as TF has them."""
    if attrs["padding"] != "EXPLICIT":
        return str(attrs["padding"])
    flat = attrs["explicit_paddings"]
    return tuple((flat[2 * a], flat[2 * a + 1]) for a in axes)


def check_strides(ctx: InferContext, rank: int, names: Sequence[str], outer: Sequence[int]) -> None:
    """Attributes of `rank` positive numbers, 1 at the axes `outer`.

    Raises:
        ShapeError: "Stride must be > 0, but got 0" and its like.
    """
    texts = {"strides": "Stride", "dilations": "Dilation rate", "ksize": "Sliding window ksize"}
    for name in names:
        values = ctx.attrs.get(name, (1,) * rank)
        if len(values) != rank:
            raise ctx.fail(
                f"{ctx.op.tf} requires the {name} attribute to contain {rank} values, but got: "
                f"{len(values)}"
            )
        for a, value in enumerate(values):
            if value < 1:
                raise ctx.fail(f"{texts[name]} must be > 0, but got {value}")
            if a in outer and value != 1:
                what = "strides" if name == "strides" else name
                raise ctx.fail(
                    f"Current implementation does not yet support {what} in the batch and depth "
                    "dimensions."
                )


def check_sizes(name: str, got: Sequence[int], want: Sequence[int]) -> None:
    """Raises InvalidArgumentError where an array does not have the outputs its input gives."""
    if tuple(got) != tuple(want):
        raise InvalidArgumentError(
            f"{name}: Size of out_backprop doesn't match computed: actual = {list(got)}, "
            f"computed = {list(want)}"
        )
