"""Hints to fetch the next row while a row is worked on.

Lives here: ahead_of, fetch_ahead. Not here: loops (render/vector_loops.py, the only importer).

A kernel with several loops over a row reads it from memory in the first one, a short stretch that
hardware does not see coming: a row is often one page. The second loop therefore asks for the next
row. Results do not depend on it, and addresses behind a buffer do no harm.
"""

from __future__ import annotations

from graphc.ir.dtypes import int64
from graphc.kernel.expr import Axis, Buffer, Expr, Load, Prim, index, substitute
from graphc.kernel.nest import For
from graphc.kernel.simplify import affine
from graphc.render.vector_emit import Emitter
from graphc.render.vector_types import memory_type

LEAST = 256  # elements of a row
LINE = 64

Ahead = tuple[tuple[Buffer, Expr], ...]


def ahead_of(e: Emitter, rows: For) -> tuple[For, Ahead] | None:
    """The second loop over a row and what it asks for: offsets one row on, in its own axis."""
    loops = [s for s in rows.body if isinstance(s, For)]
    if len(loops) < 2 or any(s.lanes == 1 for s in loops):
        return None
    first, second = loops[0], loops[1]
    extent = second.axis.extent
    if not isinstance(extent, int) or extent < LEAST or first.axis.extent != extent:
        return None
    found: dict[tuple[Buffer, Expr], None] = {}
    for stmt in first.body:
        for node in e.ready.nodes(stmt):
            if isinstance(node, Load) and not node.masked and node.buffer not in e.stored:
                offset = _next_row(node.index[0], rows.axis, first.axis, second.axis)
                if offset is not None:
                    found[node.buffer, offset] = None
    return (second, tuple(found)) if found else None


def _next_row(offset: Expr, row: Axis, element: Axis, other: Axis) -> Expr | None:
    form = affine(offset)
    if form is None or form[0].get(element) != 1 or row not in form[0]:
        return None
    moved = substitute(offset, {element: other})
    return Prim("add", (moved, index(form[0][row])), int64)


def fetch_ahead(e: Emitter, wanted: Ahead) -> None:
    """One hint a line of memory that the vector at hand covers."""
    for buffer, offset in wanted:
        first = e.lane0(offset)
        kind = memory_type(buffer.dtype)
        address = e.op(f"getelementptr {kind}, ptr {e.pointers[buffer]}, {first.typed}")
        for at in range(0, e.lanes * buffer.dtype.size, LINE):
            line = e.op(f"getelementptr i8, ptr {address}, i64 {at}")
            args = [f"ptr {line}", "i32 0", "i32 3", "i32 1"]
            e.declare("llvm.prefetch.p0", "void", args)
            e.put(f"call void @llvm.prefetch.p0({', '.join(args)})")
