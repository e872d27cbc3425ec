"""The iteration space of a group: shared axes, joined axes, equal names for equal reductions.

Lives here: Item (one output as a flat store), Space, prepare, the order of the loops. Not here:
statements (kernel/lower.py), splitting into several kernels (kernel/split.py). Only kernel/lower
and kernel/split import this module.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from graphc.ir.dtypes import int64
from graphc.ir.shape import Dim, SymDim, dims_equal, evaluate
from graphc.kernel import linear as L
from graphc.kernel.compute import Compute, fresh_reduce_axes
from graphc.kernel.expr import (
    Axis,
    Buffer,
    Const,
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


@dataclass
class Space:
    """What a nest is made from.

    Attributes:
        axes: the main axes, outermost loop first; those of every item are a prefix.
        items: outputs in order, over `axes`.
        unit: position in `axes` of the axis along which the stores are contiguous.
        spans: bounds of reduce axes that do not run over their whole extent.
        simplifier: knows the linear forms of all int64 expressions in the items.
    """

    axes: tuple[Axis, ...]
    items: tuple[Item, ...]
    spans: dict[Axis, tuple[Expr, Expr]]
    simplifier: Simplifier
    unit: int = -1
    bits: dict[Axis, int] = field(default_factory=dict)

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
    items = _apart(items, spans)
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
) -> Sequence[Item]:
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
        return items
    assert not spans, "a split reduction has axes of its own"
    out = []
    for item in items:
        axes = tuple(Axis(a.extent, a.name) for a in item.axes)
        rename: dict[Axis, Expr] = dict(zip(item.axes, axes, strict=True))
        rewrite = Simplifier(rename)
        value = rewrite(fresh_reduce_axes(item.value))
        out.append(Item(item.buffer, axes, rewrite(item.offset), value))
    return out


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
    pairs = list(zip(main, main[1:], strict=False))
    found = reduces(values)
    for reduce in found:
        pairs.extend(zip(reduce.axes, reduce.axes[1:], strict=False))
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
    for reduce in found:
        if outer in reduce.axes or inner in reduce.axes:
            if (outer, inner) not in zip(reduce.axes, reduce.axes[1:], strict=False):
                return False
    return True


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
            key = (height, place, extent, axis.uid if axis in spans else 0)
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
        new_items.append(
            Item(item.buffer, kept, simplifier(item.offset), simplifier(item.value))
        )
    new_spans = _renew_spans(spans, simplifier)
    return Space(tuple(axes), tuple(new_items), new_spans, simplifier, len(axes) - 1)


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
                own = self.axis_bit(node)
            elif isinstance(node, Reduce):
                own = self._bound(node, own)
            of[id(node)] = own
        return of[id(root)]

    def _bound(self, node: Reduce, own: int) -> int:
        for axis in node.axes:
            own &= ~self.axis_bit(axis)
            for bound in self._spans.get(axis, ()):
                own |= self.add(bound)
        return own

    def axis_bit(self, axis: Axis) -> int:
        return self.bit.setdefault(axis, 1 << len(self.bit))


def load_forms(roots: Iterable[Expr], simplifier: Simplifier) -> list[Linear]:
    return [
        simplifier.form(n.args[0]) for n in postorder(*roots) if isinstance(n, Load) and n.flat
    ]


def is_zero(expr: Expr) -> bool:
    return isinstance(expr, Const) and expr.value == 0


__all__ = [
    "Free", "Item", "L", "Space", "guess", "is_prefix", "is_zero", "items_of", "load_forms",
    "prepare", "reduces", "size_guess",
]  # fmt: skip
