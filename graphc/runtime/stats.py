"""Counters of the process: what was built, why, and what it cost. `graphc.stats()` reads them.

Imports nothing of graphc.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any


class Stats:
    """Thread-safe counters and the reasons of plan builds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._plans: list[dict[str, Any]] = []
        self._peak_bytes = 0
        self._runs = 0
        self._sources: dict[str, Callable[[], dict[str, Any]]] = {}

    def plan_built(
        self, reason: str, fetches: Sequence[str], shapes: Sequence[tuple[int, ...]]
    ) -> None:
        with self._lock:
            self._plans.append(
                {"reason": reason, "fetches": list(fetches), "feeds": [list(s) for s in shapes]}
            )

    def arena(self, nbytes: int) -> None:
        with self._lock:
            self._peak_bytes = max(self._peak_bytes, nbytes)

    def add_source(self, name: str, read: Callable[[], dict[str, Any]]) -> None:
        """Counters kept elsewhere (kernels, pool), merged into the dict."""
        self._sources[name] = read

    def read(self) -> dict[str, Any]:
        """kernels_compiled, kernels_from_cache, plans_built (with reasons), bytes, peak memory."""
        with self._lock:
            out: dict[str, Any] = {
                "plans_built": len(self._plans),
                "plans": [dict(p) for p in self._plans],
                "arena_peak_bytes": self._peak_bytes,
            }
        for read in self._sources.values():
            out.update(read())
        return out


STATS = Stats()


def stats() -> dict[str, Any]:
    """What graphc did in this process: plans built and why, kernels compiled or found, bytes."""
    return STATS.read()
