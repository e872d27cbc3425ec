"""Products of few rows or columns as numba.cuda source, and sums of the parts of a product.

Lives here: RowsPrinter (a warp an element), ColumnsPrinter (depthwise), PartsPrinter (the second
step of a sum that was cut).
Not here: tiles (render/cuda_tiles.py), what becomes of an element (render/cuda_finish.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir.dtypes import DType
from graphc.kernel.launch import WARP
from graphc.kernel.tiles.gpu import Digit, GpuProduct
from graphc.render.cuda_finish import ElementPrinter, GpuFinish, multiply_add, part_of, times
from graphc.render.numba_names import Text, half, storage_name, type_name

ROWS_BLOCK = 4 * WARP
PARTS_BLOCK = 256


def place_of(printer: ElementPrinter) -> None:
    """The product, row and column of element number e."""
    printer.emit("q = quotient(e, n)")
    printer.emit("column = e - q * n")
    printer.emit("z = quotient(q, m)")
    printer.emit("i = q - z * m")


def element_of(printer: ElementPrinter, partial: bool) -> None:
    """The element of number e, and the part of its sum."""
    place_of(printer)
    part_of(printer, partial)


class CountedPrinter(ElementPrinter):
    """A product whose grid goes over all elements, `count` of them with the parts of their sums."""

    def __init__(self, product: GpuProduct, finish: GpuFinish | None = None) -> None:
        kept = product.kept if product.partial else product.dtype
        sizes = ("m", "n", "k", *(["chunk", "parts"] * product.partial), *product.sizes, "count")
        super().__init__((product.a.dtype, product.b.dtype), kept, sizes, finish)
        self.product = product


class RowsPrinter(CountedPrinter):
    """A product whose sides both lie along the sum: the threads of a warp share one element.

    Its threads add up every 32nd piece, then a butterfly joins them: the order is the same
    whatever the grid.
    """

    def body(self) -> None:
        """The whole function."""
        kind, p = type_name(self.product.kept), self.product
        vector = min(p.a.vector, p.b.vector)
        for x, operand in (("a", p.a), ("b", p.b)):
            raw = storage_name(operand.dtype)
            self.emit(f"f{x} = cuda.local.array({vector}, {raw})")
        self.emit("t = natural(cuda.threadIdx.x)")
        self.emit(f"lane = t % {WARP}")
        self.emit("block, parted = natural(cuda.blockIdx.x), natural(cuda.gridDim.x)")
        self.emit(f"inner = natural(cuda.blockDim.x) // {WARP}")
        self.inside(f"for e in range(block * inner + t // {WARP}, count, parted * inner):")
        self._where()
        self.emit(f"total = {kind}(0)")
        first = f"first + lane{times(vector)}"
        self.inside(f"for kk in range({first}, last, {WARP * vector}):")
        self._add(vector, kind)
        self.out()
        for step in (16, 8, 4, 2, 1):
            other = Text(f"shuffle_xor(total, {step})")
            self.emit(f"total = {self.combined('add', p.kept, 'total', other)}")
        self.inside("if lane == 0:")
        self.emit(f"element = {self.stored('total')}")
        self.put_at(p.place, p.place_start)
        self.out(2)

    def _where(self) -> None:
        """Which element of which product, and which part of its sum."""
        element_of(self, self.product.partial)
        for x, operand, outer in (("a", self.product.a, "i"), ("b", self.product.b, "column")):
            at, _ = self.decoded(x, (), operand.outer, outer)
            terms = [str(operand.start)] * bool(operand.start) + [at]
            if operand.batch:
                terms.append(self.decoded(x, (), operand.batch, "s")[0])
            self.emit(f"{x}_at = {' + '.join(terms)}")

    def _add(self, vector: int, kind: str) -> None:
        values = []
        for n, (x, operand) in enumerate((("a", self.product.a), ("b", self.product.b))):
            if vector == 1:
                self.emit(f"f{x}[0] = b{n}[{x}_at + kk]")
            else:
                self.emit(f"load{vector}(f{x}, 0, b{n}, {x}_at + kk)")
            is_half = operand.dtype.is_half
            values.append(f"{half('load', operand.dtype)}(f{x}[u])" if is_half else f"f{x}[u]")
        self.emit(f"for u in range({vector}):")
        self.emit(f"    total = {multiply_add(kind, 'total', *values)}")


class PartsPrinter(ElementPrinter):
    """Sums of the parts of each element, in their order, and what stands behind the product.

    Args:
        dtype: of the product; parts are kept as what it is computed in.
    """

    def __init__(
        self, dtype: DType, finish: GpuFinish | None, place: Sequence[Digit], start: int
    ) -> None:
        super().__init__((dtype.compute,), dtype, ("m", "n", "parts", "count"), finish)
        self.place, self.start = tuple(place), start

    def body(self) -> None:
        """The whole function."""
        kept = self.dtype.compute
        self.inside("for e in range(cuda.grid(1), count, cuda.gridsize(1)):")
        place_of(self)
        self.emit("first = (z * parts * m + i) * n + column")
        self.emit("total = b0[first]")
        self.inside("for s in range(1, parts):")
        other = Text("b0[first + s * m * n]")
        self.emit(f"total = {self.combined('add', kept, 'total', other)}")
        self.out()
        self.emit(f"element = {self.stored('total')}")
        self.put_at(self.place, self.start)
        self.out()


class ColumnsPrinter(CountedPrinter):
    """A product of each column with itself, as in depthwise convolutions: a thread an element.

    Both operands have their columns side by side; their outer index is the row.
    """

    def body(self) -> None:
        """The whole function."""
        p, kind = self.product, type_name(self.product.kept)
        self.inside("for e in range(cuda.grid(1), count, cuda.gridsize(1)):")
        element_of(self, p.partial)
        for x, operand in (("a", p.a), ("b", p.b)):
            at, where = self.decoded(x, operand.guards, operand.outer, "i")
            self.emit(f"{x}_at = column + {operand.start} + {at}")
            for n, (start, _) in enumerate(operand.guards):
                self.emit(f"{x}_y{n} = {where[n]} + {start}")
        self.emit(f"total = {kind}(0)")
        self.inside("for kk in range(first, last):")
        values, tests = [], []
        for number, (x, operand) in enumerate((("a", p.a), ("b", p.b))):
            at, where = self.decoded(x, operand.guards, operand.inner, "kk")
            for n, (_, size) in enumerate(operand.guards):
                self.emit(f"{x}_c{n} = {x}_y{n} + {where[n]}")
                tests.append(f"0 <= {x}_c{n} < {size}")
            text = f"b{number}[{x}_at + {at}]"
            is_half = operand.dtype.is_half
            values.append(f"{half('load', operand.dtype)}({text})" if is_half else text)
        if tests:
            self.inside(f"if {' and '.join(tests)}:")
        self.emit(f"total = {multiply_add(kind, 'total', *values)}")
        self.out(1 + bool(tests))
        self.emit(f"element = {self.stored('total')}")
        self.put_at(p.place, p.place_start)
        self.out()
