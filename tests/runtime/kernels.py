"""Tiny kernels for tests of driver, frames and threads."""

from __future__ import annotations

import functools

import numpy as np

from graphc.runtime import jit

_ADD = """
define void @add(ptr %args, i64 %lo, i64 %hi) {
entry:
  %x = load ptr, ptr %args
  br label %head
head:
  %i = phi i64 [%lo, %entry], [%next, %body]
  %more = icmp slt i64 %i, %hi
  br i1 %more, label %body, label %exit
body:
  %p = getelementptr float, ptr %x, i64 %i
  %v = load float, ptr %p
  %w = fadd float %v, 1.0
  store float %w, ptr %p
  %next = add i64 %i, 1
  br label %head
exit:
  ret void
}
"""

# args: [rows, count]; appends (lo, hi) to rows.
_LOG = """
define void @log(ptr %args, i64 %lo, i64 %hi) {
  %rows = load ptr, ptr %args
  %count = getelementptr i64, ptr %args, i64 1
  %at = atomicrmw add ptr %count, i64 2 seq_cst
  %p = getelementptr i64, ptr %rows, i64 %at
  %q = getelementptr i64, ptr %p, i64 1
  store i64 %lo, ptr %p
  store i64 %hi, ptr %q
  ret void
}
"""

# args: [x, y, out]: out = x + y.
_SUM = """
define void @sum(ptr %args, i64 %lo, i64 %hi) {
entry:
  %x = load ptr, ptr %args
  %y.p = getelementptr ptr, ptr %args, i64 1
  %y = load ptr, ptr %y.p
  %o.p = getelementptr ptr, ptr %args, i64 2
  %o = load ptr, ptr %o.p
  br label %head
head:
  %i = phi i64 [%lo, %entry], [%next, %body]
  %more = icmp slt i64 %i, %hi
  br i1 %more, label %body, label %exit
body:
  %a.p = getelementptr float, ptr %x, i64 %i
  %b.p = getelementptr float, ptr %y, i64 %i
  %c.p = getelementptr float, ptr %o, i64 %i
  %a = load float, ptr %a.p
  %b = load float, ptr %b.p
  %c = fadd float %a, %b
  store float %c, ptr %c.p
  %next = add i64 %i, 1
  br label %head
exit:
  ret void
}
"""


@functools.cache
def _kernels() -> dict[str, int]:
    return jit.compile_and_load(_ADD + _LOG + _SUM, ["add", "log", "sum"])


def add_kernel() -> int:
    """args [x]: x[lo:hi] += 1, float32."""
    return _kernels()["add"]


def log_kernel() -> int:
    """args of a `Log`: notes down (lo, hi)."""
    return _kernels()["log"]


def sum_kernel() -> int:
    """args [x, y, out]: out[lo:hi] = x + y, float32."""
    return _kernels()["sum"]


class Log:
    """The (lo, hi) pairs that `log_kernel` saw."""

    def __init__(self, capacity: int = 10000) -> None:
        self._rows = np.zeros((capacity, 2), np.int64)
        self._args = np.array([self._rows.ctypes.data, 0], np.int64)
        self.address: int = self._args.ctypes.data

    def pieces(self) -> list[tuple[int, int]]:
        """The pairs, sorted."""
        count = int(self._args[1]) // 2
        return sorted((int(lo), int(hi)) for lo, hi in self._rows[:count])
