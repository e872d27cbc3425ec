"""Variables that live on a device: a session's, beside the host's arrays.

Lives here: DeviceValues. Not here: the session's own table (runtime/state.py), which asks this for
what the device has newer. The host's array is made at once (initialised is what stands in the
table), and filled only when somebody looks at it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.ir.node import Node
from graphc.runtime.gpu.device import Device
from graphc.runtime.gpu.pool import Block, pool_of

if TYPE_CHECKING:
    from graphc.runtime.state import VariableStore

Array = np.ndarray[Any, Any]


class DeviceValues:
    """One session's variables on one device.

    Attributes:
        epoch: changes with every address.
    """

    def __init__(self, store: VariableStore, device: Device) -> None:
        self.store = store
        self.device = device
        self.epoch = 0
        # between the store's lock and the device's, where more than one is held
        self._lock = threading.RLock()
        self._blocks: dict[Node, Block] = {}
        self._ahead: set[Node] = set()  # the host's array is older
        self._behind: set[Node] = set()  # the device's copy is older
        self._version = store.version

    def address(self, variable: Node) -> int:
        """Of its value, which is copied to the device where the host's is newer.

        Raises:
            FailedPreconditionError: it is not initialised.
        """
        with self._lock:
            if variable in self._ahead:
                return self._blocks[variable].address
            array = self.store.view(variable)
            block = self._blocks.get(variable)
            if block is None or block.nbytes != array.nbytes:
                block = self.allocate(variable, array.nbytes)
                self._blocks[variable] = block
                self._behind.add(variable)
                self.epoch += 1
            if variable in self._behind:
                self.device.put(block.address, np.ascontiguousarray(array))
                self._behind.discard(variable)
            return block.address

    def allocate(self, variable: Node, nbytes: int) -> Block:
        """Memory for a value; it becomes the variable's by `adopt`."""
        return pool_of(self.device).take(nbytes, f"variable {variable.name}")

    def adopt(self, variable: Node, block: Block, shape: tuple[int, ...], dtype: Any) -> None:
        """Makes memory that holds a value the variable's."""
        have = self.store.arrays.get(variable)
        if have is None or have.shape != shape:
            self.store.adopt(variable, self.store.allocate(shape, dtype))
        with self._lock:
            self._blocks[variable] = block
            self.epoch += 1

    def written(self, variables: Iterable[Node]) -> None:
        """A run has written these on the device."""
        with self._lock:
            self._ahead.update(variables)
            self._behind.difference_update(variables)
            # plans for the host look again where their variables are
            self.store.epoch += 1
            self.store.version += 1
            self._version = self.store.version

    @property
    def stamp(self) -> tuple[int, int] | None:
        """Equal as long as nothing has moved and nobody but runs here has written; or None."""
        with self._lock:
            if self._behind or self.store.version != self._version:
                return None
            return id(self), self.epoch

    def refresh(self) -> None:
        """Before a run: what others have written on the host since the last one is newer there."""
        with self._lock:
            if self.store.version != self._version:
                self._behind.update(v for v in self._blocks if v not in self._ahead)
                self._version = self.store.version

    def pull(self, variable: Node, array: Array) -> None:
        """Brings the host's array up to date."""
        with self._lock:
            if variable in self._ahead:
                self.device.get(self._blocks[variable].address, array)
                self._ahead.discard(variable)

    def overtaken(self, variable: Node) -> None:
        """The host has a newer value."""
        with self._lock:
            self._ahead.discard(variable)
            self._behind.add(variable)


def values_on(store: VariableStore, device: Device) -> DeviceValues:
    """The store's variables on that device."""
    found = store.on_device.get(device)
    if found is None:
        with store.lock:
            found = store.on_device.setdefault(device, DeviceValues(store, device))
    return found  # type: ignore[no-any-return]
