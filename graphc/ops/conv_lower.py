"""How convolutions are computed: tiles, GEMM on patches, or one written-out reduction.

Lives here: the expansions of the convolution ops, the choice, Layout (data_format). Not here:
the ops themselves (ops/conv.py), what the three written out are (ops/conv_direct.py), tiles
(kernel/tiles/conv.py). Imports ops.define, kernel.tiles.

Expansion makes a direct_conv*, or a matmul of a convolution that sees one pixel; the pass
"convolve" then settles how each of them is computed (`settled`). Every choice is by shape alone, so
that a plan holds for any batch. On the CPU half types are always reductions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.ir.dtypes import FLOAT, float32, float64, int32
from graphc.ir.node import Node, Tensor
from graphc.ir.shape import Dim, PartialDim, current_env, evaluate
from graphc.kernel.tiles.conv import servable
from graphc.kernel.tiles.sweep import Sweep, backward_sweeps, forward_sweep
from graphc.ops.conv_window import Padding, Window, padding_of
from graphc.ops.define import F
from graphc.ops.extents import fixed_dim

# taps * input channels * output channels from which on GEMM is faster than the reduction:
# 3x3 of 1 to 1 channels 0.11 ms written out, 0.17 by GEMM; of 1 to 4 0.39 and 0.17; of 16 to 16
# 1.4 and 1.5 forward, 3.2 and 1.5 back to the input, 4.9 and 0.9 to the filter (batch 32, 32x32)
GEMM_WORK = 32
# output channels from which on tiles are ahead of GEMM: fewer leave most lanes of a vector unused
TILE_CHANNELS = 4
# patches repeat an image as often as a window has elements: beyond this they are not written down
PATCH_BYTES = 2 << 30


# ------------------------------------------------------------------ data formats
@dataclass(frozen=True)
class Layout:
    """Where channels and spatial axes lie: NHWC and its like, or NCHW ("channels first")."""

    rank: int
    first: bool

    @staticmethod
    def of(data_format: str, rank: int) -> Layout:
        return Layout(rank, data_format.startswith("NC") and rank > 2)

    @property
    def channel(self) -> int:
        return 1 if self.first else self.rank - 1

    @property
    def spatial(self) -> tuple[int, ...]:
        return tuple(range(2, self.rank) if self.first else range(1, self.rank - 1))

    def inner(self, values: Sequence[int]) -> tuple[int, ...]:
        """The values of the spatial axes."""
        return tuple(values[a] for a in self.spatial)

    def joined(
        self, batch: PartialDim, spatial: Sequence[PartialDim], channels: PartialDim
    ) -> tuple[PartialDim, ...]:
        if self.first:
            return (batch, channels, *spatial)
        return (batch, *spatial, channels)

    def full(self, sizes: Any, batch: int, depth: int) -> list[int]:
        """Sizes of an input, channels last; two numbers are the spatial extents alone."""
        known = [int(d) for d in sizes]
        if len(known) == self.rank - 2:
            return [batch, *known, depth]
        return [known[0], *self.inner(known), known[self.channel]]

    @property
    def _to_last(self) -> tuple[int, ...]:
        return (0, *self.spatial, self.channel)

    @property
    def _back(self) -> tuple[int, ...]:
        return (0, self.rank - 1, *range(1, self.rank - 1))

    def last(self, x: Tensor) -> Tensor:
        """The tensor with its channels last."""
        moved: Tensor = F.transpose(x, perm=self._to_last) if self.first else x
        return moved

    def back(self, x: Tensor) -> Tensor:
        moved: Tensor = F.transpose(x, perm=self._back) if self.first else x
        return moved

    def moved_last(self, x: Any) -> Any:
        return np.transpose(x, self._to_last) if self.first else x

    def moved_back(self, x: Any) -> Any:
        return np.transpose(x, self._back) if self.first else x


# ------------------------------------------------------------------ geometry of one node
@dataclass(frozen=True)
class Geometry:
    """Channels-last facts of one convolution in a program."""

    layout: Layout
    x: tuple[Dim, ...]
    w: tuple[Dim, ...]
    window: Window
    padding: Padding
    depthwise: bool

    @staticmethod
    def of(node: Node, x: Tensor, w: Tensor, depthwise: bool) -> Geometry:
        """x, w: tensors with the shapes of input and filter."""
        layout = Layout.of(node.attrs["data_format"], len(x.known_dims))
        dims = x.known_dims
        inside = (dims[0], *(dims[a] for a in layout.spatial), dims[layout.channel])
        padding = padding_of(node.attrs, layout.spatial)
        taps = tuple(fixed_dim(d) for d in w.known_dims[:-2])
        window = Window.over(
            inside[1:-1], taps, layout.inner(node.attrs["strides"]),  # type: ignore[arg-type]
            layout.inner(node.attrs.get("dilations", (1,) * len(dims))), padding,
        )  # fmt: skip
        return Geometry(layout, inside, w.known_dims, window, padding, depthwise)

    @staticmethod
    def direct(node: Node) -> Geometry:
        """Of a direct_conv, direct_conv_input or direct_conv_filter."""
        a = node.attrs
        of_input, of_filter = (node.op.name == f"direct_conv_{s}" for s in ("input", "filter"))
        x = (node.outputs[0] if of_input else node.inputs[0]).known_dims
        w = (node.outputs[0] if of_filter else node.inputs[1]).known_dims
        window = Window.over(x[1:-1], a["ksize"], a["strides"], a["dilations"], a["padding"])
        return Geometry(Layout(len(x), False), x, w, window, a["padding"], a["depthwise"])

    @property
    def attrs(self) -> dict[str, Any]:
        """Attributes of the ops on patches."""
        w = self.window
        return {
            "ksize": w.kernel, "strides": w.strides, "dilations": w.dilations,
            "padding": self.padding,
        }  # fmt: skip

    @property
    def columns(self) -> Dim:
        """Elements of one patch."""
        return self.window.taps * self.x[-1]

    @property
    def rows(self) -> Dim:
        """Output positions of all images."""
        total = self.x[0]
        for d in self.window.outs:
            total = total * d
        return total

    @property
    def output(self) -> tuple[Dim, ...]:
        return (self.x[0], *self.window.outs, self.w[-1])

    @property
    def pointwise(self) -> bool:
        """Whether every output sees one input position, its own."""
        w = self.window
        zero = all(isinstance(low, int) and low == 0 for low in w.lows)
        return w.taps == 1 and set(w.strides) <= {1} and zero and w.outs == w.sizes

    def of_pixels(self, tensor: Tensor) -> bool:
        """Whether it is a product of two matrices as it stands."""
        if self.depthwise or not self.pointwise or tensor.dtype not in (float32, float64):
            return False
        work: Any = self.columns * self.w[-1]
        return not isinstance(work, int) or work >= GEMM_WORK

    def by_gemm(self, tensor: Tensor) -> bool:
        """Whether GEMM on patches computes it, not a reduction."""
        if self.depthwise or tensor.dtype not in (float32, float64):
            return False
        if self._patch_bytes(tensor.dtype.size) > PATCH_BYTES:
            return False
        work: Any = self.columns * self.w[-1]
        return not isinstance(work, int) or work >= GEMM_WORK

    def _patch_bytes(self, size: int) -> int:
        """The bytes of all patches, for the extents at hand."""
        env = current_env()
        total = self.rows * self.columns * size
        return evaluate(total, env.hints) if env is not None else evaluate(total, {})


def dims_vector(dims: Sequence[Dim]) -> Any:
    """Extents as an int32 vector: constant, or bound when a plan is."""
    if all(isinstance(d, int) for d in dims):
        return np.array(dims, np.int32)
    return F.bound(dims=tuple(dims), shape=(len(dims),), dtype=int32)


# ------------------------------------------------------------------ expansions
def expand_forward(node: Node, depthwise: bool) -> Tensor:
    """One product of pixels and filter, or direct_conv."""
    x, w = node.inputs
    geo = Geometry.of(node, x, w, depthwise)
    x = geo.layout.last(x)
    if not geo.of_pixels(x):
        return geo.layout.back(F.direct_conv(x, w, depthwise=depthwise, **geo.attrs))
    filters = F.reshape(w, dims_vector((geo.columns, geo.w[-1])))
    return geo.layout.back(F.matmul(x, filters, transpose_a=False, transpose_b=False))


def expand_input(node: Node, depthwise: bool) -> Tensor:
    """One product of gradient and filter, or direct_conv_input."""
    _, w, g = node.inputs
    geo = Geometry.of(node, node.outputs[0], w, depthwise)
    g = geo.layout.last(g)
    if not geo.of_pixels(g):
        sizes = dims_vector(geo.x)
        return geo.layout.back(
            F.direct_conv_input(sizes, w, g, depthwise=depthwise, **geo.attrs)
        )
    filters = F.reshape(w, dims_vector((geo.columns, geo.w[-1])))
    return geo.layout.back(F.matmul(g, filters, transpose_a=False, transpose_b=True))


def expand_filter(node: Node, depthwise: bool) -> Tensor:
    """One product of pixels and gradient, or direct_conv_filter."""
    x, _, g = node.inputs
    geo = Geometry.of(node, x, node.outputs[0], depthwise)
    x, g = geo.layout.last(x), geo.layout.last(g)
    sizes = dims_vector(geo.w)
    if not geo.of_pixels(x):
        found: Tensor = F.direct_conv_filter(x, sizes, g, depthwise=depthwise, **geo.attrs)
        return found
    rows = F.reshape(x, dims_vector((geo.rows, geo.columns)))
    product = F.matmul(rows, _flat(geo, g), transpose_a=True, transpose_b=False)
    back: Tensor = F.reshape(product, sizes)
    return back


# ------------------------------------------------------------------ the choice
def settled(node: Node, tiles: bool, gpu: bool = False) -> Tensor | None:
    """What computes a direct_conv* better than a reduction; None: nothing does.

    tiles: whether there may be tiles; gpu: those of a GPU.
    """
    if node.attrs.get("tiled"):
        return None
    geo = Geometry.direct(node)
    if tiles and tiles_serve(geo, node, gpu):
        found: Tensor = getattr(F, node.op.name)(*node.inputs, **node.attrs, tiled=True)
        return found
    if not geo.by_gemm(node.outputs[0]):
        return None
    return {
        "direct_conv": _gemm_forward,
        "direct_conv_input": _gemm_input,
        "direct_conv_filter": _gemm_filter,
    }[node.op.name](geo, node)


def sweeps_of(geo: Geometry, of_input: bool) -> tuple[tuple[Sweep, ...], ...] | None:
    """How the windows walk, an axis; None where only the run knows the extents."""
    w = geo.window
    found: list[tuple[Sweep, ...]] = []
    for a in range(len(w.kernel)):
        size, low, out = w.sizes[a], w.lows[a], w.outs[a]
        if not (isinstance(size, int) and isinstance(low, int) and isinstance(out, int)):
            return None
        facts = size, w.kernel[a], w.strides[a], w.dilations[a], low, out
        found.append(backward_sweeps(*facts) if of_input else (forward_sweep(*facts),))
    return tuple(found)


def tiles_serve(geo: Geometry, node: Node, gpu: bool = False) -> bool:
    """Whether tiles compute it: known sizes, and channels that fill vectors.

    gpu: those of a GPU, for which half floats are no exception and edges are no code of their own.
    """
    if node.outputs[0].dtype not in (FLOAT if gpu else (float32, float64)):
        return False
    of_input, of_filter = (node.op.name == f"direct_conv_{s}" for s in ("input", "filter"))
    if geo.depthwise and geo.w[-1] != 1:
        return False
    channels = geo.x[-1] if of_input or geo.depthwise else geo.w[-1]
    if not (isinstance(channels, int) and channels >= TILE_CHANNELS):
        return False
    if not all(isinstance(d, int) for d in (*geo.w, geo.x[-1])):
        return False
    sweeps = sweeps_of(geo, of_input)
    if sweeps is None or any(s.count == 0 for axis in sweeps for s in axis):
        return False
    return gpu or of_filter or servable(sweeps[-1])


def _gemm_forward(geo: Geometry, node: Node) -> Tensor:
    """Patches times filter."""
    x, w = node.inputs
    filters = F.reshape(w, dims_vector((geo.columns, geo.w[-1])))
    rows = F.matmul(_rows(geo, x), filters, transpose_a=False, transpose_b=False)
    y: Tensor = F.reshape(rows, dims_vector(geo.output))
    return y


def _gemm_input(geo: Geometry, node: Node) -> Tensor:
    """Products with the filter put back at their places."""
    sizes, w, g = node.inputs
    filters = F.reshape(w, dims_vector((geo.columns, geo.w[-1])))
    rows = F.matmul(_flat(geo, g), filters, transpose_a=False, transpose_b=True)
    shape = (geo.x[0], *geo.window.outs, *geo.window.kernel, geo.x[-1])
    patches = F.reshape(rows, dims_vector(shape))
    found: Tensor = F.image_patches_grad(patches, sizes, **geo.attrs)
    return found


def _gemm_filter(geo: Geometry, node: Node) -> Tensor:
    """The patches' transpose times the gradient."""
    x, _, g = node.inputs
    product = F.matmul(_rows(geo, x), _flat(geo, g), transpose_a=True, transpose_b=False)
    back: Tensor = F.reshape(product, dims_vector(geo.w))
    return back


def _rows(geo: Geometry, x: Tensor) -> Tensor:
    """The patches of x as a matrix: one row an output position."""
    patches = F.image_patches(x, **geo.attrs)
    found: Tensor = F.reshape(patches, dims_vector((geo.rows, geo.columns)))
    return found


def _flat(geo: Geometry, g: Tensor) -> Tensor:
    flat: Tensor = F.reshape(g, dims_vector((geo.rows, geo.w[-1])))
    return flat
