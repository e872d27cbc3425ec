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
from graphc.runtime.gpu.code import launch_code
from graphc.runtime.gpu.device import Argument, Shape
from graphc.runtime.gpu.instance import GpuInstance
from graphc.runtime.gpu.product_library import LibraryLaunch
from graphc.runtime.gpu.products import GpuProductCall
from graphc.runtime.gpu.turns import turn_code, turn_shape, turn_sizes
from graphc.runtime.steps import Step, Storage
from graphc.runtime.turn import TurnCall

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
        first = int(row[driver.ARGS])
        if isinstance(step.call, GpuProductCall):
            self.launches[step] = self._product(step, step.call, first, args)
            return step.call.nanoseconds(self.symbols)
        if isinstance(step.call, TurnCall):
            self.launches[step] = self._turn(step, step.call, first, args)
            return step.call.nanoseconds(self.symbols)
        kernel, function, launch = self.plan.functions[step]
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
        if extent > 0:
            shape = self.plan.device.shape_of(launch, extent)
            slots = np.arange(first, len(args))
            self.launches[step] = [Launching(function, shape, slots, tuple(arguments))]
        return self._estimate(step)

    def _turn(self, step: Step, call: TurnCall, first: int, args: list[int]) -> list[Launching]:
        """The launch of a transpose."""
        sizes = turn_sizes(call, self.symbols)
        args.extend(sizes)
        if not sizes[-1]:
            return []
        device = self.plan.device
        element = np.dtype(f"u{call.turn.size}")
        moved = [self.nbytes[self.number[s]] for s in (*step.reads, *step.writes)]
        pointers = [Argument(element, n) for n in moved]
        slots = np.arange(first, len(args))
        function = device.load(turn_code(call, device))
        shape = turn_shape(sizes[-1], device)
        return [Launching(function, shape, slots, (*pointers, *[WORD] * len(sizes)))]

    def _product(
        self, step: Step, call: GpuProductCall, first: int, args: list[int]
    ) -> list[Launching]:
        """The launches of a product; sizes, status and scratch memory get slots behind."""
        device = self.plan.device
        library = call.wants_library(self.symbols) and device.library is not None
        scratch = sum(call.scratch_bytes(self.symbols, library))
        self.scratch = max(self.scratch, scratch)
        read, written = call.stored()
        pointers = {
            ("read", n): (first + n, self.pointer(s, d))
            for n, (s, d) in enumerate(zip(step.reads, read, strict=True))
        } | {
            ("write", n): (first + len(step.reads) + n, self.pointer(s, d))
            for n, (s, d) in enumerate(zip(step.writes, written, strict=True))
        }
        made = []
        for launch in call.launches(self.symbols, device.gpu, device.block_threads, library):
            places = []
            for kind, value in launch.arguments:
                found = pointers.get((kind, value))
                places.append(found or self._word(step, call, kind, value, args, scratch))
            shape = Shape(launch.grid, launch.block, launch.shared)
            slots = np.array([slot for slot, _ in places])
            function: Any = launch
            if not isinstance(launch, LibraryLaunch):
                function = device.load(launch_code(launch))
            made.append(Launching(function, shape, slots, tuple(a for _, a in places)))
        return made

    def _word(
        self, step: Step, call: GpuProductCall, kind: str, value: int, args: list[int],
        scratch: int,
    ) -> tuple[int, Argument]:  # fmt: skip
        slot = len(args)
        if kind == "status":
            self._status_slot(step, args)
            return slot, STATUS
        args.append(value)
        if kind == "int":
            return slot, WORD
        self.scratch_slots.append(slot)
        element = stored(call.out.dtype.compute)
        return slot, Argument(element, scratch)

    def pointer(self, storage: Storage, dtype: DType) -> Argument:
        """What a kernel finds behind a storage's address."""
        kind = stored(dtype)
        nbytes = self.nbytes[self.number[storage]]
        return Argument(kind, nbytes // kind.itemsize * kind.itemsize)

    def numeric(self) -> Sequence[int]:
        """The numbers of storages that have memory on the device."""

        def ours(tensor: Tensor | None) -> bool:
            if tensor is None:
                return True
            known = tensor.dims is not None and None not in tensor.dims
            return known and tensor.dtype.kind != "s"

        return [k for k, s in enumerate(self.storages) if ours(s.tensor)]
