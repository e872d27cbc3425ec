"""The finish of tiles as LLVM IR: an internal function, and what it is called with.

Lives here: Finish. Not here: what a finish computes (kernel/tiles/finish.py). Printers of tiles and
runtime/tiles.py import it.

The function is that of an ordinary kernel (render/vector.py): its loops, tails and masks serve
every size of a tile, so that its code exists once however many sizes there are.
"""

from __future__ import annotations

from graphc.ir.shape import Dim
from graphc.kernel.expr import Buffer
from graphc.kernel.nest import Kernel
from graphc.kernel.tiles.finish import BATCH, COLUMN, COLUMNS, GIVEN, ROW, ROWS
from graphc.render import vector, vector_half
from graphc.render.tile_writer import Index


class Finish:
    """A kernel over one tile.

    Attributes:
        text, declares: of its function `symbol`.
        inputs, outputs: buffers in memory, in the order of the argument slots of a tile's step.
        sizes: symbolic dimensions that the step must give.
    """

    def __init__(self, kernel: Kernel, scratch: Buffer, symbol: str) -> None:
        inner = vector.inner_function(kernel, f"{symbol}.finish")
        self.text, self.symbol, self.declares = inner.text, inner.symbol, inner.declares
        if "half" in self.text:
            self.text += "\n" + vector_half.FUNCTIONS
        self.scratch = scratch
        self.order = inner.buffers
        self.order_of_dims = inner.dims
        self.inputs = finish_inputs(kernel, scratch)
        self.outputs = kernel.outputs
        self.sizes = finish_sizes(kernel)
        self.names = {buffer: f"%e{n}" for n, buffer in enumerate(self.inputs)}
        for n, buffer in enumerate(self.outputs):
            # what is written in place is one pointer: that of the input
            self.names.setdefault(buffer, f"%o{n}")

    def pointers(self) -> list[tuple[str, str]]:
        """(type, name) of the buffers' arguments: inputs, then outputs."""
        outs = [
            (f"%o{n}" if b not in self.inputs else f"%again{n}")
            for n, b in enumerate(self.outputs)
        ]
        return [("ptr", name) for name in (*(self.names[b] for b in self.inputs), *outs)]

    def written(self) -> set[str]:
        """The names of pointers that are stored through."""
        return {self.names[b] for b in self.outputs}

    def dims(self) -> list[tuple[str, str]]:
        """(type, name) of the dimensions that the step gives."""
        return [("i64", f"%d{n}") for n, _ in enumerate(self.sizes)]

    def arguments(
        self, spare: str, batch: Index, at: tuple[Index, Index], size: tuple[Index, Index]
    ) -> list[str]:
        """The arguments of the function for the tile at (row, column), stored at `spare`."""
        known: dict[Dim, Index] = dict(
            zip((BATCH, ROW, COLUMN, ROWS, COLUMNS), (batch, *at, *size), strict=True)
        )
        known.update((d, f"%d{n}") for n, d in enumerate(self.sizes))
        pointers = [spare if b == self.scratch else self.names[b] for b in self.order]
        return [
            *(f"ptr {p}" for p in pointers),
            *(f"i64 {known[d]}" for d in self.order_of_dims),
            "i64 0",
            f"i64 {size[0]}",
        ]


def finish_inputs(kernel: Kernel, scratch: Buffer) -> tuple[Buffer, ...]:
    """What a finish reads besides the tile."""
    return tuple(dict.fromkeys(b for b in kernel.inputs if b != scratch))


def finish_sizes(kernel: Kernel) -> tuple[Dim, ...]:
    """The symbolic dimensions that a finish needs from its step."""
    return tuple(d for d in kernel.dims if d not in GIVEN)
