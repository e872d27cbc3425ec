"""Program: the compiler's form of what one run computes; immutable, hash-consed, pure.

Lives here: ProgramBuilder (the container new nodes go to), Program, its text. Not here: how a
user's graph becomes a Program (passes/functionalize.py), rewriting (passes/base.py). Imports only
ir modules.

A Program has no names, no control dependencies and no assignments: variables are read by `read`
nodes at their value at the start of the run, and `updates` holds each written variable's value at
the end. Every dimension is an int or a SymDim; the symbols stand for extents of the feeds.
"""

from __future__ import annotations

import contextlib
import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from graphc.ir.graph import enter_default_graph, exit_default_graph
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import ShapeEnv, shape_env
from graphc.ir.source import Origin

if TYPE_CHECKING:
    from graphc.ops.define import OpDef


class UnresolvedShape(Exception):
    """A shape that only the data decide: the tensors in `needs` must be computed first."""

    def __init__(self, node: Node) -> None:
        super().__init__(node.text_name)
        self.node = node


class ProgramBuilder:
    """Collects nodes; equal ones (op, inputs, attributes) are one node."""

    def __init__(self, env: ShapeEnv) -> None:
        self.env = env
        self.nodes: list[Node] = []
        self._table: dict[Any, Node] = {}
        self._origins: tuple[Origin, ...] = ()
        self._name = ""
        self.finalized = False

    def create_node(
        self,
        op: OpDef,
        inputs: Sequence[Tensor],
        attrs: Mapping[str, Any],
        name: str | None = None,
    ) -> Node:
        key: Any = None
        if not op.stateful:
            key = (
                op.name,
                tuple((t.node.id, t.value_index) for t in inputs),
                tuple(sorted(attrs.items())) if attrs else (),
            )
            found = self._table.get(key)
            if found is not None:
                return found
        return self.add(op, inputs, attrs, op.infer_types(inputs, attrs, self._name), key)

    def add(
        self,
        op: OpDef,
        inputs: Sequence[Tensor],
        attrs: Mapping[str, Any],
        types: Sequence[TensorType],
        key: Any = None,
    ) -> Node:
        """A node whose types are given (feeds, reads)."""
        node = Node(
            op, inputs, attrs, types, self, len(self.nodes), self._name, (), self._origins
        )
        self.nodes.append(node)
        if key is not None:
            self._table[key] = node
        return node

    def consumers(self, tensor: Tensor) -> list[Node]:
        return [n for n in self.nodes if tensor in n.inputs]

    def as_graph_element(self, obj: Any, **_: Any) -> Any:
        convert = getattr(obj, "_as_graph_element", None)
        return convert() if convert is not None else obj

    @contextlib.contextmanager
    def building(self) -> Iterator[None]:
        """New nodes without operands go here, and inference uses this program's hints."""
        enter_default_graph(self)  # type: ignore[arg-type]
        try:
            with shape_env(self.env):
                yield
        finally:
            exit_default_graph(self)  # type: ignore[arg-type]

    def at(self, origins: tuple[Origin, ...], name: str) -> None:
        """Nodes made from here on carry these origins and this name."""
        self._origins = origins
        self._name = name

    @contextlib.contextmanager
    def name_scope(self, name: str | None) -> Iterator[str]:
        yield ""

    @contextlib.contextmanager
    def control_dependencies(self, inputs: Any) -> Iterator[None]:
        yield

    @contextlib.contextmanager
    def device(self, spec: Any) -> Iterator[None]:
        yield


@dataclass(frozen=True)
class Update:
    """The value of a variable at the end of the run. `variable` is the user's variable node."""

    variable: Node
    value: Tensor


@dataclass(frozen=True)
class Program:
    """What one run computes.

    Attributes:
        nodes: in topological order, all needed.
        feeds: tensors of the `feed` nodes, in the order of the plan's feeds.
        outputs: the fetched tensors. updates: the written variables.
        effects: nodes that run for what they do, in order.
        builder: where new nodes of this program go; holds the hints and guards of its symbols.
    """

    nodes: tuple[Node, ...]
    feeds: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    updates: tuple[Update, ...]
    builder: ProgramBuilder = field(repr=False)
    effects: tuple[Node, ...] = ()

    @property
    def env(self) -> ShapeEnv:
        """Hints and guards of the symbols."""
        return self.builder.env

    @property
    def roots(self) -> tuple[Tensor, ...]:
        return self.outputs + tuple(u.value for u in self.updates)

    def __str__(self) -> str:
        return program_text(self)


def live_nodes(
    roots: Sequence[Tensor], keep: Sequence[Tensor] = (), effects: Sequence[Node] = ()
) -> tuple[Node, ...]:
    """The nodes that the roots and effects need, and those of `keep`, in topological order.

    Effects keep their order, also where a pass has made an early one anew.
    """
    seen: dict[int, Node] = {}
    stack = [*(t.node for t in (*roots, *keep)), *effects]
    while stack:
        node = stack.pop()
        if node.id in seen:
            continue
        seen[node.id] = node
        stack.extend(t.node for t in node.inputs if t.node.id not in seen)
    nodes = tuple(seen[i] for i in sorted(seen))
    numbers = [n.id for n in effects]
    return nodes if numbers == sorted(numbers) else _with_effects_in_order(nodes, effects)


def _with_effects_in_order(nodes: Sequence[Node], effects: Sequence[Node]) -> tuple[Node, ...]:
    """The oldest node first of those whose inputs, and for effects the one before, are there."""
    before = {n: {t.node for t in n.inputs} for n in nodes}
    for early, late in pairwise(effects):
        before[late].add(early)
    after: dict[Node, list[Node]] = {}
    for node, sources in before.items():
        for source in sources:
            after.setdefault(source, []).append(node)
    ready = [n.id for n in nodes if not before[n]]
    by_id = {n.id: n for n in nodes}
    out: list[Node] = []
    while ready:
        node = by_id[heapq.heappop(ready)]
        out.append(node)
        for later in after.get(node, ()):
            before[later].discard(node)
            if not before[later]:
                heapq.heappush(ready, later.id)
    return tuple(out)


def consumers_of(program: Program) -> dict[Tensor, list[Node]]:
    """Every tensor's readers, each once, in order."""
    out: dict[Tensor, list[Node]] = {}
    for node in program.nodes:
        for tensor in dict.fromkeys(node.inputs):
            out.setdefault(tensor, []).append(node)
    return out


# ------------------------------------------------------------------ text
def program_text(program: Program) -> str:
    """One line a node: `%3 = multiply(%1, %2) : float32(s0, 10)  # name`, in plan order.

    The programs that a loop or a branch holds follow its line, indented.
    """
    numbers = {node: n for n, node in enumerate(program.nodes)}
    lines = ["program("]
    for node in program.nodes:
        args = ", ".join(_ref(t, numbers) for t in node.inputs)
        attrs = ", ".join(f"{k}={_attr(v)}" for k, v in sorted(node.attrs.items()))
        types = ", ".join(str(t.type) for t in node.outputs)
        body = ", ".join(p for p in (args, attrs) if p)
        note = f"  # {node.name}" if node.name else ""
        lines.append(f"  %{numbers[node]} = {node.op.name}({body}) : {types}{note}")
        lines.extend(_held_lines(node))
    outs = ", ".join(_ref(t, numbers) for t in program.outputs)
    lines.append(f") -> ({outs})")
    for update in program.updates:
        lines.append(f"  {update.variable.name} := {_ref(update.value, numbers)}")
    if program.env.guards:
        lines.append("  guards: " + ", ".join(str(g) for g in program.env.guards))
    return "\n".join(lines) + "\n"


def _held_lines(node: Node) -> list[str]:
    held = next((v for v in node.attrs.values() if hasattr(v, "programs")), None)
    lines: list[str] = []
    for name, inner in held.programs if held is not None else ():
        text = program_text(inner).splitlines()
        lines.extend(f"    {line}" for line in (f"{name} {text[0]}", *text[1:]))
    return lines


def _ref(tensor: Tensor, numbers: Mapping[Node, int]) -> str:
    suffix = f".{tensor.value_index}" if len(tensor.node.outputs) > 1 else ""
    return f"%{numbers[tensor.node]}{suffix}"


def _attr(value: Any) -> str:
    if isinstance(value, Node):
        return value.name
    return value.name if hasattr(value, "tf_name") else repr(value)
