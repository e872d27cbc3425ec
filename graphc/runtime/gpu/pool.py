"""Memory of a device that is lent, given back and lent again.

Lives here: DevicePool, Block. Not here: what lies in it. All work of a device is on one stream:
a block that was given back may be lent at once.
"""

from __future__ import annotations

import functools
import threading
import weakref
from collections import deque
from dataclasses import dataclass

from graphc.errors import ResourceExhaustedError
from graphc.runtime.gpu.device import Device
from graphc.runtime.stats import STATS

SMALLEST = 512
STEP = 1 << 21  # sizes above are multiples of this


@dataclass(eq=False)
class Block:
    """Memory that is its holder's as long as this object lives."""

    address: int
    nbytes: int


class DevicePool:
    """Blocks by size; idle ones are released when an allocation fails."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self._idle: dict[int, list[int]] = {}
        # what the collector gives back, in the middle of anything
        self._returned: deque[tuple[int, int]] = deque()
        self._lock = threading.Lock()
        self.lent_bytes = self.idle_bytes = 0
        STATS.add_source(f"gpu{device.ordinal}_pool", self.stats)

    def stats(self) -> dict[str, int]:
        """Bytes that are lent and idle."""
        with self._lock:
            self._collect()
        name = f"gpu{self.device.ordinal}"
        return {f"{name}_lent_bytes": self.lent_bytes, f"{name}_idle_bytes": self.idle_bytes}

    def take(self, nbytes: int, what: str) -> Block:
        """A block of at least that size. what: for the error.

        Raises:
            ResourceExhaustedError: the device has too little memory; says how much is missing.
        """
        size = rounded(nbytes)
        with self._lock:
            self._collect()
            idle = self._idle.get(size)
            if idle:
                address = idle.pop()
                self.idle_bytes -= size
            else:
                address = self._allocate(size, what)
            self.lent_bytes += size
        block = Block(address, nbytes)
        weakref.finalize(block, self._returned.append, (address, size)).atexit = False
        return block

    def _allocate(self, size: int, what: str) -> int:
        try:
            return self.device.allocate(size)
        except MemoryError:
            self._trim()
        try:
            return self.device.allocate(size)
        except MemoryError:
            free, total = self.device.memory()
            raise ResourceExhaustedError(
                f"OOM when allocating {size:,} bytes on {self.device.name} for {what}: "
                f"{free:,} of {total:,} bytes are free, {self.lent_bytes:,} are held by graphc"
            ) from None

    def _collect(self) -> None:
        while self._returned:
            address, size = self._returned.popleft()
            self._idle.setdefault(size, []).append(address)
            self.lent_bytes -= size
            self.idle_bytes += size

    def trim(self) -> None:
        """Releases what is idle."""
        with self._lock:
            self._collect()
            self._trim()

    def _trim(self) -> None:
        for addresses in self._idle.values():
            for address in addresses:
                self.device.release(address)
        self._idle.clear()
        self.idle_bytes = 0


def rounded(nbytes: int) -> int:
    """Powers of two up to STEP, then multiples of it: few sizes, little waste."""
    if nbytes > STEP:
        return -(-nbytes // STEP) * STEP
    size = SMALLEST
    while size < nbytes:
        size *= 2
    return size


@functools.cache
def pool_of(device: Device) -> DevicePool:
    """The device's pool."""
    return DevicePool(device)
