"""Nests of steps that the CPU runs by code of its own: rows by number, running sums.

Lives here: nest_of. Not here: which nodes are such steps (runtime/rows.py, runtime/scan.py), how
nests are printed. The plan for GPUs imports this module.

A thread does one column: rows are added in their order whatever the number of threads, so that
results are the CPU's, bit by bit.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir.dtypes import DType, int32, int64
from graphc.ir.shape import Dim, SymDim
from graphc.kernel import prims
from graphc.kernel.expr import Axis, Buffer, Const, DimValue, Expr, Load, Local, index, postorder
from graphc.kernel.nest import Accum, For, Kernel, Let, Stmt, Store, Update, statements, stmt_exprs
from graphc.runtime.rows import RowsCall
from graphc.runtime.scan import ScanCall
from graphc.runtime.steps import Step

ZERO = Const(0, int64)


def nest_of(step: Step) -> Kernel | None:
    """The nest that a step of one launch runs; None for steps of other kinds."""
    if step.kernel is not None:
        return step.kernel
    if isinstance(step.call, RowsCall):
        return _FORMS.get(step.call.form, _scatter)(step.call)
    if isinstance(step.call, ScanCall):
        return _scan(step.call)
    return None


def _buffer(call: RowsCall | ScanCall, name: str, dtype: DType, elements: Dim) -> Buffer:
    return Buffer((call.kernel_name, name), dtype, (elements,), name)


def _nest(
    call: RowsCall | ScanCall, inputs: Sequence[Buffer], outputs: Sequence[Buffer], extent: Dim,
    body: Sequence[Stmt], loop: Axis, flags: bool = False,
) -> Kernel:  # fmt: skip
    whole = For(loop, ZERO, index(extent), tuple(body), "parallel")
    dims: dict[SymDim, None] = {}
    for stmt in statements((whole,)):
        for node in postorder(*stmt_exprs(stmt)):
            if isinstance(node, DimValue):
                dims[node.dim] = None
    return Kernel(
        call.kernel_name, tuple(inputs), tuple(outputs), tuple(dims), (whole,), extent,
        flags=flags, origins=(f"{call.node.name} ({call.node.op.name})",),
    )  # fmt: skip


# ------------------------------------------------------------------ rows by number
def _scatter(call: RowsCall) -> Kernel:
    """add, sub, put: into what the target holds; sum: into zeros."""
    assert call.rows is not None
    dtype = call.rows.dtype
    ids = _buffer(call, "ids", call.ids.dtype, call.n)
    rows = _buffer(call, "rows", dtype, call.n * call.inner)
    out = _buffer(call, "out", dtype, call.count * call.inner)
    column, row = Axis(call.inner, "column"), Axis(call.n, "row")
    inner = index(call.inner)
    number, place = Local("number", int64), Local("place", int64)
    target = place * inner + column
    new: Expr = Load(rows, (row * inner + column,))
    old: Expr = Load(out, (target,))
    if call.form != "put":
        new = old - new if call.form == "sub" else old + new
    at: Expr = number
    if call.drop:
        at = prims.maximum(number, ZERO)
        new = prims.select(prims.lt(number, ZERO), old, new)
    body: list[Stmt] = []
    if call.form == "sum":
        each = Axis(call.count, "each")
        fill = Store(out, each * inner + column, Const(0, dtype))
        body.append(For(each, ZERO, index(call.count), (fill,)))
    steps = (
        Let(number, prims.cast(Load(ids, (row,)), int64)),
        Let(place, prims.check_index(at, index(call.count))),
        Store(out, target, new),
    )
    body.append(For(row, ZERO, index(call.n), steps))
    return _nest(call, (ids, rows), (out,), call.inner, body, column, flags=True)


def _check(call: RowsCall) -> Kernel:
    """Only looks whether all numbers are in range."""
    ids = _buffer(call, "ids", call.ids.dtype, call.n)
    row = Axis(call.n, "row")
    number: Expr = prims.cast(Load(ids, (row,)), int64)
    if call.drop:
        number = prims.maximum(number, ZERO)
    looked = Let(Local("place", int64), prims.check_index(number, index(call.count)))
    return _nest(call, (ids,), (), call.n, (looked,), row, flags=True)


def _first(call: RowsCall) -> Kernel:
    """The first position of each number; the words of the CPU's table are not used."""
    ids = _buffer(call, "ids", call.ids.dtype, call.n)
    out = _buffer(call, "out", int32, call.n)
    words = _buffer(call, "words", int32, call.n * 2 + 2)
    row, before = Axis(call.n, "row"), Axis(call.n, "before")
    first = Local("first", int64)
    same = prims.eq(Load(ids, (before,)), Load(ids, (row,)))
    look = Update(first, prims.select(same, before, row))
    body = (
        Accum(first, "min", int64),
        For(before, ZERO, row + 1, (look,)),
        Store(out, row, prims.cast(first, int32)),
    )
    return _nest(call, (ids,), (out, words), call.n, body, row)


_FORMS = {"check": _check, "first": _first}


# ------------------------------------------------------------------ running sums
def _scan(call: ScanCall) -> Kernel:
    """A thread a row of the axis: each element from the one before it."""
    attrs = call.node.attrs
    dtype = call.node.outputs[0].dtype
    size = call.count * call.length * call.inner
    source, out = _buffer(call, "source", dtype, size), _buffer(call, "out", dtype, size)
    rows = call.count * call.inner
    line, step = Axis(rows, "line"), Axis(call.length, "step")
    inner, length = index(call.inner), index(call.length)
    start = Local("start", int64)
    group = prims.floordiv(line, inner)
    begin = group * (length * inner) + (line - group * inner)

    def place(at: Expr) -> Expr:
        return start + (length - 1 - at if attrs.get("reverse") else at) * inner

    before = place(prims.maximum(step - 1, ZERO))
    joined = prims.add if call.node.op.name == "cumsum" else prims.mul
    value = Load(source, (before if attrs.get("exclusive") else place(step),))
    at_first: Expr = value
    if attrs.get("exclusive"):
        at_first = Const(0 if call.node.op.name == "cumsum" else 1, dtype)
    total = joined(Load(out, (before,)), value)
    new = prims.select(prims.eq(step, ZERO), at_first, total)
    body = (
        Let(start, begin),
        For(step, ZERO, length, (Store(out, place(step), new),)),
    )
    return _nest(call, (source,), (out,), rows, body, line)
