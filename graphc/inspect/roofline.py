"""What steps reach of the machine's limits: rates, the least possible time, what bounds it.

Lives here: Rate, rate. Not here: the limits (inspect/limits.py), bytes and operations
(inspect/work.py). Imported by inspect only; imports no plan.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphc.inspect.limits import Limits
from graphc.inspect.work import Work


@dataclass(frozen=True)
class Rate:
    """Some work in some time, against what the machine can do.

    Attributes:
        seconds: that it took. least: that it must take: its bytes at the bandwidth of a working set
            of their size, or its operations at the rate of arithmetic, whichever is longer.
        bound: "memory" or "arithmetic": which of the two.
    """

    seconds: float
    nbytes: int
    flops: int
    least: float
    bound: str

    @property
    def bandwidth(self) -> float:
        """Bytes a second."""
        return self.nbytes / self.seconds if self.seconds else 0.0

    @property
    def arithmetic(self) -> float:
        """Operations a second."""
        return self.flops / self.seconds if self.seconds else 0.0

    @property
    def share(self) -> float:
        """Of the limit that is reached: 1 is all that the machine can do."""
        return self.least / self.seconds if self.seconds else 0.0


def rate(
    work: Work, seconds: float, limits: Limits, dtype: str = "float32", turns: float = 1
) -> Rate:
    """The rate of a step.

    Args:
        work: of one turn. seconds: of all turns. turns: how often it ran, in a loop.
    """
    memory = work.nbytes / limits.bytes_of(work.nbytes) if work.nbytes else 0.0
    arithmetic = work.flops / limits.flops_of(dtype)
    bound = "arithmetic" if arithmetic > memory else "memory"
    return Rate(
        seconds, round(work.nbytes * turns), round(work.flops * turns),
        max(memory, arithmetic) * turns, bound,
    )  # fmt: skip
