"""The steps of products: by BLAS, or as tiles behind a step that packs an operand; convolutions.

Lives here: product_call, product_steps. Not here: the calls themselves (runtime/extern.py,
runtime/tiles.py, runtime/conv_tiles.py), the order of steps (runtime/schedule.py). Only
the scheduler imports it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphc.ir.node import Node
from graphc.runtime.conv_tiles import ConvCall, conv_call
from graphc.runtime.extern import GemmCall, gemm_call
from graphc.runtime.steps import Step, Storage, Unit
from graphc.runtime.tiles import TileCall, tile_call

if TYPE_CHECKING:
    from graphc.runtime.schedule import Scheduler


def product_call(scheduler: Scheduler, node: Node) -> GemmCall | TileCall | ConvCall | None:
    """How a product runs; None for other nodes, and where it must run on the host."""
    convolution = conv_call(node)
    if convolution is not None:
        return convolution
    product = gemm_call(node)
    if product is None:
        return None
    tile = tile_call(product, scheduler.config, scheduler.program.env.hints)
    return product if tile is None else tile


def product_steps(scheduler: Scheduler, unit: Unit) -> list[Step]:
    """The steps of a unit whose call is a product."""
    call = unit.call
    assert isinstance(call, GemmCall | TileCall | ConvCall)
    home = scheduler.home
    if isinstance(call, GemmCall | ConvCall):
        reads, writes = (home[call.a], home[call.b]), (scheduler.out(call.out),)
        return [Step(call.kind, call.kernel_name, reads, writes, call=call, node=call.node)]
    steps = []
    product = call.product
    b = home[product.b]
    if call.pack is not None:
        size = product.out.dtype.size
        panels = Storage("arena", ("panels", call.node), size, call.pack.elements)
        steps.append(Step("pack", call.pack.kernel_name, (b,), (panels,), call=call.pack))
        b = panels
    reads, writes = (home[product.a], b), (scheduler.out(product.out),)
    return [*steps, Step("tile", "matmul", reads, writes, call=call, node=call.node)]
