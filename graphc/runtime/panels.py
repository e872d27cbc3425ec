"""Weights in the layout that tiles read, packed once and not in every run.

Lives here: Panels, and when a session's are packed again. Not here: the layout
(kernel/tiles/pack.py), which products take kept panels (runtime/tile_steps.py), the variables
(runtime/state.py). Imported by instances.

Only plans that write no variable keep panels: for the others every run has other weights. A
session has one copy for all its plans and threads; it is packed again before the first run behind a
change of any variable. A run that another thread is at meanwhile sees old and new weights mixed, as
one that reads a variable while it is assigned does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.ir.node import Node
from graphc.ir.shape import evaluate, evaluate_shape
from graphc.runtime import driver, threads, tiles
from graphc.runtime.hostmem import arena
from graphc.runtime.state import Moved, VariableStore
from graphc.runtime.steps import Storage

Array = np.ndarray[Any, Any]
NEVER = -1


@dataclass
class Panels:
    """One operand's panels. version: of the session's variables when they were packed."""

    memory: Array
    version: int = NEVER


def panels_of(store: VariableStore, storage: Storage, symbols: Mapping[str, int]) -> Panels:
    """The session's panels of a storage of kind "panels"; called under the session's lock."""
    found: Panels | None = store.panels.get(storage.key)
    if found is None:
        found = store.panels[storage.key] = Panels(arena(evaluate(storage.nbytes, symbols)))
    return found


def pack(
    store: VariableStore, storages: Sequence[Storage], symbols: Mapping[str, int], threaded: bool
) -> int:
    """Packs what is older than the variables are. Returns the version that panels now have."""
    with store.lock:
        version = store.version
        for storage in storages:
            panels = panels_of(store, storage, symbols)
            key: Any = storage.key
            source, call = key
            fixed = not isinstance(source, Node)
            if panels.version == version or (fixed and panels.version != NEVER):
                continue
            array = source.node.attrs["value"].array if fixed else store.view(source)
            assert storage.tensor is not None
            if array.shape != evaluate_shape(storage.tensor.known_dims, symbols):
                raise Moved
            _pack(call, np.ascontiguousarray(array), panels.memory, symbols, threaded)
            panels.version = version
        return version


def _pack(
    call: tiles.PackCall, source: Array, panels: Array, symbols: Mapping[str, int], threaded: bool
) -> None:
    args = np.array([source.ctypes.data, panels.ctypes.data, *call.slots(symbols)], np.int64)
    table = np.zeros((1, driver.STEP_WORDS), np.int64)
    row = table[0]
    row[driver.FN] = tiles.address(call)
    row[driver.ARGS] = args.ctypes.data
    row[driver.EXTENT] = call.extent(symbols)
    row[driver.CHUNK] = call.chunk(symbols)
    row[driver.KIND] = driver.KERNEL
    driver.drive(table, threads.pool_address() if threaded else 0)
