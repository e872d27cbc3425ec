"""Tiles of products as numba.cuda source: shared memory, two stages, sums in registers.

Lives here: TilePrinter. Not here: tensor cores (render/cuda_mma.py), sizes of tiles
(kernel/tiles/gpu.py), what becomes of an element (render/cuda_finish.py), compiling
(render/cuda_products.py).

A block computes one tile. Its threads load the next piece of A and B into registers while they sum
over the piece that lies in shared memory, where neighbours along rows of A and columns of B are
neighbours, whatever they are in memory. Finished elements pass through shared memory, so that
neighbouring threads finish and store neighbouring elements.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphc.kernel.tiles.gpu import PAD, VECTOR, GpuProduct, Operand
from graphc.render.cuda_finish import ElementPrinter, GpuFinish, part_of, times
from graphc.render.numba_names import half, storage_name, type_name

_TURN = 8  # k of a turn of the innermost loop
_BAND = 8  # rows of tiles that share columns in the second cache


@dataclass(frozen=True)
class Side:
    """How a block's threads bring one operand into shared memory.

    Attributes:
        name: "a" or "b". extent: rows of A or columns of B in a tile. each: of them a thread's.
        pad: elements behind each k in shared memory, against conflicts of its banks.
    """

    name: str
    operand: Operand
    extent: int
    each: int
    depth: int
    threads: int
    origin: str  # the tile's first row or column
    bound: str  # how many there are
    pad: int

    @property
    def pitch(self) -> int:
        """Elements of shared memory from one k to the next."""
        return self.extent + self.pad

    @property
    def across(self) -> int:
        """Threads side by side along what are neighbours in memory."""
        return (self.depth if self.operand.along else self.extent) // self.operand.vector

    @property
    def step(self) -> int:
        """How far a thread's next load is, in the other direction."""
        return self.threads // self.across

    @property
    def length(self) -> int:
        return self.extent if self.operand.along else self.depth

    @property
    def loads(self) -> int:
        """Of a thread, for one piece."""
        return -(-self.length // self.step)

    @property
    def full(self) -> bool:
        """Whether every load of every thread is of the piece."""
        return self.length % self.step == 0

    @property
    def fragment(self) -> int:
        """Neighbours that a thread sums with: one load from shared memory."""
        widest = VECTOR // self.operand.dtype.compute.size
        return min(self.each, widest)


class TilePrinter(ElementPrinter):
    """Prints the kernel of one product."""

    def __init__(self, product: GpuProduct, finish: GpuFinish | None = None) -> None:
        kept = product.kept if product.partial else product.dtype
        sizes = ("m", "n", "k", *(["chunk", "parts"] * product.partial), *product.sizes)
        super().__init__((product.a.dtype, product.b.dtype), kept, sizes, finish)
        self.product = product
        self.tile = tile = product.tile
        self.kind = type_name(product.kept)
        common = tile.depth, tile.threads
        pad_a, pad_b = self._pads()
        self.sides = (
            Side("a", product.a, tile.rows, tile.row_each, *common, "row0", "m", pad_a),
            Side("b", product.b, tile.columns, tile.column_each, *common, "col0", "n", pad_b),
        )

    def _pads(self) -> tuple[int, int]:
        """Of both sides: what is written transposed needs some."""
        return PAD * self.product.a.along, PAD * self.product.b.along

    def _registers(self) -> tuple[int, int, int]:
        """Of a thread: its sums, and what it holds of both sides to add a product to each."""
        tile = self.tile
        return tile.row_each * tile.column_each, tile.row_each, tile.column_each

    def body(self) -> None:
        """The whole function."""
        self._memory()
        self._place()
        for side in self.sides:
            self._thread(side)
        self._sum()
        self._finish()

    # -------------------------------------------------------------- before the sum
    def _memory(self) -> None:
        tile, kind = self.tile, self.kind
        for side in self.sides:
            size = 2 * tile.depth * side.pitch
            self.emit(f"s{side.name} = cuda.shared.array({size}, {kind}, ALIGN)")
        slab = tile.rows * tile.columns // self._slabs()
        self.emit(f"out = cuda.shared.array({slab}, {storage_name(self.dtype)}, ALIGN)")
        if self.dtype.is_half:
            self.emit(f"bits = cuda.local.array({self.sides[1].fragment}, u16)")
        sums, *held = self._registers()
        self.emit(f"acc = cuda.local.array({sums}, {kind})")
        for side, each in zip(self.sides, held, strict=True):
            self.emit(f"f{side.name} = cuda.local.array({each}, {kind})")
            size, raw = side.loads * side.operand.vector, storage_name(side.operand.dtype)
            self.emit(f"r{side.name} = cuda.local.array({size}, {raw})")

    def _slabs(self) -> int:
        return self.tile.slabs(self.dtype.size)

    def _place(self) -> None:
        """Which tile this block computes: a band of rows goes through all columns."""
        tile, p = self.tile, self.product
        self.emit("t = natural(cuda.threadIdx.x)")
        self.emit("m, n, k = natural(m), natural(n), natural(k)")
        self._share()
        self.emit(f"height = quotient(m + {tile.rows - 1}, {tile.rows})")
        self.emit(f"inner = quotient(n + {tile.columns - 1}, {tile.columns})")
        self.emit("block = natural(cuda.blockIdx.x)")
        self.emit("z = quotient(block, height * inner)")
        self.emit("tile = block - z * height * inner")
        self.emit(f"band = quotient(tile, {_BAND} * inner) * {_BAND}")
        self.emit("tile = tile - band * inner")
        self.emit(f"height = min({_BAND}, height - band)")
        self.emit("column = quotient(tile, height)")
        self.emit(f"row0 = (band + tile - column * height) * {tile.rows}")
        self.emit(f"col0 = column * {tile.columns}")
        part_of(self, p.partial)
        for side in self.sides:
            self._base(side)
        self.emit(f"for i in range({self._registers()[0]}):")
        self.emit(f"    acc[i] = {self.kind}(0)")

    def _share(self) -> None:
        """Which part of the tile is this thread's."""
        across = self.tile.columns // self.tile.column_each
        self.emit(f"tx, ty = t % {across}, t // {across}")

    def _base(self, side: Side) -> None:
        """Where the product's operand begins."""
        x, operand = side.name, side.operand
        terms = [str(operand.start)] * bool(operand.start)
        if operand.batch:
            terms.append(self.decoded(x, (), operand.batch, "s")[0])
        self.emit(f"{x}_z = {' + '.join(terms) or '0'}")

    def _thread(self, side: Side) -> None:
        """What a thread loads of an operand in every piece: what does not change with k."""
        x, v, operand = side.name, side.operand.vector, side.operand
        self.emit(f"{x}_r = t // {side.across}")
        coordinates = range(len(operand.guards))
        if not operand.along:
            self.emit(f"{x}_o = {side.origin} + t % {side.across}{times(v)}")
            at, where = self.decoded(x, operand.guards, operand.outer, f"{x}_o")
            self.emit(f"{x}_at = {x}_z + {at}")
            self.emit(f"{x}_end = last if {x}_o < {side.bound} else natural(0)")
            for n in coordinates:
                self.emit(f"{x}_y{n} = {where[n]} + {operand.guards[n][0]}")
            return
        self.emit(f"{x}_k = t % {side.across}{times(v)}")
        self.emit(f"{x}_at = cuda.local.array({side.loads}, i64)")
        for name in ("end", *(f"y{n}" for n in coordinates)):
            self.emit(f"{x}_{name} = cuda.local.array({side.loads}, i32)")
        self.inside(f"for q in range({side.loads}):")
        self.emit(f"{x}_o = {side.origin} + {x}_r + q * {side.step}")
        at, where = self.decoded(x, operand.guards, operand.outer, f"{x}_o")
        self.emit(f"{x}_at[q] = {x}_z + {at}")
        self.emit(f"{x}_end[q] = last if {x}_o < {side.bound} else natural(0)")
        for n in coordinates:
            self.emit(f"{x}_y{n}[q] = {where[n]} + {operand.guards[n][0]}")
        self.out()

    # -------------------------------------------------------------- the sum
    def _sum(self) -> None:
        depth = self.tile.depth
        self.emit("stage = natural(0)")
        # the first turn only loads, the last one only sums
        self.inside(f"for k0 in range(first - {depth}, last, {depth}):")
        self.emit(f"more = k0 + {depth} < last")
        self.inside("if more:")
        for side in self.sides:
            self._load_piece(side)
        self.out()
        self.inside("if k0 >= first:")
        self._multiply()
        self.out()
        self.emit("other = natural(1 - stage)")
        self.inside("if more:")
        for side in self.sides:
            self._keep_piece(side)
        self.out()
        self.emit("stage = other")
        self.emit("cuda.syncthreads()")
        self.out()

    def _load_piece(self, side: Side) -> None:
        """The next piece of an operand, from memory into registers."""
        x, operand, depth = side.name, side.operand, self.tile.depth
        if operand.along:
            self.emit(f"kk = natural(k0 + {depth} + {x}_k)")
            at, where = self.decoded(x, operand.guards, operand.inner, "kk")
            self.emit(f"{x}_in = {at}")
            self.inside(f"for q in range({side.loads}):")
            end, start = f"{x}_end[q]", f"{x}_at[q] + {x}_in"
            fixed = [f"{x}_y{n}[q]" for n in range(len(where))]
        else:
            self.inside(f"for q in range({side.loads}):")
            self.emit(f"kk = natural(k0 + {depth} + {x}_r + q * {side.step})")
            at, where = self.decoded(x, operand.guards, operand.inner, "kk")
            end, start = f"{x}_end", f"{x}_at + {at}"
            fixed = [f"{x}_y{n}" for n in range(len(where))]
        tests = [f"kk < {end}", *self._piece_tests(side)]
        for n, (moving, (_, size)) in enumerate(zip(where, operand.guards, strict=True)):
            self.emit(f"{x}_c{n} = {fixed[n]} + {moving}")
            tests.append(f"0 <= {x}_c{n} < {size}")
        self._guarded(side, " and ".join(tests), start)
        self.out()

    def _piece_tests(self, side: Side) -> list[str]:
        """Whether a load is of the piece at all, where a block has more threads than that."""
        return [] if side.full else [f"{side.name}_r + q * {side.step} < {side.length}"]

    def _guarded(self, side: Side, test: str, start: str) -> None:
        x, v, raw = side.name, side.operand.vector, storage_name(side.operand.dtype)
        pointer = "b0" if x == "a" else "b1"
        self.emit(f"if {test}:")
        if v == 1:
            self.emit(f"    r{x}[q] = {pointer}[{start}]")
            self.emit("else:")
            self.emit(f"    r{x}[q] = {raw}(0)")
            return
        self.emit(f"    load{v}(r{x}, q * {v}, {pointer}, {start})")
        self.emit("else:")
        self.emit(f"    for u in range({v}):")
        self.emit(f"        r{x}[q * {v} + u] = {raw}(0)")

    def _keep_piece(self, side: Side) -> None:
        """The loaded piece, from registers into the stage that nobody sums over."""
        x, v, operand = side.name, side.operand.vector, side.operand
        base = f"other * {self.tile.depth * side.pitch}"
        self.inside(f"for q in range({side.loads}):")
        tests = self._piece_tests(side)
        if tests:
            self.inside(f"if {tests[0]}:")
        moved = f"{x}_r + q * {side.step}"
        if operand.along:
            at = f"{base} + ({x}_k + u) * {side.pitch} + {moved}"
        else:
            at = f"{base} + ({moved}) * {side.pitch} + t % {side.across}{times(v)} + u"
        loaded = f"r{x}[q * {v} + u]"
        value = self._summed(side, loaded)
        if operand.along or v == 1 or value != loaded:
            self.emit(f"for u in range({v}):")
            self.emit(f"    s{x}[{at}] = {value}")
        else:
            self.emit(f"store{v}(s{x}, {at.removesuffix(' + u')}, r{x}, q * {v})")
        self.out(1 + len(tests))

    def _summed(self, side: Side, value: str) -> str:
        """A loaded value as it is multiplied."""
        dtype = side.operand.dtype
        return f"{half('load', dtype)}({value})" if dtype.is_half else value

    def _multiply(self) -> None:
        """The sums over the piece in shared memory, a few of its k at a turn."""
        tile = self.tile
        self.inside(f"for kk in range(0, {tile.depth}, {_TURN}):")
        for side, thread in zip(self.sides, ("ty", "tx"), strict=True):
            first = f"(stage * {tile.depth} + kk) * {side.pitch}"
            self.emit(f"{side.name}_now = {first} + {thread}{times(side.fragment)}")
        for turn in range(_TURN):
            for side in self.sides:
                self._fragments(side, turn * side.pitch)
            self.emit(f"multiply(acc, fa, fb, {tile.row_each}, {tile.column_each})")
        self.out()

    def _fragments(self, side: Side, offset: int) -> None:
        """A thread's rows or columns of one k, from shared memory into registers."""
        x, width = side.name, side.fragment
        groups = side.each // width
        for group in range(groups):
            at = offset + group * (side.extent // groups)
            place = f"{x}_now + {at}" if at else f"{x}_now"
            if width == 1:
                self.emit(f"f{x}[{group}] = s{x}[{place}]")
            else:
                self.emit(f"load{width}(f{x}, {group * width}, s{x}, {place})")

    # -------------------------------------------------------------- behind the sum
    def _finish(self) -> None:
        """Elements through shared memory, some of the tile's rows at a time."""
        tile, (groups, run) = self.tile, self._runs()
        self.inside(f"for part in range({self._slabs()}):")
        self._to_slab(run)
        self.emit("cuda.syncthreads()")
        self.inside(f"for e in range(t, {groups * run * tile.columns}, {tile.threads}):")
        self.emit(f"u = e // {tile.columns}")
        self.emit(
            f"i = row0 + u // {run} * {tile.rows // groups} + part * {run} + u % {run}"
        )
        self.emit(f"column = col0 + e % {tile.columns}")
        self.inside("if i < m and column < n:")
        self.emit("element = out[e]")
        self.put_at(self.product.place, self.product.place_start)
        self.out(2)
        self.emit("cuda.syncthreads()")
        self.out()

    def _runs(self) -> tuple[int, int]:
        """A slab's rows: so many runs, each of so many neighbouring rows of the tile."""
        groups = self.tile.row_each // self.sides[0].fragment
        return groups, self.tile.rows // groups // self._slabs()

    def _to_slab(self, run: int) -> None:
        """The sums of a slab's threads into shared memory, as they are stored in memory."""
        tile, (a, b) = self.tile, self.sides
        threads = run // a.fragment
        self.inside(f"if ty // {threads} == part:")
        width, each = b.fragment, tile.columns // (tile.column_each // b.fragment)
        self.inside(f"for i in range({tile.row_each}):")
        self.inside(f"for q in range({tile.column_each // width}):")
        row = f"i // {a.fragment} * {run} + ty % {threads} * {a.fragment} + i % {a.fragment}"
        self.emit(f"u = ({row}) * {tile.columns} + q * {each} + tx{times(width)}")
        first = f"i * {tile.column_each} + q{times(width)}"
        if width == 1:
            self.emit(f"out[u] = {self.stored(f'acc[{first}]')}")
        elif self.dtype.is_half:
            self.emit(f"for j in range({width}):")
            self.emit(f"    bits[j] = {self.stored(f'acc[{first} + j]')}")
            self.emit(f"store{width}(out, u, bits, 0)")
        else:
            self.emit(f"store{width}(out, u, acc, {first})")
        self.out(3)
