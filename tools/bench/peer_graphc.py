"""The works in graphc: `run` through session.run with feeds, `call` through make_callable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import graphc as tf
from tools.bench import models_tf1
from tools.bench.works import Work

VERSIONS = ("graphc", "numpy", "numba", "llvmlite")


def variants(work: Work) -> tuple[str, ...]:
    if work.model == "lstm":
        return "run", "run_dynamic"
    small = work.name[:2] in ("W3", "W4", "W9") or work.name == "GEMM64"
    return ("run", "call") if small else ("run",)


def prepare(work: Work, inputs: tuple[Any, ...], variant: str, threads: int) -> Callable[[], Any]:
    """The work as a function; training works return the loss of the step."""
    tf.reset_default_graph()
    feeds = [tf.placeholder(a.dtype, a.shape) for a in inputs]
    fetch = models_tf1.fetches(tf, work, feeds, dynamic=variant == "run_dynamic")
    session = tf.Session(config=tf.ConfigProto(intra_op_parallelism_threads=threads))
    session.run(tf.global_variables_initializer())
    if variant == "call":
        call = session.make_callable(fetch, feeds)
        return (lambda: call(*inputs)[0]) if work.training else (lambda: call(*inputs))
    feed = dict(zip(feeds, inputs, strict=True))
    if work.training:
        return lambda: session.run(fetch, feed)[0]
    return lambda: session.run(fetch, feed)
