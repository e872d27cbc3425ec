"""What a product of matrices computes as tiles, and how it is cut into blocks.

Lives here: GemmTile, its blocking. Not here: its text (render/tile_gemm.py), its step
(runtime/tiles.py). Imports kernel.tiles.machine, ir.dtypes.

C (M, N) = op(A) op(B), row-major, for each of `batch` pairs. Every element of C is one sum over k
in order, whatever the tile: blocks and threads do not change its bits.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphc.ir.dtypes import DType
from graphc.kernel.tiles.machine import Machine, Tile, tile_of


@dataclass(frozen=True)
class GemmTile:
    """One product.

    Attributes:
        m, n, k: rows and columns of C, length of the sums; None where only the run knows.
        trans_a: A is stored (K, M). packed: B comes in panels of tile.columns columns, each
            (K, tile.columns), the last one filled up with zeros; otherwise it is stored (K, N).
        batched: all three step on from one product to the next.
        by_columns: tasks are panels of columns, not tiles of rows.
    """

    dtype: DType
    m: int | None
    n: int | None
    k: int | None
    trans_a: bool
    packed: bool
    batched: bool
    by_columns: bool
    tile: Tile

    @property
    def key(self) -> str:
        """The spec as a piece of a symbol's name."""
        sizes = "x".join("s" if d is None else str(d) for d in (self.m, self.n, self.k))
        flags = "".join(
            letter
            for letter, on in zip(
                "tpbc", (self.trans_a, self.packed, self.batched, self.by_columns), strict=True
            )
            if on
        )
        return f"{self.dtype.name}_{sizes}_{flags}_{self.tile.rows}x{self.tile.vectors}"

    def tasks(self, batch: int, m: int, n: int) -> int:
        """How many tasks there are: what a step's extent counts."""
        if self.by_columns:
            return batch * -(-n // self.tile.columns)
        return batch * -(-m // self.tile.rows)


def gemm_tile(
    machine: Machine,
    dtype: DType,
    sizes: tuple[int | None, int | None, int | None],
    hints: tuple[int, int, int],
    trans_a: bool = False,
    packed: bool = False,
    batched: bool = False,
) -> GemmTile:
    """The blocking of a product. `hints`: sizes to expect where the run alone knows them."""
    m, n, k = sizes
    tile = tile_of(machine, dtype.size, m if m is not None else None, n)
    rows, columns = -(-hints[0] // tile.rows), -(-hints[1] // tile.columns)
    # two threads take whole tasks each: the side that splits more evenly
    by_columns = not batched and _evenness(columns) > _evenness(rows)
    return GemmTile(dtype, m, n, k, trans_a, packed, batched, by_columns, tile)


def _evenness(tasks: int) -> float:
    """How much of the time of the slower half the average is."""
    return tasks / 2 / -(-tasks // 2)
