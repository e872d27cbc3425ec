"""Compiled kernels of a GPU: what makes one, and machine code kept on disk.

Lives here: Code (a kernel's source or nest, its key), cubin_of (machine code from the cache or the
compiler), nest_code. Not here: devices, launches. Imports render and the cache.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphc.kernel.nest import Kernel
from graphc.render import numba_cuda
from graphc.runtime import cache

if TYPE_CHECKING:
    from graphc.runtime.cache import KernelCache
    from graphc.runtime.gpu.products import GpuLaunch

VERSION = 1  # of what the printers for GPUs make; raised when that changes


@dataclass(frozen=True)
class Code:
    """One kernel, compiled when a device loads it.

    Attributes:
        name: for people. key: equal keys are equal code. source: the text that is compiled.
        entry: the function in it. ptx: the PTX with `.entry symbol` for a compute capability.
    """

    name: str
    key: str
    source: Callable[[], str] = field(compare=False, repr=False)
    entry: str = field(compare=False, repr=False)
    ptx: Callable[[str, tuple[int, int]], str] = field(compare=False, repr=False)


def nest_code(kernel: Kernel, block_threads: int) -> tuple[Code, numba_cuda.Prepared]:
    """A nest's code, and how it is launched."""
    ready = numba_cuda.prepared(kernel, block_threads)
    launch = ready.launch
    how = f"{launch.form} {launch.team} {launch.block} {launch.shared}"
    key = cache.content_key("cuda", str(VERSION), ready.kernel.key(), how)
    code = Code(
        kernel.name, key, lambda: numba_cuda.source(ready), numba_cuda.entry_name(ready),
        lambda symbol, cc: numba_cuda.ptx(ready, symbol, cc),
    )  # fmt: skip
    return code, ready


def launch_code(launch: GpuLaunch) -> Code:
    """The code of a product's kernel."""
    return Code(launch.name, launch.key, lambda: launch.source()[0], launch.name, launch.ptx)


def cubin_of(code: Code, cc: tuple[int, int], store: KernelCache) -> tuple[bytes, str]:
    """(machine code, name of the entry in it), compiled where the cache has none.

    Raises:
        CompileError: the compiler refuses the kernel, or is missing.
    """
    key = cache.content_key("cubin", code.key, f"{cc[0]}.{cc[1]}", _versions())
    found = store.get(key)
    if found is None:
        symbol = f"g{code.key[:24]}"
        text = code.ptx(symbol, cc)
        made = numba_cuda.cubin(text, cc)
        meta: dict[str, Any] = {
            "name": code.name, "printer": "cuda", "registers": made.registers,
            "spills": made.spills, "shared": made.shared,
        }  # fmt: skip
        found = store.put(key, made.data, meta, {"kernel.ptx": text}, symbol=symbol)
    return found.object_bytes, found.symbol


def _versions() -> str:
    """Of the compiler and the linker: another one may make other code."""
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for package in ("numba", "numba-cuda", "nvidia-nvvm", "nvidia-nvjitlink"):
        try:
            found.append(version(package))
        except PackageNotFoundError:
            found.append("")
    return " ".join(found)
