"""Kernels on an NVIDIA GPU: the text, its run in the simulator, PTX and machine code.

Lives here: prepared, source, simulator_callable, ptx, cubin. Not here: how statements are printed
(numba_cuda_source), what the called functions become (numba_cuda_lowering), launches
(kernel/launch.py), memory and streams of a device. numba-cuda (the extra `cuda`) is imported only
when something is compiled or simulated; neither needs a GPU or its driver.

A kernel is `name(b0, ..., o0, ..., n0, ..., [status,] lo, hi)` over flat arrays, as the CPU's
(render/numba_cpu.py), with bools as bytes; compiled, arrays are plain pointers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from graphc.errors import CompileError
from graphc.ir.shape import evaluate
from graphc.kernel.grouped import grouped
from graphc.kernel.launch import H200, Gpu, Launch, plan_launch
from graphc.kernel.nest import Kernel
from graphc.kernel.prims import TABLE
from graphc.kernel.spread import spread
from graphc.render.numba_cpu import flat_arrays, int64_range, text_module
from graphc.render.numba_cuda_source import cuda_module_text
from graphc.render.numba_names import identifier, storage_name

ALIGNED = 16  # bytes: where every storage begins
_RESIDENT = 512  # threads that a multiprocessor must hold: at most 128 registers each
MISSING = 'kernels for the GPU need numba-cuda: pip install "graphc[cuda]"'


@dataclass(frozen=True)
class Prepared:
    """A kernel as it runs on a GPU: its nest, spread over threads, and how it is launched."""

    kernel: Kernel
    launch: Launch


def prepared(kernel: Kernel, most: int = 1024) -> Prepared:
    """A nest made ready for the GPU. most: threads of a block at most (see plan_launch)."""
    made = grouped(spread(kernel))
    return Prepared(made, plan_launch(made, most))


def source(ready: Prepared, name: str = "") -> str:
    """The kernel as a Python module of its own: its helpers and `def name(...)`."""
    return cuda_module_text(ready.kernel, name or entry_name(ready), ready.launch)[0]


def entry_name(ready: Prepared) -> str:
    """The function's name in the source."""
    return identifier(ready.kernel.name)


# ------------------------------------------------------------------ the simulator
def simulator_callable(ready: Prepared, gpu: Gpu = H200) -> Callable[..., int]:
    """call(arrays, dims, symbols={}, lo=0, hi=None, grid=0) -> status: run by numba's simulator.

    arrays: one C-contiguous array a buffer, inputs first, of the buffers' dtypes; outputs are
    written. dims: an int a symbolic dimension; symbols: values to compute the extent with, where
    hi is not given. grid: blocks, by default as many as the launch wants on `gpu`.

    Raises:
        CompileError: numba-cuda is missing, or was imported without NUMBA_ENABLE_CUDASIM=1.
    """
    cuda = simulator()
    kernel, launch = ready.kernel, ready.launch
    name = identifier(kernel.name)
    module = text_module(name, cuda_module_text(kernel, name, launch)[0])
    vars(module)["range"] = int64_range
    function = cuda.jit(getattr(module, name))

    def call(
        arrays: Sequence[Any],
        dims: Sequence[int] = (),
        symbols: dict[str, int] | None = None,
        lo: int = 0,
        hi: int | None = None,
        grid: int = 0,
    ) -> int:
        flat = [a.view(np.uint8) if a.dtype == bool else a for a in flat_arrays(kernel, arrays)]
        # the simulator copies arrays to and fro: one copy for a buffer that stands twice
        there = {b: cuda.to_device(a) for b, a in zip(kernel.buffers, flat, strict=True)}
        status = np.zeros(1, np.int64)
        last = evaluate(kernel.extent, symbols or {}) if hi is None else hi
        tail = [status] if kernel.flags else []
        blocks = grid or launch.grid(last - lo, gpu)
        with np.errstate(all="ignore"):
            run = function[blocks, launch.block]
            memory = [there[b] for b in kernel.buffers]
            run(*memory, *map(np.int64, dims), *tail, np.int64(lo), np.int64(last))
        for buffer, array in zip(kernel.buffers, flat, strict=True):
            there[buffer].copy_to_host(array)
        return int(status[0])

    return call


def simulator() -> Any:
    """numba.cuda as its simulator.

    Raises:
        CompileError: numba-cuda is missing, or was imported without NUMBA_ENABLE_CUDASIM=1.
    """
    cuda = _cuda()
    if not cuda.config.ENABLE_CUDASIM:
        raise CompileError("the simulator runs where NUMBA_ENABLE_CUDASIM=1 is set at first")
    return cuda


def _cuda() -> Any:
    try:
        import numba.cuda as cuda
    except ImportError as error:
        raise CompileError(MISSING) from error
    if not hasattr(cuda, "compile_ptx"):
        raise CompileError(MISSING)
    return cuda


# ------------------------------------------------------------------ compiled
def ptx(ready: Prepared, symbol: str, cc: tuple[int, int]) -> str:
    """PTX that defines `.entry symbol(pointers, dimensions, [status,] lo, hi)`.

    Args:
        cc: compute capability, (8, 0) for A100, (9, 0) for H200. No device is needed.

    Raises:
        CompileError: numba-cuda or NVIDIA's compiler is missing, or refuses the kernel.
    """
    kernel = ready.kernel
    name = identifier(kernel.name)
    text, helpers = cuda_module_text(kernel, name, ready.launch)
    return text_ptx(text, name, helpers, lambda: _signature(kernel), symbol, cc, ready.launch.block)


def text_ptx(
    text: str,
    name: str,
    helpers: Iterable[str],
    types: Callable[[], tuple[Any, ...]],
    symbol: str,
    cc: tuple[int, int],
    block: int,
) -> str:
    """PTX of the function `name` of a module's text, as `.entry symbol`.

    Args:
        helpers: functions of the module that it calls. types: gives Numba's types of its
            parameters. block: threads of a block.

    Raises:
        CompileError: as `ptx`.
    """
    _cuda()
    try:
        return _compiled(text, name, helpers, types(), symbol, cc, block)
    except CompileError:
        raise
    except Exception as error:  # Numba and its linker raise many kinds
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise CompileError(
            f"kernel {name}: no PTX for compute capability {cc[0]}.{cc[1]}: {lines[0]}"
        ) from error


def _signature(kernel: Kernel) -> tuple[Any, ...]:
    """Numba's types of the parameters."""
    import numba

    from graphc.render import numba_lowering

    kinds: Any = numba.types
    pointers = [
        kinds.CPointer(numba_lowering.NUMBA_TYPES[storage_name(b.dtype)]) for b in kernel.buffers
    ]
    words = [kinds.int64] * len(kernel.dims)
    status = [kinds.CPointer(kinds.int64)] * kernel.flags
    return (*pointers, *words, *status, kinds.int64, kinds.int64)


def _compiled(
    text: str,
    name: str,
    helpers: Iterable[str],
    types: tuple[Any, ...],
    symbol: str,
    cc: tuple[int, int],
    block: int,
) -> str:
    import numba

    from graphc.render import numba_cuda_lowering

    compiler: Any = import_module("numba.cuda.compiler")
    nvvm: Any = import_module("numba.cuda.cudadrv.nvvm")
    numba_cuda_lowering.install()
    module = text_module(name, text)
    for helper in helpers:
        numba_cuda_lowering.install_helper(getattr(module, helper), _result(helper))
    # what graphc rounds twice stays rounded twice
    options = {"opt": 3, "fma": False}
    void: Any = numba.types.void  # type: ignore[attr-defined]
    with compiler.global_compiler_lock:
        made = compiler.compile_cuda(
            getattr(module, name), void, types, nvvm_options=options, cc=cc
        )
        library = made.library
        function = library.get_function(made.fndesc.llvm_func_name)
        library._entry_name = made.fndesc.llvm_func_name
        compiler.kernel_fixup(function, False)
        for parameter, kind in zip(function.args, types, strict=True):
            if isinstance(kind, numba.types.CPointer):  # type: ignore[attr-defined]
                # all storages begin so: loads side by side become one
                parameter.attributes.align = ALIGNED
        nvvm.set_launch_bounds(function, (block, max(1, _RESIDENT // block)))
        (code,) = library.get_asm_strs(cc=cc)
    return str(code).replace(made.fndesc.llvm_func_name, symbol)


def _result(helper: str) -> str:
    """What a helper of generated source returns (see numba_cuda_lowering.install_helper)."""
    if helper.startswith(("join_arg", "pick_")):
        return "pair"
    record = TABLE.get(helper.rpartition("_")[0])
    return "bool" if record is not None and record.result == "bool" else "same"


@dataclass(frozen=True)
class Cubin:
    """Machine code of a kernel and what it needs.

    Attributes:
        registers: of a thread. spills: bytes a thread stores and loads because registers ran out.
        shared: bytes of a block.
    """

    data: bytes
    registers: int
    spills: int
    shared: int


def cubin(text: str, cc: tuple[int, int]) -> Cubin:
    """PTX of one kernel as machine code, by NVIDIA's linker; no device is needed.

    Raises:
        CompileError: the linker is missing or refuses the PTX.
    """
    try:
        nvjitlink: Any = import_module("cuda.bindings.nvjitlink")
    except ImportError as error:
        raise CompileError(MISSING) from error
    options = [f"-arch=sm_{cc[0]}{cc[1]}", "-verbose"]
    handle = nvjitlink.create(len(options), options)
    data = text.encode()
    try:
        kind = nvjitlink.InputType.PTX
        nvjitlink.add_data(handle, kind, data, len(data), "kernel")
        nvjitlink.complete(handle)
        out = bytearray(nvjitlink.get_linked_cubin_size(handle))
        nvjitlink.get_linked_cubin(handle, out)
        log = bytearray(nvjitlink.get_info_log_size(handle))
        nvjitlink.get_info_log(handle, log)
    except nvjitlink.nvJitLinkError as error:
        said = bytearray(nvjitlink.get_error_log_size(handle))
        nvjitlink.get_error_log(handle, said)
        words = said.decode(errors="replace").strip(" \n\0").splitlines() or [str(error)]
        raise CompileError(f"the GPU's linker refuses a kernel: {words[0]}") from error
    finally:
        nvjitlink.destroy(handle)
    return _used(bytes(out), log.decode(errors="replace"))


def _used(data: bytes, log: str) -> Cubin:
    def number(pattern: str) -> int:
        return sum(int(found) for found in re.findall(pattern, log))

    return Cubin(
        data,
        number(r"Used (\d+) registers"),
        number(r"(\d+) bytes spill stores") + number(r"(\d+) bytes spill loads"),
        number(r"(\d+) bytes smem"),
    )
