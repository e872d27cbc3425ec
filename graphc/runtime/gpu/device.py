"""Devices that plans run on: what each can do, and which there are.

Lives here: Device (memory, copies, launches on one stream), find_device, device_count, absence. Not
here: the two kinds of devices (cuda_device.py, simulated.py), pooled memory (pool.py). Imports
neither numba nor the driver until a device is asked for.

All work of a device goes through one stream, in the order in which it is asked for: memory that was
given back may be used again at once, and a copy to the host waits for what came before.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import importlib.util
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.kernel.launch import Gpu, Launch
from graphc.render.numba_cuda import MISSING
from graphc.runtime.gpu.code import Code
from graphc.runtime.gpu.product_library import Library

Array = np.ndarray[Any, Any]


Words = ctypes.Array[ctypes.c_uint64]  # addresses


class NoDevice(Exception):
    """There is no such device; the text says why."""


@dataclass(frozen=True)
class Argument:
    """A parameter of a launch, for devices that cannot read plain words.

    dtype: of the elements behind a pointer, None for a number. nbytes: how many may be touched.
    """

    dtype: Any = None
    nbytes: int = 0


@dataclass(frozen=True)
class Shape:
    """Blocks, threads of a block, and dynamic shared memory in bytes."""

    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    shared: int = 0


class Device(ABC):
    """One GPU. Addresses are int; sizes are bytes.

    Attributes:
        ordinal: its number. gpu: what it can do. block_threads: of a block at most.
        lock: held while the stream is asked for something, never while somebody waits for it but
            in `synchronize`. Other locks are taken before this one.
    """

    def __init__(self, ordinal: int, gpu: Gpu, block_threads: int) -> None:
        self.ordinal = ordinal
        self.gpu = gpu
        self.block_threads = block_threads
        self.lock = threading.RLock()

    @property
    def library(self) -> Library | None:
        """cuBLAS on this device, where it is installed."""
        return None

    @property
    def name(self) -> str:
        return f"/device:GPU:{self.ordinal}"

    def shape_of(self, launch: Launch, extent: int) -> Shape:
        """Blocks and threads for so many iterations."""
        return Shape((launch.grid(extent, self.gpu), 1, 1), (launch.block, 1, 1))

    @abstractmethod
    def allocate(self, nbytes: int) -> int:
        """Plain memory of the device. Raises MemoryError where there is too little."""

    @abstractmethod
    def release(self, address: int) -> None:
        """Gives memory of `allocate` back."""

    @abstractmethod
    def memory(self) -> tuple[int, int]:
        """(free, total) bytes."""

    @abstractmethod
    def put(self, address: int, array: Array) -> None:
        """Copies a C-contiguous array to the device; it may be changed when this returns."""

    @abstractmethod
    def get(self, address: int, array: Array) -> None:
        """Copies from the device into a C-contiguous array, and waits for it."""

    @abstractmethod
    def get_all(self, pairs: Sequence[tuple[int, Array]]) -> None:
        """As `get` for each, with one wait."""

    @abstractmethod
    def copy(self, target: int, source: int, nbytes: int) -> None:
        """Copies within the device."""

    @abstractmethod
    def zero(self, address: int, nbytes: int) -> None:
        """Fills with zero bytes."""

    @abstractmethod
    def load(self, code: Code) -> Any:
        """What `launch` takes for a kernel; the same object for the same code."""

    @abstractmethod
    def launch(
        self, function: Any, shape: Shape, words: Words, arguments: Sequence[Argument]
    ) -> None:
        """Starts a kernel.

        Args:
            words: the host address of each parameter's 8 bytes: these are read now.
        """

    @abstractmethod
    def capture(self, work: Callable[[], None]) -> Any:
        """What `replay` takes for the launches and copies within the device that `work` asks for.

        They are recorded, with the words that parameters have now; they do not run.
        """

    @abstractmethod
    def replay(self, graph: Any) -> None:
        """Starts what was captured."""

    @abstractmethod
    def synchronize(self) -> None:
        """Waits until all work is done."""


@functools.cache
def find_device(ordinal: int) -> Device:
    """The device of that number.

    Raises:
        NoDevice: numba-cuda or the driver is missing, or there are fewer GPUs.
    """
    if importlib.util.find_spec("numba_cuda") is None:
        raise NoDevice(MISSING)
    if simulating():
        from graphc.runtime.gpu.simulated import SimulatedDevice

        return SimulatedDevice(ordinal)
    from graphc.runtime.gpu.cuda_device import CudaDevice

    return CudaDevice(ordinal)


def simulating() -> bool:
    """Whether NUMBA_ENABLE_CUDASIM=1 was set when numba-cuda was first imported."""
    config: Any = importlib.import_module("numba.cuda").config
    return bool(config.ENABLE_CUDASIM)


def absence(ordinal: int = 0) -> str | None:
    """Why there is no such device; None where there is one."""
    try:
        find_device(ordinal)
    except NoDevice as error:
        return str(error)
    return None


@functools.cache
def device_count() -> int:
    """How many devices there are."""
    count = 0
    while absence(count) is None:
        count += 1
    return count
