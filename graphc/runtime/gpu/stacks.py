"""The rows of a loop's stack on a device.

Lives here: DeviceStack. Not here: cursors and jumps, which are words of the host
(runtime/jumps.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.runtime.gpu.device import Device
from graphc.runtime.gpu.pool import Block, pool_of
from graphc.runtime.jumps import FIRST_ROWS, row_bytes
from graphc.runtime.steps import Stack

if TYPE_CHECKING:
    from graphc.runtime.gpu.binding import GpuBinding

Array = np.ndarray[Any, Any]


class DeviceStack:
    """Rows stay where they are until more room is needed."""

    def __init__(self, args: Array, binding: GpuBinding, stack: Stack, device: Device) -> None:
        self.args = args
        self.device = device
        self.row_bytes = row_bytes(binding, stack.cursor)
        self.base = binding.stacks[stack]
        self.walking = binding.cursors[stack.cursor]
        self.block = self._take(FIRST_ROWS)

    def _take(self, rows: int) -> Block:
        size = rows * self.row_bytes
        block = pool_of(self.device).take(size, "what a loop keeps for its gradients")
        self.args[self.base] = block.address
        self.args[self.base + 1] = block.address + size
        return block

    def grow(self) -> None:
        """Twice the room; the rows so far move."""
        old, used = self.block, int(self.args[self.walking] - self.args[self.base])
        self.block = self._take(2 * old.nbytes // self.row_bytes)
        self.device.copy(self.block.address, old.address, used)
        self.args[self.walking] = self.block.address + used
