"""Counters of the process: what was built, why, and what it cost. `graphc.stats()` reads them.

Imports nothing of graphc.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

# what parts of the runtime report once they are imported; nothing before a first run
_NOTHING: dict[str, Any] = {
    "modules_compiled": 0,
    "compile_seconds": 0.0,
    "load_seconds": 0.0,
    "kernels_compiled": 0,
    "kernels_from_cache": 0,
    "kernels_shared": 0,
    "kernel_bytes": 0,
    "kernel_seconds": 0.0,
    "pool_lent_bytes": 0,
    "pool_idle_bytes": 0,
}


class Stats:
    """Thread-safe counters and the reasons of plan builds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._plans: list[dict[str, Any]] = []
        self._peak_bytes = 0
        self._sources: dict[str, Callable[[], dict[str, Any]]] = {}

    def plan_built(
        self, reason: str, fetches: Sequence[str], shapes: Sequence[tuple[int, ...]],
        seconds: float,
    ) -> None:
        plan = {
            "reason": reason, "fetches": list(fetches), "feeds": [list(s) for s in shapes],
            "seconds": seconds,
        }  # fmt: skip
        with self._lock:
            self._plans.append(plan)

    def arena(self, nbytes: int) -> None:
        with self._lock:
            self._peak_bytes = max(self._peak_bytes, nbytes)

    def add_source(self, name: str, read: Callable[[], dict[str, Any]]) -> None:
        """Counters kept elsewhere (kernels, pool), merged into the dict."""
        self._sources[name] = read

    def read(self) -> dict[str, Any]:
        """The counters, those of all sources included; see `stats`."""
        with self._lock:
            out: dict[str, Any] = {
                **_NOTHING,
                "kernel_fallbacks": [],
                "plans_built": len(self._plans),
                "plans": [dict(p) for p in self._plans],
                "plan_seconds": sum(p["seconds"] for p in self._plans),
                "arena_peak_bytes": self._peak_bytes,
            }
        for read in self._sources.values():
            out.update(read())
        return out


STATS = Stats()


def stats() -> dict[str, Any]:
    """What graphc did in this process so far.

    Returns:
        plans_built, plans: each with its reason, fetches, fed shapes and seconds.
        plan_seconds: of building them all; compile_seconds (of LLVM) and load_seconds (of linking
        what was compiled or found) are parts of it.
        modules_compiled: runs of LLVM, for kernels, GEMM tiles and the runtime's own code; 0 where
        the cache on disk held everything.
        kernels_compiled, kernels_from_cache, kernels_shared: found on disk, or in the process.
        kernel_fallbacks: kernels that the vector printer does not reach, with reasons.
        kernel_bytes, kernel_seconds: of compiled kernels.
        arena_peak_bytes: the largest arena of temporaries; pool_lent_bytes, pool_idle_bytes:
        memory of large results that the user holds, and that waits for the next ones.
    """
    return STATS.read()
