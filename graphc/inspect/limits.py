"""What the machine at hand can do at most: multiply-adds a second, bytes a second by working set.

Lives here: Limits, of_machine, measure. Not here: what steps reach of them (inspect/roofline.py).
Imported by inspect only.

Both are measured with compiled kernels of a few instructions, walked by the driver that walks
plans, on as many threads: the arithmetic in registers, the bytes over arrays that fit into each
level of the memory. Reading alone, two reads and a write, and the same with writes past the caches
are tried; the fastest counts. So what a step reaches can be more than these numbers by their noise
only.
"""

from __future__ import annotations

import bisect
import functools
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphc.config import Config, current
from graphc.runtime import cache, driver, jit, threads
from graphc.runtime.hostmem import aligned_empty

SIZES = tuple(1 << n for n in (14, 16, 18, 20, 21, 22, 23, 24, 25, 26, 27))
SECONDS = 1.0  # of one measurement of everything
FAR = 1 << 22  # bytes from which on writes past the caches are tried
_TURNS = 3  # over everything: what else runs on the machine comes and goes
_MORE = 3  # times as long for arithmetic: all threads must get their processors at once
PATIENCE = 0.5  # seconds for which that is tried again
_REPEATS = 3
_ROUNDS = 20000  # steps of 2 * accumulators operations a lane: some hundred microseconds
_TYPES = {"float32": "float", "float64": "double"}


@dataclass(frozen=True)
class Limits:
    """Measured limits.

    Attributes:
        threads: that shared the work. flops: operations a second by dtype; a fused multiply-add is
            two. bandwidth: (bytes of the working set, bytes a second), by size.
    """

    threads: int
    flops: dict[str, float]
    bandwidth: tuple[tuple[int, float], ...]

    def flops_of(self, dtype: str) -> float:
        """Operations a second in a dtype; half types are computed in float32."""
        return self.flops.get(dtype, self.flops["float32"])

    def bytes_of(self, nbytes: int) -> float:
        """Bytes a second over a working set of this size, between the sizes measured."""
        sizes = [size for size, _ in self.bandwidth]
        at = bisect.bisect_left(sizes, nbytes)
        if at == 0 or at == len(sizes):
            return self.bandwidth[min(at, len(sizes) - 1)][1]
        (low, slow), (high, fast) = self.bandwidth[at - 1 : at + 1]
        part = math.log(nbytes / low) / math.log(high / low)
        return slow * (fast / slow) ** part

    @property
    def measured(self) -> bool:
        """Whether there are any: a simulated GPU has none."""
        return math.isfinite(self.memory)

    @property
    def memory(self) -> float:
        """Bytes a second from and to memory: of the largest working set."""
        return self.bandwidth[-1][1]

    def seconds(self, nbytes: int, flops: int, dtype: str = "float32") -> float:
        """The least time for so many bytes and operations."""
        return max(nbytes / self.bytes_of(nbytes), flops / self.flops_of(dtype))

    def to_json(self) -> dict[str, object]:
        return {
            "threads": self.threads,
            "flops_per_second": self.flops,
            "bytes_per_second": [list(pair) for pair in self.bandwidth],
        }

    def __str__(self) -> str:
        rates = ", ".join(f"{rate / 1e9:.0f} GFLOP/s {dtype}" for dtype, rate in self.flops.items())
        near = max(rate for _, rate in self.bandwidth)
        return (
            f"{rates}; {self.memory / 1e9:.0f} GB/s from memory, {near / 1e9:.0f} GB/s from the "
            f"cache; {self.threads} threads"
        )


def of_machine(config: Config | None = None) -> Limits:
    """The machine's limits with the threads of a configuration; measured once a process."""
    config = config or current()
    return _known(config.threads or threads.get_num_threads())


@functools.cache
def _known(count: int) -> Limits:
    return measure(current().replace(threads=count))


def measure(
    config: Config | None = None, seconds: float = SECONDS, sizes: Sequence[int] = SIZES
) -> Limits:
    """Measures the machine; takes about `seconds`, and memory for the largest of `sizes`.

    The best of several repetitions counts, so that what else runs on the machine matters little.
    """
    config = config or current()
    count = config.threads or threads.get_num_threads()
    pool = 0 if count == 1 else threads.pool_address()
    share = seconds / _TURNS / (_MORE * len(_TYPES) + 3 * len(sizes))
    flops = dict.fromkeys(_TYPES, 0.0)
    found = dict.fromkeys(sorted(sizes), 0.0)
    for _ in range(_TURNS):
        for dtype in _TYPES:
            flops[dtype] = _together(dtype, count, pool, share, flops[dtype])
        for size in found:
            ways = ("read", "triad", "streamed") if size >= FAR else ("read", "triad")
            best = max(_bytes(way, size, count, pool, share) for way in ways)
            found[size] = max(found[size], best)
    # a larger set is never faster: what says so is noise
    rates = [max(list(found.values())[at:]) for at in range(len(found))]
    return Limits(count, flops, tuple(zip(found, rates, strict=True)))


def _together(dtype: str, count: int, pool: int, share: float, known: float = 0.0) -> float:
    """Operations a second of all threads, or what is known, if more. Where they reach far less
    than one alone would promise, others hold a processor: it is tried for longer."""
    if count == 1:
        return max(known, _flops(dtype, 1, 0, _MORE * share))
    alone = _flops(dtype, 1, 0, share)
    best, end = known, time.perf_counter() + PATIENCE
    while best == 0.0 or (best < 0.75 * count * alone and time.perf_counter() < end):
        best = max(best, _flops(dtype, count, pool, _MORE * share))
    return best


def _flops(dtype: str, count: int, pool: int, seconds: float) -> float:
    target = jit.host_target()
    lanes = target.vector_bytes // np.dtype(dtype).itemsize
    sums = _accumulators(target)
    out = np.zeros(count * lanes, dtype)
    args = np.array([out.ctypes.data, _ROUNDS], np.int64)
    best = _best("multiply_add_" + dtype, args, count, pool, seconds)
    return 2.0 * lanes * sums * _ROUNDS * count / best


def _bytes(way: str, size: int, count: int, pool: int, seconds: float) -> float:
    """Bytes a second of one way over `size` bytes, a part for each thread."""
    lanes = jit.host_target().vector_bytes // 4
    arrays = 1 if way == "read" else 3
    step = 4 * lanes
    part = max(size // arrays // count // (4 * step), 1) * step  # elements of an array, a thread
    memory = [_touched(part * count) for _ in range(arrays)]
    rounds = max(1, (1 << 19) // (4 * part * arrays))
    slots = [m.ctypes.data for m in memory]
    args = np.array([*slots, *slots[:1] * (3 - arrays), part, rounds], np.int64)
    best = _best(way, args, count, pool, seconds)
    return 4.0 * part * count * arrays * rounds / best


def _touched(elements: int) -> np.ndarray:
    array = aligned_empty((elements,), np.dtype(np.float32))
    array[...] = 1.0
    return array


def _best(name: str, args: np.ndarray, count: int, pool: int, seconds: float) -> float:
    """The fastest run of a kernel over `count` parts."""
    table = np.zeros((1, driver.STEP_WORDS), np.int64)
    table[0, : driver.KIND + 1] = (
        _code()[f"graphc_limit_{name}"], args.ctypes.data, count, int(count > 1), driver.KERNEL
    )
    best, end, turns = math.inf, time.perf_counter() + seconds, 0
    while turns < _REPEATS or time.perf_counter() < end:
        start = time.perf_counter()
        driver.drive(table, pool)
        best = min(best, time.perf_counter() - start)
        turns += 1
    return best


# ------------------------------------------------------------------ the kernels
def _accumulators(target: jit.Target) -> int:
    """Enough to keep two multiply-adders of latency 4 busy, and few enough for the registers."""
    return 20 if target.vector_bytes == 64 else 12


@functools.cache
def _code() -> dict[str, int]:
    target = jit.host_target()
    parts = [_multiply_add(dtype, target) for dtype in _TYPES]
    parts += [_walk(way, target) for way in ("read", "triad", "streamed")]
    names = [f"graphc_limit_multiply_add_{dtype}" for dtype in _TYPES]
    names += [f"graphc_limit_{way}" for way in ("read", "triad", "streamed")]
    text = "\n".join([*parts, "!0 = !{i32 1}", ""])
    return cache.library(text, names, name="limits")


def _multiply_add(dtype: str, target: jit.Target) -> str:
    """s[k] = s[k] * m + a in registers; args: out, rounds."""
    scalar = _TYPES[dtype]
    lanes = target.vector_bytes // np.dtype(dtype).itemsize
    vector, sums = f"<{lanes} x {scalar}>", _accumulators(target)
    suffix = f"v{lanes}f{8 * np.dtype(dtype).itemsize}"
    values = ", ".join([f"{scalar} 0.5"] * lanes)
    phis = "\n".join(
        f"  %s{k} = phi {vector} [<{', '.join([f'{scalar} {k}.0'] * lanes)}>, %body], "
        f"[%t{k}, %loop]"
        for k in range(sums)
    )
    steps = "\n".join(
        f"  %t{k} = call {vector} @llvm.fmuladd.{suffix}({vector} %s{k}, {vector} <{values}>, "
        f"{vector} <{values}>)"
        for k in range(sums)
    )
    joins, last = [], "%t0"
    for k in range(1, sums):
        joins.append(f"  %j{k} = fadd {vector} {last}, %t{k}")
        last = f"%j{k}"
    return f"""
declare {vector} @llvm.fmuladd.{suffix}({vector}, {vector}, {vector})
define void @graphc_limit_multiply_add_{dtype}(ptr %args, i64 %lo, i64 %hi) {{
entry:
  %out = load ptr, ptr %args
  %rounds.p = getelementptr i64, ptr %args, i64 1
  %rounds = load i64, ptr %rounds.p
  br label %head
head:
  %p = phi i64 [%lo, %entry], [%p1, %store]
  %more = icmp slt i64 %p, %hi
  br i1 %more, label %body, label %exit
body:
  br label %loop
loop:
  %r = phi i64 [0, %body], [%r1, %loop]
{phis}
{steps}
  %r1 = add i64 %r, 1
  %again = icmp slt i64 %r1, %rounds
  br i1 %again, label %loop, label %store
store:
{chr(10).join(joins)}
  %at = mul i64 %p, {lanes}
  %out.p = getelementptr {scalar}, ptr %out, i64 %at
  store {vector} {last}, ptr %out.p, align 4
  %p1 = add i64 %p, 1
  br label %head
exit:
  ret void
}}
"""


def _walk(way: str, target: jit.Target) -> str:
    """Passes over arrays, four vectors a step; args: x, y, z, elements of a part, rounds.

    read: sums x. triad: z = x + y; streamed: the same past the caches.
    """
    lanes = target.vector_bytes // 4
    vector, nbytes = f"<{lanes} x float>", target.vector_bytes
    hint = ", !nontemporal !0" if way == "streamed" else ""
    body, sums = [], [f"%a{k}" for k in range(4)]
    for k in range(4):
        body.append(f"  %i{k} = add i64 %i, {k * lanes}")
        body.append(f"  %x{k}.p = getelementptr float, ptr %x.part, i64 %i{k}")
        body.append(f"  %x{k} = load {vector}, ptr %x{k}.p, align {nbytes}")
        if way == "read":
            body.append(f"  %b{k} = fadd {vector} {sums[k]}, %x{k}")
            continue
        body.append(f"  %y{k}.p = getelementptr float, ptr %y.part, i64 %i{k}")
        body.append(f"  %y{k} = load {vector}, ptr %y{k}.p, align {nbytes}")
        body.append(f"  %b{k} = fadd {vector} %x{k}, %y{k}")
        body.append(f"  %z{k}.p = getelementptr float, ptr %z.part, i64 %i{k}")
        body.append(f"  store {vector} %b{k}, ptr %z{k}.p, align {nbytes}{hint}")
    phis = "\n".join(f"  %a{k} = phi {vector} [zeroinitializer, %pass], [%b{k}, %loop]"
                     for k in range(4))  # fmt: skip
    keep = ""
    if way == "read":
        # a use that never comes true, so that the sums are needed
        keep = f"""  %k1 = fadd {vector} %b0, %b1
  %k2 = fadd {vector} %b2, %b3
  %k3 = fadd {vector} %k1, %k2
  %k4 = extractelement {vector} %k3, i64 0
  %never = fcmp olt float %k4, -1.0
  %k5 = select i1 %never, i64 {lanes}, i64 0
  %total.p = getelementptr float, ptr %x.part, i64 %k5
  %kept = load volatile float, ptr %total.p
"""
    return f"""
define void @graphc_limit_{way}(ptr %args, i64 %lo, i64 %hi) {{
entry:
  %x = load ptr, ptr %args
  %y.a = getelementptr i64, ptr %args, i64 1
  %y = load ptr, ptr %y.a
  %z.a = getelementptr i64, ptr %args, i64 2
  %z = load ptr, ptr %z.a
  %part.a = getelementptr i64, ptr %args, i64 3
  %part = load i64, ptr %part.a
  %rounds.a = getelementptr i64, ptr %args, i64 4
  %rounds = load i64, ptr %rounds.a
  br label %head
head:
  %p = phi i64 [%lo, %entry], [%p1, %next]
  %more = icmp slt i64 %p, %hi
  br i1 %more, label %begin, label %exit
begin:
  %at = mul i64 %p, %part
  %x.part = getelementptr float, ptr %x, i64 %at
  %y.part = getelementptr float, ptr %y, i64 %at
  %z.part = getelementptr float, ptr %z, i64 %at
  br label %pass
pass:
  %r = phi i64 [0, %begin], [%r1, %passed]
  br label %loop
loop:
  %i = phi i64 [0, %pass], [%i4, %loop]
{phis if way == "read" else ""}
{chr(10).join(body)}
  %i4 = add i64 %i, {4 * lanes}
  %again = icmp slt i64 %i4, %part
  br i1 %again, label %loop, label %passed
passed:
{keep}  %r1 = add i64 %r, 1
  %repeat = icmp slt i64 %r1, %rounds
  br i1 %repeat, label %pass, label %next
next:
  %p1 = add i64 %p, 1
  br label %head
exit:
  ret void
}}
"""
