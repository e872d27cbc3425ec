"""Symbolic gradients by a reverse walk over the graph: tf.gradients, tf.hessians.

Lives here: the walk and the checks of its arguments. Not here: rules (in the ops' records), sums
(autodiff/aggregate.py), sparse gradients (autodiff/indexed_slices.py). Imports ir and ops.

A node's id is its position in its container, and containers are append-only; so ids are a
topological order, and the walk is one loop over the needed nodes, last first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from graphc.autodiff.aggregate import Gradient, aggregate, unbroadcast
from graphc.autodiff.indexed_slices import IndexedSlices, as_dense
from graphc.autodiff.registry import rule_of
from graphc.ir.dtypes import DType
from graphc.ir.node import Node, Tensor
from graphc.ir.shape import dims_product, is_static, merge_shapes, shape_text
from graphc.ops.convert import constant_tensor, convert_to_tensor
from graphc.ops.define import F
from graphc.ops.function import FunctionGraph

# rules that only hand their gradient on, so that sparse ones stay sparse
_PASS_SPARSE = frozenset({"identity", "placeholder_with_default"})


class AggregationMethod:
    """How gradients of one tensor are added; all methods give the same one n-ary sum here."""

    ADD_N = 0
    DEFAULT = ADD_N
    EXPERIMENTAL_TREE = 1
    EXPERIMENTAL_ACCUMULATE_N = 2


def gradients(
    ys: Any,
    xs: Any,
    grad_ys: Any = None,
    name: str = "gradients",
    colocate_gradients_with_ops: bool = False,
    gate_gradients: bool = False,
    aggregation_method: int | None = None,
    stop_gradients: Any = None,
) -> list[Any]:
    """The derivative of sum(ys) with respect to each x (tf.gradients).

    Args:
        ys, xs: a tensor or a list; xs may be Variables and intermediate tensors.
        grad_ys: weights of ys, of their shapes; None (also in the list): ones.
        stop_gradients: tensors whose producers are taken as constants.

    Returns:
        One entry an x: a Tensor of x's shape and dtype, IndexedSlices where x was gathered from,
        or None where no y depends on x by differentiable ops. Differentiable again.

    Raises:
        LookupError: an op in between has no rule; the message names the op, the path, its line.
        ValueError: grad_ys of another length or shape. TypeError: grad_ys of a wrong kind.
    """
    del colocate_gradients_with_ops, gate_gradients  # placement and order are the planner's
    if aggregation_method not in (None, 0, 1, 2):
        raise ValueError(f"Invalid aggregation_method specified {aggregation_method}.")
    targets = [_as_tensor(y) for y in _as_list(ys)]
    sources = [_as_tensor(x) for x in _as_list(xs)]
    stops = frozenset(_as_tensor(t) for t in _as_list(stop_gradients))
    weights = _as_list(grad_ys) if grad_ys is not None else [None] * len(targets)
    if len(weights) != len(targets):
        raise ValueError(f"Length mismatch. Passed {len(weights)} grad_ys for {len(targets)} ys")
    if not targets or not sources:
        return [None] * len(sources)
    graph = targets[0].graph
    if isinstance(graph, FunctionGraph):  # a body: what is around it are parameters of it
        targets, sources = ([graph.capture(t) for t in ts] for ts in (targets, sources))
        stops = frozenset(graph.capture(t) for t in stops)
    with graph.as_default(), graph.name_scope(name or "gradients"):
        seeds = [_seed(y, g, i) for i, (y, g) in enumerate(zip(targets, weights, strict=True))]
        return _Walk(targets, sources, stops).run(seeds)


def walk(
    targets: Sequence[Tensor], sources: Sequence[Tensor], seeds: Sequence[Gradient]
) -> list[Gradient | None]:
    """The derivatives of targets, weighted by seeds, with respect to sources.

    What it makes goes to the default graph.
    """
    return _Walk(targets, sources, frozenset()).run(seeds)


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _as_tensor(value: Any) -> Tensor:
    """A Variable stands for its reference, from which every read of it comes."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, IndexedSlices):
        return as_dense(value)
    convert = getattr(value, "_as_graph_element", None)
    if convert is not None:
        element = convert()
        if isinstance(element, Tensor):
            return element
    return convert_to_tensor(value)


def differentiable(dtype: DType) -> bool:
    return dtype.is_floating or dtype.is_complex


def _seed(y: Tensor, weight: Any, number: int) -> Gradient:
    """The gradient that flows into y."""
    if weight is None:
        if y.dtype.is_complex:
            raise TypeError(
                f"Gradients of complex tensors must set grad_ys (y.dtype = {y.dtype!r})"
            )
        one = constant_tensor(1 if not y.dtype.is_bool else True, y.dtype,
                              f"grad_ys_{number}", y.graph)  # fmt: skip
        return F.fill(F.shape(y), one, name="Fill")
    if isinstance(weight, IndexedSlices):
        return weight
    g = convert_to_tensor(weight, None if isinstance(weight, Tensor) else y.dtype,
                          f"grad_ys_{number}", graph=y.graph)  # fmt: skip
    if g.dtype is not y.dtype:
        raise TypeError(
            f"Gradient type {g.dtype.name} generated for tensor {y} with type {y.dtype.name} "
            f"must be {y.dtype.name}"
        )
    try:
        merge_shapes(g.dims, y.dims)
    except ValueError:
        raise ValueError(
            f"Incompatible shapes between grad_ys {shape_text(g.dims)} and ys "
            f"{shape_text(y.dims)} ('{y.text_name}')"
        ) from None
    return g


class _Walk:
    """One reverse walk: which tensors take part, and the gradients that arrived so far."""

    def __init__(
        self, targets: Sequence[Tensor], sources: Sequence[Tensor], stops: frozenset[Tensor]
    ) -> None:
        self.targets = targets
        self.sources = sources
        self.stopped = {t.node for t in stops}
        self.arrived: dict[Tensor, list[Gradient]] = {}
        self.nodes, self.active = self._between()

    def _between(self) -> tuple[list[Node], set[Tensor]]:
        """The nodes on a way from a source to a target, in order, and the tensors that vary."""
        ancestors = sorted(_ancestors(self.targets), key=lambda n: n.id)
        active = {x for x in self.sources if differentiable(x.dtype)}
        between = []
        for node in ancestors:
            if node in self.stopped or not any(t in active for t in node.inputs):
                continue
            between.append(node)
            active.update(t for t in node.outputs if differentiable(t.dtype))
        return between, active

    def run(self, seeds: Iterable[Gradient]) -> list[Any]:
        for y, seed in zip(self.targets, seeds, strict=True):
            if y in self.active or y in self.sources:
                self.arrived.setdefault(y, []).append(seed)
        for node in reversed(self.nodes):
            self._backward(node)
        return [self._settle(x) for x in self.sources]

    def _settle(self, tensor: Tensor) -> Gradient | None:
        """The sum of what arrived; computed once."""
        parts = self.arrived.get(tensor)
        if not parts:
            return None
        if len(parts) > 1:
            parts[:] = [aggregate(parts)]
        return parts[0]

    def _backward(self, node: Node) -> None:
        got = [self._settle(t) if t in self.active else None for t in node.outputs]
        if not any(g is not None for g in got):
            return
        rule, declared = rule_of(node)
        if rule is None:
            if declared:
                return
            raise LookupError(self._missing(node))
        with node.graph.name_scope(f"{node.name}_grad" if node.name else "grad"):
            self._apply(node, rule, got)

    def _apply(self, node: Node, rule: Any, got: list[Gradient | None]) -> None:
        if node.op.name not in _PASS_SPARSE:
            got = [None if g is None else as_dense(g) for g in got]
        for i, (g, out) in enumerate(zip(got, node.outputs, strict=True)):
            if g is None and differentiable(out.dtype) and node.op.family != "control":
                got[i] = F.zeros_like(out)
        back = rule(node, *got)
        given = list(back) if isinstance(back, list | tuple) else [back]
        if len(given) != len(node.inputs):
            raise ValueError(
                f"Num gradients {len(given)} generated for op {node.node_def} do not match num "
                f"inputs {len(node.inputs)}"
            )
        for i, (tensor, g) in enumerate(zip(node.inputs, given, strict=True)):
            if g is not None and tensor in self.active:
                self._add(node, i, tensor, g)

    def _add(self, node: Node, number: int, tensor: Tensor, g: Any) -> None:
        if not isinstance(g, Tensor | IndexedSlices):
            g = convert_to_tensor(g, tensor.dtype, graph=node.graph)
        if g.dtype is not tensor.dtype:
            raise TypeError(
                f"The gradient of operation {node.text_name} (op type: {node.type}) for input "
                f"{number} is {g.dtype.name}, but the input is {tensor.dtype.name}"
            )
        if node.op.family == "elementwise":
            g = unbroadcast(node, number, g)
        if isinstance(g, Tensor):
            try:
                g._shape = merge_shapes(g.dims, tensor.dims)
            except ValueError:
                raise ValueError(
                    "Incompatible shapes between op input and calculated input gradient. Forward "
                    f"operation: {node.text_name}. Input index: {number}. Original input shape: "
                    f"{shape_text(tensor.dims)}. Calculated input gradient shape: "
                    f"{shape_text(g.dims)}"
                ) from None
        self.arrived.setdefault(tensor, []).append(g)

    def _missing(self, node: Node) -> str:
        path = " <- ".join(n.text_name for n in self._path(node))
        return (
            f"No gradient defined for operation '{node.text_name}' (op type: {node.type}): "
            f"{node.op.nograd}\n  on the way: {path}\n  made at {node.origin.summary()}"
        )

    def _path(self, node: Node) -> list[Node]:
        """From a target's node to `node`, by the nodes that the gradient came through."""
        came_from: dict[Node, Node | None] = {t.node: None for t in self.targets}
        stack = list(came_from)
        between = set(self.nodes)
        while stack and node not in came_from:
            top = stack.pop()
            for tensor in top.inputs:
                if tensor.node in between and tensor.node not in came_from:
                    came_from[tensor.node] = top
                    stack.append(tensor.node)
        path: list[Node] = []
        at: Node | None = node
        while at is not None:
            path.append(at)
            at = came_from.get(at)
        return path[::-1]


def _ancestors(tensors: Sequence[Tensor]) -> set[Node]:
    seen: set[Node] = set()
    stack = [t.node for t in tensors]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        stack.extend(t.node for t in node.inputs if t.node not in seen)
    return seen


def hessians(
    ys: Any,
    xs: Any,
    name: str = "hessians",
    colocate_gradients_with_ops: bool = False,
    gate_gradients: bool = False,
    aggregation_method: int | None = None,
) -> list[Tensor]:
    """The second derivatives of sum(ys) by each x: x.shape + x.shape (tf.hessians).

    Raises:
        ValueError: an x whose static shape is not fully known, or that no y depends on.
    """
    options = (colocate_gradients_with_ops, gate_gradients, aggregation_method)
    sources = [_as_tensor(x) for x in _as_list(xs)]
    if not sources:
        return []
    with sources[0].graph.name_scope(name or "hessians"):
        first = gradients(ys, sources, None, "gradients", *options)
        return [_hessian(g, x) for g, x in zip(first, sources, strict=True)]


def _hessian(g: Any, x: Tensor) -> Tensor:
    if g is None:
        raise ValueError(f"Cannot compute the Hessian: no y depends on {x}")
    dims = x.dims
    if not is_static(dims):
        raise ValueError(f"Cannot compute the Hessian with unknown shape: {x}")
    assert dims is not None
    count = dims_product(dims)
    assert isinstance(count, int)
    flat = F.reshape(as_dense(g), [count])
    rows = []
    for i in range(count):
        row = gradients(F.gather(flat, i, axis=0, batch_dims=0), x)[0]
        rows.append(F.zeros_like(x) if row is None else as_dense(row))
    if not rows:
        return F.reshape(flat, [*dims, *dims])
    return F.reshape(F.stack(*rows, axis=0), [*dims, *dims])
