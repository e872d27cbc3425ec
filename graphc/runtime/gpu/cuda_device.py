"""A real GPU by the driver's own functions: one context, one stream, plain memory.

Lives here: CudaDevice. Not here: which kernels there are (code.py), pooled memory (pool.py). The
binding of the driver (cuda.bindings, which numba-cuda brings) is imported when a device is made.

Copies to the device go through pinned memory of its own, so that the host may go on at once. Launch
parameters are read where they lie among a plan's arguments; nothing is converted in between.
"""

from __future__ import annotations

import ctypes
import functools
import threading
import weakref
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from graphc.config import current
from graphc.errors import CompileError, InternalError
from graphc.kernel.launch import Gpu
from graphc.runtime import codegen
from graphc.runtime.gpu.code import Code, cubin_of
from graphc.runtime.gpu.device import Argument, Device, NoDevice, Shape, Words
from graphc.runtime.gpu.product_library import Library, LibraryLaunch, library_on

Array = np.ndarray[Any, Any]
STAGING = 1 << 22  # bytes of pinned memory of each of two parts
DYNAMIC_SHARED = 48 << 10  # from which on a kernel must ask for it


class CudaDevice(Device):
    """See Device. Raises NoDevice where the driver or the GPU is missing."""

    def __init__(self, ordinal: int) -> None:
        self._driver: Any = _driver()
        count = self._call("cuDeviceGetCount")
        if ordinal >= count:
            raise NoDevice(f"there is no GPU {ordinal}: the driver names {count}")
        self._handle = self._call("cuDeviceGet", ordinal)
        self._context = self._call("cuDevicePrimaryCtxRetain", self._handle)
        super().__init__(ordinal, self._describe(), 1024)
        self._thread = threading.local()
        self._enter()
        kind = self._driver.CUstream_flags.CU_STREAM_NON_BLOCKING
        self.stream = self._call("cuStreamCreate", kind)
        self._staging = _Staging(self)
        self._launch = self._driver.cuLaunchKernel
        self._functions: dict[str, Any] = {}

    def _describe(self) -> Gpu:
        kinds = self._driver.CUdevice_attribute
        prefix = "CU_DEVICE_ATTRIBUTE_"

        def value(name: str) -> int:
            kind = getattr(kinds, prefix + name)
            return int(self._call("cuDeviceGetAttribute", kind, self._handle))

        name = self._call("cuDeviceGetName", 128, self._handle)
        # kHz and bits, twice a clock
        rate = 2e3 * value("MEMORY_CLOCK_RATE") * value("GLOBAL_MEMORY_BUS_WIDTH") / 8
        return Gpu(
            name.split(b"\0")[0].decode(errors="replace"),
            (value("COMPUTE_CAPABILITY_MAJOR"), value("COMPUTE_CAPABILITY_MINOR")),
            value("MULTIPROCESSOR_COUNT"),
            rate,
            value("L2_CACHE_SIZE"),
            value("MAX_THREADS_PER_BLOCK"),
            value("MAX_THREADS_PER_MULTIPROCESSOR"),
            value("MAX_BLOCKS_PER_MULTIPROCESSOR"),
            value("MAX_REGISTERS_PER_MULTIPROCESSOR"),
        )

    @functools.cached_property
    def library(self) -> Library | None:
        self._enter()
        return library_on(int(self.stream), self.allocate)

    # ------------------------------------------------------------ the driver
    def _call(self, name: str, *args: Any) -> Any:
        """A function of the driver; its result, or the tuple of them.

        Raises:
            MemoryError: too little memory on the device.
            InternalError: any other failure, in the driver's words.
        """
        code, *out = getattr(self._driver, name)(*args)
        if int(code):
            self._refuse(name, code)
        return out[0] if len(out) == 1 else tuple(out)

    def _refuse(self, name: str, code: Any) -> None:
        if code == self._driver.CUresult.CUDA_ERROR_OUT_OF_MEMORY:
            raise MemoryError(f"{self.name}: out of memory")
        said, text = self._driver.cuGetErrorString(code)
        words = code.name if int(said) else text.decode(errors="replace")
        raise InternalError(f"{self.name}: {name} failed: {words}")

    def _enter(self) -> None:
        """Makes the context this thread's, with an event to wait for: once a thread."""
        if not hasattr(self._thread, "event"):
            self._call("cuCtxSetCurrent", self._context)
            flags = self._driver.CUevent_flags.CU_EVENT_DISABLE_TIMING
            self._thread.event = self._call("cuEventCreate", int(flags))

    # ------------------------------------------------------------ memory
    def allocate(self, nbytes: int) -> int:
        self._enter()
        return int(self._call("cuMemAlloc", max(nbytes, 1)))

    def release(self, address: int) -> None:
        self._enter()
        self._call("cuMemFree", address)

    def memory(self) -> tuple[int, int]:
        self._enter()
        free, total = self._call("cuMemGetInfo")
        return int(free), int(total)

    def put(self, address: int, array: Array) -> None:
        self._enter()
        with self.lock:
            self._staging.put(address, array)

    def get(self, address: int, array: Array) -> None:
        self.get_all([(address, array)])

    def get_all(self, pairs: Sequence[tuple[int, Array]]) -> None:
        self._enter()
        done = self._thread.event
        with self.lock:
            for address, array in pairs:
                if array.nbytes:
                    self._call(
                        "cuMemcpyDtoHAsync", array.ctypes.data, address, array.nbytes, self.stream
                    )
            self._call("cuEventRecord", done, self.stream)
        self._call("cuEventSynchronize", done)

    def copy(self, target: int, source: int, nbytes: int) -> None:
        self._enter()
        if nbytes:
            with self.lock:
                self._call("cuMemcpyDtoDAsync", target, source, nbytes, self.stream)

    def zero(self, address: int, nbytes: int) -> None:
        self._enter()
        if nbytes:
            with self.lock:
                self._call("cuMemsetD8Async", address, 0, nbytes, self.stream)

    # ------------------------------------------------------------ kernels
    def load(self, code: Code) -> Any:
        with self.lock:
            found = self._functions.get(code.key)
            if found is None:
                self._enter()
                data, symbol = cubin_of(code, self.gpu.cc, codegen.cache_of(current()))
                try:
                    module = self._call("cuModuleLoadData", data)
                    found = self._call("cuModuleGetFunction", module, symbol.encode())
                except InternalError as error:
                    raise CompileError(f"kernel {code.name}: {error}") from error
                self._functions[code.key] = found
        return found

    def launch(
        self, function: Any, shape: Shape, words: Words, arguments: Sequence[Argument]
    ) -> None:
        self._enter()
        if isinstance(function, LibraryLaunch):
            assert self.library is not None
            with self.lock:
                self.library.start(function, words)
            return
        if shape.shared > DYNAMIC_SHARED:
            kind = self._driver.CUfunction_attribute
            self._call(
                "cuFuncSetAttribute", function,
                kind.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, shape.shared,
            )  # fmt: skip
        with self.lock:
            (code,) = self._launch(
                function, *shape.grid, *shape.block, shape.shared, self.stream,
                ctypes.addressof(words), 0,
            )  # fmt: skip
        if code:
            self._refuse("cuLaunchKernel", code)

    def capture(self, work: Callable[[], None]) -> Any:
        self._enter()
        # other threads of the process may do what they like meanwhile
        mode = self._driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        with self.lock:
            self._call("cuStreamBeginCapture", self.stream, mode)
            try:
                work()
            finally:
                graph = self._call("cuStreamEndCapture", self.stream)
        made = self._call("cuGraphInstantiate", graph, 0)
        self._call("cuGraphDestroy", graph)
        return _Graph(self, made)

    def replay(self, graph: Any) -> None:
        self._enter()
        with self.lock:
            self._call("cuGraphLaunch", graph.handle, self.stream)

    def synchronize(self) -> None:
        self._enter()
        with self.lock:
            self._call("cuStreamSynchronize", self.stream)


class _Graph:
    """A captured graph, destroyed with its holder."""

    def __init__(self, device: CudaDevice, handle: Any) -> None:
        self.handle = handle
        weakref.finalize(self, _destroyed, device, handle).atexit = False


def _destroyed(device: CudaDevice, handle: Any) -> None:
    """Behind what the graph may still be doing."""
    device.synchronize()
    device._call("cuGraphExecDestroy", handle)


class _Staging:
    """Two parts of pinned memory: one is filled while the other one is being copied."""

    def __init__(self, device: CudaDevice) -> None:
        self.device = device
        self.parts: list[tuple[int, Any]] = []
        flags = device._driver.CUevent_flags.CU_EVENT_DISABLE_TIMING
        for _ in range(2):
            address = int(device._call("cuMemHostAlloc", STAGING, 0))
            self.parts.append((address, device._call("cuEventCreate", int(flags))))
        self.used = 0  # of the first part

    def put(self, address: int, array: Array) -> None:
        call, stream = self.device._call, self.device.stream
        at, end, source = 0, array.nbytes, array.ctypes.data
        while at < end:
            if self.used == STAGING:
                self._turn()
            here = self.parts[0][0] + self.used
            size = min(end - at, STAGING - self.used)
            ctypes.memmove(here, source + at, size)
            call("cuMemcpyHtoDAsync", address + at, here, size, stream)
            at += size
            self.used = min(-(-(self.used + size) // 64) * 64, STAGING)

    def _turn(self) -> None:
        """Goes on in the other part, when its copies are done."""
        call = self.device._call
        call("cuEventRecord", self.parts[0][1], self.device.stream)
        self.parts.reverse()
        call("cuEventSynchronize", self.parts[0][1])
        self.used = 0


def _driver() -> Any:
    """The driver's functions. Raises NoDevice where there is no driver."""
    try:
        driver: Any = import_module("cuda.bindings.driver")
        (code,) = driver.cuInit(0)
    except Exception as error:  # the binding raises errors of its own where libcuda is missing
        raise NoDevice("no NVIDIA driver was found") from error
    if int(code):
        raise NoDevice(f"the NVIDIA driver does not start: {code.name}")
    return driver
