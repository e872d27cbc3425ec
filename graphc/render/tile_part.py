"""The size of a tile as its printer sees it.

Lives here: Part. Only render/tile_gemm.py imports this module.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphc.render.tile_writer import Index

Span = tuple[Index, Index]
LINE = 64  # bytes of a cache line


@dataclass(frozen=True)
class Part:
    """The size of a tile.

    Attributes:
        rows: of accumulators. some: how many of them are valid, where the run decides.
        vectors: of a row. masks: their valid lanes, None where all are. columns: valid ones.
    """

    rows: int
    vectors: int
    masks: tuple[str | None, ...]
    columns: Index
    some: Index | None = None
