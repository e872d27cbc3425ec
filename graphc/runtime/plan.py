"""Compiled plans: a program with its schedule and kernels, for all extents that its guards allow.

Lives here: CompiledPlan (passes, schedule, the table of bindings), CpuPlan (kernels of the CPU).
Not here: addresses and runs (binding.py), plans for GPUs (gpu/plan.py), the observer's output
(inspect/dump.py).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.config import Config
from graphc.ir.program import Program
from graphc.ir.shape import shape_env
from graphc.kernel.jam import jammed
from graphc.kernel.nest import Kernel
from graphc.kernel.pieces import all_in_pieces
from graphc.kernel.stream import streamed
from graphc.passes.pipeline import Observer, optimize
from graphc.runtime import cache, codegen, tiles
from graphc.runtime.binding import Binding
from graphc.runtime.instance import Instance
from graphc.runtime.schedule import schedule
from graphc.runtime.state import RunContext, VariableStore
from graphc.runtime.steps import Schedule, Step

Array = np.ndarray[Any, Any]
MAX_BINDINGS = 256


class CompiledPlan:
    """Steps of a program, and bindings by extents.

    Args:
        optimized: the program has been through the passes already.
    """

    binding_type: type[Binding] = Binding

    def __init__(
        self,
        program: Program,
        config: Config,
        observer: Observer | None = None,
        optimized: bool = False,
    ) -> None:
        self.config = config
        # the runtime's own modules are kept where the kernels are
        cache.set_default(codegen.cache_of(config))
        dump = None
        if config.dump is not None and observer is None:
            from graphc.inspect.dump import Dump

            dump = Dump(config.dump)
            observer = dump.observe
        self.program = program if optimized else optimize(program, config, observer)
        with shape_env(self.program.env):
            self.schedule: Schedule = schedule(self.program, config)
        self.kernels: dict[Step, codegen.CompiledKernel] = {}
        self.addresses: dict[Step, int] = {}
        self._compile()
        if dump is not None:
            dump.plan(self)
        self._bindings: dict[tuple[int, ...], Binding] = {}
        self._lock = threading.Lock()

    def _compile(self) -> None:
        """The code of all steps."""
        raise NotImplementedError

    def bind(self, symbols: Mapping[str, int]) -> Binding:
        """The binding for these extents; made once."""
        key = tuple(symbols[s] for s in sorted(symbols))
        found = self._bindings.get(key)
        if found is None:
            with self._lock:
                found = self._bindings.setdefault(key, self.binding_type(self, symbols))
                while len(self._bindings) > MAX_BINDINGS:
                    self._bindings.pop(next(iter(self._bindings)))
        return found

    def run(
        self, ctx: RunContext, arrays: Sequence[Array], symbols: Mapping[str, int]
    ) -> list[Array]:
        return self.bind(symbols).run(ctx, arrays)

    def simple_instances(
        self, store: VariableStore, symbols: Mapping[str, int]
    ) -> list[Instance] | None:
        """See Binding.simple_instances."""
        return self.bind(symbols).simple_instances(store)


class CpuPlan(CompiledPlan):
    """A plan with kernels of the CPU: `kernels`, and the `addresses` of all code."""

    def _compile(self) -> None:
        steps = [s for s in self.schedule.steps if s.kernel is not None]
        pieces = all_in_pieces(s.kernel for s in steps if s.kernel is not None)
        machine = tiles.machine()
        register_bytes = machine.vector_bytes * machine.registers
        chained = {m for c in self.schedule.chains for m in c.members}
        for step, kernel in zip(steps, pieces, strict=True):
            step.kernel = kernel
            if self.config.codegen == "vector" and step not in chained:
                _stream(step, kernel, register_bytes)
        compiled = codegen.build([s.kernel for s in steps if s.kernel is not None], self.config)
        self.kernels = dict(zip(steps, compiled, strict=True))
        self.addresses = {step: kernel.address for step, kernel in self.kernels.items()}
        calls = {step: step.call for step in self.schedule.steps if step.call is not None}
        tiles.compiled(call for call in calls.values() if getattr(call, "named", False))
        self.addresses |= {step: tiles.address(call) for step, call in calls.items()}


def _stream(step: Step, kernel: Kernel, register_bytes: int) -> None:
    """Large outputs go past the caches, large inputs come from several places at once."""
    new = step.kernel = jammed(streamed(kernel), register_bytes)
    # what was only kept in an output is read no more
    read = dict(zip(kernel.inputs, step.reads, strict=True))
    step.reads = tuple(read[b] for b in new.inputs)
