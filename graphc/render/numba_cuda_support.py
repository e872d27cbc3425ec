"""What threads of a team say to each other in generated GPU source: its meaning in plain Python.

Lives here: shuffle_xor, sync_warp, for the simulator of numba-cuda, which runs every thread of a
block as a Python thread and has neither. Not here: what is compiled instead
(render/numba_cuda_lowering.py), scalar functions (render/numba_support.py). Generated source
imports this module; it imports nothing of graphc.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any

_mail: weakref.WeakKeyDictionary[Any, dict[int, Any]] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def shuffle_xor(value: Any, step: int) -> Any:
    """The value of the thread of the warp whose number differs in the bits of `step`."""
    me: Any = threading.current_thread()
    with _lock:
        box = _mail.setdefault(me._manager, {})
    box[me.thread_id] = value
    me.syncthreads()
    found = box[me.thread_id ^ step]
    me.syncthreads()  # nobody writes again before all have read
    return found


def sync_warp() -> None:
    """All threads of the warp have come this far, and see what the others have written."""
    me: Any = threading.current_thread()
    me.syncthreads()
