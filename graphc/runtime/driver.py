"""The compiled driver: walks a plan's table of steps.

Here: the layout of the table and the driver's LLVM IR. Not here: who fills the table
(`runtime.plan`), the workers (`runtime.threads`), and how feeds get in (`runtime.frame`). Imported
by `runtime`; needs `runtime.cache` only.

A kernel is `void k(ptr args, i64 lo, i64 hi)`; `args` points to 8-byte slots (pointers, int64). A
step is STEP_WORDS int64 words, [fn, args, extent, chunk, kind, aux0, aux1, aux2]:

KERNEL  fn over [0, extent) in pieces [0, chunk), [chunk, 2 chunk), ...; chunk <= 0: in one piece.
        More than one piece: split over the pool. Kernels see the same (lo, hi) pairs, however many
        threads there are; the number of a piece is lo / chunk.
CHECK   stop at this step if any of the `extent` int64 status words at args is not zero.
HOST    stop at this step, always: Python does it and resumes behind it.
JUMP    go on at step `extent` (absolute). With aux0 = `signals_address()`, every aux2-th time (aux1
        counts down) Python's signals are looked at, so that Ctrl-C ends a loop that does not.
BRANCH  go on at step `extent` if the byte (a bool) at the address in the slot at args is zero.
BELOW   go on at step `extent` if int64 at args < the int64 at aux0 (an address).
ADD     int64 at args += extent: a loop counter, or a pointer slot that walks along an array.
SET     int64 at args = extent.
MOVE    int64 at args = int64 at extent (an address).
SWAP    exchange the int64 at args and the one at extent (an address): double-buffered loop state.
COPY    copy chunk bytes from the address in the slot at extent to the address in the slot at args.

The last seven are the loops and branches of a plan; everything is data, nothing is recompiled.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable

import numpy as np

from graphc.runtime import cache
from graphc.runtime.once import once

STEP_WORDS = 8
KERNEL, CHECK, HOST, JUMP, BRANCH, ADD, SET, MOVE, SWAP, COPY, BELOW = range(11)
FN, ARGS, EXTENT, CHUNK, KIND, AUX0, AUX1, AUX2 = range(STEP_WORDS)

FINISHED = -1
INTERRUPTED = -2  # a signal handler raised; compiled entries turn this into its exception
PROFILE_WORDS = 4  # of each step: calls, total ns, start of the first call, end of the last one

_DRIVE = """
define i64 @{name}(ptr %table, i64 %start, i64 %steps, ptr %pool{extra}) {{
entry:
  {time_slot}
  %some = icmp ne ptr %pool, null
  br label %head
head:
  %i = phi i64 [%start, %entry], [%next, %tail]
  %owned = phi i1 [false, %entry], [%owned1, %tail]
  %go = icmp slt i64 %i, %steps
  br i1 %go, label %step, label %leave
step:
  %row = mul i64 %i, 8
  %fn.p = getelementptr i64, ptr %table, i64 %row
  %args.p = getelementptr i64, ptr %fn.p, i64 1
  %extent.p = getelementptr i64, ptr %fn.p, i64 2
  %chunk.p = getelementptr i64, ptr %fn.p, i64 3
  %kind.p = getelementptr i64, ptr %fn.p, i64 4
  %args = load ptr, ptr %args.p
  %extent = load i64, ptr %extent.p
  %kind = load i64, ptr %kind.p
  %i1 = add i64 %i, 1
  {clock_before}
  switch i64 %kind, label %leave [
    i64 0, label %kernel
    i64 1, label %check
    i64 3, label %jump
    i64 4, label %branch
    i64 5, label %add
    i64 6, label %set
    i64 7, label %move
    i64 8, label %swap
    i64 9, label %copy
    i64 10, label %below
  ]
kernel:
  %fn = load ptr, ptr %fn.p
  %chunk = load i64, ptr %chunk.p
  %pieces = icmp sgt i64 %chunk, 0
  %large = icmp sgt i64 %extent, %chunk
  %many = and i1 %pieces, %large
  br i1 %many, label %split, label %whole
whole:
  %any = icmp sgt i64 %extent, 0
  br i1 %any, label %call, label %tail
call:
  call void %fn(ptr %args, i64 0, i64 %extent)
  br label %tail
split:
  %ready = and i1 %owned, %some
  br i1 %ready, label %region, label %unowned
unowned:
  br i1 %some, label %acquire, label %serial
acquire:
  %acquire.p = getelementptr i64, ptr %pool, i64 2
  %acquirer = load ptr, ptr %acquire.p
  %got = call i64 %acquirer(ptr %pool)
  %mine = icmp ne i64 %got, 0
  br i1 %mine, label %region, label %serial
region:
  %region.p = getelementptr i64, ptr %pool, i64 3
  %regioner = load ptr, ptr %region.p
  call void %regioner(ptr %pool, ptr %fn, ptr %args, i64 %extent, i64 %chunk)
  br label %tail
serial:
  %lo = phi i64 [0, %unowned], [0, %acquire], [%end, %serial]
  %end = add i64 %lo, %chunk
  %hi = call i64 @llvm.smin.i64(i64 %end, i64 %extent)
  call void %fn(ptr %args, i64 %lo, i64 %hi)
  %more = icmp slt i64 %end, %extent
  br i1 %more, label %serial, label %tail
check:
  %c = phi i64 [0, %step], [%c1, %status]
  %unread = icmp slt i64 %c, %extent
  br i1 %unread, label %status, label %tail
status:
  %c.p = getelementptr i64, ptr %args, i64 %c
  %word = load i64, ptr %c.p
  %c1 = add i64 %c, 1
  %good = icmp eq i64 %word, 0
  br i1 %good, label %check, label %leave
jump:
  %api.p = getelementptr i64, ptr %fn.p, i64 5
  %api = load ptr, ptr %api.p
  %polls = icmp ne ptr %api, null
  br i1 %polls, label %countdown, label %jumped
countdown:
  %turns.p = getelementptr i64, ptr %fn.p, i64 6
  %turns = load i64, ptr %turns.p
  %turns1 = sub i64 %turns, 1
  store i64 %turns1, ptr %turns.p
  %due = icmp slt i64 %turns, 1
  br i1 %due, label %ask, label %jumped
ask:
  %every.p = getelementptr i64, ptr %fn.p, i64 7
  %every = load i64, ptr %every.p
  store i64 %every, ptr %turns.p
  %check.p = getelementptr ptr, ptr %api, i64 1
  %give.p = getelementptr ptr, ptr %api, i64 2
  %take = load ptr, ptr %api
  %signals = load ptr, ptr %check.p
  %give = load ptr, ptr %give.p
  %gil = call i32 %take()
  %raised = call i32 %signals()
  call void %give(i32 %gil)
  %calm = icmp eq i32 %raised, 0
  br i1 %calm, label %jumped, label %leave
jumped:
  br label %tail
branch:
  %flag.p = load ptr, ptr %args
  %flag = load i8, ptr %flag.p
  %no = icmp eq i8 %flag, 0
  %where = select i1 %no, i64 %extent, i64 %i1
  br label %tail
add:
  %old = load i64, ptr %args
  %sum = add i64 %old, %extent
  store i64 %sum, ptr %args
  br label %tail
set:
  store i64 %extent, ptr %args
  br label %tail
move:
  %from = inttoptr i64 %extent to ptr
  %moved = load i64, ptr %from
  store i64 %moved, ptr %args
  br label %tail
swap:
  %other = inttoptr i64 %extent to ptr
  %one = load i64, ptr %args
  %two = load i64, ptr %other
  store i64 %two, ptr %args
  store i64 %one, ptr %other
  br label %tail
copy:
  %source.p = inttoptr i64 %extent to ptr
  %source = load ptr, ptr %source.p
  %target = load ptr, ptr %args
  %bytes = load i64, ptr %chunk.p
  call void @llvm.memmove.p0.p0.i64(ptr %target, ptr %source, i64 %bytes, i1 false)
  br label %tail
below:
  %limit.pp = getelementptr i64, ptr %fn.p, i64 5
  %limit.p = load ptr, ptr %limit.pp
  %limit = load i64, ptr %limit.p
  %value = load i64, ptr %args
  %less = icmp slt i64 %value, %limit
  %onward = select i1 %less, i64 %extent, i64 %i1
  br label %tail
tail:
  %next = phi i64 [%i1, %whole], [%i1, %call], [%i1, %region], [%i1, %serial], [%i1, %check],
    [%extent, %jumped], [%where, %branch], [%i1, %add], [%i1, %set], [%i1, %move], [%i1, %swap],
    [%i1, %copy], [%onward, %below]
  %owned1 = phi i1 [%owned, %whole], [%owned, %call], [true, %region], [%owned, %serial],
    [%owned, %check], [%owned, %jumped], [%owned, %branch], [%owned, %add], [%owned, %set],
    [%owned, %move], [%owned, %swap], [%owned, %copy], [%owned, %below]
  {clock_after}
  br label %head
leave:
  %code = phi i64 [-1, %head], [%i, %step], [%i, %status], [-2, %ask]
  br i1 %owned, label %release, label %exit
release:
  store atomic i64 0, ptr %pool release, align 8
  br label %exit
exit:
  ret i64 %code
}}
"""

_CLOCK_BEFORE = "%before = call i64 @now(ptr %time)"
_CLOCK_AFTER = """%after = call i64 @now(ptr %time)
  %rec = mul i64 %i, 4
  %calls.p = getelementptr i64, ptr %profile, i64 %rec
  %total.p = getelementptr i64, ptr %calls.p, i64 1
  %first.p = getelementptr i64, ptr %calls.p, i64 2
  %last.p = getelementptr i64, ptr %calls.p, i64 3
  %calls = load i64, ptr %calls.p
  %total = load i64, ptr %total.p
  %first = load i64, ptr %first.p
  %calls1 = add i64 %calls, 1
  %spent = sub i64 %after, %before
  %total1 = add i64 %total, %spent
  %new = icmp eq i64 %calls, 0
  %first1 = select i1 %new, i64 %before, i64 %first
  store i64 %calls1, ptr %calls.p
  store i64 %total1, ptr %total.p
  store i64 %first1, ptr %first.p
  store i64 %after, ptr %last.p"""

# Linux and macOS read the monotonic clock without a system call; its number differs.
_NOW_POSIX = """
define private i64 @now(ptr %t) alwaysinline {{
  %e = call i32 @clock_gettime(i32 {clock}, ptr %t)
  %ns.p = getelementptr i64, ptr %t, i64 1
  %s = load i64, ptr %t
  %ns = load i64, ptr %ns.p
  %k = mul i64 %s, 1000000000
  %r = add i64 %k, %ns
  ret i64 %r
}}
declare i32 @clock_gettime(i32, ptr)
"""
_NOW_WINDOWS = """
define private i64 @now(ptr %t) alwaysinline {
  %e = call i32 @QueryPerformanceCounter(ptr %t)
  %s = load i64, ptr %t
  %r = mul i64 %s, 100
  ret i64 %r
}
declare i32 @QueryPerformanceCounter(ptr)
"""

# The entry for ctypes that lets other Python threads run meanwhile.
_FREE = """
define i64 @graphc_drive_free(ptr %table, i64 %start, i64 %steps, ptr %pool, ptr %api) {
  %save.p = getelementptr ptr, ptr %api, i64 3
  %restore.p = getelementptr ptr, ptr %api, i64 4
  %save = load ptr, ptr %save.p
  %restore = load ptr, ptr %restore.p
  %state = call ptr %save()
  %code = call i64 @graphc_drive(ptr %table, i64 %start, i64 %steps, ptr %pool)
  call void %restore(ptr %state)
  ret i64 %code
}
"""

_INTRINSICS = """
declare i64 @llvm.smin.i64(i64, i64)
declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)
"""


def driver_ir() -> str:
    """The LLVM IR of the plain walk, and of its entry for ctypes."""
    plain = _DRIVE.format(
        name="graphc_drive", extra="", time_slot="", clock_before="", clock_after=""
    )
    return plain + _FREE + _INTRINSICS


def profile_ir() -> str:
    """The LLVM IR of the walk that takes the time of every step."""
    profiling = _DRIVE.format(
        name="graphc_drive_profile",
        extra=", ptr %profile",
        time_slot="%time = alloca [2 x i64], align 8",
        clock_before=_CLOCK_BEFORE,
        clock_after=_CLOCK_AFTER,
    )
    clock = _NOW_WINDOWS
    if sys.platform != "win32":
        clock = _NOW_POSIX.format(clock=6 if sys.platform == "darwin" else 1)
    return profiling + clock + _INTRINSICS


@once
def code() -> dict[str, int]:
    """The addresses of the plain walk and its entry, compiled at first use."""
    return cache.library(driver_ir(), ("graphc_drive", "graphc_drive_free"), name="driver")


@once
def profile_code() -> dict[str, int]:
    """The address of the walk that profiles: few processes need it."""
    return cache.library(profile_ir(), ("graphc_drive_profile",), name="driver_profile")


@once
def _api() -> np.ndarray:
    """Addresses of CPython's functions: take and give back the GIL around a look at signals, and
    the two that give it up around a walk. Code never holds them: it is cached across processes.
    """
    api = ctypes.pythonapi
    functions = (
        api.PyGILState_Ensure, api.PyErr_CheckSignals, api.PyGILState_Release,
        api.PyEval_SaveThread, api.PyEval_RestoreThread,
    )  # fmt: skip
    return np.array([ctypes.cast(f, ctypes.c_void_p).value for f in functions], np.int64)


def signals_address() -> int:
    """What a JUMP carries in aux0 to look at signals."""
    return int(_api().ctypes.data)


# PYFUNCTYPE keeps the GIL, and raises what a signal handler raised inside.
@functools.cache
def _entry(name: str, words: int) -> Callable[..., int]:
    found = profile_code() if name == "graphc_drive_profile" else code()
    pointer, word = ctypes.c_void_p, ctypes.c_int64
    more = (pointer,) * (words - 4)
    return ctypes.PYFUNCTYPE(word, pointer, word, word, pointer, *more)(found[name])


def check_table(table: np.ndarray, profile: np.ndarray | None = None) -> None:
    """Raise ValueError unless this is a table, and `profile` has the words for its steps."""
    if table.dtype != np.int64 or table.ndim != 2 or table.shape[1] != STEP_WORDS:
        raise ValueError(f"a table is int64 of shape (steps, {STEP_WORDS})")
    if not table.flags.c_contiguous:
        raise ValueError("a table is contiguous")
    if profile is None:
        return
    enough = profile.dtype == np.int64 and profile.size >= len(table) * PROFILE_WORDS
    if not enough or not profile.flags.c_contiguous:
        raise ValueError(f"a profile is int64, {PROFILE_WORDS} words for each step")


def drive(table: np.ndarray, pool: int = 0, *, start: int = 0, release_gil: bool = False) -> int:
    """Walk an int64 table of shape (steps, STEP_WORDS) from step `start`.

    `pool` is `threads.pool_address()`, or 0 for a serial run. Returns FINISHED, or the index of the
    step that stopped the walk: a CHECK that found a status, or a HOST step. Raises ValueError for
    an array that is no table, and what a signal handler raises in a loop (KeyboardInterrupt).
    """
    check_table(table)
    walk = (table.ctypes.data, start, len(table), pool)
    if release_gil:
        return _entry("graphc_drive_free", 5)(*walk, signals_address())
    return _entry("graphc_drive", 4)(*walk)


def drive_profile(table: np.ndarray, profile: np.ndarray, pool: int = 0, *, start: int = 0) -> int:
    """`drive`, adding each step's calls and times to `profile`, int64 (steps, PROFILE_WORDS).

    Times are nanoseconds of the clock of `time.monotonic_ns`. The stopping step is not counted.
    """
    check_table(table, profile)
    walk = (table.ctypes.data, start, len(table), pool)
    return _entry("graphc_drive_profile", 5)(*walk, profile.ctypes.data)
