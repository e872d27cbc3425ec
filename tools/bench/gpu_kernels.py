"""Compiles the works' kernels for an H200 that need not be there: registers, spills, shared memory.

    python -m tools.bench.gpu_kernels [CASE ...] [--keep]     # default: the CPU's works

Needs numba-cuda and NVIDIA's compiler, no GPU and no driver. The plans are tools.bench.gpu's, made
and run on a device that compiles every kernel and starts none. --keep writes what docs/gpu.md says
of it into gpu_kernels.json.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from unittest import mock

import numpy as np

from graphc.kernel.launch import H200
from graphc.render import numba_cuda
from graphc.runtime.gpu import device as devices
from graphc.runtime.gpu.code import Code
from tools.bench import gpu_graphc
from tools.bench.gpu_page import KERNELS
from tools.bench.gpu_works import Case, cases
from tools.bench.works import WORKS

PAGE = 1 << 12  # bytes between addresses that nothing lies at


@dataclass(frozen=True)
class Compiled:
    """What a case's kernels need at most; bytes a thread, a thread, a block."""

    case: str
    kernels: int
    registers: int
    spills: int
    shared: int


class CompilingDevice(devices.Device):
    """An H200 that compiles kernels and starts none: results are zeros.

    loaded: of each kernel what the compiler said, by its key. known: the same of other devices.
    """

    def __init__(self, known: dict[str, numba_cuda.Cubin]) -> None:
        super().__init__(0, H200, H200.block_threads)
        self.loaded: dict[str, numba_cuda.Cubin] = {}
        self.known = known
        self._addresses = itertools.count(PAGE, PAGE)

    def allocate(self, nbytes: int) -> int:
        return next(self._addresses)

    def release(self, address: int) -> None:
        """Nothing is there."""

    def memory(self) -> tuple[int, int]:
        return 1 << 37, 1 << 37

    def put(self, address: int, array: np.ndarray[Any, Any]) -> None:
        """Nothing is there."""

    def get(self, address: int, array: np.ndarray[Any, Any]) -> None:
        array.reshape(-1).view(np.uint8)[...] = 0

    def get_all(self, pairs: Sequence[tuple[int, np.ndarray[Any, Any]]]) -> None:
        for address, array in pairs:
            self.get(address, array)

    def copy(self, target: int, source: int, nbytes: int) -> None:
        """Nothing is there."""

    def zero(self, address: int, nbytes: int) -> None:
        """Nothing is there."""

    def load(self, code: Code) -> Any:
        if code.key not in self.known:
            text = code.ptx(f"g{code.key[:24]}", self.gpu.cc)
            self.known[code.key] = numba_cuda.cubin(text, self.gpu.cc)
        self.loaded[code.key] = self.known[code.key]
        return code.key

    def launch(
        self, function: Any, shape: devices.Shape, words: Any, arguments: Sequence[Any]
    ) -> None:
        """Nothing runs."""

    def capture(self, work: Callable[[], None]) -> Any:
        return None

    def replay(self, graph: Any) -> None:
        """Nothing runs."""

    def synchronize(self) -> None:
        """Nothing runs."""


def compiled(case: Case, known: dict[str, numba_cuda.Cubin], variant: str = "run") -> Compiled:
    """Makes the case's plans and compiles their kernels, but those that are known."""
    device = CompilingDevice(known)
    with mock.patch.object(devices, "find_device", lambda ordinal: device):
        gpu_graphc.prepare(case, variant, "cuda")
    made = device.loaded.values()
    return Compiled(
        case.name, len(made), max((c.registers for c in made), default=0),
        max((c.spills for c in made), default=0), max((c.shared for c in made), default=0),
    )  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args(argv)
    names = args.cases or [c.name for c in cases(smoke=False) if c.work.name in WORKS]
    found, known = [], dict[str, numba_cuda.Cubin]()
    for case in cases(smoke=False):
        if case.name not in names:
            continue
        found.append(compiled(case, known))
        print(found[-1], flush=True)
    if args.keep:
        temporary = KERNELS.with_name(KERNELS.name + ".tmp")
        temporary.write_text(json.dumps([asdict(c) for c in found], indent=1) + "\n")
        temporary.replace(KERNELS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
