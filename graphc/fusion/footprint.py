"""Footprints: how a node reads its inputs, computed from its kernel definition.

Lives here: Footprint, footprint_of, Footprints, stripped dimensions. Not here: which groups may
merge (fusion/legality.py). Fusibility is computed from the definition, never declared by an op.

All positions are in stripped shapes: dimensions that are the constant 1 are left out, so that
(n, 1), (n,) and (1, n) are one domain and unit axes never stand in the way.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from graphc.fusion.alike import signature
from graphc.ir.dtypes import int64
from graphc.ir.node import Node, Tensor
from graphc.ir.shape import Dim
from graphc.kernel.columns import MONOIDS
from graphc.kernel.compute import scalar_cost
from graphc.kernel.expr import Axis, Buffer, Const, Expr, Load, Reduce, postorder
from graphc.ops.define import KernelContext

Dims = tuple[Dim, ...]


def strip(shape: Sequence[Dim]) -> Dims:
    """The dimensions that are not the constant 1."""
    return tuple(d for d in shape if not (isinstance(d, int) and d == 1))


@dataclass(frozen=True)
class Access:
    """How one tensor is read.

    Attributes:
        kind: "point": at some of the domain's axes, each at most once, in order; "whole": reduced
            or re-read over the row or the whole domain; "remap": at another index computed from
            the axes; "gather": at an index that data decide.
        positions: for "point", the domain's axes (stripped positions) that appear.
    """

    kind: str
    positions: tuple[int, ...] = ()


@dataclass(frozen=True)
class Footprint:
    """What a node computes over.

    Attributes:
        domain: stripped dimensions of the iteration space.
        row: how many leading axes of the domain are not reduced inside; len(domain) for nodes
            without reductions.
        regular: whether the node fits "rows of one domain": outputs are the domain or its first
            `row` axes. A reduction over other than trailing axes is not regular.
        reads: how each input tensor is read.
        cost: scalar cost of an element.
        over: of a reduction over leading axes that reads its input row by row: what it walks, the
            domain behind the reduced dimensions; () for all others.
    """

    domain: Dims
    row: int
    regular: bool
    reads: dict[Tensor, Access]
    cost: float
    reduces: bool
    over: Dims = ()


class _Probe(KernelContext):
    """A kernel context that gives loads buffers keyed by tensor."""

    def __init__(self, node: Node) -> None:
        super().__init__(node, lambda t: Buffer(t, t.dtype, t.known_dims))


class Footprints:
    """Footprints of a program's nodes; nodes that are alike are looked at once."""

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[Footprint, list[Tensor]]] = {}

    def of(self, node: Node) -> Footprint:
        key, tensors = signature([node])
        known = self._known.get(key)
        if known is None:
            made = footprint_of(node)
            self._known[key] = made, tensors
            return made
        seen, before = known
        now = dict(zip(before, tensors, strict=True))
        return replace(seen, reads={now[t]: access for t, access in seen.reads.items()})


def footprint_of(node: Node) -> Footprint:
    """The node's footprint, from the expressions of its outputs."""
    assert node.op.kernel is not None
    ctx = _Probe(node)
    axes: list[list[Expr]] = []
    values: list[Expr] = []
    for which in range(len(node.outputs)):
        index: list[Expr] = [
            Const(0, int64) if isinstance(d, int) and d == 1 else Axis(d, f"i{k}")
            for k, d in enumerate(ctx.out_shape(which))
        ]
        axes.append([a for a in index if isinstance(a, Axis)])
        values.append(node.op.kernel(ctx, which, tuple(index)))
    cost = sum(scalar_cost(v) for v in values)
    if not any(isinstance(n, Reduce) for n in postorder(*values)):
        return _pointwise(node, axes, values, cost)
    return _reducing(node, axes, values, cost)


def _pointwise(
    node: Node, axes: list[list[Expr]], values: list[Expr], cost: float
) -> Footprint:
    domain = strip(node.outputs[0].known_dims)
    uniform = all(strip(t.known_dims) == domain for t in node.outputs)
    reads: dict[Tensor, Access] = {}
    for own, value in zip(axes, values, strict=True):
        for tensor, access in _reads(value, own).items():
            reads[tensor] = _worse(reads.get(tensor), access)
    return Footprint(domain, len(domain), uniform, reads, cost, False)


def _reads(value: Expr, axes: list[Expr]) -> dict[Tensor, Access]:
    at = {axis: k for k, axis in enumerate(axes)}
    out: dict[Tensor, Access] = {}
    for node in postorder(value):
        if isinstance(node, Load):
            access = _classify(node, at)
            out[node.buffer.key] = _worse(out.get(node.buffer.key), access)
    return out


def _classify(load: Load, at: dict[Expr, int]) -> Access:
    positions: list[int] = []
    for dim, index in zip(load.buffer.shape, load.index, strict=True):
        if index in at:
            positions.append(at[index])
            continue
        if isinstance(dim, int) and dim == 1 and isinstance(index, Const | Axis):
            continue
        if any(isinstance(n, Load) for n in postorder(index)):
            return Access("gather")
        return Access("remap")
    ordered = all(a < b for a, b in zip(positions, positions[1:], strict=False))
    if load.masked or not ordered:
        return Access("remap")
    return Access("point", tuple(positions))


_RANK = {"point": 0, "whole": 1, "remap": 2, "gather": 3}


def _worse(a: Access | None, b: Access) -> Access:
    """The access that stands for both."""
    if a is None or a == b:
        return b
    if a.kind == b.kind == "point":
        return Access("remap")
    return a if _RANK[a.kind] >= _RANK[b.kind] else b


def _reducing(
    node: Node, axes: list[list[Expr]], values: list[Expr], cost: float
) -> Footprint:
    """Rows of one domain, if the reductions are over its trailing axes; else irregular."""
    widest = max(range(len(values)), key=lambda k: len(axes[k]))
    loads = [
        (n, axes[k]) for k, v in enumerate(values) for n in postorder(v) if isinstance(n, Load)
    ]
    reduced = {a for v in values for n in postorder(v) if isinstance(n, Reduce) for a in n.axes}
    shape = _row_domain(node, loads, reduced, axes[widest])
    if shape is None:
        reads = {load.buffer.key: Access("whole") for load, _ in loads}
        domain = strip(node.outputs[widest].known_dims)
        over = _walked(values, axes) if len(values) == 1 else ()
        return Footprint(domain, len(domain), False, reads, cost, True, over)
    domain, row = shape
    reads = {}
    for load, own in loads:
        access = _row_access(load, own, row, domain)
        reads[load.buffer.key] = _worse(reads.get(load.buffer.key), access)
    return Footprint(domain, row, True, reads, cost, True)


def _walked(values: list[Expr], axes: list[list[Expr]]) -> Dims:
    """The dimensions of what one reduction over leading axes reads; () where it is not one."""
    found = [n for n in postorder(*values) if isinstance(n, Reduce)]
    if len(found) != 1 or found[0].monoid not in MONOIDS or found[0].dtype.is_half:
        return ()
    wanted = [a for a in found[0].axes if a.extent != 1] + axes[0]
    shapes = set()
    for load in (n for n in postorder(found[0]) if isinstance(n, Load)):
        pairs = [(d, x) for d, x in zip(load.buffer.shape, load.index, strict=True) if d != 1]
        if load.masked or [x for _, x in pairs] != wanted:
            return ()
        shapes.add(tuple(d for d, _ in pairs))
    return shapes.pop() if len(shapes) == 1 and len(axes[0]) else ()


def _row_domain(
    node: Node,
    loads: list[tuple[Load, list[Expr]]],
    reduced: set[Axis],
    widest: list[Expr],
) -> tuple[Dims, int] | None:
    """(domain, row) when every reducing load reads (leading axes, reduce axes) in order."""
    found: tuple[Dims, int] | None = None
    for load, own in loads:
        index = [
            (d, x)
            for d, x in zip(load.buffer.shape, load.index, strict=True)
            if not (isinstance(d, int) and d == 1 and isinstance(x, Const | Axis))
        ]
        inner = [x for _, x in index if x in reduced]
        if not inner:
            continue
        row = len(index) - len(inner)
        leading = [x for _, x in index[:row]]
        if load.masked or leading != own[:row] or [x for _, x in index[row:]] != inner:
            return None
        shape = (tuple(d for d, _ in index), row)
        if found is not None and found != shape:
            return None
        found = shape
    if found is None:
        return None
    domain, row = found
    for tensor in node.outputs:
        if strip(tensor.known_dims) not in (domain, domain[:row]):
            return None
    return found


def _row_access(load: Load, own: list[Expr], row: int, domain: Dims) -> Access:
    """Point access relative to the domain: reduce axes count as the domain's trailing axes."""
    at = {axis: k for k, axis in enumerate(own)}
    positions: list[int] = []
    trailing = row
    for dim, index in zip(load.buffer.shape, load.index, strict=True):
        if isinstance(dim, int) and dim == 1 and isinstance(index, Const | Axis):
            continue
        if index in at:
            positions.append(at[index])
        elif isinstance(index, Axis):
            positions.append(trailing)
            trailing += 1
        elif any(isinstance(n, Load) for n in postorder(index)):
            return Access("gather")
        else:
            return Access("remap")
    if load.masked or list(positions) != sorted(set(positions)):
        return Access("remap")
    return Access("point", tuple(positions))
