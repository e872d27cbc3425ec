"""Hand-made kernels for what graphs seldom make: row memory, joins in the middle, flags.

Lives here: NESTS, each by name. Imports NumPy-free parts of graphc only.
"""

from __future__ import annotations

from collections.abc import Callable

from graphc.ir.dtypes import DType, bool_, float32, float64, int32, int64
from graphc.kernel import prims as k
from graphc.kernel.expr import Axis, Buffer, Cast, Load, Local, Prim, index
from graphc.kernel.nest import Accum, For, Kernel, Let, Stmt, Store, Update

ROWS = 5


def _buffer(name: str, dtype: DType, *shape: int) -> Buffer:
    return Buffer(name, dtype, shape, name)


def _vector(axis: Axis, *body: Stmt, reduces: tuple[Local, ...] = ()) -> For:
    return For(axis, index(0), index(axis.extent), body, "vector", 16, reduces)


def _rows(
    name: str,
    inputs: tuple[Buffer, ...],
    outputs: tuple[Buffer, ...],
    body: Callable[[Axis], tuple[Stmt, ...]],
    flags: bool = False,
    rows: tuple[Buffer, ...] = (),
) -> Kernel:
    axis = Axis(ROWS, "i")
    loop = For(axis, index(0), index(ROWS), body(axis), "parallel")
    return Kernel(name, inputs, outputs, (), (loop,), ROWS, flags=flags, rows=rows)


def kept_row(columns: int) -> Kernel:
    """A row is written to memory of its own and read backwards: other threads' elements."""
    x, y = _buffer("x", float32, ROWS, columns), _buffer("y", float32, ROWS, columns)
    row = _buffer("row", float32, columns)
    total = Local("total", float32)
    a, b = Axis(columns, "a"), Axis(columns, "b")

    def body(i: Axis) -> tuple[Stmt, ...]:
        value = Local("value", float32)
        first = _vector(
            a,
            Let(value, k.exp(Load(x, (i * columns + a,), flat=True))),
            Update(total, value),
            Store(row, a, value),
            reduces=(total,),
        )
        turned = Load(row, (index(columns - 1) - b,), flat=True)
        last = _vector(b, Store(y, i * columns + b, turned / total))
        return (Accum(total, "add", float32), first, last)

    return _rows(f"kept_{columns}", (x,), (y,), body, rows=(row,))


def best_of_two(monoid: str, dtype: DType, columns: int) -> Kernel:
    """An extreme over two loops, with its value read in between."""
    x = _buffer("x", dtype, ROWS, columns)
    where, middle = _buffer("where", int64, ROWS), _buffer("middle", dtype, ROWS)
    at, best = Local("at", int64), Local("best", dtype)
    a, b = Axis(columns, "a"), Axis(columns, "b")

    def body(i: Axis) -> tuple[Stmt, ...]:
        first, second = (Load(x, (i * columns + axis,), flat=True) for axis in (a, b))
        return (
            Accum(at, monoid, int64, best),
            _vector(a, Update(at, first, a), reduces=(at,)),
            Store(middle, i, best),
            _vector(b, Update(at, k.neg(second), b), reduces=(at,)),
            Store(where, i, at),
        )

    return _rows(f"{monoid}_{dtype.name}_{columns}", (x,), (where, middle), body)


def sums_of_sums(columns: int) -> Kernel:
    """A serial loop around a reducing one, whose accumulator outlives it."""
    x, y = _buffer("x", float64, ROWS, 3, columns), _buffer("y", float64, ROWS)
    total = Local("total", float64)
    outer, inner = Axis(3, "s"), Axis(columns, "r")

    def body(i: Axis) -> tuple[Stmt, ...]:
        at = i * (3 * columns) + outer * columns + inner
        loop = _vector(inner, Update(total, Load(x, (at,), flat=True)), reduces=(total,))
        serial = For(outer, index(0), index(3), (loop,))
        return (Accum(total, "add", float64), serial, Store(y, i, total))

    return _rows(f"sums_{columns}", (x,), (y,), body)


def checked(columns: int) -> Kernel:
    """Indices that may be out of range, and divisors that may be 0."""
    x, at = _buffer("x", int32, ROWS, columns), _buffer("at", int64, ROWS)
    y = _buffer("y", int32, ROWS, columns)
    j = Axis(columns, "j")

    def body(i: Axis) -> tuple[Stmt, ...]:
        pick = Local("pick", int64)
        found = Prim("check_index", (Load(at, (i,), flat=True), index(3)), int64)
        value = Load(x, (i * columns + j,), flat=True)
        chosen = Load(x, (i * columns + pick,), flat=True)
        divided = Prim("floordiv", (chosen, value), int32)
        return (Let(pick, found), _vector(j, Store(y, i * columns + j, divided)))

    return _rows(f"checked_{columns}", (x, at), (y,), body, flags=True)


def logic(monoid: str, columns: int) -> Kernel:
    """Bools through memory, shuffles and shared memory."""
    x, y = _buffer("x", bool_, ROWS, columns), _buffer("y", bool_, ROWS)
    n = _buffer("n", int32, ROWS)
    all_, count = Local("all", bool_), Local("count", int32)
    j = Axis(columns, "j")

    def body(i: Axis) -> tuple[Stmt, ...]:
        value = Load(x, (i * columns + j,), flat=True)
        loop = _vector(
            j, Update(all_, value), Update(count, Cast(value, int32)), reduces=(all_, count)
        )
        accums = (Accum(all_, monoid, bool_), Accum(count, "add", int32))
        return (*accums, loop, Store(y, i, all_), Store(n, i, count))

    return _rows(f"logic_{monoid}_{columns}", (x,), (y, n), body)


# a row of 20 is a warp's, one of 600 a block's
NESTS: dict[str, Callable[[], Kernel]] = {
    "kept row, warps": lambda: kept_row(20),
    "kept row, blocks": lambda: kept_row(600),
    "argmax, warps": lambda: best_of_two("argmax", float32, 37),
    "argmin, blocks": lambda: best_of_two("argmin", float64, 600),
    "argmax of integers": lambda: best_of_two("argmax", int32, 600),
    "sums of sums, warps": lambda: sums_of_sums(70),
    "sums of sums, blocks": lambda: sums_of_sums(900),
    "flags": lambda: checked(40),
    "all, warps": lambda: logic("and", 40),
    "any, blocks": lambda: logic("or", 700),
}
