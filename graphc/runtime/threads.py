"""The worker pool: daemon threads that sit in the compiled loop of `runtime.mailbox`.

Here: the Python side that starts, stops and counts workers, through forks and to the interpreter's
exit. Not here: the compiled protocol (`runtime.mailbox`), which steps are split (`runtime.driver`
walks the table, `runtime.plan` fixes the chunks). Imported by `runtime` and `session`.

Measured on two Zen 5 cores (2026-11-21), x + y in float32, one thread against two: 4096 elements
0.18 and 0.21 us, 16 K 1.0 and 0.8, 64 K 3.2 and 2.1, 256 K 27 and 13, 1 M 99 and 59. With every
core busy elsewhere the calling thread does all itself, at the serial time: the longest of 3000
splits of 64 K elements took 0.2 ms. A sleeping worker wakes in 10 to 100 us; no caller waits that.
"""

from __future__ import annotations

import _thread
import atexit
import contextlib
import ctypes
import functools
import math
import os
import platform
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np

from graphc.runtime import cache
from graphc.runtime.mailbox import (
    ACQUIRE,
    LOCK,
    MAILBOX_BYTES,
    REGION,
    START,
    STOLEN,
    SYMBOLS,
    THREADS,
    pool_ir,
)
from graphc.runtime.once import once

MAX_THREADS = 256
EXIT_SECONDS = 1.0  # the interpreter's exit waits this long for a run that uses the pool
# A worker looks for work this long before it sleeps. Waking it takes more than 1 ms at times on a
# virtual machine: with 0.1 ms here whole sessions ran on one core, every piece taken by its caller.
SPIN_SECONDS = 2e-3


def supported() -> bool:
    """Can this platform run workers? Linux on x86-64 and aarch64; elsewhere runs are serial."""
    return sys.platform.startswith("linux") and platform.machine() in ("x86_64", "aarch64")


def available_cpus() -> int:
    """Processors this process may use: its affinity, cut by the CPU quota of its control group."""
    if hasattr(os, "sched_getaffinity"):
        cpus = len(os.sched_getaffinity(0))
    else:
        cpus = os.cpu_count() or 1
    return max(1, min(cpus, _quota()))


def _quota() -> int:
    try:
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as file:
            quota, period = file.read().split()
        return max(1, math.ceil(int(quota) / int(period)))
    except (OSError, ValueError):  # no control group, or "max": no quota
        return MAX_THREADS


class _Pool:
    """The one pool of the process. Its memory is never freed: a worker may outlive everything."""

    def __init__(self) -> None:
        self._code = cache.library(pool_ir(), SYMBOLS, name="threads")
        words = (MAX_THREADS + 1) * MAILBOX_BYTES // 8
        self._memory = np.zeros(words + MAILBOX_BYTES // 8, np.int64)
        offset = -self._memory.ctypes.data % MAILBOX_BYTES // 8
        self._words = self._memory[offset : offset + words]
        self.address: int = self._words.ctypes.data
        self._mutex = threading.Lock()
        self._wanted: int | None = None
        self._workers: list[threading.Thread] = []
        self._closed = False
        word, integer = ctypes.c_void_p, ctypes.c_int64
        self._worker = ctypes.CFUNCTYPE(None, word, integer)(self._code["graphc_worker"])
        self._try_lock = ctypes.PYFUNCTYPE(integer, word)(self._code["graphc_try_lock"])
        self._unlock = ctypes.PYFUNCTYPE(None, word)(self._code["graphc_unlock"])
        self._stop_one = ctypes.PYFUNCTYPE(None, word)(self._code["graphc_stop"])
        self._starter = ctypes.CFUNCTYPE(None)(self._start)
        self._words[ACQUIRE] = self._code["graphc_acquire"]
        self._words[REGION] = self._code["graphc_region"]
        self._words[START] = ctypes.cast(self._starter, ctypes.c_void_p).value or 0
        atexit.register(self.close)
        os.register_at_fork(after_in_child=self._after_fork)

    @property
    def stolen(self) -> int:
        """How many shares the owner of a region ran because their worker was asleep or busy."""
        return int(self._words[STOLEN])

    @functools.cached_property
    def _spins(self) -> int:
        spin = ctypes.PYFUNCTYPE(None, ctypes.c_int64)(self._code["graphc_spin"])
        best = math.inf  # a thread that others push aside would seem to spin slowly
        for _ in range(5):
            start = time.perf_counter()
            spin(1000)
            best = min(best, time.perf_counter() - start)
        return max(100, int(1000 * SPIN_SECONDS / best))

    def threads(self) -> int:
        return self._wanted or min(available_cpus(), MAX_THREADS)

    def resize(self, count: int | None) -> None:
        with self._mutex, self._owned():
            self._wanted = count
            self._stop()
            self._words[THREADS] = 1 if self._closed else 0

    def close(self) -> None:
        """Stop the workers for good, at the interpreter's exit: later runs are serial.

        A daemon thread that is inside a run keeps its workers: they end with the process.
        """
        self._closed = True
        patience = time.monotonic() + EXIT_SECONDS
        while not self._try_lock(self.address):
            if time.monotonic() > patience:
                return
            time.sleep(1e-3)
        self._stop()
        self._words[THREADS] = 1
        self._unlock(self.address)

    def _start(self) -> None:
        """Called by compiled code that found no workers. Must not raise."""
        try:
            with self._mutex:
                if self._words[THREADS] == 0:
                    self._words[THREADS] = self._launch(self.threads())
        except KeyboardInterrupt:  # raised again where the main thread is back in Python code
            _thread.interrupt_main()

    def _launch(self, count: int) -> int:
        """Start count - 1 workers; the number of threads there are now, the caller's included."""
        for number in range(1, count):
            first = number * MAILBOX_BYTES // 8
            self._words[first : first + MAILBOX_BYTES // 8] = 0
            worker = threading.Thread(
                target=self._worker,
                args=(self.address + number * MAILBOX_BYTES, self._spins),
                name=f"graphc-{number}",
                daemon=True,
            )
            try:
                worker.start()
            except RuntimeError:  # no more threads to be had: work with those there are
                return number
            self._workers.append(worker)
        return max(1, count)

    def _stop(self) -> None:
        for number in range(1, len(self._workers) + 1):
            self._stop_one(self.address + number * MAILBOX_BYTES)
        for worker in self._workers:
            worker.join()
        self._workers.clear()

    @contextlib.contextmanager
    def _owned(self) -> Iterator[None]:
        while not self._try_lock(self.address):
            time.sleep(1e-4)
        try:
            yield
        finally:
            self._unlock(self.address)

    def _after_fork(self) -> None:
        """The child has no workers, whatever the parent's were doing."""
        self._mutex = threading.Lock()
        self._workers.clear()
        self._words[THREADS] = 1 if self._closed else 0
        self._words[LOCK] = 0


@once
def _pool() -> _Pool | None:
    return _Pool() if supported() else None


def pool_address() -> int:
    """The pool as the driver takes it; 0 where there are no workers. Constant in a process."""
    pool = _pool()
    return pool.address if pool else 0


def stolen_shares() -> int:
    """How many shares of split steps ran on the calling thread because their worker slept."""
    pool = _pool()
    return pool.stolen if pool else 0


def get_num_threads() -> int:
    """The threads a split step runs on, the caller's included."""
    pool = _pool()
    return pool.threads() if pool else 1


def set_num_threads(count: int | None) -> None:
    """Use `count` threads from the next run on; None: as many as the process has processors.

    Waits for the run that uses the pool. Results do not depend on the number: chunks are cut by the
    shape alone. Raises ValueError unless 1 <= count <= 256. Without effect where there are no
    workers (`supported()` is False).
    """
    if count is not None and not 1 <= count <= MAX_THREADS:
        raise ValueError(f"number of threads must be 1 to {MAX_THREADS}, not {count}")
    pool = _pool()
    if pool:
        pool.resize(count)
