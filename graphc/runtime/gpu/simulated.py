"""The device that numba's simulator stands for: memory of the host, kernels run in Python.

Lives here: SimulatedDevice. Needs NUMBA_ENABLE_CUDASIM=1 at the first import of numba-cuda. It is
slow, and checks what a GPU does not: addresses must lie in memory that was allocated here.
"""

from __future__ import annotations

import bisect
import ctypes
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from graphc.kernel.launch import Gpu, Launch
from graphc.render.numba_cpu import int64_range, text_module
from graphc.runtime.gpu.code import Code
from graphc.runtime.gpu.device import Argument, Device, NoDevice, Shape, Words
from graphc.runtime.hostmem import aligned_empty

Array = np.ndarray[Any, Any]
BLOCK_THREADS = 32  # each is a thread of Python
BLOCKS, ALONE = 2, 2
DEVICES = 2
SIMULATOR = Gpu("simulator", (9, 0), 1, 1e9, 1 << 20, BLOCK_THREADS, BLOCK_THREADS, 1, 65536)
FREE, TOTAL = 1 << 33, 1 << 34
SWITCH_SECONDS = 2e-4  # the simulator waits in a loop for its threads: let them run soon


class SimulatedDevice(Device):
    """See Device."""

    def __init__(self, ordinal: int) -> None:
        if ordinal >= DEVICES:
            raise NoDevice(f"there is no GPU {ordinal}: the simulator has {DEVICES}")
        super().__init__(ordinal, SIMULATOR, BLOCK_THREADS)
        self._blocks: dict[int, Array] = {}
        self._starts: list[int] = []
        self._functions: dict[str, Any] = {}
        self._recorded: list[Callable[[], None]] | None = None
        _lock_shared_memory()

    def shape_of(self, launch: Launch, extent: int) -> Shape:
        """Few blocks, and few threads where each works alone: they go round more often."""
        shape = super().shape_of(launch, extent)
        block = ALONE if launch.form == "threads" else launch.block
        return Shape((min(shape.grid[0], BLOCKS), 1, 1), (block, 1, 1))

    def allocate(self, nbytes: int) -> int:
        block = aligned_empty(max(nbytes, 1), np.uint8)
        block[...] = 0xA5  # what nobody wrote is not zero by chance
        address = block.ctypes.data
        with self.lock:
            self._blocks[address] = block
            bisect.insort(self._starts, address)
        return address

    def release(self, address: int) -> None:
        with self.lock:
            del self._blocks[address]
            self._starts.remove(address)

    def memory(self) -> tuple[int, int]:
        used = sum(b.nbytes for b in self._blocks.values())
        return max(FREE - used, 0), TOTAL

    def put(self, address: int, array: Array) -> None:
        self._view(address, array.nbytes)[...] = _bytes(array)

    def get(self, address: int, array: Array) -> None:
        _bytes(array)[...] = self._view(address, array.nbytes)

    def get_all(self, pairs: Sequence[tuple[int, Array]]) -> None:
        for address, array in pairs:
            self.get(address, array)

    def copy(self, target: int, source: int, nbytes: int) -> None:
        with self.lock:
            if self._recorded is not None:
                self._recorded.append(lambda: self.copy(target, source, nbytes))
            else:
                self._view(target, nbytes)[...] = self._view(source, nbytes)

    def zero(self, address: int, nbytes: int) -> None:
        self._view(address, nbytes)[...] = 0

    def load(self, code: Code) -> Any:
        found = self._functions.get(code.key)
        if found is None:
            from numba import cuda

            module = text_module(code.entry, code.source())
            vars(module)["range"] = int64_range
            found = self._functions.setdefault(code.key, cuda.jit(getattr(module, code.entry)))
        return found

    def launch(
        self, function: Any, shape: Shape, words: Words, arguments: Sequence[Argument]
    ) -> None:
        values = [ctypes.c_int64.from_address(place).value for place in words]
        with self.lock:
            if self._recorded is not None:
                self._recorded.append(lambda: self._run(function, shape, values, arguments))
            else:
                self._run(function, shape, values, arguments)

    def _run(
        self, function: Any, shape: Shape, values: Sequence[int], arguments: Sequence[Argument]
    ) -> None:
        from numba.cuda.simulator.cudadrv.devicearray import FakeCUDAArray

        given: list[Any] = []
        for word, argument in zip(values, arguments, strict=True):
            if argument.dtype is None:
                given.append(np.int64(word))
                continue
            memory = self._view(word, argument.nbytes).view(argument.dtype)
            given.append(FakeCUDAArray(memory))
        interval = sys.getswitchinterval()
        # threads of the simulator have NumPy's own settings: it would warn of every overflow
        with self.lock, warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            sys.setswitchinterval(SWITCH_SECONDS)
            try:
                function[shape.grid, shape.block, 0, shape.shared](*given)
            finally:
                sys.setswitchinterval(interval)

    def capture(self, work: Callable[[], None]) -> Any:
        with self.lock:
            recorded: list[Callable[[], None]] = []
            self._recorded = recorded
            try:
                work()
            finally:
                self._recorded = None
        return recorded

    def replay(self, graph: Any) -> None:
        for again in graph:
            again()

    def synchronize(self) -> None:
        """Nothing: everything is done when it was asked for."""

    def _view(self, address: int, nbytes: int) -> Array:
        at = bisect.bisect_right(self._starts, address) - 1
        block = self._blocks[self._starts[at]] if at >= 0 else np.empty(0, np.uint8)
        offset = address - self._starts[at] if at >= 0 else 0
        if offset + nbytes > block.nbytes:
            raise IndexError(f"{nbytes} bytes at {address:#x} are not memory of the device")
        return block[offset : offset + nbytes]


def _bytes(array: Array) -> Array:
    return array.reshape(-1).view(np.uint8)


_allocating = threading.Lock()


def _lock_shared_memory() -> None:
    """Shared memory by the line that asks for it.

    The simulator's own looks and allocates without a lock: two threads that ask at once may get
    two arrays.
    """
    kernelapi: Any = import_module("numba.cuda.simulator.kernelapi")

    def array(self: Any, shape: Any, dtype: Any, alignment: Any = None) -> Any:
        frame = sys._getframe(1)
        key = (frame.f_code.co_filename, frame.f_lineno)
        with _allocating:
            if key not in self._allocations:
                self._allocations[key] = np.empty(shape, dtype)
            return self._allocations[key]

    kernelapi.FakeCUDAShared.array = array
