"""The driver's functions as a device calls them: a driver of the tests' own on host memory."""

from __future__ import annotations

import ctypes
import enum
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from graphc.errors import CompileError, InternalError
from graphc.kernel.launch import Launch
from graphc.runtime.gpu import cuda_device
from graphc.runtime.gpu.code import Code
from graphc.runtime.gpu.device import NoDevice, Shape


class Result(enum.IntEnum):
    CUDA_SUCCESS = 0
    CUDA_ERROR_INVALID_VALUE = 1
    CUDA_ERROR_OUT_OF_MEMORY = 2
    CUDA_ERROR_NO_DEVICE = 100


class Attribute(enum.IntEnum):
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 9
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 0
    CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 132
    CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE = 2_619_000
    CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH = 5120
    CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE = 50 << 20
    CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK = 1024
    CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR = 2048
    CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR = 32
    CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR = 65536


class Flag(enum.IntEnum):
    CU_STREAM_NON_BLOCKING = 1
    CU_EVENT_DISABLE_TIMING = 2
    CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 3
    CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8


class Driver(types.ModuleType):
    """What graphc asks of cuda.bindings.driver; `log` has the calls."""

    CUresult = Result
    CUdevice_attribute = Attribute
    CUstream_flags = CUevent_flags = CUstreamCaptureMode = CUfunction_attribute = Flag

    def __init__(self) -> None:
        super().__init__("cuda.bindings.driver")
        self.log: list[tuple[Any, ...]] = []
        self.blocks: dict[int, Any] = {}
        self.devices = 1
        self.fails: dict[str, Result] = {}

    def __getattr__(self, name: str) -> Callable[..., tuple[Any, ...]]:
        if not name.startswith("cu"):
            raise AttributeError(name)

        def call(*args: Any) -> tuple[Any, ...]:
            self.log.append((name, *args))
            if name in self.fails:
                return (self.fails[name], *[None] * (name not in ("cuInit", "cuMemFree")))
            return self.answer(name, args)

        return call

    def answer(self, name: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
        ok = Result.CUDA_SUCCESS
        if name in ("cuMemAlloc", "cuMemHostAlloc"):
            block = ctypes.create_string_buffer(args[0])
            address = ctypes.addressof(block)
            self.blocks[address] = block
            return ok, address
        if name in ("cuMemcpyHtoDAsync", "cuMemcpyDtoHAsync", "cuMemcpyDtoDAsync"):
            ctypes.memmove(*args[:3])
            return (ok,)
        if name == "cuMemsetD8Async":
            ctypes.memset(*args[:3])
            return (ok,)
        if name == "cuDeviceGetAttribute":
            return ok, int(args[0])
        made = {
            "cuDeviceGetCount": self.devices, "cuDeviceGetName": b"Test GPU\0\0\0",
            "cuMemGetInfo": (1 << 30, 2 << 30), "cuGetErrorString": b"some reason",
        }  # fmt: skip
        if name in made:
            found = made[name]
            return (ok, *found) if isinstance(found, tuple) else (ok, found)
        silent = ("Init", "SetCurrent", "Free", "Synchronize", "Record", "Launch", "BeginCapture",
                  "Destroy", "SetAttribute", "LaunchKernel")  # fmt: skip
        return (ok,) if name.endswith(silent) else (ok, f"{name} made this")

    def calls(self, name: str) -> list[tuple[Any, ...]]:
        return [c[1:] for c in self.log if c[0] == name]


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    made = Driver()
    monkeypatch.setitem(sys.modules, "cuda.bindings.driver", made)
    monkeypatch.setattr(cuda_device, "cubin_of", lambda code, cc, store: (b"\x7fELF", "entry"))
    yield made


def test_what_the_device_says_of_itself(driver: Driver) -> None:
    device = cuda_device.CudaDevice(0)
    assert device.gpu.name == "Test GPU" and device.gpu.cc == (9, 0) and device.gpu.sms == 132
    assert round(device.gpu.bandwidth / 1e12, 2) == 3.35
    assert device.memory() == (1 << 30, 2 << 30) and device.name == "/device:GPU:0"


@pytest.mark.parametrize("size", [0, 1, 1000, (1 << 20) + 3, 3_000_001])
def test_copies_through_pinned_memory(driver: Driver, size: int) -> None:
    device = cuda_device.CudaDevice(0)
    array = np.arange(size, dtype=np.float32)
    address, other = device.allocate(array.nbytes), device.allocate(array.nbytes)
    for _ in range(2):
        device.put(address, array)
    device.copy(other, address, array.nbytes)
    out = np.empty_like(array)
    device.get(other, out)
    assert (out == array).all()
    device.zero(other, array.nbytes)
    device.get_all([(other, out)])
    assert not out.any()
    staged = driver.calls("cuMemcpyHtoDAsync")
    assert all(call[1] not in (array.ctypes.data,) for call in staged)
    if array.nbytes > cuda_device.STAGING:
        waited, recorded = driver.calls("cuEventSynchronize"), driver.calls("cuEventRecord")
        assert waited and len(waited) == len(recorded)


def test_launches_and_graphs(driver: Driver) -> None:
    device = cuda_device.CudaDevice(0)
    code = Code("k", "ab", lambda: "", "k", lambda symbol, cc: "")
    function = device.load(code)
    assert device.load(code) is function and len(driver.calls("cuModuleLoadData")) == 1
    words = (ctypes.c_uint64 * 2)(1, 2)
    shape = Shape((7, 1, 1), (64, 1, 1), 1 << 16)
    device.launch(function, shape, words, ())
    (args,) = driver.calls("cuLaunchKernel")
    assert args[1:8] == (7, 1, 1, 64, 1, 1, 1 << 16) and args[9] == ctypes.addressof(words)
    assert driver.calls("cuFuncSetAttribute")[0][2] == 1 << 16
    graph = device.capture(lambda: device.launch(function, shape, words, ()))
    device.replay(graph)
    order = [c[0] for c in driver.log][-7:]
    assert [n for n in order if "Func" not in n] == [
        "cuStreamBeginCapture", "cuLaunchKernel", "cuStreamEndCapture", "cuGraphInstantiate",
        "cuGraphDestroy", "cuGraphLaunch",
    ]  # fmt: skip
    del graph
    assert driver.calls("cuGraphExecDestroy")


def test_a_capture_that_fails_ends(driver: Driver) -> None:
    device = cuda_device.CudaDevice(0)

    def work() -> None:
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        device.capture(work)
    assert driver.calls("cuStreamEndCapture")


def test_failures_in_the_users_terms(driver: Driver) -> None:
    device = cuda_device.CudaDevice(0)
    driver.fails["cuMemAlloc"] = Result.CUDA_ERROR_OUT_OF_MEMORY
    with pytest.raises(MemoryError, match="/device:GPU:0: out of memory"):
        device.allocate(64)
    driver.fails["cuStreamSynchronize"] = Result.CUDA_ERROR_INVALID_VALUE
    with pytest.raises(InternalError, match="cuStreamSynchronize failed: some reason"):
        device.synchronize()
    driver.fails["cuModuleLoadData"] = Result.CUDA_ERROR_INVALID_VALUE
    with pytest.raises(CompileError, match="kernel k: "):
        device.load(Code("k", "cd", lambda: "", "k", lambda symbol, cc: ""))


def test_devices_that_are_not_there(driver: Driver) -> None:
    with pytest.raises(NoDevice, match="there is no GPU 3: the driver names 1"):
        cuda_device.CudaDevice(3)
    driver.fails["cuInit"] = Result.CUDA_ERROR_NO_DEVICE
    with pytest.raises(NoDevice, match="CUDA_ERROR_NO_DEVICE"):
        cuda_device.CudaDevice(0)


def test_grids_fill_the_device(driver: Driver) -> None:
    device = cuda_device.CudaDevice(0)
    launch = Launch("threads", 1, 256, 0, "")
    assert device.shape_of(launch, 1000).grid == (4, 1, 1)
    assert device.shape_of(launch, 10**9).grid[0] == 132 * 8 * 8
