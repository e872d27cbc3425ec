"""TF1's control flow: tf.cond, tf.case, tf.while_loop.

Lives here: tracing the callables and packing their results. Not here: the nodes (ops/control.py),
functions over elements (tf1/functional.py), what loops carry (tf1/loop_vars.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.ir.dtypes import bool_, int32
from graphc.ir.graph import Graph, get_default_graph
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import Shape
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.arrays import zero
from graphc.ops.control import Branches, Loop
from graphc.ops.convert import constant_tensor, convert_to_tensor
from graphc.ops.define import F
from graphc.ops.function import Body, BodyGraph, closed, parameters, traced
from graphc.tf1 import nest
from graphc.tf1.loop_vars import (
    Leaf,
    as_general,
    flat,
    invariants,
    leaf_of,
    like,
    pack,
    tensors_of,
)
from graphc.tf1.scopes import name_scope
from graphc.tf1.tensor_array import TensorArray

__all__ = ["case", "cond", "while_loop"]


# ------------------------------------------------------------------ cond
class _Branch:
    """One traced branch: what it returned, and the tensors behind it."""

    def __init__(self, fn: Callable[[], Any], name: str, outer: Graph, strict: bool) -> None:
        self.name = name
        self.graph = BodyGraph(outer)
        self.targets: list[Node] = []
        with self.graph.as_default():
            result = fn()
            if result is None:
                raise ValueError(f"{name} must have a return value.")
            self.result = result if strict else _unwrapped(result)
            self.leaves: list[Leaf] = [self._leaf(v) for v in nest.flatten(self.result)]
            self.tensors = [self._own(t) for leaf in self.leaves for t in tensors_of(leaf)]

    def _leaf(self, value: Any) -> Leaf:
        if not isinstance(value, Node):
            return leaf_of(value)
        # an op stands for a bool that is there once it has run
        if value.graph is self.graph:
            self.targets.append(value)
        else:
            self.graph.controls[value] = None
        return constant_tensor(True, bool_)

    def _own(self, tensor: Tensor) -> Tensor:
        return self.graph.capture(tensor)

    def body(self, captured: Sequence[Tensor]) -> Body:
        return closed(self.graph, (), self.tensors, captured, self.targets)


def _unwrapped(result: Any) -> Any:
    while isinstance(result, list | tuple) and len(result) == 1 and not hasattr(result, "_fields"):
        result = result[0]
    return result


def cond(
    pred: Any,
    true_fn: Callable[[], Any] | None = None,
    false_fn: Callable[[], Any] | None = None,
    strict: bool = False,
    name: str | None = None,
    fn1: Callable[[], Any] | None = None,
    fn2: Callable[[], Any] | None = None,
) -> Any:
    """true_fn() where pred is true, else false_fn() (tf.cond).

    Both functions are called once, to build their graphs; only the taken one's ops run. Tensors
    made outside of them are computed in any case.

    Args:
        pred: scalar bool tensor. strict: keep lists of one element.

    Raises:
        TypeError: pred is a Python bool, a function is not callable, structures differ.
        ValueError: other numbers or dtypes of results, or none.
    """
    true_fn, false_fn = true_fn or fn1, false_fn or fn2
    if true_fn is None or false_fn is None:
        raise TypeError(f"cond(): '{'true_fn' if true_fn is None else 'false_fn'}' argument "
                        "required")  # fmt: skip
    for fn, what in ((true_fn, "true_fn"), (false_fn, "false_fn")):
        if not callable(fn):
            raise TypeError(f"{what} must be callable.")
    if isinstance(pred, bool):
        raise TypeError("pred must not be a Python bool")
    outer = get_default_graph()
    with name_scope(name, "cond", [pred]) as scope:
        test = convert_to_tensor(pred)
        if test.dtype is not bool_:
            raise TypeError(f"pred must be a bool tensor, got {test.dtype.name}")
        if test.rank not in (None, 0):
            raise ValueError(f"Shape must be rank 0 but is rank {test.rank}: pred of {scope!r}")
        outer = outer if isinstance(outer, BodyGraph) else test.graph
        then = _Branch(true_fn, "true_fn", outer, strict)
        orelse = _Branch(false_fn, "false_fn", outer, strict)
        _check_alike(then, orelse)
        outs = _cond_node(test, then, orelse, outer, scope)
    leaves = iter(outs)
    return pack(then.result, [like(leaf, leaves) for leaf in then.leaves])


def _cond_node(
    pred: Tensor, then: _Branch, orelse: _Branch, outer: Graph, scope: str
) -> tuple[Tensor, ...]:
    captured = _captured(then.graph, orelse.graph)
    branches = Branches(then.body(captured), orelse.body(captured))
    types = tuple(
        TensorType(a.dtype, _common(a.dims, b.dims))
        for a, b in zip(then.tensors, orelse.tensors, strict=True)
    )
    controls = [*then.graph.outer_controls(), *orelse.graph.outer_controls()]
    with outer.control_dependencies(controls):
        node = F.cond.node(pred, *captured, branches=branches, types=types, name=scope)
    return node.outputs


def _captured(*graphs: BodyGraph) -> list[Tensor]:
    """Tensors around that any of the bodies uses, each once."""
    return list(dict.fromkeys(t for g in graphs for t, _ in g.inputs))


def _common(a: Shape, b: Shape) -> Shape:
    if a is None or b is None or len(a) != len(b):
        return None
    return tuple(x if x == y else None for x, y in zip(a, b, strict=True))


def _check_alike(then: _Branch, orelse: _Branch) -> None:
    if nest.is_nested(then.result) or nest.is_nested(orelse.result):
        try:
            nest.assert_same_structure(then.result, orelse.result)
        except (TypeError, ValueError) as err:
            raise type(err)(
                f"Incompatible return types of true_fn and false_fn: {err}"
            ) from None
    if len(then.tensors) != len(orelse.tensors):
        raise ValueError("true_fn and false_fn must return the same number of outputs")
    for a, b in zip(then.tensors, orelse.tensors, strict=True):
        if a.dtype is not b.dtype:
            raise ValueError(
                "Outputs of true_fn and false_fn must have the same type: "
                f"{a.dtype.name}, {b.dtype.name}"
            )


# ------------------------------------------------------------------ case
def case(
    pred_fn_pairs: Any,
    default: Callable[[], Any] | None = None,
    exclusive: bool = False,
    strict: bool = False,
    name: str = "case",
) -> Any:
    """The function of the first true predicate (tf.case).

    Args:
        pred_fn_pairs: a list of (scalar bool tensor, callable), or a dict.
        default: called where none is true; without it that is an error of the run.
        exclusive: more than one true predicate is an error of the run.

    Raises:
        TypeError: no pairs of bool tensors and callables. ValueError: an empty list.
    """
    pairs = _pairs(pred_fn_pairs)
    if default is not None and not callable(default):
        raise TypeError("default must be callable.")
    with name_scope(name, "case", [p for p, _ in pairs]):
        preds = [convert_to_tensor(p) for p, _ in pairs]
        if exclusive:
            preds = _exclusive(preds)
        fns = [f for _, f in pairs]
        if default is None:
            default = fns.pop()
            preds[-1] = _asserted(preds, "None of conditions evaluated as True")
            last = preds.pop()
            chosen = default

            def default() -> Any:
                with get_default_graph().control_dependencies([last]):
                    return _identities(chosen())

        result: Callable[[], Any] = default
        for pred, fn in reversed(list(zip(preds, fns, strict=True))):
            result = _either(pred, fn, result, strict)
        return result()


def _either(
    pred: Tensor, fn: Callable[[], Any], rest: Callable[[], Any], strict: bool
) -> Callable[[], Any]:
    return lambda: cond(pred, fn, rest, strict=strict)


def _identities(value: Any) -> Any:
    """The tensors again, behind the control dependencies in force."""
    return nest.map_structure(
        lambda v: v if isinstance(v, Node) else F.identity(convert_to_tensor(v)), value
    )


def _pairs(given: Any) -> list[tuple[Any, Callable[[], Any]]]:
    if not isinstance(given, list | tuple | dict):
        raise TypeError("pred_fn_pairs must be a list, tuple, or dict")
    pairs = list(given.items()) if isinstance(given, dict) else list(given)
    if not pairs:
        raise ValueError("pred_fn_pairs must not be empty")
    for pair in pairs:
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise TypeError("Each entry in pred_fn_pairs must be a 2-tuple")
        pred, fn = pair
        if getattr(pred, "dtype", None) is not bool_:
            raise TypeError(f"pred must be of type bool: {pred}")
        if not callable(fn):
            raise TypeError(f"fn for pred {pred} must be callable.")
    return [(p, f) for p, f in pairs]


def _exclusive(preds: list[Tensor]) -> list[Tensor]:
    """The predicates, once it is sure that at most one is true."""
    count = F.reduce_sum(F.cast(F.stack(*preds, axis=0), dtype=int32), axes=None, keepdims=False)
    text = "Input error: exclusive=True: more than 1 conditions evaluated as True"
    check = F.assert_true.node(F.less(count, 2), text, *preds, summarize=None)
    with get_default_graph().control_dependencies([check]):
        return [F.identity(p) for p in preds]


def _asserted(preds: list[Tensor], text: str) -> Tensor:
    """The last predicate, once it is sure that one is true."""
    some = F.reduce_any(F.stack(*preds, axis=0), axes=None, keepdims=False)
    check = F.assert_true.node(some, text, *preds, summarize=None)
    with get_default_graph().control_dependencies([check]):
        return F.identity(preds[-1])


# ------------------------------------------------------------------ while_loop
def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    shape_invariants: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
    maximum_iterations: Any = None,
    return_same_structure: bool = False,
) -> Any:
    """Repeats body while cond holds (tf.while_loop).

    cond and body take the loop variables, one argument each; body returns their next values, in
    the same structure. Both are called once, to build their graphs.

    Args:
        loop_vars: a nested structure of tensors, TensorArrays, sparse tensors.
        shape_invariants: shapes of the same structure, for variables whose shape changes.
        maximum_iterations: scalar int: stop after so many steps. back_prop: False for loops that
            no gradient goes through. parallel_iterations, swap_memory: accepted.

    Returns:
        The values at the end, in the structure that body returns; of a single variable itself.

    Raises:
        TypeError: cond or body is not callable, or does not return what it must.
        ValueError: no loop variables; a variable changes its shape, dtype or structure.
    """
    if not callable(cond):
        raise TypeError("cond must be callable.")
    if not callable(body):
        raise TypeError("body must be callable.")
    if parallel_iterations < 1:
        raise TypeError("parallel_iterations must be a positive integer.")
    if not nest.is_nested(loop_vars):
        loop_vars = [loop_vars]
    if not nest.flatten(loop_vars):
        raise ValueError("No loop variables provided")
    with name_scope(name, "while", nest.flatten(loop_vars)) as scope:
        made = _While(loop_vars, shape_invariants, scope)
        if maximum_iterations is not None:
            maximum_iterations = _scalar(maximum_iterations)
        made.trace_cond(cond, maximum_iterations)
        made.trace_body(body)
        result = made.node(back_prop)
    flat_result = nest.flatten(result)
    return flat_result[0] if len(flat_result) == 1 and not return_same_structure else result


def _scalar(value: Any) -> Tensor:
    number = convert_to_tensor(value, name="maximum_iterations")
    if number.dims not in ((), None):
        raise ValueError(f"maximum_iterations must be a scalar, saw shape: {number.shape}")
    return number if number.dtype is int32 else F.cast(number, dtype=int32)


class _While:
    """A loop under construction. The first carried value counts the steps."""

    def __init__(self, loop_vars: Any, shapes: Any, scope: str) -> None:
        self.structure = loop_vars
        self.scope = scope
        default = get_default_graph()
        self.leaves: list[Leaf] = flat(loop_vars)
        inits = [t for leaf in self.leaves for t in tensors_of(leaf)]
        self.outer = default if isinstance(default, BodyGraph) else inits[0].graph
        self.inits = [constant_tensor(0, int32, "step", self.outer), *inits]
        # stand-ins for the lengths that arrays which grow will have: see _counted
        self.capacities = {
            k: F.identity(constant_tensor(0, int32, graph=self.outer), name="capacity")
            for k, leaf in enumerate(self.leaves)
            if isinstance(leaf, TensorArray) and leaf.dynamic_size and leaf._capacity is None
        }
        kept = invariants(loop_vars, shapes, self.leaves)
        self.types = [
            TensorType(t.dtype, dims) for t, dims in zip(self.inits, [(), *kept], strict=True)
        ]

    def _graph(self) -> tuple[BodyGraph, list[Tensor], Any]:
        graph = BodyGraph(self.outer)
        names = [t.node.name.rpartition("/")[2] for t in self.inits]
        params = parameters(graph, self.types, names)
        graph.step = params[0]
        with graph.as_default():
            values = iter(params[1:])
            leaves = [self._sized(like(leaf, values), k) for k, leaf in enumerate(self.leaves)]
        return graph, params, pack(self.structure, leaves)

    def _sized(self, leaf: Leaf, number: int) -> Leaf:
        """Arrays that grow have their final length inside of the loop."""
        capacity = self.capacities.get(number)
        return leaf if capacity is None else leaf._over(leaf.flow, leaf._size, capacity)

    def _arguments(self, structure: Any) -> list[Any]:
        return list(structure.values()) if isinstance(structure, dict) else list(structure)

    def trace_cond(self, fn: Callable[..., Any], limit: Tensor | None) -> None:
        self.cond_graph, self.cond_params, packed = self._graph()
        test = traced(self.cond_graph, self._test, fn, packed, limit)
        if test.dtype is not bool_ or test.dims not in ((), None):
            if test.dims not in ((), None):
                raise ValueError(f"The result of cond must be a scalar, but has shape {test.shape}")
            raise TypeError(f"The result of cond must be a bool, but is {test.dtype.name}")
        self.test = self.cond_graph.capture(test)

    def _test(self, fn: Callable[..., Any], packed: Any, limit: Tensor | None) -> Tensor:
        got = fn(*self._arguments(packed))
        if got is None:
            raise TypeError("cond must return a bool tensor, but returned None.")
        test = convert_to_tensor(got)
        if limit is None:
            return test
        return F.logical_and(F.less(self.cond_params[0], limit), test)

    def trace_body(self, fn: Callable[..., Any]) -> None:
        self.body_graph, self.body_params, packed = self._graph()
        self.result, leaves, step = traced(self.body_graph, self._step, fn, packed)
        self.final = leaves
        graph = self.body_graph
        self.tensors = [step, *(graph.capture(t) for leaf in leaves for t in tensors_of(leaf))]
        self._check_invariants()

    def _step(self, fn: Callable[..., Any], packed: Any) -> tuple[Any, list[Leaf], Tensor]:
        result = fn(*self._arguments(packed))
        if not nest.is_nested(result):
            result = [result]
        self._check_structure(result)
        dtypes = [None if _composite(leaf) else leaf.dtype for leaf in self.leaves]
        leaves = [leaf_of(v, d) for v, d in zip(nest.flatten(result), dtypes, strict=True)]
        with get_default_graph().control_dependencies(None):
            step = F.add(self.body_params[0], 1)
        return result, leaves, step

    def _check_structure(self, result: Any) -> None:
        got, wanted = len(nest.flatten(result)), len(self.leaves)
        if got != wanted:
            raise ValueError(
                "The number of inputs and outputs of body must match: body takes "
                f"{wanted} loop variables, but returns {got}: {result}"
            )
        try:
            nest.assert_same_structure(list(self._arguments(self.structure)),
                                       list(self._arguments(result)))  # fmt: skip
        except (TypeError, ValueError) as err:
            raise type(err)(
                f"The two structures don't have the same nested structure: loop_vars "
                f"{self.structure} and the result of body {result}: {err}"
            ) from None

    def _check_invariants(self) -> None:
        for before, type_, after in zip(self.inits, self.types, self.tensors, strict=True):
            if after.dtype is not type_.dtype:
                raise TypeError(
                    f"{before.name} enters the loop with dtype {type_.dtype.name}, but has dtype "
                    f"{after.dtype.name} after one iteration."
                )
            if not as_general(type_.shape, after.dims):
                raise ValueError(
                    f"The shape for {after.text_name} is not an invariant for the loop. It enters "
                    f"the loop with shape {TensorShape(type_.shape)}, but has shape {after.shape} "
                    "after one iteration. Provide shape invariants using either the "
                    "`shape_invariants` argument of tf.while_loop or set_shape() on the loop "
                    "variables."
                )

    def node(self, back_prop: bool) -> Any:
        captured = _captured(self.cond_graph, self.body_graph)
        loop = Loop(
            closed(self.cond_graph, self.cond_params, [self.test], captured),
            closed(self.body_graph, self.body_params, self.tensors, captured),
            len(self.inits),
            back_prop=back_prop,
        )
        controls = [*self.cond_graph.outer_controls(), *self.body_graph.outer_controls()]
        inits = self.inits
        if self.capacities:
            inits, captured = self._counted(loop, captured, controls)
        with self.outer.control_dependencies(controls):
            node = F.while_loop.node(
                *inits, *captured, loop=loop, types=tuple(self.types), name=self.scope
            )
        outs = iter(node.outputs[1:])
        with self.outer.as_default():
            leaves = [like(_rooted(b, a), outs) for b, a in zip(self.leaves, self.final,
                                                                strict=True)]  # fmt: skip
        return pack(self.result, leaves)


    def _counted(
        self, loop: Loop, captured: Sequence[Tensor], controls: Sequence[Node]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """(initial values, captured tensors) with arrays of the length that they will have.

        The loop as it is, without anything but what decides lengths, tells them: a run needs no
        more of it, and the rest is pruned.
        """
        with self.outer.control_dependencies(controls):
            count = F.while_loop.node(
                *self.inits, *captured, loop=loop, types=tuple(self.types), name="count"
            )
        inits, lengths = list(self.inits), {}
        at = 1
        for number, leaf in enumerate(self.leaves):
            if number in self.capacities:
                length = lengths[self.capacities[number]] = count.outputs[at + 1]
                inits[at] = _lengthened(leaf, length)
            at += len(tensors_of(leaf))
        return inits, [lengths.get(t, t) for t in captured]


def _lengthened(array: TensorArray, length: Tensor) -> Tensor:
    """The flow of an array with more rows."""
    flow = array.flow
    if flow.node.op.name == "tensor_array":
        return F.tensor_array(length, **flow.node.attrs)
    shape = F.shape(flow)
    zeros = F.zeros_like(shape)
    more = F.concat(F.reshape(F.subtract(length, array._size), [1]), F.slice(zeros, [1], [-1]),
                    axis=0)  # fmt: skip
    return F.pad(flow, F.stack(zeros, more, axis=1), zero(flow.dtype))


def _composite(leaf: Leaf) -> bool:
    return not isinstance(leaf, Tensor)


def _rooted(before: Leaf, after: Leaf) -> Leaf:
    """The kind of leaf that comes out: what went in, with what the body learnt."""
    if isinstance(before, TensorArray) and isinstance(after, TensorArray):
        before._learn(after._element[0])
    return before
