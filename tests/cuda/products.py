"""Products on a GPU that is not there: schedules with them, run by the simulator.

Lives here: run (a graph's fetches, its products in the simulator, other kernels by the
interpreter), launched (the kernels of a run), FakeCublas. Imported by the process that simulates
and by tests that compile.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import graphc as tf
from graphc.config import Config
from graphc.ir.shape import evaluate, shape_env
from graphc.kernel import interp
from graphc.kernel.launch import H200, Gpu
from graphc.render import numba_cuda
from graphc.render.numba_cpu import int64_range, text_module
from graphc.runtime.gpu.product_calls import GpuLaunch, GpuProductCall
from graphc.runtime.gpu.product_library import Library
from graphc.runtime.schedule import schedule
from graphc.runtime.steps import Schedule, Step, Storage
from tests.helpers import FUSED, Array, optimized

DEVICE = FUSED.replace(backend="cuda")
TENSOR = DEVICE.replace(tensor_cores=True)
BLOCK_THREADS = 64  # each is a thread of Python


def scheduled(
    fetches: Sequence[Any], feeds: Mapping[Any, Array], config: Config = DEVICE
) -> tuple[Schedule, dict[str, int]]:
    """The schedule of a run with a GPU's products, and the symbols' values."""
    program = optimized(tf.get_default_graph(), list(fetches), dict(feeds), config=config)
    with shape_env(program.env):
        made = schedule(program, config)
        values: dict[str, int] = {}
        for tensor, array in zip(program.feeds, feeds.values(), strict=True):
            for dim, extent in zip(tensor.known_dims, array.shape, strict=True):
                if not isinstance(dim, int):
                    values[str(dim)] = extent
    return made, values


def launched(
    fetches: Sequence[Any], feeds: Mapping[Any, Array], gpu: Gpu = H200, most: int = 1024,
    config: Config = DEVICE,
) -> list[GpuLaunch]:  # fmt: skip
    """The kernels of a run's products."""
    made, values = scheduled(fetches, feeds, config)
    return launches_of(made, values, gpu, most)


def launches_of(
    made: Schedule, values: Mapping[str, int], gpu: Gpu = H200, most: int = 1024
) -> list[GpuLaunch]:
    """The kernels of a schedule's products."""
    calls = [s.call for s in made.steps if isinstance(s.call, GpuProductCall)]
    every = [one for call in calls for one in call.launches(values, gpu, most)]
    return [one for one in every if isinstance(one, GpuLaunch)]


class FakeCublas:
    """What Library asks of cuBLAS, on matrices in the host's memory, columns first."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def create(self) -> int:
        self.asked.append("create")
        return 7

    def set_stream(self, handle: int, stream: int) -> None:
        self.asked.append(f"stream {stream} of {handle}")

    def set_workspace(self, handle: int, address: int, nbytes: int) -> None:
        self.asked.append(f"workspace {nbytes}")

    def gemm_strided_batched_ex(
        self, handle: int, trans_a: int, trans_b: int, m: int, n: int, k: int, alpha: int,
        a: int, kind_a: int, lda: int, stride_a: int, b: int, kind_b: int, ldb: int,
        stride_b: int, beta: int, c: int, kind_c: int, ldc: int, stride_c: int, batch: int,
        sums: int, algorithm: int,
    ) -> None:  # fmt: skip
        """As cublasGemmStridedBatchedEx; float32 and float64."""
        assert (handle, algorithm) == (7, -1) and kind_a == kind_b == kind_c
        dtype = np.dtype([np.float32, np.float64][kind_a])
        assert sums == (68 if dtype.itemsize == 4 else 70)
        factors = [_at(p, (1,), (1,), dtype)[0] for p in (alpha, beta)]
        assert factors == [1, 0]
        for n_th in range(batch):
            at = [p + n_th * s * dtype.itemsize for p, s in ((a, stride_a), (b, stride_b))]
            left = _at(at[0], (k, m) if trans_a else (m, k), (1, lda), dtype)
            right = _at(at[1], (n, k) if trans_b else (k, n), (1, ldb), dtype)
            out = _at(c + n_th * stride_c * dtype.itemsize, (m, n), (1, ldc), dtype)
            out[...] = (left.T if trans_a else left) @ (right.T if trans_b else right)
        self.asked.append("multiply")


def _at(address: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: Any) -> Array:
    """The host's memory as an array; strides in elements."""
    length = 1 + sum((s - 1) * step for s, step in zip(shape, strides))
    memory = (ctypes.c_char * (length * dtype.itemsize)).from_address(address)
    flat = np.frombuffer(memory, dtype)
    return np.lib.stride_tricks.as_strided(flat, shape, [s * dtype.itemsize for s in strides])


# ------------------------------------------------------------------ running
def run(
    fetches: Sequence[Any], feeds: Mapping[Any, Array], gpu: Gpu = H200, most: int = BLOCK_THREADS,
    library: Library | None = None, config: Config = DEVICE,
) -> tuple[list[Array], list[str]]:  # fmt: skip
    """(values of the fetches as flat arrays, forms of the product kernels that ran)."""
    made, values = scheduled(fetches, feeds, config)
    memory: dict[Storage, Array] = {}
    given = list(feeds.values())

    def bytes_of(storage: Storage) -> Array:
        if storage not in memory:
            size = evaluate(storage.elements, values) * storage.dtype_size
            if storage.kind == "feed":
                data = np.ascontiguousarray(given[storage.position]).tobytes()
            elif storage.kind == "const":
                data = np.ascontiguousarray(storage.key.attrs["value"]).tobytes()
            else:
                data = b"\xa5" * size
            memory[storage] = np.frombuffer(bytearray(data), np.uint8)
        return memory[storage]

    forms: list[str] = []
    for step in made.steps:
        forms += _run_step(step, bytes_of, values, Machine(gpu, most, library))
    out = []
    for storage, tensor in zip(made.fetches, fetches, strict=True):
        out.append(bytes_of(storage).view(tensor.dtype.as_numpy_dtype))
    return out, forms


Memory = Callable[[Storage], Array]


@dataclass(frozen=True)
class Machine:
    """What runs products."""

    gpu: Gpu
    most: int
    library: Library | None


def _run_step(
    step: Step, bytes_of: Memory, values: Mapping[str, int], machine: Machine
) -> list[str]:
    if isinstance(step.call, GpuProductCall):
        library = machine.library
        sizes = step.call.scratch_bytes(values, library is not None)
        scratch = [np.full(n, 0xA5, np.uint8) for n in sizes]
        launches = step.call.launches(values, machine.gpu, machine.most, library is not None)
        for launch in launches:
            if isinstance(launch, GpuLaunch):
                _launch(launch, step, bytes_of, scratch)
                continue
            assert library is not None
            found = [_memory(a, step, bytes_of, scratch) for a in launch.arguments]
            words = np.array([data.ctypes.data for data in found], np.uint64)
            base, width = words.ctypes.data, words.itemsize
            library.start(launch, [base + n * width for n in range(3)])
        return [launch.form for launch in launches]
    if step.kind == "copy":
        assert step.copies is not None
        source, target = map(bytes_of, step.copies)
        target[...] = source
    elif step.kind == "kernel":
        assert step.kernel is not None
        arrays = {}
        for storage, buffer in zip(
            (*step.reads, *step.writes), step.kernel.buffers, strict=True
        ):
            arrays[buffer] = bytes_of(storage).view(buffer.dtype.np)
        interp.run(step.kernel, arrays, dict(values))
    else:
        assert step.kind == "check", f"the test has no {step.kind} steps: {step.name}"
    return []


def _launch(launch: GpuLaunch, step: Step, bytes_of: Memory, scratch: list[Array]) -> None:
    status = np.zeros(1, np.int64)
    words: list[Any] = []
    for (kind, number), (_, stored) in zip(launch.arguments, launch.text.params, strict=True):
        if kind == "int":
            words.append(np.int64(number))
        elif kind == "status":
            words.append(status)
        else:
            data = _memory((kind, number), step, bytes_of, scratch)
            words.append(data.view(f"{stored[0]}{int(stored[1:]) // 8}"))
    simulated(launch)(launch.blocks, *words)


def _memory(
    argument: tuple[str, int], step: Step, bytes_of: Memory, scratch: list[Array]
) -> Array:
    kind, number = argument
    if kind == "scratch":
        return scratch[number]
    return bytes_of((step.reads if kind == "read" else step.writes)[number])


def simulated(launch: GpuLaunch) -> Callable[..., None]:
    """The kernel as a function of (blocks, *arguments)."""
    cuda = numba_cuda.simulator()
    text, name = launch.source()
    module = text_module(name, text)
    vars(module)["range"] = int64_range
    function = cuda.jit(getattr(module, name))

    def call(blocks: int, *arguments: Any) -> None:
        with np.errstate(all="ignore"):
            function[blocks, launch.threads](*arguments)

    return call

