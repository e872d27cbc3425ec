"""Loops, branches and arrays as TensorFlow's functional ops, with their bodies as functions.

Lives here: CONTROL, a writer for each record, and random_state. Not here: walking graphs
(interop/graph_def.py), the form of functions (interop/function_defs.py).

A loop's outputs keep their numbers: what is carried comes first among a While's operands. Stacks
are TensorFlow's lists, carried behind them. What gradients keep of a loop or a branch is a While or
an If of its own, marked as such: graphc reads it back as what it was, TensorFlow computes it.
Arrays are plain tensors; an array that has no element shape yet is an empty vector, and whoever
writes it first is a call of a function that makes room.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.interop import attributes
from graphc.interop.function_defs import write_function
from graphc.interop.messages import NodeDef
from graphc.ir.dtypes import DType, bool_, int32
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import Shape
from graphc.ops.arrays import zero
from graphc.ops.control import Branches, Loop
from graphc.ops.define import F
from graphc.ops.function import Body, BodyGraph
from graphc.passes.functionalize_bodies import nodes_of

if TYPE_CHECKING:
    from graphc.interop.graph_def import _Writer

VARIANT = 21  # DT_VARIANT: what lists are
STATES = frozenset({"rng_state", "rng_step"})


def random_state(tensor: Tensor) -> Node | None:
    """The rng_state node that a tensor of any body comes from; None if it is something else."""
    while True:
        node = tensor.node
        if node.op.name == "rng_step":
            tensor = node.inputs[0]
        elif node.op.name == "placeholder" and isinstance(node.graph, BodyGraph):
            captures = node.graph.captures
            source = next((t for t, own in captures.items() if own is tensor), None)
            if source is None:
                return None
            tensor = source
        else:
            return node if node.op.name == "rng_state" else None


# ------------------------------------------------------------------ functions
class _Function:
    """A body on its way into the library."""

    def __init__(self, writer: _Writer, body: Body, extra: Sequence[Tensor] = ()) -> None:
        self.body = body
        nodes = nodes_of(body, extra)
        self.inner = writer.inside(body.graph, frozenset(nodes))
        self.stem = "arg"
        while any(n.name.startswith(f"{self.stem}_") for n in nodes):
            self.stem += "x"
        self.params: list[tuple[str, int]] = []
        self.results: list[tuple[str, int]] = []
        self.nodes = nodes

    def param(self, number: int) -> str:
        """A new parameter of this type; its name."""
        self.params.append((f"{self.stem}_{len(self.params)}", number))
        return self.params[-1][0]

    def write(self) -> None:
        for node in self.nodes:
            if node.op.name not in ("placeholder", *STATES):
                self.inner.write(node, False)

    def result(self, text: str, number: int) -> None:
        self.results.append((text, number))

    def finish(self, name: str) -> str:
        """Adds the function to the library; its name there."""
        library = self.inner.library
        stateful = self.inner.stateful
        controls = [self.inner.label(n) for n in self.body.targets]
        full = _unused(library, re.sub(r"[^A-Za-z0-9_]", "_", name))
        library.function.append(
            write_function(
                full, self.params, list(self.inner.out.node), self.results, controls, stateful
            )
        )
        return full


def _unused(library: Any, name: str) -> str:
    taken = {f.signature.name for f in library.function}
    count, full = 0, name
    while full in taken:
        count += 1
        full = f"{name}_{count}"
    return full


def _number(tensor: Tensor) -> int:
    return int(tensor.dtype.as_datatype_enum)


def _put_types(made: NodeDef, name: str, numbers: Sequence[int]) -> None:
    made.attr[name].list.SetInParent()
    made.attr[name].list.type.extend(numbers)


def _put_shapes(made: NodeDef, shapes: Sequence[Shape]) -> None:
    listed = made.attr["output_shapes"].list
    listed.SetInParent()
    for shape in shapes:
        attributes.fill_shape(listed.shape.add(), shape)


# ------------------------------------------------------------------ loops
class _LoopWriter:
    """One while_loop or while_saved as a While."""

    def __init__(self, writer: _Writer, node: Node, made: NodeDef) -> None:
        self.writer, self.node, self.made = writer, node, made
        self.loop: Loop = node.attrs["loop"]
        self.pushed: tuple[Tensor, ...] = (*self.loop.pushes, *node.attrs.get("tensors", ()))
        ahead = self.loop.carried + self.loop.pops
        self.captured = [
            k for k in range(ahead, len(node.inputs)) if random_state(node.inputs[k]) is None
        ]

    def write(self) -> None:
        writer, node, made, loop = self.writer, self.node, self.made, self.loop
        ahead = range(loop.carried + loop.pops)
        operands = [node.inputs[k] for k in (*ahead, *self.captured)]
        made.input.extend(writer.input(t) for t in operands)
        made.input.extend(self._empty(k, t) for k, t in enumerate(self.pushed))
        first = len(made.input) - len(self.pushed)
        saved = node.op.name == "while_saved"
        stacks = node.outputs if saved else node.outputs[loop.carried :]
        kept = range(len(loop.pushes), len(self.pushed)) if saved else range(len(loop.pushes))
        for tensor, k in zip(stacks, kept, strict=True):
            writer.named[tensor] = f"{made.name}:{first + k}"
        made.attr["cond"].func.name = self._cond()
        made.attr["body"].func.name = self._body()
        _put_types(made, "T", self._types())
        shapes = [t.shape for t in node.attrs["types"][: loop.carried]]
        if saved:
            shapes = [None] * loop.carried
        shapes += [()] * loop.pops + [node.inputs[k].dims for k in self.captured]
        _put_shapes(made, [*shapes, *([()] * len(self.pushed))])
        made.attr["parallel_iterations"].i = 10
        made.attr["_graphc_carried"].i = loop.carried
        made.attr["_graphc_back_prop"].b = loop.back_prop
        made.op = "While" if writer.stateful_function(made, "cond", "body") else "StatelessWhile"

    def _types(self) -> list[int]:
        loop, inputs = self.loop, self.node.inputs
        types = [_number(t) for t in inputs[: loop.carried]] + [VARIANT] * loop.pops
        types += [_number(inputs[k]) for k in self.captured]
        return types + [VARIANT] * len(self.pushed)

    def _empty(self, k: int, tensor: Tensor) -> str:
        writer = self.writer
        scope = f"{self.made.name}/stack_{k}"
        nd = writer.out.node.add(name=writer.fresh(scope), op="EmptyTensorList")
        most = writer.const(f"{scope}/max_num_elements", np.array(-1, np.int32))
        nd.input.extend([writer.const(f"{scope}/element_shape", _element(tensor.dims)), most])
        nd.attr["element_dtype"].type = _number(tensor)
        nd.attr["shape_type"].type = int32.as_datatype_enum
        return str(nd.name)

    def _start(self, body: Body, extra: Sequence[Tensor] = ()) -> tuple[_Function, list[str]]:
        """A function with the While's parameters; the names of stacks and captured ones."""
        made = _Function(self.writer, body, extra)
        loop, rest = self.loop, []
        for k, number in enumerate(self._types()):
            name = made.param(number)
            if k < loop.carried:
                made.inner.named[body.params[k]] = name
                continue
            rest.append(name)
            captured = k - loop.carried - loop.pops
            if 0 <= captured < len(self.captured):
                made.inner.named[body.params[self.captured[captured]]] = name
        return made, rest

    def _cond(self) -> str:
        made, _ = self._start(self.loop.cond)
        made.write()
        made.result(made.inner.input(self.loop.cond.results[0]), bool_.as_datatype_enum)
        return made.finish(f"{self.made.name}_cond")

    def _body(self) -> str:
        loop = self.loop
        made, rest = self._start(loop.body, self.pushed)
        inner = made.inner
        after: list[tuple[str, int]] = []
        for j in range(loop.pops):
            param = loop.body.params[loop.carried + j]
            popped = inner.out.node.add(name=inner.fresh(f"pop_{j}"), op="TensorListPopBack")
            shape = inner.const(f"{popped.name}/element_shape", _element(param.dims))
            popped.input.extend([rest[j], shape])
            popped.attr["element_dtype"].type = _number(param)
            inner.named[param] = f"{popped.name}:1"
            after.append((popped.name, VARIANT))
        made.write()
        for tensor in loop.body.results[: loop.carried]:
            made.result(inner.input(tensor), _number(tensor))
        kept = len(self.captured)
        after += [
            (name, _number(self.node.inputs[k]))
            for name, k in zip(rest[loop.pops : loop.pops + kept], self.captured, strict=True)
        ]
        for name, tensor in zip(rest[loop.pops + kept :], self.pushed, strict=True):
            push = inner.out.node.add(name=inner.fresh("push"), op="TensorListPushBack")
            push.input.extend([name, inner.input(tensor)])
            push.attr["element_dtype"].type = _number(tensor)
            after.append((push.name, VARIANT))
        for text, number in after:
            made.result(text, number)
        if self.node.op.name == "while_saved":
            _mark(self.writer, self.node, self.made, inner, self.node.attrs["tensors"])
        return made.finish(f"{self.made.name}_body")


def _element(dims: Shape) -> Any:
    """An element_shape: -1 for what is not known."""
    if dims is None:
        return np.array(-1, np.int32)
    return np.array([d if isinstance(d, int) else -1 for d in dims], np.int32)


def _mark(
    writer: _Writer, node: Node, made: NodeDef, inner: _Writer, tensors: Sequence[Tensor]
) -> None:
    """Says of which loop or branch this keeps what."""
    of: Node = node.attrs["of"]
    made.attr["_graphc_of"].s = writer.label(of).encode()
    saved = made.attr["_graphc_saved"].list
    saved.SetInParent()
    saved.s.extend(inner.input(t).encode() for t in tensors)


def _loop(writer: _Writer, node: Node, made: NodeDef) -> None:
    _LoopWriter(writer, node, made).write()


# ------------------------------------------------------------------ branches
def _cond(writer: _Writer, node: Node, made: NodeDef) -> None:
    held: Branches = node.attrs["branches"]
    saved = node.op.name == "cond_saved"
    kept = [k for k, t in enumerate(node.inputs) if not k or random_state(t) is None]
    made.input.extend(writer.input(node.inputs[k]) for k in kept)
    then, orelse = node.attrs.get("then", ()), node.attrs.get("orelse", ())
    if saved:
        made.attr["_graphc_saved"].list.SetInParent()
    for key, body, before, own, after in (
        ("then_branch", held.then, (), then, orelse),
        ("else_branch", held.orelse, then, orelse, ()),
    ):
        function = _Function(writer, body, own)
        inner = function.inner
        for k in kept[1:]:
            inner.named[body.params[k - 1]] = function.param(_number(node.inputs[k]))
        function.write()
        results = [*(_nothing(inner, t) for t in before),
                   *(inner.input(t) for t in (own if saved else body.results)),
                   *(_nothing(inner, t) for t in after)]  # fmt: skip
        for text, out in zip(results, node.outputs, strict=True):
            function.result(text, _number(out))
        if saved:
            made.attr["_graphc_saved"].list.s.extend(inner.input(t).encode() for t in own)
        made.attr[key].func.name = function.finish(f"{made.name}_{key}")
    if saved:
        made.attr["_graphc_of"].s = writer.label(node.attrs["of"]).encode()
        made.attr["_graphc_then"].i = len(then)
    made.attr["Tcond"].type = bool_.as_datatype_enum
    _put_types(made, "Tin", [_number(node.inputs[k]) for k in kept[1:]])
    _put_types(made, "Tout", [_number(t) for t in node.outputs])
    _put_shapes(made, [None if saved else t.shape for t in node.attrs["types"]])
    stateful = writer.stateful_function(made, "then_branch", "else_branch")
    made.op = "If" if stateful else "StatelessIf"


def _nothing(inner: _Writer, tensor: Tensor) -> str:
    """What stands for a tensor of the branch that is not taken."""
    empty = b"" if tensor.dtype.name == "string" else np.zeros((), tensor.dtype.np)
    value = np.array(empty, object) if isinstance(empty, bytes) else empty
    return inner.const("nothing", value)


# ------------------------------------------------------------------ arrays
def _room(flow: Tensor, element: Tensor, size: Tensor) -> Tensor:
    """The array's rows, and zeros up to `size` rows of this shape."""
    zeros, ones = np.array([0], np.int32), np.array([1], np.int32)
    each = F.maximum(F.reduce_prod(element, axes=(0,), keepdims=False), 1)
    rows = F.reshape(F.floordiv(F.size(flow), each), ones)
    missing = F.subtract(F.reshape(size, ones), rows)
    value = F.fill(F.concat(F.maximum(missing, zeros), element, axis=0), zero(flow.dtype))
    made: Tensor = F.concat(
        F.reshape(flow, F.concat(rows, element, axis=0)), value, axis=0
    )
    return made


def _write(flow: Tensor, at: Tensor, value: Tensor, size: Tensor) -> Tensor:
    # a loop that only counts the rows of an array writes behind the end of an empty one
    rows = F.maximum(size, F.add(at, 1))
    made: Tensor = F.tensor_scatter_update(
        _room(flow, F.shape(value), rows), F.reshape(at, np.array([1, 1], np.int32)),
        F.expand_dims(value, axis=0),
    )  # fmt: skip
    return made


def _grow(flow: Tensor, size: Tensor, like: Tensor) -> Tensor:
    return _room(flow, F.shape(like), size)


def _make(size: Tensor, dtype: DType) -> Tensor:
    made: Tensor = F.fill(np.array([0], np.int32), zero(dtype))
    return made


def _called(build: Callable[..., Tensor]) -> Callable[[_Writer, Node, NodeDef], None]:
    """A call of a library function; graphc reads the call back as the record."""

    def write(writer: _Writer, node: Node, made: NodeDef) -> None:
        dtype = node.outputs[0].dtype
        name = f"graphc_{node.op.name}_{dtype.name}"
        library = writer.library
        if all(f.signature.name != name for f in library.function):
            extra = (dtype,) if node.op.name == "tensor_array" else ()
            library.function.append(_library_function(writer, name, node, build, extra))
        made.op = "PartitionedCall"
        made.input.extend(writer.input(t) for t in node.inputs)
        made.attr["f"].func.name = name
        made.attr["_graphc_record"].s = node.op.name.encode()
        element = node.attrs.get("element")
        if element is not None:
            attributes.fill_shape(made.attr["_graphc_element"].shape, element)
        _put_types(made, "Tin", [_number(t) for t in node.inputs])
        _put_types(made, "Tout", [_number(node.outputs[0])])

    return write


def _library_function(
    writer: _Writer, name: str, node: Node, build: Callable[..., Tensor], extra: tuple[Any, ...]
) -> Any:
    graph = Graph()
    with graph.as_default():
        scalars = [0 if t.dtype is int32 and t.dims == () else None for t in node.inputs]
        types = [TensorType(t.dtype, () if s == 0 else None)
                 for t, s in zip(node.inputs, scalars, strict=True)]  # fmt: skip
        params = [
            graph.create_node(
                F.placeholder, (), {"dtype": t.dtype, "shape": t.shape}, f"arg_{k}"
            ).outputs[0]
            for k, t in enumerate(types)
        ]
        result = build(*params, *extra)
    inner = writer.inside(graph, None)
    for made in graph.nodes:
        if made.op.name != "placeholder":
            inner.write(made, False)
    return write_function(
        name, [(p.node.name, _number(p)) for p in params], list(inner.out.node),
        [(inner.input(result), _number(result))],
    )  # fmt: skip


def _array(writer: _Writer, node: Node, made: NodeDef) -> None:
    """Zeros where the elements' shape is known."""
    element = node.attrs["element"]
    if element is None or None in element:
        _called(_make)(writer, node, made)
        return
    scope = made.name
    row = writer.const(f"{scope}/row", np.array([1], np.int32))
    tail = writer.const(f"{scope}/element", np.array(element, np.int32))
    axis = writer.const(f"{scope}/axis", np.array(0, np.int32))
    number = int32.as_datatype_enum
    rows = writer.out.node.add(name=writer.fresh(f"{scope}/rows"), op="Reshape",
                               input=[writer.input(node.inputs[0]), row])  # fmt: skip
    dims = writer.out.node.add(name=writer.fresh(f"{scope}/dims"), op="ConcatV2",
                               input=[rows.name, tail, axis])  # fmt: skip
    rows.attr["T"].type = rows.attr["Tshape"].type = number
    dims.attr["T"].type = dims.attr["Tidx"].type = number
    dims.attr["N"].i = 2
    value = attributes.tensor_proto(zero(node.attrs["dtype"]).node.attrs["value"].array)
    fill = writer.out.node.add(name=writer.fresh(f"{scope}/zero"), op="Const")
    fill.attr["dtype"].type = value.dtype
    fill.attr["value"].tensor.CopyFrom(value)
    made.op = "Fill"
    made.input.extend([dims.name, fill.name])
    made.attr["T"].type = value.dtype
    made.attr["index_type"].type = number


def _read(writer: _Writer, node: Node, made: NodeDef) -> None:
    axis = writer.const(f"{made.name}/axis", np.array(0, np.int32))
    made.op = "GatherV2"
    made.input.extend([*(writer.input(t) for t in node.inputs), axis])
    made.attr["Tparams"].type = _number(node.inputs[0])
    made.attr["Tindices"].type = _number(node.inputs[1])
    made.attr["Taxis"].type = int32.as_datatype_enum
    made.attr["batch_dims"].i = 0


CONTROL: dict[str, Callable[[_Writer, Node, NodeDef], None]] = {
    "while_loop": _loop,
    "while_saved": _loop,
    "cond": _cond,
    "cond_saved": _cond,
    "tensor_array": _array,
    "tensor_array_write": _called(_write),
    "tensor_array_grow": _called(_grow),
    "tensor_array_read": _read,
}
