"""Graphs of functions: bodies that are traced once and refer to tensors of the graph around them.

Lives here: FunctionGraph (captures tensors of outer graphs), BodyGraph (a branch or a loop's body:
variables and random states go to the outermost graph), Body, trace, lifted. Not here: the nodes
that hold bodies (ops/control.py), functions of datasets (data/function.py). Imports ir, ops.define.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.ir.graph import Graph, get_default_graph
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ops.define import F, OpDef

# what belongs to the program as a whole, not to one step of a loop
_LIFTED = frozenset({"variable", "placeholder", "rng_state"})


class FunctionGraph(Graph):
    """The graph of a function's body. Tensors of other graphs become inputs of it.

    Attributes:
        captures: tensors of the graph around it, and the tensors that stand for them here.
    """

    def __init__(self, outer: Graph) -> None:
        super().__init__()
        self.outer = outer
        self.seed = outer.seed
        self.captures: dict[Tensor, Tensor] = {}

    def create_node(
        self,
        op: OpDef,
        inputs: Sequence[Tensor],
        attrs: Mapping[str, Any],
        name: str | None = None,
    ) -> Node:
        """As Graph's; inputs of other graphs are captured."""
        own = [t if t.graph is self else self.capture(t) for t in inputs]
        return super().create_node(op, own, attrs, name)

    def capture(self, tensor: Tensor) -> Tensor:
        """The tensor of this graph that stands for one of a graph around it.

        Raises:
            ValueError: a tensor of a graph that is not around this one.
        """
        if tensor.graph is self:
            return tensor
        if tensor.graph is not self.outer:
            if not isinstance(self.outer, FunctionGraph):
                raise ValueError(f"{tensor} must be from the same graph as {self.outer!r}.")
            tensor = self.outer.capture(tensor)
        known = self.captures.get(tensor)
        if known is None:
            known = self.captures[tensor] = self._stand_in(tensor)
        return known

    def _stand_in(self, tensor: Tensor) -> Tensor:
        source = tensor.node
        with self.control_dependencies(None):
            if source.op.name == "const":
                # its value decides shapes inside, too
                return super().create_node(source.op, (), source.attrs, source.name).outputs[0]
            return self.parameter(TensorType(tensor.dtype, tensor.dims), source.name)

    def parameter(self, type_: TensorType, name: str) -> Tensor:
        """A new input of the function."""
        attrs = {"dtype": type_.dtype, "shape": type_.shape}
        return super().create_node(F.placeholder, (), attrs, name or "arg").outputs[0]

    @property
    def inputs(self) -> list[tuple[Tensor, Tensor]]:
        """(tensor around, parameter) of what is captured; constants have been copied."""
        return [(t, own) for t, own in self.captures.items() if own.node.op.name != "const"]


class BodyGraph(FunctionGraph):
    """A branch of a cond or a body of a loop.

    Variables, placeholders and random states made inside land in the outermost graph, with the
    collections. Random states differ from step to step of a loop.

    Attributes:
        begin: how many nodes the graph around it had when tracing began.
        step: the number of the loop's step, where it is a loop's body.
        controls: nodes of graphs around it that run before whatever holds this body.
    """

    def __init__(self, outer: Graph) -> None:
        super().__init__(outer)
        self.root: Graph = getattr(outer, "root", outer)
        self.begin = len(outer.nodes)
        self.step: Tensor | None = None
        self.controls: dict[Node, None] = {}
        self._states: dict[Tensor, Tensor] = {}
        self._collections = outer._collections
        self._scopes.name_stack = outer.get_name_scope()
        self._scopes.device = list(outer._scopes.device)

    def create_node(
        self,
        op: OpDef,
        inputs: Sequence[Tensor],
        attrs: Mapping[str, Any],
        name: str | None = None,
    ) -> Node:
        """As FunctionGraph's; what belongs to the whole program is made in the outermost graph."""
        if op.name not in _LIFTED:
            return super().create_node(op, inputs, attrs, name)
        with lifted() as root:
            return root.create_node(op, inputs, attrs, name)

    def capture(self, tensor: Tensor) -> Tensor:
        own = super().capture(tensor)
        if self.step is None or own.node.op.name != "placeholder" or not _is_state(tensor):
            return own
        if own not in self._states:
            with self.control_dependencies(None):
                self._states[own] = F.rng_step(own, self.step)
        return self._states[own]

    def _stand_in(self, tensor: Tensor) -> Tensor:
        """Constants that a gradient may be asked for are operands; runs make them constants."""
        if tensor.node.op.name != "const" or not tensor.dtype.is_floating:
            return super()._stand_in(tensor)
        with self.control_dependencies(None):
            return self.parameter(TensorType(tensor.dtype, tensor.dims), tensor.node.name)

    @property
    def last_id(self) -> int:
        """Seeds of random ops come from the number of ops in the outermost graph and here."""
        return self.root.last_id + len(self._nodes)

    _last_id = last_id

    @contextlib.contextmanager
    def control_dependencies(self, inputs: Any) -> Iterator[None]:
        """Dependencies on nodes around the body hold for all of it."""
        own = inputs
        if inputs is not None:
            own = []
            for value in inputs:
                node = _node_of(value)
                if node is not None and node.graph is not self:
                    self.controls[node] = None
                else:
                    own.append(value)
        with super().control_dependencies(own):
            yield

    def outer_controls(self) -> list[Node]:
        """The nodes directly around that run first; those further out are handed on."""
        out = []
        for node in self.controls:
            if node.graph is self.outer:
                out.append(node)
            elif isinstance(self.outer, BodyGraph):
                self.outer.controls[node] = None
        return out


def _node_of(value: Any) -> Node | None:
    if isinstance(value, Tensor):
        return value.node
    if isinstance(value, Node):
        return value
    found = getattr(value, "op", None)
    return found if isinstance(found, Node) else None


def _is_state(tensor: Tensor) -> bool:
    """A random state of the program, or what stands for one in a body that is no loop's."""
    while tensor.node.op.name == "placeholder" and isinstance(tensor.graph, BodyGraph):
        source = next((t for t, own in tensor.graph.captures.items() if own is tensor), None)
        if source is None:
            return False
        tensor = source
    return tensor.node.op.name in ("rng_state", "rng_step")


@contextlib.contextmanager
def lifted() -> Iterator[Graph]:
    """Makes the outermost graph the default one, under the scope in force: tf.init_scope.

    Outside bodies it changes nothing.
    """
    graph = get_default_graph()
    root = getattr(graph, "root", None)
    if root is None:
        yield graph
        return
    scope = graph.get_name_scope()
    named = root.name_scope(f"{scope}/" if scope else None)
    with root.as_default(), root.control_dependencies(None), named:
        yield root


@dataclass(frozen=True, eq=False)
class Body:
    """A traced function.

    Attributes:
        params: tensors of `graph`, one for each operand of the node that holds the body.
        results: tensors of `graph`. targets: nodes that run beside them.
    """

    graph: BodyGraph
    params: tuple[Tensor, ...]
    results: tuple[Tensor, ...]
    targets: tuple[Node, ...] = ()

    def __repr__(self) -> str:
        return f"<body of {len(self.graph.nodes)} ops>"


def parameters(graph: BodyGraph, types: Sequence[TensorType], names: Sequence[str]) -> list[Tensor]:
    """New inputs of a body, in order."""
    return [graph.parameter(t, n) for t, n in zip(types, names, strict=True)]


def traced(graph: BodyGraph, fn: Callable[..., Any], *args: Any) -> Any:
    """What fn(*args) returns; what it makes goes to `graph`."""
    with graph.as_default():
        return fn(*args)


def closed(
    graph: BodyGraph, params: Sequence[Tensor], results: Sequence[Tensor],
    captured: Sequence[Tensor], targets: Sequence[Node] = (),
) -> Body:  # fmt: skip
    """The body with a parameter for each captured tensor, also those that only others use."""
    more = [_stands_for(graph, t) for t in captured]
    return Body(graph, (*params, *more), tuple(results), tuple(targets))


def _stands_for(graph: BodyGraph, tensor: Tensor) -> Tensor:
    known = graph.captures.get(tensor)
    if known is None:
        known = graph.captures[tensor] = graph.parameter(
            TensorType(tensor.dtype, tensor.dims), tensor.node.name
        )
    return known
