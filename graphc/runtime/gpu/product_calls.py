"""Steps of products on a GPU: their kernels, and what these are called with.

Lives here: GpuProductCall, GpuLaunch, Sides. Not here: sizes of tiles (kernel/tiles/gpu.py),
printing (render/cuda_*.py), which nodes are products and how their operands lie (product_matmul.py,
product_conv.py), memory and streams.

A step's storages are A, B, what a finish reads, what is written. What a kernel is called with is
said by its launch alone.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass

from graphc.errors import ResourceExhaustedError
from graphc.ir.dtypes import DType
from graphc.ir.node import Node, Tensor
from graphc.ir.shape import Dim, evaluate
from graphc.kernel.launch import WARP, Gpu
from graphc.kernel.tiles.finish import Place
from graphc.kernel.tiles.gpu import (
    MOST_THREADS,
    TENSOR_TYPES,
    Digit,
    GpuProduct,
    Operand,
    by_rows,
    gpu_tile,
    gpu_tiles,
    sum_parts,
    thread_blocks,
    tiles_of,
)
from graphc.render.cuda_finish import ElementPrinter, GpuFinish
from graphc.render.cuda_mma import MmaPrinter
from graphc.render.cuda_products import ProductText, product_ptx
from graphc.render.cuda_rows import (
    PARTS_BLOCK,
    ROWS_BLOCK,
    ColumnsPrinter,
    PartsPrinter,
    RowsPrinter,
)
from graphc.render.cuda_tiles import TilePrinter
from graphc.runtime import cache
from graphc.runtime.finishing import Finishing
from graphc.runtime.gpu.code import VERSION
from graphc.runtime.gpu.product_library import LibraryLaunch, by_library

DTYPES = frozenset({"float16", "bfloat16", "float32", "float64", "int32", "int64"})
_NAMES = {
    "tile": "product", "rows": "product_by_rows", "columns": "product_by_columns",
    "parts": "sum_of_parts",
}  # fmt: skip
_NOTES = {
    "rows": ", a warp an element", "columns": ", channel by channel",
    "parts": ": the sums of its parts",
}  # fmt: skip
_RESIDENT_BLOCKS = 16  # blocks a multiprocessor gets, of kernels that go through elements

Argument = tuple[str, int]  # ("read" | "write" | "scratch" | "int" | "status", number or value)


@dataclass(frozen=True)
class GpuLaunch:
    """One kernel and what it is called with.

    Attributes:
        form: "tile", "rows" (a warp an element), "columns" (a thread an element, column by column)
            or "parts" (sums of parts).
        blocks: of `threads` threads. arguments: in the order of the kernel's parameters.
    """

    form: str
    product: GpuProduct
    finish: GpuFinish | None
    blocks: int
    threads: int
    arguments: tuple[Argument, ...]
    shared = 0  # all shared memory is the kernel's own

    @functools.cached_property
    def key(self) -> str:
        """The content of the code: equal keys are equal code."""
        behind = "" if self.finish is None else self.finish.key()
        parts = (self.form, repr(self.product), behind, str(self.threads))
        return cache.content_key("gpu", str(VERSION), *parts)

    @property
    def name(self) -> str:
        """Of the kernel's function."""
        return f"{_NAMES[self.form]}_{self.product.dtype.name}"

    @property
    def grid(self) -> tuple[int, int, int]:
        return (self.blocks, 1, 1)

    @property
    def block(self) -> tuple[int, int, int]:
        return (self.threads, 1, 1)

    @functools.cached_property
    def text(self) -> ProductText:
        """The kernel, printed."""
        p, printer = self.product, self._printer()
        notes = [f"a product of {p.dtype.name}"]
        if self.form == "tile":
            notes[0] += f" by tiles of {p.tile.key}, {self.threads} threads a tile"
            each = "warp, on tensor cores" if p.tile.tensor else "thread"
            notes.append(f"{p.tile.row_each} x {p.tile.column_each} sums a {each}")
        else:
            notes[0] += _NOTES[self.form]
        if self.finish is not None:
            notes += [f"  {' '.join(o.split())}" for o in self.finish.kernel.origins]
        return ProductText.of(printer, self.name, notes, self.threads)

    def _printer(self) -> ElementPrinter:
        p = self.product
        printer: TilePrinter | RowsPrinter | ColumnsPrinter | PartsPrinter
        if self.form == "tile":
            printer = (MmaPrinter if p.tile.tensor else TilePrinter)(p, self.finish)
        elif self.form == "rows":
            printer = RowsPrinter(p, self.finish)
        elif self.form == "columns":
            printer = ColumnsPrinter(p, self.finish)
        else:
            printer = PartsPrinter(p.dtype, self.finish, p.place, p.place_start)
        printer.body()
        return printer

    def source(self) -> tuple[str, str]:
        """(the module's text, the function's name)."""
        return self.text.text, self.name

    def ptx(self, symbol: str, cc: tuple[int, int]) -> str:
        """See render/cuda_products.py; raises CompileError."""
        return product_ptx(self.text, symbol, cc)


# ------------------------------------------------------------------ sizes
@dataclass(frozen=True)
class Plain:
    """Two matrices, or a batch of them, as they lie in memory. strides: of A, B, C."""

    trans_a: bool
    trans_b: bool
    strides: tuple[int, int, int]


@dataclass(frozen=True)
class Sides:
    """A product with everything known but who computes it.

    Attributes:
        sizes: (name, value) of the kernel's arguments besides m, n and k.
        each: column j is of column j of both sides alone, as in depthwise convolutions.
        plain: what a library is told, where one could do it.
    """

    a: Operand
    b: Operand
    batch: int
    m: int
    n: int
    k: int
    sizes: tuple[tuple[str, int], ...] = ()
    place: tuple[Digit, ...] = ()
    place_start: int = 0
    each: bool = False
    plain: Plain | None = None

    @property
    def flops(self) -> float:
        return 2.0 * math.prod((self.batch, self.m, self.n, self.k))

    @property
    def form(self) -> str:
        """See GpuLaunch."""
        if self.each:
            return "columns"
        digits = (self.a.outer, self.a.inner, self.b.outer, self.b.inner)
        matrices = all(len(d) == 1 for d in digits) and self.a.along and self.b.along
        return "rows" if by_rows(self.m, self.n, matrices) else "tile"

    def parts(self) -> tuple[int, int]:
        """(parts of the sum, elements in each)."""
        if self.form == "tile":
            return sum_parts(self.batch * tiles_of(self.m, self.n), self.k)
        threads = self.batch * self.m * self.n * (WARP if self.form == "rows" else 1)
        return sum_parts(thread_blocks(threads), self.k)


@dataclass(frozen=True)
class GpuProductCall(Finishing):
    """One product as kernels of its own; `sides` are what it multiplies for given extents.

    Attributes:
        batched: leading axes of the output number the products.
        tensor_cores: operands may be rounded to TF32.
    """

    node: Node
    a: Tensor
    b: Tensor
    out: Tensor
    batched: bool
    tensor_cores: bool = False
    pack = None
    packing = False
    takes_finish = True
    columns = 32  # a finish gets one element at a time, whatever row it believes to stand in

    @property
    def name(self) -> str:
        """What people read."""
        return self.node.op.name.removeprefix("direct_")

    @property
    def kernel_name(self) -> str:
        """For people: a call may have several kernels, each with a key of its own."""
        return f"gpu_{self.name}_{self.out.dtype.name}"

    @property
    def operands(self) -> tuple[Tensor, ...]:
        return (self.a, self.b)

    def place(self, dims: tuple[Dim, ...]) -> Place:
        """Where elements lie in the output, or in a view of it."""
        return Place(dims, self.batched)

    def sides(self, values: Mapping[str, int]) -> list[Sides]:
        """The products of matrices that it is, for these extents."""
        raise NotImplementedError

    # -------------------------------------------------------------- what a schedule asks
    def slots(self, values: Mapping[str, int]) -> list[int]:
        """Launches say what kernels are called with."""
        return []

    def extent(self, values: Mapping[str, int]) -> int:
        return 1

    def chunk(self, values: Mapping[str, int]) -> int:
        return 0

    def nanoseconds(self, values: Mapping[str, int]) -> float:
        return sum(s.flops for s in self.sides(values)) / 2e4

    def scratch_bytes(self, values: Mapping[str, int], library: bool = False) -> list[int]:
        """Memory for the sums of parts, by the shape alone; several products use it in turn."""
        most = 0
        for s in self.sides(values):
            parts = s.parts()[0]
            if self._by_library(s, library):
                parts = int(self.finish is not None)
            elif parts == 1:
                parts = 0
            most = max(most, parts * s.batch * s.m * s.n * self.out.dtype.compute.size)
        return [most] if most else []

    def wants_library(self, values: Mapping[str, int]) -> bool:
        """Whether a part of it would be cuBLAS's, if there is one."""
        return any(self._by_library(s, True) for s in self.sides(values))

    def _by_library(self, s: Sides, library: bool) -> bool:
        if not library or s.plain is None:
            return False
        return by_library(s.batch, (s.m, s.n, s.k), self.out.dtype, self.finish is not None)

    # -------------------------------------------------------------- launches
    @property
    def behind_element(self) -> GpuFinish | None:
        """The finish, as printers take it."""
        if self.finish is None or self.scratch is None:
            return None
        return GpuFinish(self.finish, self.scratch, self.roles)

    def stored(self) -> tuple[list[DType], list[DType]]:
        """The dtypes of a step's reads and of its writes."""
        finish = self.behind_element
        read, written = [self.a.dtype, self.b.dtype], [self.out.dtype]
        if finish is not None:
            read += [b.dtype for b in finish.inputs]
            written = [b.dtype for b in finish.kernel.outputs]
        return read, written

    def launches(
        self, values: Mapping[str, int], gpu: Gpu, block_threads: int = MOST_THREADS,
        library: bool = False,
    ) -> list[GpuLaunch | LibraryLaunch]:  # fmt: skip
        """The kernels, one after the other on one stream.

        Args:
            values: of the symbols. block_threads: of a block at most, a power of two from 32 on.
            library: large products may be cuBLAS's.
        """
        made: list[GpuLaunch | LibraryLaunch] = []
        for sides in self.sides(values):
            if self._by_library(sides, library):
                made += self._with_library(sides, values, gpu, block_threads)
            elif sides.batch * sides.m * sides.n:
                made += self._launches(sides, values, gpu, block_threads)
        return made

    def _with_library(
        self, s: Sides, values: Mapping[str, int], gpu: Gpu, most: int
    ) -> list[GpuLaunch | LibraryLaunch]:
        """The product by cuBLAS, and what stands behind it in a pass of its own."""
        assert s.plain is not None
        dtype, behind = self.out.dtype, self.finish is not None
        into = ("scratch", 0) if behind else ("write", 0)
        product = LibraryLaunch(
            dtype, dtype.compute if behind else dtype, s.batch, s.m, s.n, s.k, s.plain.trans_a,
            s.plain.trans_b, s.plain.strides, (("read", 0), ("read", 1), into),
            self.tensor_cores and dtype.name == "float32",
        )  # fmt: skip
        return [product, *[self._joined(s, 1, values, gpu, most)] * behind]

    def _launches(
        self, s: Sides, values: Mapping[str, int], gpu: Gpu, most: int
    ) -> list[GpuLaunch]:
        form, (parts, chunk) = s.form, s.parts()
        _check_sizes(s, parts)
        cut = parts > 1
        kept, batch = self.out.dtype.compute.size, s.batch * parts
        tile = gpu_tiles(kept)[-1]  # equal code has equal keys
        if form == "tile":
            tensor = self.tensor_cores and self.out.dtype.name in TENSOR_TYPES
            vectors = (s.a.vector, s.b.vector)
            tile = gpu_tile(batch, s.m, s.n, kept, gpu, most, tensor, vectors)
        product = GpuProduct(
            self.out.dtype, s.a, s.b, tile, tuple(name for name, _ in s.sizes), cut,
            () if cut else s.place, 0 if cut else s.place_start,
        )  # fmt: skip
        count = [batch * s.m * s.n] * (form != "tile")
        numbers = [s.m, s.n, s.k, *[chunk, parts] * cut, *(v for _, v in s.sizes), *count]
        sizes: list[Argument] = [("int", number) for number in numbers]
        tail = [("scratch", 0), *sizes] if cut else self._tail(values, sizes)
        if form == "tile":
            blocks, threads = batch * tile.blocks(s.m, s.n), tile.threads
        else:
            threads = min(ROWS_BLOCK, most)
            blocks = _blocks(count[0], threads // (WARP if form == "rows" else 1), gpu)
        first = GpuLaunch(
            form, product, None if cut else self.behind_element, blocks, threads,
            (("read", 0), ("read", 1), *tail),
        )  # fmt: skip
        return [first, self._joined(s, parts, values, gpu, most)] if cut else [first]

    def _joined(
        self, s: Sides, parts: int, values: Mapping[str, int], gpu: Gpu, most: int
    ) -> GpuLaunch:
        """The second step of a sum that was cut."""
        dtype, count = self.out.dtype, s.batch * s.m * s.n
        nothing = Operand(dtype, (), ())
        product = GpuProduct(
            dtype, nothing, nothing, gpu_tiles(4)[-1], place=s.place, place_start=s.place_start
        )
        sizes: list[Argument] = [("int", size) for size in (s.m, s.n, parts, count)]
        arguments = (("scratch", 0), *self._tail(values, sizes))
        threads = min(PARTS_BLOCK, most)
        blocks = _blocks(count, threads, gpu)
        return GpuLaunch("parts", product, self.behind_element, blocks, threads, arguments)

    def _tail(self, values: Mapping[str, int], sizes: list[Argument]) -> list[Argument]:
        """What follows the operands: a finish's inputs, outputs, sizes, its dimensions, status."""
        finish = self.behind_element
        if finish is None:
            return [("write", 0), *sizes]
        reads = [("read", 2 + n) for n in range(len(finish.inputs))]
        writes = [("write", n) for n in range(len(finish.kernel.outputs))]
        dims = [("int", evaluate(d, values)) for d in finish.sizes]
        status = [("status", 0)] * finish.kernel.flags
        return [*reads, *writes, *sizes, *dims, *status]


def _check_sizes(s: Sides, parts: int) -> None:
    """Kernels divide in 32 bits."""
    count = 2 * s.batch * parts * s.m * s.n
    if s.form == "tile":
        count = s.batch * parts * gpu_tiles(4)[-1].blocks(s.m, s.n)
    if max(s.m, s.n, s.k, count) >= 1 << 31:
        raise ResourceExhaustedError(
            f"{s.batch} products of {s.m} x {s.k} and {s.k} x {s.n} elements are too many for a "
            "GPU's kernel: 2**31 positions at most"
        )


def _blocks(items: int, each: int, gpu: Gpu) -> int:
    """Blocks of a kernel that goes through items, so many a block at a time."""
    return min(-(-items // each), gpu.sms * _RESIDENT_BLOCKS)
