"""The memory plan: offsets of temporaries in one arena, from their sizes and lifetimes.

Lives here: Request, plan_arena. Imports nothing of graphc.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

ALIGN = 64


@dataclass(frozen=True)
class Request:
    """nbytes that live from step `first` to step `last`, both included."""

    nbytes: int
    first: int
    last: int


@dataclass(frozen=True)
class ArenaPlan:
    """offsets: one a request, multiples of ALIGN. nbytes: the arena. requested: without reuse."""

    offsets: tuple[int, ...]
    nbytes: int
    requested: int


def rounded(nbytes: int) -> int:
    """At least one line, so that empty tensors have an address of their own."""
    return max(ALIGN, -(-nbytes // ALIGN) * ALIGN)


def plan_arena(requests: Sequence[Request]) -> ArenaPlan:
    """Best fit in the order of first use; blocks whose last use has passed are free again."""
    offsets = [0] * len(requests)
    order = sorted(range(len(requests)), key=lambda k: (requests[k].first, -requests[k].nbytes))
    busy: list[tuple[int, int, int]] = []  # (last, offset, size)
    free: list[tuple[int, int]] = []  # (offset, size), sorted
    top = 0
    for k in order:
        request = requests[k]
        while busy and busy[0][0] < request.first:
            _, offset, size = heapq.heappop(busy)
            _release(free, offset, size)
        size = rounded(request.nbytes)
        offset, top = _take(free, size, top)
        offsets[k] = offset
        heapq.heappush(busy, (request.last, offset, size))
    return ArenaPlan(tuple(offsets), top, sum(rounded(r.nbytes) for r in requests))


def _take(free: list[tuple[int, int]], size: int, top: int) -> tuple[int, int]:
    """(offset, new top): the smallest free block that holds `size`, else more arena."""
    best = -1
    for n, (_, have) in enumerate(free):
        if have >= size and (best < 0 or have < free[best][1]):
            best = n
    if best >= 0:
        offset, have = free.pop(best)
        if have > size:
            _release(free, offset + size, have - size)
        return offset, top
    if free and free[-1][0] + free[-1][1] == top:
        # grow the block at the end instead of leaving it behind
        offset, have = free.pop()
        return offset, offset + size
    return top, top + size


def _release(free: list[tuple[int, int]], offset: int, size: int) -> None:
    """Puts a block back, joined with its neighbours."""
    lo, hi = 0, len(free)
    while lo < hi:
        mid = (lo + hi) // 2
        if free[mid][0] < offset:
            lo = mid + 1
        else:
            hi = mid
    if lo < len(free) and offset + size == free[lo][0]:
        size += free[lo][1]
        free.pop(lo)
    if lo > 0 and free[lo - 1][0] + free[lo - 1][1] == offset:
        offset, size = free[lo - 1][0], free[lo - 1][1] + size
        free.pop(lo - 1)
        lo -= 1
    free.insert(lo, (offset, size))
