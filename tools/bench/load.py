"""What the rest of the machine does meanwhile, and what this process holds. Imports no NumPy."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_STAT = Path("/proc/stat")


def busy_seconds() -> float | None:
    """Seconds of processor time that all processes used since the start; None where unknown."""
    if not _STAT.exists():
        return None
    with _STAT.open() as file:
        v = [int(t) for t in file.readline().split()[1:9]]
    user, nice, system, _, _, irq, softirq, steal = v
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def used_seconds(pid: int) -> float:
    """Seconds of processor time that a running process used; 0 of one that is not there."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    # after the name, which may hold anything
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for_sleep(pid: int, seconds: float = 0.5) -> None:
    """Waits until no thread of a process runs any more, at most so long.

    Idle threads of a library may look for work for tens of milliseconds before they sleep, on the
    processors that others need.
    """
    end = time.perf_counter() + seconds
    while _runs(pid) and time.perf_counter() < end:
        time.sleep(0.002)


def _runs(pid: int) -> bool:
    for file in Path(f"/proc/{pid}/task").glob("*/stat"):
        try:
            if file.read_text().rpartition(")")[2].split()[0] == "R":
                return True
        except OSError:  # it has ended
            continue
    return False


class Load:
    """Measures, in cores, what others used while the block ran (`foreign`; 0 where unknown).

    This process, its children that have ended, and the running ones of `pids` are no others.
    """

    foreign = 0.0

    def __init__(self, pids: Sequence[int] = ()) -> None:
        self._pids = pids

    def __enter__(self) -> Load:
        self._busy, self._own = busy_seconds(), self._used()
        self._start = time.perf_counter()
        return self

    def __exit__(self, *_: Any) -> None:
        busy, seconds = busy_seconds(), time.perf_counter() - self._start
        # the kernel counts in hundredths: a shorter block says nothing
        if busy is None or self._busy is None or seconds < 0.1:
            return
        own = self._used() - self._own
        self.foreign = max(0.0, (busy - self._busy - own) / seconds)

    def _used(self) -> float:
        return sum(os.times()[:4]) + sum(used_seconds(p) for p in self._pids)


def wait_for_quiet(seconds: float, limit: float = 0.15) -> bool:
    """Waits until others use less than `limit` of a core, at most so long; whether they do."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        with Load() as load:
            time.sleep(0.12)
        if load.foreign < limit:
            return True
    return False


def peak_bytes() -> int:
    """The most memory this process had in use. `ru_maxrss` alone would count the parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
