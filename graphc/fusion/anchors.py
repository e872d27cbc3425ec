"""Anchors: products that take the group behind them into their tiles.

Lives here: Anchor, take_epilogues. Not here: ordinary groups (partition.py), what becomes of a tile
(kernel/tiles/finish.py), which products are tiles (the caller knows). Imports ir, fusion.

A group whose members all compute on the product's own elements runs on each tile while it is in the
cache: bias, activation, residual, the mask of a gradient, an optimizer's step. Where the product is
read elsewhere too, the tile stores it as one more output. Every refusal keeps its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from graphc.fusion.footprint import Access, footprint_of, strip
from graphc.fusion.partition import APART, MAX_BUFFERS, Group, Partition, Refusal, tensor_bytes
from graphc.ir.node import Node, Tensor
from graphc.ir.program import Program, consumers_of
from graphc.ir.shape import dims_product
from graphc.passes.base import VIEWS

Unit = Group | Node


@dataclass(frozen=True)
class Anchor:
    """A product and what only renames its output: `product` is read by the group."""

    node: Node
    views: tuple[Node, ...]
    product: Tensor

    @property
    def nodes(self) -> tuple[Node, ...]:
        return (self.node, *self.views)


def take_epilogues(
    program: Program, partition: Partition, accepts: Callable[[Node], bool]
) -> dict[Group, Anchor]:
    """The groups that run behind a product, with their anchors; the partition learns of both.

    Args:
        accepts: whether a node is a product that can take a group.
    """
    return _Anchoring(program, partition).run(n for n in program.nodes if accepts(n))


class _Anchoring:
    def __init__(self, program: Program, partition: Partition) -> None:
        self.partition = partition
        self.group_of = partition.group_of
        self.readers = consumers_of(program)
        self.roots = set(program.roots)
        self.hints: Mapping[str, int] = program.env.hints
        self.position = {node: n for n, node in enumerate(program.nodes)}
        effects = program.effects
        self.next_effect = dict(zip(effects, effects[1:], strict=False))
        self.anchors: dict[Group, Anchor] = {}

    def run(self, nodes: Iterable[Node]) -> dict[Group, Anchor]:
        for node in nodes:
            anchor = self._named(node)
            nbytes = tensor_bytes(anchor.product, self.hints)
            refused: list[Refusal] = []
            for reader in self.readers.get(anchor.product, ()):
                group = self.group_of.get(reader)
                reason = self._refuse(anchor, group)
                if reason or group is None:
                    refused.append(Refusal(node, reader, reason, nbytes))
                    continue
                self._take(anchor, group, nbytes)
                break
            else:
                self.partition.refusals.extend(refused)
        return self.anchors

    def _named(self, node: Node) -> Anchor:
        """The product behind reshapes that keep its columns, where nobody reads it before them."""
        views: list[Node] = []
        product = node.outputs[0]
        while product not in self.roots:
            readers = self.readers.get(product, ())
            if len(readers) != 1 or readers[0].op.name not in VIEWS:
                break
            view = readers[0].outputs[0]
            group = self.group_of.get(readers[0])
            # a view that an ordinary kernel computes at an index of its own stays there
            if group is None or readers[0] in group.detached or not _same_rows(product, view):
                break
            views.append(readers[0])
            product = view
        return Anchor(node, tuple(views), product)

    # ------------------------------------------------------------ legality
    def _refuse(self, anchor: Anchor, group: Group | None) -> str:
        """Why the group cannot run on the product's tiles; "" where it can."""
        product = anchor.product
        if group is None:
            return "what reads the product is no kernel"
        if group in self.anchors:
            return "the kernel stands behind another product already"
        if not group.regular or group.reduces or group.sums:
            return "the product must be finished before it is reduced"
        if group.domain != strip(product.known_dims):
            return "the two loop over different domains"
        members = [n for n in group.nodes if n not in anchor.views]
        if not members or members[0].op.name == APART:
            return "what reads the product only renames it"
        if group.detached:
            return "parts of the kernel are computed at other indices"
        own = Access("point", tuple(range(len(group.domain))))
        for node in members:
            if product in node.inputs and footprint_of(node).reads.get(product) != own:
                return "the product is read at another index"
            if self._narrow(node, group):
                return "a part of the kernel that is stored has fewer axes"
        touched = {t for n in members for t in n.inputs if t.node not in members}
        if len(touched) > MAX_BUFFERS - 4:
            return f"the kernel touches more than {MAX_BUFFERS - 4} buffers"
        return "another kernel must run between the two" if self._cyclic(anchor, group) else ""

    def _narrow(self, node: Node, group: Group) -> bool:
        """Whether the member makes something that is stored but is not of the group's domain."""
        for tensor in node.outputs:
            if strip(tensor.known_dims) == group.domain:
                continue
            outside = any(self.group_of.get(r) is not group for r in self.readers.get(tensor, ()))
            if tensor in self.roots or outside:
                return True
        return False

    def _cyclic(self, anchor: Anchor, group: Group) -> bool:
        """Whether what reads the product outside of the group must run before the group."""
        last = max(self.position[n] for n in group.nodes)
        inside = {*anchor.nodes, *group.nodes}
        stack: list[Unit] = [
            self._unit(r)
            for r in self.readers.get(anchor.product, ())
            if r not in inside
        ]
        seen: set[Unit] = set(stack)
        while stack:
            for node in self._members(stack.pop()):
                for later in self._behind(node):
                    unit = self._unit(later)
                    if unit is group:
                        return True
                    first = min(self.position[n] for n in self._members(unit))
                    if unit not in seen and first < last:
                        seen.add(unit)
                        stack.append(unit)
        return False

    def _unit(self, node: Node) -> Unit:
        return self.group_of.get(node, node)

    def _members(self, unit: Unit) -> tuple[Node, ...]:
        if isinstance(unit, Node):
            return (unit,)
        anchor = self.anchors.get(unit)
        return (*unit.nodes, *(anchor.nodes if anchor is not None else ()))

    def _behind(self, node: Node) -> list[Node]:
        """What reads the node's outputs, and the next effect."""
        out = [r for t in node.outputs for r in self.readers.get(t, ())]
        if node in self.next_effect:
            out.append(self.next_effect[node])
        return out

    # ------------------------------------------------------------ taking
    def _take(self, anchor: Anchor, group: Group, nbytes: int) -> None:
        group.nodes = [n for n in group.nodes if n not in anchor.views]
        self.anchors[group] = anchor
        for node in anchor.nodes:
            old = self.group_of.get(node)
            if old is not None and old is not group:
                self.partition.groups.remove(old)
            self.group_of[node] = group
        kept = anchor.product in self.roots or any(
            self.group_of.get(r) is not group for r in self.readers.get(anchor.product, ())
        )
        self.partition.saved += nbytes if kept else 2 * nbytes


def _same_rows(product: Tensor, view: Tensor) -> bool:
    """Whether a reshape keeps the columns, and the rows of each of several products."""
    old, new = product.known_dims, view.known_dims
    if len(new) < 2 or old[-1] != new[-1] or dims_product(old) != dims_product(new):
        return False
    return len(old) == 2 or (old[-2] == new[-2] and len(new) > 2) or old == new
