"""Products of matrices as LLVM IR: panels of columns, tiles of rows, one loop over k in registers.

Lives here: GemmPrinter. Not here: the choice of blocks (kernel/tiles/gemm.py), what happens with a
finished tile (kernel/tiles/finish.py, render/tile_finish.py). Only runtime/tiles.py imports it.

A task is a tile of rows (or a panel of columns) of one product of the batch. Inside of a chunk of
tasks the panels are the outer loop, so that one panel of B stays in the cache while rows pass by.
Where B is packed, a chunk packs a few panels of its own at a time, into memory for that chunk;
mostly its first row of tiles does so on its way.
The last rows and columns have tiles of their own size where it is known. Where only the run knows
it, the last tile reads its last row again instead of what is not there, and stores what is.

With a prologue a chunk makes some rows of A at a time, in memory of its own, right before it goes
through them. A call may do a part of a product (GemmTile.window). Sums over a part of k go on from
C, or with a finish from memory of their own until the last part: each is still one sum in the order
of k.
"""

from __future__ import annotations

from graphc.kernel.tiles.gemm import GemmTile, Window
from graphc.kernel.tiles.pack import PackSpec
from graphc.render.tile_finish import Finish
from graphc.render.tile_module import tile_module
from graphc.render.tile_pack import AHEAD, PackPrinter
from graphc.render.tile_part import LINE, Part, Span
from graphc.render.tile_prologue import RowMaker
from graphc.render.tile_writer import Index, LoopBody, TileWriter


class GemmPrinter:
    """Prints one product's function, with what happens with its tiles."""

    def __init__(
        self, spec: GemmTile, fma: bool = True, finish: Finish | None = None,
        prologue: RowMaker | None = None,
    ) -> None:  # fmt: skip
        self.spec = spec
        self.finish = finish
        self.prologue = prologue
        self.w = TileWriter(spec.dtype, spec.tile.lanes, fma)
        self.m: Index = "%m" if spec.m is None else spec.m
        self.n: Index = "%n" if spec.n is None else spec.n
        self.k: Index = "%k" if spec.k is None else spec.k
        window = self.window = spec.window or Window()
        self.lda = window.lda or (self.m if spec.trans_a else self.k)
        self.ldc: Index = window.ldc or self.n
        self.steps: Span = (0, self.k)
        self.ldb: Index = spec.tile.columns if spec.packing else window.ldb or self.n
        self.packer = _packer(spec) if spec.packs else None
        # the first row of tiles packs B on its way: multiply-adds leave room for stores
        self.along = spec.packing == "copy" and not spec.packs_rows and spec.by_columns
        self.along = self.along and spec.m is not None and spec.m >= spec.tile.rows
        self.spare = self.own_panels = self.own_rows = self.pack_symbol = ""
        self.next_panels = ""
        self.done: Index = 0  # rows of tiles of the group of panels before a tile
        self.batch: Index = 0

    def slots(self) -> list[tuple[str, str]]:
        """(type, name) of the arguments: A, B, C, what only the run knows of the sizes.

        With a finish its buffers stand for C, and its dimensions behind the sizes. Where B is
        packed, the panels of all pieces stand behind C, and the tasks of a piece behind all sizes.
        With a prologue what that reads stands behind B, and nothing for A; its blocks lie where
        panels would, its dimensions stand in front of the finish's. Of a part, the memory for sums
        that wait for a finish stands behind C, where it starts behind the sizes.
        """
        out = [("ptr", "%a"), ("ptr", "%b")]
        if self.prologue is not None:
            out = [("ptr", "%b"), *self.prologue.pointers()]
        out += [("ptr", "%y")] if self.finish is None else self.finish.pointers()
        packs = self.packer is not None or self.prologue is not None
        out += [("ptr", "%p")] if packs else []
        waits = self.finish is not None and self.window.k is not None
        out += [("ptr", "%acc")] if waits else []
        out += [("i64", d) for d in (self.m, self.n, self.k) if isinstance(d, str)]
        out += [("i64", "%piece")] if packs else []
        out += [("i64", name) for name in self.window.names]
        out += [] if self.prologue is None else self.prologue.dims()
        return out if self.finish is None else out + self.finish.dims()

    def module(self, symbol: str) -> str:
        """A complete module that defines the product as `symbol`, with the ABI of every kernel."""
        w = self.w
        self.pack_symbol = f"{symbol}.pack"
        self.spare = w.scratch(self.spec.tile.rows * self.spec.tile.columns)
        if self.packer is not None:
            piece = w.op("sdiv i64 %lo, %piece")
            own = w.mul(piece, w.mul(self.k, self.spec.packed_step))
            self.own_panels = w.at("%p", own)
            columns = self.spec.tile.columns * self.spec.group
            self.own_rows = w.at(self.own_panels, w.mul(self.k, columns))
        texts = []
        if self.prologue is not None:
            self.blocks(self.prologue)
            behind = "" if self.finish is None else self.finish.text
            texts = [self.prologue.text, *self.prologue.helpers(behind)]
            w.declares.update(self.prologue.declares)
        elif self.spec.batched:
            self.batches()
        else:
            self.span("%a", "%b", "%y", "%lo", "%hi")
        if self.packer is not None and not self.along:
            texts = [self.packer.function(self.pack_symbol)]
            w.declares.update(self.packer.w.declares)
        return "\n".join([*texts, tile_module(w, symbol, self.slots(), self.finish)])

    # -------------------------------------------------------------- tasks
    def blocks(self, prologue: RowMaker) -> None:
        """Tasks %lo to %hi, some rows of tiles at a time, which the prologue makes."""
        w, rows = self.w, self.spec.tile.rows
        piece = w.op("sdiv i64 %lo, %piece")
        memory = w.at("%p", w.mul(piece, prologue.tiles * rows * prologue.columns))

        def one(first: str, _: list[str]) -> None:
            last = w.least(w.add(first, prologue.tiles), "%hi")
            end = w.least(w.mul(last, rows), self.m)
            a = prologue.call(w, memory, w.mul(first, rows), end)
            self.span(a, "%b", "%y", first, last)

        w.loop("%lo", "%hi", prologue.tiles, one)

    def batches(self) -> None:
        """Tasks %lo to %hi of all products, product by product."""
        spec, w = self.spec, self.w
        each = w.ceil_div(self.n, spec.tile.columns)
        if not spec.by_columns:
            each = w.ceil_div(self.m, spec.tile.rows)
        own = w.mul(self.m, self.ldc) if self.finish is None else 0
        width = self.window.ldb or self.n
        if spec.packing == "given":
            width = w.mul(w.ceil_div(self.n, spec.tile.columns), spec.tile.columns)
        steps = [w.mul(self.m, self.k), w.mul(self.k, width), own]
        if self.window.lda is not None:
            steps[0] = w.mul(self.k if spec.trans_a else self.m, self.lda)

        def one(batch: str, _: list[str]) -> None:
            start = w.mul(batch, each)
            low = w.largest(w.sub("%lo", start), 0)
            high = w.least(w.sub("%hi", start), each)
            self.batch = batch
            a, b, c = (
                w.at(p, w.mul(batch, s)) for p, s in zip(("%a", "%b", "%y"), steps, strict=True)
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
        if spec.window is not None:
            self.steps = self.part("%wk", self.window.k, self.k, 1)
            tiles = self.part("%wm", self.window.m, self.m, spec.tile.rows)
            panels = self.part("%wn", self.window.n, self.n, width)
            end = w.least(panels[1], full)
        elif spec.by_columns:
            panels, end = (lo, hi), w.least(hi, full)
        else:
            tiles, end = (lo, hi), full
        whole = Part(spec.tile.rows, spec.tile.vectors, (None,) * spec.tile.vectors, width)

        def some(p: str, _: list[str]) -> None:
            last = w.least(w.add(p, spec.group), end) if spec.group > 1 else w.add(p, 1)
            self.panels(a, b, c, (p, last), tiles, whole)

        w.loop(panels[0], end, spec.group, some)
        left = w.sub(self.n, w.mul(full, width))
        if left == 0:
            return
        vectors = -(-left // lanes) if isinstance(left, int) else spec.tile.vectors

        def rest() -> None:
            masks = tuple(self.lanes_mask(left, v) for v in range(vectors))
            part = Part(whole.rows, vectors, masks, left)
            self.panels(a, b, c, (full, w.add(full, 1)), tiles, part)

        if isinstance(left, str):
            w.when("slt", 0, left, lambda: w.when("slt", full, panels[1], rest))
        else:
            w.when("slt", full, panels[1], rest)

    def part(self, first: str, size: int | None, extent: Index, block: int) -> Span:
        """The blocks of an extent that a call does."""
        w = self.w
        if size is None:
            return (0, w.ceil_div(extent, block))
        end = w.least(w.add(first, size), extent)
        return (w.div(first, block), w.ceil_div(end, block))

    def lanes_mask(self, columns: Index, vector: int) -> str | None:
        """The valid lanes of a vector of a row of so many columns."""
        before = vector * self.spec.tile.lanes
        if isinstance(columns, int) and columns - before >= self.spec.tile.lanes:
            return None
        return self.w.mask(self.w.sub(columns, before))

    def panels(self, a: str, b: str, c: str, panels: Span, tiles: Span, part: Part) -> None:
        """Some tiles of some panels: those of all their rows, then the last one if it is not."""
        w, rows = self.w, self.spec.tile.rows
        self.next_panels = ""
        if self.spec.ahead:
            along = 1 if self.packer is not None else self.k
            self.next_panels = w.at(b, w.mul(panels[1], w.mul(along, self.spec.tile.columns)))
        given = b
        if self.packer is not None:
            b = self.packed(b, panels)
        full = w.div(self.m, rows)
        end = tiles[1] if self.m == w.mul(full, rows) else w.least(tiles[1], full)

        def across(row: Index, size: Part, slot: Index = 0, fresh: str = "") -> None:
            """The tiles of one row of tiles; where A is packed, the one in that slot."""
            def one(p: Index) -> None:
                self.done = w.add(w.mul(row, self.spec.group), w.mul(w.sub(p, panels[0]), rows))
                at = (row, w.mul(p, self.spec.tile.columns))
                self.tile((a, b, c), at, size, slot, fresh)

            if self.spec.group == 1:
                one(panels[0])
            else:
                w.loop(panels[0], panels[1], 1, lambda p, _: one(p))

        def several(first: str, _: list[str]) -> None:
            """A group of rows of tiles, whose part of A is packed first."""
            last = w.least(w.add(first, self.spec.row_group), end)
            self.pack_rows(a, first, last, part)
            w.loop(first, last, 1, lambda t, _: across(w.mul(t, rows), part, w.sub(t, first)))

        if self.spec.packs_rows:
            w.loop(tiles[0], end, self.spec.row_group, several)
        else:
            if self.along:
                across(0, part, fresh=given)
            start = 1 if self.along else tiles[0]
            w.loop(start, end, 1, lambda t, _: across(w.mul(t, rows), part))
        left = w.sub(self.m, w.mul(full, rows))
        if left == 0:
            return
        some = None if isinstance(left, int) else left
        count = left if isinstance(left, int) else rows
        rest = Part(count, part.vectors, part.masks, part.columns, some)

        def last() -> None:
            if self.spec.packs_rows:
                self.pack_rows(a, full, w.add(full, 1), rest)
            across(w.mul(full, rows), rest)

        if isinstance(left, str):
            w.when("slt", 0, left, lambda: w.when("slt", full, tiles[1], last))
        else:
            w.when("slt", full, tiles[1], last)

    def pack_rows(self, a: str, first: Index, last: Index, part: Part) -> None:
        """Copy some tiles' parts of a transposed A, so that each lies together."""
        w, lanes, rows = self.w, self.spec.tile.lanes, self.spec.tile.rows
        count: Index = part.rows if part.some is None else part.some
        starts = range(0, part.rows, lanes)
        masks = [w.mask(w.sub(count, v)) for v in starts]

        def one(k: str, t: str) -> None:
            source = w.at(a, w.add(w.mul(k, self.lda), w.mul(t, rows)))
            slot = w.mul(w.sub(t, first), self.k)
            target = w.at(self.own_rows, w.mul(w.add(slot, k), rows))
            for v, mask in zip(starts, masks, strict=True):
                w.store(w.load(w.at(source, v), mask), w.at(target, v), mask)

        def step(k: str, _: list[str]) -> None:
            # rows lie on different pages: the processor does not guess the next one
            ahead = w.at(a, w.add(w.mul(w.add(k, AHEAD), self.lda), w.mul(first, rows)))
            for line in range(0, rows * self.spec.row_group * self.spec.dtype.size, LINE):
                w.prefetch(w.at(ahead, line, "i8"))
            w.loop(first, last, 1, lambda t, _: one(k, t))

        w.loop(0, self.k, 1, step)

    def packed(self, b: str, panels: Span) -> str:
        """Pack some panels of B, unless tiles do it; where panel 0 would lie before them."""
        w = self.w
        before = w.mul(w.mul(panels[0], self.k), self.spec.tile.columns)
        origin = w.at(self.own_panels, w.sub(0, before))
        if self.along:
            return origin
        sizes = [f"i64 {d}" for d in (self.n, self.k) if isinstance(d, str)]
        args = [f"ptr {b}", f"ptr {origin}", *sizes, f"i64 {panels[0]}", f"i64 {panels[1]}"]
        w.call_void(self.pack_symbol, *args, external=False)
        return origin

    # -------------------------------------------------------------- one tile
    def tile(
        self, operands: tuple[str, str, str], at: Span, part: Part, slot: Index, fresh: str
    ) -> None:
        """The tile at (row, column): its sums over k, and what happens with them.

        fresh: B as it is, where its panel is still to be packed.
        """
        w = self.w
        a, b, c = operands
        if self.spec.packs_rows:
            a = w.at(self.own_rows, w.mul(w.mul(slot, self.k), self.spec.tile.rows))
        sums = self.sums(a, b, at, part, self.begun(c, at, part), fresh)
        if self.finish is None:
            self.put(sums, w.at(c, w.add(w.mul(at[0], self.ldc), at[1])), part)
        elif self.window.k is None:
            self.finished(sums, at, part)
        else:
            last = self.steps[1]
            w.when("slt", last, self.k, lambda: self.put(sums, self.waiting(at), part))
            w.when("sle", self.k, last, lambda: self.finished(sums, at, part))

    def waiting(self, at: Span) -> str:
        """Where a tile's sums wait for the next part of k."""
        w = self.w
        row = w.add(w.mul(self.batch, self.m), at[0])
        return w.at("%acc", w.add(w.mul(row, self.n), at[1]))

    def finished(self, sums: list[str], at: Span, part: Part) -> None:
        """Run the finish on a tile."""
        w = self.w
        assert self.finish is not None
        for n, value in enumerate(sums):
            r, v = divmod(n, part.vectors)
            where = r * self.spec.tile.columns + v * self.spec.tile.lanes
            w.store(value, w.at(self.spare, where))
        rows = part.rows if part.some is None else part.some
        box = {
            "batch": (self.batch, w.add(self.batch, 1)),
            "row": (at[0], w.add(at[0], rows)),
            "column": (at[1], w.add(at[1], part.columns)),
        }
        self.finish.call(w, self.spare, box)

    def begun(self, c: str, at: Span, part: Part) -> list[str]:
        """What a tile's sums start with: zeros, behind the first part of k what that came to."""
        w, lanes = self.w, self.spec.tile.lanes
        if self.window.k is None:
            return w.zeros(part.rows * part.vectors)
        if self.finish is not None:
            start = self.waiting(at)
        else:
            start = w.at(c, w.add(w.mul(at[0], self.ldc), at[1]))
        some = w.op(f"icmp slt i64 0, {self.steps[0]}")
        masks = []
        for v in range(part.vectors):
            valid = w.largest(w.sub(part.columns, v * lanes), 0)
            masks.append(w.mask(w.op(f"select i1 {some}, i64 {valid}, i64 0")))
        return [
            w.load(w.at(w.at(start, w.mul(r, self.ldc)), v * lanes), mask)
            for r in range(part.rows)
            for v, mask in enumerate(masks)
        ]

    def sums(
        self, a: str, b: str, at: Span, part: Part, start: list[str], fresh: str = ""
    ) -> list[str]:
        """A tile's sums over k, a vector after the other, row by row."""
        w, spec = self.w, self.spec
        along = self.lda if spec.trans_a else 1
        if spec.packs_rows:
            along = spec.tile.rows
        else:
            a = w.at(a, at[0] if spec.trans_a else w.mul(at[0], self.lda))
        b = w.at(b, w.mul(at[1], self.k) if spec.packing else at[1])
        rows = self.row_steps(part)
        masks = (None,) * part.vectors if spec.packing else part.masks

        def body(k: str, sums: list[str]) -> list[str]:
            bk = w.at(b, w.opaque(w.mul(k, self.ldb)))
            ak = w.at(a, w.opaque(w.mul(k, along)))
            if fresh:
                vectors = self.copied(w.at(fresh, at[1]), k, bk, part)
            else:
                vectors = [w.load(w.at(bk, v * spec.tile.lanes), m) for v, m in enumerate(masks)]
            out = []
            for r, row in enumerate(rows):
                one = w.broadcast(w.at(ak, row))
                for v, vector in enumerate(vectors):
                    out.append(w.fma(one, vector, sums[r * part.vectors + v]))
            return out

        if not fresh and (spec.far or self.next_panels):
            return self.asking(at, part, body, start)
        return w.loop(*self.steps, 1, body, start)

    def copied(self, b: str, k: str, panel: str, part: Part) -> list[str]:
        """A row of B, which is put into its panel as well."""
        w, lanes = self.w, self.spec.tile.lanes
        source = w.at(b, w.opaque(w.mul(k, self.n)))
        # rows lie on different pages: the processor does not guess the next one
        ahead = w.at(source, w.mul(self.n, AHEAD))
        out = []
        for v, mask in enumerate(part.masks):
            w.prefetch(w.at(ahead, v * lanes))
            out.append(w.load(w.at(source, v * lanes), mask))
            w.store(out[-1], w.at(panel, v * lanes))
        return out

    def asking(self, at: Span, part: Part, body: LoopBody, sums: list[str]) -> list[str]:
        """The loop over k in as many parts as there are rows, each behind a request for a row.

        What the finish reads and writes comes while the sums are computed. A tile's rows lie far
        apart, so that the processor does not guess them; all requests at once would stand in the
        way of the loop's own loads.
        """
        w = self.w
        each = w.div(self.k, part.rows)
        streams: list[tuple[str, int, bool]] = []
        if self.finish is not None and self.spec.far:
            streams = self.finish.streams()
        elif self.spec.far and not self.next_panels:
            # panels from far are waited for, what is only written is not
            streams = [("%y", self.spec.dtype.size, True)]
        batch = w.mul(self.batch, self.m) if self.finish is not None else 0
        start = w.add(w.mul(w.add(batch, at[0]), self.n), at[1])

        def one(r: str, inside: list[str]) -> list[str]:
            row = w.add(start, w.mul(r, self.n))
            for pointer, size, written in streams:
                place = w.at(pointer, w.opaque(w.mul(row, size)), "i8")
                for line in range(0, part.vectors * self.spec.tile.lanes * size, LINE):
                    w.prefetch(w.at(place, line, "i8"), written)
            self.ask_panels(r)
            first = w.mul(r, each)
            return w.loop(first, w.add(first, each), 1, body, inside)

        sums = w.loop(0, part.rows, 1, one, sums)
        return w.loop(w.mul(each, part.rows), self.k, 1, body, sums)

    def ask_panels(self, row: str) -> None:
        """Ask for what a row of a tile has to of the panels that come next.

        The rows of all tiles of a group of panels ask for all rows of the next group.
        """
        if not self.next_panels:
            return
        w, spec = self.w, self.spec
        rows = w.mul(self.m, spec.group)
        each = w.add(w.div(w.sub(self.k, 1), rows), 1)
        first = w.mul(w.add(self.done, row), each)
        width = spec.tile.columns * spec.group * spec.dtype.size
        line_step = self.n if self.packer is not None else self.ldb

        def one(k: str, _: list[str]) -> None:
            place = w.at(self.next_panels, w.opaque(w.mul(k, line_step)))
            for line in range(0, width, LINE):
                w.prefetch(w.at(place, line, "i8"), nearest=False)

        w.loop(first, w.least(w.add(first, each), self.k), 1, one)

    def row_steps(self, part: Part) -> list[Index]:
        """Elements of A from a tile's first row to each of its rows, valid ones only."""
        w = self.w
        rows: list[Index] = list(range(part.rows))
        if part.some is not None:
            rows = [w.least(r, w.sub(part.some, 1)) for r in rows]
        return [r if self.spec.trans_a else w.mul(r, self.lda) for r in rows]

    def put(self, sums: list[str], c: str, part: Part) -> None:
        """Store the valid part of a tile."""
        w, lanes = self.w, self.spec.tile.lanes
        if part.some is None:
            for r in range(part.rows):
                self.put_row(sums[r * part.vectors :], w.at(c, w.mul(r, self.ldc)), part)
            return
        for at, value in enumerate(sums):
            w.store(value, w.at(self.spare, at * lanes))

        def row(r: str, _: list[str]) -> None:
            source = w.at(self.spare, w.mul(r, part.vectors * lanes))
            values = [w.load(w.at(source, v * lanes)) for v in range(part.vectors)]
            self.put_row(values, w.at(c, w.mul(r, self.n)), part)

        w.loop(0, part.some, 1, row)

    def put_row(self, values: list[str], c: str, part: Part) -> None:
        for v, mask in enumerate(part.masks):
            self.w.store(values[v], self.w.at(c, v * self.spec.tile.lanes), mask)


def _packer(spec: GemmTile) -> PackPrinter:
    """What packs the operand of one product."""
    layout = PackSpec(
        spec.dtype, spec.n, spec.k, spec.packing == "turn", spec.tile.lanes, spec.tile.vectors
    )
    return PackPrinter(layout)
