"""FunctionDefs: the functions of a GraphDef, to and from plain lists of nodes.

Lives here: Function, read_function, write_function. Not here: ops that call functions
(interop/import_control.py, interop/export_functions.py). Imports messages and the names of outputs.

A function's nodes refer to outputs as "node:name:number" and to parameters as "name"; a graph's
nodes as "node:number". Everything else in interop speaks of them as in a graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.errors import InvalidArgumentError
from graphc.interop.messages import AttrValue, FunctionDef, NodeDef
from graphc.interop.output_names import output_names


@dataclass(frozen=True)
class Function:
    """A function as lists of nodes and names, in a graph's manner.

    Attributes:
        params: names. results: texts "node:number". controls: nodes that run beside them.
    """

    name: str
    params: tuple[str, ...]
    nodes: tuple[NodeDef, ...]
    results: tuple[str, ...]
    controls: tuple[str, ...] = ()


def _length(nd: NodeDef, attr: str) -> int:
    """How long a list of outputs is."""
    if attr not in nd.attr:
        return 0
    value = nd.attr[attr]
    return len(value.list.type) if value.WhichOneof("value") == "list" else int(value.i)


def _starts(nd: NodeDef) -> list[tuple[str, int, int]]:
    """(name, number of its first output, how many) of each output of a node."""
    out = []
    first = 0
    for text in output_names(nd.op):
        name, _, attr = text.partition("*")
        count = _length(nd, attr) if attr else 1
        out.append((name, first, count))
        first += count
    return out


# ------------------------------------------------------------------ from files
def read_function(function: FunctionDef, attrs: Mapping[str, AttrValue]) -> Function:
    """The function, its attributes ("$T") as the call gives them.

    Raises:
        InvalidArgumentError: it refers to something that is not in it.
    """
    signature = function.signature
    params = tuple(a.name for a in signature.input_arg)
    nodes = {nd.name: nd for nd in function.node_def}

    def plain(text: str) -> str:
        if text.startswith("^"):
            return text
        name, _, rest = text.partition(":")
        if name not in nodes:
            return name
        output, _, number = rest.partition(":")
        for known, first, _ in _starts(nodes[name]):
            if known == output:
                return f"{name}:{first + int(number or 0)}"
        raise InvalidArgumentError(
            f"function {signature.name!r}: node {name!r} ({nodes[name].op}) has no output "
            f"{output!r}"
        )

    made = []
    for nd in function.node_def:
        copy = NodeDef(name=nd.name, op=nd.op, device=nd.device)
        copy.input.extend(plain(text) for text in nd.input)
        for key, value in nd.attr.items():
            copy.attr[key].CopyFrom(_bound(value, attrs))
        made.append(copy)
    results = tuple(plain(function.ret[a.name]) for a in signature.output_arg)
    controls = tuple(dict.fromkeys(function.control_ret.values()))
    return Function(signature.name, params, tuple(made), results, controls)


def _bound(value: AttrValue, attrs: Mapping[str, AttrValue]) -> AttrValue:
    if value.WhichOneof("value") == "placeholder" and value.placeholder in attrs:
        return attrs[value.placeholder]
    return value


# ------------------------------------------------------------------ to files
def write_function(
    name: str, params: Sequence[tuple[str, int]], nodes: Iterable[NodeDef],
    results: Sequence[tuple[str, int]], controls: Sequence[str] = (), stateful: bool = False,
) -> FunctionDef:  # fmt: skip
    """A FunctionDef.

    Args:
        params: (name, number of the dtype). nodes: as in a graph; they read parameters by name.
        results: (text, number of the dtype). controls: nodes that run in any case.
    """
    out = FunctionDef()
    out.signature.name = name
    out.signature.is_stateful = stateful
    for param, number in params:
        out.signature.input_arg.add(name=param, type=number)
    known = {nd.name: nd for nd in nodes}

    def inner(text: str) -> str:
        if text.startswith("^"):
            return text
        node, _, number = text.partition(":")
        if node not in known:
            return node
        return _named(known[node], int(number or 0))

    for nd in known.values():
        nd.input[:] = [inner(text) for text in nd.input]
        out.node_def.append(nd)
    for k, (text, number) in enumerate(results):
        out.signature.output_arg.add(name=f"out_{k}", type=number)
        out.ret[f"out_{k}"] = inner(text)
    for control in controls:
        out.signature.control_output.append(control)
        out.control_ret[control] = control
    return out


def _named(nd: NodeDef, number: int) -> str:
    for name, first, count in _starts(nd):
        if first <= number < first + count:
            return f"{nd.name}:{name}:{number - first}"
    return f"{nd.name}:output:{number}"


def called(attr: AttrValue) -> tuple[str, Any]:
    """(the name of a function, its attributes) that an attribute of a call says."""
    return attr.func.name, attr.func.attr
