"""Recycled memory for large results.

Here: `Pool`, which hands out arrays whose memory comes back when the user drops them. Not here: how
memory is got (`runtime.hostmem`), and the memory inside plans (`runtime.memory`). Imported by
`runtime` and `session`.

A result belongs to the user: nothing else touches its memory as long as the array or any view of it
lives. A freshly mapped 64 MB result costs 15 to 20 ms in page faults, three times the kernel that
fills it (2026-11-21); one from the pool costs 2 us.
"""

from __future__ import annotations

import bisect
import math
import os
import threading
import weakref
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.runtime import hostmem

DEFAULT_BYTES = 1 << 30
_MEMORY_SHARE = 4  # by default the pool keeps at most a quarter of the memory


@dataclass(frozen=True)
class PoolStats:
    """`idle_bytes` wait for the next result in `idle_blocks` blocks; `lent_bytes` are the user's.

    `reused` and `mapped` count the results made of each kind of block, `released` the blocks that
    went back to the system.
    """

    idle_bytes: int
    idle_blocks: int
    lent_bytes: int
    reused: int
    mapped: int
    released: int


class Pool:
    """Blocks of memory that are lent as arrays; at most `max_bytes` of them wait unused.

    `max_bytes` None: 1 GiB or a quarter of the memory, whichever is less. Safe under threads and
    forks: a child owns copies of the blocks and recycles them for itself.
    """

    def __init__(self, max_bytes: int | None = None) -> None:
        if max_bytes is None:
            max_bytes = min(DEFAULT_BYTES, hostmem.physical_bytes() // _MEMORY_SHARE)
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._idle: list[tuple[int, int, np.ndarray]] = []  # size, time of return, block; sorted
        self._clock = 0
        # A result may die anywhere, even inside a method of this pool: its block is only laid here,
        # without a lock, and sorted in by the next call.
        self._returned: deque[np.ndarray] = deque()
        self._lent: dict[int, weakref.ref[np.ndarray]] = {}
        self._reused = self._mapped = self._released = 0
        _pools.add(self)

    def empty(self, shape: int | tuple[int, ...], dtype: Any) -> np.ndarray:
        """An uninitialised C-contiguous array, 64-byte aligned from 1 MiB on; smaller: np.empty.

        Raises MemoryError, and ValueError for a negative dimension.
        """
        dtype = np.dtype(dtype)
        dims = (shape,) if isinstance(shape, int) else tuple(shape)
        nbytes = math.prod(dims) * dtype.itemsize
        if nbytes < hostmem.LARGE or dtype.hasobject or min(dims, default=0) < 0:
            return np.empty(dims, dtype)
        root = self._lend(self._take(_rounded(nbytes)))
        array: np.ndarray = root[:nbytes].view(dtype).reshape(dims)
        return array

    def trim(self, max_bytes: int = 0) -> int:
        """Give idle blocks back to the system until `max_bytes` are left; how many bytes went."""
        with self._lock:
            self._collect()
            return self._shrink(max_bytes)

    def stats(self) -> PoolStats:
        """What the pool holds and did."""
        with self._lock:
            self._collect()
            idle = sum(size for size, _, _ in self._idle)
            lent = [ref() for ref in list(self._lent.values())]
            return PoolStats(
                idle_bytes=idle,
                idle_blocks=len(self._idle),
                lent_bytes=sum(array.nbytes for array in lent if array is not None),
                reused=self._reused,
                mapped=self._mapped,
                released=self._released,
            )

    def _take(self, size: int) -> np.ndarray:
        """The smallest idle block that fits without wasting half of itself, or a new one."""
        with self._lock:
            self._collect()
            at = bisect.bisect_left(self._idle, (size,))
            if at < len(self._idle) and self._idle[at][0] < 2 * size:
                self._reused += 1
                return self._idle.pop(at)[2]
            self._mapped += 1
        try:
            return hostmem.map_block(size)
        except MemoryError:  # what waits here may be what is missing
            self.trim()
            return hostmem.map_block(size)

    def _lend(self, block: np.ndarray) -> np.ndarray:
        """A root array over a block: all views refer to it, and its death returns the block."""
        # Through a memoryview, because NumPy makes views of an array refer to what it views.
        root = np.frombuffer(block.data, np.uint8)
        key = id(block)
        returned, lent = self._returned, self._lent

        def give_back(_: object, block: np.ndarray = block) -> None:
            lent.pop(key, None)
            returned.append(block)

        lent[key] = weakref.ref(root, give_back)
        return root

    def _collect(self) -> None:
        """Sort in what came back; the lock is held."""
        while self._returned:
            block = self._returned.popleft()
            self._clock += 1
            bisect.insort(self._idle, (block.nbytes, self._clock, block))
        self._shrink(self.max_bytes)

    def _shrink(self, max_bytes: int) -> int:
        """Release the blocks that wait longest until at most `max_bytes` are idle."""
        idle = sum(size for size, _, _ in self._idle)
        before = idle
        while idle > max_bytes:
            oldest = min(range(len(self._idle)), key=lambda at: self._idle[at][1])
            idle -= self._idle.pop(oldest)[0]
            self._released += 1
        return before - idle

    def _after_fork(self) -> None:
        self._lock = threading.Lock()


def _rounded(nbytes: int) -> int:
    """Sizes in steps of an eighth of their power of two, so that similar results share blocks."""
    step = max(hostmem.LARGE // 8, 1 << (nbytes.bit_length() - 4))
    return -(-nbytes // step) * step


_pools: weakref.WeakSet[Pool] = weakref.WeakSet()


def _after_fork() -> None:
    for pool in list(_pools):
        pool._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
