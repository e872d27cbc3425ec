"""The steps of products: by BLAS, or as tiles behind a step that packs an operand; convolutions.

Lives here: product_calls, product_steps, what a unit's finish is. Not here: the calls themselves
(runtime/extern.py, runtime/tiles.py, runtime/conv_tiles.py), the order of steps
(runtime/schedule.py). Only the scheduler imports it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias, TypeGuard

from graphc.config import Config
from graphc.fusion.alike import signature
from graphc.fusion.anchors import Anchor
from graphc.fusion.build import GroupBuilder
from graphc.fusion.footprint import strip
from graphc.fusion.partition import Group
from graphc.ir.dtypes import int64
from graphc.ir.node import Node, Tensor
from graphc.ir.program import Program
from graphc.kernel.compute import Compute
from graphc.kernel.expr import Axis, Buffer, Const, Load
from graphc.kernel.optimize import in_place
from graphc.kernel.tiles.finish import finish_kernel, tile_buffer
from graphc.passes.convolve import DIRECT
from graphc.runtime import blas
from graphc.runtime.extern import GemmCall, gemm_call
from graphc.runtime.finishing import Finishing
from graphc.runtime.lowered import Lowered
from graphc.runtime.steps import Step, Storage, Unit, kernel_name, origins_of
from graphc.runtime.tiles import TileCall, tile_call

if TYPE_CHECKING:
    from graphc.runtime.conv_tiles import ConvCall
    from graphc.runtime.gpu.products import GpuProductCall
    from graphc.runtime.schedule import Scheduler

Tiled: TypeAlias = "TileCall | ConvCall | GpuProductCall"
ProductCall: TypeAlias = "GemmCall | Tiled"


def is_tiled(call: object) -> TypeGuard[Tiled]:
    """Whether a step's call is tiles."""
    return isinstance(call, Finishing)


def product_calls(program: Program, config: Config) -> dict[Node, ProductCall]:
    """How each product runs that is not left to the host."""
    if config.backend == "cuda":
        from graphc.runtime.gpu.products import gpu_product_calls

        return dict(gpu_product_calls(program, config))
    out: dict[Node, ProductCall] = {}
    users: Counter[object] = Counter()
    for node in program.nodes:
        call: ProductCall | None = _convolution(node) or gemm_call(node)
        if call is not None:
            out[node] = call
        if isinstance(call, GemmCall):
            users[_operand(call)] += 1
    for node, call in list(out.items()):
        if not isinstance(call, GemmCall):
            continue
        shared = users[_operand(call)] > 1
        kept = call.b.node.op.name in ("read", "const") and not program.updates
        tile = tile_call(call, config, program.env.hints, shared, kept)
        if tile is not None:
            out[node] = tile
        elif not blas.available():
            del out[node]
    return out


def _operand(call: GemmCall) -> object:
    """What products have in common that can share one packed operand."""
    return call.b, call.trans_b, call.m, call.n, call.k


def _convolution(node: Node) -> ConvCall | None:
    if node.op.name not in DIRECT:
        return None
    from graphc.runtime.conv_tiles import conv_call

    return conv_call(node)


# ------------------------------------------------------------------ steps
def product_steps(scheduler: Scheduler, unit: Unit) -> list[Step]:
    """The steps of a unit whose call is a product."""
    call = unit.call
    home = scheduler.home
    if isinstance(call, GemmCall):
        operands, out = (home[call.a], home[call.b]), (scheduler.out(call.out),)
        return [Step(call.kind, call.kernel_name, operands, out, call=call, node=call.node)]
    assert is_tiled(call)
    steps, sources = _operands(scheduler, call)
    own: tuple[Storage, ...] = ()
    if call.packing:
        # products of a GPU pack nothing
        size, room = call.spec.dtype.size, call.panels  # type: ignore[union-attr]
        own = (Storage("arena", ("panels", call.node), size, room),)
    if call.finish is None:
        stored = (scheduler.out(call.out), *own)
        step = Step("tile", call.name, sources, stored, call=call, node=call.node)
        if isinstance(call, TileCall) and call.prologue is not None:
            step.name = f"{call.prologue.kernel.name}_{call.name}"
            step.group = replace(
                scheduler.partition.group_of[unit.nodes[0]], nodes=list(unit.nodes)
            )
        return [*steps, step]
    reads = (*sources, *(scheduler.storage_of(buffer) for buffer in call.inputs))
    writes = (*(scheduler.written_to(o, unit) for o in call.finish.outputs), *own)
    status = scheduler.new_status(call.finish.name) if call.finish.flags else -1
    step = Step(
        "tile", call.finish.name, reads, writes, call=call, group=_whole(unit), status=status
    )
    return [*steps, step]


def _operands(
    scheduler: Scheduler, call: Tiled
) -> tuple[list[Step], tuple[Storage, ...]]:
    """Steps that pack for the call, and what it reads besides what its finish does."""
    home = scheduler.home
    steps: list[Step] = []
    a, b = call.operands
    right = home[b]
    if isinstance(call, TileCall) and call.kept:
        right = _kept(call)
    elif call.pack is not None:
        # products of one operand share its panels: the steps of a recurrence, mostly
        key = (b, call.pack)
        panels = scheduler.panels.get(key)
        if panels is None:
            size = call.pack.spec.dtype.size
            panels = Storage("arena", ("panels", call.node), size, call.pack.elements)
            scheduler.panels[key] = panels
            name = call.pack.kernel_name
            steps.append(Step("pack", name, (right,), (panels,), call=call.pack))
        right = panels
    if isinstance(call, TileCall) and call.prologue is not None:
        made = (scheduler.storage_of(buffer) for buffer in call.prologue.inputs)
        return steps, (right, *made)
    return steps, (home[a], right)


def _kept(call: TileCall) -> Storage:
    """The session's panels of the product's weights."""
    assert call.pack is not None
    weights = call.product.b
    source = weights if weights.node.op.name == "const" else weights.node.attrs["variable"]
    key = (source, call.pack)
    return Storage("panels", key, weights.dtype.size, call.pack.elements, weights)


def _whole(unit: Unit) -> Group:
    """The unit's group with its product, for people and for the reference."""
    assert unit.group is not None
    return replace(unit.group, nodes=list(unit.nodes))


# ------------------------------------------------------------------ finishes
def finish_unit(scheduler: Scheduler, unit: Unit, anchor: Anchor) -> None:
    """Give the unit's call its finish: the group's outputs, and the product where it is read."""
    call, group = unit.call, unit.group
    assert is_tiled(call) and group is not None
    name = scheduler.unique(f"{anchor.node.op.name}_{kernel_name(group.nodes)}")
    origins = origins_of(unit.nodes)
    place = call.place(anchor.product.known_dims)
    structure, tensors = signature(group.nodes)
    number = {t: n for n, t in enumerate(tensors)}
    exposed = tuple(number[t] for t in unit.exposed)
    key = (structure, group.domain, exposed, number[anchor.product], place, call.columns)
    buffers = [scheduler.buffer_of(t) for t in tensors]
    acc = Buffer(("product",), anchor.product.dtype, anchor.product.known_dims, "product")
    known = scheduler.lowered.get(key)
    if known is None:
        computes = _computes(scheduler, unit, anchor.product, acc)
        kernel = finish_kernel(name, computes, acc, place.loops(), call.columns, origins)
        scheduler.lowered[key] = Lowered(name, [kernel], buffers)
    else:
        (kernel,) = known.again(name, origins, buffers)
    scratch = tile_buffer(name, acc, call.columns)
    unit.call = call.finished(kernel, scratch, place.loops().roles)
    unit.flagged = kernel.flags


def _computes(scheduler: Scheduler, unit: Unit, product: Tensor, acc: Buffer) -> list[Compute]:
    """What the finish computes: all that the unit exposes, from the product's elements in `acc`."""

    def buffer_of(tensor: Tensor) -> Buffer:
        return acc if tensor is product else scheduler.buffer_of(tensor)

    assert unit.group is not None
    builder = GroupBuilder(unit.group, buffer_of)
    computes = builder.computes([t for t in unit.exposed if t is not product])
    if product in unit.exposed:
        computes.append(_itself(scheduler.buffer_of(product), acc))
    return computes


def _itself(out: Buffer, acc: Buffer) -> Compute:
    """The product as one of the outputs."""
    index = [
        Const(0, int64) if isinstance(d, int) and d == 1 else Axis(d, f"i{n}")
        for n, d in enumerate(acc.shape)
    ]
    axes = tuple(a for a in index if isinstance(a, Axis))
    flat = Buffer(out.key, out.dtype, strip(out.shape), out.name)
    return Compute(flat, axes, Load(acc, index))


def finish_in_place(scheduler: Scheduler, unit: Unit, value: Tensor, source: Tensor) -> bool:
    """Whether the unit's finish writes `value` where it reads `source`; it then does so."""
    call = unit.call
    assert is_tiled(call)
    led = call.prologue.inputs if isinstance(call, TileCall) and call.prologue else ()
    if call.finish is None or source in call.operands or scheduler.buffer_of(source) in led:
        return False
    to = {scheduler.buffer_of(value): scheduler.buffer_of(source)}
    try:
        (kernel,) = in_place([call.finish], to)
    except ValueError:
        return False
    unit.call = replace(call, finish=kernel)
    return True
