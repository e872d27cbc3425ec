"""What a process makes once, whichever thread asks first.

Lives here: once. functools.cache lets two threads make a value at the same time and hands each its
own; that is wrong where compiled code keeps the address of what was made. Imports nothing of
graphc.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_lock = threading.RLock()  # one for all: what is made may need other things that are made once


def once(make: Callable[[], T]) -> Callable[[], T]:
    """The function that calls `make` at its first use and answers the same object ever after.

    An exception of `make` reaches the caller, and the next use tries again.
    """
    made: list[T] = []

    @functools.wraps(make)
    def get() -> T:
        if made:
            return made[0]
        with _lock:
            if not made:
                made.append(make())
            return made[0]

    return get


def _after_fork() -> None:
    # the thread that held it does not go on in the child
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
