"""What graphc writes of its own loops, branches and arrays, read back as it was.

Lives here: read_record, read_saved_loop, read_saved_branch. Not here: the same of TensorFlow's
files (interop/import_control.py). Private attributes say what a node was
(interop/export_functions.py); a file that lost them is read as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.interop import attributes
from graphc.interop.array_nodes import Stack
from graphc.interop.import_loops import Values, tensor_of
from graphc.interop.importer import Importer
from graphc.interop.messages import NodeDef
from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ops.control import Branches, stack_type
from graphc.ops.define import F
from graphc.ops.function import BodyGraph, closed, traced

_ARRAYS = ("tensor_array", "tensor_array_write", "tensor_array_grow")


def read_record(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Node | None:
    """The array op that a call stands for; None if it is a call like any other."""
    name = nd.attr["_graphc_record"].s.decode() if "_graphc_record" in nd.attr else ""
    if name not in _ARRAYS or not all(isinstance(t, Tensor) for t in inputs):
        return None
    attrs: dict[str, Any] = {}
    if name == "tensor_array":
        shape = nd.attr.get("_graphc_element")
        attrs["dtype"] = as_dtype(nd.attr["Tout"].list.type[0])
        attrs["element"] = None if shape is None else attributes.shape_of(shape.shape)
    return imp.add(getattr(F, name), inputs, attrs, nd.name)


def _texts(nd: NodeDef) -> list[str]:
    return [raw.decode() for raw in nd.attr["_graphc_saved"].list.s]


def _base(imp: Importer, nd: NodeDef) -> tuple[tuple[Importer, ...], Node] | None:
    """The imported loop or branch that this keeps something of."""
    name = nd.attr["_graphc_of"].s.decode() if "_graphc_of" in nd.attr else ""
    return imp.bodies.get(name)


def read_saved_loop(imp: Importer, nd: NodeDef) -> Values | None:
    """The stacks that a gradient needs of a loop, at the While's last outputs."""
    found = _base(imp, nd)
    if found is None or found[1].op.name != "while_loop":
        return None
    (body,), node = found
    tensors = tuple(tensor_of(body.value(text)) for text in _texts(nd))
    loop = node.attrs["loop"]
    if any(t.graph is not loop.body.graph for t in tensors):
        return None
    attrs = {
        "loop": loop, "of": node, "tensors": tensors,
        "types": tuple(stack_type(t) for t in tensors),
    }  # fmt: skip
    made = imp.add(F.while_saved, node.inputs, attrs, nd.name)
    imp.nodes[nd.name] = made
    values: Values = [None] * (len(nd.input) - len(tensors))
    return [*values, *(Stack(rows) for rows in made.outputs)]


def read_saved_branch(
    imp: Importer, nd: NodeDef, pred: Tensor, branches: Sequence[Callable[[], Values]]
) -> Node | None:
    """What a gradient needs of a branch.

    Args:
        branches: what the If of the file computes, for a file in which the branch itself is not.
    """
    if "_graphc_of" not in nd.attr:
        return None
    texts, count = _texts(nd), nd.attr["_graphc_then"].i
    found = _base(imp, nd)
    if found is not None and found[1].op.name == "cond":
        inners, node = found
        then = tuple(tensor_of(inners[0].value(text)) for text in texts[:count])
        orelse = tuple(tensor_of(inners[1].value(text)) for text in texts[count:])
    else:
        node, then, orelse = _rebuilt(imp, nd, pred, branches, count)
    held = node.attrs["branches"]
    for body, tensors in ((held.then, then), (held.orelse, orelse)):
        if any(t.graph is not body.graph for t in tensors):
            return None
    attrs = {
        "branches": held, "of": node, "then": then, "orelse": orelse,
        "types": tuple(TensorType(t.dtype, t.dims) for t in (*then, *orelse)),
    }  # fmt: skip
    return imp.add(F.cond_saved, node.inputs, attrs, nd.name)


def _rebuilt(
    imp: Importer, nd: NodeDef, pred: Tensor, branches: Sequence[Callable[[], Values]], count: int
) -> tuple[Node, tuple[Tensor, ...], tuple[Tensor, ...]]:
    """(a branch without results, what is kept of both sides)."""
    graphs = [BodyGraph(imp.graph) for _ in branches]
    kept = []
    for graph, build, part in zip(graphs, branches, (slice(count), slice(count, None)),
                                  strict=True):  # fmt: skip
        values = traced(graph, build)
        kept.append(tuple(graph.capture(tensor_of(v)) for v in values[part]))
    captured = list(dict.fromkeys(t for g in graphs for t, _ in g.inputs))
    held = Branches(*(closed(g, (), (), captured) for g in graphs))
    node = imp.add(F.cond, [pred, *captured], {"branches": held, "types": ()}, f"{nd.name}/base")
    return node, kept[0], kept[1]
