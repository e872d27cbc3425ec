"""Decisions on a nest that its printers must not take: vector loops, lanes, grain, memory in place.

Lives here: which axis is the vector loop, how many lanes it has, the grain of the parallel loop,
flags, in-place outputs. All depend on the shapes and the body only, never on the machine, so that
the same program gives the same bits everywhere. kernel/lower.py and kernel/collapse.py import it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from math import gcd

from graphc.ir.dtypes import int64
from graphc.ir.shape import Dim
from graphc.kernel.expr import (
    Axis,
    Buffer,
    Cast,
    Const,
    Expr,
    Load,
    Local,
    Prim,
    Reduce,
    Select,
    postorder,
    substitute,
)
from graphc.kernel.nest import For, Kernel, Let, Stmt, Store, Update, statements, stmt_exprs
from graphc.kernel.prims import TABLE
from graphc.kernel.simplify import affine
from graphc.kernel.space import Free, Space, guess, load_forms, reduces

BASE_LANES = 16  # one 64-byte vector of float32
_LIGHT, _MEDIUM = 8.0, 40.0
_LINE = 64
_CHUNK_GUESS = 4096


def may_flag(node: Prim) -> bool:
    """Whether a primitive can set the status word: not a division by a constant."""
    effect = TABLE[node.name].effect
    if effect != "div":
        return bool(effect)
    divisor = node.args[1]
    return not (isinstance(divisor, Const) and divisor.value)


# ------------------------------------------------------------------ vector loops
def vector_axis(space: Space, free: Free) -> int:
    """Position of the main axis that is the vector loop; len(axes) where none is."""
    none = len(space.axes)
    unit = space.unit
    if not space.axes:
        return none
    if any(free.add(e) >> unit & 1 for pair in space.spans.values() for e in pair):
        return none  # the lanes of a vector loop run their inner loops together
    # reductions that would run inside the lanes
    inner = [r for r in reduces(space.values()) if (free.of[id(r)] & free.main) >> unit]
    if not inner:
        return unit - 1 if _narrow_rows(space, free) else unit
    return unit if _lane_score(space, inner) >= _reduce_score(space, inner) else none


def _narrow_rows(space: Space, free: Free) -> bool:
    """Whether rows of a few elements have reductions: then a row is a lane.

    Softmax of 1024 rows of 3: 5.4 us instead of 11.7; from 8 columns on it is slower.
    """
    unit = space.unit
    extent = space.axes[-1].extent
    if unit != len(space.axes) - 1 or unit == 0 or not isinstance(extent, int) or extent > 4:
        return False
    if guess(space.axes[unit - 1].extent) < 64:
        return False
    stored = {item.buffer for item in space.items}
    if any(isinstance(n, Load) and n.buffer in stored for n in postorder(*space.values())):
        return False  # sums over rows: lanes would be added to the same place
    rows = [r for r in reduces(space.values()) if (free.of[id(r)] & free.main) >> (unit - 1)]
    return bool(rows) and all(guess(a.extent) <= 4 for r in rows for a in r.axes)


def _lane_score(space: Space, inner: Sequence[Reduce]) -> float:
    """How well loads inside the reductions run with the unit axis as lanes."""
    axis = space.axes[space.unit]
    forms = load_forms([r.args[0] for r in inner], space.simplifier)
    if not forms:
        return 1.0
    good = sum(1.0 if f.terms.get(axis, 0) in (0, 1) else 0.15 for f in forms)
    return good / len(forms) * min(1.0, guess(axis.extent) / BASE_LANES)


def _reduce_score(space: Space, inner: Sequence[Reduce]) -> float:
    """The same with the best reduced axis as lanes, less for the sum over the lanes."""
    best = 0.0
    forms = load_forms([r.args[0] for r in inner], space.simplifier)
    for axis in {a for r in inner for a in r.axes}:
        if not forms:
            break
        unit = sum(1.0 if f.terms.get(axis, 0) in (0, 1) else 0.15 for f in forms)
        touched = sum(f.terms.get(axis, 0) == 1 for f in forms)
        extent = guess(axis.extent)
        steps = -(-extent // BASE_LANES) or 1
        use = extent / (BASE_LANES * steps) * extent / (extent + 8)
        if touched:
            best = max(best, unit / len(forms) * use)
    return best


def reduce_order(
    members: Sequence[Reduce], in_vector: bool, space: Space, free: Free
) -> tuple[list[Axis], bool]:
    """The loops of reductions that share axes, outermost first; whether the last is a vector."""
    axes = list(members[0].axes)
    bodies = [m.args[0] for m in members]
    nested = 0
    for inner in reduces(bodies):
        nested |= free.of[id(inner)]
    # what a reduction inside depends on goes outside, so that it is computed less often
    first = [a for a in axes if free.axis_bit(a) & nested]
    rest = [a for a in axes if not free.axis_bit(a) & nested]
    if in_vector or not rest:
        return first + rest, False
    forms = load_forms(bodies, space.simplifier)
    touched = {a: sum(f.terms.get(a, 0) == 1 for f in forms) for a in rest}
    best = max(rest, key=lambda a: (touched[a], rest.index(a)))
    rest.remove(best)
    return [*first, *rest, best], True


# ------------------------------------------------------------------ lanes and grain
def body_cost(body: Sequence[Stmt]) -> float:
    """Cost of one element of a loop body by the primitives' table; index sums are cheap.

    What depends on no axis is not counted: it stays the same from one element to the next.
    """
    total = 0.0
    constant: set[Expr] = set()
    for stmt in statements(body):
        same: dict[int, bool] = {}
        for node in postorder(*stmt_exprs(stmt)):
            if isinstance(node, Axis | Local):
                same[id(node)] = node in constant
                continue
            same[id(node)] = all(same[id(a)] for a in node.args)
            if same[id(node)]:
                continue
            if isinstance(node, Prim):
                total += TABLE[node.name].cost if node.args[0].dtype is not int64 else 0.25
            elif isinstance(node, Select):
                total += 1.0
        if isinstance(stmt, Let) and same[id(stmt.value)]:
            constant.add(stmt.local)
    return total


def _is_wide(body: Sequence[Stmt]) -> bool:
    """Whether elements of 8 bytes are loaded, stored or computed."""
    for stmt in statements(body):
        if isinstance(stmt, Store) and stmt.buffer.dtype.size == 8:
            return True
        for node in postorder(*stmt_exprs(stmt)):
            if isinstance(node, Load | Cast) and node.dtype.size == 8:
                return True
    return False


def lanes(body: Sequence[Stmt], extent: Dim) -> int:
    """16, 32 or 64: many for light bodies (memory bound), few where registers run out."""
    cost = body_cost(body)
    most = 64 if cost <= _LIGHT else 32 if cost <= _MEDIUM else BASE_LANES
    if _is_wide(body):
        most = max(BASE_LANES, most // 2)
    if not isinstance(extent, int) or extent >= 16 * most:
        return most
    # a short loop: fewer lanes where the masked tail would be mostly empty
    while most > BASE_LANES and -(-extent // most) * most * 8 > extent * 9:
        most //= 2
    return most


def grain(loop: For) -> int:
    """Iterations of the parallel loop that are worth a thread's while, whole cache lines each."""
    step = 1
    for stmt in statements(loop.body):
        if isinstance(stmt, Store):
            step = max(step, _line_step(stmt, loop.axis))
    work = _work(loop.body)
    wanted = int(32768 / max(work, 1.0))
    if loop.lanes > 1:
        step = max(step, loop.lanes)
        wanted = min(max(wanted, 256), 8192)
    # where one iteration is much work, threads that share a cache line do not matter
    return wanted // step * step or max(1, wanted)


def _line_step(store: Store, axis: Axis) -> int:
    form = affine(store.offset)
    stride = 1 if form is None else form[0].get(axis, 0)
    if not isinstance(stride, int) or stride == 0:
        return 1
    return _LINE // gcd(_LINE, abs(stride) * store.buffer.dtype.size)


def _work(body: Sequence[Stmt]) -> float:
    """Rough cost of one iteration in scalar operations; symbols are guessed."""
    total = 2.0
    for stmt in body:
        if isinstance(stmt, For):
            whole = isinstance(stmt.lo, Const)
            total += _work(stmt.body) * (guess(stmt.axis.extent) if whole else _CHUNK_GUESS)
        else:
            total += body_cost((stmt,)) + 1.0
    return total


# ------------------------------------------------------------------ in place
def in_place(kernels: Sequence[Kernel], shared: Mapping[Buffer, Buffer]) -> list[Kernel]:
    """Outputs that take an input's memory stand for that input; it is read before it is written.

    Raises:
        ValueError: the input is also read at another place than the one written, or later.
    """
    out = list(kernels)
    for n, kernel in enumerate(kernels):
        for target in kernel.outputs:
            source = shared.get(target)
            if source is None:
                continue
            early = _read_early(out[n], source)
            _check_in_place(early, kernels[n + 1 :], target, source)
            taken = Buffer(source.key, target.dtype, target.shape, source.name)
            out[n] = _with_output(early, target, taken)
    return out


def _read_early(kernel: Kernel, source: Buffer) -> Kernel:
    """Loads of `source` inside stores become locals in front of the first store of the block."""
    names = {s.local.name for s in statements(kernel.body) if isinstance(s, Let)}
    numbers = count()

    def fresh() -> Local:
        name = next(n for n in (f"old{k}" for k in numbers) if n not in names)
        return Local(name, source.dtype)

    def visit(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        stores = [s for s in body if isinstance(s, Store)]
        roots = [e for s in stores for e in (s.offset, s.value)]
        early: dict[Expr, Expr] = {
            n: fresh() for n in postorder(*roots) if isinstance(n, Load) and n.buffer == source
        }
        lets = [Let(local, load) for load, local in early.items() if isinstance(local, Local)]
        stmts: list[Stmt] = []
        for stmt in body:
            if isinstance(stmt, For):
                stmt = replace(stmt, body=visit(stmt.body))
            elif isinstance(stmt, Store):
                stmts.extend(lets)
                lets = []
                offset = substitute(stmt.offset, early)
                stmt = Store(stmt.buffer, offset, substitute(stmt.value, early))
            stmts.append(stmt)
        return tuple(stmts)

    return replace(kernel, body=visit(kernel.body))


def _with_output(kernel: Kernel, old: Buffer, new: Buffer) -> Kernel:
    def visit(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        stmts: list[Stmt] = []
        for stmt in body:
            if isinstance(stmt, For):
                stmt = replace(stmt, body=visit(stmt.body))
            elif isinstance(stmt, Let):
                stmt = Let(stmt.local, loads(stmt.value))
            elif isinstance(stmt, Update):
                stmt = replace(stmt, value=loads(stmt.value))
            elif isinstance(stmt, Store):
                buffer = new if stmt.buffer == old else stmt.buffer
                stmt = Store(buffer, stmt.offset, loads(stmt.value))
            stmts.append(stmt)
        return tuple(stmts)

    def loads(value: Expr) -> Expr:
        """What was kept in the output's rows lies in the same place."""
        if old not in kernel.inputs:
            return value
        found: dict[Expr, Expr] = {
            n: Load(new, n.index, n.mask, n.other, n.flat)
            for n in postorder(value)
            if isinstance(n, Load) and n.buffer == old
        }
        return substitute(value, found) if found else value

    inputs = tuple(dict.fromkeys(new if b == old else b for b in kernel.inputs))
    outputs = tuple(new if b == old else b for b in kernel.outputs)
    return replace(kernel, inputs=inputs, outputs=outputs, body=visit(kernel.body))


def _check_in_place(
    kernel: Kernel, later: Sequence[Kernel], target: Buffer, source: Buffer
) -> None:
    if target.dtype.size != source.dtype.size:
        raise ValueError(f"{target!r} cannot take the memory of {source!r}: sizes differ")
    if any(source in k.inputs for k in later):
        raise ValueError(f"{source!r} is read after {target!r} was written into its memory")
    stored: list[Expr] = []
    reads: list[tuple[Expr, frozenset[Axis] | None]] = []
    for stmt, loops in _with_loops(kernel.body, frozenset()):
        if isinstance(stmt, Store) and stmt.buffer == target:
            stored.append(stmt.offset)
        around = None if stored else loops
        found = [n for n in postorder(*stmt_exprs(stmt)) if isinstance(n, Load)]
        reads.extend((n.args[0], around) for n in found if n.buffer == source)
    assert stored
    for offset, around in reads:
        if not all(_same_place(offset, place, around) for place in stored):
            raise ValueError(
                f"kernel {kernel.name}: {target!r} is written in the memory of {source!r},"
                f" which is read at {offset!r}, not {stored[-1]!r}"
            )


def _with_loops(
    body: Sequence[Stmt], around: frozenset[Axis]
) -> Iterator[tuple[Stmt, frozenset[Axis]]]:
    for stmt in body:
        yield stmt, around
        if isinstance(stmt, For):
            yield from _with_loops(stmt.body, around | {stmt.axis})


def _same_place(read: Expr, write: Expr, around: frozenset[Axis] | None) -> bool:
    """The same element, or elements of the same rows in a loop that ends before the store's.

    `around` are the loops of a read that stands before the store, None where it stands behind.
    """
    if around is None:
        return False
    if read == write:
        return True
    a, b = affine(read), affine(write)
    if a is None or b is None or a[1] != b[1]:
        return False
    common = a[0].keys() & b[0].keys()
    if any(a[0][axis] != b[0][axis] for axis in common):
        return False
    if any(axis in around for axis in b[0] if axis not in common):
        return False  # the read is repeated after elements were written
    return _inner(a[0], common) == _inner(b[0], common)


def _inner(coefs: Mapping[Axis, Dim], outer: Collection[Axis]) -> list[tuple[str, str]]:
    return sorted((str(c), str(a.extent)) for a, c in coefs.items() if a not in outer)
