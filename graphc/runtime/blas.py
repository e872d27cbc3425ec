"""NumPy's own OpenBLAS, called by function pointer from compiled plans.

Here: finding the library that NumPy already loaded, the addresses of its products, and the LLVM IR
of the kernel that calls one. Not here: which products go to BLAS and how they are cut (`runtime`'s
plan), and generated tiles (`kernel.tiles`). Imported by `runtime`; needs `runtime.cache` only.

A product kernel has the ABI of every kernel, void(args, lo, hi), over the rows of C, all batches
one after the other (batch * M rows): row r belongs to batch r // M. Its slots:

A, B, C     addresses; C = op(A) op(B), or C += with `accumulate`; row-major
FN          `gemm_address(dtype)`: addresses never stand in code, which is cached across processes
STATE       `state_address()`
M, N, K     rows of one C, columns of C, length of the inner axis
LDA.. LDC   elements from one row of the stored matrix to the next, at least its columns and 1
            (NumPy's strides of empty arrays are less than that)
STRIDE_A..  elements from one batch to the next, 0 for an operand all batches share; read only by
            kernels printed with `batched`

Threads. A chunk is computed by one thread: the driver has cut the rows already, by shape alone, so
the bits do not depend on the number of threads. OpenBLAS (0.3.31, the pthreads build of NumPy's
wheels) has one setting for the whole process; its `set_num_threads_local` sets that one too, found
by trying it on 2026-11-21. So a kernel sets it to 1 on entry and, when the last kernel inside
leaves, puts the user's number back. Only NumPy calls that other Python threads make meanwhile see
the 1. With 20 ns a kernel this costs nothing beside a product worth giving to BLAS.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graphc.runtime import cache
from graphc.runtime.once import once

SLOTS = (
    A, B, C, FN, STATE, M, N, K, LDA, LDB, LDC, STRIDE_A, STRIDE_B, STRIDE_C,
) = tuple(range(14))  # fmt: skip

# NumPy's wheels by age: the prefix and suffix of every symbol, 64-bit integers in both.
_MANGLINGS = (("scipy_", "64_"), ("", "64_"))
_FOLDERS = ("../numpy.libs", ".dylibs", ".libs")
_NAMES = ("*openblas64_*",)

_LOCK, _USERS, _SAVED, _GET, _SET, _ENTER, _LEAVE = range(7)

_GUARD = """
define void @graphc_blas_enter(ptr %s) {
entry:
  call void @lock(ptr %s)
  %users.p = getelementptr i64, ptr %s, i64 1
  %users = load i64, ptr %users.p
  %users1 = add i64 %users, 1
  store i64 %users1, ptr %users.p
  %first = icmp eq i64 %users, 0
  br i1 %first, label %limit, label %exit
limit:
  %get.p = getelementptr i64, ptr %s, i64 3
  %get = load ptr, ptr %get.p
  %now = call i32 %get()
  %saved = sext i32 %now to i64
  %saved.p = getelementptr i64, ptr %s, i64 2
  store i64 %saved, ptr %saved.p
  %several = icmp ne i32 %now, 1
  br i1 %several, label %set, label %exit
set:
  %set.p = getelementptr i64, ptr %s, i64 4
  %setter = load ptr, ptr %set.p
  call void %setter(i32 1)
  br label %exit
exit:
  store atomic i64 0, ptr %s release, align 8
  ret void
}
define void @graphc_blas_leave(ptr %s) {
entry:
  call void @lock(ptr %s)
  %users.p = getelementptr i64, ptr %s, i64 1
  %users = load i64, ptr %users.p
  %users1 = sub i64 %users, 1
  store i64 %users1, ptr %users.p
  %saved.p = getelementptr i64, ptr %s, i64 2
  %saved = load i64, ptr %saved.p
  %last = icmp eq i64 %users1, 0
  %several = icmp ne i64 %saved, 1
  %restore = and i1 %last, %several
  br i1 %restore, label %set, label %exit
set:
  %set.p = getelementptr i64, ptr %s, i64 4
  %setter = load ptr, ptr %set.p
  %number = trunc i64 %saved to i32
  call void %setter(i32 %number)
  br label %exit
exit:
  store atomic i64 0, ptr %s release, align 8
  ret void
}
define private void @lock(ptr %s) {
entry:
  br label %try
try:
  %swap = cmpxchg ptr %s, i64 0, i64 1 acquire monotonic
  %got = extractvalue {i64, i1} %swap, 1
  br i1 %got, label %exit, label %try
exit:
  ret void
}
"""

_KERNEL_HEAD = """
define void @{name}(ptr %args, i64 %lo, i64 %hi) {{
entry:
{loads}
  %enter.p = getelementptr ptr, ptr %state, i64 {enter}
  %enter = load ptr, ptr %enter.p
  %leave.p = getelementptr ptr, ptr %state, i64 {leave}
  %leave = load ptr, ptr %leave.p
  call void %enter(ptr %state)
"""
_CALL = """
  %ap = getelementptr {type}, ptr {a}, i64 {a_at}
  %c_at = mul i64 {row}, %ldc
  %cp = getelementptr {type}, ptr {c}, i64 %c_at
  call void %fn(i32 101, i32 {op_a}, i32 {op_b}, i64 {rows}, i64 %n, i64 %k, {type} 1.0,
    ptr %ap, i64 %lda, ptr {b}, i64 %ldb, {type} {beta}, ptr %cp, i64 %ldc)
"""
_BATCH_HEAD = """
  br label %head
head:
  %r = phi i64 [%lo, %entry], [%r1, %body]
  %more = icmp slt i64 %r, %hi
  br i1 %more, label %body, label %exit
body:
  %batch = sdiv i64 %r, %m
  %before = mul i64 %batch, %m
  %i = sub i64 %r, %before
  %left = sub i64 %m, %i
  %want = sub i64 %hi, %r
  %short = icmp slt i64 %left, %want
  %rows = select i1 %short, i64 %left, i64 %want
  %batch.a = mul i64 %batch, %stride_a
  %batch.b = mul i64 %batch, %stride_b
  %batch.c = mul i64 %batch, %stride_c
  %a.b = getelementptr {type}, ptr %a, i64 %batch.a
  %b.b = getelementptr {type}, ptr %b, i64 %batch.b
  %c.b = getelementptr {type}, ptr %c, i64 %batch.c
"""
_BATCH_TAIL = """
  %r1 = add i64 %r, %rows
  br label %head
exit:
"""
_KERNEL_TAIL = """
  call void %leave(ptr %state)
  ret void
}
"""
_TYPES = {"float32": "float", "float64": "double"}


def gemm_kernel_ir(
    name: str,
    dtype: Any,
    trans_a: bool = False,
    trans_b: bool = False,
    batched: bool = False,
    accumulate: bool = False,
) -> str:
    """The LLVM IR of a product kernel `name`, with nothing in it but that function.

    C (M, N) = op(A) op(B) for float32 or float64; A is stored (M, K), or (K, M) with `trans_a`, B
    likewise. With `accumulate` the product is added to what C holds. Raises ValueError for another
    dtype.
    """
    key = np.dtype(dtype).name
    if key not in _TYPES:
        raise ValueError(f"BLAS multiplies float32 and float64, not {key}")
    loads = "\n".join(
        f"  %{slot}.p = getelementptr i64, ptr %args, i64 {number}\n"
        f"  %{slot} = load {'ptr' if number <= STATE else 'i64'}, ptr %{slot}.p"
        for slot, number in _slots(batched).items()
    )
    row = "%i" if batched else "%lo"
    fields = {
        "type": _TYPES[key],
        "row": row,
        "rows": "%rows",
        "a": "%a.b" if batched else "%a",
        "b": "%b.b" if batched else "%b",
        "c": "%c.b" if batched else "%c",
        "a_at": row if trans_a else "%a_row",
        "op_a": 112 if trans_a else 111,
        "op_b": 112 if trans_b else 111,
        "beta": "1.0" if accumulate else "0.0",
    }
    call = ("" if trans_a else f"  %a_row = mul i64 {row}, %lda") + _CALL.format(**fields)
    body = "  %rows = sub i64 %hi, %lo\n" + call
    if batched:
        body = _BATCH_HEAD.format(**fields) + call + _BATCH_TAIL
    head = _KERNEL_HEAD.format(name=name, loads=loads, enter=_ENTER, leave=_LEAVE)
    return head + body + _KERNEL_TAIL


def _slots(batched: bool) -> dict[str, int]:
    slots = {
        "a": A, "b": B, "c": C, "fn": FN, "state": STATE, "n": N, "k": K,
        "lda": LDA, "ldb": LDB, "ldc": LDC,
    }  # fmt: skip
    if batched:
        slots |= {"m": M, "stride_a": STRIDE_A, "stride_b": STRIDE_B, "stride_c": STRIDE_C}
    return slots


@dataclass(frozen=True)
class _Library:
    """What was found of an OpenBLAS: addresses by role, and its path for people."""

    path: str
    handle: Any
    gemm: dict[str, int]
    get: int
    set: int
    config: str


@once
def _library() -> _Library | None:
    folder = Path(np.__file__).parent
    for place in _FOLDERS:
        for pattern in _NAMES:
            for path in sorted((folder / place).resolve().glob(pattern)):
                found = _open(path)
                if found:
                    return found
    return None


def _open(path: Path) -> _Library | None:
    try:
        handle = ctypes.CDLL(str(path))  # NumPy has it open: this is the same library again
    except OSError:
        return None
    for prefix, suffix in _MANGLINGS:
        names = {
            "float32": f"{prefix}cblas_sgemm{suffix}",
            "float64": f"{prefix}cblas_dgemm{suffix}",
            "get": f"{prefix}openblas_get_num_threads{suffix}",
            "set": f"{prefix}openblas_set_num_threads{suffix}",
            "config": f"{prefix}openblas_get_config{suffix}",
        }
        if not all(hasattr(handle, name) for name in names.values()):
            continue
        at = {role: _address(getattr(handle, name)) for role, name in names.items()}
        config = ctypes.CFUNCTYPE(ctypes.c_char_p)(at["config"])().decode()
        gemm = {dtype: at[dtype] for dtype in _TYPES}
        return _Library(str(path), handle, gemm, at["get"], at["set"], config)
    return None


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def available() -> bool:
    """Was an OpenBLAS with 64-bit integers found beside NumPy? False: plans use their own tiles."""
    return _library() is not None


def description() -> str:
    """OpenBLAS's own line about version, threads and processor; "" without it.

    A processor name other than the machine's ("Haswell" on a newer one) tells that
    OPENBLAS_CORETYPE is set in the environment, which can halve the speed.
    """
    library = _library()
    return library.config if library else ""


def gemm_address(dtype: Any) -> int | None:
    """The address of cblas_?gemm for float32 or float64; None for others and without BLAS."""
    library = _library()
    return library.gemm.get(np.dtype(dtype).name) if library else None


@once
def _state() -> np.ndarray:
    """The words every product kernel shares: the lock, the users inside, the number to restore."""
    library = _library()
    if library is None:
        raise LookupError("no OpenBLAS beside NumPy; see blas.available")
    code = cache.library(_GUARD, ["graphc_blas_enter", "graphc_blas_leave"], name="blas")
    state = np.zeros(8, np.int64)
    state[_GET], state[_SET] = library.get, library.set
    state[_ENTER], state[_LEAVE] = code["graphc_blas_enter"], code["graphc_blas_leave"]
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)
    return state


def _after_fork() -> None:
    """The kernels that other threads were inside do not go on in the child."""
    state = _state()
    inside = state[_USERS] > 0
    state[_LOCK] = state[_USERS] = 0
    if inside:
        ctypes.PYFUNCTYPE(None, ctypes.c_int)(int(state[_SET]))(int(state[_SAVED]))


def state_address() -> int:
    """What goes into the STATE slot. Raises LookupError unless `available()`."""
    return int(_state().ctypes.data)


def get_num_threads() -> int:
    """The threads NumPy's own products use at this moment; 1 without OpenBLAS."""
    library = _library()
    return int(ctypes.PYFUNCTYPE(ctypes.c_int)(library.get)()) if library else 1


@contextlib.contextmanager
def single_threaded() -> Iterator[None]:
    """NumPy's products of the block run on the calling thread alone, as those of kernels do."""
    if not available():
        yield
        return
    state = _state()
    address, kind = state.ctypes.data, ctypes.PYFUNCTYPE(None, ctypes.c_void_p)
    kind(int(state[_ENTER]))(address)
    try:
        yield
    finally:
        kind(int(state[_LEAVE]))(address)
