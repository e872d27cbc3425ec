"""The works in TensorFlow: sessions fed with NumPy, also with XLA, and compiled functions."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

# both are read at the import: silence, and XLA for whole graphs of sessions
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_XLA_FLAGS"] = "--tf_xla_cpu_global_jit --tf_xla_min_cluster_size=1"

import tensorflow as tf

from tools.bench import models_tf1
from tools.bench.works import Work

VERSIONS = ("tensorflow", "tensorflow-cpu", "keras", "numpy")
v1 = tf.compat.v1


def variants(work: Work) -> tuple[str, ...]:
    if work.model == "lstm":
        return "sess", "fn"  # XLA compiles the written-out steps for minutes
    if work.group.startswith("GEMM") or work.group == "W7":
        return "sess", "fn_xla"
    return "sess", "sess_xla", "fn_xla"


def prepare(work: Work, inputs: tuple[Any, ...], variant: str, threads: int) -> Callable[[], Any]:
    """The work as a function; training works return the loss of the step."""
    _limit(threads)
    if variant.startswith("sess"):
        return _session(work, inputs, variant == "sess_xla", threads)
    arrays = [tf.constant(a) for a in inputs]
    parameters = [tf.Variable(p) for p in work.parameters()]
    if work.training:
        step = tf.function(_step(work, parameters), jit_compile=variant == "fn_xla")
        return lambda: step(*arrays).numpy()
    model = models_tf1.MODELS[work.model]
    fn = tf.function(
        lambda *x: model(v1, parameters, *x, **work.options), jit_compile=variant == "fn_xla"
    )
    return lambda: fn(*arrays)  # computed when it returns; numpy() would copy


def _limit(threads: int) -> None:
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        pass  # set by an earlier work of this process


def _session(work: Work, inputs: tuple[Any, ...], xla: bool, threads: int) -> Callable[[], Any]:
    config = v1.ConfigProto(
        intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads
    )
    level = v1.OptimizerOptions.ON_1 if xla else v1.OptimizerOptions.OFF
    config.graph_options.optimizer_options.global_jit_level = level
    with tf.Graph().as_default() as graph:
        feeds = [v1.placeholder(a.dtype, a.shape) for a in inputs]
        fetch = models_tf1.fetches(v1, work, feeds)
        session = v1.Session(config=config, graph=graph)
        session.run(v1.global_variables_initializer())
    feed = dict(zip(feeds, inputs))
    if work.training:
        return lambda: session.run(fetch, feed)[0]
    return lambda: session.run(fetch, feed)


def _step(work: Work, parameters: list[Any]) -> Callable[..., Any]:
    assert work.optimizer is not None
    kind, rate = work.optimizer
    slots = parameters if kind == "adam" else []
    first, second = ([tf.Variable(tf.zeros_like(p)) for p in slots] for _ in range(2))
    powers = [tf.Variable(1.0), tf.Variable(1.0)]

    def step(*data: Any) -> Any:
        *x, y = data
        with tf.GradientTape() as tape:
            z = models_tf1.MODELS[work.model](v1, parameters, *x, **work.options)
            loss = models_tf1.loss(v1, work.loss or "", z, y)
        gradients = tape.gradient(loss, parameters)
        if kind == "sgd":
            for p, g in zip(parameters, gradients):
                p.assign_sub(rate * g)
            return loss
        for power, beta in zip(powers, (0.9, 0.999)):
            power.assign(power * beta)
        for p, m, v, g in zip(parameters, first, second, gradients):
            tf.raw_ops.ResourceApplyAdam(
                var=p.handle, m=m.handle, v=v.handle, beta1_power=powers[0],
                beta2_power=powers[1], lr=rate, beta1=0.9, beta2=0.999, epsilon=1e-8, grad=g,
            )  # fmt: skip
        return loss

    return step
