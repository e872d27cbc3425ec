"""A plan run by its un-jitted Numba source: the oracle between the nest and the vector printer.

Lives here: run_unjitted. It walks the schedule as the compiled driver does, kernel by kernel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.config import Config
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Tensor
from graphc.ir.shape import evaluate
from graphc.kernel.verify import verify
from graphc.render.numba_cpu import python_callable
from graphc.runtime.backends.reference import evaluate_node
from graphc.runtime.binding import Binding
from graphc.runtime.conv_tiles import ConvCall
from graphc.runtime.rows import RowsCall
from graphc.runtime.steps import Step, Storage
from tests.helpers import UNFUSED, Array, as_fed, plan_of


class Machine:
    """The memory of one run: bytes of each storage."""

    def __init__(self, binding: Binding, arrays: Sequence[Array]) -> None:
        self.binding = binding
        self.memory: dict[Any, Array] = {}
        for storage, k in binding.number.items():
            if storage.kind == "feed":
                flat = np.ascontiguousarray(arrays[storage.key]).reshape(-1)  # type: ignore[index]
            elif storage.kind in ("const", "bind"):
                flat = binding.arrays[k].reshape(-1)
            else:
                flat = np.full(binding.nbytes[k], 0xAB, np.uint8)
            self.memory[storage] = flat.copy().view(np.uint8)

    def array(self, storage: Storage, dtype: Any) -> Array:
        return self.memory[storage].view(dtype)

    def step(self, step: Step) -> None:
        if step.kind == "kernel":
            self._kernel(step)
        elif step.kind == "copy":
            assert step.copies is not None
            source, target = step.copies
            self.memory[target][:] = self.memory[source]
        elif step.kind == "pack":
            # the product is evaluated on the operand as it is
            self.memory[step.writes[0]] = self.memory[step.reads[0]]
        elif isinstance(step.call, RowsCall):
            self._rows(step, step.call)
        elif isinstance(step.call, ConvCall):
            self._convolution(step, step.call)
        elif step.node is not None:
            self._node(step)

    def _kernel(self, step: Step) -> None:
        kernel = step.kernel
        assert kernel is not None
        verify(kernel)
        storages = (*step.reads, *step.writes)
        arrays = [self.array(s, b.dtype.np) for s, b in zip(storages, kernel.buffers, strict=True)]
        dims = [evaluate(d, self.binding.symbols) for d in kernel.dims]
        extent = evaluate(kernel.extent, self.binding.symbols)
        call = python_callable(kernel)
        # in two pieces, as the driver splits them; it never calls for an empty one
        middle = extent // 2 // kernel.grain * kernel.grain
        pieces = [(0, middle), (middle, extent)]
        status = sum(call(arrays, dims, lo, hi) for lo, hi in pieces if lo < hi)
        assert status == 0

    def _node(self, step: Step) -> None:
        node = step.node
        assert node is not None
        inputs = [
            self.array(s, t.dtype.np).reshape(self._shape(t))
            for s, t in zip(step.reads, node.inputs, strict=True)
        ]
        self._evaluated(step, node, inputs)

    def _convolution(self, step: Step, call: ConvCall) -> None:
        """Of its node's inputs the step reads all but the vector of sizes."""
        given = dict(zip((call.a, call.b), step.reads, strict=True))
        inputs = [
            self.array(given[t], t.dtype.np).reshape(self._shape(t))
            if t in given
            else np.array(self._shape(call.out))
            for t in call.node.inputs
        ]
        self._evaluated(step, call.node, inputs)

    def _evaluated(self, step: Step, node: Node, inputs: list[Array]) -> None:
        for storage, out in zip(step.writes, evaluate_node(node, inputs), strict=True):
            self.memory[storage] = np.ascontiguousarray(out).reshape(-1).view(np.uint8).copy()

    def _rows(self, step: Step, call: RowsCall) -> None:
        """A step over rows, said in NumPy."""
        n, inner, count = call.slots(self.binding.symbols)
        ids = self.array(step.reads[0], call.ids.dtype.np)[:n]
        if call.form == "first":
            first = [ids.tolist().index(v) for v in ids.tolist()]
            self.array(step.writes[0], np.int32)[:n] = first
            return
        assert ((ids < count) & (call.drop | (ids >= 0))).all()
        if call.rows is None:
            return
        dtype = call.rows.dtype.np
        rows = self.array(step.reads[1], dtype)[: n * inner].reshape(n, inner)
        out = self.array(step.writes[0], dtype)[: count * inner].reshape(count, inner)
        if call.form == "sum":
            out[...] = 0
        for at, row in zip(ids, rows, strict=True):
            if at >= 0:
                if call.form == "put":
                    out[at] = row
                else:
                    out[at] = out[at] - row if call.form == "sub" else out[at] + row

    def _shape(self, tensor: Tensor) -> tuple[int, ...]:
        return tuple(evaluate(d, self.binding.symbols) for d in tensor.dims or ())  # type: ignore[arg-type]


def run_unjitted(
    graph: Graph,
    fetches: Sequence[Tensor],
    feeds: Mapping[Tensor, Any],
    config: Config = UNFUSED,
) -> list[Array]:
    """The fetched arrays; the graph has no variables."""
    plan = plan_of(graph, fetches, feeds, config=config)
    binding = plan.bind(plan.program.env.hints)
    machine = Machine(binding, [as_fed(t, v) for t, v in feeds.items()])
    for step in binding.steps:
        machine.step(step)
    out = []
    for tensor, storage in zip(plan.program.outputs, plan.schedule.fetches, strict=True):
        shape = tuple(evaluate(d, binding.symbols) for d in tensor.dims or ())  # type: ignore[arg-type]
        out.append(machine.array(storage, tensor.dtype.np).reshape(shape))
    return out
