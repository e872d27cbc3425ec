"""Loops of files as graphc's loop nodes.

Lives here: make_loop. Not here: where its functions come from (interop/import_control.py), what
arrays and stacks are (interop/array_nodes.py). Imports ops and tf1's TensorArray.

A file says nothing of what a loop variable is. What never changes is captured; arrays are carried;
a list that only grows by one a step is a stack that the loop pushes, one that only shrinks so is a
stack that it pops. Shapes are those of the initial values, until the body shows that they vary. All
this is found out by trying: a body that breaks an assumption is traced again without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.interop.array_nodes import NeedsArray, Popping, Pushing, Stack
from graphc.interop.importer import Missing, Unavailable
from graphc.ir.dtypes import bool_, int32
from graphc.ir.graph import Graph, get_default_graph
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import Shape
from graphc.ops.control import Loop, stack_type
from graphc.ops.convert import constant_tensor
from graphc.ops.define import F
from graphc.ops.function import BodyGraph, closed, parameters
from graphc.ops.values import value_of
from graphc.tf1.control_flow import _lengthened as lengthened
from graphc.tf1.loop_vars import as_general, like, tensors_of
from graphc.tf1.tensor_array import TensorArray

Values = list[Any]
Traced = Callable[[Values], Values]


class _Again(Exception):
    """An assumption was wrong; what is assumed has been changed."""


def truth(value: Tensor) -> Tensor:
    """A predicate as TensorFlow's If and While read it: numbers are true unless zero."""
    if value.dtype is bool_:
        return value
    test: Tensor = F.not_equal(value, np.zeros((), value.dtype.np))
    return test


def tensor_of(value: Any) -> Tensor:
    """The tensor behind a carried value."""
    tensor: Tensor = value.flow if isinstance(value, TensorArray) else value
    return tensor


def make_loop(
    name: str, values: Values, cond: Traced, body: Traced, fixed: frozenset[int] = frozenset(),
    back_prop: bool = True,
) -> tuple[Values, Node | None]:  # fmt: skip
    """Makes a loop node of this (absolute) name in the default graph.

    Args:
        values: initial values of all variables. cond: their values -> (test,), body: -> their next
            values; both called within the graph of the body. fixed: variables that do not change.

    Returns:
        The values at the end; the node, None where nothing is carried.

    Raises:
        Unavailable: it uses a stack in a way that graphc's loops do not have.
    """
    work = _Loop(name, values, cond, body, fixed)
    while True:
        try:
            return work.build(back_prop)
        except _Again:
            continue
        except NeedsArray as err:
            work.use_array(err.stack)


class _Loop:
    """A loop under construction; `kinds` says what each variable is."""

    def __init__(
        self, name: str, values: Values, cond: Traced, body: Traced, fixed: frozenset[int]
    ) -> None:
        self.name, self.values, self.cond_fn, self.body_fn = name, list(values), cond, body
        missing = next((v for v in values if isinstance(v, Missing)), None)
        if missing is not None:
            raise Unavailable(missing.reason)
        self.outer: Graph = get_default_graph()
        self.kinds = [self._kind(v, k in fixed) for k, v in enumerate(values)]
        self.shapes: dict[int, list[Shape]] = {
            k: _shapes(v) for k, v in enumerate(values) if self.kinds[k] == "carried"
        }
        self.capacities: dict[int, Tensor] = {}
        self.counter = self._counter()

    def _kind(self, value: Any, fixed: bool) -> str:
        if fixed:
            return "fixed"
        if isinstance(value, Stack):
            return "pushed" if value.rows is None else "popped"
        return "carried" if isinstance(value, Tensor | TensorArray) else "fixed"

    def of(self, kind: str) -> list[int]:
        return [k for k, found in enumerate(self.kinds) if found == kind]

    def _counter(self) -> bool:
        """Whether the first carried variable may be the number of steps."""
        carried = self.of("carried")
        if not carried or not isinstance(self.values[carried[0]], Tensor):
            return False
        first = self.values[carried[0]]
        known = value_of(first) if first.dtype is int32 and first.dims == () else None
        return known is not None and known.dtype != object and int(known) == 0

    def use_array(self, stack: Any) -> None:
        """A stack that is used as an array is carried as one."""
        for k in self.of("pushed"):
            if self.values[k] is stack:
                self.values[k] = stack.array
                self.kinds[k] = "carried"
                self.shapes[k] = _shapes(stack.array)
                return
        raise Unavailable("graphc's loops push and pop each stack once a step")

    # ------------------------------------------------------------ tracing
    def build(self, back_prop: bool) -> tuple[Values, Node | None]:
        carried = self.of("carried")
        self.capacities = {k: self._capacity() for k in carried if _grows(self.values[k])}
        inits = [t for k in carried for t in tensors_of(self.values[k])]
        shapes = [dims for k in carried for dims in self.shapes[k]]
        types = [TensorType(t.dtype, dims) for t, dims in zip(inits, shapes, strict=True)]
        if not self.counter:
            inits.insert(0, constant_tensor(0, int32, "step", self.outer))
            types.insert(0, TensorType(int32, ()))
        stacks = [self.values[k].rows for k in self.of("popped")]
        types += [TensorType(t.dtype, t.dims[1:] if t.dims else None) for t in stacks]
        cond_graph, cond_params, args = self._graph(types)
        with cond_graph.as_default():
            test = truth(self._tensor(cond_graph, self.cond_fn(args)[0]))
        body_graph, params, args = self._graph(types)
        with body_graph.as_default():
            results = self.body_fn(args)
            nexts = self._nexts(body_graph, params, results)
            pushes = [self._pushed(body_graph, results, k) for k in self.of("pushed")]
            self._check_popped(results)
        graphs = (cond_graph, body_graph)
        captured = list(dict.fromkeys(t for g in graphs for t, _ in g.inputs))
        loop = Loop(
            closed(cond_graph, cond_params, [test], captured),
            closed(body_graph, params, nexts, captured),
            len(inits), len(stacks), tuple(pushes), back_prop,
        )  # fmt: skip
        out_types = (*types[: len(inits)], *(stack_type(t) for t in pushes))
        controls = [c for g in graphs for c in g.outer_controls()]
        with self.outer.control_dependencies(controls):
            if self.capacities:
                inits, captured = self._counted(inits, stacks, captured, loop, out_types)
            node = self._node(inits, stacks, captured, loop, out_types, self.name)
        return self._finals(node, results, len(inits)), node

    def _node(
        self, inits: Sequence[Tensor], stacks: Sequence[Tensor], captured: Sequence[Tensor],
        loop: Loop, types: Sequence[TensorType], name: str,
    ) -> Node:  # fmt: skip
        operands = [self._outer(t) for t in (*inits, *stacks, *captured)]
        attrs = {"loop": loop, "types": tuple(types)}
        return self.outer.create_node(F.while_loop, operands, attrs, name)

    def _capacity(self) -> Tensor:
        """What stands for the length that an array which grows will have."""
        with self.outer.as_default():
            made: Tensor = F.identity(constant_tensor(0, int32, graph=self.outer), name="capacity")
        return made

    def _counted(
        self, inits: list[Tensor], stacks: Sequence[Tensor], captured: Sequence[Tensor],
        loop: Loop, types: Sequence[TensorType],
    ) -> tuple[list[Tensor], list[Tensor]]:  # fmt: skip
        """(initial values, captured tensors) with arrays of their final length, as tf.while_loop.

        A loop of the same bodies, of which only what decides lengths is needed, tells them.
        """
        count = self._node(inits, stacks, captured, loop, types, f"{self.name}count/")
        lengths: dict[Tensor, Tensor] = {}
        longer = list(inits)
        at = 0 if self.counter else 1
        with self.outer.as_default():
            for k in self.of("carried"):
                if k in self.capacities:
                    lengths[self.capacities[k]] = count.outputs[at + 1]
                    longer[at] = lengthened(self.values[k], count.outputs[at + 1])
                at += len(tensors_of(self.values[k]))
        return longer, [lengths.get(t, t) for t in captured]

    def _outer(self, tensor: Tensor) -> Tensor:
        capture = getattr(self.outer, "capture", None)
        return tensor if capture is None or tensor.graph is self.outer else capture(tensor)

    def _graph(self, types: Sequence[TensorType]) -> tuple[BodyGraph, list[Tensor], Values]:
        """A body's graph, its parameters, and the variables' values in it."""
        graph = BodyGraph(self.outer)
        inits = [t for k in self.of("carried") for t in tensors_of(self.values[k])]
        names = [] if self.counter else ["step"]
        names += [t.node.name.rpartition("/")[2] for t in inits]
        names += ["row"] * (len(types) - len(names))
        params = parameters(graph, types, names)
        graph.step = params[0]
        left = iter(params if self.counter else params[1:])
        args = list(self.values)
        with graph.as_default():
            for k in self.of("carried"):
                args[k] = own = like(self.values[k], left)
                if k in self.capacities:
                    args[k] = own._over(own.flow, own._size, self.capacities[k])
        for k in self.of("popped"):
            args[k] = Popping(next(left))
        for k in self.of("pushed"):
            args[k] = Pushing(self.values[k])
        return graph, params, args

    def _tensor(self, graph: BodyGraph, value: Any) -> Tensor:
        if isinstance(value, Missing):
            raise Unavailable(value.reason)
        if isinstance(value, Pushing | Popping | Stack):
            raise NeedsArray(getattr(value, "stack", value))
        return graph.capture(tensor_of(value))

    def _leaf(self, graph: BodyGraph, k: int, after: Any) -> list[Tensor]:
        """The tensors of a carried variable's next value.

        Raises:
            _Again: an array grows that did not so far.
        """
        first = self._tensor(graph, after)
        before = self.values[k]
        if isinstance(before, TensorArray) is not isinstance(after, TensorArray):
            raise Unavailable("a variable of a loop is an array in some steps only")
        if not isinstance(before, TensorArray):
            return [first]
        if after.dynamic_size and not before.dynamic_size:
            self.values[k] = grown = before._over(before.flow)
            grown._dynamic = True
            self.shapes[k] = _shapes(grown)
            raise _Again
        return [graph.capture(t) for t in (first, after._size)[: len(tensors_of(before))]]

    def _nexts(
        self, graph: BodyGraph, params: Sequence[Tensor], results: Values
    ) -> list[Tensor]:
        """The carried variables' next values.

        Raises:
            _Again: a shape varies, or the first variable counts something else.
        """
        nexts: list[Tensor] = []
        wrong = False
        for k in self.of("carried"):
            tensors = self._leaf(graph, k, results[k])
            for j, (before, after) in enumerate(
                zip(tensors_of(self.values[k]), tensors, strict=True)
            ):
                self._check_dtype(k, before, after)
                if not as_general(self.shapes[k][j], after.dims):
                    self.shapes[k][j] = _common(self.shapes[k][j], after.dims)
                    wrong = True
            nexts += tensors
        if self.counter and not _counts(nexts[0], params[0]):
            self.counter = False
            wrong = True
        if wrong:
            raise _Again
        return nexts if self.counter else [F.add(params[0], 1), *nexts]

    def _check_dtype(self, k: int, before: Tensor, after: Tensor) -> None:
        if after.dtype is not before.dtype:
            raise InvalidArgumentError(
                f"loop {self.name!r}: variable {k} is {before.dtype.name}, but "
                f"{after.dtype.name} after a step"
            )

    def _pushed(self, graph: BodyGraph, results: Values, k: int) -> Tensor:
        got = results[k]
        if isinstance(got, Missing):
            raise Unavailable(got.reason)
        if not isinstance(got, Pushing) or got.stack is not self.values[k]:
            raise NeedsArray(self.values[k])
        if len(got.pushed) != 1:
            self.use_array(self.values[k])
            raise _Again
        return graph.capture(got.pushed[0])

    def _check_popped(self, results: Values) -> None:
        for k in self.of("popped"):
            if not isinstance(results[k], Popping) or not results[k].taken:
                raise Unavailable("graphc's loops pop each stack once a step")

    # ------------------------------------------------------------ what comes out
    def _finals(self, node: Node, results: Values, carried: int) -> Values:
        outs = list(self.values)
        left = iter(node.outputs[0 if self.counter else 1 : carried])
        with self.outer.as_default():
            for k in self.of("carried"):
                value = self.values[k]
                outs[k] = like(value, left)
                if isinstance(value, TensorArray) and isinstance(results[k], TensorArray):
                    value._learn(results[k]._element[0])
        for k, rows in zip(self.of("pushed"), node.outputs[carried:], strict=True):
            outs[k] = Stack(rows)
        return outs


def _shapes(value: Any) -> list[Shape]:
    """The shapes of what a variable carries; arrays learn theirs by being written."""
    if not isinstance(value, TensorArray):
        return [value.dims]
    shapes: list[Shape] = [None, ()]
    return shapes[: len(tensors_of(value))]


def _grows(value: Any) -> bool:
    return isinstance(value, TensorArray) and value.dynamic_size and value._capacity is None


def _counts(after: Tensor, before: Tensor) -> bool:
    """Whether `after` is `before` + 1."""
    node = after.node
    while node.op.name == "identity":
        node = node.inputs[0].node
    if node.op.name != "add":
        return False
    for a, b in (node.inputs, node.inputs[::-1]):
        while a is not before and a.node.op.name == "identity":
            a = a.node.inputs[0]
        known = value_of(b)
        if a is before and known is not None and known.dtype != object and int(known) == 1:
            return True
    return False


def _common(a: Shape, b: Shape) -> Shape:
    if a is None or b is None or len(a) != len(b):
        return None
    return tuple(x if x == y else None for x, y in zip(a, b, strict=True))
