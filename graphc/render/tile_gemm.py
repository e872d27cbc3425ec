"""Products of matrices as LLVM IR: panels of columns, tiles of rows, one loop over k in registers.

Lives here: GemmPrinter. Not here: the choice of blocks (kernel/tiles/gemm.py), what happens with a
finished tile (kernel/tiles/finish.py, render/tile_finish.py). Only runtime/tiles.py imports it.

A task is a tile of rows (or a panel of columns) of one product of the batch. Inside of a chunk of
tasks the panels are the outer loop, so that one panel of B stays in the cache while rows pass by.
The last rows and columns have tiles of their own size where it is known. Where only the run knows
it, the last tile reads its last row again instead of what is not there, and stores what is.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphc.kernel.tiles.gemm import GemmTile
from graphc.render.tile_finish import Finish
from graphc.render.tile_writer import Index, TileWriter, entry

Span = tuple[Index, Index]


@dataclass(frozen=True)
class _Part:
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


class GemmPrinter:
    """Prints one product's function, with what happens with its tiles."""

    def __init__(self, spec: GemmTile, fma: bool = True, finish: Finish | None = None) -> None:
        self.spec = spec
        self.finish = finish
        self.w = TileWriter(spec.dtype, spec.tile.lanes, fma)
        self.m: Index = "%m" if spec.m is None else spec.m
        self.n: Index = "%n" if spec.n is None else spec.n
        self.k: Index = "%k" if spec.k is None else spec.k
        self.lda = self.m if spec.trans_a else self.k
        self.ldb: Index = spec.tile.columns if spec.packed else self.n
        self.spare = ""
        self.batch: Index = 0

    def slots(self) -> list[tuple[str, str]]:
        """(type, name) of the arguments: A, B, C, what only the run knows of the sizes.

        With a finish its buffers stand for C, and its dimensions behind the sizes.
        """
        out = [("ptr", "%a"), ("ptr", "%b")]
        out += [("ptr", "%c")] if self.finish is None else self.finish.pointers()
        out += [("i64", d) for d in (self.m, self.n, self.k) if isinstance(d, str)]
        return out if self.finish is None else out + self.finish.dims()

    def module(self, symbol: str) -> str:
        """A complete module that defines the product as `symbol`, with the ABI of every kernel."""
        w, inner = self.w, f"{symbol}.tiles"
        self.spare = w.scratch(self.spec.tile.rows * self.spec.tile.columns)
        if self.spec.batched:
            self.batches()
        else:
            self.span("%a", "%b", "%c", "%lo", "%hi")
        written = {"%c"} if self.finish is None else self.finish.written()
        params = [
            f"{kind} {name}" if kind == "i64"
            else f"ptr noalias{'' if name in written else ' readonly'} {name}"
            for kind, name in self.slots()
        ]  # fmt: skip
        texts = [w.function(inner, [*params, "i64 %lo", "i64 %hi"])]
        declares = dict(w.declares)
        if self.finish is not None:
            texts.append(self.finish.text)
            declares.update(self.finish.declares)
        return "\n".join([*texts, entry(symbol, inner, self.slots()), *declares.values()]) + "\n"

    # -------------------------------------------------------------- tasks
    def batches(self) -> None:
        """Tasks %lo to %hi of all products, product by product."""
        spec, w = self.spec, self.w
        tiles = w.ceil_div(self.m, spec.tile.rows)
        panels = w.ceil_div(self.n, spec.tile.columns)
        each = panels if spec.by_columns else tiles
        width = w.mul(panels, spec.tile.columns) if spec.packed else self.n
        own = w.mul(self.m, self.n) if self.finish is None else 0
        steps = [w.mul(self.m, self.k), w.mul(self.k, width), own]

        def one(batch: str, _: list[str]) -> None:
            start = w.mul(batch, each)
            low = w.largest(w.sub("%lo", start), 0)
            high = w.least(w.sub("%hi", start), each)
            self.batch = batch
            a, b, c = (
                w.at(p, w.mul(batch, s)) for p, s in zip(("%a", "%b", "%c"), steps, strict=True)
            )
            self.span(a, b, c, low, high)

        last = w.div(w.sub(w.add("%hi", each), 1), each)
        w.loop(w.div("%lo", each), last, 1, one)

    def span(self, a: str, b: str, c: str, lo: Index, hi: Index) -> None:
        """Tasks lo to hi of one product: first full panels, then the last one if it is not."""
        spec, w = self.spec, self.w
        width, lanes = spec.tile.columns, spec.tile.lanes
        tiles: Span = (0, w.ceil_div(self.m, spec.tile.rows))
        panels: Span = (0, w.ceil_div(self.n, width))
        full: Index = w.div(self.n, width)
        if spec.by_columns:
            panels, end = (lo, hi), w.least(hi, full)
        else:
            tiles, end = (lo, hi), full
        whole = _Part(spec.tile.rows, spec.tile.vectors, (None,) * spec.tile.vectors, width)
        w.loop(panels[0], end, 1, lambda p, _: self.panel(a, b, c, p, tiles, whole))
        left = w.sub(self.n, w.mul(full, width))
        if left == 0:
            return
        vectors = -(-left // lanes) if isinstance(left, int) else spec.tile.vectors

        def rest() -> None:
            masks = tuple(self.lanes_mask(left, v) for v in range(vectors))
            self.panel(a, b, c, full, tiles, _Part(whole.rows, vectors, masks, left))

        if isinstance(left, str):
            w.when("slt", 0, left, lambda: w.when("slt", full, panels[1], rest))
        else:
            w.when("slt", full, panels[1], rest)

    def lanes_mask(self, columns: Index, vector: int) -> str | None:
        """The valid lanes of a vector of a row of so many columns."""
        before = vector * self.spec.tile.lanes
        if isinstance(columns, int) and columns - before >= self.spec.tile.lanes:
            return None
        return self.w.mask(self.w.sub(columns, before))

    def panel(self, a: str, b: str, c: str, panel: Index, tiles: Span, part: _Part) -> None:
        """Some tiles of one panel: those of all their rows, then the last one if it is not."""
        spec, w = self.spec, self.w
        width, rows = spec.tile.columns, spec.tile.rows
        column = w.mul(panel, width)
        b = w.at(b, w.mul(column, self.k) if spec.packed else column)
        full = w.div(self.m, rows)
        end = tiles[1] if self.m == w.mul(full, rows) else w.least(tiles[1], full)
        w.loop(
            tiles[0], end, 1, lambda t, _: self.tile(a, b, c, (w.mul(t, rows), column), part)
        )
        left = w.sub(self.m, w.mul(full, rows))
        if left == 0:
            return
        some = None if isinstance(left, int) else left
        count = left if isinstance(left, int) else rows
        rest = _Part(count, part.vectors, part.masks, part.columns, some)

        def last() -> None:
            self.tile(a, b, c, (w.mul(full, rows), column), rest)

        if isinstance(left, str):
            w.when("slt", 0, left, lambda: w.when("slt", full, tiles[1], last))
        else:
            w.when("slt", full, tiles[1], last)

    # -------------------------------------------------------------- one tile
    def tile(self, a: str, b: str, c: str, at: Span, part: _Part) -> None:
        """The tile at (row, column): its sums over k, and what happens with them."""
        w, spec = self.w, self.spec
        a = w.at(a, at[0] if spec.trans_a else w.mul(at[0], self.lda))
        steps = self.row_steps(part)
        lanes = spec.tile.lanes

        def body(k: str, sums: list[str]) -> list[str]:
            bk = w.at(b, w.opaque(w.mul(k, self.ldb)))
            ak = w.at(a, w.opaque(w.mul(k, self.lda if spec.trans_a else 1)))
            masks = (None,) * part.vectors if spec.packed else part.masks
            vectors = [w.load(w.at(bk, v * lanes), mask) for v, mask in enumerate(masks)]
            out = []
            for r, step in enumerate(steps):
                one = w.broadcast(w.at(ak, step))
                for v, vector in enumerate(vectors):
                    out.append(w.fma(one, vector, sums[r * part.vectors + v]))
            return out

        sums = w.loop(0, self.k, 1, body, w.zeros(part.rows * part.vectors))
        if self.finish is None:
            self.put(sums, w.at(c, w.add(w.mul(at[0], self.n), at[1])), part)
            return
        for n, value in enumerate(sums):
            r, v = divmod(n, part.vectors)
            w.store(value, w.at(self.spare, r * spec.tile.columns + v * lanes))
        rows = part.rows if part.some is None else part.some
        box = {
            "batch": (self.batch, w.add(self.batch, 1)),
            "row": (at[0], w.add(at[0], rows)),
            "column": (at[1], w.add(at[1], part.columns)),
        }
        self.finish.call(w, self.spare, box)

    def row_steps(self, part: _Part) -> list[Index]:
        """Elements of A from a tile's first row to each of its rows, valid ones only."""
        w = self.w
        rows: list[Index] = list(range(part.rows))
        if part.some is not None:
            rows = [w.least(r, w.sub(part.some, 1)) for r in rows]
        return [r if self.spec.trans_a else w.mul(r, self.lda) for r in rows]

    def put(self, sums: list[str], c: str, part: _Part) -> None:
        """Store the valid part of a tile."""
        w, lanes = self.w, self.spec.tile.lanes
        if part.some is None:
            for r in range(part.rows):
                self.put_row(sums[r * part.vectors :], w.at(c, w.mul(r, self.n)), part)
            return
        for at, value in enumerate(sums):
            w.store(value, w.at(self.spare, at * lanes))

        def row(r: str, _: list[str]) -> None:
            source = w.at(self.spare, w.mul(r, part.vectors * lanes))
            values = [w.load(w.at(source, v * lanes)) for v in range(part.vectors)]
            self.put_row(values, w.at(c, w.mul(r, self.n)), part)

        w.loop(0, part.some, 1, row)

    def put_row(self, values: list[str], c: str, part: _Part) -> None:
        for v, mask in enumerate(part.masks):
            self.w.store(values[v], self.w.at(c, v * self.spec.tile.lanes), mask)
