"""Bindings of plans for a GPU: what each step launches, and which words it passes.

Lives here: GpuBinding, Launching. Not here: storages, memory plan and jumps, which are those of any
plan (runtime/binding.py); addresses and runs (gpu/instance.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.ir.dtypes import DType
from graphc.ir.node import Tensor
from graphc.ir.shape import evaluate
from graphc.runtime import driver
from graphc.runtime.binding import Binding
from graphc.runtime.gpu.device import Argument, Shape
from graphc.runtime.gpu.instance import GpuInstance
from graphc.runtime.instance import Instance
from graphc.runtime.state import VariableStore
from graphc.runtime.steps import Step, Storage

if TYPE_CHECKING:
    from graphc.runtime.gpu.plan import GpuPlan

Array = np.ndarray[Any, Any]
STATUS = Argument(np.dtype(np.int64), 8)
WORD = Argument()


@dataclass(frozen=True)
class Launching:
    """One launch of a step: the kernel, its shape, and the argument slot of each parameter."""

    function: Any
    shape: Shape
    slots: Array
    arguments: tuple[Argument, ...]


def stored(dtype: DType) -> np.dtype[Any]:
    """How kernels see elements in memory: bools as bytes, half floats as bits."""
    if dtype.is_bool or dtype.is_half:
        return np.dtype(f"u{dtype.size}")
    return np.dtype(dtype.np)


class GpuBinding(Binding):
    """See Binding. `launches`: of each step that has some."""

    plan: GpuPlan  # type: ignore[assignment]
    instance_type = GpuInstance

    def __init__(self, plan: GpuPlan, symbols: Mapping[str, int]) -> None:
        self.launches: dict[Step, list[Launching]] = {}
        # memory that one launch hands on to the next, and the slots that name it
        self.scratch = 0
        self.scratch_slots: list[int] = []
        super().__init__(plan, symbols)
        ours = [k for k in self.numeric() if self.slots[k]]
        self.feeds = [k for k in ours if self.storages[k].kind == "feed"]
        self.fetched = [k for k in self.numeric() if self.storages[k].kind == "fetch"]

    def _fill_call(self, row: Array, step: Step, args: list[int]) -> float:
        """The words behind the storages of a kernel: dimensions, status, bounds."""
        row[driver.KIND] = driver.KERNEL
        kernel, function, launch = self.plan.functions[step]
        first = int(row[driver.ARGS])
        extent = evaluate(kernel.extent, self.symbols)
        args.extend(evaluate(d, self.symbols) for d in kernel.dims)
        self._status_slot(step, args)
        args.extend((0, extent))
        row[driver.EXTENT] = extent
        arguments = [
            self.pointer(s, b.dtype)
            for s, b in zip((*step.reads, *step.writes), kernel.buffers, strict=True)
        ]
        arguments += [WORD] * len(kernel.dims) + [STATUS] * kernel.flags + [WORD, WORD]
        grid = launch.grid(extent, self.plan.device.gpu)
        shape = Shape((grid, 1, 1), (launch.block, 1, 1))
        if extent > 0:
            slots = np.arange(first, len(args))
            self.launches[step] = [Launching(function, shape, slots, tuple(arguments))]
        return self._estimate(step)

    def pointer(self, storage: Storage, dtype: DType) -> Argument:
        """What a kernel finds behind a storage's address."""
        kind = stored(dtype)
        nbytes = self.nbytes[self.number[storage]]
        return Argument(kind, nbytes // kind.itemsize * kind.itemsize)

    def simple_instances(self, store: VariableStore) -> list[Instance] | None:
        """None: there is no shorter way for plans on a device yet."""
        return None

    def numeric(self) -> Sequence[int]:
        """The numbers of storages that have memory on the device."""

        def ours(tensor: Tensor | None) -> bool:
            if tensor is None:
                return True
            known = tensor.dims is not None and None not in tensor.dims
            return known and tensor.dtype.kind != "s"

        return [k for k, s in enumerate(self.storages) if ours(s.tensor)]
