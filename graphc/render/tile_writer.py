"""Tiles as LLVM IR: loops that carry vectors, broadcasts, masked accesses, whole functions.

Lives here: TileWriter, function texts. Not here: what a tile computes (render/tile_*.py), the
expressions behind it (render/tile_finish.py). Only render/tile_*.py import it.

Integers are Python ints where they are known and names of i64 values where not; arithmetic on
known ones is done here, so that one template serves static and run-time extents.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphc.ir.dtypes import DType
from graphc.render.vector_scope import Lines, Writer
from graphc.render.vector_types import iota_text, scalar_type, suffix, vector_type

Index = int | str
Carried = list[str]
CODE_LINE = 64  # bytes of instructions that are fetched together
LoopBody = Callable[[str, Carried], Carried | None]


class TileWriter(Writer):
    """Prints the body of one function of a tile.

    Attributes:
        scalar, vector, mask_type: LLVM types of an element, a vector, the mask of a vector.
        lanes: elements of a vector. fma: whether the target multiplies and adds in one.
    """

    def __init__(self, dtype: DType, lanes: int, fma: bool = True) -> None:
        super().__init__()
        self.dtype = dtype
        self.lanes = lanes
        self.fused = fma
        self.scalar = scalar_type(dtype)
        self.vector = vector_type(self.scalar, lanes)
        self.mask_type = vector_type("i1", lanes)
        self.suffix = suffix(self.scalar, lanes)
        self.aligned_loops = 0

    # -------------------------------------------------------------- integers
    def add(self, a: Index, b: Index) -> Index:
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        if a == 0 or b == 0:
            return b if a == 0 else a
        return self.op(f"add nsw i64 {a}, {b}")

    def sub(self, a: Index, b: Index) -> Index:
        if isinstance(a, int) and isinstance(b, int):
            return a - b
        return a if b == 0 else self.op(f"sub nsw i64 {a}, {b}")

    def mul(self, a: Index, b: Index) -> Index:
        if isinstance(a, int) and isinstance(b, int):
            return a * b
        if a == 0 or b == 0:
            return 0
        if a == 1 or b == 1:
            return b if a == 1 else a
        return self.op(f"mul nsw i64 {a}, {b}")

    def div(self, a: Index, b: Index) -> Index:
        """The floor of a / b, neither negative."""
        if isinstance(a, int) and isinstance(b, int):
            return a // b
        return a if b == 1 else self.op(f"udiv i64 {a}, {b}")

    def ceil_div(self, a: Index, b: int) -> Index:
        return self.div(self.add(a, b - 1), b)

    def least(self, a: Index, b: Index) -> Index:
        if isinstance(a, int) and isinstance(b, int):
            return min(a, b)
        return self.call("llvm.smin.i64", "i64", [f"i64 {a}", f"i64 {b}"])

    def largest(self, a: Index, b: Index) -> Index:
        if isinstance(a, int) and isinstance(b, int):
            return max(a, b)
        return self.call("llvm.smax.i64", "i64", [f"i64 {a}", f"i64 {b}"])

    def opaque(self, a: Index) -> Index:
        """The same number, of which LLVM knows nothing: for addresses in the innermost loops.

        LLVM's strength reduction takes most of a tile's compile time (30 of 45 ms for a convolution
        with borders) and finds nothing better than one counter and constant offsets. Two addresses
        of one counter need two of these: else the first is computed in the register of the second.
        """
        return a if isinstance(a, int) else self.op(f'call i64 asm "", "=r,0"(i64 {a})')

    # -------------------------------------------------------------- control
    def loop(
        self, lo: Index, hi: Index, step: int, body: LoopBody, carried: Sequence[str] = ()
    ) -> Carried:
        """for i in range(lo, hi, step): vectors = body(i, vectors); the last vectors.

        A loop that is known to run is entered without a test.
        """
        runs = isinstance(lo, int) and isinstance(hi, int) and lo < hi
        if isinstance(lo, int) and isinstance(hi, int) and not runs:
            return list(carried)
        enter, head, done = self.name("enter"), self.name("loop"), self.name("done")
        origin = self.block
        if runs:
            self.put(f"br label %{enter}")
        else:
            some = self.op(f"icmp slt i64 {lo}, {hi}")
            self.put(f"br i1 {some}, label %{enter}, label %{done}")
        self.label(enter)
        self.put(f"br label %{head}")
        self.label(head)
        index, names = f"%{self.name('i')}", [f"%{self.name('c')}" for _ in carried]
        heads: Lines = []
        self.lines_here().append(heads)
        last = body(index, names) or []
        after = self.op(f"add nsw i64 {index}, {step}")
        again = self.op(f"icmp slt i64 {after}, {hi}")
        latch = self.block
        self.put(f"br i1 {again}, label %{head}, label %{done}{self.aligned() if carried else ''}")
        heads.append(f"  {index} = phi i64 [ {lo}, %{enter} ], [ {after}, %{latch} ]")
        for name, first, final in zip(names, carried, last, strict=True):
            heads.append(
                f"  {name} = phi {self.vector} [ {first}, %{enter} ], [ {final}, %{latch} ]"
            )
        self.label(done)
        if runs:
            return last
        return [
            self.op(f"phi {self.vector} [ {first}, %{origin} ], [ {final}, %{latch} ]")
            for first, final in zip(carried, last, strict=True)
        ]

    def aligned(self) -> str:
        """What stands behind the jump back of a loop that begins on a cache line.

        Loops of multiply-adds ran up to a quarter slower where they began elsewhere.
        """
        self.aligned_loops += 1
        return f", !llvm.loop !{self.aligned_loops}"

    def metadata(self) -> list[str]:
        """The lines of a module that say what `aligned` refers to."""
        if not self.aligned_loops:
            return []
        loops = [
            f"!{n} = distinct !{{!{n}, !0}}" for n in range(1, self.aligned_loops + 1)
        ]
        return [f'!0 = !{{!"llvm.loop.align", i32 {CODE_LINE}}}', *loops]

    def when(self, word: str, a: Index, b: Index, body: Callable[[], None]) -> None:
        """if a <word> b: body(). word: slt, sle, eq, ne, ..."""
        if isinstance(a, int) and isinstance(b, int):
            if _KNOWN[word](a, b):
                body()
            return
        inside, done = self.name("then"), self.name("done")
        cond = self.op(f"icmp {word} i64 {a}, {b}")
        self.put(f"br i1 {cond}, label %{inside}, label %{done}")
        self.label(inside)
        body()
        self.put(f"br label %{done}")
        self.label(done)

    # -------------------------------------------------------------- memory
    def at(self, base: str, offset: Index, kind: str = "") -> str:
        """The address `offset` elements (of the type `kind`) behind another."""
        if offset == 0:
            return base
        return self.op(f"getelementptr {kind or self.scalar}, ptr {base}, i64 {offset}")

    def mask(self, count: Index) -> str:
        """The mask of the first `count` lanes."""
        kind = vector_type("i64", self.lanes)
        one = self.op(f"insertelement {kind} poison, i64 {count}, i64 0")
        wide = self.op(
            f"shufflevector {kind} {one}, {kind} poison, <{self.lanes} x i32> zeroinitializer"
        )
        return self.op(f"icmp slt {kind} {iota_text(self.lanes)}, {wide}")

    def load(self, pointer: str, mask: str | None = None) -> str:
        """A vector; zeros where the mask is not set."""
        if mask is None:
            return self.op(f"load {self.vector}, ptr {pointer}, align {self.dtype.size}")
        args = [
            f"ptr {pointer}", f"i32 {self.dtype.size}", f"{self.mask_type} {mask}",
            f"{self.vector} zeroinitializer",
        ]  # fmt: skip
        return self.call(f"llvm.masked.load.{self.suffix}.p0", self.vector, args)

    def store(self, value: str, pointer: str, mask: str | None = None) -> None:
        if mask is None:
            self.put(f"store {self.vector} {value}, ptr {pointer}, align {self.dtype.size}")
            return
        self.call_void(
            f"llvm.masked.store.{self.suffix}.p0",
            f"{self.vector} {value}", f"ptr {pointer}", f"i32 {self.dtype.size}",
            f"{self.mask_type} {mask}",
        )  # fmt: skip

    def prefetch(self, pointer: str, written: bool = False, nearest: bool = True) -> None:
        """Ask for a cache line that is read (or written) soon, or into the second cache."""
        kind, place = f"i32 {int(written)}", f"i32 {3 if nearest else 2}"
        self.call_void("llvm.prefetch.p0", f"ptr {pointer}", kind, place, "i32 1")

    def broadcast(self, pointer: str) -> str:
        """One element in all lanes."""
        one = self.op(f"load {self.scalar}, ptr {pointer}, align {self.dtype.size}")
        return self.spread(one)

    def spread(self, scalar: str) -> str:
        """A scalar in all lanes."""
        kind = self.vector
        first = self.op(f"insertelement {kind} poison, {self.scalar} {scalar}, i64 0")
        return self.op(
            f"shufflevector {kind} {first}, {kind} poison, <{self.lanes} x i32> zeroinitializer"
        )

    def scratch(self, elements: int) -> str:
        """Memory of the function's own, aligned to cache lines; only in its first block."""
        return self.op(f"alloca [{elements} x {self.scalar}], align 64")

    # -------------------------------------------------------------- arithmetic
    def fma(self, a: str, b: str, c: str) -> str:
        """a * b + c, rounded once where the target can."""
        if self.fused:
            args = [f"{self.vector} {x}" for x in (a, b, c)]
            return self.call(f"llvm.fma.{self.suffix}", self.vector, args)
        product = self.op(f"fmul {self.vector} {a}, {b}")
        return self.op(f"fadd {self.vector} {product}, {c}")

    def zeros(self, count: int) -> Carried:
        return ["zeroinitializer"] * count

    # -------------------------------------------------------------- functions
    def call_void(self, name: str, *args: str, external: bool = True) -> None:
        """Call a function; `external` ones are declared."""
        if external:
            self.declare(name, "void", args)
        self.put(f"call void @{name}({', '.join(args)})")

    def function(self, name: str, params: Sequence[str], internal: bool = True) -> str:
        """The text of `define void @name(params)` with the lines written so far."""
        linkage = "internal " if internal else ""
        lines = [f"define {linkage}void @{name}({', '.join(params)}) nounwind {{", "entry:"]
        lines += flat(self.lines)
        return "\n".join([*lines, "  ret void", "}"])


_KNOWN: dict[str, Callable[[int, int], bool]] = {
    "slt": lambda a, b: a < b,
    "sle": lambda a, b: a <= b,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
}


def flat(lines: Lines) -> list[str]:
    """Nested lists of lines in order."""
    out: list[str] = []
    for item in lines:
        if isinstance(item, str):
            out.append(item)
        else:
            out.extend(flat(item))
    return out


def unpacked(slots: Sequence[tuple[str, str]]) -> list[str]:
    """Lines that load a kernel's argument slots: (type, name) in order."""
    out = []
    for number, (kind, name) in enumerate(slots):
        out.append(f"  {name}.at = getelementptr i64, ptr %args, i64 {number}")
        out.append(f"  {name} = load {kind}, ptr {name}.at, align 8")
    return out


def entry(symbol: str, inner: str, slots: Sequence[tuple[str, str]]) -> str:
    """`define void @symbol(ptr args, i64 lo, i64 hi)`, which unpacks its slots for `inner`."""
    args = ", ".join([*(f"{kind} {name}" for kind, name in slots), "i64 %lo", "i64 %hi"])
    lines = [
        f"define void @{symbol}(ptr %args, i64 %lo, i64 %hi) nounwind {{", "entry:",
        *unpacked(slots), f"  call void @{inner}({args})", "  ret void", "}",
    ]  # fmt: skip
    return "\n".join(lines)
