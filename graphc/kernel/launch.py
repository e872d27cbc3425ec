"""How a nest is launched on a GPU: who does an iteration, blocks, grid, memory of a block.

Lives here: Gpu (what a device can do), Launch, plan_launch. Not here: which loops became parallel
(kernel/spread.py), how a nest is printed (render/numba_cuda_source.py). Only kernel/ is imported.

Who works together on an iteration (the team) depends on the nest alone, never on the device or on
the grid: a team adds up in a fixed order, so the same nest gives the same bits on every GPU.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphc.ir.shape import SymDim
from graphc.kernel.expr import Prim
from graphc.kernel.linear import add, quick_linear
from graphc.kernel.nest import Accum, For, Kernel, Stmt, Update, statements
from graphc.kernel.space import guess

WARP = 32
_FLAT_BLOCK = 256  # threads of a block where each does its own iterations
_NARROW = 8  # rows of fewer elements than this are a thread each
_EACH = 4  # elements a thread of a row should have, at least
_WARP_ROW = 512  # longest row that a warp does
_WAVES = 8  # blocks a multiprocessor gets one after another, before threads do several items
SHARED = 40 * 1024  # bytes of row memory of a block, on every device; its joins need some too


@dataclass(frozen=True)
class Gpu:
    """What a device can do.

    Attributes:
        cc: compute capability. sms: multiprocessors. bandwidth: of memory, bytes a second.
        cache: bytes of the second level. registers: of a multiprocessor.
    """

    name: str
    cc: tuple[int, int]
    sms: int
    bandwidth: float
    cache: int
    block_threads: int = 1024
    sm_threads: int = 2048
    sm_blocks: int = 32
    registers: int = 65536


A100 = Gpu("A100", (8, 0), 108, 1.94e12, 40 << 20)
H200 = Gpu("H200", (9, 0), 132, 4.8e12, 50 << 20)


@dataclass(frozen=True)
class Launch:
    """How one nest runs.

    Attributes:
        form: "threads" (an iteration of the parallel loop is a thread's), "warps" or "blocks" (a
            team's, whose threads share its vector loops), "alone" (one thread does everything).
        team: threads of an iteration. block: threads of a block, a multiple of 32 but for "alone".
        shared: bytes of shared memory of a block. reason: for people.
    """

    form: str
    team: int
    block: int
    shared: int
    reason: str

    @property
    def teams(self) -> int:
        """Iterations that a block does at a time."""
        return self.block // self.team

    def grid(self, extent: int, gpu: Gpu) -> int:
        """Blocks for so many iterations: all at once where they fit, else a few waves."""
        wanted = -(-extent // self.teams)
        resident = min(gpu.sm_blocks, gpu.sm_threads // max(self.block, WARP))
        return max(1, min(wanted, gpu.sms * resident * _WAVES))

    def items(self, extent: int, gpu: Gpu) -> int:
        """Iterations that the busiest thread (or team) does."""
        return -(-extent // (self.grid(extent, gpu) * self.teams))


def plan_launch(kernel: Kernel, most: int = 1024) -> Launch:
    """The launch of a nest; give it the one that will be printed (see kernel/spread.py).

    Args:
        most: threads of a block at most, a power of two from 32 on.
    """
    parallel = _parallel(kernel)
    body = kernel.body if parallel is None else parallel.body
    rows = 1 if parallel is None else guess(kernel.extent)
    lengths = [] if _flat(parallel) else _lengths(body)
    length = max(lengths, default=0)
    if not lengths or not _shareable(body):
        return _by_threads(kernel, parallel is None, most)
    if length < _NARROW and rows >= _FLAT_BLOCK:
        why = f"rows of {length} elements: too short to share"
        return _by_threads(kernel, False, most, why)
    return _by_teams(kernel, length, most, parallel is None)


def _parallel(kernel: Kernel) -> For | None:
    first = kernel.body[0] if len(kernel.body) == 1 else None
    return first if isinstance(first, For) and first.kind == "parallel" else None


def _flat(loop: For | None) -> bool:
    return loop is not None and loop.lanes > 1


def _lengths(body: tuple[Stmt, ...]) -> list[int]:
    """About how long the vector loops are that threads can share."""
    out = []
    for stmt in statements(body):
        if isinstance(stmt, For) and stmt.kind == "vector":
            out.append(_length(stmt))
    return out


def _length(loop: For) -> int:
    """How far the bounds are apart; of a part that ends with the whole, the part."""
    hi = loop.hi
    if isinstance(hi, Prim) and hi.name == "min":
        hi = hi.args[0]
    low, high = quick_linear(loop.lo), quick_linear(hi)
    if low is None or high is None:
        return guess(loop.axis.extent)
    between = add(high, low, -1)
    return guess(between.const if between.is_const else loop.axis.extent)


def _shareable(body: tuple[Stmt, ...]) -> bool:
    """Whether vector loops update only accumulators that are theirs or that they reduce."""
    for stmt in statements(body):
        if not isinstance(stmt, For) or stmt.kind != "vector":
            continue
        inside = list(statements(stmt.body))
        own = {s.local for s in inside if isinstance(s, Accum)} | set(stmt.reduces)
        if any(s.local not in own for s in inside if isinstance(s, Update)):
            return False
    return True


def _row_bytes(kernel: Kernel) -> int:
    return sum(guess(r.shape[0]) * max(1, r.dtype.size) for r in kernel.rows)


def _by_threads(kernel: Kernel, alone: bool, most: int, why: str = "") -> Launch:
    if alone:
        return Launch("alone", 1, 1, 0, "no parallel loop: one thread does everything")
    extent = kernel.extent if isinstance(kernel.extent, SymDim) else f"{kernel.extent:,}"
    reason = f"a thread an iteration of {extent}" + (f"; {why}" if why else "")
    return Launch("threads", 1, min(_FLAT_BLOCK, most), 0, reason)


def _by_teams(kernel: Kernel, length: int, most: int, single: bool) -> Launch:
    memory = _row_bytes(kernel)
    team = WARP
    if length > _WARP_ROW or memory > 2048 or (single and length > 2 * WARP):
        while team < most and team * _EACH < length:
            team *= 2
    if team > WARP:
        block = team
        reason = f"rows of {length:,} elements: a block of {team} threads a row"
    else:
        block = WARP if single else min(4 * WARP, most)
        reason = f"rows of {length:,} elements: a warp a row"
    if memory > SHARED:
        why = f"{memory:,} bytes of row memory do not fit into a block's"
        return _by_threads(kernel, single, most, why)
    while memory * (block // team) > SHARED:
        block //= 2
    shared = memory * (block // team)
    if shared:
        reason += f"; {shared:,} bytes of row memory a block"
    return Launch("blocks" if team > WARP else "warps", team, block, shared, reason)


def launch_text(launch: Launch, extent: int, gpu: Gpu) -> str:
    """The launch in one line, for explain."""
    return grid_text(launch.grid(extent, gpu), launch.block, gpu, launch.reason)


def grid_text(blocks: int, threads: int, gpu: Gpu, reason: str) -> str:
    """Blocks and threads in one line, and why."""
    grid = "1 block" if blocks == 1 else f"{blocks:,} blocks"
    return f"{grid} of {threads} on {gpu.name} ({reason})"


__all__ = ["A100", "H200", "WARP", "Gpu", "Launch", "grid_text", "launch_text", "plan_launch"]
