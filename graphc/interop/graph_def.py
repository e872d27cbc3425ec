"""A graph as TensorFlow's GraphDef.

Lives here: graph_def_of, node by node by the rules. Not here: reading one (interop/importer.py),
the TF1 functions (tf1/graph_io.py). Imports the rules, messages and ir.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from graphc.interop import attributes
from graphc.interop.data_nodes import WRITERS
from graphc.interop.expansions import EXPANSIONS
from graphc.interop.export_functions import CONTROL, random_state
from graphc.interop.messages import FunctionDefLibrary, GraphDef, NodeDef
from graphc.interop.node_rules import RULES, ConstInput, Rule, attr_names, type_attrs
from graphc.ir.dtypes import int32
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Tensor
from graphc.ops.define import F

PRODUCER = 27  # the version of GraphDefs that TensorFlow 1.13 writes


def graph_def_of(
    graph: Graph, from_version: int | None = None, add_shapes: bool = False,
    nodes: Iterable[Node] | None = None,
) -> GraphDef:  # fmt: skip
    """The GraphDef of a graph.

    Args:
        from_version: only nodes made after the graph had this many. add_shapes: write the
            attribute _output_shapes. nodes: only these.

    Bodies of loops and branches become functions in its library. What only exists in this process
    (a Python function) cannot be written: such a node keeps its name, type and inputs.
    """
    out = GraphDef()
    out.versions.producer = PRODUCER
    writer = _Writer(graph, out)
    for node in list(graph.nodes if nodes is None else nodes):
        if from_version is not None and node.id < from_version:
            continue
        if not writer.implied(node):
            writer.write(node, add_shapes)
    return out


class _Writer:
    """Writes nodes; `named` holds names of nodes and tensors that are not their own.

    Attributes:
        library: where functions go. chosen: the nodes that are written, if not all.
        stateful: whether a node that was written has a state or does something.
    """

    def __init__(
        self, graph: Graph, out: GraphDef, library: FunctionDefLibrary | None = None,
        chosen: frozenset[Node] | None = None,
    ) -> None:  # fmt: skip
        self.graph = graph
        self.out = out
        self.made: set[str] = set()
        self.named: dict[Any, str] = {}
        self.library = out.library if library is None else library
        self.chosen = chosen
        self.stateful = False

    def inside(self, graph: Graph, chosen: frozenset[Node] | None) -> _Writer:
        """A writer of a function's body."""
        return _Writer(graph, GraphDef(), self.library, chosen)

    def stateful_function(self, made: NodeDef, *keys: str) -> bool:
        """Whether one of the functions that these attributes name is stateful."""
        names = {made.attr[k].func.name for k in keys}
        found = any(
            f.signature.is_stateful for f in self.library.function if f.signature.name in names
        )
        self.stateful = self.stateful or found
        return found

    def label(self, node: Node) -> str:
        return self.named.get(node, node.name)

    def input(self, tensor: Tensor) -> str:
        """As a NodeDef's input: without ":0"."""
        found = self.named.get(tensor)
        if found is None:
            index = f":{tensor.value_index}" if tensor.value_index else ""
            found = self.label(tensor.node) + index
        return found

    # ------------------------------------------------------------ nodes
    def implied(self, node: Node) -> bool:
        """Random states are part of TensorFlow's random ops."""
        if node.op.name != "rng_state":
            return False
        readers = node.graph.consumers(node.outputs[0])
        return bool(readers) and all(
            RULES.get(r.op.name, Rule()).drop or r.op.family == "control" for r in readers
        )

    def write(self, node: Node, add_shapes: bool) -> None:
        op = node.op
        self.stateful = self.stateful or op.effect or bool(op.refs) or self.random(node)
        if node.op.name in EXPANSIONS and self.expand(node, add_shapes):
            return
        special = _SPECIAL.get(node.op.name)
        made = NodeDef(name=self.label(node), op=node.op.tf, device=node.device)
        if special is not None:
            special(self, node, made)
        else:
            self.plain(node, made)
        made.input.extend(f"^{self.label(c)}" for c in node.control_inputs)
        if add_shapes and "output_shapes" in made.attr:
            # a While has more outputs than a loop
            made.attr["_output_shapes"].CopyFrom(made.attr["output_shapes"])
        elif add_shapes:
            shapes = made.attr["_output_shapes"].list
            shapes.SetInParent()
            for tensor in node.outputs:
                attributes.fill_shape(shapes.shape.add(), tensor.dims)
        self.out.node.append(made)

    def random(self, node: Node) -> bool:
        rule = RULES.get(node.op.name)
        return rule is not None and bool(rule.drop)

    def expand(self, node: Node, add_shapes: bool) -> bool:
        """Writes a node that TensorFlow does not have as others, the last under its name."""
        scratch = Graph()
        with scratch.as_default():
            stand_ins = [
                scratch.create_node(
                    F.placeholder, (), {"dtype": t.dtype, "shape": t.dims}, "x"
                ).outputs[0]
                for t in node.inputs
            ]
            result = EXPANSIONS[node.op.name](*stand_ins, **node.attrs)
        if result is None:
            return False
        for stand_in, tensor in zip(stand_ins, node.inputs, strict=True):
            self.named[stand_in] = self.input(tensor)
        for part in scratch.nodes:
            if part is result.node:
                self.named[part] = self.label(node)
            else:
                self.named[part] = self.fresh(f"{self.label(node)}/{part.name}")
        for part in scratch.nodes:
            if part.op.name != "placeholder":
                self.write(part, add_shapes)
                self.out.node[-1].device = node.device
        self.out.node[-1].input.extend(f"^{self.label(c)}" for c in node.control_inputs)
        return True

    def plain(self, node: Node, made: NodeDef) -> None:
        """Inputs, attributes and types by the record's rule."""
        rule = RULES.get(node.op.name, Rule())
        order = rule.order or range(len(node.inputs))
        inputs = [self.input(node.inputs[i]) for i in order if i not in rule.drop]
        for const in rule.consts:
            name = self.const_input(node, const)
            at = len(inputs) if const.position < 0 else const.position
            inputs.insert(at, name)
        made.input.extend(inputs)
        self.put_attrs(node, made, rule)
        self.put_types(node, made, rule)

    def put_attrs(self, node: Node, made: NodeDef, rule: Rule) -> None:
        done = {c.attr for c in rule.consts} | set(rule.attrs.values())
        known = {**attr_names(node.op), **dict.fromkeys(node.attrs)}
        pairs = [*rule.attrs.items(), *((a, a) for a in known if a not in done)]
        for theirs, ours in pairs:
            if ours not in node.attrs:
                continue
            value = node.attrs[ours]
            if ours == "shape" and "shape" in rule.attrs:
                attributes.put_shape(made.attr, "shape", value)
            elif ours == "axes" and theirs == "squeeze_dims":
                attributes.put(made.attr, theirs, value or ())
            else:
                attributes.put(made.attr, theirs, value)
        for index in rule.drop:
            state = random_state(node.inputs[index])
            for seed in ("seed", "seed2"):
                value = state.attrs.get(seed, 0) if state is not None else 0
                attributes.put(made.attr, seed, int(value))

    def put_types(self, node: Node, made: NodeDef, rule: Rule) -> None:
        for name, at in type_attrs(node.op).items():
            if name.startswith("*"):
                types = tuple(t.dtype for t in node.inputs[at:])
                attributes.put(made.attr, name[1:], types)
                if not types:
                    made.attr[name[1:]].list.SetInParent()
            elif name not in made.attr and at < len(node.inputs):
                made.attr[name].type = node.inputs[at].dtype.as_datatype_enum
        for name in rule.int32:
            made.attr[name].type = int32.as_datatype_enum
        if node.op.variadic and node.op.groups[-1:] != ("*",) and node.op.name != "identity_n":
            made.attr["N"].i = len(node.inputs) - len(node.op.args) + 1

    # ------------------------------------------------------------ constants
    def const_input(self, node: Node, const: ConstInput) -> str:
        """The name of a constant that holds the attribute."""
        value = node.attrs.get(const.attr)
        if const.vector and value is None:
            rank = node.inputs[0].rank
            if rank is None:
                return self.all_axes(node, const)
            last_first = const.attr == "perm" or node.op.name == "reduce_join"
            value = range(rank - 1, -1, -1) if last_first else range(rank)
        array = np.array(list(value) if const.vector and value is not None else value, np.int32)
        return self.const(f"{self.label(node)}/{const.name}", array)

    def const(self, name: str, array: Any) -> str:
        """Writes a constant, or finds the graph's node of that name and value."""
        there = self.graph._by_name.get(name)
        if there is not None and there.op.name == "const" and self.writes(there):
            if np.array_equal(there.attrs["value"].array, array):
                return name
        made = self.out.node.add(name=self.fresh(name), op="Const")
        made.attr["dtype"].type = attributes.as_dtype(array.dtype).as_datatype_enum
        made.attr["value"].tensor.CopyFrom(attributes.tensor_proto(array))
        return made.name

    def writes(self, node: Node) -> bool:
        return self.chosen is None or node in self.chosen

    def fresh(self, name: str) -> str:
        count, full = 0, name
        while full in self.made or full in self.graph._by_name:
            count += 1
            full = f"{name}_{count}"
        self.made.add(full)
        return full

    def all_axes(self, node: Node, const: ConstInput) -> str:
        """range(rank(x)), or its reverse for a permutation: the rank is not known yet."""
        scope = f"{self.label(node)}/{const.name}"
        rank = self.out.node.add(
            name=self.fresh(f"{scope}/Rank"), op="Rank", input=[self.input(node.inputs[0])]
        )
        rank.attr["T"].type = node.inputs[0].dtype.as_datatype_enum
        one = self.const(f"{scope}/one", np.int32(1))
        zero = self.const(f"{scope}/zero", np.int32(0))
        axes = self.out.node.add(
            name=self.fresh(scope), op="Range", input=[zero, rank.name, one]
        )
        axes.attr["Tidx"].type = int32.as_datatype_enum
        if const.attr != "perm":
            return axes.name
        last = self.out.node.add(name=self.fresh(f"{scope}/last"), op="Sub",
                                 input=[rank.name, one])  # fmt: skip
        turned = self.out.node.add(name=self.fresh(f"{scope}/turned"), op="Sub",
                                   input=[last.name, axes.name])  # fmt: skip
        last.attr["T"].type = turned.attr["T"].type = int32.as_datatype_enum
        return turned.name


# ------------------------------------------------------------------ records of their own form
def _const(writer: _Writer, node: Node, made: NodeDef) -> None:
    made.attr["dtype"].type = node.outputs[0].dtype.as_datatype_enum
    made.attr["value"].tensor.CopyFrom(attributes.tensor_proto(node.attrs["value"].array))


def _matmul(writer: _Writer, node: Node, made: NodeDef) -> None:
    made.input.extend(writer.input(t) for t in node.inputs)
    ranks = [t.rank for t in node.inputs]
    flat = all(r is None or r == 2 for r in ranks)
    made.op = "MatMul" if flat else "BatchMatMul" if ranks[0] == ranks[1] else "BatchMatMulV2"
    names = ("transpose_a", "transpose_b") if flat else ("adj_x", "adj_y")
    for theirs, ours in zip(names, ("transpose_a", "transpose_b"), strict=True):
        made.attr[theirs].b = bool(node.attrs.get(ours, False))
    made.attr["T"].type = node.inputs[0].dtype.as_datatype_enum


def _softmax(writer: _Writer, node: Node, made: NodeDef) -> None:
    writer.plain(node, made)
    rank, axis = node.inputs[0].rank, node.attrs.get("axis", -1)
    if axis == -1 or axis + 1 == rank:
        # TensorFlow's op has no axis: it is the last one
        made.attr.pop("axis", None)


def _print(writer: _Writer, node: Node, made: NodeDef) -> None:
    writer.plain(node, made)
    made.attr["first_n"].i = node.attrs["countdown"].left
    made.attr["summarize"].i = node.attrs.get("summarize") or 3
    made.attr.pop("countdown", None)


def _search(writer: _Writer, node: Node, made: NodeDef) -> None:
    """TensorFlow's op works on the rows of matrices: vectors become one row."""
    left = node.attrs.get("side") == "left"
    if node.inputs[0].rank != 1:
        writer.plain(node, made)
        made.op = "LowerBound" if left else "UpperBound"
        made.attr.pop("side", None)
        return
    scope = made.name
    dtype = node.inputs[0].dtype.as_datatype_enum
    row = writer.const(f"{scope}/row", np.array([1, -1], np.int32))

    def reshaped(name: str, value: str, shape: str, number: int) -> str:
        part = writer.out.node.add(name=name, op="Reshape", input=[value, shape])
        part.attr["T"].type, part.attr["Tshape"].type = number, int32.as_datatype_enum
        return part.name

    rows = [
        reshaped(writer.fresh(f"{scope}/rows"), writer.input(t), row, dtype) for t in node.inputs
    ]
    out = node.outputs[0].dtype.as_datatype_enum
    found = writer.out.node.add(
        name=writer.fresh(f"{scope}/found"), op="LowerBound" if left else "UpperBound", input=rows
    )
    found.attr["T"].type, found.attr["out_type"].type = dtype, out
    shape = writer.out.node.add(
        name=writer.fresh(f"{scope}/Shape"), op="Shape", input=[writer.input(node.inputs[1])]
    )
    shape.attr["T"].type, shape.attr["out_type"].type = dtype, int32.as_datatype_enum
    made.op = "Reshape"
    made.input.extend((found.name, shape.name))
    made.attr["T"].type, made.attr["Tshape"].type = out, int32.as_datatype_enum


def _stitch(writer: _Writer, node: Node, made: NodeDef) -> None:
    writer.plain(node, made)
    made.attr["N"].i = 1


def _sum_to_shape(writer: _Writer, node: Node, made: NodeDef) -> None:
    """As TensorFlow's gradients undo broadcasting: a sum over the axes, then a reshape."""
    scope = made.name
    x, shape = (writer.input(t) for t in node.inputs)
    number = node.inputs[0].dtype.as_datatype_enum
    kind = node.inputs[1].dtype.as_datatype_enum

    def add(name: str, op: str, *inputs: str, **types: int) -> str:
        part = writer.out.node.add(name=writer.fresh(f"{scope}/{name}"), op=op, input=inputs)
        for key, value in types.items():
            part.attr[key].type = value
        return part.name

    full = add("Shape", "Shape", x, T=number, out_type=kind)
    axes = add("BroadcastGradientArgs", "BroadcastGradientArgs", shape, full, T=kind)
    total = add("Sum", "Sum", x, axes, T=number, Tidx=kind)
    writer.out.node[-1].attr["keep_dims"].b = False
    made.op = "Reshape"
    made.input.extend((total, shape))
    made.attr["T"].type, made.attr["Tshape"].type = number, kind


def _initialized(writer: _Writer, node: Node, made: NodeDef) -> None:
    """As TensorFlow's cond on whether the variable is initialised."""
    scope = made.name
    variable, initial = (writer.input(t) for t in node.inputs)
    number = node.inputs[0].dtype.as_datatype_enum

    def add(name: str, op: str, *inputs: str, key: str = "T") -> str:
        part = writer.out.node.add(name=writer.fresh(f"{scope}/{name}"), op=op, input=inputs)
        part.attr[key].type = number
        return part.name

    asked = add("IsVariableInitialized", "IsVariableInitialized", variable, key="dtype")
    kept = add("read/Switch", "RefSwitch", variable, asked)
    read = add("read", "Identity", f"{kept}:1")
    other = add("Switch", "Switch", initial, asked)
    made.op = "Merge"
    made.input.extend((other, read))
    made.attr["T"].type = number
    made.attr["N"].i = 2


def _converting(attr: str) -> Callable[[_Writer, Node, NodeDef], None]:
    """Ops between real and complex numbers name the type of their result."""

    def write(writer: _Writer, node: Node, made: NodeDef) -> None:
        writer.plain(node, made)
        made.attr[attr].type = node.outputs[0].dtype.as_datatype_enum

    return write


_SPECIAL: dict[str, Callable[[_Writer, Node, NodeDef], None]] = {
    "const": _const,
    "matmul": _matmul,
    "softmax": _softmax,
    "log_softmax": _softmax,
    "print_values": _print,
    "searchsorted": _search,
    "dynamic_stitch": _stitch,
    "sum_to_shape": _sum_to_shape,
    "initialized_value": _initialized,
    **dict.fromkeys(("complex", "real", "imag", "complex_abs"), _converting("Tout")),
    **dict.fromkeys(("rfft", "rfft2d", "rfft3d"), _converting("Tcomplex")),
    **dict.fromkeys(("irfft", "irfft2d", "irfft3d"), _converting("Treal")),
    **WRITERS,
    **CONTROL,
}
