"""Plans for a GPU that need not be there: how their kernels would be launched and compiled.

Lives here: explain_on, PaperDevice, GPUS. Not here: what is said of plans (inspect/explain.py).
Imported by the console command, tests and benchmarks.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.config import current
from graphc.inspect.explain import Explanation, explain_plan, joined
from graphc.inspect.running import Runner
from graphc.inspect.target import load
from graphc.kernel.launch import A100, H200, Gpu
from graphc.runtime.executor import Stage
from graphc.runtime.gpu.code import Code
from graphc.runtime.gpu.device import Argument, Device, Shape, Words
from graphc.runtime.gpu.plan import GpuPlan

Array = np.ndarray[Any, Any]
GPUS = {gpu.name: gpu for gpu in (A100, H200)}
PAGE = 1 << 12  # bytes between addresses that nothing lies at
MEMORY = 1 << 37


class PaperDevice(Device):
    """A GPU that keeps nothing and runs nothing: what is read from it is zero.

    Attributes:
        launched: what `load` gave for each kernel that was started, in order.
    """

    def __init__(self, gpu: Gpu = H200) -> None:
        super().__init__(0, gpu, gpu.block_threads)
        self.launched: list[Any] = []
        self._addresses = itertools.count(PAGE, PAGE)

    def allocate(self, nbytes: int) -> int:
        return next(self._addresses)

    def release(self, address: int) -> None:
        """Nothing is there."""

    def memory(self) -> tuple[int, int]:
        return MEMORY, MEMORY

    def put(self, address: int, array: Array) -> None:
        """Nothing is there."""

    def get(self, address: int, array: Array) -> None:
        array.reshape(-1).view(np.uint8)[...] = 0

    def get_all(self, pairs: Sequence[tuple[int, Array]]) -> None:
        for address, array in pairs:
            self.get(address, array)

    def copy(self, target: int, source: int, nbytes: int) -> None:
        """Nothing is there."""

    def zero(self, address: int, nbytes: int) -> None:
        """Nothing is there."""

    def load(self, code: Code) -> Any:
        return code.name

    def launch(
        self, function: Any, shape: Shape, words: Words, arguments: Sequence[Argument]
    ) -> None:
        self.launched.append(function)

    def capture(self, work: Callable[[], None]) -> Any:
        return work

    def replay(self, graph: Any) -> None:
        graph()

    def synchronize(self) -> None:
        """Nothing runs."""


def explain_on(target: Any, gpu: Gpu = H200, fuse: bool = True) -> Explanation:
    """What the plans of a target are on a GPU that need not be there.

    The target runs on the CPU: extents that only data decide are those of its values.

    Args:
        target: as `target.load` takes it. fuse: False for one op a kernel.

    Raises:
        TargetError: there is no such target.
    """
    config = current().replace(backend="cpu", fuse=fuse, soft_placement=True)
    runner = Runner("explain", load(target), config)
    device, on_paper = PaperDevice(gpu), runner.config.replace(backend="cuda")
    made: dict[int, GpuPlan] = {}

    def find(stage: Stage, given: list[Array]) -> tuple[Any, dict[str, int]]:
        variant, symbols = stage.find(given, runner.store)
        program = stage.program(given, runner.store)
        made[id(variant.plan)] = GpuPlan(program, on_paper, device)
        return variant.plan, symbols

    try:
        handle = runner.session._handle(runner.fetches, runner.feeds)
        kept = handle.runner.plans(runner.arrays, find)
        return joined([explain_plan(made[id(plan)], symbols) for plan, symbols in kept])
    finally:
        runner.close()
