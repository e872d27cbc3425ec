"""Savers that are functions, as TensorFlow 2's SavedModels have them.

Lives here: saver_calls, restored_variables. Not here: savers of nodes (interop/meta_graph.py).
"""

from __future__ import annotations

from typing import Any

from graphc.interop.attributes import array_of
from graphc.interop.function_defs import called, read_function
from graphc.interop.import_frames import split_input
from graphc.interop.messages import FunctionDef, GraphDef, MetaGraphDef, NodeDef

_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})


def _functions(graph_def: GraphDef) -> dict[str, FunctionDef]:
    return {f.signature.name: f for f in graph_def.library.function}


def saver_calls(graph_def: GraphDef, ops: frozenset[str]) -> list[str]:
    """The calls of functions that use one of these op types."""
    functions = _functions(graph_def)
    found = []
    for nd in graph_def.node:
        if nd.op in _CALLS and _uses(functions, called(nd.attr["f"])[0], ops):
            found.append(nd.name)
    return found


def _uses(functions: dict[str, FunctionDef], name: str, ops: frozenset[str]) -> bool:
    seen: set[str] = set()
    stack = [name]
    while stack:
        function = functions.get(stack.pop())
        if function is None or function.signature.name in seen:
            continue
        seen.add(function.signature.name)
        for nd in function.node_def:
            if nd.op in ops:
                return True
            if nd.op in _CALLS:
                stack.append(called(nd.attr["f"])[0])
    return False


def restored_variables(meta: MetaGraphDef) -> dict[str, str]:
    """Keys in a checkpoint -> names of the variables' nodes, as the restoring function says."""
    graph_def = meta.graph_def
    name = split_input(meta.saver_def.restore_op_name)[0]
    call = next((nd for nd in graph_def.node if nd.name == name and nd.op in _CALLS), None)
    function = None
    if call is not None:
        function = _functions(graph_def).get(called(call.attr["f"])[0])
    if call is None or function is None:
        return {}
    body = read_function(function, {})
    nodes = {nd.name: nd for nd in body.nodes}
    operands = dict(zip(body.params, call.input, strict=False))
    out: dict[str, str] = {}
    for nd in nodes.values():
        if nd.op != "AssignVariableOp":
            continue
        key = _restored_key(nodes, nd.input[1])
        variable = operands.get(split_input(nd.input[0])[0])
        if key is not None and variable is not None:
            out[key] = split_input(variable)[0]
    return out


def _restored_key(nodes: dict[str, NodeDef], text: str) -> str | None:
    """The name under which a value of a RestoreV2 is stored."""
    source, index = split_input(text)
    while source in nodes and nodes[source].op in ("Identity", "Reshape"):
        source, index = split_input(nodes[source].input[0])
    restore = nodes.get(source)
    if restore is None or restore.op != "RestoreV2":
        return None
    names = nodes.get(split_input(restore.input[1])[0])
    if names is None:
        return None
    keys: Any = array_of(names.attr["value"].tensor).reshape(-1)
    return str(keys[index].decode())
