"""Partition of a program into groups: which ops become one kernel, and why others do not.

Lives here: Group, Refusal, Partition, the greedy merge. Not here: how nodes read (footprint.py),
what a group computes (build.py). Imports ir, ops.define, fusion.footprint.

A group is rows of one domain: every member computes on the domain's axes or on its leading `row`
axes, so that one loop nest serves all; or a single irregular reduction with what can be inlined
into it. Producers merge into their consumers in topological order; every refusal keeps its reason
and the bytes it costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from graphc.config import Config
from graphc.fusion.footprint import Access, Dims, Footprint, Footprints, strip
from graphc.fusion.reach import Reach
from graphc.fusion.turn import turn_of
from graphc.ir.node import Node, Tensor
from graphc.ir.program import Program, consumers_of
from graphc.ir.shape import evaluate
from graphc.passes.base import VIEWS

CHEAP = 6.0  # recomputing up to this cost is cheaper than a trip through memory
MAX_BUFFERS = 32
MAX_REDUCTIONS = 8
COLUMNS = 16  # sums of fewer columns do not go along with rows
HOT = 4 << 20  # bytes up to which sums over what was just written save more than they cost
APART = "apart"
SMALL = 8192  # a reduction over everything up to this runs in one piece, not in chunks


@dataclass(eq=False)
class Group:
    """Nodes that become one kernel.

    Attributes:
        domain, row, regular: as in Footprint, for all members.
        detached: members that are inlined at another index than the domain's.
        over: what sums over leading axes walk, where the group holds such sums.
        sums: those sums and what is computed of them alone. In a regular group they go along with
            the rows, and nothing in the group can use them.
    """

    nodes: list[Node]
    domain: Dims
    row: int
    regular: bool
    reduces: bool
    cost: float
    detached: set[Node] = field(default_factory=set)
    reductions: int = 0
    over: Dims = ()
    sums: set[Node] = field(default_factory=set)

    @property
    def id(self) -> int:
        return self.nodes[-1].id


@dataclass(frozen=True)
class Refusal:
    """A producer that was not merged into its consumer, and why."""

    producer: Node
    consumer: Node
    reason: str
    nbytes: int


@dataclass
class Partition:
    """The result: groups in no particular order, the refusals, the bytes that fusion saved."""

    groups: list[Group]
    group_of: dict[Node, Group]
    refusals: list[Refusal]
    saved: int

    def join(self, other: Partition) -> None:
        """Adds the result of a program that this one holds."""
        self.groups.extend(other.groups)
        self.group_of.update(other.group_of)
        self.refusals.extend(other.refusals)
        self.saved += other.saved


def is_fusable(node: Node) -> bool:
    """Whether the node has a kernel definition for its dtypes.

    Sources, GEMM, tiles, turned matrices and host ops have none; strings and complex numbers stay
    on the host, and so does what has a shape that depends on data.
    """
    if node.op.kernel is None or node.op.family in ("host", "extern", "source"):
        return False
    if node.attrs.get("tiled") or turn_of(node) is not None:
        return False
    if any(t.dims is None or None in t.dims for t in node.outputs):
        return False  # only the run knows its shape
    return all(t.dtype.kind in "fiub" for t in (*node.inputs, *node.outputs))


def tensor_bytes(tensor: Tensor, hints: Mapping[str, int]) -> int:
    total = tensor.dtype.size
    for dim in tensor.known_dims:
        total *= evaluate(dim, hints)
    return total


class Partitioner:
    """One partition of a program."""

    def __init__(self, program: Program, config: Config) -> None:
        self.program = program
        self.config = config
        self.hints = program.env.hints
        self.readers = consumers_of(program)
        self.roots = set(program.roots)
        self.footprints: dict[Node, Footprint] = {}
        self.alike = Footprints()
        self.group_of: dict[Node, Group] = {}
        self.refusals: list[Refusal] = []
        self.saved = 0
        self.reach = Reach()

    def run(self) -> Partition:
        for position, node in enumerate(self.program.nodes):
            sources = {self._unit(t.node) for t in node.inputs}
            if not is_fusable(node):
                self.reach.add(node, position, sources)
                continue
            seen = self.footprints[node] = self.alike.of(node)
            self.group_of[node] = Group(
                [node], seen.domain, seen.row, seen.regular, seen.reduces, seen.cost,
                reductions=int(seen.reduces), over=seen.over,
                sums={node} if seen.over else set(),
            )  # fmt: skip
            self.reach.add(self.group_of[node], position, sources)
            if self.config.fuse:
                self._absorb(node)
                self._join(node)
        groups = list(dict.fromkeys(self.group_of.values()))
        return Partition(groups, self.group_of, self.refusals, self.saved)

    def _absorb(self, node: Node) -> None:
        """Merges the groups of the node's producers into its own, largest saving first."""
        if node.op.name == APART:
            return
        inputs = [t for t in dict.fromkeys(node.inputs) if t.node in self.group_of]
        inputs.sort(key=lambda t: -tensor_bytes(t, self.hints))
        for tensor in inputs:
            producer, consumer = self.group_of[tensor.node], self.group_of[node]
            if producer is consumer:
                continue
            reason = self._refuse(producer, consumer)
            nbytes = tensor_bytes(tensor, self.hints)
            if reason:
                self.refusals.append(Refusal(tensor.node, node, reason, nbytes))
                continue
            self._merge(producer, consumer)
            external = tensor in self.roots or any(
                self.group_of.get(r) is not self.group_of[node] for r in self.readers[tensor]
            )
            # a read is saved, and the write as well where nobody else needs it
            self.saved += nbytes if external else 2 * nbytes

    def _join(self, node: Node) -> None:
        """Sums over rows go along with a group that walks the same rows already."""
        own = self.group_of[node]
        if not own.over and not (own.regular and own.reduces and own.row):
            return
        for tensor in dict.fromkeys(t for n in own.nodes for t in n.inputs):
            for reader in self.readers.get(tensor, ()):
                own, other = self.group_of[node], self.group_of.get(reader)
                if other is None or other is own or strip(tensor.known_dims) not in (
                    own.over, other.over
                ):  # fmt: skip
                    continue
                for p, c in ((other, own), (own, other)):
                    if self._siblings(p, c):
                        self._merge(p, c)
                        self.saved += tensor_bytes(tensor, self.hints)
                        break

    def _siblings(self, p: Group, c: Group) -> bool:
        """Whether `c`, sums over the rows of a tensor, may run with `p`, which reads it too."""
        if not p.reduces or not self._hosts(p, c):
            return False
        if any(self._edges(p, c)) or any(self._edges(c, p)) or self._refuse_size(p, c):
            return False
        return not self._cyclic(p, c) and not self._cyclic(c, p)

    def _hosts(self, p: Group, c: Group) -> bool:
        """Whether the sums of `c` go along with the rows of `p`."""
        if not p.regular or c.regular or not c.over or c.over != p.domain or p.row == 0:
            return False
        columns = 1
        for dim in c.domain:
            columns *= evaluate(dim, self.hints)
        if columns < COLUMNS or p.detached or self.config.backend == "cuda":
            return False  # a GPU adds columns by threads of their own
        if p.reduces or p.sums:
            return True
        if self._internal(p, c) or self._ends_product(p):
            return False
        summed = {t for _, t in self._edges(p, c)}
        if sum(tensor_bytes(t, self.hints) for t in summed) <= HOT:
            return True
        return any(self._only_for(c, t) for t in summed)

    def _only_for(self, group: Group, tensor: Tensor) -> bool:
        """Whether nobody but the group reads the tensor."""
        readers = self.readers.get(tensor, ())
        return tensor not in self.roots and all(self.group_of.get(r) is group for r in readers)

    def _ends_product(self, group: Group) -> bool:
        """Whether a product may finish the group on its tiles, which saves more."""
        for tensor in (t for n in group.nodes for t in n.inputs):
            source = tensor
            while source.node.op.name in VIEWS:
                source = source.node.inputs[0]
            outside = source.node not in self.group_of and source.node.op.family != "source"
            if outside and strip(tensor.known_dims) == group.domain:
                return True
        return False

    # ------------------------------------------------------------ legality
    def _refuse(self, producer: Group, consumer: Group) -> str:
        """Why the two may not merge; "" where they may."""
        reason = self._refuse_size(producer, consumer) or self._refuse_sums(producer, consumer)
        if reason:
            return reason
        for node, tensor in self._edges(producer, consumer):
            reason = self._refuse_edge(producer, consumer, node, tensor)
            if reason:
                return reason
        if self._cyclic(producer, consumer):
            return "another kernel must run between the two"
        return ""

    def _refuse_sums(self, p: Group, c: Group) -> str:
        """What sums that go along with rows forbid."""
        if p.regular and any(t.node in p.sums for _, t in self._edges(p, c)):
            return "the sums over rows must be finished before they are used"
        if not p.regular or not c.regular:
            return ""
        domain = p.domain if p.reduces and not c.reduces else c.domain
        if (p.sums and domain != p.domain) or (c.sums and domain != c.domain):
            return "the sums over rows belong to another domain"
        if (p.sums or c.sums) and c.reduces and c.row == 0:
            return "the reduction over everything runs in chunks of its own"
        return ""

    def _refuse_size(self, producer: Group, consumer: Group) -> str:
        """Whether the kernel would be too large."""
        if len(producer.nodes) + len(consumer.nodes) > self.config.max_fused_ops:
            return f"the kernel would hold more than {self.config.max_fused_ops} ops"
        if producer.reductions + consumer.reductions > MAX_REDUCTIONS:
            return "too many reductions for one kernel"
        if producer.cost + consumer.cost > 4000:
            return "the kernel would be too large to compile quickly"
        if self._buffers(producer, consumer) > MAX_BUFFERS:
            return f"the kernel would touch more than {MAX_BUFFERS} buffers"
        return ""

    def _edges(self, producer: Group, consumer: Group) -> Iterable[tuple[Node, Tensor]]:
        for node in consumer.nodes:
            for tensor in dict.fromkeys(node.inputs):
                if self.group_of.get(tensor.node) is producer:
                    yield node, tensor

    def _refuse_edge(self, p: Group, c: Group, node: Node, tensor: Tensor) -> str:
        if tensor.node.op.name == APART:
            return "it is computed again so as not to be kept until then"
        access = self.footprints[node].reads.get(tensor, Access("point"))
        if access.kind == "remap" and self._free_view(node):
            return "the view costs nothing, and the kernel keeps the axes that it walks"
        if access.kind in ("remap", "gather") or node in c.detached or tensor.node in p.detached:
            return self._refuse_remap(p, c, access)
        if not c.regular and access.kind == "whole":
            return self._refuse_prologue(p, c)
        wide = strip(tensor.known_dims)
        if access.positions == tuple(range(len(access.positions))):
            return self._refuse_aligned(p, c, wide, tensor)
        return self._refuse_recompute(p, c, "it is broadcast along an outer axis")

    def _free_view(self, node: Node) -> bool:
        """Whether the node only renames memory for steps that are no kernels, such as GEMM."""
        out = node.outputs[0]
        if node.op.name not in VIEWS or out in self.roots:
            return False
        return not any(is_fusable(reader) for reader in self.readers.get(out, ()))

    def _refuse_aligned(self, p: Group, c: Group, wide: Dims, tensor: Tensor) -> str:
        """The consumer reads the tensor at the domain's leading axes."""
        if not p.regular:
            # an irregular reduction takes consumers of its own output's shape
            if c.regular and not c.reduces and c.domain == wide and c.domain == p.domain:
                return ""
            return "the reduction must be finished before its result is broadcast"
        if not c.regular:
            if self._hosts(p, c) and wide == c.over[: len(wide)]:
                return ""
            if p.reduces or p.domain != c.domain:
                return "the two loop over different domains"
            return ""
        if p.reduces and p.row == 0 and c.domain != () and not self._small(p):
            return "the reduction over everything must be finished before its result is used"
        if p.domain == c.domain:
            return self._refuse_rows(p, c)
        if p.reduces and c.domain == p.domain[: p.row]:
            return "" if not c.reduces else "the two reduce different axes"
        if c.reduces and p.domain == c.domain[: c.row] and not p.reduces:
            return ""
        if not p.reduces and len(p.domain) < len(c.domain):
            if p.domain == c.domain[: len(p.domain)]:
                return self._refuse_recompute(p, c, "it is computed once a row", hoisted=True)
        return "the two loop over different domains"

    def _refuse_rows(self, p: Group, c: Group) -> str:
        if p.reduces and c.reduces and p.row != c.row:
            return "the two reduce different axes"
        if c.reduces and c.row == 0 and not self._small(c) and not self._internal(p, c):
            return "the reduction over everything runs in chunks and cannot store its input"
        if p.reduces and p.row == 0 and len(p.domain) > 0 and not self._small(p):
            return "the reduction over everything must be finished before its result is used"
        return ""

    @staticmethod
    def _small(group: Group) -> bool:
        """Whether the group's domain is known to be so small that it runs in one piece."""
        total = 1
        for dim in group.domain:
            if not isinstance(dim, int):
                return False
            total *= dim
        return total <= SMALL

    def _refuse_prologue(self, p: Group, c: Group) -> str:
        """The consumer is a reduction over other than trailing axes and reads everything."""
        if self._hosts(p, c):
            return ""
        if p.reduces:
            return "a reduction would be computed again for each element"
        if not self._internal(p, c):
            return "its value is needed elsewhere too, and this reduction walks it across rows"
        return ""

    def _refuse_remap(self, p: Group, c: Group, access: Access) -> str:
        if p.reduces or not p.regular:
            return "a reduction is read at another index"
        if not self._internal(p, c):
            return "its value is needed elsewhere too, at another index"
        if access.kind == "gather" and p.cost > CHEAP:
            return "gathered rows would be computed again for each index"
        return ""

    def _refuse_recompute(self, p: Group, c: Group, why: str, hoisted: bool = False) -> str:
        if p.reduces or not p.regular:
            return "a reduction would be computed again for each row"
        if not self._internal(p, c):
            return f"{why}, and its value is needed elsewhere too"
        if not hoisted and p.cost > CHEAP:
            return f"{why}: computing it again costs more than reading it"
        return ""

    def _internal(self, p: Group, c: Group) -> bool:
        """Whether nobody but the consumer group reads what the producer group computes."""
        for node in p.nodes:
            for tensor in node.outputs:
                if tensor in self.roots:
                    return False
                for reader in self.readers.get(tensor, ()):
                    if self.group_of.get(reader) not in (p, c):
                        return False
        return True

    def _buffers(self, p: Group, c: Group) -> int:
        inside = {*p.nodes, *c.nodes}
        touched = {t for n in inside for t in n.inputs if t.node not in inside}
        return len(touched)

    def _cyclic(self, p: Group, c: Group) -> bool:
        """Whether some path leads from p through another unit into c."""
        sources = {self._unit(t.node) for n in c.nodes for t in n.inputs} - {p, c}
        return self.reach.between(p, sources)

    def _unit(self, node: Node) -> Group | Node:
        """The node's group, or the node itself where it is no kernel's."""
        return self.group_of.get(node, node)

    # ------------------------------------------------------------ merging
    def _merge(self, p: Group, c: Group) -> None:
        detached = c.detached | p.detached
        for node, tensor in self._edges(p, c):
            access = self.footprints[node].reads.get(tensor, Access("point"))
            aligned = access.kind == "point" and access.positions == tuple(
                range(len(access.positions))
            )
            if (not aligned and access.kind != "whole") or node in c.detached:
                detached |= set(p.nodes)
        domain, row, regular = c.domain, c.row, c.regular
        hosted = self._hosts(p, c)
        sums = p.sums | c.sums
        if not p.regular and p.sums and c.regular:
            sums |= set(c.nodes)  # computed of the sums alone
        if hosted or not p.regular or (p.regular and p.reduces and p.domain != ()):
            if not (set(p.nodes) & detached):
                domain, row, regular = p.domain, p.row, p.regular
        merged = Group(
            sorted([*p.nodes, *c.nodes], key=lambda n: n.id),
            domain,
            row,
            regular,
            p.reduces or (c.reduces and not hosted),
            p.cost + c.cost,
            detached,
            p.reductions + c.reductions,
            c.over or p.over,
            sums,
        )
        if c.reduces and c.regular and p.regular:
            merged.domain, merged.row = c.domain, c.row
        self.reach.merge(p, c, merged)
        for node in merged.nodes:
            self.group_of[node] = merged


def partition(program: Program, config: Config) -> Partition:
    """Groups the program's fusable nodes; one op a group when `config.fuse` is off."""
    return Partitioner(program, config).run()
