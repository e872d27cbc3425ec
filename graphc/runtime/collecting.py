"""Python's cyclic garbage collector rests while many objects are made that stay.

Lives here: `uncollected`. Building a plan makes some hundred thousand objects that live as long as
the plan; the collector would walk them again and again to find nothing, for a tenth of the time of
a first call. Imports nothing of graphc; the session and the executor use it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import threading
from collections.abc import Iterator

_lock = threading.Lock()
_depth = 0
_was_enabled = False


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """No automatic collection inside; as it was before, once the last thread has left."""
    global _depth, _was_enabled
    with _lock:
        if _depth == 0:
            _was_enabled = gc.isenabled()
            gc.disable()
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0 and _was_enabled:
                gc.enable()


def _after_fork() -> None:
    # threads that were inside do not go on in the child
    global _lock, _depth
    _lock = threading.Lock()
    if _depth and _was_enabled:
        gc.enable()
    _depth = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
