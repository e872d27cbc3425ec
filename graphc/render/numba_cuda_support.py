"""What threads of a team say to each other in generated GPU source: its meaning in plain Python.

Lives here: shuffle_xor, sync_warp, mma_tf32, for the simulator of numba-cuda, which runs every
thread of a block as a Python thread and has none of them. Not here: what is compiled instead
(render/numba_cuda_lowering.py, numba_cuda_tiles.py), scalar functions (render/numba_support.py).
Generated source imports this module; it imports nothing of graphc.
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
    box = _posted(me, value)
    found = box[me.thread_id ^ step]
    me.syncthreads()  # nobody writes again before all have read
    return found


def mma_tf32(acc: Any, i: Any, a: Any, ia: Any, b: Any, ib: Any) -> None:
    """acc += A B for 16 x 8 elements and 8 of k, each of a warp's threads with its part of all.

    Thread 4 g + t has A[g, t], A[g + 8, t], A[g, t + 4], A[g + 8, t + 4] from a[ia] on, B[t, g] and
    B[t + 4, g] from b[ib] on, C[g, 2 t], C[g, 2 t + 1] and both 8 rows below from acc[i] on. Of A
    and B only what tf32 has is looked at (see to_tf32); sums are float32 in an order of their own.
    """
    me: Any = threading.current_thread()
    parts = [[float(a[ia + n]) for n in range(4)], [float(b[ib + n]) for n in range(2)]]
    box = _posted(me, parts)
    warp, (g, t) = me.thread_id // 32 * 32, divmod(me.thread_id % 32, 4)
    for n in range(4):
        row, column = g + 8 * (n // 2), 2 * t + n % 2
        total = float(acc[i + n])
        for k in range(8):
            left = box[warp + row % 8 * 4 + k % 4][0][row // 8 + 2 * (k // 4)]
            total += left * box[warp + column * 4 + k % 4][1][k // 4]
        acc[i + n] = total
    me.syncthreads()


def _posted(me: Any, value: Any) -> dict[int, Any]:
    """What all threads of the block have posted, this one the value."""
    with _lock:
        box = _mail.setdefault(me._manager, {})
    box[me.thread_id] = value
    me.syncthreads()
    return box


def sync_warp() -> None:
    """All threads of the warp have come this far, and see what the others have written."""
    me: Any = threading.current_thread()
    me.syncthreads()
