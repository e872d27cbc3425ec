"""Stores past the caches: what is too large to be read again from them.

Lives here: streamed. Not here: how such stores are printed (render/vector_memory.py). Plans call it
last, on kernels that run as a whole over their own extent (not on members of chains).

An ordinary store first reads the cache line that it writes. An output larger than the last cache
leaves it before anybody can read it, so that a third of the traffic of a copy is for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from graphc.kernel.expr import Axis, Buffer
from graphc.kernel.linear import as_dim, quick_linear
from graphc.kernel.nest import For, Kernel, Stmt, Store, kernel_loads

LARGE_BYTES = 1 << 24  # half of a large last cache
LINE = 64


def streamed(kernel: Kernel) -> Kernel:
    """The kernel with its large outputs stored past the caches.

    Only whole vectors that begin on a cache line are: every row of the output must.
    """
    read = {load.buffer for load in kernel_loads(kernel)}
    large = {b for b in kernel.outputs if b not in read and b not in kernel.inputs and _large(b)}
    if not large:
        return kernel
    body = _marked(kernel.body, large, kernel.grain)
    return replace(kernel, body=body)


def _large(buffer: Buffer) -> bool:
    dims = [d for d in buffer.shape if isinstance(d, int)]
    known = len(dims) == len(buffer.shape)
    return known and prod(dims) * buffer.dtype.size >= LARGE_BYTES


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
