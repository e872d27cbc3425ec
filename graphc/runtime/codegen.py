"""Kernels to machine code: the one service that compiles loop nests, and finds them again.

Lives here: `build`, `compile_object`, the choice of the printer, content keys, counters. Not here:
printing (render/*), LLVM (runtime/jit), files (runtime/cache). The runtime's plans and tools call
it.

A kernel is looked for in the process, then in the cache on disk. What is missing in one call is
printed as vector code and compiled as one LLVM module; a kernel that the vector printer does not
reach is compiled from its Numba source instead, and that is said: in a warning of the logger
"graphc.codegen" and in `graphc.stats()`. Only that path, and `codegen="numba"`, import Numba.
"""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphc.config import Config
from graphc.errors import CompileError
from graphc.kernel.nest import Kernel, nest_text
from graphc.runtime import jit
from graphc.runtime.cache import Entry, KernelCache, content_key, load
from graphc.runtime.stats import STATS

# raise it when a printer or the math changes: what is on disk is then compiled anew
CODEGEN_VERSION = 11
PRINTERS = ("vector", "numba")


@dataclass(frozen=True)
class CompiledKernel:
    """A kernel in memory, ready to be called by its ABI (kernel/nest.py).

    Attributes:
        kernel: the nest. address: of its code. symbol: its name in the object. key: its content.
        printer: "vector" or "numba". from_cache: found on disk, not compiled by this process.
    """

    kernel: Kernel = field(repr=False)
    address: int
    symbol: str
    key: str
    printer: str
    from_cache: bool = False

    @property
    def source(self) -> str:
        """The kernel as readable Python (Numba source), whatever printer compiled it."""
        from graphc.render import numba_cpu

        return numba_cpu.source(self.kernel)

    @property
    def ir_text(self) -> str:
        """The LLVM IR that was compiled, printed again."""
        return _ir_text([(self.kernel, self.symbol)], self.printer)


@dataclass
class _Counters:
    kernels_compiled: int = 0
    kernels_from_cache: int = 0
    kernels_shared: int = 0
    kernel_bytes: int = 0
    kernel_seconds: float = 0.0
    kernel_fallbacks: list[dict[str, str]] = field(default_factory=list)

    def read(self) -> dict[str, Any]:
        """Kernels compiled, found on disk, used again; bytes of code; seconds; refusals."""
        with _lock:
            return {**vars(self), "kernel_fallbacks": [dict(f) for f in self.kernel_fallbacks]}


_lock = threading.RLock()  # LLVM compiles one module at a time anyhow
_counters = _Counters()
_table: dict[str, CompiledKernel] = {}
_refused: dict[str, Exception] = {}  # by vector key: the vector printer does not reach it
_caches: dict[tuple[str | None, int], KernelCache] = {}
STATS.add_source("kernels", _counters.read)


def build(
    kernels: Sequence[Kernel], config: Config, cache: KernelCache | None = None
) -> list[CompiledKernel]:
    """The compiled kernels, in order; kernels of equal content share their code.

    Args:
        cache: where object code is kept; None: the folder of `config`.

    Raises:
        CompileError: names the kernel, its ops and the user's lines.
    """
    with _lock:
        store = cache if cache is not None else cache_of(config)
        keys = [kernel.key() for kernel in kernels]
        wanted = dict(zip(keys, kernels, strict=True))
        job = _Job(store, config.codegen)
        found = job.run(wanted)
        _counters.kernels_shared += len(kernels) - len(job.made)
        return [_named(found[key], kernel) for key, kernel in zip(keys, kernels, strict=True)]


def compile_object(
    kernel: Kernel, symbol: str, printer: str = "vector", target: jit.Target | None = None
) -> bytes:
    """Object code of one kernel as `void symbol(ptr args, i64 lo, i64 hi)`; nothing is cached.

    Numba's code is for the processor at hand, whatever the target. Raises CompileError.
    """
    try:
        text = _ir_text([(kernel, symbol)], printer, target)
        return jit.compile_ir(text, [symbol], name=kernel.name, opt=_opt(printer), target=target)
    except Exception as error:
        raise failure(kernel, error) from error


def failure(kernel: Kernel, cause: Exception) -> CompileError:
    """The error for a kernel that no printer can compile, in the user's terms."""
    kind = "an internal error" if not isinstance(cause, NotImplementedError) else str(cause)
    lines = [f"kernel {kernel.name!r} could not be compiled: {kind}"]
    lines += [f"  {' '.join(origin.split())}" for origin in kernel.origins]
    lines.append("  Config(backend='reference') runs these ops with NumPy")
    return CompileError("\n".join(lines))


def printer_key(kernel_key: str, printer: str) -> str:
    """What the code of a kernel depends on, as a key of the cache."""
    version = f"{CODEGEN_VERSION}"
    if printer == "numba":
        version += f" numba {_numba_version()}"
    return content_key(kernel_key, printer, jit.target_key(), version)


@functools.cache
def _numba_version() -> str:
    """Numba's version, without importing it."""
    import importlib.metadata

    try:
        return importlib.metadata.version("numba")
    except importlib.metadata.PackageNotFoundError:
        return "none"


def cache_of(config: Config) -> KernelCache:
    place = (config.cache_dir, config.cache_bytes)
    if place not in _caches:
        _caches[place] = KernelCache(*place)
    return _caches[place]


def _named(found: CompiledKernel, kernel: Kernel) -> CompiledKernel:
    """The same code under the caller's own nest: names and origins differ between users."""
    if found.kernel is kernel:
        return found
    return CompiledKernel(
        kernel, found.address, found.symbol, found.key, found.printer, found.from_cache
    )


# ------------------------------------------------------------------ printers
def vector_text(
    items: Sequence[tuple[Kernel, str]], target: jit.Target | None = None
) -> str:
    """The vector printer's module for a target (None: the host), a function for each symbol."""
    from graphc.render import vector

    return vector.module(items, natives(target))


def natives(target: jit.Target | None = None) -> frozenset[str]:
    """The primitives that the target (None: the host) has instructions for."""
    from graphc.render import vector_native

    return vector_native.natives((target or jit.host_target()).has)


def _ir_text(
    items: Sequence[tuple[Kernel, str]], printer: str, target: jit.Target | None = None
) -> str:
    """LLVM IR that defines each kernel under its symbol."""
    if printer == "numba":
        from graphc.render import numba_cpu

        ((kernel, symbol),) = items
        return numba_cpu.llvm_ir(kernel, symbol)
    return vector_text(items, target)


def _opt(printer: str) -> str:
    # Numba's IR has been through its own pipeline, vectorisers included
    return "none" if printer == "numba" else "light"


# ------------------------------------------------------------------ one call of build
class _Job:
    """Finds and compiles the kernels of one call; `made` are those new to the process."""

    def __init__(self, cache: KernelCache, codegen: str) -> None:
        self.cache = cache
        self.codegen = codegen
        self.made: list[CompiledKernel] = []

    def run(self, wanted: Mapping[str, Kernel]) -> dict[str, CompiledKernel]:
        """Compiled kernels by Kernel.key()."""
        out: dict[str, CompiledKernel] = {}
        missing = dict(wanted)
        if self.codegen == "vector":
            out = self._find(missing, "vector")
            missing = {k: v for k, v in missing.items() if k not in out}
            reached = {k: v for k, v in missing.items() if printer_key(k, "vector") not in _refused}
            out |= self._compile_vector(reached)
            missing = {k: v for k, v in missing.items() if k not in out}
        found = self._find(missing, "numba")
        out |= found
        for key, kernel in missing.items():
            if key not in found:
                out[key] = self._compile_numba(key, kernel)
        return out

    def _find(self, wanted: Mapping[str, Kernel], printer: str) -> dict[str, CompiledKernel]:
        """What the process or the disk holds."""
        keys = {key: printer_key(key, printer) for key in wanted}
        out = {key: _table[full] for key, full in keys.items() if full in _table}
        entries = self.cache.get_many(full for key, full in keys.items() if key not in out)
        addresses = _load(entries)
        for key, full in keys.items():
            if full in addresses:
                entry = entries[full]
                out[key] = self._keep(wanted[key], entry, addresses[full], printer, True)
                _counters.kernels_from_cache += 1
        return out

    def _keep(
        self, kernel: Kernel, entry: Entry, address: int, printer: str, from_cache: bool
    ) -> CompiledKernel:
        made = CompiledKernel(kernel, address, entry.symbol, entry.key, printer, from_cache)
        _table[entry.key] = made
        self.made.append(made)
        return made

    def _compile_vector(self, wanted: Mapping[str, Kernel]) -> dict[str, CompiledKernel]:
        """One module of all kernels; where that fails, one of each, to find which is at fault."""
        try:
            return self._compile(wanted, "vector")
        except Exception as error:
            if len(wanted) == 1:
                ((key, kernel),) = wanted.items()
                _refuse(kernel, printer_key(key, "vector"), error)
                return {}
        out: dict[str, CompiledKernel] = {}
        for key, kernel in wanted.items():
            out |= self._compile_vector({key: kernel})
        return out

    def _compile_numba(self, key: str, kernel: Kernel) -> CompiledKernel:
        try:
            return self._compile({key: kernel}, "numba")[key]
        except Exception as error:
            refused = _refused.get(printer_key(key, "vector"))
            if refused is not None and error.__context__ is None:
                error.__context__ = refused
            raise failure(kernel, error) from error

    def _compile(self, wanted: Mapping[str, Kernel], printer: str) -> dict[str, CompiledKernel]:
        """Print, compile, keep and link; raises what the printer or LLVM raise."""
        if not wanted:
            return {}
        start = time.perf_counter()
        keys = {key: printer_key(key, printer) for key in wanted}
        symbols = {full: f"k_{full[:24]}" for full in keys.values()}
        items = [(kernel, symbols[keys[key]]) for key, kernel in wanted.items()]
        text = _ir_text(items, printer)
        names = list(symbols.values())
        kernels = ", ".join(kernel.name for kernel in wanted.values())
        code = jit.compile_ir(text, names, name=kernels, opt=_opt(printer))
        metas = {keys[key]: _meta(kernel, printer) for key, kernel in wanted.items()}
        texts = _texts(text, wanted.values()) if self.cache.directory else None
        entries = self.cache.put_module(symbols, code, metas, texts)
        addresses = load(entries)
        _counters.kernels_compiled += len(wanted)
        _counters.kernel_bytes += len(code)
        _counters.kernel_seconds += time.perf_counter() - start
        return {
            key: self._keep(kernel, entries[full], addresses[full], printer, False)
            for (key, kernel), full in zip(wanted.items(), keys.values(), strict=True)
        }


def _load(entries: Mapping[str, Entry]) -> dict[str, int]:
    """Addresses by key, without those that do not link: they are compiled anew."""
    try:
        return load(entries)
    except CompileError as error:
        if len(entries) == 1:
            _warn("a kernel found on disk does not link and is compiled anew: %s", error)
            return {}
    out: dict[str, int] = {}
    for key, entry in entries.items():
        out |= _load({key: entry})
    return out


def _warn(text: str, *values: object) -> None:
    import logging  # rarely needed, and a first run is short

    logging.getLogger("graphc.codegen").warning(text, *values)


def _refuse(kernel: Kernel, key: str, error: Exception) -> None:
    """The vector printer does not reach a kernel: said once a process."""
    reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    _refused[key] = error
    _counters.kernel_fallbacks.append({"kernel": kernel.name, "reason": reason})
    _warn("kernel %r is compiled from its Numba source: %s", kernel.name, reason)


def _meta(kernel: Kernel, printer: str) -> dict[str, Any]:
    return {
        "name": kernel.name,
        "printer": printer,
        "version": CODEGEN_VERSION,
        "target": jit.host_target().cpu,
        "origins": list(kernel.origins),
    }


def _texts(ir: str, kernels: Iterable[Kernel]) -> dict[str, str]:
    """What people find beside the object code."""
    from graphc.render import numba_cpu

    kernels = list(kernels)
    return {
        "kernels.txt": "\n".join(map(nest_text, kernels)),
        "kernels.py": "\n\n".join(_attempt(numba_cpu.source, kernel) for kernel in kernels),
        "kernels.ll": ir,
    }


def _attempt(write: Callable[[Kernel], str], kernel: Kernel) -> str:
    """A text for people, or why there is none: it must not stop a compilation."""
    try:
        return write(kernel)
    except NotImplementedError as error:
        return f"# {kernel.name}: {error}\n"


def reset() -> None:
    """Forget the compiled kernels, caches and counters of the process (for tests)."""
    with _lock:
        _table.clear()
        _refused.clear()
        _caches.clear()
        vars(_counters).update(vars(_Counters()))


if hasattr(os, "register_at_fork"):
    # registered after jit's lock, hence taken before it, in the order in which `build` takes them
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )
