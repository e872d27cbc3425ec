"""What a product of matrices computes as tiles, and how it is cut into blocks.

Lives here: GemmTile, its blocking. Not here: its text (render/tile_gemm.py), its step
(runtime/tiles.py). Imports kernel.tiles.machine, ir.dtypes.

C (M, N) = op(A) op(B), row-major, for each of `batch` pairs. Every element of C is one sum over k
in order, whatever the tile: blocks and threads do not change its bits.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass

from graphc.ir.dtypes import DType
from graphc.kernel.tiles.machine import Machine, Tile, tiles_of

TILE_CYCLES = 30.0  # of starting and storing a tile
PACKED_BYTES = 1 << 19  # of B that a task packs at a time: it stays in the second cache
FAR_PANELS = 1 << 22  # bytes of B that lie further away than the second cache
MAX_GROUP = 8
FAR_BYTES = 1 << 18  # of C, beside A and B


@dataclass(frozen=True)
class Window:
    """That a call does a part of a product only.

    Attributes:
        m, n, k: extents of a part, None where it is all of them. Parts of k follow each other: the
            first one starts the sums, the others go on from where they were put.
        lda, ldb, ldc: elements from a row of A, B, C to the next one, None where rows lie together.
    """

    m: int | None = None
    n: int | None = None
    k: int | None = None
    lda: int | None = None
    ldb: int | None = None
    ldc: int | None = None

    @property
    def key(self) -> str:
        return "w" + ".".join("" if d is None else str(d) for d in dataclasses.astuple(self))

    @property
    def names(self) -> tuple[str, ...]:
        """Of the arguments that say where a part starts."""
        cut = (("%wm", self.m), ("%wn", self.n), ("%wk", self.k))
        return tuple(name for name, size in cut if size is not None)


@dataclass(frozen=True)
class GemmTile:
    """One product.

    Attributes:
        m, n, k: rows and columns of C, length of the sums; None where only the run knows.
        trans_a: A is stored (K, M). packing: "copy": a task copies the columns of B that it needs
            to a panel (K, tile.columns) of its own before it uses them; "turn": the same, and B is
            stored (N, K); "given": B comes in panels; "": B is read where it lies. With B, tasks
            pack a transposed A as well, so that a cache line of it serves several tiles. group,
            row_group: panels, tiles of rows that are packed at a time.
        far: C is too large for the cache, so that tiles ask for their part of it early.
        batched: all three step on from one product to the next.
        by_columns: tasks are panels of columns, not tiles of rows.
        window: calls do parts, of known sizes, and pack nothing; every call has all tasks of the
            products that it is for.
    """

    dtype: DType
    m: int | None
    n: int | None
    k: int | None
    trans_a: bool
    packing: str
    batched: bool
    by_columns: bool
    tile: Tile
    group: int = 1
    row_group: int = 1
    far: bool = False
    window: Window | None = None

    @property
    def key(self) -> str:
        """The spec as a piece of a symbol's name."""
        sizes = "x".join("s" if d is None else str(d) for d in (self.m, self.n, self.k))
        flags = "".join(
            letter
            for letter, on in zip(
                "tbcf", (self.trans_a, self.batched, self.by_columns, self.far), strict=True
            )
            if on
        )
        if self.packing:
            flags += f"_{self.packing}{self.group}.{self.row_group}"
        if self.window is not None:
            flags += f"_{self.window.key}"
        tile = f"{self.tile.rows}x{self.tile.vectors}x{self.tile.lanes}"
        return f"{self.dtype.name}_{sizes}_{flags}_{tile}"

    @property
    def packs(self) -> bool:
        """Whether tasks pack what they need."""
        return self.packing in ("copy", "turn")

    @property
    def packs_rows(self) -> bool:
        """Whether a tile's part of A is packed."""
        return self.trans_a and self.packs

    @property
    def ahead(self) -> bool:
        """Whether tiles ask for the panels that come next: B comes from far."""
        if self.packing not in ("copy", "given") or self.trans_a or self.window is not None:
            return False
        if self.n is None or self.k is None:
            return False
        return self.n * self.k * self.dtype.size >= FAR_PANELS

    @property
    def packed_step(self) -> int:
        """Elements that a piece packs, for each step of k."""
        columns = self.tile.columns * self.group if self.packs else 0
        return columns + (self.tile.rows * self.row_group if self.packs_rows else 0)

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
    packing: str = "",
    batched: bool = False,
) -> GemmTile:
    """The blocking of a product. `hints`: sizes to expect where the run alone knows them."""
    # who packs columns, or fetches them from far, keeps them: all rows pass by
    packs = packing in ("copy", "turn")
    large = packing == "given" and hints[1] * hints[2] * dtype.size > PACKED_BYTES
    columns_only = packs or (large and not batched)
    choices = (True,) if columns_only else (False,) if batched else (False, True)
    tile, by_columns = _blocks(machine, dtype.size, hints, choices)
    group = row_group = 1
    if packs:
        group = _fitting(PACKED_BYTES, hints[2] * tile.columns * dtype.size)
        row_group = _fitting(PACKED_BYTES // 2, hints[2] * tile.rows * dtype.size)
    far = hints[0] * hints[1] * dtype.size > FAR_BYTES
    return GemmTile(
        dtype, *sizes, trans_a, packing, batched, by_columns, tile, group, row_group, far
    )


def _fitting(total: int, each: int) -> int:
    """How many of a size fit into the memory for them."""
    return min(max(total // max(each, 1), 1), MAX_GROUP)


@functools.lru_cache(maxsize=4096)
def _blocks(
    machine: Machine, itemsize: int, sizes: tuple[int, int, int], choices: tuple[bool, ...]
) -> tuple[Tile, bool]:
    """The tile, and whether tasks are columns, with which the slower of two threads is fastest."""
    _, tile, by_columns = min(ranked(machine, itemsize, sizes, choices), key=lambda way: way[0])
    return tile, by_columns


def ranked(
    machine: Machine, itemsize: int, sizes: tuple[int, int, int], choices: tuple[bool, ...]
) -> list[tuple[float, Tile, bool]]:
    """What may be chosen: (estimated cycles for each step of k, tile, whether tasks are columns).

    The cycles are those of the slower of two threads.
    """
    m, n, _ = sizes
    ways = [
        (tile, by_columns)
        for tile in tiles_of(machine, itemsize)
        for by_columns in choices
        if tile.rows <= max(m, 1) and (tile.vectors - 1) * tile.lanes < max(n, 1)
    ]

    def rank(way: tuple[Tile, bool]) -> float:
        tile, by_columns = way
        # every size of a tile is code of its own; all rows of a panel at once use it better
        sizes_of_tiles = (m % tile.rows > 0) + (n % tile.columns > 0)
        return _slower_half(*way, sizes) * (1 + 0.04 * sizes_of_tiles + 0.01 * by_columns)

    return [(rank(way), *way) for way in ways]


def _slower_half(tile: Tile, by_columns: bool, sizes: tuple[int, int, int]) -> float:
    """Cycles of the slower of two halves of the tasks, for each step of k."""
    m, n, k = sizes
    rows = _Split(m, tile.rows, 1)
    columns = _Split(n, tile.columns, tile.lanes)
    if by_columns:
        halves = [(rows.parts(), part) for part in columns.halves()]
    else:
        halves = [(part, columns.parts()) for part in rows.halves()]
    return max(
        sum(
            count * number * (Tile(r, v, tile.lanes).cycles + TILE_CYCLES / max(k, 1))
            for r, count in some_rows
            for v, number in some_columns
        )
        for some_rows, some_columns in halves
    )


Parts = list[tuple[int, int]]


@dataclass(frozen=True)
class _Split:
    """An extent in blocks of `size`, measured in units: (units of a block, how many of them)."""

    extent: int
    size: int
    unit: int

    def parts(self) -> Parts:
        full, rest = divmod(self.extent, self.size)
        out = [(self.size // self.unit, full)] if full else []
        return [*out, (-(-rest // self.unit), 1)] if rest else out

    def halves(self) -> tuple[Parts, Parts]:
        full, rest = divmod(self.extent, self.size)
        half = -(-(full + (rest > 0)) // 2)
        wide = self.size // self.unit
        second = [(wide, full - half)] if full > half else []
        if rest:
            second.append((-(-rest // self.unit), 1))
        return [(wide, min(half, full))], second
