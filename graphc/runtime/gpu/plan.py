"""GpuPlan: a program compiled for one GPU.

Lives here: building; which nest each step runs. Not here: passes and the schedule, which are those
of the CPU; addresses and runs (gpu/binding.py, gpu/instance.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.config import Config
from graphc.ir.program import Program
from graphc.kernel.launch import Launch
from graphc.kernel.nest import Kernel
from graphc.kernel.stream import with_rows
from graphc.passes.pipeline import Observer
from graphc.runtime.gpu.binding import GpuBinding
from graphc.runtime.gpu.code import nest_code
from graphc.runtime.gpu.device import Device
from graphc.runtime.gpu.nests import nest_of
from graphc.runtime.gpu.pool import Block, pool_of
from graphc.runtime.plan import CompiledPlan
from graphc.runtime.steps import Step

Array = np.ndarray[Any, Any]


class GpuPlan(CompiledPlan):
    """See CompiledPlan. functions: of each step that launches a nest, (nest, what the device
    loaded, launch)."""

    binding_type = GpuBinding

    def __init__(
        self,
        program: Program,
        config: Config,
        device: Device,
        observer: Observer | None = None,
        optimized: bool = False,
    ) -> None:
        self.device = device
        self.functions: dict[Step, tuple[Kernel, Any, Launch]] = {}
        self._constants: dict[int, tuple[Array, Block]] = {}
        super().__init__(program, config, observer, optimized)

    def _compile(self) -> None:
        for step in self.schedule.steps:
            if step.kernel is not None:
                _in_shared_rows(step, step.kernel)
            kernel = nest_of(step)
            if kernel is None:
                continue
            code, ready = nest_code(kernel, self.device.block_threads)
            self.functions[step] = (ready.kernel, self.device.load(code), ready.launch)

    def constant(self, array: Array) -> int:
        """Where a constant lies on the device; it is copied there once a plan."""
        found = self._constants.get(id(array))
        if found is None:
            block = pool_of(self.device).take(array.nbytes, "a constant")
            self.device.put(block.address, np.ascontiguousarray(array))
            found = self._constants.setdefault(id(array), (array, block))
        return found[1].address


def _in_shared_rows(step: Step, kernel: Kernel) -> None:
    """What a kernel keeps of a row for its later loops lies in shared memory, not in the output."""
    new = step.kernel = with_rows(kernel, least=0)
    read = dict(zip(kernel.inputs, step.reads, strict=True))
    step.reads = tuple(read[b] for b in new.inputs)
