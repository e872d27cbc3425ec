"""Config(dump=folder): numbered texts of every stage of a plan's build, for people to read.

Lives here: Dump. Files are written atomically; the folder can be removed at any time.
"""

from __future__ import annotations

import itertools
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from graphc.inspect.launches import Launched, launches_of
from graphc.inspect.work import calls_of
from graphc.ir.program import Program, program_text
from graphc.ir.shape import shape_env
from graphc.kernel.nest import nest_text
from graphc.render import numba_cpu
from graphc.runtime.finishing import Finishing
from graphc.runtime.gpu.plan import GpuPlan

if TYPE_CHECKING:
    from graphc.runtime.plan import CompiledPlan

_NUMBERS = itertools.count()


class Dump:
    """One plan's folder: 00_start.txt, 01_fold.txt, ..., schedule.txt, kernels.py, kernels.ll; for
    a GPU, cuda_00_NAME.py and so on."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder) / f"plan_{os.getpid()}_{next(_NUMBERS):03d}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._count = 0
        self._written: set[str] = set()  # kernels for a GPU, by their keys

    def observe(self, stage: str, program: Program) -> None:
        """The observer of the pipeline."""
        self.write(f"{self._count:02d}_{stage}.txt", program_text(program))
        self._count += 1

    def plan(self, plan: CompiledPlan) -> None:
        """Schedule, fusion decisions and kernels."""
        part = plan.schedule.partition
        lines = []
        for number, step in enumerate(plan.schedule.steps):
            reads = ", ".join(_storage(s) for s in step.reads)
            writes = ", ".join(_storage(s) for s in step.writes)
            lines.append(f"{number:3d} {step.kind:6s} {step.name}: {reads} -> {writes}")
        self.write("schedule.txt", "\n".join(lines) + "\n")
        refusals = [
            f"{r.producer.text_name} -> {r.consumer.text_name} ({r.nbytes} bytes): {r.reason}"
            for r in part.refusals
        ]
        self.write("fusion.txt", "\n".join([f"saved {part.saved} bytes", *refusals]) + "\n")
        if isinstance(plan, GpuPlan):
            self._cuda(plan)
        else:
            self._cpu(plan)

    def _cpu(self, plan: CompiledPlan) -> None:
        compiled = list(plan.kernels.values())
        calls = calls_of(plan)
        finishes = [c.finish for c in calls if isinstance(c, Finishing) and c.finish is not None]
        nests = [*(k.kernel for k in compiled), *finishes]
        self.write("nests.txt", "\n".join(map(nest_text, nests)))
        sources = [*(k.source for k in compiled), *map(numba_cpu.source, finishes)]
        self.write("kernels.py", "\n\n".join(sources))
        others = {call.kernel_name: call for call in calls}
        code = [*(k.ir_text for k in compiled), *(call.ir() for call in others.values())]
        self.write("kernels.ll", "\n".join(code))

    def _cuda(self, plan: GpuPlan) -> None:
        """A module for each kernel; products for the extents that the program was compiled for."""
        nests = [nest_text(kernel) for kernel, _, _ in plan.functions.values()]
        with shape_env(plan.program.env):
            for step in plan.schedule.steps:
                if isinstance(step.call, Finishing) and step.call.finish is not None:
                    nests.append(nest_text(step.call.finish))
                for one in launches_of(plan, step, plan.program.env.hints):
                    self._module(one)
        self.write("nests.txt", "\n".join(nests))

    def _module(self, one: Launched) -> None:
        if one.code is not None and one.code.key not in self._written:
            name = f"cuda_{len(self._written):02d}_{one.name}.py"
            self._written.add(one.code.key)
            self.write(name, one.source)

    def write(self, name: str, text: str) -> None:
        handle, temporary = tempfile.mkstemp(dir=self.folder)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(self.folder / name)


def _storage(storage: object) -> str:
    key = getattr(storage, "key", None)
    name = getattr(key, "text_name", key)
    return f"{getattr(storage, 'kind', '?')}({name})"
