"""The pass protocol and the rewrite driver that every pass uses.

Lives here: Pass, Rule, rule tables, rewrite, who watches it. Not here: any particular rule; the
order of passes (passes/pipeline.py). Imports ir and ops.define.

Contract of a pass: valid program in, valid program out. The driver, not the rule, carries
origins: a node that replaces another gets the other's origins and name.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from graphc.ir.node import Node, Tensor
from graphc.ir.program import Program, ProgramBuilder, Update, live_nodes
from graphc.ir.shape import dims_equal

RuleFn = Callable[..., "Tensor | tuple[Tensor, ...] | None"]
MAX_SWEEPS = 8
# ops whose output is their input's memory
VIEWS = frozenset({"reshape", "expand_dims", "squeeze", "identity", "stop_gradient", "apart"})
UNIFORM_LIMIT = 1 << 16  # elements of a constant that rules look through


class Pass(Protocol):
    """Transforms a program; pure."""

    @property
    def name(self) -> str: ...

    def run(self, program: Program) -> Program: ...


@dataclass(frozen=True)
class Rule:
    """A named rewrite of nodes of some ops: fn(node, *inputs) -> replacement or None."""

    name: str
    ops: tuple[str, ...]
    fn: RuleFn
    doc: str


class RuleSet:
    """Rules by the op they track, in the order they were written."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.by_op: dict[str, list[Rule]] = {}

    def rule(self, *ops: str) -> Callable[[RuleFn], RuleFn]:
        """Registers a function as a rule of these ops; its docstring is the rule."""

        def register(fn: RuleFn) -> RuleFn:
            made = Rule(fn.__name__, ops, fn, (fn.__doc__ or "").strip())
            self.rules.append(made)
            for op in ops:
                self.by_op.setdefault(op, []).append(made)
            return fn

        return register


class RewriteLog:
    """Which rule fired how often: for dumps, stats and tests."""

    def __init__(self) -> None:
        self.fired: dict[str, int] = {}

    def add(self, rule: str) -> None:
        self.fired[rule] = self.fired.get(rule, 0) + 1


class Watcher(Protocol):
    """Sees what becomes of every node: for people who look into the compiler."""

    def began(self, step: Pass) -> None:
        """A pass begins, also on a body inside of another pass."""

    def ended(self, step: Pass) -> None:
        """The pass that began last ends."""

    def walks(self) -> None:
        """A walk over all nodes of a program begins."""

    def fired(self, rule: Rule) -> None:
        """The rule whose replacement comes next."""

    def replaced(
        self, old: Node, over: Node, outs: Sequence[Tensor] | None, made: Sequence[Node]
    ) -> None:
        """`old` is `over` now (itself, or over new inputs); `outs` take the place of its outputs,
        None where they stay. made: nodes that the replacement added."""

    def converted(self, values: Mapping[Tensor, Tensor]) -> None:
        """Tensors of a program, by those of the user's graph that they stand for."""


WATCHER: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextlib.contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Rewrites of this thread report to the watcher inside."""
    token = WATCHER.set(watcher)
    try:
        yield
    finally:
        WATCHER.reset(token)


NodeFn = Callable[[Node], "Tensor | tuple[Tensor, ...] | None"]


def rewrite(program: Program, visit: NodeFn) -> Program:
    """Rebuilds the program; visit(node over new inputs) may return what replaces its outputs.

    Equal nodes merge on the way (CSE), unneeded ones go.
    """
    builder = program.builder
    watcher = WATCHER.get()
    new: dict[Tensor, Tensor] = {}
    moved: dict[Node, Node] = {}
    if watcher is not None:
        watcher.walks()
    with builder.building():
        for node in program.nodes:
            builder.at(node.origins, node.name)
            copy = _over(builder, node, tuple(new[t] for t in node.inputs))
            count = len(builder.nodes)
            got = visit(copy)
            outs = copy.outputs if got is None else got if isinstance(got, tuple) else (got,)
            if watcher is not None:
                watcher.replaced(node, copy, None if got is None else outs, builder.nodes[count:])
            # a loop or a branch with effects may be replaced by one over other programs
            moved[node] = outs[0].node if got is not None and outs else copy
            for old, fresh in zip(node.outputs, outs, strict=True):
                new[old] = fresh if fresh is old else _merge_type(old, fresh)
    return finish(program, new, moved)


def _over(builder: ProgramBuilder, node: Node, inputs: tuple[Tensor, ...]) -> Node:
    """The node over these inputs: itself where nothing changed."""
    if inputs == node.inputs:
        return node
    if node.op.stateful:
        return builder.add(node.op, inputs, node.attrs, [t.type for t in node.outputs])
    return builder.create_node(node.op, inputs, node.attrs)


def _merge_type(old: Tensor, fresh: Tensor) -> Tensor:
    """A replacement must have the replaced tensor's type."""
    assert old.dtype is fresh.dtype, (old, old.dtype, fresh, fresh.dtype)
    old_dims, new_dims = old.dims, fresh.dims
    if old_dims is not None and new_dims is not None and old_dims != new_dims:
        same = len(old_dims) == len(new_dims) and all(
            dims_equal(a, b) is not False for a, b in zip(old_dims, new_dims, strict=True)
        )
        assert same, f"{old.node.text_name}: {old.type} became {fresh.type}"
    return fresh


def finish(
    program: Program, new: Mapping[Tensor, Tensor], moved: Mapping[Node, Node]
) -> Program:
    """The program over replaced tensors, dead nodes dropped."""
    feeds = tuple(new[t] for t in program.feeds)
    outputs = tuple(new[t] for t in program.outputs)
    updates = tuple(Update(u.variable, new[u.value]) for u in program.updates)
    roots = outputs + tuple(u.value for u in updates)
    effects = tuple(moved[n] for n in program.effects)
    nodes = live_nodes(roots, feeds, effects)
    return Program(nodes, feeds, outputs, updates, program.builder, effects)


def apply_rules(program: Program, rules: RuleSet, log: RewriteLog | None = None) -> Program:
    """Sweeps until no rule fires (at most MAX_SWEEPS sweeps)."""
    watcher = WATCHER.get()
    for _ in range(MAX_SWEEPS):
        fired = 0

        def visit(node: Node) -> Any:
            nonlocal fired
            for rule in rules.by_op.get(node.op.name, ()):
                got = rule.fn(node, *node.inputs)
                if got is not None:
                    fired += 1
                    if log is not None:
                        log.add(rule.name)
                    if watcher is not None:
                        watcher.fired(rule)
                    return got
            return None

        program = rewrite(program, visit)
        if not fired:
            break
    return program


# ------------------------------------------------------------------ what rules ask
def const_array(tensor: Tensor) -> np.ndarray[Any, Any] | None:
    """The array of a const node, else None."""
    node = tensor.node
    return node.attrs["value"].array if node.op.name == "const" else None


def uniform_value(tensor: Tensor) -> Any:
    """The one value of all elements of a constant, fill, zeros_like, ones_like; else None."""
    array = const_array(tensor)
    if array is not None:
        if array.size == 0 or array.size > UNIFORM_LIMIT or array.dtype == object:
            return None
        first = array.flat[0]
        return first.item() if array.size == 1 or _all_same(array, first) else None
    name = tensor.node.op.name
    if name == "zeros_like":
        return 0
    if name == "ones_like":
        return 1
    if name in ("fill", "broadcast_to", "reshape", "expand_dims", "identity"):
        source = tensor.node.inputs[1 if name == "fill" else 0]
        return uniform_value(source)
    return None


def _all_same(array: np.ndarray[Any, Any], first: Any) -> bool:
    """Whether all elements are `first`; 0.0 and -0.0 differ."""
    if not bool((array == first).all()):
        return False
    return array.dtype.kind != "f" or bool((np.signbit(array) == np.signbit(first)).all())
