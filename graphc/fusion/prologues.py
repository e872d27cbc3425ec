"""Prologues: groups that make the rows of a product, and nothing else, inside of its step.

Lives here: Lead, take_prologues. Not here: groups behind products (anchors.py), how rows are made
(runtime/prologue.py), which products can (the caller knows). Imports ir, fusion.

A scaled, normalised, activated or converted input of a large product would be written to memory and
read again. A task makes a block of rows in the cache instead, right before it needs them. Every
refusal keeps its reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphc.fusion.footprint import strip
from graphc.fusion.partition import MAX_BUFFERS, Group, Partition, Refusal, tensor_bytes
from graphc.ir.node import Node, Tensor
from graphc.ir.program import Program, consumers_of
from graphc.passes.base import VIEWS

LEAST_BYTES = 1 << 22  # of the rows: less is still in the cache when it is read
FAR = 0.05  # what a byte costs that comes from the last cache, of one from memory


@dataclass(frozen=True)
class Lead:
    """A group that makes the rows of a product: `made`, and what only renames it."""

    group: Group
    views: tuple[Node, ...]
    made: Tensor

    @property
    def nodes(self) -> tuple[Node, ...]:
        return (*self.group.nodes, *self.views)


@dataclass(frozen=True)
class Candidate:
    """A product whose tasks are rows. rows: its operand. again: bytes that come from the last cache
    once more because tasks go by blocks of rows."""

    rows: Tensor
    again: int


def take_prologues(
    program: Program, partition: Partition, taken: Mapping[Group, object],
    candidates: Mapping[Node, Candidate],
) -> dict[Node, Lead]:  # fmt: skip
    """What may run in front of each product; the partition learns why others do not.

    Args:
        taken: groups that run on the tiles of a product.
        candidates: by their nodes, in the program's order.
    """
    finder = _Finder(program, partition, taken)
    out: dict[Node, Lead] = {}
    for node, candidate in candidates.items():
        lead = finder.lead(candidate.rows)
        if lead is None:
            continue
        nbytes = tensor_bytes(lead.made, program.env.hints)
        if nbytes < LEAST_BYTES:
            continue
        reason = finder.refuse(node, lead, 2 * nbytes - FAR * candidate.again)
        if reason:
            partition.refusals.append(Refusal(lead.made.node, node, reason, 2 * nbytes))
            continue
        out[node] = lead
        partition.saved += 2 * nbytes
    return out


class _Finder:
    def __init__(
        self, program: Program, partition: Partition, taken: Mapping[Group, object]
    ) -> None:
        self.group_of = partition.group_of
        self.taken = taken
        self.readers = consumers_of(program)
        self.roots = set(program.roots)

    def lead(self, rows: Tensor) -> Lead | None:
        """The group in front of a product, behind reshapes that keep its rows."""
        views: list[Node] = []
        made = rows
        while True:
            group = self.group_of.get(made.node)
            if group is None:
                return None
            if len(group.nodes) > 1 or made.node.op.name not in VIEWS:
                return Lead(group, tuple(reversed(views)), made)
            source = made.node.inputs[0]
            if len(source.known_dims) < 2 or source.known_dims[-1] != made.known_dims[-1]:
                return None
            views.append(made.node)
            made = source

    def refuse(self, node: Node, lead: Lead, saved: float) -> str:
        """Why the group cannot run in front of the product; "" where it can."""
        group = lead.group
        if group in self.taken:
            return "the kernel runs on the tiles of another product"
        inside = {node, *lead.nodes}
        for tensor in (t for n in lead.nodes for t in n.outputs):
            if tensor in self.roots or any(r not in inside for r in self.readers.get(tensor, ())):
                return "its value is needed elsewhere too"
        if not group.regular or group.reduces or group.sums or group.detached:
            return "rows that are reduced or moved are made as a whole"
        if group.domain != strip(lead.made.known_dims) or len(group.domain) < 2:
            return "the kernel loops over another domain than the product's rows"
        touched = {t for n in group.nodes for t in n.inputs if t.node not in inside}
        if len(touched) > MAX_BUFFERS // 2:
            return f"the kernel touches more than {MAX_BUFFERS // 2} buffers"
        if saved <= 0:
            return "the other operand would be fetched more often than that saves"
        return ""
