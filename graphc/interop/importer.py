"""Reading a GraphDef into a graph: nodes become graphc's by their op types.

Lives here: import_nodes. Not here: ops that only TensorFlow has (interop/foreign_ops.py), the
TF1 function import_graph_def (tf1/graph_io.py). Imports the rules, messages, ops and ir.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from graphc.errors import InvalidArgumentError, NotFoundError
from graphc.interop import attributes
from graphc.interop.import_frames import Part, split_input, structured
from graphc.interop.messages import FunctionDef, GraphDef, NodeDef
from graphc.interop.node_rules import DEFAULTS, OWN_DEFAULTS, RULES, ConstInput, Rule, attr_names
from graphc.ir.dtypes import float32
from graphc.ir.graph import Graph, get_default_graph
from graphc.ir.node import Node, Tensor
from graphc.ops.define import BY_TF_TYPE, F, OpDef

# the same op under another name, with the same inputs
ALIASES = {
    "AddV2": "add", "Variable": "variable", "VarHandleOp": "variable",
    "ReadVariableOp": "identity", "AssignVariableOp": "assign", "VariableShape": "shape",
    "AssignAddVariableOp": "assign_add", "AssignSubVariableOp": "assign_sub",
    "VarIsInitializedOp": "is_variable_initialized", "PlaceholderV2": "placeholder",
    "RefIdentity": "identity", "Snapshot": "identity", "BatchMatrixInverse": "matrix_inverse",
    "BatchMatrixDiag": "matrix_diag", "BatchMatrixBandPart": "matrix_band_part",
    "BatchCholesky": "cholesky", "Select": "select", "SelectV2": "select_v2",
    "Transpose": "transpose", "Inv": "reciprocal", "DivNoNan": "div_no_nan",
    "ResourceGather": "gather_rows", "TruncateDiv": "truncatediv", "ControlTrigger": "no_op",
    **{f"ResourceApply{k}": v for k, v in {
        "GradientDescent": "apply_gradient_descent", "Momentum": "apply_momentum",
        "Adam": "apply_adam", "Adagrad": "apply_adagrad", "Adadelta": "apply_adadelta",
        "RMSProp": "apply_rms_prop", "Ftrl": "apply_ftrl",
    }.items()},
}  # fmt: skip


@dataclass
class Wanted:
    """A value that is no tensor in graphc: what an importing rule of its reader asks for."""

    kind: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Missing:
    """The value of a node that cannot be had; whatever reads it cannot be had either."""

    reason: str


class Unavailable(Exception):
    """Raised by a rule: the node cannot be had, which matters only where somebody runs it."""


class _Endless(list[Any]):
    """As many outputs as anybody asks for, all the same."""

    def __init__(self, value: Any) -> None:
        super().__init__([value])

    def __getitem__(self, index: Any) -> Any:
        return super().__getitem__(0)

    def __len__(self) -> int:
        return 1 << 30


# what a rule gives back that has finished its node by itself
DONE = object()


@dataclass
class Importer:
    """One import: the nodes of `graph_def` under `prefix` ("" or "scope/")."""

    graph: Graph
    prefix: str
    nodes: dict[str, Node] = field(default_factory=dict)
    outputs: dict[str, list[Any]] = field(default_factory=dict)
    # of an import inside of a body
    around: Importer | None = None
    # names of the GraphDef -> tensors to take instead
    given: Mapping[tuple[str, int], Any] = field(default_factory=dict)
    # functions, loops and branches by name; the imports of bodies by the name of their node
    functions: dict[str, FunctionDef] = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=dict)
    bodies: dict[str, tuple[tuple[Importer, ...], Node]] = field(default_factory=dict)

    def inner(self, prefix: str | None = None, private: bool = False) -> Importer:
        """An import into the default graph, of a body of this one.

        Args:
            private: it does not see what is around it, as functions do not.
        """
        made = Importer(get_default_graph(), self.prefix if prefix is None else prefix)
        made.around = None if private else self
        made.functions, made.parts = self.functions, self.parts
        return made

    def run(self, nodes: Sequence[NodeDef]) -> None:
        """Imports nodes, in the order of their inputs."""
        for nd in _in_order(nodes, self.knows):
            values = [self.value(text, nd) for text in nd.input]
            inputs = [v for v, t in zip(values, nd.input, strict=True) if not t.startswith("^")]
            control = [v for v, t in zip(values, nd.input, strict=True) if t.startswith("^")]
            self.make(nd, inputs, [c for c in control if c is not None])

    def knows(self, name: str) -> bool:
        """Whether this import, or one around it, has a value of that name already."""
        found: Importer | None = self
        while found is not None:
            if name in found.outputs:
                return True
            found = found.around
        return False

    def value(self, text: str, nd: NodeDef | None = None) -> Any:
        """What an input of a node is: a value, or for "^name" a node (None: it runs anyway).

        Raises:
            ValueError: there is no such output.
        """
        name, index = split_input(text)
        where: Importer | None = self
        while where is not None:
            if (name, index) in where.given:
                value = where.given[(name, index)]
                return value if index >= 0 else getattr(value, "op", value)
            if name in where.outputs:
                if index < 0:
                    return where.nodes.get(name)
                return _output(where, nd, name, index)
            where = where.around
        raise ValueError(
            f"graph_def is invalid at node '{nd.name if nd else ''}': Input tensor '{text}' not "
            "found in graph_def."
        )

    # ------------------------------------------------------------ making nodes
    def add(
        self, record: OpDef, inputs: Sequence[Tensor], attrs: Mapping[str, Any], name: str
    ) -> Node:
        """A node of exactly this name below the prefix."""
        return self.graph.create_node(record, inputs, attrs, f"{self.prefix}{name}/")

    def finish(self, nd: NodeDef, outputs: Sequence[Any], node: Node | None = None) -> None:
        self.outputs[nd.name] = list(outputs)
        if node is None:
            tensors = [t for t in outputs if isinstance(t, Tensor)]
            node = tensors[0].node if tensors else self.add(F.no_op, (), {}, nd.name)
        self.nodes[nd.name] = node

    # ------------------------------------------------------------ one node
    def make(self, nd: NodeDef, inputs: list[Any], control: list[Node]) -> None:
        """One node; what cannot be had says so when it is run."""
        if any(isinstance(i, Missing) for i in inputs):
            self.miss(nd, next(i for i in inputs if isinstance(i, Missing)))
            return
        try:
            self._make(nd, inputs, control)
        except Unavailable as err:
            self.miss(nd, Missing(f"{nd.name!r} ({nd.op}): {err}"))

    def _make(self, nd: NodeDef, inputs: list[Any], control: list[Node]) -> None:
        from graphc.interop.foreign_ops import FOREIGN

        with ExitStack() as stack:
            stack.enter_context(self.graph.control_dependencies(control))
            if nd.device:
                stack.enter_context(self.graph.device(nd.device))
            foreign = FOREIGN.get(nd.op)
            if foreign is None and nd.op in self.functions:
                foreign = FOREIGN["PartitionedCall"]
            if foreign is not None:
                # helper ops of its expansion lie below its name
                stack.enter_context(self.graph.name_scope(f"{self.prefix}{nd.name}/"))
                got = foreign(self, nd, inputs)
                if got is DONE:
                    return
                if got is not None:
                    values = got if isinstance(got, tuple | list) else [got]
                    named = [self._named(nd, k, v) for k, v in enumerate(values)]
                    self.finish(nd, named)
                    return
            self.plain(nd, record_of(nd.op, nd), inputs)

    def miss(self, nd: NodeDef, what: Missing) -> None:
        """A node that says why it cannot run once somebody runs it."""

        def fail() -> Any:
            raise NotFoundError(f"node {nd.name!r} cannot be computed. {what.reason}")

        attrs = {"fn": fail, "dtypes": (float32,)}
        node = self.add(F.py_func, (), attrs, nd.name)
        self.nodes[nd.name] = node
        self.outputs[nd.name] = _Endless(what)

    def _named(self, nd: NodeDef, index: int, value: Any) -> Any:
        """The first output of an expansion carries the node's name."""
        if index or not isinstance(value, Tensor) or value.name == f"{self.prefix}{nd.name}:0":
            return value
        return self.add(F.identity, (value,), {}, nd.name).outputs[0]

    def plain(self, nd: NodeDef, record: OpDef, inputs: list[Any]) -> None:
        rule = RULES.get(record.name, Rule())
        attrs = self.attrs_of(nd, record, rule)
        for const in sorted(rule.consts, key=lambda c: c.position, reverse=True):
            at = len(inputs) - 1 if const.position < 0 else const.position
            if at >= len(inputs):
                raise InvalidArgumentError(f"node {nd.name!r} ({nd.op}) has too few inputs")
            attrs[const.attr] = constant_of(nd, const, inputs.pop(at))
        for at in rule.drop:
            seeds = {k: int(attributes.value_of(nd.attr[k]) or 0) if k in nd.attr else 0
                     for k in ("seed", "seed2")}  # fmt: skip
            inputs.insert(at, self.add(F.rng_state, (), seeds, f"{nd.name}/state").outputs[0])
        self.check_inputs(nd, record, inputs)
        if rule.order:
            inputs = [inputs[rule.order.index(i)] for i in range(len(inputs))]
        node = self.add(record, inputs, attrs, nd.name)
        self.finish(nd, node.outputs, node)

    def check_inputs(self, nd: NodeDef, record: OpDef, inputs: list[Any]) -> None:
        for value in inputs:
            if isinstance(value, Wanted):
                raise NotFoundError(
                    f"node {nd.name!r} ({nd.op}) reads {value.kind}, which graphc has not as a "
                    "tensor"
                )
            if not isinstance(value, Tensor):
                raise Unavailable(
                    "it reads an array of tensors, which graphc has not as a tensor; in gradients "
                    "of loops, take them anew with tf.gradients"
                )
        fewest = len(record.args) - record.variadic
        if len(inputs) < fewest or (len(inputs) > fewest and not record.variadic):
            raise InvalidArgumentError(
                f"node {nd.name!r} ({nd.op}) has {len(inputs)} inputs, graphc's op takes "
                f"{'at least ' if record.variadic else ''}{fewest}"
            )

    def attrs_of(self, nd: NodeDef, record: OpDef, rule: Rule) -> dict[str, Any]:
        """graphc's attributes of a node; those that a file leaves out have TF's defaults."""
        skip = {c.attr for c in rule.consts}
        theirs = {ours: name for name, ours in rule.attrs.items()}
        needed = {**dict.fromkeys(theirs, True), **attr_names(record)}
        out: dict[str, Any] = {}
        for ours, required in needed.items():
            name = theirs.get(ours, ours)
            if ours in skip:
                continue
            if attributes.PRIVATE + name in nd.attr:
                out[ours] = attributes.private_value(nd.attr[attributes.PRIVATE + name])
            elif name in nd.attr:
                out[ours] = _adapted(ours, attributes.value_of(nd.attr[name]))
            elif ours in OWN_DEFAULTS.get(record.name, {}):
                out[ours] = OWN_DEFAULTS[record.name][ours]
            elif required:
                if ours == "shape":
                    out[ours] = None
                elif ours in DEFAULTS:
                    out[ours] = DEFAULTS[ours]
                else:
                    raise NotFoundError(
                        f"node {nd.name!r} ({nd.op}) has no attribute {name!r}: what it stood for "
                        "cannot be written to a file"
                    )
        if record.name == "assign" and "validate_shape" in nd.attr:
            if not nd.attr["validate_shape"].b:
                out["validate_shape"] = False
        return out


def _adapted(name: str, value: Any) -> Any:
    if name == "axes" and value == ():
        return None  # squeeze: all axes of one element
    if name in ("container", "shared_name", "message") and isinstance(value, bytes):
        return value.decode("latin-1")
    return value


def constant_of(nd: NodeDef, const: ConstInput, value: Any) -> Any:
    """The value of an input that graphc has as an attribute.

    Raises:
        InvalidArgumentError: it is not constant.
    """
    from graphc.ops.values import value_of

    node = value.node if isinstance(value, Tensor) else None
    # range(0, rank(x), 1): all axes
    if node is not None and node.op.name == "range" and node.inputs[1].node.op.name == "rank":
        return None
    found = None if node is None else value_of(value)
    if found is None or any(v is None for v in found.reshape(-1).tolist()):
        raise InvalidArgumentError(
            f"node {nd.name!r} ({nd.op}): its {const.name} must be constant in graphc"
        )
    if const.vector:
        return tuple(int(v) for v in found.reshape(-1).tolist())
    return int(found.reshape(-1)[0])


def record_of(op: str, nd: NodeDef) -> OpDef:
    """The record of an op type.

    Raises:
        NotFoundError: graphc has none.
    """
    from graphc.ops.define import REGISTRY

    found = REGISTRY.get(ALIASES.get(op, "")) or BY_TF_TYPE.get(op)
    if found is None:
        raise NotFoundError(
            f"Op type not registered '{op}': graphc does not have it (node {nd.name!r})"
        )
    return found


# ------------------------------------------------------------------ the whole graph
def import_nodes(
    graph: Graph,
    graph_def: GraphDef,
    prefix: str = "",
    input_map: Mapping[str, Any] | None = None,
) -> Importer:
    """Adds the nodes of a GraphDef to a graph, in the order of their inputs.

    Args:
        prefix: "" or "scope/". input_map: names of the GraphDef -> tensors of the graph.

    Raises:
        NotFoundError: an op type that graphc does not have; names op and node.
        ValueError: a name that is taken, an input that is missing, a cycle; shapes in conflict.
    """
    from graphc.interop.foreign_ops import FOREIGN
    from graphc.ops import load_all

    load_all()
    from graphc.tf1 import summary  # noqa: F401  # registers the summary ops

    given = {_key(k): v for k, v in (input_map or {}).items()}
    functions = {f.signature.name: f for f in graph_def.library.function}
    importer = Importer(graph, prefix, given=given, functions=functions)
    for nd in graph_def.node:
        if nd.op not in FOREIGN and nd.op not in functions:
            record_of(nd.op, nd)
        if prefix + nd.name in graph._by_name:
            raise ValueError(f"Node name '{prefix + nd.name}' already exists in the Graph")
    nodes, importer.parts = structured(graph_def.node)
    importer.run(nodes)
    return importer


def _key(text: Any) -> tuple[str, int]:
    return split_input(text if isinstance(text, str) else text.decode())


def _output(importer: Importer, nd: NodeDef | None, name: str, index: int) -> Any:
    outputs = importer.outputs[name]
    if index >= len(outputs):
        raise ValueError(
            f"graph_def is invalid at node '{nd.name if nd else ''}': Input tensor "
            f"'{name}:{index}' not found in graph_def."
        )
    return outputs[index]


def _in_order(
    nodes: Sequence[NodeDef], known: Callable[[str], bool] = lambda name: False
) -> Iterator[NodeDef]:
    """The nodes, each behind its inputs; otherwise in the order of the file.

    Args:
        known: whether a name that is not among the nodes is there all the same.
    """
    by_name = {nd.name: nd for nd in nodes}
    done: set[str] = set()
    for root in nodes:
        stack: list[tuple[NodeDef, Iterator[str]]] = []
        open_: set[str] = set()
        if root.name not in done:
            stack.append((root, iter(root.input)))
            open_.add(root.name)
        while stack:
            nd, inputs = stack[-1]
            for text in inputs:
                name = split_input(text)[0]
                if name in done:
                    continue
                source = by_name.get(name)
                if source is None and known(name):
                    continue
                if source is None:
                    raise ValueError(
                        f"graph_def is invalid at node '{nd.name}': Input tensor '{text}' not "
                        "found in graph_def."
                    )
                if name in open_:
                    raise ValueError(
                        f"graph_def is invalid at node '{nd.name}': its inputs form a cycle"
                    )
                open_.add(name)
                stack.append((source, iter(source.input)))
                break
            else:
                stack.pop()
                done.add(nd.name)
                yield nd


__all__ = ["ForeignRule", "Importer", "Wanted", "constant_of", "import_nodes", "split_input"]

ForeignRule = Callable[[Importer, NodeDef, list[Any]], Any]
