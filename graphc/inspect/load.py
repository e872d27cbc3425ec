"""What other programs take of the processors while something is measured.

Lives here: Load. Imported by inspect only; imports nothing of graphc.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

QUIET = 0.15  # of a processor: what a system does anyhow
SHORTEST = 0.1  # seconds below which the kernel's hundredths say nothing
_STAT = Path("/proc/stat")


def _busy() -> float | None:
    """Processor seconds of all programs since the system began; None where it does not tell."""
    try:
        fields = _STAT.read_text().splitlines()[0].split()[1:9]
    except OSError:
        return None
    user, nice, system, _, _, irq, softirq, steal = map(int, fields)
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


class Load:
    """Use it in a `with`. others: processors that were busy for others; None where unknown."""

    others: float | None = None

    def __enter__(self) -> Load:
        self._begin, self._own, self._start = _busy(), sum(os.times()[:4]), time.perf_counter()
        return self

    def __exit__(self, *_: Any) -> None:
        end, seconds = _busy(), time.perf_counter() - self._start
        if end is None or self._begin is None or seconds < SHORTEST:
            return
        own = sum(os.times()[:4]) - self._own
        self.others = max(0.0, (end - self._begin - own) / seconds)


def noise_text(others: float | None) -> str:
    """A sentence about what was measured beside others' work; "" where it was quiet."""
    if others is None or others < QUIET:
        return ""
    return (
        f"other programs kept {others:.1f} of {os.cpu_count() or 1} processors busy meanwhile: "
        "times and their ratios are less sure than on a quiet machine"
    )
