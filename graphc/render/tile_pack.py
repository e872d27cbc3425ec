"""Panels of B as LLVM IR: the columns that a tile needs, one step of k after the other.

Lives here: PackPrinter. Not here: what reads the panels (render/tile_gemm.py). Only
runtime/tiles.py imports this module.

A task is one panel of one matrix of the batch: (K, columns) elements behind each other. The columns
of the last panel that B does not have hold zeros or copies; nobody stores what comes of them.
"""

from __future__ import annotations

from graphc.kernel.tiles.pack import PackSpec
from graphc.render.tile_writer import Index, TileWriter, entry

AHEAD = 24  # rows from what is asked for to what is copied


class PackPrinter:
    """Prints the function that packs one operand."""

    def __init__(self, spec: PackSpec) -> None:
        self.spec = spec
        # squares of 8: four times the code, and its compile time, for 16 at the same speed
        self.lanes = min(spec.lanes, 8) if spec.trans else spec.lanes
        self.w = TileWriter(spec.dtype, self.lanes)
        self.n: Index = "%n" if spec.n is None else spec.n
        self.k: Index = "%k" if spec.k is None else spec.k

    def slots(self) -> list[tuple[str, str]]:
        """(type, name) of the arguments: B, the panels, what only the run knows of the sizes."""
        sizes = [d for d in (self.n, self.k) if isinstance(d, str)]
        return [("ptr", "%b"), ("ptr", "%p"), *(("i64", name) for name in sizes)]

    def module(self, symbol: str) -> str:
        """A complete module that defines the function as `symbol`."""
        inner = f"{symbol}.pack"
        body = self.function(inner)
        outer = entry(symbol, inner, self.slots())
        return "\n".join([body, outer, *self.w.declares.values()]) + "\n"

    def function(self, symbol: str) -> str:
        """The internal function of the slots' arguments and two numbers of panels."""
        w = self.w
        panels = w.ceil_div(self.n, self.spec.columns)
        w.loop("%lo", "%hi", 1, lambda task, _: self.task(task, panels))
        sizes = [f"i64 {name}" for kind, name in self.slots() if kind == "i64"]
        params = ["ptr noalias readonly %b", "ptr noalias %p", *sizes, "i64 %lo", "i64 %hi"]
        return w.function(symbol, params)

    def task(self, task: str, panels: Index) -> None:
        w, columns = self.w, self.spec.columns
        batch = w.div(task, panels)
        panel = w.sub(task, w.mul(batch, panels))
        b = w.at("%b", w.mul(batch, w.mul(self.n, self.k)))
        out = w.at("%p", w.mul(task, w.mul(self.k, columns)))
        first = w.mul(panel, columns)
        if self.spec.trans:
            self.turned(b, out, first)
        else:
            self.copied(b, out, first)

    # -------------------------------------------------------------- as it is
    def copied(self, b: str, out: str, first: Index) -> None:
        w, lanes = self.w, self.lanes
        left = w.sub(self.n, first)
        whole = isinstance(self.n, int) and self.n % self.spec.columns == 0
        masks = [
            None if whole else w.mask(w.sub(left, v * lanes)) for v in range(self.spec.vectors)
        ]

        def row(k: str, _: list[str]) -> None:
            source = w.at(b, w.add(w.mul(k, self.n), first))
            # rows lie on different pages: the processor does not guess the next one
            ahead = w.at(source, w.mul(self.n, AHEAD))
            for v in range(self.spec.vectors):
                w.prefetch(w.at(ahead, v * lanes))
            target = w.at(out, w.mul(k, self.spec.columns))
            for v, mask in enumerate(masks):
                w.store(w.load(w.at(source, v * lanes), mask), w.at(target, v * lanes))

        w.loop(0, self.k, 1, row)

    # -------------------------------------------------------------- transposed
    def turned(self, b: str, out: str, first: Index) -> None:
        """Squares of lanes times lanes, turned in registers; what is left of k one by one."""
        w, lanes = self.w, self.lanes
        full = w.mul(w.div(self.k, lanes), lanes)

        def column(j: Index, k: Index) -> str:
            """The address of element k of a panel's column; its last one stands for more."""
            at = w.least(w.add(first, j), w.sub(self.n, 1))
            return w.at(b, w.add(w.mul(at, self.k), k))

        def square(v: str, k: str) -> None:
            k = str(w.opaque(k))
            rows = [w.load(column(w.add(v, j), k)) for j in range(lanes)]
            target = w.at(out, w.add(w.mul(k, self.spec.columns), v))
            for i, row in enumerate(self.transposed(rows)):
                w.store(row, w.at(target, i * self.spec.columns))

        def one(k: str, j: str) -> None:
            value = w.op(f"load {w.scalar}, ptr {column(j, k)}")
            target = w.at(out, w.add(w.mul(k, self.spec.columns), j))
            w.put(f"store {w.scalar} {value}, ptr {target}")

        columns = self.spec.columns
        w.loop(0, columns, lanes, lambda v, _: _none(
            w.loop(0, full, lanes, lambda k, _: square(v, k))
        ))  # fmt: skip
        w.loop(full, self.k, 1, lambda k, _: _none(
            w.loop(0, columns, 1, lambda j, _: one(k, j))
        ))  # fmt: skip

    def transposed(self, rows: list[str]) -> list[str]:
        """A square of vectors turned: log2(lanes) rounds of exchanges between pairs."""
        lanes = self.lanes
        step = 1
        while step < lanes:
            low = [i + lanes * (i & step > 0) - (step if i & step else 0) for i in range(lanes)]
            high = [x + step for x in low]
            out = list(rows)
            for i in range(lanes):
                if i & step:
                    continue
                out[i] = self._shuffled(rows[i], rows[i + step], low)
                out[i + step] = self._shuffled(rows[i], rows[i + step], high)
            rows, step = out, step * 2
        return rows

    def _shuffled(self, x: str, y: str, order: list[int]) -> str:
        kind, lanes = self.w.vector, self.lanes
        text = ", ".join(f"i32 {i}" for i in order)
        return self.w.op(f"shufflevector {kind} {x}, {kind} {y}, <{lanes} x i32> <{text}>")


def _none(_: object) -> None:
    """Loops inside of loops carry nothing."""
