"""LLVM IR text to object bytes, and object bytes to addresses.

Here: the description of a compilation target, the pass pipeline, the linker, and the one lock
around llvmlite. Not here: what kernels look like (`render`), and where object bytes are kept
(`runtime.cache`). Imported by `runtime` and by tools; llvmlite itself is imported lazily, Numba
never.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.errors import CompileError
from graphc.runtime.stats import STATS

# llvmlite serialises every call by itself; this lock makes a whole compilation or link one unit, so
# that a fork (which waits for it) never copies LLVM in the middle of one.
_lock = threading.RLock()
_library_numbers = itertools.count()
_counters = {"modules_compiled": 0, "compile_seconds": 0.0, "load_seconds": 0.0}
STATS.add_source("modules", lambda: _counters)


@contextlib.contextmanager
def _timed(counter: str) -> Iterator[None]:
    start = time.perf_counter()
    try:
        yield
    finally:
        _counters[counter] += time.perf_counter() - start


class KernelCompileError(CompileError):
    """LLVM refused a kernel: a fault of graphc, never of the user's graph.

    `kernel` names the kernel or module, `ir` holds the text for a report.
    """

    def __init__(self, kernel: str, reason: str, ir: str = "") -> None:
        super().__init__(f"internal error: kernel {kernel!r} does not compile: {reason}")
        self.kernel = kernel
        self.reason = reason
        self.ir = ir


@dataclass(frozen=True)
class Target:
    """What code is generated for: triple, processor name and sorted feature string of LLVM."""

    triple: str
    cpu: str
    features: str

    def has(self, feature: str) -> bool:
        """Is `feature` (for instance "avx512f") switched on?"""
        return f"+{feature}" in self.features.split(",")

    @property
    def vector_bytes(self) -> int:
        """Width of the widest vector register: 64 (AVX-512), 32 (AVX2) or 16 bytes."""
        if self.has("avx512f") and self.has("avx512vl"):
            return 64
        return 32 if self.has("avx2") else 16

    @property
    def has_fma(self) -> bool:
        """Does the target multiply and add in one instruction?"""
        return self.has("fma") or self.triple.startswith(("aarch64", "arm64"))

    @property
    def key(self) -> str:
        """The target as a piece of a cache key: two targets with one key run the same code."""
        return f"{self.triple}|{self.cpu}|{self.features}|{_versions()}"


# The x86-64 levels of the psABI, for tests of narrower machines than the one at hand.
_LEVELS = {
    "sse2": ("x86-64", "+sse,+sse2"),
    "avx2": (
        "x86-64-v3",
        (
            "+avx,+avx2,+bmi,+bmi2,+f16c,+fma,+lzcnt,+movbe,+popcnt,"
            "+sse,+sse2,+sse3,+sse4.1,+sse4.2,+ssse3"
        ),
    ),
    "avx512": (
        "x86-64-v4",
        (
            "+avx,+avx2,+avx512bw,+avx512cd,+avx512dq,+avx512f,+avx512vl,+bmi,+bmi2,+f16c,+fma,"
            "+lzcnt,+movbe,+popcnt,+sse,+sse2,+sse3,+sse4.1,+sse4.2,+ssse3"
        ),
    ),
}


@functools.cache
def host_target() -> Target:
    """The processor this process runs on."""
    llvm = _binding()
    with _lock:
        features = llvm.get_host_cpu_features()
        return Target(
            triple=llvm.get_process_triple(),
            cpu=llvm.get_host_cpu_name(),
            features=",".join(sorted(f"{'+' if on else '-'}{f}" for f, on in features.items())),
        )


def level_target(level: str) -> Target:
    """A fixed x86-64 level, "sse2", "avx2" or "avx512", whatever the host could do beyond it.

    Raises ValueError for another level, and where the host is no x86-64.
    """
    host = host_target()
    if level not in _LEVELS:
        raise ValueError(f"unknown target level {level!r}: one of {', '.join(_LEVELS)}")
    if not host.triple.startswith("x86_64"):
        raise ValueError(f"target level {level!r} needs an x86-64 host, this is {host.triple}")
    cpu, features = _LEVELS[level]
    return Target(host.triple, cpu, features)


def target_key(target: Target | None = None) -> str:
    """The part of a kernel's cache key that names target and compiler (host when None)."""
    return (target or host_target()).key


def compile_ir(
    ir_text: str | Sequence[str],
    symbols: Iterable[str] = (),
    *,
    name: str = "",
    opt: str = "light",
    target: Target | None = None,
) -> bytes:
    """Compile LLVM IR text, or several as one module, to relocatable object bytes.

    `symbols` must be defined in the text. `name` stands in the error, else the first symbol.
    `opt` is "none", "light" (SROA, instcombine, simplifycfg), "gvn" (light and value numbering) or
    "full" (LLVM's O2 without its vectorisers and unrolling: vector code is written by hand).
    Raises KernelCompileError.
    """
    symbols = tuple(symbols)
    name = name or (symbols[0] if symbols else "module")
    target = target or host_target()
    if opt not in ("none", "light", "gvn", "full"):
        raise ValueError(f"unknown optimisation level {opt!r}")
    llvm = _binding()
    texts = (ir_text,) if isinstance(ir_text, str) else ir_text
    with _lock, _timed("compile_seconds"):
        machine = _machine(target)
        try:
            module = _parsed(llvm, texts, target, machine)
            _check_defined(module, symbols)
            if opt != "none":
                _run_passes(llvm, machine, module, opt)
            code = bytes(machine.emit_object(module))
            _counters["modules_compiled"] += 1
            return code
        except (RuntimeError, ValueError) as error:
            raise KernelCompileError(name, str(error).strip(), "\n".join(texts)) from error


def _parsed(llvm: Any, texts: Sequence[str], target: Target, machine: Any) -> Any:
    """One module of all texts; functions that are internal to one may have names of another's."""
    modules = []
    for text in texts:
        module = llvm.parse_assembly(text)
        module.triple = target.triple
        module.data_layout = str(machine.target_data)
        module.verify()  # LLVM aborts the process on IR that is not valid
        modules.append(module)
    for module in modules[1:]:
        modules[0].link_in(module)
    return modules[0]


def assembly(ir_text: str, *, opt: str = "light", target: Target | None = None) -> str:
    """The assembly text that `compile_ir` would make, for people. Raises KernelCompileError."""
    target = target or host_target()
    llvm = _binding()
    with _lock:
        machine = _machine(target)
        try:
            module = _parsed(llvm, (ir_text,), target, machine)
            if opt != "none":
                _run_passes(llvm, machine, module, opt)
            return str(machine.emit_assembly(module))
        except (RuntimeError, ValueError) as error:
            raise KernelCompileError("module", str(error).strip(), ir_text) from error


_loaded: dict[tuple[str, tuple[str, ...]], dict[str, int]] = {}
_trackers: list[Any] = []  # code stays loaded as long as its tracker lives: to the end


def load_object(
    object_bytes: bytes,
    symbols: Iterable[str],
    *,
    externals: Mapping[str, int] | None = None,
    name: str = "",
) -> dict[str, int]:
    """Link object bytes into the process; the address of each symbol.

    The same bytes and symbols are linked once a process. `externals` gives addresses to undefined
    symbols beyond those of the C library; such a load is never shared. The code stays loaded to
    the end of the process. Raises KernelCompileError.
    """
    symbols = tuple(symbols)
    name = name or (symbols[0] if symbols else "module")
    key = (hashlib.sha256(object_bytes).hexdigest(), symbols)
    with _lock, _timed("load_seconds"):
        if not externals and key in _loaded:
            return dict(_loaded[key])
        builder = _binding().JITLibraryBuilder().add_object_img(object_bytes)
        for symbol in symbols:
            builder.export_symbol(symbol)
        for symbol, address in (externals or {}).items():
            builder.import_symbol(symbol, address)
        builder.add_current_process()
        try:
            tracker = builder.link(_linker(), f"graphc{next(_library_numbers)}")
        except RuntimeError as error:
            raise KernelCompileError(name, f"link: {str(error).strip()}") from error
        addresses = {symbol: int(tracker[symbol]) for symbol in symbols}
        _trackers.append(tracker)
        if not externals:
            _loaded[key] = dict(addresses)
        return addresses


def compile_and_load(
    ir_text: str, symbols: Iterable[str], *, name: str = "", opt: str = "light"
) -> dict[str, int]:
    """`compile_ir` for the host and `load_object` in one: the address of each symbol."""
    symbols = tuple(symbols)
    return load_object(compile_ir(ir_text, symbols, name=name, opt=opt), symbols, name=name)


@functools.cache
def _binding() -> Any:
    """llvmlite.binding, its native target initialised."""
    import llvmlite.binding as llvm

    with _lock:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
    return llvm


@functools.cache
def _versions() -> str:
    import llvmlite

    llvm = ".".join(str(part) for part in _binding().llvm_version_info)
    return f"llvmlite {llvmlite.__version__}|LLVM {llvm}"


@functools.cache
def _machine(target: Target) -> Any:
    """A target machine, made once for each target.

    Position-independent code with the small code model links at any address; level 2 and 3 take
    the same 3.5 ms for a 16-wide kernel (2026-11-21), so it is 3.
    """
    windows = sys.platform == "win32"
    return (
        _binding()
        .Target.from_triple(target.triple)
        .create_target_machine(
            cpu=target.cpu,
            features=target.features,
            opt=3,
            reloc="default" if windows else "pic",
            codemodel="jitdefault" if windows else "small",
            jit=windows,
        )
    )


@functools.cache
def _linker() -> Any:
    """The one linker of the process."""
    llvm = _binding()
    machine = llvm.Target.from_default_triple().create_target_machine(
        jit=True, codemodel="jitdefault"
    )
    # JITLink keeps code and constants of a library within reach of each other; for Windows' object
    # format the older linker is the complete one.
    return llvm.create_lljit_compiler(machine, use_jit_link=sys.platform != "win32")


def _check_defined(module: Any, symbols: Iterable[str]) -> None:
    defined = {function.name for function in module.functions if not function.is_declaration}
    missing = [symbol for symbol in symbols if symbol not in defined]
    if missing:
        raise ValueError(f"the module does not define {', '.join(missing)}")


def _run_passes(llvm: Any, machine: Any, module: Any, opt: str) -> None:
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = False
    options.slp_vectorization = False
    options.loop_unrolling = False
    builder = llvm.create_pass_builder(machine, options)
    if opt == "full":
        builder.getModulePassManager().run(module, builder)
        return
    passes = llvm.create_new_module_pass_manager()
    passes.add_sroa_pass()
    passes.add_instruction_combine_pass()
    passes.add_simplify_cfg_pass()
    if opt == "gvn":
        passes.add_new_gvn_pass()
        passes.add_instruction_combine_pass()
    passes.run(module, builder)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )
