"""The fast entry of a plan: checks arrays, binds their addresses and drives, without Python code.

Here: `Frame`, its LLVM IR, and the self-test of NumPy's array layout it relies on. Not here: the
walk itself (`runtime.driver`). Imported by `runtime` and `session`; needs `driver` and `cache`.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphc.runtime import cache, driver
from graphc.runtime.once import once

# Words of a frame's header, then ARG_WORDS for each argument, then dims and slot addresses.
(
    _TABLE, _START, _STEPS, _POOL, _PROFILE, _RELEASE_GIL, _NARGS,
    _LONG, _SAVE, _RESTORE, _ARRAY_TYPE, _WALK, _WALK_PROFILE,
) = range(13)  # fmt: skip
_HEADER_WORDS = 16
_DESCR, _ND, _FLAGS, _DIMS, _NSLOTS, _SLOTS = range(6)
_ARG_WORDS = 8

# Where the fields of a NumPy array are (64-bit, object header of 16 bytes); see `supported`.
_DATA_AT, _ND_AT, _DIMS_AT, _DESCR_AT, _FLAGS_AT = 16, 24, 32, 56, 64
_TYPE_AT = 8
_C_CONTIGUOUS, _ALIGNED, _WRITEABLE = 0x1, 0x100, 0x400

# A builtin function of CPython (METH_FASTCALL) whose `self` is the frame, an int64 array.
_FRAME = """
define ptr @graphc_frame(ptr %self, ptr %objects, i64 %given) {{
entry:
  %frame.p = getelementptr i8, ptr %self, i64 {data_at}
  %frame = load ptr, ptr %frame.p
  %nargs.p = getelementptr i64, ptr %frame, i64 {nargs}
  %nargs = load i64, ptr %nargs.p
  %type.p = getelementptr i64, ptr %frame, i64 {array_type}
  %type = load ptr, ptr %type.p
  %fits = icmp eq i64 %nargs, %given
  br i1 %fits, label %args, label %refuse
args:
  %a = phi i64 [0, %entry], [%a1, %bound]
  %pending = icmp slt i64 %a, %nargs
  br i1 %pending, label %arg, label %run
arg:
  %object.p = getelementptr ptr, ptr %objects, i64 %a
  %object = load ptr, ptr %object.p
  %at = mul i64 %a, {arg_words}
  %at1 = add i64 %at, {header_words}
  %spec = getelementptr i64, ptr %frame, i64 %at1
  %t.p = getelementptr i8, ptr %object, i64 {type_at}
  %t = load ptr, ptr %t.p
  %exact = icmp eq ptr %t, %type
  br i1 %exact, label %array, label %refuse
array:
  %descr.p = getelementptr i8, ptr %object, i64 {descr_at}
  %descr = load ptr, ptr %descr.p
  %want.descr.p = getelementptr i64, ptr %spec, i64 {descr}
  %want.descr = load ptr, ptr %want.descr.p
  %same.descr = icmp eq ptr %descr, %want.descr
  %nd.p = getelementptr i8, ptr %object, i64 {nd_at}
  %nd = load i32, ptr %nd.p
  %want.nd.p = getelementptr i64, ptr %spec, i64 {nd}
  %want.nd = load i64, ptr %want.nd.p
  %nd64 = sext i32 %nd to i64
  %same.nd = icmp eq i64 %nd64, %want.nd
  %flags.p = getelementptr i8, ptr %object, i64 {flags_at}
  %flags = load i32, ptr %flags.p
  %flags64 = zext i32 %flags to i64
  %want.flags.p = getelementptr i64, ptr %spec, i64 {flags}
  %want.flags = load i64, ptr %want.flags.p
  %have.flags = and i64 %flags64, %want.flags
  %same.flags = icmp eq i64 %have.flags, %want.flags
  %both = and i1 %same.descr, %same.nd
  %all = and i1 %both, %same.flags
  br i1 %all, label %shape, label %refuse
shape:
  %dims.p = getelementptr i8, ptr %object, i64 {dims_at}
  %dims = load ptr, ptr %dims.p
  %want.dims.p = getelementptr i64, ptr %spec, i64 {dims}
  %want.dims = load ptr, ptr %want.dims.p
  br label %axes
axes:
  %d = phi i64 [0, %shape], [%d1, %axis]
  %inside = icmp slt i64 %d, %want.nd
  br i1 %inside, label %axis, label %bind
axis:
  %dim.p = getelementptr i64, ptr %dims, i64 %d
  %dim = load i64, ptr %dim.p
  %want.dim.p = getelementptr i64, ptr %want.dims, i64 %d
  %want.dim = load i64, ptr %want.dim.p
  %d1 = add i64 %d, 1
  %same.dim = icmp eq i64 %dim, %want.dim
  br i1 %same.dim, label %axes, label %refuse
bind:
  %data.p = getelementptr i8, ptr %object, i64 {data_at}
  %data = load ptr, ptr %data.p
  %nslots.p = getelementptr i64, ptr %spec, i64 {nslots}
  %nslots = load i64, ptr %nslots.p
  %slots.p = getelementptr i64, ptr %spec, i64 {slots}
  %slots = load ptr, ptr %slots.p
  br label %slots.head
slots.head:
  %s = phi i64 [0, %bind], [%s1, %slot]
  %unbound = icmp slt i64 %s, %nslots
  br i1 %unbound, label %slot, label %bound
slot:
  %slot.pp = getelementptr ptr, ptr %slots, i64 %s
  %slot.p = load ptr, ptr %slot.pp
  store ptr %data, ptr %slot.p
  %s1 = add i64 %s, 1
  br label %slots.head
bound:
  %a1 = add i64 %a, 1
  br label %args
run:
  %code = call i64 @graphc_run(ptr %frame)
  %raised = icmp eq i64 %code, {interrupted}
  br i1 %raised, label %raise, label %answer
raise:
  ret ptr null
refuse:
  %bad = phi i64 [%given, %entry], [%a, %arg], [%a, %array], [%a, %axis]
  br label %answer
answer:
  %result = phi i64 [%code, %run], [%bad, %refuse]
  %long.p = getelementptr i64, ptr %frame, i64 {long}
  %long = load ptr, ptr %long.p
  %integer = call ptr %long(i64 %result)
  ret ptr %integer
}}
define i64 @graphc_run(ptr %frame) {{
entry:
  %release.p = getelementptr i64, ptr %frame, i64 {release_gil}
  %release = load i64, ptr %release.p
  %free = icmp ne i64 %release, 0
  br i1 %free, label %parallel, label %plain
plain:
  %code.plain = call i64 @walk(ptr %frame)
  ret i64 %code.plain
parallel:
  %save.p = getelementptr i64, ptr %frame, i64 {save}
  %save = load ptr, ptr %save.p
  %state = call ptr %save()
  %code.free = call i64 @walk(ptr %frame)
  %restore.p = getelementptr i64, ptr %frame, i64 {restore}
  %restore = load ptr, ptr %restore.p
  call void %restore(ptr %state)
  ret i64 %code.free
}}
define private i64 @walk(ptr %frame) {{
entry:
  %table = load ptr, ptr %frame
  %start.p = getelementptr i64, ptr %frame, i64 {start}
  %start = load i64, ptr %start.p
  %steps.p = getelementptr i64, ptr %frame, i64 {steps}
  %steps = load i64, ptr %steps.p
  %pool.p = getelementptr i64, ptr %frame, i64 {pool}
  %pool = load ptr, ptr %pool.p
  %profile.p = getelementptr i64, ptr %frame, i64 {profile}
  %profile = load ptr, ptr %profile.p
  %off = icmp eq ptr %profile, null
  br i1 %off, label %fast, label %timed
fast:
  %walk.p = getelementptr i64, ptr %frame, i64 {walk}
  %walk = load ptr, ptr %walk.p
  %one = call i64 %walk(ptr %table, i64 %start, i64 %steps, ptr %pool)
  br label %exit
timed:
  %timer.p = getelementptr i64, ptr %frame, i64 {walk_profile}
  %timer = load ptr, ptr %timer.p
  %two = call i64 %timer(ptr %table, i64 %start, i64 %steps, ptr %pool, ptr %profile)
  br label %exit
exit:
  %stop = phi i64 [%one, %fast], [%two, %timed]
  %stopped = icmp sge i64 %stop, 0
  %shifted = sub i64 -2, %stop
  %finished = icmp eq i64 %stop, -1
  %other = select i1 %finished, i64 -1, i64 {interrupted}
  %code = select i1 %stopped, i64 %shifted, i64 %other
  ret i64 %code
}}
"""

SYMBOLS = ("graphc_run", "graphc_frame")


def frame_ir() -> str:
    """The LLVM IR of the entry, from Python and from ctypes."""
    return _FRAME.format(
        data_at=_DATA_AT, nd_at=_ND_AT, dims_at=_DIMS_AT, descr_at=_DESCR_AT, flags_at=_FLAGS_AT,
        type_at=_TYPE_AT, nargs=_NARGS, array_type=_ARRAY_TYPE, arg_words=_ARG_WORDS,
        header_words=_HEADER_WORDS, descr=_DESCR, nd=_ND, flags=_FLAGS, dims=_DIMS,
        nslots=_NSLOTS, slots=_SLOTS, release_gil=_RELEASE_GIL, save=_SAVE, restore=_RESTORE,
        long=_LONG, start=_START, steps=_STEPS, pool=_POOL, profile=_PROFILE, walk=_WALK,
        walk_profile=_WALK_PROFILE, interrupted=-(1 << 63),
    )  # fmt: skip


@once
def _code() -> dict[str, int]:
    return cache.library(frame_ir(), SYMBOLS, name="frame")


@once
def supported() -> bool:
    """Do NumPy arrays lie in memory as compiled code reads them? Checked on real arrays, once."""
    if ctypes.sizeof(ctypes.c_void_p) != 8 or sys.implementation.name != "cpython":
        return False
    if hasattr(sys, "_is_gil_enabled"):  # free-threaded builds have a longer object header
        import sysconfig

        if sysconfig.get_config_var("Py_GIL_DISABLED"):
            return False
    samples = (
        np.zeros((3, 5, 7), np.float32),
        np.zeros((), np.float64),
        np.zeros((4, 6), np.int8).T,
        np.zeros(9, np.bool_)[::2],
    )
    return all(_layout_holds(array) for array in samples)


def _layout_holds(array: np.ndarray) -> bool:
    address = id(array)
    word = ctypes.c_int64.from_address
    flags = ctypes.c_int32.from_address(address + _FLAGS_AT).value
    dims = word(address + _DIMS_AT).value
    return (
        word(address + _TYPE_AT).value == id(np.ndarray)
        and word(address + _DATA_AT).value == array.ctypes.data
        and ctypes.c_int32.from_address(address + _ND_AT).value == array.ndim
        and all(word(dims + 8 * axis).value == size for axis, size in enumerate(array.shape))
        and word(address + _DESCR_AT).value == id(array.dtype)
        and bool(flags & _C_CONTIGUOUS) == array.flags.c_contiguous
        and bool(flags & _ALIGNED) == array.flags.aligned
        and bool(flags & _WRITEABLE) == array.flags.writeable
    )


@dataclass(frozen=True)
class FeedSpec:
    """One array argument of a frame: its dtype and shape, and the slots that get its address."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    slots: tuple[int, ...] = field(default=())  # addresses of 8-byte words

    def accepts(self, array: object, *, writeable: bool = False) -> bool:
        """Would the compiled entry take this object as it is?"""
        return (
            type(array) is np.ndarray
            and array.dtype is self.dtype
            and array.shape == self.shape
            and array.flags.c_contiguous
            and array.flags.aligned
            and (array.flags.writeable or not writeable)
        )


class _MethodDef(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


_METH_FASTCALL = 0x80


@once
def _method() -> _MethodDef:
    """The definition behind every frame's builtin; CPython keeps a pointer to it."""
    return _MethodDef(b"run", _code()["graphc_frame"], _METH_FASTCALL, None)


class Frame:
    """The entry of a plan: `run(*feeds, *outs)` checks arrays, binds their addresses and walks.

    `run` is a builtin function. It raises what a signal handler raises in a loop, and answers an
    int: FINISHED (-1); i >= 0: argument i is not an exact, contiguous, aligned ndarray of its
    spec's dtype and shape (the plan's slow path converts it, or binds another shape, and nothing
    has run); <= -2: step `stopped_at(code)` stopped the walk. i == number of arguments given, when
    that number is wrong. Outputs must be writeable.

    With `release_gil` other Python threads go on during the walk: right for long plans. A frame
    serves one run at a time; without `release_gil` the GIL itself sees to that. The caller keeps
    the table and the memory behind the slots alive; the frame keeps what it was given.
    """

    def __init__(
        self,
        table: np.ndarray,
        feeds: Sequence[FeedSpec],
        outs: Sequence[FeedSpec] = (),
        *,
        pool: int = 0,
        release_gil: bool = False,
        profile: np.ndarray | None = None,
    ) -> None:
        driver.check_table(table, profile)
        self.table = table
        self.profile = profile
        self._specs = tuple(feeds) + tuple(outs)
        self._feeds = len(feeds)
        self._words = self._header(pool, release_gil)
        self._walk = _runner()
        self.run: Callable[..., int] = self._builtin() if supported() else self._run_in_python

    def call(self, feeds: tuple[Any, ...], outs: tuple[Any, ...] = ()) -> int:
        """`run(*feeds, *outs)`."""
        return self.run(*feeds, *outs)

    def bind(self, index: int, array: np.ndarray) -> None:
        """Bind argument `index` by hand, as the slow path does for converted values.

        Raises ValueError if the array does not fit the spec.
        """
        spec = self._specs[index]
        if not spec.accepts(array, writeable=index >= self._feeds):
            raise ValueError(f"argument {index} is not a contiguous {spec.dtype}{spec.shape}")
        address = array.ctypes.data
        for slot in spec.slots:
            ctypes.c_int64.from_address(slot).value = address

    def resume(self, start: int = 0) -> int:
        """Walk from step `start` with what is bound; the codes of `run`."""
        self._words[_START] = start
        try:
            return self._walk(self._words.ctypes.data)
        finally:
            self._words[_START] = 0

    @staticmethod
    def stopped_at(code: int) -> int:
        """The index of the step that stopped the walk, from a code <= -2."""
        return -2 - code

    def _header(self, pool: int, release_gil: bool) -> np.ndarray:
        tail = sum(len(spec.shape) + len(spec.slots) for spec in self._specs)
        first = _HEADER_WORDS + _ARG_WORDS * len(self._specs)
        words = np.zeros(first + tail, np.int64)
        words[_TABLE] = self.table.ctypes.data
        words[_STEPS] = len(self.table)
        words[_POOL] = pool
        words[_PROFILE] = 0 if self.profile is None else self.profile.ctypes.data
        words[_RELEASE_GIL] = release_gil
        words[_NARGS] = len(self._specs)
        words[_LONG : _RESTORE + 1] = _python_api()
        words[_ARRAY_TYPE] = id(np.ndarray)
        words[_WALK] = driver.code()["graphc_drive"]
        if self.profile is not None:
            words[_WALK_PROFILE] = driver.profile_code()["graphc_drive_profile"]
        at = first
        for number, spec in enumerate(self._specs):
            dims, slots = at, at + len(spec.shape)
            at = slots + len(spec.slots)
            words[dims:slots] = spec.shape
            words[slots:at] = spec.slots
            flags = _C_CONTIGUOUS | _ALIGNED | (_WRITEABLE if number >= self._feeds else 0)
            base = words.ctypes.data
            record = _HEADER_WORDS + _ARG_WORDS * number
            words[record : record + 6] = (
                id(spec.dtype), len(spec.shape), flags, base + 8 * dims, len(spec.slots),
                base + 8 * slots,
            )  # fmt: skip
        return words

    def _builtin(self) -> Callable[..., int]:
        new = ctypes.pythonapi.PyCFunction_NewEx
        new.argtypes = (ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)
        new.restype = ctypes.py_object
        function: Callable[..., int] = new(ctypes.addressof(_method()), self._words, None)
        return function

    def _run_in_python(self, *arrays: Any) -> int:
        if len(arrays) != len(self._specs):
            return len(arrays)
        for index, (spec, array) in enumerate(zip(self._specs, arrays, strict=True)):
            if not spec.accepts(array, writeable=index >= self._feeds):
                return index
            self.bind(index, array)
        return self._walk(self._words.ctypes.data)


@once
def _runner() -> Callable[[int], int]:
    # keeps the GIL (the frame itself gives it up, if it shall), and raises what a handler raised
    return ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(_code()["graphc_run"])


@once
def _python_api() -> tuple[int, int, int]:
    api = ctypes.pythonapi
    functions = (api.PyLong_FromLongLong, api.PyEval_SaveThread, api.PyEval_RestoreThread)
    one, two, three = (ctypes.cast(function, ctypes.c_void_p).value or 0 for function in functions)
    return one, two, three
