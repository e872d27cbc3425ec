"""Matrices turned in registers, as LLVM IR.

Lives here: turn_ir. Not here: which transposes use it (fusion/turn.py), the step (runtime/turn.py).

A tile of one 64-byte vector in both directions is read by rows, turned by log2 rounds of shuffles,
and written by rows: every line of memory is touched once, as a whole; large results go past the
caches. Blocks of tiles keep the number of pages small. At the edges, loads and stores are masked.
"""

from __future__ import annotations

from collections.abc import Sequence

LINE = 64  # bytes of a row of a tile
BLOCK = 8  # tiles in each direction of a block

_MAIN = """define void @{name}(ptr %args, i64 %lo, i64 %hi) nounwind {{
entry:
{slots}
  %place = ptrtoint ptr %target to i64
  %row.bytes = mul i64 %rows, {size}
  %places = or i64 %place, %row.bytes
  %offset = and i64 %places, 63
  %aligned = icmp eq i64 %offset, 0
  %wanted = icmp ne i64 %large, 0
  %stream = and i1 %aligned, %wanted
  %each = mul i64 %down, %across
  %matrix = mul i64 %rows, %columns
  br label %head
head:
  %t = phi i64 [%lo, %entry], [%t1, %next]
  %more = icmp slt i64 %t, %hi
  br i1 %more, label %block, label %exit
block:
  %number = udiv i64 %t, %each
  %rest = urem i64 %t, %each
  %y = udiv i64 %rest, %across
  %x = urem i64 %rest, %across
  %start = mul i64 %number, %matrix
  %from = getelementptr {type}, ptr %source, i64 %start
  %to = getelementptr {type}, ptr %target, i64 %start
  %p0 = mul i64 %y, {side}
  %p.end = add i64 %p0, {side}
  %p.stop = call i64 @llvm.smin.i64(i64 %p.end, i64 %rows)
  %q0 = mul i64 %x, {side}
  %q.end = add i64 %q0, {side}
  %q.stop = call i64 @llvm.smin.i64(i64 %q.end, i64 %columns)
  %t1 = add i64 %t, 1
  br label %outer
outer:
  %q = phi i64 [%q0, %block], [%q1, %outer.next]
  %q.more = icmp slt i64 %q, %q.stop
  br i1 %q.more, label %inner, label %next
inner:
  %p = phi i64 [%p0, %outer], [%p1, %inner.next]
  %p.more = icmp slt i64 %p, %p.stop
  br i1 %p.more, label %tile, label %outer.next
tile:
  %p.left = sub i64 %rows, %p
  %q.left = sub i64 %columns, %q
  %p.full = icmp sge i64 %p.left, {lanes}
  %q.full = icmp sge i64 %q.left, {lanes}
  %full = and i1 %p.full, %q.full
  %read.row = mul i64 %p, %columns
  %read.at = add i64 %read.row, %q
  %read = getelementptr {type}, ptr %from, i64 %read.at
  %write.row = mul i64 %q, %rows
  %write.at = add i64 %write.row, %p
  %write = getelementptr {type}, ptr %to, i64 %write.at
{addresses}
  br i1 %full, label %whole, label %part
whole:
{whole}
  br label %turn
part:
{part}
  br label %turn
turn:
{turn}
  br i1 %full, label %unmasked, label %masked
unmasked:
  br i1 %stream, label %past, label %near
past:
{past}
  br label %inner.next
near:
{near}
  br label %inner.next
masked:
{masked}
  br label %inner.next
inner.next:
  %p1 = add i64 %p, {lanes}
  br label %inner
outer.next:
  %q1 = add i64 %q, {lanes}
  br label %outer
next:
  br label %head
exit:
  br i1 %stream, label %ordered, label %done
ordered:
  fence seq_cst
  br label %done
done:
  ret void
}}
!0 = !{{i32 1}}
declare i64 @llvm.smin.i64(i64, i64)
declare {vector} @llvm.masked.load.{suffix}.p0(ptr, i32, <{lanes} x i1>, {vector})
declare void @llvm.masked.store.{suffix}.p0({vector}, ptr, i32, <{lanes} x i1>)
"""


_SLOTS = (
    ("ptr", "%source"), ("ptr", "%target"), ("i64", "%rows"), ("i64", "%columns"),
    ("i64", "%down"), ("i64", "%across"), ("i64", "%large"),
)  # fmt: skip


def turn_ir(name: str, size: int) -> str:
    """`void name(ptr args, i64 lo, i64 hi)` for elements of 4 or 8 bytes.

    Slots: source, target, rows, columns, blocks down, blocks across a matrix, whether the result is
    large; [lo, hi) of blocks.
    """
    from graphc.render.tile_writer import unpacked  # a step that is in the cache prints nothing

    lanes = LINE // size
    kind = f"i{8 * size}"
    tile = _Tile(kind, lanes)
    return _MAIN.format(
        slots="\n".join(unpacked(_SLOTS)),
        name=name, type=kind, lanes=lanes, side=side(size), vector=tile.vector, size=size,
        suffix=tile.suffix, addresses=tile.addresses(), whole=tile.whole(), part=tile.part(),
        turn=tile.turn(), past=tile.stores(f"align {LINE}, !nontemporal !0"),
        near=tile.stores(f"align {size}"), masked=tile.masked_stores(),
    )  # fmt: skip


def side(size: int) -> int:
    """Rows, and columns, of a block."""
    return BLOCK * LINE // size


class _Tile:
    """The instructions of one tile."""

    def __init__(self, kind: str, lanes: int) -> None:
        self.kind = kind
        self.lanes = lanes
        self.vector = f"<{lanes} x {kind}>"
        self.mask = f"<{lanes} x i1>"
        self.size = int(kind[1:]) // 8
        self.suffix = f"v{lanes}{kind}"

    def addresses(self) -> str:
        """%r of the rows read, %s of those written; rows behind the last are read as that one."""
        lines = ["%r0 = getelementptr i8, ptr %read, i64 0",
                 "%s0 = getelementptr i8, ptr %write, i64 0"]  # fmt: skip
        for k in range(1, self.lanes):
            lines += [
                f"%k{k} = icmp slt i64 {k}, %p.left",
                f"%c{k} = select i1 %k{k}, i64 %columns, i64 0",
                f"%r{k} = getelementptr {self.kind}, ptr %r{k - 1}, i64 %c{k}",
                f"%s{k} = getelementptr {self.kind}, ptr %s{k - 1}, i64 %rows",
            ]
        return _indented(lines)

    def whole(self) -> str:
        return _indented(
            [f"%w{k} = load {self.vector}, ptr %r{k}, align {self.size}" for k in range(self.lanes)]
        )

    def part(self) -> str:
        """Loads of the columns that there are."""
        lines = [*self._below("%q.left", "%q.mask"), *self._below("%p.left", "%p.mask")]
        for k in range(self.lanes):
            lines.append(
                f"%e{k} = call {self.vector} @llvm.masked.load.{self.suffix}.p0(ptr %r{k},"
                f" i32 {self.size}, {self.mask} %q.mask, {self.vector} zeroinitializer)"
            )
        return _indented(lines)

    def turn(self) -> str:
        """Rounds of exchanges between rows k and k + step, of the lanes where l & step differs."""
        lines = []
        for k in range(self.lanes):
            lines.append(f"%l{k} = phi {self.vector} [ %w{k}, %whole ], [ %e{k}, %part ]")
        none = "zeroinitializer"
        lines.append(f"%allowed = phi {self.mask} [ {none}, %whole ], [ %p.mask, %part ]")
        rows = [f"%l{k}" for k in range(self.lanes)]
        step = self.lanes // 2
        while step:
            new = list(rows)
            for k in (k for k in range(self.lanes) if not k & step):
                low = [n if not n & step else self.lanes + n - step for n in range(self.lanes)]
                high = [n + step if not n & step else self.lanes + n for n in range(self.lanes)]
                for place, order in ((k, low), (k + step, high)):
                    new[place] = f"%t{step}.{place}"
                    lines.append(self._shuffle(new[place], rows[k], rows[k + step], order))
            rows = new
            step //= 2
        return _indented(lines)

    def stores(self, how: str) -> str:
        return _indented(
            [f"store {self.vector} %t1.{k}, ptr %s{k}, {how}" for k in range(self.lanes)]
        )

    def masked_stores(self) -> str:
        """What lies outside of the matrix is not written."""
        lines = []
        for k in range(self.lanes):
            lines += [
                f"%in{k} = icmp sgt i64 %q.left, {k}",
                f"%m{k} = select i1 %in{k}, {self.mask} %allowed, {self.mask} zeroinitializer",
                f"call void @llvm.masked.store.{self.suffix}.p0({self.vector} %t1.{k}, ptr %s{k},"
                f" i32 {self.size}, {self.mask} %m{k})",
            ]
        return _indented(lines)

    def _below(self, limit: str, name: str) -> list[str]:
        """The mask of lanes below a limit."""
        wide = f"<{self.lanes} x i64>"
        order = ", ".join(f"i64 {k}" for k in range(self.lanes))
        return [
            f"{name}.one = insertelement {wide} poison, i64 {limit}, i64 0",
            f"{name}.all = shufflevector {wide} {name}.one, {wide} poison,"
            f" <{self.lanes} x i32> zeroinitializer",
            f"{name} = icmp sgt {wide} {name}.all, <{order}>",
        ]

    def _shuffle(self, name: str, a: str, b: str, order: Sequence[int]) -> str:
        lanes = ", ".join(f"i32 {n}" for n in order)
        pair = f"{self.vector} {a}, {self.vector} {b}"
        return f"{name} = shufflevector {pair}, <{self.lanes} x i32> <{lanes}>"


def _indented(lines: Sequence[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)
