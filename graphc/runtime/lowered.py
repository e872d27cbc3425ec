"""Kernels that were made once, for all groups that are alike.

Lives here: Lowered. Not here: what alike means (fusion/alike.py), who remembers
(runtime/schedule.py). Imports kernel; the scheduler's modules import it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphc.kernel.expr import Buffer
from graphc.kernel.nest import Kernel, renamed


@dataclass(frozen=True)
class Lowered:
    """The kernels of one group, for all that are alike. buffers: in the signature's order."""

    name: str
    kernels: list[Kernel]
    buffers: list[Buffer]

    def again(self, name: str, origins: Sequence[str], buffers: Sequence[Buffer]) -> list[Kernel]:
        """The kernels of another group of the same signature."""
        to = dict(zip(self.buffers, buffers, strict=True))
        for kernel in self.kernels:
            for buffer in kernel.buffers:
                if buffer not in to:  # scratch is named after the group
                    _, *rest = buffer.key[1:]
                    key = (buffer.key[0], name, *rest)
                    text = buffer.name.replace(self.name, name, 1)
                    to[buffer] = Buffer(key, buffer.dtype, buffer.shape, text)
        return [
            renamed(k, k.name.replace(self.name, name, 1), origins, to) for k in self.kernels
        ]
