"""Tiles of products on tensor cores as numba.cuda source.

Lives here: MmaPrinter. Not here: what all tiles have in common (render/cuda_tiles.py), the
instruction (mma_tf32 of render/numba_cuda_support.py).

A warp's part of a tile is made of products of 16 x 8 elements and 8 of k. Operands are TF32:
float32 is rounded to it on the way into shared memory, half floats are exact in it. Sums stay
float32.
"""

from __future__ import annotations

from graphc.kernel.launch import WARP
from graphc.render.cuda_tiles import Side, TilePrinter

_ROWS, _COLUMNS, _DEPTH = 16, 8, 8  # of one instruction
_PAD = 8  # then the 32 threads of a warp load from 32 banks


class MmaPrinter(TilePrinter):
    """Prints the kernel of one product."""

    def _pads(self) -> tuple[int, int]:
        return _PAD, _PAD

    def _registers(self) -> tuple[int, int, int]:
        tile = self.tile
        rows, columns = tile.row_each // _ROWS, tile.column_each // _COLUMNS
        return 4 * rows * columns, 4 * rows, 2 * columns

    def _share(self) -> None:
        across = self.tile.columns // self.tile.column_each
        self.emit(f"warp0 = t // {WARP} // {across} * {self.tile.row_each}")
        self.emit(f"warp1 = t // {WARP} % {across} * {self.tile.column_each}")
        self.emit(f"g, lane = t % {WARP} // 4, t % 4")

    def _summed(self, side: Side, value: str) -> str:
        loaded = super()._summed(side, value)
        return loaded if side.operand.dtype.is_half else f"to_tf32({loaded})"

    def _multiply(self) -> None:
        tile, (a, b) = self.tile, self.sides
        rows, columns = tile.row_each // _ROWS, tile.column_each // _COLUMNS
        self.inside(f"for kk in range(0, {tile.depth}, {_DEPTH}):")
        self.inside(f"for i in range({rows}):")
        at = f"stage * {tile.depth * a.pitch} + (kk + lane) * {a.pitch} + warp0 + i * {_ROWS} + g"
        self.emit(f"u = {at}")
        for n, step in enumerate((0, 8, 4 * a.pitch, 4 * a.pitch + 8)):
            self.emit(f"fa[i * 4 + {n}] = sa[u + {step}]")
        self.out()
        self.inside(f"for j in range({columns}):")
        at = f"stage * {tile.depth * b.pitch} + (kk + lane) * {b.pitch} + warp1 + j * {_COLUMNS}"
        self.emit(f"u = {at} + g")
        for n, step in enumerate((0, 4 * b.pitch)):
            self.emit(f"fb[j * 2 + {n}] = sb[u + {step}]")
        self.out()
        self.inside(f"for i in range({rows}):")
        self.inside(f"for j in range({columns}):")
        self.emit(f"mma_tf32(acc, (i * {columns} + j) * 4, fa, i * 4, fb, j * 2)")
        self.out(3)

    def _runs(self) -> tuple[int, int]:
        return 1, self.tile.rows // self._slabs()

    def _to_slab(self, run: int) -> None:
        tile = self.tile
        rows, columns = tile.row_each // _ROWS, tile.column_each // _COLUMNS
        self.inside(f"for i in range({rows}):")
        self.inside(f"if (warp0 + i * {_ROWS}) // {run} == part:")
        self.inside(f"for j in range({columns}):")
        row = f"(warp0 + i * {_ROWS}) % {run} + g"
        self.emit(f"u = ({row}) * {tile.columns} + warp1 + j * {_COLUMNS} + 2 * lane")
        for n, step in enumerate((0, 1, 8 * tile.columns, 8 * tile.columns + 1)):
            value = self.stored(f"acc[(i * {columns} + j) * 4 + {n}]")
            self.emit(f"out[u + {step}] = {value}")
        self.out(3)
