"""The machine's own limits in C (limits.c): W2's chain, and fused multiply-adds in registers.

Needs the machine's C compiler (`cc`, or $CC) with OpenMP; without one this module cannot be
imported.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tools.bench.works import Work

VERSIONS = ("cc",)
SOURCE = Path(__file__).with_name("limits.c")
FLAGS = ("-O3", "-march=native", "-ffast-math", "-fopenmp", "-shared", "-fPIC")
FOUND = shutil.which(os.environ.get("CC", "cc"))
if FOUND is None:
    raise ImportError("no C compiler: the machine's limits are not measured")
COMPILER: str = FOUND
CHAINS = ("chain", "chain_streamed")
PRODUCTS = ("multiply_add",)


def version(name: str) -> str:
    """The compiler's version."""
    done = subprocess.run([COMPILER, "--version"], capture_output=True, text=True, check=False)
    return (done.stdout.splitlines() or ["unknown"])[0].removeprefix("cc ")


def variants(work: Work) -> tuple[str, ...]:
    return {"W2": CHAINS, "W13": PRODUCTS}.get(work.name, ())


@cache
def library() -> Any:
    """limits.c, compiled for this machine."""
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "limits.so")
        subprocess.run([COMPILER, *FLAGS, str(SOURCE), "-o", file], check=True)
        return ctypes.CDLL(file)


def prepare(work: Work, inputs: tuple[Any, ...], variant: str, threads: int) -> Callable[[], Any]:
    """One limit as a function: the chain's result, or the sum that the multiply-adds leave."""
    lib = library()
    lib.use(threads)
    if variant in PRODUCTS:
        lib.multiply_add.restype = ctypes.c_double
        run: Callable[[], float] = lib.multiply_add
        return run
    length = inputs[0].size
    pointers = [np.ascontiguousarray(a).ctypes.data_as(ctypes.c_void_p) for a in inputs]
    lib.fill.restype = ctypes.POINTER(ctypes.c_float)
    out = np.ctypeslib.as_array(lib.fill(ctypes.c_long(length), *pointers), (length,))
    call = getattr(lib, variant)

    def chain() -> Any:
        call()
        return out

    return chain


def right(work: Work, variant: str, result: Any, inputs: tuple[Any, ...]) -> bool:
    """Whether the chain is W2's, and whether every sum came to its limit, one."""
    if variant in PRODUCTS:
        return bool(np.isclose(result, 1.0, 1e-3))
    return work.right(result, inputs)


def units(work: Work, variant: str, threads: int) -> float:
    """What a call moves or computes: bytes, floating-point operations."""
    if variant in PRODUCTS:
        lib = library()
        lib.operations.restype = ctypes.c_double
        return float(lib.operations())
    return 20.0 * work.inputs()[0].size  # five arrays of float32
