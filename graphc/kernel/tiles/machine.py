"""What tiles need to know of a processor, and the tile shapes that its registers allow.

Lives here: Machine, Tile, tiles_of. Not here: which of them a product takes
(kernel/tiles/gemm.py). Imports nothing of graphc.
"""

from __future__ import annotations

import functools
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


    @property
    def cycles(self) -> float:
        """Of one step of k: two multiply-adds and two loads a cycle, latency 4.

        Loads beside the multiply-adds cost a little more: vectors of B come from further away.
        """
        busy = max(self.rows * self.vectors / 2, (self.vectors + self.rows) / 2, 4.0)
        return busy + 0.08 * self.rows + 0.25 * self.vectors


@functools.cache
def tiles_of(machine: Machine, itemsize: int) -> tuple[Tile, ...]:
    """The tiles that fit: accumulators, and room for the operands of a step of k.

    LLVM puts all broadcasts of a step first: 26 of 32 registers for accumulators are the most that
    it does not spill.
    """
    lanes = machine.lanes(itemsize)
    return tuple(
        Tile(rows, vectors, lanes)
        for vectors in range(1, 9)
        for rows in range(1, 15)
        if rows * vectors <= machine.registers * 13 // 16
        if rows * vectors + vectors + 1 <= machine.registers
    )
