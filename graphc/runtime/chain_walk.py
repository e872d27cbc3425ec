"""The compiled walk of a chain: its members run product by product, not one after the other.

Lives here: the record of a chain among a plan's arguments, and the LLVM IR that walks it. Not here:
which steps make a chain (runtime/chains.py), the table (runtime/driver.py). Imports the cache only.

A record is int64 words: [members, patches, words, offset, chunk, blocks, down], then for each
member [function, offset of its arguments, units of a product, units of a block, units from a block
to the next], then for each patch [offset of the slot, bytes of a part, of a product, of a block
down, of a block to the right]. Offsets are in words from the record; `words` of arguments from
`offset` on belong to the members. Every call copies them, so that several threads can walk at once.

Task q is block q % blocks of product q / blocks; `down` of them lie below each other. All members
do it before the next one begins, up to the end of the block or of the product. A patched slot holds
the address of memory with one part for each piece: task q lies in the part of its piece. With no
part and no product it holds a number that grows from block to block.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.runtime import cache
from graphc.runtime.once import once

MEMBERS, PATCHES, WORDS, OFFSET, CHUNK, BLOCKS, DOWN, HEADER = range(8)
MEMBER_WORDS = PATCH_WORDS = 5

_WALK = f"""
define void @graphc_chain(ptr %args, i64 %lo, i64 %hi) {{
entry:
  %members = load i64, ptr %args
  %patches.p = getelementptr i64, ptr %args, i64 {PATCHES}
  %patches = load i64, ptr %patches.p
  %words.p = getelementptr i64, ptr %args, i64 {WORDS}
  %words = load i64, ptr %words.p
  %offset.p = getelementptr i64, ptr %args, i64 {OFFSET}
  %offset = load i64, ptr %offset.p
  %chunk.p = getelementptr i64, ptr %args, i64 {CHUNK}
  %chunk = load i64, ptr %chunk.p
  %piece = sdiv i64 %lo, %chunk
  %blocks.p = getelementptr i64, ptr %args, i64 {BLOCKS}
  %blocks = load i64, ptr %blocks.p
  %down.p = getelementptr i64, ptr %args, i64 {DOWN}
  %down = load i64, ptr %down.p
  %template = getelementptr i64, ptr %args, i64 %offset
  %own = alloca i64, i64 %words, align 16
  %bytes = mul i64 %words, 8
  call void @llvm.memcpy.p0.p0.i64(ptr %own, ptr %template, i64 %bytes, i1 false)
  %records = getelementptr i64, ptr %args, i64 {HEADER}
  %skip = mul i64 %members, {MEMBER_WORDS}
  %changes = getelementptr i64, ptr %records, i64 %skip
  br label %head
head:
  %q = phi i64 [%lo, %entry], [%q1, %done]
  %go = icmp slt i64 %q, %hi
  br i1 %go, label %task, label %exit
task:
  %p = sdiv i64 %q, %blocks
  %b = srem i64 %q, %blocks
  %row = srem i64 %b, %down
  %column = sdiv i64 %b, %down
  br label %patch
patch:
  %c = phi i64 [0, %task], [%c1, %change]
  %some = icmp slt i64 %c, %patches
  br i1 %some, label %change, label %member
change:
  %c1 = add i64 %c, 1
  %c.row = mul i64 %c, {PATCH_WORDS}
  %slot.p = getelementptr i64, ptr %changes, i64 %c.row
  %part.p = getelementptr i64, ptr %slot.p, i64 1
  %step.p = getelementptr i64, ptr %slot.p, i64 2
  %slot.at = load i64, ptr %slot.p
  %slot = sub i64 %slot.at, %offset
  %block.p = getelementptr i64, ptr %slot.p, i64 3
  %part = load i64, ptr %part.p
  %step = load i64, ptr %step.p
  %rows = load i64, ptr %block.p
  %right.p = getelementptr i64, ptr %slot.p, i64 4
  %right = load i64, ptr %right.p
  %given.p = getelementptr i64, ptr %template, i64 %slot
  %given = load i64, ptr %given.p
  %to = mul i64 %piece, %part
  %from = mul i64 %p, %step
  %moved = add i64 %given, %to
  %below = mul i64 %row, %rows
  %beside = mul i64 %column, %right
  %product = sub i64 %moved, %from
  %inside = sub i64 %product, %below
  %address = sub i64 %inside, %beside
  %mine.p = getelementptr i64, ptr %own, i64 %slot
  store i64 %address, ptr %mine.p
  br label %patch
member:
  %m = phi i64 [0, %patch], [%m1, %call]
  %left = icmp slt i64 %m, %members
  br i1 %left, label %call, label %done
call:
  %m1 = add i64 %m, 1
  %m.row = mul i64 %m, {MEMBER_WORDS}
  %fn.p = getelementptr i64, ptr %records, i64 %m.row
  %start.p = getelementptr i64, ptr %fn.p, i64 1
  %units.p = getelementptr i64, ptr %fn.p, i64 2
  %fn = load ptr, ptr %fn.p
  %start.at = load i64, ptr %start.p
  %start = sub i64 %start.at, %offset
  %units = load i64, ptr %units.p
  %its = getelementptr i64, ptr %own, i64 %start
  %each.p = getelementptr i64, ptr %fn.p, i64 3
  %each = load i64, ptr %each.p
  %base = mul i64 %p, %units
  %end = add i64 %base, %units
  %onward.p = getelementptr i64, ptr %fn.p, i64 4
  %onward = load i64, ptr %onward.p
  %ahead = mul i64 %b, %onward
  %first = add i64 %base, %ahead
  %full = add i64 %first, %each
  %last = call i64 @llvm.smin.i64(i64 %full, i64 %end)
  call void %fn(ptr %its, i64 %first, i64 %last)
  br label %member
done:
  %q1 = add i64 %q, 1
  br label %head
exit:
  ret void
}}
declare i64 @llvm.smin.i64(i64, i64)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
"""


@once
def address() -> int:
    """Of the walk, compiled at first use."""
    return cache.library(_WALK, ("graphc_chain",), name="chain")["graphc_chain"]


def record(
    at: int,
    first: int,
    chunk: int,
    blocks: tuple[int, int],
    members: Sequence[tuple[int, int, int, int, int]],
    patches: Sequence[tuple[int, int, int, int, int]],
) -> list[int]:
    """The words of a record.

    Args:
        at, first: where the record and the members' arguments begin among all arguments.
        blocks: of a product, and how many of them lie below each other.
        members: (function, first argument, units of a product, of a block, to the next) of each.
        patches: (argument, bytes of a part, of a product, of a block down, to the right) of each.
    """
    out = [len(members), len(patches), at - first, first - at, max(chunk, 1), *blocks]
    for function, start, *units in members:
        out += [function, start - at, *units]
    for slot, *sizes in patches:
        out += [slot - at, *sizes]
    return out
