"""Products on a GPU that is not there: schedules with them, run by the simulator.

Lives here: run (a graph's fetches, its products in the simulator, other kernels by the
interpreter), launched (the kernels of a run), the devices that tests pretend. Imported by the
process that simulates and by tests that compile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

import graphc as tf
from graphc.ir.shape import evaluate, shape_env
from graphc.kernel import interp
from graphc.kernel.launch import H200, Gpu
from graphc.render import numba_cuda
from graphc.render.numba_cpu import int64_range, text_module
from graphc.runtime import schedule as scheduling
from graphc.runtime.gpu.product_calls import GpuLaunch, GpuProductCall
from graphc.runtime.gpu.products import gpu_product_calls
from graphc.runtime.steps import Schedule, Step, Storage
from tests.helpers import FUSED, Array, optimized

BLOCK_THREADS = 64  # each is a thread of Python


@contextmanager
def gpu_products() -> Iterator[None]:
    """Schedules have a GPU's products inside of the block."""
    known = scheduling.product_calls
    scheduling.product_calls = gpu_product_calls  # type: ignore[assignment]
    try:
        yield
    finally:
        scheduling.product_calls = known


def scheduled(
    fetches: Sequence[Any], feeds: Mapping[Any, Array]
) -> tuple[Schedule, dict[str, int]]:
    """The schedule of a run with a GPU's products, and the symbols' values."""
    program = optimized(tf.get_default_graph(), list(fetches), dict(feeds), config=FUSED)
    with gpu_products(), shape_env(program.env):
        made = scheduling.schedule(program, FUSED)
        values: dict[str, int] = {}
        for tensor, array in zip(program.feeds, feeds.values(), strict=True):
            for dim, extent in zip(tensor.known_dims, array.shape, strict=True):
                if not isinstance(dim, int):
                    values[str(dim)] = extent
    return made, values


def launched(
    fetches: Sequence[Any], feeds: Mapping[Any, Array], gpu: Gpu = H200, most: int = 1024
) -> list[GpuLaunch]:
    """The kernels of a run's products."""
    made, values = scheduled(fetches, feeds)
    calls = [s.call for s in made.steps if isinstance(s.call, GpuProductCall)]
    return [one for call in calls for one in call.launches(values, gpu, most)]


# ------------------------------------------------------------------ running
def run(
    fetches: Sequence[Any], feeds: Mapping[Any, Array], gpu: Gpu = H200, most: int = BLOCK_THREADS
) -> tuple[list[Array], list[str]]:
    """(values of the fetches as flat arrays, forms of the product kernels that ran)."""
    made, values = scheduled(fetches, feeds)
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
        forms += _run_step(step, bytes_of, values, gpu, most)
    out = []
    for storage, tensor in zip(made.fetches, fetches, strict=True):
        out.append(bytes_of(storage).view(tensor.dtype.as_numpy_dtype))
    return out, forms


Memory = Callable[[Storage], Array]


def _run_step(
    step: Step, bytes_of: Memory, values: Mapping[str, int], gpu: Gpu, most: int
) -> list[str]:
    if isinstance(step.call, GpuProductCall):
        scratch = [np.full(n, 0xA5, np.uint8) for n in step.call.scratch_bytes(values)]
        launches = step.call.launches(values, gpu, most)
        for launch in launches:
            _launch(launch, step, bytes_of, scratch)
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
            pools: Any = {"scratch": scratch}
            pools |= {"read": step.reads, "write": step.writes}
            found = pools[kind][number]
            data = found if kind == "scratch" else bytes_of(found)
            words.append(data.view(f"{stored[0]}{int(stored[1:]) // 8}"))
    simulated(launch)(launch.blocks, *words)


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

