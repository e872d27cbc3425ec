"""Nests for a machine of many threads: loops over independent elements become the parallel loop.

Lives here: spread, same_thread. Not here: block and grid sizes (kernel/launch.py), lanes and
chunks of the CPU (kernel/optimize.py, split.py). Printers of GPU code import it; only kernel/ is
imported.

A CPU core wants a row a task; a GPU wants an element a thread. Two rewrites, both checked and both
bit for bit the same: serial loops right inside of the parallel one join it where no two of their
iterations touch one element, and a vector loop (or several over the same columns, with serial
loops around them) moves outside, so that a thread keeps its column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from graphc.ir.shape import Dim
from graphc.kernel import prims as k
from graphc.kernel.collapse import mapped
from graphc.kernel.expr import Axis, Buffer, DimValue, Expr, Load, Local, index, postorder
from graphc.kernel.linear import as_dim
from graphc.kernel.nest import Accum, For, Kernel, Let, Stmt, Store, Update, statements, stmt_exprs
from graphc.kernel.simplify import Simplifier, affine


def spread(kernel: Kernel) -> Kernel:
    """The same kernel with as much in its parallel loop as is independent; itself if nothing is.

    Results are bit for bit the same, whatever order or threads the parallel loop runs in. The
    kernel may have more dimensions than before, behind those that it had.
    """
    outer, body = _outer(kernel)
    changed = False
    while True:
        joined = _serial_inside(outer, body)
        if joined is None:
            break
        outer, body, changed = *joined, True
    columns = _columns(outer, body)
    if columns is not None:
        outer, body, changed = *columns, True
    if not changed or outer is None:
        return kernel
    loop = For(outer, index(0), index(outer.extent), body, "parallel")
    dims = tuple(dict.fromkeys((*kernel.dims, *_dims(body))))
    return replace(kernel, body=(loop,), extent=outer.extent, grain=1, dims=dims)


def _dims(body: Sequence[Stmt]) -> Iterator[Dim]:
    """The dimensions in use: divisors that were multiplied are new ones."""
    for stmt in statements(body):
        for node in postorder(*stmt_exprs(stmt)):
            if isinstance(node, DimValue):
                yield node.dim


def _outer(kernel: Kernel) -> tuple[Axis | None, tuple[Stmt, ...]]:
    """The axis of the parallel loop, None where there is none, and what is inside."""
    first = kernel.body[0] if len(kernel.body) == 1 else None
    if isinstance(first, For) and first.kind == "parallel":
        return first.axis, first.body
    return None, kernel.body


# ------------------------------------------------------------------ who touches what
@dataclass(frozen=True)
class Access:
    """One load or store of a buffer. axes: of the loops around it, outermost first.

    terms, rest: of the affine offset; terms is None where it is not affine.
    """

    buffer: Buffer
    writes: bool
    axes: tuple[Axis, ...]
    terms: Mapping[Axis, Dim] | None
    rest: Expr | None


def _access(buffer: Buffer, writes: bool, axes: tuple[Axis, ...], offset: Expr) -> Access:
    form = affine(offset)
    # a local may change from one iteration to the next, and so may what is loaded
    if form is None or any(isinstance(n, Local | Load) for n in postorder(form[1])):
        return Access(buffer, writes, axes, None, None)
    return Access(buffer, writes, axes, form[0], form[1])


def accesses(body: Sequence[Stmt], axes: tuple[Axis, ...] = ()) -> Iterator[Access]:
    """The loads and stores of statements, those in loops with the axes around them."""
    for stmt in body:
        for node in postorder(*stmt_exprs(stmt)):
            if isinstance(node, Load):
                yield _access(node.buffer, False, axes, node.args[0])
        if isinstance(stmt, Store):
            yield _access(stmt.buffer, True, axes, stmt.offset)
        elif isinstance(stmt, For):
            yield from accesses(stmt.body, (*axes, stmt.axis))


def _written(found: Sequence[Access]) -> dict[Buffer, list[Access]]:
    """All accesses of each buffer that is stored to."""
    stored = {a.buffer for a in found if a.writes}
    return {b: [a for a in found if a.buffer == b] for b in stored}


def _apart(access: Access, keys: Sequence[Axis]) -> bool:
    """Whether two iterations that differ in `keys` always mean two elements.

    The coefficients must be those of a mixed radix: each step is longer than all that the smaller
    ones reach together.
    """
    steps: list[tuple[int, Axis]] = []
    for axis in access.axes:
        step = 0 if access.terms is None else access.terms.get(axis, 0)
        if not isinstance(step, int) or step < 0 or (step == 0 and axis in keys):
            return False
        if step:
            steps.append((step, axis))
    reach = 0
    steps.sort(key=lambda item: item[0])
    for n, (step, axis) in enumerate(steps, 1):
        if step <= reach:
            return False
        if isinstance(axis.extent, int):
            reach += step * (axis.extent - 1)
        elif n < len(steps):
            return False
    return access.terms is not None


def _independent(body: Sequence[Stmt], axes: tuple[Axis, ...]) -> bool:
    """Whether iterations over `axes` around the body touch no element that another one writes."""
    for group in _written(list(accesses(body, axes))).values():
        first = group[0]
        if any((a.terms, a.rest, a.axes) != (first.terms, first.rest, first.axes) for a in group):
            return False
        if not _apart(first, axes):
            return False
    return True


# ------------------------------------------------------------------ serial loops
def _lets(body: Sequence[Stmt]) -> int:
    """How many Lets stand in front."""
    return next((n for n, s in enumerate(body) if not isinstance(s, Let)), len(body))


def _whole(loop: For) -> bool:
    """Whether a loop runs over its axis from end to end, whatever is around it."""
    return as_dim(loop.lo) == 0 and as_dim(loop.hi) == loop.axis.extent


Joined = tuple[Axis, tuple[Stmt, ...]]


def _serial_inside(outer: Axis | None, body: Sequence[Stmt]) -> Joined | None:
    """A serial loop that is all of the body, joined with the loop around it."""
    lead = _lets(body)
    inner = body[lead] if len(body) == lead + 1 else None
    if not isinstance(inner, For) or inner.kind != "serial" or not _whole(inner):
        return None
    around = () if outer is None else (outer,)
    whole = (*body[:lead], inner)
    if not _independent(whole, around) or not _independent(inner.body, (*around, inner.axis)):
        return None
    return _joined(outer, inner.axis, (*body[:lead], *inner.body))


def _joined(outer: Axis | None, inner: Axis, body: Sequence[Stmt]) -> Joined:
    """The body under one loop over the pairs of both axes."""
    if outer is None:
        return inner, tuple(body)
    both = Axis(outer.extent * inner.extent, "p")
    extent = index(inner.extent)
    place = {outer: k.floordiv(both, extent), inner: k.floormod(both, extent)}
    return both, mapped(body, Simplifier(place))


# ------------------------------------------------------------------ columns
def _columns(outer: Axis | None, body: Sequence[Stmt]) -> Joined | None:
    """All vector loops of the body as one, moved to the outside."""
    loops = _vectors(body)
    if not loops or len({loop.axis.extent for loop in loops}) != 1:
        return None
    if any(not _whole(loop) or loop.reduces or not _own(loop) for loop in loops):
        return None
    column = Axis(loops[0].axis.extent, loops[0].axis.name)
    inside = _flattened(body, {loop.axis: column for loop in loops})
    alone = len(body) == _lets(body) + 1 and isinstance(body[-1], For) and body[-1] is loops[0]
    if alone:
        # the lanes of one loop are independent; so are they of what is loaded in front of it
        stored = {s.buffer for s in statements(loops[0].body) if isinstance(s, Store)}
        loaded = {a.buffer for a in accesses(body[:-1])}
        if stored & loaded:
            return None
    elif not _columns_apart(inside, column):
        return None
    return _joined(outer, column, inside)


def _vectors(body: Sequence[Stmt]) -> list[For]:
    """The vector loops of a body of Lets, serial and vector loops; none where it has more."""
    out: list[For] = []
    for stmt in body:
        if isinstance(stmt, For) and stmt.kind == "vector":
            out.append(stmt)
        elif isinstance(stmt, For):
            found = _vectors(stmt.body)
            if not found:
                return []
            out += found
        elif not isinstance(stmt, Let):
            return []
    return out


def _own(loop: For) -> bool:
    """Whether the loop updates only accumulators of its own."""
    inside = list(statements(loop.body))
    own = {s.local for s in inside if isinstance(s, Accum)}
    return all(s.local in own for s in inside if isinstance(s, Update))


def _flattened(body: Sequence[Stmt], columns: Mapping[Axis, Expr]) -> tuple[Stmt, ...]:
    """The body of one column: each vector loop is what it does there."""
    out: list[Stmt] = []
    for stmt in body:
        if isinstance(stmt, For) and stmt.kind == "vector":
            out += mapped(stmt.body, Simplifier({stmt.axis: columns[stmt.axis]}))
        elif isinstance(stmt, For):
            out.append(replace(stmt, body=_flattened(stmt.body, columns)))
        else:
            out.append(stmt)
    return tuple(out)


def _columns_apart(body: Sequence[Stmt], column: Axis) -> bool:
    """Whether no column touches an element that another one writes, in the same outer iteration."""
    for group in _written(list(accesses(body, (column,)))).values():
        first = group[0]
        for access in group:
            if (access.terms, access.rest) != (first.terms, first.rest):
                return False
            if not _apart(access, (column,)):
                return False
    return True


# ------------------------------------------------------------------ threads of a team
def same_thread(kernel: Kernel) -> set[Buffer]:
    """The buffers that are stored and loaded in which every element is one thread's own.

    So it is where all their accesses stand in vector loops that begin at 0, at one and the same
    offset but for the name of that loop's axis, whose iterations go to the same thread each time.
    """
    lane = Axis(1, "lane")
    outer, body = _outer(kernel)
    fixed = {lane} if outer is None else {lane, outer}
    found: dict[Buffer, set[object]] = {}
    stored: set[Buffer] = set()
    for access in _lane_accesses(body, None, lane):
        if access.writes:
            stored.add(access.buffer)
        form: object = None
        if access.terms is not None and access.terms.get(lane, 0) and access.terms.keys() <= fixed:
            form = (frozenset(access.terms.items()), access.rest)
        found.setdefault(access.buffer, set()).add(form)
    return {b for b in stored if len(found[b]) == 1 and None not in found[b]}


def _lane_accesses(body: Sequence[Stmt], vector: Axis | None, lane: Axis) -> Iterator[Access]:
    """All accesses; those in a vector loop as of `lane`, the others without an offset."""
    for stmt in body:
        if isinstance(stmt, For):
            inner = vector
            if stmt.kind == "vector" and vector is None and as_dim(stmt.lo) == 0:
                inner = stmt.axis
            yield from _lane_accesses(stmt.body, inner, lane)
            continue
        to = None if vector is None else Simplifier({vector: lane})
        for access in _flat_accesses(stmt):
            buffer, writes, offset = access
            if to is None:
                yield Access(buffer, writes, (), None, None)
            else:
                yield _access(buffer, writes, (), to(offset))


def _flat_accesses(stmt: Stmt) -> Iterator[tuple[Buffer, bool, Expr]]:
    for node in postorder(*stmt_exprs(stmt)):
        if isinstance(node, Load):
            yield node.buffer, False, node.args[0]
    if isinstance(stmt, Store):
        yield stmt.buffer, True, stmt.offset


def reads(body: Sequence[Stmt], names: set[Local]) -> bool:
    """Whether an expression of the statements reads one of these locals."""
    return any(
        node in names
        for stmt in statements(body)
        for node in postorder(*stmt_exprs(stmt))
        if isinstance(node, Local)
    )
