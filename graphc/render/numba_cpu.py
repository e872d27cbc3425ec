"""Kernels as readable Python: the text, the un-jitted oracle, and what Numba makes of it.

Lives here: `source`, `python_callable`, `njit_callable`, `llvm_ir`. Not here: how statements are
printed (numba_source), what the called functions mean (numba_support), object code and the cache
(runtime/codegen). Numba is imported only when something is compiled.

A kernel is `name(b0, ..., o0, ..., n0, ..., [status,] lo, hi)` over flat arrays: inputs, outputs,
symbolic dimensions, then for kernels that check something an int64 array of one status word.
Half-width floats are passed as uint16 arrays of their bits.
"""

from __future__ import annotations

import itertools
import linecache
import sys
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from graphc.kernel.nest import Kernel
from graphc.render.numba_names import identifier, storage_name
from graphc.render.numba_source import module_text

_numbers = itertools.count()
_lock = threading.Lock()
_helpers: dict[str, Any] = {}


def source(kernel: Kernel, name: str = "") -> str:
    """The kernel as a Python module of its own: its helpers and `def name(...)`."""
    return module_text(kernel, identifier(name or kernel.name))[0]


# ------------------------------------------------------------------ running it as it stands
def python_callable(kernel: Kernel) -> Callable[..., int]:
    """call(arrays, dims=(), lo=0, hi=None) -> status: the source, run by Python.

    arrays: one C-contiguous array a buffer, inputs first, of the buffers' dtypes. dims: an int a
    symbolic dimension. hi: by default the kernel's extent, which must be known then.

    The call raises ValueError for an array of a wrong dtype or layout.
    """
    name = identifier(kernel.name)
    module = text_module(name, module_text(kernel, name)[0])
    vars(module)["range"] = int64_range
    function = getattr(module, name)

    def call(
        arrays: Sequence[Any], dims: Sequence[int] = (), lo: int = 0, hi: int | None = None
    ) -> int:
        flat = flat_arrays(kernel, arrays)
        status = np.zeros(1, np.int64)
        if hi is None:
            hi = _extent(kernel, dims)
        tail = [status] if kernel.flags else []
        # wrapped integers and infinities are values here, not mistakes
        with np.errstate(all="ignore"):
            function(*flat, *map(np.int64, dims), *tail, np.int64(lo), np.int64(hi))
        return int(status[0])

    return call


def int64_range(*bounds: int) -> Iterator[Any]:
    """range of np.int64, so that index arithmetic wraps as it does when compiled."""
    return map(np.int64, range(*map(int, bounds)))


def _extent(kernel: Kernel, dims: Sequence[int]) -> int:
    if isinstance(kernel.extent, int):
        return kernel.extent
    if kernel.extent in kernel.dims:
        return int(dims[kernel.dims.index(kernel.extent)])
    raise ValueError(f"{kernel.name}: give hi, the extent {kernel.extent} is symbolic")


def flat_arrays(kernel: Kernel, arrays: Sequence[Any]) -> list[Any]:
    flat = []
    for buffer, array in zip(kernel.buffers, arrays, strict=True):
        dtype = buffer.dtype
        stored = "uint16" if dtype.is_half else dtype.name
        if not array.flags.c_contiguous or array.dtype.name not in (dtype.name, stored):
            raise ValueError(
                f"{kernel.name}: {buffer!r} takes a contiguous {dtype.name} array,"
                f" not {array.dtype.name} with strides {array.strides}"
            )
        line = array.reshape(-1).view(stored)
        # a clamped index of an empty array reads element 0
        flat.append(line if line.size else np.zeros(1, stored))
    return flat


def text_module(name: str, text: str) -> types.ModuleType:
    """The text as a module that tracebacks and Numba find."""
    full = f"graphc.generated.{name}_{next(_numbers)}"
    filename = f"<{full}>"
    module = types.ModuleType(full)
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    sys.modules[full] = module
    exec(compile(text, filename, "exec", dont_inherit=True), vars(module))
    return module


# ------------------------------------------------------------------ compiled by Numba
def njit_callable(kernel: Kernel) -> Any:
    """The kernel as a Numba function over flat arrays, to be called from the user's own @njit code.

    The arguments are those of the source, see `source`; it releases the GIL.
    """
    import numba

    function = _compilable(kernel, identifier(kernel.name), "pointers")
    return numba.njit(error_model="numpy", nogil=True)(function)


def llvm_ir(kernel: Kernel, symbol: str) -> str:
    """Optimised LLVM IR that defines `void symbol(ptr args, i64 lo, i64 hi)` and nothing else.

    Numba vectorises for the processor at hand. Raises what Numba raises.
    """
    import numba

    function = _compilable(kernel, identifier(kernel.name), "slots")
    kinds: Any = numba.types
    signature = kinds.void(kinds.CPointer(kinds.int64), kinds.int64, kinds.int64)
    compiled = numba.cfunc(signature, error_model="numpy")(function)
    return _only(compiled.inspect_llvm(), compiled.native_name, symbol)


def _compilable(kernel: Kernel, name: str, form: str) -> Any:
    """The kernel's function, its helpers compiled by Numba."""
    from graphc.render import numba_lowering

    numba_lowering.install()
    text, helpers = module_text(kernel, name, form)
    module = text_module(name, text)
    for helper, helper_text in helpers.items():
        vars(module)[helper] = _helper(module, helper, helper_text)
    vars(module)["pointer"] = numba_lowering.pointer
    if form == "slots":
        kinds = {storage_name(buffer.dtype) for buffer in kernel.buffers} | {"i64", "dim"}
        for kind in kinds:
            vars(module)[f"slot_{kind}"] = numba_lowering.slot(kind)
    return getattr(module, name)


def _helper(module: types.ModuleType, name: str, text: str) -> Any:
    """One helper, compiled once a process: kernels with the same math share it.

    It is inlined always: a call would keep the loop around it from being vectorised.
    """
    import numba

    with _lock:
        found = _helpers.get(text)
        if found is None:
            made = numba.njit(error_model="numpy", forceinline=True)
            found = _helpers[text] = made(getattr(module, name))
        return found


def _only(text: str, native: str, symbol: str) -> str:
    """The IR with one visible function, renamed; what it does not use is dropped."""
    import llvmlite.binding as llvm

    module = llvm.parse_assembly(text.replace(native, symbol))
    for function in module.functions:
        if not function.is_declaration and function.name != symbol:
            function.linkage = "internal"
    for variable in module.global_variables:
        if not variable.is_declaration:
            variable.linkage = "internal"
    passes = llvm.create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()
    target = llvm.Target.from_triple(module.triple or llvm.get_process_triple())
    machine = target.create_target_machine()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options())
    passes.run(module, builder)
    return str(module)
