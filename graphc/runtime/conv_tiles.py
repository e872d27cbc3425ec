"""Steps that are tiles: convolutions and their gradients by generated code.

Lives here: ConvCall, how a node maps to it. Not here: which convolutions are tiles
(ops/conv_lower.py), blocks (kernel/tiles/conv.py), printing (render/tile_conv*.py). The scheduler
imports this module.

Argument slots: source, filter (or gradient), output or what a finish reads and writes, the number
of images, the finish's dimensions.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from graphc.ir.node import Node, Tensor
from graphc.ir.shape import Dim, current_env, evaluate
from graphc.kernel.tiles.conv import ConvTile, FilterTile, conv_tile, filter_tile
from graphc.kernel.tiles.finish import Place
from graphc.kernel.tiles.pack import PackSpec
from graphc.ops.conv_lower import Geometry, sweeps_of, tiles_serve
from graphc.passes.convolve import DIRECT
from graphc.runtime import cache
from graphc.runtime.finishing import Finishing
from graphc.runtime.tiles import PackCall, machine

WORK_ALONE = 1 << 19  # multiply-adds below which one thread is faster than waking another
WORK_PIECE = 1 << 24  # pieces of larger ones are of this size
MAX_PIECES = 8
WORK_PER_NS = 100.0


@dataclass(frozen=True)
class ConvCall(Finishing):
    """One convolution: `out` from `a` (source) and `b` (filter, or gradient of the output).

    pack: the step in front that writes the filter into panels.
    """

    node: Node
    a: Tensor
    b: Tensor
    out: Tensor
    spec: ConvTile | FilterTile
    images: Dim
    pack: PackCall | None = None

    @functools.cached_property
    def kernel_name(self) -> str:
        """The content of the code: equal names are equal code."""
        finish = "" if self.finish is None else self.finish.key()
        key = cache.content_key("convolution", repr(self.spec), finish)
        return f"{self.name}_{key[:16]}"

    @property
    def name(self) -> str:
        """What people read."""
        return f"{self.node.op.name.removeprefix('direct_')}_{self.spec.key}"

    @property
    def packing(self) -> bool:
        """Whether its tiles pack panels of the filter themselves."""
        return isinstance(self.spec, ConvTile) and self.spec.packing

    @property
    def panels(self) -> int:
        """Elements of memory for these panels."""
        assert isinstance(self.spec, ConvTile)
        return prod(self.spec.taps) * self.spec.matrix

    @property
    def takes_finish(self) -> bool:
        """Whether a group can run on its tiles: sums of a filter's gradient are put away often."""
        return isinstance(self.spec, ConvTile)

    @property
    def operands(self) -> tuple[Tensor, ...]:
        return (self.a, self.b)

    @property
    def columns(self) -> int:
        """Of the memory that holds a tile."""
        assert isinstance(self.spec, ConvTile)
        return self.spec.columns

    def place(self, dims: tuple[Dim, ...]) -> Place:
        """Where tiles lie in the output, or in a view of it with the same last two dimensions.

        Their rows are along the last spatial axis; the axes before it number the "batches".
        """
        return Place(dims, True)

    def ir(self) -> str:
        fma, name = machine().fma, self.kernel_name
        if isinstance(self.spec, FilterTile):
            from graphc.render.tile_conv_filter import filter_module

            return filter_module(self.spec, name, fma)
        from graphc.render.tile_conv import conv_module

        return conv_module(self.spec, name, fma, self.behind(name))

    def slots(self, values: Mapping[str, int]) -> list[int]:
        """The int64 arguments behind the storages."""
        return [evaluate(self.images, values), *self.finish_slots(values)]

    def extent(self, values: Mapping[str, int]) -> int:
        if isinstance(self.spec, FilterTile):
            return self.spec.tasks
        return self.spec.tasks(evaluate(self.images, values))

    def chunk(self, values: Mapping[str, int]) -> int:
        """Tasks of a piece, by the convolution's size alone; 0 for one piece."""
        work = self.spec.multiplies(evaluate(self.images, values))
        if work < WORK_ALONE:
            return 0
        pieces = 2
        while pieces < MAX_PIECES and pieces * WORK_PIECE < work:
            pieces *= 2
        return -(-self.extent(values) // pieces)

    def nanoseconds(self, values: Mapping[str, int]) -> float:
        return self.spec.multiplies(evaluate(self.images, values)) / WORK_PER_NS


def conv_call(node: Node) -> ConvCall | None:
    """The node as tiles, or None where the choice was another (ops/conv_lower.py).

    What tiles do not serve is never chosen; such a node would run on the host.
    """
    if node.op.name not in DIRECT or not node.attrs.get("tiled"):
        return None
    geo = Geometry.direct(node)
    of_input = node.op.name == "direct_conv_input"
    sweeps = sweeps_of(geo, of_input)
    if sweeps is None or not tiles_serve(geo, node):
        return None
    out = node.outputs[0]
    if node.op.name == "direct_conv_filter":
        x, _, g = node.inputs
        plain = [axis[0] for axis in sweeps]
        depth, channels = (1, geo.x[-1]) if geo.depthwise else (geo.w[-2], geo.w[-1])
        spec = filter_tile(
            machine(), out.dtype, plain, _fixed(depth), _fixed(channels), geo.depthwise
        )
        return ConvCall(node, x, g, out, spec, geo.x[0])
    filters, source = node.inputs[1], node.inputs[2 if of_input else 0]
    depth, channels = _fixed(source.known_dims[-1]), _fixed(out.known_dims[-1])
    turned = of_input and not geo.depthwise
    tile = conv_tile(
        machine(), out.dtype, sweeps, 1 if geo.depthwise else depth, channels,
        geo.window.kernel, geo.depthwise, turned, _expected(geo.x[0]),
    )  # fmt: skip
    pack = None
    if tile.packed and not tile.packing:
        layout = PackSpec(out.dtype, channels, depth, turned, tile.lanes, tile.vectors)
        pack = PackCall(layout, geo.window.taps, channels, depth)
    return ConvCall(node, source, filters, out, tile, geo.x[0], pack)


def _expected(images: Dim) -> int:
    env = current_env()
    return evaluate(images, env.hints if env is not None else {})


def _fixed(dim: Dim | None) -> int:
    assert isinstance(dim, int)
    return dim
