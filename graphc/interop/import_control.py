"""Loops, branches and function calls of files.

Lives here: CALLS, a rule for each op type. Not here: finding loops and branches among switches and
merges (interop/import_frames.py), making loop nodes (interop/import_loops.py), arrays
(interop/array_nodes.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.errors import InvalidArgumentError, NotFoundError
from graphc.interop import attributes
from graphc.interop.function_defs import Function, called, read_function
from graphc.interop.import_frames import BRANCHES, LOOP, BranchPart, LoopPart, split_input
from graphc.interop.import_loops import Values, make_loop, tensor_of, truth
from graphc.interop.import_saved import read_record, read_saved_branch, read_saved_loop
from graphc.interop.importer import DONE, ForeignRule, Importer, Missing, Unavailable, Wanted
from graphc.interop.messages import AttrValue, NodeDef
from graphc.ir.dtypes import int32
from graphc.ir.graph import get_default_graph
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ops.define import F
from graphc.tf1.control_flow import cond
from graphc.tf1.tensor_array import TensorArray


def _finish(imp: Importer, nd: NodeDef, values: Values, node: Node | None) -> Any:
    """Ends a node whose outputs are these values; tensors are called "node:number" in the graph."""
    name = f"{imp.prefix}{nd.name}"
    named = node is not None and node.name == name and all(
        not isinstance(v, Tensor | TensorArray)
        or (k < len(node.outputs) and tensor_of(v) is node.outputs[k])
        for k, v in enumerate(values)
    )  # fmt: skip
    if not named and name not in imp.graph._by_name:
        node = _outputs(imp, nd, values)
    imp.finish(nd, values, node)
    return DONE


def _outputs(imp: Importer, nd: NodeDef, values: Values) -> Node | None:
    """A node of the name of `nd` that has these values."""
    if not values or not all(isinstance(v, Tensor | TensorArray) for v in values):
        return None
    return imp.add(F.identity_n, [tensor_of(v) for v in values], {}, nd.name)


# ------------------------------------------------------------------ functions
def _function(imp: Importer, nd: NodeDef, attr: AttrValue) -> Function:
    name, attrs = called(attr)
    found = imp.functions.get(name)
    if found is None:
        raise NotFoundError(
            f"node {nd.name!r} ({nd.op}) calls the function {name!r}, which the graph does not have"
        )
    return read_function(found, attrs)


def _call(
    imp: Importer, function: Function, args: Sequence[Any], prefix: str | None = None
) -> tuple[Values, Importer]:
    """The function's nodes in the default graph; its results, behind what it does besides."""
    inner = imp.inner(prefix, private=True)
    inner.outputs = {name: [value] for name, value in zip(function.params, args, strict=True)}
    inner.run(function.nodes)
    values = [inner.value(text) for text in function.results]
    done = [inner.nodes[name] for name in function.controls if name in inner.nodes]
    if done:
        with get_default_graph().control_dependencies(done):
            values = [F.identity(v) if isinstance(v, Tensor) else v for v in values]
    return values, inner


def _invariant(function: Function) -> frozenset[int]:
    """The results that are the parameters of the same number."""
    nodes = {nd.name: nd for nd in function.nodes}
    out = set()
    for k, text in enumerate(function.results):
        name = split_input(text)[0]
        while name in nodes and nodes[name].op == "Identity":
            name = split_input(nodes[name].input[0])[0]
        if k < len(function.params) and name == function.params[k]:
            out.add(k)
    return frozenset(out)


def _partitioned(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    record = read_record(imp, nd, inputs)
    if record is not None:
        return _finish(imp, nd, list(record.outputs), record)
    if "f" in nd.attr:
        function = _function(imp, nd, nd.attr["f"])
    else:
        function = read_function(imp.functions[nd.op], nd.attr)
    values, inner = _call(imp, function, inputs, f"{imp.prefix}{nd.name}/")
    if values:
        return _finish(imp, nd, values, None)
    done = [inner.nodes[name] for name in function.controls if name in inner.nodes]
    with imp.graph.control_dependencies(done):
        imp.finish(nd, (), imp.add(F.no_op, (), {}, nd.name))
    return DONE


# ------------------------------------------------------------------ loops
def _while(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    saved = read_saved_loop(imp, nd)
    if saved is not None:
        return _finish(imp, nd, saved, imp.nodes[nd.name])
    test, body = (_function(imp, nd, nd.attr[key]) for key in ("cond", "body"))
    stepped: list[Importer] = []
    fixed = _invariant(body)
    if "_graphc_carried" in nd.attr:
        # what graphc carries stays carried: other nodes refer to it
        fixed = frozenset(k for k in fixed if k >= nd.attr["_graphc_carried"].i)
    back_prop = "_graphc_back_prop" not in nd.attr or nd.attr["_graphc_back_prop"].b

    def step(args: Values) -> Values:
        values, inner = _call(imp, body, args, "")
        stepped.append(inner)
        return values

    def ask(args: Values) -> Values:
        return _call(imp, test, args, "")[0]

    name = _free_name(imp, nd)
    values, node = make_loop(name, inputs, ask, step, fixed, back_prop)
    if node is not None:
        imp.bodies[nd.name] = ((stepped[-1],), node)
    return _finish(imp, nd, values, node)


def _free_name(imp: Importer, nd: NodeDef) -> str:
    """The node's own name where its outputs will be the file's, in number and order."""
    own = f"{imp.prefix}{nd.name}/"
    return own if "_graphc_carried" in nd.attr else f"{own}loop/"


def _loop(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    part = imp.parts[nd.name]
    assert isinstance(part, LoopPart)
    starts = [imp.value(text) for text in part.enters]

    def inside(args: Values) -> Importer:
        inner = imp.inner("")
        for name, value in zip(part.merges, args, strict=True):
            inner.outputs[name] = [value]
        return inner

    def ask(args: Values) -> Values:
        inner = inside(args)
        inner.run(part.cond_nodes)
        return [inner.value(part.test)]

    def step(args: Values) -> Values:
        inner = inside(args)
        inner.run(part.body_nodes)
        return [inner.value(text) for text in part.nexts]

    fixed = frozenset(
        k for k, name in enumerate(part.merges) if split_input(part.nexts[k])[0] == name
    )
    values, node = make_loop(f"{imp.prefix}{nd.name}/", starts, ask, step, fixed)
    imp.finish(nd, values, node)
    return DONE


# ------------------------------------------------------------------ branches
@dataclass(frozen=True, eq=False)
class Optional:
    """What one side of a branch keeps for a gradient; `value` is None on the other side."""

    value: Tensor | None


def _either(
    imp: Importer, name: str, pred: Tensor, then: Callable[[], Values],
    orelse: Callable[[], Values],
) -> Values:  # fmt: skip
    """A cond node of these branches. What is no tensor must be the same on both sides."""
    sides: list[Values] = []

    def tensors(fn: Callable[[], Values]) -> Callable[[], Any]:
        def build() -> Any:
            values = fn()
            missing = next((v for v in values if isinstance(v, Missing)), None)
            if missing is not None:
                raise Unavailable(missing.reason)
            sides.append(values)
            own = [v for v in values if isinstance(v, Tensor | TensorArray)]
            # a branch without results is there for what it does
            return own or [F.identity(True)]

        return build

    made = cond(truth(pred), tensors(then), tensors(orelse), strict=True, name=name)
    outs = iter(made)
    values = [next(outs) if isinstance(v, Tensor | TensorArray) else v for v in sides[0]]
    if any(isinstance(v, Optional) for v in values):
        _keep(imp, name, tensor_of(made[0]).node, sides, values)
    return values


def _keep(
    imp: Importer, name: str, node: Node, sides: Sequence[Values], values: Values
) -> None:
    """Replaces what a branch keeps for gradients by outputs of a node of its own."""
    held = node.attrs["branches"]
    kept: list[list[tuple[int, Tensor]]] = [[], []]
    for k, (first, second) in enumerate(zip(*sides, strict=True)):
        if not isinstance(first, Optional) or not isinstance(second, Optional):
            continue
        if first.value is not None and second.value is not None:
            raise Unavailable("both sides of a branch keep a value in one place")
        for own, side, body in ((first, 0, held.then), (second, 1, held.orelse)):
            if own.value is not None and own.value.graph is body.graph:
                kept[side].append((k, own.value))
            elif own.value is not None:
                values[k] = own
    then, orelse = (tuple(t for _, t in part) for part in kept)
    attrs = {
        "branches": held, "of": node, "then": then, "orelse": orelse,
        "types": tuple(TensorType(t.dtype, t.dims) for t in (*then, *orelse)),
    }  # fmt: skip
    saved = imp.graph.create_node(F.cond_saved, node.inputs, attrs, f"{name}saved/")
    for (k, _), out in zip((*kept[0], *kept[1]), saved.outputs, strict=True):
        values[k] = Optional(out)


def _optional(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    if len(inputs) > 1:
        raise Unavailable("graphc reads optional values of one part only")
    return [Optional(inputs[0] if inputs else None)]


def _component(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    if not isinstance(inputs[0], Optional) or inputs[0].value is None:
        raise Unavailable("it reads an optional value that is not there")
    return [inputs[0].value]


def _if(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    pred, args = inputs[0], inputs[1:]
    functions = [_function(imp, nd, nd.attr[k]) for k in ("then_branch", "else_branch")]
    inners: list[Importer] = []

    def branch(function: Function) -> Callable[[], Values]:
        def build() -> Values:
            values, inner = _call(imp, function, args, "")
            inners.append(inner)
            return _with_effects(values, inner, function)

        return build

    saved = read_saved_branch(imp, nd, pred, [*map(branch, functions)])
    if saved is not None:
        return _finish(imp, nd, list(saved.outputs), saved)
    values = _either(imp, f"{imp.prefix}{nd.name}/", pred, *map(branch, functions))
    node = imp.graph._by_name.get(f"{imp.prefix}{nd.name}")
    if node is not None:
        imp.bodies[nd.name] = (tuple(inners), node)
    return _finish(imp, nd, values, node)


def _with_effects(values: Values, inner: Importer, function: Function) -> Values:
    """The values; of a function without any, something that stands for what it does."""
    done = [inner.nodes[name] for name in function.controls if name in inner.nodes]
    if values or not done:
        return values
    with get_default_graph().control_dependencies(done):
        return [F.identity(True)]


def _case(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    index, args = inputs[0], inputs[1:]
    functions = [
        _function(imp, nd, AttrValue(func=f)) for f in nd.attr["branches"].list.func
    ]
    if not functions:
        raise InvalidArgumentError(f"node {nd.name!r} (Case) has no branches")

    def build(k: int) -> Values:
        # any other number takes the last branch
        if k == len(functions) - 1:
            return _call(imp, functions[k], args, "")[0]
        return _either(
            imp, "branch", F.equal(index, k), lambda: _call(imp, functions[k], args, "")[0],
            lambda: build(k + 1),
        )  # fmt: skip

    return _finish(imp, nd, build(0), None)


def _branches(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    part = imp.parts[nd.name]
    assert isinstance(part, BranchPart)

    def side(nodes: list[NodeDef], texts: list[str]) -> Callable[[], Values]:
        def build() -> Values:
            inner = imp.inner("")
            inner.run(nodes)
            return [inner.value(text) for text in texts]

        return build

    values = _either(
        imp, f"{imp.prefix}{nd.name}/", imp.value(part.pred), side(part.then_nodes, part.then),
        side(part.else_nodes, part.orelse),
    )  # fmt: skip
    imp.finish(nd, values, imp.graph._by_name.get(f"{imp.prefix}{nd.name}"))
    return DONE


def _merged(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    """An output of a branch; and, where anybody asks, which input of the Merge it was."""
    value = inputs[0]
    if len(inputs) == 1:
        return [value]
    then = bool(attributes.value_of(nd.attr["then"]))
    taken = inputs[1] if then else F.logical_not(inputs[1])
    return value, F.cast(taken, dtype=int32)


# ------------------------------------------------------------------ stacks of switches and merges
def _stack(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    return [Wanted("a stack", ())]


def _push(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    return F.identity(inputs[1])


def _pop(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    raise Unavailable(
        "graphc does not read TensorFlow's gradients of loops made of switches and merges: take "
        "gradients anew with tf.gradients"
    )


CALLS: dict[str, ForeignRule] = {
    "PartitionedCall": _partitioned,
    "StatefulPartitionedCall": _partitioned,
    "While": _while,
    "StatelessWhile": _while,
    "If": _if,
    "StatelessIf": _if,
    "Case": _case,
    "StatelessCase": _case,
    LOOP: _loop,
    BRANCHES: _branches,
    "_Merged": _merged,
    "OptionalFromValue": _optional,
    "OptionalNone": _optional,
    "OptionalGetValue": _component,
    "StackV2": _stack,
    "StackPushV2": _push,
    "StackPopV2": _pop,
    "StackCloseV2": lambda imp, nd, inputs: (),
}
