"""The finish of tiles as LLVM IR: an internal function, and what it is called with.

Lives here: Finish. Not here: what a finish computes (kernel/tiles/finish.py). Printers of tiles and
runtime/tiles.py import it.

The function is that of an ordinary kernel (render/vector.py): its loops, tails and masks serve
every size of a tile, so that its code exists once however many sizes there are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from graphc.ir.shape import Dim, dims_product
from graphc.kernel.expr import Buffer
from graphc.kernel.nest import Kernel
from graphc.kernel.tiles.finish import end_of, finish_inputs, finish_sizes, start_of
from graphc.render import vector, vector_half
from graphc.render.tile_writer import Index, TileWriter

Box = Mapping[str, tuple[Index, Index]]  # (first, behind the last) by role


class Finish:
    """A kernel over one tile.

    Attributes:
        text, declares: of its function `symbol`.
        inputs, outputs: buffers in memory, in the order of the argument slots of a tile's step.
        sizes: symbolic dimensions that the step must give.
    """

    def __init__(
        self,
        kernel: Kernel,
        scratch: Buffer,
        roles: tuple[str, ...],
        symbol: str,
        native: Collection[str] = (),
    ) -> None:
        # roles: of the kernel's loops, outermost first (kernel/tiles/finish.py); native: what the
        # target has instructions for (render/vector_native.py)
        self.roles = roles
        inner = vector.inner_function(kernel, f"{symbol}.finish", native)
        self.text, self.symbol, self.declares = inner.text, inner.symbol, inner.declares
        if "half" in self.text:
            self.text += "\n" + vector_half.FUNCTIONS
        self.scratch = scratch
        self.order = inner.buffers
        self.order_of_dims = inner.dims
        self.inputs = finish_inputs(kernel, scratch)
        self.outputs = kernel.outputs
        self.sizes = finish_sizes(kernel, roles)
        self.flagged = kernel.flags
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

    def streams(self) -> list[tuple[str, int, bool]]:
        """(pointer, element size, whether it is written) of what is as large as the output."""
        whole = dims_product(self.outputs[0].shape)
        buffers = dict.fromkeys((*self.inputs, *self.outputs))
        return [
            (self.names[b], b.dtype.size, b in self.outputs)
            for b in buffers
            if dims_product(b.shape) == whole
        ]

    def written(self) -> set[str]:
        """The names of pointers that are stored through."""
        return {"%status", *(self.names[b] for b in self.outputs)}

    def dims(self) -> list[tuple[str, str]]:
        """(type, name) of the dimensions that the step gives, and of the status word."""
        out = [("i64", f"%d{n}") for n, _ in enumerate(self.sizes)]
        return [*out, ("ptr", "%status")] if self.flagged else out

    def call(self, w: TileWriter, tile: str, box: Box) -> None:
        """Call the function for a box of the output, whose values lie at `tile`.

        The tile's memory starts at the box's first row and column.
        """
        columns = self.scratch.shape[-1]
        assert isinstance(columns, int)
        row, column = (box[role][0] if role in box else 0 for role in ("row", "column"))
        # the kernel counts rows and columns from the output's first
        before = w.add(w.mul(row, columns), column)
        origin = w.at(tile, w.sub(0, before))
        known: dict[Dim, Index] = {d: f"%d{n}" for n, d in enumerate(self.sizes)}
        for role, (first, end) in box.items():
            known[start_of(role)], known[end_of(role)] = first, end
        pointers = [origin if b == self.scratch else self.names[b] for b in self.order]
        first, end = box[self.roles[0]]
        args = [
            *(f"ptr {p}" for p in pointers),
            *(f"i64 {known[d]}" for d in self.order_of_dims),
            *(["ptr %status"] if self.flagged else []),
            f"i64 {first}",
            f"i64 {end}",
        ]
        w.call_void(self.symbol, *args, external=False)
