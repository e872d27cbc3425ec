"""The iteration space of a group: shared axes, joined axes, equal names for equal reductions.

Lives here: Item (one output as a flat store), Space, prepare, the order of the loops. Not here:
statements (kernel/lower.py), splitting into several kernels (kernel/split.py). Only kernel/lower
and kernel/split import this module.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from graphc.ir.dtypes import int64
from graphc.ir.shape import Dim, SymDim, dims_equal, evaluate
from graphc.kernel.compute import Compute, fresh_reduce_axes
from graphc.kernel.expr import (
    Axis,
    Buffer,
    Expr,
    Load,
    Prim,
    Reduce,
    const,
    postorder,
)
from graphc.kernel.linear import Linear
from graphc.kernel.prims import cast
from graphc.kernel.simplify import Simplifier

GUESS = 128  # what a symbolic dimension is taken for where a decision needs a size
_MAIN_NAMES = "ijklmnop"
_REDUCE_NAMES = "rstuvw"


@dataclass(frozen=True)
class Item:
    """buffer[offset] = value for all axes, the offset flat; no axis has the extent 1."""

    buffer: Buffer
    axes: tuple[Axis, ...]
    offset: Expr
    value: Expr


@dataclass(frozen=True)
class Keep:
    """In the loop of `reduce`, buffer[offset] = value; both depend on its axis.

    load: of the value in the last loop, in front of what that one stores.
    """

    reduce: Reduce
    value: Expr
    buffer: Buffer
    offset: Expr
    load: Expr


@dataclass
class Space:
    """What a nest is made from.

    Attributes:
        axes: the main axes, outermost loop first; those of every item are a prefix.
        items: outputs in order, over `axes`.
        unit: position in `axes` of the axis along which the stores are contiguous.
        spans: bounds of reduce axes that do not run over their whole extent.
        simplifier: knows the linear forms of all int64 expressions in the items.
        keeps: values that a reduction's loop stores for later loops (kernel/keep.py).
    """

    axes: tuple[Axis, ...]
    items: tuple[Item, ...]
    spans: dict[Axis, tuple[Expr, Expr]]
    simplifier: Simplifier
    unit: int = -1
    keeps: tuple[Keep, ...] = ()

    def values(self) -> list[Expr]:
        return [item.value for item in self.items]


def size_guess(dims: Iterable[Dim]) -> int:
    total = 1
    for dim in dims:
        total *= guess(dim)
    return total


def guess(dim: Dim) -> int:
    if not isinstance(dim, SymDim):
        return dim
    return max(1, evaluate(dim, dict.fromkeys(dim.symbols(), GUESS)))


def items_of(computes: Sequence[Compute]) -> list[Item]:
    """Computes as flat stores; axes of extent 1 go."""
    out = []
    for compute in computes:
        assert len(compute.axes) == len(compute.buffer.shape), str(compute)
        units: dict[Axis, Expr] = {a: const(0, int64) for a in compute.axes if a.extent == 1}
        simplifier = Simplifier(units)
        index = [simplifier(a) for a in compute.axes]
        offset = simplifier.offset(compute.buffer.shape, index)
        value = cast(compute.value, compute.buffer.dtype)
        if units:
            value = simplifier(value)
        axes = tuple(a for a in compute.axes if a not in units)
        out.append(Item(compute.buffer, axes, offset, value))
    return out


def is_prefix(short: Sequence[Axis], long: Sequence[Axis]) -> bool:
    if len(short) > len(long) or (not short and long):
        return False
    return all(a.extent == b.extent or dims_equal(a.extent, b.extent) is True
               for a, b in zip(short, long, strict=False))  # fmt: skip


# ------------------------------------------------------------------ preparation
def prepare(items: Sequence[Item], spans: Mapping[Axis, tuple[Expr, Expr]]) -> Space:
    """Unify the axes of the items by position, simplify, join axes, name reductions."""
    longest = max((item.axes for item in items), key=len)
    items, spans = _apart(items, spans)
    main = tuple(
        Axis(a.extent, _MAIN_NAMES[n] if n < len(_MAIN_NAMES) else f"i{n}")
        for n, a in enumerate(longest)
    )
    mapping: dict[Axis, Expr] = {}
    for item in items:
        mapping.update(zip(item.axes, main, strict=False))
    for reduce in reduces(item.value for item in items):
        mapping.update((a, const(0, int64)) for a in reduce.axes if a.extent == 1)
    simplifier = Simplifier(mapping, flatten=True)
    new = [_renewed(item, simplifier, main) for item in items]
    new_spans = _renew_spans(spans, simplifier)
    joined = _joined_axes(new, main, simplifier, new_spans)
    if joined or reduces(item.value for item in new):
        return _second_pass(new, main, new_spans, joined)
    return Space(main, tuple(new), new_spans, simplifier, len(main) - 1)


def _renewed(item: Item, simplifier: Simplifier, main: Sequence[Axis]) -> Item:
    kept = tuple(main[: len(item.axes)])
    return Item(item.buffer, kept, simplifier(item.offset), simplifier(item.value))


def _renew_spans(
    spans: Mapping[Axis, tuple[Expr, Expr]], simplifier: Simplifier
) -> dict[Axis, tuple[Expr, Expr]]:
    out = {}
    for axis, (low, high) in spans.items():
        new = simplifier(axis)
        if isinstance(new, Axis):
            out[new] = (simplifier(low), simplifier(high))
    return out


def reduces(roots: Iterable[Expr]) -> list[Reduce]:
    return [n for n in postorder(*roots) if isinstance(n, Reduce)]


def _apart(
    items: Sequence[Item], spans: Mapping[Axis, tuple[Expr, Expr]]
) -> tuple[Sequence[Item], Mapping[Axis, tuple[Expr, Expr]]]:
    """Items in which every axis object has one role: one place in the space or in a reduction."""
    role: dict[Axis, tuple[object, ...]] = {}
    clash = False
    for item in items:
        for n, axis in enumerate(item.axes):
            clash |= role.setdefault(axis, ("main", n)) != ("main", n)
    levels = _heights(item.value for item in items)
    for reduce, height in levels.items():
        for n, axis in enumerate(reduce.axes):
            mine = ("reduce", height, n, len(reduce.axes))
            clash |= role.setdefault(axis, mine) != mine
    if not clash:
        return items, spans
    out = []
    new_spans: dict[Axis, tuple[Expr, Expr]] = {}
    for item in items:
        axes = tuple(Axis(a.extent, a.name) for a in item.axes)
        rewrite = Simplifier(dict(zip(item.axes, axes, strict=True)))
        made: dict[Axis, Axis] = {}
        value = rewrite(fresh_reduce_axes(item.value, made))
        out.append(Item(item.buffer, axes, rewrite(item.offset), value))
        for new, old in made.items():
            if old in spans:
                low, high = spans[old]
                new_spans[new] = (rewrite(low), rewrite(high))
    return out, new_spans


def _heights(roots: Iterable[Expr]) -> dict[Reduce, int]:
    """1 for a reduction with none inside, else one more than the highest inside."""
    height: dict[int, int] = {}
    out: dict[Reduce, int] = {}
    for node in postorder(*roots):
        own = max((height[id(a)] for a in node.args), default=0)
        if isinstance(node, Reduce):
            own += 1
            out[node] = own
        height[id(node)] = own
    return out


# ------------------------------------------------------------------ joining axes
def _joined_axes(
    items: Sequence[Item],
    main: Sequence[Axis],
    simplifier: Simplifier,
    spans: Mapping[Axis, tuple[Expr, Expr]],
) -> dict[Axis, Axis]:
    """axis -> its inner neighbour where the two can run as one loop."""
    values = [item.value for item in items]
    pairs = list(pairwise(main))
    found = reduces(values)
    for reduce in found:
        pairs.extend(pairwise(reduce.axes))
    if not pairs:
        return {}
    roots = _index_roots(items, simplifier)
    out = {}
    for outer, inner in dict.fromkeys(pairs):
        if outer in spans or inner in spans or not _together(outer, inner, found, main):
            continue
        if all(_contiguous(form, outer, inner) for form in roots):
            out[outer] = inner
    return out


def _together(outer: Axis, inner: Axis, found: Sequence[Reduce], main: Sequence[Axis]) -> bool:
    if outer in main:
        return True
    having = [r for r in found if outer in r.axes or inner in r.axes]
    return all((outer, inner) in pairwise(r.axes) for r in having)


def _contiguous(form: Linear, outer: Axis, inner: Axis) -> bool:
    return form.terms.get(outer, 0) == form.terms.get(inner, 0) * inner.extent


def _index_roots(items: Sequence[Item], simplifier: Simplifier) -> list[Linear]:
    """The linear forms of all int64 expressions that something other than a sum uses."""
    roots: dict[int, Expr] = {id(item.offset): item.offset for item in items}
    for node in postorder(*(item.value for item in items)):
        if isinstance(node, Prim) and node.dtype is int64 and node.name in _RING:
            continue
        for arg in node.args:
            if arg.dtype is int64:
                roots[id(arg)] = arg
    for item in items:
        if item.value.dtype is int64:
            roots[id(item.value)] = item.value
    return [f for f in map(simplifier.form, roots.values()) if f.terms]


_RING = ("add", "sub", "mul", "neg")


# ------------------------------------------------------------------ naming reductions
def _reduce_names(
    items: Sequence[Item],
    joined: Mapping[Axis, Axis],
    spans: Mapping[Axis, tuple[Expr, Expr]],
) -> dict[Axis, Axis]:
    """reduce axis -> the axis that all equal reductions of the group use."""
    shared: dict[tuple[object, ...], Axis] = {}
    out: dict[Axis, Axis] = {}
    for reduce, height in _heights(item.value for item in items).items():
        place = 0
        extent: Dim = 1
        for axis in reduce.axes:
            extent = extent * axis.extent
            if axis in joined:
                continue
            key = (height, place, extent, spans.get(axis))
            if key not in shared:
                letter = _REDUCE_NAMES[place] if place < len(_REDUCE_NAMES) else f"r{place}"
                shared[key] = Axis(extent, letter)
            out[axis] = shared[key]
            place += 1
            extent = 1
    return out


def _second_pass(
    items: Sequence[Item],
    main: Sequence[Axis],
    spans: Mapping[Axis, tuple[Expr, Expr]],
    joined: Mapping[Axis, Axis],
) -> Space:
    mapping: dict[Axis, Expr] = {axis: const(0, int64) for axis in joined}
    axes: list[Axis] = []
    depth = {0: 0}
    extent: Dim = 1
    for n, axis in enumerate(main):
        extent = extent * axis.extent
        if axis not in joined:
            new = Axis(extent, _MAIN_NAMES[min(len(axes), len(_MAIN_NAMES) - 1)])
            mapping[axis] = new
            axes.append(new)
            extent = 1
        depth[n + 1] = len(axes)
    # after the main axes: offsets name their terms in the order in which axes were made
    mapping.update(_reduce_names(items, joined, spans))
    simplifier = Simplifier(mapping, flatten=True)
    new_items = []
    for item in items:
        kept = tuple(axes[: depth[len(item.axes)]])
        new_items.append(Item(item.buffer, kept, simplifier(item.offset), simplifier(item.value)))
    new_spans = _renew_spans(spans, simplifier)
    return Space(tuple(axes), tuple(new_items), new_spans, simplifier, len(axes) - 1)


# ------------------------------------------------------------------ the order of the loops
def arranged(space: Space) -> Space:
    """The loops in such an order that reductions are done once and not once for each element.

    A reduction that depends on some of the main axes belongs right inside their loops, so they
    go outside: a softmax over the middle axis runs with that axis innermost. Where that would
    leave too little to do in parallel the order stays (and kernel/split.py stores the result).
    """
    free = Free(space)
    masks = {free.of[id(r)] for r in reduces(space.values())}
    masks = {m for m in masks if not m & ~free.main}
    if all(m & (m + 1) == 0 for m in masks):
        return space
    masks.update((1 << len(item.axes)) - 1 for item in space.items)
    order: list[int] = []
    seen = 0
    for mask in sorted(masks, key=lambda m: (m.bit_count(), m)):
        if seen & ~mask:
            return space  # no order suits all
        order.extend(n for n in range(len(space.axes)) if mask & ~seen & (1 << n))
        seen = mask
    if order[0] == space.unit and not _columns_suffice(space):
        return space
    axes = tuple(space.axes[n] for n in order)
    items = tuple(Item(i.buffer, axes[: len(i.axes)], i.offset, i.value) for i in space.items)
    return Space(axes, items, space.spans, space.simplifier, order.index(space.unit))


def _columns_suffice(space: Space) -> bool:
    """Whether the contiguous axis alone gives enough parallel work, or all is small."""
    extents = [a.extent for a in space.axes]
    if guess(extents[space.unit]) >= 1024:
        return True
    return all(isinstance(e, int) for e in extents) and size_guess(extents) <= 32768


# ------------------------------------------------------------------ free axes as bits
class Free:
    """Which axes each expression depends on, as a set of bits; main axes first."""

    def __init__(self, space: Space) -> None:
        self.bit: dict[Axis, int] = {a: 1 << n for n, a in enumerate(space.axes)}
        self.main = (1 << len(space.axes)) - 1
        self.of: dict[int, int] = {}
        self._spans = space.spans
        for item in space.items:
            self.add(item.value)
            self.add(item.offset)

    def add(self, root: Expr) -> int:
        of = self.of
        for node in postorder(root):
            if id(node) in of:
                continue
            own = 0
            for arg in node.args:
                own |= of[id(arg)]
            if isinstance(node, Axis):
                own = self.axis_bit(node) | self._span_bits(node)
            elif isinstance(node, Reduce):
                own = self._bound(node, own)
            of[id(node)] = own
        return of[id(root)]

    def _bound(self, node: Reduce, own: int) -> int:
        for axis in node.axes:
            own = own & ~self.axis_bit(axis) | self._span_bits(axis)
        return own

    def _span_bits(self, axis: Axis) -> int:
        out = 0
        for bound in self._spans.get(axis, ()):
            out |= self.add(bound)
        return out

    def axis_bit(self, axis: Axis) -> int:
        return self.bit.setdefault(axis, 1 << len(self.bit))


def load_forms(roots: Iterable[Expr], simplifier: Simplifier) -> list[Linear]:
    return [simplifier.form(n.args[0]) for n in postorder(*roots) if isinstance(n, Load) and n.flat]
