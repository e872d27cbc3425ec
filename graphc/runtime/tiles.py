"""Steps that are tiles: products of matrices by generated code, with the group behind them.

Lives here: TileCall, PackCall, which products they take. Not here: blocks (kernel/tiles), printing
(render/tile_*.py), which groups stand behind a product (fusion/anchors.py). The scheduler imports
this module.

Argument slots of a tile: A, B (or its panels), what the finish reads, what is written, the sizes
that only the run knows, the finish's dimensions; with a prologue B and what that reads instead of A
and B. Of a pack: B, the panels, its sizes.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from graphc.config import Config
from graphc.ir.node import Node, Tensor
from graphc.ir.shape import Dim, evaluate
from graphc.kernel.tiles.finish import Place
from graphc.kernel.tiles.gemm import PACKED_BYTES, GemmTile, gemm_tile
from graphc.kernel.tiles.machine import Machine
from graphc.kernel.tiles.pack import PackSpec
from graphc.runtime import blas, cache, codegen, jit
from graphc.runtime.extern import GemmCall
from graphc.runtime.finishing import Finishing
from graphc.runtime.prologue import Prologue, fits

FEW_FLOPS = 1 << 17  # below this a product is no work, and BLAS needs no compilation
LONG_SUM, LARGE_BYTES = 2560, 1 << 23  # of A from which on BLAS is ahead
FLOPS_ALONE = 1 << 18  # below this one thread is faster than two
PACKING_ALONE_NS = 1e4
FLOPS_PIECE = 1 << 26  # pieces of larger products are of this size
MAX_PIECES = 8
FLOPS_PER_NS = 200.0
# the second cache; a power of two of columns leaves few of its sets to a panel of B
CACHE_LINE, CACHE_SETS, CACHE_WAYS = 64, 1024, 16
LEAVES_CACHE = 1 << 21  # bytes of B
MANY_ROWS = 32
FEW_ROWS = 8
FEW_COLUMNS = 64  # a few panels: A is walked through a few times in any case


@functools.cache
def machine() -> Machine:
    """The processor at hand, as tiles see it."""
    return machine_of(jit.host_target())


def machine_of(target: jit.Target) -> Machine:
    many = target.vector_bytes == 64 or target.triple.startswith(("aarch64", "arm64"))
    return Machine(target.vector_bytes, 32 if many else 16, target.has_fma)


@dataclass(frozen=True)
class PackCall:
    """The step that writes B into panels."""

    spec: PackSpec
    batch: Dim
    n: int
    k: Dim
    kind = "pack"
    may_fail = False
    named = True  # equal names are equal code

    @property
    def kernel_name(self) -> str:
        return f"pack_{self.spec.key}"

    def ir(self) -> str:
        from graphc.render.tile_pack import PackPrinter

        return PackPrinter(self.spec).module(self.kernel_name)

    @property
    def elements(self) -> Dim:
        """Of all panels."""
        return self.k * (self.batch * (-(-self.n // self.spec.columns) * self.spec.columns))

    def slots(self, values: Mapping[str, int]) -> list[int]:
        return [] if self.spec.k is not None else [evaluate(self.k, values)]

    def extent(self, values: Mapping[str, int]) -> int:
        return evaluate(self.batch, values) * -(-self.n // self.spec.columns)

    def chunk(self, values: Mapping[str, int]) -> int:
        alone = self.nanoseconds(values) < PACKING_ALONE_NS
        return 0 if alone else -(-self.extent(values) // 2)

    def nanoseconds(self, values: Mapping[str, int]) -> float:
        return evaluate(self.elements, values) * self.spec.dtype.size / 20.0


@dataclass(frozen=True)
class TileCall(Finishing):
    """One product as tiles.

    product: what BLAS would be called with. pack: the step that packs B for several products;
    mostly tasks pack what they need themselves. alone: each product of the batch is run by itself.
    kept: the panels are the session's, which packs them when the weights have changed. prologue:
    what makes the rows of A, for a block of them at a time.
    """

    product: GemmCall
    spec: GemmTile
    pack: PackCall | None = None
    alone: bool = False
    kept: bool = False
    prologue: Prologue | None = None
    takes_finish = True

    @property
    def node(self) -> Node:
        return self.product.node

    @property
    def takes_prologue(self) -> bool:
        """Whether its tasks can make the rows of A."""
        return fits(self.product, self.spec)

    def led_by(self, prologue: Prologue) -> TileCall:
        """The call with a prologue: tasks are rows, so that B is packed in front of all."""
        product, spec = self.product, self.spec
        packing = "given" if spec.packing else ""
        spec = replace(spec, packing=packing, by_columns=False, group=1, row_group=1)
        pack = self.pack
        if packing and pack is None:
            pack = pack_of(product, spec)
        return replace(self, spec=spec, pack=pack, prologue=prologue)

    @property
    def packing(self) -> bool:
        """Whether its tasks need memory: for panels that they pack, rows that they make."""
        return self.spec.packs or self.prologue is not None

    @property
    def panels(self) -> Dim:
        """Elements of memory for what is packed or made, a part for each piece."""
        if self.prologue is not None:
            rows = self.prologue.tiles * self.spec.tile.rows
            return self.product.k * (rows * MAX_PIECES)
        return self.product.k * (self.spec.packed_step * MAX_PIECES)

    @functools.cached_property
    def kernel_name(self) -> str:
        """The content of the code: equal names are equal code."""
        name = f"tile_{self.spec.key}"
        if self.prologue is not None:
            kernel = self.prologue.kernel.key()
            key = cache.content_key("prologue", kernel, str(self.prologue.tiles))
            name = f"{name}_{key[:16]}"
        if self.finish is None:
            return name
        key = cache.content_key("finish", self.finish.key(), str(self.spec.tile))
        return f"{name}_{key[:16]}"

    @property
    def name(self) -> str:
        """What people read."""
        return "matmul"

    @property
    def out(self) -> Tensor:
        return self.product.out

    @property
    def operands(self) -> tuple[Tensor, ...]:
        return (self.product.a, self.product.b)

    @property
    def columns(self) -> int:
        """Of the memory that holds a tile."""
        return self.spec.tile.columns

    def place(self, dims: tuple[Dim, ...]) -> Place:
        """Where tiles lie in the product, or in a view of it of these dimensions."""
        return Place(dims, self.product.batched)

    def ir(self) -> str:
        from graphc.render.tile_gemm import GemmPrinter

        finish = self.behind(self.kernel_name)
        rows = None if self.prologue is None else self.prologue.printed(self.kernel_name)
        return GemmPrinter(self.spec, machine().fma, finish, rows).module(self.kernel_name)

    def slots(self, values: Mapping[str, int]) -> list[int]:
        """The int64 arguments behind the storages."""
        p, s = self.product, self.spec
        known = ((s.m, p.m), (s.n, p.n), (s.k, p.k))
        sizes = [evaluate(d, values) for given, d in known if given is None]
        if self.packing:
            sizes.append(self._piece(values))
        if s.window is not None:
            sizes += [0] * len(s.window.names)  # the walk of a chain puts them in
        if self.prologue is not None:
            sizes += self.prologue.slots(values)
        return sizes + self.finish_slots(values)

    def extent(self, values: Mapping[str, int]) -> int:
        p = self.product
        batch, m, n = (evaluate(d, values) for d in (p.batch, p.m, p.n))
        return self.spec.tasks(batch, m, n)

    def chunk(self, values: Mapping[str, int]) -> int:
        """Tasks of a piece, by the size of the product alone; 0 for one piece."""
        flops, extent = self._flops(values), self.extent(values)
        if flops < FLOPS_ALONE or extent < 2:
            return 0
        pieces = min(max(2, 2 * round(flops / FLOPS_PIECE / 2)), MAX_PIECES)
        return -(-extent // pieces)

    def _piece(self, values: Mapping[str, int]) -> int:
        """Tasks that share the memory for what they pack."""
        if self.alone:
            m, n = (evaluate(d, values) for d in (self.product.m, self.product.n))
            return self.spec.tasks(1, m, n)
        return self.chunk(values) or max(self.extent(values), 1)

    def nanoseconds(self, values: Mapping[str, int]) -> float:
        return self._flops(values) / FLOPS_PER_NS

    def _flops(self, values: Mapping[str, int]) -> float:
        p = self.product
        return 2.0 * math.prod(evaluate(d, values) for d in (p.batch, p.m, p.n, p.k))


@functools.cache
def _known(dim: Dim) -> int | None:
    return dim if isinstance(dim, int) else None


def tile_call(
    product: GemmCall, config: Config, hints: Mapping[str, int], shared: bool = False,
    kept: bool = False,
) -> TileCall | None:  # fmt: skip
    """The product as tiles, or None where BLAS takes it.

    shared: other products of the same sizes read the same B, as the steps of a recurrence do.
    kept: B is the same in many runs.
    """
    if config.codegen != "vector":
        return None
    batch, m, n, k = (evaluate(d, hints) for d in (product.batch, product.m, product.n, product.k))
    columns = _known(product.n)
    if columns is None or columns < 2:
        return None
    dtype = product.out.dtype
    small = 2.0 * batch * m * n * k < FEW_FLOPS
    # BLAS cuts k as well, so that it walks through A less often
    few = 2 * FEW_COLUMNS if product.batched else FEW_COLUMNS
    large = k >= LONG_SUM and m * k * dtype.size >= LARGE_BYTES and n > few
    if blas.available() and (small or large):
        return None
    packs = _packs(m, n, k, dtype.size) or (product.trans_a and _packs(n, m, k, dtype.size))
    packing = "turn" if product.trans_b else "copy" if packs else ""
    if packing and m < FEW_ROWS and blas.available():
        return None  # reading B once is all the work
    # panels that cost nothing pay wherever B does not stay in the second cache
    pays = bool(packing) or (m >= FEW_ROWS and n * k * dtype.size > PACKED_BYTES)
    kept = kept and pays and _known(product.k) is not None and not product.batched
    once = kept or (shared and bool(packing) and not product.batched)
    spec = gemm_tile(
        machine(), dtype, (_known(product.m), columns, _known(product.k)), (m, n, k),
        product.trans_a, "given" if once else packing, product.batched,
    )  # fmt: skip
    if not once:
        return TileCall(product, spec)
    return TileCall(product, spec, pack_of(product, spec), kept=kept)


def in_rows(call: TileCall) -> TileCall | None:
    """The same product of a batch with tiles of rows as tasks, behind a step that packs B.

    None where sizes are not known. A finish belongs to one size of tiles, which stays.
    """
    product, spec = call.product, call.spec
    if not spec.packs and not spec.by_columns:
        return call
    sizes = (product.m, product.n, product.k)
    if not all(isinstance(d, int) for d in sizes):
        return None
    m, n, k = (int(d) for d in sizes)  # type: ignore[arg-type]
    if call.finish is None:
        rows = gemm_tile(
            machine(), spec.dtype, (m, n, k), (m, n, k), spec.trans_a, "given", product.batched
        )
    else:
        rows = replace(spec, packing="given", by_columns=False, group=1, row_group=1)
    return replace(call, spec=rows, pack=pack_of(product, rows))


def pack_of(product: GemmCall, spec: GemmTile) -> PackCall:
    """The step that packs B for tiles that are given panels."""
    assert isinstance(product.n, int)
    tile, turned = spec.tile, product.trans_b
    layout = PackSpec(spec.dtype, product.n, spec.k, turned, tile.lanes, tile.vectors)
    return PackCall(layout, product.batch if product.batched else 1, product.n, product.k)


def _packs(m: int, n: int, k: int, itemsize: int) -> bool:
    """Whether panels of (K, N) pay for M rows: the cache cannot hold them where they lie, or they
    come from further away, where rows that lie apart are slow to fetch."""
    lines = n * itemsize / CACHE_LINE
    step = math.gcd(int(lines), CACHE_SETS) if lines.is_integer() else 1
    fits = CACHE_WAYS * CACHE_SETS // step
    if m >= MANY_ROWS and n * k * itemsize >= LEAVES_CACHE:
        return True
    return (k > 2 * fits and m >= MANY_ROWS) or (k >= fits and m >= 16 * MANY_ROWS)


_addresses: dict[str, int] = {}


def address(call: Any) -> int:
    """The compiled code of a call: a tile, a pack, a product by BLAS, rows."""
    if getattr(call, "named", False):
        return compiled([call])[call.kernel_name]
    name = call.kernel_name
    return cache.library(call.ir(), [name], name=name)[name]


def compiled(calls: Iterable[Any]) -> dict[str, int]:
    """The code of named calls, by name. What no cache holds is compiled as one module.

    A plan that needs one of them later finds it alone.
    """
    wanted = {call.kernel_name: call for call in calls}
    new = {name: call for name, call in wanted.items() if name not in _addresses}
    keys = {
        name: cache.library_key(f"{name} {codegen.CODEGEN_VERSION}", name) for name in new
    }
    found = cache.default().get_many(keys.values())
    missing = [name for name, key in keys.items() if key not in found]
    if missing:
        texts = {name: new[name].ir() for name in missing}
        code = jit.compile_ir(list(texts.values()), missing, name=", ".join(missing))
        metas = {keys[name]: {"name": name, "target": jit.target_key()} for name in missing}
        files = {f"{name}.ll": text for name, text in texts.items()}
        symbols = {keys[name]: name for name in missing}
        found |= cache.default().put_module(symbols, code, metas, files)
    places = cache.load(found)
    _addresses.update({name: places[key] for name, key in keys.items()})
    return {name: _addresses[name] for name in wanted}
