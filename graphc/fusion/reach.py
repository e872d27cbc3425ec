"""Which units of a growing partition must run before which.

Lives here: Reach. Not here: what may merge (fusion/partition.py). Imports nothing of graphc.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable


class Reach:
    """Bit sets of node positions: the members of each unit, and of all units before it.

    Units are added in the order of the program, and the later one of two that merge holds the
    newest node. So the table is ordered by the last member, and a merge looks only at the units
    that end behind the merged one's first member, not at the whole program.
    """

    def __init__(self) -> None:
        self._members: dict[Hashable, int] = {}
        self._before: dict[Hashable, int] = {}

    def add(self, unit: Hashable, position: int, sources: Iterable[Hashable]) -> None:
        """A new unit of one node; `sources` are the units that it reads."""
        before = 0
        for source in sources:
            before |= self._members[source] | self._before[source]
        self._members[unit] = 1 << position
        self._before[unit] = before

    def between(self, unit: Hashable, sources: Iterable[Hashable]) -> bool:
        """Whether one of `sources` must run after `unit`."""
        members = self._members[unit]
        return any(self._before[source] & members for source in sources)

    def merge(self, first: Hashable, second: Hashable, merged: Hashable) -> None:
        """`merged` takes the place of both."""
        members = self._members.pop(first) | self._members.pop(second)
        before = (self._before.pop(first) | self._before.pop(second)) & ~members
        lowest, reached = members & -members, members | before
        for unit in reversed(self._members):
            if self._members[unit] < lowest:
                break
            if self._before[unit] & members:
                self._before[unit] |= reached
        self._members[merged] = members
        self._before[merged] = before
