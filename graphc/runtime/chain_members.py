"""What a step does for one product of a batch, and for one row: proofs that chains rest on.

Lives here: units_of, aligned, rows_of, row_kernel, restrided. Not here: which steps make a chain
(runtime/chains.py), windows of scores (runtime/chain_windows.py); only these two import it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from graphc.ir.shape import Dim
from graphc.kernel.collapse import collapsed
from graphc.kernel.expr import (
    Axis,
    Buffer,
    Expr,
    Load,
    Local,
    loads,
    postorder,
    replaced,
    substitute,
    transform,
)
from graphc.kernel.linear import Linear, bounds, exact_quotient, nonneg, quick_linear, to_expr
from graphc.kernel.nest import For, Kernel, Let, Stmt, Store, Update, stmt_exprs
from graphc.runtime.steps import Step, Storage
from graphc.runtime.tiles import TileCall, in_rows


def units_of(step: Step, batch: Dim) -> Dim | None:
    """How much of the step's extent belongs to one product, None where that cannot be told."""
    if step.kind == "tile" and isinstance(step.call, TileCall):
        product = step.call.product
        if not product.batched or product.batch != batch:
            return None
        if not isinstance(product.m, int) or not isinstance(product.n, int):
            return None
        return step.call.spec.tasks(1, product.m, product.n)
    if step.kernel is None or step.kernel.flags or _parallel(step.kernel) is None:
        return None
    return exact_quotient(step.kernel.extent, batch)


def aligned(step: Step, storage: Storage, batch: Dim) -> bool:
    """Whether product p of the step touches the p-th part of the storage alone."""
    own = exact_quotient(storage.elements, batch)
    if own is None:
        return False
    call = step.call
    if isinstance(call, TileCall):
        return _tile_aligned(step, call, storage, own, batch)
    if step.kernel is None:
        return False
    return all(
        _kernel_aligned(step.kernel, buffer, storage.elements, batch)
        for buffer in _buffers(step, step.kernel.buffers, storage)
    )


def _tile_aligned(
    step: Step, call: TileCall, storage: Storage, own: Dim, batch: Dim
) -> bool:
    product = call.product
    sizes = {0: product.m * product.k, 1: product.k * product.n}
    for slot, size in sizes.items():
        if step.reads[slot] is storage and size != own:
            return False
    if call.finish is None:
        return storage not in step.writes or (
            storage is step.writes[0] and product.m * product.n == own
        )
    if storage in step.writes and storage not in step.writes[: len(call.finish.outputs)]:
        return False
    return all(
        _kernel_aligned(call.finish, buffer, storage.elements, batch)
        for buffer in of_finish(step, call, (storage,))
    )


# ------------------------------------------------------------------ blocks of rows
def rows_of(step: Step, batch: Dim, rows: int, written: set[Storage]) -> int | None:
    """How many rows of a product the step does at once, or None where it needs more than its own.

    written: by the chain; what comes from elsewhere may be read anywhere.
    """
    call = step.call
    if isinstance(call, TileCall):
        product = call.product
        changed = in_rows(call)
        shared = step.reads[1] in written or (product.trans_a and step.reads[0] in written)
        if product.m != rows or shared or changed is None:
            return None
        whole = batch * rows * product.n
        extra = step.writes if call.finish is None else (*step.reads[2:], *step.writes)
        if any(s in written and s.elements != whole for s in extra if not are_panels(s)):
            return None
        if call.finish is not None and isinstance(product.n, int):
            touched = of_finish(step, call, written)
            if restrided(call, touched, product.n, product.n) is None:
                return None
        return changed.spec.tile.rows
    return None if row_kernel(step, batch, rows, written) is None else 1


def row_kernel(step: Step, batch: Dim, rows: int, written: set[Storage]) -> Kernel | None:
    """The step's kernel with rows, or parts of them, as what it is split by."""
    kernel = step.kernel
    if kernel is None:
        return None
    units = units_of(step, batch)
    if isinstance(units, int) and units % rows == 0:
        return kernel
    kernel = collapsed(kernel)
    if kernel is None or exact_quotient(kernel.extent, batch) != rows:
        return None
    homes = zip(kernel.buffers, (*step.reads, *step.writes), strict=True)
    shared = [(buffer, home) for buffer, home in homes if home in written]
    apart = all(_kernel_aligned(kernel, b, home.elements, batch) for b, home in shared)
    return kernel if apart else None


def are_panels(storage: Storage) -> bool:
    return isinstance(storage.key, tuple) and storage.key[0] == "panels"


def _buffers(step: Step, named: Sequence[Buffer], storage: Storage) -> list[Buffer]:
    homes = (*step.reads, *step.writes)
    return [b for b, home in zip(named, homes, strict=True) if home is storage]


def _kernel_aligned(kernel: Kernel, buffer: Buffer, elements: Dim, batch: Dim) -> bool:
    """Whether all that a kernel reads and writes of the buffer moves along with its first loop."""
    loop = _parallel(kernel)
    if loop is None:
        return False
    units = exact_quotient(kernel.extent, batch)
    stride = exact_quotient(elements, kernel.extent)
    if units is None or stride is None or loop.axis.extent != kernel.extent:
        return False
    for offset in _offsets(kernel, buffer):
        form = quick_linear(offset)
        if form is None or form.terms.pop(loop.axis, 0) != stride:
            return False
        low, high = bounds(form)
        if low is None or high is None or _names(to_expr(form), loop.axis):
            return False
        if not nonneg(low) or not nonneg(stride - 1 - high):
            return False
    return True


def _names(expr: Expr, axis: Axis) -> bool:
    """Whether the axis, or what is not known at this place, stands in the expression."""
    return any(e == axis or isinstance(e, Load | Local) for e in postorder(expr))


def _parallel(kernel: Kernel) -> For | None:
    first = kernel.body[0] if kernel.body else None
    return first if isinstance(first, For) and first.kind == "parallel" else None


def _offsets(kernel: Kernel, buffer: Buffer) -> Iterator[Expr]:
    """Of everything that the kernel reads and writes of the buffer."""
    lets: dict[Expr, Expr] = {}

    def of(value: Expr) -> Iterator[Expr]:
        for load in loads(value):
            if load.buffer == buffer:
                (where,) = load.index
                yield substitute(where, lets)

    def walk(body: Sequence[Stmt]) -> Iterator[Expr]:
        for stmt in body:
            for value in stmt_exprs(stmt):
                yield from of(value)
            if isinstance(stmt, Let):
                lets[stmt.local] = substitute(stmt.value, lets)
            elif isinstance(stmt, Store) and stmt.buffer == buffer:
                yield substitute(stmt.offset, lets)
            elif isinstance(stmt, For):
                yield from walk(stmt.body)

    yield from walk(kernel.body)


# ------------------------------------------------------------------ finishes
def of_finish(member: Step, call: TileCall, storages: Collection[Storage]) -> set[Buffer]:
    """The finish's buffers in these storages."""
    assert call.finish is not None
    outputs = call.finish.outputs
    named = (*call.inputs, *outputs)
    homes = (*member.reads[2:], *member.writes[: len(outputs)])
    return {b for b, home in zip(named, homes, strict=True) if home in storages}


def restrided(
    call: TileCall, buffers: Collection[Buffer], columns: int, length: int
) -> Kernel | None:
    """The finish with another row length of some buffers of scores.

    None where it does not read and write each at its own element.
    """
    assert call.finish is not None
    try:
        body = tuple(_Restride(call.roles, buffers, columns, length).body(call.finish.body))
    except ValueError:
        return None
    return replace(call.finish, body=body)


class _Restride:
    """The rewriting of one kernel's statements."""

    def __init__(
        self, roles: Sequence[str], buffers: Collection[Buffer], columns: int, length: int
    ) -> None:
        self.roles = roles
        self.axes: dict[Expr, str] = {}
        self.buffers = buffers
        self.columns = columns
        self.length = length
        self.lets: dict[Expr, Expr] = {}

    def body(self, body: Sequence[Stmt], depth: int = 0) -> Iterator[Stmt]:
        for stmt in body:
            if isinstance(stmt, Let):
                self.lets[stmt.local] = substitute(stmt.value, self.lets)
                yield Let(stmt.local, self.value(stmt.value))
            elif isinstance(stmt, Update):
                yield replace(stmt, value=self.value(stmt.value))
            elif isinstance(stmt, Store):
                offset = stmt.offset
                if stmt.buffer in self.buffers:
                    offset = self.offset(offset)
                yield replace(stmt, offset=offset, value=self.value(stmt.value))
            elif isinstance(stmt, For):
                self.axes[stmt.axis] = self.roles[depth]
                yield replace(stmt, body=tuple(self.body(stmt.body, depth + 1)))
            else:
                yield stmt

    def value(self, value: Expr) -> Expr:
        def step(node: Expr, args: tuple[Expr, ...]) -> Expr:
            if not isinstance(node, Load) or node.buffer not in self.buffers:
                return replaced(node, args)
            return node.rebuild((self.offset(node.index[0]), *args[1:]))

        return transform(value, step)

    def offset(self, offset: Expr) -> Expr:
        """Of the same element in rows of the other length.

        Raises:
            ValueError: it is not the element of the loops' batch, row and column.
        """
        form = quick_linear(substitute(offset, self.lets))
        if form is None or form.const != 0:
            raise ValueError("no plain element")
        terms: dict[str, Dim] = {self.axes.get(t, ""): c for t, c in form.terms.items()}
        rows = terms.get("row") == self.columns and terms.get("column") == 1
        if not rows or len(form.terms) != len(terms) or terms.keys() - {"batch", "row", "column"}:
            raise ValueError("no plain element")
        scaled = {
            t: c if c == 1 else c // self.columns * self.length for t, c in form.terms.items()
        }
        return to_expr(Linear(scaled))
