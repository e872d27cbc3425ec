"""What a GPU can do at most: multiply-adds a second, bytes a second by working set.

Lives here: GpuLimits, of_device, of_plan, measure. Not here: those of the processor
(inspect/limits.py), what steps reach of them (inspect/roofline.py). Imported by inspect only.

Both are measured on the device with kernels that graphc prints: one copies an array, one has chains
of fused multiply-adds in registers. A kernel is launched many times as one graph, so that what a
launch costs the host does not count; the median of several graphs does. Numba's simulator has no
limits: whatever it takes says nothing of a GPU.
"""

from __future__ import annotations

import ctypes
import functools
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.inspect.launches import device_of
from graphc.inspect.limits import Limits, of_machine
from graphc.ir.dtypes import DType, float32, float64
from graphc.ir.shape import ShapeEnv, SymDim, evaluate, shape_env
from graphc.kernel import prims
from graphc.kernel.expr import Axis, Buffer, Const, Expr, Load, Local, index
from graphc.kernel.nest import For, Kernel, Let, Stmt, Store
from graphc.runtime.gpu.code import nest_code
from graphc.runtime.gpu.device import Argument, Device, simulating
from graphc.runtime.gpu.pool import pool_of

if TYPE_CHECKING:
    from graphc.runtime.plan import CompiledPlan

SIZES = tuple(1 << n for n in (22, 24, 25, 26, 28, 30))
SECONDS = 1.0  # of one measurement of everything
ELEMENTS = 1 << 23  # that the chains of multiply-adds begin with
CHAINS, DEPTH = 4, 64  # of an element: enough to hide what an addition takes
_BLOCK = 2e-3  # seconds that one graph of launches takes at least
_MOST = 500  # launches in a graph
_REPEATS = 5


@dataclass(frozen=True)
class GpuLimits(Limits):
    """Measured limits of a GPU; infinite ones where nothing can be measured.

    Attributes:
        threads: multiprocessors. bandwidth: bytes read and written. device: its name.
    """

    device: str = ""

    def __str__(self) -> str:
        if not self.measured:
            return f"none: {self.device} is no GPU, and its times say nothing of one"
        rates = ", ".join(f"{v / 1e12:.1f} TFLOP/s {dtype}" for dtype, v in self.flops.items())
        near = max(rate for _, rate in self.bandwidth)
        return (
            f"{rates}; {self.memory / 1e9:.0f} GB/s copied in memory, {near / 1e9:.0f} GB/s in the "
            f"cache; {self.device}, {self.threads} multiprocessors"
        )

    def to_json(self) -> dict[str, object]:
        known = super().to_json() if self.measured else {}
        return {**known, "device": self.device}


def of_plan(plan: CompiledPlan) -> Limits:
    """The limits of what a plan runs on; measured once a process."""
    device = device_of(plan)
    return of_machine(plan.config) if device is None else of_device(device)


@functools.cache
def of_device(device: Device) -> GpuLimits:
    """The device's limits; measured once a process."""
    if simulating():
        endless = dict.fromkeys(("float32", "float64"), math.inf)
        return GpuLimits(1, endless, ((1, math.inf),), "numba's simulator")
    return measure(device)


def measure(
    device: Device, seconds: float = SECONDS, sizes: Sequence[int] = SIZES, elements: int = ELEMENTS
) -> GpuLimits:
    """Measures a device; takes about `seconds`, and its memory for the largest of `sizes`.

    Sizes that would take more than a half of the memory that is free are left out.
    """
    free, _ = device.memory()
    sizes = [s for s in sorted(sizes) if s <= free // 2] or [min(sizes)]
    share = seconds / (len(sizes) + 2)
    flops = {}
    for dtype in (float32, float64):
        taken = _Walk(device, _chains(dtype), dtype, elements).seconds(share)
        flops[dtype.name] = 2.0 * CHAINS * DEPTH * elements / taken
    copy = _copy()
    rates = [s / _Walk(device, copy, float32, s // 8).seconds(share) for s in sizes]
    # a larger set is never faster: what says so is noise, or what a launch takes
    best = [max(rates[at:]) for at in range(len(rates))]
    return GpuLimits(device.gpu.sms, flops, tuple(zip(sizes, best, strict=True)), device.gpu.name)


class _Walk:
    """A kernel over two arrays of so many elements, ready to be launched."""

    def __init__(self, device: Device, kernel: Kernel, dtype: DType, elements: int) -> None:
        self.device = device
        values = {"n": elements}
        with shape_env(ShapeEnv(values)):
            code, ready = nest_code(kernel, device.block_threads)
            dims = [evaluate(d, values) for d in ready.kernel.dims]
            extent = evaluate(ready.kernel.extent, values)
        self.function = device.load(code)
        self.shape = device.shape_of(ready.launch, extent)
        nbytes = elements * dtype.size
        pool = pool_of(device)
        self.blocks = [pool.take(nbytes, "an array to measure with") for _ in range(2)]
        for block in self.blocks:
            device.zero(block.address, nbytes)
        addresses = [block.address for block in self.blocks]
        self.args = np.array([*addresses, *dims, 0, extent], np.int64)
        at = self.args.ctypes.data
        self.words = (ctypes.c_uint64 * len(self.args))(*range(at, at + self.args.nbytes, 8))
        arrays = [Argument(np.dtype(dtype.np), nbytes)] * 2
        self.arguments = [*arrays, *[Argument()] * (len(dims) + 2)]

    def _launch(self, count: int = 1) -> None:
        for _ in range(count):
            self.device.launch(self.function, self.shape, self.words, self.arguments)

    def seconds(self, patience: float) -> float:
        """Of one launch of many: the median."""
        device = self.device
        with device.lock:
            self._launch()
            alone = self._timed(self._launch)
            count = max(1, min(_MOST, round(_BLOCK / alone)))
            graph = device.capture(lambda: self._launch(count))
            again: Callable[[], Any] = functools.partial(device.replay, graph)
            self._timed(again)
            found: list[float] = []
            end = time.perf_counter() + patience
            while len(found) < _REPEATS or time.perf_counter() < end:
                found.append(self._timed(again) / count)
        return statistics.median(found)

    def _timed(self, work: Callable[[], Any]) -> float:
        self.device.synchronize()
        start = time.perf_counter()
        work()
        self.device.synchronize()
        return time.perf_counter() - start


# ------------------------------------------------------------------ the kernels
def _nest(
    name: str, dtype: DType, lanes: int, body: Callable[[Buffer, Axis], list[Stmt]]
) -> Kernel:
    """y[i] = something of x[i], for n elements; the body's last local is stored."""
    n = SymDim.symbol("n")
    axis = Axis(n, "i")
    x, y = Buffer((name, "x"), dtype, (n,), "x"), Buffer((name, "y"), dtype, (n,), "y")
    *before, last = body(x, axis)
    assert isinstance(last, Let)
    loop = For(axis, index(0), index(n), (*before, Store(y, axis, last.value)), "parallel", lanes)
    return Kernel(name, (x,), (y,), (n,), (loop,), n)


def _copy() -> Kernel:
    def body(x: Buffer, at: Axis) -> list[Stmt]:
        return [Let(Local("value", float32), Load(x, (at,)))]

    return _nest("limit_copy", float32, 64, body)


def _chains(dtype: DType) -> Kernel:
    """Each element begins CHAINS chains of DEPTH fused multiply-adds, whose ends are added up."""
    half = Const(0.5, dtype)

    def body(x: Buffer, at: Axis) -> list[Stmt]:
        start = Local("start", dtype)
        out: list[Stmt] = [Let(start, Load(x, (at,)))]
        ends: list[Expr] = [start + Const(float(k), dtype) for k in range(CHAINS)]
        for step in range(DEPTH):
            for chain in range(CHAINS):
                link = Local(f"c{chain}_{step}", dtype)
                out.append(Let(link, prims.fma(ends[chain], half, half)))
                ends[chain] = link
        total = ends[0]
        for end in ends[1:]:
            total = total + end
        return [*out, Let(Local("total", dtype), total)]

    return _nest(f"limit_chains_{dtype.name}", dtype, 1, body)
