"""The works in JAX on a GPU: one jit, arrays resident, training gives the old state's memory back.

Products in float32 are asked for in float32: JAX rounds them to tf32 otherwise.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tools.bench import peer_jax
from tools.bench.gpu_worker import Running
from tools.bench.gpu_works import FLOAT, HALF, Case

VERSIONS = ("jax", "jaxlib", "numpy")


def variants(case: Case) -> tuple[str, ...]:
    return ("jit", "jit_unroll") if case.work.model == "lstm" else ("jit",)


def setup(device: str) -> None:
    """Settings of the process."""
    platform = jax.devices()[0].platform
    if (platform == "gpu") != (device == "cuda"):
        raise RuntimeError(f"jax runs on {platform}, not on {device}")


def select(case: Case) -> None:
    """What a product may round its operands to."""
    jax.config.update(
        "jax_default_matmul_precision", "highest" if case.dtype == FLOAT else "default"
    )


def prepare(case: Case, variant: str, device: str) -> Running:
    """The work with its arrays on the device, run once."""
    work = case.work
    kind = jnp.bfloat16 if case.dtype == HALF else jnp.float32
    inputs, parameters = [
        [jnp.asarray(a, kind if a.dtype == np.float32 else a.dtype) for a in part]
        for part in case.values()
    ]
    unroll = {"unroll": 20} if variant == "jit_unroll" else {}
    model = partial(peer_jax.MODELS[work.model], **work.options, **unroll)
    if work.training:
        step = peer_jax.training(work, model, parameters, inputs)
    else:
        compiled = jax.jit(model)
        step = lambda: compiled(parameters, *inputs)  # noqa: E731
    result: list[Any] = [None]

    def call() -> None:
        result[0] = step()

    def wait() -> None:
        result[0].block_until_ready()

    call()
    wait()
    return Running(call, wait, lambda: np.asarray(result[0]))
