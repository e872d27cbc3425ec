"""Values of a row that are kept in memory instead of being computed twice.

Lives here: kept. Not here: statements (kernel/lower.py, the only importer).

A softmax needs exp(x - max) for its sum and again for its result. Where a reduction over a row
computes something dear that a later loop over the row needs too, the first loop stores it in the
row of the output that the last loop writes, and the later ones load it: the row is in the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from graphc.ir.dtypes import int64
from graphc.kernel import optimize
from graphc.kernel.expr import (
    Axis,
    Expr,
    Load,
    Prim,
    Reduce,
    postorder,
    replaced,
    substitute,
)
from graphc.kernel.prims import TABLE
from graphc.kernel.simplify import Simplifier
from graphc.kernel.space import Free, Item, Keep, Space, guess, reduces

_DEAR = 6.0  # cost from which a store and a load are cheaper
_SHORT = 64  # rows of fewer elements stay in registers


def kept(space: Space) -> Space:
    """The space with loads of kept values; the space itself where there are none."""
    if not space.axes or space.unit != len(space.axes) - 1:
        return space
    free = Free(space)
    rows = [r for r in reduces(space.values()) if _of_rows(r, free, space)]
    if not rows or guess(space.axes[-1].extent) < _SHORT:
        return space
    if optimize.vector_axis(space, free) != space.unit:
        return space
    while True:
        more = _one_more(space)
        if more is None:
            return space
        space = more


def _one_more(space: Space) -> Space | None:
    free = Free(space)
    for reduce in reduces(space.values()):
        if not _of_rows(reduce, free, space):
            continue
        found = _candidate(reduce, space)
        host = None if found is None else _host(found, space)
        if found is not None and host is not None:
            return _with_loads(space, reduce, found, host)
    return None


def _of_rows(reduce: Reduce, free: Free, space: Space) -> bool:
    """Whether it runs once a row, over elements that stand for the columns."""
    if len(reduce.axes) != 1 or reduce.axes[0] in space.spans:
        return False
    if reduce.axes[0].extent != space.axes[-1].extent:  # a question here would become a guard
        return False
    return (free.of[id(reduce)] & free.main).bit_length() == space.unit


def _candidate(reduce: Reduce, space: Space) -> Expr | None:
    """The largest dear part of a reduction's body that an output needs as well."""
    axis, column = reduce.axes[0], space.axes[-1]
    costs = _costs(reduce.args[0], axis)
    dear = [n for n in reversed(postorder(reduce.args[0])) if costs.get(id(n), 0.0) >= _DEAR]
    if not dear:
        return None
    rename = Simplifier({axis: column})
    behind = {n for v in space.values() for n in _behind(v, reduce)}
    for node in dear:
        if rename(node) in behind:
            return node
    return None


def _behind(root: Expr, reduce: Reduce) -> Iterator[Expr]:
    """What lies outside of the reductions of a value that needs the reduction."""
    if not any(n is reduce for n in postorder(root)):
        return
    stack = [root]
    seen: set[int] = set()
    while stack:
        node = stack.pop()
        if id(node) in seen or isinstance(node, Reduce):
            continue
        seen.add(id(node))
        yield node
        stack.extend(node.args)


def _costs(root: Expr, axis: Axis) -> dict[int, float]:
    """What each part of a body costs for every element; parts shared by two count twice."""
    out: dict[int, float] = {}
    for node in postorder(root):
        if isinstance(node, Axis):
            if node == axis:
                out[id(node)] = 0.0
            continue
        below = [out[id(a)] for a in node.args if id(a) in out]
        if not below or isinstance(node, Reduce):
            continue
        own = 0.0 if node.dtype is int64 or not isinstance(node, Prim) else TABLE[node.name].cost
        out[id(node)] = own + sum(below)
    return out


def _host(found: Expr, space: Space) -> Item | None:
    """An output of the same type whose row is free until its last loop."""
    read = {n.buffer for v in space.values() for n in postorder(v) if isinstance(n, Load)}
    for item in space.items:
        wide = len(item.axes) == len(space.axes) and item.buffer.dtype is found.dtype
        if wide and item.buffer not in read:
            return item
    return None


def _with_loads(space: Space, reduce: Reduce, found: Expr, host: Item) -> Space:
    """The space in which what comes behind the reduction loads the value."""
    column, axis = space.axes[-1], reduce.axes[0]

    def at(place: Axis) -> tuple[Expr, Expr]:
        """The value and its load at another place of the row."""
        offset = Simplifier({column: place})(host.offset)
        return Simplifier({axis: place})(found), Load(host.buffer, (offset,), flat=True)

    final, load = at(column)
    new: dict[int, Expr] = {}
    needs: set[int] = set()
    for node in postorder(*space.values()):
        if node is reduce or any(id(a) in needs for a in node.args):
            needs.add(id(node))
        done = replaced(node, tuple(new[id(a)] for a in node.args))
        if isinstance(done, Reduce) and node is not reduce and id(node) in needs:
            done = _with_one(done, at)
        new[id(node)] = load if node == final else done
    items = tuple(replace(i, value=new[id(i.value)]) for i in space.items)
    keep = Keep(reduce, found, host.buffer, Simplifier({column: axis})(host.offset), load)
    return replace(space, items=items, keeps=(*space.keeps, keep))


def _with_one(reduce: Reduce, at: Callable[[Axis], tuple[Expr, Expr]]) -> Reduce:
    """A later reduction over the row, with loads in it."""
    if len(reduce.axes) != 1:
        return reduce
    value, load = at(reduce.axes[0])
    body = substitute(reduce.args[0], {value: load})
    return Reduce(reduce.monoid, reduce.axes, body, reduce.dtype)
