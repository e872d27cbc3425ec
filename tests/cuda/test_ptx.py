"""Kernels compile for GPUs that are not there: PTX, and machine code by NVIDIA's linker."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.config import Config
from graphc.errors import CompileError
from graphc.ir.dtypes import bfloat16, float16, float32, int32, int64
from graphc.ir.program import Program
from graphc.kernel import prims as k
from graphc.kernel.expr import Cast, Prim
from graphc.kernel.nest import Kernel
from graphc.render import numba_cpu, numba_cuda
from tests.cuda.checking import kernels_of
from tests.cuda.nests import NESTS
from tests.helpers import FUSED, optimized
from tests.render.nests import flat_kernel
from tools.bench import models_tf1
from tools.bench.works import WORKS

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None,
    reason='numba-cuda is not installed: pip install "graphc[cuda]"',
)
DEVICES = ((8, 0), (9, 0))
SAMPLE = ("W1", "W4_scalar", "W5", "W6", "W7_sum_ax0", "W7_sum_full", "W8_sgd")
MOST_REGISTERS = 128  # of a thread: then 512 threads fit into a multiprocessor
MOST_SPILLS = 64  # bytes: a few words that stay in the first cache


def program_of_work(name: str, config: Config = FUSED) -> Program:
    """The optimised program of a measured work."""
    work = WORKS[name]
    tf.reset_default_graph()
    inputs = work.inputs()
    feeds = [tf.placeholder(a.dtype, a.shape) for a in inputs]
    made = models_tf1.fetches(tf, work, feeds, dynamic=False)
    wanted = made if isinstance(made, list) else [made]
    fetches = [f for f in wanted if isinstance(f, tf.Tensor)]
    targets = [f for f in wanted if not isinstance(f, tf.Tensor)]
    graph: Any = tf.get_default_graph()
    program: Program = optimized(graph, fetches, dict(zip(feeds, inputs)), targets, config)
    return program


def kernels_of_work(name: str) -> Iterator[Kernel]:
    """The kernels of a measured work, each once."""
    program = program_of_work(name)
    seen: set[str] = set()
    for kernel in kernels_of(program):
        if kernel.key() not in seen:
            seen.add(kernel.key())
            yield kernel


def compiled(kernel: Kernel, cc: tuple[int, int]) -> tuple[str, numba_cuda.Cubin]:
    text = numba_cuda.ptx(numba_cuda.prepared(kernel), "kernel", cc)
    return text, numba_cuda.cubin(text, cc)


def check(kernel: Kernel, cc: tuple[int, int]) -> None:
    text, code = compiled(kernel, cc)
    assert ".entry kernel(" in text and f".target sm_{cc[0]}{cc[1]}" in text
    assert code.data[:4] == b"\x7fELF"
    assert code.spills <= MOST_SPILLS, f"{kernel.name} spills {code.spills} bytes"
    assert 0 < code.registers <= MOST_REGISTERS, f"{kernel.name}: {code.registers} registers"


@pytest.mark.parametrize("cc", DEVICES)
@pytest.mark.parametrize("name", NESTS)
def test_made_by_hand(name: str, cc: tuple[int, int]) -> None:
    check(NESTS[name](), cc)


@pytest.mark.parametrize("name", SAMPLE)
def test_a_work(name: str) -> None:
    for number, kernel in enumerate(kernels_of_work(name)):
        check(kernel, DEVICES[number % 2])


@pytest.mark.slow
@pytest.mark.parametrize("cc", DEVICES)
@pytest.mark.parametrize("name", WORKS)
def test_every_work(name: str, cc: tuple[int, int]) -> None:
    for kernel in kernels_of_work(name):
        check(kernel, cc)


def test_products_are_not_fused_into_sums() -> None:
    text, _ = compiled(flat_kernel([float32] * 3, lambda a, b, c: [a * b + c]), (9, 0))
    assert "mul.rn.f32" in text or "mul.f32" in text
    assert not re.search(r"\bfma\.", text)
    text, _ = compiled(flat_kernel([float32] * 3, lambda a, b, c: [k.fma(a, b, c)]), (9, 0))
    assert re.search(r"\bfma\.rn\.f32", text)


def test_quotients_and_roots_are_right_to_the_last_bit() -> None:
    text, _ = compiled(flat_kernel([float32] * 2, lambda a, b: [a / b, k.sqrt(a)]), (9, 0))
    assert "div.rn.f32" in text and "sqrt.rn.f32" in text and ".ftz" not in text


def test_halves_and_conversions() -> None:
    for half in (float16, bfloat16):
        check(flat_kernel([half], lambda a: [Cast(Cast(a, float32) + 1.0, a.dtype)]), (8, 0))
    check(flat_kernel([float32], lambda a: [Cast(a, int64), Cast(a, int32)]), (8, 0))


def test_flags_are_raised_atomically() -> None:
    kernel = flat_kernel(
        [int32, int32], lambda a, b: [Prim("floordiv", (a, b), int32)], flags=True
    )
    text, _ = compiled(kernel, (9, 0))
    assert re.search(r"(atom|red)[.\w]*\.or\.b64", text)


def test_code_for_both_targets_in_one_process() -> None:
    """Functions become each target's own code, whichever was asked for last."""
    made = [
        flat_kernel([float32] * 2, lambda a, b, n=n: [k.floor(k.maximum(a, b)) + float(n)])
        for n in range(4)
    ]
    for number, kernel in enumerate(made):
        if number % 2:
            text = numba_cpu.llvm_ir(kernel, "flat")
            assert "__nv_" not in text and "@flat" in text
        else:
            text, _ = compiled(kernel, (9, 0))
            assert "llvm." not in text and ".entry kernel" in text


def test_a_kernel_that_does_not_compile_says_which() -> None:
    with pytest.raises(CompileError, match="kernel flat: no PTX for compute capability 1"):
        numba_cuda.ptx(numba_cuda.prepared(flat_kernel([float32], lambda a: [a])), "f", (1, 0))


def test_bytes_that_are_no_ptx_are_refused() -> None:
    with pytest.raises(CompileError, match="linker refuses"):
        numba_cuda.cubin("nonsense", (9, 0))


def test_the_simulator_must_be_asked_for_in_time() -> None:
    ready = numba_cuda.prepared(flat_kernel([float32], lambda a: [a], extent=4))
    with pytest.raises(CompileError, match="NUMBA_ENABLE_CUDASIM=1"):
        numba_cuda.simulator_callable(ready)([np.zeros(4, np.float32)] * 2)
