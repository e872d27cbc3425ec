"""How an operand lies in panels: the columns that a tile needs, one step of k after the other.

Lives here: PackSpec. Not here: the code that packs (render/tile_pack.py), its step
(runtime/tiles.py). Imports ir.dtypes.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphc.ir.dtypes import DType


@dataclass(frozen=True)
class PackSpec:
    """B (K, N), or (N, K) with `trans`; n and k None where only the run knows them."""

    dtype: DType
    n: int | None
    k: int | None
    trans: bool
    lanes: int
    vectors: int

    @property
    def columns(self) -> int:
        return self.lanes * self.vectors

    @property
    def key(self) -> str:
        """The spec as a piece of a symbol's name."""
        sizes = "x".join("s" if d is None else str(d) for d in (self.n, self.k))
        return f"{self.dtype.name}_{sizes}{'_t' * self.trans}_{self.lanes}x{self.vectors}"
