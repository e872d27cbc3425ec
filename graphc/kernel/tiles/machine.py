"""What tiles need to know of a processor, and the tile shape that its registers allow.

Lives here: Machine, Tile, tile_of. Not here: the choice between tiles and BLAS
(kernel/tiles/gemm.py). Imports nothing of graphc.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """A processor's vector unit.

    Attributes:
        vector_bytes: of one register. registers: how many there are. fma: whether it multiplies
        and adds in one instruction.
    """

    vector_bytes: int
    registers: int
    fma: bool

    def lanes(self, itemsize: int) -> int:
        return self.vector_bytes // itemsize

    @property
    def key(self) -> str:
        return f"v{self.vector_bytes}r{self.registers}{'f' if self.fma else ''}"


@dataclass(frozen=True)
class Tile:
    """Accumulators in registers: `rows` times `vectors` vectors of `lanes` elements."""

    rows: int
    vectors: int
    lanes: int

    @property
    def columns(self) -> int:
        return self.vectors * self.lanes


def tile_of(machine: Machine, itemsize: int, rows: int | None, columns: int | None) -> Tile:
    """The tile for a product with so many rows and columns (None: only the run knows).

    Accumulators, one row of vectors and one broadcast element must fit into the registers, and two
    chains of multiply-adds of latency 4 need eight accumulators. Among those the one with the
    fewest loads an operation that wastes no columns.
    """
    lanes = machine.lanes(itemsize)
    if machine.registers < 32:
        wide = Tile(6, 2, lanes)
        tall = Tile(12, 1, lanes)
    else:
        wide = Tile(8, 3, lanes)
        tall = Tile(14, 1, lanes)
    if columns is not None and columns <= lanes:
        return _fitted(tall, rows)
    if wide.vectors == 3 and (columns is None or _better_by_two(columns, lanes)):
        wide = Tile(12 if rows is None or rows % 12 == 0 or rows > 96 else 8, 2, lanes)
        if rows is not None and rows % 8 == 0 and rows % 12:
            wide = Tile(8, 2, lanes)
    return _fitted(wide, rows)


def _better_by_two(columns: int, lanes: int) -> bool:
    """Whether panels of two vectors leave fewer columns over than panels of three."""
    vectors = -(-columns // lanes)
    return vectors % 3 != 0 and (vectors % 2 == 0 or vectors < 6)


def _fitted(tile: Tile, rows: int | None) -> Tile:
    """No more rows than there are; else rows that leave the smallest rest."""
    if rows is None or rows < 1:
        return tile
    if rows <= tile.rows:
        return Tile(rows, tile.vectors, tile.lanes)
    return tile
