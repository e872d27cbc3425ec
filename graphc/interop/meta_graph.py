"""MetaGraphDefs: a graph with its collections and its saver, out and in.

Lives here: meta_graph_of, read_meta, import_meta. Not here: Saver and the TF1 functions
(tf1/saver.py). graphc's savers have no ops; a MetaGraph gets those that TensorFlow needs to
restore, and they are left out again when one is read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graphc.interop.attributes import array_of, tensor_proto
from graphc.interop.graph_def import graph_def_of
from graphc.interop.importer import import_nodes, split_input
from graphc.interop.messages import Any as AnyMessage
from graphc.interop.messages import (
    GraphDef,
    MetaGraphDef,
    NodeDef,
    QueueRunnerDef,
    SaverDef,
    VariableProto,
)
from graphc.interop.saver_functions import restored_variables, saver_calls
from graphc.interop.text_format import Parse, ParseError
from graphc.interop.wire import DecodeError, Message
from graphc.ir.graph import Graph, GraphKeys, get_default_graph
from graphc.ir.node import Node, Tensor
from graphc.tf1.queue_runner import QueueRunner
from graphc.tf1.variables import Variable, VariableDef, variable_of

VARIABLE_KEYS = frozenset({
    GraphKeys.GLOBAL_VARIABLES, GraphKeys.LOCAL_VARIABLES, GraphKeys.TRAINABLE_VARIABLES,
    "model_variables", "moving_average_variables", "metric_variables", "global_step",
    "saveable_objects",
})  # fmt: skip
# collections of control flow and of savers, which a graph file alone does not make work
_SKIPPED = frozenset({"cond_context", "while_context", "savers"})


# ------------------------------------------------------------------ writing
def meta_graph_of(
    graph: Graph,
    collection_list: Iterable[str] | None = None,
    saver_def: SaverDef | None = None,
    keys: Mapping[str, Node] | None = None,
    export_scope: str | None = None,
    clear_devices: bool = False,
) -> MetaGraphDef:
    """The MetaGraphDef of a graph.

    Args:
        collection_list: the collections to write, default all. saver_def, keys: a saver and its
            variables by their keys in a checkpoint. export_scope: only the nodes below it, without
            it in their names.

    Raises:
        ValueError: a node in the scope reads one outside.
    """
    meta = MetaGraphDef()
    # whose form this is: readers decide by it whether VariableDefs say `trainable`
    meta.meta_info_def.tensorflow_version = "1.15.0"
    prefix = f"{export_scope}/" if export_scope else ""
    nodes = [n for n in list(graph.nodes) if n.name.startswith(prefix)]
    meta.graph_def.CopyFrom(graph_def_of(graph, nodes=nodes))
    if prefix:
        _strip(meta.graph_def, prefix)
    if clear_devices:
        for nd in meta.graph_def.node:
            nd.device = ""
    if saver_def is not None:
        meta.saver_def.CopyFrom(saver_def)
        if keys and not prefix:
            _add_saver(meta, graph, keys)
    for key in graph.get_all_collection_keys() if collection_list is None else collection_list:
        _add_collection(meta, key, graph.get_collection(key), prefix)
    return meta


def _strip(graph_def: GraphDef, prefix: str) -> None:
    inside = {nd.name for nd in graph_def.node}
    for nd in graph_def.node:
        kept = []
        for text in nd.input:
            name, index = split_input(text)
            if name in inside:
                mark = "^" if index < 0 else ""
                kept.append(mark + text[len(mark) + len(prefix) :])
            elif index >= 0:
                raise ValueError(f"{nd.name} in scope {prefix!r} reads {name}, which is outside")
        nd.input[:] = kept
        nd.name = nd.name[len(prefix) :]
        if "_graphc_of" in nd.attr:
            of = nd.attr["_graphc_of"].s
            nd.attr["_graphc_of"].s = of.removeprefix(prefix.encode())


def _add_collection(meta: MetaGraphDef, key: str, items: list[Any], prefix: str) -> None:
    """Writes a collection; one whose items have no stored form is left out."""
    items = [i for i in items if str(getattr(i, "name", prefix)).startswith(prefix)]
    if not items:
        return
    value = meta.collection_def[key]
    if all(isinstance(i, Variable) for i in items):
        value.bytes_list.value.extend(_variable(i, prefix) for i in items)
    elif all(isinstance(i, QueueRunner) for i in items):
        protos = [i.to_proto(prefix.rstrip("/") or None) for i in items]
        value.bytes_list.value.extend(p.SerializeToString() for p in protos if p is not None)
    elif all(isinstance(i, Tensor | Node | Variable) for i in items):
        value.node_list.value.extend(i.name[len(prefix) :] for i in items)
    elif all(isinstance(i, str | bytes) for i in items):
        value.bytes_list.value.extend(i.encode() if isinstance(i, str) else i for i in items)
    elif all(isinstance(i, int | np.integer) for i in items):
        value.int64_list.value.extend(int(i) for i in items)
    elif all(isinstance(i, float | int | np.floating | np.integer) for i in items):
        value.float_list.value.extend(float(i) for i in items)
    elif all(isinstance(i, AnyMessage) for i in items):
        value.any_list.value.extend(items)
    elif all(isinstance(i, Message) for i in items):
        value.bytes_list.value.extend(i.SerializeToString() for i in items)
    else:
        del meta.collection_def[key]


def _variable(variable: Variable, prefix: str) -> bytes:
    names = variable.to_proto(prefix.rstrip("/") or None)
    assert names is not None
    return VariableProto(
        variable_name=names.variable_name,
        initial_value_name=names.initial_value_name,
        initializer_name=names.initializer_name,
        snapshot_name=names.snapshot_name,
        trainable=names.trainable,
    ).SerializeToString()


def _add_saver(meta: MetaGraphDef, graph: Graph, keys: Mapping[str, Node]) -> None:
    """The ops by which TensorFlow saves and restores, under a scope of their own."""
    scope, count = "save", 0
    while any(n.name.startswith(f"{scope}/") for n in graph.nodes):
        count += 1
        scope = f"save_{count}"
    meta.saver_def.filename_tensor_name = f"{scope}/Const:0"
    meta.saver_def.save_tensor_name = f"{scope}/control_dependency:0"
    meta.saver_def.restore_op_name = f"{scope}/restore_all"
    types = [node.outputs[0].dtype.as_datatype_enum for node in keys.values()]
    nodes = meta.graph_def.node

    def add(name: str, op: str, inputs: Iterable[str]) -> NodeDef:
        made: NodeDef = nodes.add(name=f"{scope}/{name}", op=op, input=list(inputs))
        return made

    def texts(name: str, values: Any) -> str:
        made = add(name, "Const", ())
        array = np.empty(np.shape(values), object)
        array[...] = values
        made.attr["dtype"].type = 7
        made.attr["value"].tensor.CopyFrom(tensor_proto(array))
        return made.name

    file = texts("Const", b"model")
    names = [key.encode() for key in keys]
    slices = [b""] * len(names)
    for op in ("SaveV2", "RestoreV2"):
        inputs = [file, texts(f"{op}/tensor_names", names),
                  texts(f"{op}/shape_and_slices", slices)]  # fmt: skip
        if op == "SaveV2":
            inputs += [node.name for node in keys.values()]
        add(op, op, inputs).attr["dtypes"].list.type.extend(types)
    done = add("control_dependency", "Identity", (file, f"^{scope}/SaveV2"))
    done.attr["T"].type = 7
    assigns = []
    for k, (node, number) in enumerate(zip(keys.values(), types, strict=True)):
        source = f"{scope}/RestoreV2" + (f":{k}" if k else "")
        made = add(f"Assign_{k}" if k else "Assign", "Assign", (node.name, source))
        made.attr["T"].type = number
        made.attr["use_locking"].b = True
        made.attr["validate_shape"].b = True
        assigns.append(f"^{made.name}")
    add("restore_all", "NoOp", assigns)


# ------------------------------------------------------------------ reading
def read_meta(source: Any) -> MetaGraphDef:
    """A MetaGraphDef from a message or a file, binary or text.

    Raises:
        OSError: there is no such file, or it is no MetaGraphDef.
    """
    if hasattr(source, "SerializeToString"):
        return MetaGraphDef.FromString(source.SerializeToString())
    path = Path(os.fspath(source))
    if not path.is_file():
        raise OSError(f"File {path} does not exist.")
    data = path.read_bytes()
    try:
        return MetaGraphDef.FromString(data)
    except DecodeError:
        pass
    try:
        return Parse(data, MetaGraphDef())
    except (ParseError, UnicodeDecodeError) as err:
        raise OSError(f"Cannot parse file {path}: {err}.") from None


def import_meta(
    meta: MetaGraphDef,
    clear_devices: bool = False,
    import_scope: str | None = None,
    input_map: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Adds a MetaGraph to the default graph; returns its variables by their checkpoint keys."""
    graph = get_default_graph()
    scope = graph.unique_name(import_scope) if import_scope else ""
    prefix = f"{scope}/" if scope else ""
    dropped = _saver_nodes(meta)
    kept = GraphDef()
    # the messages are only read: no copies of the constants in them
    list.extend(kept.node, (nd for nd in meta.graph_def.node if nd.name not in dropped))
    list.extend(kept.library.function, meta.graph_def.library.function)
    if clear_devices:
        for nd in kept.node:
            nd.device = ""
    import_nodes(graph, kept, prefix, input_map)
    variables = _import_collections(graph, meta, scope, dropped)
    keys = _saver_keys(meta)
    if not keys:
        found = [v for v in variables if v in graph.get_collection(GraphKeys.GLOBAL_VARIABLES)]
        return {v.op.name.removeprefix(prefix): v for v in found}
    out: dict[str, Any] = {}
    for key, name in keys.items():
        node = graph.get_operation_by_name(prefix + name)
        out[key] = variable_of(node) or node.outputs[0]
    return out


_SAVER_OPS = frozenset({
    "SaveV2", "RestoreV2", "Save", "SaveSlices", "Restore", "RestoreSlice", "ShardedFilename",
    "ShardedFilespec", "MergeV2Checkpoints",
})  # fmt: skip


def _saver_nodes(meta: MetaGraphDef) -> set[str]:
    """The nodes of savers and all that follows them; they have no other readers."""
    readers: dict[str, list[str]] = {}
    stack = []
    for nd in meta.graph_def.node:
        for text in nd.input:
            readers.setdefault(split_input(text)[0], []).append(nd.name)
        if nd.op in _SAVER_OPS:
            stack.append(nd.name)
    stack.extend(saver_calls(meta.graph_def, _SAVER_OPS))
    dropped: set[str] = set()
    while stack:
        name = stack.pop()
        if name not in dropped:
            dropped.add(name)
            stack.extend(readers.get(name, ()))
    for nd in meta.graph_def.node:
        # names, slices and the file name, which only those nodes read
        if nd.op in ("Const", "PlaceholderWithDefault", "StringJoin"):
            if nd.name in readers and dropped.issuperset(readers[nd.name]):
                dropped.add(nd.name)
    scope = meta.saver_def.restore_op_name.rpartition("/")[0]
    if scope:
        dropped.update(nd.name for nd in meta.graph_def.node if nd.name.startswith(f"{scope}/"))
    return dropped


def _saver_keys(meta: MetaGraphDef) -> dict[str, str]:
    """Keys in a checkpoint -> names of the variables' nodes, as the saver's ops say."""
    scope = meta.saver_def.restore_op_name.rpartition("/")[0]
    if not scope:
        return restored_variables(meta)
    nodes = {nd.name: nd for nd in meta.graph_def.node}
    out: dict[str, str] = {}
    for nd in nodes.values():
        if not nd.name.startswith(f"{scope}/") or nd.op not in ("Assign", "AssignVariableOp"):
            continue
        source, index = split_input(nd.input[1])
        # Identity or Reshape may stand between the restored value and its assignment
        while source in nodes and nodes[source].op in ("Identity", "Reshape"):
            source, index = split_input(nodes[source].input[0])
        restore = nodes.get(source)
        if restore is None or restore.op != "RestoreV2":
            continue
        names = array_of(nodes[split_input(restore.input[1])[0]].attr["value"].tensor)
        out[names.reshape(-1)[index].decode()] = split_input(nd.input[0])[0]
    return out


def _import_collections(
    graph: Graph, meta: MetaGraphDef, scope: str, dropped: set[str]
) -> list[Variable]:
    """Fills the graph's collections; returns the variables, one object for each."""
    prefix = f"{scope}/" if scope else ""
    trainable = _trainable_names(meta)
    made: dict[str, Variable] = {}
    for key, value in sorted(meta.collection_def.items()):
        kind = value.WhichOneof("kind")
        if kind is None or key in _SKIPPED:
            continue
        items = getattr(value, kind).value
        if kind == "bytes_list" and key in VARIABLE_KEYS:
            for raw in items:
                proto = VariableProto.FromString(raw)
                name = proto.variable_name
                if name not in made:
                    made[name] = _make_variable(proto, scope, name in trainable)
                graph.add_to_collection(key, made[name])
        elif kind == "bytes_list" and key == GraphKeys.QUEUE_RUNNERS:
            for raw in items:
                runner = QueueRunner.from_proto(QueueRunnerDef.FromString(raw), scope or None)
                graph.add_to_collection(key, runner)
        elif kind == "node_list":
            for name in items:
                if split_input(name)[0] not in dropped:
                    graph.add_to_collection(key, graph.as_graph_element(prefix + name))
        else:
            for item in items:
                graph.add_to_collection(key, item)
    return list(made.values())


def _trainable_names(meta: MetaGraphDef) -> set[str]:
    raw = meta.collection_def.get(GraphKeys.TRAINABLE_VARIABLES)
    if raw is None:
        return set()
    return {VariableProto.FromString(r).variable_name for r in raw.bytes_list.value}


def _make_variable(proto: VariableProto, scope: str, trainable: bool) -> Variable:
    definition = VariableDef(
        proto.variable_name, proto.initial_value_name, proto.initializer_name,
        proto.snapshot_name, trainable,
    )  # fmt: skip
    return Variable.from_proto(definition, scope or None)
