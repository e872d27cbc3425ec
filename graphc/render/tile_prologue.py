"""The prologue of tiles as LLVM IR: an internal function that makes a block of rows.

Lives here: RowMaker. Not here: what it computes (runtime/prologue.py), the product
(render/tile_gemm.py). Printers of tiles and runtime/prologue.py import it.
"""

from __future__ import annotations

from collections.abc import Collection

from graphc.ir.shape import Dim
from graphc.kernel.expr import Buffer
from graphc.kernel.nest import Kernel
from graphc.kernel.tiles.finish import end_of, finish_sizes, start_of
from graphc.render import vector, vector_half
from graphc.render.tile_finish import Box
from graphc.render.tile_writer import Index, TileWriter


class RowMaker:
    """A kernel over rows of a product's first operand.

    Attributes:
        text, declares: of its function. tiles: rows of tiles in a block. columns: of a row.
    """

    def __init__(
        self, kernel: Kernel, made: Buffer, roles: tuple[str, ...], tiles: int, symbol: str,
        native: Collection[str] = (),
    ) -> None:  # fmt: skip
        self.roles = roles
        self.tiles = tiles
        inner = vector.inner_function(kernel, f"{symbol}.rows", native)
        self.text, self.symbol, self.declares = inner.text, inner.symbol, inner.declares
        self.order, self.order_of_dims = inner.buffers, inner.dims
        self.made = made
        columns = made.shape[-1]
        assert isinstance(columns, int)
        self.columns = columns
        self.inputs = tuple(dict.fromkeys(kernel.inputs))
        self.sizes = finish_sizes(kernel, roles)
        self.names = {buffer: f"%r{n}" for n, buffer in enumerate(self.inputs)}

    def helpers(self, other: str) -> list[str]:
        """The functions that its text calls, but for those that `other` brings."""
        needed = "half" in self.text and vector_half.FUNCTIONS not in other
        return [vector_half.FUNCTIONS] if needed else []

    def pointers(self) -> list[tuple[str, str]]:
        """(type, name) of what it reads."""
        return [("ptr", name) for name in self.names.values()]

    def dims(self) -> list[tuple[str, str]]:
        """(type, name) of the dimensions that the step gives."""
        return [("i64", f"%s{n}") for n, _ in enumerate(self.sizes)]

    def call(self, w: TileWriter, memory: str, first: Index, end: Index) -> str:
        """Make the rows [first, end) in `memory`; where row 0 would lie before it."""
        origin = w.at(memory, w.sub(0, w.mul(first, self.columns)))
        box: Box = {"row": (first, end), "column": (0, self.columns)}
        known: dict[Dim, Index] = {d: f"%s{n}" for n, d in enumerate(self.sizes)}
        for role in self.roles:
            known[start_of(role)], known[end_of(role)] = box[role]
        pointers = [self.names.get(b, origin) for b in self.order]
        args = [
            *(f"ptr {p}" for p in pointers),
            *(f"i64 {known[d]}" for d in self.order_of_dims),
            f"i64 {first}",
            f"i64 {end}",
        ]
        w.call_void(self.symbol, *args, external=False)
        return origin
