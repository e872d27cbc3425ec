"""Random runs that read and write variables, against the rules of DESIGN's state in plain Python.

The rules: a read sees the value at the start of the run, or that of the last assignment (by
creation) among what it depends on; an assignment's own variable has all earlier assignments
applied; updates stay after the run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from graphc.ir.graph import Graph
from graphc.ir.node import Node, Tensor
from graphc.ops.define import F
from tests.helpers import WAYS, Array, Session, placeholder, variable

SHAPE = (2, 3)
READS = {"identity": lambda a: a, "negative": lambda a: -a, "square": lambda a: a * a}
PAIRS = {"add": np.add, "subtract": np.subtract, "maximum": np.maximum}
WRITES = {
    "assign": lambda old, new: new,
    "assign_add": lambda old, new: old + new,
    "assign_sub": lambda old, new: old - new,
}


@dataclass
class RandomUpdates:
    """A graph of reads, arithmetic and assignments, some behind control dependencies."""

    seed: int
    graph: Graph = field(default_factory=Graph)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        with self.graph.as_default():
            count = int(self.rng.integers(1, 4))
            self.variables = [variable("float64", SHAPE, f"v{k}") for k in range(count)]
            self.x = placeholder("float64", (None, 3))
            self.tensors: list[Tensor] = [*self.variables, self.x]
            self.writes: list[Node] = []
            for _ in range(int(self.rng.integers(3, 16))):
                self._node()
        self.start = {v: self.rng.integers(-3, 4, SHAPE).astype(float) for v in self.variables}
        self.feed = {self.x: self.rng.integers(-3, 4, SHAPE).astype(float)}
        made = self.tensors[len(self.variables) :]
        self.fetches = [self._pick(self.tensors) for _ in range(int(self.rng.integers(1, 4)))]
        self.fetches.append(made[-1])
        chosen = [w for w in self.writes if self.rng.random() < 0.7]
        self.targets = list(dict.fromkeys(chosen))

    def _pick(self, options: Any) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def _node(self) -> None:
        before = [w for w in self.writes if self.rng.random() < 0.3]
        with self.graph.control_dependencies(before):
            kind = self.rng.random()
            if kind < 0.35:
                made = getattr(F, self._pick(list(READS)))(self._pick(self.tensors))
            elif kind < 0.6:
                a, b = self._pick(self.tensors), self._pick(self.tensors)
                made = getattr(F, self._pick(list(PAIRS)))(a, b)
            else:
                name = self._pick(list(WRITES))
                made = getattr(F, name)(self._pick(self.variables), self._pick(self.tensors))
                self.writes.append(made.node)
        self.tensors.append(made)


class Oracle:
    """One run by the rules."""

    def __init__(self, case: RandomUpdates, state: dict[Tensor, Array]) -> None:
        self.case = case
        self.start = {v.node: a for v, a in state.items()}
        self.values: dict[Node, Array] = {case.x.node: case.feed[case.x]}
        self.behind: dict[Node, set[Node]] = {}
        self.written: dict[Node, list[Node]] = {v.node: [] for v in case.variables}
        for node in self._needed():
            self._visit(node)

    def _needed(self) -> list[Node]:
        seen: set[Node] = set()
        stack = [t.node for t in self.case.fetches] + self.case.targets
        while stack:
            node = stack.pop()
            if node not in seen:
                seen.add(node)
                stack += [t.node for t in node.inputs] + list(node.control_inputs)
        return sorted(seen, key=lambda n: n.id)

    def _visit(self, node: Node) -> None:
        before: set[Node] = set()
        for other in (*(t.node for t in node.inputs), *node.control_inputs):
            before |= self.behind[other] | {other}
        self.behind[node] = before
        name = node.op.name
        if name in ("variable", "placeholder"):
            return
        if name in WRITES:
            ref = node.inputs[0].node
            earlier = self.written[ref]
            old = self.values[earlier[-1]] if earlier else self.start[ref]
            self.values[node] = WRITES[name](old, self._read(node.inputs[1], before))
            earlier.append(node)
            return
        operands = [self._read(t, before) for t in node.inputs]
        self.values[node] = {**READS, **PAIRS}[name](*operands)

    def _read(self, tensor: Tensor, before: set[Node]) -> Array:
        if tensor.node.op.name != "variable":
            return self.values[tensor.node]
        seen = [w for w in self.written[tensor.node] if w in before]
        return self.values[seen[-1]] if seen else self.start[tensor.node]

    def fetched(self) -> list[Array]:
        return [self._read(t, set()) for t in self.case.fetches]

    def after(self) -> dict[Tensor, Array]:
        return {
            v: self.values[self.written[v.node][-1]] if self.written[v.node] else a
            for v, a in zip(self.case.variables, self.start.values(), strict=True)
        }


@pytest.mark.parametrize("block", range(6))
def test_random_updates(block: int) -> None:
    for seed in range(block * 25, block * 25 + 25):
        case = RandomUpdates(seed)
        for how, config in WAYS.items():
            session = Session(case.graph, config)
            state = dict(case.start)
            for v, value in state.items():
                session.set(v, value)
            for _ in range(2):
                oracle = Oracle(case, state)
                got = session.run(case.fetches, case.feed, case.targets)
                what = f"seed {seed}, {how}"
                for a, b in zip(got, oracle.fetched(), strict=True):
                    np.testing.assert_array_equal(a, b, err_msg=what)
                state = oracle.after()
                for v, value in state.items():
                    np.testing.assert_array_equal(session.get(v), value, err_msg=what)
