"""Gradients through control flow: of a loop a loop that runs backwards, of a cond a cond.

Lives here: loop_gradient, cond_gradient. Not here: the walk (autodiff/gradients.py), the nodes
(ops/control.py). Imports ops.

The backward body needs values of the forward body, of the same step. A value that does not change
from step to step is computed again, outside of the loop as it were; any other is pushed on a stack
by the forward loop (a `while_saved` node, which a run computes together with the loop itself) and
popped by the backward one. Gradients are sums over the steps for what is captured, and go from step
to step for what is carried. The backward loop is a loop like any other: it has a gradient again.

A control-flow node inside a body of which a gradient is taken runs once more in the backward body:
its own stacks live there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from graphc.autodiff.aggregate import Gradient
from graphc.autodiff.indexed_slices import IndexedSlices, as_dense
from graphc.ir.dtypes import DType, int32
from graphc.ir.graph import get_default_graph
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ops.control import CONTROL, Branches, Loop, is_user_stack, stack_type
from graphc.ops.convert import constant_tensor
from graphc.ops.define import F
from graphc.ops.function import Body, BodyGraph, closed

_PURE_SOURCES = frozenset({"const", "no_op"})


def _differentiable(dtype: DType) -> bool:
    return dtype.is_floating or dtype.is_complex


class _Backward(BodyGraph):
    """The graph of a backward body: tensors of the forward body become parameters of it.

    Attributes:
        saved: tensors of the forward body whose values are needed, and their parameters.
    """

    def __init__(
        self, outer: Any, forward: Body, operands: Sequence[Tensor], repeat: bool
    ) -> None:
        super().__init__(outer)
        self._repeat = repeat
        self.forward = forward.graph
        self.saved: dict[Tensor, Tensor] = {}
        self._again: dict[Tensor, Tensor] = {}
        # parameters of the forward body that stand for the same value in every step
        self._fixed: dict[Tensor, Tensor] = dict(zip(forward.params, operands, strict=True))

    def changing(self, params: Sequence[Tensor]) -> None:
        """These parameters of the forward body have another value in each step."""
        for param in params:
            self._fixed.pop(param, None)

    def capture(self, tensor: Tensor) -> Tensor:
        if tensor.graph is not self.forward:
            return super().capture(tensor)
        known = self._again.get(tensor)
        known = self.saved.get(tensor) if known is None else known
        if known is not None:
            return known
        if is_user_stack(tensor):
            # stacks do not leave the graph of their loop: the loop runs once more in this one
            self._again.update(zip(tensor.node.outputs, _again(self, tensor.node).outputs,
                                   strict=True))  # fmt: skip
            return self._again[tensor]
        if self._computable(tensor):
            return self._compute(tensor)
        own = self.parameter(TensorType(tensor.dtype, tensor.dims), tensor.node.name)
        self.saved[tensor] = own
        return own

    def _computable(self, tensor: Tensor) -> bool:
        """Whether the tensor follows from constants and operands that stay the same.

        Where the forward body runs once, only operands themselves do: nothing is computed twice.
        """
        if not self._repeat:
            return tensor in self._fixed or tensor.node.op.name == "const"
        seen: set[Tensor] = set()
        stack = [tensor]
        while stack:
            top = stack.pop()
            if top in seen or top in self._fixed or top in self._again:
                continue
            seen.add(top)
            node = top.node
            if node.op.name in _PURE_SOURCES:
                continue
            impure = node.op.stateful or node.op.effect or node.op.refs
            if impure or node.op.name in CONTROL or node.op.name == "placeholder":
                return False
            stack.extend(node.inputs)
        return True

    def _compute(self, tensor: Tensor) -> Tensor:
        """The tensor's producers again, in this graph."""
        order: list[Node] = []
        stack, seen = [tensor], set()
        while stack:
            top = stack.pop()
            if top in self._again:
                continue
            if top in self._fixed:
                self._again[top] = super().capture(self._fixed[top])
                continue
            if top.node not in seen:
                seen.add(top.node)
                order.append(top.node)
                stack.extend(top.node.inputs)
        with self.control_dependencies(None):
            for node in sorted(order, key=lambda n: n.id):
                inputs = [self._again[t] for t in node.inputs]
                copy = self.create_node(node.op, inputs, node.attrs, node.name.rpartition("/")[2])
                self._again.update(zip(node.outputs, copy.outputs, strict=True))
        return self._again[tensor]


def _here(node: Node) -> Node:
    """The node in the graph where gradients are built: itself, or once more in a backward body."""
    graph = get_default_graph()
    if node.graph is graph or not isinstance(graph, BodyGraph):
        return node
    return _again(graph, node)


def _again(graph: BodyGraph, node: Node) -> Node:
    """The control-flow node of a forward body once more, in a backward one."""
    operands = [graph.capture(t) for t in node.inputs]
    name = node.name.rpartition("/")[2]
    base: Node | None = node.attrs.get("of")
    if base is None:
        return graph.create_node(node.op, operands, node.attrs, name)
    again = graph.create_node(base.op, operands, base.attrs, name)
    return graph.create_node(node.op, operands, {**node.attrs, "of": again}, name)


@contextmanager
def _inside(graph: BodyGraph) -> Iterator[None]:
    with graph.as_default(), graph.control_dependencies(None):
        yield


def _walk(
    body: Body, targets: Sequence[Tensor], seeds: Sequence[Gradient], sources: Sequence[Tensor]
) -> list[Gradient | None]:
    """Gradients of the forward body's targets with respect to its parameters."""
    from graphc.autodiff.gradients import walk

    if not targets:
        return [None] * len(sources)
    return walk(targets, sources, seeds)


def _sum(before: Tensor, g: Gradient | None) -> Tensor:
    """The running sum of a captured operand's gradient."""
    if g is None:
        return before
    if isinstance(g, IndexedSlices):
        return F.tensor_scatter_add(before, F.expand_dims(g.indices, axis=-1), g.values)
    return F.add(before, g)


def _zeros(tensor: Tensor) -> Tensor:
    return F.zeros_like(tensor)


# ------------------------------------------------------------------ loops
def loop_gradient(node: Node, gs: Sequence[Tensor | None]) -> list[Gradient | None]:
    """The gradient of a while_loop (gs: of what it carries), or of a while_saved (of stacks)."""
    loop: Loop = node.attrs["loop"]
    if not loop.back_prop:
        return [None] * len(node.inputs)
    given = node
    node = _here(node)
    return _LoopGradient(node, loop, given).build(gs)


class _LoopGradient:
    """The backward loop of one forward loop."""

    def __init__(self, node: Node, loop: Loop, given: Node) -> None:
        self.node = node
        self.loop = loop
        self.graph = node.graph
        self.of_stacks = given.op.name == "while_saved"
        n = loop.carried
        params = loop.body.params
        self.carried: list[int] = []
        self.popped = [k for k in range(n, n + loop.pops) if _differentiable(params[k].dtype)]
        self.captured = [
            k for k in range(n + loop.pops, len(params))
            if _differentiable(params[k].dtype)
        ]  # fmt: skip
        self.back = _Backward(self.graph, loop.body, node.inputs, repeat=True)
        self.back.changing(params[: n + loop.pops])
        self.back.changing([o.inputs[i] for o in loop.body.graph.nodes for i in o.op.refs])
        self.cond_graph = BodyGraph(self.graph)

    def build(self, gs: Sequence[Tensor | None]) -> list[Gradient | None]:
        n = self.loop.carried
        pushed = self._pushed()
        stack_gs = list(gs) if self.of_stacks else list(gs[n:])
        seeded = [(t, g) for t, g in zip(pushed, stack_gs, strict=True) if g is not None]
        self.carried = self._reached(gs, [t for t, _ in seeded])
        inits = self._inits(gs)
        popped = [g for _, g in seeded]
        body, cond, pushes, saved = self._bodies(inits, popped, [t for t, _ in seeded])
        operands = [*popped, *self._stacks(saved)]
        graphs = (self.cond_graph, self.back)
        captured = list(dict.fromkeys(t for g in graphs for t, _ in g.inputs))
        back = Loop(
            closed(self.cond_graph, cond[0], [cond[1]], captured),
            closed(self.back, body[0], body[1], captured),
            len(inits), len(operands), tuple(pushes),
        )  # fmt: skip
        types = [TensorType(t.dtype, t.dims) for t in inits] + [stack_type(t) for t in pushes]
        made = self.graph.create_node(
            F.while_loop, [*inits, *operands, *captured], {"loop": back, "types": tuple(types)},
            "while_grad",
        )  # fmt: skip
        return self._given_back(made)

    def _reached(self, gs: Sequence[Tensor | None], pushed: Sequence[Tensor]) -> list[int]:
        """The carried values whose gradient may be more than zero in some step."""
        loop = self.loop
        params = {p: k for k, p in enumerate(loop.body.params[: loop.carried])
                  if k and _differentiable(p.dtype)}  # fmt: skip
        reached = set() if self.of_stacks else {
            k for k in params.values() if gs[k] is not None
        }  # fmt: skip
        stack = [*pushed, *(loop.body.results[k] for k in reached)]
        seen: set[Tensor] = set()
        while stack:
            tensor = stack.pop()
            if tensor in seen:
                continue
            seen.add(tensor)
            k = params.get(tensor)
            if k is not None and k not in reached:
                reached.add(k)
                stack.append(loop.body.results[k])
            stack.extend(tensor.node.inputs)
        return sorted(reached)

    def _pushed(self) -> Sequence[Tensor]:
        """The tensors of the forward body behind the stacks whose gradients arrive."""
        if self.of_stacks:
            tensors: Sequence[Tensor] = self.node.attrs["tensors"]
            return tensors
        return self.loop.pushes

    def _inits(self, gs: Sequence[Tensor | None]) -> list[Tensor]:
        """What the backward loop carries: the steps so far, gradients, sums."""
        inits = [constant_tensor(0, int32, "step", self.graph)]
        for k in self.carried:
            g = None if self.of_stacks else gs[k]
            inits.append(g if g is not None else _zeros(self._final(k)))
        inits.extend(_zeros(self.node.inputs[k]) for k in self.captured)
        return inits

    def _final(self, k: int) -> Tensor:
        """A tensor of the shape of the k-th carried value."""
        return self.node.inputs[k] if self.of_stacks else self.node.outputs[k]

    def _trips(self) -> Tensor:
        """How often the forward loop went round."""
        base = self.node.attrs.get("of", self.node)
        count: Tensor = base.outputs[0]
        return count

    def _bodies(
        self, inits: Sequence[Tensor], popped: Sequence[Tensor], pushed: Sequence[Tensor]
    ) -> Any:
        """((parameters, results) of the body, (parameters, test), pushes, saved tensors)."""
        back = self.back
        carried = [back.parameter(TensorType(t.dtype, t.dims), "carried") for t in inits]
        rows = [back.parameter(TensorType(t.dtype, t.dims), "row") for t in pushed]
        params = self.loop.body.params
        sources = [params[k] for k in (*self.carried, *self.popped, *self.captured)]
        flows = carried[1 : 1 + len(self.carried)]
        sums = carried[1 + len(self.carried) :]
        targets = [self.loop.body.results[k] for k in self.carried] + list(pushed)
        with _inside(back):
            step = F.add(carried[0], 1)
            got = _walk(self.loop.body, targets, [*flows, *rows], sources)
            first, rest = got[: len(flows)], got[len(flows) :]
            nexts = [
                _zeros(f) if g is None else as_dense(g) for f, g in zip(flows, first, strict=True)
            ]
            pushes = [
                _zeros(params[k]) if g is None else as_dense(g)
                for k, g in zip(self.popped, rest, strict=False)
            ]
            pushes = [back.capture(t) for t in pushes]
            added = [_sum(s, g) for s, g in zip(sums, rest[len(self.popped) :], strict=True)]
        results = [step, *(back.capture(t) for t in (*nexts, *added))]
        saved = dict(back.saved)
        test_params, test = self._test([*inits, *rows, *saved.values()])
        return ([*carried, *rows, *saved.values()], results), (test_params, test), pushes, saved

    def _test(self, like: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
        graph = self.cond_graph
        params = [graph.parameter(TensorType(t.dtype, t.dims), "c") for t in like]
        with _inside(graph):
            test = F.less(params[0], self._trips())
        return params, test

    def _stacks(self, saved: dict[Tensor, Tensor]) -> list[Tensor]:
        """The forward loop's stacks of these tensors."""
        if not saved:
            return []
        tensors = tuple(saved)
        attrs = {
            "loop": self.loop, "of": self.node.attrs.get("of", self.node), "tensors": tensors,
            "types": tuple(stack_type(t) for t in tensors),
        }  # fmt: skip
        made = self.graph.create_node(F.while_saved, self.node.inputs, attrs, "while_saved")
        return list(made.outputs)

    def _given_back(self, made: Node) -> list[Gradient | None]:
        """One gradient for each operand of the forward loop."""
        out: list[Gradient | None] = [None] * len(self.node.inputs)
        first = 1
        for k in self.carried:
            out[k] = made.outputs[first]
            first += 1
        for k in self.captured:
            out[k] = made.outputs[first]
            first += 1
        for k in self.popped:
            out[k] = made.outputs[first]
            first += 1
        return out


# ------------------------------------------------------------------ branches
def cond_gradient(node: Node, gs: Sequence[Tensor | None]) -> list[Gradient | None]:
    """The gradient of a cond, or of a cond_saved (gs: of the tensors it keeps)."""
    given = node
    node = _here(node)
    held: Branches = node.attrs["branches"]
    wanted = [k for k, t in enumerate(node.inputs) if k and _differentiable(t.dtype)]
    parts = _targets(given, held, gs)
    backs = [
        _branch_gradient(node, body, wanted, targets)
        for body, targets in zip((held.then, held.orelse), parts, strict=True)
    ]
    saved = [tuple(b.graph.saved) for b in backs]
    residuals = _residuals(node, held, saved)
    for back, kept in zip(backs, saved, strict=True):
        for tensor in kept:
            back.graph.captures[residuals[tensor]] = back.graph.saved[tensor]
    captured = list(dict.fromkeys(t for b in backs for t, _ in b.graph.inputs))
    bodies = [closed(b.graph, (), b.results, captured) for b in backs]
    types = tuple(TensorType(node.inputs[k].dtype, node.inputs[k].dims) for k in wanted)
    made = node.graph.create_node(
        F.cond, [node.inputs[0], *captured],
        {"branches": Branches(bodies[0], bodies[1]), "types": types}, "cond_grad",
    )  # fmt: skip
    out: list[Gradient | None] = [None] * len(node.inputs)
    for k, g in zip(wanted, made.outputs, strict=True):
        out[k] = g
    return out


def _targets(
    given: Node, held: Branches, gs: Sequence[Tensor | None]
) -> list[list[tuple[Tensor, Tensor]]]:
    """For each branch its tensors and the gradients that arrive at them."""
    if given.op.name == "cond":
        return [
            [(t, g) for t, g in zip(b.results, gs, strict=True) if g is not None]
            for b in (held.then, held.orelse)
        ]
    then, orelse = given.attrs["then"], given.attrs["orelse"]
    first, second = gs[: len(then)], gs[len(then) :]
    return [
        [(t, g) for t, g in zip(ts, got, strict=True) if g is not None]
        for ts, got in ((then, first), (orelse, second))
    ]


class _BranchBack:
    """A backward branch under construction."""

    def __init__(self, graph: _Backward, results: list[Tensor]) -> None:
        self.graph = graph
        self.results = results


def _branch_gradient(
    node: Node, body: Body, wanted: Sequence[int], targets: Sequence[tuple[Tensor, Tensor]]
) -> _BranchBack:
    graph = _Backward(node.graph, body, node.inputs[1:], repeat=False)
    with _inside(graph):
        seeds: list[Gradient] = [graph.capture(g) for _, g in targets]
        sources = [body.params[k - 1] for k in wanted]
        got = _walk(body, [t for t, _ in targets], seeds, sources)
        results = [
            graph.capture(_zeros(graph.capture(node.inputs[k])) if g is None else as_dense(g))
            for k, g in zip(wanted, got, strict=True)
        ]
    return _BranchBack(graph, results)


def _residuals(
    node: Node, held: Branches, saved: Sequence[tuple[Tensor, ...]]
) -> dict[Tensor, Tensor]:
    """What the forward branches keep for the backward ones."""
    tensors = [*saved[0], *saved[1]]
    if not tensors:
        return {}
    attrs = {
        "branches": held, "of": node.attrs.get("of", node), "then": saved[0], "orelse": saved[1],
        "types": tuple(TensorType(t.dtype, t.dims) for t in tensors),
    }  # fmt: skip
    made = node.graph.create_node(F.cond_saved, node.inputs, attrs, "cond_saved")
    return dict(zip(tensors, made.outputs, strict=True))
