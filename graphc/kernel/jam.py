"""Rows far apart, worked on together: unroll and jam of the parallel loop.

Lives here: jammed. Not here: how nests are made (kernel/lower.py). Plans call it last, on kernels
that run as a whole over their own extent (not on members of chains).

A sum over the rows of a large array waits for memory. One stream of it leaves bandwidth unused; of
four streams, each a quarter of the array further on, hardware fetches ahead in each. Row `i` is
worked on with rows `i + n/4`, `i + n/2` and `i + 3n/4`: each row's sums are made as before, so all
bits stay the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from graphc.ir.dtypes import int64
from graphc.kernel import linear as L
from graphc.kernel.copies import Copies
from graphc.kernel.expr import Axis, Buffer, Expr, const, index, substitute
from graphc.kernel.nest import Accum, For, Kernel, Let, Stmt, Update, kernel_loads
from graphc.kernel.simplify import affine, simplify

LARGE_BYTES = 1 << 23  # of an input: smaller ones stay in the last cache
STREAMS = 4  # that are read at the same time
LEAST_ROW = 1024  # bytes that are read of a row


def jammed(kernel: Kernel, register_bytes: int) -> Kernel:
    """The kernel with rows of its parallel loop side by side; itself where that gains nothing.

    Args:
        register_bytes: of all vector registers; half of them may hold sums.
    """
    loop = kernel.body[0] if len(kernel.body) == 1 else None
    if not isinstance(loop, For) or loop.kind != "parallel" or loop.lanes > 1:
        return kernel
    count = _together(kernel, loop, register_bytes)
    if count < 2:
        return kernel
    assert isinstance(loop.axis.extent, int)
    extent = loop.axis.extent // count
    axis = Axis(extent, loop.axis.name)
    body = _Jam(loop.axis, axis, count).block(loop.body)
    loop = replace(loop, axis=axis, hi=index(extent), body=body)
    return replace(kernel, body=(loop,), extent=extent, grain=max(1, kernel.grain // count))


def _together(kernel: Kernel, loop: For, register_bytes: int) -> int:
    """How many rows go together."""
    extent = loop.axis.extent
    inner = [s for s in loop.body if isinstance(s, For)]
    if not isinstance(extent, int) or len(inner) != 1 or not _only_reduces(inner[0]):
        return 1
    streams = _streams(kernel, loop.axis, inner[0])
    held = sum(_bytes(s, inner[0].lanes) for s in loop.body if isinstance(s, Accum))
    count = STREAMS // streams if streams else 1
    while count > 1 and (extent % count or 2 * count * held > register_bytes):
        count //= 2
    return count


def _only_reduces(loop: For) -> bool:
    return (
        loop.kind == "vector"
        and bool(loop.reduces)
        and all(isinstance(s, Let | Update) for s in loop.body)
        and _length(loop) is not None
    )


def _length(loop: For) -> int | None:
    """The number of iterations, if it is known and always the same."""
    found = L.quick_linear(loop.hi - loop.lo)
    if found is None or found.terms or not isinstance(found.const, int):
        return None
    return found.const


def _bytes(stmt: Accum, lanes: int) -> int:
    sizes = [stmt.dtype.compute.size, *([] if stmt.best is None else [stmt.best.dtype.size])]
    return lanes * sum(sizes)


def _streams(kernel: Kernel, row: Axis, loop: For) -> int:
    """Large inputs of which every row has a stretch of its own; 0 where others are read too."""
    found: set[Buffer] = set()
    for load in kernel_loads(kernel):
        if _nbytes(load.buffer) < LARGE_BYTES:
            continue
        form = affine(substitute(load.index[0], {loop.axis: loop.axis + loop.lo}))
        step, apart = (0, 0) if form is None else (form[0].get(a, 0) for a in (loop.axis, row))
        if step != 1 or not isinstance(apart, int) or apart * load.dtype.size < LEAST_ROW:
            return 0
        found.add(load.buffer)
    return len(found)


def _nbytes(buffer: Buffer) -> int:
    """The size; unknown ones are large."""
    dims = [d for d in buffer.shape if isinstance(d, int)]
    return prod(dims) * buffer.dtype.size if len(dims) == len(buffer.shape) else LARGE_BYTES


class _Jam(Copies):
    """The rows' copies, joined loop by loop."""

    def __init__(self, row: Axis, axis: Axis, count: int) -> None:
        super().__init__([{row: axis + const(n * axis.extent, int64)} for n in range(count)])

    def block(self, body: Sequence[Stmt]) -> tuple[Stmt, ...]:
        out: list[Stmt] = []
        for stmt in body:
            if isinstance(stmt, For):
                out.append(self.loop(stmt))
            else:
                out.extend(self.copy(stmt, n) for n in range(len(self.maps)))
        return tuple(out)

    def loop(self, stmt: For) -> For:
        """One loop for the rows' loops."""
        length = _length(stmt)
        assert length is not None
        axis = Axis(length, stmt.axis.name)
        for mapping in self.maps:
            mapping[stmt.axis] = substitute(stmt.lo, mapping) + axis
        reduces = tuple(
            self.local(local, n) for local in stmt.reduces for n in range(len(self.maps))
        )
        return replace(
            stmt, axis=axis, lo=const(0, int64), hi=index(length), body=self.block(stmt.body),
            reduces=reduces,
        )  # fmt: skip

    def at(self, root: Expr, n: int) -> Expr:
        return simplify(super().at(root, n))
