"""What the machine can do at most, and what starting work costs. Runs in graphc's process.

Each number is the best of a few samples: a ceiling is what was reached once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import graphc as tf
from graphc.runtime.gpu.device import find_device, simulating
from tools.bench import gpu_graphc
from tools.bench.gpu_worker import LEAST, measure

COPIED = 1 << 30  # bytes: far more than a cache holds
CHAINS, STEPS = 8, 512  # independent multiply-adds of a thread, in turn
THREADS = 256
MANY = 20  # kernels of the plan with many of them
SMALL = 1024  # elements of each


def ceilings(device: str, smoke: bool) -> dict[str, float]:
    """Bytes and operations a second, seconds of launches."""
    found: dict[str, float] = {}
    for part in (copies, multiply_adds, launches):
        try:
            found |= part(smoke)
        except Exception as error:  # the others may be had
            print(f"{part.__name__}: {type(error).__name__}: {error}")
    return found


def best(call: Callable[[], Any], wait: Callable[[], Any], smoke: bool) -> float:
    """Seconds of a call in the best of some samples."""
    return min(measure(call, wait, 1 if smoke else 5, 1e-3 if smoke else LEAST))


def copies(smoke: bool) -> dict[str, float]:
    """Bytes read and written a second: by the driver, and by a kernel of graphc's."""
    nbytes = 4096 if smoke else COPIED
    device = find_device(0)
    source, target = device.allocate(nbytes), device.allocate(nbytes)
    device.zero(source, nbytes)
    driver = best(lambda: device.copy(target, source, nbytes), device.synchronize, smoke)
    for address in (source, target):
        device.release(address)
    with tf.Graph().as_default() as graph:
        x: Any = tf.Variable(tf.random_uniform([64 if smoke else nbytes // 4]))
        y = tf.Variable(tf.zeros(x.shape))
        call = _ready(graph, y.assign(x * 2).op, "run")
    kernel = best(call, device.synchronize, smoke)
    moved = 2 * (256 if smoke else nbytes)
    return {"copy_driver": 2 * nbytes / driver, "copy_kernel": moved / kernel}


def _ready(graph: Any, target: Any, variant: str, **changes: Any) -> Callable[[], Any]:
    """A call of a target, bound; variables have their initial values."""
    config = gpu_graphc.config().replace(**changes)
    with graph.as_default():
        session = tf.Session(graph=graph, config=config)
        session.run(tf.global_variables_initializer())
        call = session.make_callable(target)
    with gpu_graphc.adjusted(variant):
        call()
    return call  # type: ignore[no-any-return]


def multiply_adds(smoke: bool) -> dict[str, float]:
    """Float32 operations a second where nothing but registers is touched; none simulated."""
    if simulating():
        return {}
    from numba import cuda

    blocks = 16 * find_device(0).gpu.sms
    out = cuda.to_device(np.zeros(blocks * THREADS, np.float32))
    factors = cuda.to_device(np.array([0.999, 0.001], np.float32))
    kernel = cuda.jit(adding_kernel())
    call = lambda: kernel[blocks, THREADS](out, factors, STEPS)  # noqa: E731
    seconds = best(call, cuda.synchronize, smoke)
    return {"float32": 2.0 * CHAINS * STEPS * blocks * THREADS / seconds}


def adding_kernel() -> Callable[..., None]:
    """Takes (float32[:] out, float32[:] two factors, int64 steps)."""
    from numba import cuda as compiler

    cuda: Any = compiler

    def kernel(out: Any, factors: Any, steps: int) -> None:
        at = cuda.grid(1)
        a, b = factors[0], factors[1]
        x0 = x1 = x2 = x3 = x4 = x5 = x6 = x7 = out[at]
        for _ in range(steps):
            x0 = cuda.fma(x0, a, b)
            x1 = cuda.fma(x1, b, a)
            x2 = cuda.fma(x2, a, a)
            x3 = cuda.fma(x3, b, b)
            x4 = cuda.fma(a, x4, x0)
            x5 = cuda.fma(b, x5, x1)
            x6 = cuda.fma(a, x6, x2)
            x7 = cuda.fma(b, x7, x3)
        out[at] = x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7

    return kernel


def launches(smoke: bool) -> dict[str, float]:
    """Seconds of a call that starts one small kernel, or many, with CUDA graphs and without.

    `_wait`: each call is waited for; else calls follow one another, and the dearer of starting and
    running counts.
    """
    device, found = find_device(0), {}
    count = 4 if smoke else MANY
    for many, variant in ((1, "launches"), (count, "launches"), (count, "run")):
        # one op a kernel: else all of them were one
        call = _ready(*_chain(many), variant, fuse=False)
        for _ in range(4):
            call()  # the parts are captured now
        name = f"plan_{'one' if many == 1 else 'many'}" + ("_graph" if variant == "run" else "")
        found[name] = best(call, device.synchronize, smoke)

        def waited(call: Callable[[], Any] = call) -> None:
            call()
            device.synchronize()

        found[name + "_wait"] = best(waited, lambda: None, smoke)
    if not simulating():
        found["numba_launch"] = _numba_launch(smoke)
    return found


def _chain(count: int) -> tuple[Any, Any]:
    with tf.Graph().as_default() as graph:
        x = tf.Variable(tf.zeros([SMALL]))
        y: Any = x
        for n in range(count):
            y = tf.tanh(y) if n % 2 else tf.sin(y)
        return graph, tf.Variable(tf.zeros([SMALL])).assign(y).op


def _numba_launch(smoke: bool) -> float:
    """An empty kernel, started by numba-cuda itself."""
    from numba import cuda

    empty = cuda.jit("void()")(lambda: None)
    return best(lambda: empty[1, 32](), cuda.synchronize, smoke)
