"""The works in graphc on a GPU: inputs are variables there, and nothing large is fed or fetched.

`run` as a program does; `unfused` one op a kernel; `tiles` without cuBLAS; `launches` without CUDA
graphs. In the simulator where NUMBA_ENABLE_CUDASIM=1 is set.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np

import graphc as tf
from graphc.runtime.gpu import device as devices
from graphc.runtime.gpu import parts, product_calls
from tools.bench import models_tf1
from tools.bench.gpu_worker import Running
from tools.bench.gpu_works import FLOAT, HALF, Case

VERSIONS = ("graphc", "numpy", "numba", "numba-cuda", "llvmlite")
PRODUCTS = ("matmul", "gelu_dense")
UNFUSED = ("W1", "W2", "W5", "W6", "W8_adam", "W12", "W1_100", "W8_tiny")
NEVER = 1 << 30


def variants(case: Case) -> tuple[str, ...]:
    work = case.work
    if work.model == "lstm":
        return "run", "run_dynamic"
    if work.model in PRODUCTS:
        return ("tiles",) if devices.find_device(0).library is None else ("run", "tiles")
    if case.dtype == FLOAT and work.name in UNFUSED:
        return "run", "unfused"
    return ("run",)


def setup(device: str) -> None:
    """Nothing: the device is the plan's."""


def select(case: Case) -> None:
    """Nothing: what may be rounded is a plan's."""


def config(case: Case | None = None, variant: str = "run") -> Any:
    """The configuration of a plan. Peers' products of bfloat16 are the tensor cores' as well."""
    cores = case is not None and case.dtype != FLOAT
    return tf.Config(backend="cuda", fuse=variant != "unfused", tensor_cores=cores)


@contextlib.contextmanager
def adjusted(variant: str) -> Iterator[None]:
    """What a variant changes while a plan is made and bound."""
    with contextlib.ExitStack() as stack:
        if variant == "tiles":
            own = mock.patch.object(product_calls, "by_library", lambda *_: False)
            stack.enter_context(own)
        if variant == "launches":
            stack.enter_context(mock.patch.object(parts, "LEAST_LAUNCHES", NEVER))
        yield


def prepare(case: Case, variant: str, device: str) -> Running:
    """The work with its arrays on the device, run once."""
    inputs, parameters = case.values()
    if case.dtype == HALF:
        inputs, parameters = (halves(inputs), halves(parameters))
    work = replace(case.work, parameters=lambda: parameters)
    with tf.Graph().as_default() as graph:
        given = [_variable(a.shape, tf.as_dtype(a.dtype)) for a in inputs]
        made = models_tf1.fetches(tf, work, given, dynamic=variant == "run_dynamic")
        value, *steps = made if work.training else [made]
        kept = _variable(value.shape, value.dtype)
        session = tf.Session(graph=graph, config=config(case, variant))
        session.run(tf.global_variables_initializer())
        for variable, array in zip(given, inputs, strict=True):
            variable.load(array, session)
        target = tf.group(kept.assign(value), *steps)
        call = session.make_callable(target)
    with adjusted(variant):
        call()
    waiting = devices.find_device(0).synchronize
    waiting()
    return Running(call, waiting, lambda: session.run(kept))


def ceilings(device: str, smoke: bool) -> dict[str, float]:
    """What the machine can do at most."""
    from tools.bench import gpu_ceilings

    return gpu_ceilings.ceilings(device, smoke)


def _variable(shape: Any, dtype: Any) -> Any:
    return tf.Variable(tf.zeros(shape, dtype), trainable=False, use_resource=True)


def halves(arrays: list[Any]) -> list[Any]:
    """Float arrays as bfloat16."""
    half = tf.bfloat16.as_numpy_dtype
    return [a.astype(half) if a.dtype == np.float32 else a for a in arrays]
