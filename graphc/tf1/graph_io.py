"""Graphs as files: tf.import_graph_def, tf.train.write_graph, tf.graph_util.

Lives here: those functions. Not here: the conversion (interop/graph_def.py,
interop/importer.py), MetaGraphs (tf1/saver.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from graphc.interop.attributes import array_of, tensor_proto
from graphc.interop.checkpoint import atomic_file
from graphc.interop.graph_def import graph_def_of
from graphc.interop.importer import import_nodes, split_input
from graphc.interop.messages import GraphDef, NodeDef, TensorProto
from graphc.interop.text_format import MessageToString
from graphc.ir.graph import Graph, get_default_graph
from graphc.tf1.framework import constant

__all__ = [
    "convert_variables_to_constants", "extract_sub_graph", "import_graph_def", "make_ndarray",
    "make_tensor_proto", "must_run_on_cpu", "remove_training_nodes",
    "tensor_shape_from_node_def_name", "write_graph",
]  # fmt: skip


def import_graph_def(
    graph_def: Any,
    input_map: Mapping[str, Any] | None = None,
    return_elements: Sequence[str] | None = None,
    name: str | None = None,
    op_dict: Any = None,
    producer_op_list: Any = None,
) -> list[Any] | None:
    """Adds a GraphDef's nodes to the default graph (tf.import_graph_def).

    Args:
        input_map: names in the GraphDef ("x:0") -> tensors to use instead.
        return_elements: names of ops ("x") and tensors ("x:0") to return.
        name: scope of the new nodes, default "import"; "" for none.
        op_dict, producer_op_list: accepted without effect.

    Raises:
        TypeError: not a GraphDef. NotFoundError: an op type that graphc does not have.
        ValueError: names in input_map or return_elements that are not there; invalid graphs.
    """
    if not hasattr(graph_def, "SerializeToString"):
        raise TypeError("graph_def must be a GraphDef proto.")
    if not isinstance(graph_def, GraphDef):
        graph_def = GraphDef.FromString(graph_def.SerializeToString())
    graph = get_default_graph()
    names = {nd.name for nd in graph_def.node}
    unknown = [k for k in input_map or {} if split_input(k)[0] not in names]
    if unknown:
        raise ValueError(
            f"Attempted to map inputs that were not found in graph_def: [{', '.join(unknown)}]"
        )
    mapped = {k: graph.as_graph_element(v) for k, v in (input_map or {}).items()}
    with graph.name_scope("import" if name is None else name) as scope:
        prefix = scope
    importer = import_nodes(graph, graph_def, prefix, mapped)
    if return_elements is None:
        return None
    out: list[Any] = []
    for element in return_elements:
        op, index = split_input(element)
        found = importer.outputs.get(op)
        if found is None or index >= max(len(found), 1):
            raise ValueError(f"Requested return_element '{element}' not found in graph_def.")
        out.append(found[index] if ":" in element else importer.nodes[op])
    return out


def write_graph(
    graph_or_graph_def: Any, logdir: Any, name: str, as_text: bool = True
) -> str:
    """Writes a graph as a GraphDef file, as text or in binary; returns its path."""
    graph_def = graph_or_graph_def
    if isinstance(graph_def, Graph):
        graph_def = graph_def_of(graph_def)
    folder = Path(os.fspath(logdir))
    folder.mkdir(parents=True, exist_ok=True)
    path = os.path.join(os.fspath(logdir), name)  # noqa: PTH118  # the path as TF gives it
    data = MessageToString(graph_def).encode() if as_text else graph_def.SerializeToString()
    with atomic_file(path) as file:
        file.write(data)
    return path


# ------------------------------------------------------------------ tf.graph_util
def _sources(graph_def: Any, dest_nodes: Iterable[str]) -> set[str]:
    """The names of these nodes and of all that they need."""
    inputs = {nd.name: [split_input(t)[0] for t in nd.input] for nd in graph_def.node}
    stack = list(dest_nodes)
    for name in stack:
        if name not in inputs:
            raise AssertionError(f"{name} is not in graph")
    found: set[str] = set()
    while stack:
        name = stack.pop()
        if name not in found:
            found.add(name)
            stack.extend(inputs.get(name, ()))
    return found


def extract_sub_graph(graph_def: Any, dest_nodes: Sequence[str]) -> GraphDef:
    """The part of a GraphDef that these nodes need (tf.graph_util).

    Raises:
        TypeError: dest_nodes is a string. AssertionError: a node is not there.
    """
    if isinstance(dest_nodes, str):
        raise TypeError("dest_nodes must be a list.")
    needed = _sources(graph_def, dest_nodes)
    out = GraphDef()
    out.versions.CopyFrom(graph_def.versions)
    out.node.extend(nd for nd in graph_def.node if nd.name in needed)
    _keep_functions(out, graph_def)
    return out


def _keep_functions(out: GraphDef, graph_def: Any) -> None:
    """Copies the functions that the nodes of `out` call, and those that these call."""
    known = {f.signature.name: f for f in graph_def.library.function}
    called: dict[str, None] = {}
    stack = list(out.node)
    while stack:
        nd = stack.pop()
        names = [nd.op]
        for attr in nd.attr.values():
            names += [attr.func.name, *(f.name for f in attr.list.func)]
        for name in names:
            if name in known and name not in called:
                called[name] = None
                stack.extend(known[name].node_def)
    out.library.function.extend(f for name, f in known.items() if name in called)


_VARIABLES = ("Variable", "VariableV2", "VarHandleOp")


def convert_variables_to_constants(
    sess: Any,
    input_graph_def: Any,
    output_node_names: Sequence[str],
    variable_names_whitelist: Iterable[str] | None = None,
    variable_names_blacklist: Iterable[str] | None = None,
) -> GraphDef:
    """A GraphDef whose variables are constants of their values in `sess`.

    Args:
        output_node_names: what must be computed; the rest is left out.
        variable_names_whitelist, variable_names_blacklist: which variables to convert, or not.

    Raises:
        FailedPreconditionError: a variable is not initialised.
    """
    part = extract_sub_graph(input_graph_def, output_node_names)
    keep = set(variable_names_blacklist or ())
    only = None if variable_names_whitelist is None else set(variable_names_whitelist)
    chosen = [
        nd.name
        for nd in part.node
        if nd.op in _VARIABLES and nd.name not in keep and (only is None or nd.name in only)
    ]
    values = dict(zip(chosen, sess.run([f"{n}:0" for n in chosen]) if chosen else [], strict=True))
    for nd in part.node:
        if nd.name in values:
            _make_constant(nd, values[nd.name])
        elif nd.op == "ReadVariableOp" and split_input(nd.input[0])[0] in values:
            nd.op = "Identity"
            nd.attr["T"].CopyFrom(nd.attr.pop("dtype"))
    return part


def _make_constant(nd: NodeDef, value: Any) -> None:
    nd.op = "Const"
    nd.attr.clear()
    proto = tensor_proto(value)
    nd.attr["dtype"].type = proto.dtype
    nd.attr["value"].tensor.CopyFrom(proto)


def remove_training_nodes(
    input_graph: Any, protected_nodes: Sequence[str] | None = None
) -> GraphDef:
    """A GraphDef without CheckNumerics and Identity nodes that nothing needs."""
    protected = set(protected_nodes or ())
    splice: dict[str, str] = {}
    for nd in input_graph.node:
        removable = nd.op == "CheckNumerics" or (
            nd.op == "Identity" and not any(t.startswith("^") for t in nd.input)
        )
        if removable and nd.name not in protected and len(nd.input) == 1:
            splice[nd.name] = nd.input[0]
    # nodes that others wait for stay
    for nd in input_graph.node:
        for text in nd.input:
            if text.startswith("^"):
                splice.pop(text[1:], None)
    out = GraphDef()
    out.versions.CopyFrom(input_graph.versions)
    out.library.CopyFrom(input_graph.library)
    for nd in input_graph.node:
        if nd.name in splice:
            continue
        made = out.node.add()
        made.CopyFrom(nd)
        made.input[:] = [_spliced(text, splice) for text in nd.input]
    return out


def _spliced(text: str, splice: Mapping[str, str]) -> str:
    while not text.startswith("^") and split_input(text)[0] in splice:
        text = splice[split_input(text)[0]]
    return text


def must_run_on_cpu(node: Any, pin_variables_on_cpu: bool = False) -> bool:
    """Whether TensorFlow runs a node on the CPU: variables where asked for, and strings."""
    nd = node if isinstance(node, NodeDef) else graph_def_of(node.graph, nodes=[node]).node[-1]
    if pin_variables_on_cpu and nd.op in _VARIABLES:
        return True
    return any(nd.attr[k].type == 7 for k in ("dtype", "T") if k in nd.attr)


def tensor_shape_from_node_def_name(graph: Graph, input_name: str) -> Any:
    """The static shape of the tensor that a NodeDef's input names."""
    name, index = split_input(input_name)
    return graph.get_tensor_by_name(f"{name}:{max(index, 0)}").get_shape()


# ------------------------------------------------------------------ tensors as messages
def make_tensor_proto(
    values: Any, dtype: Any = None, shape: Any = None, verify_shape: bool = False
) -> TensorProto:
    """A TensorProto of a value, as tf.constant would have it (tf.make_tensor_proto).

    Raises:
        TypeError: a value that the dtype cannot hold. ValueError: more values than elements.
    """
    with Graph().as_default():
        made = constant(values, dtype, shape, verify_shape=verify_shape)
    return tensor_proto(made.node.attrs["value"].array)


def make_ndarray(tensor: Any) -> Any:
    """The array of a TensorProto (tf.make_ndarray).

    Raises:
        TypeError: a dtype that graphc does not have.
    """
    return array_of(tensor)
