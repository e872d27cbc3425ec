"""The works that CuPy has, on a GPU: its kernels one by one, and chains by `cupy.fuse`."""

from __future__ import annotations

from functools import partial
from importlib import metadata
from typing import Any

import cupy as cp
import numpy as np
from cupyx.scipy.special import erf

from tools.bench.gpu_worker import Running, measure
from tools.bench.gpu_works import FLOAT, Case
from tools.bench.works.models import MODELS

# its distributions are named after CUDA's version
VERSIONS = (metadata.packages_distributions().get("cupy", ["cupy"])[0], "numpy")
PLAIN = ("softmax", "layer_norm", "reduction", "matmul", "add")


def variants(case: Case) -> tuple[str, ...]:
    """None of training works, nor of bfloat16."""
    model = case.work.model
    if case.dtype != FLOAT or case.work.training:
        return ()
    if model in FUSED:
        return "fuse", "plain"
    return ("plain",) if model in (*PLAIN, "gelu_dense") else ()


def setup(device: str) -> None:
    """Raises where there is no GPU."""
    cp.cuda.runtime.getDeviceCount()


def select(case: Case) -> None:
    """Nothing: products are in float32."""


def prepare(case: Case, variant: str, device: str) -> Running:
    """The work with its arrays on the device, run once."""
    work = case.work
    inputs, parameters = [[cp.asarray(a) for a in part] for part in case.values()]
    model: Any = MODELS[work.model]
    if work.model in FUSED:
        fn: Any = cp.fuse(FUSED[work.model]) if variant == "fuse" else FUSED[work.model]
        model = lambda _, *x: fn(*x)  # noqa: E731
    elif work.model == "gelu_dense":
        model = gelu_dense
    model = partial(model, parameters, *inputs, **work.options)
    result: list[Any] = [None]

    def call() -> None:
        result[0] = None  # its memory may be the next one's
        result[0] = model()

    wait = cp.cuda.Device().synchronize
    call()
    wait()
    return Running(call, wait, lambda: cp.asnumpy(result[0]))


def ceilings(device: str, smoke: bool) -> dict[str, float]:
    """Bytes that a copy reads and writes a second; a small kernel's call."""
    wait = cp.cuda.Device().synchronize
    source = cp.random.random(1024 if smoke else 1 << 28, dtype=np.float32)
    target, few = cp.empty_like(source), cp.zeros(1024, np.float32)
    copied = min(measure(lambda: cp.copyto(target, source), wait, 5))
    started = min(measure(lambda: cp.add(few, 1, few), wait, 5))
    return {"copy_cupy": 8 * source.size / copied, "cupy_launch": started}


def chain(x: Any) -> Any:
    return cp.tanh(x * 2 + 1) * cp.exp(-x * x) + cp.sqrt(cp.abs(x))


def memory_chain(a: Any, b: Any, c: Any, d: Any) -> Any:
    return cp.maximum(a * b + c, 0) * d - a


def gelu_dense(p: list[Any], x: Any) -> Any:
    h = x @ p[0] + p[1]
    return 0.5 * h * (1 + erf(h * np.float32(0.7071067811865476)))


FUSED = {"chain": chain, "memory_chain": memory_chain}
