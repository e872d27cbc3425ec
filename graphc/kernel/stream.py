"""Stores past the caches: what is too large to be read again from them.

Lives here: streamed, with_rows. Not here: how such stores are printed (render/vector_memory.py).
Plans call them last, on kernels that run as a whole over their own extent (not on members of
chains).

An ordinary store first reads the cache line that it writes. An output larger than the last cache
leaves it before anybody can read it, so that a third of the traffic of a copy is for nothing.

Where a kernel keeps values of a row in the output until its last loop (kernel/keep.py), they get a
row of memory of their own: it stays in the first cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from graphc.kernel.expr import Axis, Buffer, Expr, Load, index, postorder, replaced, transform
from graphc.kernel.linear import as_dim, quick_linear
from graphc.kernel.nest import (
    For,
    Kernel,
    Let,
    Stmt,
    Store,
    Update,
    kernel_loads,
    statements,
    stmt_exprs,
)

LARGE_BYTES = 1 << 24  # half of a large last cache
LINE = 64
ROW_BYTES = 1 << 15  # of a row that stays in the first cache


def streamed(kernel: Kernel) -> Kernel:
    """The kernel with its large outputs stored past the caches.

    Only whole vectors that begin on a cache line are: every row of the output must.
    """
    kernel = with_rows(kernel)
    read = {load.buffer for load in kernel_loads(kernel)}
    large = {b for b in kernel.outputs if b not in read and b not in kernel.inputs and _large(b)}
    if not large:
        return kernel
    body = _marked(kernel.body, large, kernel.grain)
    return replace(kernel, body=body)


# ------------------------------------------------------------------ rows that are kept
def with_rows(kernel: Kernel, least: int | None = None) -> Kernel:
    """Outputs that hold a row's values for later loops are written by the last loop alone.

    least: bytes of an output from which on that pays (None: LARGE_BYTES).
    """
    loop = kernel.body[0] if len(kernel.body) == 1 else None
    if not isinstance(loop, For) or loop.kind != "parallel" or loop.lanes > 1:
        return kernel
    for buffer in kernel.outputs:
        kept = buffer in kernel.inputs and _large(buffer, least)
        length = _kept_row(loop, buffer) if kept else 0
        if length:
            row = Buffer(("row", buffer.key), buffer.dtype, (length,), f"row{len(kernel.rows)}")
            loop = replace(loop, body=_in_row(loop, buffer, row))
            kernel = replace(
                kernel,
                inputs=tuple(b for b in kernel.inputs if b != buffer),
                body=(loop,),
                rows=(*kernel.rows, row),
            )
    return kernel


def _kept_row(loop: For, buffer: Buffer) -> int:
    """The length of the row, where a loop fills all of it before anything is read of it."""
    length = buffer.shape[-1]
    touching = [s for s in loop.body if _touches(s, buffer)]
    if not isinstance(length, int) or length * buffer.dtype.size > ROW_BYTES or len(touching) < 2:
        return 0
    if buffer.dtype.is_half or buffer.dtype.kind != "f":
        return 0
    for number, stmt in enumerate(touching):
        if not isinstance(stmt, For) or stmt.axis.extent != length:
            return 0
        if any(isinstance(s, For) for s in stmt.body):
            return 0
        if (as_dim(stmt.lo), as_dim(stmt.hi)) != (0, length):
            return 0
        stores = [s for s in stmt.body if isinstance(s, Store) and s.buffer == buffer]
        wanted = quick_linear(loop.axis * index(length) + stmt.axis)
        if any(quick_linear(o) != wanted for o in _offsets(stmt, buffer)):
            return 0
        first, last = number == 0, stmt is touching[-1]
        if len(stores) != int(first or last) or (first and _loads_of(stmt, buffer)):
            return 0
    return length


def _touches(stmt: Stmt, buffer: Buffer) -> bool:
    return any(
        (isinstance(s, Store) and s.buffer == buffer) or _own_loads(s, buffer)
        for s in statements((stmt,))
    )


def _own_loads(stmt: Stmt, buffer: Buffer) -> list[Load]:
    nodes = postorder(*stmt_exprs(stmt))
    return [n for n in nodes if isinstance(n, Load) and n.buffer == buffer]


def _loads_of(loop: For, buffer: Buffer) -> list[Load]:
    return [n for s in statements((loop,)) for n in _own_loads(s, buffer)]


def _offsets(loop: For, buffer: Buffer) -> list[Expr]:
    """Where the loop reads and writes the buffer."""
    stores = [s for s in statements((loop,)) if isinstance(s, Store) and s.buffer == buffer]
    return [s.offset for s in stores] + [n.index[0] for n in _loads_of(loop, buffer)]


def _in_row(loop: For, buffer: Buffer, row: Buffer) -> tuple[Stmt, ...]:
    """The loop's body with all but the last loop's stores, and all loads, on the row."""
    last = [s for s in loop.body if _touches(s, buffer)][-1]
    out: list[Stmt] = []
    for stmt in loop.body:
        if isinstance(stmt, For) and _touches(stmt, buffer):
            stmt = replace(stmt, body=_moved(stmt, buffer, row, stmt is not last))
        out.append(stmt)
    return tuple(out)


def _moved(loop: For, buffer: Buffer, row: Buffer, stores: bool) -> tuple[Stmt, ...]:
    def load(node: Expr, args: tuple[Expr, ...]) -> Expr:
        if isinstance(node, Load) and node.buffer == buffer:
            return Load(row, (loop.axis,), flat=True)
        return replaced(node, args)

    out: list[Stmt] = []
    for stmt in loop.body:
        if isinstance(stmt, Store):
            value = transform(stmt.value, load)
            kept = stores and stmt.buffer == buffer
            stmt = Store(row, loop.axis, value) if kept else replace(stmt, value=value)
        elif isinstance(stmt, Let | Update):
            stmt = replace(stmt, value=transform(stmt.value, load))
        out.append(stmt)
    return tuple(out)


# ------------------------------------------------------------------ streams
def _large(buffer: Buffer, least: int | None = None) -> bool:
    least = LARGE_BYTES if least is None else least
    dims = [d for d in buffer.shape if isinstance(d, int)]
    known = len(dims) == len(buffer.shape)
    return least == 0 or (known and prod(dims) * buffer.dtype.size >= least)


def _marked(body: Sequence[Stmt], large: set[Buffer], grain: int) -> tuple[Stmt, ...]:
    out: list[Stmt] = []
    for stmt in body:
        if isinstance(stmt, For):
            inner = _marked(stmt.body, large, grain)
            if stmt.lanes > 1:
                inner = tuple(_streaming(s, stmt, large, grain) for s in inner)
            stmt = replace(stmt, body=inner)
        out.append(stmt)
    return tuple(out)


def _streaming(stmt: Stmt, loop: For, large: set[Buffer], grain: int) -> Stmt:
    if not isinstance(stmt, Store) or stmt.buffer not in large:
        return stmt
    line = LINE // stmt.buffer.dtype.size
    first = grain if loop.kind == "parallel" else as_dim(loop.lo)
    if not isinstance(first, int) or first % line or loop.lanes % line:
        return stmt
    form = quick_linear(stmt.offset)
    if form is None or form.terms.pop(loop.axis, 0) != 1:
        return stmt
    steps = [form.const, *form.terms.values()]
    whole = all(isinstance(step, int) and step % line == 0 for step in steps)
    plain = all(isinstance(term, Axis) for term in form.terms)
    return replace(stmt, streamed=True) if whole and plain else stmt
