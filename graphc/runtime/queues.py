"""Queues between threads, as a session keeps them; the end of the interpreter wakes who waits.

Lives here: what the ops of queues work on. Not here: the ops (ops/queues.py), the user's classes
(tf1/queues.py). Imports errors and NumPy.
"""

from __future__ import annotations

import threading

_left = threading.Event()


def leaving() -> bool:
    """Whether the interpreter ends: whoever waits on a queue is cancelled."""
    return _left.is_set()


# like concurrent.futures: atexit comes after the wait for threads that are no daemons
threading._register_atexit(_left.set)  # type: ignore[attr-defined]
