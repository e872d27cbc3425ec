"""The group in front of a product, which its tasks run on blocks of its rows.

Lives here: Prologue, product_prologues. Not here: which groups (fusion/prologues.py), its text
(render/tile_prologue.py). runtime/tiles.py and the scheduler's modules import it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphc.fusion.build import GroupBuilder
from graphc.fusion.prologues import Candidate, Lead, take_prologues
from graphc.ir.node import Node
from graphc.ir.shape import Dim, dims_product, evaluate
from graphc.kernel.expr import Buffer
from graphc.kernel.nest import Kernel
from graphc.kernel.tiles.finish import Place, finish_kernel, finish_sizes
from graphc.runtime.steps import kernel_name, origins_of

if TYPE_CHECKING:
    from graphc.kernel.tiles.gemm import GemmTile
    from graphc.render.tile_prologue import RowMaker
    from graphc.runtime.extern import GemmCall
    from graphc.runtime.schedule import Scheduler

BLOCK_BYTES = 1 << 18  # of a block of rows: it stays in the second cache beside a panel
LEAST_ROWS = 32  # of a block: B passes by once for each of them
NEAR_BYTES = 1 << 19  # of B: less stays in the second cache


@dataclass(frozen=True)
class Prologue:
    """A kernel over a block of the product's rows.

    Attributes:
        made: what it writes; a task has memory of its own for a block of it.
        roles: of the kernel's loops. tiles: rows of tiles in a block.
    """

    kernel: Kernel
    made: Buffer
    roles: tuple[str, ...]
    tiles: int

    @property
    def inputs(self) -> tuple[Buffer, ...]:
        """What it reads, in the order of the argument slots."""
        return tuple(dict.fromkeys(self.kernel.inputs))

    def printed(self, symbol: str) -> RowMaker:
        """Its text as a part of the module that defines `symbol`."""
        from graphc.render.tile_prologue import RowMaker
        from graphc.runtime.codegen import natives

        return RowMaker(self.kernel, self.made, self.roles, self.tiles, symbol, natives())

    def slots(self, values: Mapping[str, int]) -> list[int]:
        """The dimensions that it is given."""
        return [evaluate(d, values) for d in finish_sizes(self.kernel, self.roles)]


def product_prologues(scheduler: Scheduler) -> dict[Node, tuple[Node, ...]]:
    """What products' tasks make their rows with; the calls of these products know it."""
    from graphc.runtime.tiles import TileCall

    hints = scheduler.program.env.hints
    candidates: dict[Node, Candidate] = {}
    for node, call in scheduler.products.items():
        if isinstance(call, TileCall) and call.takes_prologue:
            rows = block_rows(call.spec) * call.spec.tile.rows
            nbytes = call.spec.dtype.size * evaluate(call.product.n * call.product.k, hints)
            blocks = -(-evaluate(call.product.m, hints) // rows)
            again = 0 if nbytes < NEAR_BYTES else nbytes * blocks
            candidates[node] = Candidate(call.product.a, again)
    found = take_prologues(scheduler.program, scheduler.partition, scheduler.anchors, candidates)
    out: dict[Node, tuple[Node, ...]] = {}
    for node, lead in found.items():
        call = scheduler.products[node]
        assert isinstance(call, TileCall)
        prologue = _prologue(scheduler, lead, block_rows(call.spec))
        if not prologue.kernel.flags:  # a wrong index stops in front of products
            scheduler.products[node] = call.led_by(prologue)
            out[node] = lead.nodes
    return out


def block_rows(spec: GemmTile) -> int:
    """Rows of tiles in a block."""
    assert spec.k is not None
    return max(BLOCK_BYTES // (spec.k * spec.dtype.size * spec.tile.rows), 1)


def fits(product: GemmCall, spec: GemmTile) -> bool:
    """Whether a task of the product can make its rows itself."""
    if product.batched or product.trans_a or spec.k is None or spec.k < 2:
        return False
    return block_rows(spec) * spec.tile.rows >= LEAST_ROWS


def _prologue(scheduler: Scheduler, lead: Lead, tiles: int) -> Prologue:
    name = scheduler.unique(kernel_name(lead.group.nodes))
    dims = lead.made.known_dims
    loops = Place(dims, batched=False).loops()
    made = scheduler.buffer_of(lead.made)
    computes = GroupBuilder(lead.group, scheduler.buffer_of).computes([lead.made])
    columns = dims[-1]
    assert isinstance(columns, int)
    none = Buffer(("product",), made.dtype, dims, "product")
    kernel = finish_kernel(name, computes, none, loops, columns, origins_of(lead.group.nodes))
    rows: Dim = dims_product(dims[:-1]) or 1
    return Prologue(kernel, Buffer(made.key, made.dtype, (rows, columns), made.name),
                    loops.roles, tiles)  # fmt: skip
