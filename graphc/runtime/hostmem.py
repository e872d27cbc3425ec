"""Host memory: aligned arrays, and large blocks on huge pages.

Here: how memory is got from the system. Not here: who uses it again (`runtime.pool`) and what lies
where in an arena (`runtime.memory`). Imported by `runtime`; imports nothing of graphc.
"""

from __future__ import annotations

import math
import mmap
import os
import sys
from typing import Any

import numpy as np

ALIGN = 64  # bytes: one cache line, one AVX-512 register
HUGE_PAGE = 2 << 20
LARGE = 1 << 20  # from here on a block is mapped for itself


def aligned_empty(shape: int | tuple[int, ...], dtype: Any, align: int = ALIGN) -> np.ndarray:
    """An uninitialised C-contiguous array whose address is a multiple of `align`.

    Raises ValueError unless `align` is a power of two and not below the dtype's own alignment.
    """
    dtype = np.dtype(dtype)
    if align < dtype.alignment or align & (align - 1):
        raise ValueError(f"alignment must be a power of two of at least {dtype.alignment}")
    dims = (shape,) if isinstance(shape, int) else tuple(shape)
    nbytes = math.prod(dims) * dtype.itemsize
    room = np.empty(nbytes + align, np.uint8)
    first = -room.ctypes.data % align
    array: np.ndarray = room[first : first + nbytes].view(dtype).reshape(dims)
    return array


def map_block(nbytes: int) -> np.ndarray:
    """Fresh zeroed bytes straight from the system, 64-byte aligned, on huge pages where there are.

    The memory goes back to the system when the array and all views of it are gone. Where mapping is
    refused, or not offered as here (Windows), the memory comes from NumPy. Raises MemoryError.
    """
    if not hasattr(mmap, "MAP_PRIVATE") or nbytes == 0:
        return aligned_empty(nbytes, np.uint8)
    huge = nbytes >= HUGE_PAGE
    room = nbytes + (HUGE_PAGE if huge else 0)
    try:
        block = mmap.mmap(-1, room, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"cannot get {nbytes} bytes") from error
    whole = np.frombuffer(block, np.uint8)
    # Huge pages start at multiples of their size; what lies before is never touched and costs
    # address space only.
    first = -whole.ctypes.data % HUGE_PAGE if huge else 0
    if huge and hasattr(mmap, "MADV_HUGEPAGE"):
        try:
            block.madvise(mmap.MADV_HUGEPAGE, first, room - first)
        except OSError:  # a kernel without huge pages
            pass
    return whole[first : first + nbytes]


def arena(nbytes: int) -> np.ndarray:
    """The memory of a plan: `nbytes` bytes, 64-byte aligned, on huge pages when large.

    Contents are undefined. Raises MemoryError.
    """
    return map_block(nbytes) if nbytes >= LARGE else aligned_empty(nbytes, np.uint8)


def physical_bytes() -> int:
    """The machine's memory, or the smaller limit of this process's control group."""
    try:
        installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows does not say
        installed = sys.maxsize
    try:
        with open("/sys/fs/cgroup/memory.max", encoding="ascii") as file:
            return min(installed, int(file.read()))
    except (OSError, ValueError):  # no control group, or "max": no limit
        return installed
